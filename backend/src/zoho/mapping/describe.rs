//! Describing the mapping to people.

use super::{
    Constant, DeliveryFilter, Rule,
    filter::Grades,
    rule::{Related, Transform, ValueSource},
    source::Path,
};
use crate::model::Kind;

impl Rule {
    /// The value's source in the mapping of `kind`, for example `lastname, or else username`.
    pub(crate) fn source_in_words(&self, kind: Kind) -> String {
        let names =
            |paths: &[Path], between: &str| paths.iter().map(|path| path.name(kind)).collect::<Vec<_>>().join(between);
        match &self.source {
            ValueSource::First(paths) => names(paths, ", or else "),
            ValueSource::Join { parts, with } if with == " " => names(parts, " and "),
            ValueSource::Join { parts, with } => format!("{}, with \"{with}\" between", names(parts, " and ")),
            ValueSource::Constant(constant) => format!("always {constant}"),
            ValueSource::Lookup(Related::User) => "the person's record in Zoho".to_owned(),
            ValueSource::Lookup(Related::Course) => "the course's record in Zoho".to_owned(),
        }
    }

    /// How the value is transformed, for example `true becomes Suspended`; `None` when it is unchanged.
    pub(crate) fn change_in_words(&self) -> Option<String> {
        let mut changes = match &self.transform {
            Transform::None => Vec::new(),
            Transform::Plain => vec!["without its HTML".to_owned()],
            Transform::Map { words, otherwise } => {
                let mut changes: Vec<_> = words.iter().map(|(from, to)| format!("{from} becomes {to}")).collect();
                changes.extend(otherwise.as_ref().map(|otherwise| format!("anything else becomes {otherwise}")));
                changes
            }
            Transform::Bands(bands) => bands.iter().map(|(from, to)| format!("from {from}: {to}")).collect(),
        };
        changes.extend(self.form.decimals.map(|decimals| format!("rounded to {decimals} decimals")));
        changes.extend(self.form.date_only.then(|| "as a date".to_owned()));
        (!changes.is_empty()).then(|| changes.join("; "))
    }
}

impl std::fmt::Display for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Number(number) => number.fmt(f),
            Self::Bool(flag) => flag.fmt(f),
        }
    }
}

impl DeliveryFilter {
    /// What the filter lets through, as sentences; empty when everything is delivered.
    pub(crate) fn in_words(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if !self.roles.is_empty() {
            sentences.push(format!("Enrolments with one of the roles {}.", self.roles.join(", ")));
        }
        if self.restricts_courses() {
            let names: Vec<&str> = self.courses.iter().chain(&self.categories).map(String::as_str).collect();
            sentences.push(format!("The courses, and those of the categories, {}.", names.join(", ")));
        }
        if self.only_enrolled {
            sentences.push("People with an enrolment that is delivered.".to_owned());
        }
        if !self.excluded_users.is_empty() {
            sentences.push(format!("Not these people: {}.", self.excluded_users.join(", ")));
        }
        for (name, values) in &self.excluded_values {
            sentences.push(format!("Nobody whose {name} is {}.", values.join(" or ")));
        }
        match self.grades {
            Grades::All => {}
            Grades::Totals => sentences.push("Grades that are totals of a course or category.".to_owned()),
            Grades::Items => sentences.push("Grades of single items, not totals.".to_owned()),
        }
        sentences
    }
}

#[cfg(test)]
mod tests {
    use crate::{model::Kind, zoho::mapping::Mapping};

    const FILE: &str = r#"
[filter]
roles = ["student"]
courses = ["m1"]
categories = ["Maths"]
users = "enrolled"
grades = "totals"

[user]
module = "Contacts"
key = "Key"
trigger = []
on_delete = "keep"
[user.fields]
Last_Name = { from = ["lastname", "username"] }
Full = { join = ["firstname", "lastname"] }
State = { from = "suspended", map = { true = "Off" }, otherwise = "On" }
Source = { value = 1 }

[grade]
module = "Grades"
key = "Key"
trigger = []
on_delete = "keep"
[grade.fields]
Contact = { lookup = "user" }
Who = { from = "user.email" }
What = { from = "item.name", plain = true }
Result = { from = "percentage", bands = [{ from = 40, to = "Pass" }, { from = 0, to = "Refer" }] }
"#;

    #[test]
    fn a_mapping_can_be_read_by_people() {
        let mapping = Mapping::parse(FILE).unwrap();
        let words = |kind: Kind, field: &str| {
            let rule = mapping.module(kind).unwrap().rules.iter().find(|rule| rule.field == field).unwrap();
            (rule.source_in_words(kind), rule.change_in_words().unwrap_or_default())
        };
        let says = |source: &str, change: &str| (source.to_owned(), change.to_owned());
        assert_eq!(words(Kind::User, "Last_Name"), says("lastname, or else username", ""));
        assert_eq!(words(Kind::User, "Full"), says("firstname and lastname", ""));
        assert_eq!(words(Kind::User, "State"), says("suspended", "true becomes \"Off\"; anything else becomes \"On\""));
        assert_eq!(words(Kind::User, "Source"), says("always 1", ""));
        assert_eq!(words(Kind::Grade, "Contact"), says("the person's record in Zoho", ""));
        assert_eq!(words(Kind::Grade, "Who"), says("user.email", ""));
        assert_eq!(words(Kind::Grade, "What"), says("item.name", "without its HTML"));
        let bands = "from 40: \"Pass\"; from 0: \"Refer\"; rounded to 2 decimals";
        assert_eq!(words(Kind::Grade, "Result"), says("percentage", bands));
        assert_eq!(mapping.filter().in_words().len(), 4);
        assert!(Mapping::parse(Mapping::DEFAULT).unwrap().filter().in_words().is_empty());
        assert_eq!(mapping.text(), FILE);
    }
}
