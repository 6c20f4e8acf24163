//! What keeps a record from being delivered, in words. The first obstacle is the sentence that explains it.

use poem_openapi::Enum;

use super::{
    Renderer,
    edges::{Edge, Edges},
};
use crate::{
    clock::Timestamp,
    model::{Effect, ItemState, RecordKey},
    store::{AttemptRow, DestinationSummary, ItemRow, OUTAGE},
    views::HoldView,
};

/// What keeps a record from being delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum ObstacleKind {
    /// It is being delivered now.
    InFlight,
    /// The whole delivery is paused.
    Paused,
    /// Records like it are held until a person, or the destination, ends the cause.
    Held,
    /// The destination fails or does not answer for records like it.
    Outage,
    /// An attempt failed, and the next one has its time.
    BackingOff,
    /// It waits for its turn in its lane.
    Queued,
    /// It waits for another record.
    Parked,
    /// It failed because of another record.
    InTheWay,
    /// The brake waits for a person's decision.
    Brake,
    /// The inbox of adoptions waits for a person's answer.
    Inbox,
    /// It failed and needs a person.
    Failed,
    /// It is not delivered, by the mapping or a decision.
    LeftOut,
}

/// What keeps a record, in words.
pub(super) struct Obstacle {
    pub(super) kind: ObstacleKind,
    pub(super) words: String,
    /// When it ends, or is looked at again, if that has a time.
    pub(super) until: Option<Timestamp>,
}

/// What is known besides the item itself.
pub(super) struct Facts<'a> {
    pub(super) summary: Option<&'a DestinationSummary>,
    /// The adoption that waits for an answer.
    pub(super) asks: Option<i64>,
    /// How many due items of its lane are delivered before it.
    pub(super) ahead: u64,
    pub(super) edges: &'a Edges,
    pub(super) last: Option<&'a AttemptRow>,
    pub(super) now: Timestamp,
}

impl Facts<'_> {
    pub(super) fn obstacles(&self, renderer: &Renderer, row: &ItemRow) -> Vec<Obstacle> {
        let of = |kind, words: String| Obstacle { kind, words, until: None };
        match row.state {
            ItemState::InFlight => vec![of(ObstacleKind::InFlight, "It is being delivered now.".to_owned())],
            ItemState::Pending => self.of_pending(row),
            ItemState::Parked => {
                let parked = of(ObstacleKind::Parked, self.awaits(renderer, row));
                std::iter::once(parked).chain(self.pause()).collect()
            }
            ItemState::Failed => vec![self.of_failed(renderer, row)],
            ItemState::Synced => {
                let is_there = row.code.is_none() && row.remote_id.is_some();
                let words = || format!("It is not delivered: {}", reason_of(row));
                (!is_there).then(|| of(ObstacleKind::LeftOut, words())).into_iter().collect()
            }
        }
    }

    fn of_pending(&self, row: &ItemRow) -> Vec<Obstacle> {
        let mut obstacles: Vec<Obstacle> = self.pause().into_iter().chain(self.hold(row)).collect();
        let waits = row.due_at > self.now;
        if row.attempts > 0 && waits {
            let words = format!(
                "It failed {} so far and is tried again at {}: {}",
                times(row.attempts),
                row.due_at.to_rfc3339(),
                reason_of(row)
            );
            obstacles.push(Obstacle { kind: ObstacleKind::BackingOff, words, until: Some(row.due_at) });
            return obstacles;
        }
        let words = match (waits, self.ahead) {
            (true, _) => format!("It is delivered at {}.", row.due_at.to_rfc3339()),
            (false, 0) => "It is the next of its lane.".to_owned(),
            (false, 1) => "It waits for its turn, behind 1 other of its lane.".to_owned(),
            (false, ahead) => format!("It waits for its turn, behind {ahead} others of its lane."),
        };
        obstacles.push(Obstacle { kind: ObstacleKind::Queued, words, until: waits.then_some(row.due_at) });
        obstacles
    }

    fn pause(&self) -> Option<Obstacle> {
        let pause = self.summary?.pause.as_ref()?;
        let words = format!("The delivery is paused since {}: {}", pause.since.to_rfc3339(), pause.reason);
        Some(Obstacle { kind: ObstacleKind::Paused, words, until: pause.check_at })
    }

    fn hold(&self, row: &ItemRow) -> Option<Obstacle> {
        let hold = self.summary?.hold_of(row)?;
        let (what, since, reason) = (HoldView::records(hold), hold.since.to_rfc3339(), &hold.reason);
        let (kind, words) = match hold.cause == OUTAGE {
            true => (ObstacleKind::Outage, format!("An outage of Zoho holds {what} since {since}: {reason}")),
            false => (ObstacleKind::Held, format!("It is held with all {what} since {since}: {reason}")),
        };
        Some(Obstacle { kind, words, until: hold.check_at })
    }

    /// What a parked record waits for.
    fn awaits(&self, renderer: &Renderer, row: &ItemRow) -> String {
        match self.edges.awaited() {
            Some(edge) => format!("It waits for {}, {}", name(renderer, edge.key), which(renderer, edge)),
            None => reason_of(row),
        }
    }

    fn of_failed(&self, renderer: &Renderer, row: &ItemRow) -> Obstacle {
        let tried = self.last.map(|last| format!(" It was last tried at {}.", last.started_at.to_rfc3339()));
        let (reason, tried) = (reason_of(row), tried.unwrap_or_default());
        let code = row.code.as_deref().unwrap_or_default();
        let (kind, words) = match (self.asks, self.edges.awaited()) {
            _ if Effect::is_braked(code) => (ObstacleKind::Brake, reason),
            (Some(number), _) => {
                (ObstacleKind::Inbox, format!("It waits in the inbox of adoptions, as number {number}: {reason}"))
            }
            (None, Some(edge)) => {
                let other = name(renderer, edge.key);
                (
                    ObstacleKind::InTheWay,
                    format!("It failed because of {other}, whose change tries it again: {reason}{tried}"),
                )
            }
            (None, None) => (ObstacleKind::Failed, format!("It failed and needs a person: {reason}{tried}")),
        };
        Obstacle { kind, words, until: None }
    }
}

/// A record's name: its kind and id.
fn name(renderer: &Renderer, key: RecordKey) -> String {
    format!("{} {}", key.kind, renderer.id(key.site_id, key.moodle_id))
}

/// What became of a record that is waited for.
fn which(renderer: &Renderer, edge: &Edge) -> String {
    let Some(row) = &edge.row else { return "which Moodle has not reported yet.".to_owned() };
    let tried = edge.tried_at.map(|at| format!("; last tried at {}", at.to_rfc3339())).unwrap_or_default();
    let why = || row.reason.as_ref().map_or_else(|| format!("{tried}."), |reason| format!("{tried}: {reason}"));
    match row.state {
        ItemState::Failed => format!("which failed{}", why()),
        ItemState::Pending if row.attempts > 0 => format!("which fails and is tried again{}", why()),
        ItemState::Pending => "which waits for its turn.".to_owned(),
        ItemState::InFlight => "which is being delivered now.".to_owned(),
        ItemState::Parked => match row.waits_for {
            Some(next) => format!("which waits itself, for {}.", name(renderer, next)),
            None => "which waits itself.".to_owned(),
        },
        ItemState::Synced if row.remote_id.is_some() => "which has just arrived.".to_owned(),
        ItemState::Synced => format!("which is not delivered{}", why()),
    }
}

fn reason_of(row: &ItemRow) -> String {
    row.reason.clone().unwrap_or_else(|| "the reason is not known.".to_owned())
}

fn times(number: u32) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}
