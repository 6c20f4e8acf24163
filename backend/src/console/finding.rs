//! One finding, side by side, with the decisions that are possible: on the page Parity and on the record's own.

use super::{
    error::PageError,
    lines::{Remote, address},
    mapping::value_text,
    subjects::Subjects,
    words::Moment,
};
use crate::{
    api::Context,
    model::{FindingSort, FindingState},
    store::{Finding, FindingDecision},
    views::{FindingView, Renderer},
};

/// What a template needs of a finding.
pub(super) struct FindingCard {
    pub(super) number: i64,
    pub(super) label: String,
    /// The page of the record here, if one has the key.
    pub(super) address: Option<String>,
    pub(super) sort: FindingSort,
    /// The CSS class of its tag.
    pub(super) class: &'static str,
    pub(super) sentence: String,
    /// Field, what the mapping writes, what Zoho has, and what becomes of it if that is not what becomes of all.
    pub(super) fields: Vec<[String; 4]>,
    pub(super) remote: Remote,
    pub(super) modified: Option<Moment>,
    pub(super) modified_by: Option<String>,
    pub(super) found: Moment,
    /// Who decided, and when.
    pub(super) decided: Option<(String, Moment)>,
    pub(super) may: Vec<Choice>,
}

/// A decision that is possible.
pub(super) struct Choice {
    pub(super) decision: FindingDecision,
    pub(super) words: &'static str,
    pub(super) class: &'static str,
}

/// Findings as the pages show them.
pub(super) async fn cards(context: &Context, found: Vec<Finding>) -> Result<Vec<FindingCard>, PageError> {
    let keys: Vec<_> = found.iter().filter_map(|finding| finding.key).collect();
    let subjects = Subjects::read(&context.store, &keys).await?;
    let renderer = Renderer::new(&context.store).await?;
    Ok(found.iter().map(|finding| card(context, &renderer, &subjects, finding)).collect())
}

fn card(context: &Context, renderer: &Renderer, subjects: &Subjects, finding: &Finding) -> FindingCard {
    let now = context.clock.now();
    let FindingView { number, kind, record, remote_id, sentence, fields, .. } =
        FindingView::new(renderer, finding, now);
    let fields = fields.iter().map(|field| {
        let state = if field.state == finding.state { String::new() } else { in_words(field.state).to_owned() };
        [field.field.clone(), value_text(&field.here.0), value_text(&field.there.0), state]
    });
    let link = context.zoho().and_then(|zoho| zoho.page(kind, &remote_id));
    let decided = |by: String| (by, Moment::new(finding.changed_at, now));
    FindingCard {
        number,
        label: finding.key.map_or_else(|| format!("A {kind} in Zoho"), |key| subjects.label(key)),
        address: record.map(|record| address(kind, &record)),
        sort: finding.sort,
        class: if finding.state == FindingState::Open { "warn" } else { "" },
        sentence,
        fields: fields.collect(),
        remote: Remote { id: remote_id, link },
        modified: finding.modified_at.map(|at| Moment::new(at, now)),
        modified_by: finding.modified_by.clone(),
        found: Moment::new(finding.found_at, now),
        decided: finding.decided_by.clone().filter(|_| finding.state != FindingState::Open).map(decided),
        may: may(finding.sort, finding.state),
    }
}

fn in_words(state: FindingState) -> &'static str {
    match state {
        FindingState::Open => "to be decided",
        FindingState::Restoring => "being restored",
        FindingState::Left => "left",
        FindingState::Closed => "equal again",
    }
}

fn may(sort: FindingSort, state: FindingState) -> Vec<Choice> {
    let choice = |decision, words, class| Choice { decision, words, class };
    let restore = match (sort, state) {
        (FindingSort::Changed, FindingState::Open) => Some("Restore"),
        (FindingSort::Changed, FindingState::Left) => Some("Restore after all"),
        (FindingSort::Deleted, FindingState::Open) => Some("Create again"),
        (FindingSort::Deleted, FindingState::Left) => Some("Create it after all"),
        _ => None,
    };
    let leave = match sort {
        FindingSort::Changed => "Leave until Moodle changes it",
        FindingSort::Deleted => "Leave it out",
        FindingSort::Converted | FindingSort::Doubled | FindingSort::Surplus => "Leave",
    };
    let restore = restore.map(|words| choice(FindingDecision::Restore, words, ""));
    let other = match state {
        FindingState::Open | FindingState::Restoring => Some(choice(FindingDecision::Leave, leave, "quiet")),
        // What was left out is not known any more: to ask again would create it.
        FindingState::Left if matches!(sort, FindingSort::Deleted | FindingSort::Converted) => None,
        FindingState::Left => Some(choice(FindingDecision::Withdraw, "Ask again", "quiet")),
        FindingState::Closed => None,
    };
    restore.into_iter().chain(other).collect()
}

#[cfg(test)]
mod tests {
    use super::{FindingSort, FindingState, may};

    #[test]
    fn only_what_is_possible_is_offered() {
        let words = |sort, state| may(sort, state).iter().map(|choice| choice.words).collect::<Vec<_>>();
        let changed = words(FindingSort::Changed, FindingState::Open);
        assert_eq!(changed, ["Restore", "Leave until Moodle changes it"]);
        assert_eq!(words(FindingSort::Deleted, FindingState::Open), ["Create again", "Leave it out"]);
        assert_eq!(words(FindingSort::Doubled, FindingState::Open), ["Leave"]);
        assert_eq!(words(FindingSort::Deleted, FindingState::Left), ["Create it after all"]);
        assert_eq!(words(FindingSort::Changed, FindingState::Left), ["Restore after all", "Ask again"]);
        assert!(words(FindingSort::Changed, FindingState::Closed).is_empty());
    }
}
