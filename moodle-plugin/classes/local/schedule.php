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
 * This plugin's scheduled tasks after the clock was ahead: Moodle has planned their next runs by the wrong clock, and starts none
 * before that.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class schedule {
    /** @var string[] classes of the tasks */
    const TASKS = ['\local_backend_sync\task\send', '\local_backend_sync\task\reconcile'];
    /** @var int seconds by which the clocks of several servers of one site may differ */
    const TOLERANCE = 60;

    /**
     * Plans their next runs by the clock as it is now.
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
     * Whether the task that sends waits for a time that the wrong clock gave.
     *
     * @return bool
     */
    public static function is_sending_stuck(): bool {
        $task = manager::get_scheduled_task(self::TASKS[0]);
        return $task && self::is_stuck($task);
    }

    /**
     * Whether a task ran at a time that is yet to come, and is planned from there.
     *
     * @param scheduled_task $task
     * @return bool
     */
    public static function is_stuck(scheduled_task $task): bool {
        $last = (int)$task->get_last_run_time();
        return $last > time() + self::TOLERANCE && $task->get_next_run_time() > $last;
    }
}
