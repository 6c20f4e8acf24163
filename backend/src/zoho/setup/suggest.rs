//! Proposing lines of the mapping for custom fields, by comparing their names and values with the organisation's fields.

use std::{collections::BTreeSet, fmt};

use super::{
    super::{
        mapping::{ModuleMapping, Tracking, takes},
        metadata::{Module, ModuleField},
    },
    label,
};
use crate::model::Kind;

/// A custom field in Moodle, and some of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The source in the mapping: `profile.studentno`.
    pub source: String,
    /// Values of different records.
    pub values: Vec<String>,
}

/// A proposal for one custom field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// A line for the mapping file; `None` if there is none.
    pub line: Option<String>,
    /// Why, or why not.
    pub reason: String,
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Some(line) => write!(f, "{line}  # {}", self.reason),
            None => write!(f, "# {}", self.reason),
        }
    }
}

/// Proposes a line for each custom field that the mapping of `kind` does not read yet.
pub fn suggest(
    kind: Kind,
    table: &ModuleMapping,
    tracking: Option<&Tracking>,
    module: &Module,
    samples: &[Sample],
) -> Vec<Suggestion> {
    let mut taken: BTreeSet<&str> = table.rules.iter().map(|rule| rule.field.as_str()).collect();
    taken.insert(&table.key);
    taken.extend(table.matches.iter().map(|field| field.field.as_str()));
    taken.extend(tracking.into_iter().flat_map(Tracking::fields));
    let is_read = |sample: &&Sample| table.rules.iter().any(|rule| rule.sources(kind).contains(&sample.source));
    let mut suggestions = Vec::new();
    for sample in samples.iter().filter(|sample| !is_read(sample)) {
        let free =
            module.fields.values().filter(|field| !taken.contains(field.api_name.as_str()) && is_writable(field));
        let likely = free.filter_map(|field| Some((closeness(sample.name(), field)?, field)));
        let found = likely.filter(|(_, field)| suits(field, sample)).min_by_key(|(rank, _)| *rank);
        suggestions.push(match found {
            Some((_, field)) => {
                taken.insert(&field.api_name);
                existing(sample, field)
            }
            None => new(sample, module),
        });
    }
    suggestions
}

fn is_writable(field: &ModuleField) -> bool {
    !field.read_only && !field.hidden && !field.unused && field.api_create && field.api_update
}

/// Whether nearly all values fit. A few mistakes do not make another field of it.
fn suits(field: &ModuleField, sample: &Sample) -> bool {
    let fitting = sample.values.iter().filter(|value| takes(field, value)).count();
    fitting * 10 >= sample.values.len() * 9
}

/// Words that mean the same, as they are often written in Moodle and in Zoho.
const SAME: [(&str, &str); 6] = [
    ("dob", "dateofbirth"),
    ("birthday", "dateofbirth"),
    ("birthdate", "dateofbirth"),
    ("mobilephone", "mobile"),
    ("cellphone", "mobile"),
    ("jobtitle", "title"),
];

/// The ends of words that stand for a number.
const NUMBER: [&str; 3] = ["number", "nr", "no"];

/// The shortest name that counts as a part of another one.
const SHORTEST_PART: usize = 5;

/// How much a field of Moodle and one of Zoho are called alike, 0 is the most; `None` if they are not.
fn closeness(name: &str, field: &ModuleField) -> Option<u8> {
    let name = plain(name);
    let others = [plain(&field.api_name), plain(&field.field_label)];
    let is_part = |other: &String| {
        let shorter = name.len().min(other.len());
        shorter >= SHORTEST_PART && (name.contains(other.as_str()) || other.contains(name.as_str()))
    };
    match () {
        () if others.contains(&name) => Some(0),
        () if others.iter().any(|other| common(other) == common(&name)) => Some(1),
        () if others.iter().any(is_part) => Some(2),
        () => None,
    }
}

/// Letters and digits only.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// One spelling of what is often written in several ways.
fn common(name: &str) -> String {
    if let Some((_, same)) = SAME.iter().find(|(word, _)| *word == name) {
        return (*same).to_owned();
    }
    let stem = NUMBER.iter().find_map(|end| name.strip_suffix(end)).filter(|stem| stem.len() > 2);
    stem.map_or_else(|| name.to_owned(), |stem| format!("{stem}number"))
}

impl Sample {
    /// The short name.
    fn name(&self) -> &str {
        self.source.split_once('.').map_or(self.source.as_str(), |(_, name)| name)
    }

    fn all(&self, is: impl Fn(&str) -> bool) -> bool {
        !self.values.is_empty() && self.values.iter().all(|value| is(value))
    }

    fn is_html(&self) -> bool {
        self.values.iter().any(|value| value.contains("</") || value.contains("<br"))
    }

    /// What else the line says, for a field that `zoho setup` creates.
    fn hint(&self) -> String {
        let takes = |data_type: &str, value: &str| takes(&ModuleField::new("F", data_type), value);
        // A leading zero would be lost.
        let is_number =
            |data_type: &str, value: &str| takes(data_type, value) && !(value.starts_with('0') && value.len() > 1);
        if self.is_html() || self.values.iter().any(|value| value.chars().count() > TEXT_CHARACTERS) {
            return ", plain = true, type = \"textarea\", length = 32000".to_owned();
        }
        let known = match () {
            () if self.all(|value| value == "0" || value == "1") => "boolean",
            () if self.all(|value| value.len() == 10 && takes("date", value)) => "date",
            () if self.all(|value| value.contains('T') && takes("datetime", value)) => "datetime",
            () if self.all(|value| is_number("bigint", value)) => "bigint",
            () if self.all(|value| is_number("double", value)) => "decimal",
            () => return String::new(),
        };
        format!(", type = \"{known}\"")
    }
}

/// The longest text of a field that `zoho setup` creates by itself.
const TEXT_CHARACTERS: usize = 255;

fn existing(sample: &Sample, field: &ModuleField) -> Suggestion {
    let plain = if sample.is_html() { ", plain = true" } else { "" };
    Suggestion {
        line: Some(format!("{} = {{ from = \"{}\"{plain} }}", field.api_name, sample.source)),
        reason: format!("\"{}\" is there, of type {}", field.field_label, field.data_type),
    }
}

fn new(sample: &Sample, module: &Module) -> Suggestion {
    let words = sample.name().split('_').filter(|word| !word.is_empty()).map(|word| {
        let mut letters = word.chars();
        letters.next().map(char::to_uppercase).into_iter().flatten().chain(letters).collect::<String>()
    });
    let name = words.collect::<Vec<_>>().join("_");
    let is_free = |name: &String| label(name).is_some() && !module.fields.contains_key(name);
    match [name.clone(), format!("Moodle_{name}")].into_iter().find(is_free) {
        Some(name) => Suggestion {
            line: Some(format!("{name} = {{ from = \"{}\"{} }}", sample.source, sample.hint())),
            reason: "zoho setup creates it".to_owned(),
        },
        None => Suggestion {
            line: None,
            reason: format!("{}: its name does not suit a field in Zoho; map it to one that you choose", sample.source),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{
            mapping::Mapping,
            metadata::{Module, ModuleField},
        },
        Sample, suggest,
    };
    use crate::model::Kind;

    fn lines(samples: &[(&str, &[&str])]) -> Vec<String> {
        let mapping = Mapping::parse(
            "[user]\nmodule = \"Contacts\"\nkey = \"Key\"\n[user.fields]\nLast_Name = { from = \"lastname\" }\n\
             Mobile = { from = \"profile.mobile\" }\n",
        );
        let mapping = mapping.unwrap();
        let labelled = |name: &str, data_type: &str, label: &str| ModuleField {
            field_label: label.to_owned(),
            ..ModuleField::new(name, data_type)
        };
        let module: Module = [
            ModuleField::new("Last_Name", "text"),
            ModuleField::new("Date_of_Birth", "date"),
            ModuleField::new("Student_Number", "text"),
            labelled("Custom_7", "boolean", "Vegan"),
            ModuleField::new("Level", "integer"),
            ModuleField { read_only: true, ..ModuleField::new("Gender", "text") },
            ModuleField::new("Description", "textarea"),
        ]
        .into_iter()
        .collect();
        let samples: Vec<_> = samples
            .iter()
            .map(|(name, values)| Sample {
                source: format!("profile.{name}"),
                values: values.iter().map(|value| (*value).to_owned()).collect(),
            })
            .collect();
        let table = mapping.module(Kind::User).unwrap();
        let suggestions = suggest(Kind::User, table, mapping.tracking(), &module, &samples);
        let lines: Vec<_> = suggestions.iter().map(ToString::to_string).collect();
        // What is proposed can be read.
        let text = format!("[user]\nmodule = \"Contacts\"\nkey = \"Key\"\n[user.fields]\n{}\n", lines.join("\n"));
        Mapping::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        lines
    }

    #[test]
    fn fields_that_are_there_are_found_by_name_and_values() {
        assert_eq!(
            lines(&[
                ("birthday", &["2008-05-23", "2007-01-31"]),
                ("studentno", &["0042"]),
                ("vegan", &["1", "0"]),
                ("shortdescription", &["<p>Hi</p>"]),
                ("mobile", &["1"]),
            ]),
            [
                "Date_of_Birth = { from = \"profile.birthday\" }  # \"Date of Birth\" is there, of type date",
                "Student_Number = { from = \"profile.studentno\" }  # \"Student Number\" is there, of type text",
                "Custom_7 = { from = \"profile.vegan\" }  # \"Vegan\" is there, of type boolean",
                "Description = { from = \"profile.shortdescription\", plain = true }  # \"Description\" is there, of type textarea",
            ]
        );
    }

    #[test]
    fn what_does_not_suit_gets_a_field_of_its_own() {
        let new = |line: &str| format!("{line}  # zoho setup creates it");
        assert_eq!(
            lines(&[
                ("level", &["Entry", "Higher"]),
                ("gender", &["x"]),
                ("first_day", &["2026-09-01"]),
                ("seen", &["2026-11-28T09:00:00Z"]),
                ("credits", &["10", "120"]),
                ("average", &["82.5", "7"]),
                ("code", &["0042"]),
                ("agreed", &["0"]),
                ("bio", &["<p>Hi</p>"]),
            ]),
            [
                new("Moodle_Level = { from = \"profile.level\" }"),
                new("Moodle_Gender = { from = \"profile.gender\" }"),
                new("First_Day = { from = \"profile.first_day\", type = \"date\" }"),
                new("Seen = { from = \"profile.seen\", type = \"datetime\" }"),
                new("Credits = { from = \"profile.credits\", type = \"bigint\" }"),
                new("Average = { from = \"profile.average\", type = \"decimal\" }"),
                new("Code = { from = \"profile.code\" }"),
                new("Agreed = { from = \"profile.agreed\", type = \"boolean\" }"),
                new("Bio = { from = \"profile.bio\", plain = true, type = \"textarea\", length = 32000 }"),
            ]
        );
        let long = lines(&[("a_name_that_is_much_too_long_for_zoho", &["x"])]);
        assert!(long[0].starts_with("# profile.a_name"), "{long:?}");
    }
}
