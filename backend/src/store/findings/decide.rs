//! What people decide about findings. A decision makes the record's item pending; the delivery carries it out.

use super::{Finding, FindingFilter, finding, keep::store};
use crate::{
    clock::Timestamp,
    model::{FindingField, FindingSort, FindingState, RecordKey},
    store::{
        Store, StoreError,
        sql::{key_of, query},
        sync_items::{hold, request_delivery},
    },
};

/// A person's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[derive(poem_openapi::Enum, strum::Display, strum::EnumString, strum::IntoStaticStr)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FindingDecision {
    /// What the mapping writes is written again; a deleted record is created again.
    Restore,
    /// It stays as it is: fields until Moodle changes them, a deleted record until it is restored.
    Leave,
    /// What was left waits for a person again.
    Withdraw,
}

/// Why a decision is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindingRefusal {
    /// There is no such finding.
    #[error("there is no finding with this number")]
    Unknown,
    /// It has ended.
    #[error("it no longer differs: there is nothing to decide")]
    Closed,
    /// Nobody left it.
    #[error("nobody left it: there is nothing to take back")]
    NotLeft,
    /// Its item no longer knows the remote record.
    #[error("it was left out: only restoring takes that back, which creates it again")]
    LeftOut,
    /// Only people can put it right.
    #[error("two records are merged, and one that is too many is deleted, in Zoho by a person")]
    ByPeople,
}

impl FindingDecision {
    /// The state that follows.
    pub fn state(self) -> FindingState {
        match self {
            Self::Restore => FindingState::Restoring,
            Self::Leave => FindingState::Left,
            Self::Withdraw => FindingState::Open,
        }
    }

    fn check(self, finding: &Finding) -> Result<(), FindingRefusal> {
        match self {
            _ if finding.state == FindingState::Closed => Err(FindingRefusal::Closed),
            Self::Restore if !finding.sort.can_be_restored() => Err(FindingRefusal::ByPeople),
            Self::Withdraw if finding.state != FindingState::Left => Err(FindingRefusal::NotLeft),
            Self::Withdraw if matches!(finding.sort, FindingSort::Deleted | FindingSort::Converted) => {
                Err(FindingRefusal::LeftOut)
            }
            _ => Ok(()),
        }
    }
}

impl Store {
    /// Stores a person's decision. `by` names the person.
    pub async fn decide_finding(
        &self,
        destination: &str,
        id: i64,
        (decision, by): (FindingDecision, &str),
        now: Timestamp,
    ) -> Result<Result<Finding, FindingRefusal>, StoreError> {
        let Some(found) = self.finding(destination, id).await? else { return Ok(Err(FindingRefusal::Unknown)) };
        let transaction = self.begin_immediate().await?;
        let keys: Vec<_> = found.key.into_iter().collect();
        // A delivery that answers the finding locks the item, too.
        hold(&transaction, destination, keys.clone()).await?;
        let Some(mut found) = finding(&transaction, destination, id).await? else {
            return Ok(Err(FindingRefusal::Unknown));
        };
        if let Err(refusal) = decision.check(&found) {
            return Ok(Err(refusal));
        }
        found.state = decision.state();
        let decided = |field: FindingField| match field.state {
            FindingState::Closed => field,
            _ => FindingField { state: decision.state(), ..field },
        };
        found.fields = std::mem::take(&mut found.fields).into_iter().map(decided).collect();
        found.decided_by = Some(by.to_owned());
        store(&transaction, destination, &found, now).await?;
        if decision == FindingDecision::Restore || found.sort != FindingSort::Changed {
            request_delivery(&transaction, destination, &keys, now).await?;
        }
        transaction.commit().await?;
        Ok(Ok(Finding { changed_at: now, ..found }))
    }

    /// Gives a record its remote record back that somebody had deleted, and restored at the destination: it is delivered
    /// again. Not if somebody left it deleted. Returns whether it was one.
    pub async fn take_back(&self, destination: &str, remote_id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "UPDATE sync_items SET remote_id = ? WHERE destination = ? AND remote_id IS NULL AND state = 'failed' \
                   AND (site_id, kind, moodle_id) IN (SELECT site_id, kind, moodle_id FROM findings WHERE destination = ? \
                   AND remote_id = ? AND sort = 'deleted' AND state = 'open') RETURNING site_id, kind, moodle_id";
        let values = vec![remote_id.into(), destination.into(), destination.into(), remote_id.into()];
        let transaction = self.begin_immediate().await?;
        let taken: Vec<RecordKey> =
            query(&transaction, sql, values).await?.iter().map(key_of).collect::<Result<_, _>>()?;
        request_delivery(&transaction, destination, &taken, now).await?;
        transaction.commit().await?;
        Ok(!taken.is_empty())
    }

    /// Stores a person's decision about the open findings that a filter selects (the left ones, if it takes back), the
    /// newest `limit` below `before`: how many there were, and where the next step begins; `None` at the end. What cannot be
    /// decided so is passed over.
    pub async fn decide_findings(
        &self,
        destination: &str,
        filter: FindingFilter,
        before: Option<i64>,
        (decision, by): (FindingDecision, &str),
        now: Timestamp,
        limit: u64,
    ) -> Result<(u64, Option<i64>), StoreError> {
        let state = if decision == FindingDecision::Withdraw { FindingState::Left } else { FindingState::Open };
        let filter = FindingFilter { state: Some(state), ..filter };
        let found = self.findings(destination, filter, before, limit).await?;
        let mut decided = 0;
        for finding in &found {
            decided += u64::from(self.decide_finding(destination, finding.id, (decision, by), now).await?.is_ok());
        }
        Ok((decided, found.last().map(|last| last.id)))
    }
}
