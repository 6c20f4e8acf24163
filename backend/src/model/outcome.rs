//! What an event did.

/// What an event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, poem_openapi::Enum, strum::IntoStaticStr)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// The record changed.
    Applied,
    /// The record was already as the event says.
    Unchanged,
    /// The record holds a newer state.
    Superseded,
    /// An event with this idempotency key was stored before.
    Duplicate,
    /// The event is invalid; it changed nothing and is not in the event log.
    Rejected,
}

impl Outcome {
    /// The word used in the API, the database and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
