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
 * Tests of splitting events into batches.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\batches
 */
final class batches_test extends \basic_testcase {
    /**
     * Events with texts of given sizes.
     *
     * @param int[] $sizes
     * @return event[]
     */
    private function events(array $sizes): array {
        $events = [];
        foreach ($sizes as $i => $size) {
            $change = new change(change::USER, $i + 1);
            $event = new event($change, payload::state($change, ['firstname' => str_repeat('a', $size)], []));
            $event->set_version(1795333600, $i + 1);
            $events[] = $event;
        }
        return $events;
    }

    /**
     * No batch exceeds the limit of events, and all events are there in order.
     */
    public function test_by_count(): void {
        $events = $this->events(array_fill(0, 7, 1));
        $batches = batches::divide($events, 3, PHP_INT_MAX);
        $this->assertSame([3, 3, 1], array_map('count', $batches));
        $this->assertSame($events, array_merge(...$batches));
        $this->assertSame([7], array_map('count', batches::divide($events, 7, PHP_INT_MAX)));
        $this->assertSame([], batches::divide([], 3, 1000));
        // There is progress even with limits that make no sense.
        $this->assertCount(7, batches::divide($events, 0, 0));
    }

    /**
     * No body exceeds the limit by a byte, unless a single event does.
     */
    public function test_by_bytes(): void {
        mt_srand(7);
        $sizes = [];
        for ($i = 0; $i < 200; $i++) {
            $sizes[] = mt_rand(0, 9) ? mt_rand(0, 300) : 5000;
        }
        $events = $this->events($sizes);
        foreach ([1000, 1500, 4000, 20000] as $max) {
            $batches = batches::divide($events, 1000, $max);
            $this->assertSame($events, array_merge(...$batches));
            foreach ($batches as $i => $batch) {
                $bytes = strlen(event::body($batch));
                $this->assertTrue($bytes <= $max || count($batch) === 1, "$bytes bytes of $max");
                // The next event would not have fitted: batches are as large as possible.
                $next = $batches[$i + 1][0] ?? null;
                $this->assertTrue(!$next || strlen(event::body(array_merge($batch, [$next]))) > $max - batches::FRAME);
            }
        }
    }
}
