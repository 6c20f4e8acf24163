//! The console's pages that alerts lead to: each shows what is meant and what to do about it, not an overview.

use crate::{
    model::{FindingSort, ItemState, Kind},
    store::Alert,
};

pub(super) const BRAKE: &str = "/brake";
/// The alerts themselves, and how each channel does.
pub(super) const CHANNELS: &str = "/alerts";
pub(super) const MAPPING: &str = "/mapping";
/// What differs at the destination.
pub(super) const PARITY: &str = "/parity";
pub(super) const SITES: &str = "/sites";

fn query(path: &str, pairs: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{path}?{query}")
}

/// What needs a person at a destination.
pub(super) fn attention(destination: &str) -> String {
    query("/attention", &[("destination", destination)])
}

/// The records in one state for one reason.
pub(super) fn group(destination: &str, state: ItemState, kind: Kind, code: &str) -> String {
    let pairs = [("destination", destination), ("state", state.as_str()), ("kind", kind.as_str()), ("code", code)];
    query("/attention", &pairs)
}

/// The findings that differ alike.
pub(super) fn findings(sort: FindingSort) -> String {
    query(PARITY, &[("sort", sort.as_str())])
}

/// One record. Kinds and names of sites contain nothing that needs escaping.
pub(super) fn record(kind: Kind, site: &str, moodle_id: i64) -> String {
    format!("/records/{kind}:{site}:{moodle_id}")
}

/// What waits for its delivery.
pub(super) fn waiting(destination: &str) -> String {
    query("/records", &[("destination", destination), ("state", ItemState::Pending.as_str())])
}

/// What a site sent.
pub(super) fn events(site: &str) -> String {
    query("/events", &[("site", site)])
}

/// The alert's own page; the list, if the database does not have it.
pub(super) fn alert(id: Option<i64>) -> String {
    id.map_or_else(|| CHANNELS.to_owned(), |id| format!("/alerts/{id}"))
}

/// The page of an alert where it is remedied, or its own.
pub fn page(found: &Alert) -> String {
    if found.link.is_empty() { alert(Some(found.id).filter(|id| *id != 0)) } else { found.link.clone() }
}
