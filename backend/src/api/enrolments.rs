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
    failure::{Failure, ReadList, ReadOne},
    parameters::{Limit, List, ListParameters, Moment, find_record},
    related::{RelatedRecord, list_related, show_related},
};
use crate::{
    model::{Enrolment, Id},
    store::{Page, PageRequest, Position, RecordFilter, Store, StoreError, StoredRecord, enrolment},
    views::{RecordView, Related, Renderer},
};

pub(super) struct Operations;

impl RelatedRecord for StoredRecord<Enrolment> {
    type View = RecordView<Related<Enrolment>>;

    async fn page(
        store: &Store,
        filter: &RecordFilter,
        page: PageRequest<Position>,
    ) -> Result<Page<Self, Position>, StoreError> {
        store.enrolments(filter, page).await
    }

    fn references(&self) -> (i64, Id, Option<Id>) {
        let Enrolment { userid, courseid, .. } = self.record.state;
        (self.site_id, userid, Some(courseid))
    }

    fn show(self, renderer: &Renderer) -> Self::View {
        let (site_id, userid, courseid) = self.references();
        renderer.record(self, |state| renderer.relate(site_id, userid, courseid, state))
    }
}

#[OpenApi(prefix_path = "/api/v1/enrolments", tag = "Tag::Records")]
impl Operations {
    /// List enrolments
    ///
    /// Ordered by site and Moodle id. Includes deleted enrolments unless `deleted=false`.
    #[oai(path = "/", method = "get", operation_id = "list_enrolments")]
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
    ) -> Result<Answer<List<RecordView<Related<Enrolment>>>>, Failure<ReadList>> {
        let parameters = ListParameters {
            site: site.0,
            limit: limit.0,
            cursor: cursor.0,
            user: user.0,
            course: course.0,
            changed_since: changed_since.0,
            ..Default::default()
        };
        Ok(list_related::<StoredRecord<Enrolment>>(&context.store, parameters, deleted.0).await?)
    }

    /// Get an enrolment
    #[oai(path = "/:id", method = "get", operation_id = "get_enrolment")]
    async fn get(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// `<site>:<Moodle id>`, as in `college:1`.
        id: Path<String>,
    ) -> Result<Answer<RecordView<Related<Enrolment>>>, Failure<ReadOne>> {
        let stored = find_record::<enrolment::Entity>(&context.store, &id).await?;
        Ok(show_related(&context.store, stored).await?)
    }
}
