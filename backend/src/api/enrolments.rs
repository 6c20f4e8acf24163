//! Enrolments.

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
    model::Enrolment,
    store::{Position, RecordFilter, Store, StoreError, StoredRecord, enrolment},
};

pub(super) struct Operations;

async fn renderer(store: &Store, enrolments: &[StoredRecord<Enrolment>]) -> Result<Renderer, StoreError> {
    let reference = |stored: &StoredRecord<Enrolment>| {
        let Enrolment { userid, courseid, .. } = stored.record.state;
        (stored.site_id, userid, Some(courseid))
    };
    Renderer::related(store, enrolments.iter().map(reference)).await
}

fn show(renderer: &Renderer, stored: StoredRecord<Enrolment>) -> Record<Related<Enrolment>> {
    let site_id = stored.site_id;
    renderer.record(stored, |state| renderer.relate(site_id, state.userid, Some(state.courseid), state))
}

#[OpenApi(prefix_path = "/api/v1/enrolments", tag = "Tag::Records")]
impl Operations {
    /// List enrolments
    ///
    /// In the order of site and Moodle id. Deleted enrolments are among them unless `deleted=false`.
    #[oai(path = "/", method = "get", operation_id = "list_enrolments")]
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
    ) -> Result<Answer<List<Record<Related<Enrolment>>>>, Failure<Listing>> {
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
        let page = store.enrolments(&filter, page).await?;
        let renderer = renderer(store, &page.items).await?;
        Ok(list(page, |stored| show(&renderer, stored)))
    }

    /// Get an enrolment
    #[oai(path = "/:id", method = "get", operation_id = "get_enrolment")]
    async fn get(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// `<site>:<Moodle id>`, as in `college:1`.
        id: Path<String>,
    ) -> Result<Answer<Record<Related<Enrolment>>>, Failure<Finding>> {
        let stored = find::<enrolment::Entity>(&context.store, &id).await?;
        let renderer = renderer(&context.store, std::slice::from_ref(&stored)).await?;
        Ok(Answer(show(&renderer, stored)))
    }
}
