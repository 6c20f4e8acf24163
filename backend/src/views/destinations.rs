//! The state of delivery to a destination.

use std::collections::BTreeMap;

use poem_openapi::{Object, types::Example};

use super::rfc3339;
use crate::{
    clock::Timestamp,
    delivery::Destination as _,
    model::{ItemState, Kind, Records},
    store::{
        Attention, Conservation, Counts, DeliveryProcess, DestinationSummary, Hold, OPERATOR, Pause, Store, StoreError,
    },
    zoho::destination::Zoho,
};

/// Records by state. Each record is in exactly one.
#[derive(Clone, Copy, Debug, Default, Object)]
pub(crate) struct StateCounts {
    /// The sum of all states.
    pub(crate) total: u64,
    /// Waiting for their turn.
    pub(crate) pending: u64,
    /// Being delivered now.
    pub(crate) in_flight: u64,
    /// Delivered: the destination is up to date.
    pub(crate) synced: u64,
    /// Those of `synced` of which an optional value was left out, because it does not fit; their remarks say which.
    pub(crate) with_remarks: u64,
    /// Waiting for another record.
    pub(crate) parked: u64,
    /// Failed for good; they need a person.
    pub(crate) failed: u64,
}

impl StateCounts {
    pub(crate) fn add(&mut self, counts: &Counts) {
        self.total += counts.count;
        *match counts.state {
            ItemState::Pending => &mut self.pending,
            ItemState::InFlight => &mut self.in_flight,
            ItemState::Synced => &mut self.synced,
            ItemState::Parked => &mut self.parked,
            ItemState::Failed => &mut self.failed,
        } += counts.count;
        if counts.state == ItemState::Synced {
            self.with_remarks += counts.with_remarks;
        }
    }
}

/// Records of one kind by state.
#[derive(Debug, Object)]
pub(crate) struct KindCounts {
    /// The kind of record.
    pub(crate) kind: Kind,
    #[oai(flatten)]
    pub(crate) counts: StateCounts,
}

/// A pause: nothing is delivered.
#[derive(Debug, Object)]
#[oai(rename = "Pause")]
pub(crate) struct PauseView {
    /// The cause: `operator`, `credentials`, `configuration`, `organisation` or `credits`.
    pub(crate) cause: String,
    /// What is wrong and what to do.
    pub(crate) reason: String,
    /// When it began (RFC 3339).
    pub(crate) since: String,
    /// When the cause is next checked (RFC 3339); null when only a person can end the pause.
    #[oai(nullable)]
    pub(crate) check_at: Option<String>,
}

/// Records of one kind that are held, while all others are delivered.
#[derive(Debug, Object)]
#[oai(rename = "Hold")]
pub(crate) struct HoldView {
    /// The kind of record.
    pub(crate) kind: Kind,
    /// Which of them.
    pub(crate) records: Records,
    /// The cause: `configuration`, `permission`, `room` (the destination takes no more records), `other_writer` (records
    /// there have our keys, but we did not write them) or `outage` (it fails, or does not answer; this ends by itself).
    pub(crate) cause: String,
    /// What is wrong and what to do.
    pub(crate) reason: String,
    /// When it began (RFC 3339).
    pub(crate) since: String,
    /// When one of the records is next tried (RFC 3339); null when only a person can end it.
    #[oai(nullable)]
    pub(crate) check_at: Option<String>,
}

impl HoldView {
    /// Which records, in words.
    pub(crate) fn records(hold: &Hold) -> String {
        match hold.records {
            Records::All => format!("{} records", hold.kind),
            Records::New => format!("new {} records", hold.kind),
            Records::Known => format!("changes of {} records", hold.kind),
        }
    }
}

impl From<Hold> for HoldView {
    fn from(hold: Hold) -> Self {
        let Hold { kind, records, cause, reason, since, check_at } = hold;
        Self { kind, records, cause, reason, since: rfc3339(since), check_at: check_at.map(rfc3339) }
    }
}

/// A process that delivers nothing, because its mapping is another one.
#[derive(Debug, Object)]
pub(crate) struct WaitingProcess {
    /// The process's number and its host.
    pub(crate) place: String,
    /// Since when it waits (RFC 3339).
    pub(crate) since: String,
}

impl WaitingProcess {
    /// Those of the living processes, of which the first one delivers.
    fn among(living: Vec<DeliveryProcess>) -> Vec<Self> {
        let Some(mapping) = living.first().map(|first| first.mapping.clone()) else { return Vec::new() };
        let waiting = living.into_iter().filter(|process| process.mapping != mapping);
        waiting.map(|process| Self { place: process.place, since: rfc3339(process.since) }).collect()
    }
}

/// Why delivery is slower than usual.
#[derive(Debug, Object)]
pub(crate) struct Slowness {
    /// The reason, in words.
    pub(crate) reason: String,
    /// When delivery should have caught up (RFC 3339).
    #[oai(nullable)]
    pub(crate) done_at: Option<String>,
}

/// The API credits left at the destination.
#[derive(Debug, Object)]
pub(crate) struct Credits {
    /// The number of credits.
    pub(crate) left: i64,
    /// When the destination reported it (RFC 3339).
    pub(crate) told_at: String,
}

/// The last audit. It compares records with sync items at one moment: each record should have exactly one item, in
/// exactly one state. `backend-sync sync audit` makes a new one.
#[derive(Debug, Object)]
#[oai(rename = "Conservation")]
pub(crate) struct ConservationView {
    /// Whether they match.
    pub(crate) holds: bool,
    /// Records of all kinds.
    pub(crate) records: u64,
    /// Sync items.
    pub(crate) items: u64,
    /// Records without an item.
    pub(crate) without_item: u64,
    /// Items without a record.
    pub(crate) without_record: u64,
    /// Items in an impossible state.
    pub(crate) malformed: u64,
    /// When the audit was made (RFC 3339).
    pub(crate) audited_at: String,
}

/// Records that are parked or failed for the same reason.
#[derive(Debug, Object)]
#[oai(rename = "Attention")]
pub(crate) struct AttentionView {
    /// `failed` needs a person; `parked` resumes when the other record has arrived.
    pub(crate) state: ItemState,
    /// The kind of record.
    pub(crate) kind: Kind,
    /// The reason, for programs; use it as the filter `code` of the items.
    pub(crate) code: String,
    /// The number of records.
    pub(crate) count: u64,
    /// The reason for one of them, in words.
    pub(crate) example: String,
}

impl From<Attention> for AttentionView {
    fn from(found: Attention) -> Self {
        let Attention { state, kind, code, count, example } = found;
        Self { state, kind, code, count, example }
    }
}

/// A system that records are delivered to, and the state of delivery.
#[derive(Debug, Object)]
#[oai(rename = "Destination", example)]
pub(crate) struct DestinationView {
    /// Its name, such as `zoho`.
    pub(crate) name: String,
    /// Whether it is configured on the server that answers.
    pub(crate) configured: bool,
    /// Records by state.
    pub(crate) records: StateCounts,
    /// Records by kind and state.
    pub(crate) kinds: Vec<KindCounts>,
    /// Failed and parked records, grouped by reason.
    pub(crate) attention: Vec<AttentionView>,
    /// Since when the oldest change has been undelivered (RFC 3339).
    #[oai(nullable)]
    pub(crate) undelivered_since: Option<String>,
    /// Why nothing is delivered; null unless paused.
    #[oai(nullable)]
    pub(crate) pause: Option<PauseView>,
    /// Kinds of records that are held, while all others are delivered.
    pub(crate) holds: Vec<HoldView>,
    /// Processes that deliver nothing, because their mapping file is not that of the process that delivers: only those with
    /// the mapping of the one that has delivered the longest do.
    pub(crate) waiting_processes: Vec<WaitingProcess>,
    /// Why delivery is slow; null if it is not.
    #[oai(nullable)]
    pub(crate) slow: Option<Slowness>,
    /// The API credits left; null until the destination reports them.
    #[oai(nullable)]
    pub(crate) credits: Option<Credits>,
    /// Whether records and sync items match; null until the first audit, a minute after the start.
    #[oai(nullable)]
    pub(crate) conservation: Option<ConservationView>,
    /// When `backend-sync backup` last backed up the database with all this (RFC 3339); null before the first time.
    #[oai(nullable)]
    pub(crate) last_backup_at: Option<String>,
}

impl DestinationView {
    /// Reads the state of delivery; none if the destination was never configured.
    pub(crate) async fn read(
        store: &Store,
        name: &str,
        configured: bool,
        now: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        let Some(summary) = store.destination(name).await? else { return Ok(None) };
        let counts = store.item_counts(name).await?;
        let attention = store.attention(name).await?;
        let living = store.delivery_processes(name, now).await?;
        let waiting_processes = WaitingProcess::among(living);
        let last_backup_at = store.life().await?.backup_at.map(rfc3339);
        Ok(Some(Self { waiting_processes, last_backup_at, ..Self::new(summary, configured, &counts, attention) }))
    }

    fn new(summary: DestinationSummary, configured: bool, counts: &[Counts], attention: Vec<Attention>) -> Self {
        let mut records = StateCounts::default();
        let mut kinds: BTreeMap<Kind, StateCounts> =
            Kind::ALL.into_iter().map(|kind| (kind, StateCounts::default())).collect();
        for counts in counts {
            records.add(counts);
            kinds.entry(counts.kind).or_default().add(counts);
        }
        let undelivered = counts.iter().filter(|counts| counts.state != ItemState::Synced);
        let slow = summary.slow_reason.map(|reason| Slowness { reason, done_at: summary.done_at.map(rfc3339) });
        Self {
            name: summary.name,
            configured,
            records,
            kinds: kinds.into_iter().map(|(kind, counts)| KindCounts { kind, counts }).collect(),
            attention: attention.into_iter().map(AttentionView::from).collect(),
            undelivered_since: undelivered.map(|counts| counts.oldest).min().map(rfc3339),
            pause: summary.pause.map(PauseView::from),
            holds: summary.holds.into_iter().map(HoldView::from).collect(),
            waiting_processes: Vec::new(),
            slow,
            credits: summary.credits.map(|(left, at)| Credits { left, told_at: rfc3339(at) }),
            conservation: summary.audit.map(ConservationView::from),
            last_backup_at: None,
        }
    }
}

impl From<Pause> for PauseView {
    fn from(pause: Pause) -> Self {
        let Pause { cause, reason, since, check_at } = pause;
        Self { cause, reason, since: rfc3339(since), check_at: check_at.map(rfc3339) }
    }
}

impl From<(Conservation, Timestamp)> for ConservationView {
    fn from((found, at): (Conservation, Timestamp)) -> Self {
        let Conservation { records, items, without_item, without_record, malformed } = found;
        let (holds, audited_at) = (found.holds(), rfc3339(at));
        Self { holds, records, items, without_item, without_record, malformed, audited_at }
    }
}

impl Example for DestinationView {
    fn example() -> Self {
        let at = |seconds: i64| Timestamp(1_795_335_000_000 + 1_000 * seconds);
        let conservation = Conservation { records: 421, items: 421, without_item: 0, without_record: 0, malformed: 0 };
        let summary = DestinationSummary {
            name: Zoho::NAME.to_owned(),
            pause: None,
            holds: vec![Hold {
                kind: Kind::Grade,
                records: Records::New,
                cause: "room".to_owned(),
                reason: "Moodle_Grades: the organisation has room for no more records.".to_owned(),
                since: at(-600),
                check_at: Some(at(30)),
            }],
            slow_reason: Some("500 credits are left for 2,000 records.".to_owned()),
            done_at: Some(at(3_600)),
            credits: Some((1_500, at(0))),
            audit: Some((conservation, at(-120))),
        };
        let count = |kind, state, count| Counts { kind, state, count, absent: 0, with_remarks: 0, oldest: at(-60) };
        let counts = [
            Counts { with_remarks: 3, ..count(Kind::User, ItemState::Synced, 400) },
            count(Kind::Grade, ItemState::Pending, 20),
            count(Kind::Grade, ItemState::Failed, 1),
        ];
        let attention = Attention {
            state: ItemState::Failed,
            kind: Kind::Grade,
            code: "invalid_value".to_owned(),
            count: 1,
            example: "the value for Final_Grade is not a number. Correct it in Moodle.".to_owned(),
        };
        let place = "process 4711 on host web2".to_owned();
        let waiting_processes = vec![WaitingProcess { place, since: rfc3339(at(-90)) }];
        let last_backup_at = Some(rfc3339(at(-30_000)));
        Self { waiting_processes, last_backup_at, ..Self::new(summary, true, &counts, vec![attention]) }
    }
}

/// The cause of a pause because Zoho is another organisation than before.
pub(crate) const ORGANISATION: &str = "organisation";

/// The cause of a hold because records at the destination have our keys, but we did not write them.
pub(crate) const OTHER_WRITER: &str = "other_writer";

/// What a person accepts about a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[derive(poem_openapi::Enum, strum::EnumString, strum::IntoStaticStr)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Accepted {
    /// It is another organisation now: nothing is there yet, and everything is delivered from the beginning.
    Organisation,
    /// Records there with this database's keys are ours: they are updated.
    Records,
}

/// Carries out what a person accepts, and resumes the delivery. Returns how many records are delivered anew.
pub(crate) async fn accept(store: &Store, name: &str, what: Accepted, now: Timestamp) -> Result<u64, StoreError> {
    let anew = match what {
        Accepted::Organisation => store.leave_organisation(name, now).await?,
        Accepted::Records => {
            store.take_over(name).await?;
            0
        }
    };
    store.resume(name).await?;
    let what: &str = what.into();
    tracing::info!(destination = name, what, anew, "an operator accepted what the delivery asked about");
    Ok(anew)
}

/// The reason shown when an operator gives none.
pub(crate) const NO_REASON: &str = "An operator paused it.";

/// A pause that only a person ends.
pub(crate) fn operators_pause(reason: Option<String>, since: Timestamp) -> Pause {
    let reason = reason.filter(|reason| !reason.trim().is_empty()).unwrap_or_else(|| NO_REASON.to_owned());
    Pause { cause: OPERATOR.to_owned(), reason, since, check_at: None }
}
