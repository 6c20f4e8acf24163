//! `backend-sync site …`

use clap::Subcommand;
use serde_json::json;

use super::{CliError, Validity, confirm, counted, open, or_never, print, token_state};
use crate::{
    clock::Clock,
    config::Config,
    live::read_mapping,
    model::SiteName,
    store::{Site, Store},
    tokens::{self, TokenError},
};

#[derive(Debug, Subcommand)]
pub(super) enum SiteCommand {
    /// Add a Moodle site and print its site token, which is not shown again
    Add {
        /// Name of the site: a-z, 0-9 and -. It is part of every record's id, so it is for good from the first delivery on
        name: SiteName,
        /// Address of the Moodle, for links
        #[arg(long, value_name = "URL")]
        wwwroot: Option<String>,
        #[command(flatten)]
        validity: Validity,
        /// Print {"site":…,"token":…}
        #[arg(long)]
        json: bool,
    },
    /// Give a site another name, until its first delivery to Zoho: from then on the name is in keys there
    ///
    /// Shows first what would change, and asks if the site has records already.
    Rename {
        /// Name of the site
        name: String,
        /// The new name: a-z, 0-9 and -
        new: SiteName,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// List the sites and their site tokens
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Create another site token. The old ones stay valid until you revoke them, so that no event is lost
    RotateToken {
        /// Name of the site
        name: String,
        #[command(flatten)]
        validity: Validity,
        /// Print {"site":…,"token":…}
        #[arg(long)]
        json: bool,
    },
    /// Revoke a site token: it is no longer accepted
    RevokeToken {
        /// Name of the site
        name: String,
        /// Number of the site token, as `site list` shows it
        token: i64,
    },
    /// Let the next state from Moodle win for records whose version lies in the future
    ///
    /// After Moodle's clock was ahead, its records have versions that no real change replaces until that time. First
    /// set Moodle's clock right and reset the plugin's version on its status page; then run this command and press
    /// Synchronise everything there.
    RepairVersions {
        /// Name of the site
        name: String,
    },
}

pub(super) async fn run(config: Config, command: SiteCommand, clock: &Clock) -> Result<(), CliError> {
    let store = open(&config, clock).await?;
    let result = match command {
        SiteCommand::Add { name, wwwroot, validity, json } => {
            let lifetime = validity.from(clock.now());
            let token = tokens::add_site(&store, &name, wwwroot, lifetime, &mut getrandom::fill).await?;
            show_token(name.as_str(), &token, json)
        }
        SiteCommand::Rename { name, new, yes } => rename(&config, &store, (&name, &new), yes).await,
        SiteCommand::List { json } => list(&store, clock, json).await,
        SiteCommand::RotateToken { name, validity, json } => {
            let token = tokens::rotate(&store, &name, validity.from(clock.now()), &mut getrandom::fill).await;
            show_token(&name, &token.map_err(with_hint)?, json)?;
            if json {
                return Ok(());
            }
            print(format_args!(
                "\nThe site's other site tokens are still valid. When Moodle uses the new one, revoke them:\n\
                 \x20   backend-sync site list\n\x20   backend-sync site revoke-token {name} NUMBER"
            ))
        }
        SiteCommand::RevokeToken { name, token } => revoke(&store, &name, token, clock).await,
        SiteCommand::RepairVersions { name } => repair_versions(&store, &name, clock).await,
    };
    store.close().await;
    result
}

/// Shows what another name would change, here and in Zoho, and gives it to the site.
async fn rename(config: &Config, store: &Store, (name, new): (&str, &SiteName), yes: bool) -> Result<(), CliError> {
    let keys = tokens::preview_rename(store, name, new).await.map_err(with_hint)?;
    let records = counted(keys.here, "record");
    if keys.here > 0 {
        print(format_args!(
            "{name} would be called {new}.\n\
             Here:    {records} would have keys such as {new}:3 instead of {name}:3. Whoever reads the API and keeps keys reads \
             everything again.\n\
             Zoho:    nothing would change: it has no record of {name} yet.\n\
             Moodle:  the site tokens stay valid. The plugin notices the name and sends everything again, which changes nothing here."
        ))?;
    }
    if let Some(file) = mapping_that_names(config, name)? {
        print(format_args!("Mapping: {file} names {name}:…, which must become {new}:…"))?;
    }
    let question = format!("Rename {name} to {new}?");
    if keys.here > 0 && !confirm(yes, &format!("{records} would have other keys"), &question)? {
        return print("Nothing was changed.");
    }
    tokens::rename_site(store, name, new).await.map_err(with_hint)?;
    print(format_args!("{name} is called {new} from now on. Its site tokens stay valid."))?;
    if keys.here > 0 {
        print("Make a backup now: those from before have the old name.")?;
    }
    Ok(())
}

/// The mapping file, if it names records of this site.
fn mapping_that_names(config: &Config, site: &str) -> Result<Option<String>, CliError> {
    let Some((zoho, file)) = config.zoho.as_ref().and_then(|zoho| Some((zoho, zoho.mapping.as_ref()?))) else {
        return Ok(None);
    };
    let names_it = read_mapping(zoho)?.text().contains(&format!("\"{site}:"));
    Ok(names_it.then(|| file.display().to_string()))
}

async fn find(store: &Store, name: &str) -> Result<Site, CliError> {
    let site = store.site(name).await?;
    site.ok_or_else(|| CliError::Usage(format!("there is no site called {name}; see backend-sync site list")))
}

fn show_token(site: &str, token: &str, json: bool) -> Result<(), CliError> {
    if json {
        return print(json!({"site": site, "token": token}));
    }
    print(format_args!("Site {site}. Paste this site token into its plugin; it is not shown again:\n{token}"))
}

fn with_hint(error: TokenError) -> CliError {
    match error {
        TokenError::NoSite(_) => CliError::Usage(format!("{error}; see backend-sync site list")),
        error => error.into(),
    }
}

async fn revoke(store: &Store, name: &str, token: i64, clock: &Clock) -> Result<(), CliError> {
    match tokens::revoke(store, Some(name), token, clock.now()).await {
        Ok(()) => print(format_args!("Site token {token} of {name} is revoked and no longer accepted.")),
        Err(TokenError::NoToken(_)) => {
            Err(CliError::Usage(format!("{name} has no site token {token}; see backend-sync site list")))
        }
        Err(error) => Err(with_hint(error)),
    }
}

async fn repair_versions(store: &Store, name: &str, clock: &Clock) -> Result<(), CliError> {
    let site = find(store, name).await?;
    // For a clock that is behind, all versions lie in the future.
    if let Some(doubt) = clock.status().disagreement {
        return Err(CliError::Usage(format!("the time is not agreed: {doubt}; see backend-sync clock")));
    }
    let repaired = store.repair_versions(site.id, clock.now()).await?;
    for (table, count) in repaired.iter().filter(|(_, count)| *count > 0) {
        print(format_args!("{count:>8} {table}"))?;
    }
    match repaired.iter().map(|(_, count)| count).sum::<u64>() {
        0 => print(format_args!("No version of {name} lies in the future.")),
        count => print(format_args!(
            "{count:>8} in all. The next state from Moodle now wins for these records: press Synchronise everything in the plugin."
        )),
    }
}

async fn list(store: &Store, clock: &Clock, json: bool) -> Result<(), CliError> {
    let mut sites = Vec::new();
    for summary in store.sites().await? {
        let site = find(store, &summary.name).await?;
        sites.push((summary, store.tokens(Some(&site)).await?));
    }
    if json {
        let sites = sites.into_iter().map(|(site, tokens)| {
            let tokens: Vec<_> = tokens.iter().map(super::token::to_json).collect();
            let created_at = site.created_at.to_rfc3339();
            json!({"name": site.name, "wwwroot": site.wwwroot, "created_at": created_at, "tokens": tokens})
        });
        return print(serde_json::Value::Array(sites.collect()));
    }
    if sites.is_empty() {
        return print("No sites yet. Add one: backend-sync site add NAME");
    }
    for (site, tokens) in sites {
        print(format_args!("{}  {}", site.name, site.wwwroot.unwrap_or_default()))?;
        for token in tokens {
            let state = token_state(&token, clock.now());
            let (created, used) = (token.created_at.to_rfc3339(), or_never(token.last_used_at));
            print(format_args!("    token {:<4} created {created}  last used {used}  {state}", token.id))?;
        }
    }
    Ok(())
}
