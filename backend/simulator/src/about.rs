//! Calls that read what else an organisation has: profiles, users, layouts, and single fields.

use super::{
    answer::{Answer, Refusal},
    call::Call,
    layouts, metadata, people,
    schema::Organisation,
    settings::Settings,
};

/// What such a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    Profiles,
    Profile(String),
    Users,
    User(String),
    Layouts,
    Layout(String),
    Field(String),
}

impl About {
    /// What this path is about, split at its slashes.
    pub(super) fn of(parts: &[&str]) -> Option<Self> {
        let id = |id: &&str| (*id).to_owned();
        Some(match parts {
            ["settings", "profiles"] => Self::Profiles,
            ["settings", "profiles", profile] => Self::Profile(id(profile)),
            ["users"] => Self::Users,
            ["users", user] => Self::User(id(user)),
            ["settings", "layouts"] => Self::Layouts,
            ["settings", "layouts", layout] => Self::Layout(id(layout)),
            ["settings", "fields", field] => Self::Field(id(field)),
            _ => return None,
        })
    }

    /// Its path in Zoho's description of its API.
    pub(super) fn path(&self) -> &'static str {
        match self {
            Self::Profiles => "/crm/v8/settings/profiles",
            Self::Profile(_) => "/crm/v8/settings/profiles/{id}",
            Self::Users => "/crm/v8/users",
            Self::User(_) => "/crm/v8/users/{user}",
            Self::Layouts => "/crm/v8/settings/layouts",
            Self::Layout(_) => "/crm/v8/settings/layouts/{id}",
            Self::Field(_) => "/crm/v8/settings/fields/{fieldId}",
        }
    }

    /// Answers the call.
    pub(super) fn answer(
        &self,
        organisation: &Organisation,
        settings: &Settings,
        call: &Call,
    ) -> Result<Answer, Refusal> {
        match self {
            Self::Profiles => people::profiles(organisation, settings.profiles_per_page, call),
            Self::Profile(id) => people::profile(organisation, id),
            Self::Users => people::users(organisation, call),
            Self::User(id) => Ok(people::user(organisation, id)),
            Self::Layouts => layouts::layouts(organisation, settings, call, None),
            Self::Layout(id) => layouts::layouts(organisation, settings, call, Some(id)),
            Self::Field(id) => metadata::field(organisation, call, id),
        }
    }
}
