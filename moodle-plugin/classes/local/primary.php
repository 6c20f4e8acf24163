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

/**
 * Reads from the primary database, even if Moodle has read-only replicas. A replica may lag: an outdated state from there would
 * be sent as the present one, and the change that the replica lacks would count as sent.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class primary {
    /**
     * Calls a function whose reads all go to the primary.
     *
     * @param callable $read
     * @return mixed its result
     */
    public static function read(callable $read) {
        global $DB;
        // Moodle does not use replicas within a transaction.
        $transaction = $DB->start_delegated_transaction();
        try {
            $result = $read();
            $transaction->allow_commit();
            return $result;
        } catch (\Throwable $e) {
            $transaction->rollback($e); // Rethrows $e.
        }
    }
}
