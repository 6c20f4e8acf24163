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

use core\lock\lock_config;
use local_backend_sync\fixtures\site;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->libdir . '/filelib.php');

/**
 * Tests of the sender's lock.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\runner
 */
final class runner_lock_test extends \advanced_testcase {
    /**
     * A configured site with an empty outbox, and no backend.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        site::configure('http://127.0.0.1:1');
        site::clear();
    }

    /**
     * Whether the lock is free.
     *
     * @return bool
     */
    private function is_free(): bool {
        $lock = lock_config::get_lock_factory('local_backend_sync')->get_lock(runner::LOCK, 0);
        if ($lock) {
            $lock->release();
        }
        return (bool)$lock;
    }

    /**
     * Only one sender runs at a time.
     */
    public function test_lock(): void {
        $lock = lock_config::get_lock_factory('local_backend_sync')->get_lock(runner::LOCK, 0);
        $this->getDataGenerator()->create_user();
        if (!$this->is_free()) {
            $this->assertNull(runner::run(5));
            $this->assertCount(1, site::rows());
            $this->expectOutputRegex('/Another process is sending/');
            (new \local_backend_sync\task\send())->execute();
        }
        $lock->release();
        $this->assertNotNull(runner::run(5));
    }

    /**
     * Where Moodle stores locks as rows, a killed process keeps others out for a run and its last requests, and they say how long.
     * No run is longer, so that no other process takes its lock for abandoned.
     */
    public function test_lock_as_row(): void {
        global $CFG, $DB;
        $CFG->lock_factory = '\\core\\lock\\db_record_lock_factory';
        $lifetimes = [];
        $expires = function () use ($DB, &$lifetimes) {
            $lifetimes[] = $DB->get_field('lock_db', 'expires', ['resourcekey' => 'local_backend_sync_sender']) - time();
        };
        runner::run(1, true, null, $expires);
        runner::run_long(0, $expires);
        runner::run(3600, true, null, $expires);
        set_config('timeout', 100, 'local_backend_sync');
        runner::run(50, true, null, $expires);
        foreach ([181, 181, 240, 510] as $i => $lifetime) {
            $this->assertEqualsWithDelta($lifetime, $lifetimes[$i], 3);
        }
        $this->assertSame(get_string('busy', 'local_backend_sync'), runner::busy());
        runner::with_lock(50, function () {
            $this->assertNull(runner::run(5));
            $this->assertMatchesRegularExpression('/its lock ends in 8 mins/', runner::busy());
        });
    }

    /**
     * A long run is many short ones, between which others may have the lock.
     */
    public function test_run_long(): void {
        site::answer([site::handshake()]);
        $report = runner::run_long(3600, function () {
            return null;
        });
        $this->assertTrue($report->empty);
        $this->assertFalse($report->istimeup);
        backfill::request(new database_memory(), backfill::RUNNING, true);
        site::answer([site::outcomes(1)]);
        $report = runner::run(0);
        $this->assertSame([1, null, true], [$report->sent, $report->failure, $report->istimeup]);
        $report = runner::run_long(10, function () {
            return null;
        });
        $this->assertFalse($report->istimeup);
        $this->assertSame(backfill::FINISHED, status::read()->backfill['status']);
    }

    /**
     * The lock is released even after an exception.
     */
    public function test_lock_is_released(): void {
        $this->getDataGenerator()->create_user();
        site::answer([site::handshake(), site::outcomes(1)]);
        try {
            runner::run(5, false, null, function () {
                throw new \coding_exception('on purpose');
            });
            $this->fail('Nothing was thrown.');
        } catch (\coding_exception $e) {
            $this->assertTrue($this->is_free());
        }
        runner::run(5);
        $this->assertTrue($this->is_free());
    }
}
