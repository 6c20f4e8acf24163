//! The list of records with their state at a destination, filtered, and its export.

pub(super) mod export;
mod filter;

use std::sync::Arc;

use askama::Template;
use poem::{
    handler,
    web::{Data, Html, Query},
};

use self::filter::{RecordsFilter, RecordsQuery};
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

/// An option of a filter.
pub(super) struct FilterChoice {
    pub(super) value: String,
    pub(super) name: String,
    pub(super) chosen: bool,
}

#[derive(Template)]
#[template(path = "records.html")]
struct RecordsPage {
    frame: Frame,
    query: RecordsQuery,
    problem: Option<String>,
    destinations: Vec<FilterChoice>,
    kinds: Vec<FilterChoice>,
    states: Vec<FilterChoice>,
    sites: Vec<FilterChoice>,
    lines: Vec<Line>,
    first: String,
    next: Option<String>,
    /// How many records were searched, if the page ends because the search stopped.
    searched: Option<String>,
    export: String,
    export_rows: String,
}

pub(super) fn choices(all: impl Iterator<Item = (String, String)>, chosen: Option<&str>) -> Vec<FilterChoice> {
    all.map(|(value, name)| FilterChoice { chosen: chosen == Some(value.as_str()), value, name }).collect()
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Query(query): Query<RecordsQuery>,
) -> Result<Html<String>, PageError> {
    let store = &context.store;
    let destinations = store.destinations().await?;
    let sites = store.sites().await?;
    // The page itself shows an invalid filter, so that it can be corrected there.
    let (filter, problem) = match RecordsFilter::parse(&context, &query).await {
        Ok(filter) => (filter, None),
        Err(PageError::Bad(problem)) => (None, Some(problem)),
        Err(error) => return Err(error),
    };
    let (mut lines, mut next, mut searched) = (Vec::new(), None, None);
    if let Some(filter) = &filter {
        let Page { items: rows, next: after } = filter.rows(store, filter.after, limits::CONSOLE_ROWS).await?;
        searched = (after.is_some() && (rows.len() as u64) < limits::CONSOLE_ROWS).then(|| number(limits::LOOK_ROWS));
        next = after.map(|after| query.address("/records", Some(&filter::cursor(after))));
        let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
        let subjects = Subjects::read(store, &keys).await?;
        let renderer = Renderer::new(store).await?;
        let now = context.clock.now();
        let line = |row| Line::new(&context, &renderer, &subjects, &filter.destination, row, now);
        lines = rows.iter().map(line).collect();
    }
    let chosen = filter.as_ref().map(|filter| filter.destination.as_str());
    let page = RecordsPage {
        frame: Frame::new("Records", "/records", &who),
        problem,
        destinations: choices(destinations.into_iter().map(|found| (found.name.clone(), display(&found.name))), chosen),
        kinds: choices(Kind::ALL.iter().map(|kind| (kind.to_string(), kind.to_string())), query.kind.as_deref()),
        states: choices(
            ItemState::ALL.iter().map(|state| (state.to_string(), state.as_str().replace('_', " "))),
            query.state.as_deref(),
        ),
        sites: choices(sites.into_iter().map(|site| (site.name.clone(), site.name)), query.site.as_deref()),
        lines,
        first: query.address("/records", None),
        next,
        searched,
        export: query.address("/records.csv", None),
        export_rows: number(limits::EXPORT_ROWS),
        query,
    };
    Ok(Html(page.render()?))
}
