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

use local_backend_sync\fixtures\crash;
use local_backend_sync\fixtures\fake_backfill;
use local_backend_sync\fixtures\sender_testcase;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of the sender with changes that end the process, and with more text than fits into memory.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\in_flight
 * @covers     \local_backend_sync\local\delivery\portions
 * @covers     \local_backend_sync\local\delivery\sender
 */
final class in_flight_test extends sender_testcase {
    /**
     * The process ends when a batch contains a certain user.
     *
     * @param int $id
     */
    private function kill_with(int $id): void {
        $this->world->backend->fault = function ($operation, $events) use ($id) {
            if (in_array($id, array_column(array_column($events, 'data'), 'userid'), true)) {
                throw new crash('out of memory');
            }
            return null;
        };
    }

    /**
     * Runs the sender, as a process that may be killed.
     *
     * @param queue|null $queue the outbox by default
     * @return report|null null if it was killed
     */
    private function run_process(?queue $queue = null): ?report {
        try {
            return $this->world->sender()->run($queue ?? $this->world->outbox, $this->world->clock->now() + 60);
        } catch (crash $crash) {
            return null;
        }
    }

    /**
     * What killed a run is tried alone in the next ones, and then set aside. All others arrive.
     */
    public function test_killed_by_one_change(): void {
        $this->world->put_users(10);
        $this->kill_with(4);
        for ($try = 0; $try <= in_flight::TRIES; $try++) {
            $this->assertNull($this->run_process());
            $this->assertCount($try ? 3 : 0, $this->world->backend->records);
        }
        $report = $this->run_process();
        $this->assertSame([6, 1], [$report->sent, $report->rejected]);
        $this->assertSame(['user:4' => 'fatal'], $this->world->store->rejected);
        $this->assertCount(9, $this->world->backend->records);
        $this->assertNull($this->world->memory->get(in_flight::STATE));
        // From then on as usual.
        $this->world->put_users(3, 'Bea');
        $this->assertSame([3, 1], [$this->run_process()->sent, $report->rejected]);
        $this->assertSame(3, array_slice($this->world->backend->batches(), -1)[0]);
    }

    /**
     * A process that was killed for another reason only makes the next run slower.
     */
    public function test_killed_from_outside(): void {
        $this->world->put_users(10);
        $this->world->fuse->left = 12;
        $this->assertNull($this->run_process());
        $this->world->fuse->left = null;
        $this->world->backend->requests = [];
        $this->world->put_users(12);
        $report = $this->run_process();
        $this->assertSame([12, 0], [$report->sent, $report->rejected]);
        $this->assertSame([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2], $this->world->backend->batches());
        $this->assert_settled();
    }

    /**
     * Each queue has its own suspects.
     */
    public function test_backfill(): void {
        $this->world->put_users(5);
        $this->run_process();
        $this->world->backend->records = [];
        $this->kill_with(2);
        $this->assertNull($this->run_process(new fake_backfill($this->world, true)));
        $this->world->put(change::USER, 9, ['firstname' => 'Ann']);
        $this->assertSame(1, $this->run_process()->sent);
        for ($try = 0; $try < in_flight::TRIES; $try++) {
            $this->assertNull($this->run_process(new fake_backfill($this->world, true)));
        }
        $report = $this->run_process(new fake_backfill($this->world, true));
        $this->assertSame(1, $report->rejected);
        $this->assertCount(5, $this->world->backend->records);
    }

    /**
     * A failure of the backend is no end of the process.
     */
    public function test_failure(): void {
        $this->world->put_users(3);
        $this->answer_batches([new response(0, '', [], failure::REFUSED)]);
        $this->assertSame(failure::REFUSED, $this->run_process()->failure->reason);
        $this->world->clock->now += backoff::LONGEST;
        $this->run_process();
        $this->assertSame([3, 3], $this->world->backend->batches());
    }

    /**
     * Long texts are read and sent in portions.
     */
    public function test_portions(): void {
        for ($id = 1; $id <= 10; $id++) {
            $this->world->put(change::GRADE, $id, ['feedback' => str_repeat('x', 1500000)]);
        }
        $this->world->put_users(10);
        $changes = $this->world->outbox->next(100);
        $counts = array_map('count', portions::divide($changes, $this->world->source, 0));
        $this->assertSame([2, 2, 2, 2, 12], $counts);
        $counts = array_map('count', portions::divide($changes, $this->world->source, 3));
        $this->assertSame([1, 1, 1, 2, 2, 2, 11], $counts);
        $this->assertSame(20, $this->run_process()->sent);
        $this->assert_settled();
    }

    /**
     * A run ends with its time, also between portions.
     */
    public function test_time_is_up(): void {
        for ($id = 1; $id <= 10; $id++) {
            $this->world->put(change::GRADE, $id, ['feedback' => str_repeat('x', 3000000)]);
        }
        $this->world->backend->fault = function () {
            $this->world->clock->now += 25;
            return null;
        };
        $report = $this->run_process();
        $this->assertSame([2, false], [$report->sent, $report->empty]);
        $this->assertCount(8, $this->world->outbox->rows);
        $this->assertNull($this->world->memory->get(in_flight::STATE));
    }
}
