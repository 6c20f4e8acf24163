//! Calls about modules, fields and the organisation.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Call, Client, answer, error::CallError};
use crate::zoho::metadata;

/// All states of modules: the names of those that nobody sees are taken, too.
const STATES: &str = "visible,user_hidden,system_hidden,scheduled_for_deletion";

/// The most pages of profiles: Zoho allows 203 profiles.
const PAGES_OF_PROFILES: u32 = 203;

/// What identifies an organisation to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its id in Zoho. A sandbox has another one.
    pub id: String,
    /// The company's name.
    pub name: String,
    /// For example `enterprise`. During a trial, the edition on trial.
    pub edition: Option<String>,
    /// For example `Europe/Berlin`.
    pub time_zone: Option<String>,
}

/// All profiles of an organisation, by id.
pub type Profiles = Vec<String>;

/// The user whose credentials are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's id.
    pub id: String,
    /// The id of the user's profile.
    pub profile: Option<String>,
    /// Name and address, to judge whether it is a person. Never shown.
    pub names: String,
}

/// A module and the profiles that may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleName {
    /// The module's API name.
    pub api_name: String,
    /// Its labels, for people.
    pub labels: [String; 2],
    /// `visible`, `user_hidden`, `system_hidden` or `scheduled_for_deletion`.
    pub status: String,
    /// Whether somebody made it.
    pub custom: bool,
    /// The profiles' ids; only the first page of them.
    pub profiles: Vec<String>,
    /// Whether there are more.
    pub more_profiles: bool,
}

impl Client {
    /// The fields of a module; `None` when there is no such module.
    pub async fn fields(&self, module: &str) -> Result<Option<metadata::Module>, CallError> {
        let mut call = Call::read("fields", module, "settings/fields".to_owned());
        // Without the type, those that are on no layout are left out, and their names look free.
        call.query = vec![("module", module.to_owned()), ("type", "all".to_owned())];
        let fields = match answer::list(&self.send(call).await?, "fields") {
            Err(CallError::Configuration { code, .. }) if code == "INVALID_MODULE" => return Ok(None),
            fields => fields?,
        };
        Ok(Some(fields.into_iter().filter_map(|field| field_of(module, field)).collect()))
    }

    /// All modules, also those that nobody sees.
    pub async fn modules(&self) -> Result<Vec<ModuleName>, CallError> {
        let mut call = Call::read("modules", "", "settings/modules".to_owned());
        call.query = vec![("status", STATES.to_owned())];
        let modules = answer::list(&self.send(call).await?, "modules")?;
        Ok(modules.iter().filter_map(module_name).collect())
    }

    /// For each active layout of a module, the fields in which it demands a value. Only layouts say so.
    pub async fn demands(&self, module: &str) -> Result<Vec<BTreeSet<String>>, CallError> {
        let mut call = Call::read("layouts", module, "settings/layouts".to_owned());
        call.query = vec![("module", module.to_owned())];
        let layouts = answer::list(&self.send(call).await?, "layouts")?;
        let active = layouts.iter().filter(|layout| layout.get("status").and_then(Value::as_str) != Some("inactive"));
        Ok(active.map(demanded).collect())
    }

    /// All profiles, from all pages.
    pub async fn profiles(&self) -> Result<Profiles, CallError> {
        let mut ids = Profiles::new();
        for page in 1..=PAGES_OF_PROFILES {
            let mut call = Call::read("profiles", "", "settings/profiles".to_owned());
            if page > 1 {
                call.query = vec![("page", page.to_string())];
            }
            let (profiles, more) = answer::page(&self.send(call).await?, "profiles")?;
            let found: Vec<String> = profiles.iter().filter_map(|profile| text(profile.get("id"))).collect();
            // An answer that ignores the number of the page repeats the first.
            let new = found.iter().any(|id| !ids.contains(id));
            ids.extend(found);
            if !new || !more {
                break;
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// The user whose credentials are used.
    pub async fn current_user(&self) -> Result<Option<User>, CallError> {
        let mut call = Call::read("users", "", "users".to_owned());
        call.query = vec![("type", "CurrentUser".to_owned())];
        let users = answer::list(&self.send(call).await?, "users")?;
        Ok(users.first().and_then(|user| {
            let names = ["full_name", "email"].map(|name| text(user.get(name)).unwrap_or_default());
            let profile = user.get("profile").and_then(|profile| text(profile.get("id")));
            Some(User { id: text(user.get("id"))?, profile, names: names.join(" ") })
        }))
    }

    /// The organisation. This is the cheapest call.
    pub async fn org(&self) -> Result<Organisation, CallError> {
        let answer = self.send(Call::read("org", "", "org".to_owned())).await?;
        let list = answer::list(&answer, "org")?;
        let org =
            list.first().ok_or_else(|| CallError::unknown(Some(answer.status), "Zoho returned no organisation"))?;
        let id = org.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let id =
            id.ok_or_else(|| CallError::unknown(Some(answer.status), "Zoho returned an organisation without an id"))?;
        let details = org.get("license_details");
        let of_licence = |name: &str| text(details.and_then(|details| details.get(name)));
        let paid = of_licence("paid_type");
        let trial = of_licence("trial_type").filter(|_| paid.as_deref().is_none_or(|paid| paid == "free"));
        Ok(Organisation {
            id: id.to_owned(),
            name: text(org.get("company_name")).unwrap_or_else(|| "(no name)".to_owned()),
            time_zone: text(org.get("time_zone")),
            edition: trial.or(paid),
        })
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}

/// A field. One that Zoho describes in an unexpected way is of an unknown type, so that it stops nothing unless the
/// mapping uses it.
fn field_of(module: &str, field: Map<String, Value>) -> Option<metadata::ModuleField> {
    let name = text(field.get("api_name"))?;
    let read = serde_json::from_value(Value::Object(field));
    Some(read.unwrap_or_else(|error| {
        tracing::warn!(%error, module, field = name, "Zoho describes a field in an unexpected way");
        metadata::ModuleField::new(name, "unknown")
    }))
}

fn module_name(module: &Map<String, Value>) -> Option<ModuleName> {
    let profiles = module.get("profiles").and_then(Value::as_array);
    let label = |name: &str| text(module.get(name)).unwrap_or_default();
    Some(ModuleName {
        api_name: text(module.get("api_name"))?,
        labels: [label("singular_label"), label("plural_label")],
        status: text(module.get("status")).unwrap_or_else(|| "visible".to_owned()),
        custom: module.get("generated_type").and_then(Value::as_str) == Some("custom"),
        profiles: profiles.into_iter().flatten().filter_map(|profile| text(profile.get("id"))).collect(),
        more_profiles: module.get("has_more_profiles").and_then(Value::as_bool) == Some(true),
    })
}

/// The fields in which a layout demands a value.
fn demanded(layout: &Map<String, Value>) -> BTreeSet<String> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = list(layout.get("sections")).into_iter().flat_map(|section| list(section.get("fields")));
    let demands = |field: &Value| field.get("required").and_then(Value::as_bool) == Some(true);
    fields.filter(demands).filter_map(|field| text(field.get("api_name"))).collect()
}
