//! The demo: a college's Moodle that is not there, telling a term's worth of events, and what is shown of it.

pub mod organisation;
pub mod plugin;
pub mod term;
pub mod verdict;

use crate::http::HttpError;

/// The demo cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No call was possible.
    #[error("the demo cannot reach its own servers: {0}")]
    Http(#[from] HttpError),
    /// The backend did not take the events.
    #[error("the backend answered {0} to the plugin; its log says why")]
    Backend(u16),
    /// The simulator did not do what it was asked to.
    #[error("the simulator answered {0} to the demo")]
    Simulator(u16),
}
