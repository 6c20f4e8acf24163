//! A person's timeline.

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
    failure::{Failure, OperatorQuery},
    parameters::Limit,
    problem::{Code, Problem},
};
use crate::{
    limits,
    model::{FieldErrorCode, RecordId},
    store::{TimelineOrder, UserFilter},
    views::{Timeline, TimelineCursor, read_timeline},
};

pub(super) struct Operations;

#[OpenApi(prefix_path = "/api/v1/users", tag = "Tag::Delivery")]
impl Operations {
    /// Get a person's timeline
    ///
    /// In chronological order: each event received, the current state of each record, each delivery attempt with the
    /// destination's answer, and the current state of each sync item. `waiting` explains why records have not reached a
    /// destination.
    #[oai(path = "/:id/timeline", method = "get", operation_id = "get_timeline")]
    async fn timeline(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The user's `<site>:<Moodle id>`, as in `college:3`.
        id: Path<String>,
        /// Maximum entries per page.
        limit: Query<Option<Limit>>,
        /// The `next_cursor` of the previous page.
        cursor: Query<Option<String>>,
    ) -> Result<Answer<Timeline>, Failure<OperatorQuery>> {
        let not_found = || Problem::with_detail(Code::NotFound, "Nothing is known of a user with this id.");
        let wrong_cursor = |()| {
            let detail = "Send the next_cursor of the previous answer, unchanged.";
            Problem::parameter("cursor", FieldErrorCode::UnknownValue, detail)
        };
        let after: Option<TimelineCursor> = cursor.0.map(|cursor| cursor.parse().map_err(wrong_cursor)).transpose()?;
        let id: RecordId = id.parse().map_err(|_| not_found())?;
        let site = context.store.site(id.site.as_str()).await?.ok_or_else(not_found)?;
        let user = UserFilter { site_id: site.id, userid: id.moodle_id };
        let limit = limit.0.map_or(limits::PAGE_ROWS_DEFAULT, |limit| limit.0).into();
        let timeline = read_timeline(&context.store, user, after, TimelineOrder::OldestFirst, limit).await?;
        Ok(Answer(timeline.ok_or_else(not_found)?))
    }
}
