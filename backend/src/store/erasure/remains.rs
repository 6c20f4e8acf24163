//! Finding data that should be gone, in every table that can hold data about a person; also the counts before an
//! erasure.

use sea_orm::Value;

use super::{
    ErasureRemainder, NO_DATA,
    blank::{REPLACED, person, unblanked},
    progress::{remote_records, rows_of},
};
use crate::store::{
    Store, StoreError, UserFilter,
    entity::records::{completion, enrolment, grade, user},
    erasure::RemoteRecord,
    sql::count,
};

impl Store {
    /// What is still stored about a person, by table; clean tables are left out.
    pub async fn remains_of(&self, user: UserFilter) -> Result<Vec<ErasureRemainder>, StoreError> {
        let of = |table: &str, sql: String, values: Vec<Value>| (table.to_owned(), sql, values);
        let (attempts, attempt_values) = rows_of(user, "sync_attempts");
        let (findings, finding_values) = rows_of(user, "findings");
        let mut event_values = person(user);
        event_values.push(NO_DATA.into());
        let tables = [
            of("users", unblanked::<user::Entity>(), person(user)),
            of("enrolments", unblanked::<enrolment::Entity>(), person(user)),
            of("grades", unblanked::<grade::Entity>(), person(user)),
            of("completions", unblanked::<completion::Entity>(), person(user)),
            of("events", "FROM events WHERE site_id = ? AND userid = ? AND data <> ?".to_owned(), event_values),
            of("sync_attempts", format!("FROM {attempts} WHERE t.message IS NOT NULL"), attempt_values),
            of("adoptions", format!("FROM adoptions WHERE {REPLACED}"), person(user)),
            of("findings", format!("FROM {findings}"), finding_values),
        ];
        let mut remains = Vec::new();
        for (place, sql, values) in tables {
            let count = count(&self.read, &format!("SELECT count(*) AS count {sql}"), values).await?;
            remains.extend((count > 0).then_some(ErasureRemainder { place, count }));
        }
        Ok(remains)
    }

    /// The person's records at destinations whose ids we know.
    pub async fn remote_records_of(&self, user: UserFilter) -> Result<Vec<RemoteRecord>, StoreError> {
        remote_records(&self.read, user, "sync_items").await
    }
}
