//! Listing and finding records that belong to a user and a course, of any kind.

use poem_openapi::types::{ParseFromJSON, ToJSON, Type};

use super::{
    answer::Answer,
    parameters::{List, ListParameters, Selection, list_of},
    problem::Problem,
};
use crate::{
    model::Id,
    store::{Page, PageRequest, Position, RecordFilter, Store, StoreError},
    views::Renderer,
};

/// A kind of record that belongs to a user and a course.
pub(super) trait RelatedRecord: Sized {
    /// What readers see.
    type View: Type + ParseFromJSON + ToJSON;

    /// Reads a page.
    async fn page(
        store: &Store,
        filter: &RecordFilter,
        page: PageRequest<Position>,
    ) -> Result<Page<Self, Position>, StoreError>;

    /// Its site, its user and, if known, its course.
    fn references(&self) -> (i64, Id, Option<Id>);

    /// Renders it for readers.
    fn show(self, renderer: &Renderer) -> Self::View;
}

async fn renderer<T: RelatedRecord>(store: &Store, items: &[T]) -> Result<Renderer, StoreError> {
    Renderer::related(store, items.iter().map(RelatedRecord::references)).await
}

/// The answer for a page.
pub(super) async fn list_related<T: RelatedRecord>(
    store: &Store,
    parameters: ListParameters,
    deleted: Option<bool>,
) -> Result<Answer<List<T::View>>, Problem> {
    let Selection { cursors, page, site_id, user, course, changed_since } = parameters.check(store).await?;
    let filter = RecordFilter { site_id, user, course, email: None, deleted, changed_since };
    let page = T::page(store, &filter, page).await?;
    let renderer = renderer(store, &page.items).await?;
    Ok(list_of(cursors, page, |item| item.show(&renderer)))
}

/// The answer for one record.
pub(super) async fn show_related<T: RelatedRecord>(store: &Store, item: T) -> Result<Answer<T::View>, Problem> {
    let renderer = renderer(store, std::slice::from_ref(&item)).await?;
    Ok(Answer(item.show(&renderer)))
}
