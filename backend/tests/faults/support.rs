//! Shared with the integration tests.

#[path = "../it/support/api.rs"]
#[allow(dead_code, reason = "one function is used here")]
pub(crate) mod api;
#[path = "../it/support/random.rs"]
#[allow(dead_code, reason = "the seed comes from the command line here")]
pub(crate) mod random;
#[path = "../it/support/wait.rs"]
#[allow(dead_code, reason = "one of its limits is used here")]
pub(crate) mod wait;
#[path = "../it/support/zoho.rs"]
pub(crate) mod zoho;
