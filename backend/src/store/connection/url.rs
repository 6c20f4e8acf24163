//! The database's URL.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::Deserialize;

/// The database's URL: `sqlite://path` or `postgres://user:password@host:port/name`.
///
/// It may hold a password, which neither `Debug` nor `Display` shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(pub(in crate::store) String);

/// The URL has an unknown scheme, or nothing after it.
#[derive(Debug, thiserror::Error)]
#[error("database_url must begin with sqlite:// or postgres://")]
pub struct InvalidDatabaseUrl;

impl DatabaseUrl {
    /// The path of a SQLite file; `None` for PostgreSQL.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        self.0.strip_prefix("sqlite://").map(PathBuf::from)
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let known = ["sqlite://", "postgres://", "postgresql://"].iter();
        if known.into_iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty())) {
            Ok(Self(url.to_owned()))
        } else {
            Err(InvalidDatabaseUrl)
        }
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
        let host =
            self.0.rsplit_once('@').map_or_else(|| self.0.split_once("//").unwrap_or_default().1, |(_, host)| host);
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
    use super::DatabaseUrl;

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
    fn the_file_of_a_sqlite_database() {
        let url: DatabaseUrl = "sqlite://data/x y%20.sqlite".parse().unwrap();
        assert_eq!(url.sqlite_path().unwrap().to_str(), Some("data/x y%20.sqlite"), "a path, not percent-encoded");
        for url in ["mysql://x", "sqlite::memory:", "sqlite://", "postgres://"] {
            assert!(url.parse::<DatabaseUrl>().is_err(), "{url}");
        }
    }
}
