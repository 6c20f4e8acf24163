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
use local_backend_sync\fixtures\fuse;
use local_backend_sync\fixtures\sender_testcase;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of what happens after either side was restored from an older backup.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\continuity
 */
final class continuity_test extends sender_testcase {
    /** @var array the last handshake that is stored */
    const HANDSHAKE = clocks::HANDSHAKE;

    /**
     * Sends some users.
     *
     * @param int[] $ids
     * @return report
     */
    private function send_users(array $ids): report {
        foreach ($ids as $id) {
            $this->world->put(change::USER, $id, ['firstname' => "Ann$id"]);
        }
        return $this->world->run();
    }

    /**
     * Makes the next run ask for a handshake.
     */
    private function forget_handshake(): void {
        $this->world->memory->set(self::HANDSHAKE, null);
    }

    /**
     * A backend that knows the last event is trusted, and so is one that was asked before that event.
     */
    public function test_same(): void {
        $this->send_users([1, 2]);
        $this->forget_handshake();
        $this->send_users([3]);
        $last = $this->world->memory->get(continuity::LAST);
        $this->assertSame(['event' => end($this->world->backend->ids), 'position' => 3], $last);
        $requests = $this->world->backend->of('handshake');
        $this->assertStringContainsString('last_position=2', end($requests)['url']);
        $this->assertNull($this->world->memory->get(continuity::COMPARE));
    }

    /**
     * A backend that does not know the last event was restored: once, everything is compared.
     */
    public function test_restored_backend(): void {
        $this->send_users([1]);
        $backup = clone $this->world->backend;
        $this->send_users([2]);
        $this->world->backend = $backup;
        $this->forget_handshake();
        $this->assertNull($this->send_users([3])->failure);
        $this->assertSame(['reason' => continuity::RESTORED], $this->world->memory->get(continuity::COMPARE));
        $this->world->memory->set(continuity::COMPARE, null);
        $this->forget_handshake();
        $this->send_users([4]);
        $this->assertNull($this->world->memory->get(continuity::COMPARE));
    }

    /**
     * A backend that was restored between two events is recognised by the second one's position, without a handshake.
     *
     * @dataProvider gaps
     * @param int $gap
     * @param array|null $request
     */
    public function test_restored_between_events(int $gap, ?array $request): void {
        $this->send_users([1]);
        $backup = clone $this->world->backend;
        $this->send_users([2]);
        $this->world->backend = $gap ? $this->world->backend : $backup;
        $this->world->backend->gap = $gap;
        $this->send_users([3]);
        $this->assertCount(1, $this->world->backend->of('handshake'));
        $this->assertSame($request, $this->world->memory->get(continuity::COMPARE));
    }

    /**
     * Positions that are left out.
     *
     * @return array[]
     */
    public static function gaps(): array {
        return [
            'other sites were busy' => [1000000, null],
            'restored by its own command' => [1000000000, ['reason' => continuity::RESTORED]],
            'all its files were put back' => [0, ['reason' => continuity::RESTORED]],
        ];
    }

    /**
     * A database that is restored brings its last handshake along. That is old, so nothing is sent before the next one.
     */
    public function test_restored_moodle_with_handshake(): void {
        $this->send_users([1]);
        $backup = clone $this->world->memory;
        $this->send_users([2]);
        $this->world->clock->now += sender::HANDSHAKE_AGE + 1;
        $this->world->memory = $backup;
        $this->assertSame(failure::WENT_BACK, $this->send_users([3])->failure->reason);
        $this->assertNull($this->world->backend->held('user:3'));
    }

    /**
     * A backend that was restored since the last handshake, and takes the next event before there is another one: its positions
     * begin again, or far behind.
     */
    public function test_restored_between_handshakes(): void {
        $this->send_users([1]);
        $backup = clone $this->world->backend;
        $this->send_users([2, 3]);
        foreach ([0, continuity::GAP + 3] as $gap) {
            $this->world->backend = clone $backup;
            $this->world->backend->gap = $gap;
            $this->assertNull($this->send_users([4 + $gap])->failure);
            $this->assertSame(['reason' => continuity::RESTORED], $this->world->memory->get(continuity::COMPARE), "gap $gap");
            $this->world->memory->set(continuity::COMPARE, null);
            $this->assertNull($this->send_users([5 + $gap])->failure);
            $this->assertNull($this->world->memory->get(continuity::COMPARE), 'once');
        }
        $this->assertCount(1, $this->world->backend->of('handshake'));
    }

    /**
     * Moodle that remembers less than the backend stops until an administrator says what happened.
     */
    public function test_restored_moodle(): void {
        $this->send_users([1]);
        $backup = clone $this->world->memory;
        $this->send_users([2, 3]);
        $this->world->memory = $backup;
        $this->forget_handshake();
        $report = $this->send_users([4]);
        $this->assertSame(failure::WENT_BACK, $report->failure->reason);
        $this->assertNull($this->world->backend->held('user:4'));
        continuity::accept($this->world->memory);
        $this->assertSame(['reason' => continuity::WENT_BACK], $this->world->memory->get(continuity::COMPARE));
        $this->world->clock->now += 3600;
        $this->assertNull($this->send_users([5])->failure);
        $this->assertNotNull($this->world->backend->held('user:4'));
        $this->forget_handshake();
        $this->assertNull($this->send_users([6])->failure);
    }

    /**
     * An answer that was lost makes nobody remember less.
     */
    public function test_lost_answer(): void {
        $this->answer_batches(['lost']);
        $this->assertSame(failure::TIMEOUT, $this->send_users([1])->failure->reason);
        $this->world->clock->now += 3600;
        $this->forget_handshake();
        $this->assertNull($this->send_users([2])->failure);
    }

    /**
     * Another backend never had the last event of this one.
     */
    public function test_other_backend(): void {
        $this->send_users([1]);
        $this->world->backend = new fake_backend(new fuse());
        $this->world->backend->handshake = ['site' => 'another'];
        $this->forget_handshake();
        $this->assertNull($this->send_users([2])->failure);
        $this->assertNull($this->world->memory->get(continuity::COMPARE));
    }
}
