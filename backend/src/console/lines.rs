//! A sync item as a line of a list, with the links of its record.

use crate::{
    api::Context,
    clock::Timestamp,
    delivery::Destination as _,
    model::{ItemState, Kind, RecordId, RecordKey, Remark},
    store::{DestinationSummary, ItemRow, Site},
    views::Renderer,
    zoho::destination::Zoho,
};

use super::{error::PageError, subjects::Subjects, words::Moment};

/// A state as a word and a CSS class.
pub(super) struct StateTag {
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

impl StateTag {
    /// Synced with no record at the destination: nothing is left to do, but people read "synced" as "it is there".
    pub(super) const LEFT_OUT: Self = Self { word: "left out", class: "" };

    /// Another record writes the one at the destination.
    const LINKED: Self = Self { word: "linked", class: "good" };
    /// Synced, but for optional values that do not fit.
    const WITH_REMARKS: Self = Self { word: "synced with remarks", class: "good" };

    pub(super) fn of(row: &ItemRow) -> Self {
        match row.state {
            ItemState::Synced if row.linked => Self::LINKED,
            ItemState::Synced if row.remote_id.is_none() => Self::LEFT_OUT,
            ItemState::Synced if !row.remarks.is_empty() => Self::WITH_REMARKS,
            state => Self::of_state(state),
        }
    }

    pub(super) fn of_state(state: ItemState) -> Self {
        let (word, class) = match state {
            ItemState::Pending => ("pending", "warn"),
            ItemState::InFlight => ("in flight", "warn"),
            ItemState::Synced => ("synced", "good"),
            ItemState::Parked => ("parked", "warn"),
            ItemState::Failed => ("failed", "bad"),
        };
        Self { word, class }
    }
}

/// The id of a record at a destination.
pub(super) struct Remote {
    pub(super) id: String,
    /// The record's page at the destination, if its address is known.
    pub(super) link: Option<String>,
}

impl Remote {
    pub(super) fn of(context: &Context, destination: &str, row: &ItemRow) -> Option<Self> {
        let id = row.remote_id.clone()?;
        let zoho = context.zoho().filter(|_| destination == Zoho::NAME);
        Some(Self { link: zoho.and_then(|zoho| zoho.page(row.key.kind, &id)), id })
    }
}

/// A sync item in a list.
pub(super) struct Line {
    pub(super) kind: Kind,
    /// `<site>:<Moodle id>`.
    pub(super) record: String,
    pub(super) label: String,
    pub(super) deleted: bool,
    pub(super) tag: StateTag,
    pub(super) reason: String,
    pub(super) remote: Option<Remote>,
    pub(super) changed: Moment,
}

impl Line {
    pub(super) fn new(
        context: &Context,
        renderer: &Renderer,
        subjects: &Subjects,
        destination: &str,
        row: &ItemRow,
        now: Timestamp,
    ) -> Self {
        Self {
            kind: row.key.kind,
            record: renderer.id(row.key.site_id, row.key.moodle_id),
            label: subjects.label(row.key),
            deleted: subjects.is_deleted(row.key),
            tag: StateTag::of(row),
            reason: row.reason.clone().unwrap_or_else(|| in_words(&row.remarks)),
            remote: Remote::of(context, destination, row),
            changed: Moment::new(row.changed_at, now),
        }
    }

    /// The address of the record's page.
    pub(super) fn address(&self) -> String {
        address(self.kind, &self.record)
    }
}

/// Remarks in one line.
pub(super) fn in_words(remarks: &[Remark]) -> String {
    remarks.iter().map(|remark| format!("{}: {}", remark.field, remark.message)).collect::<Vec<_>>().join(" ")
}

/// The address of a record's page. Kinds and site names contain nothing that needs escaping.
pub(super) fn address(kind: Kind, record: &str) -> String {
    format!("/records/{kind}:{record}")
}

/// The destination's name as people write it.
pub(super) fn display(destination: &str) -> String {
    capitalised(destination)
}

pub(super) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

pub(super) async fn destination(context: &Context, name: &str) -> Result<DestinationSummary, PageError> {
    // PostgreSQL rejects NUL in a text.
    if name.contains('\0') {
        return Err(PageError::NotFound);
    }
    context.store.destination(name).await?.ok_or(PageError::NotFound)
}

/// The site and the Moodle id in `college:3`.
pub(super) async fn find(context: &Context, id: &str) -> Result<(Site, RecordId), PageError> {
    let id: RecordId = id.parse().map_err(|_| PageError::NotFound)?;
    let site = context.store.site(id.site.as_str()).await?.ok_or(PageError::NotFound)?;
    Ok((site, id))
}

/// The site and the record key in `grade:college:3`.
pub(super) async fn find_record(context: &Context, id: &str) -> Result<(Site, RecordKey), PageError> {
    let (kind, id) = id.split_once(':').ok_or(PageError::NotFound)?;
    let kind: Kind = kind.parse().map_err(|_| PageError::NotFound)?;
    let (site, id) = find(context, id).await?;
    let key = RecordKey { kind, site_id: site.id, moodle_id: id.moodle_id };
    Ok((site, key))
}

/// The address of a profile or a course in its Moodle, if that Moodle's address is known. Only http and https become a link.
pub(super) async fn moodle_page(
    context: &Context,
    site: &str,
    kind: Kind,
    id: i64,
) -> Result<Option<String>, PageError> {
    let place = match kind {
        Kind::User => "user/profile.php",
        Kind::Course => "course/view.php",
        _ => return Ok(None),
    };
    let sites = context.store.sites().await?;
    let wwwroot = sites.into_iter().find(|found| found.name == site).and_then(|site| site.wwwroot);
    let wwwroot = wwwroot.filter(|root| root.starts_with("https://") || root.starts_with("http://"));
    Ok(wwwroot.map(|root| format!("{}/{place}?id={id}", root.trim_end_matches('/'))))
}
