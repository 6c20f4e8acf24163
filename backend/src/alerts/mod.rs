//! Alerts: rules find what is wrong, channels are notified of what is news, reminded, and notified when it is resolved.
//!
//! Of all processes on a database, one at a time holds the turn to evaluate the rules ([`evaluate`]). It passes what
//! they find to [`crate::model::decide`], and stores the changed alerts and their notifications in one transaction.
//! Every process sends notifications ([`send`]): it claims one, sends it, and stores the outcome.
//!
//! **Nothing is sent twice.** A notification that was certainly not delivered is retried. One that may have been
//! delivered, because no answer came or the process died, is not: it becomes `unknown`, and after
//! [`crate::limits::NOTIFICATION_UNKNOWN_TIME`] its alert is sent as a reminder. Programs (`format = "json"`) recognise
//! a duplicate by its reference, so for them it is retried.
//!
//! **News is told** ([`crate::model::Told`]): another cause of what is known, or so many more that it is not what was
//! told; also after somebody acknowledged it. A channel that is new hears what is open.
//!
//! **Each rule fails alone** ([`gather`]). A rule whose data cannot be read is not evaluated: its alerts stay
//! unchanged, and after several failures in a row that is an alert of its own. **Alerts that the database cannot
//! store** ([`unstored`]), above all that it accepts no events, are sent by each process from memory.

pub mod advice;
mod channel;
mod evaluate;
mod gather;
mod links;
mod rules;
mod send;
mod unstored;
mod words;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
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
    place::place,
    random::Random,
    store::{Cause, ChannelState, DatabaseUrl, Store, StoreError},
    zoho::destination::Zoho,
};

pub use links::page;
pub use send::ChannelTest;
pub use words::{ACKNOWLEDGED, is_looked_at, nothing_open, title};

use channel::Channel;
use unstored::Unstored;

/// Evaluates the rules and sends the notifications.
pub struct Alerts {
    store: Store,
    metrics: Metrics,
    settings: config::Alerts,
    database: DatabaseUrl,
    /// The destinations that this process delivers to, each with the credits reserved for others.
    destinations: HashMap<String, i64>,
    channels: Vec<Channel>,
    clock: Clock,
    random: Random,
    /// Notified when there are notifications to send.
    wake: Notify,
    memory: Mutex<Memory>,
    health: Health,
    unstored: Mutex<Unstored>,
    /// Names this process in alerts.
    place: String,
}

/// What a process remembers between two evaluations.
#[derive(Default)]
struct Memory {
    /// The earliest time of a destination's next audit.
    audits: HashMap<String, Timestamp>,
    pruned_at: Option<Timestamp>,
    /// Evaluations in a row in which a rule's data could not be read, keyed by the first of the rules that share the
    /// read.
    unreadable: HashMap<Rule, u32>,
    /// Evaluations in a row that could not be started or stored although the database accepts events, and why.
    failed_evaluations: Option<(u32, Cause)>,
}

/// A channel and its recent outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSummary {
    /// As configured.
    pub name: String,
    /// `slack`, `teams`, `json` or `email`.
    pub kind: &'static str,
    /// The outcomes of its notifications; `None` before the first.
    pub state: Option<ChannelState>,
}

impl ChannelSummary {
    /// Whether its last notifications failed.
    pub fn is_failing(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.failures >= limits::CHANNEL_FAILURES)
    }
}

impl Alerts {
    /// With the channels and rules of the configuration.
    pub fn new(
        config: &Config,
        store: Store,
        health: Health,
        metrics: Metrics,
        clock: Clock,
        random: Random,
    ) -> Result<Self, HttpError> {
        let settings = config.alerts.clone();
        let http = Http::with_call_time(limits::NOTIFICATION_TIME, &settings.authorities)?;
        let webhooks = settings.webhooks.iter().map(|(name, webhook)| Channel::webhook(name, webhook, &http));
        let emails = settings.email.iter().map(|(name, email)| Channel::email(name, email, &settings.authorities));
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

    /// Goes on where another one of this process ended, so that nothing is told twice.
    pub fn take_over(&self, before: &Self) {
        *self.memory() = std::mem::take(&mut *before.memory());
        *self.unstored() = std::mem::take(&mut *before.unstored());
    }

    /// Evaluates and sends until `stop` becomes true; then finishes what is being sent.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let (mut tasks, mut senders) = (JoinSet::new(), Vec::new());
        for number in 0..self.channels.len() {
            let (alerts, stop) = (Arc::clone(&self), stop.clone());
            let (sender, unstored) = mpsc::unbounded_channel();
            senders.push(sender);
            // One task per channel, so that a hanging channel does not delay the others. A hanging database does not
            // delay what is sent from memory.
            tasks.spawn(async move {
                if let Some(channel) = alerts.channels.get(number) {
                    tokio::join!(alerts.serve(channel, stop.clone()), alerts.send_unstored(channel, unstored, stop));
                }
            });
        }
        let (alerts, stopping) = (Arc::clone(&self), stop.clone());
        tasks.spawn(async move { alerts.watch_writes(senders, stopping).await });
        self.watch(stop).await;
        while tasks.join_next().await.is_some() {}
    }

    /// The configured channels and their recent outcomes.
    pub async fn channels(&self) -> Result<Vec<ChannelSummary>, StoreError> {
        let mut states = self.store.channel_states().await?;
        let summary = |channel: &Channel| {
            let place = states.iter().position(|state| state.name == channel.name);
            let state = place.map(|place| states.swap_remove(place));
            ChannelSummary { name: channel.name.clone(), kind: channel.kind(), state }
        };
        Ok(self.channels.iter().map(summary).collect())
    }

    /// The time between two evaluations of the rules.
    pub fn interval(&self) -> Duration {
        self.settings.interval()
    }

    /// A unique reference: 128 random bits.
    fn reference(&self) -> String {
        format!("{:016x}{:016x}", self.random.number(), self.random.number())
    }
}
