//! The fields that a mapping needs in Zoho: `zoho check` expects them, and `zoho setup` creates them.

use super::{Constant, FieldType, Mapping, ModuleMapping, Related, Rule, STATUSES, Shape};

/// The default length of text fields in characters, as in Zoho.
const TEXT_CHARACTERS: u32 = 255;

/// The length of a key field in characters: enough for the longest site name and two ids of 19 digits.
pub(crate) const KEY_CHARACTERS: u32 = 80;

/// Zoho's limits for creating a picklist: the number of values, and the characters of a value.
const PICKLIST_VALUES: usize = 10;
const PICKLIST_CHARACTERS: usize = 25;

/// A field that the mapping needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedField {
    pub(crate) name: String,
    pub(crate) data_type: FieldType,
    /// Characters of a text field.
    pub(crate) length: Option<u32>,
    pub(crate) unique: bool,
    /// The values of a picklist.
    pub(crate) values: Vec<String>,
    /// The module that a lookup points to.
    pub(crate) lookup: Option<String>,
}

impl ExpectedField {
    fn new(name: &str, data_type: FieldType) -> Self {
        Self { name: name.to_owned(), data_type, length: None, unique: false, values: Vec::new(), lookup: None }
    }
}

impl Mapping {
    /// The fields that a module must have, including the key and tracking fields.
    pub(crate) fn expected(&self, module: &ModuleMapping) -> Vec<ExpectedField> {
        let key = ExpectedField {
            length: Some(KEY_CHARACTERS),
            unique: true,
            ..ExpectedField::new(&module.key, FieldType::Text)
        };
        let mut expected = vec![key];
        expected.extend(module.rules.iter().map(|rule| self.expected_for(module, rule)));
        for (name, value) in &module.deleted {
            if !expected.iter().any(|field| field.name == *name) {
                let data_type = value.as_ref().map_or(FieldType::Text, |value| suits(&[value.shape()]));
                let length = (data_type == FieldType::Text).then_some(TEXT_CHARACTERS);
                expected.push(ExpectedField { length, ..ExpectedField::new(name, data_type) });
            }
        }
        for (name, data_type) in self.tracking.iter().flat_map(|tracking| tracking.fields_with_types()) {
            let values =
                if data_type == FieldType::Picklist { STATUSES.map(str::to_owned).to_vec() } else { Vec::new() };
            let length = (data_type == FieldType::Text).then_some(TEXT_CHARACTERS);
            expected.push(ExpectedField { values, length, ..ExpectedField::new(name, data_type) });
        }
        expected
    }

    fn expected_for(&self, module: &ModuleMapping, rule: &Rule) -> ExpectedField {
        let values = values(module, rule);
        let data_type = rule.hint.data_type.unwrap_or_else(|| derive(rule, &values));
        let target = rule.lookup().and_then(|related| self.target(related));
        ExpectedField {
            length: rule.hint.length.or((data_type == FieldType::Text).then_some(TEXT_CHARACTERS)),
            values: if data_type == FieldType::Picklist { values } else { Vec::new() },
            lookup: target.map(str::to_owned),
            ..ExpectedField::new(&rule.field, data_type)
        }
    }

    /// The module that a lookup points to.
    pub(crate) fn target(&self, related: Related) -> Option<&str> {
        self.module(related.kind()).map(|module| module.module.as_str())
    }
}

/// The texts that are known to be written into the field: those of the rule, of its hint, and of the table `deleted`.
fn values(module: &ModuleMapping, rule: &Rule) -> Vec<String> {
    let mut values = rule.hint.values.clone();
    let deleted = module.deleted.iter().filter(|(name, _)| *name == rule.field).filter_map(|(_, value)| value.as_ref());
    let deleted = deleted.filter_map(|value| if let Constant::Text(text) = value { Some(text.as_str()) } else { None });
    for word in rule.words().into_iter().flatten().chain(deleted) {
        if !values.iter().any(|value| value == word) {
            values.push(word.to_owned());
        }
    }
    values
}

fn derive(rule: &Rule, values: &[String]) -> FieldType {
    if rule.lookup().is_some() {
        return FieldType::Lookup;
    }
    let fits =
        values.len() <= PICKLIST_VALUES && values.iter().all(|value| value.chars().count() <= PICKLIST_CHARACTERS);
    if rule.words().is_some_and(|words| words.len() > 1) && fits {
        return FieldType::Picklist;
    }
    match suits(&rule.shapes()) {
        FieldType::Datetime if rule.is_date() => FieldType::Date,
        suits => suits,
    }
}

fn suits(shapes: &[Shape]) -> FieldType {
    let are = |allowed: &[Shape]| !shapes.is_empty() && shapes.iter().all(|shape| allowed.contains(shape));
    if are(&[Shape::Integer]) {
        FieldType::Bigint
    } else if are(&[Shape::Integer, Shape::Decimal]) {
        FieldType::Decimal
    } else if are(&[Shape::Bool]) {
        FieldType::Boolean
    } else if are(&[Shape::Time]) {
        FieldType::Datetime
    } else {
        FieldType::Text
    }
}
