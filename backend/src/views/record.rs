//! Records as readers get them.

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

/// What orders the states of a record.
#[derive(Object)]
#[oai(rename = "Version")]
pub(crate) struct VersionView {
    /// Unix seconds by Moodle's clock.
    pub(crate) time: i64,
    /// The sender's running number; null from a sender that gives none.
    #[oai(nullable)]
    pub(crate) sequence: Option<i64>,
}

impl From<Version> for VersionView {
    fn from(version: Version) -> Self {
        Self { time: version.time, sequence: version.sequence }
    }
}

/// The current state of one thing in Moodle.
#[derive(Object)]
#[oai(rename = "Record", example)]
pub(crate) struct RecordView<S: Type + ParseFromJSON + ToJSON> {
    /// `<site>:<Moodle id>`, as in `college:3`.
    pub(crate) id: String,
    /// The name of the site.
    pub(crate) site: String,
    #[oai(flatten)]
    pub(crate) state: S,
    /// Fields that were sent and that this version does not know, as they were sent.
    #[oai(nullable)]
    pub(crate) extra: Option<Any<Value>>,
    /// The thing is gone in Moodle; the other fields show its last known state.
    pub(crate) deleted: bool,
    /// The version of the state; null when only its deletion has arrived yet.
    #[oai(nullable)]
    pub(crate) version: Option<VersionView>,
    /// When the record changed last, by this server's clock (RFC 3339).
    pub(crate) changed_at: String,
}

/// A state that belongs to a user and a course, and whether these are known.
#[derive(Object)]
pub(crate) struct Related<S: Type + ParseFromJSON + ToJSON> {
    #[oai(flatten)]
    pub(crate) state: S,
    /// The user has arrived too. Events may arrive in any order; until then only its id is known.
    pub(crate) user_known: bool,
    /// The course has arrived too.
    pub(crate) course_known: bool,
}

/// The names of the sites, to render records with.
pub(crate) struct Renderer {
    sites: HashMap<i64, String>,
    users: HashSet<(i64, Id)>,
    courses: HashSet<(i64, Id)>,
}

impl Renderer {
    /// For records that belong to nothing.
    pub(crate) async fn new(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { sites: store.site_names().await?, users: HashSet::new(), courses: HashSet::new() })
    }

    /// For records that belong to users and courses: of each its site, its user and its course.
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

    /// The name of a site. A site cannot be removed, so it is there.
    pub(crate) fn site(&self, site_id: i64) -> String {
        self.sites.get(&site_id).cloned().unwrap_or_default()
    }

    /// `<site>:<Moodle id>`.
    pub(crate) fn id(&self, site_id: i64, moodle_id: Id) -> String {
        format!("{}:{moodle_id}", self.site(site_id))
    }

    /// A record, its state shown as `show` says.
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

    /// A state with what is known of its user and course.
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
