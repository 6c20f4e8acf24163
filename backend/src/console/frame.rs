//! What stands around every page: who is signed in, and where else to go.

use super::{assets::FINGERPRINT, session::SignedIn};
use crate::store::{ConsoleSession, Scope};

/// A page of the navigation.
pub(super) struct NavigationEntry {
    pub(super) address: &'static str,
    pub(super) name: &'static str,
}

/// All pages of the navigation, in its order.
const PLACES: [NavigationEntry; 9] = [
    NavigationEntry { address: "/", name: "Overview" },
    NavigationEntry { address: "/attention", name: "Needs attention" },
    NavigationEntry { address: "/alarms", name: "Alarms" },
    NavigationEntry { address: "/people", name: "People" },
    NavigationEntry { address: "/records", name: "Records" },
    NavigationEntry { address: "/events", name: "Events" },
    NavigationEntry { address: "/attempts", name: "Attempts" },
    NavigationEntry { address: "/sites", name: "Sites and tokens" },
    NavigationEntry { address: "/mapping", name: "Mapping" },
];

/// What the base template needs. Each page's template has one as `frame`.
pub(super) struct Frame {
    /// The page's title.
    pub(super) title: String,
    /// The address of the place in the navigation that is open.
    pub(super) open: &'static str,
    /// Whose token it is.
    pub(super) name: String,
    /// Whether actions are offered.
    pub(super) may_operate: bool,
    /// Of the styles and scripts.
    pub(super) version: &'static str,
}

impl Frame {
    /// The frame of a page in the place `open`.
    pub(super) fn new(title: impl Into<String>, open: &'static str, who: &SignedIn) -> Self {
        let ConsoleSession { name, scope, .. } = who.0.clone();
        let may_operate = scope == Scope::Operate;
        Self { title: title.into(), open, name, may_operate, version: FINGERPRINT.as_str() }
    }

    pub(super) fn places(&self) -> &'static [NavigationEntry] {
        &PLACES
    }

    /// The version of this program.
    pub(super) fn release(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}
