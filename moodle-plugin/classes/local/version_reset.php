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

use local_backend_sync\local\delivery\client;
use local_backend_sync\local\delivery\clock;
use local_backend_sync\local\delivery\clocks;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\versions;

/**
 * Resets the watermark of the versions after the clock was ahead, and makes both sides agree again.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class version_reset {
    /** @var int seconds for the backend's answer: shorter than web servers' own timeouts for a page */
    const TIMEOUT = 20;

    /**
     * Resets the watermark, if the clocks agree and it is needed.
     *
     * @return verdict OK if it was reset
     */
    public static function run(): verdict {
        $verdict = runner::with_lock(self::TIMEOUT, function () {
            return self::reset(new config(), new database_memory(), new clock());
        });
        return $verdict ?? new verdict(verdict::INFO, runner::busy());
    }

    /**
     * Compares the clocks, then resets the watermark.
     *
     * @param config $config
     * @param database_memory $memory
     * @param clock $clock
     * @return verdict
     */
    private static function reset(config $config, database_memory $memory, clock $clock): verdict {
        try {
            $config->require_valid_target();
            $http = new moodle_http($config->connect_timeout(), min(self::TIMEOUT, $config->timeout()));
            $handshake = clocks::handshake(new client($http, $config->url(), $config->token()), $memory, $clock);
        } catch (failure $failure) {
            return new verdict(verdict::ERROR, reasons::of($failure));
        }
        $clocks = new clocks($memory, $clock);
        if ($clocks->is_skewed()) {
            return new verdict(verdict::ERROR, get_string('resetversions_differ', 'local_backend_sync', reasons::of_skew($clocks)));
        }
        if (!$clocks->needs_reset()) {
            return new verdict(verdict::INFO, get_string('resetversions_notneeded', 'local_backend_sync'));
        }
        self::resend_everything($memory, $clock);
        return new verdict(verdict::OK, get_string('resetversions_done', 'local_backend_sync', $handshake['site']));
    }

    /**
     * Resets the watermark and requests that everything be sent again, including deletions: it is unknown which of the events with
     * versions from the wrong clock the backend accepted.
     *
     * @param database_memory $memory
     * @param clock $clock
     */
    private static function resend_everything(database_memory $memory, clock $clock): void {
        global $DB;
        $transaction = $DB->start_delegated_transaction();
        ledger::doubt_all();
        backfill::request($memory, backfill::RUNNING, true);
        (new versions($memory, $clock))->reset();
        $transaction->allow_commit();
    }
}
