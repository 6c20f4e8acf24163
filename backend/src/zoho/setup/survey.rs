//! What an organisation has, looked at before anything is written to it.

use std::collections::BTreeMap;

use super::super::{
    client::{CallError, Client, ModuleName, Organisation, User},
    mapping::Mapping,
    metadata::Module,
};

/// The module whose profiles may use new modules as well.
const CONTACTS: &str = "Contacts";

/// What an organisation has.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Its name and edition.
    pub organisation: Organisation,
    /// The mapping's modules, with what their layouts demand; `None` for those that are missing.
    pub modules: BTreeMap<String, Option<Module>>,
    /// All modules, also those that nobody sees.
    pub listed: Vec<ModuleName>,
    /// The profiles that new modules are created for.
    pub profiles: Vec<String>,
    /// The user whose credentials are used.
    pub user: Option<User>,
    /// What could not be looked at, and why. Older credentials lack the scopes that only looking needs.
    pub unknown: Vec<String>,
}

impl Survey {
    /// Looks at the organisation. `modules` are the mapping's, as read from it.
    pub async fn read(
        client: &Client,
        mapping: &Mapping,
        modules: BTreeMap<String, Option<Module>>,
    ) -> Result<Self, CallError> {
        let (organisation, listed) = (client.org().await?, client.modules().await?);
        let (mut modules, mut unknown) = (modules, Vec::new());
        for (name, module) in &mut modules {
            let Some(module) = module else { continue };
            let what = format!("which fields the layouts of {name} demand");
            match optional(client.demands(name).await, &what, "ZohoCRM.settings.layouts.READ", &mut unknown)? {
                Some(layouts) => module.demand(&layouts),
                // The others would be refused, too.
                None => break,
            }
        }
        let what = "whether the connection's user is one of its own";
        let user = optional(client.current_user().await, what, "ZohoCRM.users.READ", &mut unknown)?.flatten();
        let mut survey = Self { organisation, modules, listed, profiles: Vec::new(), user, unknown };
        if mapping.modules().any(|(_, module)| survey.modules.get(&module.module).is_none_or(Option::is_none)) {
            survey.profiles = survey.choose_profiles(client).await?;
        }
        Ok(survey)
    }

    /// Those that may use contacts; all, if Zoho does not list all of those. Always that of the connection's user.
    async fn choose_profiles(&mut self, client: &Client) -> Result<Vec<String>, CallError> {
        let contacts = self.listed.iter().filter(|module| module.api_name == CONTACTS);
        let Some(like) = contacts.chain(&self.listed).find(|module| !module.profiles.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut profiles = like.profiles.clone();
        if like.more_profiles {
            let what = "more than the first page of profiles; give the others access to the new modules in Zoho";
            let all = optional(client.profiles().await, what, "ZohoCRM.settings.profiles.READ", &mut self.unknown)?;
            profiles.extend(all.unwrap_or_default());
        }
        profiles.extend(self.user.as_ref().and_then(|user| user.profile.clone()));
        profiles.sort_unstable();
        profiles.dedup();
        Ok(profiles)
    }

    /// Whether the connection's user seems to be a person: then the connection ends when that person leaves. `None`
    /// when that is unknown.
    pub fn user_is_a_person(&self) -> Option<bool> {
        self.user.as_ref().map(|user| is_a_person(&user.names))
    }
}

/// `None` for what the credentials may not look at.
fn optional<T>(
    result: Result<T, CallError>,
    what: &str,
    scope: &str,
    unknown: &mut Vec<String>,
) -> Result<Option<T>, CallError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(CallError::Configuration { code, .. }) if code == "OAUTH_SCOPE_MISMATCH" => {
            unknown.push(format!(
                "{what} (the credentials lack the scope {scope}; backend-sync zoho connect asks for it)"
            ));
            Ok(None)
        }
        Err(CallError::Configuration { code, .. } | CallError::Invalid { code, .. }) => {
            unknown.push(format!("{what} (Zoho does not say: {code})"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Words in the name or address of a user that is nobody's own.
const OF_PROGRAMS: [&str; 12] = [
    "sync",
    "moodle",
    "api",
    "integration",
    "service",
    "system",
    "bot",
    "robot",
    "automation",
    "interface",
    "connector",
    "noreply",
];

fn is_a_person(names: &str) -> bool {
    let names = names.to_lowercase();
    let mut words = names.split(|letter: char| !letter.is_alphanumeric());
    !words.any(|word| OF_PROGRAMS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::is_a_person;

    #[test]
    fn a_user_of_its_own_is_named_after_what_it_does() {
        for own in
            ["Moodle Sync sync@college.example", "CRM Integration it@college.example", "x api-user@college.example"]
        {
            assert!(!is_a_person(own), "{own}");
        }
        assert!(is_a_person("Abby Capital abby@college.example"), "a part of a word is no word");
    }
}
