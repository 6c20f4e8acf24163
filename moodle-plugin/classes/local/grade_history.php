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
 * Finds changes of grades for which Moodle fires no event: a grade was hidden or shown, or only its feedback changed.
 *
 * Moodle also writes each change to its grade history, unless the site has disabled that. Changes that an event has reported are
 * found again; the sender skips them, because the backend already holds their state.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class grade_history {
    /** @var string key in the memory: watermark of the history read so far, Unix seconds */
    const STATE = 'gradehistory';
    /** @var int seconds to read again: rows appear only when their transaction commits, and the clocks of web servers differ */
    const OVERLAP = 120;

    /**
     * Enqueues the grades that changed since the last call.
     *
     * @param memory $memory
     */
    public static function enqueue_changes(memory $memory): void {
        global $DB;
        $now = time();
        $last = $memory->get(self::STATE)['time'] ?? null;
        $memory->set(self::STATE, ['time' => $now]);
        if ($last === null) {
            return; // Earlier changes belong to the first full synchronisation.
        }
        [$columns, $from, $where] = records::TABLES[change::GRADE];
        // Only within a transaction does Moodle let MySQL read without locking the rows.
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
