//! What a decision looked at on its way, for people who ask why. The delivery itself does not ask, and pays nothing.

use crate::{
    model::{Kind, RecordKey},
    zoho::mapping::{Exclusion, StateRef},
};

/// What keeps the steps of a decision, if anybody asks for them.
pub(super) trait Trail {
    /// Notes a step. `step` is only called if it is kept.
    fn note(&mut self, step: impl FnOnce() -> DecisionStep);
}

/// Nobody asks.
impl Trail for () {
    fn note(&mut self, _step: impl FnOnce() -> DecisionStep) {}
}

impl Trail for Vec<DecisionStep> {
    fn note(&mut self, step: impl FnOnce() -> DecisionStep) {
        self.push(step());
    }
}

/// One question of a decision, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionStep {
    /// What was asked.
    pub rule: DecisionRule,
    /// What it means for the record.
    pub verdict: DecisionVerdict,
    /// The answer in words.
    pub words: String,
}

/// A question of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum DecisionRule {
    /// Whether the record is stored.
    Stored,
    /// Whether it is the one of several that stands for their record in Zoho.
    Representative,
    /// Whether its person is erased.
    Erasure,
    /// Whether the adoption of its contact, or of its person's, was undone.
    Adoption,
    /// Whether somebody deleted it in Zoho, and it stays so.
    Finding,
    /// Whether the mapping excludes its person.
    Excluded,
    /// Whether the account is confirmed.
    Confirmed,
    /// Whether the mapping's filter lets it through.
    Filter,
    /// Whether it is deleted in Moodle.
    Deleted,
    /// Whether a record that it refers to is in Zoho.
    Needs,
}

impl DecisionRule {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What an answer means for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum DecisionVerdict {
    /// It goes on to the next question.
    Passes,
    /// It is not delivered.
    LeftOut,
    /// It waits.
    Waits,
    /// It is taken back in Zoho: marked, deleted, erased, or given back.
    Removed,
    /// It needs a person.
    Fails,
}

impl DecisionVerdict {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A step in these words.
pub(super) fn step(rule: DecisionRule, verdict: DecisionVerdict, words: impl Into<String>) -> DecisionStep {
    DecisionStep { rule, verdict, words: words.into() }
}

/// A step that a record passes.
pub(super) fn passes(rule: DecisionRule, words: impl Into<String>) -> DecisionStep {
    step(rule, DecisionVerdict::Passes, words)
}

/// That the mapping excludes somebody, or not.
pub(super) fn exclusion(excluded: Option<Exclusion<'_>>) -> DecisionStep {
    let left_out = |words: String| step(DecisionRule::Excluded, DecisionVerdict::LeftOut, words);
    match excluded {
        None => passes(DecisionRule::Excluded, "The mapping excludes nobody whose record this is."),
        Some(Exclusion::ByKey) => left_out("exclude_users in the mapping names this person.".to_owned()),
        Some(Exclusion::ByField(name)) => {
            left_out(format!("exclude in the mapping names this person's value of {name}."))
        }
    }
}

/// Which part of the mapping's filter judged a record, and how.
#[derive(Clone, Copy)]
pub(super) enum FilterAnswer {
    /// The filter lets all of them through.
    Unrestricted,
    /// What it asks of the record itself.
    Own(bool),
    /// What it asks of the record's course; no course is known of some grades.
    Course(bool),
    /// It is in Zoho, so it is updated, whatever its course or enrolments.
    Known,
}

/// What the filter says about a record.
pub(super) fn filter(state: StateRef<'_>, answer: FilterAnswer) -> DecisionStep {
    let (what, setting) = match (state, answer) {
        (StateRef::User(_), _) => ("enrolment that is delivered", "users = \"enrolled\""),
        (StateRef::Course(_), _) | (_, FilterAnswer::Course(_)) => ("course that is chosen", "courses, categories"),
        (StateRef::Enrolment(_), _) => ("role that is chosen", "roles"),
        (StateRef::Grade(_), _) => ("grade item that is chosen", "grades"),
        (StateRef::Completion(_), _) => ("course that is chosen", "courses, categories"),
    };
    match answer {
        FilterAnswer::Unrestricted => passes(DecisionRule::Filter, "The mapping's filter asks nothing of it."),
        FilterAnswer::Known => passes(
            DecisionRule::Filter,
            "It is in Zoho already, so it is updated whatever the filter says of courses and enrolments.",
        ),
        FilterAnswer::Own(true) | FilterAnswer::Course(true) => {
            passes(DecisionRule::Filter, format!("It has a {what} ({setting})."))
        }
        FilterAnswer::Own(false) | FilterAnswer::Course(false) => {
            step(DecisionRule::Filter, DecisionVerdict::LeftOut, format!("It has no {what} ({setting})."))
        }
    }
}

/// That a record that is needed is there.
pub(super) fn there(related: RecordKey, name: &str) -> DecisionStep {
    let what = if related.kind == Kind::User { "contact" } else { "record" };
    passes(DecisionRule::Needs, format!("The {what} of {name} is in Zoho."))
}
