//! Checking that a Zoho organisation has what the mapping needs.

use std::collections::BTreeMap;

use super::super::{
    mapping::{ERROR_CHARACTERS, FieldType, KEY_CHARACTERS, Mapping, ModuleMapping, Owner, Rule, STATUSES, Shape},
    metadata::{Demand, Module, ModuleField},
    setup,
};
use crate::model::Kind;

/// A mismatch between the mapping and Zoho.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingFinding {
    /// Whether all records fail, or some may.
    pub severity: Severity,
    /// The module's API name.
    pub module: String,
    /// The field's API name; `None` when it concerns the module.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to change, and where.
    pub advice: String,
    /// Whether `zoho setup` can fix it.
    pub setup_can_fix: bool,
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// No record of the module can be delivered as mapped.
    Error,
    /// Some records may fail.
    Warning,
}

/// Compares the mapping with the live metadata. A module that is missing there, or `None`, does not exist.
pub fn check(mapping: &Mapping, metadata: &BTreeMap<String, Option<Module>>) -> Vec<MappingFinding> {
    let of = |(kind, module): (Kind, &ModuleMapping)| {
        check_module(mapping, kind, module, metadata.get(&module.module).and_then(Option::as_ref))
    };
    mapping.modules().flat_map(of).collect()
}

/// Compares one kind's part of the mapping with its module; `None` when that does not exist.
pub fn check_module(
    mapping: &Mapping,
    kind: Kind,
    module: &ModuleMapping,
    found: Option<&Module>,
) -> Vec<MappingFinding> {
    let mut findings = Vec::new();
    let mut checker = Checker { mapping, kind, module, findings: &mut findings };
    match found {
        Some(found) => checker.fields(found),
        None => checker.no_module(),
    }
    findings
}

struct Checker<'a> {
    mapping: &'a Mapping,
    kind: Kind,
    module: &'a ModuleMapping,
    findings: &'a mut Vec<MappingFinding>,
}

impl Checker<'_> {
    fn add(&mut self, severity: Severity, field: Option<&str>, problem: impl Into<String>, advice: impl Into<String>) {
        self.findings.push(MappingFinding {
            severity,
            module: self.module.module.clone(),
            field: field.map(str::to_owned),
            problem: problem.into(),
            advice: advice.into(),
            setup_can_fix: false,
        });
    }

    fn error(&mut self, field: &ModuleField, problem: impl Into<String>, advice: impl Into<String>) {
        self.add(Severity::Error, Some(&field.api_name), problem, advice);
    }

    fn no_module(&mut self) {
        let can_fix = self.module.labels.is_some();
        let advice = if can_fix {
            "Run `zoho setup` to create it.".to_owned()
        } else {
            let kind = self.kind;
            format!(
                "Correct module in [{kind}] of the mapping file, or give the connection's user access to the module. To have it created, add the labels singular and plural to [{kind}]."
            )
        };
        self.add(Severity::Error, None, "The module does not exist, or is not visible.", advice);
        self.fixable(can_fix);
    }

    /// Sets whether `zoho setup` can fix the last finding.
    fn fixable(&mut self, can_fix: bool) {
        if let Some(finding) = self.findings.last_mut() {
            finding.setup_can_fix = can_fix;
        }
    }

    fn fields(&mut self, found: &Module) {
        let (mapping, module) = (self.mapping, self.module);
        for expected in mapping.expected(module) {
            match found.fields.get(&expected.name) {
                None => self.no_field(&expected.name),
                Some(field) if field.unused => {
                    let advice = "Drag it from the list of unused fields onto the module's layout in Zoho.";
                    self.error(field, "The field is on no layout, so nobody sees it.", advice);
                }
                Some(_) => {}
            }
        }
        for field in module.matches.iter().filter(|field| !found.fields.contains_key(&field.field)) {
            let is_expected = module.rules.iter().any(|rule| rule.field == field.field);
            if !is_expected {
                let advice = "Correct match in [user] of the mapping file, or create the field in Zoho.";
                self.add(Severity::Error, Some(&field.field), "The module has no such field.", advice);
            }
        }
        if let Some(key) = found.fields.get(&module.key) {
            self.key(key);
        }
        for rule in &module.rules {
            if let Some(field) = found.fields.get(&rule.field) {
                self.rule(rule, field);
            }
        }
        for (name, constant) in &module.deleted {
            if let (Some(field), Some(constant)) = (found.fields.get(name), constant)
                && let Some(error) = constant.refused_by(field)
            {
                self.error(field, format!("When a record is gone: {error}."), error.advice());
            }
        }
        self.tracking(found);
        self.required(found);
        self.other_unique(found);
    }

    /// The fields without which Zoho, or a layout, creates no record.
    fn required(&mut self, found: &Module) {
        let (mapping, module) = (self.mapping, self.module);
        let is_filled = |field: &ModuleField| {
            let by_rule = module.rules.iter().any(|rule| rule.field == field.api_name && rule.owner != Owner::Zoho);
            by_rule
                || field.api_name == module.key
                || mapping.tracking().is_some_and(|t| t.fields().any(|name| name == field.api_name))
        };
        let advice =
            format!("Give it a source in [{}.fields] of the mapping file, or make it optional in Zoho.", self.kind);
        for field in found.mandatory().filter(|field| !is_filled(field)) {
            self.error(field, "Zoho requires a value, but the mapping does not fill the field.", advice.as_str());
        }
        for field in found.fields.values().filter(|field| field.demand == Demand::SomeLayouts && !is_filled(field)) {
            let problem =
                "Some layouts demand a value, but the mapping does not fill the field; their records will fail.";
            self.add(Severity::Warning, Some(&field.api_name), problem, advice.as_str());
        }
    }

    /// Unique fields beside the key: two people with one value there, such as a telephone number, cannot both be delivered.
    fn other_unique(&mut self, found: &Module) {
        let written = self.module.rules.iter().filter(|rule| rule.owner != Owner::Zoho);
        let unique = written.filter_map(|rule| found.fields.get(&rule.field)).filter(|field| field.unique);
        for field in unique.filter(|field| field.api_name != self.module.key).collect::<Vec<_>>() {
            let problem = "The field is unique beside the key: of two records with the same value, Zoho refuses one.";
            let advice = "Untick \"Do not allow duplicate values\" in its properties in Zoho, unless no two records ever have the same value.";
            self.add(Severity::Warning, Some(&field.api_name), problem, advice);
        }
    }

    fn no_field(&mut self, name: &str) {
        let can_fix = setup::label(name).is_some();
        let advice = if can_fix {
            "Run `zoho setup` to create it, or correct the API name in the mapping file.".to_owned()
        } else {
            "Create it in Zoho, or correct the API name in the mapping file. `zoho setup` cannot create a field with this name.".to_owned()
        };
        self.add(Severity::Error, Some(name), "The module has no such field.", advice);
        self.fixable(can_fix);
    }

    fn key(&mut self, field: &ModuleField) {
        self.writable(field, true);
        if field.data_type != "text" {
            self.error(
                field,
                format!("The key must have the type text, not {}.", field.data_type),
                "Name another field as the key; `zoho setup` then creates it.",
            );
        }
        if field.length.is_some_and(|length| length < KEY_CHARACTERS) {
            self.error(field, format!("The key needs {KEY_CHARACTERS} characters."), "Make the field longer in Zoho.");
        }
        if !field.unique {
            self.error(
                field,
                "The key is not unique, so records could be duplicated.",
                "Tick \"Do not allow duplicate values\" in the field's properties in Zoho.",
            );
        }
    }

    /// Whether it can be written in new records, and in others if it is to be `changed`.
    fn writable(&mut self, field: &ModuleField, changed: bool) {
        let problem = match field {
            _ if field.read_only => "The field cannot be written.",
            _ if field.hidden => "The connection's user does not see the field.",
            _ if !field.api_create => "The field cannot be written by API when a record is created.",
            _ if changed && !field.api_update => "The field cannot be changed by API.",
            _ => return,
        };
        let advice =
            "Remove it from the mapping file, or let the connection's user write it (profile and field settings).";
        self.error(field, problem, advice);
    }

    fn rule(&mut self, rule: &Rule, field: &ModuleField) {
        if rule.owner == Owner::Zoho {
            return;
        }
        self.writable(field, rule.owner == Owner::Moodle);
        if field.read_only {
            return;
        }
        match (rule.lookup().and_then(|related| self.mapping.target(related)), field.data_type.as_str()) {
            (Some(target), "lookup") => {
                if let Some(points_to) = field.lookup.as_deref().filter(|points_to| *points_to != target) {
                    self.error(
                        field,
                        format!("The lookup points to {points_to} instead of {target}."),
                        format!("Map to a lookup field that points to {target}."),
                    );
                }
            }
            (Some(_), data_type) => {
                self.error(
                    field,
                    format!("The field must be a lookup, not of type {data_type}."),
                    "Map to a lookup field; `zoho setup` creates one if the name is unused.",
                );
            }
            (None, _) => self.value(rule, field),
        }
    }

    fn value(&mut self, rule: &Rule, field: &ModuleField) {
        if let Some(constants) = rule.constants() {
            for error in constants.into_iter().filter_map(|constant| constant.refused_by(field)) {
                self.error(
                    field,
                    format!("One of the values in the mapping file cannot be written: {error}."),
                    error.advice(),
                );
            }
            return;
        }
        let shapes = rule.shapes();
        let are = |allowed: &[Shape]| shapes.iter().all(|shape| shape.may_be(allowed));
        let fits = match field.data_type.as_str() {
            "text" | "textarea" | "picklist" | "multiselectpicklist" => true,
            "email" | "phone" | "website" => are(&[Shape::Text]),
            "integer" | "bigint" => are(&[Shape::Integer]) || rule.is_whole() && are(&[Shape::Integer, Shape::Decimal]),
            "double" | "currency" | "percent" => are(&[Shape::Integer, Shape::Decimal]),
            "boolean" => are(&[Shape::Bool]),
            "date" | "datetime" => are(&[Shape::Time]),
            _ => false,
        };
        if !fits {
            let advice = "Give the field another source in the mapping file, or map to a field of another type.";
            self.error(field, format!("The source does not suit a field of type {}.", field.data_type), advice);
        } else if field.data_type.ends_with("picklist") {
            self.picklist(rule, field);
        } else if rule.never_cut()
            && field.data_type == "text"
            && field.length.is_some_and(|length| length < LONGEST_TEXT)
        {
            let advice = "Make the field longer in Zoho, or let it be cut with too_long = \"cut\" in the mapping file.";
            self.add(
                Severity::Warning,
                Some(&field.api_name),
                "Texts that are longer than the field will fail.",
                advice,
            );
        }
    }

    fn picklist(&mut self, rule: &Rule, field: &ModuleField) {
        let Some(words) = rule.words() else {
            let advice = "Make sure that it has all values that occur, or translate them with map and otherwise in the mapping file.";
            let problem = match field.system_mandatory {
                true => "Records whose value is not in the picklist will fail.",
                false => "Values that are not in the picklist are left out.",
            };
            // Countries are found by their names.
            if !rule.is_country() {
                self.add(Severity::Warning, Some(&field.api_name), problem, advice);
            }
            return;
        };
        let missing: Vec<_> = words.into_iter().filter(|word| field.choice(word).is_none()).collect();
        if !missing.is_empty() {
            let problem = format!("The picklist lacks {}.", missing.join(", "));
            self.error(
                field,
                problem,
                "Add what is missing to the picklist in Zoho, or translate it with map in the mapping file.",
            );
        }
    }

    fn tracking(&mut self, found: &Module) {
        let Some(tracking) = self.mapping.tracking() else { return };
        for (name, data_type) in tracking.fields_with_types() {
            let Some(field) = found.fields.get(name) else { continue };
            self.writable(field, true);
            let advice = "Name another field in [tracking] of the mapping file, which `zoho setup` then creates, or correct this one in Zoho.";
            let is_text = matches!(field.data_type.as_str(), "text" | "textarea");
            let fits = field.data_type == data_type.zoho_name() || is_text && data_type != FieldType::Datetime;
            if !fits {
                self.error(
                    field,
                    format!(
                        "The tracking field must have the type {}, not {}.",
                        data_type.zoho_name(),
                        field.data_type
                    ),
                    advice,
                );
            } else if data_type == FieldType::Text
                && field.length.is_some_and(|length| (length as usize) < ERROR_CHARACTERS)
            {
                self.error(field, format!("The field needs {ERROR_CHARACTERS} characters."), advice);
            } else if field.data_type == "picklist" && !STATUSES.iter().all(|status| field.choice(status).is_some()) {
                self.error(field, format!("The picklist must have {}.", STATUSES.join(", ")), advice);
            }
        }
    }
}

/// The longest text in Moodle's single-line fields, in characters.
const LONGEST_TEXT: u32 = 255;

#[cfg(test)]
mod tests;
