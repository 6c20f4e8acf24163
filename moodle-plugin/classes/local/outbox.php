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
 * The changes that wait to be sent. A row is written in the transaction of the change that it tells of, so it is there if, and
 * only if, the change is. It holds ids alone: the state is read when it is sent.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class outbox implements queue {
    /** @var string */
    const TABLE = 'local_backend_sync_outbox';
    /** @var int rows of the chosen records that are taken at once; what is above waits for the next turn */
    const ROWS = 20000;
    /** @var int rows above which repeated ones are thrown away while the backend is gone: some 20 MB */
    const COMPACT_ABOVE = 100000;

    /**
     * Adds a row. This is all that happens in Moodle's page and transaction, so it must be quick and must not fail.
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
        // Raw, because the row is known to be good, and without asking for its id: this takes half the time.
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
     * The changes that have waited longest, each with all that happened to its record.
     *
     * @param int $limit
     * @return change[]
     */
    public function next(int $limit): array {
        return primary::read(function () use ($limit) {
            return $this->choose($limit, time());
        });
    }

    /**
     * Chooses the changes.
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
     * Adds the later rows of the same records, so that a record is sent once, however often it changed.
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
     * Deletes the rows that the changes consist of, and no others: there may be newer ones by now.
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
     * Adds changes that are not to be sent before a time. They replace such rows of the same records.
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
     * Keeps the outbox small while the backend is gone: of rows of the same record, the newest says all. Its size is then bounded
     * by the number of records, however long this lasts.
     *
     * @param int $above rows up to which nothing is done
     */
    public static function compact(int $above = self::COMPACT_ABOVE): void {
        global $DB;
        if ($DB->count_records(self::TABLE) <= $above) {
            return;
        }
        $same = 'l.kind = o.kind AND l.objectid = o.objectid AND l.userid = o.userid AND l.courseid = o.courseid';
        // MySQL lets no statement read the table that it deletes from, except through a table made by the way; and only within a
        // transaction has Moodle it lock no more than the rows that are deleted.
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
