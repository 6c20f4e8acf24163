//! The frame of every page: navigation, and who is signed in.

use super::{assets::FINGERPRINT, session::SignedIn};
use crate::store::{ConsoleSession, Scope};

pub(super) struct NavigationEntry {
    pub(super) address: &'static str,
    pub(super) name: &'static str,
}

const NAVIGATION: [NavigationEntry; 12] = [
    NavigationEntry { address: "/", name: "Overview" },
    NavigationEntry { address: "/attention", name: "Needs attention" },
    NavigationEntry { address: "/adoptions", name: "Adoptions" },
    NavigationEntry { address: "/brake", name: "Brake" },
    NavigationEntry { address: "/parity", name: "Parity" },
    NavigationEntry { address: "/alerts", name: "Alerts" },
    NavigationEntry { address: "/people", name: "People" },
    NavigationEntry { address: "/records", name: "Records" },
    NavigationEntry { address: "/events", name: "Events" },
    NavigationEntry { address: "/attempts", name: "Attempts" },
    NavigationEntry { address: "/sites", name: "Sites and tokens" },
    NavigationEntry { address: "/mapping", name: "Mapping" },
];

/// What the base template needs. Each page's template has one as `frame`.
pub(super) struct Frame {
    pub(super) title: String,
    /// The address of the current navigation entry.
    pub(super) open: &'static str,
    /// The name of the session's API token.
    pub(super) name: String,
    /// Whether the page offers actions.
    pub(super) may_operate: bool,
    /// The fingerprint of the assets.
    pub(super) version: &'static str,
}

impl Frame {
    pub(super) fn new(title: impl Into<String>, open: &'static str, who: &SignedIn) -> Self {
        let ConsoleSession { name, scope, .. } = who.0.clone();
        let may_operate = scope == Scope::Operate;
        Self { title: title.into(), open, name, may_operate, version: FINGERPRINT.as_str() }
    }

    pub(super) fn navigation(&self) -> &'static [NavigationEntry] {
        &NAVIGATION
    }

    pub(super) fn release(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}
