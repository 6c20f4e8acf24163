//! The demo's folder.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::cli::{CliError, print};

const DATABASE: &str = "backend-sync.sqlite";

/// A folder with the demo's files. A temporary one is removed at the end.
pub(super) struct Folder {
    path: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Folder {
    /// Creates `keep`, which must not hold a database yet, or a temporary folder.
    pub(super) fn make(keep: Option<&Path>) -> Result<Self, CliError> {
        let Some(keep) = keep else {
            let temporary = tempfile::Builder::new().prefix("backend-sync-demo-").tempdir();
            let temporary = temporary.map_err(|error| CliError::Write { path: std::env::temp_dir(), error })?;
            return Ok(Self { path: temporary.path().to_owned(), temporary: Some(temporary) });
        };
        let made = std::fs::create_dir_all(keep).and_then(|()| std::path::absolute(keep));
        let path = made.map_err(|error| CliError::Write { path: keep.to_owned(), error })?;
        let folder = Self { path, temporary: None };
        if folder.path.join(DATABASE).exists() {
            let path = folder.path.join(DATABASE);
            return Err(CliError::Usage(format!(
                "{} already exists, and the demo needs an empty database: choose another folder",
                path.display()
            )));
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("backend-sync.log")
    }

    pub(super) fn config(&self) -> PathBuf {
        self.path.join("backend-sync.toml")
    }

    /// Writes the configuration file, which other commands can use as well.
    pub(super) fn write_config(&self, zoho_url: &str) -> Result<(), CliError> {
        let database_url = format!("sqlite://{}", self.path.join(DATABASE).display());
        let text = format!(
            "# Written by backend-sync demo.\n\
             database_url = {}\n\n\
             [zoho]\n\
             accounts_url = \"{zoho_url}\"\n\
             api_url = \"{zoho_url}\"\n\
             client_id = \"demo\"\n\
             client_secret = \"demo\"\n\
             refresh_token = \"simulator\"\n\n\
             # Evaluate alerts often, so that they come and go while you watch.\n\
             [alerts]\n\
             interval_seconds = 2\n\n\
             # The disk is not the demo's subject.\n\
             [alerts.rules]\n\
             disk_free_percent = 0\n\
             disk_free_mib = 0\n",
            toml::Value::from(database_url)
        );
        // As a file of real secrets should be.
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(self.config());
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| CliError::Write { path: self.config(), error })
    }

    /// Removes a temporary folder, or prints where the kept one is.
    pub(super) fn end(self) -> Result<(), CliError> {
        match self.temporary {
            None => print(format_args!("Database, log and configuration are in {}.", self.path.display())),
            Some(temporary) => {
                temporary.close().map_err(|error| CliError::Write { path: self.path.clone(), error })?;
                print(format_args!("Removed {}.", self.path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DATABASE, Folder};
    use crate::config::{Config, Overrides};

    #[test]
    fn a_temporary_folder_has_a_configuration_and_is_removed() {
        let folder = Folder::make(None).unwrap();
        folder.write_config("http://127.0.0.1:1").unwrap();
        let overrides = Overrides { file: Some(folder.config()), ..Default::default() };
        let config = Config::load(&overrides, std::iter::empty()).unwrap();
        assert_eq!(config.database_url.sqlite_path(), Some(folder.path().join(DATABASE)));
        assert_eq!(config.zoho.unwrap().accounts_url, "http://127.0.0.1:1");
        let path = folder.path().to_owned();
        folder.end().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_with_a_database_is_not_touched() {
        let keep = tempfile::tempdir().unwrap();
        let inner = keep.path().join("new");
        Folder::make(Some(&inner)).unwrap().end().unwrap();
        std::fs::write(inner.join(DATABASE), "mine").unwrap();
        assert!(Folder::make(Some(&inner)).is_err());
        assert_eq!(std::fs::read_to_string(inner.join(DATABASE)).unwrap(), "mine");
    }
}
