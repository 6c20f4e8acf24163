<?php
// This file is part of Moodle - http://moodle.org/
//
// Moodle is free software: you can redistribute it and/or modify
// it under the terms of the GNU General Public License as published by
// the Free Software Foundation, either version 3 of the License, or
// (at your option) any later version.
//
// Moodle is distributed in the hope that it will be useful,
// but WITHOUT ANY WARRANTY; without even the implied warranty of
// MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
// GNU General Public License for more details.
//
// You should have received a copy of the GNU General Public License
// along with Moodle.  If not, see <http://www.gnu.org/licenses/>.

namespace local_backend_sync\local;

use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\queue;

/**
 * The outbox: changes waiting to be sent. A row is written in the same transaction as the change itself, so the row exists if
 * and only if the change does. It holds only ids; the state is read on sending.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class outbox implements queue {
    /** @var string name of the table */
    const TABLE = 'local_backend_sync_outbox';
    /** @var int rows to coalesce at once; the rest waits for the next call */
    const ROWS = 20000;
    /** @var int rows from which an outage makes the outbox drop repeated ones: some 20 MB */
    const COMPACT_ABOVE = 100000;

    /**
     * Adds a row. This is all that happens within Moodle's page and transaction, so it must be fast and must not fail.
     *
     * @param string $kind one of change::KINDS or of fanout's
     * @param int $objectid
     * @param string $event created, updated or deleted
     * @param int $userid
     * @param int $courseid
     * @param int $itemid
     */
    public static function add(
        string $kind,
        int $objectid,
        string $event,
        int $userid = 0,
        int $courseid = 0,
        int $itemid = 0
    ): void {
        global $DB;
        // Raw, because the row needs no checks, and without fetching the new id: this takes half the time.
        $DB->insert_record_raw(self::TABLE, [
            'kind' => $kind,
            'objectid' => $objectid,
            'userid' => $userid,
            'courseid' => $courseid,
            'itemid' => $itemid,
            'event' => $event,
            'timecreated' => time(),
            'timedue' => 0,
        ], false);
    }

    /**
     * A condition for records that are not waiting to be sent anyway, so that rows of the same record do not pile up. Only the
     * sender may use it: it has not read the rows that it finds.
     *
     * @param string $kind
     * @param string $objectid SQL
     * @return string SQL
     */
    public static function not_waiting(string $kind, string $objectid): string {
        // One list to look into. As an anti-join, PostgreSQL compares each record with each row while it believes that the table is
        // as small as it usually is: 100,000 grades of a course took it more than ten minutes.
        return "$objectid NOT IN (SELECT w.objectid FROM {" . self::TABLE . "} w WHERE w.kind = '$kind'
            AND w.event <> 'deleted' AND w.timedue <= " . time() . ")";
    }

    /**
     * The changes that have waited longest, each with all rows of its record.
     *
     * @param int $limit
     * @return change[]
     */
    public function next(int $limit): array {
        return primary::read(function () use ($limit) {
            return $this->with_totals($this->choose($limit, time()));
        });
    }

    /**
     * Adds the totals that contain changed grades, because what is hidden in them may make students see another value.
     *
     * @param change[] $changes by key
     * @return change[] by key
     */
    private function with_totals(array $changes): array {
        $pairs = [];
        foreach ($changes as $change) {
            if ($change->kind === change::GRADE && $change->userid && $change->courseid) {
                $pairs[$change->courseid][$change->userid] = $change->time;
            }
        }
        foreach ($pairs ? grade_visibility::totals_of($pairs) : [] as $row) {
            $total = change::from_row($row);
            $total->time = $pairs[$row->courseid][$row->userid];
            $changes += [$total->key() => $total];
        }
        return $changes;
    }

    /**
     * Reads the oldest due rows, expanding fan-outs, and coalesces them.
     *
     * @param int $limit
     * @param int $now
     * @return change[]
     */
    private function choose(int $limit, int $now): array {
        global $DB;
        do {
            $rows = $DB->get_records_select(self::TABLE, 'timedue <= ?', [$now], 'id', '*', 0, $limit);
            $fanouts = array_filter($rows, [fanout::class, 'is_fanout']);
            if ($fanouts) {
                fanout::expand($fanouts);
            }
        } while ($fanouts);
        $changes = change::coalesce($rows);
        return count($rows) < $limit ? $changes : $this->complete($changes, $now);
    }

    /**
     * Adds later rows of the same records, so that a record is sent once, however often it changed.
     *
     * @param change[] $changes
     * @param int $now
     * @return change[]
     */
    private function complete(array $changes, int $now): array {
        $all = [];
        rows::each_group($changes, function ($where, $params) use (&$all, $now) {
            global $DB;
            $params['now'] = $now;
            $all += $DB->get_records_select(self::TABLE, "$where AND timedue <= :now", $params, 'id', '*', 0, self::ROWS);
        });
        ksort($all);
        return change::coalesce($all);
    }

    /**
     * Deletes exactly the rows that were coalesced: newer rows of the same records may have arrived since.
     *
     * @param change[] $changes
     */
    public function done(array $changes): void {
        global $DB;
        $ids = array_merge([], ...array_values(array_column($changes, 'rowids')));
        foreach (array_chunk($ids, rows::LIST_SIZE) as $chunk) {
            $DB->delete_records_list(self::TABLE, 'id', $chunk);
        }
    }

    /**
     * Adds changes that are not due before a given time. They replace rows of the same records that are not due yet.
     *
     * @param change[] $changes
     * @param int $until Unix seconds; 0 for now
     */
    public static function postpone(array $changes, int $until): void {
        rows::each_group($changes, function ($where, $params, $group) use ($until) {
            global $DB;
            $DB->delete_records_select(self::TABLE, "$where AND timedue > :now", $params + ['now' => time()]);
            $rows = [];
            foreach ($group as $change) {
                $rows[] = rows::columns($change) + ['event' => $change->event(), 'timecreated' => time(), 'timedue' => $until];
            }
            $DB->insert_records(self::TABLE, $rows);
        });
    }

    /**
     * Keeps only the newest row of each record, so that the number of records bounds the outbox, however long an outage lasts.
     *
     * @param int $above do nothing up to so many rows
     */
    public static function compact(int $above = self::COMPACT_ABOVE): void {
        global $DB;
        if ($DB->count_records(self::TABLE) <= $above) {
            return;
        }
        $same = 'l.kind = o.kind AND l.objectid = o.objectid AND l.userid = o.userid AND l.courseid = o.courseid';
        // MySQL cannot read the table that a statement deletes from, except through a derived table. And only within a transaction
        // does Moodle let MySQL lock just the rows to delete.
        $transaction = $DB->start_delegated_transaction();
        $DB->execute("
            DELETE FROM {" . self::TABLE . "}
             WHERE timedue = 0 AND id IN (
                   SELECT old.id
                     FROM (SELECT o.id
                             FROM {" . self::TABLE . "} o
                             JOIN (SELECT kind, objectid, userid, courseid, MAX(id) AS lastid
                                     FROM {" . self::TABLE . "}
                                    WHERE timedue = 0
                                 GROUP BY kind, objectid, userid, courseid
                                   HAVING COUNT(1) > 1) l ON $same AND o.id < l.lastid) old)");
        $transaction->allow_commit();
    }
}
