//! The failover: two PostgreSQL servers in synchronous replication and three processes of the product. Events answered
//! 200 are on the standby too, whatever happens to the primary, and all processes work again soon after the standby was
//! promoted. And the upgrade, of two processes.

mod kept;
mod processes;
mod upgrade;

use std::{
    fmt,
    path::Path,
    time::{Duration, Instant},
};

use clap::ValueEnum;

pub(crate) use upgrade::run as run_upgrade;

use self::{kept::Kept, processes::Processes};
use crate::{
    Failed,
    postgres::{Cluster, Host, Parts, Programs},
};

/// The number of processes in a failover.
const PROCESSES: usize = 3;

/// The goal for all processes to store events again after the promotion; only reported.
const GOAL: Duration = Duration::from_secs(15);

/// Beyond this time it is a failure, on any machine.
const TOO_LATE: Duration = Duration::from_secs(60);

/// The time within which each process must report that it is not ready. Longer than every deadline of the product.
const UNREADY: Duration = Duration::from_secs(45);

/// How long a primary or a standby is away: longer than every deadline of the product.
const AWAY: Duration = Duration::from_secs(25);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// `kill -9` of the primary.
    Killed,
    /// The primary falls silent for good.
    Vanished,
    /// The same with a host of its own, whose cable is pulled and whose address moves.
    HostVanished,
    /// The standby dies, so that every commit waits for it; then it returns.
    StandbyAway,
    /// The same, with a `statement_timeout` on the role: PostgreSQL then reports a commit as done that was not
    /// replicated.
    StatementTimeout,
    /// The same, by an operator's `pg_cancel_backend`.
    CommitCancelled,
}

/// The failures found.
struct Findings(Vec<String>);

/// Runs these scenarios (all if none is named) and prints the observations; returns whether all passed.
pub(crate) async fn run(program: &Path, scenarios: &[Scenario]) -> Result<bool, Failed> {
    let scenarios = if scenarios.is_empty() { Scenario::value_variants() } else { scenarios };
    let programs = Programs::find()?;
    let mut failed = 0;
    for scenario in scenarios {
        println!("Failover: {scenario}");
        let findings = scenario.play(&programs, program).await?;
        for finding in &findings.0 {
            println!("    WRONG: {finding}");
        }
        failed += usize::from(!findings.0.is_empty());
    }
    println!("{} of {} scenarios of the failover passed", scenarios.len() - failed, scenarios.len());
    Ok(failed == 0)
}

impl Scenario {
    async fn play(self, programs: &Programs, program: &Path) -> Result<Findings, Failed> {
        let host = match (self == Self::HostVanished).then(Host::create).transpose()? {
            Some(Err(why)) => {
                println!("    skipped: {why}");
                return Ok(Findings(Vec::new()));
            }
            host => host.and_then(Result::ok),
        };
        let parts = Parts { standby: true, host, ..Parts::default() };
        let mut cluster = Cluster::start(programs, parts).await?;
        if self == Self::StatementTimeout {
            cluster.primary.sql().execute("ALTER ROLE sync SET statement_timeout = '500ms'").await?;
        }
        cluster.set_up(program)?;
        let processes = Processes::start(PROCESSES, program, &cluster.url()).await?;
        let mut findings = Findings(Vec::new());
        match self {
            Self::Killed | Self::Vanished | Self::HostVanished => {
                findings.primary_goes(self, &mut cluster, &processes).await?
            }
            Self::StandbyAway => findings.standby_goes(&mut cluster, &processes).await?,
            Self::StatementTimeout | Self::CommitCancelled => {
                findings.commits_are_cancelled(self, &mut cluster, &processes).await?;
            }
        }
        findings.books(&cluster, processes).await?;
        Ok(findings)
    }
}

impl Findings {
    fn wrong_if(&mut self, wrong: bool, what: impl Into<String>) {
        if wrong {
            self.0.push(what.into());
        }
    }

    /// Prints the time that each process took, and records those that took too long.
    fn times(&mut self, what: &str, times: &[Option<Duration>], most: Duration) {
        let word = |time: &Option<Duration>| {
            time.map_or_else(
                || format!("not within {} s", most.as_secs()),
                |time| format!("{:.2} s", time.as_secs_f64()),
            )
        };
        println!("    {what}: {}", times.iter().map(word).collect::<Vec<_>>().join(", "));
        self.wrong_if(times.iter().any(|time| time.is_none_or(|time| time > most)), format!("{what}: too late"));
    }

    async fn primary_goes(
        &mut self,
        scenario: Scenario,
        cluster: &mut Cluster,
        processes: &Processes,
    ) -> Result<(), Failed> {
        let gone = Instant::now();
        match scenario {
            Scenario::Killed => cluster.primary.kill()?,
            _ => cluster.vanish()?,
        }
        let all_unready = self.become_unready(processes, "the primary", gone).await;
        // Long enough to see that they stay not ready; for a silent primary, until every deadline of the product has
        // passed.
        let away = if scenario == Scenario::Killed { Duration::from_secs(5) } else { AWAY };
        tokio::time::sleep(away.saturating_sub(gone.elapsed())).await;
        // A silent primary lives on, cut off.
        let _old = cluster.promote().await?;
        let promoted = Instant::now();
        println!(
            "    promoted {:.1} s after it was gone; failures so far: {}",
            (promoted - gone).as_secs_f64(),
            processes.failures_since(gone)
        );
        self.wrong_if(processes.said_ready(all_unready, promoted) > 0, "ready while nothing could be stored");
        self.wrong_if(processes.stored_between(gone + SETTLED, promoted) > 0, "200 while nothing could be stored");
        self.work_again(processes, promoted).await;
        Ok(())
    }

    /// Returns when all had reported it.
    async fn become_unready(&mut self, processes: &Processes, who: &str, gone: Instant) -> Instant {
        let unready = processes.unready(gone, UNREADY).await;
        self.times(&format!("each said 503 to readiness after {who} was gone"), &unready, UNREADY);
        Instant::now()
    }

    async fn work_again(&mut self, processes: &Processes, since: Instant) {
        let again = processes.store_again(since, TOO_LATE).await;
        self.times("each answered a new request 200 after that", &again, TOO_LATE);
        if again.iter().any(|time| time.is_some_and(|time| time > GOAL)) {
            println!("    slower than the goal of {} s", GOAL.as_secs());
        }
        let ready = processes.ready_again(since, TOO_LATE).await;
        self.times("each was ready after that", &ready, TOO_LATE);
        // A few more events, which must be stored at the end.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    async fn standby_goes(&mut self, cluster: &mut Cluster, processes: &Processes) -> Result<(), Failed> {
        let gone = Instant::now();
        cluster.standby.as_mut().ok_or("no standby")?.kill()?;
        let all_unready = self.become_unready(processes, "the standby", gone).await;
        tokio::time::sleep(AWAY.saturating_sub(gone.elapsed())).await;
        println!("    failures so far: {}", processes.failures_since(gone));
        let back = Instant::now();
        self.wrong_if(processes.said_ready(all_unready, back) > 0, "ready while nothing could be stored");
        self.wrong_if(processes.stored_between(gone + SETTLED, back) > 0, "200 while nothing could be replicated");
        cluster.standby.as_mut().ok_or("no standby")?.start().await?;
        cluster.standby_follows().await?;
        self.work_again(processes, Instant::now()).await;
        // The standby must have everything. The primary is not asked any more.
        cluster.primary.kill()?;
        drop(cluster.promote().await?);
        self.work_again(processes, Instant::now()).await;
        Ok(())
    }

    async fn commits_are_cancelled(
        &mut self,
        scenario: Scenario,
        cluster: &mut Cluster,
        processes: &Processes,
    ) -> Result<(), Failed> {
        let gone = Instant::now();
        cluster.standby.as_mut().ok_or("no standby")?.kill()?;
        let mut cancelled = 0;
        while gone.elapsed() < AWAY {
            if scenario == Scenario::CommitCancelled {
                cancelled += cluster.primary.sql().value::<i64>(CANCEL).await?;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let stored = processes.stored_between(gone + SETTLED, Instant::now());
        println!(
            "    {cancelled} commits cancelled by hand; {stored} requests answered 200 while nothing could be replicated"
        );
        self.wrong_if(stored > 0, "200 while nothing could be replicated");
        cluster.primary.kill()?;
        cluster.standby.as_mut().ok_or("no standby")?.start().await?;
        drop(cluster.promote().await?);
        self.work_again(processes, Instant::now()).await;
        Ok(())
    }

    async fn books(&mut self, cluster: &Cluster, processes: Processes) -> Result<(), Failed> {
        let (books, wrong) = processes.end().await?;
        self.0.extend(wrong);
        let kept = Kept::compare(&cluster.sql(), &books).await?;
        println!("    {} of {} acknowledged events lost, {} stored twice", kept.lost, kept.acknowledged, kept.doubled);
        self.wrong_if(kept.lost > 0, format!("{} events were answered 200 and are missing", kept.lost));
        self.wrong_if(kept.doubled > 0, format!("{} events are stored twice", kept.doubled));
        Ok(())
    }
}

/// By then, requests in flight during the fault are answered.
const SETTLED: Duration = Duration::from_millis(500);

/// Cancels the commits waiting for the standby, as an operator may do who sees hanging sessions.
const CANCEL: &str =
    "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE usename = 'sync' AND wait_event = 'SyncRep'";

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Killed => "the primary is killed",
            Self::Vanished => "the primary vanishes",
            Self::HostVanished => "the primary's host vanishes, its address moves",
            Self::StandbyAway => "the standby dies and comes back",
            Self::StatementTimeout => "commits are cancelled by a statement_timeout",
            Self::CommitCancelled => "commits are cancelled by hand",
        })
    }
}
