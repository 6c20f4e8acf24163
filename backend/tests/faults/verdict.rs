//! What the notes of a case show to be wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::process::ExitStatusExt,
    time::{Duration, Instant},
};

use crate::{book::Pages, case::Happened, readiness::Poll, server::Exit, stored::Stored};

/// How much earlier than the next stored event readiness may be 200 again.
const SOONER: Duration = Duration::from_secs(2);

/// Events answered 200 in this period, by requests that started in it.
pub(crate) fn acknowledged_between(pages: &Pages, from: Instant, to: Instant) -> usize {
    let within = |event: &&crate::book::Sent| {
        event.acknowledged.iter().any(|acknowledged| acknowledged.begun >= from && acknowledged.answered <= to)
    };
    pages.sent.iter().filter(within).count()
}

/// Answers that no fault excuses.
pub(crate) fn wrong_answers(pages: &Pages) -> Vec<String> {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for wrong in &pages.wrong {
        *counted.entry(wrong).or_default() += 1;
    }
    counted.into_iter().map(|(wrong, count)| format!("{count} × {wrong}")).collect()
}

/// Ends of the process that it did not explain.
pub(crate) fn exits(exits: &[Exit]) -> Vec<String> {
    let mut wrong = BTreeSet::new();
    for Exit { status, message } in exits {
        if let Some(signal) = status.signal() {
            wrong.insert(format!("the process was ended by signal {signal}"));
        } else if message.is_none() {
            wrong.insert(format!("the process ended ({status}) without a message"));
        }
    }
    wrong.into_iter().collect()
}

/// Panics in the log.
pub(crate) fn panics(log: &[String]) -> Vec<String> {
    let panics: BTreeSet<&String> = log.iter().filter(|line| line.contains("panicked at")).collect();
    panics.into_iter().map(|line| format!("a panic: {line}")).collect()
}

/// Periods longer than `notice` in which no event could be stored, and readiness still said 200.
pub(crate) fn lies(pages: &Pages, stored: &Stored, polls: &[Poll], notice: Duration) -> Vec<String> {
    let kept = pages.sent.iter().filter(|sent| stored.has(sent));
    let mut moments: Vec<Instant> = kept.flat_map(|sent| &sent.acknowledged).map(|at| at.answered).collect();
    moments.extend(pages.requests.iter().map(|request| request.ended).max());
    moments.sort_unstable();
    let mut lies = Vec::new();
    for pair in moments.windows(2) {
        let (last, next) = (pair[0], pair[1]);
        if next - last <= notice {
            continue;
        }
        let within = |poll: &&Poll| poll.ready && poll.asked > last + notice && poll.answered + SOONER < next;
        let count = polls.iter().filter(within).count();
        if count > 0 {
            let time = (next - last).as_secs_f32();
            lies.push(format!("readiness was 200 {count} times while nothing was stored for {time:.1} s"));
        }
    }
    lies
}

/// Answers of 200 while nothing can be stored.
pub(crate) fn answered_without_storing(pages: &Pages, happened: &[Happened]) -> Vec<String> {
    let faults = happened.iter().filter(|fault| fault.stores_nothing);
    let false_ones = faults.map(|fault| (fault.name, acknowledged_between(pages, fault.begun, fault.ending)));
    let false_ones = false_ones.filter(|(_, count)| *count > 0);
    false_ones.map(|(name, count)| format!("{count} events were answered 200 during “{name}”")).collect()
}
