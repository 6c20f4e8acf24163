//! The metadata of modules and fields, as `GET /settings/fields` returns it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};

/// A module's fields by API name; deserialized from the answer, `{"fields": [...]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Module {
    /// By API name.
    #[serde(deserialize_with = "by_name")]
    pub fields: BTreeMap<String, ModuleField>,
}

impl FromIterator<ModuleField> for Module {
    fn from_iter<I: IntoIterator<Item = ModuleField>>(fields: I) -> Self {
        Self { fields: fields.into_iter().map(|field| (field.api_name.clone(), field)).collect() }
    }
}

impl Module {
    /// The fields that are required to create a record, except the owner, which Zoho sets.
    pub fn mandatory(&self) -> impl Iterator<Item = &ModuleField> {
        self.fields.values().filter(|field| {
            let required = field.system_mandatory || field.demand == Demand::EveryLayout;
            required && !field.read_only && field.data_type != "ownerlookup"
        })
    }

    /// Takes over in which fields the layouts demand a value: one set for each.
    pub fn demand(&mut self, layouts: &[BTreeSet<String>]) {
        for field in self.fields.values_mut() {
            let demanding = layouts.iter().filter(|layout| layout.contains(&field.api_name)).count();
            field.demand = match demanding {
                0 => Demand::None,
                all if all == layouts.len() => Demand::EveryLayout,
                _ => Demand::SomeLayouts,
            };
        }
    }
}

/// Which layouts demand a value. The metadata of fields does not say so; only a call for layouts does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// None, or the layouts have not been read.
    #[default]
    None,
    /// Some of them.
    SomeLayouts,
    /// All of them: no record is created without a value.
    EveryLayout,
}

/// A field of a module.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "FieldAnswer")]
pub struct ModuleField {
    /// The name that records use.
    pub api_name: String,
    /// The name that people see.
    pub field_label: String,
    /// The type: `text`, `email`, `phone`, `textarea`, `integer`, `bigint`, `double`, `boolean`, `date`, `datetime`,
    /// `picklist`, `lookup`, ...
    pub data_type: String,
    /// The most characters, or digits of a number.
    pub length: Option<u32>,
    /// The most decimal places.
    pub decimal_place: Option<u32>,
    /// Required to create a record.
    pub system_mandatory: bool,
    /// Zoho computes it, or the profile forbids writing.
    pub read_only: bool,
    /// No two records may have the same value.
    pub unique: bool,
    /// A picklist's values.
    pub picklist: Vec<Choice>,
    /// On no layout: an administrator took it off. Nobody sees it, and its name is taken.
    pub unused: bool,
    /// The module that a lookup points to.
    pub lookup: Option<String>,
    /// Somebody created it, so it counts towards the edition's custom fields.
    pub custom: bool,
    /// The profile of the connection's user does not see it.
    pub hidden: bool,
    /// The API may write it in new records.
    pub api_create: bool,
    /// The API may change it.
    pub api_update: bool,
    /// Which layouts demand a value.
    pub demand: Demand,
}

impl ModuleField {
    /// A field of that name and type, with defaults for everything else.
    pub fn new(api_name: impl Into<String>, data_type: impl Into<String>) -> Self {
        let api_name = api_name.into();
        Self {
            field_label: api_name.replace('_', " "),
            api_name,
            data_type: data_type.into(),
            length: None,
            decimal_place: None,
            system_mandatory: false,
            read_only: false,
            unique: false,
            picklist: Vec::new(),
            unused: false,
            lookup: None,
            custom: false,
            hidden: false,
            api_create: true,
            api_update: true,
            demand: Demand::None,
        }
    }

    /// The value of the picklist that this text stands for.
    pub(crate) fn choice(&self, text: &str) -> Option<&Choice> {
        self.picklist.iter().find(|choice| choice.display == text || choice.actual == text)
    }

    pub(crate) fn is_boolean(&self) -> bool {
        self.data_type == "boolean"
    }
}

/// A value of a picklist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What people see, and what we write.
    pub display: String,
    /// What Zoho stores. Some answers have it instead.
    pub actual: String,
}

impl From<String> for Choice {
    /// A value that is stored as people see it.
    fn from(value: String) -> Self {
        Self { display: value.clone(), actual: value }
    }
}

impl From<PicklistValue> for Choice {
    fn from(value: PicklistValue) -> Self {
        Self { actual: value.actual_value.unwrap_or_else(|| value.display_value.clone()), display: value.display_value }
    }
}

/// A field in Zoho's format: much of it may be missing, null or an empty object.
#[derive(Deserialize)]
struct FieldAnswer {
    api_name: String,
    #[serde(default)]
    field_label: Option<String>,
    data_type: String,
    length: Option<u32>,
    decimal_place: Option<u32>,
    system_mandatory: Option<bool>,
    read_only: Option<bool>,
    field_read_only: Option<bool>,
    /// `{}` for a field that is not unique, `{"case_sensitive": …}` for one that is.
    unique: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    pick_list_values: Option<Vec<PicklistValue>>,
    /// `used` or `unused`.
    #[serde(rename = "type")]
    usage: Option<String>,
    lookup: Option<Lookup>,
    custom_field: Option<bool>,
    visible: Option<bool>,
    operation_type: Option<Operations>,
}

#[derive(Deserialize)]
struct Operations {
    api_create: Option<bool>,
    api_update: Option<bool>,
}

#[derive(Deserialize)]
struct PicklistValue {
    display_value: String,
    actual_value: Option<String>,
}

#[derive(Deserialize)]
struct Lookup {
    module: Option<LookupTarget>,
}

#[derive(Deserialize)]
struct LookupTarget {
    api_name: String,
}

impl From<FieldAnswer> for ModuleField {
    fn from(answer: FieldAnswer) -> Self {
        Self {
            field_label: answer.field_label.unwrap_or_else(|| answer.api_name.clone()),
            api_name: answer.api_name,
            data_type: answer.data_type,
            length: answer.length,
            decimal_place: answer.decimal_place,
            system_mandatory: answer.system_mandatory == Some(true),
            read_only: answer.read_only == Some(true) || answer.field_read_only == Some(true),
            unique: answer.unique.is_some_and(|unique| !unique.is_empty()),
            picklist: answer.pick_list_values.into_iter().flatten().map(Choice::from).collect(),
            unused: answer.usage.as_deref() == Some("unused"),
            lookup: answer.lookup.and_then(|lookup| lookup.module).map(|module| module.api_name),
            custom: answer.custom_field == Some(true),
            hidden: answer.visible == Some(false),
            api_create: answer.operation_type.as_ref().and_then(|allowed| allowed.api_create) != Some(false),
            api_update: answer.operation_type.as_ref().and_then(|allowed| allowed.api_update) != Some(false),
            demand: Demand::None,
        }
    }
}

fn by_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, ModuleField>, D::Error> {
    Ok(Module::from_iter(Vec::<ModuleField>::deserialize(deserializer)?).fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Demand, Module, ModuleField};

    #[test]
    fn zohos_answer_is_parsed() {
        let answer = json!({ "fields": [
            { "api_name": "Last_Name", "field_label": "Last Name", "data_type": "text", "length": 80, "system_mandatory": true,
              "read_only": false, "field_read_only": false, "unique": {}, "pick_list_values": [], "lookup": {}, "decimal_place": null },
            { "api_name": "Key", "field_label": "Key", "data_type": "text", "length": 255, "unique": { "case_sensitive": false },
              "custom_field": true, "visible": false, "operation_type": { "api_create": true, "api_update": false } },
            { "api_name": "Rating", "field_label": "Rating", "data_type": "picklist", "field_read_only": true,
              "type": "unused", "pick_list_values": [{ "display_value": "Good", "actual_value": "good" }] },
            { "api_name": "Contact", "field_label": "Contact", "data_type": "lookup",
              "lookup": { "module": { "api_name": "Contacts", "id": "1" } } },
            { "api_name": "Owner", "field_label": "Owner", "data_type": "ownerlookup", "system_mandatory": true },
        ] });
        let module: Module = serde_json::from_value(answer).unwrap();
        assert_eq!(module.mandatory().map(|field| field.api_name.as_str()).collect::<Vec<_>>(), ["Last_Name"]);
        assert_eq!(module.fields["Last_Name"].length, Some(80));
        assert!(module.fields["Key"].unique && !module.fields["Last_Name"].unique);
        assert!(module.fields["Rating"].read_only);
        let choice = module.fields["Rating"].choice("good").expect("a choice");
        assert_eq!((choice, choice.display.as_str()), (module.fields["Rating"].choice("Good").unwrap(), "Good"));
        assert!(module.fields["Rating"].unused && !module.fields["Key"].unused);
        assert_eq!(module.fields["Contact"].lookup.as_deref(), Some("Contacts"));
        assert_eq!(module.fields["Last_Name"].lookup, None);
        let (key, name) = (&module.fields["Key"], &module.fields["Last_Name"]);
        assert!(key.custom && key.hidden && key.api_create && !key.api_update);
        assert!(!name.custom && !name.hidden && name.api_create && name.api_update);
    }

    #[test]
    fn what_each_layout_demands_is_mandatory() {
        let fields = ["A", "B", "C"].map(|name| ModuleField::new(name, "text"));
        let mut module = Module::from_iter(fields);
        let layout = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        module.demand(&[layout(&["A", "B"]), layout(&["A"])]);
        assert_eq!(module.mandatory().map(|field| field.api_name.as_str()).collect::<Vec<_>>(), ["A"]);
        assert_eq!((module.fields["B"].demand, module.fields["C"].demand), (Demand::SomeLayouts, Demand::None));
        module.demand(&[]);
        assert_eq!(module.mandatory().count(), 0);
    }
}
