//! The limits that people or other modules meet, each with its unit and its reason. A limit that a single module knows
//! stands beside the code that it bounds, with its reason too.

use std::time::Duration;

/// Events in one `batch` request. One transaction stores them all, and the sender resends them all if it fails.
pub const BATCH_EVENTS: usize = 1_000;

/// Bytes of a request body, and of what a packed one unpacks to: a full batch of events of 5 kB each. More than any page
/// of feedback, and small enough to hold many at once.
pub const BODY_BYTES: usize = 5 * 1024 * 1024;

/// Bytes of a refused body that are still read and discarded, so that the sender sees the answer, not a broken
/// connection.
pub const DISCARDED_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of one text field. Moodle does not limit its long texts; the longest seen are feedback with pasted images.
pub const TEXT_BYTES: usize = 1024 * 1024;

/// Roles of one enrolment. A person has one or two in a course; a hundred is a mistake.
pub const ROLES: usize = 100;

/// Cohorts of one person, or groups in one course. The plugin sends no more.
pub const NAMES: usize = 500;

/// Levels of course categories. Moodle keeps the ids of a path in 255 characters.
pub const CATEGORY_LEVELS: usize = 130;

/// Custom fields of one record. A large site defines some 200; together their texts are no longer than one text field.
pub const CUSTOM_FIELDS: usize = 250;

/// The time a client may take to send its body, and the longest it may take altogether.
pub const BODY_READ_TIME: Duration = Duration::from_secs(30);

/// The time a client may take to send its body before its rate counts: longer than a lost packet takes to be sent again.
pub const BODY_GRACE: Duration = Duration::from_secs(10);

/// Bytes per second that a client must send of its body after that, on average: a modem's. Who is slower only holds a
/// connection and room in the queue.
pub const BODY_RATE: usize = 8 * 1024;

/// Connections of clients that one process serves at a time. A proxy has one per request in progress, a live page one;
/// a thousand more would only wait, and each may hold [`CONNECTION_BUFFER`] twice.
pub const CONNECTIONS: u32 = 1_000;

/// File descriptors that a process needs besides its clients' connections: its database's files and connections,
/// timers, signals, the log, calls to Zoho and to alert channels. Without deliveries some 30 are open.
pub const OWN_DESCRIPTORS: u32 = 48;

/// File descriptors without which a process does not start: its own, and some for clients.
pub const LEAST_DESCRIPTORS: u32 = 64;

/// Bytes of a client's connection that are read ahead, and the largest head of a request. Browsers and proxies send at
/// most some 8 KiB.
pub const CONNECTION_BUFFER: usize = 64 * 1024;

/// The time in which a new connection must have sent the head of a request, or a used one the rest of one.
pub const HEAD_TIME: Duration = Duration::from_secs(20);

/// The time after which a connection without a request is closed. Proxies keep theirs for 60 seconds; they should close
/// first, or a request may just miss the end.
pub const CONNECTION_IDLE_TIME: Duration = Duration::from_secs(75);

/// The time for which a client may take nothing of an answer that waits for it.
pub const UNREAD_TIME: Duration = Duration::from_secs(30);

/// The interval at which a connection's times are checked: they end that much later at most.
pub const CONNECTION_CHECK: Duration = Duration::from_secs(5);

/// Bytes of a token as sent. Ours have 47; a longer one cannot be ours and is not worth hashing.
pub const TOKEN_BYTES: usize = 200;

/// Site tokens kept in memory, so that a busy site costs no read per request. With more, the cache starts over.
pub const CACHED_TOKENS: usize = 1_000;

/// For how long a site token is taken from memory. A site that was renamed goes by its new name after that.
pub const CACHED_TOKEN_TIME: Duration = Duration::from_secs(10);

/// The interval at which the last use of tokens is saved.
pub const LAST_USED_INTERVAL: Duration = Duration::from_secs(60);

/// Rows of a page when the reader sets no limit.
pub const PAGE_ROWS_DEFAULT: u32 = 100;
/// The most rows of a page: some 500 kB of JSON.
pub const PAGE_ROWS_MAX: u32 = 500;

/// Bytes of stored text that one read takes into memory: a page of a list, a step of an export, a part of a delivery; at
/// least one row. Five hundred rows of the usual size have a quarter of it. Several reads happen at once, and each page
/// is in memory three times: as rows, as values and as the answer's text.
pub const READ_BYTES: u64 = 2 * 1024 * 1024;

/// Rows that one page looks through for what a filter without an index wants: some 70 ms when nothing matches,
/// and three times that on a machine that is busy otherwise.
pub const LOOK_ROWS: i64 = 10_000;

/// Rows of one SQL statement. A power of two: see `store::bulk`.
pub const STATEMENT_ROWS: usize = 256;

/// The time to wait for a database connection before the request is answered 503.
pub const CONNECTION_WAIT: Duration = Duration::from_secs(5);

/// The time a writer waits for another process's lock before its senders are answered 503.
pub const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The time for one statement of a writer, including COMMIT. After that, its connection is dropped and the senders are
/// answered 503: a vanished host never answers. Longer than waiting for a lock, and than checkpointing a full
/// write-ahead log on a slow disk.
pub const STATEMENT_TIME: Duration = Duration::from_secs(8);

/// The time for a whole transaction, including waiting for locks.
pub const TRANSACTION_TIME: Duration = Duration::from_secs(20);

/// The time for one statement of a reader.
pub const READ_TIME: Duration = Duration::from_secs(15);

/// The time for a statement that scans a whole table: an audit of a million records takes a minute on a slow disk.
pub const LONG_STATEMENT: Duration = Duration::from_secs(120);

/// The time for all missing migrations: building an index of a hundred million rows takes long.
pub const MIGRATION_TIME: Duration = Duration::from_secs(60 * 60);

/// The time for a connection to PostgreSQL to prove that it is alive, or to be returned to the pool.
pub const PING_TIME: Duration = Duration::from_secs(2);

/// The silence after which PostgreSQL probes whether we are still there, and the time between its probes.
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// The interval of health checks: a database that accepts no events is noticed within this time plus a statement's.
pub const HEALTH_INTERVAL: Duration = Duration::from_secs(3);

/// The time without a write after which one is tested; it costs one small commit.
pub const WRITE_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// The time after a failed batch for which a process counts as unable to store events, even if a small write succeeds.
pub const FAILED_BATCH_TIME: Duration = Duration::from_secs(10);

/// The time one transaction of the writer may take before this process is not ready. Longer than waiting for another
/// process's lock.
pub const WRITER_PATIENCE: Duration = Duration::from_secs(6);

/// The time one round of the dispatcher may take before this process is not ready: it calls the destination, with
/// timeouts, and scans whole tables.
pub const DELIVERY_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// The time for a readiness check to ask the database; its callers have little patience.
pub const READINESS_TIME: Duration = Duration::from_secs(3);

/// The time for which the newest event that was answered 200 is looked for. Much shorter than the shortest retention.
pub const ACKNOWLEDGED_TIME: Duration = Duration::from_secs(60 * 60);

/// The time for which a process is not ready after it lost an event. It works, but monitoring should notice.
pub const LOST_TIME: Duration = Duration::from_secs(60);

/// Connections that readiness and the health monitor may use at once. Nobody else gets them, so that a busy process
/// does not look like a broken one.
pub const HEALTH_READERS: u32 = 1;

/// Connections that the delivery, the alerts and all other work of our own may use at once: an audit takes one for a
/// minute.
pub const WORK_READERS: u32 = 3;

/// Connections that the console may use at once: pages are short, and few people look at it.
pub const CONSOLE_READERS: u32 = 2;

/// Connections that the API's readers may use at once; more gain nothing on two cores. With the classes above, a
/// process has nine connections for reading; PostgreSQL's default allows 100 in all.
pub const API_READERS: u32 = 3;

/// Seconds for a client to wait when the queue is full or the server drains.
pub const RETRY_AFTER_SECONDS: u64 = 2;

/// Connections of one process to PostgreSQL for writing: the writer's, and one for rare writes.
pub const POSTGRES_WRITERS: u32 = 2;

/// Prepared statements cached by a connection: the statements of `store::bulk` for each table.
pub const CACHED_STATEMENTS: usize = 128;

/// Page cache of SQLite's writer, in KiB: holds the upper levels of all indexes of a million events.
pub const SQLITE_WRITER_CACHE_KIB: u32 = 16 * 1024;

/// Bytes to which SQLite's write-ahead log is truncated after a checkpoint.
pub const SQLITE_WAL_BYTES: u64 = 64 * 1024 * 1024;

/// Memory of a waiting request besides its body, in KiB: its parsed events and its connection.
pub const QUEUE_JOB_KIB: u32 = 4;

/// Pages of 4 KiB in SQLite's write-ahead log before a checkpoint. A page that changes often is written back once for
/// all its changes, so a larger log means less work; 64 MiB keep the start after a crash short.
pub const SQLITE_CHECKPOINT_PAGES: u32 = 16 * 1024;

/// Milliseconds by which the times of two changes may be out of order: the longest wait in the queue, plus the
/// difference between the clocks of processes that share a database. `changed_since` looks that much further back.
pub const CHANGE_ORDER_SLACK_MS: i64 = 60_000;

/// Changes that a reader with `changed_since` scans before it scans the whole table instead.
pub const FEW_CHANGES: u64 = 10_000;

/// Sync items of one step of what may concern very many (a retry, a resync, a course that arrives): few enough that
/// ingest and deliveries continue meanwhile.
pub const STEP_ITEMS: u32 = 1_000;

/// Records of one delivery: as many as Zoho takes in one call.
pub const DELIVERY_RECORDS: u32 = 100;

/// The interval at which a process polls for due items: due retries, and what other processes stored. Its own ingest
/// wakes it at once.
pub const SYNC_POLL: Duration = Duration::from_millis(500);

/// The wait of the delivery after a database error.
pub const SYNC_ERROR_WAIT: Duration = Duration::from_secs(1);

/// The longest time for which the circuit breaker leaves an unresponsive destination alone.
pub const LONGEST_OPEN_CIRCUIT: Duration = Duration::from_secs(60);

/// The interval at which parked items are checked for reasons that no longer hold. Only a process that dies between two
/// statements leaves any.
pub const PARKED_CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// Counts are kept by the minute for as long as a chart has steps of less than an hour, and an hour more; then by the hour.
pub const MINUTES_KEPT: Duration = Duration::from_secs(25 * 60 * 60);

/// How long Zoho's queries may lag behind writes: each look at what others changed overlaps the last one by this. Zoho
/// names no bound; users report seconds, and a few minutes after mass changes.
pub const REMOTE_LAG: Duration = Duration::from_secs(10 * 60);

/// How long one process compares with Zoho before another one may go on.
pub const PARITY_TURN: Duration = Duration::from_secs(5);

/// When a look at Zoho that failed is tried again.
pub const PARITY_RETRY: Duration = Duration::from_secs(5 * 60);

/// Calls, of 50 records each, by which one look reads again what differs; about.
pub const LOOK_AGAIN_CALLS: u64 = 40;

/// In this time a field is written again twice by policy; after that, a person is asked.
pub const RESTORES_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a finding is remembered that has ended: for how often its fields were written again.
pub const CLOSED_FINDINGS_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The interval at which old rows are deleted.
pub const PRUNE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// The interval at which PostgreSQL's tables are looked at for growth: a first backfill writes some thousand rows in it.
pub const STATISTICS_INTERVAL: Duration = Duration::from_secs(2);

/// Old rows deleted in one step: few enough not to keep a writer waiting.
pub const PRUNE_ROWS: u64 = 1_000;

/// The time for which metadata of Zoho's modules and fields is cached. People may change them at any time; a change
/// that matters also shows in what Zoho rejects.
pub const METADATA_TIME: Duration = Duration::from_secs(60 * 60);

/// The time between two checks of a destination without credits. They return gradually over 24 hours.
pub const CREDITS_CHECK: Duration = Duration::from_secs(15 * 60);

/// The interval at which activity counts are saved: charts are by minute, so ten seconds behind is current.
pub const ACTIVITY_INTERVAL: Duration = Duration::from_secs(10);

/// The time for which a link signs in to the console: enough to read what the first start prints.
pub const SIGN_IN_LINK: Duration = Duration::from_secs(15 * 60);

/// The time for which a person stays signed in to the console: a working day.
pub const CONSOLE_SESSION: Duration = Duration::from_secs(12 * 60 * 60);

/// Bytes of a form of a person who is signed in to the console: the largest holds a mapping file, which has some 20 kB.
pub const CONSOLE_FORM_BYTES: usize = 256 * 1024;

/// Bytes of the form to sign in, which strangers may send: a token, and the address to go to.
pub const SIGN_IN_FORM_BYTES: usize = 16 * 1024;

/// The time for which PostgreSQL lets a transaction idle: our statements follow each other within a second. When a
/// connection dies silently, this releases its locks, and other processes continue.
pub const IDLE_TRANSACTION: Duration = Duration::from_secs(60);

/// The age of what the metrics say about the database. Prometheus usually scrapes every 15 seconds, and several may
/// scrape.
pub const METRICS_INTERVAL: Duration = Duration::from_secs(5);

/// Reading the database for metrics takes at most one part in this many of the time: counting the items of a million
/// records takes some tenths of a second.
pub const METRICS_SHARE: u32 = 20;

/// Rows of one table that one step of an erasure erases, under the writers' lock: a person has some hundreds.
pub const ERASURE_ROWS: usize = 500;

/// The interval at which erasures are continued, by one process at a time.
pub const ERASURE_INTERVAL: Duration = Duration::from_secs(2);

/// Erasures that one round handles: a college that deletes a whole year's accounts at once is handled bit by bit.
pub const ERASURES_AT_ONCE: u64 = 50;

/// The interval of the search for people who were deleted in Moodle.
pub const DELETED_PEOPLE_INTERVAL: Duration = Duration::from_secs(60);

/// How long an approval ahead can last, and how long what the brake counted is kept: a forgotten approval must end.
pub const BRAKE_LONGEST_APPROVAL: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// The records of one kind that wait for a person which are shown as examples: enough to see what they have in common.
pub const BRAKE_EXAMPLES: u64 = 20;

/// The times after an erasure at which it is checked: soon, for what was still in progress, and after a month, for what
/// people or other programs have entered again.
pub const ERASURE_CHECKS: [Duration; 2] = [Duration::from_secs(24 * 60 * 60), Duration::from_secs(30 * 24 * 60 * 60)];

/// The time until a check is retried that failed because the destination did not answer.
pub const ERASURE_CHECK_RETRY: Duration = Duration::from_secs(15 * 60);

/// The rest between two steps of deleting old rows: ingest continues between them, and 10,000 rows per second are still
/// deleted.
pub const PRUNE_REST: Duration = Duration::from_millis(100);

/// Rows of a log page in the console: a screen or two.
pub const CONSOLE_ROWS: u64 = 50;

/// Rows of a log exported to one file: more than a spreadsheet handles comfortably. Filters export the rest.
pub const EXPORT_ROWS: usize = 100_000;

/// Rows that an export reads at a time, and the most it holds in memory.
pub const EXPORT_STEP: u64 = 500;

/// Live pages of one process: each holds a connection, and regularly checks whether its session is valid.
pub const LIVE_STREAMS: usize = 100;

/// The interval at which a log is read for live pages; once for all of them.
pub const LIVE_POLL: Duration = Duration::from_secs(1);

/// Rows that a live page is sent at a time, and keeps: no one could read more.
pub const LIVE_ROWS: u64 = 200;

/// The time for which one request serves a live page. The browser then reconnects and continues where it was.
pub const LIVE_TIME: Duration = Duration::from_secs(10 * 60);

/// The interval at which a live page's session is checked.
pub const LIVE_SESSION_CHECK: Duration = Duration::from_secs(15);

/// The interval at which a live page is sent something, so that neither browser nor proxy considers the connection
/// dead.
pub const LIVE_KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Records that a dry run of a changed mapping examines: one call to Zoho per hundred of a kind.
pub const DRY_RUN_RECORDS: u64 = 200;

/// Records of a dry run whose differences are shown.
pub const DRY_RUN_SHOWN: usize = 50;

/// The time for one check of all alert rules before another process takes over: longer than the audit and all reading
/// for the other rules together.
pub const ALERT_TURN: Duration = Duration::from_secs(3 * 60);

/// Timeout for reading one rule's data, or data that several rules share: usually some milliseconds. Then the other
/// rules follow.
pub const ALERT_READ_TIME: Duration = Duration::from_secs(10);

/// The time for an audit. On a large database it takes a minute.
pub const AUDIT_TIME: Duration = Duration::from_secs(90);

/// Consecutive checks a rule may fail before that raises an alert of its own: one or two fail when the database
/// restarts.
pub const UNJUDGED_CHECKS: u32 = 3;

/// Resolved alerts kept in memory while the database accepts no events.
pub const UNSTORED_ALERTS: usize = 100;

/// An audit that took a second is repeated after this many seconds at the earliest, so that audits take a hundredth of
/// the database's time.
pub const AUDIT_SHARE: u32 = 100;

/// The time for sending a notification. Mail servers are slow with unknown senders.
pub const NOTIFICATION_TIME: Duration = Duration::from_secs(45);

/// The lease of a notification: longer than sending it takes.
pub const NOTIFICATION_LEASE: Duration = Duration::from_secs(60);

/// The interval at which a process polls for notifications to send: those of other processes, and due retries.
pub const NOTIFICATION_POLL: Duration = Duration::from_secs(5);

/// The longest backoff before a notification is retried.
pub const NOTIFICATION_LONGEST_BACKOFF: Duration = Duration::from_secs(10 * 60);

/// The time for which a notification is retried: a reminder follows on the next day anyway.
pub const NOTIFICATION_RETRY_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The time until an alert is notified again if it is unknown whether its notification arrived.
pub const NOTIFICATION_UNKNOWN_TIME: Duration = Duration::from_secs(10 * 60);

/// Consecutive failed attempts before a channel counts as failing: one or two happen when the other side restarts.
pub const CHANNEL_FAILURES: u32 = 3;

/// The interval at which the clocks are compared. A step is accepted after a minute at the earliest.
pub const CLOCK_INTERVAL: Duration = Duration::from_secs(5);

/// A difference to the followed clock that is followed at once: its drift, plus the time that reading it takes.
pub const CLOCK_DRIFT: Duration = Duration::from_secs(2);

/// How far the clocks of two processes, or of machine and database, may differ and still count as equal. A stored
/// deadline may be that much later than it should be.
pub const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// How far a site's clock may be ahead of ours: with more, its events would block all correct ones until that time.
/// Also how far a reading from Moodle or Zoho may deviate and still confirm a time, since an event was read a while
/// before it arrived. And how far our time, if ahead, is corrected by slowing down.
pub const CLOCK_AHEAD: Duration = Duration::from_secs(10 * 60);

/// Our time, if ahead, slows down by one part in this many.
pub const CLOCK_SLOWDOWN: u32 = 10;

/// The time for which a step must last that a second source confirms: longer than a clock is wrong by mistake while
/// being set.
pub const CLOCK_STEP_AGREED: Duration = Duration::from_secs(60);

/// The time for which an unconfirmed and uncontradicted step must last, as after a machine has slept.
pub const CLOCK_STEP_ALONE: Duration = Duration::from_secs(5 * 60);

/// A time this far ahead of the last agreed one needs a second source or a person: it would make recent data look old.
pub const CLOCK_FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// The time for which a second source must confirm such a time.
pub const CLOCK_FAR_AGREED: Duration = Duration::from_secs(15 * 60);

/// The time for which another source's reading counts.
pub const CLOCK_READING_TIME: Duration = Duration::from_secs(60 * 60);

/// Other sources whose readings are kept.
pub const CLOCK_SOURCES: usize = 100;

/// The interval at which the last agreed time is saved, and waits that lie too far ahead are ended.
pub const LAST_SEEN_INTERVAL: Duration = Duration::from_secs(60);

/// The longest turn of any kind, as a bound for stored deadlines; retention's takes half of this.
pub const LONGEST_TURN: Duration = PRUNE_INTERVAL;

/// The longest wait for anything at a destination, and the longest life of an access token, which is usually an hour.
pub const LONGEST_AT_DESTINATION: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest backoff before an item is retried; see `delivery::backoff`.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(10 * 60);
