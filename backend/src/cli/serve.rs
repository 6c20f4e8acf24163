//! `backend-sync serve`

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::{CliError, make_token, open_or_create, print};
use crate::{
    app::{self, App, AppError},
    clock::{Clock, judge::duration_in_words as in_words},
    config::Config,
    limits::SIGN_IN_LINK,
    model::SiteName,
    reload::LoadSettings,
    secret::TokenKind,
    store::Store,
    telemetry,
};

const FIRST_TOKEN: &str = "first";

pub(super) async fn run(
    config: Config,
    again: LoadSettings,
    (site, first_tokens): (SiteName, Option<PathBuf>),
    clock: Clock,
) -> Result<(), CliError> {
    let telemetry = telemetry::start(&config.log, config.tracing.as_ref())?;
    let server = App::listen(&config).await?;
    let store = open_or_create(&config, &clock).await?;
    store.try_write(true).await.map_err(CliError::TakesNoEvents)?;
    // Before anyone learns that it serves: from then on a signal stops it gracefully.
    let stop = app::stop_signals().map_err(AppError::from)?;
    let app = App::build(server, config.clone(), again, store.clone(), clock.clone()).await?;
    welcome(&store, &app, (&site, first_tokens.as_deref()), &clock).await?;
    tracing::info!(address = %app.address(), database = %config.database_url, version = env!("CARGO_PKG_VERSION"), "serving");
    if config.zoho.is_none() {
        tracing::info!(
            "no destination is configured: records are stored but not delivered; see the section [zoho] of backend-sync config"
        );
    }
    let served = app.run_until(stop).await;
    telemetry.end(config.shutdown.grace()).await;
    Ok(served?)
}

/// On the first start, creates a site with a site token, and an API token, and shows both once: on standard output or
/// in `file`.
async fn welcome(
    store: &Store,
    app: &App,
    (name, file): (&SiteName, Option<&Path>),
    clock: &Clock,
) -> Result<(), CliError> {
    if file.is_none() && output_is_the_journal() {
        if store.sites().await?.is_empty() {
            tracing::warn!(
                "there is no site yet, and tokens must not get into a log: run backend-sync site add, and token add"
            );
        }
        return Ok(());
    }
    // Before creating tokens, so that none exist that could not be shown.
    let prepared = file.map(prepare).transpose()?;
    let (site_token, site_hash) = make_token(TokenKind::Site)?;
    let (api_token, api_hash) = make_token(TokenKind::Api)?;
    if !store.add_first(name, site_hash, FIRST_TOKEN, api_hash.clone(), clock.now()).await? {
        return Ok(());
    }
    let address = app.address();
    let console = match file {
        None => {
            format!("{}\n\x20   (signs you in once, within {})", app.sign_in_link(&api_hash)?, in_words(SIGN_IN_LINK))
        }
        // It may be read much later.
        Some(_) => format!("http://{address}/\n\x20   (sign in with the API token)"),
    };
    let text = format!(
        "\nThis is the first start. Open the console first, which says what is still to be done:\n\
         \x20   {console}\n\n\
         Save these two tokens; they are not shown again.\n\n\
         The site is called {name}; its name becomes part of every record's key. To choose another one before the first\n\
         delivery to Zoho: backend-sync site rename {name} NAME\n\n\
         In Moodle, under Site administration > Plugins > Local plugins > Backend Sync:\n\
         \x20   Backend API URL   http://{address}\n\
         \x20   Site token        {site_token}\n\n\
         For API consumers and the console (Authorization: Bearer), for example at http://{address}/docs:\n\
         \x20   API token         {api_token}\n"
    );
    let Some((mut prepared, path)) = prepared.zip(file) else { return print(text) };
    let cannot = |error| CliError::Write { path: path.to_owned(), error };
    prepared.write_all(text.as_bytes()).and_then(|()| prepared.as_file().sync_all()).map_err(cannot)?;
    prepared.persist(path).map_err(|error| cannot(error.error))?;
    tracing::info!(file = %path.display(), "first start: this file has the tokens; save them, then delete the file");
    Ok(())
}

/// A temporary file next to `path`, readable only by its owner.
fn prepare(path: &Path) -> Result<NamedTempFile, CliError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    NamedTempFile::new_in(folder).map_err(|error| CliError::Write { path: path.to_owned(), error })
}

/// Whether standard output goes to systemd's journal, which keeps it and has other readers.
fn output_is_the_journal() -> bool {
    let Ok(journal) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(std::io::stdout()).is_ok_and(|output| journal == format!("{}:{}", output.st_dev, output.st_ino))
}
