//! Reserving records that are written by their items for the first time: people who were found in Zoho, and grades that
//! stand for those of deleted ones.

use super::{
    Zoho,
    adopt::{self, SAME_EMAIL_IN_FLIGHT},
    job::{DeliveryContext, Job},
    outcome::{self, Timing},
    unreadable,
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure},
    store::{Reservation, Reserved, taken},
};

impl Zoho {
    /// Of these updates, those whose items may write the records. Settles the others; an item whose lease is lost is
    /// another worker's.
    pub(super) async fn reserved(
        &self,
        context: &DeliveryContext<'_>,
        jobs: Vec<Job>,
        delivery: &mut Delivery,
    ) -> Result<Vec<Job>, DestinationFailure> {
        let is_new = |job: &Job, id: &String| job.item.linked || job.item.remote_id.as_ref() != Some(id);
        let (new, mut ready): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| job.remote_id.as_ref().is_some_and(|id| is_new(job, id)));
        if new.is_empty() {
            return Ok(ready);
        }
        let (mut first, mut reservations) = (Vec::new(), Vec::new());
        for (job, adopted) in self.with_replaced(context, new, delivery).await? {
            let Some(remote_id) = job.remote_id.clone() else { continue };
            let givers = job.takes_over_from.iter().copied().chain(context.batch.siblings(job.item.key));
            let takes_over_from = givers.collect();
            reservations.push(Reservation { item: job.item.clone(), remote_id, takes_over_from, adopted });
            first.push(job);
        }
        let started_at = self.clock.now();
        let reserved = self.store.reserve(Self::NAME, &reservations, started_at).await.map_err(unreadable)?;
        let timing = Timing { started_at, ended_at: self.clock.now() };
        for ((job, reserved), reservation) in first.into_iter().zip(reserved).zip(reservations) {
            match reserved {
                Reserved::Writer => ready.push(Job { item: job.item.reserve(reservation.remote_id), ..job }),
                Reserved::Taken(other) => {
                    let reason = taken(&reservation.remote_id, other);
                    delivery.settled.push(outcome::failed(job.item, reason, Some(timing)));
                }
                Reserved::InFlight => {
                    let words = "A deleted user with the same e-mail address is being delivered; this one follows.";
                    let reason = (SAME_EMAIL_IN_FLIGHT.to_owned(), words.to_owned());
                    delivery.settled.push(self.retry(job, reason, timing));
                }
                Reserved::Refused => {
                    let words = "A person refused the adoption meanwhile; it is judged again.";
                    let reason = (adopt::REFUSED.to_owned(), words.to_owned());
                    delivery.settled.push(self.retry(job, reason, timing));
                }
                Reserved::Lost => {}
            }
        }
        Ok(ready)
    }
}
