//! What people decide about adoptions. A decision makes the account's item pending; the delivery carries it out.

use sea_orm::{ConnectionTrait, Value};

use super::{Adoption, COLUMNS, TABLES, adoption_of};
use crate::{
    clock::Timestamp,
    model::AdoptionState,
    store::{
        Store, StoreError,
        sql::{execute, query},
        sync_items::{hold, request_delivery},
    },
};

/// A person's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[derive(poem_openapi::Enum, strum::Display, strum::EnumString, strum::IntoStaticStr)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AdoptionDecision {
    /// The account may adopt the contact, also if this was refused or undone before.
    Approve,
    /// The account must not adopt the contact.
    Refuse,
    /// The contact gets its values back, and the account does not get it again.
    Undo,
}

/// Why a decision is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdoptionRefusal {
    /// There is no such adoption.
    #[error("there is no adoption with this number")]
    Unknown,
    /// It has no question to answer.
    #[error("it does not wait for an answer, and was not refused or undone: there is nothing to approve")]
    NothingToApprove,
    /// It was made already.
    #[error("the contact is adopted already: undo the adoption instead")]
    AdoptedAlready,
    /// It was not made.
    #[error("it was not adopted, so there is nothing to undo")]
    NotAdopted,
    /// Another item writes the contact now.
    #[error(
        "the account does not write this contact any more: another account took it over, or it vanished from the destination"
    )]
    NotItsWriter,
    /// The person is erased.
    #[error("the person is being erased, or was: what the erasure leaves of the contact stays")]
    Erased,
}

impl AdoptionDecision {
    /// The state that follows.
    fn after(self, adoption: &Adoption) -> Result<AdoptionState, AdoptionRefusal> {
        use AdoptionState::{Adopted, Approved, Refused, Undone, Waiting};
        match (self, adoption.state) {
            // The undo was not carried out yet, so the contact is as it was.
            (Self::Approve, Undone) if adoption.writes => Ok(Adopted),
            (Self::Approve, Waiting | Refused | Undone | Approved) => Ok(Approved),
            (Self::Approve, Adopted) => Err(AdoptionRefusal::NothingToApprove),
            (Self::Refuse, Waiting | Approved | Refused) => Ok(Refused),
            (Self::Refuse, Adopted | Undone) => Err(AdoptionRefusal::AdoptedAlready),
            (Self::Undo, Adopted) if !adoption.writes => Err(AdoptionRefusal::NotItsWriter),
            (Self::Undo, Adopted | Undone) => Ok(Undone),
            (Self::Undo, _) => Err(AdoptionRefusal::NotAdopted),
        }
    }
}

impl Store {
    /// Stores a person's decision, and makes the account's item pending. `by` names the person.
    pub async fn decide_adoption(
        &self,
        destination: &str,
        id: i64,
        (decision, by): (AdoptionDecision, &str),
        now: Timestamp,
    ) -> Result<Result<Adoption, AdoptionRefusal>, StoreError> {
        let Some(adoption) = self.adoption(destination, id).await? else { return Ok(Err(AdoptionRefusal::Unknown)) };
        let transaction = self.begin_immediate().await?;
        // A delivery that is about to adopt the contact locks the item, too.
        hold(&transaction, destination, vec![adoption.key]).await?;
        let Some(adoption) = locked(&transaction, destination, id).await? else {
            return Ok(Err(AdoptionRefusal::Unknown));
        };
        let person = (adoption.key.site_id, adoption.key.moodle_id);
        if decision != AdoptionDecision::Refuse && self.erased_people(&[person]).await?.contains_key(&person) {
            return Ok(Err(AdoptionRefusal::Erased));
        }
        let state = match decision.after(&adoption) {
            Ok(state) => state,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if state != adoption.state {
            let sql = "UPDATE adoptions SET state = ?, changed_at = ?, decided_by = ? WHERE id = ?";
            let values: Vec<Value> = vec![state.as_str().into(), now.0.into(), by.into(), id.into()];
            execute(&transaction, sql, values).await?;
            request_delivery(&transaction, destination, &[adoption.key], now).await?;
            self.enter_decision(destination, (adoption.key, &adoption.remote_id), state, now).await?;
        }
        transaction.commit().await?;
        Ok(Ok(Adoption { state, ..adoption }))
    }
}

async fn locked(
    transaction: &impl ConnectionTrait,
    destination: &str,
    id: i64,
) -> Result<Option<Adoption>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE a.destination = ? AND a.id = ?");
    query(transaction, &sql, vec![destination.into(), id.into()]).await?.first().map(adoption_of).transpose()
}
