//! PostgreSQL's own programs, connected to a database as our driver is.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use reqwest::Url;
use sea_orm::sqlx::postgres::PgSslMode;
use tempfile::NamedTempFile;

use super::BackupError;
use crate::store::{
    DatabaseUrl,
    connection::{
        postgres::server::Server,
        url::{decoded, is_options},
    },
};

/// Debian's public authorities, which libpq does not find by itself.
const PUBLIC_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How PostgreSQL's programs connect to the database.
pub(super) struct Libpq {
    /// Without the password, which other users would see in the list of processes.
    url: String,
    variables: Vec<(&'static str, String)>,
    /// The configured authorities, while the programs run.
    _authorities: Option<NamedTempFile>,
}

impl Libpq {
    pub(super) fn new(url: &DatabaseUrl, server: &Server) -> Result<Self, BackupError> {
        let mut variables = Vec::new();
        let mut plain = Url::parse(&url.text).map_err(|error| std::io::Error::other(error.to_string()))?;
        if let Some(password) = plain.password() {
            variables.push(("PGPASSWORD", decoded(password)));
            // Cannot fail for an address that has a password.
            let _ = plain.set_password(None);
        }
        let parameters = url.parameters();
        let has =
            |wanted: &str| parameters.iter().any(|(name, _)| name.replace("ssl-", "ssl").replace('-', "") == wanted);
        let mode = mode_in_words(server.plain_options().get_ssl_mode());
        variables.push(("PGSSLMODE", mode.to_owned()));
        let mut authorities = None;
        if !has("sslrootcert") && std::env::var_os("PGSSLROOTCERT").is_none() {
            if let Some(pem) = url.authorities.pem() {
                let mut file = NamedTempFile::new()?;
                file.write_all(pem)?;
                variables.push(("PGSSLROOTCERT", file.path().to_string_lossy().into_owned()));
                authorities = Some(file);
            } else if mode.starts_with("verify") && Path::new(PUBLIC_AUTHORITIES).exists() {
                variables.push(("PGSSLROOTCERT", PUBLIC_AUTHORITIES.to_owned()));
            }
        }
        let mut settings = Vec::new();
        plain.set_query(None);
        for (name, value) in parameters {
            match name.as_str() {
                "password" => variables.push(("PGPASSWORD", value)),
                "ssl-mode" | "sslmode" => {}
                "ssl-root-cert" => {
                    plain.query_pairs_mut().append_pair("sslrootcert", &value);
                }
                name if is_options(name) => match name.strip_prefix("options[").and_then(|name| name.strip_suffix(']'))
                {
                    Some(name) => {
                        settings.push(format!("-c {name}={}", value.replace('\\', "\\\\").replace(' ', "\\ ")))
                    }
                    None => settings.push(value),
                },
                name => {
                    plain.query_pairs_mut().append_pair(name, &value);
                }
            }
        }
        if !settings.is_empty() {
            variables.push(("PGOPTIONS", settings.join(" ")));
        }
        Ok(Self { url: plain.into(), variables, _authorities: authorities })
    }

    /// A program that asks for no password.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("--no-password").arg(format!("--dbname={}", self.url)).envs(self.variables.iter().cloned());
        command.stdin(Stdio::null());
        command
    }
}

fn mode_in_words(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}
