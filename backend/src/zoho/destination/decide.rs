//! What to do about one item: a pure function of what was read.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    batch::{DeliveryBatch, Facts},
    outcome::Reason,
};
use crate::{
    model::{ErasurePolicy, ItemState, Kind, RecordKey, Remark},
    store::{Claimed, ItemRow},
    zoho::{
        mapping::{Mapping, ModuleMapping, OnDelete, RenderError, Rendered, StateRef, Write},
        metadata::Module,
    },
};

/// What to do about an item.
#[derive(Debug)]
pub(super) enum Decision {
    /// Nothing: it is not delivered.
    LeftOut {
        reason: Reason,
        /// Another record whose arrival in Zoho would change this.
        waits_for: Option<RecordKey>,
    },
    /// Nothing: it is not delivered, and none of its attempts can have been.
    NeverThere { reason: Reason },
    /// Nothing: Zoho has it, with these remarks and those of its last answer.
    Same(Vec<Remark>),
    /// Wait for another record.
    Park {
        waits_for: RecordKey,
        reason: Reason,
        /// The other record was filtered out, and this one may change that.
        reconsider: bool,
    },
    /// Wait a moment: another worker is delivering a record that represents the same remote record.
    Wait { reason: Reason },
    /// Another record represents the same remote record now, and must be delivered over what this one wrote.
    HandOver { to: RecordKey },
    /// It needs a person.
    Fail { reason: Reason },
    /// Insert, adopt or update it.
    Write(WriteTarget),
    /// Mark it as gone in Zoho, or delete it there.
    Remove(WriteTarget),
    /// Give the contact its values back, and have none: a person undid its adoption.
    Undo,
    /// Erase it in Zoho, because its person is erased.
    Erase(WriteTarget, Leaves),
}

/// What is written, and where.
#[derive(Debug)]
pub(super) struct WriteTarget {
    /// The record's id in Zoho, if known.
    pub(super) remote_id: Option<String>,
    /// The fields of the update or removal.
    pub(super) body: Map<String, Value>,
    pub(super) digest: String,
    /// An earlier attempt, whose answer is unknown, may have created it.
    pub(super) tried: bool,
    /// What was left out of the fields.
    pub(super) remarks: Vec<Remark>,
}

/// What remains of an erased record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// The record, without what we wrote.
    Record,
    /// Nothing.
    Nothing,
}

/// What remains of a record under a policy. Enrolments, grades and completions are entirely ours, so they go.
pub(super) fn leaves(policy: ErasurePolicy, kind: Kind) -> Leaves {
    if policy == ErasurePolicy::Anonymise && kind == Kind::User { Leaves::Record } else { Leaves::Nothing }
}

/// The code of items that the mapping's filter leaves out.
const LEFT_OUT: &str = "left_out";

/// The code of people whom an operator excludes, and of their records.
const EXCLUDED: &str = "excluded";

/// The code of people who have not confirmed their account.
const UNCONFIRMED: &str = "unconfirmed";

/// The code of people whose adoption was undone.
pub(super) const UNDONE: &str = "adoption_undone";

/// Distinguishes the digest of a removal.
const REMOVED: &str = "removed";

pub(super) struct Decider<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) batch: &'a DeliveryBatch,
    pub(super) metadata: &'a Module,
    pub(super) module: &'a ModuleMapping,
}

impl<'a> Decider<'a> {
    pub(super) fn decide(&self, item: &Claimed) -> Decision {
        let key = item.key;
        let Some(facts) = self.batch.facts(key) else {
            let words = "There is no such record; see backend-sync sync audit.";
            return Decision::Fail { reason: ("no_record".to_owned(), words.to_owned()) };
        };
        let speaker = self.batch.speaker(key);
        if speaker != key {
            return self.replaced(item, &facts, speaker);
        }
        if item.linked && key.kind != Kind::Grade {
            let words = "Its record in Zoho is another one's too, which writes it: both are one there.";
            return Decision::LeftOut { reason: ("linked".to_owned(), words.to_owned()), waits_for: None };
        }
        let (inherited, sibling_tried) = self.batch.inherited(key);
        let remote_id = item.remote_id.clone().or(inherited);
        let tried = sibling_tried || item.attempts > 0;
        if let Some(policy) = self.batch.erased(key, &facts) {
            return self.erase(item, &facts, policy, remote_id, tried);
        }
        if item.remote_id.as_ref().is_some_and(|contact| self.batch.is_undone(key, contact)) {
            return Decision::Undo;
        }
        if let Some(decision) = self.not_synchronised(key, &facts) {
            return decision;
        }
        let delivered = match self.passes_filter(key, &facts, remote_id.is_some()) {
            Ok(passes) => passes && !facts.deleted && !(remote_id.is_some() && self.lost_its_contact(&facts)),
            Err(decision) => return decision,
        };
        if !delivered {
            return self.gone(item, &facts, remote_id, tried);
        }
        for related in self.needed(&facts) {
            if let Some(decision) = self.missing(key, &facts, related) {
                return decision;
            }
        }
        match self.module.render(&self.batch.subject(key, &facts), Write::Update, self.metadata) {
            Err(error) => fail(&error),
            Ok(Rendered { fields: body, remarks }) => {
                let digest = digest(&self.module.module, "written", &body);
                if remote_id.is_some() && remote_id == item.remote_id && item.digest.as_ref() == Some(&digest) {
                    return Decision::Same(remarks);
                }
                Decision::Write(WriteTarget { remote_id, body, digest, tried, remarks })
            }
        }
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
    fn not_synchronised(&self, key: RecordKey, facts: &Facts<'_>) -> Option<Decision> {
        let left_out = |code: &str, words: String, waits_for| {
            Some(Decision::LeftOut { reason: (code.to_owned(), words), waits_for })
        };
        let person = if key.kind == Kind::User { Some(key) } else { facts.user };
        if let Some(person) = person
            && self.mapping.filter().excludes(
                self.batch.site(person.site_id),
                person.moodle_id,
                &self.batch.subject(key, facts),
            )
        {
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
                left_out(UNCONFIRMED, words.to_owned(), None)
            }
            _ => None,
        }
    }

    /// Whether the record passes the mapping's filter, or a decision when that is unknown yet. What is already in Zoho
    /// is still updated when its course, or its person's enrolments, no longer pass: it is not gone in Moodle.
    fn passes_filter(&self, key: RecordKey, facts: &Facts<'_>, known: bool) -> Result<bool, Decision> {
        let filter = self.mapping.filter();
        match facts.state {
            StateRef::User(_) => return Ok(known || !filter.only_enrolled() || self.batch.is_enrolled(key)),
            StateRef::Course(course) => return Ok(known || filter.wants_course(course)),
            _ => {}
        }
        let chosen = self.is_chosen(facts);
        if !chosen || known || !filter.restricts_courses() || facts.deleted {
            return Ok(chosen);
        }
        let Some(course) = facts.course else { return Ok(false) };
        match self.batch.course(course) {
            Some(course) => Ok(filter.wants_course(course)),
            None => Err(self.park(course, "which Moodle has not reported yet", false)),
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
    fn gone(&self, item: &Claimed, facts: &Facts<'_>, remote_id: Option<String>, tried: bool) -> Decision {
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
            return Decision::NeverThere { reason };
        }
        let perhaps_there = tried || self.batch.sibling_is_in_flight(item.key);
        if (remote_id.is_none() && (stays || !perhaps_there)) || self.module.on_delete == OnDelete::Keep {
            return Decision::LeftOut { reason, waits_for: None };
        }
        if let Some(wait) = self.must_wait(item.key, remote_id.as_ref()) {
            return wait;
        }
        let subject = self.batch.subject(item.key, facts);
        match self.module.render_deleted(&subject, self.metadata) {
            Err(error) => fail(&error),
            Ok(body) => {
                let digest = digest(&self.module.module, REMOVED, &body);
                if remote_id == item.remote_id && item.digest.as_ref() == Some(&digest) {
                    return Decision::Same(Vec::new());
                }
                Decision::Remove(WriteTarget { remote_id, body, digest, tried, remarks: Vec::new() })
            }
        }
    }

    /// Decides about a record of an erased person.
    fn erase(
        &self,
        item: &Claimed,
        facts: &Facts<'_>,
        policy: ErasurePolicy,
        remote_id: Option<String>,
        tried: bool,
    ) -> Decision {
        let left_out = |words: &str| {
            let reason: Reason = ("erased".to_owned(), words.to_owned());
            Decision::LeftOut { reason, waits_for: None }
        };
        if policy == ErasurePolicy::Keep {
            return left_out("The person was erased here; the policy keeps the records in Zoho.");
        }
        if let Some(wait) = self.must_wait(item.key, remote_id.as_ref()) {
            return wait;
        }
        if remote_id.is_none() && !(tried && self.may_be_there(facts)) {
            return left_out("The person was erased.");
        }
        match self.module.render_erased(&self.batch.subject(item.key, facts), self.metadata) {
            Err(error) => fail(&error),
            Ok(body) => {
                let digest = digest(&self.module.module, "erased", &body);
                if remote_id.is_some() && remote_id == item.remote_id && item.digest.as_ref() == Some(&digest) {
                    return Decision::Same(Vec::new());
                }
                Decision::Erase(
                    WriteTarget { remote_id, body, digest, tried, remarks: Vec::new() },
                    leaves(policy, item.key.kind),
                )
            }
        }
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

    fn needed(&self, facts: &Facts<'_>) -> impl Iterator<Item = RecordKey> {
        let user = facts.user.filter(|_| self.module.needs_user());
        let course = facts.course.filter(|_| self.module.needs_course());
        user.into_iter().chain(course)
    }

    /// The decision if a record that must be in Zoho first is not there.
    fn missing(&self, key: RecordKey, facts: &Facts<'_>, related: RecordKey) -> Option<Decision> {
        let Some(row) = self.batch.related(related) else {
            return Some(self.park(related, "which Moodle has not reported yet", false));
        };
        if row.remote_id.is_some() {
            return None;
        }
        Some(match row.state {
            ItemState::Pending | ItemState::InFlight => self.park(related, "which is not in Zoho yet", false),
            ItemState::Parked => self.park(related, "which is waiting itself", false),
            ItemState::Failed => self.park(related, "which failed and needs a person", false),
            ItemState::Synced if self.may_choose(key, facts, row) => {
                self.park(related, "which was not delivered until now", true)
            }
            ItemState::Synced => {
                let words = format!("It belongs to {}, which is not delivered.", self.batch.name(related));
                Decision::LeftOut { reason: (LEFT_OUT.to_owned(), words), waits_for: Some(related) }
            }
        })
    }

    /// Whether this record is an enrolment that changes that a person is filtered out: then that person's decision is
    /// older. Must agree with [`DeliveryBatch::is_enrolled`], or the two would judge each other for ever.
    fn may_choose(&self, key: RecordKey, facts: &Facts<'_>, person: &ItemRow) -> bool {
        self.batch.kind == Kind::Enrolment
            && self.mapping.filter().only_enrolled()
            && person.code.as_deref() == Some(LEFT_OUT)
            && self.passes_filter(key, facts, false).is_ok_and(|passes| passes)
    }

    /// The person of an enrolment that does not count, or no longer, if only people who are enrolled are delivered.
    pub(super) fn perhaps_not_enrolled(&self, key: RecordKey) -> Option<RecordKey> {
        if self.batch.kind != Kind::Enrolment || !self.mapping.filter().only_enrolled() {
            return None;
        }
        let facts = self.batch.facts(key)?;
        let counts = !facts.deleted && self.passes_filter(key, &facts, false).unwrap_or(true);
        facts.user.filter(|_| !counts)
    }

    fn park(&self, waits_for: RecordKey, why: &str, reconsider: bool) -> Decision {
        let words = format!("It waits for {}, {why}.", self.batch.name(waits_for));
        Decision::Park { waits_for, reason: (format!("waits_for_{}", waits_for.kind), words), reconsider }
    }
}

fn fail(error: &RenderError) -> Decision {
    let code = if error.is_configuration() { "mapping" } else { "invalid_value" };
    Decision::Fail { reason: (code.to_owned(), format!("{error}. {}", error.advice())) }
}

/// The digest of what is written: equal digests mean equal content.
fn digest(module: &str, what: &str, body: &Map<String, Value>) -> String {
    let mut hash = Sha256::new();
    for part in [module, what] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(serde_json::to_vec(body).unwrap_or_default());
    // 128 bits distinguish states well enough, and take half the space in a table of millions.
    hex::encode(&hash.finalize()[..16])
}
