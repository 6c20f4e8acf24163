//! One person: where each record is, why some are not delivered, and what happened.

mod history;
mod verdict;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

pub(super) use self::history::{pairs, text};

use askama::Template;
use poem::{
    Response, handler,
    web::{Data, Form, Html, Path, Query},
};
use serde::Deserialize;

use self::{
    history::{History, HistoryEntry},
    verdict::{PersonVerdict, verdict},
};
use super::{
    done::Done,
    error::PageError,
    frame::Frame,
    lines::{self, Remote, StateTag, display},
    session::{Operator, SignedIn},
    subjects::{Subjects, name_of},
    words::Moment,
};
use crate::{
    api::Context,
    clock::Timestamp,
    model::{ItemState, Kind, RecordKey, User},
    store::{StoredRecord, UserFilter, user},
    views::{PersonItems, Renderer},
};

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage {
    frame: Frame,
    id: String,
    done: Option<String>,
    deleted: bool,
    verdicts: Vec<PersonVerdict>,
    facts: Vec<Fact>,
    moodle: Option<String>,
    profile: Option<RecordLine>,
    courses: Vec<(String, Vec<RecordLine>)>,
    total: usize,
    to_retry: usize,
    first: bool,
    entries: Vec<HistoryEntry>,
    older: Option<String>,
}

struct Fact {
    name: String,
    value: String,
}

/// One record, with its state at each destination.
struct RecordLine {
    kind: Kind,
    address: String,
    what: String,
    detail: String,
    deleted: bool,
    states: Vec<RecordRemote>,
}

/// A record's state at one destination.
struct RecordRemote {
    destination: String,
    tag: StateTag,
    why: Option<String>,
    remote: Option<Remote>,
    changed: Moment,
}

#[derive(Deserialize)]
pub(super) struct PersonQuery {
    done: Option<String>,
    before: Option<String>,
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Path(id): Path<String>,
    Query(PersonQuery { done, before }): Query<PersonQuery>,
) -> Result<Html<String>, PageError> {
    let (site, record) = lines::find(&context, &id).await?;
    let filter = UserFilter { site_id: site.id, userid: record.moodle_id };
    let before = before.map(|before| before.parse().map_err(|()| PageError::NotFound)).transpose()?;
    let store = &context.store;
    let keys: Vec<RecordKey> = store.person_records(filter).await?.into_iter().map(|record| record.key).collect();
    let subjects = Subjects::read(store, &keys).await?;
    let renderer = Renderer::new(store).await?;
    let History { entries, older } = history::read(&context, &subjects, filter, before).await?;
    let user = store.record::<user::Entity>(&site.name, record.moodle_id).await?;
    let items = PersonItems::read(store, &keys).await?;
    let now = context.clock.now();
    let mut verdicts = Vec::new();
    let mut to_retry = 0;
    let mut remotes: HashMap<RecordKey, Vec<RecordRemote>> = HashMap::new();
    for (destination, rows) in items.by_destination(&renderer) {
        let rows: Vec<_> = rows.collect();
        verdicts.push(verdict(destination, &rows));
        to_retry += rows.iter().filter(|(row, _)| is_to_retry(row.state)).count();
        for (row, why) in rows {
            // The page shows the profile's reason at its top.
            let waits_for_profile = row.waits_for.is_some_and(|other| other.kind == Kind::User);
            let why = if waits_for_profile && destination.pause.is_none() { row.reason.clone() } else { why };
            remotes.entry(row.key).or_default().push(RecordRemote {
                destination: display(&destination.name),
                tag: StateTag::of(row),
                why,
                remote: Remote::of(&context, &destination.name, row),
                changed: Moment::new(row.changed_at, now),
            });
        }
    }
    let (mut profile, mut courses): (_, BTreeMap<(String, _), Vec<RecordLine>>) = (None, BTreeMap::new());
    for key in &keys {
        let line = RecordLine {
            kind: key.kind,
            address: lines::address(key.kind, &renderer.id(key.site_id, key.moodle_id)),
            what: subjects.what(*key),
            detail: subjects.detail(*key),
            deleted: subjects.is_deleted(*key),
            states: remotes.remove(key).unwrap_or_default(),
        };
        match (key.kind, subjects.course(*key)) {
            (Kind::User, _) => profile = Some(line),
            (_, course) => {
                let name =
                    course.map_or_else(|| "Without a known course".to_owned(), |course| subjects.course_name(course));
                courses.entry((name, course)).or_default().push(line);
            }
        }
    }
    for lines in courses.values_mut() {
        lines.sort_by(|left, right| (left.kind, &left.what).cmp(&(right.kind, &right.what)));
    }
    let name = user.as_ref().map_or_else(|| format!("Person {}", record.moodle_id), |user| name_of(&user.record.state));
    let page = PersonPage {
        frame: Frame::new(name, "/people", &who),
        done: Done::message(done.as_deref()),
        deleted: user.as_ref().is_some_and(|user| user.record.deleted),
        verdicts,
        facts: user.map(|user| facts(&user)).unwrap_or_default(),
        moodle: lines::moodle_page(&context, &site.name, Kind::User, record.moodle_id.0).await?,
        profile,
        courses: courses.into_iter().map(|((name, _), lines)| (name, lines)).collect(),
        total: keys.len(),
        to_retry,
        first: before.is_none(),
        entries,
        older: older.map(|older| older.to_string()),
        id: record.to_string(),
    };
    Ok(Html(page.render()?))
}

fn facts(user: &StoredRecord<User>) -> Vec<Fact> {
    let User { username, email, idnumber, institution, department, auth, suspended, timecreated, profile, .. } =
        &user.record.state;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let status = match (user.record.deleted, user.record.version.is_some(), suspended) {
        (true, ..) => "deleted in Moodle",
        (_, false, _) => "known only from other records; Moodle has not reported the account yet",
        (_, _, Some(true)) => "suspended",
        _ => "active",
    };
    let created = timecreated.filter(|time| time.0 > 0).map(|time| Timestamp(time.0 * 1_000).to_rfc3339());
    let day = created.and_then(|moment| moment.split_once('T').map(|(day, _)| day.to_owned()));
    let known = [
        ("Account", status.to_owned()),
        ("User name", text(username)),
        ("E-mail", text(email)),
        ("ID number", text(idnumber)),
        ("Institution", text(institution)),
        ("Department", text(department)),
        ("Authentication", text(auth)),
        ("Created", day.unwrap_or_default()),
    ];
    let known = known.map(|(name, value)| (name.to_owned(), value));
    let custom = profile.iter().flat_map(|profile| &profile.0).map(|(name, text)| (name.clone(), text.clone()));
    let with_value = known.into_iter().chain(custom).filter(|(_, value)| !value.is_empty());
    with_value.map(|(name, value)| Fact { name, value }).collect()
}

fn is_to_retry(state: ItemState) -> bool {
    matches!(state, ItemState::Failed | ItemState::Parked)
}

#[derive(Deserialize)]
pub(super) struct SendForm {
    /// `all`, or `failed` for failed and parked records.
    what: String,
}

/// Sends a person's records again.
#[handler]
pub(super) async fn send(
    who: Operator,
    context: Data<&Arc<Context>>,
    Path(id): Path<String>,
    Form(SendForm { what }): Form<SendForm>,
) -> Result<Response, PageError> {
    let (site, record) = lines::find(&context, &id).await?;
    let all = match what.as_str() {
        "all" => true,
        "failed" => false,
        _ => return Err(PageError::Bad("The form does not say what to send again.".to_owned())),
    };
    let store = &context.store;
    let keys = store.records_of_user(UserFilter { site_id: site.id, userid: record.moodle_id }).await?;
    let mut sent = 0;
    for destination in store.destinations().await? {
        let rows = store.sync_items_of(&destination.name, &keys).await?;
        let rows = rows.into_iter().filter(|row| all || is_to_retry(row.state));
        let keys: Vec<RecordKey> = rows.map(|row| row.key).collect();
        store.request_delivery(&destination.name, &keys, context.clock.now()).await?;
        tracing::info!(
            token = who.0.token_id,
            destination = destination.name,
            items = keys.len(),
            "an operator sent a person's records again"
        );
        sent += keys.len() as u64;
    }
    context.due.notify_one();
    let done = if all { Done::Sent(sent) } else { Done::Retried(sent) };
    Ok(done.then(&format!("/people/{record}")))
}
