//! Events as the plugin sends them.

use serde_json::{Value, json};

use super::random::new_uuid;

/// The base of Moodle's times in tests, in Unix seconds.
pub(crate) const TIME: i64 = 1_795_333_607;

/// An event for a batch, with a new id.
pub(crate) fn event(event_type: &str, time: i64, sequence: i64, data: Value) -> Value {
    json!({"id": new_uuid(), "type": event_type, "time": time, "sequence": sequence, "data": data})
}

/// An event for a batch with this version.
pub(crate) fn at(version: i64, event_type: &str, data: Value) -> Value {
    event(event_type, TIME + version, version, data)
}

pub(crate) fn user(userid: i64, username: &str) -> Value {
    json!({
        "userid": userid.to_string(), "username": username, "firstname": "Ann", "lastname": "O'Neil",
        "email": format!("{username}@example.com"), "suspended": false, "deleted": false,
        "timecreated": TIME.to_string(), "timemodified": TIME.to_string(),
    })
}

pub(crate) fn course(courseid: i64, shortname: &str) -> Value {
    json!({"courseid": courseid.to_string(), "fullname": shortname, "shortname": shortname, "visible": "1"})
}

pub(crate) fn enrolment(id: i64, userid: i64, courseid: i64) -> Value {
    json!({"enrollmentid": id.to_string(), "userid": userid, "courseid": courseid, "status": "0", "enrol": "manual"})
}

pub(crate) fn grade(id: i64, userid: i64, itemid: i64, courseid: i64, finalgrade: &str) -> Value {
    json!({
        "gradeid": id.to_string(), "userid": userid, "itemid": itemid, "courseid": courseid,
        "finalgrade": finalgrade, "itemname": format!("Item {itemid}"), "itemtype": "manual",
        "grademin": "0.00000", "grademax": "100.00000", "timemodified": TIME.to_string(),
    })
}

pub(crate) fn completion(id: i64, userid: i64, courseid: i64) -> Value {
    json!({"completionid": id.to_string(), "userid": userid, "courseid": courseid, "timecompleted": TIME})
}

/// A user event for a batch, applied unless something newer is stored.
pub(crate) fn user_event(userid: i64, username: &str) -> Value {
    at(1, "user_created", user(userid, username))
}
