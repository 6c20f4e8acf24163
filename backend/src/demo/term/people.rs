//! The teachers and students of the college, and their user events.

use serde_json::{Value, json};

use super::{
    dice::Dice,
    names::{Name, REGIONS, Region},
};

/// The domain of all addresses, reserved for examples.
const DOMAIN: &str = "northbridge.example";

pub(super) const TEACHERS: usize = 8;
pub(super) const STUDENTS: usize = 240;

/// A person with an account in Moodle.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: i64,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) city: &'static str,
    username: String,
    idnumber: String,
    country: &'static str,
    pub(super) suspended: bool,
    pub(super) created: i64,
}

impl Person {
    /// The data of a user event.
    pub(super) fn data(&self, modified: i64) -> Value {
        json!({
            "userid": self.id.to_string(), "username": self.username, "firstname": self.first, "lastname": self.last,
            "email": self.email, "idnumber": self.idnumber, "phone1": self.phone, "phone2": "", "institution": "",
            "department": "", "city": self.city, "country": self.country, "lang": "en", "timezone": "99",
            "auth": "manual", "confirmed": true, "suspended": self.suspended, "deleted": false,
            "timecreated": self.created.to_string(), "timemodified": modified.to_string(),
        })
    }

    /// Changes the surname and the e-mail address with it.
    pub(super) fn rename(&mut self, last: &str, latin: &str) {
        self.last = last.to_owned();
        if let Some((first, _)) = self.email.split_once('.') {
            self.email = format!("{first}.{latin}@{DOMAIN}");
        }
    }
}

/// Teachers, then students. Ids 1 and 2 are Moodle's guest and administrator.
pub(super) fn people(dice: &mut Dice) -> Vec<Person> {
    let regions = REGIONS.iter().flat_map(|region| {
        region.first.iter().flat_map(move |first| region.last.iter().map(move |last| (region, *first, *last)))
    });
    let mut names: Vec<_> = regions.collect();
    dice.shuffle(&mut names);
    let names = (0..).zip(names).take(TEACHERS + STUDENTS);
    names.map(|(number, (region, first, last))| person(dice, number, region, (first, last))).collect()
}

fn person(dice: &mut Dice, number: usize, region: &Region, (first, last): (Name, Name)) -> Person {
    let teaches = number < TEACHERS;
    let address = format!("{}.{}", first.1, last.1);
    Person {
        id: i64::try_from(number).unwrap_or_default() + 3,
        first: first.0.to_owned(),
        last: last.0.to_owned(),
        email: format!("{address}@{DOMAIN}"),
        // A phone number is often missing.
        phone: if dice.percent(60) { format!("{}{:03}", region.dial, dice.below(1_000)) } else { String::new() },
        city: dice.pick(&region.cities, ""),
        username: if teaches { address } else { format!("s26{number:04}") },
        idnumber: format!("{}-{number:04}", if teaches { "T" } else { "S" }),
        country: region.country,
        suspended: false,
        created: 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Dice, STUDENTS, TEACHERS, people};

    #[test]
    fn everybody_has_an_address_of_their_own() {
        for seed in 0..20 {
            let people = people(&mut Dice::new(seed));
            let addresses: HashSet<_> = people.iter().map(|person| person.email.clone()).collect();
            assert_eq!((people.len(), addresses.len()), (TEACHERS + STUDENTS, TEACHERS + STUDENTS));
        }
    }

    #[test]
    fn a_new_surname_changes_the_address() {
        let mut person = people(&mut Dice::new(1)).swap_remove(0);
        let first = person.email.split_once('.').unwrap().0.to_owned();
        person.rename("Berg", "berg");
        assert_eq!((person.last.as_str(), person.email), ("Berg", format!("{first}.berg@northbridge.example")));
    }
}
