//! Errors of the database, classified by whether a retry may help.

use sea_orm::DbErr;

use super::{cause::Cause, fault::is_of_the_data};
use crate::secret::hidden;

/// A failed call of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is busy, full or broken: the same call may succeed later.
    #[error("the database is not available: {}", words(.0))]
    Unavailable(#[source] DbErr),
    /// The database rejected these rows: the same call will fail again.
    #[error("the database refused the data: {}", words(.0))]
    Refused(#[source] DbErr),
}

/// The text of an error, which is ours if it is of no driver.
fn words(error: &DbErr) -> String {
    match error {
        DbErr::Custom(text) => text.clone(),
        error => hidden(error),
    }
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
