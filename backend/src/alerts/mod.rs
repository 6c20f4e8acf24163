//! Alarms: what is wrong is found, told once, told again, and told to be well.
//!
//! Of all processes on a database, one at a time has the turn to look ([`look`]). It hands what the rules find to
//! [`crate::model::decide`], and writes the alerts that change and the notices of that in one transaction. Each process sends
//! notices ([`send`]): it claims one, sends it, and writes down what became of it.
//!
//! **Nothing is sent twice.** A notice that certainly did not arrive is tried again. One that may have arrived, because the
//! answer did not come or the process died, is not: it is `unknown`, and its alert is told of anew after
//! [`crate::limits::NOTICE_DOUBT`], as a reminder. Programs recognise a repetition by its reference, so to them (`format = "json"`)
//! it is sent again.
//!
//! **Each rule fails alone** ([`see`]). What cannot be read is not judged: its alerts stay as they are, and after some looks in a row
//! that is an alert itself. **What the database cannot take** ([`unstored`]), that it takes nothing first of all, each process tells from
//! memory.

mod channel;
mod look;
mod rules;
mod see;
mod send;
mod unstored;
mod words;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
};

use crate::{
    clock::{Clock, Timestamp},
    config::{self, Config},
    delivery::Destination as _,
    health::Health,
    http::{Http, HttpError},
    limits,
    metrics::Metrics,
    model::Rule,
    random::Random,
    store::{Cause, ChannelState, DatabaseUrl, Store, StoreError},
    zoho::destination::Zoho,
};

pub use send::Tried;
pub use words::title;

use channel::Channel;
use unstored::Unstored;

/// Watches, and tells.
pub struct Alerts {
    store: Store,
    metrics: Metrics,
    settings: config::Alerts,
    database: DatabaseUrl,
    /// The destinations that this process delivers to, and the credits that it leaves to others.
    destinations: HashMap<String, i64>,
    channels: Vec<Channel>,
    clock: Clock,
    random: Random,
    /// Told when there are notices to send.
    wake: Notify,
    memory: Mutex<Memory>,
    health: Health,
    unstored: Mutex<Unstored>,
    /// This process, in words.
    place: String,
}

/// What a process remembers between two looks.
#[derive(Default)]
struct Memory {
    /// When the next audit of a destination may be made.
    audits: HashMap<String, Timestamp>,
    pruned_at: Option<Timestamp>,
    /// At how many looks in a row a rule could not be judged, by the first of those that read the same.
    blind: HashMap<Rule, u32>,
    /// How many looks in a row could not be begun or written down although the database takes writes, and why.
    failed_looks: Option<(u32, Cause)>,
}

/// A channel, and how it fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSummary {
    /// Its name.
    pub name: String,
    /// `slack`, `teams`, `json` or `email`.
    pub kind: &'static str,
    /// What became of its notices; nothing when there were none.
    pub state: Option<ChannelState>,
}

impl ChannelSummary {
    /// Whether notices do not arrive.
    pub fn is_failing(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.failures >= limits::CHANNEL_FAILURES)
    }
}

impl Alerts {
    /// What the configuration describes.
    pub fn new(
        config: &Config,
        store: Store,
        health: Health,
        metrics: Metrics,
        clock: Clock,
        random: Random,
    ) -> Result<Self, HttpError> {
        let settings = config.alerts.clone();
        let http = Http::with_call_time(limits::NOTIFICATION_TIME)?;
        let webhooks = settings.webhooks.iter().map(|(name, webhook)| Channel::webhook(name, webhook, &http));
        let emails = settings.email.iter().map(|(name, email)| Channel::email(name, email));
        let channels: Vec<Channel> = webhooks.chain(emails).collect();
        for channel in &channels {
            metrics.alert_notifications.begin(&channel.name);
        }
        let zoho = config.zoho.as_ref();
        let zoho = zoho.map(|zoho| (Zoho::NAME.to_owned(), zoho.reserve_credits.into()));
        Ok(Self {
            store,
            settings,
            database: config.database_url.clone(),
            destinations: zoho.into_iter().collect(),
            channels,
            metrics,
            clock,
            random,
            wake: Notify::new(),
            memory: Mutex::default(),
            health,
            unstored: Mutex::default(),
            place: place(),
        })
    }

    /// Looks and sends until `stop` becomes true; then finishes what is being sent.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let (mut tasks, mut senders) = (JoinSet::new(), Vec::new());
        for number in 0..self.channels.len() {
            let (alerts, stop) = (Arc::clone(&self), stop.clone());
            let (sender, unstored) = mpsc::unbounded_channel();
            senders.push(sender);
            // Each on its own, so that one that hangs does not hold up the others; nor does a database that hangs hold up what is
            // told without it.
            tasks.spawn(async move {
                if let Some(channel) = alerts.channels.get(number) {
                    tokio::join!(alerts.serve(channel, stop.clone()), alerts.tell(channel, unstored, stop));
                }
            });
        }
        let (alerts, stopping) = (Arc::clone(&self), stop.clone());
        tasks.spawn(async move { alerts.witness(senders, stopping).await });
        self.watch(stop).await;
        while tasks.join_next().await.is_some() {}
    }

    /// The configured channels, and how they fare.
    pub async fn channels(&self) -> Result<Vec<ChannelSummary>, StoreError> {
        let mut states = self.store.channel_states().await?;
        let summary = |channel: &Channel| {
            let place = states.iter().position(|state| state.name == channel.name);
            let state = place.map(|place| states.swap_remove(place));
            ChannelSummary { name: channel.name.clone(), kind: channel.kind(), state }
        };
        Ok(self.channels.iter().map(summary).collect())
    }

    /// Something unique: 128 random bits.
    fn reference(&self) -> String {
        format!("{:016x}{:016x}", self.random.number(), self.random.number())
    }
}

/// This process, in words that tell it from others on the same database.
fn place() -> String {
    let host = rustix::system::uname();
    format!("process {} on host {}", std::process::id(), host.nodename().to_string_lossy())
}
