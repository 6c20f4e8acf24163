//! Links that sign a person in to the console once.
//!
//! A link's secret is behind the `#` of its address, which browsers send to no server: it is in no log, neither ours nor a
//! proxy's. Memory alone holds its hash, so it ends with its use, with its time, and with the process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    clock::Timestamp,
    limits,
    secret::{self, Randomness, TokenKind},
};

/// The links that nobody has used. Clones share them.
#[derive(Clone, Default)]
pub struct SignInLinks(Arc<Mutex<Vec<Link>>>);

struct Link {
    hash: String,
    /// The hash of the API token that it stands for.
    token: String,
    expires_at: Timestamp,
}

impl SignInLinks {
    /// The path of a new link, which stands for the API token with this hash.
    pub fn make(&self, token: String, now: Timestamp, random: Randomness<'_>) -> Result<String, getrandom::Error> {
        let secret = secret::new_token(TokenKind::Link, random)?;
        let expires_at = now.after(limits::SIGN_IN_LINK);
        self.links().push(Link { hash: secret::hash(&secret), token, expires_at });
        Ok(format!("/sign-in#{secret}"))
    }

    /// Uses up the link with this secret; returns the hash of its API token.
    pub fn take(&self, secret: &str, now: Timestamp) -> Option<String> {
        let (hash, mut links) = (secret::hash(secret), self.links());
        links.retain(|link| link.expires_at > now);
        let place = links.iter().position(|link| secret::same_hash(&link.hash, &hash))?;
        Some(links.swap_remove(place).token)
    }

    fn links(&self) -> MutexGuard<'_, Vec<Link>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{SignInLinks, Timestamp, limits};

    #[test]
    fn a_link_is_used_once_and_in_time() {
        let (links, now) = (SignInLinks::default(), Timestamp(1_000));
        let [first, second, late] = ["a", "b", "c"].map(|token| {
            let link = links.make(token.to_owned(), now, &mut getrandom::fill).unwrap();
            link.strip_prefix("/sign-in#").unwrap().to_owned()
        });
        assert!(first.starts_with("bsl_") && first != second);
        assert_eq!(links.take("bsl_0000000000000000000000000000000000000000", now), None);
        assert_eq!(links.clone().take(&second, now), Some("b".to_owned()));
        assert_eq!(links.take(&second, now), None, "it was used");
        assert_eq!(links.take(&first, now), Some("a".to_owned()));
        assert_eq!(links.take(&late, now.after(limits::SIGN_IN_LINK)), None, "it is too old");
    }
}
