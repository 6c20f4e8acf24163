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
use local_backend_sync\local\delivery\memory;

/**
 * Finds changes of the gradebook for which Moodle fires no event: a grade was hidden or shown, or only its feedback changed; a
 * category was hidden or shown.
 *
 * Moodle also writes each change to its grade history, unless the site has disabled that. Changes that an event has reported are
 * found again, once; the sender skips them, because the backend already holds their state.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class grade_history {
    /** @var string key in the memory: time of the last call, Unix seconds; seen: ranges of ids, by table */
    const STATE = 'gradehistory';
    /** @var int seconds to read again: rows appear only when their transaction commits, and the clocks of web servers differ */
    const OVERLAP = 120;
    /** @var int ranges of ids to remember: some 20 kB. What is forgotten is only found again. */
    const RANGES = 1000;
    /** @var string table with the changes of grades */
    const GRADES = 'grade_grades_history';
    /** @var string table with the changes of categories */
    const CATEGORIES = 'grade_categories_history';

    /**
     * Enqueues the grades that changed since the last call.
     *
     * @param memory $memory
     */
    public static function enqueue_changes(memory $memory): void {
        global $CFG, $DB;
        require_once($CFG->libdir . '/grade/constants.php');
        $now = time();
        $last = $memory->get(self::STATE);
        $since = min($last['time'] ?? $now, $now) - self::OVERLAP;
        $state = ['time' => $now, 'seen' => []];
        // Only within a transaction does Moodle let MySQL read without locking the rows, and read no replica.
        $transaction = $DB->start_delegated_transaction();
        foreach ([self::GRADES, self::CATEGORIES] as $table) {
            [$state['seen'][$table], $new] = self::read($table, $since, $last['seen'][$table] ?? []);
            // Earlier changes belong to the first full synchronisation.
            foreach ($last ? $new : [] as $range) {
                self::enqueue($table, $since, $range);
            }
        }
        $memory->set(self::STATE, $state);
        $transaction->allow_commit();
    }

    /**
     * Reads which rows there are.
     *
     * @param string $table
     * @param int $since Unix seconds
     * @param int[][] $seen ranges of ids, ascending
     * @return int[][][] ranges of all ids, without those in between, which may appear later; ranges in which no row has been seen
     */
    private static function read(string $table, int $since, array $seen): array {
        global $DB;
        $all = [];
        $new = [];
        $isrun = false;
        $rows = $DB->get_recordset_select($table, 'timemodified >= ?', [$since], 'id', 'id');
        foreach ($rows as $row) {
            $id = (int)$row->id;
            $end = count($all) - 1;
            if ($end >= 0 && $all[$end][1] === $id - 1) {
                $all[$end][1] = $id;
            } else {
                $all[] = [$id, $id];
            }
            while ($seen && $seen[0][1] < $id) {
                array_shift($seen);
            }
            $isnew = !$seen || $seen[0][0] > $id;
            if ($isnew && $isrun) {
                $new[count($new) - 1][1] = $id;
            } else if ($isnew) {
                $new[] = [$id, $id];
            }
            $isrun = $isnew;
        }
        $rows->close();
        return [array_slice($all, -self::RANGES), $new];
    }

    /**
     * Enqueues what changed.
     *
     * @param string $table
     * @param int $since Unix seconds
     * @param int[] $range first and last id
     */
    private static function enqueue(string $table, int $since, array $range): void {
        global $DB;
        $now = time();
        $params = array_merge([$since], $range);
        $insert = "INSERT INTO {" . outbox::TABLE . "} (kind, objectid, userid, courseid, itemid, event, timecreated, timedue)";
        $changed = 'h.timemodified >= ? AND h.id BETWEEN ? AND ?';
        if ($table === self::GRADES) {
            [$columns, $from, $where] = records::TABLES[change::GRADE];
            $DB->execute("
                $insert
                SELECT DISTINCT '" . change::GRADE . "', $columns, 'updated', $now, 0
                  FROM $from
                  JOIN {" . $table . "} h ON h.oldid = t.id
                 WHERE $changed AND $where AND " . outbox::not_waiting(change::GRADE, 't.id'), $params);
        } else {
            $DB->execute("
                $insert
                SELECT DISTINCT '" . fanout::GRADES . "', 0, 0, h.courseid, 0, 'updated', $now, 0
                  FROM {" . $table . "} h
                 WHERE $changed AND h.action <> " . GRADE_HISTORY_INSERT, $params);
        }
    }
}
