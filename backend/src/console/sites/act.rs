//! Adding sites and tokens, rotating and revoking tokens.

use std::sync::Arc;

use askama::Template;
use poem::{
    IntoResponse, Response, handler,
    http::{StatusCode, header},
    web::{Data, Form, Html, Path},
};
use serde::Deserialize;

use super::{ADDRESS, TokenView, is_web_address};
use crate::{
    api::Context,
    console::{
        error::PageError,
        frame::Frame,
        session::{Operator, SignedIn},
    },
    model::SiteName,
    store::Scope,
    tokens::{self, Lifetime, TokenError},
};

/// The limit of an API token's name, in characters: it must fit in a table.
const NAME_CHARACTERS: usize = 80;

/// The limit of a Moodle's address, in bytes.
const ADDRESS_BYTES: usize = 500;

/// A new token. Only this answer ever shows it.
#[derive(Template)]
#[template(path = "new_token.html")]
struct NewTokenPage {
    frame: Frame,
    token: String,
    /// None for an API token.
    site: Option<String>,
    /// Whether the site has other tokens that are still valid.
    rotated: bool,
}

/// The confirmation page before a token is revoked.
#[derive(Template)]
#[template(path = "revoke.html")]
struct RevokePage {
    frame: Frame,
    token: TokenView,
    site: Option<String>,
    /// Whether no other valid token has the scope `operate`.
    last_operator: bool,
}

#[derive(Deserialize)]
pub(in crate::console) struct SiteForm {
    name: String,
    wwwroot: Option<String>,
}

#[derive(Deserialize)]
pub(in crate::console) struct TokenForm {
    name: String,
    scope: String,
}

impl From<TokenError> for PageError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Store(error) => Self::Store(error),
            TokenError::NoSite(_) | TokenError::NoToken(_) => Self::NotFound,
            TokenError::SiteExists(name) => Self::Bad(format!("The site {name} already exists; choose another name.")),
            TokenError::NameTaken(name) => {
                Self::Bad(format!("The API token {name} already exists; choose another name."))
            }
            error @ TokenError::IsDelivered { .. } => Self::Bad(error.to_string()),
            TokenError::Randomness(_) => Self::Internal,
        }
    }
}

fn show_token(who: Operator, token: String, site: Option<String>, rotated: bool) -> Result<Html<String>, PageError> {
    let frame = Frame::new("The new token", ADDRESS, &SignedIn(who.0));
    Ok(Html(NewTokenPage { frame, token, site, rotated }.render()?))
}

#[handler]
pub(in crate::console) async fn add_site(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(form): Form<SiteForm>,
) -> Result<Html<String>, PageError> {
    let name: SiteName = form.name.trim().parse().map_err(|_| {
        PageError::Bad(
            "A site's name has 1 to 40 characters out of a-z, 0-9 and -, and begins with a letter or a digit."
                .to_owned(),
        )
    })?;
    let wwwroot = form.wwwroot.map(|text| text.trim().trim_end_matches('/').to_owned()).filter(|text| !text.is_empty());
    if wwwroot.as_ref().is_some_and(|text| !is_web_address(text) || text.len() > ADDRESS_BYTES) {
        return Err(PageError::Bad(
            "A Moodle's address begins with https:// or http://, as its wwwroot does.".to_owned(),
        ));
    }
    let token = tokens::add_site(
        &context.store,
        &name,
        wwwroot,
        Lifetime::unlimited(context.clock.now()),
        &mut getrandom::fill,
    )
    .await?;
    tracing::info!(by = who.0.token_id, site = %name, "a site was added in the console");
    show_token(who, token, Some(name.to_string()), false)
}

#[handler]
pub(in crate::console) async fn rotate(
    who: Operator,
    Path(site): Path<String>,
    context: Data<&Arc<Context>>,
) -> Result<Html<String>, PageError> {
    let token =
        tokens::rotate(&context.store, &site, Lifetime::unlimited(context.clock.now()), &mut getrandom::fill).await?;
    tracing::info!(by = who.0.token_id, site, "a token was created in the console");
    show_token(who, token, Some(site), true)
}

#[handler]
pub(in crate::console) async fn add_api_token(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(form): Form<TokenForm>,
) -> Result<Html<String>, PageError> {
    let name = form.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARACTERS || name.contains(char::is_control) {
        return Err(PageError::Bad(format!("An API token's name has 1 to {NAME_CHARACTERS} characters on one line.")));
    }
    let scope = [Scope::Read, Scope::Operate].into_iter().find(|scope| scope.as_str() == form.scope);
    let scope = scope.ok_or_else(|| PageError::Bad("An API token's scope is read or operate.".to_owned()))?;
    let token = tokens::add_api_token(
        &context.store,
        name,
        scope,
        Lifetime::unlimited(context.clock.now()),
        &mut getrandom::fill,
    )
    .await?;
    tracing::info!(by = who.0.token_id, scope = scope.as_str(), "an API token was created in the console");
    show_token(who, token, None, false)
}

/// Shows the confirmation page.
async fn confirm(who: Operator, site: Option<String>, id: i64, context: &Context) -> Result<Html<String>, PageError> {
    let found = match &site {
        Some(name) => Some(context.store.site(name).await?.ok_or(PageError::NotFound)?),
        None => None,
    };
    let tokens = context.store.tokens(found.as_ref()).await?;
    let operates = |token: &TokenView| token.scope == Scope::Operate.as_str() && !token.state.revoked;
    let mut list = TokenView::list(tokens, who.0.token_id, context.clock.now());
    let others = list.iter().filter(|token| token.id != id && operates(token)).count();
    let place = list.iter().position(|token| token.id == id && !token.state.revoked).ok_or(PageError::NotFound)?;
    let token = list.swap_remove(place);
    let last_operator = operates(&token) && others == 0;
    let frame = Frame::new(format!("Revoke token {id}?"), ADDRESS, &SignedIn(who.0));
    Ok(Html(RevokePage { frame, token, site, last_operator }.render()?))
}

async fn revoke(who: Operator, site: Option<&str>, id: i64, context: &Context) -> Result<Response, PageError> {
    tokens::revoke(&context.store, site, id, context.clock.now()).await?;
    tracing::info!(by = who.0.token_id, token = id, "a token was revoked in the console");
    // Revoking the session's own token signs out.
    let next = if who.0.token_id == id { "/sign-in" } else { "/sites?done=revoked" };
    Ok(StatusCode::SEE_OTHER.with_header(header::LOCATION, next).into_response())
}

#[handler]
pub(in crate::console) async fn confirm_site(
    who: Operator,
    Path((site, id)): Path<(String, i64)>,
    context: Data<&Arc<Context>>,
) -> Result<Html<String>, PageError> {
    confirm(who, Some(site), id, &context).await
}

#[handler]
pub(in crate::console) async fn revoke_site(
    who: Operator,
    Path((site, id)): Path<(String, i64)>,
    context: Data<&Arc<Context>>,
) -> Result<Response, PageError> {
    revoke(who, Some(&site), id, &context).await
}

#[handler]
pub(in crate::console) async fn confirm_api(
    who: Operator,
    Path(id): Path<i64>,
    context: Data<&Arc<Context>>,
) -> Result<Html<String>, PageError> {
    confirm(who, None, id, &context).await
}

#[handler]
pub(in crate::console) async fn revoke_api(
    who: Operator,
    Path(id): Path<i64>,
    context: Data<&Arc<Context>>,
) -> Result<Response, PageError> {
    revoke(who, None, id, &context).await
}
