//! The courses of the college and their grade items.

use serde_json::{Value, json};

/// Courses per category.
pub(super) const IN_CATEGORY: usize = 4;

/// Names of the categories and of their courses.
const CATEGORIES: [(&str, &str, [&str; IN_CATEGORY]); 3] = [
    (
        "Engineering",
        "ENG",
        ["Mechanical Principles", "Electrical Circuits", "Mathematics for Engineers", "Materials & Manufacture"],
    ),
    (
        "Health and Social Care",
        "HSC",
        ["Anatomy and Physiology", "Communication in Care", "Nutrition and Public Health", "Psychology of Ageing"],
    ),
    ("Creative Arts", "ART", ["Drawing and Colour", "Digital Photography", "Film and Sound", "A History of Design"]),
];

/// A course.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub(super) id: i64,
    pub(super) category: usize,
    pub(super) fullname: String,
    pub(super) visible: bool,
    shortname: String,
    created: i64,
}

/// A grade item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// The week in which marking begins; it takes two weeks.
    pub(super) week: i64,
    name: &'static str,
    module: &'static str,
    pub(super) max: i64,
    pass: i64,
}

pub(super) const ITEMS: [Item; 4] = [
    Item { week: 2, name: "Assignment 1: plan and sources", module: "assign", max: 100, pass: 40 },
    Item { week: 5, name: "Mid-term quiz", module: "quiz", max: 20, pass: 8 },
    Item { week: 8, name: "Assignment 2: report", module: "assign", max: 100, pass: 40 },
    Item { week: 10, name: "End-of-term quiz <em>(closed book)</em>", module: "quiz", max: 40, pass: 16 },
];

/// All courses. Course 1 is Moodle's front page.
pub(super) fn courses(created: i64) -> Vec<Course> {
    let mut courses: Vec<Course> = Vec::new();
    for (category, (_, code, names)) in CATEGORIES.iter().enumerate() {
        for (number, name) in (1..).zip(names) {
            let id = i64::try_from(courses.len()).unwrap_or_default() + 2;
            let (fullname, shortname) = ((*name).to_owned(), format!("{code}-{number}0{number}"));
            courses.push(Course { id, category, fullname, visible: true, shortname, created });
        }
    }
    courses
}

impl Course {
    pub(super) fn data(&self, start: i64, end: i64, modified: i64) -> Value {
        let category = CATEGORIES.get(self.category).map_or("", |category| category.0);
        json!({
            "courseid": self.id.to_string(), "fullname": self.fullname, "shortname": self.shortname,
            "idnumber": format!("2026/{}", self.shortname), "categoryid": (self.category + 2).to_string(),
            "categoryname": category, "format": "topics", "visible": if self.visible { "1" } else { "0" },
            "startdate": start.to_string(), "enddate": end.to_string(), "timecreated": self.created.to_string(),
            "timemodified": modified.to_string(),
        })
    }
}

/// The grade item's fields of a grade event: of the course total, or of one of [`ITEMS`] with its index.
pub(super) fn item_data(course: i64, item: Option<(i64, Item)>) -> Value {
    let per_course = i64::try_from(ITEMS.len()).unwrap_or_default() + 1;
    let first = (course - 2) * per_course + 1;
    match item {
        None => json!({
            "itemid": first.to_string(), "courseid": course.to_string(), "itemname": null, "itemtype": "course",
            "itemmodule": null, "iteminstance": course.to_string(), "itemidnumber": "", "gradetype": "1",
            "grademin": "0.00000", "grademax": "100.00000", "gradepass": "40.00000", "scaleid": null, "scale": null,
        }),
        Some((place, item)) => json!({
            "itemid": (first + 1 + place).to_string(), "courseid": course.to_string(), "itemname": item.name,
            "itemtype": "mod", "itemmodule": item.module, "iteminstance": (first + place).to_string(),
            "itemidnumber": "", "gradetype": "1", "grademin": "0.00000", "grademax": format!("{}.00000", item.max),
            "gradepass": format!("{}.00000", item.pass), "scaleid": null, "scale": null,
        }),
    }
}

impl Item {
    pub(super) fn is_assignment(self) -> bool {
        self.module == "assign"
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{ITEMS, courses, item_data};

    #[test]
    fn every_item_has_an_id_of_its_own() {
        let courses = courses(0);
        assert_eq!(courses.len(), 12);
        let ids: HashSet<String> = courses
            .iter()
            .flat_map(|course| {
                let items = (0..).zip(ITEMS).map(Some).chain([None]);
                items.map(|item| item_data(course.id, item)["itemid"].as_str().unwrap().to_owned())
            })
            .collect();
        assert_eq!(ids.len(), 12 * 5);
    }
}
