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
use local_backend_sync\fixtures\sender_testcase;
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
final class sender_test extends sender_testcase {
    /**
     * One record of each kind is sent, in one request, and nothing is waiting afterwards.
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
        $this->assertFalse($report->recovered || $report->outagestarted);
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
     * However often a record changed, one event has its state at the time of sending.
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
     * A state that the backend already holds is not sent again, nor after changes that cancel out.
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
     * A forced change is sent although the backend already holds it.
     */
    public function test_force(): void {
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $this->world->run();
        $sender = $this->world->sender();
        $this->assertSame(0, $sender->run(new fake_backfill($this->world), PHP_INT_MAX)->sent);
        $this->assertSame(1, $sender->run(new fake_backfill($this->world, true), PHP_INT_MAX)->sent);
    }

    /**
     * A record that was created and deleted before anything was sent is sent as deleted: the backend may know it from elsewhere.
     */
    public function test_created_and_deleted(): void {
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $this->world->put(change::USER, 7, null);
        $this->world->run();
        $this->assertSame(['user_deleted'], array_column($this->world->backend->events(), 'type'));
        $this->assert_settled();
    }

    /**
     * A deletion is sent even if the record is still in its table.
     */
    public function test_early_deletion(): void {
        $this->world->put(change::USER, 7, ['firstname' => 'Ann']);
        $this->world->run();
        $this->world->outbox->add($this->world->change(change::USER, 7, 'deleted'));
        $this->world->run();
        $this->assertNull($this->world->backend->held('user:7'));
    }

    /**
     * Versions ascend, whatever the clock does and whichever process is killed.
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
     * What must not leave the site is not sent, and the backend deletes what it has of it.
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
        // The deletion is known, and not sent twice.
        $this->world->put(change::GRADE, 1, ['finalgrade' => '7.00000', 'hiddenuntil' => 1]);
        $this->assertSame(0, $this->world->run()->requests);
        $this->world->put(change::GRADE, 1, null);
        $this->assertSame(0, $this->world->run()->requests);
    }

    /**
     * If it is unknown whether the backend holds a record that is withheld now, a deletion is sent.
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
     * What is withheld until a time is sent at that time, without another event.
     */
    public function test_withheld_until(): void {
        $until = $this->world->clock->now + 1000;
        $this->world->put(change::GRADE, 1, ['finalgrade' => '5.00000', 'hiddenuntil' => $until]);
        $this->world->put(change::GRADE, 2, ['finalgrade' => '5.00000']);
        $this->world->run();
        $this->assertNull($this->world->backend->held('grade:1'));
        $this->assertSame([$until], array_column($this->world->outbox->rows, 'timedue'));
        // Further changes do not pile up.
        $this->world->put(change::GRADE, 1, ['finalgrade' => '6.00000', 'hiddenuntil' => $until]);
        $this->world->run();
        $this->assertSame([$until], array_column($this->world->outbox->rows, 'timedue'));
        $this->world->clock->now = $until;
        $this->assertSame(1, $this->world->run()->sent);
        $this->assertSame('6.00000', $this->world->backend->held('grade:1')['finalgrade']);
        $this->assert_settled();
    }

    /**
     * Kinds that the administrator switched off are not sent, and do not wait.
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
     * Excluded fields are not in the events. Including one again changes the digest, so the record is sent again.
     */
    public function test_excluded_fields(): void {
        $this->world->options->excluded = [change::USER => ['email']];
        $this->world->put(change::USER, 7, ['firstname' => 'Ann', 'email' => 'ann@example.com']);
        $this->world->run();
        $this->assertStringNotContainsString('ann@example.com', $this->world->backend->of('batch')[0]['body']);
        $this->world->options->excluded = [];
        $this->world->outbox->add($this->world->change(change::USER, 7));
        $this->assertSame(1, $this->world->run()->sent);
        $this->assert_settled();
    }

    /**
     * Event types that the backend does not accept are not sent.
     */
    public function test_unsupported_types(): void {
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
     * A run ends on time, with complete batches, and leaves the rest for the next one.
     */
    public function test_deadline_and_number_of_batches(): void {
        $this->world->outbox->limit = 10;
        $this->world->put_users(35);
        $report = $this->world->run(2);
        $this->assertSame([20, 2], [$report->sent, $report->requests]);
        $this->assertFalse($report->empty);
        // The deadline has passed from the start: one batch is sent all the same.
        $report = $this->world->sender()->run($this->world->outbox, $this->world->clock->now());
        $this->assertSame([10, false], [$report->sent, $report->empty]);
        $report = $this->world->run();
        $this->assertSame([5, true], [$report->sent, $report->empty]);
        $this->assert_settled();
    }

    /**
     * Reports add up over all runs of one sender.
     */
    public function test_report_of_several_runs(): void {
        $this->world->put_users(3);
        $sender = $this->world->sender();
        $this->assertSame(3, $sender->run($this->world->outbox, PHP_INT_MAX)->sent);
        $this->world->put_users(2, 'Bea');
        $this->assertSame(5, $sender->run($this->world->outbox, PHP_INT_MAX)->sent);
    }

    /**
     * The backend's limits are respected, and the handshake that tells them is repeated every few minutes.
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
     * A repeated state is no duplicate if another state was sent in between: a backfill whose answer was lost, then a live change,
     * then the change back, which the backfill reads before the outbox shows it.
     */
    public function test_backfill_repeats_a_state_that_was_replaced_meanwhile(): void {
        $this->world->put_silently(change::USER, 7, ['firstname' => 'Ann']);
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
