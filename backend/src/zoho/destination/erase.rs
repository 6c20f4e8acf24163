//! Erasing people in Zoho: their records are emptied first and deleted afterwards, because what is deleted lies in the recycle bin for
//! two months as it was.

use super::{
    Zoho,
    decide::{Leaves, WriteTarget},
    deliver::{DeliveryContext, Job, WriteCall, job},
    outcome::{self, Timing},
};
use crate::{
    delivery::{Delivery, Trouble},
    store::Claimed,
    zoho::client::Action,
};

impl Zoho {
    /// Empties records and deletes those of which nothing is to be left.
    pub(super) async fn erase_all(
        &self,
        context: &DeliveryContext<'_>,
        erasures: Vec<(Claimed, WriteTarget, Leaves)>,
        delivery: &mut Delivery,
    ) -> Result<(), Trouble> {
        let jobs = erasures
            .into_iter()
            .map(|(item, target, leaves)| Job { leaves: Some(leaves), ..job(item, target, "erased", true) });
        // Of a try whose outcome is not known, writing by the key tells whether it arrived.
        let (known, unknown): (Vec<_>, Vec<_>) = jobs.partition(|job| job.remote_id.is_some());
        let mut emptied = self.send(WriteCall::Update, context, known, delivery).await?;
        emptied.extend(self.send(WriteCall::UpsertByKey, context, unknown, delivery).await?);
        self.send(WriteCall::Delete, context, emptied, delivery).await?;
        Ok(())
    }

    /// Settles a record that is erased; gives it back when it is empty now and to be deleted.
    pub(super) fn settle_erased(
        call: WriteCall,
        job: Job,
        (id, action): (String, Action),
        timing: Timing,
        delivery: &mut Delivery,
    ) -> Option<Job> {
        let (remote_id, digest) = match call {
            WriteCall::Delete => (None, None),
            // What was only made by asking for it was not there.
            _ if job.leaves == Some(Leaves::Nothing) || action == Action::Inserted => {
                return Some(Job { remote_id: Some(id), ..job });
            }
            _ => (Some(id), Some(job.digest)),
        };
        delivery.settled.push(outcome::synced(job.item, remote_id, digest, "erased", timing));
        None
    }
}
