//! `backend-sync health`

use std::time::Duration;

use super::{CliError, print};
use crate::{config::Config, probe};

/// How long to wait for the answer. Monitors such as Docker have a timeout of their own.
const ANSWER_TIME: Duration = Duration::from_secs(10);

pub(super) async fn run(config: Config) -> Result<(), CliError> {
    match probe::answers(config.listen, probe::READY, ANSWER_TIME).await {
        Ok(()) => print("ready"),
        Err(error) => Err(CliError::NotReady { address: config.listen, error }),
    }
}
