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

use core\task\manager;
use core\task\scheduled_task;

/**
 * Repairs the schedule of this plugin's tasks after the clock was ahead: Moodle has scheduled their next runs by the wrong clock,
 * and starts none before that time.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class schedule {
    /** @var string[] classes of the tasks; the first one sends */
    const TASKS = ['\local_backend_sync\task\send', '\local_backend_sync\task\watch', '\local_backend_sync\task\reconcile'];
    /** @var int seconds of skew between the servers of one site */
    const TOLERANCE = 60;

    /**
     * Reschedules stuck tasks by the present clock.
     */
    public static function reschedule(): void {
        foreach (self::TASKS as $class) {
            $task = manager::get_scheduled_task($class);
            if ($task && self::is_stuck($task)) {
                manager::configure_scheduled_task($task);
            }
        }
    }

    /**
     * Whether the task that sends is stuck.
     *
     * @return bool
     */
    public static function is_sending_stuck(): bool {
        $task = manager::get_scheduled_task(self::TASKS[0]);
        return $task && self::is_stuck($task);
    }

    /**
     * Whether a task is stuck: its last run is in the future, and the next one is later still.
     *
     * @param scheduled_task $task
     * @return bool
     */
    public static function is_stuck(scheduled_task $task): bool {
        $last = (int)$task->get_last_run_time();
        return $last > time() + self::TOLERANCE && $task->get_next_run_time() > $last;
    }
}
