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

/**
 * Compares everything with what the backend holds, every night, and so finds what no event reported.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class reconcile extends \core\task\scheduled_task {
    /**
     * Name of the task.
     *
     * @return string
     */
    public function get_name() {
        return get_string('taskreconcile', 'local_backend_sync');
    }

    /**
     * Has the sender begin, unless it is at it, or nobody ever wanted everything to be sent.
     */
    public function execute() {
        $memory = new database_memory();
        $state = (new backfill($memory))->state();
        if (!(new config())->is_configured() || !$state) {
            mtrace('There was no first synchronisation yet: nothing to compare.');
        } else if (in_array($state['status'], [backfill::RUNNING, backfill::PAUSED], true)) {
            mtrace('A synchronisation of everything is at work or paused.');
        } else {
            backfill::request($memory, backfill::RUNNING, true);
            mtrace('The sender will compare everything.');
        }
    }
}
