//! Tokens: creating, hashing and comparing them.

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
}

/// Random bytes in a token.
const TOKEN_RANDOM_BYTES: usize = 20;

/// A source of randomness, passed in.
pub type Randomness<'a> = &'a mut dyn FnMut(&mut [u8]) -> Result<(), getrandom::Error>;

/// Creates a token: `bss_` (site), `bsa_` (API) or `bsc_` (console) and 160 random bits in hexadecimal.
pub fn new_token(kind: TokenKind, randomness: Randomness<'_>) -> Result<String, getrandom::Error> {
    let mut bytes = [0; TOKEN_RANDOM_BYTES];
    randomness(&mut bytes)?;
    let prefix = match kind {
        TokenKind::Site => "bss",
        TokenKind::Api => "bsa",
        TokenKind::Console => "bsc",
    };
    Ok(format!("{prefix}_{}", hex::encode(bytes)))
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

#[cfg(test)]
mod tests {
    use super::{TokenKind, hash, new_token, same_hash};

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
