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
 * Reads from the primary database where Moodle has read-only replicas, too. A replica may be behind: what is read there as the
 * present state would be sent as such, and the change that it lacks would count as sent.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class primary {
    /**
     * Reads.
     *
     * @param callable $read
     * @return mixed what it returns
     */
    public static function read(callable $read) {
        global $DB;
        // Moodle never asks a replica within a transaction.
        $transaction = $DB->start_delegated_transaction();
        try {
            $result = $read();
            $transaction->allow_commit();
            return $result;
        } catch (\Throwable $e) {
            $transaction->rollback($e); // Throws it again.
        }
    }
}
