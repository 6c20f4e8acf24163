//! The change feed.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Query};

use super::{
    Context, Tag,
    answer::Answer,
    auth::ApiToken,
    failure::{Failure, ReadList},
    parameters::{Limit, ListParameters, Selection},
};
use crate::{
    store::{Page, PageRequest, StoredChange},
    views::Renderer,
};

pub(super) struct Operations;

/// A record that changed.
#[derive(Object)]
#[oai(rename = "Change", example)]
pub(super) struct ChangeView {
    /// Its place in the feed.
    pub(super) position: i64,
    /// The name of the site.
    pub(super) site: String,
    /// The kind of record: `user`, `course`, `enrolment`, `grade` or `completion`.
    pub(super) kind: String,
    /// The record: `<site>:<Moodle id>`.
    pub(super) id: String,
    /// The path to read it from.
    pub(super) href: String,
    /// Whether it is deleted in Moodle.
    pub(super) deleted: bool,
    /// When it changed, by this server's clock (RFC 3339).
    pub(super) changed_at: String,
}

/// A page of the change feed.
#[derive(Object)]
pub(super) struct Changes {
    /// The changed records, ordered by their latest change. May hold fewer than the limit, even none, while `more` is
    /// true: when a filter matches few of very many.
    pub(super) items: Vec<ChangeView>,
    /// Send it as `after` to continue; when `more` is false, keep it and ask again later.
    pub(super) next_cursor: String,
    /// Whether more changes may already be available.
    pub(super) more: bool,
}

#[OpenApi(prefix_path = "/api/v1/changes", tag = "Tag::Log")]
impl Operations {
    /// Follow changes
    ///
    /// The records that changed after a cursor. Start without `after` to get every record once, then continue with
    /// `next_cursor`. Each record appears once, at its latest change, however often it changed since you last asked.
    /// Nothing is missed, even during writes. After the database was restored from a backup, an earlier cursor is answered
    /// with 410 (`cursor_gone`): begin again without one.
    #[oai(path = "/", method = "get", operation_id = "list_changes")]
    async fn list(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// The `next_cursor` of the previous answer.
        after: Query<Option<String>>,
        /// Only from the site with this name.
        site: Query<Option<String>>,
        /// Maximum items.
        limit: Query<Option<Limit>>,
    ) -> Result<Answer<Changes>, Failure<ReadList>> {
        let store = &context.store;
        let parameters = ListParameters { site: site.0, limit: limit.0, after: after.0, ..Default::default() };
        let Selection { cursors, page, site_id, .. } = parameters.check::<i64>(store).await?;
        let page = PageRequest { after: cursors.within_counter(page.after)?, ..page };
        let Page { items, next } = store.changes(site_id, page).await?;
        let renderer = Renderer::new(store).await?;
        let last = next.or(items.last().map(|change| change.position)).or(page.after).unwrap_or(0);
        let show = |change: StoredChange| {
            let id = renderer.id(change.site_id, change.moodle_id);
            ChangeView {
                position: change.position,
                site: renderer.site(change.site_id),
                href: format!("/api/v1/{}s/{id}", change.kind),
                kind: change.kind,
                id,
                deleted: change.deleted,
                changed_at: change.changed_at.to_rfc3339(),
            }
        };
        let items = items.into_iter().map(show).collect();
        Ok(Answer(Changes { items, next_cursor: cursors.text(last), more: next.is_some() }))
    }
}
