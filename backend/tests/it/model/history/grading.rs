//! Actions of teachers.

use serde_json::{Value, json};

use super::{History, ITEMS, Thing, id_of, object, pick, references};
use crate::support::{
    events::{TIME, grade},
    random::Random,
};

impl History {
    /// Grades a user in an item without a grade.
    pub(super) fn give_grade(&mut self, random: &mut Random) {
        let Some((userid, courseid)) = pick(&self.users, random).zip(pick(&self.courses, random)) else { return };
        let itemid = courseid * 10 + random.below(ITEMS as u64) as i64;
        let same = |grade: &Thing| id_of(&grade.data, "userid") == userid && id_of(&grade.data, "itemid") == itemid;
        if !self.grades.values().any(|grade| grade.live && same(grade)) {
            self.add_grade(userid, itemid, courseid, random);
        }
    }

    fn add_grade(&mut self, userid: i64, itemid: i64, courseid: i64, random: &mut Random) {
        let id = self.grades.len() as i64 + 1;
        let data = object(grade(id, userid, itemid, courseid, &points(random)));
        self.items.entry(itemid).or_insert_with(|| (format!("Item {itemid}"), "100.00000".to_owned()));
        self.grades.insert(id, Thing::new(data));
        self.tell_grade(id);
    }

    /// A grade is sent with the current state of its item.
    pub(super) fn tell_grade(&mut self, id: i64) {
        let data = &mut self.grades.get_mut(&id).unwrap().data;
        let (name, max) = &self.items[&id_of(data, "itemid")];
        data.insert("itemname".to_owned(), json!(name));
        data.insert("grademax".to_owned(), json!(max));
        data.insert("timemodified".to_owned(), json!(TIME + self.events.len() as i64));
        let data = data.clone();
        self.emit("grade_updated", data);
    }

    pub(super) fn change_grade(&mut self, random: &mut Random) {
        let Some(id) = pick(&self.grades, random) else { return };
        let word = self.word();
        let data = &mut self.grades.get_mut(&id).unwrap().data;
        match random.below(6) {
            0 => data.insert("finalgrade".to_owned(), Value::Null),
            1 => data.insert("feedback".to_owned(), json!(word)),
            2 => data.remove("feedback"),
            _ => data.insert("finalgrade".to_owned(), json!(points(random))),
        };
        self.tell_grade(id);
    }

    pub(super) fn delete_grade(&mut self, id: i64) {
        let thing = self.grades.get_mut(&id).unwrap();
        thing.live = false;
        let data = references(&thing.data, &["gradeid", "userid", "itemid"]);
        self.emit("grade_deleted", data);
    }

    /// Deletes a grade, and mostly grades again under a new id.
    pub(super) fn grade_again(&mut self, random: &mut Random) {
        let Some(id) = pick(&self.grades, random) else { return };
        let data = &self.grades[&id].data;
        let (userid, itemid, courseid) = (id_of(data, "userid"), id_of(data, "itemid"), id_of(data, "courseid"));
        self.delete_grade(id);
        if random.below(4) > 0 {
            self.add_grade(userid, itemid, courseid, random);
        }
    }

    pub(super) fn change_item(&mut self, random: &mut Random) {
        let Some(id) = pick(&self.grades, random) else { return };
        let itemid = id_of(&self.grades[&id].data, "itemid");
        let name = self.word();
        let item = self.items.get_mut(&itemid).unwrap();
        match random.below(2) {
            0 => item.0 = name,
            _ => item.1 = format!("{}.00000", 100 + random.below(50)),
        }
        self.tell_grade(id);
    }
}

fn points(random: &mut Random) -> String {
    format!("{}.{}0000", random.below(100), random.below(10))
}
