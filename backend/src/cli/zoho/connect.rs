//! `backend-sync zoho connect`: from Zoho's API console to the section `[zoho]`.

use std::{
    fs::{OpenOptions, Permissions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use secrecy::{ExposeSecret, SecretString};

use super::client;
use crate::{
    app::AppError,
    authorities::Authorities,
    cli::{CliError, ask, print},
    clock::Clock,
    config,
    http::Http,
    zoho::client::{SCOPES, exchange},
};

/// The environment variable, which the configuration reads as well.
const SECRET_VARIABLE: &str = "BACKEND_SYNC_ZOHO__CLIENT_SECRET";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ConnectArguments {
    /// The organisation's data centre: the end of the address at which you use Zoho CRM [default: com]
    #[arg(long, value_name = "DC", conflicts_with = "accounts_url")]
    data_centre: Option<DataCentre>,
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
    /// Add the section to this file instead of printing it, and make the file readable only by its owner
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Zoho's data centres, by their top-level domain.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum DataCentre {
    Com,
    Eu,
    In,
    #[value(name = "com.au")]
    ComAu,
    Jp,
    Sa,
    #[value(name = "com.cn")]
    ComCn,
    Ca,
}

impl DataCentre {
    fn accounts_url(self) -> &'static str {
        match self {
            Self::Com => "https://accounts.zoho.com",
            Self::Eu => "https://accounts.zoho.eu",
            Self::In => "https://accounts.zoho.in",
            Self::ComAu => "https://accounts.zoho.com.au",
            Self::Jp => "https://accounts.zoho.jp",
            Self::Sa => "https://accounts.zoho.sa",
            Self::ComCn => "https://accounts.zoho.com.cn",
            Self::Ca => "https://accounts.zohocloud.ca",
        }
    }
}

pub(super) async fn run(arguments: ConnectArguments, authorities: Authorities, clock: &Clock) -> Result<(), CliError> {
    if let Some(file) = &arguments.write {
        refuse_second_section(file)?;
    }
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
        authorities,
    };
    let http = Http::new(&config.authorities).map_err(AppError::from)?;
    let granted = exchange(&config, http, &code, clock.now()).await?;
    config.refresh_token = granted.refresh_token;
    // The code works only once, so the token is shown before anything else can fail.
    let organisation = client(&config, clock)?.org().await;
    let api = config.api_url.as_deref().unwrap_or(&granted.api_domain);
    match &organisation {
        Ok(org) => print(format_args!("\nConnected to {} through {api}.", org.name))?,
        Err(error) => {
            print(format_args!("\nZoho granted a refresh token, but the first call to {api} failed: {error}."))?
        }
    }
    match &arguments.write {
        Some(file) => write(file, &section(&config))?,
        None => {
            print(format_args!("Add this to the configuration file. It contains secrets.\n\n{}", section(&config)))?
        }
    }
    organisation?;
    print("Next: backend-sync zoho check --config FILE")
}

fn accounts_url(arguments: &ConnectArguments) -> Result<String, CliError> {
    let url = match (&arguments.accounts_url, arguments.data_centre) {
        (Some(url), _) => url.trim_end_matches('/'),
        (None, data_centre) => data_centre.unwrap_or(DataCentre::Com).accounts_url(),
    };
    let urls = [Some(url), arguments.api_url.as_deref()];
    match urls.into_iter().flatten().all(config::is_safe) {
        true => Ok(url.to_owned()),
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

/// Refuses a file that has the section already, before the code is spent.
fn refuse_second_section(file: &Path) -> Result<(), CliError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CliError::Write { path: file.to_owned(), error }),
    };
    let path = file.display();
    match text.parse::<toml::Table>() {
        Ok(table) if table.contains_key("zoho") => Err(CliError::Usage(format!(
            "{path} already has a section [zoho]; remove it first, or leave out --write and enter the new values by hand"
        ))),
        Ok(_) => Ok(()),
        Err(_) => Err(CliError::Usage(format!("{path} is not a TOML file"))),
    }
}

fn write(file: &Path, section: &str) -> Result<(), CliError> {
    let failed = |error| CliError::Write { path: file.to_owned(), error };
    let mut output = OpenOptions::new().append(true).create(true).mode(0o600).open(file).map_err(failed)?;
    // Before writing secrets to it.
    output.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
    let gap = if output.metadata().map_err(failed)?.len() > 0 { "\n" } else { "" };
    output.write_all(format!("{gap}{section}").as_bytes()).and_then(|()| output.sync_all()).map_err(failed)?;
    print(format_args!("Wrote the section [zoho] to {}. Only its owner can read the file now.", file.display()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::{refuse_second_section, section, write};
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
            authorities: Authorities::default(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backend-sync.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"").unwrap();
        refuse_second_section(&file).unwrap();
        write(&file, &section(&config())).unwrap();
        let overrides = config::Overrides { file: Some(file.clone()), ..Default::default() };
        let read = config::Config::load(&overrides, std::iter::empty()).unwrap();
        let zoho = read.zoho.unwrap();
        assert_eq!((read.listen.port(), zoho.accounts_url.as_str()), (1, "https://accounts.zoho.eu"));
        let secrets = |zoho: &config::Zoho| {
            (zoho.client_secret.expose_secret().to_owned(), zoho.refresh_token.expose_secret().to_owned())
        };
        assert_eq!(secrets(&zoho), secrets(&config()));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(refuse_second_section(&file).is_err());
        refuse_second_section(&folder.path().join("none.toml")).unwrap();
    }
}
