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
 * Tests of coalescing outbox rows.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\change
 */
final class change_test extends \basic_testcase {
    /** @var int id of the last row */
    private $lastid = 0;

    /**
     * A row of the outbox.
     *
     * @param string $kind
     * @param int $objectid
     * @param string $event
     * @param array $columns
     * @return \stdClass
     */
    private function row(string $kind, int $objectid, string $event, array $columns = []): \stdClass {
        $id = ++$this->lastid;
        return (object)($columns + ['id' => (string)$id, 'kind' => $kind, 'objectid' => (string)$objectid, 'userid' => '0',
            'courseid' => '0', 'itemid' => '0', 'event' => $event, 'timecreated' => (string)(1000 + $id), 'timedue' => '0']);
    }

    /**
     * Sequences of events, and the resulting one.
     *
     * @return array[]
     */
    public static function sequences(): array {
        return [
            [['created'], 'created'],
            [['updated'], 'updated'],
            [['deleted'], 'deleted'],
            [['created', 'updated', 'updated'], 'created'],
            [['updated', 'updated'], 'updated'],
            [['created', 'updated', 'deleted'], 'deleted'],
            [['created', 'deleted'], 'deleted'],
            // A fan-out may add a row after a deletion: the record's state decides.
            [['deleted', 'updated'], 'updated'],
            [['created', 'deleted', 'updated'], 'created'],
        ];
    }

    /**
     * All rows of a record become one change.
     *
     * @dataProvider sequences
     * @param string[] $events
     * @param string $result
     */
    public function test_one_change_of_many_rows(array $events, string $result): void {
        $rows = [];
        foreach ($events as $event) {
            $rows[] = $this->row(change::USER, 7, $event);
        }
        $changes = change::coalesce($rows);
        $this->assertSame(['user:7'], array_keys($changes));
        $this->assertSame($result, $changes['user:7']->event());
        $this->assertSame(range(1, count($events)), $changes['user:7']->rowids);
        $this->assertSame(1000 + count($events), $changes['user:7']->time);
    }

    /**
     * An id that only one row has is kept, whichever row it is.
     */
    public function test_ids_of_one_row(): void {
        $changes = change::coalesce([
            $this->row(change::GRADE, 7, 'updated', ['userid' => '3', 'itemid' => '4']),
            $this->row(change::GRADE, 7, 'updated', ['courseid' => '5']),
            $this->row(change::GRADE, 7, 'deleted'),
        ]);
        $change = $changes['grade:7'];
        $this->assertSame([3, 5, 4], [$change->userid, $change->courseid, $change->itemid]);
        // If both have it, the newer row wins.
        $changes = change::coalesce([
            $this->row(change::GRADE, 7, 'updated', ['userid' => '3']),
            $this->row(change::GRADE, 7, 'updated', ['userid' => '6']),
        ]);
        $this->assertSame(6, $changes['grade:7']->userid);
    }

    /**
     * Changes are in the order of each record's first row, and the same id in another kind is another record.
     */
    public function test_order_and_kinds(): void {
        $changes = change::coalesce([
            $this->row(change::USER, 7, 'created'),
            $this->row(change::COURSE, 7, 'created'),
            $this->row(change::ENROLMENT, 1, 'created'),
            $this->row(change::COURSE, 7, 'updated'),
            $this->row(change::USER, 2, 'updated'),
            $this->row(change::USER, 7, 'updated'),
        ]);
        $this->assertSame(['user:7', 'course:7', 'enrolment:1', 'user:2'], array_keys($changes));
        $this->assertSame([1, 6], $changes['user:7']->rowids);
        $this->assertSame([2, 4], $changes['course:7']->rowids);
        $this->assertSame([], change::coalesce([]));
    }
}
