//! Access tokens and their limits.

use std::collections::VecDeque;

use chrono::TimeDelta;
use sha2::{Digest, Sha256};

use chrono::{DateTime, Utc};

/// The only refresh token of the simulated organisation, and the only code of a self client.
pub(super) const REFRESH_TOKEN: &str = "simulator";

/// The life of an access token, as in Zoho.
pub(super) const LIFE: TimeDelta = TimeDelta::hours(1);

/// The most access tokens alive at once; the next one replaces the oldest. Zoho's limit.
const ALIVE: usize = 15;

/// The most new access tokens in [`NEW_WINDOW`]; Zoho's limit.
const NEW: usize = 10;

/// See [`NEW`].
const NEW_WINDOW: TimeDelta = TimeDelta::minutes(10);

/// Why the accounts server grants no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenRefusal {
    InvalidCode,
    TooMany,
}

/// The access tokens of the refresh token.
#[derive(Default)]
pub(super) struct Tokens {
    alive: VecDeque<(String, DateTime<Utc>)>,
    made: VecDeque<DateTime<Utc>>,
    count: u64,
}

impl Tokens {
    /// Issues an access token, unless there were too many recently.
    pub(super) fn issue(&mut self, now: DateTime<Utc>) -> Result<String, TokenRefusal> {
        let window_start = now - NEW_WINDOW;
        self.made.retain(|made| *made > window_start);
        if self.made.len() >= NEW {
            return Err(TokenRefusal::TooMany);
        }
        self.made.push_back(now);
        self.count += 1;
        // Includes the time, so that a token of an earlier process is not accepted.
        let token = format!(
            "1000.{}",
            &hex::encode(Sha256::digest(format!("{}/{}", now.timestamp_millis(), self.count)))[..64]
        );
        self.alive.push_back((token.clone(), now));
        if self.alive.len() > ALIVE {
            self.alive.pop_front();
        }
        Ok(token)
    }

    /// Whether this token is alive.
    pub(super) fn knows(&self, token: &str, now: DateTime<Utc>) -> bool {
        let oldest = now - LIFE;
        self.alive.iter().any(|(alive, made)| alive == token && *made > oldest)
    }

    /// Ends all access tokens, as revoking the refresh token does.
    pub(super) fn revoke(&mut self) {
        self.alive.clear();
    }
}
