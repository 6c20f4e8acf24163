//! Sync items: where each record is on its way to a destination, why, and retrying one.

use std::{fmt, str::FromStr, sync::Arc};

use poem::web::Data;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};

use super::{
    Context, Tag,
    answer::Answer,
    auth::OperatorToken,
    destinations,
    failure::{Failure, OperatorAction, OperatorQuery},
    parameters::{Limit, List, list, record_reference, site_id},
    problem::{Code, Problem},
};
use crate::{
    limits,
    model::{FieldErrorCode, Id, ItemState, Kind, RecordId, RecordKey},
    store::{ItemFilter, ItemRow, Page, PageRequest, Store, StoreError, UserFilter},
    views::{ItemWithAttempts, Renderer, SyncItem},
};

pub(super) struct Operations;

/// A cursor: a place in the order of items.
struct ItemPosition(RecordKey);

impl fmt::Display for ItemPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0.site_id, self.0.kind, self.0.moodle_id)
    }
}

impl FromStr for ItemPosition {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or(());
        let site_id = part()?.parse().map_err(drop)?;
        let kind = part()?.parse().map_err(drop)?;
        Ok(Self(RecordKey { kind, site_id, moodle_id: Id(part()?.parse().map_err(drop)?) }))
    }
}

/// The order in which the store lists items.
fn order(key: RecordKey) -> (i64, &'static str, Id) {
    (key.site_id, key.kind.as_str(), key.moodle_id)
}

/// The problem of a path that names no record.
pub(super) fn not_found() -> Problem {
    Problem::with_detail(Code::NotFound, "There is no record of this kind with this id.")
}

/// The record named by a path.
pub(super) async fn key_of_path(
    context: &Context,
    destination: &str,
    kind: &str,
    id: &str,
) -> Result<RecordKey, Problem> {
    destinations::find(context, destination).await?;
    let (kind, id): (Kind, RecordId) = kind.parse().ok().zip(id.parse().ok()).ok_or_else(not_found)?;
    let site = context.store.site(id.site.as_str()).await?.ok_or_else(not_found)?;
    Ok(RecordKey { kind, site_id: site.id, moodle_id: id.moodle_id })
}

async fn item_answer(
    context: &Context,
    destination: &str,
    key: RecordKey,
) -> Result<Answer<ItemWithAttempts>, Problem> {
    let found = ItemWithAttempts::read(&context.store, destination, key).await?;
    found.map(Answer).ok_or_else(not_found)
}

/// The items of one person's records, filtered like a page of all items.
async fn of_user(
    store: &Store,
    destination: &str,
    filter: &ItemFilter,
    user: UserFilter,
    after: Option<RecordKey>,
) -> Result<Vec<ItemRow>, StoreError> {
    let keys = store.records_of_user(user).await?;
    let mut rows = store.sync_items_of(destination, &keys).await?;
    rows.retain(|row| {
        filter.kind.is_none_or(|kind| row.key.kind == kind)
            && filter.site_id.is_none_or(|site_id| row.key.site_id == site_id)
            && filter.state.is_none_or(|state| row.state == state)
            && filter.code.as_ref().is_none_or(|code| row.code.as_ref() == Some(code))
            && filter.record.is_none_or(|key| row.key == key)
            && (!filter.remarks || row.state == ItemState::Synced && !row.remarks.is_empty())
            && after.is_none_or(|after| order(row.key) > order(after))
    });
    rows.sort_unstable_by_key(|row| order(row.key));
    Ok(rows)
}

#[OpenApi(prefix_path = "/api/v1/destinations", tag = "Tag::Delivery")]
impl Operations {
    /// List sync items
    ///
    /// Ordered by site, kind and Moodle id. With `state=failed`: what needs a person. With `user`: everything about one
    /// person.
    #[oai(path = "/:name/items", method = "get", operation_id = "list_sync_items")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter")]
    async fn list(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        /// Only in this state.
        state: Query<Option<ItemState>>,
        /// Only records of this kind.
        kind: Query<Option<Kind>>,
        /// Only from the site with this name.
        site: Query<Option<String>>,
        /// Only with this reason code.
        code: Query<Option<String>>,
        /// Only synced records with remarks.
        remarks: Query<Option<bool>>,
        /// Only this record, together with `kind`: `<site>:<Moodle id>`, or the Moodle id together with `site`.
        record: Query<Option<String>>,
        /// Only records about this user: `<site>:<Moodle id>`, or the Moodle id together with `site`.
        user: Query<Option<String>>,
        /// Maximum items per page.
        limit: Query<Option<Limit>>,
        /// The `next_cursor` of the previous page.
        cursor: Query<Option<String>>,
    ) -> Result<Answer<List<SyncItem>>, Failure<OperatorQuery>> {
        destinations::find(&context, &name).await?;
        let store = &context.store;
        if code.0.as_deref().is_some_and(|code| code.contains('\0')) {
            let wrong = FieldErrorCode::InvalidCharacter;
            return Err(Problem::parameter("code", wrong, wrong.detail()).into());
        }
        let site_name = site.0.as_deref();
        let record = match (record_reference(store, "record", site_name, record.0).await?, kind.0) {
            (Some((site_id, moodle_id)), Some(kind)) => Some(RecordKey { kind, site_id, moodle_id }),
            (None, _) => None,
            (Some(_), None) => {
                let detail = "Send the record's kind too.";
                return Err(Problem::parameter("kind", FieldErrorCode::Required, detail).into());
            }
        };
        let user = record_reference(store, "user", site_name, user.0).await?;
        let site_id = match site_name {
            Some(name) => Some(site_id(store, "site", name).await?),
            None => None,
        };
        let remarks = remarks.0.unwrap_or_default();
        let filter = ItemFilter { site_id, kind: kind.0, state: state.0, code: code.0, record, remarks };
        let wrong_cursor = |()| {
            let detail = "Send the next_cursor of the previous answer, unchanged.";
            Problem::parameter("cursor", FieldErrorCode::UnknownValue, detail)
        };
        let after: Option<ItemPosition> = cursor.0.map(|cursor| cursor.parse().map_err(wrong_cursor)).transpose()?;
        let after = after.map(|position| position.0);
        let limit = limit.0.map_or(limits::PAGE_ROWS_DEFAULT, |limit| limit.0).into();
        let Page { items, next } = match user {
            Some((site_id, userid)) => {
                let rows = of_user(store, &name, &filter, UserFilter { site_id, userid }, after).await?;
                Page::cut(rows, limit, |row| row.key)
            }
            None => store.items(&name, &filter, PageRequest { after, limit }).await?,
        };
        let renderer = Renderer::new(store).await?;
        let page = Page { items, next: next.map(ItemPosition) };
        Ok(list(page, |row| SyncItem::new(&renderer, &row)))
    }

    /// Get a sync item
    ///
    /// Includes its latest attempts, with the destination's answers.
    #[oai(path = "/:name/items/:kind/:id", method = "get", operation_id = "get_sync_item")]
    async fn get(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        /// `user`, `course`, `enrolment`, `grade` or `completion`.
        kind: Path<String>,
        /// `<site>:<Moodle id>`, as in `college:3`.
        id: Path<String>,
    ) -> Result<Answer<ItemWithAttempts>, Failure<OperatorAction>> {
        let key = key_of_path(&context, &name, &kind, &id).await?;
        Ok(item_answer(&context, &name, key).await?)
    }

    /// Retry a sync item
    ///
    /// Delivers it at once, even if nothing changed since the last delivery. Leaves an item that is synced or in flight
    /// unchanged.
    #[oai(path = "/:name/items/:kind/:id/retry", method = "post", operation_id = "retry_sync_item")]
    async fn retry(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The destination's name, such as `zoho`.
        name: Path<String>,
        /// `user`, `course`, `enrolment`, `grade` or `completion`.
        kind: Path<String>,
        /// `<site>:<Moodle id>`, as in `college:3`.
        id: Path<String>,
    ) -> Result<Answer<ItemWithAttempts>, Failure<OperatorAction>> {
        let key = key_of_path(&context, &name, &kind, &id).await?;
        let filter = ItemFilter { record: Some(key), ..Default::default() };
        context.store.retry(&name, &filter, context.clock.now()).await?;
        context.due.notify_one();
        Ok(item_answer(&context, &name, key).await?)
    }
}
