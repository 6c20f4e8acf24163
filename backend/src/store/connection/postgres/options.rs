//! From the URL to the driver's options.

use std::{net::IpAddr, path::Path};

use sea_orm::sqlx::{
    self, ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};

use crate::{
    secret,
    store::{
        DatabaseUrl,
        connection::url::{InvalidDatabaseUrl, is_options},
    },
};

/// The options of a connection, without settings of the session.
///
/// To another machine it is encrypted and the certificate is verified, unless the URL or `PGSSLMODE` says otherwise.
pub(super) fn options(url: &DatabaseUrl) -> Result<PgConnectOptions, sqlx::Error> {
    // The driver's own text may show a piece of the URL.
    let malformed = || sqlx::Error::config(InvalidDatabaseUrl::Malformed("it cannot be decoded".to_owned()));
    let mut options: PgConnectOptions = url.without_options().parse().map_err(|_| malformed())?;
    if let Ok(password) = std::env::var("PGPASSWORD") {
        secret::hold(&password);
    }
    let names = |names: [&str; 2]| url.parameters().iter().any(|(name, _)| names.contains(&name.as_str()));
    let is_set = |variable: &str| std::env::var_os(variable).is_some();
    if !names(["sslmode", "ssl-mode"]) && !is_set("PGSSLMODE") && !is_here(&options) {
        options = options.ssl_mode(PgSslMode::VerifyFull);
    }
    if let Some(pem) = url.authorities.pem()
        && !names(["sslrootcert", "ssl-root-cert"])
        && !is_set("PGSSLROOTCERT")
    {
        options = options.ssl_root_cert_from_pem(pem.to_vec());
    }
    // Poolers refuse start-up parameters that they do not know.
    Ok(options.extra_float_digits(None).disable_statement_logging())
}

/// Whether the server is on this machine, so that nobody can listen on the way.
fn is_here(options: &PgConnectOptions) -> bool {
    let host = options.get_host().trim_start_matches('[').trim_end_matches(']');
    options.get_socket().is_some()
        || Path::new(host).is_absolute()
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The settings of the session in the URL's parameters `options`.
pub(super) fn settings(url: &DatabaseUrl) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    for (name, value) in url.parameters().into_iter().filter(|(name, _)| is_options(name)) {
        if let Some(setting) = name.strip_prefix("options[").and_then(|name| name.strip_suffix(']')) {
            settings.push((setting.to_owned(), value));
            continue;
        }
        // As for a server's command line: -c name=value, -cname=value or --name=value.
        let words = value.split_whitespace().map(|word| word.trim_start_matches("--"));
        let words = words.map(|word| word.strip_prefix("-c").unwrap_or(word));
        let pairs = words.filter_map(|word| word.split_once('='));
        settings.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    settings
}

#[cfg(test)]
mod tests {
    use sea_orm::sqlx::postgres::PgSslMode;

    use super::{options, settings};

    #[test]
    fn to_another_machine_tls_is_demanded_unless_the_url_says_otherwise() {
        let mode = |url: &str| format!("{:?}", options(&url.parse().unwrap()).unwrap().get_ssl_mode());
        let named = |mode: PgSslMode| format!("{mode:?}");
        for here in
            ["postgres://localhost/x", "postgres://127.0.0.2/x", "postgres://[::1]/x", "postgres:///x?host=/run"]
        {
            assert_eq!(mode(here), named(PgSslMode::Prefer), "{here}");
        }
        for away in [
            "postgres://db.example/x",
            "postgres://10.0.0.1/x",
            "postgres:///x?host=db",
            "postgres:///x?hostaddr=10.0.0.1",
        ] {
            assert_eq!(mode(away), named(PgSslMode::VerifyFull), "{away}");
        }
        assert_eq!(mode("postgres://db.example/x?sslmode=disable"), named(PgSslMode::Disable));
    }

    #[test]
    fn settings_of_the_session_are_read_from_the_url() {
        let url = "postgres://db/x?options=-c%20search_path%3Da,b%20--jit%3Doff%20-cwork_mem%3D8MB&options[role]=sync";
        let expected = [("search_path", "a,b"), ("jit", "off"), ("work_mem", "8MB"), ("role", "sync")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(settings(&url.parse().unwrap()), expected);
    }
}
