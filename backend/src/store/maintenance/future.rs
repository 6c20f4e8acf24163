//! Stored times that lie too far ahead: written by a clock that was wrong. What is waited for until then would never come.
//!
//! Each kind of time has the longest that it can lie ahead; beyond that it counts as over. This one list serves to find them, for
//! whoever asks, and to repair them.

use std::time::Duration;

use crate::{
    clock::Timestamp,
    limits,
    model::Lane,
    store::{
        StoreError,
        connection::connect::Store,
        sql::{execute, query, skip_locked},
    },
};

/// The longest that times of the configuration lie ahead.
#[derive(Clone, Copy, Debug)]
pub struct Longest {
    /// The lease of an item.
    pub lease: Duration,
    /// Until a record is delivered again.
    pub repeat: Duration,
    /// Between two looks of the alerts.
    pub look: Duration,
    /// Until an alert is told of again; none when it never is.
    pub remind: Option<Duration>,
}

/// Times of one kind that lie too far ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FutureTimes {
    /// Table and column.
    pub place: String,
    /// What they are.
    pub what: &'static str,
    /// How many.
    pub count: u64,
    /// The one that lies furthest ahead.
    pub furthest: Timestamp,
}

/// Which of them are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What something waits for: found by indexes, or in small tables.
    Waits,
    /// Also when something happened: whole tables are read.
    All,
}

struct WaitKind {
    table: &'static str,
    column: &'static str,
    what: &'static str,
    /// Which rows; SQL.
    rows: String,
    longest: Duration,
    /// SQL; each parameter is the present time.
    repair: String,
}

impl WaitKind {
    fn new(table: &'static str, column: &'static str, longest: Duration, rows: &str, what: &'static str) -> Self {
        Self { table, column, what, rows: rows.to_owned(), longest, repair: format!("{column} = ?") }
    }

    fn repaired_by(self, sql: &str) -> Self {
        Self { repair: sql.to_owned(), ..self }
    }

    /// From when on such a time lies too far ahead.
    fn end(&self, now: Timestamp) -> i64 {
        now.after(self.longest).after(limits::CLOCK_SLACK).0
    }
}

/// Rows that one statement repairs: short enough not to keep a writer waiting.
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
        WaitKind::new("alert_turns", "due_at", longest.look, "TRUE", "the next look for alerts"),
        WaitKind::new("alert_turns", "lease_until", limits::ALERT_TURN, "TRUE", "the turn to look for alerts"),
        WaitKind::new(
            "alert_notices",
            "next_at",
            limits::NOTIFICATION_LONGEST_BACKOFF,
            "state = 'pending'",
            "notices that wait",
        ),
        WaitKind::new(
            "alert_notices",
            "lease_until",
            limits::NOTIFICATION_LEASE,
            "state = 'sending'",
            "notices that are being sent",
        ),
        WaitKind::new(
            "destinations",
            "check_at",
            at_destination,
            "TRUE",
            "the next look whether a paused destination works",
        ),
        WaitKind::new(
            "destinations",
            "refresh_lease_until",
            limits::LONGEST_TURN,
            "TRUE",
            "the turn to fetch an access token",
        ),
        WaitKind::new("destinations", "access_expires_at", at_destination, "TRUE", "access tokens")
            .repaired_by("access_token = NULL, access_expires_at = NULL"),
        WaitKind::new("console_sessions", "expires_at", limits::CONSOLE_SESSION, "TRUE", "sessions of the console"),
        // It is as long away as it was meant to be.
        WaitKind::new("erasures", "requested_at", Duration::ZERO, "state = 'requested'", "erasures that wait")
            .repaired_by("due_at = due_at - requested_at + ?, requested_at = ?"),
        WaitKind::new("erasures", "check_at", last_check, done, "checks of erasures"),
        WaitKind::new("sync_items", "due_at", retry, &pending, "records that wait for their delivery")
            .repaired_by("due_at = ?, changed_at = CASE WHEN changed_at > ? THEN ? ELSE changed_at END"),
        // Twice, because another process may have another setting for a while.
        WaitKind::new("sync_items", "lease_until", longest.lease * 2, &in_flight, "records that are being delivered"),
    ];
    if let Some(remind) = longest.remind {
        kinds.push(WaitKind::new("alerts", "remind_at", remind, "resolved_at IS NULL", "reminders of alerts"));
    }
    kinds
}

/// When something happened. It delays nothing by itself, but what is old would never go, and what is new would be old.
fn happened() -> Vec<WaitKind> {
    let records = ["users", "courses", "enrolments", "grades", "completions", "changes"];
    let changes = records.map(|table| WaitKind::new(table, "changed_at", Duration::ZERO, "TRUE", "moments of changes"));
    let others = [
        ("events", "received_at", "events"),
        ("sync_items", "synced_at", "deliveries"),
        ("sync_attempts", "started_at", "attempts to deliver"),
        ("destinations", "audited_at", "audits"),
        ("alerts", "raised_at", "alerts"),
        ("alert_notices", "created_at", "notices"),
        ("tokens", "last_used_at", "uses of tokens"),
    ];
    let others = others.map(|(table, column, what)| WaitKind::new(table, column, Duration::ZERO, "TRUE", what));
    changes.into_iter().chain(others).collect()
}

fn kinds(longest: &Longest, extent: Extent) -> Vec<WaitKind> {
    let mut kinds = waits(longest);
    if extent == Extent::All {
        kinds.extend(happened());
    }
    kinds
}

impl Store {
    /// The stored times that lie further ahead of `now` than they can.
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

    /// Ends the waits that lie further ahead of `now` than they can, and puts what happened later than now to now. Returns what it
    /// found.
    pub async fn repair_future_times(
        &self,
        now: Timestamp,
        longest: &Longest,
        extent: Extent,
    ) -> Result<Vec<FutureTimes>, StoreError> {
        let mut repaired = Vec::new();
        for kind in kinds(longest, extent) {
            // Read first: nearly always there are none, and writers need not be kept waiting.
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
            "users" | "courses" | "enrolments" | "grades" | "completions" => "(site_id, moodle_id)",
            "changes" => "(site_id, kind, moodle_id)",
            "turns" | "alert_turns" | "destinations" => "name",
            "console_sessions" => "hash",
            _ => "id",
        };
        // Who holds one of them writes a new time anyway; and nobody waits for another in a circle.
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
