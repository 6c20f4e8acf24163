//! The way of log lines to where they are read. Nothing waits for that: while nobody reads, lines are kept up to a limit
//! of bytes, then left out and counted. When somebody reads again, one line tells how many are missing.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes of log lines that wait to be written: some forty thousand, so that a reader may pause for several seconds of
/// busy ingest. With more, lines are left out and counted, because nothing waits for the log.
const LOG_BYTES: usize = 16 * 1024 * 1024;

/// What a waiting line takes besides its text: its place in the queue, and what the allocator adds.
const LINE_COST: usize = 128;

/// More lines than the limit of bytes admits, so that only the latter counts; and the message that ends the writer.
const LINES: usize = LOG_BYTES / LINE_COST + 8;

/// Lines of this process that nobody could read. There is one log.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many log lines were left out since the process started.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// The entrance to the queue of lines.
#[derive(Clone)]
pub(super) struct Lines {
    queue: NonBlocking,
    waiting: Arc<AtomicUsize>,
}

impl Lines {
    /// Lines to `to`, which a thread writes until the guard is dropped.
    pub(super) fn new(to: impl Write + Send + 'static) -> (Self, WorkerGuard) {
        let waiting = Arc::<AtomicUsize>::default();
        let output = Output { to, waiting: Arc::clone(&waiting), told: 0 };
        let (queue, guard) = NonBlockingBuilder::default().buffered_lines_limit(LINES).lossy(true).finish(output);
        (Self { queue, waiting }, guard)
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let cost = line.len() + LINE_COST;
        if self.waiting.fetch_add(cost, Ordering::Relaxed) + cost > LOG_BYTES {
            self.waiting.fetch_sub(cost, Ordering::Relaxed);
            LOST.fetch_add(1, Ordering::Relaxed);
            return Ok(line.len());
        }
        self.queue.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The other end of the queue, in its own thread.
struct Output<W> {
    to: W,
    waiting: Arc<AtomicUsize>,
    /// How many lost lines have been told.
    told: u64,
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = self.to.write_all(line);
        let waiting = self.waiting.fetch_sub(line.len() + LINE_COST, Ordering::Relaxed);
        if written.is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        } else if lost() > self.told && waiting < LOG_BYTES / 2 {
            // Once there is room for this line and those that follow.
            let lines = lost() - self.told;
            self.told += lines;
            tracing::warn!(lines, "the log could not be written for a while: lines are missing before this one");
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::mpsc,
    };

    use super::{LINE_COST, LOG_BYTES, Lines, lost};

    /// Takes nothing until it is told to.
    struct Stuck(mpsc::Receiver<()>, mpsc::Sender<usize>);

    impl Write for Stuck {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            let _ = self.1.send(line.len());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_who_does_not_read_stops_nobody() {
        let ((unstick, stuck), (written, writes)) = (mpsc::channel(), mpsc::channel());
        let (mut lines, _guard) = Lines::new(Stuck(stuck, written));
        let before = lost();
        let line = [b'x'; 1024];
        let fitting = LOG_BYTES / (line.len() + LINE_COST);
        for _ in 0..2 * fitting {
            lines.write_all(&line).unwrap();
        }
        assert_eq!(lost() - before, fitting as u64, "what exceeds the limit is left out");
        drop(unstick);
        for _ in 0..fitting {
            assert_eq!(writes.recv().unwrap(), line.len());
        }
        // It all fits again.
        lines.write_all(b"last").unwrap();
        assert_eq!((writes.recv().unwrap(), lost() - before), (4, fitting as u64));
    }
}
