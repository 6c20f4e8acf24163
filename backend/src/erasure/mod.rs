//! The erasure of a person: from our tables, from the database's files, and from the destination; with a certificate,
//! and with later checks.
//!
//! Each step is a state in the database and idempotent: when a process dies in between, another continues.

mod certificate;
mod keeper;

pub use certificate::{Certificate, CheckView, FindingView, RemoteView, RowsView};
pub use keeper::{ErasureSettings, Keeper};

use crate::{
    clock::{Clock, Timestamp},
    limits,
    model::ErasurePolicy,
    store::{BrakeLimits, Erasure, ErasureCheck, Store, StoreError},
    zoho::{
        client::CallError,
        destination::{Zoho, user_key},
    },
};

/// Checks kept on a certificate. If one finds something every day, the latest ones show it.
const CHECKS_KEPT: usize = 50;

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A call to Zoho failed.
    #[error("Zoho could not be called: {0}")]
    Zoho(#[from] CallError),
    /// The person has records in Zoho, but Zoho is not configured.
    #[error("the person has records in Zoho, which is not configured here")]
    NotConfigured,
}

/// Blanks what is stored about the person and marks the records for delivery. From the first commit on, nothing new is
/// stored. False if the erasure waits for a person's decision.
pub async fn empty(store: &Store, id: i64, brake: BrakeLimits, clock: &Clock) -> Result<bool, StoreError> {
    if !store.begin_erasure(id, brake, clock.now()).await? {
        return Ok(false);
    }
    let Some(erasure) = store.erasure(id).await? else { return Ok(true) };
    while store.blank_step(&erasure, clock.now()).await? > 0 {}
    Ok(true)
}

/// Erases a person from this database, including the overwritten bytes. False when a reader of the database blocked the
/// scrub, so that the server continues it, and when the erasure waits for a person's decision.
pub async fn erase_here(store: &Store, id: i64, brake: BrakeLimits, clock: &Clock) -> Result<bool, StoreError> {
    if !empty(store, id, brake, clock).await? {
        return Ok(false);
    }
    let scrubbed = store.scrub().await?;
    if scrubbed {
        store.end_local_erasure(id, clock.now()).await?;
    }
    Ok(scrubbed)
}

/// Ends the erasure at the destination once everything is delivered.
async fn follow(store: &Store, erasure: &Erasure, now: Timestamp) -> Result<(), StoreError> {
    if store.undelivered_of(erasure.user).await? > 0 {
        // What needs a person may take days: poll less and less often.
        let waited = now.since(erasure.local_at.unwrap_or(now)) / 10;
        let wait = waited.clamp(limits::ERASURE_INTERVAL / 2, limits::ERASURE_CHECK_RETRY);
        return store.set_erasure_check(erasure.id, now.after(wait)).await;
    }
    // Attempts made in the meantime stored messages; remove those too.
    let mut again = false;
    while store.blank_step(erasure, now).await? > 0 {
        again = true;
    }
    if again && !store.scrub().await? {
        return Ok(());
    }
    store.end_remote_erasure(erasure, now).await?;
    tracing::info!(erasure = erasure.id, "🧹 a person was erased, here and at the destination");
    Ok(())
}

/// Checks for data that should be gone, here and in Zoho, and stores the result.
pub async fn check(store: &Store, zoho: Option<&Zoho>, erasure: &Erasure, clock: &Clock) -> Result<(), CheckError> {
    let (mut findings, mut still_shown) = (store.remains_of(erasure.user).await?, Vec::new());
    if erasure.policy != ErasurePolicy::Keep && !erasure.erased.remote.is_empty() {
        let zoho = zoho.ok_or(CheckError::NotConfigured)?;
        let sites = store.site_names().await?;
        let site = sites.get(&erasure.user.site_id).map_or("", String::as_str);
        let key = user_key(site, erasure.user.userid);
        let remote = &erasure.erased.remote;
        findings.extend(zoho.remains(erasure.policy, &key, remote).await?);
        if erasure.policy == ErasurePolicy::Purge {
            match zoho.purge(remote).await {
                // What is left is found below, so that somebody is told.
                Err(error @ CallError::Configuration { .. }) => {
                    tracing::error!(erasure = erasure.id, %error, "could not empty Zoho's recycle bin of an erased person");
                }
                purged => purged?,
            }
            findings.extend(zoho.earlier_values(remote).await?);
        } else {
            still_shown = zoho.earlier_values(remote).await?;
        }
    }
    let now = clock.now();
    if !findings.is_empty() {
        let places: Vec<&str> = findings.iter().map(|finding| finding.place.as_str()).collect();
        tracing::error!(
            erasure = erasure.id,
            ?places,
            "🧹 an erased person's data was found; did somebody enter it again?"
        );
    }
    let mut kept = erasure.clone();
    kept.checks.drain(..kept.checks.len().saturating_sub(CHECKS_KEPT - 1));
    let next = next_check(erasure, now, findings.is_empty());
    store.save_erasure_check(&kept, &ErasureCheck { at: now.0, findings, still_shown }, next).await?;
    Ok(())
}

/// The next check after now: as scheduled, or within a day when something was found.
fn next_check(erasure: &Erasure, now: Timestamp, well: bool) -> Option<Timestamp> {
    let done = erasure.remote_at.unwrap_or(now);
    let next = limits::ERASURE_CHECKS.into_iter().map(|wait| done.after(wait)).find(|at| *at > now);
    let [day, _] = limits::ERASURE_CHECKS;
    if well { next } else { Some(next.unwrap_or(now.after(day)).min(now.after(day))) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::next_check;
    use crate::{
        clock::Timestamp,
        model::{ErasurePolicy, ErasureState, Id},
        store::{Erased, Erasure, UserFilter},
    };

    fn done_at(moment: Timestamp) -> Erasure {
        Erasure {
            id: 1,
            user: UserFilter { site_id: 1, userid: Id(3) },
            state: ErasureState::RemoteDone,
            policy: ErasurePolicy::Anonymise,
            requested_by: "cli".to_owned(),
            requested_at: moment,
            due_at: moment,
            begun_at: Some(moment),
            local_at: Some(moment),
            remote_at: Some(moment),
            verified_at: None,
            lifted_at: None,
            check_at: None,
            braked_at: None,
            follows: None,
            erased: Erased::default(),
            checks: Vec::new(),
        }
    }

    #[test]
    fn it_is_checked_after_a_day_and_a_month_and_daily_while_something_is_found() {
        let day = |days: u64| Timestamp(0).after(Duration::from_secs(days * 24 * 60 * 60));
        let erasure = done_at(day(0));
        assert_eq!(next_check(&erasure, day(0), true), Some(day(1)));
        assert_eq!(next_check(&erasure, day(1), true), Some(day(30)));
        assert_eq!(next_check(&erasure, day(30), true), None);
        assert_eq!(next_check(&erasure, day(3), false), Some(day(4)));
        assert_eq!(next_check(&erasure, day(40), false), Some(day(41)));
    }
}
