//! Grades, each with its grade item.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
};

use super::{
    Context, Tag,
    answer::Answer,
    auth::ApiToken,
    failure::{Failure, ReadList, ReadOne},
    parameters::{Limit, List, ListParameters, Moment},
    problem::{Code, Problem},
    related::{RelatedRecord, list_related, show_related},
};
use crate::{
    model::{Grade, GradeItem, Id, RecordId},
    store::{GradeWithItem, Page, PageRequest, Position, RecordFilter, Store, StoreError},
    views::{RecordView, Related, Renderer},
};

pub(super) struct Operations;

/// A grade and its grade item.
#[derive(Object)]
#[oai(rename = "GradeWithItem")]
pub(super) struct GradeView {
    #[oai(flatten)]
    pub(super) grade: Grade,
    #[oai(flatten)]
    pub(super) item: GradeItem,
}

impl RelatedRecord for GradeWithItem {
    type View = RecordView<Related<GradeView>>;

    async fn page(
        store: &Store,
        filter: &RecordFilter,
        page: PageRequest<Position>,
    ) -> Result<Page<Self, Position>, StoreError> {
        store.grades(filter, page).await
    }

    fn references(&self) -> (i64, Id, Option<Id>) {
        let courseid = self.item.as_ref().and_then(|item| item.courseid);
        (self.grade.site_id, self.grade.record.state.userid, courseid)
    }

    fn show(self, renderer: &Renderer) -> Self::View {
        let (site_id, userid, courseid) = self.references();
        let item = self.item.unwrap_or_default();
        renderer.record(self.grade, |grade| renderer.relate(site_id, userid, courseid, GradeView { grade, item }))
    }
}

#[OpenApi(prefix_path = "/api/v1/grades", tag = "Tag::Records")]
impl Operations {
    /// List grades
    ///
    /// Ordered by site and Moodle id. Includes deleted grades unless `deleted=false`. The course is known once the
    /// grade has arrived with its item.
    #[oai(path = "/", method = "get", operation_id = "list_grades")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter")]
    async fn list(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// Only from the site with this name.
        site: Query<Option<String>>,
        /// Only for this user: `<site>:<Moodle id>`, or the Moodle id together with `site`.
        user: Query<Option<String>>,
        /// Only in this course: `<site>:<Moodle id>`, or the Moodle id together with `site`.
        course: Query<Option<String>>,
        /// Only deleted records (`true`), or only existing ones (`false`).
        deleted: Query<Option<bool>>,
        /// Only records that changed at or after this time (RFC 3339).
        changed_since: Query<Option<Moment>>,
        /// Maximum items per page.
        limit: Query<Option<Limit>>,
        /// The `next_cursor` of the previous page.
        cursor: Query<Option<String>>,
    ) -> Result<Answer<List<RecordView<Related<GradeView>>>>, Failure<ReadList>> {
        let parameters = ListParameters {
            site: site.0,
            limit: limit.0,
            cursor: cursor.0,
            user: user.0,
            course: course.0,
            changed_since: changed_since.0,
            ..Default::default()
        };
        Ok(list_related::<GradeWithItem>(&context.store, parameters, deleted.0).await?)
    }

    /// Get a grade
    #[oai(path = "/:id", method = "get", operation_id = "get_grade")]
    async fn get(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// `<site>:<Moodle id>`, as in `college:1`.
        id: Path<String>,
    ) -> Result<Answer<RecordView<Related<GradeView>>>, Failure<ReadOne>> {
        let not_found = || Problem::with_detail(Code::NotFound, "There is no grade with this id.");
        let id: RecordId = id.parse().map_err(|_| not_found())?;
        let grade = context.store.grade(id.site.as_str(), id.moodle_id).await?.ok_or_else(not_found)?;
        Ok(show_related(&context.store, grade).await?)
    }
}
