//! The URLs of Zoho's pages for people.

/// Modules whose pages have the module's name in their URL. For custom modules, Zoho chooses another name.
const MODULES: [&str; 5] = ["Contacts", "Products", "Leads", "Accounts", "Deals"];

/// The URL of a record's page.
pub(super) fn page(base: &str, module: &str, id: &str) -> Option<String> {
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    (is_id && MODULES.contains(&module)).then(|| format!("{base}/{module}/{id}"))
}

#[cfg(test)]
mod tests {
    use super::{super::centres, page};
    use crate::{authorities::Authorities, config};

    fn at(accounts_url: &str, api_url: Option<&str>) -> Option<String> {
        centres::pages(&config::Zoho {
            accounts_url: accounts_url.to_owned(),
            api_url: api_url.map(str::to_owned),
            client_id: "id".to_owned(),
            client_secret: "secret".to_owned().into(),
            refresh_token: "token".to_owned().into(),
            mapping: None,
            reserve_credits: 0,
            watch_minutes: 0,
            proof_hour: 24,
            authorities: Authorities::default(),
        })
    }

    #[test]
    fn the_pages_are_in_the_data_centre_of_the_accounts() {
        assert_eq!(at("https://accounts.zoho.uk", None).as_deref(), Some("https://crm.zoho.uk/crm/tab"));
        assert_eq!(at("https://accounts.zoho.eu", None).as_deref(), Some("https://crm.zoho.eu/crm/tab"));
        assert_eq!(at("https://accounts.zohocloud.ca/", Some("")).as_deref(), Some("https://crm.zohocloud.ca/crm/tab"));
        assert!(at("https://accounts.zoho.com", Some("https://www.zohoapis.com")).is_some());
        assert_eq!(at("https://accounts.zoho.com", Some("https://sandbox.zohoapis.com")), None);
        assert_eq!(at("http://127.0.0.1:4020", None), None);
        assert_eq!(at("https://accounts.evil.example", None), None);
    }

    #[test]
    fn only_a_record_of_a_standard_module_has_a_known_page() {
        let base = "https://crm.zoho.com/crm/tab";
        assert_eq!(page(base, "Contacts", "42").as_deref(), Some("https://crm.zoho.com/crm/tab/Contacts/42"));
        assert_eq!(page(base, "Moodle_Grades", "42"), None);
        assert_eq!(page(base, "Contacts", "../x"), None);
    }
}
