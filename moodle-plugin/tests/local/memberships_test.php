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
use local_backend_sync\local\delivery\options;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->dirroot . '/cohort/lib.php');
require_once($CFG->dirroot . '/group/lib.php');

/**
 * Tests of the names of cohorts and groups.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\memberships
 * @covers     \local_backend_sync\local\fanout
 * @covers     \local_backend_sync\observer
 */
final class memberships_test extends \advanced_testcase {
    /** @var fake_backend */
    private $backend;
    /** @var \stdClass a course with a student, see fixtures\site */
    private $site;

    /**
     * A course with a student, whom the backend holds.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        site::configure();
        $this->backend = new fake_backend(new fuse());
        $this->site = site::course_with_student();
        site::send($this->backend);
    }

    /**
     * Looks for what Moodle does not report, and sends.
     */
    private function look(): void {
        $memory = new database_memory();
        unreported::enqueue_changes($memory, new differences($memory, new records(false), new options()), change::KINDS);
        site::send($this->backend);
    }

    /**
     * What the backend holds of the student.
     *
     * @return array cohorts and groups, null for none
     */
    private function held(): array {
        $user = $this->backend->held("user:{$this->site->user->id}");
        return [$user['cohorts'] ?? null, $this->backend->held("enrolment:{$this->site->enrolment}")['groups'] ?? null];
    }

    /**
     * Neither leaves the site before an administrator has switched it on, and its changes are not even recorded.
     */
    public function test_off(): void {
        global $DB;
        $generator = $this->getDataGenerator();
        $this->look();
        site::clear();
        $cohort = $generator->create_cohort(['name' => 'Dyslexia support']);
        cohort_add_member($cohort->id, $this->site->user->id);
        $group = $generator->create_group(['courseid' => $this->site->course->id, 'name' => 'Resit']);
        groups_add_member($group->id, $this->site->user->id);
        groups_delete_group($group->id);
        cohort_delete_cohort($DB->get_record('cohort', ['id' => $cohort->id]));
        $this->assertSame([], site::rows());
        $this->look();
        $this->assertSame([null, null], $this->held());
    }

    /**
     * Cohorts: switched on, joined, renamed, left, deleted, switched off.
     */
    public function test_cohorts(): void {
        global $DB;
        $generator = $this->getDataGenerator();
        $user = $this->site->user->id;
        $year = $generator->create_cohort(['name' => 'Year 1', 'visible' => 0]);
        cohort_add_member($year->id, $user);
        set_config('send_cohorts', 1, 'local_backend_sync');
        $this->look();
        $this->assertSame([['Year 1'], null], $this->held());
        $intake = $generator->create_cohort(['name' => 'Intake "ü"']);
        $this->assertSame(["user $user updated $user 0 0"], site::enqueued(function () use ($intake, $user) {
            cohort_add_member($intake->id, $user);
        }));
        site::send($this->backend);
        $this->assertSame(['Intake "ü"', 'Year 1'], $this->held()[0]);
        $intake->name = 'Zenith';
        cohort_update_cohort($intake);
        site::send($this->backend);
        $this->assertSame(['Year 1', 'Zenith'], $this->held()[0]);
        cohort_remove_member($year->id, $user);
        site::send($this->backend);
        $this->assertSame(['Zenith'], $this->held()[0]);
        // Moodle deletes the members first, with no event.
        cohort_delete_cohort($DB->get_record('cohort', ['id' => $intake->id]));
        site::send($this->backend);
        $this->assertSame([], $this->held()[0]);
        set_config('send_cohorts', 0, 'local_backend_sync');
        $this->look();
        $this->assertSame([null, null], $this->held());
    }

    /**
     * Groups: the same, and only those of the course.
     */
    public function test_groups(): void {
        $generator = $this->getDataGenerator();
        $user = $this->site->user->id;
        $course = $this->site->course->id;
        $other = $generator->create_course()->id;
        $generator->enrol_user($user, $other, 'student');
        groups_add_member($generator->create_group(['courseid' => $other, 'name' => 'Elsewhere'])->id, $user);
        $a = $generator->create_group(['courseid' => $course, 'name' => 'B']);
        set_config('send_groups', 1, 'local_backend_sync');
        site::send($this->backend);
        $this->look();
        $this->assertSame([null, []], $this->held());
        $this->assertSame(["roles 0 updated $user $course 0"], site::enqueued(function () use ($a, $user) {
            groups_add_member($a->id, $user);
        }));
        site::send($this->backend);
        groups_add_member($generator->create_group(['courseid' => $course, 'name' => 'A'])->id, $user);
        site::send($this->backend);
        $this->assertSame([null, ['A', 'B']], $this->held());
        $a->name = 'C';
        groups_update_group($a);
        site::send($this->backend);
        $this->assertSame(['A', 'C'], $this->held()[1]);
        groups_delete_group($a->id);
        site::send($this->backend);
        $this->assertSame(['A'], $this->held()[1]);
        groups_remove_member(groups_get_group_by_name($course, 'A'), $user);
        site::send($this->backend);
        $this->assertSame([], $this->held()[1]);
    }

    /**
     * Many people and groups take as many statements as few.
     */
    public function test_cost(): void {
        global $DB;
        set_config('send_groups', 1, 'local_backend_sync');
        $generator = $this->getDataGenerator();
        for ($i = 0; $i < 20; $i++) {
            $user = $generator->create_user();
            $generator->enrol_user($user->id, $this->site->course->id, 'student');
            for ($group = 0; $group < 3; $group++) {
                $id = $generator->create_group(['courseid' => $this->site->course->id, 'name' => "Group $i $group"])->id;
                $DB->insert_record('groups_members', ['groupid' => $id, 'userid' => $user->id, 'timeadded' => 1]);
            }
        }
        $ids = $DB->get_fieldset_select('user_enrolments', 'id', "userid <> ? ORDER BY id", [$this->site->user->id]);
        $transaction = $DB->start_delegated_transaction();
        (new records(false))->states(change::ENROLMENT, $ids); // Moodle looks at the tables' columns once.
        $counts = [];
        foreach ([2, 20] as $count) {
            $reads = $DB->perf_get_reads();
            $states = (new records(false))->states(change::ENROLMENT, array_slice($ids, 0, $count));
            $counts[] = $DB->perf_get_reads() - $reads;
        }
        $transaction->allow_commit();
        $this->assertSame(['Group 19 0', 'Group 19 1', 'Group 19 2'], end($states)['groups']);
        $this->assertSame($counts[0], $counts[1]);
    }
}
