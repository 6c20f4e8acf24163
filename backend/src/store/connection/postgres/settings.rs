//! What is set in PostgreSQL, so that neither the server's defaults nor those of role or database can break a promise.

use std::time::Duration;

use crate::limits;

/// What the connections of a pool are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Access {
    Read,
    Write,
}

/// Settings with their values; a later one wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Settings(Vec<(String, String)>);

/// The setting that ends whole transactions, and the version of PostgreSQL that brought it.
const TRANSACTION_TIMEOUT: (&str, i32) = ("transaction_timeout", 170_000);

impl Settings {
    /// Ours after `more`, for a server of this version.
    pub(super) fn new(access: Access, version: i32, more: &[(String, String)]) -> Self {
        let statement_timeout = match access {
            Access::Read => limits::LONG_STATEMENT,
            // Writers have deadlines on our side, which differ.
            Access::Write => Duration::ZERO,
        };
        let mut own = vec![
            // An answered event must be on disk.
            ("synchronous_commit", "on".to_owned()),
            // A wait for a standby that was cancelled is a warning only.
            ("client_min_messages", "warning".to_owned()),
            // Two processes that raise the same counter wait for each other, and do not fail.
            ("default_transaction_isolation", "read committed".to_owned()),
            ("lock_timeout", milliseconds(limits::LOCK_WAIT)),
            ("statement_timeout", milliseconds(statement_timeout)),
            ("idle_in_transaction_session_timeout", milliseconds(limits::IDLE_TRANSACTION)),
            // copy-database compares texts.
            ("bytea_output", "hex".to_owned()),
        ];
        if version >= TRANSACTION_TIMEOUT.1 {
            own.push((TRANSACTION_TIMEOUT.0, milliseconds(Duration::ZERO)));
        }
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        Self(more.iter().cloned().chain(own).collect())
    }

    /// What helps where the server's system has it: if this process vanishes or gives up, its locks are released.
    pub(super) fn helpful() -> Self {
        let seconds = |time: Duration| time.as_secs().to_string();
        let settings = [
            ("tcp_keepalives_idle", seconds(limits::KEEP_ALIVE)),
            ("tcp_keepalives_interval", seconds(limits::KEEP_ALIVE)),
            ("tcp_keepalives_count", "3".to_owned()),
            ("tcp_user_timeout", milliseconds(limits::KEEP_ALIVE * 4)),
            ("client_connection_check_interval", milliseconds(limits::KEEP_ALIVE)),
            ("idle_session_timeout", milliseconds(Duration::ZERO)),
        ];
        Self(settings.map(|(name, value)| (name.to_owned(), value)).to_vec())
    }

    /// The statement that sets all of them for the session.
    pub(in crate::store) fn for_session(&self) -> String {
        self.set(false)
    }

    /// The statement that sets all of them for the transaction.
    pub(in crate::store) fn for_transaction(&self) -> String {
        self.set(true)
    }

    /// One statement, and a function that takes lists as `search_path` in the form that people write.
    fn set(&self, is_local: bool) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let set =
            |(name, value): &(String, String)| format!("set_config({}, {}, {is_local})", quoted(name), quoted(value));
        format!("SELECT {}", self.0.iter().map(set).collect::<Vec<_>>().join(", "))
    }
}

fn milliseconds(time: Duration) -> String {
    time.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use super::{Access, Settings};

    #[test]
    fn ours_win_and_values_are_quoted() {
        let more = [("search_path".to_owned(), "a'b".to_owned()), ("synchronous_commit".to_owned(), "off".to_owned())];
        let sql = Settings::new(Access::Write, 150_000, &more).for_transaction();
        assert!(sql.starts_with("SELECT set_config('search_path', 'a''b', true), "), "{sql}");
        assert!(sql.rfind("'synchronous_commit', 'on'") > sql.rfind("'synchronous_commit', 'off'"), "{sql}");
        assert!(!sql.contains("transaction_timeout'"), "{sql}");
        assert!(
            Settings::new(Access::Read, 170_000, &[]).for_session().contains("('transaction_timeout', '0', false)")
        );
    }
}
