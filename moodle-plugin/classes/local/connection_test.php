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
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\http;
use local_backend_sync\local\delivery\payload;

/**
 * Tests the connection with the saved settings, and explains the result in words.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class connection_test {
    /** @var int seconds of clock skew before a warning */
    const MAX_SKEW = 60;
    /** @var int seconds for the answer: shorter than web servers' own timeouts for a page */
    const TIMEOUT = 20;
    /** @var int seconds to spend on sending waiting changes, if the test ends an outage */
    const SECONDS = 5;

    /** @var string|null why it failed, in words; null if it works */
    public $problem = null;
    /** @var string[] sentences about what needs attention although it works */
    public $warnings = [];
    /** @var string the backend's name for this site */
    public $site = '';
    /** @var string version of the backend */
    public $version = '';
    /** @var int round-trip time in milliseconds */
    public $milliseconds = 0;

    /**
     * Runs the test. If it succeeds during an outage, retries the delivery at once.
     *
     * @return self
     */
    public static function run(): self {
        secret::seal_stored();
        $config = new config();
        $test = new self();
        $test->handshake($config, new moodle_http($config->connect_timeout(), min(self::TIMEOUT, $config->timeout())), new clock());
        if ($test->problem === null && status::read()->outage) {
            runner::run(self::SECONDS, true);
        }
        return $test;
    }

    /**
     * Makes the handshake and evaluates it.
     *
     * @param config $config
     * @param http $http
     * @param clock $clock
     */
    public function handshake(config $config, http $http, clock $clock): void {
        $start = microtime(true);
        try {
            $config->require_valid_target();
            $answer = (new client($http, $config->url(), $config->token()))->handshake();
        } catch (failure $failure) {
            $this->problem = reasons::of($failure);
            return;
        }
        $this->milliseconds = (int)round(1000 * (microtime(true) - $start));
        $this->site = (string)$answer['site'];
        $this->version = (string)$answer['backend_version'];
        $this->compare_clocks((int)$answer['time'], $clock->now());
        $this->compare_types($config->options()->kinds, $answer['event_types']);
    }

    /**
     * Warns about clock skew: the backend treats the state with the later time as the newer one.
     *
     * @param int $remote Unix seconds
     * @param int $local Unix seconds
     */
    private function compare_clocks(int $remote, int $local): void {
        $skew = $local - $remote;
        if (abs($skew) > self::MAX_SKEW) {
            $key = $skew > 0 ? 'test_clockahead' : 'test_clockbehind';
            $this->warnings[] = get_string($key, 'local_backend_sync', format_time(abs($skew)));
        }
    }

    /**
     * Warns about event types that this site would send and the backend does not accept.
     *
     * @param string[] $kinds of change::KINDS
     * @param string[] $accepted event types
     */
    private function compare_types(array $kinds, array $accepted): void {
        $types = array_merge([], ...array_map(function ($kind) {
            return array_values(payload::TYPES[$kind]);
        }, $kinds));
        $missing = array_unique(array_diff($types, $accepted));
        if ($missing) {
            $this->warnings[] = get_string('test_types', 'local_backend_sync', implode(', ', $missing));
        }
    }
}
