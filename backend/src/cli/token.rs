//! `backend-sync token …`

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{CliError, Validity, open, or_never, print, token_state};
use crate::{
    clock::{Clock, Timestamp},
    config::Config,
    store::{Scope, TokenSummary},
    tokens::{self, TokenError},
};

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Create an API token and print it; it is not shown again
    Add {
        /// A unique name
        name: String,
        /// What it permits
        #[arg(long, value_enum)]
        scope: ApiScope,
        #[command(flatten)]
        validity: Validity,
        /// Print {"name":…,"scope":…,"token":…}
        #[arg(long)]
        json: bool,
    },
    /// List the API tokens
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke an API token: it is no longer accepted
    Revoke {
        /// Number of the API token, as `token list` shows it
        token: i64,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ApiScope {
    /// Read everything
    Read,
    /// Read everything, and operate
    Operate,
}

impl From<ApiScope> for Scope {
    fn from(scope: ApiScope) -> Self {
        match scope {
            ApiScope::Read => Self::Read,
            ApiScope::Operate => Self::Operate,
        }
    }
}

pub(super) fn to_json(token: &TokenSummary) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "scope": token.scope,
        "created_at": token.created_at.to_rfc3339(),
        "last_used_at": token.last_used_at.map(Timestamp::to_rfc3339),
        "revoked_at": token.revoked_at.map(Timestamp::to_rfc3339),
        "expires_at": token.expires_at.map(Timestamp::to_rfc3339),
    })
}

pub(super) async fn run(config: Config, command: TokenCommand, clock: &Clock) -> Result<(), CliError> {
    let store = open(&config, clock).await?;
    let tokens = store.tokens(None).await?;
    match command {
        TokenCommand::Add { name, scope, validity, json } => {
            let (scope, lifetime) = (Scope::from(scope), validity.from(clock.now()));
            let created = tokens::add_api_token(&store, &name, scope, lifetime, &mut getrandom::fill).await;
            let token = created.map_err(|error| match error {
                TokenError::NameTaken(_) => CliError::Usage(format!("{error}; see backend-sync token list")),
                error => error.into(),
            })?;
            match json {
                true => print(json!({"name": name, "scope": scope.as_str(), "token": token}))?,
                false => print(format_args!("API token {name} ({}). It is not shown again:\n{token}", scope.as_str()))?,
            }
        }
        TokenCommand::List { json: true } => print(Value::Array(tokens.iter().map(to_json).collect()))?,
        TokenCommand::List { json: false } if tokens.is_empty() => {
            print("No API tokens yet. Create one: backend-sync token add NAME --scope read")?;
        }
        TokenCommand::List { json: false } => {
            for token in tokens {
                let state = token_state(&token, clock.now());
                let (name, scope) = (token.name.unwrap_or_default(), token.scope);
                let (created, used) = (token.created_at.to_rfc3339(), or_never(token.last_used_at));
                print(format_args!("{:<4} {name}  {scope}  created {created}  last used {used}  {state}", token.id))?;
            }
        }
        TokenCommand::Revoke { token } => {
            tokens::revoke(&store, None, token, clock.now()).await.map_err(|error| match error {
                TokenError::NoToken(_) => {
                    CliError::Usage(format!("there is no API token {token}; see backend-sync token list"))
                }
                error => error.into(),
            })?;
            print(format_args!("API token {token} is revoked and no longer accepted."))?;
        }
    }
    store.close().await;
    Ok(())
}
