//! The database's URL.

use std::{
    fmt,
    path::{Path, PathBuf, absolute},
    str::FromStr,
};

use reqwest::Url;
use sea_orm::sqlx::postgres::PgSslMode;
use serde::Deserialize;

use super::file::beside;
use crate::{authorities::Authorities, secret};

/// The database's URL: `sqlite://path` or `postgres://user:password@host:port/name`.
///
/// It may hold a password, which neither `Debug` nor `Display` shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl {
    pub(in crate::store) text: String,
    /// Whom a connection by TLS trusts besides the public authorities.
    pub(in crate::store) authorities: Authorities,
    /// The configured register.
    register: Option<PathBuf>,
}

/// What is wrong with the URL. The message shows none of its values: what is taken for a host may be a piece of the
/// password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// It has an unknown scheme, or nothing after it.
    #[error("database_url must begin with sqlite:// or postgres://")]
    Scheme,
    /// A character of the password, or of the user's name, ends it.
    #[error(
        "database_url has a / ? # or @ in its password or its user's name, or a # elsewhere: write them \
         percent-encoded, / as %2F, ? as %3F, # as %23, @ as %40, % as %25"
    )]
    Unencoded,
    /// It is no URL.
    #[error(
        "database_url is not postgres://USER:PASSWORD@HOST:PORT/NAME with / ? # : @ in its parts percent-encoded: {0}"
    )]
    Malformed(String),
    /// A parameter is unknown.
    #[error("database_url has the unknown parameter {0}; known are {known}", known = PARAMETERS.join(", "))]
    Parameter(String),
    /// A parameter has an impossible value.
    #[error("database_url: {0} must be {1}")]
    Value(&'static str, &'static str),
}

/// The parameters of libpq that we know, and two older spellings.
const PARAMETERS: [&str; 14] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "ssl-mode",
    "ssl-root-cert",
];

impl DatabaseUrl {
    /// The absolute path of a SQLite file; `None` for PostgreSQL.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        // It fails only where the process's folder is gone; then the file is, too.
        self.written_path().map(|path| absolute(path).unwrap_or_else(|_| path.to_owned()))
    }

    /// Whether it names a SQLite file by a path relative to where the process runs.
    pub(in crate::store) fn is_relative(&self) -> bool {
        self.written_path().is_some_and(Path::is_relative)
    }

    fn written_path(&self) -> Option<&Path> {
        self.text.strip_prefix("sqlite://").map(Path::new)
    }

    /// The same database, whose certificate may be of these authorities.
    pub fn trusting(self, authorities: &Authorities) -> Self {
        Self { authorities: authorities.clone(), ..self }
    }

    /// The same database with its register at this path.
    pub fn registered(self, register: PathBuf) -> Self {
        Self { register: Some(register), ..self }
    }

    /// The database at another path, with the register of this one.
    pub(in crate::store) fn at(&self, path: &Path) -> Self {
        Self { text: format!("sqlite://{}", path.display()), register: self.register(), ..self.clone() }
    }

    /// The path of the register: beside a SQLite file, unless another one is configured.
    pub fn register(&self) -> Option<PathBuf> {
        self.register.clone().or_else(|| Some(beside(&self.sqlite_path()?, "-register")))
    }

    /// The parameters in the order in which they stand there.
    pub(in crate::store) fn parameters(&self) -> Vec<(String, String)> {
        let url = Url::parse(&self.text).ok();
        let pairs = url.iter().flat_map(Url::query_pairs);
        pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }

    /// The URL without the parameters `options`.
    pub(in crate::store) fn without_options(&self) -> String {
        let Ok(mut url) = Url::parse(&self.text) else { return self.text.clone() };
        let others = self.parameters().into_iter().filter(|(name, _)| !is_options(name));
        let others: Vec<_> = others.collect();
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        url.into()
    }
}

/// Whether the parameter holds settings of the session, as in `options=-csearch_path=sync` or
/// `options[search_path]=sync`.
pub(in crate::store) fn is_options(name: &str) -> bool {
    name == "options" || name.starts_with("options[")
}

/// Finds what the driver would misunderstand: it takes a piece of a password for a host or for the database's name, and
/// shows it in its errors.
fn check(text: &str) -> Result<(), InvalidDatabaseUrl> {
    let (_, rest) = text.split_once("://").ok_or(InvalidDatabaseUrl::Scheme)?;
    let (_, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if after.contains(['@', '#']) {
        return Err(InvalidDatabaseUrl::Unencoded);
    }
    // Its errors are fixed texts.
    let url = Url::parse(text).map_err(|error| InvalidDatabaseUrl::Malformed(error.to_string()))?;
    for (name, value) in url.query_pairs() {
        match &*name {
            "sslmode" | "ssl-mode" if value.parse::<PgSslMode>().is_err() => {
                let modes = "disable, allow, prefer, require, verify-ca or verify-full";
                return Err(InvalidDatabaseUrl::Value("sslmode", modes));
            }
            "port" if value.parse::<u16>().is_err() => return Err(InvalidDatabaseUrl::Value("port", "a number")),
            "hostaddr" if value.parse::<std::net::IpAddr>().is_err() => {
                return Err(InvalidDatabaseUrl::Value("hostaddr", "an IP address"));
            }
            name if PARAMETERS.contains(&name) || is_options(name) => {}
            name => return Err(InvalidDatabaseUrl::Parameter(name.to_owned())),
        }
        if name == "password" {
            secret::hold(&value);
        }
    }
    if let Some(password) = url.password() {
        secret::hold(password);
        secret::hold(&decoded(password));
    }
    Ok(())
}

/// Percent-encoded text as it was meant.
pub(in crate::store) fn decoded(text: &str) -> String {
    // A form's decoder, to which these three mean something else.
    let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let rest = |scheme: &str| url.strip_prefix(scheme).filter(|rest| !rest.is_empty());
        if rest("sqlite://").is_none() {
            rest("postgres://").or_else(|| rest("postgresql://")).ok_or(InvalidDatabaseUrl::Scheme)?;
            check(url)?;
        }
        Ok(Self { text: url.to_owned(), authorities: Authorities::default(), register: None })
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = InvalidDatabaseUrl;

    fn try_from(url: String) -> Result<Self, Self::Error> {
        url.parse()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.sqlite_path() {
            return write!(f, "sqlite://{}", path.display());
        }
        // A password can only be before the last @ or in the query: show neither.
        let host = self
            .text
            .rsplit_once('@')
            .map_or_else(|| self.text.split_once("//").unwrap_or_default().1, |(_, host)| host);
        write!(f, "postgres://{}", host.split('?').next().unwrap_or_default())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{DatabaseUrl, InvalidDatabaseUrl};

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "postgres://ann:pa55@db.example:5432/sync?password=pa55",
            "postgresql://ann:pa55%40@db.example/sync",
            "postgres://db.example/sync?user=ann&password=pa55",
        ] {
            let url: DatabaseUrl = url.parse().unwrap();
            assert!(!format!("{url} {url:?}").contains("pa55"), "{url}");
            assert!(url.to_string().contains("db.example"));
        }
    }

    #[test]
    fn a_password_that_would_be_cut_is_refused_without_showing_it() {
        for character in ["/", "?", "#", "/x@", "@/", "#/", "?a=b&"] {
            for url in
                [format!("postgres://ann:5{character}pa55@db/sync"), format!("postgres://ann:pa{character}55@db/sync")]
            {
                let error = url.parse::<DatabaseUrl>().unwrap_err();
                assert_eq!(error, InvalidDatabaseUrl::Unencoded, "{url}");
            }
        }
        for url in
            ["postgres://ann:pa55", "postgres://[pa55", "postgres://db/sync?port=pa55", "postgres://db/?sslmode=pa55"]
        {
            let error = url.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(!error.contains("pa55"), "{error}");
        }
        let url: DatabaseUrl = "postgres://ann:h1dd3n%2F+x%23@db/sync".parse().unwrap();
        assert_eq!(crate::secret::hidden("no database h1dd3n/+x# nor h1dd3n%2F+x%23"), "no database … nor …");
        assert_eq!(url.to_string(), "postgres://db/sync");
    }

    #[test]
    fn unknown_parameters_are_refused() {
        let error = "postgres://db/sync?connect_timeout=3".parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(error.contains("unknown parameter connect_timeout") && error.contains("sslmode"), "{error}");
        let url: DatabaseUrl = "postgres://db/sync?options=-csearch_path%3Dsync&sslmode=require".parse().unwrap();
        assert_eq!(url.without_options(), "postgres://db/sync?sslmode=require");
    }

    #[test]
    fn the_file_of_a_sqlite_database() {
        let url: DatabaseUrl = "sqlite://data/x y%20.sqlite".parse().unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(url.sqlite_path(), Some(here.join("data/x y%20.sqlite")), "a path, not percent-encoded");
        assert_eq!(url.to_string(), format!("sqlite://{}/data/x y%20.sqlite", here.display()));
        for url in ["mysql://x", "sqlite::memory:", "sqlite://", "postgres://"] {
            assert!(url.parse::<DatabaseUrl>().is_err(), "{url}");
        }
    }
}
