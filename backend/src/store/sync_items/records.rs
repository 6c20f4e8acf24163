//! The records that a delivery needs.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::{
    model::{Enrolment, GradeItem, User},
    store::{
        Store, StoreError, StoredRecord, bulk,
        entity::records::{RecordTable, enrolment, user},
        lookup,
        records::Key,
        records::{by_site, load_grade_items, load_records},
    },
};

impl Store {
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

    /// All users with one of these e-mail addresses, compared exactly.
    pub(crate) async fn users_by_email(&self, emails: &[String]) -> Result<Vec<StoredRecord<User>>, StoreError> {
        let mut found = Vec::new();
        for list in bulk::key_lists(emails) {
            let query = user::Entity::find().filter(user::Column::Email.is_in(list));
            found.extend(query.all(&self.read).await?.into_iter().map(user::Entity::from_row));
        }
        Ok(found)
    }
}
