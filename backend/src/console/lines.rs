//! A sync item as a line of a list, and where its state leads.

use crate::{
    api::Context,
    clock::Timestamp,
    delivery::Destination as _,
    model::{ItemState, Kind, RecordId, RecordKey},
    store::{DestinationSummary, ItemRow, Site},
    views::Renderer,
    zoho::destination::Zoho,
};

use super::{error::PageError, subjects::Subjects, words::Moment};

/// A state as a word and a colour.
pub(super) struct StateTag {
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

impl StateTag {
    /// Synced in the sense that nothing is to be done; people take "synced" for "is there".
    pub(super) const LEFT_OUT: Self = Self { word: "left out", class: "" };

    pub(super) fn of(row: &ItemRow) -> Self {
        match row.state {
            ItemState::Synced if row.remote_id.is_none() => Self::LEFT_OUT,
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

/// The id of a record at a destination, with the address of its page there if that is known.
pub(super) struct Remote {
    pub(super) id: String,
    pub(super) link: Option<String>,
}

impl Remote {
    pub(super) fn of(context: &Context, destination: &str, row: &ItemRow) -> Option<Self> {
        let id = row.remote_id.clone()?;
        let zoho = context.zoho.as_ref().filter(|_| destination == Zoho::NAME);
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
            reason: row.reason.clone().unwrap_or_default(),
            remote: Remote::of(context, destination, row),
            changed: Moment::new(row.changed_at, now),
        }
    }

    /// The address of the record's page.
    pub(super) fn address(&self) -> String {
        address(self.kind, &self.record)
    }
}

/// The address of a record's page. Kinds and sites' names have nothing in them that would need escaping.
pub(super) fn address(kind: Kind, record: &str) -> String {
    format!("/records/{kind}:{record}")
}

/// The destination's name as people write it.
pub(super) fn display(destination: &str) -> String {
    capitalised(destination)
}

/// With a large first letter.
pub(super) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// The destination of that name.
pub(super) async fn destination(context: &Context, name: &str) -> Result<DestinationSummary, PageError> {
    // Only a text that can be a name goes to the database.
    if name.contains('\0') {
        return Err(PageError::NotFound);
    }
    context.store.destination(name).await?.ok_or(PageError::NotFound)
}

/// The site and the Moodle id that `college:3` names.
pub(super) async fn find(context: &Context, id: &str) -> Result<(Site, RecordId), PageError> {
    let id: RecordId = id.parse().map_err(|_| PageError::NotFound)?;
    let site = context.store.site(id.site.as_str()).await?.ok_or(PageError::NotFound)?;
    Ok((site, id))
}

/// The record that `grade:college:3` names.
pub(super) async fn find_record(context: &Context, id: &str) -> Result<(Site, RecordKey), PageError> {
    let (kind, id) = id.split_once(':').ok_or(PageError::NotFound)?;
    let kind: Kind = kind.parse().map_err(|_| PageError::NotFound)?;
    let (site, id) = find(context, id).await?;
    let key = RecordKey { kind, site_id: site.id, moodle_id: id.moodle_id };
    Ok((site, key))
}

/// The address of a person's profile or of a course in its Moodle, if the Moodle's address is known. It came from a command line, but
/// only an address of the web may become a link.
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
