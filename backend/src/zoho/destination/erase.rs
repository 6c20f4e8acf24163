//! Erasing people in Zoho: their records are emptied first and deleted afterwards, because what is deleted lies in the recycle bin for
//! two months as it was. And looking whether they are still empty.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Zoho,
    decide::{Decider, Decision, Reason, Target, digest, fail},
    deliver::{Call, Context, Job, job},
    outcome::{self, Timing},
};
use crate::{
    delivery::{Delivery, Trouble},
    model::{ErasurePolicy, Id, Kind},
    store::{Claimed, Finding, RemoteRecord},
    zoho::{
        client::{Action, CallError},
        mapping::{ModuleMapping, Owner, is_erased},
    },
};

use super::batch::Facts;

/// What is left of a record that is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// The record, without what we wrote into it.
    Record,
    /// Nothing.
    Nothing,
}

/// What is left by policy of a record of that kind. Enrolments, grades and completions are ours alone.
fn leaves(policy: ErasurePolicy, kind: Kind) -> Leaves {
    if policy == ErasurePolicy::Anonymise && kind == Kind::User { Leaves::Record } else { Leaves::Nothing }
}

/// Fields that one call reads. Zoho's number.
const FIELDS: usize = 50;

impl Decider<'_> {
    /// What is to be done about a record of an erased person.
    pub(super) fn erase(
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
                Decision::Erase(Target { remote_id, body, digest }, leaves(policy, item.key.kind))
            }
        }
    }
}

impl Zoho {
    /// Empties records and deletes those of which nothing is to be left.
    pub(super) async fn erase_all(
        &self,
        context: &Context<'_>,
        erasures: Vec<(Claimed, Target, Leaves)>,
        delivery: &mut Delivery,
    ) -> Result<(), Trouble> {
        let jobs = erasures
            .into_iter()
            .map(|(item, target, leaves)| Job { leaves: Some(leaves), ..job(item, target, "erased", true) });
        // Of a try whose outcome is not known, writing by the key tells whether it arrived.
        let (known, unknown): (Vec<_>, Vec<_>) = jobs.partition(|job| job.remote_id.is_some());
        let mut emptied = self.send(Call::Update, context, known, delivery).await?;
        emptied.extend(self.send(Call::UpsertByKey, context, unknown, delivery).await?);
        self.send(Call::Delete, context, emptied, delivery).await?;
        Ok(())
    }

    /// Settles a record that is erased; gives it back when it is empty now and to be deleted.
    pub(super) fn settle_erased(
        call: Call,
        job: Job,
        (id, action): (String, Action),
        timing: Timing,
        delivery: &mut Delivery,
    ) -> Option<Job> {
        let (remote_id, digest) = match call {
            Call::Delete => (None, None),
            // What was only made by asking for it was not there.
            _ if job.leaves == Some(Leaves::Nothing) || action == Action::Inserted => {
                return Some(Job { remote_id: Some(id), ..job });
            }
            _ => (Some(id), Some(job.digest)),
        };
        delivery.settled.push(outcome::synced(job.item, remote_id, digest, "erased", timing));
        None
    }

    /// What Zoho still has of an erased person: fields of ours that hold something, records that should be gone. Without the values.
    pub async fn remains(
        &self,
        policy: ErasurePolicy,
        user_key: &str,
        records: &[RemoteRecord],
    ) -> Result<Vec<Finding>, CallError> {
        let mut findings = BTreeMap::new();
        for (kind, module) in self.mapping.modules().filter(|(kind, _)| *kind != Kind::Course) {
            let mut ids: Vec<String> =
                records.iter().filter(|record| record.kind == kind.as_str()).map(|r| r.remote_id.clone()).collect();
            ids.dedup();
            if kind == Kind::User {
                let key = module.key.as_str();
                let found = self.client.search_equal(&module.module, key, &[user_key.to_owned()], &["id"]).await?;
                let other = found.iter().filter_map(|record| record.get("id")?.as_str()).map(str::to_owned);
                ids.extend(other.filter(|id| !ids.contains(id)).collect::<Vec<_>>());
            }
            for place in self.module_remains(module, leaves(policy, kind), &ids).await? {
                *findings.entry(place).or_insert(0) += 1;
            }
        }
        Ok(findings.into_iter().map(|(place, count)| Finding { place, count }).collect())
    }

    async fn module_remains(
        &self,
        module: &ModuleMapping,
        leaves: Leaves,
        ids: &[String],
    ) -> Result<Vec<String>, CallError> {
        let name = &module.module;
        let mut places = Vec::new();
        if ids.is_empty() {
            return Ok(places);
        }
        if leaves == Leaves::Nothing {
            let found = self.client.get(name, ids, &["id"]).await?;
            places.extend(found.iter().map(|_| format!("{name} (a record that was deleted)")));
            return Ok(places);
        }
        let fields: Vec<&str> =
            module.rules.iter().filter(|rule| rule.owner != Owner::Zoho).map(|rule| rule.field.as_str()).collect();
        for fields in fields.chunks(FIELDS) {
            for record in self.client.get(name, ids, fields).await? {
                let held =
                    |field: &&&str| !is_empty(&record, field) && !module.writes_when_deleted(field, &record[**field]);
                places.extend(fields.iter().filter(held).map(|field| format!("{name}.{field}")));
            }
        }
        Ok(places)
    }
}

fn is_empty(record: &Map<String, Value>, field: &str) -> bool {
    match record.get(field) {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::Array(values)) => values.is_empty(),
        Some(value) => is_erased(value),
    }
}

/// The key of a person's record in Zoho.
pub fn user_key(site: &str, userid: Id) -> String {
    format!("{site}:{userid}")
}
