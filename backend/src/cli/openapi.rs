//! `backend-sync openapi`

use std::{io::Write, path::PathBuf};

use super::CliError;
use crate::api::openapi_document;

pub(super) fn run(output: Option<PathBuf>) -> Result<(), CliError> {
    let document = openapi_document();
    match output {
        Some(path) => std::fs::write(&path, document).map_err(|error| CliError::Write { path, error }),
        None => std::io::stdout().write_all(document.as_bytes()).map_err(CliError::Output),
    }
}
