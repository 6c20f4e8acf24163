//! The upgrade, as the documents describe it: all processes of an older program are stopped, the database is migrated, and
//! this program goes on in their places, while the senders send all the while.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{Findings, processes::Processes};
use crate::{
    Failed,
    postgres::{Cluster, Parts, Programs},
};

const PROCESSES: usize = 2;

/// How long the older program stores events before.
const BEFORE: Duration = Duration::from_secs(20);

/// Beyond this time a sender waited too long, on any machine: the database is a small one.
const TOO_LONG: Duration = Duration::from_secs(60);

/// Upgrades from `older` to `program`, and prints the observations; returns whether all is well.
pub(crate) async fn run(older: &Path, program: &Path) -> Result<bool, Failed> {
    println!("Upgrade from {}", older.display());
    let cluster = Cluster::start(&Programs::find()?, Parts::default()).await?;
    // The first versions created tables without being asked to.
    cluster.set_up(older).or_else(|_| cluster.migrate(older, &[]))?;
    let mut processes = Processes::start(PROCESSES, older, &cluster.url()).await?;
    tokio::time::sleep(BEFORE).await;
    let events = cluster.sql().value::<i64>("SELECT count(*) FROM events").await?;
    let begun = Instant::now();
    processes.stop().await?;
    let stopped = begun.elapsed();
    cluster.migrate(program, &[])?;
    let migrated = begun.elapsed() - stopped;
    processes.replace(program, &cluster.url());
    println!(
        "    {events} events stored before; stopped in {:.2} s, migrated in {:.2} s",
        stopped.as_secs_f64(),
        migrated.as_secs_f64()
    );
    let mut findings = Findings(Vec::new());
    findings.work_again(&processes, begun).await;
    println!("    failures meanwhile: {}", processes.failures_since(begun));
    findings.times("the longest time without a 200, for the senders of each", &processes.longest_waits(), TOO_LONG);
    findings.books(&cluster, processes).await?;
    for finding in &findings.0 {
        println!("    WRONG: {finding}");
    }
    Ok(findings.0.is_empty())
}
