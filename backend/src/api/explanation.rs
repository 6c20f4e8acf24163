//! Why one record is where it is.

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
    failure::{DestinationQuery, Failure},
    items::{key_of_path, not_found},
    problem::{Code, Problem},
};
use crate::{
    delivery::Destination as _,
    views::{Explanation, PlanError, RecordExplanation, Renderer},
    zoho::destination::Zoho,
};

pub(super) struct Operations;

#[OpenApi(prefix_path = "/api/v1/destinations", tag = "Tag::Delivery")]
impl Operations {
    /// Explain a sync item
    ///
    /// Makes the decision about one record again, with its reasons: which rules of the mapping apply, what the record
    /// waits for and what waits for it, what keeps it, and what would be written now. Sends nothing, and asks the
    /// destination only with `live`.
    #[oai(path = "/:name/items/:kind/:id/explanation", method = "get", operation_id = "explain_sync_item")]
    async fn explain(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        /// `user`, `course`, `enrolment`, `grade` or `completion`.
        kind: Path<String>,
        /// `<site>:<Moodle id>`, as in `college:3`.
        id: Path<String>,
        /// Ask the destination too, which costs a few API credits: what a delivery would find and change there.
        live: Query<Option<bool>>,
    ) -> Result<Answer<Explanation>, Failure<DestinationQuery>> {
        let key = key_of_path(&context, &name, &kind, &id).await?;
        let zoho = context.zoho().filter(|_| name.0 == Zoho::NAME);
        let zoho = zoho.ok_or_else(|| Problem::new(Code::NotConfigured))?;
        let (store, live) = (&context.store, live.0.unwrap_or_default());
        let found = match RecordExplanation::read(&zoho, store, key, context.clock.now(), live).await {
            Ok(found) => found.ok_or_else(not_found)?,
            Err(PlanError::Store(error)) => return Err(error.into()),
            Err(PlanError::Unavailable(reason)) => {
                return Err(Problem::with_detail(Code::DestinationUnavailable, reason).into());
            }
        };
        Ok(Answer(Explanation::new(&Renderer::new(store).await?, found)))
    }
}
