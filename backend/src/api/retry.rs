//! Delivering many records again: those that failed, or everything.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, types::Example};
use serde_json::Value;

use super::{
    Context, Tag,
    answer::Answer,
    auth::OperatorToken,
    body::{JsonText, read_fields},
    destinations,
    failure::{Failure, Instructing},
    parameters::site_of_body,
};
use crate::{
    model::{Field, FieldErrorCode, ItemState, Kind},
    store::ItemFilter,
};

pub(super) struct Operations;

/// Which items are meant; all conditions hold.
#[derive(Object)]
#[oai(example)]
struct RetryRequest {
    /// Of this kind.
    #[oai(nullable)]
    kind: Option<Kind>,
    /// Of the site of this name.
    #[oai(nullable)]
    site: Option<String>,
    /// In this state: `failed`, `parked` or `pending`. Left out: `failed`, or with `code` all three.
    #[oai(nullable)]
    state: Option<ItemState>,
    /// With this reason's code.
    #[oai(nullable)]
    code: Option<String>,
}

/// Which records are delivered again; all conditions hold.
#[derive(Object)]
#[oai(example)]
struct ResyncRequest {
    /// Of this kind.
    #[oai(nullable)]
    kind: Option<Kind>,
    /// Of the site of this name.
    #[oai(nullable)]
    site: Option<String>,
}

impl Example for RetryRequest {
    fn example() -> Self {
        Self {
            kind: Some(Kind::User),
            site: Some("college".to_owned()),
            state: None,
            code: Some("INVALID_DATA".into()),
        }
    }
}

impl Example for ResyncRequest {
    fn example() -> Self {
        Self { kind: Some(Kind::Grade), site: Some("college".to_owned()) }
    }
}

/// How many items were made pending.
#[derive(Object)]
#[oai(example)]
struct MadePending {
    /// Items.
    items: u64,
}

impl Example for MadePending {
    fn example() -> Self {
        Self { items: 12 }
    }
}

impl Field for Kind {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        String::parse(value)?.parse().map_err(|_| FieldErrorCode::UnknownValue)
    }
}

impl Field for ItemState {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        String::parse(value)?.parse().map_err(|_| FieldErrorCode::UnknownValue)
    }
}

/// A state from which an item can be tried again.
struct RetryState(ItemState);

impl Field for RetryState {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        match ItemState::parse(value)? {
            state @ (ItemState::Failed | ItemState::Parked | ItemState::Pending) => Ok(Self(state)),
            ItemState::InFlight | ItemState::Synced => Err(FieldErrorCode::UnknownValue),
        }
    }
}

#[OpenApi(prefix_path = "/api/v1/destinations", tag = "Tag::Delivery")]
impl Operations {
    /// Try many items again
    ///
    /// Those that the body describes. An empty object means all that failed.
    #[oai(path = "/:name/retry", method = "post", operation_id = "retry_sync_items")]
    async fn retry_many(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, as in `zoho`.
        name: Path<String>,
        body: JsonText<RetryRequest>,
    ) -> Result<Answer<MadePending>, Failure<Instructing>> {
        destinations::find(&context, &name).await?;
        let (kind, site, state, code) = read_fields(&body.text, |fields| {
            let kind = fields.optional("kind");
            let (site, state) = (fields.optional("site"), fields.optional::<RetryState>("state"));
            Some((kind?, site?, state?.map(|state| state.0), fields.optional("code")?))
        })?;
        let site_id = site_of_body(&context.store, site).await?;
        let filter = ItemFilter { site_id, kind, state, code, record: None }.for_retry();
        let items = context.store.retry(&name, &filter, context.clock.now()).await?;
        tracing::info!(destination = name.0, items, "an operator asked to try items again");
        context.due.notify_one();
        Ok(Answer(MadePending { items }))
    }

    /// Deliver everything again
    ///
    /// Everything that the body describes, changed or not; an empty object means all records. They become pending in steps;
    /// deliveries go on beside it.
    #[oai(path = "/:name/resync", method = "post", operation_id = "resync_destination")]
    async fn resync(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, as in `zoho`.
        name: Path<String>,
        body: JsonText<ResyncRequest>,
    ) -> Result<Answer<MadePending>, Failure<Instructing>> {
        destinations::find(&context, &name).await?;
        let (kind, site) = read_fields(&body.text, |fields| {
            let kind = fields.optional("kind");
            Some((kind?, fields.optional("site")?))
        })?;
        let site_id = site_of_body(&context.store, site).await?;
        let filter = ItemFilter { site_id, kind, ..Default::default() };
        let (mut items, mut after) = (0, None);
        loop {
            let keys = context.store.resync(&name, &filter, after, context.clock.now()).await?;
            context.due.notify_one();
            items += keys.len() as u64;
            match keys.last() {
                Some(last) => after = Some(*last),
                None => break,
            }
        }
        tracing::info!(destination = name.0, items, "an operator asked to deliver everything again");
        Ok(Answer(MadePending { items }))
    }
}
