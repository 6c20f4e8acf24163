//! Reading the data that the rules judge. A read that fails or takes too long affects only its own rules.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::PoisonError,
    time::Duration,
};

use super::{
    Alerts, Memory,
    rules::{self, Backups, BrakedSite, DestinationInput, Hours, SiteInput, UnreadableRules},
};
use crate::{
    activity::{ActivityKind, subject_site},
    clock::Timestamp,
    limits::{ALERT_READ_TIME, AUDIT_SHARE, AUDIT_TIME, LONGEST_AT_DESTINATION, UNJUDGED_CHECKS},
    model::{Effect, FindingSort, Observation, Rule},
    store::{
        BrakeCount, Cause, Comparison, Conservation, CreditSample, DestinationSummary, ProofState, StoreError,
        TokenSummary,
    },
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long credit samples are kept.
const SAMPLES_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The rules that judge a destination.
const DESTINATION: &[Rule] =
    &[Rule::OldestChange, Rule::Parked, Rule::Failed, Rule::Paused, Rule::Credits, Rule::Conservation];

/// What an evaluation found, and what it could not read.
#[derive(Default)]
pub(super) struct Evaluation {
    pub(super) findings: Vec<Observation>,
    failed: Vec<FailedRead>,
}

/// A read that failed, and the rules that need it.
struct FailedRead {
    rules: &'static [Rule],
    cause: Cause,
}

impl Evaluation {
    /// The result of `reading` for these rules, if it comes in time; a failure is noted.
    async fn read<T>(
        &mut self,
        rules: &'static [Rule],
        time: Duration,
        reading: impl Future<Output = Result<T, StoreError>>,
    ) -> Option<T> {
        let names = || rules.iter().map(|rule| rule.as_str()).collect::<Vec<_>>().join(", ");
        let cause = match tokio::time::timeout(time, reading).await {
            Ok(Ok(read)) => return Some(read),
            Ok(Err(error)) => {
                tracing::error!(%error, rules = names(), "could not read the data of alert rules");
                error.cause()
            }
            Err(_) => {
                tracing::error!(
                    seconds = time.as_secs(),
                    rules = names(),
                    "reading the data of alert rules took too long"
                );
                Cause::Deadline
            }
        };
        self.failed.push(FailedRead { rules, cause });
        None
    }

    /// The rules that could not be evaluated.
    pub(super) fn not_judged(&self) -> Vec<Rule> {
        let mut rules: Vec<Rule> = self.failed.iter().flat_map(|failed| failed.rules).copied().collect();
        let found = self.findings.iter().any(|finding| finding.rule == Rule::LookFailed);
        // The read has not failed often enough in this process, but another one may have raised the alert.
        if !rules.is_empty() && !found {
            rules.push(Rule::LookFailed);
        }
        rules
    }

    /// Counts consecutive failures of each read, including those `before` this evaluation. Too many are a finding.
    pub(super) fn count_failed(&mut self, before: &mut HashMap<Rule, u32>) {
        let mut counted = HashMap::new();
        for FailedRead { rules, cause } in &self.failed {
            let Some(first) = rules.first().filter(|first| !counted.contains_key(*first)) else { continue };
            let evaluations = before.get(first).map_or(1, |evaluations| evaluations.saturating_add(1));
            counted.insert(*first, evaluations);
            if evaluations >= UNJUDGED_CHECKS {
                self.findings.push(rules::unreadable(&UnreadableRules { rules, cause: *cause, evaluations }));
            }
        }
        *before = counted;
    }
}

impl Alerts {
    /// Reads everything and applies the rules.
    pub(super) async fn gather(&self, now: Timestamp) -> Evaluation {
        let (mut evaluation, limits) = (Evaluation::default(), &self.settings.rules);
        let destinations = evaluation.read(DESTINATION, ALERT_READ_TIME, self.store.destinations()).await;
        for summary in destinations.unwrap_or_default() {
            // Destinations that are no longer configured are skipped.
            if let Some(&reserve) = self.destinations.get(&summary.name) {
                let living = self.store.delivery_processes(&summary.name, now);
                let living = evaluation.read(&[Rule::OtherMapping], ALERT_READ_TIME, living).await.unwrap_or_default();
                evaluation.findings.extend(rules::other_mapping(&summary.name, &living, now));
                let found = self.found(&summary.name);
                if let Some((open, proof)) = evaluation.read(&[Rule::ParityBroken], ALERT_READ_TIME, found).await {
                    evaluation.findings.extend(rules::destination_parity(&summary.name, &open, &proof, now));
                }
                let destination = self.gather_destination(summary, reserve, &mut evaluation, now).await;
                evaluation.findings.extend(rules::destination(&destination, limits, now));
            }
        }
        if let Some(braked) = evaluation.read(&[Rule::Braked], ALERT_READ_TIME, self.braked()).await {
            evaluation.findings.extend(braked.iter().filter_map(rules::braked));
        }
        if let Some(compared) = evaluation.read(&[Rule::ParityBroken], ALERT_READ_TIME, self.compared()).await {
            evaluation.findings.extend(compared.iter().filter_map(|(name, found)| rules::parity(name, found)));
        }
        if limits.backup_hours > 0 {
            let backups = evaluation.read(&[Rule::BackupMissed], ALERT_READ_TIME, self.backups(now)).await;
            evaluation.findings.extend(backups.and_then(|found| rules::backup(found, limits, now)));
        }
        // Only sites with a token are judged.
        const TOKENS: &[Rule] = &[Rule::TokenExpiring, Rule::SiteSilent, Rule::IngestRejecting];
        if let Some(tokens) = evaluation.read(TOKENS, ALERT_READ_TIME, self.store.tokens_in_use()).await {
            self.gather_sites(&tokens, &mut evaluation, now).await;
            evaluation.findings.extend(rules::tokens(&tokens, limits, now));
        }
        if let Some(space) = self.database.space() {
            evaluation.findings.extend(rules::disk(&space, limits));
        }
        evaluation.findings.extend(rules::clock(&self.clock.status()));
        let channels = evaluation.read(&[Rule::ChannelFailing], ALERT_READ_TIME, self.channels()).await;
        evaluation.findings.extend(channels.unwrap_or_default().iter().filter_map(rules::channel));
        evaluation.count_failed(&mut self.memory().unreadable);
        evaluation
    }

    /// Reads what it can of a destination. Data that cannot be read counts as healthy, and its rules are not evaluated.
    async fn gather_destination(
        &self,
        mut summary: DestinationSummary,
        reserve: i64,
        evaluation: &mut Evaluation,
        now: Timestamp,
    ) -> DestinationInput {
        let audit = evaluation.read(&[Rule::Conservation], AUDIT_TIME, self.audit(&summary, now)).await;
        summary.audit = audit.flatten().or(summary.audit);
        let samples = evaluation.read(&[Rule::Credits], ALERT_READ_TIME, self.credit_samples(&summary, now)).await;
        let waiting = self.store.undelivered(&summary.name);
        let waiting = evaluation.read(&[Rule::OldestChange], ALERT_READ_TIME, waiting).await.flatten();
        let late = now.before(HOUR * self.settings.rules.parked_hours);
        let reasons = async {
            let reasons = self.store.reasons(&summary.name, late).await?;
            // Only single records are named, by their site.
            let names = if reasons.is_empty() { HashMap::new() } else { self.store.site_names().await? };
            Ok((reasons, names))
        };
        let reasons = evaluation.read(&[Rule::Failed, Rule::Parked], ALERT_READ_TIME, reasons).await;
        let (reasons, mut sites) = reasons.unwrap_or_default();
        if sites.is_empty() && waiting.as_ref().is_some_and(|waiting| waiting.only.is_some()) {
            let names = evaluation.read(&[Rule::OldestChange], ALERT_READ_TIME, self.store.site_names()).await;
            sites = names.unwrap_or_default();
        }
        DestinationInput { summary, reserve, samples: samples.unwrap_or_default(), waiting, reasons, sites }
    }

    /// What waits because of the brake, by site.
    async fn braked(&self) -> Result<Vec<BrakedSite>, StoreError> {
        let mut sites: BTreeMap<i64, Vec<(Effect, BrakeCount)>> = BTreeMap::new();
        for ((site, effect), count) in self.store.braked().await? {
            if count.waiting > 0 {
                sites.entry(site).or_default().push((effect, count));
            }
        }
        if sites.is_empty() {
            return Ok(Vec::new());
        }
        let names = self.store.site_names().await?;
        let named = |(site, waiting)| Some(BrakedSite { name: names.get(&site)?.clone(), waiting });
        Ok(sites.into_iter().filter_map(named).collect())
    }

    /// The last comparisons with Moodle, by the name of the site.
    async fn compared(&self) -> Result<BTreeMap<String, Vec<Comparison>>, StoreError> {
        let (names, mut sites) = (self.store.site_names().await?, BTreeMap::<_, Vec<_>>::new());
        for comparison in self.store.comparisons().await? {
            if let Some(name) = names.get(&comparison.site_id) {
                sites.entry(name.clone()).or_default().push(comparison);
            }
        }
        Ok(sites)
    }

    /// What differs at a destination, and how far it was compared.
    async fn found(&self, destination: &str) -> Result<(BTreeMap<FindingSort, u64>, ProofState), StoreError> {
        Ok((self.store.open_findings(destination).await?, self.store.proof_state(destination).await?))
    }

    /// When the last backup was made.
    async fn backups(&self, now: Timestamp) -> Result<Backups, StoreError> {
        Ok(Backups { last: self.store.life().await?.backup_at, age: self.store.age(now).await? })
    }

    /// The credits left over the last hour, including now.
    async fn credit_samples(
        &self,
        summary: &DestinationSummary,
        now: Timestamp,
    ) -> Result<Vec<CreditSample>, StoreError> {
        let Some((left, at)) = summary.credits else { return Ok(Vec::new()) };
        self.store.add_credit_sample(&summary.name, CreditSample { at, left }, now.before(SAMPLES_TIME)).await?;
        self.store.credit_samples(&summary.name, now.before(HOUR)).await
    }

    /// Checks that each record has its item, if that is due.
    async fn audit(
        &self,
        summary: &DestinationSummary,
        now: Timestamp,
    ) -> Result<Option<(Conservation, Timestamp)>, StoreError> {
        let name = &summary.name;
        let due = |memory: &Memory| memory.audits.get(name).is_none_or(|at| at.is_over(now, LONGEST_AT_DESTINATION));
        // Another process may have done it recently.
        let fresh = summary.audit.is_some_and(|(_, at)| !now.is_past(at, self.settings.audit()));
        if fresh || !due(&self.memory()) {
            return Ok(None);
        }
        let found = self.store.conservation(name).await?;
        self.store.save_audit(name, &found, now).await?;
        let took = self.clock.now().since(now);
        let next = now.after(self.settings.audit().max(took.saturating_mul(AUDIT_SHARE)));
        self.memory().audits.insert(name.clone(), next);
        Ok(Some((found, now)))
    }

    /// Judges the sites that have a token.
    async fn gather_sites(&self, tokens: &[TokenSummary], evaluation: &mut Evaluation, now: Timestamp) {
        let names: HashSet<&str> = tokens.iter().filter_map(|token| token.site.as_deref()).collect();
        let recent = self.store.activity(now.before(rules::REJECTED_TIME), later(now), 1);
        let recent = evaluation.read(&[Rule::IngestRejecting], ALERT_READ_TIME, recent).await.unwrap_or_default();
        let hours = evaluation.read(&[Rule::SiteSilent], ALERT_READ_TIME, self.rhythms(&names, now)).await;
        let mut hours = hours.unwrap_or_default();
        for name in names {
            let subject = subject_site(name);
            let of_site = recent.iter().filter(|counted| counted.subject == subject);
            let rejected_name = ActivityKind::Event("rejected").name();
            let (mut rejected, mut events) = (0, 0);
            for counted in of_site {
                events += counted.count;
                rejected += if counted.name == rejected_name { counted.count } else { 0 };
            }
            let Rhythm { hours, silent_since } = hours.remove(&subject).unwrap_or_default();
            let site = SiteInput { name: name.to_owned(), hours, silent_since, rejected, events };
            evaluation.findings.extend(rules::site(&site, &self.settings.rules, now));
        }
    }

    /// The activity of sites, by subject.
    async fn rhythms(&self, names: &HashSet<&str>, now: Timestamp) -> Result<HashMap<String, Rhythm>, StoreError> {
        let mut hours = self.hours(now.before(rules::LONGEST_SILENCE), later(now)).await?;
        let silent = |hours: &BTreeMap<String, Hours>| {
            let is_silent = |name: &&&str| {
                let hours = hours.get(&subject_site(name));
                hours.is_none_or(|hours| rules::is_quiet(hours, self.settings.rules.silent_hours, now))
            };
            names.iter().filter(is_silent).count() > 0
        };
        // The past is read only when a site may be silent.
        if self.settings.rules.silent_hours > 0 && silent(&hours) {
            for week in 1..=rules::WEEKS {
                let end = now.before(rules::WEEK * week);
                for (subject, past) in self.hours(end.before(rules::LONGEST_SILENCE), end).await? {
                    hours.entry(subject).or_default().extend(past);
                }
            }
        }
        let mut rhythms = HashMap::new();
        let open = self.store.open_alerts().await?;
        for subject in names.iter().map(|name| subject_site(name)) {
            let alert = open.iter().find(|alert| alert.rule == Rule::SiteSilent && alert.subject == subject);
            let silent_since = match alert.map(|alert| alert.raised_at) {
                Some(since) if self.hours(since, later(now)).await?.contains_key(&subject) => None,
                since => since,
            };
            let hours = hours.remove(&subject).unwrap_or_default();
            rhythms.insert(subject, Rhythm { hours, silent_since });
        }
        Ok(rhythms)
    }

    /// Events per hour, by subject.
    async fn hours(&self, since: Timestamp, until: Timestamp) -> Result<BTreeMap<String, Hours>, StoreError> {
        let mut hours: BTreeMap<String, Hours> = BTreeMap::new();
        for counted in self.store.activity(since, until, 60).await? {
            *hours.entry(counted.subject).or_default().entry(rules::hour(counted.from)).or_default() += counted.count;
        }
        Ok(hours)
    }

    /// What this process remembers between two evaluations.
    pub(super) fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A site's activity.
#[derive(Default)]
struct Rhythm {
    hours: Hours,
    silent_since: Option<Timestamp>,
}

/// The end of a time span that includes the current minute.
fn later(now: Timestamp) -> Timestamp {
    now.after(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use super::Evaluation;
    use crate::{
        limits::UNJUDGED_CHECKS,
        model::Rule,
        store::{Cause, StoreError},
    };

    async fn fails(evaluation: &mut Evaluation, rules: &'static [Rule]) {
        let error = StoreError::from(sea_orm::DbErr::RecordNotUpdated);
        assert!(evaluation.read(rules, Duration::from_secs(60), async { Err::<(), _>(error) }).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_or_hangs_keeps_nothing_else_from_being_read() {
        let mut evaluation = Evaluation::default();
        fails(&mut evaluation, &[Rule::Failed]).await;
        let hangs = std::future::pending::<Result<(), StoreError>>();
        assert!(evaluation.read(&[Rule::Credits], Duration::from_secs(10), hangs).await.is_none());
        assert_eq!(evaluation.failed.last().map(|failed| failed.cause), Some(Cause::Deadline));
        assert_eq!(evaluation.read(&[Rule::Paused], Duration::from_secs(10), async { Ok(7) }).await, Some(7));
        let not_judged = evaluation.not_judged();
        assert_eq!(not_judged, [Rule::Failed, Rule::Credits, Rule::LookFailed], "what was read is judged");
    }

    #[tokio::test]
    async fn only_looks_in_a_row_are_a_finding() {
        let mut before = HashMap::new();
        for _ in 1..UNJUDGED_CHECKS {
            let mut evaluation = Evaluation::default();
            fails(&mut evaluation, &[Rule::OldestChange, Rule::Parked]).await;
            fails(&mut evaluation, &[Rule::OldestChange, Rule::Parked]).await;
            evaluation.count_failed(&mut before);
            assert!(evaluation.findings.is_empty() && evaluation.not_judged().contains(&Rule::LookFailed));
        }
        let mut evaluation = Evaluation::default();
        fails(&mut evaluation, &[Rule::OldestChange, Rule::Parked]).await;
        evaluation.count_failed(&mut before);
        let found: Vec<_> =
            evaluation.findings.iter().map(|finding| (finding.rule, finding.subject.as_str())).collect();
        assert_eq!(found, [(Rule::LookFailed, "rule:oldest_change")]);
        let message = &evaluation.findings[0].message;
        assert!(message.contains("oldest_change and parked") && message.contains("3 times in a row"), "{message}");
        assert!(!evaluation.not_judged().contains(&Rule::LookFailed), "it is a finding itself");
        // A success ends the streak.
        let mut evaluation = Evaluation::default();
        evaluation.count_failed(&mut before);
        assert!(before.is_empty() && evaluation.not_judged().is_empty());
    }
}
