//! The first day: what is still to be done before events flow from Moodle to Zoho and somebody hears when they do not.
//! `backend-sync doctor` and the console show the same list.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use crate::{
    activity,
    clock::{Timestamp, judge::duration_in_words},
    config::Config,
    delivery::Destination as _,
    model::ItemState,
    store::{DestinationSummary, Store, StoreError},
    zoho::destination::Zoho,
};

/// The name that the first start gives a site which nobody named.
pub(crate) const UNNAMED_SITE: &str = "moodle";

/// A site without an event for so long is worth a look on the first day; later the alerts know its rhythm.
const SILENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// One thing to have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FirstDayStep {
    /// In one word, for a table.
    pub(crate) name: &'static str,
    /// What is there, or what is missing and what to do.
    pub(crate) text: String,
    /// Nothing is left to do.
    pub(crate) done: bool,
}

/// What the list asks of the settings.
#[derive(Clone, Debug)]
pub(crate) struct FirstDaySettings {
    has_zoho: bool,
    listener: FirstDayStep,
    secrets: FirstDayStep,
    channels: usize,
    has_console_url: bool,
    backup_missed: Option<Duration>,
}

impl FirstDayStep {
    fn done(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into(), done: true }
    }

    fn open(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into(), done: false }
    }
}

impl FirstDaySettings {
    /// Of these settings.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            has_zoho: config.zoho.is_some(),
            listener: listener(config),
            secrets: secrets(config.secrets_file.as_deref()),
            channels: config.alerts.webhooks.len() + config.alerts.email.len(),
            has_console_url: !config.alerts.console_url.is_empty(),
            backup_missed: config.backup.missed(),
        }
    }
}

/// All steps, in the order to take them.
pub(crate) async fn first_day(
    settings: &FirstDaySettings,
    store: &Store,
    now: Timestamp,
) -> Result<Vec<FirstDayStep>, StoreError> {
    let destination = store.destination(Zoho::NAME).await?.filter(|_| settings.has_zoho);
    let counts = store.item_counts(Zoho::NAME).await?;
    let delivered = counts.iter().any(|counts| counts.state == ItemState::Synced && counts.count > 0);
    let mut steps = sites(store, settings.has_zoho && !delivered, now).await?;
    steps.push(zoho(destination.as_ref(), delivered, store.last_check(Zoho::NAME).await?));
    let heard = store.channel_states().await?.iter().any(|channel| channel.last_success_at.is_some());
    steps.push(alerts(settings, heard));
    steps.push(backup(settings.backup_missed, store, now).await?);
    steps.extend([settings.listener.clone(), settings.secrets.clone()]);
    Ok(steps)
}

/// `awaits_delivery`: Zoho is connected, and has nothing yet.
async fn sites(store: &Store, awaits_delivery: bool, now: Timestamp) -> Result<Vec<FirstDayStep>, StoreError> {
    let mut sites = Vec::new();
    for site in store.sites().await? {
        let last = store.last_activity(&activity::subject_site(&site.name)).await?;
        sites.push((site.name, last));
    }
    let names: Vec<&str> = sites.iter().map(|(name, _)| name.as_str()).collect();
    let step = if sites.is_empty() {
        FirstDayStep::open("site", "There is none. Name your Moodle: backend-sync site add NAME.")
    } else if sites.iter().any(|(name, last)| name == UNNAMED_SITE && (last.is_none() || awaits_delivery)) {
        let text = format!(
            "A site is called {UNNAMED_SITE}, because nobody named it, and the name becomes part of each key in Zoho. Until the first \
             delivery, this changes it: backend-sync site rename {UNNAMED_SITE} NAME."
        );
        FirstDayStep::open("site", text)
    } else {
        FirstDayStep::done("site", names.join(", "))
    };
    let heard = sites.iter().map(|(name, last)| moodle(name, *last, now));
    Ok(std::iter::once(step).chain(heard).collect())
}

fn moodle(name: &str, last: Option<Timestamp>, now: Timestamp) -> FirstDayStep {
    match last {
        None => FirstDayStep::open(
            "Moodle",
            format!(
                "{name} has sent nothing yet. In its Moodle, install the plugin, enter this server's address and the site token, test the \
                 connection, and let it send; a new token: backend-sync site rotate-token {name}."
            ),
        ),
        Some(at) if now.is_past(at, SILENCE) => FirstDayStep::open(
            "Moodle",
            format!(
                "{name} has sent nothing for {}. Its status page says what it waits for; cron must run every minute there.",
                duration_in_words(now.since(at))
            ),
        ),
        Some(at) => FirstDayStep::done("Moodle", format!("{name} sent its last event at {}", at.to_rfc3339())),
    }
}

fn zoho(destination: Option<&DestinationSummary>, delivered: bool, checked: Option<Timestamp>) -> FirstDayStep {
    match destination {
        None => FirstDayStep::open(
            "Zoho",
            "No Zoho CRM is connected: records are stored and can be read, but are not delivered. backend-sync zoho connect helps.",
        ),
        Some(DestinationSummary { pause: Some(pause), .. }) => {
            FirstDayStep::open("Zoho", format!("The delivery is paused: {}", pause.reason))
        }
        Some(_) => match (delivered, checked.map(Timestamp::to_rfc3339)) {
            (true, Some(at)) => {
                FirstDayStep::done("Zoho", format!("has taken records; the mapping was last found to fit at {at}"))
            }
            (true, None) => FirstDayStep::open(
                "Zoho",
                "It takes records, but nobody has compared the mapping with your organisation: backend-sync zoho check, or Mapping in \
                 the console.",
            ),
            (false, Some(at)) => FirstDayStep::open(
                "Zoho",
                format!(
                    "Nothing has been delivered yet. The mapping was found to fit at {at}; records go there as Moodle sends them."
                ),
            ),
            (false, None) => FirstDayStep::open(
                "Zoho",
                "Nothing has been delivered yet. backend-sync zoho check compares the mapping with your organisation, zoho setup creates \
                 what it lacks, and zoho check --deep tries it with records made up for that.",
            ),
        },
    }
}

fn alerts(settings: &FirstDaySettings, heard: bool) -> FirstDayStep {
    let text = match (settings.channels, heard, settings.has_console_url) {
        (0, ..) => {
            "Nobody would hear of an alert. Name a webhook or a mail server in [alerts], then run backend-sync alerts test."
        }
        (_, false, _) => "No notification has arrived yet. Try the channels: backend-sync alerts test.",
        (_, true, false) => "Notifications arrive, but without links: set alerts.console_url to the console's address.",
        (_, true, true) => return FirstDayStep::done("alerts", "notifications arrive"),
    };
    FirstDayStep::open("alerts", text)
}

/// Whether there is a recent backup, as far as `backend-sync backup` made it.
async fn backup(missed: Option<Duration>, store: &Store, now: Timestamp) -> Result<FirstDayStep, StoreError> {
    let last = store.life().await?.backup_at;
    let text =
        last.map_or_else(|| "None was made yet".to_owned(), |at| format!("The last one is of {}", at.to_rfc3339()));
    let is_missed = |missed: &Duration| last.is_none_or(|at| now.since(at) > *missed);
    Ok(match missed.filter(is_missed) {
        None => FirstDayStep::done("backup", text),
        Some(_) => FirstDayStep::open(
            "backup",
            format!("{text}. Run backend-sync backup FILE each night by a timer, and keep the files elsewhere."),
        ),
    })
}

fn listener(config: &Config) -> FirstDayStep {
    let address = config.listen;
    match address.ip().is_loopback() {
        true => FirstDayStep::done("listener", format!("{address} is reached from this machine only")),
        false => FirstDayStep::open(
            "listener",
            format!(
                "{address} may be reached from other machines, without TLS: tokens and personal data would be readable on the way. Let a \
                 reverse proxy with TLS be the only one who reaches it."
            ),
        ),
    }
}

/// Whether others than the file's owner and group can read what must stay secret.
fn secrets(file: Option<&Path>) -> FirstDayStep {
    const OTHERS_READ: u32 = 0o004;
    let Some(file) = file else {
        return FirstDayStep::done("secrets", "no file of settings holds any");
    };
    let mode = std::fs::metadata(file).map(|found| found.permissions().mode());
    match mode {
        Ok(mode) if mode & OTHERS_READ != 0 => FirstDayStep::open(
            "secrets",
            format!("Every user of this machine can read {}: run chmod o-rwx on it.", file.display()),
        ),
        _ => FirstDayStep::done("secrets", format!("{} is closed to others", file.display())),
    }
}
