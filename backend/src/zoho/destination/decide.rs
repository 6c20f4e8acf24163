//! What is to be done about one item: a pure decision on what was read.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    batch::{DeliveryBatch, Facts},
    outcome::Reason,
};
use crate::{
    model::{ErasurePolicy, ItemState, Kind, RecordKey},
    store::Claimed,
    zoho::{
        mapping::{Mapping, ModuleMapping, OnDelete, RenderError, StateRef, Write},
        metadata::Module,
    },
};

/// What is to be done about an item.
#[derive(Debug)]
pub(super) enum Decision {
    /// Nothing, because it is not delivered.
    LeftOut {
        reason: Reason,
        /// Another record that changes this when it arrives in Zoho.
        waits_for: Option<RecordKey>,
    },
    /// Nothing: Zoho has it.
    Same,
    /// To wait for another record.
    Park {
        waits_for: RecordKey,
        reason: Reason,
        /// The other record was left out, and this one may change that.
        wanted: bool,
    },
    /// Another record speaks for the same thing now, and has to be delivered over what this one wrote.
    HandOver { to: RecordKey },
    /// A person is needed.
    Fail { reason: Reason },
    /// To write it: insert, adopt or update.
    Write(WriteTarget),
    /// To say in Zoho that it is gone.
    Remove(WriteTarget),
    /// To take what is there of an erased person.
    Erase(WriteTarget, Leaves),
}

/// Where and what is written.
#[derive(Debug)]
pub(super) struct WriteTarget {
    /// The record's id in Zoho, if it is known.
    pub(super) remote_id: Option<String>,
    /// What the record's update holds, or its removal.
    pub(super) body: Map<String, Value>,
    pub(super) digest: String,
}

/// What is left of a record that is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// The record, without what we wrote into it.
    Record,
    /// Nothing.
    Nothing,
}

/// What is left by policy of a record of that kind. Enrolments, grades and completions are ours alone.
pub(super) fn leaves(policy: ErasurePolicy, kind: Kind) -> Leaves {
    if policy == ErasurePolicy::Anonymise && kind == Kind::User { Leaves::Record } else { Leaves::Nothing }
}

/// The code of items that the mapping leaves out.
const LEFT_OUT: &str = "left_out";

/// What a record that is gone was found to be.
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
            let words = "There is no such record; backend-sync sync audit tells more.";
            return Decision::Fail { reason: ("no_record".to_owned(), words.to_owned()) };
        };
        let speaker = self.batch.speaker(key);
        if speaker != key {
            return self.replaced(item, speaker);
        }
        let (inherited, tried) = self.batch.inherited(key);
        let remote_id = item.remote_id.clone().or(inherited);
        if let Some(policy) = self.batch.erased(key, &facts) {
            return self.erase(item, &facts, policy, remote_id, tried || item.attempts > 0);
        }
        let wanted = match self.is_wanted(key, &facts, remote_id.is_some()) {
            Ok(wanted) => wanted && !facts.deleted,
            Err(decision) => return decision,
        };
        if !wanted {
            return self.gone(item, &facts, remote_id, tried || item.attempts > 0);
        }
        for related in self.needed(&facts) {
            if let Some(decision) = self.missing(related) {
                return decision;
            }
        }
        match self.module.render(&self.batch.subject(key, &facts), Write::Update, self.metadata) {
            Err(error) => fail(&error),
            Ok(body) => {
                let digest = digest(&self.module.module, "written", &body);
                if remote_id.is_some() && remote_id == item.remote_id && item.digest.as_ref() == Some(&digest) {
                    return Decision::Same;
                }
                Decision::Write(WriteTarget { remote_id, body, digest })
            }
        }
    }

    fn replaced(&self, item: &Claimed, speaker: RecordKey) -> Decision {
        if item.remote_id.is_some() || item.attempts > 0 {
            return Decision::HandOver { to: speaker };
        }
        let words = format!("{} speaks for the same in Zoho.", self.batch.name(speaker));
        Decision::LeftOut { reason: ("replaced".to_owned(), words), waits_for: None }
    }

    /// Whether the mapping's filter lets the record through; a decision when that cannot be told yet. What is in Zoho already goes on
    /// being updated when its course or its person's enrolments are no longer among those chosen: it is not gone in Moodle.
    fn is_wanted(&self, key: RecordKey, facts: &Facts<'_>, known: bool) -> Result<bool, Decision> {
        let filter = self.mapping.filter();
        let chosen = match facts.state {
            StateRef::User(_) => return Ok(known || !filter.only_enrolled() || self.batch.is_enrolled(key)),
            StateRef::Course(course) => return Ok(known || filter.wants_course(course)),
            StateRef::Enrolment(enrolment) => filter.wants_enrolment(enrolment),
            StateRef::Grade(_) => filter.wants_grade(facts.item),
            StateRef::Completion(_) => true,
        };
        if !chosen || known || !filter.restricts_courses() || facts.deleted {
            return Ok(chosen);
        }
        let Some(course) = facts.course else { return Ok(false) };
        match self.batch.course(course) {
            Some(course) => Ok(filter.wants_course(course)),
            None => Err(self.park(course, "which Moodle has not reported yet", false)),
        }
    }

    /// What is to be done about a record that is gone, or is not delivered any more.
    fn gone(&self, item: &Claimed, facts: &Facts<'_>, remote_id: Option<String>, tried: bool) -> Decision {
        let reason = match facts.deleted {
            true => ("deleted".to_owned(), "It is deleted in Moodle.".to_owned()),
            false => (LEFT_OUT.to_owned(), "The mapping's filter leaves it out.".to_owned()),
        };
        let never_there = remote_id.is_none() && !(tried && self.may_be_there(facts));
        if never_there || self.module.on_delete == OnDelete::Keep {
            return Decision::LeftOut { reason, waits_for: None };
        }
        let subject = self.batch.subject(item.key, facts);
        match self.module.render_deleted(&subject, self.metadata) {
            Err(error) => fail(&error),
            Ok(body) => {
                let digest = digest(&self.module.module, REMOVED, &body);
                if remote_id == item.remote_id && item.digest.as_ref() == Some(&digest) {
                    return Decision::Same;
                }
                Decision::Remove(WriteTarget { remote_id, body, digest })
            }
        }
    }

    /// What is to be done about a record of an erased person.
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
            return left_out("The person was erased here, and by the policy not in Zoho.");
        }
        if remote_id.is_none() && !(tried && self.may_be_there(facts)) {
            return left_out("The person was erased.");
        }
        match self.module.render_erased(&self.batch.subject(item.key, facts), self.metadata) {
            Err(error) => fail(&error),
            Ok(body) => {
                let digest = digest(&self.module.module, "erased", &body);
                if remote_id.is_some() && remote_id == item.remote_id && item.digest.as_ref() == Some(&digest) {
                    return Decision::Same;
                }
                Decision::Erase(WriteTarget { remote_id, body, digest }, leaves(policy, item.key.kind))
            }
        }
    }

    /// Whether a try can have arrived: not without what the record points to. That may have been in Zoho and be gone from there.
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

    /// The decision when a record that must be in Zoho first is not.
    fn missing(&self, related: RecordKey) -> Option<Decision> {
        let Some(row) = self.batch.related(related) else {
            return Some(self.park(related, "which Moodle has not reported yet", false));
        };
        if row.remote_id.is_some() {
            return None;
        }
        Some(match row.state {
            ItemState::Pending | ItemState::InFlight => self.park(related, "which is not in Zoho yet", false),
            ItemState::Parked => self.park(related, "which waits itself", false),
            ItemState::Failed => self.park(related, "which failed and needs a person", false),
            // Left out. An enrolment is what makes the filter let a person through.
            ItemState::Synced if self.batch.kind == Kind::Enrolment && self.mapping.filter().only_enrolled() => {
                self.park(related, "which was left out until now", true)
            }
            ItemState::Synced => {
                let words = format!("It belongs to {}, which is not delivered.", self.batch.name(related));
                Decision::LeftOut { reason: (LEFT_OUT.to_owned(), words), waits_for: Some(related) }
            }
        })
    }

    fn park(&self, waits_for: RecordKey, why: &str, wanted: bool) -> Decision {
        let words = format!("It waits for {}, {why}.", self.batch.name(waits_for));
        Decision::Park { waits_for, reason: (format!("waits_for_{}", waits_for.kind), words), wanted }
    }
}

fn fail(error: &RenderError) -> Decision {
    let code = if error.is_configuration() { "mapping" } else { "invalid_value" };
    Decision::Fail { reason: (code.to_owned(), format!("{error}. {}", error.advice())) }
}

/// Of what is written: the same digest, the same content.
fn digest(module: &str, what: &str, body: &Map<String, Value>) -> String {
    let mut hash = Sha256::new();
    for part in [module, what] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(serde_json::to_vec(body).unwrap_or_default());
    // Half of it tells states apart well enough, and takes half the room in a table of millions.
    hex::encode(&hash.finalize()[..16])
}
