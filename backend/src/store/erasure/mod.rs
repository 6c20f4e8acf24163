//! Erasures: their requests, their progress, and what was erased where.

mod blank;
mod progress;
mod remains;
mod scrub;

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::{ConnectionTrait, QueryResult, Value};
use serde::{Deserialize, Serialize};

use super::{
    StoreError, UserFilter, bulk,
    connection::connect::Store,
    records::Key,
    records::by_site,
    sql::{query, word},
    write::WriteTransaction,
};
use crate::{
    clock::Timestamp,
    model::{ErasurePolicy, ErasureState, Id},
};

/// What replaces the data of events about erased people.
pub(crate) const NO_DATA: &str = "{}";

/// The erasure of one person.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// Row id.
    pub id: i64,
    /// The person.
    pub user: UserFilter,
    /// Its progress.
    pub state: ErasureState,
    /// What happens at the destination.
    pub policy: ErasurePolicy,
    /// Where the request came from: `cli`, `api` or `moodle`; `restore` if it was made before a restore.
    pub requested_by: String,
    /// When it was requested.
    pub requested_at: Timestamp,
    /// The earliest time at which it begins.
    pub due_at: Timestamp,
    /// When it began.
    pub begun_at: Option<Timestamp>,
    /// When our database was clean.
    pub local_at: Option<Timestamp>,
    /// When the destination was clean.
    pub remote_at: Option<Timestamp>,
    /// The last check that found nothing.
    pub verified_at: Option<Timestamp>,
    /// When it was lifted.
    pub lifted_at: Option<Timestamp>,
    /// The next check.
    pub check_at: Option<Timestamp>,
    /// Since when it waits for a person, because unusually many people are being erased.
    pub braked_at: Option<Timestamp>,
    /// It waits because the person's deletion at the destination does, or was refused there: that item's code.
    pub follows: Option<String>,
    /// What was erased.
    pub erased: Erased,
    /// The checks so far, the oldest first.
    pub checks: Vec<ErasureCheck>,
}

/// The origin of an erasure that follows from a deleted account in Moodle, not from a request.
pub const BY_MOODLE: &str = "moodle";

/// The origin of an erasure that was made or requested before the database was restored.
pub(in crate::store) const BY_RESTORE: &str = "restore";

/// What was erased where: counts, and ids at the destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Rows that were blanked, by table.
    pub rows: BTreeMap<String, u64>,
    /// The person's records at destinations.
    pub remote: Vec<RemoteRecord>,
}

/// A record at a destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RemoteRecord {
    /// The destination's name.
    pub destination: String,
    /// The record's kind.
    pub kind: String,
    /// Its id in Moodle.
    pub moodle_id: i64,
    /// Its id at the destination.
    pub remote_id: String,
}

/// A check for data that should be gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureCheck {
    /// Unix time in milliseconds.
    pub at: i64,
    /// What was found; empty when nothing remains.
    pub findings: Vec<ErasureRemainder>,
    /// Where earlier values can still be read, because the policy leaves them there.
    #[serde(default)]
    pub still_shown: Vec<ErasureRemainder>,
}

/// Data that should be gone: its place, never its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRemainder {
    /// A table, a module and field, or a record at the destination.
    pub place: String,
    /// How many rows or records hold such data.
    pub count: u64,
}

/// A request to erase a person.
#[derive(Clone, Copy, Debug)]
pub struct ErasureRequest {
    /// The person.
    pub user: UserFilter,
    /// What happens at the destination.
    pub policy: ErasurePolicy,
    /// Where the request comes from: `cli`, `api` or `moodle`.
    pub requested_by: &'static str,
    /// The earliest time at which it begins.
    pub due_at: Timestamp,
}

const COLUMNS: &str = "id, site_id, moodle_id, state, policy, requested_by, requested_at, due_at, begun_at, local_at, remote_at, \
                       verified_at, lifted_at, check_at, braked_at, erased, checks, \
                       (SELECT i.code FROM sync_items i WHERE i.site_id = erasures.site_id AND i.kind = 'user' \
                       AND i.moodle_id = erasures.moodle_id AND i.code IN ('braked_deletion', 'excepted_deletion') \
                       AND erasures.state = 'requested' AND erasures.requested_by = 'moodle' LIMIT 1) AS follows";

/// SQL for whether an erasure that follows from a deletion in Moodle waits, because a person has not decided yet whether
/// the person is deleted at the destination, or decided against it.
const FOLLOWS: &str = "requested_by = 'moodle' AND EXISTS (SELECT 1 FROM sync_items i WHERE i.site_id = erasures.site_id \
                       AND i.kind = 'user' AND i.moodle_id = erasures.moodle_id \
                       AND i.code IN ('braked_deletion', 'excepted_deletion'))";

impl Store {
    /// Requests the erasure of a person. A waiting erasure is updated and brought forward; one that has begun is
    /// unchanged. Returns its id.
    pub async fn request_erasure(&self, request: &ErasureRequest, now: Timestamp) -> Result<i64, StoreError> {
        let ErasureRequest { user, policy, requested_by, due_at } = request;
        let sql = "INSERT INTO erasures (site_id, moodle_id, state, policy, requested_by, requested_at, due_at, erased, checks) \
                   VALUES (?, ?, 'requested', ?, ?, ?, ?, '{\"rows\":{},\"remote\":[]}', '[]') \
                   ON CONFLICT (site_id, moodle_id) WHERE lifted_at IS NULL DO UPDATE SET \
                   policy = CASE erasures.state WHEN 'requested' THEN excluded.policy ELSE erasures.policy END, \
                   requested_by = CASE erasures.state WHEN 'requested' THEN excluded.requested_by ELSE erasures.requested_by END, \
                   due_at = CASE WHEN erasures.due_at < excluded.due_at THEN erasures.due_at ELSE excluded.due_at END \
                   RETURNING id, state, due_at, (SELECT name FROM sites WHERE sites.id = erasures.site_id) AS site";
        let values = vec![
            user.site_id.into(),
            user.userid.0.into(),
            policy.as_str().into(),
            (*requested_by).into(),
            now.0.into(),
            due_at.0.into(),
        ];
        let transaction = self.begin_immediate().await?;
        let rows = query(&transaction, sql, values).await?;
        let row = rows.first().ok_or_else(|| sea_orm::DbErr::RecordNotFound("the new erasure".to_owned()))?;
        // Moodle reports a deletion again, and the register has the other.
        if ![BY_MOODLE, BY_RESTORE].contains(requested_by)
            && word::<ErasureState>(row, "state")? == ErasureState::Requested
        {
            let due = row.try_get("", "due_at")?;
            self.enter_request(row.try_get("", "site")?, user.userid.0, (*policy, due), now).await?;
        }
        transaction.commit().await?;
        Ok(row.try_get("", "id")?)
    }

    /// One erasure.
    pub async fn erasure(&self, id: i64) -> Result<Option<Erasure>, StoreError> {
        // On the writing pool, so that what was just written is seen on every database.
        let sql = format!("SELECT {COLUMNS} FROM erasures WHERE id = ?");
        query(&self.write, &sql, vec![id.into()]).await?.first().map(erasure_of).transpose()
    }

    /// A page of erasures with ids below `before`, the newest first.
    pub async fn erasures(&self, before: Option<i64>, limit: u64) -> Result<Vec<Erasure>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM erasures WHERE id < ? ORDER BY id DESC LIMIT ?");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = query(&self.read, &sql, vec![before.unwrap_or(i64::MAX).into(), limit.into()]).await?;
        rows.iter().map(erasure_of).collect()
    }

    /// The erasures with work to do now: to begin, to continue, to follow the destination, or to check. Unless the time
    /// is `agreed`, an erasure that is due only by the clock does not begin; one that a person requested does. What waits
    /// for a person's decision is not due.
    pub async fn due_erasures(&self, now: Timestamp, agreed: bool, limit: u64) -> Result<Vec<Erasure>, StoreError> {
        let asked = if agreed { "TRUE".to_owned() } else { format!("requested_by <> '{BY_MOODLE}'") };
        let sql = format!(
            "SELECT {COLUMNS} FROM erasures WHERE (state = 'requested' AND due_at <= ? AND {asked} AND braked_at IS NULL \
             AND NOT ({FOLLOWS})) OR state = 'erasing' \
             OR (state IN ('local_done', 'remote_done', 'verified', 'found') AND check_at <= ?) \
             ORDER BY COALESCE(check_at, due_at), id LIMIT ?"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = query(&self.read, &sql, vec![now.0.into(), now.0.into(), limit.into()]).await?;
        rows.iter().map(erasure_of).collect()
    }

    /// People who were deleted in Moodle and have no erasure since. A lifted erasure counts until they are deleted
    /// again.
    pub async fn deleted_people(&self, limit: u64) -> Result<Vec<UserFilter>, StoreError> {
        let sql = "SELECT u.site_id, u.moodle_id FROM users u WHERE u.deleted AND NOT EXISTS (SELECT 1 FROM erasures e \
                   WHERE e.site_id = u.site_id AND e.moodle_id = u.moodle_id \
                   AND (e.lifted_at IS NULL OR e.lifted_at >= u.changed_at)) LIMIT ?";
        let rows = query(&self.read, sql, vec![i64::try_from(limit).unwrap_or(i64::MAX).into()]).await?;
        let user = |row: &QueryResult| {
            Ok(UserFilter { site_id: row.try_get("", "site_id")?, userid: Id(row.try_get("", "moodle_id")?) })
        };
        rows.iter().map(user).collect()
    }

    /// Whether the account exists and is not deleted in Moodle.
    pub async fn is_living(&self, user: UserFilter) -> Result<bool, StoreError> {
        let sql = "SELECT 1 AS one FROM users WHERE site_id = ? AND moodle_id = ? AND NOT deleted";
        Ok(!query(&self.read, sql, vec![user.site_id.into(), user.userid.0.into()]).await?.is_empty())
    }

    /// Which of these people are erased, with the policy for the destination.
    pub async fn erased_people(&self, people: &[(i64, Id)]) -> Result<HashMap<(i64, Id), ErasurePolicy>, StoreError> {
        erased_people(&self.read, people).await
    }
}

impl WriteTransaction {
    /// Which of these people are erased. Costs nothing while nobody is.
    pub(crate) async fn erased_people(&self, people: &[Key]) -> Result<HashSet<Key>, StoreError> {
        if !self.anybody_is_erased() {
            return Ok(HashSet::new());
        }
        Ok(erased_people(self.connection(), people).await?.into_keys().collect())
    }
}

async fn erased_people(
    connection: &impl ConnectionTrait,
    people: &[Key],
) -> Result<HashMap<Key, ErasurePolicy>, StoreError> {
    let mut erased = HashMap::new();
    for (site_id, ids) in by_site(people) {
        for list in bulk::key_lists(&ids) {
            let places = vec!["?"; list.len()].join(", ");
            let sql = format!(
                "SELECT moodle_id, policy FROM erasures WHERE site_id = ? AND moodle_id IN ({places}) \
                 AND begun_at IS NOT NULL AND lifted_at IS NULL"
            );
            let values = std::iter::once(site_id).chain(list.into_iter().map(|id| id.0)).map(Value::from);
            for row in query(connection, &sql, values.collect()).await? {
                erased.insert((site_id, Id(row.try_get("", "moodle_id")?)), word(&row, "policy")?);
            }
        }
    }
    Ok(erased)
}

/// Parses a column that holds JSON.
fn json<T: serde::de::DeserializeOwned>(row: &QueryResult, column: &str) -> Result<T, StoreError> {
    let text: String = row.try_get("", column)?;
    serde_json::from_str(&text).map_err(|error| StoreError::Refused(sea_orm::DbErr::Type(format!("{column}: {error}"))))
}

fn erasure_of(row: &QueryResult) -> Result<Erasure, StoreError> {
    let moment = |column: &str| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.try_get::<Option<i64>>("", column)?.map(Timestamp))
    };
    Ok(Erasure {
        id: row.try_get("", "id")?,
        user: UserFilter { site_id: row.try_get("", "site_id")?, userid: Id(row.try_get("", "moodle_id")?) },
        state: word(row, "state")?,
        policy: word(row, "policy")?,
        requested_by: row.try_get("", "requested_by")?,
        requested_at: Timestamp(row.try_get("", "requested_at")?),
        due_at: Timestamp(row.try_get("", "due_at")?),
        begun_at: moment("begun_at")?,
        local_at: moment("local_at")?,
        remote_at: moment("remote_at")?,
        verified_at: moment("verified_at")?,
        lifted_at: moment("lifted_at")?,
        check_at: moment("check_at")?,
        braked_at: moment("braked_at")?,
        follows: row.try_get("", "follows")?,
        erased: json(row, "erased")?,
        checks: json(row, "checks")?,
    })
}
