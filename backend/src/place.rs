//! What this process is called among others on the same database.

/// Its number and its host, for people.
pub(crate) fn place() -> String {
    let host = rustix::system::uname();
    format!("process {} on host {}", std::process::id(), host.nodename().to_string_lossy())
}
