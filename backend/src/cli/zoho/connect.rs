//! `backend-sync zoho connect`: from Zoho's API console to the section `[zoho]`.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use clap::builder::PossibleValuesParser;
use secrecy::{ExposeSecret, SecretString};

use super::client;
use crate::{
    authorities::Authorities,
    cli::{CliError, ask, print},
    clock::Clock,
    config,
    http::Http,
    live::LiveError,
    zoho::client::{DATA_CENTRES, DataCentre, SCOPES, exchange},
};

/// The mode of a new file with secrets.
const MODE: u32 = 0o600;

/// The environment variable, which the configuration reads as well.
const SECRET_VARIABLE: &str = "BACKEND_SYNC_ZOHO__CLIENT_SECRET";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ConnectArguments {
    /// The organisation's data centre: the end of the address at which you use Zoho CRM [default: com]
    #[arg(long, value_name = "DC", conflicts_with = "accounts_url", value_parser = data_centres())]
    data_centre: Option<String>,
    /// The accounts server, instead of a data centre
    #[arg(long, value_name = "URL")]
    accounts_url: Option<String>,
    /// The API's address, if it differs from the one that Zoho returns, as for a sandbox
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
    /// The client's id. The command asks for missing values; it reads the client's secret from the environment variable
    /// BACKEND_SYNC_ZOHO__CLIENT_SECRET or asks for it
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The code that the API console generated
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Add the section to this file instead of printing it. A new file is readable only by its owner; an existing one
    /// keeps owner and mode
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

pub(super) async fn run(arguments: ConnectArguments, authorities: Authorities, clock: &Clock) -> Result<(), CliError> {
    // Before the code is spent, which works only once.
    let output = arguments.write.as_deref().map(SectionFile::open).transpose()?;
    let accounts_url = accounts_url(&arguments)?;
    explain(&accounts_url)?;
    let secret = std::env::var(SECRET_VARIABLE).ok();
    let client_id = given_or_prompted(arguments.client_id, "Client ID")?;
    let client_secret = given_or_prompted(secret, "Client Secret")?;
    let code = given_or_prompted(arguments.code, "Code")?;
    let mut config = config::Zoho {
        accounts_url,
        api_url: arguments.api_url,
        client_id,
        client_secret: client_secret.into(),
        refresh_token: SecretString::from(String::new()),
        mapping: None,
        reserve_credits: 0,
        watch_minutes: 0,
        proof_hour: 24,
        authorities,
    };
    let http = Http::new(&config.authorities).map_err(LiveError::from)?;
    let granted = exchange(&config, http, &code, clock.now()).await?;
    config.refresh_token = granted.refresh_token;
    // The code works only once, so the token is kept before anything else can fail.
    let kept = match output {
        Some(output) => output.write(&section(&config)),
        None => Ok(()),
    };
    if arguments.write.is_none() || kept.is_err() {
        print(format_args!("Add this to the configuration file. It contains secrets.\n\n{}", section(&config)))?;
    }
    kept?;
    let organisation = client(&config, clock)?.org().await;
    let api = config.api_url.as_deref().unwrap_or(&granted.api_domain);
    match &organisation {
        Ok(org) => print(format_args!("\nConnected to {} through {api}.", org.name))?,
        Err(error) => {
            print(format_args!("\nZoho granted a refresh token, but the first call to {api} failed: {error}."))?
        }
    }
    organisation?;
    print("Next: backend-sync zoho check --config FILE")
}

fn data_centres() -> PossibleValuesParser {
    DATA_CENTRES.iter().map(|centre| centre.name).into()
}

fn accounts_url(arguments: &ConnectArguments) -> Result<String, CliError> {
    let [default, ..] = &DATA_CENTRES;
    let centre = arguments.data_centre.as_deref().and_then(DataCentre::named).unwrap_or(default);
    let given = arguments.accounts_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
    let url = given.unwrap_or_else(|| centre.accounts_url());
    let safe = [Some(url.as_str()), arguments.api_url.as_deref()].into_iter().flatten().all(config::is_safe);
    match safe {
        true => Ok(url),
        false => Err(CliError::Usage("an address of Zoho must begin with https://".to_owned())),
    }
}

fn explain(accounts_url: &str) -> Result<(), CliError> {
    let console = accounts_url.replace("://accounts.", "://api-console.");
    print(format_args!(
        "Credentials for Zoho CRM come from a self client. Create it as a user who may read and write all delivered records (an\n\
         administrator, or a dedicated user):\n\n\
         \x20 1. Open {console} and sign in. If your Zoho CRM has another ending than this address, stop here and run the\n\
         \x20    command again with --data-centre.\n\
         \x20 2. Choose Self Client (under Add Client, unless there is one), and Create. Client Secret shows its ID and secret.\n\
         \x20 3. Under Generate Code, paste these scopes into Scope:\n\n\
         {SCOPES}\n\n\
         \x20    Time Duration: 10 minutes. Scope Description: Backend Sync. Press Create, choose the organisation, and copy the\n\
         \x20    code. It works once, and only for 10 minutes.\n"
    ))
}

/// Asks for a missing value, so that secrets need not get into the shell's history.
fn given_or_prompted(given: Option<String>, what: &str) -> Result<String, CliError> {
    let answer = match given {
        Some(given) => given,
        None => ask(what)?,
    };
    match answer.trim() {
        "" => Err(CliError::Usage(format!("{what} is empty; nothing was changed"))),
        answer => Ok(answer.to_owned()),
    }
}

/// The section as TOML.
fn section(config: &config::Zoho) -> String {
    let text = |text: &str| toml::Value::from(text).to_string();
    let mut lines = format!("[zoho]\naccounts_url = {}\n", text(&config.accounts_url));
    if let Some(url) = &config.api_url {
        lines += &format!("api_url = {}\n", text(url));
    }
    lines += &format!("client_id = {}\n", text(&config.client_id));
    lines += &format!("client_secret = {}\n", text(config.client_secret.expose_secret()));
    lines + &format!("refresh_token = {}\n", text(config.refresh_token.expose_secret()))
}

/// The file that gets the section, open for writing.
struct SectionFile {
    path: PathBuf,
    file: File,
    /// Its length before; `None` if we created it.
    length: Option<u64>,
}

impl SectionFile {
    /// Opens the file, or creates it with its final mode. Refuses one that has the section already.
    fn open(path: &Path) -> Result<Self, CliError> {
        let failed = |error| CliError::Write { path: path.to_owned(), error };
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(MODE);
        let (mut file, is_new) = match options.clone().create_new(true).open(path) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (options.open(path).map_err(failed)?, false),
            Err(error) => return Err(failed(error)),
        };
        let mut text = String::new();
        let length = file.read_to_string(&mut text).map_err(failed)?;
        let shown = path.display();
        match text.parse::<toml::Table>() {
            Ok(table) if table.contains_key("zoho") => Err(CliError::Usage(format!(
                "{shown} already has a section [zoho]; remove it first, or leave out --write and enter the new values by hand"
            ))),
            Ok(_) => Ok(Self { path: path.to_owned(), file, length: (!is_new).then_some(length as u64) }),
            Err(_) => Err(CliError::Usage(format!("{shown} is not a TOML file"))),
        }
    }

    fn write(mut self, section: &str) -> Result<(), CliError> {
        let gap = if self.length.is_some_and(|length| length > 0) { "\n" } else { "" };
        let written = self.file.write_all(format!("{gap}{section}").as_bytes()).and_then(|()| self.file.sync_all());
        let mode = self.file.metadata().map(|metadata| metadata.permissions().mode());
        let path = self.path.clone();
        let mode = written.and(mode).map_err(|error| CliError::Write { path: path.clone(), error })?;
        // Not to be removed by `drop`.
        self.length = Some(1);
        print(format_args!("\nWrote the section [zoho] to {}.", path.display()))?;
        if mode & 0o007 != 0 {
            print("It contains secrets, and everybody on this machine can use the file: chmod o= takes that away.")?;
        }
        Ok(())
    }
}

impl Drop for SectionFile {
    /// Removes a file that we created and did not need.
    fn drop(&mut self) {
        if self.length.is_none() && self.file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::{SectionFile, section};
    use crate::{authorities::Authorities, config};

    fn config() -> config::Zoho {
        config::Zoho {
            accounts_url: "https://accounts.zoho.eu".to_owned(),
            api_url: None,
            client_id: "1000.A".to_owned(),
            client_secret: "with \"quotes\" and \\".to_owned().into(),
            refresh_token: "1000.b".to_owned().into(),
            mapping: None,
            reserve_credits: 0,
            watch_minutes: 0,
            proof_hour: 24,
            authorities: Authorities::default(),
        }
    }

    fn mode(file: &std::path::Path) -> u32 {
        std::fs::metadata(file).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_written_is_read_again_and_the_file_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backend-sync.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        SectionFile::open(&file).unwrap().write(&section(&config())).unwrap();
        let overrides = config::Overrides { file: Some(file.clone()), ..Default::default() };
        let read = config::Config::load(&overrides, std::iter::empty()).unwrap();
        let zoho = read.zoho.unwrap();
        assert_eq!((read.listen.port(), zoho.accounts_url.as_str()), (1, "https://accounts.zoho.eu"));
        let secrets = |zoho: &config::Zoho| {
            (zoho.client_secret.expose_secret().to_owned(), zoho.refresh_token.expose_secret().to_owned())
        };
        assert_eq!(secrets(&zoho), secrets(&config()));
        assert_eq!(mode(&file), 0o640, "a group that may read it still may");
        assert!(SectionFile::open(&file).is_err(), "a second section");
    }

    #[test]
    fn a_new_file_is_private_from_the_beginning_and_goes_if_it_is_not_needed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new.toml");
        let output = SectionFile::open(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
        drop(output);
        assert!(!file.exists(), "the code was refused");
        SectionFile::open(&file).unwrap().write("[zoho]\n").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "[zoho]\n");
        assert!(SectionFile::open(&folder.path().join("none/new.toml")).is_err());
    }

    #[test]
    fn every_data_centre_can_be_named() {
        use clap::Parser;
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            connect: super::ConnectArguments,
        }
        for (name, url) in [("uk", "https://accounts.zoho.uk"), ("ca", "https://accounts.zohocloud.ca")] {
            let line = Line::parse_from(["connect", "--data-centre", name]);
            assert_eq!(super::accounts_url(&line.connect).unwrap(), url);
        }
        assert_eq!(super::accounts_url(&Line::parse_from(["connect"]).connect).unwrap(), "https://accounts.zoho.com");
        assert!(Line::try_parse_from(["connect", "--data-centre", "mars"]).is_err());
    }
}
