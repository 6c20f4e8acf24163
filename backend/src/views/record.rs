//! Records, as readers see them.

use std::collections::{HashMap, HashSet};

use poem_openapi::{
    Object,
    types::{Any, ParseFromJSON, ToJSON, Type},
};
use serde_json::Value;

use crate::{
    model::{Id, State, Version},
    store::{Store, StoreError, StoredRecord, course, user},
};

/// Orders the states of a record.
#[derive(Object)]
#[oai(rename = "Version")]
pub(crate) struct VersionView {
    /// Unix seconds by Moodle's clock.
    pub(crate) time: i64,
    /// The sender's sequence number; null from the original plugin, which sends none.
    #[oai(nullable)]
    pub(crate) sequence: Option<i64>,
}

impl From<Version> for VersionView {
    fn from(version: Version) -> Self {
        Self { time: version.time, sequence: version.sequence }
    }
}

/// The current state of one object in Moodle.
#[derive(Object)]
#[oai(rename = "Record", example)]
pub(crate) struct RecordView<S: Type + ParseFromJSON + ToJSON> {
    /// `<site>:<Moodle id>`, as in `college:3`.
    pub(crate) id: String,
    /// The site's name.
    pub(crate) site: String,
    #[oai(flatten)]
    pub(crate) state: S,
    /// Fields that this version does not know, as sent.
    #[oai(nullable)]
    pub(crate) extra: Option<Any<Value>>,
    /// Whether it is deleted in Moodle; the other fields keep its last known state.
    pub(crate) deleted: bool,
    /// The version of the state; null while only its deletion has arrived.
    #[oai(nullable)]
    pub(crate) version: Option<VersionView>,
    /// When the record last changed, by this server's clock (RFC 3339).
    pub(crate) changed_at: String,
}

/// The state of a record that belongs to a user and a course, and whether these are known.
#[derive(Object)]
pub(crate) struct Related<S: Type + ParseFromJSON + ToJSON> {
    #[oai(flatten)]
    pub(crate) state: S,
    /// Whether the user has arrived. Events may arrive in any order; until then only the user's id is known.
    pub(crate) user_known: bool,
    /// Whether the course has arrived.
    pub(crate) course_known: bool,
}

/// What it takes to render records: the sites' names, and which users and courses are known.
pub(crate) struct Renderer {
    sites: HashMap<i64, String>,
    users: HashSet<(i64, Id)>,
    courses: HashSet<(i64, Id)>,
}

impl Renderer {
    /// For users and courses, which belong to no other record.
    pub(crate) async fn new(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { sites: store.site_names().await?, users: HashSet::new(), courses: HashSet::new() })
    }

    /// For records that belong to users and courses: the site, user and course of each.
    pub(crate) async fn related(
        store: &Store,
        references: impl Iterator<Item = (i64, Id, Option<Id>)> + Clone,
    ) -> Result<Self, StoreError> {
        let users: Vec<_> = references.clone().map(|(site_id, user, _)| (site_id, user)).collect();
        let courses: Vec<_> = references.filter_map(|(site_id, _, course)| Some((site_id, course?))).collect();
        Ok(Self {
            sites: store.site_names().await?,
            users: store.existing::<user::Entity>(&users).await?,
            courses: store.existing::<course::Entity>(&courses).await?,
        })
    }

    /// The name of a site. Sites are never removed, so it exists.
    pub(crate) fn site(&self, site_id: i64) -> String {
        self.sites.get(&site_id).cloned().unwrap_or_default()
    }

    /// `<site>:<Moodle id>`.
    pub(crate) fn id(&self, site_id: i64, moodle_id: Id) -> String {
        format!("{}:{moodle_id}", self.site(site_id))
    }

    /// Renders a record, its state with `show`.
    pub(crate) fn record<S: State, V: Type + ParseFromJSON + ToJSON>(
        &self,
        stored: StoredRecord<S>,
        show: impl FnOnce(S) -> V,
    ) -> RecordView<V> {
        let record = stored.record;
        RecordView {
            id: self.id(stored.site_id, record.state.moodle_id()),
            site: self.site(stored.site_id),
            state: show(record.state),
            extra: record.extra.and_then(|text| serde_json::from_str(&text).ok()).map(Any),
            deleted: record.deleted,
            version: record.version.map(VersionView::from),
            changed_at: stored.changed_at.to_rfc3339(),
        }
    }

    /// Adds whether a state's user and course are known.
    pub(crate) fn relate<V: Type + ParseFromJSON + ToJSON>(
        &self,
        site_id: i64,
        userid: Id,
        courseid: Option<Id>,
        state: V,
    ) -> Related<V> {
        Related {
            state,
            user_known: self.users.contains(&(site_id, userid)),
            course_known: courseid.is_some_and(|course| self.courses.contains(&(site_id, course))),
        }
    }
}
