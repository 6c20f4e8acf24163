//! The trial of a changed mapping on some of the records.

use serde_json::Value;

use super::view::CheckResult;
use crate::{
    console::{error::PageError, words},
    limits,
    model::Kind,
    store::Store,
    views::{DifferenceView, PlanError, PlanView, PlannedItem, Subset, failure_in_words},
    zoho::{
        destination::Zoho,
        mapping::{Mapping, Problem},
        setup::check::Severity,
    },
};

/// Characters of a value to show: feedback may be long.
const VALUE_CHARACTERS: usize = 300;

/// The result of a trial.
pub(super) enum Trial {
    /// The text is not a mapping: the problems, by line.
    Invalid(Vec<Problem>),
    /// Zoho did not answer: why, and what to do.
    Unavailable(String),
    /// The mapping is valid; the plan is missing if it does not fit Zoho yet.
    Checked { same: bool, checked: CheckResult, plan: Option<TrialPlan> },
}

/// What a delivery with the mapping would do.
pub(super) struct TrialPlan {
    /// Records compared, as in `1 record`.
    pub(super) compared: String,
    /// Records in all, as in `1,000 records`.
    pub(super) all: String,
    /// Whether there are more records than were compared.
    pub(super) is_part: bool,
    /// Counts with a verb, as in `12 would be updated`.
    pub(super) actions: Vec<(String, &'static str)>,
    pub(super) calls: String,
    pub(super) credits: String,
    pub(super) all_credits: String,
    /// The first records that would change.
    pub(super) items: Vec<TrialItem>,
    /// How many more would change.
    pub(super) more: usize,
}

/// One record of a plan.
pub(super) struct TrialItem {
    pub(super) kind: Kind,
    pub(super) record: String,
    pub(super) action: &'static str,
    pub(super) reason: Option<String>,
    /// Field, before, after.
    pub(super) differences: Vec<(String, String, String)>,
}

impl Trial {
    pub(super) async fn new(zoho: &Zoho, store: &Store, text: &str, kind: Option<Kind>) -> Result<Self, PageError> {
        let mapping = match Mapping::parse(text) {
            Ok(mapping) => mapping,
            Err(error) => return Ok(Self::Invalid(error.problems)),
        };
        let (changed, findings) = match zoho.by(mapping).await {
            Ok(found) => found,
            Err(failure) => return Ok(Self::Unavailable(failure_in_words(failure))),
        };
        let same = text == zoho.mapping().text();
        let fits = findings.iter().all(|finding| finding.severity != Severity::Error);
        let checked = CheckResult::Findings(findings);
        if !fits {
            return Ok(Self::Checked { same, checked, plan: None });
        }
        let subset = Subset { kind, site_id: None, state: None, limit: limits::DRY_RUN_RECORDS };
        match PlanView::make(&changed, store, subset).await {
            Ok(plan) => Ok(Self::Checked { same, checked, plan: Some(TrialPlan::new(plan)) }),
            Err(PlanError::Unavailable(reason)) => Ok(Self::Unavailable(reason)),
            Err(PlanError::Store(error)) => Err(error.into()),
        }
    }
}

impl TrialPlan {
    fn new(plan: PlanView) -> Self {
        let acts = |item: &PlannedItem| item.action != "nothing";
        let acting = plan.items.iter().filter(|item| acts(item)).count();
        let items: Vec<_> =
            plan.items.into_iter().filter(acts).take(limits::DRY_RUN_SHOWN).map(TrialItem::new).collect();
        Self {
            compared: words::counted(plan.planned, "record"),
            all: words::counted(plan.pending, "record"),
            is_part: plan.pending > plan.planned,
            actions: plan.actions.iter().map(|(action, count)| (words::number(*count), verb(action))).collect(),
            calls: words::counted(plan.calls, "call"),
            credits: words::counted(plan.credits, "API credit"),
            all_credits: words::counted(plan.estimated_credits, "API credit"),
            more: acting - items.len(),
            items,
        }
    }
}

impl TrialItem {
    fn new(item: PlannedItem) -> Self {
        let difference = |difference: DifferenceView| {
            (difference.field, value_text(&difference.before.0), value_text(&difference.after.0))
        };
        Self {
            kind: item.kind,
            action: verb(&item.action),
            record: item.record,
            reason: item.reason,
            differences: item.differences.into_iter().map(difference).collect(),
        }
    }
}

/// What would happen, in words.
fn verb(action: &str) -> &'static str {
    match action {
        "insert" => "would be created",
        "adopt" => "would take over a contact that is in Zoho already",
        "update" => "would be updated",
        "remove" => "would be marked as deleted, or deleted",
        "undo" => "would give a contact its values back",
        "park" => "would wait for another record",
        "fail" => "would fail and need a person",
        _ => "would not change",
    }
}

/// A value of a field, as text.
pub(in crate::console) fn value_text(value: &Value) -> String {
    let text = match value {
        Value::Null => "empty".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.clone(),
        // A lookup has a name when it is read, and only an id when it is written.
        Value::Object(fields) => match fields.get("name").or(fields.get("id")) {
            Some(Value::String(name)) => name.clone(),
            _ => value.to_string(),
        },
        other => other.to_string(),
    };
    match text.char_indices().nth(VALUE_CHARACTERS) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::value_text;

    #[test]
    fn values_are_shown_as_people_see_them() {
        assert_eq!(value_text(&json!(null)), "empty");
        assert_eq!(value_text(&json!("Ann")), "Ann");
        assert_eq!(value_text(&json!(82.5)), "82.5");
        assert_eq!(value_text(&json!({"id": "1", "name": "Ann"})), "Ann");
        assert_eq!(value_text(&json!({"id": "1"})), "1");
        assert_eq!(value_text(&json!("ü".repeat(400))).chars().count(), 302);
    }
}
