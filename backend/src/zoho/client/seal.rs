//! Encrypting what the database keeps, with a key derived from Zoho's credentials.

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::config;

/// Fills the bytes with random data; `getrandom::fill`, except in tests.
pub type NonceSource = fn(&mut [u8]) -> Result<(), getrandom::Error>;

/// Separates the keys of different purposes and of later formats.
const LABEL: &[u8] = b"backend-sync zoho access token v1";

/// Bytes of a nonce. Random nonces of this length are safe for billions of texts under one key; we encrypt one an hour.
const NONCE_BYTES: usize = 12;

pub(super) struct Seal {
    cipher: ChaCha20Poly1305,
    random: NonceSource,
}

impl Seal {
    pub(super) fn new(config: &config::Zoho, random: NonceSource) -> Self {
        let mut hash = Sha256::new_with_prefix(LABEL);
        // Length-prefixed, so that no two pairs of credentials hash alike.
        for part in [&config.client_secret, &config.refresh_token].map(|secret| secret.expose_secret().as_bytes()) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let key: [u8; 32] = hash.finalize().into();
        Self { cipher: ChaCha20Poly1305::new(&key.into()), random }
    }

    /// Encrypts a text, to hexadecimal; `None` when there is no randomness.
    pub(super) fn close(&self, text: &[u8]) -> Option<String> {
        let mut nonce = [0; NONCE_BYTES];
        (self.random)(&mut nonce).ok()?;
        let payload = Payload { msg: text, aad: LABEL };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload).ok()?;
        Some(hex::encode(nonce) + &hex::encode(sealed))
    }

    /// Decrypts a text; `None` if it was encrypted with other credentials.
    pub(super) fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        let bytes = hex::decode(sealed).ok()?;
        let (nonce, text) = bytes.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        self.cipher.decrypt(&Nonce::from(nonce), Payload { msg: text, aad: LABEL }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Seal;
    use crate::zoho::client::tests::config;

    #[test]
    fn only_the_same_credentials_open_it() {
        let seal = Seal::new(&config("http://localhost"), getrandom::fill);
        let sealed = seal.close(b"token").unwrap();
        assert_eq!(seal.open(&sealed).as_deref(), Some(&b"token"[..]));
        assert_ne!(seal.close(b"token").unwrap(), sealed, "the nonce is random");

        let mut other = config("http://localhost");
        other.refresh_token = "another".to_owned().into();
        assert_eq!(Seal::new(&other, getrandom::fill).open(&sealed), None);
        for broken in ["", "zz", "00", &sealed[2..], &sealed[..sealed.len() - 2]] {
            assert_eq!(seal.open(broken), None, "{broken}");
        }
        let no_randomness = Seal::new(&config("http://localhost"), |_| Err(getrandom::Error::UNSUPPORTED));
        assert_eq!(no_randomness.close(b"token"), None);
    }
}
