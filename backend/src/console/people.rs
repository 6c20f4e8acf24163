//! Searching for a person.

use std::{collections::HashMap, sync::Arc};

use askama::Template;
use poem::{
    handler,
    web::{Data, Html, Query},
};
use serde::Deserialize;

use super::{
    error::PageError,
    frame::Frame,
    lines::{Remote, StateTag, display},
    session::SignedIn,
    subjects::name_of,
};
use crate::{
    api::Context,
    limits,
    model::{Kind, RecordKey, User},
    store::FoundPerson,
    views::Renderer,
};

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    typed: String,
    searched: bool,
    more: bool,
    people: Vec<Person>,
}

struct Person {
    /// `<site>:<Moodle id>`.
    id: String,
    name: String,
    username: String,
    email: String,
    idnumber: String,
    deleted: bool,
    suspended: bool,
    exact: bool,
    /// The person's record at each destination.
    remotes: Vec<PersonRemote>,
}

struct PersonRemote {
    destination: String,
    tag: StateTag,
    remote: Option<Remote>,
}

#[derive(Deserialize)]
pub(super) struct Search {
    q: Option<String>,
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Query(Search { q }): Query<Search>,
) -> Result<Html<String>, PageError> {
    let typed = q.unwrap_or_default().trim().to_owned();
    let (found, more) = context.store.find_people(&typed, limits::CONSOLE_ROWS).await?;
    let people = people_found(&context, found).await?;
    let frame = Frame::new("People", "/people", &who);
    Ok(Html(PeoplePage { frame, searched: !typed.is_empty(), typed, more, people }.render()?))
}

async fn people_found(context: &Context, found: Vec<FoundPerson>) -> Result<Vec<Person>, PageError> {
    let renderer = Renderer::new(&context.store).await?;
    let key = |found: &FoundPerson| RecordKey {
        kind: Kind::User,
        site_id: found.person.site_id,
        moodle_id: found.person.record.state.userid,
    };
    let keys: Vec<RecordKey> = found.iter().map(key).collect();
    let mut remotes: HashMap<RecordKey, Vec<PersonRemote>> = HashMap::new();
    for destination in context.store.destinations().await? {
        for row in context.store.sync_items_of(&destination.name, &keys).await? {
            remotes.entry(row.key).or_default().push(PersonRemote {
                destination: display(&destination.name),
                tag: StateTag::of(&row),
                remote: Remote::of(context, &destination.name, &row),
            });
        }
    }
    let person = |found: FoundPerson| {
        let key = key(&found);
        let record = found.person.record;
        let name = name_of(&record.state);
        let User { username, email, idnumber, suspended, .. } = record.state;
        Person {
            id: renderer.id(key.site_id, key.moodle_id),
            name,
            username: username.unwrap_or_default(),
            email: email.unwrap_or_default(),
            idnumber: idnumber.unwrap_or_default(),
            deleted: record.deleted,
            suspended: suspended.unwrap_or_default(),
            exact: found.exact,
            remotes: remotes.remove(&key).unwrap_or_default(),
        }
    };
    Ok(found.into_iter().map(person).collect())
}
