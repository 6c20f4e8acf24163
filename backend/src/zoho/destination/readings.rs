//! What the deliveries of other records read of people and courses, and what a delivery reads of the clock, so that a
//! change is noticed.

use super::{DeliveryBatch, Zoho};
use crate::{
    clock::Timestamp,
    model::{Id, Kind, RecordKey},
    store::{Claimed, Reader, Reading, StoreError, course, user},
    zoho::mapping::{ModuleMapping, StateRef},
};

impl Zoho {
    /// What others read of these items' records, which were read for the delivery.
    pub(super) fn readings(&self, batch: &DeliveryBatch, items: &[Claimed]) -> Vec<Reading> {
        let of_item = |item: &Claimed| Some((item.key, batch.facts(item.key)?.state));
        self.read_by_others(batch.kind, items.iter().filter_map(of_item))
    }

    /// The same of records that are not delivered themselves.
    pub(super) async fn readings_of(&self, kind: Kind, items: &[Claimed]) -> Result<Vec<Reading>, StoreError> {
        let places: Vec<(i64, Id)> = items.iter().map(|item| (item.key.site_id, item.key.moodle_id)).collect();
        let key = |(site_id, moodle_id): &(i64, Id)| RecordKey { kind, site_id: *site_id, moodle_id: *moodle_id };
        Ok(match kind {
            Kind::User => {
                let users = self.store.records_by_key::<user::Entity>(&places).await?;
                let states = users.iter().map(|(place, user)| (key(place), StateRef::User(&user.record.state)));
                self.read_by_others(kind, states)
            }
            Kind::Course => {
                let courses = self.store.records_by_key::<course::Entity>(&places).await?;
                let states = courses.iter().map(|(place, course)| (key(place), StateRef::Course(&course.record.state)));
                self.read_by_others(kind, states)
            }
            _ => Vec::new(),
        })
    }

    fn read_by_others<'a>(&self, kind: Kind, states: impl Iterator<Item = (RecordKey, StateRef<'a>)>) -> Vec<Reading> {
        if !matches!(kind, Kind::User | Kind::Course) {
            return Vec::new();
        }
        let readers = self.readers(kind);
        if readers.is_empty() {
            return Vec::new();
        }
        let reading = |(key, state)| Reading { key, digest: self.mapping.digest_read(state), readers: readers.clone() };
        states.map(reading).collect()
    }

    fn readers(&self, of: Kind) -> Vec<Reader> {
        // What waits for a record in Zoho has not read it before; but the filter looks at a course before anything waits.
        let filters = of == Kind::Course && self.mapping.filter().restricts_courses();
        let readers = self.mapping.readers(of);
        readers
            .map(|(kind, module)| {
                let needs = if of == Kind::User { module.needs_user() } else { module.needs_course() };
                Reader { kind, waits: needs && !filters }
            })
            .collect()
    }
}

/// When what is written of these items changes by itself next.
pub(super) fn moments(batch: &DeliveryBatch, module: &ModuleMapping, items: &[Claimed]) -> Vec<(RecordKey, Timestamp)> {
    let moment = |item: &Claimed| {
        let facts = batch.facts(item.key).filter(|facts| !facts.deleted)?;
        let seconds = module.next_moment(&batch.subject(item.key, &facts))?;
        Some((item.key, Timestamp(seconds.saturating_mul(1_000))))
    };
    items.iter().filter_map(moment).collect()
}
