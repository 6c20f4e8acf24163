//! Destinations: how the delivery to them stands, pausing and resuming it.

use std::{collections::BTreeMap, sync::Arc};

use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, types::Example};

use super::{
    Context, Tag,
    answer::Answer,
    auth::OperatorToken,
    body::JsonText,
    failure::{Acting, Failure, Instructing, Supervising},
    problem::{Code, Problem},
    retry::read_fields,
};
use crate::{
    clock::Timestamp,
    delivery::Destination as _,
    model::{ItemState, Kind},
    store::{Attention, Conservation, Counts, DestinationSummary, OPERATOR, Pause, Store, StoreError},
    zoho::destination::Zoho,
};

pub(super) struct Operations;

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
#[oai(example)]
pub(crate) struct Destination {
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

impl Destination {
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

/// For `map`.
pub(super) fn rfc3339(time: Timestamp) -> String {
    time.to_rfc3339()
}

impl Example for Destination {
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

/// All destinations.
#[derive(Object)]
struct Destinations {
    /// In no order; none when none was ever configured.
    items: Vec<Destination>,
}

/// Why an operator pauses the delivery.
#[derive(Object)]
#[oai(example)]
struct PauseRequest {
    /// For whoever wonders later.
    #[oai(nullable)]
    reason: Option<String>,
}

impl Example for PauseRequest {
    fn example() -> Self {
        Self { reason: Some("The Zoho organisation is being reorganised until Monday.".to_owned()) }
    }
}

/// The reason of an operator who gives none.
pub(crate) const NO_REASON: &str = "An operator paused it.";

/// A pause that only a person ends.
pub(crate) fn operators_pause(reason: Option<String>, since: Timestamp) -> Pause {
    let reason = reason.filter(|reason| !reason.trim().is_empty()).unwrap_or_else(|| NO_REASON.to_owned());
    Pause { cause: OPERATOR.to_owned(), reason, since, check_at: None }
}

/// The destination, or that there is none.
pub(super) async fn find(context: &Context, name: &str) -> Result<(), Problem> {
    // Only a text that can be a name goes to the database.
    let known = !name.contains('\0') && context.store.destination(name).await?.is_some();
    known.then_some(()).ok_or_else(not_found)
}

fn not_found() -> Problem {
    Problem::with_detail(Code::NotFound, "There is no destination of this name.")
}

fn is_configured(context: &Context, name: &str) -> bool {
    name == Zoho::NAME && context.zoho.is_some()
}

async fn show(context: &Context, name: &str) -> Result<Answer<Destination>, Problem> {
    let found = Destination::read(&context.store, name, is_configured(context, name)).await?;
    found.map(Answer).ok_or_else(not_found)
}

#[OpenApi(prefix_path = "/api/v1/destinations", tag = "Tag::Delivery")]
impl Operations {
    /// List destinations
    ///
    /// Each with its counts, its pause, and whether the sum is right.
    #[oai(path = "/", method = "get", operation_id = "list_destinations")]
    async fn list(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
    ) -> Result<Answer<Destinations>, Failure<Supervising>> {
        let mut items = Vec::new();
        for summary in context.store.destinations().await? {
            let configured = is_configured(&context, &summary.name);
            items.extend(Destination::read(&context.store, &summary.name, configured).await?);
        }
        Ok(Answer(Destinations { items }))
    }

    /// Get a destination
    ///
    /// How the delivery stands: records by state, since when the oldest waits, whether and why it is paused or slow.
    #[oai(path = "/:name", method = "get", operation_id = "get_destination")]
    async fn get(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// Its name, as in `zoho`.
        name: Path<String>,
    ) -> Result<Answer<Destination>, Failure<Acting>> {
        find(&context, &name).await?;
        Ok(show(&context, &name).await?)
    }

    /// Pause the delivery
    ///
    /// Nothing more is sent until somebody resumes it; what is under way is finished. Records go on to be received, and wait.
    #[oai(path = "/:name/pause", method = "post", operation_id = "pause_destination")]
    async fn pause(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// Its name, as in `zoho`.
        name: Path<String>,
        body: JsonText<PauseRequest>,
    ) -> Result<Answer<Destination>, Failure<Instructing>> {
        find(&context, &name).await?;
        let reason = read_fields(&body.text, |fields| fields.optional::<String>("reason"))?;
        let pause = operators_pause(reason, context.clock.now());
        if context.store.pause_destination(&name, &pause).await? {
            tracing::info!(destination = name.0, "⏸ an operator paused the delivery");
        }
        Ok(show(&context, &name).await?)
    }

    /// Resume the delivery
    ///
    /// Ends a pause of whatever cause. If its cause is still there, the delivery pauses again at its next attempt.
    #[oai(path = "/:name/resume", method = "post", operation_id = "resume_destination")]
    async fn resume(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// Its name, as in `zoho`.
        name: Path<String>,
    ) -> Result<Answer<Destination>, Failure<Acting>> {
        find(&context, &name).await?;
        if context.store.resume_destination(&name, None).await? {
            tracing::info!(destination = name.0, "▶ an operator resumed the delivery");
        }
        context.due.notify_one();
        Ok(show(&context, &name).await?)
    }
}
