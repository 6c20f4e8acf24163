//! Errors of the database, classified by whether a retry may help.

use sea_orm::DbErr;

use super::{cause::Cause, fault::is_of_the_data};
use crate::secret::hidden;

/// A failed call of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is busy, full or broken: the same call may succeed later.
    #[error("the database is not available: {}", hidden(.0))]
    Unavailable(#[source] DbErr),
    /// The database rejected these rows: the same call will fail again.
    #[error("the database refused the data: {}", hidden(.0))]
    Refused(#[source] DbErr),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if is_of_the_data(&error) { Self::Refused(error) } else { Self::Unavailable(error) }
    }
}

impl StoreError {
    /// Why it failed.
    pub fn cause(&self) -> Cause {
        let (Self::Unavailable(error) | Self::Refused(error)) = self;
        Cause::of(error)
    }
}
