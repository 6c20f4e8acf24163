//! Zoho's data centres, and which addresses are Zoho's.

use reqwest::Url;

use crate::config;

/// A data centre. An organisation is in one of them.
#[derive(Debug, PartialEq, Eq)]
pub struct DataCentre {
    /// The end of the address at which people use it.
    pub name: &'static str,
    /// The domain of the accounts server and of the pages.
    domain: &'static str,
    /// The domain of the API.
    api: &'static str,
}

/// All data centres; the first is the default.
pub const DATA_CENTRES: [DataCentre; 10] = [
    DataCentre { name: "com", domain: "zoho.com", api: "zohoapis.com" },
    DataCentre { name: "eu", domain: "zoho.eu", api: "zohoapis.eu" },
    DataCentre { name: "uk", domain: "zoho.uk", api: "zohoapis.uk" },
    DataCentre { name: "in", domain: "zoho.in", api: "zohoapis.in" },
    DataCentre { name: "com.au", domain: "zoho.com.au", api: "zohoapis.com.au" },
    DataCentre { name: "jp", domain: "zoho.jp", api: "zohoapis.jp" },
    DataCentre { name: "sa", domain: "zoho.sa", api: "zohoapis.sa" },
    DataCentre { name: "ae", domain: "zoho.ae", api: "zohoapis.ae" },
    DataCentre { name: "com.cn", domain: "zoho.com.cn", api: "zohoapis.com.cn" },
    DataCentre { name: "ca", domain: "zohocloud.ca", api: "zohoapis.ca" },
];

impl DataCentre {
    /// The one with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        DATA_CENTRES.iter().find(|centre| centre.name == name)
    }

    /// The address of its accounts server.
    pub fn accounts_url(&self) -> String {
        format!("https://accounts.{}", self.domain)
    }

    /// The one with the accounts server at this host.
    fn of_accounts(host: &str) -> Option<&'static Self> {
        let domain = host.strip_prefix("accounts.")?;
        DATA_CENTRES.iter().find(|centre| centre.domain == domain)
    }
}

/// Whether the API server that came with an access token may have the token: only Zoho's own, over TLS. A simulator on
/// this machine may name this machine.
pub(super) fn is_api_server(api_domain: &str, accounts_url: &str) -> bool {
    let Ok(url) = Url::parse(api_domain) else { return false };
    let is_zohos = url.host_str().is_some_and(|host| {
        let within = |domain: &str| host.strip_suffix(domain).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'));
        DATA_CENTRES.iter().any(|centre| within(centre.api))
    });
    let plain = url.username().is_empty() && url.password().is_none();
    let is_ordinary = url.scheme() == "https" && url.port().is_none();
    plain
        && ((is_zohos && is_ordinary) || (config::is_this_machine(api_domain) && config::is_this_machine(accounts_url)))
}

/// The base URL of the pages in this configuration's data centre; `None` for a sandbox or simulator.
pub(super) fn pages(config: &config::Zoho) -> Option<String> {
    let host_of = |url: &str| Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let centre = DataCentre::of_accounts(&host_of(&config.accounts_url)?)?;
    let api = config.api_url.as_deref().filter(|url| !url.is_empty());
    let ordinary = api.is_none_or(|url| host_of(url).is_some_and(|host| host.starts_with("www.zohoapis.")));
    ordinary.then(|| format!("https://crm.{}/crm/tab", centre.domain))
}

#[cfg(test)]
mod tests {
    use super::{DATA_CENTRES, is_api_server};

    #[test]
    fn the_documents_name_every_data_centre() {
        for text in [include_str!("../../config/default.toml"), include_str!("../../../docs/zoho.md")] {
            for centre in DATA_CENTRES.iter().filter(|centre| centre.name != "ca") {
                assert!(text.contains(&format!(".{}", centre.name)), "{}", centre.name);
            }
            assert!(text.contains("https://accounts.zohocloud.ca"));
        }
    }

    #[test]
    fn only_zohos_own_servers_get_a_token() {
        let (zoho, simulator) = ("https://accounts.zoho.eu", "http://127.0.0.1:4020");
        for good in ["https://www.zohoapis.eu", "https://sandbox.zohoapis.com.au/", "https://www.zohoapis.ae"] {
            assert!(is_api_server(good, zoho), "{good}");
        }
        for bad in [
            "http://www.zohoapis.eu",
            "https://www.zohoapis.eu.evil.example",
            "https://evilzohoapis.eu",
            "https://www.zohoapis.eu:8443",
            "https://www.zohoapis.eu@evil.example",
            "https://me@www.zohoapis.eu",
            "http://127.0.0.1:4020",
            "www.zohoapis.eu",
            "",
        ] {
            assert!(!is_api_server(bad, zoho), "{bad}");
        }
        assert!(is_api_server("http://127.0.0.1:4020", simulator) && is_api_server("http://localhost:1", simulator));
        assert!(!is_api_server("http://10.0.0.1:4020", simulator));
    }
}
