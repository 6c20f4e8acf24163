//! A random history of a small site, and the order in which it arrives.

mod grading;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::support::{
    events::{TIME, course, enrolment, event, user},
    random::Random,
};

/// The number of random actions, not counting what follows from them.
const STEPS: u64 = 320;
const USERS: usize = 24;
/// Of these, accounts that are made again with the address of a deleted one.
const MADE_AGAIN: usize = 4;
const COURSES: usize = 5;
/// Grade items per course.
const ITEMS: i64 = 3;
/// The most events in a batch.
const BATCH: u64 = 14;

/// The user whose address belongs to a contact with another key: a person must decide, and records that refer to the
/// user wait.
pub(super) const NAMESAKE: i64 = 4;

/// That contact's key.
pub(super) const FOREIGN_KEY: &str = "other:9";

/// A record in Moodle, or its last known state.
struct Thing {
    data: Map<String, Value>,
    live: bool,
    /// Another account has its address now, so it never returns.
    replaced: bool,
}

impl Thing {
    fn new(data: Map<String, Value>) -> Self {
        Self { data, live: true, replaced: false }
    }
}

type Things = BTreeMap<i64, Thing>;

/// The events so far, and the site's current state.
pub(super) struct History {
    events: Vec<Value>,
    users: Things,
    courses: Things,
    enrolments: Things,
    grades: Things,
    /// Name and maximum grade of each grade item.
    items: BTreeMap<i64, (String, String)>,
    /// Users whose id is a multiple of this are never reported.
    unreported_user: i64,
    unreported_course: i64,
    words: u64,
}

fn id_of(data: &Map<String, Value>, name: &str) -> i64 {
    let value = &data[name];
    value.as_i64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn object(data: Value) -> Map<String, Value> {
    serde_json::from_value(data).unwrap()
}

/// One of the existing records; often a recent one, so that some change while they are being delivered.
fn pick(things: &Things, random: &mut Random) -> Option<i64> {
    let live: Vec<i64> = things.iter().rev().filter(|(_, thing)| thing.live).map(|(id, _)| *id).collect();
    let among = if random.below(2) == 0 { live.len().min(3) } else { live.len() };
    (among > 0).then(|| live[random.below(among as u64) as usize])
}

impl History {
    pub(super) fn generate(random: &mut Random) -> Self {
        let mut history = Self {
            events: Vec::new(),
            users: Things::new(),
            courses: Things::new(),
            enrolments: Things::new(),
            grades: Things::new(),
            items: BTreeMap::new(),
            unreported_user: 6 + random.below(4) as i64,
            unreported_course: 3 + random.below(6) as i64,
            words: 0,
        };
        for _ in 0..4 {
            history.add_user();
        }
        history.add_course();
        for _ in 0..STEPS {
            history.step(random);
        }
        history
    }

    fn step(&mut self, random: &mut Random) {
        match random.below(100) {
            0..12 => self.add_user(),
            12..24 => self.change_user(random),
            24..27 => self.delete_user(random),
            27..29 => self.bring_user_back(random),
            29..33 => self.add_course(),
            33..37 => self.change_course(random),
            37 => self.delete_course(random),
            38..56 => self.enrol(random),
            56..63 => self.change_enrolment(random),
            63..67 => {
                if let Some(id) = pick(&self.enrolments, random) {
                    self.delete_enrolment(id);
                }
            }
            67..84 => self.give_grade(random),
            84..94 => self.change_grade(random),
            94..97 => self.grade_again(random),
            _ => self.change_item(random),
        }
    }

    fn word(&mut self) -> String {
        self.words += 1;
        format!("word{}", self.words)
    }

    fn emit(&mut self, event_type: &str, data: Map<String, Value>) {
        let subject = match event_type.split_once('_').unwrap().0 {
            "user" if event_type != "user_enrolled" => ("userid", self.unreported_user),
            "course" => ("courseid", self.unreported_course),
            _ => ("", 0),
        };
        if subject.1 != 0 && id_of(&data, subject.0) % subject.1 == 0 {
            return;
        }
        // Three share each second.
        let number = self.events.len() as i64;
        self.events.push(event(event_type, TIME + number / 3, number, data.into()));
    }

    fn add_user(&mut self) {
        if self.users.len() >= USERS - MADE_AGAIN {
            return;
        }
        let id = self.users.len() as i64 + 1;
        let mut data = object(user(id, &format!("person{id}")));
        data.insert("city".to_owned(), json!(self.word()));
        self.users.insert(id, Thing::new(data.clone()));
        self.emit("user_created", data);
    }

    fn change_user(&mut self, random: &mut Random) {
        let Some(id) = pick(&self.users, random) else { return };
        let word = self.word();
        let data = &mut self.users.get_mut(&id).unwrap().data;
        match random.below(7) {
            0 => data.insert("lastname".to_owned(), json!("")),
            1 => data.insert("idnumber".to_owned(), json!(word)),
            2 => data.remove("idnumber"),
            3 => data.insert("suspended".to_owned(), json!(random.below(2) == 0)),
            // No address is ever used by two people; people from the import keep theirs.
            4 if !is_imported(id) && id != NAMESAKE => {
                data.insert("email".to_owned(), json!(format!("{word}@example.com")))
            }
            // An update without a change.
            5 => None,
            _ => data.insert("city".to_owned(), json!(word)),
        };
        let data = data.clone();
        self.emit("user_updated", data);
    }

    /// Deletes the user and everything that belongs to it, as Moodle does.
    fn delete_user(&mut self, random: &mut Random) {
        let Some(id) = pick(&self.users, random).filter(|id| *id != NAMESAKE) else { return };
        self.delete_dependants("userid", id);
        self.users.get_mut(&id).unwrap().live = false;
        self.emit("user_deleted", object(json!({"userid": id})));
        if random.below(2) == 0 {
            self.make_again(id);
        }
    }

    /// Makes a deleted user's account again: another user with the same address, who takes the contact over.
    fn make_again(&mut self, deleted: i64) {
        let id = self.users.len() as i64 + 1;
        if self.users.len() >= USERS || is_imported(id) {
            return;
        }
        let city = self.word();
        let old = self.users.get_mut(&deleted).unwrap();
        old.replaced = true;
        let mut data = object(user(id, &format!("person{id}")));
        data.insert("email".to_owned(), old.data["email"].clone());
        data.insert("city".to_owned(), json!(city));
        self.users.insert(id, Thing::new(data.clone()));
        self.emit("user_created", data);
    }

    fn bring_user_back(&mut self, random: &mut Random) {
        let gone: Vec<i64> =
            self.users.iter().filter(|(_, user)| !user.live && !user.replaced).map(|(id, _)| *id).collect();
        if gone.is_empty() {
            return;
        }
        let user = self.users.get_mut(&gone[random.below(gone.len() as u64) as usize]).unwrap();
        user.live = true;
        let data = user.data.clone();
        self.emit("user_updated", data);
    }

    fn add_course(&mut self) {
        if self.courses.len() >= COURSES {
            return;
        }
        let id = self.courses.len() as i64 + 1;
        let data = object(course(id, &format!("course{id}")));
        self.courses.insert(id, Thing::new(data.clone()));
        self.emit("course_created", data);
    }

    fn change_course(&mut self, random: &mut Random) {
        let Some(id) = pick(&self.courses, random) else { return };
        let word = self.word();
        let data = &mut self.courses.get_mut(&id).unwrap().data;
        let (categoryid, category) = [(2, "Arts"), (3, "Crafts")][usize::from(random.below(2) == 0)];
        match random.below(4) {
            0 => data.insert("visible".to_owned(), json!(random.below(2).to_string())),
            1 => data.insert("shortname".to_owned(), json!(word)),
            2 => {
                data.insert("categoryid".to_owned(), json!(categoryid));
                data.insert("categoryname".to_owned(), json!(category))
            }
            _ => data.insert("fullname".to_owned(), json!(word)),
        };
        let data = data.clone();
        self.emit("course_updated", data);
    }

    fn delete_course(&mut self, random: &mut Random) {
        let Some(id) = pick(&self.courses, random) else { return };
        self.delete_dependants("courseid", id);
        self.courses.get_mut(&id).unwrap().live = false;
        self.emit("course_deleted", object(json!({"courseid": id})));
    }

    fn delete_dependants(&mut self, name: &str, id: i64) {
        let of = |things: &Things| -> Vec<i64> {
            things.iter().filter(|(_, thing)| thing.live && id_of(&thing.data, name) == id).map(|(id, _)| *id).collect()
        };
        let (enrolments, grades) = (of(&self.enrolments), of(&self.grades));
        for id in grades {
            self.delete_grade(id);
        }
        for id in enrolments {
            self.delete_enrolment(id);
        }
    }

    fn enrol(&mut self, random: &mut Random) {
        let Some((userid, courseid)) = pick(&self.users, random).zip(pick(&self.courses, random)) else { return };
        let id = self.enrolments.len() as i64 + 1;
        let mut data = object(enrolment(id, userid, courseid));
        data.insert("roles".to_owned(), json!([{"shortname": "student", "archetype": "student"}]));
        self.enrolments.insert(id, Thing::new(data.clone()));
        self.emit("user_enrolled", data);
    }

    fn change_enrolment(&mut self, random: &mut Random) {
        let Some(id) = pick(&self.enrolments, random) else { return };
        let role = self.word();
        let data = &mut self.enrolments.get_mut(&id).unwrap().data;
        if random.below(2) == 0 {
            data.insert("roles".to_owned(), json!([{"shortname": role, "archetype": "student"}]));
        }
        let data = data.clone();
        // Often suspended and reactivated at once: the earlier state is to be delivered again.
        for status in ["1", "0"].into_iter().take(1 + random.below(3) as usize) {
            let mut data = data.clone();
            data.insert("status".to_owned(), json!(status));
            self.enrolments.get_mut(&id).unwrap().data = data.clone();
            self.emit("enrolment_updated", data);
        }
    }

    fn delete_enrolment(&mut self, id: i64) {
        let thing = self.enrolments.get_mut(&id).unwrap();
        thing.live = false;
        let data = references(&thing.data, &["enrollmentid", "userid", "courseid"]);
        self.emit("enrolment_deleted", data);
    }

    /// All events in version order.
    pub(super) fn events(&self) -> &[Value] {
        &self.events
    }

    /// Contacts that the admissions office created before the site was connected.
    pub(super) fn imported(&self) -> Vec<Value> {
        let ids = self.users.keys().filter(|id| is_imported(**id));
        let contact = |id: &i64| json!({"Last_Name": "Imported", "Email": format!("person{id}@example.com")});
        ids.map(contact).collect()
    }

    /// A contact of another site, with the address of one of our users.
    pub(super) fn foreign() -> Value {
        json!({"Last_Name": "Foreign", "Email": format!("person{NAMESAKE}@example.com"), "Moodle_User_Key": FOREIGN_KEY})
    }

    /// The batches in which the events arrive: late, some very late, some twice.
    pub(super) fn arrivals(&self, random: &mut Random) -> Vec<Vec<Value>> {
        let count = self.events.len() as u64;
        let mut places = Vec::new();
        for (number, event) in (0..).zip(&self.events) {
            let of_late_user = event["data"].get("enrollmentid").or(event["data"].get("gradeid")).is_none()
                && event["data"]["userid"].as_str().is_some_and(|id| id.ends_with('5'));
            let delay = match random.below(10) {
                _ if of_late_user => count / 2 + random.below(count / 2),
                0 => random.below(count),
                _ => random.below(20),
            };
            places.push((number + delay, event.clone()));
            if random.below(8) == 0 {
                places.push((number + delay + random.below(count / 2), event.clone()));
            }
        }
        places.sort_by_key(|(place, _)| *place);
        let mut batches: Vec<Vec<Value>> = vec![Vec::new()];
        let mut room = 1 + random.below(BATCH);
        for (_, event) in places {
            if room == 0 {
                batches.push(Vec::new());
                room = 1 + random.below(BATCH);
            }
            batches.last_mut().unwrap().push(event);
            room -= 1;
        }
        batches
    }

    /// Changes again in Moodle what was changed by hand in Zoho, if it still exists. Returns the events.
    pub(super) fn touch(&mut self, touched: &[(String, String)]) -> Vec<Value> {
        let before = self.events.len();
        for (module, key) in touched {
            let ids: Vec<i64> = key.split(':').skip(1).map(|id| id.parse().unwrap()).collect();
            let word = self.word();
            let (things, field, event_type) = match module.as_str() {
                "Contacts" => (&mut self.users, "city", "user_updated"),
                "Products" => (&mut self.courses, "fullname", "course_updated"),
                "Moodle_Enrolments" => (&mut self.enrolments, "", "enrolment_updated"),
                _ => {
                    let is_it = |data| id_of(data, "userid") == ids[0] && id_of(data, "itemid") == ids[1];
                    let live = self.grades.iter().find(|(_, grade)| grade.live && is_it(&grade.data));
                    if let Some(id) = live.map(|(id, _)| *id) {
                        self.grades.get_mut(&id).unwrap().data.insert("feedback".to_owned(), json!(word));
                        self.tell_grade(id);
                    }
                    continue;
                }
            };
            let thing = things.get_mut(&ids[0]).unwrap();
            if !thing.live {
                continue;
            }
            match field {
                "" => thing.data.insert("roles".to_owned(), json!([{"shortname": word, "archetype": "student"}])),
                field => thing.data.insert(field.to_owned(), json!(word)),
            };
            let data = thing.data.clone();
            self.emit(event_type, data);
        }
        self.events[before..].to_vec()
    }
}

/// Whether the admissions office created a contact for the user.
pub(super) fn is_imported(userid: i64) -> bool {
    userid % 8 == 3
}

fn references(data: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    names.iter().map(|name| ((*name).to_owned(), data[*name].clone())).collect()
}
