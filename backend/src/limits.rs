//! Every limit of the backend in one place: its name, its unit, its reason.

use std::time::Duration;

/// Events in one `batch` request. One transaction holds them all, and the sender repeats them all when one request fails.
pub const BATCH_EVENTS: usize = 1_000;

/// Bytes of a request body: a full batch of events of 5 kB each. Larger than any page of feedback, small enough to hold many at once.
pub const BODY_BYTES: usize = 5 * 1024 * 1024;

/// Bytes of a refused body that are still read and thrown away, so that the sender sees the answer and not a broken connection.
pub const DISCARDED_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of one text field. Moodle's long texts have no limit of their own; the longest seen are feedback with pasted images.
pub const TEXT_BYTES: usize = 1024 * 1024;

/// Roles of one enrolment. A person has one or two in a course; a hundred is a mistake.
pub const ROLES: usize = 100;

/// How long a client may take to send its body: a slow one must not hold memory for ever.
pub const BODY_READ_TIME: Duration = Duration::from_secs(30);

/// How long a connection may be silent before it is closed.
pub const CONNECTION_IDLE_TIME: Duration = Duration::from_secs(75);

/// Bytes of a token as sent. Ours have 47; a longer header is none of ours and not worth hashing.
pub const TOKEN_BYTES: usize = 200;

/// Tokens of sites kept in memory, so that a busy site costs no read per request. More sites than that are read again.
pub const CACHED_TOKENS: usize = 1_000;

/// How often the time of a token's last use is written down.
pub const LAST_USED_INTERVAL: Duration = Duration::from_secs(60);

/// Rows of a page when the reader names no limit, and at most.
pub const PAGE_ROWS_DEFAULT: u32 = 100;
/// Rows of a page at most: some 500 kB of JSON.
pub const PAGE_ROWS_MAX: u32 = 500;

/// Rows of one SQL statement. A power of two: see `store::bulk`.
pub const STATEMENT_ROWS: usize = 256;

/// How long the database may take to hand out a connection before the request is answered 503.
pub const CONNECTION_WAIT: Duration = Duration::from_secs(5);

/// How long a writer waits for another process that writes, before its senders are answered 503.
pub const LOCK_WAIT: Duration = Duration::from_secs(5);

/// How long one statement of a writer may take, a COMMIT too, before its connection is given up and the senders are answered 503: a host
/// that vanished answers nothing, ever. Longer than a lock is waited for and a full write-ahead log is folded on a slow disk.
pub const STATEMENT_TIME: Duration = Duration::from_secs(8);

/// How long all of a transaction may take, waiting for locks included.
pub const TRANSACTION_TIME: Duration = Duration::from_secs(20);

/// How long one statement of a reader may take.
pub const READ_TIME: Duration = Duration::from_secs(15);

/// How long a statement may take that goes through a whole table: an audit of a million records takes a minute on a slow disk.
pub const LONG_STATEMENT: Duration = Duration::from_secs(120);

/// How long all migrations may take that are missing: one that builds an index of a hundred million rows takes its time.
pub const MIGRATION_TIME: Duration = Duration::from_secs(60 * 60);

/// How long a connection to PostgreSQL may take to say that it is alive, or to be given back.
pub const PING_TIME: Duration = Duration::from_secs(2);

/// How long a connection is silent before PostgreSQL asks whether we are still there, and between its questions.
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How often it is looked whether this process is well: a database that takes no events is known within this time and a statement's.
pub const HEALTH_INTERVAL: Duration = Duration::from_secs(3);

/// When nothing was written for this long, a write is tried: a small one costs a commit.
pub const WRITE_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// How long a process that refused events is taken to refuse the next ones, though it can write a little.
pub const REFUSED_TIME: Duration = Duration::from_secs(10);

/// How long the writer may be at one transaction before this process is called unready. Waiting for another process's lock is less.
pub const WRITER_PATIENCE: Duration = Duration::from_secs(6);

/// How long the dispatcher may be at one round before this process is called unready: it asks the destination, with time-outs, and
/// goes through whole tables.
pub const DELIVERY_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How long readiness may take to ask the database; whoever asks has little patience, too.
pub const LOOK_TIME: Duration = Duration::from_secs(3);

/// For how long the newest answered event is looked for. Much less than the shortest retention.
pub const ACKNOWLEDGED_TIME: Duration = Duration::from_secs(60 * 60);

/// How long a process calls itself unready after it lost an event. It works; who watches shall notice.
pub const LOST_TIME: Duration = Duration::from_secs(60);

/// Connections for readers to SQLite; reads are short and two cores do not gain by more.
pub const SQLITE_READERS: u32 = 4;

/// Seconds that a client is asked to wait when the queue is full or the server drains.
pub const RETRY_AFTER_SECONDS: u64 = 2;

/// Connections of one process to PostgreSQL for reading. PostgreSQL's default allows 100 in all.
pub const POSTGRES_READERS: u32 = 8;

/// Connections of one process to PostgreSQL for writing: the writer's, and one for what is rare.
pub const POSTGRES_WRITERS: u32 = 2;

/// Prepared statements kept by a connection: the shapes of `store::bulk` for each table.
pub const CACHED_STATEMENTS: usize = 128;

/// Page cache of SQLite's writer, in KiB: the upper levels of all indexes of a million events.
pub const SQLITE_WRITER_CACHE_KIB: u32 = 16 * 1024;

/// Size to which SQLite's write-ahead log is cut back after a checkpoint, in bytes.
pub const SQLITE_WAL_BYTES: u64 = 64 * 1024 * 1024;

/// What a waiting request takes in the queue besides its body, in KiB: its parsed events and its connection.
pub const QUEUE_JOB_KIB: u32 = 4;

/// Pages of 4 KiB in SQLite's write-ahead log before they are folded into the file. A page that changes often is folded once for all
/// its changes, so more is less work; 64 MiB keep the start after a crash short.
pub const SQLITE_CHECKPOINT_PAGES: u32 = 16 * 1024;

/// How far the moments of two changes may be out of order, in milliseconds: the longest wait in the queue, and the difference between
/// the clocks of processes that share a database. `changed_since` looks that much further back.
pub const CHANGE_ORDER_SLACK_MS: i64 = 60_000;

/// Changes that a reader with `changed_since` looks through before it takes the way through the whole table.
pub const FEW_CHANGES: u64 = 10_000;

/// Items that one step of a resynchronisation marks: short enough that deliveries go on beside it.
pub const RESYNC_ROWS: usize = 1_000;

/// Records of one delivery: as many as Zoho takes in one call.
pub const DELIVERY_RECORDS: u32 = 100;

/// How often a process looks for due items without being told: retries that have come due, and what other processes stored. The
/// ingest of the same process wakes it at once.
pub const SYNC_POLL: Duration = Duration::from_millis(500);

/// How long the delivery waits after an error of the database.
pub const SYNC_ERROR_WAIT: Duration = Duration::from_secs(1);

/// The longest time for which a destination that does not answer is left alone.
pub const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// The longest rest after a destination said that it was asked too much at once.
pub const THROTTLED_REST: Duration = Duration::from_secs(2);

/// How often the waiting items are counted, to see whether the allowance lasts for them. A call takes longer, and the count of a hundred
/// thousand takes some milliseconds.
pub const WAITING_COUNT_INTERVAL: Duration = Duration::from_millis(100);

/// How often items of dead workers are looked for, at least.
pub const LEASE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// How often parked items are looked through for reasons that are gone. Only a process that dies between two statements leaves any.
pub const PARKED_CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// How often what is old is deleted.
pub const PRUNE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Old rows that are deleted in one step: short enough not to keep a writer waiting.
pub const PRUNE_ROWS: u64 = 1_000;

/// How long it is believed what Zoho's modules and fields are like. Somebody may change them at any time; a change that matters is
/// also seen by what Zoho refuses.
pub const METADATA_TIME: Duration = Duration::from_secs(60 * 60);

/// How long a destination whose credits are used up is left alone between two looks. They come back bit by bit over 24 hours.
pub const CREDITS_CHECK: Duration = Duration::from_secs(15 * 60);

/// How often counts of what happens are written down: charts are of minutes, and a chart that is ten seconds behind is current.
pub const ACTIVITY_INTERVAL: Duration = Duration::from_secs(10);

/// How long somebody stays signed in to the console: a working day.
pub const CONSOLE_SESSION: Duration = Duration::from_secs(12 * 60 * 60);

/// Bytes of a form that the console takes: the largest holds a mapping file, which has some 20 kB.
pub const CONSOLE_FORM_BYTES: usize = 256 * 1024;

/// How long PostgreSQL lets a transaction of ours stand idle: no statement follows the last one later than a second. When a connection
/// dies without a word, this gives its locks back, and other processes go on.
pub const IDLE_TRANSACTION: Duration = Duration::from_secs(60);

/// How old what the metrics say of the database may be. Prometheus asks each 15 seconds as a rule, and more than one may ask.
pub const METRICS_INTERVAL: Duration = Duration::from_secs(5);

/// Looking at the database for metrics takes at most one part in so many of the time: counting the items of a million records takes
/// some tenths of a second.
pub const METRICS_SHARE: u32 = 20;

/// Rows of one table that one step of an erasure empties, under the writers' lock: a person has some hundreds.
pub const ERASURE_ROWS: usize = 500;

/// How often it is looked whether an erasure is due or has got further. One process at a time does.
pub const ERASURE_INTERVAL: Duration = Duration::from_secs(2);

/// Erasures that one round goes through: a college that deletes a whole year's accounts at once is worked off bit by bit.
pub const ERASURES_AT_ONCE: u64 = 50;

/// How often people are looked for who were deleted in Moodle.
pub const DELETED_PEOPLE_INTERVAL: Duration = Duration::from_secs(60);

/// When an erasure is checked again after it was done: soon, for what was still under way; and when a month has passed, for what
/// people or other programs have entered again.
pub const ERASURE_CHECKS: [Duration; 2] = [Duration::from_secs(24 * 60 * 60), Duration::from_secs(30 * 24 * 60 * 60)];

/// When a check is tried again that could not be made because the destination did not answer.
pub const ERASURE_CHECK_RETRY: Duration = Duration::from_secs(15 * 60);

/// The rest between two steps of deleting what is old: ingest goes on between them, and still 10,000 rows go in a second.
pub const PRUNE_REST: Duration = Duration::from_millis(100);

/// Rows of a page of a log in the console: a screen or two.
pub const CONSOLE_ROWS: u64 = 50;

/// Rows of a log that are exported in one file: more than a spreadsheet is pleasant with. Further ones are exported by filter.
pub const EXPORT_ROWS: usize = 100_000;

/// Rows that an export reads at once; it holds no more of them in memory.
pub const EXPORT_STEP: u64 = 500;

/// Pages that are live at once in one process: each holds a connection, and asks now and then whether its session still lasts.
pub const LIVE_STREAMS: usize = 100;

/// How often a log is read for the pages that are live; once for all of them.
pub const LIVE_POLL: Duration = Duration::from_secs(1);

/// Rows that a live page is sent at a time, and keeps. When more arrive, nobody could read them anyway.
pub const LIVE_ROWS: u64 = 200;

/// How long a live page is served by one request. The browser then asks again, and goes on where it was.
pub const LIVE_TIME: Duration = Duration::from_secs(10 * 60);

/// How often a live page is asked whether its session still lasts.
pub const LIVE_SESSION_CHECK: Duration = Duration::from_secs(15);

/// How often something is sent to a live page, so that neither browser nor proxy takes the connection for dead.
pub const LIVE_KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Records that a dry run of a changed mapping looks at, at most: a call to Zoho for each hundred of a kind.
pub const DRY_RUN_RECORDS: u64 = 200;

/// Records of a dry run whose differences are shown.
pub const DRY_RUN_SHOWN: usize = 50;

/// How long a look at what may be wrong may take before another process takes its turn: longer than the audit and all that is read for
/// the other rules may take together.
pub const ALERT_TURN: Duration = Duration::from_secs(3 * 60);

/// How long reading for one rule, or for a few that read the same, may take: some milliseconds as a rule. Then the others have their turn.
pub const ALERT_READ_TIME: Duration = Duration::from_secs(10);

/// How long an audit may take. That of a large database takes a minute.
pub const AUDIT_TIME: Duration = Duration::from_secs(90);

/// Looks in a row at which a rule could not be judged before that is an alert of its own: one or two happen when the database restarts.
pub const BLIND_LOOKS: u32 = 3;

/// Alerts that ended and wait to be written into a database that takes nothing; more are not kept in memory.
pub const UNSTORED_ALERTS: usize = 100;

/// An audit that took a second is not repeated before this many have passed, so that it takes a hundredth of the database's time.
pub const AUDIT_SHARE: u32 = 100;

/// How long sending a notice may take. Mail servers take their time with strangers.
pub const NOTICE_TIME: Duration = Duration::from_secs(45);

/// How long a notice is its sender's: longer than sending it takes.
pub const NOTICE_LEASE: Duration = Duration::from_secs(60);

/// How often a process looks for notices to send without being told: those of other processes, and those that are tried again.
pub const NOTICE_POLL: Duration = Duration::from_secs(5);

/// The longest wait before a notice is tried again.
pub const NOTICE_LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

/// How long a notice is tried: a reminder follows on the next day anyway.
pub const NOTICE_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// After how long an alert is told of again when nobody knows whether its notice arrived.
pub const NOTICE_DOUBT: Duration = Duration::from_secs(10 * 60);

/// Tries in a row that fail before a channel is said to fail: one or two happen when the other side restarts.
pub const CHANNEL_FAILURES: u32 = 3;

/// How often the clocks are looked at. A step is believed after a minute at the soonest.
pub const CLOCK_LOOK: Duration = Duration::from_secs(5);

/// A difference to the clock that we follow up to this is followed at once: its drift, and the time that asking takes.
pub const CLOCK_DRIFT: Duration = Duration::from_secs(2);

/// How far the clocks of two processes, or of machine and database, may be apart and still be taken for equal. What is written as
/// "until" may be that much longer than it should be.
pub const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// How far a site's clock may be ahead of ours: its events' versions would replace all true ones until then. Also how far what Moodle
/// or Zoho say of the time may be off and still agree: an event was read a while before it arrived. And how far our time, being ahead,
/// is corrected by going slower.
pub const CLOCK_AHEAD: Duration = Duration::from_secs(10 * 60);

/// Our time, being ahead, goes slower by one part in so many.
pub const CLOCK_SLOWER: u32 = 10;

/// How long a step must last that a second source agrees with: longer than a clock is wrong by mistake while it is being set.
pub const CLOCK_STEP_AGREED: Duration = Duration::from_secs(60);

/// How long a step must last that nobody else says anything about, as after a machine has slept.
pub const CLOCK_STEP_ALONE: Duration = Duration::from_secs(5 * 60);

/// A time this far ahead of the last one that was agreed needs a second source or a person: it would make old what is not.
pub const CLOCK_FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a second source must agree with such a time.
pub const CLOCK_FAR_AGREED: Duration = Duration::from_secs(15 * 60);

/// How long it counts what somebody said of the time.
pub const CLOCK_SAID: Duration = Duration::from_secs(60 * 60);

/// Sites whose word on the time is kept.
pub const CLOCK_SITES: usize = 100;

/// How often the last time seen is written down, and times are looked for that lie too far ahead.
pub const LAST_SEEN_INTERVAL: Duration = Duration::from_secs(60);

/// The longest turn of any kind: half of [`PRUNE_INTERVAL`].
pub const LONGEST_TURN: Duration = PRUNE_INTERVAL;

/// The longest that is waited for anything at a destination, and the longest life of an access token: an hour as a rule.
pub const LONGEST_AT_DESTINATION: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest wait before an item is tried again; see `delivery::backoff`.
pub const LONGEST_RETRY: Duration = Duration::from_secs(10 * 60);
