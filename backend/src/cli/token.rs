//! `backend-sync token …`

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{CliError, Validity, make_token, open, or_never, print, token_state};
use crate::{
    clock::{Clock, Timestamp},
    config::Config,
    secret::TokenKind,
    store::{NewToken, Scope, TokenSummary},
};

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token for an API consumer and print it; it is not shown again
    Add {
        /// A name to recognise it by
        name: String,
        /// What it allows
        #[arg(long, value_enum)]
        scope: ApiScope,
        #[command(flatten)]
        validity: Validity,
        /// Print {"name":…,"scope":…,"token":…}
        #[arg(long)]
        json: bool,
    },
    /// List the tokens of API consumers
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token: it is refused from now on
    Revoke {
        /// Number of the token, as `token list` shows it
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
    let store = open(&config).await?;
    let tokens = store.tokens(None).await?;
    match command {
        TokenCommand::Add { name, scope, validity, json } => {
            if tokens.iter().any(|token| token.revoked_at.is_none() && token.name.as_ref() == Some(&name)) {
                return Err(CliError::Usage(format!(
                    "there is a token called {name} already; see backend-sync token list"
                )));
            }
            let scope = Scope::from(scope);
            let (token, hash) = make_token(TokenKind::Api)?;
            let (created_at, name_of) = (clock.now(), Some(name.as_str()));
            let expires_at = validity.end(created_at);
            let row = NewToken { scope, site_id: None, name: name_of, hash, created_at, expires_at };
            store.add_token(row).await?;
            match json {
                true => print(json!({"name": name, "scope": scope.as_str(), "token": token}))?,
                false => print(format_args!("Token {name} ({}). It is not shown again:\n{token}", scope.as_str()))?,
            }
        }
        TokenCommand::List { json: true } => print(Value::Array(tokens.iter().map(to_json).collect()))?,
        TokenCommand::List { json: false } if tokens.is_empty() => {
            print("No tokens yet. Make one: backend-sync token add NAME --scope read")?;
        }
        TokenCommand::List { json: false } => {
            for token in tokens {
                let state = token_state(&token, clock.now());
                let (name, scope) = (token.name.unwrap_or_default(), token.scope);
                let (made, used) = (token.created_at.to_rfc3339(), or_never(token.last_used_at));
                print(format_args!("{:<4} {name}  {scope}  made {made}  last used {used}  {state}", token.id))?;
            }
        }
        TokenCommand::Revoke { token } => {
            let Some(found) = tokens.iter().find(|found| found.id == token) else {
                return Err(CliError::Usage(format!("there is no token {token}; see backend-sync token list")));
            };
            if found.revoked_at.is_none() {
                store.revoke_token(token, clock.now()).await?;
            }
            print(format_args!("Token {token} is refused from now on."))?;
        }
    }
    store.close().await;
    Ok(())
}
