//! Clients that send as fast as they are answered.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::{
    Failed,
    http::Connection,
    payload::Requests,
    server::{Server, own_cpu_seconds},
};

/// Sends events to one server, each with the next number.
pub(crate) struct Load<'a> {
    server: &'a Server,
    sent: Arc<AtomicU64>,
}

/// When to stop sending.
#[derive(Clone, Copy)]
pub(crate) enum Extent {
    /// After this time.
    Time(Duration),
    /// After this many events.
    Events(u64),
}

/// The measurements.
pub(crate) struct Measured {
    pub(crate) events: u64,
    pub(crate) seconds: f64,
    /// The duration of each request, in microseconds.
    pub(crate) latency: Histogram<u64>,
    /// CPU time of the server.
    pub(crate) cpu_seconds: f64,
    /// CPU time of the clients.
    pub(crate) client_cpu_seconds: f64,
    /// The server's peak memory, in bytes.
    pub(crate) peak_bytes: u64,
}

impl Measured {
    pub(crate) fn rate(&self) -> f64 {
        self.events as f64 / self.seconds
    }

    /// The latency in milliseconds below which this percentage of the requests stayed.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        self.latency.value_at_percentile(percent) as f64 / 1_000.0
    }

    pub(crate) fn cpu_per_thousand(&self) -> f64 {
        self.cpu_seconds / self.events as f64 * 1_000.0
    }
}

/// Shared by the clients of one measurement.
struct Shared {
    sent: Arc<AtomicU64>,
    /// The number that no event may reach.
    end: u64,
    stop: AtomicBool,
    counted: Mutex<Counted>,
}

struct Counted {
    counting: bool,
    events: u64,
    latency: Histogram<u64>,
}

impl<'a> Load<'a> {
    pub(crate) fn new(server: &'a Server) -> Self {
        Self { server, sent: Arc::default() }
    }

    /// The number of events sent and answered 200.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Makes `clients` send `requests`, each on its own connection, the next one after the answer to the last.
    pub(crate) async fn run(&self, requests: &Requests, clients: usize, extent: Extent) -> Result<Measured, Failed> {
        let end = match extent {
            Extent::Time(_) => u64::MAX,
            Extent::Events(events) => self.sent() + events,
        };
        let counted = Mutex::new(Counted { counting: true, events: 0, latency: histogram()? });
        let shared = Arc::new(Shared { sent: Arc::clone(&self.sent), end, stop: AtomicBool::new(false), counted });
        let mut connections = Vec::new();
        for _ in 0..clients {
            connections.push(Connection::open(self.server.address).await?);
        }
        let measuring = Measuring::begin(self.server)?;
        let mut tasks = JoinSet::new();
        for connection in connections {
            tasks.spawn(client(connection, requests.clone(), Arc::clone(&shared)));
        }
        match extent {
            Extent::Time(time) => pause(&mut tasks, time).await?,
            Extent::Events(_) => finish(&mut tasks).await?,
        }
        let measured = measuring.end(self.server, &shared)?;
        shared.stop.store(true, Relaxed);
        finish(&mut tasks).await?;
        Ok(measured)
    }
}

/// Waits until all clients have ended.
async fn finish(tasks: &mut JoinSet<Result<(), String>>) -> Result<(), Failed> {
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// Waits, unless a client fails meanwhile.
async fn pause(tasks: &mut JoinSet<Result<(), String>>, time: Duration) -> Result<(), Failed> {
    match tokio::time::timeout(time, tasks.join_next()).await {
        Err(_) => Ok(()),
        Ok(ended) => {
            ended.ok_or("there are no clients")??.and_then(|()| Err("a client stopped by itself".to_owned()))?;
            Ok(())
        }
    }
}

/// The clocks at the start of a measurement.
struct Measuring {
    started: Instant,
    cpu_seconds: f64,
    client_cpu_seconds: f64,
}

impl Measuring {
    fn begin(server: &Server) -> Result<Self, Failed> {
        let cpu_seconds = server.usage()?.cpu_seconds;
        Ok(Self { cpu_seconds, client_cpu_seconds: own_cpu_seconds()?, started: Instant::now() })
    }

    fn end(self, server: &Server, shared: &Shared) -> Result<Measured, Failed> {
        let seconds = self.started.elapsed().as_secs_f64();
        let usage = server.usage()?;
        let mut counted = shared.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.counting = false;
        Ok(Measured {
            events: counted.events,
            seconds,
            latency: std::mem::replace(&mut counted.latency, histogram()?),
            cpu_seconds: usage.cpu_seconds - self.cpu_seconds,
            client_cpu_seconds: own_cpu_seconds()? - self.client_cpu_seconds,
            peak_bytes: usage.peak_bytes,
        })
    }
}

async fn client(mut connection: Connection, mut requests: Requests, shared: Arc<Shared>) -> Result<(), String> {
    let events = requests.events();
    while !shared.stop.load(Relaxed) {
        let first = shared.sent.fetch_add(events, Relaxed);
        if first >= shared.end {
            shared.sent.fetch_sub(events, Relaxed);
            break;
        }
        let request = requests.fill(first);
        let started = Instant::now();
        connection.exchange(request).await.map_err(|error| error.to_string())?;
        let latency = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut counted = shared.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.counting {
            counted.events += events;
            counted.latency.saturating_record(latency);
        }
    }
    Ok(())
}

/// A histogram of microseconds up to a minute, with three digits.
pub(crate) fn histogram() -> Result<Histogram<u64>, Failed> {
    Ok(Histogram::new_with_max(60_000_000, 3)?)
}
