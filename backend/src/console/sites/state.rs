//! The state of a token, and when it is safe to revoke.

use std::time::Duration;

use crate::{clock::Timestamp, limits, store::TokenSummary};

/// An old token counts as out of use after this long without use while the new one is in use. A sender's run takes minutes, and uses
/// are stored once a minute.
const OUT_OF_USE: Duration = Duration::from_secs(15 * 60);

/// The state of a token, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenState {
    pub(super) word: &'static str,
    pub(super) tone: &'static str,
    /// What to do with it when rotating tokens.
    pub(super) advice: Option<&'static str>,
    pub(super) revoked: bool,
}

impl TokenState {
    /// The state of a token among `all` of its site. API tokens do not replace each other.
    pub(super) fn new(token: &TokenSummary, all: &[TokenSummary], now: Timestamp) -> Self {
        if token.revoked_at.is_some() {
            return Self { word: "revoked", tone: "", advice: None, revoked: true };
        }
        let state = |word, tone, advice| Self { word, tone, advice, revoked: false };
        if token.expires_at.is_some_and(|end| end <= now) {
            return state("expired", "", Some("It is no longer accepted. Its users need another one."));
        }
        let newer =
            all.iter().filter(|other| token.site.is_some() && other.revoked_at.is_none() && other.id > token.id);
        // The newest use of a newer token.
        let newer_used = newer.map(|other| other.last_used_at).max();
        let idle = |used: Timestamp| now.since(used) >= OUT_OF_USE + limits::LAST_USED_INTERVAL;
        match (newer_used, token.last_used_at) {
            (None, None) => state("valid, never used", "", None),
            (None, Some(_)) => state("valid", "good", None),
            (Some(None), _) => state(
                "old, still needed",
                "warn",
                Some("The newer token has not been used yet. Put it into Moodle, and keep this one until then."),
            ),
            (Some(Some(_)), None) => {
                state("old, never used", "", Some("A newer token is in use, so this one can be revoked."))
            }
            (Some(Some(newer)), Some(used)) if newer > used && idle(used) => state(
                "old, out of use",
                "",
                Some("The newer token is in use and this one no longer is: it is safe to revoke."),
            ),
            (Some(Some(_)), Some(_)) => state(
                "old, but still used",
                "warn",
                Some("It was used recently. Revoke it when it has not been used for a quarter of an hour."),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TokenState, TokenSummary};
    use crate::clock::Timestamp;

    const MINUTE: i64 = 60_000;

    fn token(id: i64, used: Option<i64>, revoked: bool) -> TokenSummary {
        TokenSummary {
            id,
            scope: "ingest".to_owned(),
            site: Some("college".to_owned()),
            name: None,
            created_at: Timestamp(0),
            expires_at: None,
            last_used_at: used.map(|minute| Timestamp(minute * MINUTE)),
            revoked_at: revoked.then_some(Timestamp(1)),
        }
    }

    /// The words for the first of these tokens, at minute 100.
    fn first(tokens: &[TokenSummary]) -> &'static str {
        TokenState::new(&tokens[0], tokens, Timestamp(100 * MINUTE)).word
    }

    #[test]
    fn an_old_token_is_safe_to_revoke_when_the_new_one_has_taken_over() {
        assert_eq!(first(&[token(1, Some(99), false)]), "valid");
        assert_eq!(first(&[token(1, Some(99), false), token(2, None, false)]), "old, still needed");
        assert_eq!(first(&[token(1, Some(99), false), token(2, Some(98), false)]), "old, but still used");
        assert_eq!(first(&[token(1, Some(90), false), token(2, Some(99), false)]), "old, but still used");
        assert_eq!(first(&[token(1, Some(80), false), token(2, Some(99), false)]), "old, out of use");
        // The new one is idle as well: it was tried once, and Moodle kept using the old one.
        assert_eq!(first(&[token(1, Some(80), false), token(2, Some(70), false)]), "old, but still used");
        assert_eq!(first(&[token(1, None, false), token(2, Some(99), false)]), "old, never used");
        assert_eq!(first(&[token(1, Some(99), false), token(2, Some(99), true)]), "valid");
        assert_eq!(first(&[token(1, Some(99), true), token(2, None, false)]), "revoked");
        assert_eq!(first(&[token(2, None, false), token(1, Some(99), false)]), "valid, never used");
        let ends = |minute| TokenSummary { expires_at: Some(Timestamp(minute * MINUTE)), ..token(1, Some(99), false) };
        assert_eq!((first(&[ends(100)]), first(&[ends(101)])), ("expired", "valid"));
    }

    #[test]
    fn tokens_of_api_consumers_do_not_replace_each_other() {
        let api = |id| TokenSummary { site: None, ..token(id, Some(99), false) };
        assert_eq!(first(&[api(1), api(2)]), "valid");
    }
}
