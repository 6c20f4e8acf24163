//! Two people with one address: siblings, or one person in two Moodles. The mapping says whether somebody must decide, or
//! the second one gets a contact without the address.

use super::{
    Zoho,
    find::FoundPeople,
    holders::Holder,
    job::{DeliveryContext, Job},
    outcome::{self, SAME_ADDRESS, Timing},
    unreadable,
};
use crate::{
    delivery::DestinationFailure,
    model::{RecordKey, Remark},
    store::Settled,
    zoho::mapping::SameAddress,
};

impl Zoho {
    /// Leaves the address out of what is written to people who got a contact without it, if another one still has it.
    pub(super) async fn without_shared_addresses(
        &self,
        context: &DeliveryContext<'_>,
        updates: Vec<Job>,
    ) -> Result<Vec<Job>, DestinationFailure> {
        let is_without = |job: &Job| job.item.remarks.iter().any(|remark| remark.code == SAME_ADDRESS);
        let (without, mut updates): (Vec<Job>, Vec<Job>) = updates.into_iter().partition(is_without);
        if without.is_empty() {
            return Ok(updates);
        }
        let (holders, _) = self.holders(context, &without).await.map_err(unreadable)?;
        let found = self.contacts(context, &without).await?;
        for mut job in without {
            let of_us = matches!(holders.get(&job.item.key), Some(Holder::Other(_)));
            if of_us || found.has_another(&job) {
                leave_out(context, &mut job);
            }
            updates.push(job);
        }
        Ok(updates)
    }
}

/// Whether a person whose address another one has gets a contact without it: if the mapping wants that, and Zoho does not
/// require the address.
pub(super) fn goes_without(context: &DeliveryContext<'_>) -> bool {
    let required = |field: &str| context.metadata.fields.get(field).is_none_or(|field| field.system_mandatory);
    let is_required = context.module.address_rules().any(|rule| required(&rule.field));
    context.module.same_address == SameAddress::Without && !is_required
}

/// The job without the address.
pub(super) fn without_address(context: &DeliveryContext<'_>, mut job: Job) -> Job {
    leave_out(context, &mut job);
    job
}

/// Whether a contact was found by nothing but the person's address.
pub(super) fn is_by_address(context: &DeliveryContext<'_>, found: &FoundPeople, job: &Job, id: &str) -> bool {
    found.fields(job, id).all(|field| context.module.address_rules().any(|rule| rule.field == field))
}

pub(super) fn leave_out(context: &DeliveryContext<'_>, job: &mut Job) {
    for rule in context.module.address_rules() {
        if job.body.remove(&rule.field).is_none() {
            continue;
        }
        let message = "The address was left out, because another person in Zoho has it. If one of the two changes: backend-sync sync \
                       resync --remarks.";
        let (field, code) = (rule.field.clone(), SAME_ADDRESS.to_owned());
        job.remarks.push(Remark { field, code, message: message.to_owned() });
    }
}

/// The failure of a person whose address another user has, who is in Zoho already.
pub(super) fn failed(context: &DeliveryContext<'_>, job: Job, other: RecordKey, timing: Timing) -> Settled {
    let name = context.batch.name(other);
    let without =
        "same_address = \"without\" in the mapping file gives this account a contact of its own without the address";
    let words = if other.site_id == job.item.key.site_id {
        format!(
            "{name} has the same e-mail address and is already in Zoho. If it is one person with two accounts, delete the unused one in \
             Moodle. If they are two, such as siblings, correct one of the addresses; or {without}: then retry."
        )
    } else {
        format!(
            "{name}, of another Moodle, has the same e-mail address and is already in Zoho. If it is one person in both, {without}: then \
             retry. If they are two, correct one of the addresses."
        )
    };
    let failed = outcome::failed(job.item, ("email_taken".to_owned(), words), Some(timing));
    Settled { blocked_by: Some(other), ..failed }
}
