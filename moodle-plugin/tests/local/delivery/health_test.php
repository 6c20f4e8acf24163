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

use local_backend_sync\fixtures\fake_clock;
use local_backend_sync\fixtures\fake_memory;
use local_backend_sync\fixtures\fuse;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of how outages are remembered.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\health
 */
final class health_test extends \basic_testcase {
    /** @var fake_clock */
    private $clock;
    /** @var fake_memory */
    private $memory;
    /** @var health */
    private $health;

    /**
     * Starts without an outage.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->clock = new fake_clock();
        $this->memory = new fake_memory(new fuse());
        $this->health = new health($this->memory, $this->clock);
    }

    /**
     * The start and the end of an outage are reported once each.
     */
    public function test_failures_and_recovery(): void {
        $begin = $this->clock->now;
        $this->assertFalse($this->health->succeeded());
        $this->assertFalse($this->health->is_failing());
        $this->assertTrue($this->health->failed(new failure(failure::TIMEOUT, 'late')));
        $first = $this->health->wait_until();
        $this->assertGreaterThan($begin, $first);
        $this->clock->now = $first;
        $this->assertNull($this->health->wait_until());
        $this->assertFalse($this->health->failed(new failure(failure::UNAVAILABLE, 'full', 503, 200)));
        $this->assertSame($first + 200, $this->health->wait_until());
        $this->assertSame(
            [
                'failures' => 2, 'since' => $begin, 'last' => $first, 'retry' => $first + 200, 'reason' => 'unavailable',
                'detail' => 'full', 'status' => 503,
            ],
            $this->memory->get(health::OUTAGE)
        );
        $this->clock->now += 500;
        $this->assertTrue($this->health->succeeded());
        $this->assertFalse($this->health->succeeded());
        $this->assertFalse($this->health->is_failing());
        $this->assertSame(['time' => $this->clock->now], $this->memory->get(health::SUCCESS));
    }

    /**
     * A clock that was ahead must not stop delivery for long after it is corrected.
     */
    public function test_clock_set_back(): void {
        $this->health->failed(new failure(failure::TIMEOUT));
        $retry = $this->health->wait_until();
        $this->clock->now--;
        $this->assertNull($this->health->wait_until());
        // Nor does the outage start in the future.
        $this->health->failed(new failure(failure::TIMEOUT));
        $this->assertSame($this->clock->now, $this->memory->get(health::OUTAGE)['since']);
        // As an older version of the plugin wrote it, without the time of the failure.
        $outage = ['retry' => $retry] + $this->memory->get(health::OUTAGE);
        unset($outage['last']);
        $this->memory->set(health::OUTAGE, $outage);
        $this->assertSame($retry, $this->health->wait_until());
        $this->clock->now -= backoff::LONGEST_ASKED;
        $this->assertNull($this->health->wait_until());
    }

    /**
     * An administrator need not wait for the backoff, and the outage continues.
     */
    public function test_retry_now(): void {
        $this->health->retry_now();
        $this->assertFalse($this->health->is_failing());
        $this->health->failed(new failure(failure::TIMEOUT));
        $this->health->retry_now();
        $this->assertNull($this->health->wait_until());
        $this->assertTrue($this->health->is_failing());
        $this->assertFalse($this->health->failed(new failure(failure::TIMEOUT)));
    }
}
