//! Courses.

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
    failure::{Failure, Getting, Listing},
    parameters::{Limit, List, ListParameters, Moment, Selection, find_record, list},
};
use crate::{
    model::Course,
    store::{Position, RecordFilter, course},
    views::{RecordView, Renderer},
};

pub(super) struct Operations;

#[OpenApi(prefix_path = "/api/v1/courses", tag = "Tag::Records")]
impl Operations {
    /// List courses
    ///
    /// In the order of site and Moodle id. Deleted courses are among them unless `deleted=false`.
    #[oai(path = "/", method = "get", operation_id = "list_courses")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter")]
    async fn list(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// Only of the site of this name.
        site: Query<Option<String>>,
        /// Only deleted ones, or only those that are not.
        deleted: Query<Option<bool>>,
        /// Only those that changed at this moment or later (RFC 3339).
        changed_since: Query<Option<Moment>>,
        /// Items of a page at most.
        limit: Query<Option<Limit>>,
        /// The `next_cursor` of the previous page.
        cursor: Query<Option<String>>,
    ) -> Result<Answer<List<RecordView<Course>>>, Failure<Listing>> {
        let store = &context.store;
        let parameters = ListParameters {
            site: site.0,
            limit: limit.0,
            cursor: cursor.0,
            changed_since: changed_since.0,
            ..Default::default()
        };
        let Selection { page, site_id, changed_since, .. } = parameters.check::<Position>(store).await?;
        let filter = RecordFilter { site_id, deleted: deleted.0, changed_since, ..Default::default() };
        let page = store.courses(&filter, page).await?;
        let renderer = Renderer::new(store).await?;
        Ok(list(page, |stored| renderer.record(stored, |course| course)))
    }

    /// Get a course
    #[oai(path = "/:id", method = "get", operation_id = "get_course")]
    async fn get(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// `<site>:<Moodle id>`, as in `college:3`.
        id: Path<String>,
    ) -> Result<Answer<RecordView<Course>>, Failure<Getting>> {
        let stored = find_record::<course::Entity>(&context.store, &id).await?;
        let renderer = Renderer::new(&context.store).await?;
        Ok(Answer(renderer.record(stored, |course| course)))
    }
}
