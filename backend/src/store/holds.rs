//! Holds: records of one kind that are not delivered for now, while everything else is.

use sea_orm::{QueryResult, Value};

use super::{
    Store, StoreError,
    sql::{execute, kind_of, query},
};
use crate::{
    clock::Timestamp,
    model::{Kind, Records},
};

/// The cause of holds that end by themselves, as soon as the destination works again.
pub const OUTAGE: &str = "outage";

/// Why some records of one kind are not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The records' kind.
    pub kind: Kind,
    /// Which of them.
    pub records: Records,
    /// For programs: `configuration`, `permission`, `room`, `other_writer` or `outage`.
    pub cause: String,
    /// What is wrong and what to do.
    pub reason: String,
    /// When it began.
    pub since: Timestamp,
    /// When one record is tried next; `None` when only a person ends it.
    pub check_at: Option<Timestamp>,
}

impl Hold {
    /// Which records of a kind may be delivered under these holds; `None` for none.
    pub fn allowed(holds: &[Self], kind: Kind) -> Option<Records> {
        holds.iter().filter(|hold| hold.kind == kind).try_fold(Records::All, |allowed, hold| {
            match (allowed, hold.records) {
                (Records::All, Records::New) => Some(Records::Known),
                (Records::All, Records::Known) => Some(Records::New),
                (Records::Known, Records::New) => Some(Records::Known),
                (Records::New, Records::Known) => Some(Records::New),
                _ => None,
            }
        })
    }
}

impl Store {
    /// The destination's holds, the oldest first.
    pub async fn holds(&self, destination: &str) -> Result<Vec<Hold>, StoreError> {
        let sql = "SELECT kind, records, cause, reason, since, check_at FROM sync_holds WHERE destination = ? \
                   ORDER BY since, kind, records";
        query(&self.read, sql, vec![destination.into()]).await?.iter().map(hold_of).collect()
    }

    /// Begins a hold, or replaces the reason of the one for the same records. Returns whether it is new.
    pub async fn hold(&self, destination: &str, hold: &Hold) -> Result<bool, StoreError> {
        let sql = "INSERT INTO sync_holds (destination, kind, records, cause, reason, since, check_at) \
                   VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (destination, kind, records) DO NOTHING";
        let mut values = key(destination, hold.kind, hold.records);
        values.extend([hold.cause.as_str().into(), hold.reason.as_str().into(), hold.since.0.into()]);
        values.push(hold.check_at.map(|at| at.0).into());
        if execute(&self.write, sql, values).await? > 0 {
            return Ok(true);
        }
        // An outage that lasts keeps the time of its next trial.
        let sql = "UPDATE sync_holds SET check_at = CASE WHEN cause = ? AND cause = ? THEN check_at ELSE ? END, cause = ?, \
                   reason = ? WHERE destination = ? AND kind = ? AND records = ?";
        let (cause, check_at) = (hold.cause.as_str(), Value::from(hold.check_at.map(|at| at.0)));
        let mut values = vec![OUTAGE.into(), cause.into(), check_at, cause.into(), hold.reason.as_str().into()];
        values.extend(key(destination, hold.kind, hold.records));
        execute(&self.write, sql, values).await?;
        Ok(false)
    }

    /// Takes the turn to try one of the held records, so that one process at a time does. The next turn is due at
    /// `next`.
    pub async fn begin_trial(
        &self,
        destination: &str,
        hold: &Hold,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql =
            "UPDATE sync_holds SET check_at = ? WHERE destination = ? AND kind = ? AND records = ? AND check_at <= ?";
        let mut values = vec![next.0.into()];
        values.extend(key(destination, hold.kind, hold.records));
        values.push(now.0.into());
        Ok(execute(&self.write, sql, values).await? > 0)
    }

    /// Sets when one of the held records is tried next, if they are still held.
    pub async fn set_trial(&self, destination: &str, hold: &Hold, at: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE sync_holds SET check_at = ? WHERE destination = ? AND kind = ? AND records = ?";
        let mut values = vec![at.0.into()];
        values.extend(key(destination, hold.kind, hold.records));
        execute(&self.write, sql, values).await?;
        Ok(())
    }

    /// Whether a hold keeps anything from being delivered.
    pub async fn holds_anything(&self, destination: &str, hold: &Hold) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT 1 FROM sync_items WHERE destination = ? AND state = 'pending' AND kind = ? {} LIMIT 1",
            known(hold.records)
        );
        Ok(!query(&self.read, &sql, vec![destination.into(), hold.kind.as_str().into()]).await?.is_empty())
    }

    /// Ends a hold; returns whether there was one.
    pub async fn end_hold(&self, destination: &str, kind: Kind, records: Records) -> Result<bool, StoreError> {
        let sql = "DELETE FROM sync_holds WHERE destination = ? AND kind = ? AND records = ?";
        Ok(execute(&self.write, sql, key(destination, kind, records)).await? > 0)
    }

    /// Ends all holds of a destination; returns how many.
    pub async fn end_holds(&self, destination: &str) -> Result<u64, StoreError> {
        execute(&self.write, "DELETE FROM sync_holds WHERE destination = ?", vec![destination.into()]).await
    }
}

/// The condition of these records' items, as SQL to append.
pub(super) fn known(records: Records) -> &'static str {
    match records {
        Records::All => "",
        Records::New => "AND remote_id IS NULL",
        Records::Known => "AND remote_id IS NOT NULL",
    }
}

fn key(destination: &str, kind: Kind, records: Records) -> Vec<Value> {
    vec![destination.into(), kind.as_str().into(), records.as_str().into()]
}

fn hold_of(row: &QueryResult) -> Result<Hold, StoreError> {
    let (kind, records): (String, String) = (row.try_get("", "kind")?, row.try_get("", "records")?);
    let check_at: Option<i64> = row.try_get("", "check_at")?;
    Ok(Hold {
        kind: kind_of(&kind)?,
        records: records.parse().map_err(|error| StoreError::Refused(sea_orm::DbErr::Type(format!("{error}"))))?,
        cause: row.try_get("", "cause")?,
        reason: row.try_get("", "reason")?,
        since: Timestamp(row.try_get("", "since")?),
        check_at: check_at.map(Timestamp),
    })
}

#[cfg(test)]
mod tests {
    use super::Hold;
    use crate::{
        clock::Timestamp,
        model::{Kind, Records},
    };

    #[test]
    fn what_is_not_held_is_allowed() {
        let hold = |records| Hold {
            kind: Kind::User,
            records,
            cause: "room".to_owned(),
            reason: "full".to_owned(),
            since: Timestamp(0),
            check_at: None,
        };
        let allowed = |holds: &[Records]| {
            Hold::allowed(&holds.iter().map(|records| hold(*records)).collect::<Vec<_>>(), Kind::User)
        };
        assert_eq!(allowed(&[]), Some(Records::All));
        assert_eq!(allowed(&[Records::New]), Some(Records::Known));
        assert_eq!(allowed(&[Records::Known]), Some(Records::New));
        assert_eq!(allowed(&[Records::New, Records::Known]), None);
        assert_eq!(allowed(&[Records::All]), None);
        assert_eq!(allowed(&[Records::New, Records::All]), None);
        assert_eq!(Hold::allowed(&[hold(Records::All)], Kind::Grade), Some(Records::All));
    }
}
