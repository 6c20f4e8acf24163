//! The file of settings: where it is looked for, and what the paths in it refer to.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf, absolute},
};

use config::{File, FileFormat};

use super::ConfigError;

/// The file that is read where no other one is named: the packages put it there.
const USUAL: &str = "/etc/backend-sync/backend-sync.toml";

/// The settings that are paths. The database's URL is one if it names a file.
const PATHS: [&str; 3] = ["certificate_authorities", "backup.register", "zoho.mapping"];

/// How a URL begins that names a file.
const SQLITE: &str = "sqlite://";

/// Settings that must not be read by everybody.
const SECRETS: [&str; 5] =
    ["zoho.client_secret", "zoho.refresh_token", "alerts.webhooks", "alerts.email", "tracing.headers"];

/// The file to read, if any: the one that `named` says, where an empty name means none; otherwise the usual one, if it
/// is there or cannot be seen.
pub fn find(named: Option<PathBuf>) -> Option<PathBuf> {
    match named {
        Some(file) => Some(file).filter(|file| !file.as_os_str().is_empty()),
        None => Some(PathBuf::from(USUAL)).filter(|usual| usual.try_exists().unwrap_or(true)),
    }
}

/// The file's settings. Relative paths in it are relative to the folder of the file, not to where somebody stands.
/// Also whether there are secrets among them.
pub(super) fn read(file: &Path) -> Result<(config::Config, bool), ConfigError> {
    let unreadable = |error| ConfigError::Unreadable { path: file.to_owned(), error };
    fs::File::open(file).map_err(unreadable)?;
    if file.is_dir() {
        return Err(unreadable(ErrorKind::IsADirectory.into()));
    }
    let folder = absolute(file).map_err(unreadable)?.parent().map(Path::to_owned).unwrap_or_default();
    let settings = config::Config::builder().add_source(File::from(file).format(FileFormat::Toml)).build()?;
    let mut resolved = config::Config::builder().add_source(settings.clone());
    for key in PATHS {
        if let Ok(path) = settings.get_string(key)
            && !path.is_empty()
        {
            resolved = resolved.set_override(key, folder.join(path).display().to_string())?;
        }
    }
    let url = settings.get_string("database_url").unwrap_or_default();
    if let Some(path) = url.strip_prefix(SQLITE).filter(|path| !path.is_empty()) {
        resolved = resolved.set_override("database_url", format!("{SQLITE}{}", folder.join(path).display()))?;
    }
    let secrets = SECRETS.iter().any(|key| settings.get::<config::Value>(key).is_ok()) || url.contains('@');
    Ok((resolved.build()?, secrets))
}

/// What to do about a file that cannot be read.
pub(super) fn advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            "They belong to the service's user: run this as that user (with the packages, sudo backend-sync-admin), or name another \
             file with --config"
        }
        _ => "Name the right file with --config",
    }
}
