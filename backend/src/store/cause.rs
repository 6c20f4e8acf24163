//! Why the database fails, classified by what people can do about it.

use sea_orm::{
    ConnAcquireErr, DbErr, RuntimeErr,
    sqlx::{self, postgres::PgDatabaseError},
};

use super::fault::Fault;

/// What is wrong with the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its disk is full.
    DiskFull,
    /// Its disk cannot be read or written.
    Disk,
    /// It is read-only.
    ReadOnly,
    /// It is read-only because it is a standby.
    Standby,
    /// Something else holds a lock that we need.
    Locked,
    /// The file is not the one that was opened.
    Replaced,
    /// The file is damaged, or is not a database.
    Damaged,
    /// It denies access.
    Forbidden,
    /// A table or the whole database is missing.
    Missing,
    /// It has no connection left for us.
    Connections,
    /// It cannot hold every text.
    Encoding,
    /// There is no encrypted connection to it that can be trusted.
    Encryption,
    /// A pooler came in between after the start.
    Pooler,
    /// It cannot be reached.
    Unreachable,
    /// No connection became free in time.
    NoConnection,
    /// It did not answer in time.
    Deadline,
    /// Something else; the log has the database's own message.
    Other,
}

impl Cause {
    pub(super) fn of(error: &DbErr) -> Self {
        match Fault::of(error) {
            Some(Fault::Silent(_)) => return Self::Deadline,
            Some(Fault::FileGone(_)) => return Self::Replaced,
            Some(Fault::Hidden) => return Self::Forbidden,
            Some(Fault::Encoding { .. }) => return Self::Encoding,
            Some(Fault::Pooler) => return Self::Pooler,
            Some(Fault::Broken | Fault::NotDurable(_)) | None => {}
        }
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Self::NoConnection,
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => Self::Unreachable,
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => cause_of(error),
            _ => Self::Other,
        }
    }

    /// A code for programs, why, and what to do.
    pub fn in_words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::DiskFull => ("database_disk_full", "its disk is full", "Make room on the database's disk."),
            Self::Disk => (
                "database_disk_failing",
                "its disk cannot be read or written",
                "Look for disk errors in the system's log, and check quotas and limits on file sizes.",
            ),
            Self::ReadOnly => (
                "database_read_only",
                "it is read-only",
                "On PostgreSQL, see default_transaction_read_only; for SQLite, check whether the file system is mounted read-only \
                 and who may write the file.",
            ),
            Self::Standby => (
                "database_standby",
                "the server is a standby that follows another one",
                "Point database_url to the primary, or promote this server.",
            ),
            Self::Locked => (
                "database_locked",
                "something else holds a lock on it",
                "End what holds it: on PostgreSQL, see pg_stat_activity and pg_blocking_pids(); a SQLite file may be open in \
                 another program.",
            ),
            Self::Replaced => (
                "database_replaced",
                "its file was deleted, moved or replaced",
                "Put the file back or restore a backup, then restart Backend Sync.",
            ),
            Self::Damaged => {
                ("database_damaged", "it is damaged, or is not a database", "Keep a copy of it, and restore a backup.")
            }
            Self::Forbidden => (
                "database_forbidden",
                "it does not let Backend Sync do so",
                "Check the user's password and privileges, and that no row security hides rows of its tables.",
            ),
            Self::Missing => (
                "database_missing",
                "a table or the database itself is missing",
                "Check that database_url and search_path still lead to the same database; if they do, restore a backup.",
            ),
            Self::Connections => (
                "database_connections",
                "it has no connection left",
                "See what holds them (pg_stat_activity), and raise max_connections, or the limit of the role or the database, if \
                 all are needed.",
            ),
            Self::Encoding => (
                "database_encoding",
                "its encoding cannot hold every name",
                "Create a database with the encoding UTF8; the log has the command.",
            ),
            Self::Encryption => (
                "database_encryption",
                "there is no encrypted connection to it that can be trusted",
                "Give the server a certificate for the host name in database_url, and name its authority in \
                 certificate_authorities; or say in database_url how much is wanted: ?sslmode=require (encrypted, whoever \
                 answers) or ?sslmode=disable.",
            ),
            Self::Pooler => (
                "database_pooler",
                "a connection pooler now stands in between",
                "Restart Backend Sync, which then adapts to it.",
            ),
            Self::Unreachable => (
                "database_unreachable",
                "it cannot be reached",
                "Is it running, and can it be reached from this machine?",
            ),
            Self::NoConnection => (
                "database_no_connection",
                "it gave no connection in time",
                "Is it running, can it be reached from this machine, and does something hold it for long?",
            ),
            Self::Deadline => (
                "database_silent",
                "it did not answer in time",
                "Check its load, its locks, and the network in between.",
            ),
            Self::Other => ("database_refuses", "it refuses the request", "Run backend-sync doctor, and see the log."),
        }
    }

    /// What is wrong and what to do, for people.
    pub fn sentence(self) -> String {
        let (_, cause, advice) = self.in_words();
        format!("The database accepts no events: {cause}. {advice}")
    }
}

fn cause_of(error: &sqlx::Error) -> Cause {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            match error.try_downcast_ref::<PgDatabaseError>() {
                Some(_) => of_postgres(&code),
                None => code.parse().map_or(Cause::Other, |code| of_sqlite(code, error.message())),
            }
        }
        sqlx::Error::Tls(_) => Cause::Encryption,
        // A handshake that fails, as with a certificate of an unknown authority.
        sqlx::Error::Io(error) if error.get_ref().is_some_and(|error| error.is::<rustls::Error>()) => Cause::Encryption,
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Cause::Unreachable,
        sqlx::Error::PoolTimedOut => Cause::NoConnection,
        _ => Cause::Other,
    }
}

/// Classifies a SQLSTATE of PostgreSQL.
fn of_postgres(code: &str) -> Cause {
    match code {
        "53100" => Cause::DiskFull,
        "58030" => Cause::Disk,
        // A standby answers the same; only the server itself knows that it is one.
        "25006" => Cause::ReadOnly,
        "55P03" => Cause::Locked,
        "42501" => Cause::Forbidden,
        "42P01" | "42703" | "3D000" | "3F000" | "57P04" => Cause::Missing,
        "53300" => Cause::Connections,
        "57014" | "25P03" | "25P04" => Cause::Deadline,
        "57P01" | "57P02" | "57P03" | "57P05" => Cause::Unreachable,
        code if code.starts_with("08") => Cause::Unreachable,
        code if code.starts_with("28") => Cause::Forbidden,
        code if code.starts_with("XX") => Cause::Damaged,
        _ => Cause::Other,
    }
}

/// Classifies SQLite's extended result code, whose low byte is the primary code.
fn of_sqlite(code: u32, message: &str) -> Cause {
    /// `SQLITE_READONLY_DBMOVED`
    const MOVED: u32 = 1032;
    match (code, code & 0xff) {
        (MOVED, _) => Cause::Replaced,
        (_, 13) => Cause::DiskFull,
        (_, 10) => Cause::Disk,
        (_, 8) => Cause::ReadOnly,
        (_, 5 | 6) => Cause::Locked,
        (_, 14) => Cause::Unreachable,
        (_, 11 | 26) => Cause::Damaged,
        (_, 3 | 23) => Cause::Forbidden,
        // SQLITE_ERROR covers all mistakes in SQL.
        (_, 1) if message.starts_with("no such") => Cause::Missing,
        _ => Cause::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, of_postgres, of_sqlite};

    #[test]
    fn errors_are_classified_by_what_can_be_done() {
        for (code, fault) in [
            ("53100", Cause::DiskFull),
            ("25006", Cause::ReadOnly),
            ("55P03", Cause::Locked),
            ("57P01", Cause::Unreachable),
            ("08006", Cause::Unreachable),
            ("28P01", Cause::Forbidden),
            ("42P01", Cause::Missing),
            ("22003", Cause::Other),
        ] {
            assert_eq!(of_postgres(code), fault, "{code}");
        }
        // FULL, IOERR_WRITE, READONLY_DBMOVED, READONLY_ROLLBACK, BUSY_SNAPSHOT, CANTOPEN, NOTADB.
        for (code, fault) in [
            (13, Cause::DiskFull),
            (778, Cause::Disk),
            (1032, Cause::Replaced),
            (776, Cause::ReadOnly),
            (517, Cause::Locked),
            (14, Cause::Unreachable),
            (26, Cause::Damaged),
        ] {
            assert_eq!(of_sqlite(code, ""), fault, "{code}");
        }
        assert_eq!(of_sqlite(1, "no such table: users"), Cause::Missing);
        assert_eq!(of_sqlite(1, "near \"SELEKT\": syntax error"), Cause::Other);
    }
}
