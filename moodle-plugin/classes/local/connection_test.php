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
 * Asks the backend who we are for it, with the settings as they are saved, and says in words what came of it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class connection_test {
    /** @var int seconds by which two clocks may differ */
    const MAX_SKEW = 60;
    /** @var int seconds for the answer: longer, the web server may give the page up */
    const TIMEOUT = 20;
    /** @var int seconds for which a success sends what could not be sent before */
    const SECONDS = 5;

    /** @var string|null what is wrong, in words; null when it works */
    public $problem = null;
    /** @var string[] what is not as it should be although it works, in words */
    public $warnings = [];
    /** @var string name that the backend has for this site */
    public $site = '';
    /** @var string version of the backend */
    public $version = '';
    /** @var int milliseconds from the question to the answer */
    public $milliseconds = 0;

    /**
     * Asks, and when deliveries were failing, has them tried again at once.
     *
     * @return self
     */
    public static function run(): self {
        $config = new config();
        $test = new self();
        $test->handshake($config, new moodle_http($config->connect_timeout(), min(self::TIMEOUT, $config->timeout())), new clock());
        if ($test->problem === null && status::read()->outage) {
            runner::run(self::SECONDS, true);
        }
        return $test;
    }

    /**
     * Asks.
     *
     * @param config $config
     * @param http $http
     * @param clock $clock
     */
    public function handshake(config $config, http $http, clock $clock): void {
        $begin = microtime(true);
        try {
            $config->require_valid_target();
            $answer = (new client($http, $config->url(), $config->token()))->handshake();
        } catch (failure $failure) {
            $this->problem = reasons::of($failure);
            return;
        }
        $this->milliseconds = (int)round(1000 * (microtime(true) - $begin));
        $this->site = (string)$answer['site'];
        $this->version = (string)$answer['backend_version'];
        $this->compare_clocks((int)$answer['time'], $clock->now());
        $this->compare_types($config->options()->kinds, $answer['event_types']);
    }

    /**
     * Warns when one of the two clocks is wrong: of two states, the one with the later time is taken for the newer one.
     *
     * @param int $theirs Unix seconds
     * @param int $ours
     */
    private function compare_clocks(int $theirs, int $ours): void {
        $difference = $ours - $theirs;
        if (abs($difference) > self::MAX_SKEW) {
            $key = $difference > 0 ? 'test_clockahead' : 'test_clockbehind';
            $this->warnings[] = get_string($key, 'local_backend_sync', format_time(abs($difference)));
        }
    }

    /**
     * Warns when the backend does not take all that this site would send.
     *
     * @param string[] $kinds of change::KINDS
     * @param string[] $taken types of events
     */
    private function compare_types(array $kinds, array $taken): void {
        $types = array_merge([], ...array_map(function ($kind) {
            return array_values(payload::TYPES[$kind]);
        }, $kinds));
        $missing = array_unique(array_diff($types, $taken));
        if ($missing) {
            $this->warnings[] = get_string('test_types', 'local_backend_sync', implode(', ', $missing));
        }
    }
}
