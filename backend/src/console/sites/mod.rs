//! Sites and tokens: which may send, which may read, and when they last did.

mod act;
mod state;

use std::sync::Arc;

use askama::Template;
use poem::{
    handler,
    web::{Data, Html, Query},
};
use serde::Deserialize;

pub(super) use self::act::{add_api_token, add_site, confirm_api, confirm_site, revoke_api, revoke_site, rotate};
use self::state::TokenState;
use super::{error::PageError, frame::Frame, session::SignedIn, words::Moment};
use crate::{
    activity,
    api::Context,
    clock::Timestamp,
    store::{SiteSummary, Store, TokenSummary},
    views::ParityView,
};

const ADDRESS: &str = "/sites";

#[derive(Template)]
#[template(path = "sites.html")]
struct SitesPage {
    frame: Frame,
    done: Option<&'static str>,
    sites: Vec<SiteView>,
    tokens: Vec<TokenView>,
}

struct SiteView {
    name: String,
    wwwroot: Option<String>,
    added: Moment,
    last_event: Option<Moment>,
    last_used: Option<Moment>,
    /// Whether the backend holds what Moodle holds, by kind.
    parity: Vec<ParityView>,
    tokens: Vec<TokenView>,
}

struct TokenView {
    id: i64,
    name: String,
    scope: String,
    created: Moment,
    last_used: Option<Moment>,
    state: TokenState,
    /// Whether it is the token of this session.
    own: bool,
}

#[derive(Deserialize)]
pub(super) struct SitesQuery {
    done: Option<String>,
}

/// The message for the word in an address after an action.
fn done_message(done: &str) -> Option<&'static str> {
    match done {
        "revoked" => Some("The token is revoked and no longer accepted."),
        _ => None,
    }
}

impl TokenView {
    fn list(tokens: Vec<TokenSummary>, own: i64, now: Timestamp) -> Vec<Self> {
        let states: Vec<_> = tokens.iter().map(|token| TokenState::new(token, &tokens, now)).collect();
        let view = |(token, state): (TokenSummary, TokenState)| Self {
            id: token.id,
            name: token.name.unwrap_or_default(),
            scope: token.scope,
            created: Moment::new(token.created_at, now),
            last_used: token.last_used_at.map(|at| Moment::new(at, now)),
            state,
            own: token.id == own,
        };
        // Valid tokens first, then the newest first.
        let mut list: Vec<_> = tokens.into_iter().zip(states).map(view).collect();
        list.sort_by_key(|token| (token.state.revoked, std::cmp::Reverse(token.id)));
        list
    }
}

impl SiteView {
    async fn read(
        store: &Store,
        summary: SiteSummary,
        parity: Vec<ParityView>,
        own: i64,
        now: Timestamp,
    ) -> Result<Self, PageError> {
        let site = store.site(&summary.name).await?.ok_or(PageError::NotFound)?;
        let tokens = store.tokens(Some(&site)).await?;
        // The exact time is kept for a while; after that, the minute is known.
        let last_event = match store.last_event_of(&summary.name).await? {
            Some(at) => Some(at),
            None => store.last_activity(&activity::subject_site(&summary.name)).await?,
        };
        let last_used = tokens.iter().filter_map(|token| token.last_used_at).max();
        Ok(Self {
            added: Moment::new(summary.created_at, now),
            last_event: last_event.map(|at| Moment::new(at, now)),
            last_used: last_used.map(|at| Moment::new(at, now)),
            name: summary.name,
            wwwroot: summary.wwwroot,
            parity,
            tokens: TokenView::list(tokens, own, now),
        })
    }

    /// Whether the address may become a link: it was typed, and could be anything.
    fn has_web_address(&self) -> bool {
        self.wwwroot.as_deref().is_some_and(is_web_address)
    }
}

/// Whether the text is an http or https address.
fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && rest.bytes().all(|byte| byte.is_ascii_graphic())
    })
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    Query(SitesQuery { done }): Query<SitesQuery>,
    context: Data<&Arc<Context>>,
) -> Result<Html<String>, PageError> {
    let (store, now, own) = (&context.store, context.clock.now(), who.0.token_id);
    let (mut sites, compared) = (Vec::new(), ParityView::read(store).await?);
    for summary in store.sites().await? {
        let parity = compared.iter().filter(|view| view.site == summary.name).cloned().collect();
        sites.push(SiteView::read(store, summary, parity, own, now).await?);
    }
    let html = SitesPage {
        frame: Frame::new("Sites and tokens", ADDRESS, &who),
        done: done.as_deref().and_then(done_message),
        sites,
        tokens: TokenView::list(store.tokens(None).await?, own, now),
    };
    Ok(Html(html.render()?))
}

#[cfg(test)]
mod tests {
    use super::is_web_address;

    #[test]
    fn only_web_addresses_become_links() {
        assert!(is_web_address("https://moodle.college.example/moodle"));
        assert!(is_web_address("http://localhost:8080"));
        for other in ["javascript:alert(1)", "moodle.example", "https://", "https:///a", "https://a b", "ftp://a", ""] {
            assert!(!is_web_address(other), "{other}");
        }
    }
}
