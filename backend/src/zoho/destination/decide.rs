//! What to do about one item: a pure function of what was read.

use super::{
    batch::{DeliveryBatch, Facts},
    decision::{Decision, Intent, Judgement, Purpose},
    findings,
    outcome::Reason,
    trail::{self, DecisionRule as Rule, DecisionVerdict as Verdict, FilterAnswer, Trail, passes, step},
};
use crate::{
    model::{ErasurePolicy, ItemState, Kind, RecordKey},
    store::{Claimed, ItemRow},
    zoho::mapping::{Mapping, ModuleMapping, OnDelete, StateRef},
};

/// The code of items that the mapping's filter leaves out.
const LEFT_OUT: &str = "left_out";

/// The code of people whom an operator excludes, and of their records.
const EXCLUDED: &str = "excluded";

/// The code of people who have not confirmed their account.
const UNCONFIRMED: &str = "unconfirmed";

/// The code of people whose adoption was undone.
pub(super) const UNDONE: &str = "adoption_undone";

pub(super) struct Decider<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) batch: &'a DeliveryBatch,
    pub(super) module: &'a ModuleMapping,
}

impl Decider<'_> {
    /// Decides by everything but the values. `trail` gets what was asked on the way.
    pub(super) fn judge(&self, item: &Claimed, trail: &mut impl Trail) -> Judgement {
        match self.intent(item, trail) {
            Ok(intent) => Judgement::Render(intent),
            Err(decision) => Judgement::Made(decision),
        }
    }

    /// What is to be rendered, or the decision when that is nothing.
    fn intent(&self, item: &Claimed, trail: &mut impl Trail) -> Result<Intent, Decision> {
        let key = item.key;
        let Some(facts) = self.batch.facts(key) else {
            let words = "There is no such record; see backend-sync sync audit.";
            trail.note(|| step(Rule::Stored, Verdict::Fails, words));
            return Err(Decision::Fail { reason: ("no_record".to_owned(), words.to_owned()) });
        };
        self.represents(item, &facts, trail)?;
        let (inherited, sibling_tried) = self.batch.inherited(key);
        let remote_id = item.remote_id.clone().or(inherited);
        let tried = sibling_tried || item.attempts > 0;
        if let Some(policy) = self.batch.erased(key, &facts) {
            trail.note(|| step(Rule::Erasure, Verdict::Removed, "Its person is erased."));
            return self.erase((key, &facts), policy, remote_id, tried);
        }
        if item.remote_id.as_ref().is_some_and(|contact| self.batch.is_undone(key, contact)) {
            trail.note(|| step(Rule::Adoption, Verdict::Removed, "A person undid the adoption of its contact."));
            return Err(Decision::Undo);
        }
        if let Some(decision) = self.not_synchronised(key, &facts, trail) {
            return Err(decision);
        }
        self.stays_deleted(item, &facts, trail)?;
        let passes_filter = self.passes_filter(key, &facts, remote_id.is_some(), trail)?;
        let lost = remote_id.is_some() && self.lost_its_contact(&facts);
        if lost {
            trail.note(|| step(Rule::Adoption, Verdict::Removed, "The adoption of its person's contact was undone."));
        }
        trail.note(|| match facts.deleted {
            true => step(Rule::Deleted, Verdict::Removed, "It is deleted in Moodle."),
            false => passes(Rule::Deleted, "It exists in Moodle."),
        });
        if !passes_filter || facts.deleted || lost {
            return self.gone(item, &facts, remote_id, tried);
        }
        for related in self.needed(&facts) {
            self.has(key, &facts, related, trail)?;
        }
        Ok(Intent { purpose: Purpose::Write, remote_id, tried })
    }

    /// The decision about a record that somebody deleted in Zoho, unless it is to be created again.
    fn stays_deleted(&self, item: &Claimed, facts: &Facts<'_>, trail: &mut impl Trail) -> Result<(), Decision> {
        let Some(finding) = self.batch.finding(item.key).filter(|_| !facts.deleted) else { return Ok(()) };
        if let Some(reason) = findings::left(finding) {
            trail.note(|| step(Rule::Finding, Verdict::LeftOut, reason.1.clone()));
            return Err(Decision::Forgotten { reason });
        }
        let Some(reason) = findings::asked(finding, item, self.module) else { return Ok(()) };
        trail.note(|| step(Rule::Finding, Verdict::Fails, reason.1.clone()));
        Err(Decision::Fail { reason })
    }

    /// Whether the record writes its record in Zoho itself, or the decision if another one does.
    fn represents(&self, item: &Claimed, facts: &Facts<'_>, trail: &mut impl Trail) -> Result<(), Decision> {
        let key = item.key;
        let speaker = self.batch.speaker(key);
        if speaker != key {
            let words = || format!("{} stands for the same record in Zoho.", self.batch.name(speaker));
            trail.note(|| step(Rule::Representative, Verdict::LeftOut, words()));
            return Err(self.replaced(item, facts, speaker));
        }
        if item.linked && key.kind != Kind::Grade {
            let words = "Its record in Zoho is another one's too, which writes it: both are one there.";
            trail.note(|| step(Rule::Representative, Verdict::LeftOut, words));
            return Err(Decision::LeftOut { reason: ("linked".to_owned(), words.to_owned()), waits_for: None });
        }
        Ok(())
    }

    /// Whether its person has no contact any more, because the adoption was undone: it would show at a stranger.
    fn lost_its_contact(&self, facts: &Facts<'_>) -> bool {
        let person = facts.user.and_then(|user| self.batch.related(user));
        person.is_some_and(|row| row.remote_id.is_none() && row.code.as_deref() == Some(UNDONE))
    }

    fn replaced(&self, item: &Claimed, facts: &Facts<'_>, speaker: RecordKey) -> Decision {
        let words = format!("{} stands for the same record in Zoho.", self.batch.name(speaker));
        let reason = ("replaced".to_owned(), words);
        match (item.remote_id.is_some() && !item.linked, item.attempts > 0) {
            (false, false) => Decision::LeftOut { reason, waits_for: None },
            // Or else the other one would look for it whenever it is judged again.
            (false, true) if item.remote_id.is_none() && !self.may_be_there(facts) => Decision::NeverThere { reason },
            _ => Decision::HandOver { to: speaker },
        }
    }

    /// The decision about people of whom nothing is delivered, and their records. What is in Zoho already stays.
    fn not_synchronised(&self, key: RecordKey, facts: &Facts<'_>, trail: &mut impl Trail) -> Option<Decision> {
        let left_out = |code: &str, words: String, waits_for| {
            Some(Decision::LeftOut { reason: (code.to_owned(), words), waits_for })
        };
        let person = if key.kind == Kind::User { Some(key) } else { facts.user };
        let (filter, subject) = (self.mapping.filter(), self.batch.subject(key, facts));
        let excluded = |of: RecordKey| filter.exclusion(self.batch.site(of.site_id), of.moodle_id, &subject);
        let exclusion = person.and_then(excluded);
        trail.note(|| trail::exclusion(exclusion));
        if let Some(person) = person.filter(|_| exclusion.is_some()) {
            if person == key {
                return left_out(EXCLUDED, "The mapping excludes this person.".to_owned(), None);
            }
            let words = format!("It belongs to {}, whom the mapping excludes.", self.batch.name(person));
            // Only the first arrival of a person tells what waits.
            let is_there = self.batch.related(person).is_some_and(|row| row.remote_id.is_some());
            return left_out(EXCLUDED, words, (!is_there).then_some(person));
        }
        match facts.state {
            StateRef::User(user) if user.confirmed == Some(false) && !facts.deleted => {
                let words = "The account is not confirmed yet; it is delivered when it is.";
                trail.note(|| step(Rule::Confirmed, Verdict::LeftOut, words));
                left_out(UNCONFIRMED, words.to_owned(), None)
            }
            StateRef::User(_) => {
                trail.note(|| passes(Rule::Confirmed, "Nothing says that the account is not confirmed."));
                None
            }
            _ => None,
        }
    }

    /// Whether the record passes the mapping's filter, or a decision when that is unknown yet. What is already in Zoho
    /// is still updated when its course, or its person's enrolments, no longer pass: it is not gone in Moodle.
    fn passes_filter(
        &self,
        key: RecordKey,
        facts: &Facts<'_>,
        known: bool,
        trail: &mut impl Trail,
    ) -> Result<bool, Decision> {
        let filter = self.mapping.filter();
        let (asks, wants) = match facts.state {
            StateRef::User(_) => (filter.only_enrolled(), known || self.batch.is_enrolled(key)),
            StateRef::Course(course) => (filter.restricts_courses(), known || filter.wants_course(course)),
            StateRef::Enrolment(_) => (filter.restricts_roles(), self.is_chosen(facts)),
            StateRef::Grade(_) => (filter.restricts_grades(), self.is_chosen(facts)),
            StateRef::Completion(_) => (false, true),
        };
        let is_of_course = !matches!(facts.state, StateRef::User(_) | StateRef::Course(_));
        let course_matters = is_of_course && filter.restricts_courses();
        let answer = match (asks, wants) {
            (true, false) => FilterAnswer::Own(false),
            _ if course_matters && !known && !facts.deleted => self.of_course(facts, trail)?,
            _ if known && (course_matters || (asks && !is_of_course)) => FilterAnswer::Known,
            (true, true) => FilterAnswer::Own(true),
            (false, _) => FilterAnswer::Unrestricted,
        };
        trail.note(|| trail::filter(facts.state, answer));
        Ok(!matches!(answer, FilterAnswer::Own(false) | FilterAnswer::Course(false)))
    }

    /// What the filter says about a record's course.
    fn of_course(&self, facts: &Facts<'_>, trail: &mut impl Trail) -> Result<FilterAnswer, Decision> {
        let Some(course) = facts.course else { return Ok(FilterAnswer::Course(false)) };
        match self.batch.course(course) {
            Some(course) => Ok(FilterAnswer::Course(self.mapping.filter().wants_course(course))),
            None => Err(self.park(Rule::Filter, course, "which Moodle has not reported yet", false, trail)),
        }
    }

    /// Whether the filter wants a record for what it is itself.
    fn is_chosen(&self, facts: &Facts<'_>) -> bool {
        let filter = self.mapping.filter();
        match facts.state {
            StateRef::Enrolment(enrolment) => filter.wants_enrolment(enrolment),
            StateRef::Grade(_) => filter.wants_grade(facts.item),
            StateRef::User(_) | StateRef::Course(_) | StateRef::Completion(_) => true,
        }
    }

    /// Decides about a record that is deleted, or no longer delivered.
    fn gone(
        &self,
        item: &Claimed,
        facts: &Facts<'_>,
        remote_id: Option<String>,
        tried: bool,
    ) -> Result<Intent, Decision> {
        let reason = match facts.deleted {
            true => ("deleted".to_owned(), "It was deleted in Moodle.".to_owned()),
            false if self.lost_its_contact(facts) => {
                (UNDONE.to_owned(), "The adoption of its person's contact was undone.".to_owned())
            }
            false => (LEFT_OUT.to_owned(), "The mapping's filter leaves it out.".to_owned()),
        };
        // If it is there, it is updated although its course, or its person's enrolments, do not pass: nothing needs to
        // be found out about an attempt of unknown outcome.
        let stays = !facts.deleted && self.is_chosen(facts);
        if remote_id.is_none() && tried && !self.may_be_there(facts) {
            return Err(Decision::NeverThere { reason });
        }
        let perhaps_there = tried || self.batch.sibling_is_in_flight(item.key);
        // The key of a former record is another one's now, so it is written in any case.
        let keeps = self.module.on_delete == OnDelete::Keep && !item.key.moodle_id.is_former();
        if (remote_id.is_none() && (stays || !perhaps_there)) || keeps {
            return Err(Decision::LeftOut { reason, waits_for: None });
        }
        if let Some(wait) = self.must_wait(item.key, remote_id.as_ref()) {
            return Err(wait);
        }
        Ok(Intent { purpose: Purpose::Removal, remote_id, tried })
    }

    /// Decides about a record of an erased person.
    fn erase(
        &self,
        (key, facts): (RecordKey, &Facts<'_>),
        policy: ErasurePolicy,
        remote_id: Option<String>,
        tried: bool,
    ) -> Result<Intent, Decision> {
        let left_out = |words: &str| {
            let reason: Reason = ("erased".to_owned(), words.to_owned());
            Err(Decision::LeftOut { reason, waits_for: None })
        };
        if policy == ErasurePolicy::Keep {
            return left_out("The person was erased here; the policy keeps the records in Zoho.");
        }
        if let Some(wait) = self.must_wait(key, remote_id.as_ref()) {
            return Err(wait);
        }
        if remote_id.is_none() && !(tried && self.may_be_there(facts)) {
            return left_out("The person was erased.");
        }
        Ok(Intent { purpose: Purpose::Erasure(policy), remote_id, tried })
    }

    /// The decision about a record to be removed, while it is being found out whether it is in Zoho at all.
    fn must_wait(&self, key: RecordKey, remote_id: Option<&String>) -> Option<Decision> {
        (remote_id.is_none() && self.batch.sibling_is_in_flight(key)).then(|| {
            let words = "A grade of the same user and item is being delivered; this one follows.";
            Decision::Wait { reason: ("sibling_in_flight".to_owned(), words.to_owned()) }
        })
    }

    /// Whether an attempt can have been delivered: only if what the record refers to is or was in Zoho.
    fn may_be_there(&self, facts: &Facts<'_>) -> bool {
        let was_there =
            |related| self.batch.related(related).is_some_and(|row| row.remote_id.is_some() || row.synced_at.is_some());
        self.needed(facts).all(was_there)
    }

    /// The records that must be in Zoho first.
    pub(super) fn needed(&self, facts: &Facts<'_>) -> impl Iterator<Item = RecordKey> {
        let user = facts.user.filter(|_| self.module.needs_user());
        let course = facts.course.filter(|_| self.module.needs_course());
        user.into_iter().chain(course)
    }

    /// The decision if a record that must be in Zoho first is not there.
    fn has(
        &self,
        key: RecordKey,
        facts: &Facts<'_>,
        related: RecordKey,
        trail: &mut impl Trail,
    ) -> Result<(), Decision> {
        let row = self.batch.related(related);
        if row.is_some_and(|row| row.remote_id.is_some()) {
            trail.note(|| trail::there(related, &self.batch.name(related)));
            return Ok(());
        }
        let (why, reconsider) = match row.map(|row| (row, row.state)) {
            None => ("which Moodle has not reported yet", false),
            Some((_, ItemState::Pending | ItemState::InFlight)) => ("which is not in Zoho yet", false),
            Some((_, ItemState::Parked)) => ("which is waiting itself", false),
            Some((_, ItemState::Failed)) => ("which failed and needs a person", false),
            Some((row, ItemState::Synced)) if self.may_choose(key, facts, row) => {
                ("which was not delivered until now", true)
            }
            Some((_, ItemState::Synced)) => {
                let words = format!("It belongs to {}, which is not delivered.", self.batch.name(related));
                trail.note(|| step(Rule::Needs, Verdict::LeftOut, words.clone()));
                return Err(Decision::LeftOut { reason: (LEFT_OUT.to_owned(), words), waits_for: Some(related) });
            }
        };
        Err(self.park(Rule::Needs, related, why, reconsider, trail))
    }

    /// Whether this record is an enrolment that changes that a person is filtered out: then that person's decision is
    /// older. Must agree with [`DeliveryBatch::is_enrolled`], or the two would judge each other for ever.
    fn may_choose(&self, key: RecordKey, facts: &Facts<'_>, person: &ItemRow) -> bool {
        self.batch.kind == Kind::Enrolment
            && self.mapping.filter().only_enrolled()
            && person.code.as_deref() == Some(LEFT_OUT)
            && self.passes_filter(key, facts, false, &mut ()).is_ok_and(|passes| passes)
    }

    /// The person of an enrolment that does not count, or no longer, if only people who are enrolled are delivered.
    pub(super) fn perhaps_not_enrolled(&self, key: RecordKey) -> Option<RecordKey> {
        if self.batch.kind != Kind::Enrolment || !self.mapping.filter().only_enrolled() {
            return None;
        }
        let facts = self.batch.facts(key)?;
        let counts = !facts.deleted && self.passes_filter(key, &facts, false, &mut ()).unwrap_or(true);
        facts.user.filter(|_| !counts)
    }

    fn park(&self, rule: Rule, waits_for: RecordKey, why: &str, reconsider: bool, trail: &mut impl Trail) -> Decision {
        let words = format!("It waits for {}, {why}.", self.batch.name(waits_for));
        trail.note(|| step(rule, Verdict::Waits, words.clone()));
        Decision::Park { waits_for, reason: (format!("waits_for_{}", waits_for.kind), words), reconsider }
    }
}
