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

use local_backend_sync\local\reasons;
use local_backend_sync\local\runner;
use local_backend_sync\local\secret;

/**
 * Sends waiting changes every minute.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class send extends \core\task\scheduled_task {
    /** @var int seconds of one run: less than the minute after which the next one starts */
    const SECONDS = 50;

    /**
     * Name for the list of scheduled tasks.
     *
     * @return string
     */
    public function get_name() {
        return get_string('tasksend', 'local_backend_sync');
    }

    /**
     * Sends waiting changes.
     */
    public function execute() {
        secret::seal_stored();
        $report = runner::run(self::SECONDS);
        if (!$report) {
            mtrace(runner::busy());
            return;
        }
        mtrace("Sent: {$report->sent}, unchanged: {$report->unchanged}, rejected: {$report->rejected}, "
            . "requests: {$report->requests}.");
        if ($report->failure) {
            mtrace('Stopped: ' . reasons::of($report->failure));
        } else if ($report->waituntil) {
            mtrace('The last delivery failed. Next retry in ' . ($report->waituntil - time()) . ' s.');
        }
    }
}
