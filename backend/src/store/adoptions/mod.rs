//! Adoptions: one row for an account and a contact that it takes over, asks for, or must not have.

mod decide;
mod keep;

use std::collections::HashMap;

use sea_orm::{DbErr, QueryResult, Value};

pub(super) use self::keep::{adopt, is_declined};
pub use self::{
    decide::{AdoptionDecision, AdoptionRefusal},
    keep::Adopted,
};
use super::{
    Store, StoreError, bulk,
    sql::{key_of_user, query},
};
use crate::{
    clock::Timestamp,
    limits,
    model::{AdoptionState, Id, Kind, RecordKey, ReplacedValue},
};

/// An account and a contact.
#[derive(Clone, Debug, PartialEq)]
pub struct Adoption {
    /// Row id: the number that people name.
    pub id: i64,
    /// The account.
    pub key: RecordKey,
    /// The contact's id at the destination.
    pub remote_id: String,
    /// What was decided.
    pub state: AdoptionState,
    /// When it came into this state.
    pub changed_at: Timestamp,
    /// The person who brought it there; `None` if the mapping did.
    pub decided_by: Option<String>,
    /// The values that the adoption replaced; `None` when they are not kept.
    pub replaced: Option<Vec<ReplacedValue>>,
    /// Whether the account writes the contact now.
    pub writes: bool,
}

/// What a delivery must know of an adoption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The adoption's number.
    pub id: i64,
    /// What was decided.
    pub state: AdoptionState,
    /// The person who decided.
    pub decided_by: Option<String>,
}

/// Selects adoptions; all conditions must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdoptionFilter {
    /// What was decided.
    pub state: Option<AdoptionState>,
    /// Those of one account.
    pub account: Option<RecordKey>,
}

const COLUMNS: &str = "a.id, a.site_id, a.moodle_id, a.remote_id, a.state, a.changed_at, a.decided_by, a.replaced, \
                       (i.remote_id IS NOT NULL AND i.remote_id = a.remote_id AND NOT i.linked) AS writes";

const TABLES: &str = "adoptions a LEFT JOIN sync_items i ON i.destination = a.destination AND i.site_id = a.site_id \
                      AND i.kind = 'user' AND i.moodle_id = a.moodle_id";

/// An account that asks has failed. Whoever got another contact meanwhile no longer asks.
const ASKS: &str = "(a.state <> 'waiting' OR (i.state = 'failed' AND i.remote_id IS NULL))";

impl Store {
    /// A page of adoptions with numbers below `before`, the newest first.
    pub async fn adoptions(
        &self,
        destination: &str,
        filter: AdoptionFilter,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<Adoption>, StoreError> {
        let (mut condition, mut values) = (String::new(), vec![Value::from(destination)]);
        if let Some(state) = filter.state {
            condition += " AND a.state = ?";
            values.push(state.as_str().into());
        }
        if let Some(account) = filter.account {
            condition += " AND a.site_id = ? AND a.moodle_id = ?";
            values.extend([account.site_id.into(), Value::from(account.moodle_id.0)]);
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE a.destination = ?{condition} AND {ASKS} AND a.id < ? ORDER BY a.id DESC LIMIT ?"
        );
        values.extend([before.unwrap_or(i64::MAX).into(), i64::try_from(limit).unwrap_or(i64::MAX).into()]);
        query(&self.read, &sql, values).await?.iter().map(adoption_of).collect()
    }

    /// One adoption.
    pub async fn adoption(&self, destination: &str, id: i64) -> Result<Option<Adoption>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE a.destination = ? AND a.id = ?");
        let rows = query(&self.read, &sql, vec![destination.into(), id.into()]).await?;
        rows.first().map(adoption_of).transpose()
    }

    /// The kept values of these accounts' adoptions, by account and contact.
    pub async fn replaced_values(
        &self,
        destination: &str,
        accounts: &[RecordKey],
    ) -> Result<HashMap<(RecordKey, String), Vec<ReplacedValue>>, StoreError> {
        let mut values = HashMap::new();
        for account in accounts {
            let filter = AdoptionFilter { account: Some(*account), ..Default::default() };
            for adoption in self.adoptions(destination, filter, None, limits::PAGE_ROWS_MAX.into()).await? {
                values.extend(adoption.replaced.map(|replaced| ((*account, adoption.remote_id), replaced)));
            }
        }
        Ok(values)
    }

    /// What was decided about these accounts, by account and contact.
    pub async fn standings(
        &self,
        destination: &str,
        accounts: &[RecordKey],
    ) -> Result<HashMap<(RecordKey, String), Standing>, StoreError> {
        let mut standings = HashMap::new();
        for list in bulk::key_lists(accounts) {
            let places = vec!["(?, ?)"; list.len()].join(", ");
            let sql = format!(
                "SELECT id, site_id, moodle_id, remote_id, state, decided_by FROM adoptions WHERE destination = ? \
                 AND (site_id, moodle_id) IN (VALUES {places})"
            );
            let mut values: Vec<Value> = vec![destination.into()];
            values.extend(list.iter().flat_map(|key| [Value::from(key.site_id), key.moodle_id.0.into()]));
            for row in query(&self.read, &sql, values).await? {
                let standing = Standing {
                    id: row.try_get("", "id")?,
                    state: state_of(&row)?,
                    decided_by: row.try_get("", "decided_by")?,
                };
                standings.insert((account_of(&row)?, row.try_get("", "remote_id")?), standing);
            }
        }
        Ok(standings)
    }
}

fn account_of(row: &QueryResult) -> Result<RecordKey, StoreError> {
    let (site_id, moodle_id): (i64, Id) = key_of_user(row)?;
    Ok(RecordKey { kind: Kind::User, site_id, moodle_id })
}

fn state_of(row: &QueryResult) -> Result<AdoptionState, StoreError> {
    let word: String = row.try_get("", "state")?;
    word.parse().map_err(|error| StoreError::Refused(DbErr::Type(format!("state: {error}"))))
}

fn adoption_of(row: &QueryResult) -> Result<Adoption, StoreError> {
    let replaced: Option<String> = row.try_get("", "replaced")?;
    let parse = |text: String| {
        // The error names a place in the text, not the values.
        serde_json::from_str(&text).map_err(|error| StoreError::Refused(DbErr::Type(format!("replaced: {error}"))))
    };
    Ok(Adoption {
        id: row.try_get("", "id")?,
        key: account_of(row)?,
        remote_id: row.try_get("", "remote_id")?,
        state: state_of(row)?,
        changed_at: Timestamp(row.try_get("", "changed_at")?),
        decided_by: row.try_get("", "decided_by")?,
        replaced: replaced.map(parse).transpose()?,
        writes: row.try_get::<Option<bool>>("", "writes")?.unwrap_or_default(),
    })
}
