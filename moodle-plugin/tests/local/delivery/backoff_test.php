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

/**
 * Tests of the backoff.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\backoff
 */
final class backoff_test extends \basic_testcase {
    /**
     * It grows whatever the jitter, and has an upper limit.
     */
    public function test_growth(): void {
        $last = 0;
        for ($failures = 1; $failures <= 5; $failures++) {
            $this->assertGreaterThanOrEqual($last, backoff::wait($failures, null, 0.0));
            $last = backoff::wait($failures, null, 1.0);
        }
        $this->assertSame(backoff::FIRST, backoff::wait(1, null, 1.0));
        foreach ([6, 10, 100, 1000000, PHP_INT_MAX] as $failures) {
            $this->assertSame(backoff::LONGEST, backoff::wait($failures, null, 1.0));
        }
    }

    /**
     * Jitter shortens it by half at most: sites do not retry at the same moment, and none retries at once.
     */
    public function test_jitter(): void {
        for ($failures = 1; $failures <= 20; $failures++) {
            $most = backoff::wait($failures, null, 1.0);
            $least = backoff::wait($failures, null, 0.0);
            $this->assertSame((int)round($most / 2), $least);
            $this->assertGreaterThan($least, backoff::wait($failures, null, 0.5));
            $this->assertLessThan($most, backoff::wait($failures, null, 0.5));
            $this->assertGreaterThan(0, $least);
        }
    }

    /**
     * A Retry-After header is respected, within a limit.
     */
    public function test_retry_after(): void {
        $this->assertSame(120, backoff::wait(1, 120, 1.0));
        $this->assertSame(backoff::LONGEST, backoff::wait(20, 5, 1.0));
        $this->assertSame(backoff::FIRST, backoff::wait(1, 0, 1.0));
        $this->assertSame(backoff::LONGEST_ASKED, backoff::wait(1, 86400 * 365, 1.0));
    }
}
