//! Tokens: creating, hashing and comparing them. And secrets of others that we hold, which no text may show.

use std::sync::{PoisonError, RwLock};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The kind of a token; its prefix shows it to people and to secret scanners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Sent by a site's plugin.
    Site,
    /// Sent by an API consumer.
    Api,
    /// Kept in the browser of a person signed in to the console.
    Console,
    /// In a link that signs in to the console once.
    Link,
}

/// Random bytes in a token.
const TOKEN_RANDOM_BYTES: usize = 20;

/// A source of randomness, passed in.
pub type Randomness<'a> = &'a mut dyn FnMut(&mut [u8]) -> Result<(), getrandom::Error>;

impl TokenKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Site => "bss_",
            Self::Api => "bsa_",
            Self::Console => "bsc_",
            Self::Link => "bsl_",
        }
    }

    /// The kind of what may be a token, by its prefix.
    pub fn of(token: &str) -> Option<Self> {
        [Self::Site, Self::Api, Self::Console, Self::Link].into_iter().find(|kind| token.starts_with(kind.prefix()))
    }
}

/// Creates a token: `bss_` (site), `bsa_` (API), `bsc_` (console) or `bsl_` (link) and 160 random bits in hexadecimal.
pub fn new_token(kind: TokenKind, randomness: Randomness<'_>) -> Result<String, getrandom::Error> {
    let mut bytes = [0; TOKEN_RANDOM_BYTES];
    randomness(&mut bytes)?;
    Ok(format!("{}{}", kind.prefix(), hex::encode(bytes)))
}

/// SHA-256 in hexadecimal: all that is stored of a token. A fast hash is fine for a secret of 160 random bits.
pub fn hash(token: &str) -> String {
    hash_bytes(token.as_bytes())
}

/// SHA-256 in hexadecimal.
pub fn hash_bytes(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Compares two hashes in constant time.
pub fn same_hash(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// The secrets that this process was told, as they may appear in the texts of others.
static HELD: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Characters of the shortest secret that is hidden: a shorter one would be found in ordinary words.
const SHORTEST_HIDDEN: usize = 4;

/// Remembers a secret, so that [`hidden`] hides it.
pub fn hold(secret: &str) {
    if secret.chars().count() < SHORTEST_HIDDEN {
        return;
    }
    let mut held = HELD.write().unwrap_or_else(PoisonError::into_inner);
    if !held.iter().any(|known| known == secret) {
        held.push(secret.to_owned());
        // One may be a part of another: the longer one must go first.
        held.sort_by_key(|known| std::cmp::Reverse(known.len()));
    }
}

/// A text of others, such as a driver's error, without the secrets that this process holds.
pub fn hidden(text: impl std::fmt::Display) -> String {
    let held = HELD.read().unwrap_or_else(PoisonError::into_inner);
    held.iter().fold(text.to_string(), |text, secret| {
        if text.contains(secret.as_str()) { text.replace(secret.as_str(), "…") } else { text }
    })
}

#[cfg(test)]
mod tests {
    use super::{TokenKind, hash, hidden, hold, new_token, same_hash};

    #[test]
    fn a_secret_is_hidden_in_the_texts_of_others() {
        for secret in ["s3cr3t-long", "s3cr3t-long-and-more", "of"] {
            hold(secret);
        }
        assert_eq!(hidden("no s3cr3t-long-and-more, no s3cr3t-long of it"), "no …, no … of it");
    }

    #[test]
    fn tokens_show_what_they_are() {
        let mut zeros = |bytes: &mut [u8]| {
            bytes.fill(0);
            Ok(())
        };
        let token = new_token(TokenKind::Site, &mut zeros).unwrap();
        assert_eq!(token, format!("bss_{}", "0".repeat(40)));
        assert!(same_hash(&hash(&token), &hash(&token)));
        assert!(!same_hash(&hash(&token), &hash("bss_other")));
    }
}
