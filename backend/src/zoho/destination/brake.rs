//! What cannot be undone in Zoho is counted before it is done. What is above the ordinary waits for a person.

use super::{
    Zoho,
    batch::DeliveryBatch,
    decision::WriteTarget,
    job::{DeliveryContext, Job},
    outcome::{self, Reason},
    unreadable,
};
use crate::{
    delivery::{Delivery, Destination, DestinationFailure},
    model::{Effect, Kind},
    store::{BrakeLimits, BrakeVerdict, Claimed, IntendedEffect, Settled},
    zoho::mapping::OnDelete,
};

/// The effect of removing a record, if the brake counts it: any of a person, and what blanks or deletes others.
pub(super) fn removal(context: &DeliveryContext<'_>, item: &Claimed, target: &WriteTarget) -> Option<IntendedEffect> {
    let effect = match (item.key.kind, context.module.on_delete) {
        (Kind::User, _) => Effect::Deletion,
        (_, OnDelete::Blank | OnDelete::Delete) => Effect::Removal,
        (_, OnDelete::Mark | OnDelete::Keep) => return None,
    };
    let subject = target.remote_id.clone().unwrap_or_default();
    Some(IntendedEffect { key: item.key, effect, subject })
}

/// The effect of an update, if it takes over a contact without a person's decision.
pub(super) fn adoption(job: &Job) -> Option<IntendedEffect> {
    let id = job.remote_id.clone().filter(|_| job.outcome == "adopted" && !job.decided && !job.removes)?;
    Some(IntendedEffect { key: job.item.key, effect: Effect::Adoption, subject: id })
}

/// Why an item is not delivered now, if the brake says so: a code and words.
pub(super) fn reason(
    batch: &DeliveryBatch,
    limits: &BrakeLimits,
    intended: &IntendedEffect,
    verdict: &BrakeVerdict,
) -> Option<Reason> {
    let (effect, site) = (intended.effect, batch.site(intended.key.site_id));
    let command = format!("backend-sync sync brake --site {site}");
    match verdict {
        BrakeVerdict::Go => None,
        BrakeVerdict::Waits { limit, .. } => {
            let minutes = limits.window.as_secs() / 60;
            let words = format!(
                "It waits for a person's decision, and Zoho is left as it is: at the site {site} there were more than {limit} {} within \
                 {minutes} minutes, which is unusual. {command} shows which wait, and approves or refuses them.",
                effect.in_words(*limit)
            );
            Some((effect.braked_code(), words))
        }
        BrakeVerdict::Excepted { by, at } => {
            let what = if effect == Effect::Adoption { "Not adopted" } else { "Kept in Zoho as it is" };
            let words =
                format!("{what} by the decision of {by} at {}. {command} takes such decisions back.", at.to_rfc3339());
            Some((effect.excepted_code(), words))
        }
    }
}

/// How an item is settled that the brake does not let pass.
pub(super) fn settled(item: Claimed, reason: Reason, verdict: &BrakeVerdict) -> Settled {
    match verdict {
        BrakeVerdict::Excepted { .. } => outcome::left_alone(item, reason, None),
        _ => outcome::failed(item, reason, None),
    }
}

impl Zoho {
    /// Counts the effects of these, and settles those that wait for a person, or that a person decided against. Returns
    /// the others.
    pub(super) async fn braked<T>(
        &self,
        context: &DeliveryContext<'_>,
        all: Vec<T>,
        effect: impl Fn(&T) -> Option<IntendedEffect>,
        item: impl Fn(T) -> Claimed,
        delivery: &mut Delivery,
    ) -> Result<Vec<T>, DestinationFailure> {
        let effects: Vec<Option<IntendedEffect>> = all.iter().map(effect).collect();
        let intended: Vec<IntendedEffect> = effects.iter().flatten().cloned().collect();
        if intended.is_empty() {
            return Ok(all);
        }
        let verdicts = self.store.brake(Self::NAME, &intended, self.brake, self.clock.now()).await;
        let (mut verdicts, mut pass) = (verdicts.map_err(unreadable)?.into_iter(), Vec::new());
        for (one, effect) in all.into_iter().zip(effects) {
            let judged = effect.and_then(|effect| Some((verdicts.next()?, effect)));
            let held = judged
                .and_then(|(verdict, effect)| Some((reason(context.batch, &self.brake, &effect, &verdict)?, verdict)));
            match held {
                Some((reason, verdict)) => delivery.settled.push(settled(item(one), reason, &verdict)),
                None => pass.push(one),
            }
        }
        Ok(pass)
    }
}
