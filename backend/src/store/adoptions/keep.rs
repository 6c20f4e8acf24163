//! What a delivery stores of adoptions: whom a person is asked about, and the replaced values, before they are replaced.

use sea_orm::{ConnectionTrait, Value};

use crate::{
    clock::Timestamp,
    model::{RecordKey, ReplacedValue},
    store::{
        Store, StoreError,
        sql::{execute, query},
    },
};

/// An adoption that is about to be made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adopted {
    /// The contact's values; `None` when they are not to be kept.
    pub replaced: Option<Vec<ReplacedValue>>,
}

impl Store {
    /// Notes that these accounts ask for these contacts. What a person decided stands.
    pub async fn ask_for(
        &self,
        destination: &str,
        questions: &[(RecordKey, String)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // What was adopted before, and is asked for again, has lost the contact since.
        let sql = "INSERT INTO adoptions (destination, site_id, moodle_id, remote_id, state, changed_at) \
                   VALUES (?, ?, ?, ?, 'waiting', ?) ON CONFLICT (destination, site_id, moodle_id, remote_id) \
                   DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at, decided_by = NULL \
                   WHERE adoptions.state = 'adopted'";
        for (account, contact) in questions {
            execute(&self.write, sql, place(destination, *account, contact, now)).await?;
        }
        Ok(())
    }

    /// Forgets the replaced values of adoptions before a time. Returns how many.
    pub async fn prune_replaced(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        let sql = "UPDATE adoptions SET replaced = NULL WHERE id IN (SELECT id FROM adoptions \
                   WHERE changed_at < ? AND replaced IS NOT NULL LIMIT ?)";
        execute(&self.write, sql, vec![before.0.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()]).await
    }
}

fn place(destination: &str, account: RecordKey, contact: &str, now: Timestamp) -> Vec<Value> {
    vec![destination.into(), account.site_id.into(), account.moodle_id.0.into(), contact.into(), now.0.into()]
}

/// Whether a person said that this account must not have the contact. The account's item is locked.
pub(in crate::store) async fn is_declined(
    transaction: &impl ConnectionTrait,
    destination: &str,
    account: RecordKey,
    contact: &str,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM adoptions WHERE destination = ? AND site_id = ? AND moodle_id = ? AND remote_id = ? \
               AND state IN ('refused', 'undone')";
    let values = vec![destination.into(), account.site_id.into(), account.moodle_id.0.into(), contact.into()];
    Ok(!query(transaction, sql, values).await?.is_empty())
}

/// Stores an adoption, before the contact is written. The account's item is locked, and nobody declined.
pub(in crate::store) async fn adopt(
    transaction: &impl ConnectionTrait,
    destination: &str,
    (account, contact): (RecordKey, &str),
    adopted: &Adopted,
    now: Timestamp,
) -> Result<(), StoreError> {
    // Texts and numbers always become JSON.
    let replaced = adopted.replaced.as_ref().and_then(|values| serde_json::to_string(values).ok());
    // Whoever approved it remains known.
    let sql = "INSERT INTO adoptions (destination, site_id, moodle_id, remote_id, changed_at, state, replaced) \
               VALUES (?, ?, ?, ?, ?, 'adopted', ?) ON CONFLICT (destination, site_id, moodle_id, remote_id) \
               DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at, replaced = excluded.replaced";
    let mut values = place(destination, account, contact, now);
    values.push(replaced.into());
    execute(transaction, sql, values).await?;
    Ok(())
}
