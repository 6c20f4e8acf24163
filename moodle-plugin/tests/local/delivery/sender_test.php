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
use local_backend_sync\fixtures\fake_backfill;
use local_backend_sync\fixtures\world;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of the sender, one situation at a time.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\sender
 */
final class sender_test extends \basic_testcase {
    /** @var world */
    private $world;

    /**
     * A world of its own for each test.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->world = new world();
    }

    /**
     * Checks that nothing waits and the backend holds what Moodle does.
     */
    private function assert_settled(): void {
        $this->assertSame([], $this->world->outbox->rows);
        $this->assertSame([], $this->world->differences());
    }

    /**
     * Has each request with events answered by the next of these, then by the backend itself.
     *
     * @param array $answers see fake_backend::$fault
     */
    private function answer_batches(array $answers): void {
        $this->world->backend->fault = function ($operation) use (&$answers) {
            return $operation === 'batch' ? array_shift($answers) : null;
        };
    }

    /**
     * Has all requests with events of some users answered so.
     *
     * @param int[] $ids
     * @param response $response
     */
    private function answer_users(array $ids, response $response): void {
        $this->world->backend->fault = function ($operation, $events) use ($ids, $response) {
            return array_intersect($ids, array_column(array_column($events, 'data'), 'userid')) ? $response : null;
        };
    }

    /**
     * The answer of a backend with a fault.
     *
     * @return response
     */
    private function error(): response {
        return fake_backend::problem(500, 'internal_error', 'A fault.');
    }

    /**
     * One of each kind goes, in one request, and nothing waits.
     */
    public function test_all_kinds(): void {
        foreach (change::KINDS as $kind) {
            $this->world->put($kind, 7, []);
        }
        $report = $this->world->run();
        $this->assertSame([5, 0, 1], [$report->sent, $report->unchanged, $report->requests]);
        $this->assertSame([0, 0], [$report->rejected, $report->postponed]);
        $this->assertTrue($report->empty);
        $this->assertNull($report->failure);
        $this->assertFalse($report->recovered || $report->broke);
        $types = ['user_created', 'course_created', 'user_enrolled', 'grade_updated', 'course_completed'];
        $this->assertSame($types, array_column($this->world->backend->events(), 'type'));
        $this->assert_settled();

        foreach (change::KINDS as $kind) {
            $this->world->put($kind, 7, null);
        }
        $this->assertSame(5, $this->world->run()->sent);
        $this->assertSame([], array_filter(array_map([$this->world->backend, 'held'], array_keys($this->world->backend->records))));
        $this->assertSame(array_fill(0, 5, 'deleted'), array_values($this->world->store->sent));
        $this->assert_settled();
    }

    /**
     * The state is that at the time of sending, in one event, however often it changed.
     */
    public function test_many_changes_are_one_event(): void {
        foreach (['Ann', 'Bea', 'Cat'] as $name) {
            $this->world->put(change::USER, 7, ['firstname' => $name]);
        }
        $this->assertSame(1, $this->world->run()->sent);
        [$event] = $this->world->backend->events();
        $this->assertSame(['user_created', 'Cat'], [$event['type'], $event['data']['firstname']]);
    }

    /**
     * What the backend holds already is not sent: neither again, nor after a change that changed nothing.
     */
    public function test_no_change_is_not_sent(): void {
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $this->world->run();
        $this->world->put(change::USER, 7, ['firstname' => 'Bea']);
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $report = $this->world->run();
        $this->assertSame([0, 1, 0], [$report->sent, $report->unchanged, $report->requests]);
        $this->world->put(change::USER, 7, null);
        $this->world->put(change::USER, 7, null);
        $this->assertSame(1, $this->world->run()->sent);
        $this->world->put(change::USER, 7, null);
        $this->assertSame(0, $this->world->run()->sent);
        $this->assert_settled();
    }

    /**
     * A forced change is sent although the backend holds it.
     */
    public function test_force(): void {
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $this->world->run();
        $sender = $this->world->sender();
        $this->assertSame(0, $sender->run(new fake_backfill($this->world), PHP_INT_MAX)->sent);
        $this->assertSame(1, $sender->run(new fake_backfill($this->world, true), PHP_INT_MAX)->sent);
    }

    /**
     * A record that came and went before anything was sent is told as gone: the backend may have heard of it from others.
     */
    public function test_created_and_deleted(): void {
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $this->world->put(change::USER, 7, null);
        $this->world->run();
        $this->assertSame(['user_deleted'], array_column($this->world->backend->events(), 'type'));
        $this->assert_settled();
    }

    /**
     * A deletion that was noted before the record is out of the table is one.
     */
    public function test_deletion_noted_early(): void {
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $this->world->run();
        $this->world->outbox->add($this->world->change(change::USER, 7, 'deleted'));
        $this->world->run();
        $this->assertNull($this->world->backend->held('user:7'));
    }

    /**
     * While an answer is out, nobody knows what the backend holds. So A, then B with no answer, then A again: A is sent.
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
     * No answer, without and with the events taken.
     *
     * @return array[]
     */
    public static function silences(): array {
        return ['not taken' => [fake_backend::silence()], 'taken' => ['lost']];
    }

    /**
     * The same events, sent again because the answer was lost, are duplicates for the backend.
     */
    public function test_repetition_is_recognised(): void {
        $this->answer_batches(['lost']);
        $this->world->put_users(3);
        $this->world->run();
        $this->world->clock->now += 600;
        $this->assertSame(3, $this->world->run()->sent);
        [$first, $second] = $this->world->backend->of('batch');
        $this->assertSame(array_column($first['events'], 'id'), array_column($second['events'], 'id'));
        $this->assertCount(3, $this->world->backend->ids);
        $this->assert_settled();
        // Nobody knows what came after the first time, so going through everything sends them once more.
        $this->assertSame(['', '', ''], array_values($this->world->store->sent));
    }

    /**
     * A process that is killed at any point leaves nothing that the next run does not put right.
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
     * A request that is refused because of one event is halved until it is found; all others are delivered.
     */
    public function test_one_bad_event_is_found(): void {
        $this->world->put_users(1000);
        $this->answer_users([123], fake_backend::problem(422, 'validation_failed', 'Invalid.'));
        $report = $this->world->run();
        $this->assertSame([999, 1], [$report->sent, $report->rejected]);
        $this->assertSame(['user:123' => 'validation_failed Invalid.'], $this->world->store->rejected);
        $this->assertNull($report->failure);
        // Two for each halving of 1000, and the first.
        $this->assertCount($report->requests, $this->world->backend->of('batch'));
        $this->assertLessThanOrEqual(21, $report->requests);
        $this->assertSame([], $this->world->outbox->rows);
        $this->assertNull($this->world->backend->held('user:123'));
        $this->assertCount(999, $this->world->backend->records);
    }

    /**
     * A proxy that takes less than the backend does is served by halves, too.
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
     * One event alone that is too large is put aside.
     */
    public function test_one_event_too_large(): void {
        $this->world->put_users(3);
        $this->answer_users([2], new response(413, '<html>', ['Content-Type' => 'text/html']));
        $this->assertSame(2, $this->world->run()->sent);
        $this->assertSame(['user:2' => 'payload_too_large'], $this->world->store->rejected);
    }

    /**
     * What the backend rejects within a batch is put aside with its reason, and is sent when it changed.
     */
    public function test_rejected_event(): void {
        $this->world->put_users(3);
        $this->world->put(change::USER, 2, ['firstname' => fake_backend::BAD]);
        $report = $this->world->run();
        $this->assertSame([2, 1, 1], [$report->sent, $report->rejected, $report->requests]);
        $this->assertSame(['user:2' => 'validation_failed Invalid. (firstname: It is bad.)'], $this->world->store->rejected);
        $this->assertSame([], $this->world->outbox->rows);
        // What the backend holds of it is not known.
        $this->assertSame('', $this->world->store->sent['user:2']);
        $this->assertSame(0, $this->world->run()->requests);

        $this->world->put(change::USER, 2, ['firstname' => 'Bea']);
        $this->assertSame(1, $this->world->run()->sent);
        $this->assertSame([], $this->world->store->rejected);
        $this->assert_settled();
    }

    /**
     * When the backend knows better, which only another clock can bring about, it is told rather than passed over.
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
     * An event at which a backend fails that is well otherwise is tried later, and the others go.
     */
    public function test_event_at_which_the_backend_fails(): void {
        $this->world->put_users(10);
        $this->answer_users([4], $this->error());
        $report = $this->world->run();
        $this->assertSame([9, 1, 0], [$report->sent, $report->postponed, $report->rejected]);
        $this->assertNull($report->failure);
        $this->assertNull($this->world->memory->get(health::TROUBLE));
        $this->assertCount(1, $this->world->outbox->rows);
        $this->assertSame(0, $this->world->run()->requests);

        // Later it is tried again, and again.
        $this->world->clock->now += sender::SUSPECT_WAIT;
        $report = $this->world->run();
        $this->assertSame([1, 1], [$report->requests, $report->postponed]);
        $this->world->clock->now += sender::SUSPECT_WAIT;
        $this->world->backend->fault = null;
        $this->assertSame(1, $this->world->run()->sent);
        $this->assert_settled();
    }

    /**
     * When it fails at more than a few, it is the backend.
     */
    public function test_too_many_suspects(): void {
        $this->world->put_users(20);
        $this->answer_users([3, 6, 9, 12, 15], $this->error());
        $report = $this->world->run();
        $this->assertSame(sender::SUSPECTS, $report->postponed);
        $this->assertSame(failure::SERVER_ERROR, $report->failure->reason);
        // And yet, no event is stopped by them for ever.
        for ($run = 0; $run < 5; $run++) {
            $this->world->clock->now += backoff::LONGEST;
            $this->world->run();
        }
        $this->assertCount(15, $this->world->backend->records);
        $this->world->backend->fault = null;
        $this->world->clock->now += backoff::LONGEST + sender::SUSPECT_WAIT;
        $this->world->run();
        $this->assert_settled();
    }

    /**
     * A backend that is ill gets no events one by one.
     */
    public function test_ill_backend(): void {
        $this->world->put_users(10);
        $ill = false;
        $this->world->backend->fault = function ($operation) use (&$ill) {
            $ill = $ill || $operation === 'batch';
            return $ill ? $this->error() : null;
        };
        $report = $this->world->run();
        $this->assertSame([0, 0, 1], [$report->sent, $report->postponed, $report->requests]);
        $this->assertTrue($report->broke);
        $this->assertSame(failure::SERVER_ERROR, $report->failure->reason);
        $this->assertCount(10, $this->world->outbox->rows);
        $this->assertSame(['handshake', 'batch', 'handshake'], array_column($this->world->backend->requests, 'operation'));
    }

    /**
     * Other failures stop at once: neither halving nor another request would help.
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
     * After a failure there is no request for a while; then first a question, and only then events.
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
            $flags[] = $report->broke;
            $this->assertNotNull($report->failure);
            $requests[] = count($this->world->backend->requests);
            $this->world->clock->now = $report->waituntil - 1;
            $early = $this->world->run();
            $this->assertNull($early->failure);
            $this->assertSame($report->waituntil, $early->waituntil);
            $this->assertFalse($early->broke || $early->recovered || $early->empty);
            $this->world->clock->now = $report->waituntil;
        }
        // It is told once, each run asks one question, and a run that is too early asks none.
        $this->assertSame([true, false, false, false], $flags);
        $this->assertSame([1, 2, 3, 4], $requests);
        $this->assertSame([], $this->world->backend->of('batch'));
        $this->assertSame(4, $this->world->memory->get(health::TROUBLE)['failures']);

        $this->world->backend->fault = null;
        $report = $this->world->run();
        $this->assertTrue($report->recovered);
        $this->assertSame(3, $report->sent);
        $this->assertNull($report->waituntil);
        $this->assertFalse($this->world->run()->recovered);
        $this->assert_settled();
    }

    /**
     * After a failure a small question comes first, not a thousand events; and a success counts from the first batch on.
     */
    public function test_question_before_events(): void {
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
     * What the backend asks for is waited for.
     */
    public function test_retry_after(): void {
        $this->world->put_users(1);
        $this->answer_batches([fake_backend::problem(503, 'queue_full', '', ['Retry-After' => '1234'])]);
        $this->assertSame($this->world->clock->now + 1234, $this->world->run()->waituntil);
    }

    /**
     * That it is well again is found out even when nothing waits.
     */
    public function test_probe(): void {
        $this->world->put_users(1);
        $this->answer_batches([fake_backend::silence()]);
        $this->world->run();
        $this->world->outbox->rows = [];
        $this->world->clock->now += 600;
        $report = $this->world->run();
        $this->assertTrue($report->recovered);
        $this->assertNull($this->world->memory->get(health::TROUBLE));
        $this->assertCount(1, $this->world->backend->of('batch'));
        $this->assertFalse($this->world->run()->recovered);
    }

    /**
     * Trouble is noticed even while nothing waits, and without asking all the time.
     */
    public function test_probe_now_and_then(): void {
        $this->world->run();
        $this->world->run();
        $this->assertCount(1, $this->world->backend->of('handshake'));
        $this->world->clock->now += sender::HANDSHAKE_AGE + 1;
        $this->world->backend->fault = function () {
            return fake_backend::problem(401, 'unauthorized');
        };
        $report = $this->world->run();
        $this->assertSame(failure::UNAUTHORIZED, $report->failure->reason);
        $this->assertTrue($report->broke);
    }

    /**
     * A failure and a success of the same run are told, both.
     */
    public function test_failure_after_success_of_the_same_run(): void {
        $this->world->backend->handshake = ['max_batch_events' => 2];
        $this->world->put_users(4);
        $this->answer_batches([null, fake_backend::silence()]);
        $report = $this->world->run();
        $this->assertSame([2, 2], [$report->sent, count($this->world->outbox->rows)]);
        $this->assertTrue($report->broke);
        $this->world->clock->now += 600;
        $report = $this->world->run();
        $this->assertTrue($report->recovered);
        $this->assertSame(2, $report->sent);
        $this->assert_settled();
    }

    /**
     * Of two events, the later one has the greater version, whatever the clock does, and whoever is killed.
     */
    public function test_versions_ascend(): void {
        $this->world->backend->handshake = ['max_batch_events' => 3];
        $last = [0, 0];
        $count = 0;
        foreach ([0, 5, -86400, 1, 0, -10, 100000, -3] as $run => $seconds) {
            $this->world->clock->now += $seconds;
            $this->world->put_users(7, "Name $run");
            $this->world->fuse->left = $run % 3 === 2 ? 9 : null;
            try {
                $this->world->run();
            } catch (crash $crash) {
                $this->world->fuse->left = null;
            }
        }
        $this->world->run();
        foreach ($this->world->backend->events() as $event) {
            $version = [$event['time'], $event['sequence']];
            $this->assertGreaterThan($last, $version);
            $last = $version;
            $count++;
        }
        $this->assertGreaterThan(40, $count);
        $this->assertSame([], $this->world->store->rejected);
        $this->assert_settled();
    }

    /**
     * Another backend, or another site in it, gets everything anew, and is not kept waiting by the failures of the former.
     */
    public function test_other_target(): void {
        $this->world->put_users(2);
        $this->world->run();
        $this->world->put_users(1, 'Bea');
        $this->answer_batches([fake_backend::silence()]);
        $this->world->run();
        $this->world->put(change::USER, 2, ['firstname' => 'Ann']);

        $this->world->token = 'other-token';
        $this->world->backend->records = [];
        $this->world->backend->ids = [];
        $this->world->backend->requests = [];
        $report = $this->world->run();
        $this->assertSame([2, 0], [$report->sent, $report->unchanged]);
        $this->assertSame(['handshake', 'batch'], array_column($this->world->backend->requests, 'operation'));
        $this->assert_settled();
        $this->assertSame(2, count(array_filter($this->world->store->sent)));
        $this->assertSame(0, $this->world->run()->requests);
    }

    /**
     * What must not leave the site does not; and what the backend has of it goes.
     */
    public function test_withheld(): void {
        $this->world->put(change::GRADE, 1, ['finalgrade' => '5.00000', 'hiddenuntil' => 1]);
        $report = $this->world->run();
        $this->assertSame([0, 1, 0], [$report->sent, $report->unchanged, $report->requests]);
        $this->assertSame([], $this->world->store->sent);
        $this->assertSame([], $this->world->outbox->rows);

        $this->world->put(change::GRADE, 1, ['finalgrade' => '5.00000']);
        $this->world->run();
        $this->assertNotNull($this->world->backend->held('grade:1'));
        $this->world->put(change::GRADE, 1, ['finalgrade' => '6.00000', 'hiddenuntil' => 1]);
        $this->world->run();
        $events = $this->world->backend->events();
        $deletion = end($events);
        $this->assertSame('grade_deleted', $deletion['type']);
        $this->assertSame(['gradeid' => 1, 'userid' => 1001, 'itemid' => 3001], $deletion['data']);
        $this->assert_settled();
        // That it is gone is known, and not told twice.
        $this->world->put(change::GRADE, 1, ['finalgrade' => '7.00000', 'hiddenuntil' => 1]);
        $this->assertSame(0, $this->world->run()->requests);
        $this->world->put(change::GRADE, 1, null);
        $this->assertSame(0, $this->world->run()->requests);
    }

    /**
     * When nobody knows whether the backend has something of what is withheld now, it is told that it is gone.
     */
    public function test_withheld_and_unknown(): void {
        $this->world->put(change::GRADE, 1, ['finalgrade' => '5.00000']);
        $this->answer_batches(['lost']);
        $this->world->run();
        $this->world->clock->now += 600;
        $this->world->put(change::GRADE, 1, ['finalgrade' => '5.00000', 'hiddenuntil' => 1]);
        $this->world->run();
        $this->assertNull($this->world->backend->held('grade:1'));
        $this->assert_settled();
    }

    /**
     * What is withheld until a time is sent then, without any further event.
     */
    public function test_withheld_until(): void {
        $until = $this->world->clock->now + 1000;
        $this->world->put(change::GRADE, 1, ['finalgrade' => '5.00000', 'hiddenuntil' => $until]);
        $this->world->put(change::GRADE, 2, ['finalgrade' => '5.00000']);
        $this->world->run();
        $this->assertNull($this->world->backend->held('grade:1'));
        $this->assertSame([$until], array_column($this->world->outbox->rows, 'timedue'));
        // Changes meanwhile don't pile up.
        $this->world->put(change::GRADE, 1, ['finalgrade' => '6.00000', 'hiddenuntil' => $until]);
        $this->world->run();
        $this->assertSame([$until], array_column($this->world->outbox->rows, 'timedue'));
        $this->world->clock->now = $until;
        $this->assertSame(1, $this->world->run()->sent);
        $this->assertSame('6.00000', $this->world->backend->held('grade:1')['finalgrade']);
        $this->assert_settled();
    }

    /**
     * Kinds that the administrator switched off go nowhere, and don't wait.
     */
    public function test_disabled_kinds(): void {
        $this->world->put(change::USER, 7, []);
        $this->world->put(change::GRADE, 1, []);
        $this->world->run();
        $this->world->options->kinds = [change::USER];
        $this->world->put(change::GRADE, 1, ['finalgrade' => '5.00000']);
        $this->world->put(change::GRADE, 2, null);
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $report = $this->world->run();
        $this->assertSame([1, 2], [$report->sent, $report->unchanged]);
        $this->assertSame([], $this->world->outbox->rows);
    }

    /**
     * Fields that are left out are not in the events; leaving one out, or in again, changes what is sent.
     */
    public function test_left_out_fields(): void {
        $this->world->options->leftout = [change::USER => ['email']];
        $this->world->put(change::USER, 7, ['firstname' => 'Ann', 'email' => 'ann@example.com']);
        $this->world->run();
        $this->assertStringNotContainsString('ann@example.com', $this->world->backend->of('batch')[0]['body']);
        $this->world->options->leftout = [];
        $this->world->outbox->add($this->world->change(change::USER, 7));
        $this->assertSame(1, $this->world->run()->sent);
        $this->assert_settled();
    }

    /**
     * Types that the backend does not take are not sent to it.
     */
    public function test_types_that_the_backend_does_not_take(): void {
        $this->world->backend->handshake = ['event_types' => ['user_created', 'user_updated']];
        $this->world->put(change::USER, 7, []);
        $this->world->put(change::COURSE, 7, []);
        $this->world->put(change::USER, 8, null);
        $report = $this->world->run();
        $this->assertSame([1, 2], [$report->sent, $report->unchanged]);
        $this->assertSame(['user:7'], array_keys($this->world->store->sent));
        $this->assertSame([], $this->world->outbox->rows);
    }

    /**
     * A run ends in time, with whole batches, and leaves the rest for the next.
     */
    public function test_deadline_and_number_of_batches(): void {
        $this->world->outbox->limit = 10;
        $this->world->put_users(35);
        $report = $this->world->run(2);
        $this->assertSame([20, 2], [$report->sent, $report->requests]);
        $this->assertFalse($report->empty);
        // The time is over from the beginning: one batch is sent none the less.
        $report = $this->world->sender()->run($this->world->outbox, $this->world->clock->now());
        $this->assertSame([10, false], [$report->sent, $report->empty]);
        $report = $this->world->run();
        $this->assertSame([5, true], [$report->sent, $report->empty]);
        $this->assert_settled();
    }

    /**
     * Reports add up over the runs of one sender.
     */
    public function test_report_of_several_runs(): void {
        $this->world->put_users(3);
        $sender = $this->world->sender();
        $this->assertSame(3, $sender->run($this->world->outbox, PHP_INT_MAX)->sent);
        $this->world->put_users(2, 'Bea');
        $this->assertSame(5, $sender->run($this->world->outbox, PHP_INT_MAX)->sent);
    }

    /**
     * The backend's limits are kept to, and it is asked for them once an hour.
     */
    public function test_limits_of_the_backend(): void {
        $this->world->backend->handshake = ['max_batch_events' => 4, 'max_body_bytes' => 3000];
        $this->world->put_users(10, 'Ann');
        $this->world->put(change::USER, 11, ['firstname' => str_repeat('x', 2500)]);
        $this->world->run();
        foreach ($this->world->backend->of('batch') as $request) {
            $this->assertLessThanOrEqual(4, count($request['events']));
            $this->assertLessThanOrEqual(3000, strlen($request['body']));
        }
        $this->assertCount(1, $this->world->backend->of('handshake'));
        $this->world->backend->handshake = [];
        $this->world->clock->now += sender::HANDSHAKE_AGE + 1;
        $this->world->put_users(10, 'Bea');
        $this->assertSame(1, $this->world->run()->requests);
        $this->assertCount(2, $this->world->backend->of('handshake'));
        $this->world->clock->now -= 86400;
        $this->world->put_users(1, 'Cat');
        $this->world->run();
        $this->assertCount(3, $this->world->backend->of('handshake'));
        $this->assert_settled();
    }

    /**
     * A repetition must not be taken for one when another state went between: a backfill whose answer was lost, then a live change,
     * then, before that backfill goes on, the change back, which the outbox has not shown yet.
     */
    public function test_backfill_repeats_a_state_that_was_replaced_meanwhile(): void {
        $this->world->silently(change::USER, 7, ['firstname' => 'Ann']);
        $backfill = new fake_backfill($this->world);
        $this->answer_batches(['lost']);
        $this->world->sender()->run($backfill, PHP_INT_MAX);
        $this->world->clock->now += 600;
        $this->world->put(change::USER, 7, ['firstname' => 'Bea']);
        $this->world->run();
        $this->assertSame('Bea', $this->world->backend->held('user:7')['firstname']);
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $this->world->sender()->run($backfill, PHP_INT_MAX);
        $this->world->run();
        $this->assert_settled();
    }
}
