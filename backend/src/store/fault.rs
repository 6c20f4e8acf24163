//! Classifying the driver's errors, and faults of our own that are passed on in their form.

use std::{path::PathBuf, sync::Arc, time::Duration};

use sea_orm::{DbErr, RuntimeErr, sqlx};

/// Faults that we detect ourselves.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Fault {
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The file at this path is not the one that was opened.
    #[error("{} is not the file that was opened: it was deleted, moved or replaced", .0.display())]
    FileGone(PathBuf),
    /// A row that always exists is not visible.
    #[error("the event counter is missing, or hidden by row security")]
    Hidden,
    /// The database cannot hold every text.
    #[error(
        "the database's encoding is {encoding}, which cannot hold every name: Backend Sync needs UTF8. Create another \
         database, and name it in database_url: {create}"
    )]
    Encoding {
        /// What it is.
        encoding: String,
        /// The command that creates another one.
        create: String,
    },
    /// A pooler came in between after the start.
    #[error("the connection now goes through a pooler, which it did not at the start")]
    Pooler,
    /// `synchronous_commit` has this value although we set another one.
    #[error(
        "synchronous_commit is {0} although it was set to on: something between here and PostgreSQL drops settings"
    )]
    NotDurable(String),
    /// An earlier statement on this connection failed.
    #[error("an earlier statement on this connection failed")]
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

/// Whether the database rejected the data, and would do so again.
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
