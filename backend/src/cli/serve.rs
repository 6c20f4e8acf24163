//! `backend-sync serve`

use std::net::SocketAddr;

use super::{CliError, make_token, open, print};
use crate::{app::App, clock::Clock, config::Config, model::SiteName, secret::TokenKind, store::Store, telemetry};

const FIRST_SITE: &str = "moodle";
const FIRST_TOKEN: &str = "first";

pub(super) async fn run(config: Config, clock: Clock) -> Result<(), CliError> {
    let telemetry = telemetry::start(&config.log, config.tracing.as_ref())?;
    let store = open(&config).await?;
    let app = App::bind(&config, store.clone(), clock.clone()).await?;
    welcome(&store, app.address(), &clock).await?;
    tracing::info!(address = %app.address(), database = %config.database_url, version = env!("CARGO_PKG_VERSION"), "serving");
    if config.zoho.is_none() {
        tracing::info!(
            "no destination is configured: records are kept and can be read; see the section [zoho] of backend-sync config"
        );
    }
    let result = app.run().await;
    telemetry.end(config.shutdown.grace()).await;
    Ok(result?)
}

/// At the first start, makes a site and an API token, and shows both this once.
async fn welcome(store: &Store, address: SocketAddr, clock: &Clock) -> Result<(), CliError> {
    let (site_token, site_hash) = make_token(TokenKind::Site)?;
    let (api_token, api_hash) = make_token(TokenKind::Api)?;
    let name: SiteName = FIRST_SITE.parse().map_err(|error| CliError::Usage(format!("{error}")))?;
    if !store.add_first(&name, site_hash, FIRST_TOKEN, api_hash, clock.now()).await? {
        return Ok(());
    }
    print(format_args!(
        "\nThis is the first start. Keep these two tokens; they are not shown again.\n\n\
         In Moodle, under Site administration > Plugins > Local plugins > Backend Sync:\n\
         \x20   Backend API URL   http://{address}\n\
         \x20   API Token         {site_token}\n\n\
         For readers of the API (Authorization: Bearer), for example at http://{address}/docs:\n\
         \x20   API token         {api_token}\n"
    ))
}
