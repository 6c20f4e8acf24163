//! Runs one case, from start to verdict.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rustix::process::Signal;

use crate::{
    Failed,
    book::Pages,
    fault::Need,
    plan::{Part, Plan},
    programs::Programs,
    readiness::Poll,
    senders::{Senders, Site},
    stored::{self, Stored},
    support::{api::http_client, random::Random},
    verdict,
    world::{Requirements, World},
};

/// The time within which the server must store events again after the last fault.
const RECOVERY: Duration = Duration::from_secs(60);

/// The delay readiness may have: the server checks every few seconds, and a statement has a deadline.
pub(crate) const NOTICE: Duration = Duration::from_secs(15);

/// Events answered before the first fault, and after the last one.
const WARM: usize = 20;

/// The time to get that far, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The extra time for a fault that has shown no effect yet: a busy machine needs longer to fill a disk.
const LONGER: Duration = Duration::from_secs(20);

/// The interval of checking for an effect.
const POLL: Duration = Duration::from_millis(100);

/// A person deleted in Moodle, whose data is kept for 30 days.
pub(crate) const LEAVER: i64 = 500;

/// The course of a fault.
pub(crate) struct Happened {
    pub(crate) name: &'static str,
    /// When it had begun.
    pub(crate) begun: Instant,
    /// When its repair started.
    pub(crate) ending: Instant,
    pub(crate) ended: Instant,
    /// Why it could not begin.
    pub(crate) failed: Option<String>,
    pub(crate) seen: Option<String>,
    pub(crate) stores_nothing: bool,
    pub(crate) errors: Vec<String>,
}

/// The result of a case.
#[derive(Default)]
pub(crate) struct Report {
    /// The product's failures.
    pub(crate) problems: Vec<String>,
    /// Faults without a visible effect: the case does not count.
    pub(crate) unseen: Vec<&'static str>,
    pub(crate) text: String,
    pub(crate) log: Vec<String>,
    pub(crate) recovered: Option<Duration>,
}

/// Runs a case. An error means that the harness failed, or the server did not even start.
pub(crate) async fn run(programs: &Programs, mut plan: Plan) -> Result<Report, Failed> {
    let requirements = Requirements {
        database: plan.database,
        needs: plan.needs(),
        destination: plan.destination,
        address: Plan::address(),
    };
    let world = World::start(programs, requirements).await?;
    let token = world.token().await?;
    let site = Arc::new(Site::new(format!("http://{}", world.server.address()), token, Arc::clone(&world.book)));
    delete_person(&site).await?;
    if world.has(Need::Faketime) {
        // The search for deleted people runs at the start and every minute: the erasure is scheduled, and waits for its
        // day.
        world.server.kill().await?;
    }
    let senders = Senders::start(&site, &mut plan.random);
    let watcher = &world.watcher;
    let begun = Instant::now();
    until(PATIENCE, || world.book.acknowledged() >= WARM && watcher.ready_after(begun).is_some())
        .await
        .ok_or_else(|| format!("no events were stored before the fault:\n{}", world.server.log().join("\n")))?;

    let began = Instant::now();
    let random = &mut plan.random;
    let parts = std::mem::take(&mut plan.parts);
    let seeds: Vec<u64> = parts.iter().map(|_| random.next()).collect();
    let happen = parts.into_iter().zip(seeds).map(|(part, seed)| happen(&world, part, seed));
    let happened = join_all(happen).await;
    let over = happened.iter().map(|fault| fault.ended).max().unwrap_or_else(Instant::now);

    let mut report = Report::default();
    let stored_again = until(RECOVERY, || world.book.stored_after(over).is_some()).await;
    let ready_again = until(NOTICE, || watcher.ready_after(over).is_some()).await;
    until(Duration::from_secs(3), || {
        let pages = world.book.copy();
        verdict::acknowledged_between(&pages, over, Instant::now()) >= WARM
    })
    .await;
    report.recovered = world.book.stored_after(over).map(|moment| moment - over);
    if stored_again.is_none() {
        report.problems.push(format!("nothing is stored {} s after the last fault", RECOVERY.as_secs()));
    } else if ready_again.is_none() {
        let said = said_of_readiness(&site).await;
        report.problems.push(format!("not ready {} s after it stores again: {said}", NOTICE.as_secs()));
    }
    senders.end().await;
    let polls = watcher.polls();
    stop(&world, plan.stop, &mut report).await;

    let pages = world.book.copy();
    report.problems.extend(verdict::wrong_answers(&pages));
    report.problems.extend(verdict::exits(&world.server.exits()));
    match Stored::read(&world).await {
        Ok((stored, damage)) => {
            report.problems.extend(damage);
            report.problems.extend(stored.compare(&pages));
            report.problems.extend(verdict::lies(&pages, &stored, &polls, NOTICE));
        }
        Err(error) => report.problems.push(format!("the database cannot be read: {error}")),
    }
    report.problems.extend(verdict::answered_without_storing(&pages, &happened));
    report.problems.extend(stored::audit(&world).await?);
    report.problems.extend(verdict::panics(&world.server.log()));
    for fault in &happened {
        report.problems.extend(fault.errors.iter().map(|error| format!("the harness: {}: {error}", fault.name)));
        if fault.seen.is_none() {
            report.unseen.push(fault.name);
        }
    }
    report.text = summary(&world, &pages, &happened, began, over, &report, &polls);
    // Without the output of its first start, which contains tokens.
    report.log = world.server.log();
    report.log.retain(|line| {
        line.starts_with('{') && !line.contains("\"INFO\"") || line.contains("error") || line.contains("panic")
    });
    Ok(report)
}

/// Why it is not ready.
async fn said_of_readiness(site: &Site) -> String {
    let url = format!("{}{}", site.url, backend_sync::probe::READY);
    match http_client().get(url).timeout(NOTICE).send().await {
        Ok(answer) => answer.text().await.unwrap_or_default(),
        Err(error) => error.to_string(),
    }
}

/// Waits until a condition holds; `None` after the time-out.
async fn until(time: Duration, mut so: impl FnMut() -> bool) -> Option<()> {
    let deadline = Instant::now() + time;
    while !so() {
        if Instant::now() > deadline {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Some(())
}

/// Deletes a person in Moodle; none of their data is due for deletion for a long time.
async fn delete_person(site: &Site) -> Result<(), Failed> {
    let events = [site.event("user_updated", LEAVER), site.event("user_deleted", LEAVER)];
    let sent = until_sent(site, &events).await;
    sent.then_some(()).ok_or_else(|| "the first events were not taken".into())
}

async fn until_sent(site: &Site, events: &[(usize, serde_json::Value)]) -> bool {
    let http = http_client();
    for _ in 0..50 {
        if site.send_batch(&http, events).await {
            return true;
        }
        // It prints its tokens before it accepts requests.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

/// Runs one fault.
async fn happen(world: &World, part: Part, seed: u64) -> Happened {
    let mut fault = (part.kind.make)(&mut Random::from_seed(seed));
    tokio::time::sleep(part.start).await;
    let mut errors = Vec::new();
    // A fault that another one prevented proves nothing: the case does not count.
    let begins = fault.begin(world).await;
    let begun = Instant::now();
    let mut seen = None;
    let lasts = |seen: &Option<String>| if seen.is_some() { part.lasts } else { part.lasts + LONGER };
    while begins.is_ok() && begun.elapsed() < lasts(&seen) {
        // An error is no evidence: a process may just have ended. The latest evidence says the most.
        if let Ok(found) = fault.seen(world).await {
            seen = found.or(seen);
        }
        tokio::time::sleep(POLL.min(part.lasts)).await;
    }
    let ending = Instant::now();
    errors.extend(fault.end(world).await.err().map(|error| error.to_string()));
    let ended = Instant::now();
    let stores_nothing = begins.is_ok() && fault.stores_nothing();
    let failed = begins.err().map(|error| error.to_string());
    Happened { name: part.kind.name, begun, ending, ended, failed, seen, stores_nothing, errors }
}

async fn stop(world: &World, signal: Signal, report: &mut Report) {
    match world.server.stop(signal).await {
        Ok((_, Some(status))) if signal == Signal::TERM && !status.success() => {
            report.problems.push(format!("asked to stop, it ended with {status}"));
        }
        Ok(_) => {}
        Err(error) => report.problems.push(error.to_string()),
    }
}

fn summary(
    world: &World,
    pages: &Pages,
    happened: &[Happened],
    began: Instant,
    over: Instant,
    report: &Report,
    polls: &[Poll],
) -> String {
    let count = |from, to| verdict::acknowledged_between(pages, from, to);
    let (site_began, now) = (pages.requests.iter().map(|request| request.begun).min().unwrap_or(began), Instant::now());
    let mut text = format!(
        "{} + {} + {} events stored before, during, after",
        count(site_began, began),
        count(began, over),
        count(over, now)
    );
    if let Some(unready) = polls.iter().find(|poll| !poll.ready && poll.answered > began) {
        let _ =
            write!(text, "; readiness said {} after {:.1} s", unready.said, (unready.answered - began).as_secs_f32());
    }
    match report.recovered {
        Some(time) => drop(write!(text, "; stored again after {:.1} s", time.as_secs_f32())),
        None => text.push_str("; never stored again"),
    }
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for exit in world.server.exits() {
        let message = exit.message.unwrap_or_else(|| "without a message".to_owned());
        *ends.entry(format!("({}) {message}", exit.status)).or_default() += 1;
    }
    for (end, count) in ends {
        let _ = write!(text, "\n         ended {count} × {end}");
    }
    for fault in happened {
        let seen = fault.failed.as_deref().or(fault.seen.as_deref()).unwrap_or("NOT SEEN");
        let _ = write!(text, "\n         {}: {seen}", fault.name);
    }
    text
}
