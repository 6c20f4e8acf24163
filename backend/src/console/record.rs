//! One record: its state at each destination, what is held of it, each try to deliver it, and its events.

use std::sync::Arc;

use askama::Template;
use poem::{
    Response, handler,
    web::{Data, Html, Path, Query},
};
use poem_openapi::types::ToJSON;
use serde::Deserialize;
use serde_json::Value;

use super::{
    done::Done,
    error::PageError,
    frame::Frame,
    lines::{self, Remote, StateTag, display},
    person::{pairs, text},
    session::{Operator, SignedIn},
    subjects::Subjects,
    words::Moment,
};
use crate::{
    api::Context,
    model::{Id, ItemState, Kind, RecordKey, State},
    store::{AttemptRow, RecordTable, Site, StoredRecord, completion, course, enrolment, user},
    views::{PersonItems, Renderer},
};

/// Attempts and events that are shown, the newest. A person's timeline and the list of events show older ones.
const NEWEST: u64 = 20;

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    frame: Frame,
    id: String,
    done: Option<String>,
    deleted: bool,
    person: Option<(String, String)>,
    course: Option<(String, String)>,
    moodle: Option<String>,
    now: StatePart,
    data: Vec<(String, String)>,
    changed: Option<Moment>,
    attempts: Vec<Attempt>,
    events: Vec<RecordEvent>,
}

/// What changes while somebody looks.
#[derive(Template)]
#[template(path = "record_state.html")]
struct StatePart {
    id: String,
    /// Something is under way, so it is worth looking again.
    moving: bool,
    states: Vec<DestinationState>,
}

struct DestinationState {
    destination: String,
    tag: StateTag,
    why: Option<String>,
    code: Option<String>,
    waits_for: Option<(String, String)>,
    remote: Option<Remote>,
    tries: u32,
    changed: Moment,
    due: Option<Moment>,
    synced: Option<Moment>,
}

struct Attempt {
    destination: String,
    at: Moment,
    outcome: String,
    code: String,
    message: String,
    remote_id: String,
    milliseconds: i64,
}

struct RecordEvent {
    id: i64,
    at: Moment,
    event_type: String,
    outcome: String,
    sent: Vec<(String, String)>,
}

/// What is held of a record.
struct HeldRecord {
    userid: Option<Id>,
    deleted: bool,
    changed: Moment,
    data: Vec<(String, String)>,
}

#[derive(Deserialize)]
pub(super) struct RecordQuery {
    done: Option<String>,
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Path(id): Path<String>,
    Query(RecordQuery { done }): Query<RecordQuery>,
) -> Result<Html<String>, PageError> {
    let (site, key) = lines::find_record(&context, &id).await?;
    let store = &context.store;
    let now = state_part(&context, key, id.clone()).await?;
    let held = held(&context, &site, key).await?;
    let userid = held.as_ref().and_then(|held| held.userid);
    let events = store.record_events(key, userid, None, NEWEST).await?;
    if held.is_none() && now.states.is_empty() && events.is_empty() {
        return Err(PageError::NotFound);
    }
    let moment = context.clock.now();
    let mut attempts = Vec::new();
    for destination in store.destinations().await? {
        let rows = store.attempts(&destination.name, key, None, NEWEST).await?;
        attempts.extend(rows.into_iter().map(|row| attempt(&destination.name, row, moment)));
    }
    let subjects = Subjects::read(store, &[key]).await?;
    let person = subjects.person(key).filter(|_| key.kind != Kind::Course);
    let course = subjects.course(key).filter(|_| key.kind != Kind::Course);
    let of_site = |id: Id| format!("{}:{id}", site.name);
    let person = person.map(|person| (format!("/people/{}", of_site(person.1)), subjects.person_name(person)));
    let course = course.map(|course| (lines::address(Kind::Course, &of_site(course.1)), subjects.course_name(course)));
    let event = |event: crate::store::StoredEvent| RecordEvent {
        id: event.id,
        at: Moment::new(event.received_at, moment),
        event_type: event.event_type,
        outcome: event.outcome,
        sent: pairs(&event.data),
    };
    let deleted = held.as_ref().is_some_and(|held| held.deleted);
    let (changed, data) = held.map(|held| (held.changed, held.data)).unzip();
    let data = data.unwrap_or_default();
    let shown = RecordPage {
        frame: Frame::new(subjects.label(key), "/records", &who),
        done: Done::said(done.as_deref()),
        deleted,
        person,
        course,
        moodle: lines::moodle_page(&context, &site.name, key.kind, key.moodle_id.0).await?,
        now,
        changed,
        data,
        attempts,
        events: events.into_iter().map(event).collect(),
        id,
    };
    Ok(Html(shown.render()?))
}

/// The state alone, for a page that is open while something is under way.
#[handler]
pub(super) async fn state_now(
    _who: SignedIn,
    context: Data<&Arc<Context>>,
    Path(id): Path<String>,
) -> Result<Html<String>, PageError> {
    let (_, key) = lines::find_record(&context, &id).await?;
    Ok(Html(state_part(&context, key, id).await?.render()?))
}

async fn state_part(context: &Context, key: RecordKey, id: String) -> Result<StatePart, PageError> {
    let renderer = Renderer::new(&context.store).await?;
    let now = context.clock.now();
    let items = PersonItems::read(&context.store, &[key]).await?;
    let mut states = Vec::new();
    let mut moving = false;
    for (destination, rows) in items.by_destination(&renderer) {
        for (row, why) in rows {
            moving |= matches!(row.state, ItemState::Pending | ItemState::InFlight) && destination.pause.is_none();
            let waits_for = row.waits_for.map(|other| {
                let id = renderer.id(other.site_id, other.moodle_id);
                (lines::address(other.kind, &id), format!("{} {id}", other.kind))
            });
            states.push(DestinationState {
                destination: display(&destination.name),
                tag: StateTag::of(row),
                why,
                code: row.code.clone(),
                waits_for,
                remote: Remote::of(context, &destination.name, row),
                tries: row.attempts,
                changed: Moment::new(row.changed_at, now),
                due: (row.state == ItemState::Pending).then(|| Moment::new(row.due_at, now)),
                synced: row.synced_at.map(|at| Moment::new(at, now)),
            });
        }
    }
    Ok(StatePart { id, moving, states })
}

fn attempt(destination: &str, row: AttemptRow, now: crate::clock::Timestamp) -> Attempt {
    let AttemptRow { started_at, duration_ms, outcome, code, message, remote_id, .. } = row;
    Attempt {
        destination: display(destination),
        at: Moment::new(started_at, now),
        outcome,
        code: code.unwrap_or_default(),
        message: message.unwrap_or_default(),
        remote_id: remote_id.unwrap_or_default(),
        milliseconds: duration_ms,
    }
}

async fn held(context: &Context, site: &Site, key: RecordKey) -> Result<Option<HeldRecord>, PageError> {
    Ok(match key.kind {
        Kind::User => read::<user::Entity>(context, site, key.moodle_id).await?,
        Kind::Course => read::<course::Entity>(context, site, key.moodle_id).await?,
        Kind::Enrolment => read::<enrolment::Entity>(context, site, key.moodle_id).await?,
        Kind::Completion => read::<completion::Entity>(context, site, key.moodle_id).await?,
        Kind::Grade => {
            let Some(found) = context.store.grade(&site.name, key.moodle_id).await? else { return Ok(None) };
            let mut held = shown(context, found.grade);
            held.data.extend(found.item.map(|item| fields(&item)).unwrap_or_default());
            Some(held)
        }
    })
}

async fn read<T: RecordTable<State: ToJSON>>(
    context: &Context,
    site: &Site,
    id: Id,
) -> Result<Option<HeldRecord>, PageError> {
    Ok(context.store.record::<T>(&site.name, id).await?.map(|stored| shown(context, stored)))
}

fn shown<S: State + ToJSON>(context: &Context, stored: StoredRecord<S>) -> HeldRecord {
    let mut data = fields(&stored.record.state);
    data.extend(stored.record.extra.as_deref().map(pairs).unwrap_or_default());
    HeldRecord {
        userid: stored.record.state.userid(),
        deleted: stored.record.deleted,
        changed: Moment::new(stored.changed_at, context.clock.now()),
        data,
    }
}

/// What is known of a state, by the names that Moodle uses.
fn fields(state: &impl ToJSON) -> Vec<(String, String)> {
    let Some(Value::Object(map)) = state.to_json() else { return Vec::new() };
    let known = map.into_iter().filter(|(_, value)| !value.is_null());
    known.map(|(name, value)| (name, text(&value))).collect()
}

/// Sends a record again, to every destination.
#[handler]
pub(super) async fn send(
    who: Operator,
    context: Data<&Arc<Context>>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let (_, key) = lines::find_record(&context, &id).await?;
    let mut sent = 0;
    for destination in context.store.destinations().await? {
        if context.store.item(&destination.name, key).await?.is_some() {
            context.store.demand(&destination.name, &[key], context.clock.now()).await?;
            sent += 1;
        }
    }
    tracing::info!(
        token = who.0.token_id,
        kind = key.kind.as_str(),
        items = sent,
        "an operator asked to send a record again"
    );
    context.due.notify_one();
    Ok(Done::Sent(sent).then(&format!("/records/{id}")))
}
