//! Bad input of every kind: each has its status and its problem document, no answer repeats what was sent, and the
//! server keeps working.

mod batches;
mod bodies;
mod credentials;
mod fields;
mod packed;
mod requests;

use crate::support::{Answer, Server, events::user, random::new_uuid, server::SITE};

/// A marker in bad values, which no answer may repeat.
const PRIVATE: &str = "Private-4711";

/// Fails if the answer repeats what was sent.
fn assert_no_echo(answer: &Answer) {
    assert!(!answer.text.contains(PRIVATE), "the answer repeats what was sent: {}", answer.text);
    for (name, value) in &answer.headers {
        assert!(!value.to_str().unwrap_or_default().contains(PRIVATE), "{name} repeats what was sent");
    }
}

/// Fails unless the server still stores and shows an event, and logged no internal error.
async fn assert_well(server: &Server) {
    let name = new_uuid().simple().to_string();
    let answer = server.site().post_event("user_updated", &user(987_654, &name)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let read = server.reader().read(&format!("/api/v1/users/{SITE}:987654")).await;
    assert_eq!(read["username"], name);
    let bad = |message: &&serde_json::Value| message["level"] == "ERROR" || message["message"] == "panicked";
    let messages = server.log_messages();
    assert!(!messages.iter().any(|message| bad(&message)), "{:?}", messages.iter().find(bad));
}

fn owned(errors: &[(&str, &str)]) -> Vec<(String, String)> {
    errors.iter().map(|(place, code)| ((*place).to_owned(), (*code).to_owned())).collect()
}
