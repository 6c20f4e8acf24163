//! Completions.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};

use super::{
    Context, Tag,
    answer::Answer,
    auth::ApiToken,
    parameters::{Limit, List, ListParameters, Moment, Selection, list},
    problem::{Failure, Finding, Listing},
    record::{Record, Related, Renderer, find},
};
use crate::{
    model::Completion,
    store::{Position, RecordFilter, Store, StoreError, StoredRecord, completion},
};

pub(super) struct Operations;

async fn renderer(store: &Store, completions: &[StoredRecord<Completion>]) -> Result<Renderer, StoreError> {
    let reference = |stored: &StoredRecord<Completion>| {
        let Completion { userid, courseid, .. } = stored.record.state;
        (stored.site_id, userid, Some(courseid))
    };
    Renderer::related(store, completions.iter().map(reference)).await
}

fn show(renderer: &Renderer, stored: StoredRecord<Completion>) -> Record<Related<Completion>> {
    let site_id = stored.site_id;
    renderer.record(stored, |state| renderer.relate(site_id, state.userid, Some(state.courseid), state))
}

#[OpenApi(prefix_path = "/api/v1/completions", tag = "Tag::Records")]
impl Operations {
    /// List completions
    ///
    /// In the order of site and Moodle id. Deleted completions are among them unless `deleted=false`.
    #[oai(path = "/", method = "get", operation_id = "list_completions")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter")]
    async fn list(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// Only of the site of this name.
        site: Query<Option<String>>,
        /// Only of this user: `<site>:<Moodle id>`, or the Moodle id together with `site`.
        user: Query<Option<String>>,
        /// Only in this course: `<site>:<Moodle id>`, or the Moodle id together with `site`.
        course: Query<Option<String>>,
        /// Only deleted ones, or only those that are not.
        deleted: Query<Option<bool>>,
        /// Only those that changed at this moment or later (RFC 3339).
        changed_since: Query<Option<Moment>>,
        /// Items of a page at most.
        limit: Query<Option<Limit>>,
        /// The `next_cursor` of the previous page.
        cursor: Query<Option<String>>,
    ) -> Result<Answer<List<Record<Related<Completion>>>>, Failure<Listing>> {
        let store = &context.store;
        let parameters = ListParameters {
            site: site.0,
            limit: limit.0,
            cursor: cursor.0,
            user: user.0,
            course: course.0,
            changed_since: changed_since.0,
        };
        let Selection { page, site_id, user, course, changed_since } = parameters.check::<Position>(store).await?;
        let filter = RecordFilter { site_id, user, course, email: None, deleted: deleted.0, changed_since };
        let page = store.completions(&filter, page).await?;
        let renderer = renderer(store, &page.items).await?;
        Ok(list(page, |stored| show(&renderer, stored)))
    }

    /// Get a completion
    #[oai(path = "/:id", method = "get", operation_id = "get_completion")]
    async fn get(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// `<site>:<Moodle id>`, as in `college:1`.
        id: Path<String>,
    ) -> Result<Answer<Record<Related<Completion>>>, Failure<Finding>> {
        let stored = find::<completion::Entity>(&context.store, &id).await?;
        let renderer = renderer(&context.store, std::slice::from_ref(&stored)).await?;
        Ok(Answer(show(&renderer, stored)))
    }
}
