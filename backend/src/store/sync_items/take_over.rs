//! Moving a remote record from one account to another one, because a person says that both are the same human.

use sea_orm::{ConnectionTrait, Value};

use super::{
    ItemRow, lock,
    queued::QUEUED,
    view::{ITEM_COLUMNS, item_of},
    writers::{PLACE, place},
};
use crate::{
    clock::Timestamp,
    model::{ItemState, Kind, Lane, RecordKey},
    store::{
        Store, StoreError,
        sql::{count, execute, query},
    },
};

/// Why an account cannot take over another one's remote record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TakeOverRefusal {
    /// They are the same.
    #[error("name two accounts")]
    Same,
    /// They are of two sites.
    #[error(
        "the accounts are of two sites; a contact has the key of one: move it in the CRM, by its key field, and retry both"
    )]
    OtherSite,
    /// One is not known.
    #[error("there is no such account, or it is not delivered")]
    Unknown,
    /// One is deleted in Moodle.
    #[error("an account is deleted in Moodle; a deleted account yields its contact by itself")]
    Deleted,
    /// One is erased.
    #[error("a person is being erased, or was")]
    Erased,
    /// The old account has nothing to give.
    #[error("the old account writes no contact, so there is nothing to take over")]
    NothingThere,
    /// The new account has a contact of its own.
    #[error(
        "the new account has a contact of its own, {0}. Merge it in the CRM into that of the old account; when the new account is \
         linked to that, take it over"
    )]
    HasOwn(String),
    /// One is just being delivered.
    #[error("an account is just being delivered; try again in a moment")]
    InFlight,
}

/// What an item gets that is to be judged again at once. It is not in flight.
/// The parameters are the present time, twice.
fn judged_again() -> String {
    format!(
        "digest = NULL, revision = revision + 1, due_at = ?, {QUEUED}, state = 'pending', waits_kind = NULL, \
         waits_id = NULL, judge_at = NULL"
    )
}

impl Store {
    /// Why one account cannot take over the other one's remote record; else the record's id.
    pub async fn may_move_contact(
        &self,
        destination: &str,
        from: RecordKey,
        to: RecordKey,
    ) -> Result<Result<String, TakeOverRefusal>, StoreError> {
        may_take_over(&self.read, destination, from, to).await
    }

    /// Makes the new account the writer of the old one's remote record, to which the old one is linked: what refers to
    /// either refers to that record. Returns the record's id.
    pub async fn move_contact(
        &self,
        destination: &str,
        from: RecordKey,
        to: RecordKey,
        now: Timestamp,
    ) -> Result<Result<String, TakeOverRefusal>, StoreError> {
        let transaction = self.begin_immediate().await?;
        lock::hold(&transaction, destination, vec![from, to]).await?;
        let remote_id = match may_take_over(&transaction, destination, from, to).await? {
            Ok(remote_id) => remote_id,
            refused => return Ok(refused),
        };
        let sql = format!("UPDATE sync_items SET linked = TRUE, {} WHERE {PLACE}", judged_again());
        execute(
            &transaction,
            &sql,
            [now.0, now.0].map(Value::from).into_iter().chain(place(destination, from)).collect(),
        )
        .await?;
        // As after a reservation, an attempt counts: what waits for the new account is released by its delivery.
        let sql = format!(
            "UPDATE sync_items SET remote_id = ?, linked = FALSE, attempts = attempts + 1, lane = ?, {} WHERE {PLACE}",
            judged_again()
        );
        let lane = Lane::of(Kind::User, true).number();
        let values: [Value; 4] = [remote_id.as_str().into(), lane.into(), now.0.into(), now.0.into()];
        execute(&transaction, &sql, values.into_iter().chain(place(destination, to)).collect()).await?;
        // The newest decision stands.
        let sql = "UPDATE adoptions SET state = 'adopted', changed_at = ? WHERE destination = ? AND site_id = ? \
                   AND moodle_id = ? AND remote_id = ?";
        let values: Vec<Value> =
            vec![now.0.into(), destination.into(), to.site_id.into(), to.moodle_id.0.into(), remote_id.as_str().into()];
        execute(&transaction, sql, values).await?;
        transaction.commit().await?;
        Ok(Ok(remote_id))
    }
}

async fn may_take_over(
    connection: &impl ConnectionTrait,
    destination: &str,
    from: RecordKey,
    to: RecordKey,
) -> Result<Result<String, TakeOverRefusal>, StoreError> {
    if from == to {
        return Ok(Err(TakeOverRefusal::Same));
    }
    if from.site_id != to.site_id {
        return Ok(Err(TakeOverRefusal::OtherSite));
    }
    let (Some(old), Some(new)) = (item(connection, destination, from).await?, item(connection, destination, to).await?)
    else {
        return Ok(Err(TakeOverRefusal::Unknown));
    };
    let both = [from.site_id, from.moodle_id.0, to.moodle_id.0].map(Value::from).to_vec();
    let of_both = "WHERE site_id = ? AND moodle_id IN (?, ?)";
    let erased =
        format!("SELECT count(*) AS count FROM erasures {of_both} AND begun_at IS NOT NULL AND lifted_at IS NULL");
    if count(connection, &erased, both.clone()).await? > 0 {
        return Ok(Err(TakeOverRefusal::Erased));
    }
    let deleted = format!("SELECT count(*) AS count FROM users {of_both} AND deleted");
    if count(connection, &deleted, both).await? > 0 {
        return Ok(Err(TakeOverRefusal::Deleted));
    }
    if [&old, &new].iter().any(|item| item.state == ItemState::InFlight) {
        return Ok(Err(TakeOverRefusal::InFlight));
    }
    let Some(remote_id) = old.remote_id.filter(|_| !old.linked) else {
        return Ok(Err(TakeOverRefusal::NothingThere));
    };
    match new.remote_id {
        Some(own) if own != remote_id => Ok(Err(TakeOverRefusal::HasOwn(own))),
        _ => Ok(Ok(remote_id)),
    }
}

async fn item(
    connection: &impl ConnectionTrait,
    destination: &str,
    key: RecordKey,
) -> Result<Option<ItemRow>, StoreError> {
    let sql = format!("SELECT {ITEM_COLUMNS} FROM sync_items WHERE {PLACE}");
    query(connection, &sql, place(destination, key).into()).await?.first().map(item_of).transpose()
}
