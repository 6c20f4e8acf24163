//! The scopes that a call needs, from Zoho's published files (`contract/scopes.json`): sets of scopes by method and path,
//! of which a token needs one.

use std::{collections::HashMap, sync::OnceLock};

use super::call::Call;

/// The sets of scopes of each call.
type Needs = HashMap<String, Vec<Vec<String>>>;

const FILE: &str = include_str!("../contract/scopes.json");

/// The module in the names of scopes.
const MODULE: &str = "{module}";

fn needs() -> &'static Needs {
    static NEEDS: OnceLock<Needs> = OnceLock::new();
    // A test reads the file: an error here would let every call pass.
    NEEDS.get_or_init(|| serde_json::from_str(FILE).unwrap_or_default())
}

/// Whether a token with these scopes may make this call, which concerns this module.
pub(super) fn cover(granted: &[String], call: &Call, module: &str) -> bool {
    let Some(path) = call.target.path() else { return true };
    let Some(sets) = needs().get(&format!("{} {path}", call.method)) else { return false };
    let has = |needed: &String| {
        let needed = needed.replace(MODULE, module);
        granted.iter().any(|granted| covers(granted, &needed))
    };
    sets.iter().any(|set| set.iter().all(has))
}

/// Whether one scope includes another: `ZohoCRM.modules.ALL` includes `ZohoCRM.modules.Contacts.READ`.
fn covers(granted: &str, needed: &str) -> bool {
    let group = granted.len().checked_sub("ALL".len()).filter(|_| granted.to_ascii_lowercase().ends_with(".all"));
    granted.eq_ignore_ascii_case(needed)
        || group
            .is_some_and(|group| needed.get(..group).is_some_and(|start| start.eq_ignore_ascii_case(&granted[..group])))
}

#[cfg(test)]
mod tests {
    use super::{covers, needs};

    #[test]
    fn the_file_has_the_calls() {
        assert!(needs().len() > 50);
        assert!(needs().contains_key("POST /crm/v8/{module}/upsert"));
    }

    #[test]
    fn all_includes_the_rest_of_its_group() {
        for (granted, needed) in [
            ("ZohoCRM.modules.ALL", "ZohoCRM.modules.READ"),
            ("ZohoCRM.modules.ALL", "ZohoCRM.modules.Contacts.CREATE"),
            ("ZohoCRM.modules.contacts.ALL", "ZohoCRM.modules.Contacts.READ"),
            ("ZohoCRM.settings.ALL", "ZohoCRM.settings.fields.READ"),
            ("ZohoCRM.org.READ", "ZohoCRM.org.READ"),
        ] {
            assert!(covers(granted, needed), "{granted} {needed}");
        }
        for (granted, needed) in [
            ("ZohoCRM.modules.READ", "ZohoCRM.modules.Contacts.READ"),
            ("ZohoCRM.modules.Leads.ALL", "ZohoCRM.modules.Contacts.READ"),
            ("ZohoCRM.settings.fields.READ", "ZohoCRM.settings.fields.CREATE"),
            ("ZohoCRM.modules.ALL", "ZohoSearch.securesearch.READ"),
        ] {
            assert!(!covers(granted, needed), "{granted} {needed}");
        }
    }
}
