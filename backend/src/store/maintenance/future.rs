//! Stored times too far in the future, written by a clock that was wrong: what waits for them would never happen.
//!
//! Each kind of time has a limit for how far ahead it can be. This one list serves both to find the times beyond it,
//! for operators, and to repair them.

use std::time::Duration;

use crate::{
    clock::Timestamp,
    limits,
    model::{ACKNOWLEDGED_DAYS_MAX, Lane},
    store::{
        StoreError,
        connection::connect::Store,
        sql::{execute, query, skip_locked},
    },
};

/// How far ahead configurable times can be.
#[derive(Clone, Copy, Debug)]
pub struct Longest {
    /// An item's lease.
    pub lease: Duration,
    /// The shortest time between two deliveries of a record.
    pub repeat: Duration,
    /// The interval between evaluations of the alert rules.
    pub evaluation: Duration,
    /// The time between reminders; `None` for no reminders.
    pub remind: Option<Duration>,
}

/// Times of one kind that are too far ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FutureTimes {
    /// Table and column.
    pub place: String,
    /// What they belong to, for people.
    pub what: &'static str,
    /// The number of rows.
    pub count: u64,
    /// The latest of them.
    pub furthest: Timestamp,
}

/// Which kinds of times to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Times that something waits for: in indexes or small tables.
    Waits,
    /// Also times at which something happened: reads whole tables.
    All,
}

struct WaitKind {
    table: &'static str,
    column: &'static str,
    what: &'static str,
    /// The SQL condition of the rows.
    rows: String,
    longest: Duration,
    /// The SQL assignments; each parameter is the current time.
    repair: String,
}

impl WaitKind {
    fn new(table: &'static str, column: &'static str, longest: Duration, rows: &str, what: &'static str) -> Self {
        Self { table, column, what, rows: rows.to_owned(), longest, repair: format!("{column} = ?") }
    }

    fn repaired_by(self, sql: &str) -> Self {
        Self { repair: sql.to_owned(), ..self }
    }

    /// The limit: later times are too far ahead.
    fn end(&self, now: Timestamp) -> i64 {
        now.after(self.longest).after(limits::CLOCK_SLACK).0
    }
}

/// Rows per statement: few enough not to delay writers.
const STEP: u64 = limits::PRUNE_ROWS;

fn waits(longest: &Longest) -> Vec<WaitKind> {
    let lanes = Lane::ALL.map(|lane| lane.number().to_string()).join(", ");
    let of_destination = "destination IN (SELECT name FROM destinations)";
    let pending = format!("state = 'pending' AND {of_destination} AND lane IN ({lanes})");
    let in_flight = format!("state = 'in_flight' AND {of_destination}");
    let done = "state IN ('local_done', 'remote_done', 'verified', 'found')";
    let [_, last_check] = limits::ERASURE_CHECKS;
    let retry = limits::LONGEST_BACKOFF.max(longest.repeat);
    let at_destination = limits::LONGEST_AT_DESTINATION;
    let mut kinds = vec![
        WaitKind::new("turns", "until_at", limits::LONGEST_TURN, "TRUE", "turns"),
        WaitKind::new("alert_turns", "due_at", longest.evaluation, "TRUE", "the next evaluation of the alert rules"),
        WaitKind::new("alert_turns", "lease_until", limits::ALERT_TURN, "TRUE", "the turn to evaluate the alert rules"),
        WaitKind::new(
            "alert_notices",
            "next_at",
            limits::NOTIFICATION_LONGEST_BACKOFF,
            "state = 'pending'",
            "notifications that wait",
        ),
        WaitKind::new(
            "alert_notices",
            "lease_until",
            limits::NOTIFICATION_LEASE,
            "state = 'sending'",
            "notifications being sent",
        ),
        WaitKind::new("destinations", "check_at", at_destination, "TRUE", "the next check of a paused destination"),
        WaitKind::new(
            "destinations",
            "refresh_lease_until",
            limits::LONGEST_TURN,
            "TRUE",
            "the turn to fetch an access token",
        ),
        WaitKind::new("destinations", "access_expires_at", at_destination, "TRUE", "access tokens")
            .repaired_by("access_token = NULL, access_expires_at = NULL"),
        WaitKind::new("console_sessions", "expires_at", limits::CONSOLE_SESSION, "TRUE", "console sessions"),
        // The repair keeps the time between the request and the due time.
        WaitKind::new("erasures", "requested_at", Duration::ZERO, "state = 'requested'", "waiting erasures")
            .repaired_by("due_at = due_at - requested_at + ?, requested_at = ?"),
        WaitKind::new("erasures", "check_at", last_check, done, "checks of erasures"),
        WaitKind::new(
            "brake_approvals",
            "until_at",
            limits::BRAKE_LONGEST_APPROVAL,
            "TRUE",
            "ends of what was approved ahead",
        ),
        WaitKind::new("delivery_processes", "seen_at", Duration::ZERO, "TRUE", "processes that deliver"),
        WaitKind::new("brake_effects", "at", Duration::ZERO, "TRUE", "effects that the brake counts"),
        WaitKind::new("sync_items", "due_at", retry, &pending, "records that wait for delivery").repaired_by(
            "due_at = ?, changed_at = CASE WHEN changed_at > ? THEN ? ELSE changed_at END, \
                 queued_at = CASE WHEN queued_at > ? THEN ? ELSE queued_at END",
        ),
        // Twice, because another process may run with another setting for a while.
        WaitKind::new("sync_items", "lease_until", longest.lease * 2, &in_flight, "records being delivered"),
    ];
    kinds.push(WaitKind::new(
        "alerts",
        "acknowledged_until",
        Duration::from_secs(u64::from(ACKNOWLEDGED_DAYS_MAX) * 24 * 60 * 60),
        "resolved_at IS NULL",
        "acknowledgements of alerts",
    ));
    if let Some(remind) = longest.remind {
        kinds.push(WaitKind::new("alerts", "remind_at", remind, "resolved_at IS NULL", "reminders of alerts"));
    }
    kinds
}

/// Times at which something happened. They delay nothing, but retention would never delete such rows, and newer rows
/// would look older.
fn happened() -> Vec<WaitKind> {
    let records = ["users", "courses", "enrolments", "grades", "completions", "changes"];
    let changes = records.map(|table| WaitKind::new(table, "changed_at", Duration::ZERO, "TRUE", "times of changes"));
    let others = [
        ("events", "received_at", "events"),
        ("sync_attempts", "started_at", "delivery attempts"),
        ("adoptions", "changed_at", "adoptions"),
        ("destinations", "audited_at", "audits"),
        ("findings", "found_at", "findings"),
        ("alerts", "raised_at", "alerts"),
        ("alerts", "told_at", "what was told of alerts"),
        ("alert_notices", "created_at", "notifications"),
        ("tokens", "last_used_at", "uses of tokens"),
    ];
    let others = others.map(|(table, column, what)| WaitKind::new(table, column, Duration::ZERO, "TRUE", what));
    // What a clock ahead of the true one delivered may show a state that has not come yet.
    let delivered = WaitKind::new("sync_items", "synced_at", Duration::ZERO, "TRUE", "deliveries");
    let delivered = delivered.repaired_by("synced_at = ?, judge_at = ?");
    changes.into_iter().chain([delivered]).chain(others).collect()
}

fn kinds(longest: &Longest, extent: Extent) -> Vec<WaitKind> {
    let mut kinds = waits(longest);
    if extent == Extent::All {
        kinds.extend(happened());
    }
    kinds
}

impl Store {
    /// The stored times that are further ahead of `now` than they can be.
    pub async fn future_times(
        &self,
        now: Timestamp,
        longest: &Longest,
        extent: Extent,
    ) -> Result<Vec<FutureTimes>, StoreError> {
        let mut found = Vec::new();
        for kind in kinds(longest, extent) {
            found.extend(self.future_of(&kind, now).await?);
        }
        Ok(found)
    }

    /// Ends waits that are further ahead of `now` than they can be, and sets times of events after now to now. Returns
    /// what it found.
    pub async fn repair_future_times(
        &self,
        now: Timestamp,
        longest: &Longest,
        extent: Extent,
    ) -> Result<Vec<FutureTimes>, StoreError> {
        let mut repaired = Vec::new();
        for kind in kinds(longest, extent) {
            // Read first: nearly always there are none, and a read does not delay writers.
            let Some(found) = self.future_of(&kind, now).await? else { continue };
            while self.repair_step(&kind, now).await? >= STEP {}
            repaired.push(found);
        }
        Ok(repaired)
    }

    async fn future_of(&self, kind: &WaitKind, now: Timestamp) -> Result<Option<FutureTimes>, StoreError> {
        let WaitKind { table, column, what, rows, .. } = kind;
        let sql =
            format!("SELECT count(*) AS count, max({column}) AS furthest FROM {table} WHERE {rows} AND {column} > ?");
        let found = query(&self.read, &sql, vec![kind.end(now).into()]).await?;
        let Some(row) = found.first() else { return Ok(None) };
        let furthest: Option<i64> = row.try_get("", "furthest")?;
        let count = row.try_get::<i64>("", "count")?.unsigned_abs();
        let place = format!("{table}.{column}");
        Ok(furthest.map(|furthest| FutureTimes { place, what, count, furthest: Timestamp(furthest) }))
    }

    async fn repair_step(&self, kind: &WaitKind, now: Timestamp) -> Result<u64, StoreError> {
        let WaitKind { table, column, rows, repair, .. } = kind;
        let key = match *table {
            "sync_items" => "(destination, site_id, kind, moodle_id)",
            "brake_effects" => "(destination, site_id, kind, moodle_id, effect)",
            "users" | "courses" | "enrolments" | "grades" | "completions" => "(site_id, moodle_id)",
            "changes" => "(site_id, kind, moodle_id)",
            "turns" | "alert_turns" | "destinations" => "name",
            "console_sessions" => "hash",
            "delivery_processes" => "(destination, process)",
            _ => "id",
        };
        // Locked rows are skipped: their holder writes a new time anyway, and this avoids deadlocks.
        let lock = skip_locked(self.backend());
        let picked = key.trim_matches(['(', ')']);
        let sql = format!(
            "UPDATE {table} SET {repair} WHERE {key} IN (SELECT {picked} FROM {table} WHERE {rows} AND {column} > ? LIMIT {STEP} {lock})"
        );
        let mut values = vec![now.0.into(); repair.matches('?').count()];
        values.push(kind.end(now).into());
        execute(&self.write, &sql, values).await
    }
}
