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
use local_backend_sync\fixtures\fake_backend;
use local_backend_sync\fixtures\sender_testcase;
use local_backend_sync\fixtures\world;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of the sender when the backend rejects, fails, or does not answer, one situation at a time.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\sender
 */
final class sender_failure_test extends sender_testcase {
    /**
     * Without an answer, the backend's state is unknown. So after A, then B without an answer, then A again: A is sent.
     *
     * @dataProvider silences
     * @param string|response $silence
     */
    public function test_unknown_after_no_answer($silence): void {
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $this->world->run();
        $this->answer_batches([$silence]);
        $this->world->put(change::USER, 7, ['firstname' => 'Bea']);
        $report = $this->world->run();
        $this->assertSame(failure::TIMEOUT, $report->failure->reason);
        $this->assertSame('', $this->world->store->sent['user:7']);
        $this->world->clock->now += 600;
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $report = $this->world->run();
        $this->assertSame([1, 0], [$report->sent, $report->unchanged]);
        $this->assert_settled();
    }

    /**
     * No answer, with the events not accepted or accepted.
     *
     * @return array[]
     */
    public static function silences(): array {
        return ['not accepted' => [fake_backend::silence()], 'accepted' => ['lost']];
    }

    /**
     * The backend recognises the same events, retried because the answer was lost, as duplicates.
     */
    public function test_retry_is_a_duplicate(): void {
        $this->answer_batches(['lost']);
        $this->world->put_users(3);
        $this->world->run();
        $this->world->clock->now += 600;
        $this->assertSame(3, $this->world->run()->sent);
        $ids = array_column($this->world->backend->events(), 'id');
        $this->assertSame(array_slice($ids, 0, 3), array_slice($ids, 3));
        $this->assertCount(3, $this->world->backend->ids);
        $this->assert_settled();
        // It is unknown what was sent after the first attempt, so a backfill will send them again.
        $this->assertSame(['', '', ''], array_values($this->world->store->sent));
    }

    /**
     * Whenever the process is killed, the next run puts everything right.
     */
    public function test_killed_anywhere(): void {
        for ($steps = 0, $killed = true; $killed; $steps++) {
            $this->world = new world();
            $this->world->put_users(2, 'Ann');
            $this->world->run();
            $this->world->put_users(1, 'Bea');
            $this->world->put(change::USER, 2, null);
            $this->world->put(change::USER, 3, ['firstname' => fake_backend::BAD]);
            $this->world->fuse->left = $steps;
            try {
                $this->world->run();
                $killed = false;
            } catch (crash $crash) {
                $this->world->run();
            }
            $this->world->fuse->left = null;
            $this->assertSame([], $this->world->outbox->rows, "killed after $steps steps");
            $this->assertSame(['user:3'], array_keys($this->world->store->rejected));
            unset($this->world->source->records[change::USER][3]);
            $this->assertSame([], $this->world->differences(), "killed after $steps steps");
        }
        $this->assertGreaterThan(8, $steps);
    }

    /**
     * A batch that is rejected because of one event is bisected to find it; all others are delivered.
     */
    public function test_one_bad_event_is_found(): void {
        $this->world->put_users(1000);
        $this->answer_users([123], fake_backend::problem(422, 'validation_failed', 'Invalid.'));
        $report = $this->world->run();
        $this->assertSame([999, 1], [$report->sent, $report->rejected]);
        $this->assertSame(['user:123' => 'validation_failed Invalid.'], $this->world->store->rejected);
        $this->assertNull($report->failure);
        // Two for each bisection of 1000, and the first.
        $this->assertCount($report->requests, $this->world->backend->of('batch'));
        $this->assertLessThanOrEqual(21, $report->requests);
        $this->assertSame([], $this->world->outbox->rows);
        $this->assertNull($this->world->backend->held('user:123'));
        $this->assertCount(999, $this->world->backend->records);
    }

    /**
     * For a proxy with a lower limit than the backend's, batches are bisected too.
     */
    public function test_too_large_for_a_proxy(): void {
        $this->world->put_users(100);
        $this->world->backend->fault = function ($operation, $events) {
            return count($events) > 20 ? new response(413, '<html>Too large</html>', ['Content-Type' => 'text/html']) : null;
        };
        $report = $this->world->run();
        $this->assertSame([100, 0], [$report->sent, $report->rejected]);
        $this->assert_settled();
    }

    /**
     * A single event that is too large is rejected.
     */
    public function test_one_event_too_large(): void {
        $this->world->put_users(3);
        $this->answer_users([2], new response(413, '<html>', ['Content-Type' => 'text/html']));
        $this->assertSame(2, $this->world->run()->sent);
        $this->assertSame(['user:2' => 'payload_too_large'], $this->world->store->rejected);
    }

    /**
     * A rejected event is stored with its reason, and sent again when the record changes.
     */
    public function test_rejected_event(): void {
        $this->world->put_users(3);
        $this->world->put(change::USER, 2, ['firstname' => fake_backend::BAD]);
        $report = $this->world->run();
        $this->assertSame([2, 1, 1], [$report->sent, $report->rejected, $report->requests]);
        $this->assertSame(['user:2' => 'validation_failed Invalid. (firstname: It is bad.)'], $this->world->store->rejected);
        $this->assertSame([], $this->world->outbox->rows);
        // What the backend holds of it is unknown; only that it is not this.
        $this->assertStringStartsWith(event::REFUSED, $this->world->store->sent['user:2']);
        $this->assertSame(0, $this->world->run()->requests);

        $this->world->put(change::USER, 2, ['firstname' => 'Bea']);
        $this->assertSame(1, $this->world->run()->sent);
        $this->assertSame([], $this->world->store->rejected);
        $this->assert_settled();
    }

    /**
     * A superseded event, which only a wrong clock can cause, is reported instead of ignored.
     */
    public function test_superseded_event(): void {
        $this->world->backend->records['user:7'] = [
            'data' => ['userid' => 7], 'stateversion' => [9999999999, 1], 'deleted' => false, 'presenceversion' => [9999999999, 1],
        ];
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $report = $this->world->run();
        $this->assertSame([0, 1], [$report->sent, $report->rejected]);
        $this->assertSame(['user:7' => 'superseded'], $this->world->store->rejected);
        $this->assertSame([], $this->world->outbox->rows);
    }

    /**
     * An event on which an otherwise healthy backend fails is postponed, and the others are sent.
     */
    public function test_poison_event(): void {
        $this->world->put_users(10);
        $this->answer_users([4], $this->error());
        $report = $this->world->run();
        $this->assertSame([9, 1, 0], [$report->sent, $report->postponed, $report->rejected]);
        $this->assertNull($report->failure);
        $this->assertNull($this->world->memory->get(health::OUTAGE));
        $this->assertCount(1, $this->world->outbox->rows);
        $this->assertSame(0, $this->world->run()->requests);

        // It is retried later, and again.
        $this->world->clock->now += dispatcher::POISON_WAIT;
        $report = $this->world->run();
        $this->assertSame([1, 1], [$report->requests, $report->postponed]);
        $this->world->clock->now += dispatcher::POISON_WAIT;
        $this->world->backend->fault = null;
        $this->assertSame(1, $this->world->run()->sent);
        $this->assert_settled();
    }

    /**
     * If the backend fails on more than a few events, it is not their fault.
     */
    public function test_too_many_poison_events(): void {
        $this->world->put_users(20);
        $this->answer_users([3, 6, 9, 12, 15], $this->error());
        $report = $this->world->run();
        $this->assertSame(dispatcher::MAX_POISON, $report->postponed);
        $this->assertSame(failure::SERVER_ERROR, $report->failure->reason);
        // Even so, they do not stop other events forever.
        for ($run = 0; $run < 5; $run++) {
            $this->world->clock->now += backoff::LONGEST;
            $this->world->run();
        }
        $this->assertCount(15, $this->world->backend->records);
        $this->world->backend->fault = null;
        $this->world->clock->now += backoff::LONGEST + dispatcher::POISON_WAIT;
        $this->world->run();
        $this->assert_settled();
    }

    /**
     * A backend that fails altogether does not get events one by one.
     */
    public function test_failing_backend(): void {
        $this->world->put_users(10);
        $isfailing = false;
        $this->world->backend->fault = function ($operation) use (&$isfailing) {
            $isfailing = $isfailing || $operation === 'batch';
            return $isfailing ? $this->error() : null;
        };
        $report = $this->world->run();
        $this->assertSame([0, 0, 1], [$report->sent, $report->postponed, $report->requests]);
        $this->assertTrue($report->outagestarted);
        $this->assertSame(failure::SERVER_ERROR, $report->failure->reason);
        $this->assertCount(10, $this->world->outbox->rows);
        $this->assertSame(['handshake', 'batch', 'handshake'], array_column($this->world->backend->requests, 'operation'));
    }

    /**
     * Other failures stop the run: neither bisecting nor another request would help.
     */
    public function test_failure_stops(): void {
        foreach ([401, 404, 503, 302] as $status) {
            $this->world = new world();
            $this->world->put_users(10);
            $this->answer_batches([fake_backend::problem($status, 'some_code')]);
            $report = $this->world->run();
            $this->assertSame([0, 1], [$report->sent, $report->requests], $status);
            $this->assertSame($status, $report->failure->status);
            $this->assertCount(2, $this->world->backend->requests);
            $this->assertCount(10, $this->world->outbox->rows);
        }
    }

    /**
     * After a failure there is no request during the backoff; then first a handshake, and only then events.
     */
    public function test_backoff(): void {
        $this->world->backend->fault = function () {
            return fake_backend::silence();
        };
        $this->world->put_users(3);
        $flags = [];
        $requests = [];
        for ($run = 0; $run < 4; $run++) {
            $report = $this->world->run();
            $flags[] = $report->outagestarted;
            $this->assertNotNull($report->failure);
            $requests[] = count($this->world->backend->requests);
            $this->world->clock->now = $report->waituntil - 1;
            $early = $this->world->run();
            $this->assertNull($early->failure);
            $this->assertSame($report->waituntil, $early->waituntil);
            $this->assertFalse($early->outagestarted || $early->recovered || $early->empty);
            $this->world->clock->now = $report->waituntil;
        }
        // The outage is reported once, each run makes one handshake, and a run during the backoff makes none.
        $this->assertSame([true, false, false, false], $flags);
        $this->assertSame([1, 2, 3, 4], $requests);
        $this->assertSame([], $this->world->backend->of('batch'));
        $this->assertSame(4, $this->world->memory->get(health::OUTAGE)['failures']);

        $this->world->backend->fault = null;
        $report = $this->world->run();
        $this->assertTrue($report->recovered);
        $this->assertSame(3, $report->sent);
        $this->assertNull($report->waituntil);
        $this->assertFalse($this->world->run()->recovered);
        $this->assert_settled();
    }

    /**
     * After a failure a small handshake comes first, not a thousand events. The first batch ends the outage.
     */
    public function test_handshake_before_events(): void {
        $this->world->put_users(3);
        $this->world->run();
        $this->assertSame(['time' => $this->world->clock->now], $this->world->memory->get(health::SUCCESS));
        $this->world->put_users(3, 'Bea');
        $this->answer_batches([fake_backend::silence()]);
        $this->world->run();
        $this->world->clock->now += 600;
        $this->world->outbox->limit = 1;
        $this->world->backend->requests = [];
        $report = $this->world->run(1);
        $this->assertSame(['handshake', 'batch'], array_column($this->world->backend->requests, 'operation'));
        $this->assertTrue($report->recovered);
        $this->assertFalse($report->empty);
        $this->assertSame(['time' => $this->world->clock->now], $this->world->memory->get(health::SUCCESS));
    }

    /**
     * A Retry-After header is respected.
     */
    public function test_retry_after(): void {
        $this->world->put_users(1);
        $this->answer_batches([fake_backend::problem(503, 'queue_full', '', ['Retry-After' => '1234'])]);
        $this->assertSame($this->world->clock->now + 1234, $this->world->run()->waituntil);
    }

    /**
     * A recovery is noticed even if nothing is waiting.
     */
    public function test_probe(): void {
        $this->world->put_users(1);
        $this->answer_batches([fake_backend::silence()]);
        $this->world->run();
        $this->world->outbox->rows = [];
        $this->world->clock->now += 600;
        $report = $this->world->run();
        $this->assertTrue($report->recovered);
        $this->assertNull($this->world->memory->get(health::OUTAGE));
        $this->assertCount(1, $this->world->backend->of('batch'));
        $this->assertFalse($this->world->run()->recovered);
    }

    /**
     * An outage is noticed even if nothing is waiting, without a handshake in every run.
     */
    public function test_occasional_probe(): void {
        $this->world->run();
        $this->world->run();
        $this->assertCount(1, $this->world->backend->of('handshake'));
        $this->world->clock->now += sender::HANDSHAKE_AGE + 1;
        $this->world->backend->fault = function () {
            return fake_backend::problem(401, 'unauthorized');
        };
        $report = $this->world->run();
        $this->assertSame(failure::UNAUTHORIZED, $report->failure->reason);
        $this->assertTrue($report->outagestarted);
    }

    /**
     * A run with both a success and a failure reports both.
     */
    public function test_failure_after_success_of_the_same_run(): void {
        $this->world->backend->handshake = ['max_batch_events' => 2];
        $this->world->put_users(4);
        $this->answer_batches([null, fake_backend::silence()]);
        $report = $this->world->run();
        $this->assertSame([2, 2], [$report->sent, count($this->world->outbox->rows)]);
        $this->assertTrue($report->outagestarted);
        $this->world->clock->now += 600;
        $report = $this->world->run();
        $this->assertTrue($report->recovered);
        $this->assertSame(2, $report->sent);
        $this->assert_settled();
    }
}
