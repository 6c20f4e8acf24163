//! The search: criteria, and records as of some time ago.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    call::Call,
    read::{Paging, page, requested_fields, show},
    records::{Fields, Record, index_key},
    rules::Rule,
    schema::{Kind, Module, Organisation, read_id},
    time::read_rfc3339,
};
use chrono::{DateTime, NaiveDate, Utc};

/// The most conditions of one search; Zoho's limit.
const CONDITIONS: usize = 10;

/// The deepest nesting of brackets: more than ten conditions can need.
const DEPTH: usize = 20;

#[derive(Debug, PartialEq)]
enum Criteria {
    Condition { field: String, test: Test },
    All(Vec<Criteria>),
    Any(Vec<Criteria>),
}

#[derive(Debug, PartialEq)]
enum Test {
    Equals(Vec<String>),
    StartsWith(String),
}

/// Answers a search with the records as of `seen`.
pub(super) fn search(organisation: &mut Organisation, call: &Call, seen: DateTime<Utc>) -> Result<Answer, Refusal> {
    let name = call.module.as_deref().unwrap_or_default();
    let module = organisation.modules.get_mut(name).ok_or_else(Refusal::invalid_module)?;
    let criteria = read_criteria(module, call)?;
    let paging = Paging::of(call)?;
    let requested = requested_fields(call)?;
    build_indexes(module, &criteria);
    let module = organisation.modules.get(name).ok_or_else(Refusal::invalid_module)?;
    let found = matching(module, &criteria, seen);
    let more = found.len() > paging.start + paging.per_page;
    let shown = found.into_iter().rev().skip(paging.start).take(paging.per_page);
    let shown =
        shown.map(|(id, record, fields)| show(organisation, module, (id, record, fields), requested.as_deref()));
    Ok(page(shown.collect(), &paging, more))
}

/// Answers with the number of records that a search would find; of all records without criteria.
pub(super) fn count(organisation: &mut Organisation, call: &Call, seen: DateTime<Utc>) -> Result<Answer, Refusal> {
    let name = call.module.as_deref().unwrap_or_default();
    let module = organisation.modules.get_mut(name).ok_or_else(Refusal::invalid_module)?;
    let restricted = ["criteria", "email", "phone"].iter().any(|name| call.parameter(name).is_some());
    let count = match restricted {
        true => {
            let criteria = read_criteria(module, call)?;
            build_indexes(module, &criteria);
            matching(module, &criteria, seen).len()
        }
        false => module.records.all_at(seen).filter(|(_, record, _)| !record.is_converted()).count(),
    };
    Ok(Answer::ok(json!({ "count": count })))
}

/// The records that fit the criteria, as of `seen`. Needs the indexes.
fn matching<'a>(
    module: &'a Module,
    criteria: &Criteria,
    seen: DateTime<Utc>,
) -> Vec<(u64, &'a Record, &'a Arc<Fields>)> {
    let records = &module.records;
    let fits = |record: &Record, fields: &Fields| !record.is_converted() && criteria.fits(fields);
    match candidates(module, criteria) {
        Some(ids) => {
            let past = ids.into_iter().filter_map(|id| records.get(id).map(|record| (id, record)));
            let past = past.filter_map(|(id, record)| Some((id, record, record.fields_at(seen)?)));
            past.filter(|(_, record, fields)| fits(record, fields)).collect()
        }
        None => records.all_at(seen).filter(|(_, record, fields)| fits(record, fields)).collect(),
    }
}

fn read_criteria(module: &Module, call: &Call) -> Result<Criteria, Refusal> {
    if let Some(text) = call.parameter("criteria") {
        let mut reader = Reader { rest: text.trim(), conditions: 0 };
        let criteria = reader.sequence(0).filter(|_| reader.rest.is_empty());
        let criteria = criteria.ok_or_else(|| invalid(Rule::CriteriaAreValid, "criteria"))?;
        if reader.conditions > CONDITIONS {
            return Err(Refusal::of(Rule::CriteriaAreFew));
        }
        criteria.check(module)?;
        return match criteria.names(&|field| restricted(module, field)) {
            true => Err(Refusal::of(Rule::RestrictedFields)),
            false => Ok(criteria),
        };
    }
    for (parameter, kind) in [("email", Kind::Email), ("phone", Kind::Phone)] {
        if let Some(value) = call.parameter(parameter) {
            let fields = module.fields.values().filter(|field| field.kind == kind);
            let condition = |field: &str| Criteria::Condition {
                field: field.to_owned(),
                test: Test::Equals(vec![value.to_lowercase()]),
            };
            return Ok(Criteria::Any(fields.map(|field| condition(&field.api_name)).collect()));
        }
    }
    Err(Refusal::of(Rule::SearchIsGiven).detail("param_names", json!(["criteria", "email", "phone", "word"])))
}

fn invalid(rule: Rule, field: &str) -> Refusal {
    let reason = match rule {
        Rule::CriteriaValuesFit => "the value is not of the field's type",
        _ => "there is no such field or comparator",
    };
    Refusal::of(rule).detail("api_name", field).detail("reason", reason)
}

/// Whether the organisation's privacy settings restrict a field.
fn restricted(module: &Module, field: &str) -> bool {
    module.fields.get(field).is_some_and(|field| field.administered.restricted)
}

fn build_indexes(module: &mut Module, criteria: &Criteria) {
    match criteria {
        Criteria::Condition { field, test: Test::Equals(_) } => module.records.index(field),
        Criteria::Condition { .. } => {}
        Criteria::All(parts) | Criteria::Any(parts) => parts.iter().for_each(|part| build_indexes(module, part)),
    }
}

/// The ids of the records that can match, if an index tells.
fn candidates(module: &Module, criteria: &Criteria) -> Option<BTreeSet<u64>> {
    match criteria {
        Criteria::Condition { field, test: Test::Equals(values) } => {
            let ids =
                |value: &String| module.records.candidates(field, &Value::from(value.as_str())).collect::<Vec<_>>();
            Some(values.iter().flat_map(ids).collect())
        }
        Criteria::Condition { .. } => None,
        Criteria::All(parts) => parts.iter().find_map(|part| candidates(module, part)),
        Criteria::Any(parts) => {
            let sets: Option<Vec<_>> = parts.iter().map(|part| candidates(module, part)).collect();
            sets.map(|sets| sets.into_iter().flatten().collect())
        }
    }
}

impl Criteria {
    /// Checks that it names fields of the module and values of their types.
    fn check(&self, module: &Module) -> Result<(), Refusal> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().try_for_each(|part| part.check(module)),
            Self::Condition { field: name, test } => {
                let field = module.fields.get(name).ok_or_else(|| invalid(Rule::CriteriaAreValid, name))?;
                let values = match test {
                    Test::Equals(values) => values.as_slice(),
                    Test::StartsWith(start) => std::slice::from_ref(start),
                };
                match values.iter().all(|value| has_type(value, &field.kind)) {
                    true => Ok(()),
                    false => {
                        Err(invalid(Rule::CriteriaValuesFit, name).detail("expected_data_type", field.kind.name()))
                    }
                }
            }
        }
    }

    /// Whether it names a field like this.
    fn names(&self, like: &impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Condition { field, .. } => like(field),
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.names(like)),
        }
    }

    fn fits(&self, fields: &Fields) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.fits(fields)),
            Self::Any(parts) => parts.iter().any(|part| part.fits(fields)),
            Self::Condition { field, test } => fields.get(field).and_then(index_key).is_some_and(|value| match test {
                Test::Equals(values) => values.contains(&value),
                Test::StartsWith(start) => value.starts_with(start.as_str()),
            }),
        }
    }
}

/// Whether a value in criteria is one of this type.
fn has_type(value: &str, kind: &Kind) -> bool {
    match kind {
        Kind::Integer | Kind::Bigint => value.parse::<i64>().is_ok(),
        Kind::Double | Kind::Currency => value.parse::<f64>().is_ok(),
        Kind::Boolean => matches!(value, "true" | "false"),
        Kind::Date => NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok(),
        Kind::DateTime => read_rfc3339(value).is_some(),
        Kind::Lookup(_) | Kind::Owner => read_id(value).is_some(),
        _ => !value.is_empty(),
    }
}

/// Parses `((Email:equals:a@b.org)or(Email:equals:c@d.org))`. Brackets and commas in values are escaped by a backslash.
struct Reader<'a> {
    rest: &'a str,
    conditions: usize,
}

impl Reader<'_> {
    /// `(..)or(..)and(..)`, from left to right.
    fn sequence(&mut self, depth: usize) -> Option<Criteria> {
        let mut left = self.bracket(depth)?;
        loop {
            if self.take("and") {
                left = Criteria::All(vec![left, self.bracket(depth)?]);
            } else if self.take("or") {
                let right = self.bracket(depth)?;
                left = match left {
                    Criteria::Any(mut parts) => {
                        parts.push(right);
                        Criteria::Any(parts)
                    }
                    left => Criteria::Any(vec![left, right]),
                };
            } else {
                return Some(left);
            }
        }
    }

    fn bracket(&mut self, depth: usize) -> Option<Criteria> {
        if depth > DEPTH || !self.take("(") {
            return None;
        }
        let inner = if self.rest.starts_with('(') { self.sequence(depth + 1)? } else { self.condition()? };
        self.take(")").then_some(inner)
    }

    fn take(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest;
        true
    }

    fn condition(&mut self) -> Option<Criteria> {
        self.conditions += 1;
        let (field, rest) = self.rest.split_once(':')?;
        let (operator, rest) = rest.split_once(':')?;
        self.rest = rest;
        let mut values = self.values()?;
        let test = match operator {
            "equals" => Test::Equals(vec![values.join(",")]),
            "in" => Test::Equals(values),
            "starts_with" => Test::StartsWith(values.swap_remove(0)),
            _ => return None,
        };
        Some(Criteria::Condition { field: field.to_owned(), test })
    }

    /// Reads up to the closing bracket, split at commas, in lower case.
    fn values(&mut self) -> Option<Vec<String>> {
        let (mut values, mut value, mut escaped) = (Vec::new(), String::new(), false);
        for (place, character) in self.rest.char_indices() {
            match character {
                _ if escaped => {
                    value.push(character);
                    escaped = false;
                }
                '\\' => escaped = true,
                ',' => values.push(std::mem::take(&mut value).to_lowercase()),
                ')' => {
                    values.push(value.to_lowercase());
                    self.rest = &self.rest[place..];
                    return Some(values);
                }
                _ => value.push(character),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Criteria, Reader, Test};

    fn read(text: &str) -> Option<Criteria> {
        let mut reader = Reader { rest: text, conditions: 0 };
        reader.sequence(0).filter(|_| reader.rest.is_empty())
    }

    fn equals(field: &str, value: &str) -> Criteria {
        Criteria::Condition { field: field.to_owned(), test: Test::Equals(vec![value.to_owned()]) }
    }

    #[test]
    fn criteria_in_brackets() {
        let two = Criteria::Any(vec![equals("Email", "a@b.org"), equals("Email", "c@d.org")]);
        assert_eq!(read("((Email:equals:A@b.org)or(Email:equals:c@d.org))"), Some(two));
        assert_eq!(read("(Title:equals:Head \\(acting\\)\\, a: b)"), Some(equals("Title", "head (acting), a: b")));
        let both = Criteria::All(vec![equals("City", "bern"), equals("Title", "dr")]);
        assert_eq!(read("(City:equals:Bern)and(Title:equals:Dr)"), Some(both));
        for wrong in ["", "Email:equals:a", "(Email:equals:a", "((Email:equals:a)", "(Email:like:a)", "(a:equals:b))"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
