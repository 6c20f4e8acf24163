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
 * Tests of how events are divided into requests.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\batches
 */
final class batches_test extends \basic_testcase {
    /**
     * Events with given sizes of their texts.
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
     * No batch has more events than it may, and all events are there in their order.
     */
    public function test_by_count(): void {
        $events = $this->events(array_fill(0, 7, 1));
        $batches = batches::divide($events, 3, PHP_INT_MAX);
        $this->assertSame([3, 3, 1], array_map('count', $batches));
        $this->assertSame($events, array_merge(...$batches));
        $this->assertSame([7], array_map('count', batches::divide($events, 7, PHP_INT_MAX)));
        $this->assertSame([], batches::divide([], 3, 1000));
        // Whatever a backend says, there is progress.
        $this->assertCount(7, batches::divide($events, 0, 0));
    }

    /**
     * No body is larger than it may be, to the byte, unless one event alone is.
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
                // The next event would not have fitted: no request is wasted.
                $next = $batches[$i + 1][0] ?? null;
                $this->assertTrue(!$next || strlen(event::body(array_merge($batch, [$next]))) > $max - batches::FRAME);
            }
        }
    }
}
