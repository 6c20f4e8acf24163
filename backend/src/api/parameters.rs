//! The parameters common to all lists.

use poem_openapi::{
    Object,
    registry::MetaSchema,
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};

use super::{
    answer::Answer,
    cursor::Cursors,
    problem::{Code, Problem},
};
use crate::{
    clock::Timestamp,
    limits,
    model::{ACKNOWLEDGED_DAYS, ACKNOWLEDGED_DAYS_MAX, FieldError, FieldErrorCode, Id, RecordId, SiteName, State},
    store::{CourseFilter, Page, PageRequest, RecordTable, Store, StoredRecord, UserFilter},
};

/// One page of a list.
#[derive(Object)]
pub(super) struct List<T: Type + ParseFromJSON + ToJSON> {
    /// The page's items, in a stable order. A page may hold fewer items than the limit, even none, while `next_cursor`
    /// is set: when items are long, or when a filter matches few of very many.
    pub(super) items: Vec<T>,
    /// Send it as `cursor` to get the next page; null on the last page.
    #[oai(nullable)]
    pub(super) next_cursor: Option<String>,
}

/// The maximum number of items in a page.
#[derive(Clone, Copy)]
pub(super) struct Limit(pub(super) u32);

inline_type!(
    Limit,
    MetaSchema {
        minimum: Some(1.0),
        maximum: Some(limits::PAGE_ROWS_MAX.into()),
        default: Some(limits::PAGE_ROWS_DEFAULT.into()),
        ..MetaSchema::new("integer")
    }
);

impl ParseFromParameter for Limit {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        let limit = value.parse().ok().filter(|limit| (1..=limits::PAGE_ROWS_MAX).contains(limit));
        limit.map(Self).ok_or_else(|| ParseError::custom("out of range"))
    }
}

/// Days without reminders of an alert.
#[derive(Clone, Copy)]
pub(super) struct AcknowledgedDays(pub(super) u16);

inline_type!(
    AcknowledgedDays,
    MetaSchema {
        minimum: Some(1.0),
        maximum: Some(ACKNOWLEDGED_DAYS_MAX.into()),
        default: Some(ACKNOWLEDGED_DAYS.into()),
        ..MetaSchema::new("integer")
    }
);

impl ParseFromParameter for AcknowledgedDays {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        let days = value.parse().ok().filter(|days| (1..=ACKNOWLEDGED_DAYS_MAX).contains(days));
        days.map(Self).ok_or_else(|| ParseError::custom("out of range"))
    }
}

/// A time, in RFC 3339.
#[derive(Clone, Copy)]
pub(super) struct Moment(Timestamp);

inline_type!(
    Moment,
    MetaSchema { example: Some("2026-11-22T08:00:00Z".into()), ..MetaSchema::new_with_format("string", "date-time") }
);

impl ParseFromParameter for Moment {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        // An unencoded plus sign in a query arrives as a space.
        let moment = Timestamp::from_rfc3339(&value.replace(' ', "+"));
        moment.map(Self).ok_or_else(|| ParseError::custom("no date-time"))
    }
}

/// The parameters of a list, as sent.
#[derive(Default)]
pub(super) struct ListParameters {
    pub(super) site: Option<String>,
    pub(super) limit: Option<Limit>,
    pub(super) cursor: Option<String>,
    /// The change feed's name for the cursor.
    pub(super) after: Option<String>,
    pub(super) user: Option<String>,
    pub(super) course: Option<String>,
    pub(super) changed_since: Option<Moment>,
}

/// The parameters of a list, checked.
pub(super) struct Selection<P> {
    pub(super) cursors: Cursors,
    pub(super) page: PageRequest<P>,
    pub(super) site_id: Option<i64>,
    pub(super) user: Option<UserFilter>,
    pub(super) course: Option<CourseFilter>,
    pub(super) changed_since: Option<Timestamp>,
}

impl ListParameters {
    /// Checks the parameters and looks up the sites they name.
    pub(super) async fn check<P: std::str::FromStr>(self, store: &Store) -> Result<Selection<P>, Problem> {
        let limit = self.limit.map_or(limits::PAGE_ROWS_DEFAULT, |limit| limit.0);
        let cursors = Cursors::of(store).await?;
        let after = self.cursor.map(|cursor| ("cursor", cursor)).or(self.after.map(|after| ("after", after)));
        let after = after.map(|(name, cursor)| cursors.parse(name, &cursor)).transpose()?;
        let site = self.site.as_deref();
        let site_id = match site {
            Some(name) => Some(site_id(store, "site", name).await?),
            None => None,
        };
        let user = record_reference(store, "user", site, self.user).await?;
        let course = record_reference(store, "course", site, self.course).await?;
        Ok(Selection {
            cursors,
            page: PageRequest { after, limit: limit.into() },
            site_id,
            user: user.map(|(site_id, userid)| UserFilter { site_id, userid }),
            course: course.map(|(site_id, courseid)| CourseFilter { site_id, courseid }),
            changed_since: self.changed_since.map(|moment| moment.0),
        })
    }
}

pub(super) async fn site_id(store: &Store, parameter: &str, name: &str) -> Result<i64, Problem> {
    let unknown = || Problem::parameter(parameter, FieldErrorCode::UnknownValue, "There is no site with this name.");
    // PostgreSQL rejects NUL in text, so parse the name first.
    let name: SiteName = name.parse().map_err(|_| unknown())?;
    let site = store.site(name.as_str()).await?;
    site.map(|site| site.id).ok_or_else(unknown)
}

/// Reads `college:3`, or `3` with the parameter `site`.
pub(super) async fn record_reference(
    store: &Store,
    parameter: &str,
    site: Option<&str>,
    text: Option<String>,
) -> Result<Option<(i64, Id)>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let full = match (site, text.contains(':')) {
        (Some(site), false) => format!("{site}:{text}"),
        _ => text,
    };
    let detail = "Send <site>:<Moodle id> as in college:3, or the Moodle id together with the parameter site.";
    let wrong = |_| Problem::parameter(parameter, FieldErrorCode::WrongType, detail);
    let id: RecordId = full.parse().map_err(wrong)?;
    let site_id = site_id(store, parameter, id.site.as_str()).await?;
    Ok(Some((site_id, id.moodle_id)))
}

/// The answer for a page of a selection.
pub(super) fn list_of<T, R, P>(cursors: Cursors, page: Page<T, P>, render: impl Fn(T) -> R) -> Answer<List<R>>
where
    R: Type + ParseFromJSON + ToJSON,
    P: ToString,
{
    let next = page.next.map(|next| cursors.text(next));
    list(Page { items: page.items, next }, render)
}

/// The answer for a page of a list that nobody follows, whose cursor is a place alone.
pub(super) fn list<T, R, P>(page: Page<T, P>, render: impl Fn(T) -> R) -> Answer<List<R>>
where
    R: Type + ParseFromJSON + ToJSON,
    P: ToString,
{
    let next_cursor = page.next.map(|next| next.to_string());
    Answer(List { items: page.items.into_iter().map(render).collect(), next_cursor })
}

/// The record with the id in the path; 404 if the text is not an id.
pub(super) async fn find_record<T: RecordTable>(store: &Store, id: &str) -> Result<StoredRecord<T::State>, Problem> {
    let not_found = || Problem::with_detail(Code::NotFound, format!("There is no {} with this id.", T::State::KIND));
    let id: RecordId = id.parse().map_err(|_| not_found())?;
    store.record::<T>(id.site.as_str(), id.moodle_id).await?.ok_or_else(not_found)
}

/// The site named by a body.
pub(super) async fn site_of_body(store: &Store, name: Option<String>) -> Result<Option<i64>, Problem> {
    let unknown = || Problem::validation(vec![FieldError::new("/site", FieldErrorCode::UnknownValue)]);
    let Some(name) = name else { return Ok(None) };
    let name: SiteName = name.parse().map_err(|_| unknown())?;
    Ok(Some(store.site(name.as_str()).await?.ok_or_else(unknown)?.id))
}
