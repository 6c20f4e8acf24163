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
use local_backend_sync\fixtures\fake_clock;
use local_backend_sync\fixtures\sender_testcase;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of wrong clocks: what is sent, kept and remembered while a clock is wrong, and afterwards.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\clocks
 * @covers     \local_backend_sync\local\delivery\sender
 * @covers     \local_backend_sync\local\delivery\versions
 */
final class clocks_test extends sender_testcase {
    /** @var int seconds of a year */
    const YEAR = 31536000;

    /**
     * Gives the backend a clock of its own.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->world->backend->clock = new fake_clock();
    }

    /**
     * Moves both clocks.
     *
     * @param int $seconds
     */
    private function pass(int $seconds): void {
        $this->world->clock->now += $seconds;
        $this->world->backend->clock->now += $seconds;
    }

    /**
     * The clocks at this moment.
     *
     * @return clocks
     */
    private function clocks(): clocks {
        return new clocks($this->world->memory, $this->world->clock);
    }

    /**
     * The time of the watermark.
     *
     * @return int
     */
    private function watermark(): int {
        return $this->world->memory->get(versions::WATERMARK)['time'];
    }

    /**
     * Sets the watermark a year ahead, as if an older backend had accepted such versions.
     */
    private function put_watermark_ahead(): void {
        $this->world->memory->set(versions::WATERMARK, ['time' => $this->world->clock->now + self::YEAR, 'sequence' => 77]);
    }

    /**
     * While Moodle's clock is ahead, everything waits: nothing is bisected, rejected, postponed or settled. Once it is corrected,
     * sending resumes automatically.
     */
    public function test_clock_ahead(): void {
        $this->world->put_users(20);
        $this->world->run();
        $good = $this->world->clock->now;
        $this->world->put_users(20, 'Bea');
        $this->world->clock->now += self::YEAR;
        $report = $this->world->run();
        $this->assertSame([failure::CLOCK_AHEAD, 409], [$report->failure->reason, $report->failure->status]);
        $this->assertTrue($report->outagestarted);
        $this->assertSame([1, 0, 0, 0], [$report->requests, $report->sent, $report->rejected, $report->postponed]);
        $this->assertSame('Too far ahead.', $report->failure->detail);
        $this->assertGreaterThan($this->world->clock->now, $report->waituntil);
        $this->assertCount(20, $this->world->outbox->rows);
        $this->assertSame([], $this->world->store->rejected);
        $this->assertSame(['firstname' => 'Ann'], array_intersect_key($this->world->backend->held('user:7'), ['firstname' => 1]));
        // The backend stored nothing with the wrong time, so the watermark is rolled back; and the skew is known.
        $this->assertSame($good, $this->watermark());
        $clocks = $this->clocks();
        $this->assertSame([self::YEAR, true, false, 0], [$clocks->skew(), $clocks->is_skewed(), $clocks->needs_reset(),
            $clocks->ahead]);

        // It backs off, and each retry fails in the same way.
        $this->assertSame(0, $this->world->run()->requests - $report->requests + 1);
        $this->world->clock->now = $report->waituntil;
        $this->assertSame(failure::CLOCK_AHEAD, $this->world->run()->failure->reason);
        $this->assertSame(2, $this->world->memory->get(health::OUTAGE)['failures']);
        $this->assertSame($good, $this->watermark());

        $this->world->clock->now = $good + 60;
        $this->world->backend->clock->now = $good + 60;
        $this->assertNull($this->clocks()->local, 'The clock was set back since the handshake.');
        $report = $this->world->run();
        $this->assertSame([true, 20, null], [$report->recovered, $report->sent, $report->failure]);
        $this->assertSame($good + 60, $this->watermark());
        $this->assert_settled();
    }

    /**
     * The same if the backend's clock is behind.
     */
    public function test_backend_clock_behind(): void {
        $this->world->backend->clock->now -= self::YEAR;
        $this->world->put_users(3);
        $this->assertSame(failure::CLOCK_AHEAD, $this->world->run()->failure->reason);
        $this->assertNull($this->world->memory->get(versions::WATERMARK));
        $this->assertSame(self::YEAR, $this->clocks()->skew());
        $this->pass(600);
        $this->world->backend->clock->now += self::YEAR;
        $this->assertSame(3, $this->world->run()->sent);
        $this->assert_settled();
    }

    /**
     * The skew is measured at once: the last handshake may be from a time when both clocks were correct.
     */
    public function test_clock_jumps_between_batches(): void {
        $this->world->put_users(1);
        $this->world->run();
        $this->world->put_users(1, 'Bea');
        $this->world->clock->now += clocks::MAX_AHEAD + 1;
        $this->world->run();
        $this->assertSame(clocks::MAX_AHEAD + 1, $this->clocks()->skew());
        $this->assertTrue($this->clocks()->is_skewed());
    }

    /**
     * The watermark is not rolled back behind versions that the backend may hold.
     */
    public function test_stored_versions_are_not_rolled_back(): void {
        $this->world->backend->handshake = ['max_batch_events' => 2];
        $this->world->clock->now += clocks::MAX_AHEAD;
        $ahead = $this->world->clock->now;
        $this->world->put_users(4);
        $this->world->backend->fault = function ($operation) {
            if ($operation === 'batch' && count($this->world->backend->of('batch')) === 2) {
                // The request reaches another process of the backend, or its clock is set back.
                $this->world->backend->clock->now -= 60;
            }
            return null;
        };
        $report = $this->world->run();
        $this->assertSame([2, failure::CLOCK_AHEAD], [$report->sent, $report->failure->reason]);
        $this->assertSame($ahead, $this->watermark());
        $this->assertCount(2, $this->world->outbox->rows);

        $this->world->backend->fault = null;
        $this->world->clock->now = $this->world->backend->clock->now;
        $this->world->put_users(4, 'Bea');
        $this->pass(200);
        $this->assertSame(4, $this->world->run()->sent);
        $this->assertSame($ahead, $this->watermark());
        $this->assert_settled();
    }

    /**
     * A clock that is ahead by less than the backend allows needs no reset after it is corrected.
     */
    public function test_slightly_ahead(): void {
        $this->world->clock->now += clocks::MAX_AHEAD;
        $this->world->put_users(2);
        $this->assertSame(2, $this->world->run()->sent);
        $this->world->clock->now -= clocks::MAX_AHEAD;
        $this->assertFalse($this->clocks()->needs_reset());
        $this->world->put_users(2, 'Bea');
        $this->assertSame([2, 0], [$this->world->run()->sent, count($this->world->store->rejected)]);
        $this->assert_settled();
    }

    /**
     * If only the watermark is ahead, the status says so, and only a reset helps. After it, both sides agree again.
     */
    public function test_reset(): void {
        $this->world->put_users(2);
        $this->world->put(change::USER, 3, ['firstname' => 'Cleo']);
        $this->world->run();
        $this->world->put(change::USER, 3, null);
        $this->world->run();
        $this->put_watermark_ahead();
        $this->world->put_users(1, 'Bea');
        for ($run = 0; $run < 3; $run++) {
            $this->assertSame(failure::CLOCK_AHEAD, $this->world->run()->failure->reason);
            $this->pass(backoff::LONGEST);
        }
        $clocks = $this->clocks();
        $this->assertSame([0, false, true], [$clocks->skew(), $clocks->is_skewed(), $clocks->needs_reset()]);
        $this->assertEqualsWithDelta(self::YEAR, $clocks->ahead, 3 * backoff::LONGEST);

        (new versions($this->world->memory, $this->world->clock))->reset();
        $this->world->store->invalidate_all();
        $this->assertSame(['time' => $this->world->clock->now, 'sequence' => 77], $this->world->memory->get(versions::WATERMARK));
        $this->assertFalse($this->clocks()->needs_reset());
        foreach ([1, 2] as $id) {
            $this->world->outbox->add($this->world->change(change::USER, $id));
        }
        $this->world->outbox->add($this->world->change(change::USER, 3, 'deleted'));
        $report = $this->world->run();
        $this->assertSame([true, 3, 0], [$report->recovered, $report->sent, $report->rejected]);
        $this->assert_settled();
    }

    /**
     * A clock that is behind is told apart from one that is ahead, and a wrong clock takes precedence over the watermark.
     */
    public function test_diagnosis(): void {
        $this->assertSame([null, 0, false], [$this->clocks()->local, $this->clocks()->skew(), $this->clocks()->is_skewed()]);
        $this->put_watermark_ahead();
        $this->world->clock->now -= clocks::MAX_SKEW;
        $this->world->run();
        $this->assertSame(-clocks::MAX_SKEW, $this->clocks()->skew());
        $this->assertSame([false, true, self::YEAR], [$this->clocks()->is_skewed(), $this->clocks()->needs_reset(),
            $this->clocks()->ahead]);
        $this->world->clock->now--;
        $this->world->memory->set(clocks::HANDSHAKE, null);
        $this->world->run();
        $this->assertSame([true, false, self::YEAR], [$this->clocks()->is_skewed(), $this->clocks()->needs_reset(),
            $this->clocks()->ahead]);
    }

    /**
     * Another status 409, or a proxy's, does not blame a clock.
     */
    public function test_other_conflicts(): void {
        foreach ([fake_backend::problem(409, 'some_code'), new response(409, 'clock_ahead')] as $conflict) {
            $this->world->put_users(1, 'Ann ' . $conflict->body);
            $this->answer_batches([$conflict]);
            $failure = $this->world->run()->failure;
            // A proxy's may be about what is in the request, so it is tried again, with success.
            $this->assertSame($conflict->body === 'clock_ahead' ? null : failure::NOT_CONTRACT, $failure->reason ?? null);
            $this->pass(backoff::LONGEST);
            $this->world->run();
        }
    }
}
