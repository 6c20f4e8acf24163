//! Operating the delivery by command and by API, against a simulated Zoho.

mod access;
mod audit;
mod explain;
mod items;
mod pause;
mod plan;
mod timeline;

use serde_json::{Value, json};

use crate::support::{
    Api, Database, Server, ZohoSimulator,
    events::{at, course, enrolment, grade, user},
};

const ZOHO: &str = "/api/v1/destinations/zoho";

/// A learner in a course, with a grade.
pub(crate) fn a_learner() -> Vec<Value> {
    vec![
        at(1, "user_created", user(1, "ann")),
        at(2, "course_created", course(7, "Maths")),
        at(3, "enrolment_updated", enrolment(1, 1, 7)),
        at(4, "grade_updated", grade(1, 1, 1, 7, "85.00000")),
    ]
}

/// The last name of people whom Zoho refuses.
pub(crate) const REFUSED: &str = "<ask her mother>";

/// A user whom Zoho refuses once [`refuse_bad_users`] is called: the name, which it requires, is invalid.
pub(crate) fn a_bad_user(userid: i64) -> Value {
    let mut user = user(userid, &format!("bad{userid}"));
    user["lastname"] = json!(REFUSED);
    at(1, "user_created", user)
}

pub(crate) async fn refuse_bad_users(zoho: &ZohoSimulator) {
    zoho.refuse("Contacts", "Last_Name", REFUSED).await;
}

/// A server that delivers, and the simulator.
pub(crate) async fn begin(database: &Database) -> (ZohoSimulator, Server) {
    let zoho = ZohoSimulator::start_set_up().await;
    refuse_bad_users(&zoho).await;
    let server = crate::delivery::start(database, &zoho).await;
    (zoho, server)
}

/// Posts an action without a body.
async fn act(operator: &Api, path: &str) -> Value {
    let answer = operator.send(operator.request(reqwest::Method::POST, path)).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

/// Posts an action with this body.
async fn instruct(operator: &Api, path: &str, body: Value) -> Value {
    let answer = operator.post(path, body.to_string()).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}
