//! Tokens: how they are made, hashed and compared.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Which kind of credential a token is; its prefix says so, so that a person and a secret scanner can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Sent by a site's plugin.
    Site,
    /// Sent by an API consumer.
    Api,
    /// Kept in the browser of somebody who is signed in to the console.
    Console,
}

/// Bytes of randomness in a token.
const TOKEN_RANDOM_BYTES: usize = 20;

/// A source of randomness, passed in.
pub type Randomness<'a> = &'a mut dyn FnMut(&mut [u8]) -> Result<(), getrandom::Error>;

/// Makes a token: `bss_` (site), `bsa_` (API) or `bsc_` (console) and 160 random bits in hexadecimal.
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

/// SHA-256 in hexadecimal: what is stored of a token. A fast hash is right for a secret of 160 random bits.
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
