//! `backend-sync config`

use std::io::Write;

use super::CliError;
use crate::config::DEFAULT;

pub(super) fn run() -> Result<(), CliError> {
    std::io::stdout().write_all(DEFAULT.as_bytes()).map_err(CliError::Output)
}
