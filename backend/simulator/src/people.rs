//! Profiles and users: the connection's user, who has a profile that may use some modules and not others.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    call::{Call, Operation},
    read::Paging,
    rules::Rule,
    schema::{Ids, Organisation, USER_ID, USER_NAME},
};

/// The ids of the profiles that every organisation has.
const ADMINISTRATOR: &str = "5200000000000000098";
const STANDARD: &str = "5200000000000000097";

/// The permission to create modules and fields.
const CUSTOMIZE: &str = "Crm_Implied_Customize_Zoho_CRM";

/// The id of the only role.
const ROLE: &str = "5200000000000000096";

/// The most profiles that are shown with a field; Zoho's limit.
const WITH_A_FIELD: usize = 50;

/// The types of `GET users` that the only user, an active and confirmed administrator, belongs to.
const OF_THE_USER: [&str; 8] = [
    "CurrentUser",
    "ConfirmedUsers",
    "ActiveUsers",
    "AdminUsers",
    "ActiveConfirmedAdmins",
    "ActiveConfirmedUsers",
    "AllUsers",
    "AllActiveUsers",
];

/// The other types of `GET users`.
const OF_OTHERS: [&str; 5] = ["DeletedUsers", "DeactiveUsers", "NotConfirmedUsers", "DeveloperUsers", "ActiveLiteUser"];

/// A profile.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) id: String,
    pub(super) name: String,
    custom: bool,
    /// The modules that it may not use.
    pub(super) without: Vec<String>,
    /// What it may do with no module's records: `Create`, `Edit`, `Delete` or `View`.
    cannot: Vec<String>,
    /// Whether it may create modules and fields.
    customizes: bool,
}

impl Profile {
    pub(super) fn may_use(&self, module: &str) -> bool {
        !self.without.iter().any(|without| without == module)
    }

    /// A reference to it.
    pub(super) fn named(&self) -> Value {
        json!({ "name": self.name, "id": self.id })
    }
}

/// The profiles, and which of them the connection's user has.
pub(super) struct Profiles {
    all: Vec<Profile>,
    of_user: String,
}

impl Default for Profiles {
    fn default() -> Self {
        let profile = |id: &str, name: &str| Profile {
            id: id.to_owned(),
            name: name.to_owned(),
            custom: false,
            without: Vec::new(),
            cannot: Vec::new(),
            customizes: true,
        };
        Self {
            all: vec![profile(ADMINISTRATOR, "Administrator"), profile(STANDARD, "Standard")],
            of_user: ADMINISTRATOR.to_owned(),
        }
    }
}

/// A profile that a person adds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProfile {
    name: String,
    /// The modules that it may not use.
    #[serde(default)]
    without: Vec<String>,
    /// What it may do with no module's records: `Create`, `Edit`, `Delete` or `View`.
    #[serde(default)]
    cannot: Vec<String>,
    /// Whether it may create modules and fields.
    #[serde(default)]
    customizes: bool,
    /// Whether the connection's user gets it.
    #[serde(default)]
    mine: bool,
}

impl Profiles {
    /// Adds a profile and returns its id.
    pub(super) fn add(&mut self, ids: &mut Ids, new: NewProfile) -> String {
        let id = ids.next().to_string();
        if new.mine {
            self.of_user.clone_from(&id);
        }
        let NewProfile { name, without, cannot, customizes, .. } = new;
        self.all.push(Profile { id: id.clone(), name, custom: true, without, cannot, customizes });
        id
    }

    pub(super) fn know(&self, id: &str) -> bool {
        self.all.iter().any(|profile| profile.id == id)
    }

    /// Keeps all other profiles from using a new module.
    pub(super) fn reserve(&mut self, module: &str, ids: &[String]) {
        for profile in self.all.iter_mut().filter(|profile| !ids.contains(&profile.id)) {
            profile.without.push(module.to_owned());
        }
    }

    /// The profiles that may use a module.
    pub(super) fn using(&self, module: &str) -> Vec<&Profile> {
        self.all.iter().filter(|profile| profile.may_use(module)).collect()
    }

    /// The profiles that are shown with each field.
    pub(super) fn first(&self) -> impl Iterator<Item = &Profile> {
        self.all.iter().take(WITH_A_FIELD)
    }

    /// The profile of the connection's user.
    fn of_user(&self) -> Option<&Profile> {
        self.all.iter().find(|profile| profile.id == self.of_user)
    }

    /// Whether the connection's user may use a module.
    pub(super) fn let_user(&self, module: &str) -> bool {
        self.of_user().is_some_and(|profile| profile.may_use(module))
    }

    /// Refuses to create modules and fields if the profile of the connection's user may not.
    pub(super) fn permit_customizing(&self) -> Result<(), Refusal> {
        match self.of_user().is_some_and(|profile| profile.customizes) {
            true => Ok(()),
            false => Err(Refusal::of(Rule::ProfilePermits).detail("permissions", json!([CUSTOMIZE]))),
        }
    }
}

/// Refuses a call to a module that the profile of the connection's user may not use.
pub(super) fn permit(organisation: &Organisation, call: &Call) -> Result<(), Refusal> {
    let Some(module) = call.concerns().and_then(|name| organisation.modules.get(name)) else { return Ok(()) };
    let forbidden = |profile: &Profile| profile.cannot.iter().any(|cannot| cannot == verb(call.operation));
    if organisation.profiles.let_user(&module.api_name) && !organisation.profiles.of_user().is_some_and(forbidden) {
        return Ok(());
    }
    let permission = format!("Crm_Implied_{}_{}", verb(call.operation), module.api_name);
    let named = json!({ "api_name": module.api_name, "id": module.id.to_string() });
    Err(Refusal::of(Rule::ProfilePermits).detail("permissions", json!([permission])).detail("module", named))
}

/// What a permission is called.
fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Insert | Operation::Upsert => "Create",
        Operation::Update => "Edit",
        Operation::Delete => "Delete",
        _ => "View",
    }
}

/// `GET settings/profiles`, in pages.
pub(super) fn profiles(organisation: &Organisation, most: usize, call: &Call) -> Result<Answer, Refusal> {
    let kind = call.parameter("type").unwrap_or("normal_profile");
    if !["normal_profile", "private_profile"].contains(&kind) {
        return Err(Refusal::of(Rule::ParameterFits).detail("param_name", "type"));
    }
    let of_kind: &[Profile] = if kind == "normal_profile" { &organisation.profiles.all } else { &[] };
    let mut paging = Paging::of(call)?;
    let page = paging.start / paging.per_page;
    paging.per_page = paging.per_page.min(most);
    let shown: Vec<Value> =
        of_kind.iter().skip(page * paging.per_page).take(paging.per_page).map(show_profile).collect();
    let more = of_kind.len() > (page + 1) * paging.per_page;
    let info = json!({
        "per_page": paging.per_page, "page": page + 1, "count": shown.len(), "more_records": more, "license_limit": 203,
    });
    let answer = Answer::ok(json!({ "profiles": shown, "info": info }));
    Ok(if more { answer.due_to(vec![Rule::ProfilesComeInPages]) } else { answer })
}

/// `GET settings/profiles/{id}`.
pub(super) fn profile(organisation: &Organisation, id: &str) -> Result<Answer, Refusal> {
    let found = organisation.profiles.all.iter().find(|profile| profile.id == id);
    let profile = found.ok_or_else(|| Refusal::of(Rule::RecordExists).detail("resource_path_index", 2))?;
    Ok(Answer::ok(json!({ "profiles": [show_profile(profile)] })))
}

fn show_profile(profile: &Profile) -> Value {
    let api_name: String = profile.name.chars().filter(char::is_ascii_alphanumeric).collect();
    json!({
        "id": profile.id, "name": profile.name, "display_label": profile.name, "api_name": api_name,
        "custom": profile.custom, "type": "normal_profile", "description": null,
        "created_time": null, "modified_time": null, "created_by": null, "modified_by": null,
    })
}

/// `GET users`, by type.
pub(super) fn users(organisation: &Organisation, call: &Call) -> Result<Answer, Refusal> {
    let kind = call.parameter("type").unwrap_or("AllUsers");
    if !OF_THE_USER.contains(&kind) && !OF_OTHERS.contains(&kind) {
        return Err(Refusal::of(Rule::ParameterFits).detail("param_name", "type"));
    }
    let paging = Paging::of(call)?;
    if OF_OTHERS.contains(&kind) || paging.start > 0 {
        return Ok(Answer::no_content());
    }
    let info = json!({ "per_page": paging.per_page, "count": 1, "page": 1, "more_records": false });
    Ok(Answer::ok(json!({ "users": [show_user(organisation)], "info": info })))
}

/// `GET users/{id}`.
pub(super) fn user(organisation: &Organisation, id: &str) -> Answer {
    match id == USER_ID {
        true => Answer::ok(json!({ "users": [show_user(organisation)] })),
        false => Answer::no_content(),
    }
}

fn show_user(organisation: &Organisation) -> Value {
    let profile = organisation.profiles.of_user().map(Profile::named);
    let (first, last) = USER_NAME.split_once(' ').unwrap_or_default();
    json!({
        "id": USER_ID, "full_name": USER_NAME, "first_name": first, "last_name": last,
        "email": "admin@simulator.example", "status": "active", "confirm": true, "type__s": "Regular User",
        "profile": profile, "role": { "name": "CEO", "id": ROLE }, "locale": "en_GB", "country_locale": "en_GB",
        "language": "en_GB", "time_zone": "Etc/UTC", "time_format": "HH:mm", "date_format": "dd/MM/yyyy",
        "created_time": "2026-01-01T00:00:00+00:00", "created_by": { "name": USER_NAME, "id": USER_ID },
        "Modified_Time": "2026-01-01T00:00:00+00:00", "Modified_By": { "name": USER_NAME, "id": USER_ID },
    })
}
