//! What people decided about adoptions: whom a contact in Zoho is, and whom it is not.

use sea_orm::{QueryResult, Value};

use super::Reapplied;
use crate::{
    clock::Timestamp,
    model::{AdoptionState, RecordKey},
    store::{
        Store, StoreError,
        register::{Entry, Kept, KeptAdoption},
        sql::{execute, query, word},
    },
};

/// Who decided, as people read it: the register names nobody.
const BY_BEFORE: &str = "Somebody, before a restore,";

/// Whether the database knows a decision, or something newer.
enum Knowledge {
    /// It does.
    Current,
    /// It knows something older, with this number.
    Older(i64),
    /// Nothing.
    Nothing(i64),
    /// There is no such site or destination.
    Elsewhere,
}

impl Store {
    /// Nothing is delivered because of it: the next delivery of an account sees what was decided. Returns what the
    /// register lacks.
    pub(super) async fn reapply_decisions(&self, kept: &Kept, done: &mut Reapplied) -> Result<Vec<Entry>, StoreError> {
        for (adoption, (state, at)) in &kept.adoptions {
            let decided = [state.as_str().into(), (*at).into(), Value::from(BY_BEFORE)];
            match self.knowledge_of(adoption, *state, *at).await? {
                Knowledge::Current | Knowledge::Elsewhere => continue,
                Knowledge::Older(id) => {
                    let sql = "UPDATE adoptions SET state = ?, changed_at = ?, decided_by = ? WHERE id = ?";
                    execute(&self.write, sql, decided.into_iter().chain([id.into()]).collect()).await?;
                }
                Knowledge::Nothing(site_id) => {
                    let sql = "INSERT INTO adoptions (state, changed_at, decided_by, destination, site_id, moodle_id, remote_id) \
                               VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (destination, site_id, moodle_id, remote_id) DO NOTHING";
                    let KeptAdoption { destination, user, contact, .. } = adoption;
                    let place: [Value; 4] =
                        [destination.as_str().into(), site_id.into(), (*user).into(), contact.as_str().into()];
                    execute(&self.write, sql, decided.into_iter().chain(place).collect()).await?;
                }
            }
            done.decided += 1;
        }
        self.missing_decisions(kept).await
    }

    async fn knowledge_of(
        &self,
        KeptAdoption { destination, site, user, contact }: &KeptAdoption,
        state: AdoptionState,
        at: i64,
    ) -> Result<Knowledge, StoreError> {
        let sql = "SELECT s.id AS site_id, a.id, a.state, a.changed_at FROM sites s CROSS JOIN destinations d \
                   LEFT JOIN adoptions a ON a.destination = d.name AND a.site_id = s.id AND a.moodle_id = ? \
                   AND a.remote_id = ? WHERE s.name = ? AND d.name = ?";
        let values: [Value; 4] =
            [(*user).into(), contact.as_str().into(), site.as_str().into(), destination.as_str().into()];
        let rows = query(&self.write, sql, values.into()).await?;
        let Some(row) = rows.first() else { return Ok(Knowledge::Elsewhere) };
        let Some(id) = row.try_get::<Option<i64>>("", "id")? else {
            return Ok(Knowledge::Nothing(row.try_get("", "site_id")?));
        };
        let (own, changed_at): (AdoptionState, i64) = (word(row, "state")?, row.try_get("", "changed_at")?);
        // What was approved is adopted later.
        let is_so = own == state || (state, own) == (AdoptionState::Approved, AdoptionState::Adopted);
        Ok(if is_so || changed_at >= at { Knowledge::Current } else { Knowledge::Older(id) })
    }

    /// What the register lacks.
    pub(super) async fn missing_decisions(&self, kept: &Kept) -> Result<Vec<Entry>, StoreError> {
        let sql = "SELECT a.destination, s.name, a.moodle_id, a.remote_id, a.state, a.changed_at FROM adoptions a \
                   JOIN sites s ON s.id = a.site_id WHERE a.decided_by IS NOT NULL AND a.state <> 'waiting' ORDER BY a.id";
        let entry = |row: &QueryResult| -> Result<Option<Entry>, StoreError> {
            let adoption = KeptAdoption {
                destination: row.try_get("", "destination")?,
                site: row.try_get("", "name")?,
                user: row.try_get("", "moodle_id")?,
                contact: row.try_get("", "remote_id")?,
            };
            let (state, at) = (decided(word(row, "state")?), row.try_get("", "changed_at")?);
            let is_kept = kept.adoptions.get(&adoption).is_some_and(|kept| kept.0 == state || kept.1 >= at);
            Ok((!is_kept).then_some(Entry::Decided { adoption, state, at }))
        };
        let rows = query(&self.read, sql, vec![]).await?;
        rows.iter().filter_map(|row| entry(row).transpose()).collect()
    }

    /// Enters what is decided about an adoption, before it is.
    pub(in crate::store) async fn enter_decision(
        &self,
        destination: &str,
        (account, contact): (RecordKey, &str),
        state: AdoptionState,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(site) = self.site_names().await?.remove(&account.site_id) else { return Ok(()) };
        let (destination, contact) = (destination.to_owned(), contact.to_owned());
        let adoption = KeptAdoption { destination, site, user: account.moodle_id.0, contact };
        self.enter(Entry::Decided { adoption, state: decided(state), at: at.0 }).await
    }
}

/// What a person said, by what came of it.
fn decided(state: AdoptionState) -> AdoptionState {
    if state == AdoptionState::Adopted { AdoptionState::Approved } else { state }
}
