//! The records that a delivery needs.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::{
    model::{Enrolment, GradeItem, ItemState, Kind, RecordKey, User},
    store::{
        Claimed, Store, StoreError, StoredRecord,
        bounded::parts,
        bulk,
        entity::records::{RecordTable, completion, course, enrolment, grade, user},
        lookup,
        records::{Key, by_site, load_bytes, load_grade_items, load_records},
    },
};

impl Store {
    /// Splits claimed items of one kind into parts, each with no more records than one read takes into memory.
    pub(crate) async fn in_parts(&self, kind: Kind, items: Vec<Claimed>) -> Result<Vec<Vec<Claimed>>, StoreError> {
        let key = |item: &Claimed| (item.key.site_id, item.key.moodle_id);
        let keys: Vec<Key> = items.iter().map(key).collect();
        let bytes = match kind {
            Kind::User => load_bytes::<user::Entity>(&self.read, &keys).await?,
            Kind::Course => load_bytes::<course::Entity>(&self.read, &keys).await?,
            Kind::Enrolment => load_bytes::<enrolment::Entity>(&self.read, &keys).await?,
            Kind::Grade => load_bytes::<grade::Entity>(&self.read, &keys).await?,
            Kind::Completion => load_bytes::<completion::Entity>(&self.read, &keys).await?,
        };
        Ok(parts(items, |item| bytes.get(&key(item)).copied().unwrap_or_default()))
    }

    /// The existing records with these keys.
    pub(crate) async fn records_by_key<T: RecordTable>(
        &self,
        keys: &[Key],
    ) -> Result<HashMap<Key, StoredRecord<T::State>>, StoreError> {
        load_records::<T>(&self.read, keys).await
    }

    /// The existing grade items with these keys.
    pub(crate) async fn grade_items_by_key(&self, keys: &[Key]) -> Result<HashMap<Key, GradeItem>, StoreError> {
        let items = load_grade_items(&self.read, keys).await?;
        Ok(items.into_iter().map(|(key, (item, _))| (key, item)).collect())
    }

    /// All enrolments of these users that are not deleted.
    pub(crate) async fn enrolments_of(&self, users: &[Key]) -> Result<Vec<StoredRecord<Enrolment>>, StoreError> {
        let mut found = Vec::new();
        for (site_id, ids) in by_site(users) {
            let site = (enrolment::Column::SiteId, site_id);
            let rows = lookup::rows::<enrolment::Entity>(&self.read, site, enrolment::Column::Userid, &ids).await?;
            found.extend(rows.into_iter().filter(|row| !row.deleted).map(enrolment::Entity::from_row));
        }
        Ok(found)
    }

    /// Whether this user is deleted in Moodle, and the destination knows it: an erasure is not to lose its record.
    pub(crate) async fn is_gone(&self, destination: &str, key: RecordKey) -> Result<bool, StoreError> {
        let users = self.records_by_key::<user::Entity>(&[(key.site_id, key.moodle_id)]).await?;
        let is_deleted = key.kind == Kind::User && users.values().any(|user| user.record.deleted);
        let rows = self.sync_items_of(destination, &[key]).await?;
        Ok(is_deleted && rows.iter().any(|row| row.state == ItemState::Synced))
    }

    /// All users with one of these e-mail addresses, compared exactly; the deleted ones, too.
    pub(crate) async fn users_by_email(&self, emails: &[String]) -> Result<Vec<StoredRecord<User>>, StoreError> {
        let mut found = Vec::new();
        for list in bulk::key_lists(emails) {
            let query = user::Entity::find().filter(user::Column::Email.is_in(list));
            found.extend(query.all(&self.read).await?.into_iter().map(user::Entity::from_row));
        }
        Ok(found)
    }
}
