//! Erasures: who is to be erased, how far that is, and what was erased where.

mod blank;
mod progress;
mod remains;
mod scrub;

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::{ConnectionTrait, QueryResult, Value};
use serde::{Deserialize, Serialize};

use super::{
    StoreError, UserFilter, bulk, connection::connect::Store, records::Key, records::by_site, sql::query,
    write::WriteTransaction,
};
use crate::{
    clock::Timestamp,
    model::{ErasurePolicy, ErasureState, Id},
};

/// The data of an event about an erased person.
pub(crate) const NO_DATA: &str = "{}";

/// The erasure of one person.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// Its number.
    pub id: i64,
    /// Who.
    pub user: UserFilter,
    /// How far it is.
    pub state: ErasureState,
    /// What happens at the destination.
    pub policy: ErasurePolicy,
    /// Who asked: `cli`, `api` or `moodle`.
    pub requested_by: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it begins, at the soonest.
    pub due_at: Timestamp,
    /// When it began.
    pub begun_at: Option<Timestamp>,
    /// When nothing was left in our database.
    pub local_at: Option<Timestamp>,
    /// When the destination had done its part.
    pub remote_at: Option<Timestamp>,
    /// When it was last looked for, and nothing found.
    pub verified_at: Option<Timestamp>,
    /// When it was taken back.
    pub lifted_at: Option<Timestamp>,
    /// When it is looked for next.
    pub check_at: Option<Timestamp>,
    /// What was erased.
    pub erased: Erased,
    /// What the checks found.
    pub checks: Vec<ErasureCheck>,
}

/// Who asked for an erasure when nobody did: the account was deleted in Moodle.
pub const BY_MOODLE: &str = "moodle";

/// What was erased where: counts, and ids at the destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Rows that were emptied, by table.
    pub rows: BTreeMap<String, u64>,
    /// The records that the destination had.
    pub remote: Vec<RemoteRecord>,
}

/// A record at a destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RemoteRecord {
    /// The destination.
    pub destination: String,
    /// The kind of record.
    pub kind: String,
    /// Its id in Moodle.
    pub moodle_id: i64,
    /// Its id there.
    pub remote_id: String,
}

/// One look for what should be gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureCheck {
    /// When, in Unix milliseconds.
    pub at: i64,
    /// What was found; nothing, when all is well.
    pub findings: Vec<ErasureRemainder>,
}

/// Something that should be gone. It names the place, never the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRemainder {
    /// Where: a table, or a module and field, or a record at the destination.
    pub place: String,
    /// How often.
    pub count: u64,
}

/// Who asks for an erasure, and how.
#[derive(Clone, Copy, Debug)]
pub struct ErasureRequest {
    /// Who.
    pub user: UserFilter,
    /// What happens at the destination.
    pub policy: ErasurePolicy,
    /// Who asks: `cli`, `api` or `moodle`.
    pub requested_by: &'static str,
    /// When it begins.
    pub due_at: Timestamp,
}

const COLUMNS: &str = "id, site_id, moodle_id, state, policy, requested_by, requested_at, due_at, begun_at, local_at, remote_at, \
                       verified_at, lifted_at, check_at, erased, checks";

impl Store {
    /// Asks for the erasure of a person. One that waits is brought forward, one that has begun stays as it is. Returns its number.
    pub async fn request_erasure(&self, request: &ErasureRequest, now: Timestamp) -> Result<i64, StoreError> {
        let ErasureRequest { user, policy, requested_by, due_at } = request;
        let sql = "INSERT INTO erasures (site_id, moodle_id, state, policy, requested_by, requested_at, due_at, erased, checks) \
                   VALUES (?, ?, 'requested', ?, ?, ?, ?, '{\"rows\":{},\"remote\":[]}', '[]') \
                   ON CONFLICT (site_id, moodle_id) WHERE lifted_at IS NULL DO UPDATE SET \
                   policy = CASE erasures.state WHEN 'requested' THEN excluded.policy ELSE erasures.policy END, \
                   requested_by = CASE erasures.state WHEN 'requested' THEN excluded.requested_by ELSE erasures.requested_by END, \
                   due_at = CASE WHEN erasures.due_at < excluded.due_at THEN erasures.due_at ELSE excluded.due_at END RETURNING id";
        let values = vec![
            user.site_id.into(),
            user.userid.0.into(),
            policy.as_str().into(),
            (*requested_by).into(),
            now.0.into(),
            due_at.0.into(),
        ];
        let rows = query(&self.write, sql, values).await?;
        let row = rows.first().ok_or_else(|| sea_orm::DbErr::RecordNotFound("the new erasure".to_owned()))?;
        Ok(row.try_get("", "id")?)
    }

    /// One erasure.
    pub async fn erasure(&self, id: i64) -> Result<Option<Erasure>, StoreError> {
        // By the connection that writes, so that what was just written is seen on every database.
        let sql = format!("SELECT {COLUMNS} FROM erasures WHERE id = ?");
        query(&self.write, &sql, vec![id.into()]).await?.first().map(erasure_of).transpose()
    }

    /// A page of erasures, the newest first, before the number `before`.
    pub async fn erasures(&self, before: Option<i64>, limit: u64) -> Result<Vec<Erasure>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM erasures WHERE id < ? ORDER BY id DESC LIMIT ?");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = query(&self.read, &sql, vec![before.unwrap_or(i64::MAX).into(), limit.into()]).await?;
        rows.iter().map(erasure_of).collect()
    }

    /// The erasures about which something is to be done now: to begin or go on, to see whether the destination is done, or to check.
    /// None is begun that is due by the clock alone unless the time is `agreed`; what a person asked for is.
    pub async fn due_erasures(&self, now: Timestamp, agreed: bool, limit: u64) -> Result<Vec<Erasure>, StoreError> {
        let asked = if agreed { "TRUE".to_owned() } else { format!("requested_by <> '{BY_MOODLE}'") };
        let sql = format!(
            "SELECT {COLUMNS} FROM erasures WHERE (state = 'requested' AND due_at <= ? AND {asked}) OR state = 'erasing' \
             OR (state IN ('local_done', 'remote_done', 'verified', 'found') AND check_at <= ?) \
             ORDER BY COALESCE(check_at, due_at), id LIMIT ?"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = query(&self.read, &sql, vec![now.0.into(), now.0.into(), limit.into()]).await?;
        rows.iter().map(erasure_of).collect()
    }

    /// People who are deleted in Moodle and for whom nobody asked for an erasure since. A request that was taken back counts until they
    /// are deleted once more.
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

    /// Whether the account is there, and is not deleted in Moodle.
    pub async fn is_living(&self, user: UserFilter) -> Result<bool, StoreError> {
        let sql = "SELECT 1 AS one FROM users WHERE site_id = ? AND moodle_id = ? AND NOT deleted";
        Ok(!query(&self.read, sql, vec![user.site_id.into(), user.userid.0.into()]).await?.is_empty())
    }

    /// Those of these people who are erased, and what happens at the destination.
    pub async fn erased_people(&self, people: &[(i64, Id)]) -> Result<HashMap<(i64, Id), ErasurePolicy>, StoreError> {
        erased_people(&self.read, people).await
    }
}

impl WriteTransaction {
    /// Those of these people who are erased. Costs nothing while nobody is.
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

/// A word of a column.
fn word<T: std::str::FromStr<Err: std::fmt::Display>>(row: &QueryResult, column: &str) -> Result<T, StoreError> {
    let word: String = row.try_get("", column)?;
    word.parse().map_err(|error| StoreError::Refused(sea_orm::DbErr::Type(format!("{column}: {error}"))))
}

/// What a column holds as JSON.
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
        erased: json(row, "erased")?,
        checks: json(row, "checks")?,
    })
}
