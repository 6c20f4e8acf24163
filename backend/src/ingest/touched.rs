//! The records and grade items that events read and write.

use std::collections::BTreeSet;

use super::Arrival;
use crate::{
    model::{Change, Event, Id, Kind},
    store::Key,
};

/// What an event reads and writes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Touched {
    /// A record.
    Record(Kind, Key),
    /// A grade item.
    Item(Key),
}

impl Touched {
    /// What an event touches.
    pub(super) fn by(arrival: &Arrival) -> impl Iterator<Item = Self> + use<> {
        let Arrival { site, event, .. } = arrival;
        let record = Self::Record(event.event_type.kind(), (site.id, event.change.subject().0));
        let item = match &event.change {
            Change::Grade(grade, Some(_)) => Some(Self::Item((site.id, grade.state.itemid))),
            _ => None,
        };
        let course = mentioned_course(event).map(|courseid| Self::Record(Kind::Course, (site.id, courseid)));
        std::iter::once(record).chain(item).chain(course)
    }
}

/// The keys of these records of one kind.
pub(super) fn keys_of(touched: &BTreeSet<Touched>, wanted: Kind) -> Vec<Key> {
    let key = |touched: &Touched| match touched {
        Touched::Record(kind, key) if *kind == wanted => Some(*key),
        _ => None,
    };
    touched.iter().filter_map(key).collect()
}

/// The keys of these grade items.
pub(super) fn items_of(touched: &BTreeSet<Touched>) -> Vec<Key> {
    let key = |touched: &Touched| match touched {
        Touched::Item(key) => Some(*key),
        Touched::Record(..) => None,
    };
    touched.iter().filter_map(key).collect()
}

/// The course that an event of the original plugin mentions: it reports nothing about courses but their ids, in
/// enrolments. A plugin that sends batches reports its courses, so their events are awaited instead.
pub(super) fn mentioned_course(event: &Event) -> Option<Id> {
    match &event.change {
        Change::Enrolment(enrolment) if event.idempotency_key.is_none() => Some(enrolment.state.courseid),
        _ => None,
    }
}
