//! What an administrator of the organisation may have set up that refuses records: a limit of records, validation
//! rules, Duplicate Check Preferences. Approvals, blueprints and conversions refuse changes of single records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    answer::Refusal,
    check::json_path,
    records::{Fields, Hold, Record, index_key},
    rules::Rule,
    schema::{Module, Organisation},
    write::duplicate,
};

/// The policies, as `/__sim/policies` shows and takes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Policies {
    /// The most records of a module, its recycle bin included.
    most_records: BTreeMap<String, usize>,
    validation_rules: Vec<ValidationRule>,
    duplicate_checks: Vec<DuplicateCheck>,
    /// The modules whose new records wait for an approval, or are in a blueprint.
    held: BTreeMap<String, Hold>,
}

impl Policies {
    /// What holds a new record of this module.
    pub(super) fn hold(&self, module: &str) -> Option<Hold> {
        self.held.get(module).copied()
    }
}

/// Refuses records with this value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidationRule {
    module: String,
    field: String,
    value: Value,
}

/// Refuses new records whose value another module has, also in converted leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DuplicateCheck {
    module: String,
    field: String,
    other_module: String,
    other_field: String,
}

impl Organisation {
    /// Puts policies into force in place of the earlier ones.
    pub(super) fn set_policies(&mut self, policies: Policies) {
        for check in &policies.duplicate_checks {
            if let Some(module) = self.modules.get_mut(&check.other_module) {
                module.records.index(&check.other_field);
            }
        }
        self.policies = policies;
    }
}

/// Whether the policies allow a new record with these fields.
pub(super) fn admit_new(
    organisation: &Organisation,
    module: &Module,
    fields: &Fields,
    place: usize,
) -> Result<(), Refusal> {
    let policies = &organisation.policies;
    if policies.most_records.get(&module.api_name).is_some_and(|most| module.records.stored() >= *most) {
        return Err(Refusal::of(Rule::RoomForRecords));
    }
    let checks = policies.duplicate_checks.iter().filter(|check| check.module == module.api_name);
    for check in checks {
        if let Some((other, field, id)) = found_by(organisation, module, check, fields) {
            let refusal = duplicate(other, field, id, place);
            return Err(Refusal { rule: Some(Rule::DuplicatePreferences), ..refusal });
        }
    }
    validate(policies, module, fields, place)
}

/// Whether the policies, and its own state, allow a change of this record.
pub(super) fn admit_change(
    organisation: &Organisation,
    module: &Module,
    record: &Record,
    after: &Fields,
    place: usize,
) -> Result<(), Refusal> {
    let held = |rule| {
        let refusal = Refusal::of(rule).detail("api_name", "id");
        Err(refusal.detail("json_path", json_path(place, "id")))
    };
    match record.hold {
        Some(Hold::Approval) => held(Rule::NotInApproval),
        Some(Hold::Blueprint) => held(Rule::NotInBlueprint),
        Some(Hold::Converted) => held(Rule::NotConverted),
        None => validate(&organisation.policies, module, after, place),
    }
}

fn validate(policies: &Policies, module: &Module, fields: &Fields, place: usize) -> Result<(), Refusal> {
    let rules = policies.validation_rules.iter().filter(|rule| rule.module == module.api_name);
    rules.into_iter().find(|rule| fields.get(&rule.field) == Some(&rule.value)).map_or(Ok(()), |rule| {
        Err(Refusal::of(Rule::ValidationRules)
            .detail("api_name", rule.field.as_str())
            .detail("json_path", json_path(place, &rule.field)))
    })
}

/// The module, our field, and the record that has the same value.
fn found_by<'a>(
    organisation: &'a Organisation,
    module: &'a Module,
    check: &DuplicateCheck,
    fields: &Fields,
) -> Option<(&'a Module, &'a super::schema::Field, u64)> {
    let value = fields.get(&check.field)?;
    let (other, field) = (organisation.modules.get(&check.other_module)?, module.fields.get(&check.field)?);
    let key = index_key(value);
    let same = |id: &u64| {
        let found = other.records.live(*id).and_then(|(_, fields)| fields.get(&check.other_field));
        found.is_some_and(|found| index_key(found) == key)
    };
    let id = other.records.candidates(&check.other_field, value).find(same)?;
    Some((other, field, id))
}
