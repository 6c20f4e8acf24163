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

namespace local_backend_sync;

use local_backend_sync\fixtures\fake_backend;
use local_backend_sync\fixtures\fuse;
use local_backend_sync\fixtures\site;
use local_backend_sync\local\outbox;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/fixtures/load.php');
require_once($CFG->dirroot . '/user/lib.php');
require_once($CFG->libdir . '/gradelib.php');

/**
 * Tests of what the observers guarantee: transactions, settings, errors, cost.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\observer
 */
final class observer_guarantees_test extends \advanced_testcase {
    /**
     * A configured site.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        site::configure();
    }

    /**
     * A rollback removes the row too.
     */
    public function test_rollback(): void {
        global $DB;
        $this->preventResetByRollback();
        $user = $this->getDataGenerator()->create_user();
        site::clear();
        $transaction = $DB->start_delegated_transaction();
        user_update_user((object)['id' => $user->id, 'firstname' => 'Ghost'], false);
        $this->assertCount(1, site::rows());
        try {
            $transaction->rollback(new \moodle_exception('error'));
        } catch (\moodle_exception $e) {
            $this->assertSame([], site::rows());
        }
        $this->assertNotSame('Ghost', $DB->get_field('user', 'firstname', ['id' => $user->id]));
    }

    /**
     * Nothing is recorded before the plugin is set up.
     */
    public function test_unconfigured(): void {
        foreach (['backend_url' => '', 'api_token' => ' '] as $name => $value) {
            site::configure();
            set_config($name, $value, 'local_backend_sync');
            $this->assertSame([], site::enqueued(function () {
                site::course_with_student();
            }), $name);
        }
        unset_config('backend_url', 'local_backend_sync');
        unset_config('api_token', 'local_backend_sync');
        $this->getDataGenerator()->create_user();
        $this->assertSame([], site::rows());
        // Nor before an administrator starts sending, which synchronises everything.
        site::configure();
        set_config('sending', 0, 'local_backend_sync');
        $this->getDataGenerator()->create_user();
        $this->assertSame([], site::rows());
    }

    /**
     * Kinds that the administrator switched off are not recorded.
     */
    public function test_switched_off_kinds(): void {
        set_config('send_user', 0, 'local_backend_sync');
        set_config('send_grade', 0, 'local_backend_sync');
        set_config('send_enrolment', 0, 'local_backend_sync');
        $rows = site::enqueued(function () {
            $site = site::course_with_student();
            site::item($site->course->id)->update_final_grade($site->user->id, 80, 'test');
            delete_user($site->user);
        });
        $this->assertNotSame([], $rows);
        foreach ($rows as $row) {
            $this->assertStringStartsWith('course ', $row);
        }
        set_config('send_course', 0, 'local_backend_sync');
        $this->assertSame([], site::enqueued(function () {
            $this->getDataGenerator()->create_course();
        }));
    }

    /**
     * An error in the plugin never breaks Moodle's own change.
     */
    public function test_missing_table(): void {
        global $DB;
        $this->preventResetByRollback();
        $manager = $DB->get_manager();
        $table = new \xmldb_table(outbox::TABLE);
        $manager->rename_table($table, 'local_backend_sync_gone');
        try {
            $user = $this->getDataGenerator()->create_user();
            $this->assertDebuggingCalled();
            // Moodle catches exceptions of observers, but not PHP's errors: this observer throws neither.
            observer::user(\core\event\user_updated::create_from_userid($user->id));
            $this->assertDebuggingCalled();
            // Nor within a transaction, which some databases abort after an error.
            $transaction = $DB->start_delegated_transaction();
            user_update_user((object)['id' => $user->id, 'firstname' => 'Bea'], false);
            $transaction->allow_commit();
            $this->assertDebuggingCalled();
        } finally {
            $manager->rename_table(new \xmldb_table('local_backend_sync_gone'), outbox::TABLE);
        }
        $this->assertSame('Bea', $DB->get_field('user', 'firstname', ['id' => $user->id]));
    }

    /**
     * An observer writes once to the database, and reads nothing from it.
     */
    public function test_cost(): void {
        global $DB;
        $user = $this->getDataGenerator()->create_user();
        $event = \core\event\user_updated::create_from_userid($user->id);
        observer::user($event);
        [$reads, $writes] = [$DB->perf_get_reads(), $DB->perf_get_writes()];
        observer::user($event);
        $this->assertSame([0, 1], [$DB->perf_get_reads() - $reads, $DB->perf_get_writes() - $writes]);
    }

    /**
     * A regrade of 500 grades sends 500 grades, however many events Moodle reports for it.
     */
    public function test_regrade(): void {
        global $DB;
        $course = $this->getDataGenerator()->create_course();
        $item = site::item($course->id);
        $other = site::item($course->id);
        $now = time();
        for ($i = 0; $i < 250; $i++) {
            $user = $this->getDataGenerator()->create_user();
            $this->getDataGenerator()->enrol_user($user->id, $course->id);
            foreach ([$item, $other] as $graded) {
                $DB->insert_record('grade_grades', ['itemid' => $graded->id, 'userid' => $user->id, 'finalgrade' => 50,
                    'rawgrademax' => 100, 'rawgrademin' => 0, 'timemodified' => $now]);
            }
        }
        site::clear();
        foreach ([$item, $other] as $graded) {
            $graded->grademax = 200;
            $graded->update('test');
            $graded->rescale_grades_keep_percentage(0, 100, 0, 200, 'test');
        }
        $backend = new fake_backend(new fuse());
        $this->assertGreaterThan(0, count(site::rows()));
        site::send($backend);
        $grades = array_filter($backend->events(), function ($event) use ($item, $other) {
            return $event['type'] === 'grade_updated' && in_array($event['data']['itemid'], [$item->id, $other->id]);
        });
        $this->assertCount(500, $grades);
        $this->assertSame(['100.00000'], array_values(array_unique(array_column(array_column($grades, 'data'), 'finalgrade'))));
        $this->assertSame(['200.00000'], array_values(array_unique(array_column(array_column($grades, 'data'), 'grademax'))));
        $this->assertSame([], site::rows());
    }
}
