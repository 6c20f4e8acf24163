//! One record: its state at each destination, its fields, its attempts and its events.

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
    finding::{FindingCard, cards},
    frame::Frame,
    lines::{self, Remote, StateTag, display},
    person::{pairs, text},
    session::{Operator, SignedIn},
    subjects::Subjects,
    why::{self, Why},
    words::Moment,
};
use crate::{
    api::Context,
    model::{Id, ItemState, Kind, RecordKey, Remark, State},
    store::{AttemptRow, FindingFilter, RecordTable, Site, StoredRecord, completion, course, enrolment, user},
    views::{PersonItems, Renderer},
};

/// The newest attempts and events to show. A person's history and the event log show older ones.
const NEWEST: u64 = 20;

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    frame: Frame,
    id: String,
    done: Option<String>,
    deleted: bool,
    is_account: bool,
    person: Option<(String, String)>,
    course: Option<(String, String)>,
    moodle: Option<String>,
    now: StatePart,
    why: Option<Why>,
    /// How it differs at a destination.
    findings: Vec<FindingCard>,
    data: Vec<(String, String)>,
    changed: Option<Moment>,
    attempts: Vec<Attempt>,
    events: Vec<RecordEvent>,
}

/// The part of the page that refreshes itself.
#[derive(Template)]
#[template(path = "record_state.html")]
struct StatePart {
    id: String,
    /// Whether a delivery is pending or in flight.
    moving: bool,
    states: Vec<DestinationState>,
}

struct DestinationState {
    destination: String,
    tag: StateTag,
    why: Option<String>,
    code: Option<String>,
    remarks: Vec<Remark>,
    waits_for: Option<(String, String)>,
    remote: Option<Remote>,
    /// Attempts since the last success.
    attempts: u32,
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

/// The stored fields of a record, of any kind.
struct StoredFields {
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
    let stored = stored_fields(&context, &site, key).await?;
    let userid = stored.as_ref().and_then(|stored| stored.userid);
    let events = store.record_events(key, userid, None, NEWEST).await?;
    if stored.is_none() && now.states.is_empty() && events.is_empty() {
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
    let mut shown = Vec::new();
    for head in events {
        // One by one: each may have megabytes, of which the page shows little.
        let sent = store.event(head.id).await?.map(|event| pairs(&event.data)).unwrap_or_default();
        shown.push(RecordEvent {
            id: head.id,
            at: Moment::new(head.received_at, moment),
            event_type: head.event_type,
            outcome: head.outcome,
            sent,
        });
    }
    let why = why::read(&context, key, &id).await?;
    let about = FindingFilter { record: Some(key), ..FindingFilter::default() };
    let mut found = Vec::new();
    for destination in store.destinations().await? {
        found.extend(store.findings(&destination.name, about, None, NEWEST).await?);
    }
    let findings = cards(&context, found).await?;
    let deleted = stored.as_ref().is_some_and(|stored| stored.deleted);
    let (changed, data) = stored.map(|stored| (stored.changed, stored.data)).unzip();
    let data = data.unwrap_or_default();
    let page = RecordPage {
        frame: Frame::new(subjects.label(key), "/records", &who),
        done: Done::message(done.as_deref()),
        deleted,
        is_account: key.kind == Kind::User,
        person,
        course,
        moodle: lines::moodle_page(&context, &site.name, key.kind, key.moodle_id.0).await?,
        now,
        why,
        findings,
        changed,
        data,
        attempts,
        events: shown,
        id,
    };
    Ok(Html(page.render()?))
}

/// The refreshing part alone.
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
            let hold = destination.hold_of(row);
            moving |= matches!(row.state, ItemState::Pending | ItemState::InFlight)
                && destination.pause.is_none()
                && hold.is_none();
            let why = hold.map(|hold| hold.reason.clone()).or(why);
            let waits_for = row.waits_for.map(|other| {
                let id = renderer.id(other.site_id, other.moodle_id);
                (lines::address(other.kind, &id), format!("{} {id}", other.kind))
            });
            states.push(DestinationState {
                destination: display(&destination.name),
                tag: StateTag::of(row),
                why,
                code: row.code.clone(),
                remarks: row.remarks.clone(),
                waits_for,
                remote: Remote::of(context, &destination.name, row),
                attempts: row.attempts,
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

async fn stored_fields(context: &Context, site: &Site, key: RecordKey) -> Result<Option<StoredFields>, PageError> {
    Ok(match key.kind {
        Kind::User => read::<user::Entity>(context, site, key.moodle_id).await?,
        Kind::Course => read::<course::Entity>(context, site, key.moodle_id).await?,
        Kind::Enrolment => read::<enrolment::Entity>(context, site, key.moodle_id).await?,
        Kind::Completion => read::<completion::Entity>(context, site, key.moodle_id).await?,
        Kind::Grade => {
            let Some(found) = context.store.grade(&site.name, key.moodle_id).await? else { return Ok(None) };
            let mut stored = StoredFields::new(context, found.grade);
            stored.data.extend(found.item.map(|item| fields(&item)).unwrap_or_default());
            Some(stored)
        }
    })
}

async fn read<T: RecordTable<State: ToJSON>>(
    context: &Context,
    site: &Site,
    id: Id,
) -> Result<Option<StoredFields>, PageError> {
    Ok(context.store.record::<T>(&site.name, id).await?.map(|stored| StoredFields::new(context, stored)))
}

impl StoredFields {
    fn new<S: State + ToJSON>(context: &Context, stored: StoredRecord<S>) -> Self {
        let mut data = fields(&stored.record.state);
        data.extend(stored.record.extra.as_deref().map(pairs).unwrap_or_default());
        Self {
            userid: stored.record.state.userid(),
            deleted: stored.record.deleted,
            changed: Moment::new(stored.changed_at, context.clock.now()),
            data,
        }
    }
}

/// The fields of a state that have a value, by Moodle's names.
fn fields(state: &impl ToJSON) -> Vec<(String, String)> {
    let Some(Value::Object(map)) = state.to_json() else { return Vec::new() };
    let known = map.into_iter().filter(|(_, value)| !value.is_null());
    known
        .flat_map(|(name, value)| match value {
            Value::Object(custom) => {
                custom.into_iter().map(|(field, value)| (format!("{name}.{field}"), text(&value))).collect()
            }
            value => vec![(name, text(&value))],
        })
        .collect()
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
            context.store.request_delivery(&destination.name, &[key], context.clock.now()).await?;
            sent += 1;
        }
    }
    tracing::info!(token = who.0.token_id, kind = key.kind.as_str(), items = sent, "an operator sent a record again");
    context.due.notify_one();
    Ok(Done::Sent(sent).then(&format!("/records/{id}")))
}
