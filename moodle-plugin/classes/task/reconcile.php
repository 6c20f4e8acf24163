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

namespace local_backend_sync\task;

use local_backend_sync\local\backfill;
use local_backend_sync\local\config;
use local_backend_sync\local\database_memory;
use local_backend_sync\local\delivery\parity;

/**
 * Reconciles everything with the backend every night, to find changes that Moodle reports by no event.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class reconcile extends \core\task\scheduled_task {
    /**
     * Name for the list of scheduled tasks.
     *
     * @return string
     */
    public function get_name() {
        return get_string('taskreconcile', 'local_backend_sync');
    }

    /**
     * Requests a full synchronisation, unless one is running or paused, or an administrator has never started the first.
     */
    public function execute() {
        $memory = new database_memory();
        $state = (new backfill($memory))->state();
        if (!(new config())->is_sending() || !$state) {
            mtrace('Nothing to compare: no full synchronisation has been started yet.');
        } else if ($memory->get(backfill::REQUEST)) {
            mtrace('An administrator\'s request comes first.');
        } else if (in_array($state['status'], [backfill::RUNNING, backfill::PAUSED], true)) {
            mtrace('A full synchronisation is already running or paused.');
        } else {
            backfill::request($memory, backfill::RUNNING, true);
            parity::request($memory, parity::NIGHTLY);
            mtrace('Requested a full synchronisation, and then a comparison with the backend.');
            mtrace('The task that sends changes does both.');
        }
    }
}
