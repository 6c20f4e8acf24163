//! Calls of `zoho check` that write nothing.

use reqwest::Method;
use serde_json::json;

use super::{Call, Client, answer, error::CallError};

/// The id of no record: Zoho's have 19 digits.
const NO_RECORD: &str = "1";

/// A kind of call that the delivery makes, tried without writing anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Reads by id.
    Read,
    /// Inserts no records.
    Insert,
    /// Updates no records.
    Update,
    /// Deletes a record that does not exist.
    Delete,
}

impl Attempt {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Insert, Self::Update, Self::Delete];

    /// What the call does, for people.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Insert => "create",
            Self::Update => "change",
            Self::Delete => "delete",
        }
    }

    /// The end of the scope that it needs.
    pub fn scope(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Insert => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

impl Client {
    /// Makes a call that can change nothing. Zoho looks at scopes and permissions before it looks at the records, so an
    /// error here is about them.
    pub async fn attempt(&self, module: &str, attempt: Attempt) -> Result<(), CallError> {
        let nothing = || Some(json!({ "data": [] }).to_string().into_bytes());
        let mut call = Call::read("check", module, module.to_owned());
        match attempt {
            Attempt::Read => call.query = vec![("ids", NO_RECORD.to_owned()), ("fields", "id".to_owned())],
            Attempt::Insert => (call.method, call.body) = (Method::POST, nothing()),
            Attempt::Update => (call.method, call.body) = (Method::PUT, nothing()),
            Attempt::Delete => {
                call.method = Method::DELETE;
                call.query = vec![("ids", NO_RECORD.to_owned()), ("wf_trigger", "false".to_owned())];
            }
        }
        match answer::list(&self.send(call).await?, "data") {
            Ok(_) | Err(CallError::Invalid { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
