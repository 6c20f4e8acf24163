//! A big database, created with SQL in seconds: a college's data after some years.
//!
//! For what must be measured on a full database rather than while filling it. Everything adds up, as after real
//! traffic: each record has its place in the change feed and its sync item in one state, and the counter is at the last
//! event.

use backend_sync::{clock::Clock, limits};
use sea_orm::{ConnectionTrait, Database as Connector, TransactionTrait};

use crate::{Failed, database::Database};

/// The number of rows of each kind, all derived from the number of events.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) events: u64,
    pub(crate) users: u64,
    pub(crate) courses: u64,
}

/// Per user.
const USER_ENROLMENTS: u64 = 3;
const USER_GRADES: u64 = 5;
/// Per course.
const COURSE_ITEMS: u64 = 10;
/// The period of the longest chart, in minutes.
const ACTIVITY_MINUTES: u64 = 7 * 24 * 60;
/// Counts are kept by the minute for so long, and by the hour before.
const BY_MINUTE: u64 = limits::MINUTES_KEPT.as_secs() / 60;
/// The age of the last event, and the distance between consecutive events.
const EVENT_INTERVAL_MS: u64 = 10_000;

impl Extent {
    /// A million events are those of 20,000 users, with 200,000 records.
    pub(crate) fn of(events: u64) -> Self {
        Self { events, users: events / 50, courses: events / 2_500 }
    }

    /// Records, each of which has a sync item.
    pub(crate) fn records(self) -> u64 {
        // Each user has one completion.
        self.users * (1 + USER_ENROLMENTS + USER_GRADES + 1) + self.courses
    }
}

/// Fills a database whose migrations are applied and whose first site was added.
pub(crate) async fn fill(database: &Database, extent: Extent) -> Result<(), Failed> {
    let connection = Connector::connect(&database.url).await?;
    let is_sqlite = database.url.starts_with("sqlite");
    let transaction = connection.begin().await?;
    for statement in statements(extent, is_sqlite) {
        transaction.execute_unprepared(&statement).await.map_err(|error| format!("{error}:\n{statement}"))?;
    }
    transaction.commit().await?;
    connection.close().await?;
    database.settle().await
}

/// Inserts the result of `select` for the numbers `i` from 1 to `count`.
fn insert(table: &str, columns: &str, count: u64, select: &str) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         INSERT INTO {table} ({columns}) SELECT {select} FROM n"
    )
}

fn statements(extent: Extent, is_sqlite: bool) -> Vec<String> {
    let Extent { events, users, courses } = extent;
    let now = Clock::system().now().0;
    let mut statements = records(extent, now);
    let uuid = if is_sqlite { "randomblob(16)" } else { "gen_random_uuid()" };
    let (grades, enrolments) = (users * USER_GRADES, users * USER_ENROLMENTS);
    statements.push(insert(
        "events",
        "id, site_id, client_id, event_type, kind, moodle_id, userid, version_time, version_sequence, received_at, outcome, data",
        events,
        &format!(
            "i, 1, {uuid}, CASE WHEN i % 10 < 6 THEN 'grade_updated' WHEN i % 10 < 8 THEN 'enrolment_updated' ELSE 'user_updated' END, \
             CASE WHEN i % 10 < 6 THEN 'grade' WHEN i % 10 < 8 THEN 'enrolment' ELSE 'user' END, \
             1 + i % CASE WHEN i % 10 < 6 THEN {grades} WHEN i % 10 < 8 THEN {enrolments} ELSE {users} END, 1 + i % {users}, \
             1700000000 + i * 10, i, {now} - (CAST({events} AS bigint) - i) * {EVENT_INTERVAL_MS}, \
             CASE WHEN i % 20 = 0 THEN 'unchanged' WHEN i % 50 = 1 THEN 'superseded' ELSE 'applied' END, \
             '{{\"gradeid\":\"' || (1 + i % {grades}) || '\",\"userid\":\"' || (1 + i % {users}) || '\",\"itemid\":\"' || \
             (1 + i % {items}) || '\",\"itemname\":\"Essay ' || (i % {items}) || '\",\"itemtype\":\"mod\",\"itemmodule\":\"assign\",\
             \"grademin\":\"0.00000\",\"grademax\":\"100.00000\",\"finalgrade\":\"' || (i % 100) || '.00000\",\"feedback\":\
             \"<p>Good work &mdash; the second half is the stronger one.\\nMind the references.</p>\",\"hidden\":false,\
             \"timecreated\":\"1700000000\",\"timemodified\":\"' || (1700000000 + i * 10) || '\"}}'",
            items = courses * COURSE_ITEMS,
        ),
    ));
    statements.push(format!("UPDATE counters SET value = {events} WHERE name = 'event'"));
    statements.extend(delivery(extent, now));
    for (name, most) in [("applied", 40), ("unchanged", 5), ("duplicate", 3), ("rejected", 1)] {
        let counted = format!("{now} / 60000 - {ACTIVITY_MINUTES} + i, 'site:college', '{name}', 1 + i * 7 % {most}");
        statements.push(activity(&counted));
    }
    for (name, most) in [("delivered", 40), ("delay_1000", 30), ("delay_5000", 10), ("retried", 2), ("failed", 1)] {
        let counted =
            format!("{now} / 60000 - {ACTIVITY_MINUTES} + i, 'destination:zoho', '{name}', 1 + i * 7 % {most}");
        statements.push(activity(&counted));
    }
    statements
}

fn activity(counted: &str) -> String {
    let all = insert("activity", "minute, subject, name, count", ACTIVITY_MINUTES, counted);
    format!("{all} WHERE i % 60 = 0 OR i > {ACTIVITY_MINUTES} - {BY_MINUTE}")
}

fn records(extent: Extent, now: i64) -> Vec<String> {
    let Extent { users, courses, .. } = extent;
    let items = courses * COURSE_ITEMS;
    let held = "deleted, version_time, version_sequence, presence_time, presence_sequence, changed_at";
    // One in a hundred is deleted.
    let as_held = format!("i % 100 = 0, 1700000000 + i, i, 1700000000 + i, i, {now} - i * 1000");
    let record = |table: &str, columns: &str, count: u64, select: &str| {
        insert(table, &format!("site_id, moodle_id, {held}, {columns}"), count, &format!("1, i, {as_held}, {select}"))
    };
    vec![
        record(
            "users",
            "username, firstname, lastname, email, idnumber, city, country, lang, timezone, auth, confirmed, suspended, timecreated, timemodified",
            users,
            "'student' || i, CASE i % 4 WHEN 0 THEN 'Zoë' WHEN 1 THEN 'Ann' WHEN 2 THEN '梓涵' ELSE 'Callum' END, 'Student ' || i, \
             'student' || i || '@college.example', 'S-' || i, 'Leeds', 'GB', 'en', '99', 'manual', TRUE, i % 50 = 0, 1700000000, 1700000000 + i",
        ),
        record(
            "courses",
            "fullname, shortname, idnumber, categoryname, categoryid, format, visible, startdate, timecreated, timemodified",
            courses,
            "'Course ' || i, 'C-' || i, '2026/C-' || i, 'Engineering', 2, 'topics', TRUE, 1700000000, 1700000000, 1700000000 + i",
        ),
        record(
            "enrolments",
            "userid, courseid, enrol, roles, enabled, roleid, status, timestart, timecreated, timemodified",
            users * USER_ENROLMENTS,
            &format!(
                "1 + i % {users}, 1 + i * 7 % {courses}, 'manual', '[{{\"shortname\":\"student\",\"archetype\":\"student\"}}]', TRUE, 5, 0, \
                 1700000000, 1700000000, 1700000000 + i"
            ),
        ),
        insert(
            "grade_items",
            "site_id, moodle_id, itemname, itemtype, itemmodule, grademin, grademax, gradepass, courseid, gradetype, version_time",
            items,
            &format!(
                "1, i, 'Essay ' || i, 'mod', 'assign', '0.00000', '100.00000', '40.00000', 1 + i % {courses}, 1, 1700000000"
            ),
        ),
        record(
            "grades",
            "userid, itemid, finalgrade, feedback, grader, hidden, timecreated, timemodified",
            users * USER_GRADES,
            &format!(
                "1 + i % {users}, 1 + i * 13 % {items}, CASE WHEN i % 20 = 0 THEN NULL ELSE (i % 100) || '.00000' END, \
                 '<p>Good work &mdash; the second half is the stronger one.</p>', 3, FALSE, 1700000000, 1700000000 + i"
            ),
        ),
        record(
            "completions",
            "userid, courseid, timecompleted",
            users,
            &format!("i, 1 + i * 7 % {courses}, 1700000000 + i"),
        ),
    ]
}

/// The change feed, the sync items, and attempts to deliver them.
fn delivery(extent: Extent, now: i64) -> Vec<String> {
    let mut statements = Vec::new();
    let mut position = extent.events - extent.records();
    let kinds = [
        ("user", extent.users),
        ("course", extent.courses),
        ("enrolment", extent.users * USER_ENROLMENTS),
        ("grade", extent.users * USER_GRADES),
        ("completion", extent.users),
    ];
    for (kind, count) in kinds {
        let columns = "site_id, kind, moodle_id, position, deleted, changed_at";
        let change = format!("1, '{kind}', i, {position} + i, i % 100 = 0, {now} - i * 1000");
        statements.push(insert("changes", columns, count, &change));
        position += count;
    }
    statements.push(format!("INSERT INTO destinations (name, created_at) VALUES ('zoho', {now} - 86400000)"));
    // Of a thousand, 5 failed, 20 are parked for a user who failed, and 20 are pending; users and courses never wait
    // for others.
    let state = "CASE WHEN kind = 'completion' THEN 'synced' WHEN moodle_id % 1000 < 5 THEN 'failed' \
                 WHEN moodle_id % 1000 < 25 AND kind IN ('enrolment', 'grade') THEN 'parked' \
                 WHEN moodle_id % 1000 < 45 THEN 'pending' ELSE 'synced' END";
    statements.push(format!(
        "INSERT INTO sync_items (destination, site_id, kind, moodle_id, state, lane, revision, changed_at, due_at, attempts, remote_id, \
         digest, synced_at, waits_kind, waits_id, code, reason) \
         SELECT 'zoho', site_id, kind, moodle_id, state, \
         CASE kind WHEN 'user' THEN CASE state WHEN 'synced' THEN 6 ELSE 0 END WHEN 'course' THEN CASE state WHEN 'synced' THEN 5 ELSE 1 END \
         WHEN 'enrolment' THEN 2 WHEN 'grade' THEN 3 ELSE 4 END, \
         1, changed_at, changed_at, CASE state WHEN 'failed' THEN 3 ELSE 0 END, \
         CASE WHEN state = 'synced' AND kind <> 'completion' THEN '52' || (10000000000000000 + position) END, \
         CASE WHEN state = 'synced' AND kind <> 'completion' THEN 'b1b815449acf64d0cdf4a4efe7eac6321313188fc253a83d610599295cc464dc' END, \
         CASE state WHEN 'synced' THEN changed_at + 800 END, \
         CASE state WHEN 'parked' THEN 'user' END, CASE state WHEN 'parked' THEN 1000 + moodle_id % 4 END, \
         CASE WHEN state = 'parked' THEN 'waits_for_user' WHEN state = 'failed' AND kind = 'user' THEN 'email_taken' \
         WHEN state = 'failed' THEN 'invalid_value' WHEN kind = 'completion' THEN 'not_mapped' END, \
         CASE WHEN state = 'parked' THEN 'It waits for user college:' || (1000 + moodle_id % 4) || ', which failed and needs a person.' \
         WHEN state = 'failed' THEN 'Zoho refuses the value of a field. Correct it in Moodle, or the mapping.' \
         WHEN kind = 'completion' THEN 'The mapping has no table for completion records.' END \
         FROM (SELECT *, {state} AS state FROM changes) AS items"
    ));
    statements.push(
        "INSERT INTO sync_attempts (destination, site_id, kind, moodle_id, revision, started_at, duration_ms, outcome, code, message, remote_id) \
         SELECT 'zoho', site_id, kind, moodle_id, revision, changed_at + 100, 40 + moodle_id % 200, \
         CASE state WHEN 'synced' THEN 'inserted' ELSE 'failed' END, code, reason, remote_id FROM sync_items \
         WHERE state IN ('synced', 'failed') AND kind <> 'completion' ORDER BY changed_at"
            .to_owned(),
    );
    statements
}
