//! All records with their state at a destination, filtered; and the same as a file.

pub(super) mod export;
mod wanted;

use std::sync::Arc;

use askama::Template;
use poem::{
    handler,
    web::{Data, Html, Query},
};

use self::wanted::{RecordsQuery, RecordsWanted};
use super::{
    error::PageError,
    frame::Frame,
    lines::{Line, display},
    session::SignedIn,
    subjects::Subjects,
    words::number,
};
use crate::{
    api::Context,
    limits,
    model::{ItemState, Kind},
    store::Page,
    views::Renderer,
};

/// A choice of a filter.
struct FilterChoice {
    value: String,
    name: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "records.html")]
struct RecordsPage {
    frame: Frame,
    asked: RecordsQuery,
    problem: Option<String>,
    destinations: Vec<FilterChoice>,
    kinds: Vec<FilterChoice>,
    states: Vec<FilterChoice>,
    sites: Vec<FilterChoice>,
    lines: Vec<Line>,
    first: String,
    next: Option<String>,
    export: String,
    export_rows: String,
}

fn choices(all: impl Iterator<Item = (String, String)>, chosen: Option<&str>) -> Vec<FilterChoice> {
    all.map(|(value, name)| FilterChoice { chosen: chosen == Some(value.as_str()), value, name }).collect()
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Query(asked): Query<RecordsQuery>,
) -> Result<Html<String>, PageError> {
    let store = &context.store;
    let destinations = store.destinations().await?;
    let sites = store.sites().await?;
    // A filter that is wrong is said on the page, where it can be corrected.
    let (wanted, problem) = match RecordsWanted::read(&context, &asked).await {
        Ok(wanted) => (wanted, None),
        Err(PageError::Bad(words)) => (None, Some(words)),
        Err(error) => return Err(error),
    };
    let (mut lines, mut next) = (Vec::new(), None);
    if let Some(wanted) = &wanted {
        let found = wanted.rows(store, wanted.after, limits::CONSOLE_ROWS + 1).await?;
        let Page { items: rows, next: after } = Page::cut(found, limits::CONSOLE_ROWS, |row| row.key);
        next = after.map(|after| asked.address("/records", Some(&wanted::place(after))));
        let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
        let subjects = Subjects::read(store, &keys).await?;
        let renderer = Renderer::new(store).await?;
        let now = context.clock.now();
        let line = |row| Line::new(&context, &renderer, &subjects, &wanted.destination, row, now);
        lines = rows.iter().map(line).collect();
    }
    let chosen = wanted.as_ref().map(|wanted| wanted.destination.as_str());
    let shown = RecordsPage {
        frame: Frame::new("Records", "/records", &who),
        problem,
        destinations: choices(destinations.into_iter().map(|found| (found.name.clone(), display(&found.name))), chosen),
        kinds: choices(Kind::ALL.iter().map(|kind| (kind.to_string(), kind.to_string())), asked.kind.as_deref()),
        states: choices(
            ItemState::ALL.iter().map(|state| (state.to_string(), state.as_str().replace('_', " "))),
            asked.state.as_deref(),
        ),
        sites: choices(sites.into_iter().map(|site| (site.name.clone(), site.name)), asked.site.as_deref()),
        lines,
        first: asked.address("/records", None),
        next,
        export: asked.address("/records.csv", None),
        export_rows: number(limits::EXPORT_ROWS),
        asked,
    };
    Ok(Html(shown.render()?))
}
