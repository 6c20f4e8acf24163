//! A changed mapping, tried on some of the records.

use serde_json::Value;

use super::view::Checked;
use crate::{
    console::{error::PageError, words},
    limits,
    model::Kind,
    store::Store,
    views::{DifferenceView, PlanError, PlanView, PlannedItem, Subset, trouble_in_words},
    zoho::{
        destination::Zoho,
        mapping::{Mapping, Problem},
        setup::check::Severity,
    },
};

/// Characters of a value that are shown: feedback may be long.
const VALUE_CHARACTERS: usize = 300;

/// What came of it.
pub(super) enum Tried {
    /// The file is no mapping: what is wrong, by lines.
    Wrong(Vec<Problem>),
    /// Zoho could not be asked: why, and what to do.
    Trouble(String),
    /// The mapping can be read, and this is how it fits Zoho; the plan is missing when something must be mended first.
    Checked { same: bool, checked: Checked, plan: Option<PlanShown> },
}

/// What a delivery by it would do.
pub(super) struct PlanShown {
    /// Records that were looked at.
    pub(super) looked: String,
    /// Records in all.
    pub(super) all: String,
    /// Whether that is more than were looked at.
    pub(super) is_part: bool,
    /// As in `12 update, 3 nothing`.
    pub(super) actions: Vec<(String, &'static str)>,
    pub(super) calls: String,
    pub(super) credits: String,
    pub(super) all_credits: String,
    /// Those that something would be done about, the first of them.
    pub(super) items: Vec<ItemShown>,
    /// How many of those are not shown.
    pub(super) more: usize,
}

/// One record.
pub(super) struct ItemShown {
    pub(super) kind: Kind,
    pub(super) record: String,
    pub(super) action: &'static str,
    pub(super) reason: Option<String>,
    /// Field, before, after.
    pub(super) differences: Vec<(String, String, String)>,
}

impl Tried {
    pub(super) async fn new(zoho: &Zoho, store: &Store, text: &str, kind: Option<Kind>) -> Result<Self, PageError> {
        let mapping = match Mapping::parse(text) {
            Ok(mapping) => mapping,
            Err(error) => return Ok(Self::Wrong(error.problems)),
        };
        let (changed, findings) = match zoho.by(mapping).await {
            Ok(found) => found,
            Err(trouble) => return Ok(Self::Trouble(trouble_in_words(trouble))),
        };
        let same = text == zoho.mapping().text();
        let fits = findings.iter().all(|finding| finding.severity != Severity::Error);
        let checked = Checked::Findings(findings);
        if !fits {
            return Ok(Self::Checked { same, checked, plan: None });
        }
        let subset = Subset { kind, site_id: None, state: None, limit: limits::DRY_RUN_RECORDS };
        match PlanView::make(&changed, store, subset).await {
            Ok(plan) => Ok(Self::Checked { same, checked, plan: Some(PlanShown::new(plan)) }),
            Err(PlanError::Unavailable(reason)) => Ok(Self::Trouble(reason)),
            Err(PlanError::Store(error)) => Err(error.into()),
        }
    }
}

impl PlanShown {
    fn new(plan: PlanView) -> Self {
        let acts = |item: &PlannedItem| item.action != "nothing";
        let acting = plan.items.iter().filter(|item| acts(item)).count();
        let items: Vec<_> =
            plan.items.into_iter().filter(acts).take(limits::DRY_RUN_SHOWN).map(ItemShown::new).collect();
        Self {
            looked: words::number(plan.planned),
            all: words::number(plan.pending),
            is_part: plan.pending > plan.planned,
            actions: plan.actions.iter().map(|(action, count)| (words::number(*count), in_words(action))).collect(),
            calls: words::number(plan.calls),
            credits: words::number(plan.credits),
            all_credits: words::number(plan.estimated_credits),
            more: acting - items.len(),
            items,
        }
    }
}

impl ItemShown {
    fn new(item: PlannedItem) -> Self {
        let difference =
            |difference: DifferenceView| (difference.field, shown(&difference.before.0), shown(&difference.after.0));
        Self {
            kind: item.kind,
            action: in_words(&item.action),
            record: item.record,
            reason: item.reason,
            differences: item.differences.into_iter().map(difference).collect(),
        }
    }
}

/// What would be done, as a person says it.
fn in_words(action: &str) -> &'static str {
    match action {
        "insert" => "would be made",
        "update" => "would be changed",
        "remove" => "would be marked as gone or deleted",
        "park" => "would wait for another record",
        "fail" => "would need a person",
        _ => "would stay as they are",
    }
}

/// A value of a field.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "empty".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.clone(),
        // What a lookup points to has a name when it is read, and an id when it is written.
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

    use super::shown;

    #[test]
    fn values_are_shown_as_people_see_them() {
        assert_eq!(shown(&json!(null)), "empty");
        assert_eq!(shown(&json!("Ann")), "Ann");
        assert_eq!(shown(&json!(82.5)), "82.5");
        assert_eq!(shown(&json!({"id": "1", "name": "Ann"})), "Ann");
        assert_eq!(shown(&json!({"id": "1"})), "1");
        assert_eq!(shown(&json!("ü".repeat(400))).chars().count(), 302);
    }
}
