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

use local_backend_sync\local\alert;
use local_backend_sync\local\outbox;

/**
 * Watches over the deliveries. It is a task of its own, because whatever ends the process that sends would also end the alert.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class watch extends \core\task\scheduled_task {
    /**
     * Name for the list of scheduled tasks.
     *
     * @return string
     */
    public function get_name() {
        return get_string('taskwatch', 'local_backend_sync');
    }

    /**
     * Alerts administrators when needed, and keeps the outbox small during an outage.
     */
    public function execute() {
        outbox::compact();
        alert::check();
    }
}
