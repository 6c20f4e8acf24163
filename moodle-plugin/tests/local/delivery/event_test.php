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
 * Tests of events: idempotency keys, digests and JSON.
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
     * The deletion of a user.
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
     * A retry has the same idempotency key, and nothing else has.
     */
    public function test_idempotency_keys(): void {
        $retry = $this->event();
        $retry->set_version(1795339999, 17);
        $this->assertSame($this->event()->idempotencykey, $retry->idempotencykey);
        $others = [
            'other state' => $this->event(['firstname' => 'Bea']),
            'one more row' => $this->event(['firstname' => 'Ann'], ['rowids' => [1, 2, 3]]),
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
        // Without rows, the sequence number makes it unique.
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
     * Idempotency keys are UUIDs of version 7 that ascend with the time of the change.
     */
    public function test_idempotency_keys_are_ascending_uuids(): void {
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
     * Whether a record is new is not part of its state, so an update with the same state has the same digest.
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
     * A deletion contains only ids.
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
     * Invalid UTF-8 is replaced, and stops nothing.
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
     * An empty list of roles stays a list in JSON.
     */
    public function test_no_roles_are_a_list(): void {
        $change = new change(change::ENROLMENT, 7);
        $event = new event($change, payload::state($change, ['roles' => []], []));
        $event->set_version(5, 6);
        $this->assertStringContainsString('"roles":[],', $event->json);
    }
}
