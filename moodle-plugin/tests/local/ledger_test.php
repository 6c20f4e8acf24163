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

namespace local_backend_sync\local;

use local_backend_sync\event\event_rejected;
use local_backend_sync\fixtures\site;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\event;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../fixtures/load.php');

/**
 * Tests of the ledger: what the backend holds, and what it rejected.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\ledger
 * @covers     \local_backend_sync\event\event_rejected
 */
final class ledger_test extends \advanced_testcase {
    /** @var ledger */
    private $ledger;

    /**
     * An empty ledger.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        site::clear();
        $this->ledger = new ledger();
    }

    /**
     * Events about users (odd ids) and grades (even ids).
     *
     * @param int[] $ids
     * @param array|null $data
     * @return event[]
     */
    private function events(array $ids, ?array $data = ['a']): array {
        $events = [];
        foreach ($ids as $id) {
            $change = new change($id % 2 ? change::USER : change::GRADE, $id);
            $change->userid = 100 + $id;
            $change->itemid = 200 + $id;
            $events[] = new event($change, $data);
        }
        return $events;
    }

    /**
     * What is known of records, with null for those never sent.
     *
     * @param int[] $ids
     * @return array
     */
    private function known(array $ids): array {
        $known = [];
        $all = $this->ledger->known(array_column($this->events($ids), 'change'));
        foreach ($this->events($ids) as $event) {
            $known[] = $all[$event->change->key()] ?? null;
        }
        return $known;
    }

    /**
     * A record is first absent, then unknown, then confirmed.
     */
    public function test_invalidate_and_confirm(): void {
        global $DB;
        $events = $this->events([1, 2, 3]);
        $this->assertSame([null, null, null], $this->known([1, 2, 3]));
        $this->ledger->invalidate($events);
        $this->assertSame(['', '', ''], $this->known([1, 2, 3]));
        $this->ledger->confirm([$events[0], $events[1]]);
        $hash = $events[0]->hash;
        $this->assertSame([$hash, $hash, ''], $this->known([1, 2, 3]));
        // The same id in another kind is another record.
        $this->assertSame([], $this->ledger->known([new change(change::COURSE, 1)]));
        $this->ledger->invalidate([$events[1]]);
        $this->assertSame([$hash, '', ''], $this->known([1, 2, 3]));
        $this->ledger->confirm($this->events([2], null));
        $this->assertSame(event::DELETED, $this->known([2])[0]);
        $this->assertSame(3, $DB->count_records(ledger::SENT));
        $row = $DB->get_record(ledger::SENT, ['kind' => 'grade', 'objectid' => 2]);
        $this->assertEquals([102, 202], [$row->userid, $row->itemid]);
        // A duplicate: the backend may hold something else by now.
        $events[2]->hash = null;
        $this->ledger->confirm([$events[0], $events[2]]);
        $this->assertSame([$hash, event::DELETED, ''], $this->known([1, 2, 3]));
        $this->ledger->confirm([$events[2]]);
        $this->assertSame([''], $this->known([3]));
        // The digest of what was refused stays until something is accepted.
        $this->ledger->reject($events[2], 'code', '');
        $events[0]->hash = null;
        $this->ledger->confirm([$events[0]]);
        $this->ledger->reject($this->events([3])[0], 'code', '');
        $this->assertSame(event::REFUSED . $hash, $this->known([3])[0]);
        $this->ledger->confirm($this->events([3]));
        $this->assertSame($hash, $this->known([3])[0]);
        $this->ledger->invalidate($this->events([3]));
        $this->assertSame('', $this->known([3])[0]);
        // Another backend never had what was deleted.
        $this->ledger->invalidate_all();
        $this->assertSame(['', null, ''], $this->known([1, 2, 3]));
        $this->ledger->invalidate([]);
        $this->ledger->confirm([]);
        $this->assertSame([], $this->ledger->known([]));
    }

    /**
     * The number of statements is the same for 10 and for 300 events.
     */
    public function test_cost(): void {
        global $DB;
        $counts = [];
        foreach ([10, 300] as $i => $count) {
            $old = $this->events(range(10000 * $i + 1, 10000 * $i + $count));
            $this->ledger->invalidate($old);
            $this->ledger->reject($old[0], 'code', '');
            $events = array_merge($old, $this->events(range(10000 * $i + 5001, 10000 * $i + 5000 + $count)));
            [$reads, $writes] = [$DB->perf_get_reads(), $DB->perf_get_writes()];
            $this->ledger->known(array_column($events, 'change'));
            $known = $DB->perf_get_reads() - $reads;
            $this->ledger->invalidate($events);
            $invalidated = $DB->perf_get_writes() - $writes;
            $this->ledger->confirm($events);
            $counts[] = [$known, $DB->perf_get_reads() - $reads, $invalidated, $DB->perf_get_writes() - $writes];
            $hashes = $this->ledger->known(array_column($events, 'change'));
            $this->assertSame([$events[0]->hash], array_values(array_unique($hashes)));
        }
        // Writes differ slightly: Moodle inserts rows in groups, which are small on some databases.
        $this->assertSame($counts[0][0], $counts[1][0]);
        $this->assertSame($counts[0][1], $counts[1][1]);
        $this->assertLessThanOrEqual($counts[0][2] + 10, $counts[1][2]);
        $this->assertLessThanOrEqual($counts[0][3] + 10, $counts[1][3]);
    }

    /**
     * Only the last rejection of a record is kept. It is logged in Moodle, and deleted when the backend accepts the record.
     */
    public function test_reject(): void {
        global $DB;
        $events = $this->events([1, 2]);
        $events[0]->change->created = true;
        $sink = $this->redirectEvents();
        $this->ledger->reject($events[0], 'validation_failed', 'First.');
        $this->ledger->reject($events[1], str_repeat("\u{e9}", 60), 'Other.');
        $this->ledger->reject($events[0], 'event_not_storable', 'Second.');
        $logged = $sink->get_events();
        $sink->close();
        $this->assertCount(3, $logged);
        $this->assertInstanceOf(event_rejected::class, $logged[0]);
        $this->assertSame('user', $logged[0]->other['kind']);
        $this->assertSame('created', $logged[0]->other['event']);
        $this->assertEquals(101, $logged[0]->relateduserid);
        $this->assertStringContainsString('validation_failed', $logged[0]->get_description());
        $this->assertInstanceOf(\moodle_url::class, $logged[0]->get_url());
        $this->assertNotEmpty(event_rejected::get_name());
        $this->assertSame(2, $DB->count_records(ledger::REJECTED));
        $row = $DB->get_record(ledger::REJECTED, ['kind' => 'user', 'objectid' => 1]);
        $this->assertSame(['event_not_storable', 'Second.'], [$row->code, $row->detail]);
        $this->assertEquals($logged[2]->objectid, $row->id);

        $this->ledger->invalidate($events);
        $this->ledger->confirm([$events[0]]);
        $this->assertEquals([2], $DB->get_fieldset_select(ledger::REJECTED, 'objectid', '1 = 1'));
    }

    /**
     * Retried changes keep their event. Discarded ones are gone.
     */
    public function test_retry_and_discard(): void {
        global $DB;
        $events = $this->events([1, 2, 3, 4]);
        $events[0]->change->created = true;
        $events[1]->change->deleted = true;
        foreach ($events as $event) {
            $this->ledger->reject($event, 'code', 'detail');
        }
        $ids = $DB->get_fieldset_select(ledger::REJECTED, 'id', 'objectid <= 2');
        $this->assertSame(2, ledger::retry($ids));
        $this->assertEqualsCanonicalizing(['user 1 created 101 0 201', 'grade 2 deleted 102 0 202'], site::rows());
        $this->assertCount(2, (new outbox())->next(10));
        $this->assertSame(2, $DB->count_records(ledger::REJECTED));
        $id = $DB->get_field(ledger::REJECTED, 'id', ['objectid' => 3]);
        ledger::discard([$id]);
        $this->assertEquals([4], $DB->get_fieldset_select(ledger::REJECTED, 'objectid', '1 = 1'));
        $this->assertSame(1, ledger::retry([]));
        $this->assertCount(3, site::rows());
        $this->assertSame(0, ledger::retry([]));
        $this->ledger->reject($events[0], 'code', 'detail');
        ledger::discard([]);
        $this->assertSame(0, $DB->count_records(ledger::REJECTED));
        $this->assertCount(3, site::rows());
    }

    /**
     * Postponed changes wait in the outbox.
     */
    public function test_postpone(): void {
        $this->ledger->postpone(array_column($this->events([1]), 'change'), time() + 100);
        $this->assertSame(['user 1 updated 101 0 201'], site::rows());
        $this->assertSame([], (new outbox())->next(10));
    }
}
