//! The dry run of a delivery.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};

use super::{
    Context, Tag,
    answer::Answer,
    auth::OperatorToken,
    destinations,
    failure::{DestinationQuery, Failure},
    parameters::{Limit, site_id},
    problem::{Code, Problem},
};
use crate::{
    delivery::Destination as _,
    limits,
    model::{ItemState, Kind},
    views::{PlanError, PlanView, Subset},
    zoho::destination::Zoho,
};

pub(super) struct Operations;

#[OpenApi(prefix_path = "/api/v1/destinations", tag = "Tag::Delivery")]
impl Operations {
    /// Plan the delivery
    ///
    /// A dry run over pending records: what would be done with each, the exact difference to what the destination
    /// holds, and the cost. Reads from the destination, sends nothing.
    #[oai(path = "/:name/plan", method = "get", operation_id = "plan_delivery")]
    async fn plan(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        /// Only records of this kind.
        kind: Query<Option<Kind>>,
        /// Only from the site with this name.
        site: Query<Option<String>>,
        /// Maximum records to examine.
        limit: Query<Option<Limit>>,
    ) -> Result<Answer<PlanView>, Failure<DestinationQuery>> {
        destinations::find(&context, &name).await?;
        let zoho = context.zoho().filter(|_| name.0 == Zoho::NAME);
        let zoho = zoho.ok_or_else(|| Problem::new(Code::NotConfigured))?;
        let site_id = match site.0.as_deref() {
            Some(name) => Some(site_id(&context.store, "site", name).await?),
            None => None,
        };
        let limit = limit.0.map_or(limits::PAGE_ROWS_DEFAULT, |limit| limit.0).into();
        let state = Some(ItemState::Pending);
        let plan = match PlanView::make(&zoho, &context.store, Subset { kind: kind.0, site_id, state, limit }).await {
            Ok(plan) => plan.with_room(&zoho).await,
            Err(error) => Err(error),
        };
        match plan {
            Ok(plan) => Ok(Answer(plan)),
            Err(PlanError::Store(error)) => Err(error.into()),
            Err(PlanError::Unavailable(reason)) => {
                Err(Problem::with_detail(Code::DestinationUnavailable, reason).into())
            }
        }
    }
}
