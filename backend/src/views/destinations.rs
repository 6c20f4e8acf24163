//! How the delivery to a destination stands.

use std::collections::BTreeMap;

use poem_openapi::{Object, types::Example};

use super::rfc3339;
use crate::{
    clock::Timestamp,
    delivery::Destination as _,
    model::{ItemState, Kind},
    store::{Attention, Conservation, Counts, DestinationSummary, OPERATOR, Pause, Store, StoreError},
    zoho::destination::Zoho,
};

/// How many records are in each state. Each record is in exactly one.
#[derive(Clone, Copy, Debug, Default, Object)]
pub(crate) struct StateCounts {
    /// All of them: the sum of the others.
    pub(crate) total: u64,
    /// Wait for their turn.
    pub(crate) pending: u64,
    /// Are being delivered now.
    pub(crate) in_flight: u64,
    /// The destination has what it should have of them.
    pub(crate) synced: u64,
    /// Wait for another record.
    pub(crate) parked: u64,
    /// Need a person.
    pub(crate) failed: u64,
}

impl StateCounts {
    pub(crate) fn add(&mut self, state: ItemState, count: u64) {
        self.total += count;
        *match state {
            ItemState::Pending => &mut self.pending,
            ItemState::InFlight => &mut self.in_flight,
            ItemState::Synced => &mut self.synced,
            ItemState::Parked => &mut self.parked,
            ItemState::Failed => &mut self.failed,
        } += count;
    }
}

/// How many records of one kind are in each state.
#[derive(Debug, Object)]
pub(crate) struct KindCounts {
    /// The kind.
    pub(crate) kind: Kind,
    #[oai(flatten)]
    pub(crate) counts: StateCounts,
}

/// Why nothing is delivered.
#[derive(Debug, Object)]
#[oai(rename = "Pause")]
pub(crate) struct PauseView {
    /// What paused it: `operator`, `credentials`, `configuration` or `credits`.
    pub(crate) cause: String,
    /// What is wrong and what to do.
    pub(crate) reason: String,
    /// Since when (RFC 3339).
    pub(crate) since: String,
    /// When it is tried again (RFC 3339); null when only a person ends the pause.
    #[oai(nullable)]
    pub(crate) check_at: Option<String>,
}

/// Why the delivery is slower than it could be.
#[derive(Debug, Object)]
pub(crate) struct Slowness {
    /// In words.
    pub(crate) reason: String,
    /// When it is expected to have caught up (RFC 3339).
    #[oai(nullable)]
    pub(crate) done_at: Option<String>,
}

/// What is left of the destination's allowance.
#[derive(Debug, Object)]
pub(crate) struct Credits {
    /// Credits.
    pub(crate) left: i64,
    /// When the destination said so (RFC 3339).
    pub(crate) told_at: String,
}

/// Records against sync items, counted at one moment: each record has exactly one item, in exactly one state.
#[derive(Debug, Object)]
#[oai(rename = "Conservation")]
pub(crate) struct ConservationView {
    /// Whether that is so.
    pub(crate) holds: bool,
    /// Records of all kinds.
    pub(crate) records: u64,
    /// Sync items.
    pub(crate) items: u64,
    /// Records without an item.
    pub(crate) without_item: u64,
    /// Items without a record.
    pub(crate) without_record: u64,
    /// Items in a state that cannot be.
    pub(crate) malformed: u64,
}

/// Records that are parked or failed for the same reason.
#[derive(Debug, Object)]
#[oai(rename = "Attention")]
pub(crate) struct AttentionView {
    /// `failed` needs a person; `parked` goes on by itself when the other record has arrived.
    pub(crate) state: ItemState,
    /// The kind of record.
    pub(crate) kind: Kind,
    /// The reason, for programs: the filter `code` of the items finds them.
    pub(crate) code: String,
    /// How many.
    pub(crate) count: u64,
    /// The reason of one of them, in words.
    pub(crate) example: String,
}

impl From<Attention> for AttentionView {
    fn from(found: Attention) -> Self {
        let Attention { state, kind, code, count, example } = found;
        Self { state, kind, code, count, example }
    }
}

/// A system that records are delivered to, and how that stands.
#[derive(Debug, Object)]
#[oai(rename = "Destination", example)]
pub(crate) struct DestinationView {
    /// Its name.
    pub(crate) name: String,
    /// Whether the configuration of whoever answers names it.
    pub(crate) configured: bool,
    /// Records in each state.
    pub(crate) records: StateCounts,
    /// The same for each kind.
    pub(crate) kinds: Vec<KindCounts>,
    /// What failed or waits for another record, by reason.
    pub(crate) attention: Vec<AttentionView>,
    /// Since when the oldest record that is not synced is undelivered (RFC 3339).
    #[oai(nullable)]
    pub(crate) undelivered_since: Option<String>,
    /// Why nothing is delivered; null when it is not paused.
    #[oai(nullable)]
    pub(crate) pause: Option<PauseView>,
    /// Why it is slow; null when it is not.
    #[oai(nullable)]
    pub(crate) slow: Option<Slowness>,
    /// What is left of its allowance; null when it did not say.
    #[oai(nullable)]
    pub(crate) credits: Option<Credits>,
    /// Whether the sum is right.
    pub(crate) conservation: ConservationView,
}

impl DestinationView {
    /// How the delivery to this destination stands; nothing when it was never configured.
    pub(crate) async fn read(store: &Store, name: &str, configured: bool) -> Result<Option<Self>, StoreError> {
        let Some(summary) = store.destination(name).await? else { return Ok(None) };
        let counts = store.item_counts(name).await?;
        let conservation = store.conservation(name).await?;
        let attention = store.attention(name).await?;
        Ok(Some(Self::new(summary, configured, &counts, attention, conservation)))
    }

    fn new(
        summary: DestinationSummary,
        configured: bool,
        counts: &[Counts],
        attention: Vec<Attention>,
        conservation: Conservation,
    ) -> Self {
        let mut records = StateCounts::default();
        let mut kinds: BTreeMap<Kind, StateCounts> =
            Kind::ALL.into_iter().map(|kind| (kind, StateCounts::default())).collect();
        for Counts { kind, state, count, .. } in counts {
            records.add(*state, *count);
            kinds.entry(*kind).or_default().add(*state, *count);
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
            slow,
            credits: summary.credits.map(|(left, at)| Credits { left, told_at: rfc3339(at) }),
            conservation: conservation.into(),
        }
    }
}

impl From<Pause> for PauseView {
    fn from(pause: Pause) -> Self {
        let Pause { cause, reason, since, check_at } = pause;
        Self { cause, reason, since: rfc3339(since), check_at: check_at.map(rfc3339) }
    }
}

impl From<Conservation> for ConservationView {
    fn from(found: Conservation) -> Self {
        let Conservation { records, items, without_item, without_record, malformed } = found;
        Self { holds: found.holds(), records, items, without_item, without_record, malformed }
    }
}

impl Example for DestinationView {
    fn example() -> Self {
        let at = |seconds: i64| Timestamp(1_795_335_000_000 + 1_000 * seconds);
        let summary = DestinationSummary {
            name: Zoho::NAME.to_owned(),
            pause: None,
            slow_reason: Some("500 credits are left for 2,000 records.".to_owned()),
            done_at: Some(at(3_600)),
            credits: Some((1_500, at(0))),
            audit: None,
        };
        let count = |kind, state, count| Counts { kind, state, count, oldest: at(-60) };
        let counts = [
            count(Kind::User, ItemState::Synced, 400),
            count(Kind::Grade, ItemState::Pending, 20),
            count(Kind::Grade, ItemState::Failed, 1),
        ];
        let conservation = Conservation { records: 421, items: 421, without_item: 0, without_record: 0, malformed: 0 };
        let attention = Attention {
            state: ItemState::Failed,
            kind: Kind::Grade,
            code: "invalid_value".to_owned(),
            count: 1,
            example: "the value for Final_Grade is not a number. Correct it in Moodle.".to_owned(),
        };
        Self::new(summary, true, &counts, vec![attention], conservation)
    }
}

/// The reason of an operator who gives none.
pub(crate) const NO_REASON: &str = "An operator paused it.";

/// A pause that only a person ends.
pub(crate) fn operators_pause(reason: Option<String>, since: Timestamp) -> Pause {
    let reason = reason.filter(|reason| !reason.trim().is_empty()).unwrap_or_else(|| NO_REASON.to_owned());
    Pause { cause: OPERATOR.to_owned(), reason, since, check_at: None }
}
