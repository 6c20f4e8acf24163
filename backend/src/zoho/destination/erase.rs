//! Erasing people in Zoho: their records are blanked before they are deleted, because deleted records stay unchanged in
//! the recycle bin for two months.

use super::{
    Zoho,
    decision::{Leaves, WriteTarget},
    job::{DeliveryContext, Job, WriteCall, job},
    outcome::{self, Timing},
    send::Unsettled,
};
use crate::{
    delivery::{Delivery, DestinationFailure},
    store::Claimed,
    zoho::client::Action,
};

impl Zoho {
    /// Blanks records, and deletes those of which nothing may remain.
    pub(super) async fn erase_all(
        &self,
        context: &DeliveryContext<'_>,
        erasures: Vec<(Claimed, WriteTarget, Leaves)>,
        delivery: &mut Delivery,
    ) -> Result<(), DestinationFailure> {
        let jobs = erasures
            .into_iter()
            .map(|(item, target, leaves)| Job { leaves: Some(leaves), ..job(item, target, "erased", true) });
        // After an attempt of unknown outcome, an insert finds out whether it was delivered.
        let (known, mut unknown): (Vec<_>, Vec<_>) = jobs.partition(|job| job.remote_id.is_some());
        let Unsettled { gone: mut emptied, perhaps_elsewhere, .. } =
            self.send(WriteCall::Update, context, known, delivery).await?;
        unknown.extend(perhaps_elsewhere);
        emptied.extend(self.insert(context, unknown, delivery).await?);
        self.send(WriteCall::Delete, context, emptied, delivery).await?;
        Ok(())
    }

    /// Settles an erased record; returns the job when the record is blanked and to be deleted next.
    pub(super) fn settle_erased(
        call: WriteCall,
        job: Job,
        (id, action): (String, Action),
        timing: Timing,
        delivery: &mut Delivery,
    ) -> Option<Job> {
        let (remote_id, digest) = match call {
            WriteCall::Delete => (None, None),
            // Inserted means that it did not exist before: delete it again.
            _ if job.leaves == Some(Leaves::Nothing) || action == Action::Inserted => {
                return Some(Job { remote_id: Some(id), ..job });
            }
            _ => (Some(id), Some(job.digest)),
        };
        delivery.settled.push(outcome::synced(job.item, remote_id, digest, "erased", timing));
        None
    }
}
