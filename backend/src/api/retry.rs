//! Delivering many records again: the failed ones, or everything.

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
    failure::{Failure, OperatorCommand},
    parameters::site_of_body,
};
use crate::{
    model::{Field, FieldErrorCode, ItemState, Kind},
    store::ItemFilter,
};

pub(super) struct Operations;

/// Selects items; all conditions must hold.
#[derive(Object)]
#[oai(example)]
struct RetryRequest {
    /// Of this kind.
    #[oai(nullable)]
    kind: Option<Kind>,
    /// From the site with this name.
    #[oai(nullable)]
    site: Option<String>,
    /// In this state: `failed`, `parked` or `pending`. Default: `failed`, or all three if `code` is given.
    #[oai(nullable)]
    state: Option<ItemState>,
    /// With this reason code.
    #[oai(nullable)]
    code: Option<String>,
}

/// Selects records; all conditions must hold.
#[derive(Object)]
#[oai(example)]
struct ResyncRequest {
    /// Of this kind.
    #[oai(nullable)]
    kind: Option<Kind>,
    /// From the site with this name.
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

/// How many items became pending.
#[derive(Object)]
#[oai(example)]
struct MadePending {
    /// The number of items.
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

/// A state from which an item can be retried.
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
    /// Retry many items
    ///
    /// Retries the items that the body selects. An empty object selects all failed items.
    #[oai(path = "/:name/retry", method = "post", operation_id = "retry_sync_items")]
    async fn retry_many(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, as in `zoho`.
        name: Path<String>,
        body: JsonText<RetryRequest>,
    ) -> Result<Answer<MadePending>, Failure<OperatorCommand>> {
        let (text, _room) = body.read(&context.ingest, None).await?;
        destinations::find(&context, &name).await?;
        let (kind, site, state, code) = read_fields(&text, |fields| {
            let kind = fields.optional("kind");
            let (site, state) = (fields.optional("site"), fields.optional::<RetryState>("state"));
            Some((kind?, site?, state?.map(|state| state.0), fields.optional("code")?))
        })?;
        let site_id = site_of_body(&context.store, site).await?;
        let filter = ItemFilter { site_id, kind, state, code, ..Default::default() }.for_retry();
        let items = context.store.retry(&name, &filter, context.clock.now()).await?;
        tracing::info!(destination = name.0, items, "an operator requested a retry of items");
        context.due.notify_one();
        Ok(Answer(MadePending { items }))
    }

    /// Deliver everything again
    ///
    /// Delivers the records that the body selects, changed or not; an empty object selects all. They become pending in
    /// steps, while other deliveries continue.
    #[oai(path = "/:name/resync", method = "post", operation_id = "resync_destination")]
    async fn resync(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, as in `zoho`.
        name: Path<String>,
        body: JsonText<ResyncRequest>,
    ) -> Result<Answer<MadePending>, Failure<OperatorCommand>> {
        let (text, _room) = body.read(&context.ingest, None).await?;
        destinations::find(&context, &name).await?;
        let (kind, site) = read_fields(&text, |fields| {
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
        tracing::info!(destination = name.0, items, "an operator requested a resync");
        Ok(Answer(MadePending { items }))
    }
}
