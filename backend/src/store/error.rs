//! What can go wrong with the database, told apart by what is to be done.

use std::{path::PathBuf, sync::Arc, time::Duration};

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, sqlx};

/// A failed call of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is busy, full or broken: the same call may succeed later.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] DbErr),
    /// The database refused these rows: the same call fails again.
    #[error("the database refused the data: {0}")]
    Refused(#[source] DbErr),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if is_of_the_data(&error) { Self::Refused(error) } else { Self::Unavailable(error) }
    }
}

impl StoreError {
    /// Why the database did not do it.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Refused(_) => Cause::Other,
            Self::Unavailable(error) => Cause::of(error),
        }
    }
}

/// What we find out ourselves, and no driver.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Fault {
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The file under this name is not the one that was opened.
    #[error("{} is not the file that was opened: it was deleted, moved or replaced", .0.display())]
    FileGone(PathBuf),
    /// A row that is always there is not seen.
    #[error("the counter of events is not there, or hidden by row security")]
    Hidden,
    /// An earlier statement on this connection failed.
    #[error("a statement before it failed")]
    Broken,
}

impl Fault {
    pub(super) fn into_error(self) -> DbErr {
        DbErr::Conn(RuntimeErr::SqlxError(Arc::new(sqlx::Error::Configuration(Box::new(self)))))
    }

    pub(super) fn of(error: &DbErr) -> Option<&Self> {
        match sqlx_error(error)? {
            sqlx::Error::Configuration(error) => error.downcast_ref(),
            _ => None,
        }
    }
}

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// Why the database does not do what it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time.
    Silent,
    /// No room.
    Full,
    /// It takes no writes.
    ReadOnly,
    /// Somebody else holds a lock.
    Locked,
    /// All connections are taken.
    Crowded,
    /// The file is another one, or gone.
    FileGone,
    /// Reading or writing the disk failed.
    Disk,
    /// It is damaged.
    Damaged,
    /// Our user may not do it.
    Forbidden,
    /// Our tables are not there.
    NoTables,
    /// Something else; the log has the database's words.
    Other,
}

impl Cause {
    fn of(error: &DbErr) -> Self {
        match (Fault::of(error), error) {
            (Some(Fault::Silent(_)), _) => return Self::Silent,
            (Some(Fault::FileGone(_)), _) => return Self::FileGone,
            (Some(Fault::Hidden), _) => return Self::Forbidden,
            (_, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)) => return Self::Silent,
            _ => {}
        }
        match sqlx_error(error) {
            Some(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                match error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                    Some(_) => Self::of_postgres(&code),
                    None => Self::of_sqlite(&code),
                }
            }
            Some(sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::Tls(_)) => Self::Unreachable,
            _ => Self::Other,
        }
    }

    /// By SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn of_postgres(code: &str) -> Self {
        match code {
            "53100" => Self::Full,
            "53300" => Self::Crowded,
            "25006" => Self::ReadOnly,
            "55P03" | "57014" => Self::Locked,
            "42501" => Self::Forbidden,
            "42P01" | "3F000" => Self::NoTables,
            "58030" => Self::Disk,
            "XX001" | "XX002" => Self::Damaged,
            // Shut down, crashed, starting; the connection's own errors.
            code if code.starts_with("57P") || code.starts_with("08") => Self::Unreachable,
            _ => Self::Other,
        }
    }

    /// By the primary code, in the low byte: <https://www.sqlite.org/rescode.html>.
    fn of_sqlite(code: &str) -> Self {
        match code.parse::<u32>().unwrap_or_default() & 0xff {
            5 | 6 => Self::Locked,
            8 => Self::ReadOnly,
            10 => Self::Disk,
            11 | 26 => Self::Damaged,
            13 => Self::Full,
            14 => Self::Unreachable,
            _ => Self::Other,
        }
    }

    /// For programs; stable.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
            Self::Full => "disk_full",
            Self::ReadOnly => "read_only",
            Self::Locked => "locked",
            Self::Crowded => "too_many_connections",
            Self::FileGone => "file_gone",
            Self::Disk => "disk_failed",
            Self::Damaged => "damaged",
            Self::Forbidden => "forbidden",
            Self::NoTables => "no_tables",
            Self::Other => "failed",
        }
    }

    /// A sentence for people: what is wrong, and what to do.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "The database cannot be reached; see that it runs, and that the network lets through.",
            Self::Silent => "The database does not answer in time; see whether its host is up, and how busy it is.",
            Self::Full => "The database has no room left; make some on its disk.",
            Self::ReadOnly => {
                "The database takes no writes: it is a standby, or read-only. Lead to the primary, or make it writable."
            }
            Self::Locked => "Somebody else holds a lock in the database for too long; find out who, and end it.",
            Self::Crowded => "The database has no connection left; raise its limit, or close what others hold open.",
            Self::FileGone => {
                "The database's file was deleted, moved or replaced while it was in use. Put it back, or start the server anew."
            }
            Self::Disk => "Reading or writing the database's disk fails; look at the disk.",
            Self::Damaged => "The database is damaged; restore it from a backup.",
            Self::Forbidden => "The database's user may not write; give it the tables, and no row security.",
            Self::NoTables => "The database's tables are not there; look at search_path, and at what was restored.",
            Self::Other => "The database fails; the server's log has its message.",
        }
    }
}

/// Whether the database refused the data, and would again.
pub(super) fn is_of_the_data(error: &DbErr) -> bool {
    let error = match sqlx_error(error) {
        Some(sqlx::Error::Database(error)) => error,
        Some(sqlx::Error::Encode(_)) => return true,
        _ => return false,
    };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        // SQLSTATE classes: data exception, integrity violation, limit exceeded, exception raised by a trigger.
        return ["22", "23", "54", "P0"].iter().any(|class| code.starts_with(class));
    }
    // SQLite's primary codes, in the low byte: TOOBIG, CONSTRAINT (also a trigger's ABORT), MISMATCH, RANGE.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18 | 19 | 20 | 25))
}
