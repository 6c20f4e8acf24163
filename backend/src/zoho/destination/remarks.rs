//! Optional values that only Zoho knows to be wrong: the record is sent again without them, and says so.

use super::{
    job::{DeliveryContext, Job},
    outcome::REFUSED_BY_ZOHO,
};
use crate::{
    model::Remark,
    zoho::client::{Class, RecordAnswer},
};

/// Leaves out the field that Zoho refuses, if the record can do without it and was to be written, not removed: then it
/// is to be sent again. Each time it has a field less, so this ends.
pub(super) fn leave_out(context: &DeliveryContext<'_>, job: &mut Job, answer: &RecordAnswer) -> bool {
    let RecordAnswer::Refused(refusal) = answer else { return false };
    let about_a_value = refusal.class == Class::Data && refusal.code == "INVALID_DATA";
    let Some(name) = refusal.field.as_deref().filter(|_| about_a_value && !job.removes) else { return false };
    let rule = context.module.rules.iter().find(|rule| rule.field == name);
    let optional = rule.zip(context.metadata.fields.get(name)).is_some_and(|(rule, field)| rule.is_optional(field));
    if !optional || job.body.remove(name).is_none() {
        return false;
    }
    let message = format!("The value was left out: {}. {}.", refusal.message, refusal.advice);
    job.remarks.push(Remark { field: name.to_owned(), code: REFUSED_BY_ZOHO.to_owned(), message });
    true
}
