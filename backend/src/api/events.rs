//! The event log.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    types::Any,
};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Context, Tag,
    answer::Answer,
    auth::ApiToken,
    failure::{Failure, ReadList, ReadOne},
    parameters::{Limit, List, ListParameters, Selection, list_of},
    problem::{Code, Problem},
};
use crate::{
    model::EventType,
    store::{EventFilter, PageRequest, StoredEvent},
    views::{Renderer, VersionView},
};

pub(super) struct Operations;

/// A fact received from a site. It never changes.
#[derive(Object)]
#[oai(rename = "Event", example)]
pub(super) struct EventView {
    /// Its place in the event log, ascending in the order in which events were stored.
    pub(super) id: i64,
    /// The sender's idempotency key; null from the original plugin, which sends none.
    #[oai(nullable, rename = "client_id")]
    pub(super) idempotency_key: Option<Uuid>,
    /// The name of the site.
    pub(super) site: String,
    /// The event's type.
    #[oai(rename = "type")]
    pub(super) event_type: String,
    /// The kind of record it is about: `user`, `course`, `enrolment`, `grade` or `completion`.
    pub(super) kind: String,
    /// The record it is about: `<site>:<Moodle id>`.
    pub(super) record: String,
    /// The user it is about: `<site>:<Moodle id>`; null for courses.
    #[oai(nullable)]
    pub(super) user: Option<String>,
    /// Orders it among the events about the same record.
    pub(super) version: VersionView,
    /// When it reached this server (RFC 3339).
    pub(super) received_at: String,
    /// What it did: `applied`, `unchanged` or `superseded`.
    pub(super) outcome: String,
    /// Its data, as sent.
    pub(super) data: Any<Value>,
}

fn event_view(renderer: &Renderer, event: StoredEvent) -> EventView {
    EventView {
        id: event.id,
        idempotency_key: event.idempotency_key,
        site: renderer.site(event.site_id),
        event_type: event.event_type,
        kind: event.kind,
        record: renderer.id(event.site_id, event.moodle_id),
        user: event.userid.map(|userid| renderer.id(event.site_id, userid)),
        version: event.version.into(),
        received_at: event.received_at.to_rfc3339(),
        outcome: event.outcome,
        data: Any(serde_json::from_str(&event.data).unwrap_or_default()),
    }
}

#[OpenApi(prefix_path = "/api/v1/events", tag = "Tag::Log")]
impl Operations {
    /// List events
    ///
    /// In the order in which they were stored. With `user`: everything received about one person.
    #[oai(path = "/", method = "get", operation_id = "list_events")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter")]
    async fn list(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// Only from the site with this name.
        site: Query<Option<String>>,
        /// Only about this user: `<site>:<Moodle id>`, or the Moodle id together with `site`.
        user: Query<Option<String>>,
        /// Only of this type.
        r#type: Query<Option<EventType>>,
        /// Maximum items per page.
        limit: Query<Option<Limit>>,
        /// The `next_cursor` of the previous page.
        cursor: Query<Option<String>>,
    ) -> Result<Answer<List<EventView>>, Failure<ReadList>> {
        let store = &context.store;
        let parameters =
            ListParameters { site: site.0, limit: limit.0, cursor: cursor.0, user: user.0, ..Default::default() };
        let Selection { cursors, page, site_id, user, .. } = parameters.check::<i64>(store).await?;
        let page = PageRequest { after: cursors.within_counter(page.after)?, ..page };
        let filter = EventFilter { site_id, user, event_type: r#type.0, outcome: None };
        let page = store.events(&filter, page).await?;
        let renderer = Renderer::new(store).await?;
        Ok(list_of(cursors, page, |event| event_view(&renderer, event)))
    }

    /// Get an event
    #[oai(path = "/:id", method = "get", operation_id = "get_event")]
    async fn get(
        &self,
        _token: ApiToken,
        context: Data<&Arc<Context>>,
        /// The event's place in the event log.
        id: Path<i64>,
    ) -> Result<Answer<EventView>, Failure<ReadOne>> {
        let not_found = || Problem::with_detail(Code::NotFound, "There is no event with this id.");
        let event = context.store.event(id.0).await?.ok_or_else(not_found)?;
        let renderer = Renderer::new(&context.store).await?;
        Ok(Answer(event_view(&renderer, event)))
    }
}
