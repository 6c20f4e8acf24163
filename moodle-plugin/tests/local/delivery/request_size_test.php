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

namespace local_backend_sync\local\delivery;

use local_backend_sync\fixtures\fake_backend;
use local_backend_sync\fixtures\sender_testcase;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of requests that get no answer in time.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\request_size
 * @covers     \local_backend_sync\local\delivery\dispatcher
 */
final class request_size_test extends sender_testcase {
    /**
     * Gives no answer to some requests, after half a minute.
     *
     * @param callable $isslow gets the events and whether they are packed
     */
    private function be_silent(callable $isslow): void {
        $this->world->backend->fault = function ($operation, $events, $packed = false) use ($isslow) {
            if ($operation !== 'batch' || !$isslow($events, $packed)) {
                return null;
            }
            $this->world->clock->now += 30;
            return fake_backend::silence();
        };
    }

    /**
     * Runs until everything is sent.
     *
     * @return int how many runs failed
     */
    private function run_all(): int {
        for ($failures = 0; $failures < 10; $failures++) {
            do {
                $report = $this->world->run();
            } while (!$report->failure && !$report->empty);
            if (!$report->failure) {
                return $failures;
            }
            $this->assertSame(failure::TIMEOUT, $report->failure->reason);
            $this->world->clock->now += backoff::LONGEST;
        }
        return $failures;
    }

    /**
     * A backend that is too slow for large requests gets smaller ones, until everything is sent.
     */
    public function test_slow_backend(): void {
        $this->world->put_users(2000);
        $this->be_silent(function ($events) {
            return count($events) > 150;
        });
        $this->assertSame(1, $this->run_all());
        $this->assert_settled();
        $this->assertSame(array_merge([1000], array_fill(0, 20, 100)), $this->world->backend->batches());
        $this->be_silent(function () {
            return false;
        });
        $this->world->put_users(500, 'Bea');
        $this->world->run();
        $this->assertSame(500, array_sum(array_slice($this->world->backend->batches(), -1)));
    }

    /**
     * Something in between drops an event without an answer: it is found in a few runs, and named. All others arrive.
     */
    public function test_dropped_event(): void {
        $this->world->options->compression = compression::NEVER;
        $this->world->put_users(1000);
        $this->world->put(change::USER, 777, ['firstname' => 'drop']);
        $this->be_silent(function ($events) {
            return in_array('drop', array_column(array_column($events, 'data'), 'firstname'), true);
        });
        // A thousand, a hundred, ten, and twice alone: the second time with what follows.
        $this->assertSame(4, $this->run_all());
        $this->assertSame(['user:777' => 'intercepted Operation timed out'], $this->world->store->rejected);
        $this->assertCount(999, $this->world->backend->records);
        $this->world->clock->now += dispatcher::INTERCEPTED_WAIT;
        $this->be_silent(function () {
            return false;
        });
        $this->assertSame(0, $this->run_all());
        $this->assert_settled();
    }

    /**
     * With the way through it arrives, too.
     */
    public function test_dropped_unless_packed(): void {
        $this->world->put_users(20);
        $this->be_silent(function ($events, $packed) {
            return !$packed && in_array(7, array_column(array_column($events, 'data'), 'userid'), true);
        });
        $this->assertSame(3, $this->run_all());
        $this->assertSame([], $this->world->store->rejected);
        $this->assert_settled();
    }

    /**
     * An event that had no answer once only is not named, and one of a backend that gives none at all is not, either.
     */
    public function test_alone(): void {
        $this->world->put_users(1);
        $this->answer_batches([fake_backend::silence()]);
        $this->assertSame(1, $this->run_all());
        $this->assert_settled();

        $this->world->put_users(1, 'Bea');
        $this->answer_batches(array_fill(0, 9, fake_backend::silence()));
        for ($run = 0; $run < 3; $run++) {
            $this->assertSame(failure::TIMEOUT, $this->world->run()->failure->reason);
            $this->world->clock->now += backoff::LONGEST;
        }
        $this->assertSame([], $this->world->store->rejected);
        $this->assertCount(1, $this->world->outbox->rows);
    }
}
