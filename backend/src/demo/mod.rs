//! The demo: generates a term of events of a college's Moodle, sends them, and judges the result.

pub mod organisation;
pub mod plugin;
pub mod term;
pub mod verdict;

use crate::http::HttpError;

/// The demo cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A request failed.
    #[error("the demo cannot reach its own servers: {0}")]
    Http(#[from] HttpError),
    /// The backend did not accept the events.
    #[error("the backend answered {0} to the plugin; its log says why")]
    Backend(u16),
    /// The simulator answered with an error.
    #[error("the simulator answered {0} to the demo")]
    Simulator(u16),
}
