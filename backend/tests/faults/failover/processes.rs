//! Several processes of the product on one database, each with its own senders and watcher.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rustix::process::Signal;

use crate::{
    Failed,
    book::{Book, Pages},
    readiness::Watcher,
    senders::{Senders, Site},
    server::{Server, Settings},
    support::random::Random,
};

/// Requests answered by each before anything happens.
const WARM: usize = 25;

/// The time-out for a start, and for that many answers, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process with its senders and watcher.
pub(crate) struct Process {
    pub(crate) server: Server,
    pub(crate) watcher: Watcher,
    pub(crate) book: Arc<Book>,
    senders: Senders,
}

/// All processes.
pub(crate) struct Processes(pub(crate) Vec<Process>);

impl Processes {
    /// Starts so many on the database at `url`, each with four senders. Returns when each has answered some requests.
    pub(crate) async fn start(count: usize, program: &Path, url: &str) -> Result<Self, Failed> {
        let first = start_server(program, url, free_address()?);
        let token = until("the first start prints a token", async || first.printed_word("bss_")).await?;
        let mut servers = vec![first];
        for _ in 1..count {
            servers.push(start_server(program, url, free_address()?));
        }
        let mut random = Random::from_seed(getrandom::u64()?);
        let processes = servers.into_iter().map(|server| {
            let book = Arc::<Book>::default();
            let site = Site::new(format!("http://{}", server.address()), token.clone(), Arc::clone(&book));
            let senders = Senders::start(&Arc::new(site), &mut random);
            Process { watcher: Watcher::start(server.address()), server, book, senders }
        });
        let processes = Self(processes.collect());
        until("each process stores events", async || {
            processes.0.iter().all(|process| answered(&process.book) >= WARM).then_some(())
        })
        .await?;
        Ok(processes)
    }

    /// Stops all processes; their senders go on.
    pub(crate) async fn stop(&self) -> Result<(), Failed> {
        for stopped in join_all(self.0.iter().map(|process| process.server.stop(Signal::TERM))).await {
            let (_, status) = stopped?;
            if !status.is_some_and(|status| status.success()) {
                return Err(format!("a process ended with {status:?}").into());
            }
        }
        match self.0.iter().flat_map(|process| process.server.exits()).next() {
            Some(exit) => Err(format!("a process ended before: {exit:?}").into()),
            None => Ok(()),
        }
    }

    /// Starts another program in the places of those that were stopped.
    pub(crate) fn replace(&mut self, program: &Path, url: &str) {
        for process in &mut self.0 {
            process.server = start_server(program, url, process.server.address());
        }
    }

    /// The longest time that the senders of each process had no request answered 200.
    pub(crate) fn longest_waits(&self) -> Vec<Option<Duration>> {
        let longest = |process: &Process| {
            let requests = process.book.copy().requests;
            let mut answered: Vec<Instant> =
                requests.iter().filter(|request| request.status == Some(200)).map(|request| request.ended).collect();
            answered.sort_unstable();
            answered.windows(2).map(|pair| pair[1] - pair[0]).max()
        };
        self.0.iter().map(longest).collect()
    }

    /// The seconds from `moment` until each answers 200 to a request that starts after it; waits for `time` at most.
    pub(crate) async fn store_again(&self, moment: Instant, time: Duration) -> Vec<Option<Duration>> {
        self.each(time, moment, |process| process.book.stored_after(moment)).await
    }

    /// The same until each is ready.
    pub(crate) async fn ready_again(&self, moment: Instant, time: Duration) -> Vec<Option<Duration>> {
        self.each(time, moment, |process| process.watcher.ready_after(moment)).await
    }

    /// The same until each is not ready.
    pub(crate) async fn unready(&self, moment: Instant, time: Duration) -> Vec<Option<Duration>> {
        let said = |process: &Process| {
            let polls = process.watcher.polls();
            // A real 503: readiness must answer, not time out.
            polls.iter().find(|poll| poll.said == "503" && poll.asked > moment).map(|poll| poll.answered)
        };
        self.each(time, moment, said).await
    }

    async fn each(
        &self,
        time: Duration,
        moment: Instant,
        seen: impl Fn(&Process) -> Option<Instant>,
    ) -> Vec<Option<Duration>> {
        let deadline = Instant::now() + time;
        loop {
            let all: Vec<Option<Instant>> = self.0.iter().map(&seen).collect();
            if all.iter().all(Option::is_some) || Instant::now() > deadline {
                return all.into_iter().map(|at| at.map(|at| at.saturating_duration_since(moment))).collect();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How often any of them was ready, asked after `from` and answered before `to`.
    pub(crate) fn said_ready(&self, from: Instant, to: Instant) -> usize {
        let polls = self.0.iter().flat_map(|process| process.watcher.polls());
        polls.filter(|poll| poll.ready && poll.asked > from && poll.answered < to).count()
    }

    /// Requests answered 200 that started after `from` and ended before `to`.
    pub(crate) fn stored_between(&self, from: Instant, to: Instant) -> usize {
        let requests = self.0.iter().flat_map(|process| process.book.copy().requests);
        requests.filter(|request| request.status == Some(200) && request.begun > from && request.ended < to).count()
    }

    /// How requests to all processes failed since then.
    pub(crate) fn failures_since(&self, moment: Instant) -> String {
        let mut failures = BTreeMap::<String, usize>::new();
        for (name, count) in self.0.iter().flat_map(|process| process.book.failures_since(moment)) {
            *failures.entry(name).or_default() += count;
        }
        let words: Vec<String> = failures.iter().map(|(name, count)| format!("{count} × {name}")).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }

    /// Stops the senders, then the processes. Returns the books and the failures.
    pub(crate) async fn end(self) -> Result<(Vec<Pages>, Vec<String>), Failed> {
        let (mut books, mut wrong) = (Vec::new(), Vec::new());
        for process in self.0 {
            process.senders.end().await;
            wrong.extend(process.server.exits().into_iter().map(|exit| format!("a process ended: {exit:?}")));
            process.server.stop(Signal::TERM).await?;
            let pages = process.book.copy();
            wrong.extend(pages.wrong.iter().cloned());
            books.push(pages);
        }
        Ok((books, wrong))
    }
}

fn free_address() -> Result<SocketAddr, Failed> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn start_server(program: &Path, url: &str, address: SocketAddr) -> Server {
    let environment = BTreeMap::from([("BACKEND_SYNC_DATABASE_URL".to_owned(), url.to_owned())]);
    Server::start(Settings { program: program.to_owned(), address, environment, unprivileged: false })
}

fn answered(book: &Book) -> usize {
    book.copy().requests.iter().filter(|request| request.status == Some(200)).count()
}

/// Waits until there is a result.
pub(crate) async fn until<T>(what: &str, poll: impl AsyncFn() -> Option<T>) -> Result<T, Failed> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = poll().await {
            return Ok(seen);
        }
        if Instant::now() > deadline {
            return Err(format!("not within {} s: {what}", PATIENCE.as_secs()).into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
