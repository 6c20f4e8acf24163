//! `backend-sync demo`

mod folder;
mod organisation;
mod show;
mod story;

use std::{fs::File, net::SocketAddr, path::PathBuf};

use tokio::sync::oneshot;
use zoho_simulator::{Running, Simulator};

use self::{folder::Folder, organisation::prepare, story::Story};
use super::{CliError, make_token, open_or_create, print};
use crate::{
    app::{self, App, AppError},
    clock::Clock,
    config::{self, Config, Overrides},
    demo::{organisation::SimulatedOrganisation, plugin::Plugin, term::Term},
    http::Http,
    limits,
    live::{LiveError, read_mapping},
    model::{Effect, SiteName},
    secret::{self, TokenKind},
    store::{BrakeDecision, Store},
    telemetry,
};

/// Where the simulator listens by default, unless the port is taken.
const SIMULATOR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4020);

const SITE: &str = "college";

/// Variables that name receivers of alerts, so that the demo's mails can be looked at.
const RECEIVERS: &str = "BACKEND_SYNC_ALERTS__";

#[derive(Debug, clap::Args)]
pub(super) struct DemoArguments {
    /// Where the backend listens [default: 127.0.0.1:8001, or a free port when that is taken]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = config::address)]
    listen: Option<SocketAddr>,
    /// Where the simulated Zoho listens [default: 127.0.0.1:4020, or a free port when that is taken]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = config::address)]
    simulator_listen: Option<SocketAddr>,
    /// Duration of the whole term in seconds; 0 is as fast as possible
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pace: u16,
    /// Seed of the term's random data
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Keep database, log and configuration in this folder instead of a temporary one
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Exit when the term is over and everything is delivered; with an error if the result is not as expected
    #[arg(long)]
    exit: bool,
}

pub(super) async fn run(arguments: DemoArguments, clock: Clock) -> Result<(), CliError> {
    let stop = app::stop_signals().map_err(AppError::from)?;
    let folder = Folder::make(arguments.keep.as_deref())?;
    let simulator_clock = clock.clone();
    let simulator = Simulator::new(move || simulator_clock.now().to_utc());
    let running = listen(&simulator, arguments.simulator_listen).await?;
    let zoho_url = format!("http://{}", running.address());
    let (end_zoho, ending) = oneshot::channel::<()>();
    let zoho = tokio::spawn(running.run_until(async { _ = ending.await }));

    let config = configure(&folder, &zoho_url, arguments.listen)?;
    let log = File::create(folder.log()).map_err(|error| CliError::Write { path: folder.log(), error })?;
    let log = telemetry::start_to(&config.log, config.tracing.as_ref(), log, false)?;
    let store = open_or_create(&config, &clock).await?;
    let section = config.zoho.as_ref().ok_or_else(|| CliError::Usage("the demo has no [zoho]".to_owned()))?;
    let http = Http::new(&config.authorities).map_err(LiveError::from)?;
    let organisation = SimulatedOrganisation::new(http.clone(), &zoho_url);
    let term = Term::generate(arguments.seed, clock.now().0 / 1_000);
    let contacts = organisation.import(&term.imported).await?;
    prepare(section, &clock).await?;

    let app = bind(&config, arguments.listen, &folder, &store, &clock).await?;
    let backend_url = format!("http://{}", app.address());
    let (site_token, api_token) = add_tokens(&store, &clock).await?;
    let console = app.sign_in_link(&secret::hash(&api_token))?;
    approve_adoptions(&store, contacts.len(), &clock).await?;
    show::places(&show::Places {
        folder: &folder,
        console: &console,
        backend: &backend_url,
        zoho: &zoho_url,
        token: &api_token,
        student: term.ambiguous.0,
        events: term.events.len(),
        pace: arguments.pace,
    })?;
    let mut stopped = stop.subscribe();
    let mut server = tokio::spawn(app.run_until(stop.clone()));
    let story = Story {
        plugin: Plugin::new(http, &backend_url, site_token),
        mapping: read_mapping(section)?,
        second_contact: contacts.get(term.ambiguous.1).cloned().unwrap_or_default(),
        term,
        store,
        simulator,
        organisation,
        pace: arguments.pace,
        backend: backend_url,
        zoho: zoho_url,
        token: api_token,
    };
    let result = tokio::select! {
        biased;
        _ = stopped.wait_for(|stop| *stop) => Ok(()),
        result = play(&story, arguments.exit) => result,
        _ = &mut server => {
            return Err(CliError::Usage(format!("the backend ended; {} may say why", folder.log().display())));
        }
    };
    print("\nStopping.")?;
    stop.send_replace(true);
    let _ = server.await;
    // The simulator outlives the backend, which may need it until it has stopped.
    let _ = end_zoho.send(());
    let _ = zoho.await;
    drop(log);
    folder.end()?;
    result
}

/// Plays the term and prints the result; then shows changes until it is stopped, unless `exit` is set.
async fn play(story: &Story, exit: bool) -> Result<(), CliError> {
    story.weeks().await?;
    let problems = story.end().await?;
    if exit {
        return if problems == 0 { Ok(()) } else { Err(CliError::Unhealthy(problems)) };
    }
    story.repair().await?;
    print("\nBackend and Zoho keep running for you to look around; each change prints a line. Ctrl-C ends them.\n")?;
    story.watch().await
}

/// Binds the simulator to the requested address, else to the default one, else to a free port.
async fn listen(simulator: &Simulator, requested: Option<SocketAddr>) -> Result<Running, CliError> {
    let address = requested.unwrap_or(SIMULATOR);
    let running = match simulator.clone().bind(address).await {
        Err(error) if requested.is_none() && error.kind() == std::io::ErrorKind::AddrInUse => {
            simulator.clone().bind(SocketAddr::new(address.ip(), 0)).await
        }
        running => running,
    };
    Ok(running.map_err(|error| AppError::Listen { address, error })?)
}

/// The same for the backend.
async fn bind(
    config: &Config,
    requested: Option<SocketAddr>,
    folder: &Folder,
    store: &Store,
    clock: &Clock,
) -> Result<App, CliError> {
    let server = match App::listen(config).await {
        Err(AppError::Listen { error, .. }) if requested.is_none() && error.kind() == std::io::ErrorKind::AddrInUse => {
            let config = Config { listen: SocketAddr::new(config.listen.ip(), 0), ..config.clone() };
            App::listen(&config).await?
        }
        server => server?,
    };
    let overrides = Overrides { file: Some(folder.config()), listen: requested, ..Default::default() };
    let again = Box::new(move || Config::load(&overrides, std::iter::empty()));
    Ok(App::build(server, config.clone(), again, store.clone(), clock.clone()).await?)
}

/// The default settings with the demo's database and Zoho. Of the environment, which may name a real database, only the
/// receivers of alerts count.
fn configure(folder: &Folder, zoho_url: &str, listen: Option<SocketAddr>) -> Result<Config, CliError> {
    folder.write_config(zoho_url)?;
    let overrides = Overrides { file: Some(folder.config()), listen, ..Default::default() };
    let receivers = std::env::vars().filter(|(name, _)| name.starts_with(RECEIVERS));
    Ok(Config::load(&overrides, receivers)?)
}

/// Creates a site token and an API token.
async fn add_tokens(store: &Store, clock: &Clock) -> Result<(String, String), CliError> {
    let (site_token, site_hash) = make_token(TokenKind::Site)?;
    let (api_token, api_hash) = make_token(TokenKind::Api)?;
    let site: SiteName = SITE.parse().map_err(|error| CliError::Usage(format!("{error}")))?;
    store.add_first(&site, site_hash, "demo", api_hash, clock.now()).await?;
    Ok((site_token, api_token))
}

/// Approves ahead, as an operator does whose organisation has the students' contacts already, that they are adopted.
async fn approve_adoptions(store: &Store, contacts: usize, clock: &Clock) -> Result<(), CliError> {
    let Some(site) = store.site(SITE).await? else { return Ok(()) };
    let effect = Some(Effect::Adoption);
    let decision = BrakeDecision { site_id: site.id, effect, record: None, number: None, by: "demo" };
    let now = clock.now();
    let until = now.after(limits::BRAKE_LONGEST_APPROVAL);
    Ok(store.approve_ahead(&decision, (contacts as u64, until), now).await?)
}
