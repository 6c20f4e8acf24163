//! Why the database does not do what it is asked, told apart by what people can do about it.

use std::time::{Duration, Instant};

use sea_orm::{
    ConnAcquireErr, DbErr, RuntimeErr,
    sqlx::{self, postgres::PgDatabaseError},
};

use super::StoreError;

/// What is wrong with the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its disk is full.
    DiskFull,
    /// Its disk cannot be read or written.
    Disk,
    /// It takes no writes.
    ReadOnly,
    /// It takes none because it follows another server.
    Standby,
    /// Somebody holds a lock that we wait for.
    Locked,
    /// The file is not the one that was opened.
    Replaced,
    /// The file is damaged, or is no database.
    Damaged,
    /// It does not let us.
    Forbidden,
    /// A table or the whole database is not there.
    Missing,
    /// It has no connection left for us.
    Connections,
    /// It cannot be reached.
    Unreachable,
    /// There was no connection in time.
    NoConnection,
    /// It did not answer in time.
    Deadline,
    /// Something else; the log has the database's own words.
    Other,
}

impl StoreError {
    /// What is wrong with the database.
    pub fn fault(&self) -> Fault {
        let (Self::Unavailable(error) | Self::Refused(error)) = self;
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Fault::NoConnection,
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => Fault::Unreachable,
            DbErr::RecordNotUpdated => Fault::Forbidden,
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => fault_of(error),
            _ => Fault::Other,
        }
    }
}

fn fault_of(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            match error.try_downcast_ref::<PgDatabaseError>() {
                Some(_) => of_postgres(&code),
                None => code.parse().map_or(Fault::Other, |code| of_sqlite(code, error.message())),
            }
        }
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            Fault::Unreachable
        }
        sqlx::Error::PoolTimedOut => Fault::NoConnection,
        _ => Fault::Other,
    }
}

/// By PostgreSQL's SQLSTATE.
fn of_postgres(code: &str) -> Fault {
    match code {
        "53100" => Fault::DiskFull,
        "58030" => Fault::Disk,
        // Also what a standby says; only the server knows that.
        "25006" => Fault::ReadOnly,
        "55P03" => Fault::Locked,
        "42501" => Fault::Forbidden,
        "42P01" | "42703" | "3D000" | "3F000" | "57P04" => Fault::Missing,
        "53300" => Fault::Connections,
        "57014" | "25P03" | "25P04" => Fault::Deadline,
        "57P01" | "57P02" | "57P03" | "57P05" => Fault::Unreachable,
        code if code.starts_with("08") => Fault::Unreachable,
        code if code.starts_with("28") => Fault::Forbidden,
        code if code.starts_with("XX") => Fault::Damaged,
        _ => Fault::Other,
    }
}

/// By SQLite's extended result code, whose low byte is the primary one.
fn of_sqlite(code: u32, message: &str) -> Fault {
    /// `SQLITE_READONLY_DBMOVED`
    const MOVED: u32 = 1032;
    match (code, code & 0xff) {
        (MOVED, _) => Fault::Replaced,
        (_, 13) => Fault::DiskFull,
        (_, 10) => Fault::Disk,
        (_, 8) => Fault::ReadOnly,
        (_, 5 | 6) => Fault::Locked,
        (_, 14) => Fault::Unreachable,
        (_, 11 | 26) => Fault::Damaged,
        (_, 3 | 23) => Fault::Forbidden,
        // The code of all mistakes in SQL.
        (_, 1) if message.starts_with("no such") => Fault::Missing,
        _ => Fault::Other,
    }
}

/// Whether the database takes what this process writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteHealth {
    failing: Option<Failing>,
}

/// Since when each write has failed, and why the last did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// By the clock that never goes back.
    pub since: Instant,
    /// Why.
    pub fault: Fault,
}

impl WriteHealth {
    /// What became of the last write.
    pub fn note(&mut self, result: Result<(), Fault>, now: Instant) {
        self.failing = match (result, self.failing) {
            (Ok(()), _) => None,
            (Err(fault), None) => Some(Failing { since: now, fault }),
            // A write that waits behind one that fails gets no connection; what that one failed with says more.
            (Err(Fault::NoConnection), Some(before)) => Some(before),
            (Err(fault), Some(Failing { since, .. })) => Some(Failing { since, fault }),
        };
    }

    /// Nothing when the last write succeeded, or there was none.
    pub fn failing(&self) -> Option<Failing> {
        self.failing
    }

    /// Why all writes have failed for `patience`, and for how long, if they have.
    pub fn failing_for(&self, patience: Duration, now: Instant) -> Option<(Fault, Duration)> {
        let Failing { since, fault } = self.failing?;
        let time = now.saturating_duration_since(since);
        (time >= patience).then_some((fault, time))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Fault, WriteHealth, of_postgres, of_sqlite};

    #[test]
    fn errors_are_told_apart_by_what_can_be_done() {
        for (code, fault) in [
            ("53100", Fault::DiskFull),
            ("25006", Fault::ReadOnly),
            ("55P03", Fault::Locked),
            ("57P01", Fault::Unreachable),
            ("08006", Fault::Unreachable),
            ("28P01", Fault::Forbidden),
            ("42P01", Fault::Missing),
            ("22003", Fault::Other),
        ] {
            assert_eq!(of_postgres(code), fault, "{code}");
        }
        // FULL, IOERR_WRITE, READONLY_DBMOVED, READONLY_ROLLBACK, BUSY_SNAPSHOT, CANTOPEN, NOTADB.
        for (code, fault) in [
            (13, Fault::DiskFull),
            (778, Fault::Disk),
            (1032, Fault::Replaced),
            (776, Fault::ReadOnly),
            (517, Fault::Locked),
            (14, Fault::Unreachable),
            (26, Fault::Damaged),
        ] {
            assert_eq!(of_sqlite(code, ""), fault, "{code}");
        }
        assert_eq!(of_sqlite(1, "no such table: users"), Fault::Missing);
        assert_eq!(of_sqlite(1, "near \"SELEKT\": syntax error"), Fault::Other);
    }

    #[test]
    fn writes_fail_since_the_first_of_a_row() {
        let (start, second, mut health) = (Instant::now(), Duration::from_secs(1), WriteHealth::default());
        health.note(Err(Fault::Locked), start);
        health.note(Err(Fault::NoConnection), start + second);
        assert_eq!(health.failing_for(second, start + second), Some((Fault::Locked, second)), "that says more");
        assert_eq!(health.failing_for(second * 2, start + second), None, "not for so long yet");
        health.note(Err(Fault::DiskFull), start + second * 2);
        assert_eq!(health.failing_for(second, start + second * 2), Some((Fault::DiskFull, second * 2)));
        health.note(Ok(()), start + second * 3);
        assert_eq!((health.failing(), health.failing_for(Duration::ZERO, start + second * 3)), (None, None));
        health.note(Err(Fault::NoConnection), start + second * 4);
        assert_eq!(health.failing_for(second, start + second * 4), None, "anew");
    }
}
