//! The filter of the list of records.

use serde::Deserialize;

use crate::{
    api::Context,
    console::{error::PageError, lines, words},
    model::{Id, Kind, RecordKey},
    store::{About, CourseFilter, ItemFilter, ItemRow, Page, PageRequest, Store, StoreError, UserFilter},
};

/// The query string. A form sends an empty text for a filter that is not set.
#[derive(Default, Deserialize)]
pub(super) struct RecordsQuery {
    pub(super) destination: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) state: Option<String>,
    pub(super) site: Option<String>,
    pub(super) code: Option<String>,
    pub(super) user: Option<String>,
    pub(super) course: Option<String>,
    /// `yes` for synced records with remarks.
    pub(super) remarks: Option<String>,
    /// The cursor of the page, see [`cursor`].
    after: Option<String>,
}

/// The parsed filter.
pub(super) struct RecordsFilter {
    pub(super) destination: String,
    filter: ItemFilter,
    about: Option<About>,
    pub(super) after: Option<RecordKey>,
}

fn non_empty(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

impl RecordsQuery {
    /// `path` with these filters.
    pub(super) fn address(&self, path: &str, after: Option<&str>) -> String {
        let filters = [
            ("destination", &self.destination),
            ("kind", &self.kind),
            ("state", &self.state),
            ("site", &self.site),
            ("code", &self.code),
            ("user", &self.user),
            ("course", &self.course),
            ("remarks", &self.remarks),
        ];
        let set = filters.into_iter().filter_map(|(name, value)| Some((name, non_empty(value.as_ref())?)));
        let pairs: Vec<(&str, &str)> = set.chain(after.map(|after| ("after", after))).collect();
        match pairs.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{}", words::query(&pairs)),
        }
    }

    pub(super) fn code(&self) -> &str {
        non_empty(self.code.as_ref()).unwrap_or_default()
    }

    pub(super) fn has_remarks(&self) -> bool {
        non_empty(self.remarks.as_ref()).is_some()
    }

    pub(super) fn user(&self) -> &str {
        non_empty(self.user.as_ref()).unwrap_or_default()
    }

    pub(super) fn course(&self) -> &str {
        non_empty(self.course.as_ref()).unwrap_or_default()
    }
}

impl RecordsFilter {
    /// None if there is no destination at all.
    pub(super) async fn parse(context: &Context, query: &RecordsQuery) -> Result<Option<Self>, PageError> {
        let bad = |problem: &str| PageError::Bad(problem.to_owned());
        let store = &context.store;
        let destination = match non_empty(query.destination.as_ref()) {
            Some(name) => lines::destination(context, name).await?.name,
            None => match store.destinations().await?.into_iter().next() {
                Some(destination) => destination.name,
                None => return Ok(None),
            },
        };
        let mut filter = ItemFilter::default();
        if let Some(kind) = non_empty(query.kind.as_ref()) {
            filter.kind = Some(kind.parse().map_err(|_| bad("There is no such kind of record."))?);
        }
        if let Some(state) = non_empty(query.state.as_ref()) {
            filter.state = Some(state.parse().map_err(|_| bad("There is no such state."))?);
        }
        filter.remarks = non_empty(query.remarks.as_ref()).is_some();
        if let Some(code) = non_empty(query.code.as_ref()) {
            filter.code = Some(code.to_owned()).filter(|code| !code.contains('\0'));
        }
        if let Some(site) = non_empty(query.site.as_ref()).filter(|site| !site.contains('\0')) {
            let site = store.site(site).await?.ok_or_else(|| bad("There is no site with that name."))?;
            filter.site_id = Some(site.id);
        }
        let about = match (non_empty(query.user.as_ref()), non_empty(query.course.as_ref())) {
            (Some(_), Some(_)) => return Err(bad("Filter by a person or by a course, not by both.")),
            (Some(user), None) => {
                let (site_id, userid) = moodle_id(context, user).await?;
                Some(About::User(UserFilter { site_id, userid }))
            }
            (None, Some(course)) => {
                let (site_id, courseid) = moodle_id(context, course).await?;
                Some(About::Course(CourseFilter { site_id, courseid }))
            }
            (None, None) => None,
        };
        let after = query.after.as_deref().map(|after| key_of_cursor(after).ok_or(PageError::NotFound)).transpose()?;
        Ok(Some(Self { destination, filter, about, after }))
    }

    /// The rows after a record, in the order of their keys.
    pub(super) async fn rows(
        &self,
        store: &Store,
        after: Option<RecordKey>,
        limit: u64,
    ) -> Result<Page<ItemRow, RecordKey>, StoreError> {
        match self.about {
            Some(about) => {
                let rows = store.items_about(&self.destination, &self.filter, about, after, limit + 1).await?;
                Ok(Page::cut(rows, limit, |row| row.key))
            }
            None => store.items(&self.destination, &self.filter, PageRequest { after, limit }).await,
        }
    }
}

/// The site and the Moodle id of a person or a course.
async fn moodle_id(context: &Context, id: &str) -> Result<(i64, Id), PageError> {
    let wrong = |error| match error {
        PageError::NotFound => PageError::Bad(
            "Write a person or a course as SITE:ID with the Moodle id and a site that exists, as in college:3."
                .to_owned(),
        ),
        error => error,
    };
    let (site, record) = lines::find(context, id).await.map_err(wrong)?;
    Ok((site.id, record.moodle_id))
}

/// A place in the list, as `site id.kind.Moodle id`.
pub(super) fn cursor(key: RecordKey) -> String {
    format!("{}.{}.{}", key.site_id, key.kind, key.moodle_id)
}

fn key_of_cursor(cursor: &str) -> Option<RecordKey> {
    let mut parts = cursor.splitn(3, '.');
    let site_id = parts.next()?.parse().ok()?;
    let kind: Kind = parts.next()?.parse().ok()?;
    Some(RecordKey { kind, site_id, moodle_id: Id(parts.next()?.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::{RecordsQuery, cursor, key_of_cursor};
    use crate::model::{Id, Kind, RecordKey};

    #[test]
    fn a_cursor_is_read_back() {
        let key = RecordKey { kind: Kind::Grade, site_id: 2, moodle_id: Id(7) };
        assert_eq!(key_of_cursor(&cursor(key)), Some(key));
        assert!(["", "1", "1.grade", "1.planet.3", "x.grade.3"].map(key_of_cursor).iter().all(Option::is_none));
    }

    #[test]
    fn an_address_holds_only_filters_that_are_set() {
        let query = RecordsQuery { kind: Some(String::new()), code: Some("a b".to_owned()), ..RecordsQuery::default() };
        assert_eq!(query.address("/records", Some("1.user.3")), "/records?code=a+b&after=1.user.3");
        assert_eq!(RecordsQuery::default().address("/records", None), "/records");
    }
}
