//! What can go wrong with the database, told apart by what is to be done.

use sea_orm::{DbErr, RuntimeErr, sqlx};

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
        if data_is_at_fault(&error) { Self::Refused(error) } else { Self::Unavailable(error) }
    }
}

fn data_is_at_fault(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error else {
        return false;
    };
    let sqlx::Error::Database(error) = &**error else { return matches!(&**error, sqlx::Error::Encode(_)) };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        // SQLSTATE classes: data exception, integrity violation, limit exceeded, exception raised by a trigger.
        return ["22", "23", "54", "P0"].iter().any(|class| code.starts_with(class));
    }
    // SQLite's primary codes, in the low byte: TOOBIG, CONSTRAINT (also a trigger's ABORT), MISMATCH, RANGE.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18 | 19 | 20 | 25))
}
