//! The URLs of Zoho's pages for people.

use reqwest::Url;

use crate::config;

/// The domains of Zoho's data centres.
const DOMAINS: [&str; 8] =
    ["zoho.com", "zoho.eu", "zoho.in", "zoho.com.au", "zoho.jp", "zoho.sa", "zoho.com.cn", "zohocloud.ca"];

/// Modules whose pages have the module's name in their URL. For custom modules, Zoho chooses another name.
const MODULES: [&str; 5] = ["Contacts", "Products", "Leads", "Accounts", "Deals"];

/// The base URL of the pages in this configuration's data centre; `None` for a sandbox or simulator.
pub(super) fn base(config: &config::Zoho) -> Option<String> {
    let host_of = |url: &str| Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let accounts = host_of(&config.accounts_url)?;
    let domain = accounts.strip_prefix("accounts.").filter(|domain| DOMAINS.contains(domain))?;
    let api = config.api_url.as_deref().filter(|url| !url.is_empty());
    let ordinary = api.is_none_or(|url| host_of(url).is_some_and(|host| host.starts_with("www.zohoapis.")));
    ordinary.then(|| format!("https://crm.{domain}/crm/tab"))
}

/// The URL of a record's page.
pub(super) fn page(base: &str, module: &str, id: &str) -> Option<String> {
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    (is_id && MODULES.contains(&module)).then(|| format!("{base}/{module}/{id}"))
}

#[cfg(test)]
mod tests {
    use super::{base, page};
    use crate::{authorities::Authorities, config};

    fn at(accounts_url: &str, api_url: Option<&str>) -> Option<String> {
        base(&config::Zoho {
            accounts_url: accounts_url.to_owned(),
            api_url: api_url.map(str::to_owned),
            client_id: "id".to_owned(),
            client_secret: "secret".to_owned().into(),
            refresh_token: "token".to_owned().into(),
            mapping: None,
            reserve_credits: 0,
            authorities: Authorities::default(),
        })
    }

    #[test]
    fn the_pages_are_in_the_data_centre_of_the_accounts() {
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
