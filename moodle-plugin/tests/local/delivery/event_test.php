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
 * Tests of events: their ids, digests and JSON.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\event
 */
final class event_test extends \basic_testcase {
    /**
     * An event about a user.
     *
     * @param array $fields
     * @param array $columns properties of the change
     * @return event
     */
    private function event(array $fields = ['firstname' => 'Ann'], array $columns = []): event {
        $change = new change(change::USER, 7);
        $change->rowids = [1, 2];
        $change->time = 1795333600;
        foreach ($columns as $name => $value) {
            $change->$name = $value;
        }
        $event = new event($change, payload::state($change, $fields, []));
        $event->set_version(1795333600, 1);
        return $event;
    }

    /**
     * An event about a user who is gone.
     *
     * @param int[] $rowids
     * @return event
     */
    private function deletion(array $rowids = [1, 2]): event {
        $change = new change(change::USER, 7);
        $change->rowids = $rowids;
        $change->time = 1795333600;
        $event = new event($change, null);
        $event->set_version(1795333600, 1);
        return $event;
    }

    /**
     * A repetition is recognised by its id, and nothing else is taken for one.
     */
    public function test_ids_are_those_of_rows_and_state(): void {
        $repetition = $this->event();
        $repetition->set_version(1795339999, 17);
        $this->assertSame($this->event()->idempotencykey, $repetition->idempotencykey);
        $others = [
            'other state' => $this->event(['firstname' => 'Bea']),
            'a row more' => $this->event(['firstname' => 'Ann'], ['rowids' => [1, 2, 3]]),
            'other rows' => $this->event(['firstname' => 'Ann'], ['rowids' => [12]]),
            'no rows' => $this->event(['firstname' => 'Ann'], ['rowids' => []]),
            'other record' => $this->event(['firstname' => 'Ann'], ['objectid' => 8]),
            'other time' => $this->event(['firstname' => 'Ann'], ['time' => 1795333601]),
            'deleted' => $this->deletion(),
            'deleted by other rows' => $this->deletion([3]),
        ];
        $ids = array_column($others, 'idempotencykey');
        $ids[] = $this->event()->idempotencykey;
        $this->assertCount(count($others) + 1, array_unique($ids));
        // Without rows, each is one of its own.
        $this->assertNotSame($others['no rows']->idempotencykey, $this->event_without_rows(2)->idempotencykey);
        $this->assertSame($others['no rows']->idempotencykey, $this->event_without_rows(1)->idempotencykey);
    }

    /**
     * An event of a backfill.
     *
     * @param int $sequence
     * @return event
     */
    private function event_without_rows(int $sequence): event {
        $event = $this->event(['firstname' => 'Ann'], ['rowids' => []]);
        $event->set_version(1795333600, $sequence);
        return $event;
    }

    /** @var string what a UUID of version 7 looks like */
    const UUID = '/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/';

    /**
     * Ids are UUIDs of version 7 that ascend with the time of the change.
     */
    public function test_ids_are_ascending_uuids(): void {
        $last = '';
        foreach ([0, 1, 15, 255, 65536, 1795333600, 1795333601, 4102444800, 253402300799] as $time) {
            for ($row = 1; $row < 20; $row++) {
                $id = $this->event(['firstname' => 'Ann'], ['time' => $time, 'rowids' => [$row]])->idempotencykey;
                $this->assertMatchesRegularExpression(self::UUID, $id);
                $this->assertGreaterThan($last, substr($id, 0, 13));
            }
            $last = substr($id, 0, 13);
            $this->assertSame($time * 1000, hexdec(str_replace('-', '', substr($id, 0, 13))));
        }
    }

    /**
     * Whether a record is new is no part of its state: an update that finds it so already sends nothing.
     */
    public function test_digests(): void {
        $created = $this->event(['firstname' => 'Ann'], ['created' => true]);
        $updated = $this->event(['firstname' => 'Ann'], ['rowids' => [9]]);
        $this->assertSame('user_created', $created->type);
        $this->assertSame('user_updated', $updated->type);
        $this->assertSame($created->hash, $updated->hash);
        $this->assertMatchesRegularExpression('/^[0-9a-f]{32}$/', $created->hash);
        $this->assertNotSame($created->hash, $this->event(['firstname' => 'ann'])->hash);
        $this->assertNotSame($created->hash, $this->event([])->hash);
        $this->assertSame(event::DELETED, $this->deletion()->hash);
    }

    /**
     * A deletion tells ids and nothing else.
     */
    public function test_deletion(): void {
        $event = $this->deletion();
        $event->set_version(5, 6);
        $this->assertSame(
            ['id' => $event->idempotencykey, 'type' => 'user_deleted', 'time' => 5, 'sequence' => 6, 'data' => ['userid' => 7]],
            json_decode($event->json, true)
        );
    }

    /**
     * A text that is no UTF-8 becomes one, and stops nothing.
     */
    public function test_invalid_utf8(): void {
        $event = $this->event(['firstname' => "An\xffn", 'lastname' => "\xe9", 'city' => "Z\u{fc}rich \u{1f389} </script>"]);
        $event->set_version(5, 6);
        $data = json_decode(event::body([$event, $event]), true)['events'][1]['data'];
        $this->assertSame(
            ["An\u{fffd}n", "\u{fffd}", "Z\u{fc}rich \u{1f389} </script>"],
            [$data['firstname'], $data['lastname'], $data['city']]
        );
        $this->assertNotSame($event->hash, $this->event()->hash);
    }

    /**
     * An empty list of roles is a list in JSON, too.
     */
    public function test_no_roles_are_a_list(): void {
        $change = new change(change::ENROLMENT, 7);
        $event = new event($change, payload::state($change, ['roles' => []], []));
        $event->set_version(5, 6);
        $this->assertStringContainsString('"roles":[],', $event->json);
    }
}
