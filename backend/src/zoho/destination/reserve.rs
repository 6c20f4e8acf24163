//! Reserving records that are written by their items for the first time: people who were found in Zoho, and grades that
//! stand for those of deleted ones.

use super::{
    Zoho,
    adopt::SAME_EMAIL_IN_FLIGHT,
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
        let (mut ready, mut first, mut reservations) = (Vec::new(), Vec::new(), Vec::new());
        for job in jobs {
            let is_new = |id: &String| job.item.linked || job.item.remote_id.as_ref() != Some(id);
            let Some(remote_id) = job.remote_id.clone().filter(is_new) else {
                ready.push(job);
                continue;
            };
            let givers = job.takes_over_from.iter().copied().chain(context.batch.siblings(job.item.key));
            reservations.push(Reservation { item: job.item.clone(), remote_id, takes_over_from: givers.collect() });
            first.push(job);
        }
        if first.is_empty() {
            return Ok(ready);
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
                Reserved::Lost => {}
            }
        }
        Ok(ready)
    }
}
