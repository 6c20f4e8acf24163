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

use local_backend_sync\local\delivery\clock;
use local_backend_sync\local\delivery\health;

/**
 * Sends changes within the same second, without anybody waiting: after the page has gone to the browser.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class immediate {
    /** @var int seconds for a request: the web server's process is busy so long */
    const TIMEOUT = 5;
    /** @var int seconds in all; the scheduled task does what is left */
    const SECONDS = 10;
    /** @var int batches before the lock is given back, to look again whether anything waits */
    const BATCHES = 2;

    /** @var bool this page has changes */
    private static $isregistered = false;

    /**
     * Sends at the end of this page, if that is wanted and possible.
     */
    public static function register(): void {
        if (self::$isregistered || !self::is_possible()) {
            return;
        }
        self::$isregistered = true;
        // PHP's own function on purpose: this one comes after Moodle's shutdown handler, which rolls back what was left open and
        // closes the session.
        register_shutdown_function([self::class, 'send']);
    }

    /**
     * Whether there is a way to end the page before the process.
     *
     * @return bool
     */
    public static function is_possible(): bool {
        return !CLI_SCRIPT && (function_exists('fastcgi_finish_request') || function_exists('litespeed_finish_request'));
    }

    /**
     * Lets the page go, then sends.
     */
    public static function send(): void {
        global $DB;
        try {
            $config = new config();
            if (!$config->sends_immediately() || $DB->is_transaction_started()) {
                return;
            }
            \core\session\manager::write_close();
            if (function_exists('fastcgi_finish_request')) {
                fastcgi_finish_request();
            } else {
                litespeed_finish_request();
            }
            ignore_user_abort(true);
            self::flush();
        } catch (\Throwable $e) {
            // The row is in the outbox: the scheduled task will tell what is wrong.
            debugging('local_backend_sync: ' . $e->getMessage(), DEBUG_DEVELOPER);
        }
    }

    /**
     * Sends until nothing waits.
     */
    private static function flush(): void {
        global $DB;
        $deadline = time() + self::SECONDS;
        do {
            // While the backend fails, the scheduled task alone tries, if it can: no web server's process is kept busy by it.
            if ((new health(new database_memory(), new clock()))->is_failing() && !schedule::is_sending_stuck()) {
                return;
            }
            $report = runner::run(self::SECONDS, false, self::BATCHES);
            // When another page holds the lock, it will see our rows: it looks once more after giving the lock back.
            $again = $report && !$report->failure && !$report->waituntil
                && $DB->record_exists_select(outbox::TABLE, 'timedue <= ?', [time()]);
        } while ($again && time() < $deadline);
    }
}
