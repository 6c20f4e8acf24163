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
 * Sends changes within a second, after the page has gone to the browser, so that nobody waits for it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class immediate {
    /** @var int seconds for a request, during which it occupies a process of the web server */
    const TIMEOUT = 5;
    /** @var int seconds in all; the scheduled task sends the rest */
    const SECONDS = 10;
    /** @var int batches before the lock is released */
    const BATCHES = 2;

    /** @var bool this request has changes to send */
    private static $isregistered = false;

    /**
     * Registers sending at the end of this request, if possible.
     */
    public static function register(): void {
        if (self::$isregistered || !self::is_possible()) {
            return;
        }
        self::$isregistered = true;
        // PHP's own function, not Moodle's shutdown manager: this must run after Moodle's handler, which rolls back open
        // transactions and closes the session.
        register_shutdown_function([self::class, 'send']);
    }

    /**
     * Whether PHP can finish the response before the process ends.
     *
     * @return bool
     */
    public static function is_possible(): bool {
        return !CLI_SCRIPT && (function_exists('fastcgi_finish_request') || function_exists('litespeed_finish_request'));
    }

    /**
     * Finishes the response, then sends.
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
            // Nothing is lost: the rows are in the outbox, and the scheduled task reports what is wrong.
            debugging('local_backend_sync: ' . $e->getMessage(), DEBUG_DEVELOPER);
        }
    }

    /**
     * Sends until the outbox is empty.
     */
    private static function flush(): void {
        global $DB;
        $deadline = time() + self::SECONDS;
        do {
            // During an outage only the scheduled task retries, if it can run: it must not occupy processes of the web server.
            if ((new health(new database_memory(), new clock()))->is_failing() && !schedule::is_sending_stuck()) {
                return;
            }
            $report = runner::run(self::SECONDS, false, self::BATCHES);
            // If another request holds the lock, it sends our rows too: it checks the outbox again after releasing the lock.
            $again = $report && !$report->failure && !$report->waituntil && primary::read(function () use ($DB) {
                return $DB->record_exists_select(outbox::TABLE, 'timedue <= ?', [time()]);
            });
        } while ($again && time() < $deadline);
    }
}
