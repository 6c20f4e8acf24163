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
    failure::{Failure, ReadList, ReadOne},
    parameters::{Limit, List, ListParameters, Moment, Selection, find_record, list_of},
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
    /// Ordered by site and Moodle id. Includes deleted courses unless `deleted=false`.
    #[oai(path = "/", method = "get", operation_id = "list_courses")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter")]
    async fn list(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// Only from the site with this name.
        site: Query<Option<String>>,
        /// Only deleted records (`true`), or only existing ones (`false`).
        deleted: Query<Option<bool>>,
        /// Only records that changed at or after this time (RFC 3339).
        changed_since: Query<Option<Moment>>,
        /// Maximum items per page.
        limit: Query<Option<Limit>>,
        /// The `next_cursor` of the previous page.
        cursor: Query<Option<String>>,
    ) -> Result<Answer<List<RecordView<Course>>>, Failure<ReadList>> {
        let store = &context.store;
        let parameters = ListParameters {
            site: site.0,
            limit: limit.0,
            cursor: cursor.0,
            changed_since: changed_since.0,
            ..Default::default()
        };
        let Selection { cursors, page, site_id, changed_since, .. } = parameters.check::<Position>(store).await?;
        let filter = RecordFilter { site_id, deleted: deleted.0, changed_since, ..Default::default() };
        let page = store.courses(&filter, page).await?;
        let renderer = Renderer::new(store).await?;
        Ok(list_of(cursors, page, |stored| renderer.record(stored, |course| course)))
    }

    /// Get a course
    #[oai(path = "/:id", method = "get", operation_id = "get_course")]
    async fn get(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// `<site>:<Moodle id>`, as in `college:3`.
        id: Path<String>,
    ) -> Result<Answer<RecordView<Course>>, Failure<ReadOne>> {
        let stored = find_record::<course::Entity>(&context.store, &id).await?;
        let renderer = Renderer::new(&context.store).await?;
        Ok(Answer(renderer.record(stored, |course| course)))
    }
}
