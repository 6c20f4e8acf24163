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
 * Finds the changes of grades that Moodle reports by no event: hidden, shown, or with other feedback.
 *
 * Moodle writes each change of a grade to its grade history, too, unless the site has switched that off. What an event has reported
 * as well is found again; the sender then sees that the backend holds it already.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class grade_history {
    /** @var string name of what is remembered: until when it was read, Unix seconds */
    const STATE = 'gradehistory';
    /** @var int seconds that are read again: rows become visible when their transaction ends, and servers' clocks differ */
    const OVERLAP = 120;

    /**
     * Notes the grades that changed since the last time.
     *
     * @param memory $memory
     */
    public static function enqueue_changes(memory $memory): void {
        global $DB;
        $now = time();
        $last = $memory->get(self::STATE)['time'] ?? null;
        $memory->set(self::STATE, ['time' => $now]);
        if ($last === null) {
            return; // What was before is the first synchronisation's.
        }
        [$columns, $from, $where] = records::TABLES[change::GRADE];
        // Within a transaction, Moodle has MySQL read without locking what is read.
        $transaction = $DB->start_delegated_transaction();
        $DB->execute("
            INSERT INTO {" . outbox::TABLE . "} (kind, objectid, userid, courseid, itemid, event, timecreated, timedue)
            SELECT DISTINCT '" . change::GRADE . "', $columns, 'updated', $now, 0
              FROM $from
              JOIN {grade_grades_history} h ON h.oldid = t.id
             WHERE h.timemodified >= ? AND $where", [min($last, $now) - self::OVERLAP]);
        $transaction->allow_commit();
    }
}
