//! Looking at what may be wrong: gathers what the rules judge.

use std::{
    collections::{BTreeMap, HashSet},
    sync::PoisonError,
    time::Duration,
};

use tokio::sync::watch;

use super::{
    Alerts,
    rules::{self, DestinationSeen, Hours, SiteSeen},
};
use crate::{
    activity::{Counted, subject_site},
    clock::Timestamp,
    limits,
    model::{AlertPolicy, Finding, ItemState, NoticeEvent, Rule, decide},
    store::{CreditSample, DestinationSummary, StoreError, TokenSummary, Told},
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// For how long it is remembered what was left of an allowance.
const SAMPLES_TIME: Duration = Duration::from_secs(24 * 60 * 60);

impl Alerts {
    /// Looks now and then, when it is this process's turn.
    pub(super) async fn watch(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if let Err(error) = self.look().await {
                tracing::error!(%error, "could not look whether something is wrong");
            }
            tokio::select! {
                () = tokio::time::sleep(self.settings.interval()) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Looks once, if it is time and no other process does.
    async fn look(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let holder = self.reference();
        if !self.store.begin_alert_turn(&holder, now, now.after(limits::ALERT_TURN)).await? {
            return Ok(());
        }
        let findings = self.findings(now).await?;
        let Some(turn) = self.store.end_alert_turn(&holder, now.after(self.settings.interval())).await? else {
            tracing::warn!("looking took so long that another process took over");
            return Ok(());
        };
        let changes = decide(&turn.open().await?, findings, now);
        let policy = AlertPolicy { quiet: self.settings.quiet(), remind: self.settings.remind() };
        let told = turn.write(changes, &policy, &|subject| self.told(subject), &|| self.reference(), now).await?;
        turn.commit().await?;
        self.wake.notify_waiters();
        told.iter().for_each(log);
        self.prune(now).await
    }

    /// The channels that are told of a subject: of a channel that fails, the others.
    fn told(&self, subject: &str) -> Vec<String> {
        let failing = subject.strip_prefix("channel:");
        self.channels.iter().map(|channel| channel.name.clone()).filter(|name| failing != Some(name)).collect()
    }

    /// What is wrong now.
    async fn findings(&self, now: Timestamp) -> Result<Vec<Finding>, StoreError> {
        let limits = &self.settings.rules;
        let mut findings = Vec::new();
        for summary in self.store.destinations().await? {
            if let Some(seen) = self.see_destination(summary, now).await? {
                findings.extend(rules::destination(&seen, limits, now));
            }
        }
        let tokens = self.store.tokens_in_use().await?;
        for site in self.see_sites(&tokens, now).await? {
            findings.extend(rules::site(&site, limits, now));
        }
        findings.extend(rules::tokens(&tokens, limits, now));
        findings.extend(rules::clock(&self.clock.standing()));
        if let Some(space) = self.database.space() {
            findings.extend(rules::disk(&space, limits));
        }
        for channel in self.channels().await? {
            findings.extend(rules::channel(&channel));
        }
        Ok(findings)
    }

    /// Nothing when it is not delivered to any more.
    async fn see_destination(
        &self,
        mut summary: DestinationSummary,
        now: Timestamp,
    ) -> Result<Option<DestinationSeen>, StoreError> {
        let Some(&reserve) = self.destinations.get(&summary.name) else { return Ok(None) };
        self.audit(&mut summary, now).await?;
        let mut samples = Vec::new();
        if let Some((left, at)) = summary.credits {
            let before = earlier(now, SAMPLES_TIME);
            self.store.add_credit_sample(&summary.name, CreditSample { at, left }, before).await?;
            samples = self.store.credit_samples(&summary.name, earlier(now, HOUR)).await?;
        }
        let undelivered = self.store.undelivered(&summary.name).await?;
        let mut failed = self.store.attention(&summary.name).await?;
        failed.retain(|reason| reason.state == ItemState::Failed);
        Ok(Some(DestinationSeen { summary, reserve, samples, undelivered, failed }))
    }

    /// Counts whether each record has its item, if that is due.
    async fn audit(&self, summary: &mut DestinationSummary, now: Timestamp) -> Result<(), StoreError> {
        let name = &summary.name;
        let due = |memory: &mut super::Memory| {
            memory.audits.get(name).is_none_or(|at| at.is_over(now, limits::LONGEST_AT_DESTINATION))
        };
        // Another process may just have counted.
        let fresh = summary.audit.is_some_and(|(_, at)| !now.is_past(at, self.settings.audit()));
        if fresh || !due(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let found = self.store.conservation(name).await?;
        self.store.save_audit(name, &found, now).await?;
        let took = self.clock.now().since(now);
        let next = now.after(self.settings.audit().max(took.saturating_mul(limits::AUDIT_SHARE)));
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).audits.insert(name.clone(), next);
        summary.audit = Some((found, now));
        Ok(())
    }

    /// The sites that have a token.
    async fn see_sites(&self, tokens: &[TokenSummary], now: Timestamp) -> Result<Vec<SiteSeen>, StoreError> {
        let names: HashSet<&str> = tokens.iter().filter_map(|token| token.site.as_deref()).collect();
        let recent = self.store.activity(earlier(now, rules::REJECTED_TIME), later(now), 1).await?;
        let mut hours = self.hours(earlier(now, rules::LONGEST_SILENCE), later(now)).await?;
        let silent = |hours: &BTreeMap<String, Hours>| {
            let is_silent = |name: &&&str| {
                let hours = hours.get(&subject_site(name));
                hours.is_none_or(|hours| rules::is_quiet(hours, self.settings.rules.silent_hours, now))
            };
            names.iter().filter(is_silent).count() > 0
        };
        // The past is read only when it matters.
        if self.settings.rules.silent_hours > 0 && silent(&hours) {
            for week in 1..=rules::WEEKS {
                let end = earlier(now, rules::WEEK * week);
                for (subject, past) in self.hours(earlier(end, rules::LONGEST_SILENCE), end).await? {
                    hours.entry(subject).or_default().extend(past);
                }
            }
        }
        let open = self.store.open_alerts().await?;
        let mut sites = Vec::new();
        for name in names {
            let subject = subject_site(name);
            let of_site = recent.iter().filter(|counted| counted.subject == subject);
            let rejected_name = Counted::Event("rejected").name();
            let (mut rejected, mut events) = (0, 0);
            for counted in of_site {
                events += counted.count;
                rejected += if counted.name == rejected_name { counted.count } else { 0 };
            }
            let alert = open.iter().find(|alert| alert.rule == Rule::SiteSilent && alert.subject == subject);
            let silent_since = alert.map(|alert| alert.raised_at);
            let heard = match silent_since {
                Some(since) => self.hours(since, later(now)).await?.contains_key(&subject),
                None => false,
            };
            let hours = hours.remove(&subject).unwrap_or_default();
            let silent_since = silent_since.filter(|_| !heard);
            sites.push(SiteSeen { name: name.to_owned(), hours, silent_since, rejected, events });
        }
        Ok(sites)
    }

    /// How many events came in each hour, by subject.
    async fn hours(&self, since: Timestamp, until: Timestamp) -> Result<BTreeMap<String, Hours>, StoreError> {
        let mut hours: BTreeMap<String, Hours> = BTreeMap::new();
        for counted in self.store.activity(since, until, 60).await? {
            *hours.entry(counted.subject).or_default().entry(rules::hour(counted.from)).or_default() += counted.count;
        }
        Ok(hours)
    }

    /// Forgets what is old, now and then.
    async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = self.memory.lock().unwrap_or_else(PoisonError::into_inner).pruned_at;
        if before.is_some_and(|at| !now.is_past(at, limits::PRUNE_INTERVAL)) || !self.clock.is_agreed() {
            return Ok(());
        }
        self.store.give_up_notices(earlier(now, limits::NOTICE_PATIENCE), now).await?;
        let pruned = self.store.prune_alerts(earlier(now, self.settings.keep()), limits::PRUNE_ROWS).await?;
        // More of them at the next look.
        if pruned < limits::PRUNE_ROWS {
            self.memory.lock().unwrap_or_else(PoisonError::into_inner).pruned_at = Some(now);
        }
        Ok(())
    }
}

fn earlier(now: Timestamp, time: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
}

/// The end of a time that includes this minute.
fn later(now: Timestamp) -> Timestamp {
    now.after(Duration::from_secs(60))
}

fn log(told: &Told) {
    let Told { event, rule, subject, severity, message } = told;
    let (event, severity) = (event.as_str(), severity.as_str());
    match told.event {
        NoticeEvent::Resolved => tracing::info!(rule, subject, severity, event, "✅ an alert is resolved"),
        _ => tracing::warn!(rule, subject, severity, event, detail = message, "🔔 an alert"),
    }
}
