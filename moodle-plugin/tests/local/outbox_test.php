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

use local_backend_sync\fixtures\fake_backend;
use local_backend_sync\fixtures\fuse;
use local_backend_sync\fixtures\site;
use local_backend_sync\local\delivery\change;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../fixtures/load.php');

/**
 * Tests of the outbox.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\outbox
 * @covers     \local_backend_sync\local\rows
 */
final class outbox_test extends \advanced_testcase {
    /**
     * An empty outbox.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        site::clear();
    }

    /**
     * The oldest records come first, each with all its rows. Done deletes these rows and no others.
     */
    public function test_next_and_done(): void {
        $outbox = new outbox();
        foreach ([1, 2, 3, 1, 4, 2, 1] as $i => $id) {
            outbox::add(change::USER, $id, $i ? 'updated' : 'created', $id);
        }
        outbox::add(change::GRADE, 1, 'updated', 7, 8, 9);
        $changes = $outbox->next(2);
        $this->assertSame(['user:1', 'user:2'], array_keys($changes));
        $this->assertCount(3, $changes['user:1']->rowids);
        $this->assertTrue($changes['user:1']->created);
        $this->assertSame($changes['user:1']->rowids, $outbox->next(2)['user:1']->rowids);
        // A row added in the meantime stays.
        outbox::add(change::USER, 1, 'deleted', 1);
        $outbox->done([$changes['user:1']]);
        $this->assertSame(['user:2', 'user:3', 'user:4', 'grade:1', 'user:1'], array_keys($outbox->next(100)));
        $outbox->done($outbox->next(100));
        $this->assertSame([], $outbox->next(100));
        $outbox->done([]);
        $this->assertSame([], site::rows());
    }

    /**
     * Postponed changes come when they are due, and once.
     */
    public function test_postponed(): void {
        global $DB;
        $outbox = new outbox();
        $change = new change(change::GRADE, 5);
        $change->userid = 7;
        $change->created = true;
        outbox::postpone([$change], time() + 1000);
        $change->created = false;
        outbox::postpone([$change, new change(change::USER, 5)], time() + 2000);
        $this->assertSame(['grade 5 updated 7 0 0', 'user 5 updated 0 0 0'], site::rows());
        $this->assertSame([], $outbox->next(10));
        // Rows that are due stay.
        outbox::add(change::GRADE, 5, 'updated', 7);
        outbox::postpone([$change], time() + 3000);
        $this->assertCount(3, site::rows());
        $this->assertSame(['grade:5'], array_keys($outbox->next(10)));
        $DB->set_field(outbox::TABLE, 'timedue', time() - 1, ['kind' => 'user']);
        $this->assertSame(['user:5', 'grade:5'], array_keys($outbox->next(10)));
        outbox::postpone([], time());
    }

    /**
     * Sending 300 changes takes as many statements as sending 10, and one request.
     */
    public function test_cost(): void {
        global $DB;
        site::configure();
        $backend = new fake_backend(new fuse());
        $this->getDataGenerator()->create_user();
        site::send($backend);
        $counts = [];
        foreach ([10, 300] as $count) {
            for ($i = 0; $i < $count; $i++) {
                $this->getDataGenerator()->create_user();
            }
            [$reads, $writes] = [$DB->perf_get_reads(), $DB->perf_get_writes()];
            $report = site::send($backend);
            $this->assertSame([$count, 1], [$report->sent, $report->requests]);
            $counts[] = [$DB->perf_get_reads() - $reads, $DB->perf_get_writes() - $writes];
        }
        $this->assertSame($counts[0][0], $counts[1][0]);
        // Moodle inserts rows in groups, which are small on some databases.
        $this->assertLessThanOrEqual($counts[0][1] + 10, $counts[1][1]);
        $this->assertSame([], site::rows());
    }

    /**
     * More records than fit into one SQL list.
     */
    public function test_many(): void {
        global $DB;
        $rows = [];
        for ($i = 1; $i <= 2500; $i++) {
            $rows[] = ['kind' => 'user', 'objectid' => $i, 'event' => 'updated', 'timecreated' => 1, 'timedue' => 0];
        }
        $DB->insert_records(outbox::TABLE, array_merge($rows, $rows));
        $outbox = new outbox();
        $changes = $outbox->next(2400);
        $this->assertCount(2400, $changes);
        $this->assertCount(2, $changes['user:2400']->rowids);
        $outbox->done($changes);
        $this->assertCount(100, $outbox->next(5000));
    }

    /**
     * A record with more rows than are coalesced at once is sent, and its later rows follow.
     */
    public function test_very_many_rows_of_one_record(): void {
        global $DB;
        $rows = array_fill(0, outbox::ROWS + 100, ['kind' => 'user', 'objectid' => 7, 'event' => 'updated', 'timecreated' => 1,
            'timedue' => 0]);
        $DB->insert_records(outbox::TABLE, $rows);
        $outbox = new outbox();
        $changes = $outbox->next(1000);
        $this->assertCount(outbox::ROWS, $changes['user:7']->rowids);
        $outbox->done($changes);
        $this->assertCount(100, $outbox->next(1000)['user:7']->rowids);
    }

    /**
     * Compacting keeps the newest row of each record, and all others that differ.
     */
    public function test_compact(): void {
        foreach (['created', 'updated', 'deleted'] as $event) {
            outbox::add('user', 1, $event, 1);
            outbox::add('grade', 1, 'updated', 1, 2, 3);
            outbox::add(fanout::ROLES, 5, 'updated', 1, 2);
        }
        outbox::add(fanout::ROLES, 5, 'updated', 1, 3);
        outbox::add('user', 2, 'created', 2);
        outbox::postpone([change::from_row((object)['kind' => 'user', 'objectid' => 1, 'userid' => 1, 'courseid' => 0,
            'itemid' => 0])], time() + 1000);
        $before = site::rows();
        outbox::compact(count($before));
        $this->assertSame($before, site::rows());
        outbox::compact(count($before) - 1);
        $expected = ['user 1 deleted 1 0 0', 'grade 1 updated 1 2 3', 'roles 5 updated 1 2 0', 'roles 5 updated 1 3 0',
            'user 2 created 2 0 0', 'user 1 updated 1 0 0'];
        $this->assertSame($expected, site::rows());
    }
}
