//! What a failure means for other records: as few of them as it concerns are held.

use super::{
    Zoho,
    job::{DeliveryContext, Job, WriteCall},
};
use crate::{
    delivery::DestinationFailure,
    model::{Kind, Records},
    zoho::client::{CallError, Class, RecordAnswer},
};

/// After this many attempts, a record that is alone in its call is refused for a reason of its own: its owner, or a
/// rule about who may see it.
const ATTEMPTS_ALONE: u32 = 3;

impl Zoho {
    /// What a failed call means, made for some records of this kind. `what` says in words what does not work.
    pub(super) fn failure_of(
        &self,
        context: &DeliveryContext<'_>,
        records: Records,
        what: &str,
        error: &CallError,
    ) -> DestinationFailure {
        let module = &context.module.module;
        match (error, self.failure(records, error)) {
            (CallError::Configuration { reason, code }, _) => {
                of_code(context.batch.kind, records, code, format!("{module}: {reason}."))
            }
            (_, DestinationFailure::Outage { records, reason, everything: false }) => DestinationFailure::Outage {
                records,
                reason: format!("{module}: {what}: {reason}."),
                everything: false,
            },
            (_, failure) => failure,
        }
    }
}

/// Whether a record has failed often enough to be the reason itself.
pub(super) fn has_failed_alone(job: &Job) -> bool {
    job.item.attempts >= ATTEMPTS_ALONE
}

/// The hold for a refusal with this code.
pub(super) fn of_code(kind: Kind, records: Records, code: &str, reason: String) -> DestinationFailure {
    let (cause, records) = match code {
        "NO_PERMISSION" | "AUTHORIZATION_FAILED" => ("permission", records),
        // What is there can still be changed.
        "MAX_RECORDS_LIMIT_REACHED" => ("room", Records::New),
        _ => ("configuration", records),
    };
    DestinationFailure::Hold { kind, records, cause, reason, may_end: true }
}

/// The hold that the answers for the records of a call lead to: when there is room for no more, or when all are refused
/// for a reason that concerns the module.
pub(super) fn of_entries(
    context: &DeliveryContext<'_>,
    call: WriteCall,
    jobs: &[Job],
    entries: &[RecordAnswer],
) -> Option<DestinationFailure> {
    let refusals = entries.iter().filter_map(|entry| match entry {
        RecordAnswer::Refused(refusal) if refusal.class.concerns_others() => Some(refusal),
        _ => None,
    });
    let refusals: Vec<_> = refusals.collect();
    let first = refusals.first()?;
    let full = refusals.iter().any(|refusal| refusal.class == Class::Full);
    let alone_again = jobs.len() == 1 && jobs.iter().all(has_failed_alone);
    if !full && (refusals.len() < entries.len() || alone_again) {
        return None;
    }
    let reason = format!("{}: {}. {}.", context.module.module, first.message, first.advice);
    Some(of_code(context.batch.kind, call.records(), &first.code, reason))
}
