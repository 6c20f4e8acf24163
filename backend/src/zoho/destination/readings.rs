//! What the deliveries of other records read of people and courses, and what a delivery reads of the clock, so that a
//! change is noticed.

use super::{DeliveryBatch, Zoho, unreadable};
use crate::{
    clock::Timestamp,
    delivery::{Delivery, DestinationFailure},
    model::{Id, Kind, RecordKey, State},
    store::{Claimed, Reader, Reading, RecordTable, StoreError, StoredRecord, course, user},
    zoho::mapping::{ModuleMapping, StateRef},
};

impl Zoho {
    /// Delivers these items, and says what others read of them.
    pub(super) async fn deliver_and_read(&self, items: Vec<Claimed>) -> Result<Delivery, DestinationFailure> {
        let keys: Vec<RecordKey> = items.iter().map(|item| item.key).collect();
        let readings = self.readings(&keys).await.map_err(unreadable)?;
        let mut delivery = self.deliver_part(items).await?;
        delivery.edges.readings = readings;
        Ok(delivery)
    }

    async fn readings(&self, keys: &[RecordKey]) -> Result<Vec<Reading>, StoreError> {
        match keys.first().map(|key| key.kind) {
            Some(Kind::User) => self.read_by_others::<user::Entity>(keys, |user| StateRef::User(user)).await,
            Some(Kind::Course) => self.read_by_others::<course::Entity>(keys, |course| StateRef::Course(course)).await,
            _ => Ok(Vec::new()),
        }
    }

    async fn read_by_others<T: RecordTable>(
        &self,
        keys: &[RecordKey],
        state: fn(&T::State) -> StateRef<'_>,
    ) -> Result<Vec<Reading>, StoreError> {
        let readers = self.readers(T::State::KIND);
        if readers.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<(i64, Id)> = keys.iter().map(|key| (key.site_id, key.moodle_id)).collect();
        let records = self.store.records_by_key::<T>(&places).await?;
        let reading = |((site_id, moodle_id), stored): ((i64, Id), StoredRecord<T::State>)| Reading {
            key: RecordKey { kind: T::State::KIND, site_id, moodle_id },
            digest: self.mapping.digest_read(state(&stored.record.state)),
            readers: readers.clone(),
        };
        Ok(records.into_iter().map(reading).collect())
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
