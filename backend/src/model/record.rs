//! How an event changes a record: the newest wins, in whatever order events arrive.

use super::{Outcome, State, Version};

/// What an event says about a record.
#[derive(Clone)]
pub struct Incoming<S> {
    /// The state; a deletion carries only the references.
    pub state: S,
    /// Fields that this version of the backend does not know, as a JSON object.
    pub extra: Option<String>,
    /// Whether `state` is complete, not only the references of a deletion.
    pub is_state: bool,
    /// Whether it is deleted in Moodle.
    pub deleted: bool,
}

/// The current state of one object in Moodle.
///
/// State and presence are two registers, each with the version that last wrote it: a deletion writes presence only, a
/// state writes both. So a deleted record keeps its last known state, and a state that arrives after the deletion but
/// is older still fills it in. Each register ends with its newest write, in whatever order events arrive.
#[derive(Clone, PartialEq)]
pub struct Record<S> {
    /// The newest state, or only the references while no state has arrived.
    pub state: S,
    /// Fields that this version of the backend does not know, as a JSON object.
    pub extra: Option<String>,
    /// The version of `state`; none while only a deletion has arrived.
    pub version: Option<Version>,
    /// Whether it is deleted in Moodle.
    pub deleted: bool,
    /// The version of `deleted`.
    pub presence: Version,
}

/// The result of applying an event to a record.
pub struct Applied<S> {
    /// What the event did.
    pub outcome: Outcome,
    /// The record to store; none if it needs no write.
    pub record: Option<Record<S>>,
    /// Whether the record now holds the event's state.
    pub holds_state: bool,
}

impl<S: State> Record<S> {
    /// A record known only by its id, because another record refers to it. Any event about it is newer.
    pub fn mentioned(state: S) -> Self {
        Self { state, extra: None, version: None, deleted: false, presence: Version::UNKNOWN }
    }

    /// Applies an event to the current record, if there is one.
    pub fn apply(current: Option<&Self>, incoming: Incoming<S>, version: Version) -> Applied<S> {
        let Some(current) = current else {
            let Incoming { state, extra, is_state, deleted } = incoming;
            let record = Self { state, extra, version: is_state.then_some(version), deleted, presence: version };
            return Applied { outcome: Outcome::Applied, record: Some(record), holds_state: is_state };
        };
        let version = version.or_as_new_as(current.presence);
        let writes_state = incoming.is_state && version.replaces(current.version);
        let writes_presence = version.replaces(Some(current.presence));
        if !writes_state && !writes_presence {
            return Applied { outcome: Outcome::Superseded, record: None, holds_state: false };
        }
        let mut record = current.clone();
        if writes_state {
            record.state = incoming.state.clone();
            record.extra = incoming.extra;
            record.version = Some(version);
        }
        if writes_presence {
            if record.version.is_none() {
                // Still no state: take the references from the newest deletion.
                record.state = incoming.state;
            }
            record.deleted = incoming.deleted;
            record.presence = version;
        }
        let same = record.state == current.state && record.extra == current.extra && record.deleted == current.deleted;
        // A state with nothing new still moves the version, or an older one could replace it later.
        let outcome = if same { Outcome::Unchanged } else { Outcome::Applied };
        Applied { outcome, record: Some(record).filter(|record| record != current), holds_state: writes_state }
    }
}

#[cfg(test)]
mod tests {
    use super::{Incoming, Record};
    use crate::model::{Completion, Id, Outcome, Time, Version};

    fn completion(time: Option<i64>) -> Completion {
        Completion { completionid: Id(1), userid: Id(2), courseid: Id(3), timecompleted: time.map(Time) }
    }

    fn state(value: i64) -> Incoming<Completion> {
        Incoming { state: completion(Some(value)), extra: None, is_state: true, deleted: false }
    }

    fn deletion() -> Incoming<Completion> {
        Incoming { state: completion(None), extra: None, is_state: false, deleted: true }
    }

    fn version(time: i64) -> Version {
        Version { time, sequence: Some(time) }
    }

    fn fold(events: &[(Incoming<Completion>, Version)]) -> (Record<Completion>, Vec<Outcome>) {
        let mut record = None;
        let mut outcomes = Vec::new();
        for (incoming, version) in events {
            let applied = Record::apply(record.as_ref(), incoming.clone(), *version);
            outcomes.push(applied.outcome);
            record = applied.record.or(record);
        }
        (record.unwrap(), outcomes)
    }

    #[test]
    fn an_unchanged_state_still_moves_the_version() {
        let events = [(state(7), version(1)), (state(7), version(3)), (state(8), version(2))];
        let (record, outcomes) = fold(&events);
        assert_eq!(outcomes, [Outcome::Applied, Outcome::Unchanged, Outcome::Superseded]);
        assert_eq!(record.state.timecompleted, Some(Time(7)));
    }

    #[test]
    fn a_late_state_fills_a_deleted_record() {
        let in_order = fold(&[(state(7), version(1)), (deletion(), version(2))]).0;
        let reversed = fold(&[(deletion(), version(2)), (state(7), version(1))]);
        assert!(in_order == reversed.0 && in_order.deleted);
        assert_eq!(reversed.1, [Outcome::Applied, Outcome::Applied]);
    }

    #[test]
    fn what_comes_back_is_no_longer_deleted() {
        let (record, _) = fold(&[(state(7), version(1)), (deletion(), version(2)), (state(7), version(3))]);
        assert!(!record.deleted);
    }

    #[test]
    fn without_sequence_the_record_is_compared_not_the_log() {
        let at = Version { time: 1, sequence: None };
        let (record, outcomes) = fold(&[(state(7), at), (state(8), at), (state(7), at), (state(7), at)]);
        assert_eq!(outcomes, [Outcome::Applied, Outcome::Applied, Outcome::Applied, Outcome::Unchanged]);
        assert_eq!(record.state.timecompleted, Some(Time(7)));
    }
}
