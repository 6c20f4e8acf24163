//! What people did in Zoho, and what a delivery makes of it: a record that somebody deleted is not created again until
//! somebody says so, and a field that somebody changed stays until somebody decides, or Moodle changes it.

use std::collections::{HashMap, HashSet};

use super::{
    DeliveryBatch, Zoho,
    decision::WriteTarget,
    find::LEADS,
    job::{DeliveryContext, Job},
    outcome::{self, Reason, Timing},
    unreadable,
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure},
    model::{FindingSort, FindingState, FoundBy, RecordKey, Records},
    store::{Claimed, Finding, NewFinding, Settled, SettledState},
    zoho::mapping::ModuleMapping,
};

/// The code of items whose record somebody deleted in Zoho.
const DELETED: &str = "deleted_in_zoho";

/// The code of items whose record somebody deleted in Zoho, and somebody left so.
pub(super) const LEFT: &str = "left_deleted";

/// How much of a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Something.
    Some,
    /// Nothing: all that differs was left to people.
    Everything,
}

/// The findings that a delivery answers if it succeeds, with the fields that it writes.
#[derive(Default)]
pub(super) struct Answers(HashMap<RecordKey, (i64, Vec<String>)>);

impl Answers {
    /// Leaves out of what is written what a person is asked about, or left as it is, unless the mapping writes something
    /// else than when it was found.
    pub(super) fn leave(
        &mut self,
        batch: &DeliveryBatch,
        key_field: &str,
        item: &Claimed,
        target: &mut WriteTarget,
    ) -> Leave {
        let Some(finding) = batch.finding(item.key) else { return Leave::Some };
        if target.remote_id.as_ref() != Some(&finding.remote_id) {
            // What was left out, and is created after all.
            if target.remote_id.is_none() && is_restored(finding) {
                self.0.insert(item.key, (finding.id, Vec::new()));
            }
            return Leave::Some;
        }
        let mut written = Vec::new();
        for field in &finding.fields {
            let stays = matches!(field.state, FindingState::Open | FindingState::Left)
                && target.body.get(&field.field) == Some(&field.here);
            match stays {
                true => drop(target.body.remove(&field.field)),
                false => written.push(field.field.clone()),
            }
        }
        if written.len() < finding.fields.len() && target.body.keys().all(|field| field == key_field) {
            return Leave::Everything;
        }
        self.0.insert(item.key, (finding.id, written));
        Leave::Some
    }
}

/// Why a record stays deleted, if somebody left it so.
pub(super) fn left(finding: &Finding) -> Option<Reason> {
    let is_left =
        finding.state == FindingState::Left && matches!(finding.sort, FindingSort::Deleted | FindingSort::Converted);
    is_left.then(|| {
        let by = finding.decided_by.as_deref().unwrap_or("somebody");
        (LEFT.to_owned(), format!("Somebody deleted it in Zoho, and {by} left it so (finding {}).", finding.id))
    })
}

/// Whether somebody said that it is created again.
pub(super) fn is_restored(finding: &Finding) -> bool {
    finding.sort == FindingSort::Deleted && finding.state == FindingState::Restoring
}

/// Why a person is asked about a record that somebody deleted, if its item has no other record in Zoho since.
pub(super) fn asked(finding: &Finding, item: &Claimed, module: &ModuleMapping) -> Option<Reason> {
    match finding.sort {
        _ if finding.state != FindingState::Open || item.remote_id.is_some() => None,
        FindingSort::Deleted => Some(deleted(module)),
        FindingSort::Converted => Some(lead_converted()),
        FindingSort::Changed | FindingSort::Doubled | FindingSort::Surplus => None,
    }
}

/// Whether a person is asked about a record that Zoho no longer has.
pub(super) fn is_asked(job: &Job) -> bool {
    !job.removes && job.leaves.is_none()
}

/// The reason of an item whose record somebody deleted.
pub(super) fn deleted(module: &ModuleMapping) -> Reason {
    let words = format!(
        "Somebody deleted its record in Zoho ({}). Restore it, and it is created again, or leave it out: in the console under Parity, \
         or by backend-sync parity restore or leave.",
        module.module
    );
    (DELETED.to_owned(), words)
}

/// The reason of an item whose lead somebody converted.
fn lead_converted() -> Reason {
    let words = "Somebody converted its lead in Zoho into a contact, and leads that were converted cannot be changed. Leave it out, or map \
                 people to contacts.";
    ("converted_in_zoho".to_owned(), words.to_owned())
}

impl Zoho {
    /// Asks a person about records that somebody deleted in Zoho. Returns those that are to be gone anyway.
    pub(super) async fn ask_about(
        &self,
        context: &DeliveryContext<'_>,
        vanished: Vec<Job>,
        delivery: &mut Delivery,
    ) -> Result<Vec<Job>, DestinationFailure> {
        let (asked, rest): (Vec<_>, Vec<_>) = vanished.into_iter().partition(is_asked);
        let (now, mut found, mut converted) = (self.clock.now(), Vec::new(), HashSet::new());
        for job in &asked {
            let Some(remote_id) = job.remote_id.clone() else { continue };
            let is_converted = self.is_converted(context, &remote_id).await?;
            converted.extend(is_converted.then_some(job.item.key));
            found.push(NewFinding {
                kind: context.batch.kind,
                key: Some(job.item.key),
                remote_id,
                sort: if is_converted { FindingSort::Converted } else { FindingSort::Deleted },
                fields: Vec::new(),
                modified_at: None,
                modified_by: None,
                found_by: FoundBy::Delivery,
            });
        }
        self.store.record_findings(Self::NAME, &found, now).await.map_err(unreadable)?;
        let timing = Timing { started_at: now, ended_at: now };
        let failed = asked.into_iter().map(|job| {
            let is_converted = converted.contains(&job.item.key);
            let reason = if is_converted { lead_converted() } else { deleted(context.module) };
            outcome::gone(job.item, reason, timing)
        });
        delivery.settled.extend(failed);
        Ok(rest)
    }

    /// Whether a record that cannot be changed any more is a lead that somebody made a contact.
    async fn is_converted(&self, context: &DeliveryContext<'_>, id: &str) -> Result<bool, DestinationFailure> {
        if context.module.module != LEADS {
            return Ok(false);
        }
        let converted = self.client.was_converted(LEADS, id).await;
        converted.map_err(|error| self.failure_of(context, Records::Known, "timelines cannot be read", &error))
    }

    /// Closes what this delivery has answered. What cannot be stored is found to be equal by the next comparison.
    pub(super) async fn answer_findings(&self, answers: Answers, settled: &[Settled]) {
        let now = self.clock.now();
        for settled in settled {
            let is_written = matches!(settled.state, SettledState::Synced { .. }) && settled.attempt.is_some();
            let Some((id, written)) = answers.0.get(&settled.item.key).filter(|_| is_written) else { continue };
            if let Err(error) = self.store.answer_finding(Self::NAME, *id, written, now).await {
                tracing::warn!(%error, finding = id, "could not store that a finding is answered");
            }
        }
    }
}
