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

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->dirroot . '/course/lib.php');
require_once($CFG->libdir . '/gradelib.php');
require_once($CFG->libdir . '/completionlib.php');

/**
 * Tests of changes that affect many records.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\fanout
 * @covers     \local_backend_sync\local\outbox
 */
final class fanout_test extends \advanced_testcase {
    /** @var \stdClass a course with a student, see fixtures\site, a grade (and its item) and a completion */
    private $site;
    /** @var fake_backend */
    private $backend;

    /**
     * A course with records of all kinds, and another one like it.
     */
    protected function setUp(): void {
        global $CFG, $DB;
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        $CFG->enablecompletion = 1;
        site::configure();
        $this->site = $this->make_course();
        $this->make_course();
        $this->backend = new fake_backend(new fuse());
        site::clear();
    }

    /**
     * A course with records of all kinds.
     *
     * @return \stdClass
     */
    private function make_course(): \stdClass {
        global $DB;
        $scale = $this->getDataGenerator()->create_scale(['scale' => 'Bad,Good']);
        $site = site::course_with_student(['enablecompletion' => 1]);
        $site->scale = $scale->id;
        $site->item = site::item($site->course->id, ['gradetype' => GRADE_TYPE_SCALE, 'scaleid' => $scale->id]);
        $site->item->update_final_grade($site->user->id, 2, 'test');
        $site->grade = $DB->get_field('grade_grades', 'id', ['itemid' => $site->item->id, 'userid' => $site->user->id]);
        // A user without a grade: no record to send.
        $this->getDataGenerator()->enrol_user($this->getDataGenerator()->create_user()->id, $site->course->id);
        $none = new \grade_grade(['itemid' => $site->item->id, 'userid' => get_admin()->id], false);
        $none->insert('test');
        (new \completion_completion(['userid' => $site->user->id, 'course' => $site->course->id]))->mark_complete();
        $where = ['userid' => $site->user->id, 'course' => $site->course->id];
        $site->completion = $DB->get_field('course_completions', 'id', $where);
        return $site;
    }

    /**
     * The rows that a cause expands to.
     *
     * @param string $cause
     * @param int $objectid
     * @param string $event
     * @param int $userid
     * @param int $courseid
     * @return string[] see fixtures\site::rows()
     */
    private function expand(string $cause, int $objectid, string $event = 'updated', int $userid = 0, int $courseid = 0): array {
        site::clear();
        outbox::add($cause, $objectid, $event, $userid, $courseid);
        outbox::add($cause, $objectid, $event, $userid, $courseid);
        (new outbox())->next(1000);
        $rows = array_values(array_unique(site::rows()));
        sort($rows);
        return $rows;
    }

    /**
     * The rows of the enrolments of the course.
     *
     * @param int $userid only of this user; 0 for all
     * @return string[]
     */
    private function enrolments(int $userid = 0): array {
        global $DB;
        $rows = [];
        $where = ['enrolid' => $this->site->enrol->id] + ($userid ? ['userid' => $userid] : []);
        foreach ($DB->get_records('user_enrolments', $where) as $row) {
            $rows[] = "enrolment $row->id updated $row->userid {$this->site->course->id} 0";
        }
        sort($rows);
        return $rows;
    }

    /**
     * Each cause expands to exactly the records that it affects.
     */
    public function test_causes(): void {
        global $DB;
        $site = $this->site;
        $courseid = $site->course->id;
        $userid = $site->user->id;
        $grade = "grade $site->grade updated $userid $courseid {$site->item->id}";
        $this->assertSame($this->enrolments($userid), $this->expand(fanout::ROLES, 5, 'updated', $userid, $courseid));
        $this->assertCount(2, $this->enrolments());
        $this->assertSame($this->enrolments(), $this->expand(fanout::METHOD, $site->enrol->id, 'updated', 0, $courseid));
        $this->assertSame([$grade], $this->expand(fanout::ITEM, $site->item->id, 'updated', 0, $courseid));
        $this->assertSame([$grade], $this->expand(fanout::SCALE, $site->scale));
        $courses = [];
        foreach ($DB->get_records('course', ['category' => $site->course->category]) as $course) {
            $courses[] = "course $course->id updated 0 $course->id 0";
        }
        sort($courses);
        $this->assertSame($courses, $this->expand(fanout::CATEGORY, $site->course->category));
        $this->assertSame([], $this->expand(fanout::ITEM, 999999));
        $role = $DB->get_field('role', 'id', ['shortname' => 'student']);
        $students = $this->expand(fanout::ROLE, $role);
        $this->assertSame([], array_diff($this->enrolments(), $students));
        $this->assertCount($DB->count_records('user_enrolments'), $students);
        $this->assertSame([], $this->expand(fanout::ROLE, $DB->get_field('role', 'id', ['shortname' => 'manager'])));
        // The other course is in a category below.
        $below = $this->getDataGenerator()->create_category(['parent' => $site->course->category]);
        $beside = $this->getDataGenerator()->create_category();
        $ids = array_keys($DB->get_records_select('course', 'category > 0', [], 'id'));
        $DB->set_field('course', 'category', $below->id, ['id' => $ids[1]]);
        $this->assertSame($courses, $this->expand(fanout::CATEGORY, $site->course->category));
        $this->assertSame(["course $ids[1] updated 0 $ids[1] 0"], $this->expand(fanout::CATEGORY, $below->id));
        $this->assertSame([], $this->expand(fanout::CATEGORY, $beside->id));

        $rows = $this->expand(fanout::CONTENTS, $courseid, 'updated', 0, $courseid);
        $grades = array_values(preg_grep('/^grade /', $rows));
        $this->assertContains($grade, $grades);
        $rest = array_values(array_diff($rows, $grades));
        $expected = array_merge($this->enrolments(), ["course $courseid updated 0 $courseid 0",
            "completion $site->completion updated $userid $courseid 0"]);
        sort($expected);
        $this->assertSame($expected, $rest);
        foreach ($grades as $row) {
            $this->assertStringContainsString(" $courseid ", $row);
        }
    }

    /**
     * With a user or a course, everything that the backend holds below it is deleted, although Moodle reports no events for that.
     */
    public function test_deleted_user_and_course(): void {
        global $DB;
        site::send($this->backend, new backfill($this->running()));
        $key = "completion:{$this->site->completion}";
        $this->assertNotNull($this->backend->held($key));
        $this->assertNotNull($this->backend->held("grade:{$this->site->grade}"));
        $this->assertNotNull($this->backend->held("enrolment:{$this->site->enrolment}"));
        delete_user($this->site->user);
        $DB->delete_records('course_completions', ['userid' => $this->site->user->id]);
        $DB->delete_records('grade_grades', ['userid' => $this->site->user->id]);
        site::send($this->backend);
        $keys = ["user:{$this->site->user->id}", $key, "grade:{$this->site->grade}", "enrolment:{$this->site->enrolment}"];
        foreach ($keys as $key) {
            $this->assertNull($this->backend->held($key), $key);
        }
        $this->assertNotNull($this->backend->held("course:{$this->site->course->id}"));
        delete_course($this->site->course->id, false);
        site::send($this->backend);
        foreach ($this->backend->records as $key => $record) {
            if (!$record['deleted'] && isset($record['data']['courseid'])) {
                $this->assertNotEquals($this->site->course->id, $record['data']['courseid'], $key);
            }
        }
        $this->assertSame([], site::rows());
    }

    /**
     * Sends what one change leads to, and tells what of it the backend does not hold any more.
     *
     * @param callable $change
     * @return string[] keys
     */
    private function lost(callable $change): array {
        $before = $this->backend->records;
        $change();
        site::send($this->backend);
        $keys = array_filter(array_keys($before), function ($key) use ($before) {
            return !$before[$key]['deleted'] && $this->backend->held($key) === null;
        });
        sort($keys);
        return $keys;
    }

    /**
     * Completions that Moodle deletes when criteria are unlocked, and what it deletes when a person must complete a course anew.
     */
    public function test_unlocked_and_reset(): void {
        global $DB;
        $site = $this->site;
        site::send($this->backend, new backfill($this->running()));
        $this->assertSame(["completion:$site->completion"], $this->lost(function () use ($site) {
            (new \completion_info($site->course))->delete_course_completion_data();
            outbox::add(fanout::COMPLETIONS, $site->course->id, 'updated', 0, $site->course->id);
        }));
        $this->assertSame(["grade:$site->grade"], $this->lost(function () use ($site, $DB) {
            $DB->delete_records('grade_grades', ['id' => $site->grade]);
            outbox::add(fanout::RESET, $site->course->id, 'updated', $site->user->id, $site->course->id);
        }));
    }

    /**
     * Merging accounts gives records to another person and deletes others, with no event for each.
     */
    public function test_merged_people(): void {
        global $DB;
        $site = $this->site;
        $to = $this->getDataGenerator()->create_user();
        site::send($this->backend, new backfill($this->running()));
        $lost = $this->lost(function () use ($site, $to, $DB) {
            $DB->set_field('grade_grades', 'userid', $to->id, ['id' => $site->grade]);
            $DB->delete_records('user_enrolments', ['id' => $site->enrolment]);
            $DB->set_field('user', 'suspended', 1, ['id' => $site->user->id]);
            foreach ([$site->user->id, $to->id] as $id) {
                outbox::add(fanout::MERGED, $id, 'updated', $id);
            }
        });
        $this->assertSame(["enrolment:$site->enrolment"], $lost);
        $this->assertSame((int)$to->id, $this->backend->held("grade:$site->grade")['userid']);
        $this->assertTrue($this->backend->held("user:{$site->user->id}")['suspended']);
    }

    /**
     * A memory with a running backfill.
     *
     * @return database_memory
     */
    private function running(): database_memory {
        $memory = new database_memory();
        backfill::request($memory, backfill::RUNNING, true);
        (new backfill($memory))->apply_request(delivery\change::KINDS);
        return $memory;
    }

    /**
     * Expanding is atomic: after a rollback the cause is still there.
     */
    public function test_expanding_is_atomic(): void {
        global $DB;
        $this->preventResetByRollback();
        site::clear();
        outbox::add(fanout::METHOD, $this->site->enrol->id, 'updated');
        $rows = $DB->get_records(outbox::TABLE);
        $transaction = $DB->start_delegated_transaction();
        fanout::expand($rows);
        $this->assertSame($this->enrolments(), site::rows());
        try {
            $transaction->rollback(new \moodle_exception('error'));
        } catch (\moodle_exception $e) {
            $this->assertSame(["method {$this->site->enrol->id} updated 0 0 0"], site::rows());
        }
    }

    /**
     * Expanding takes as many statements for many records as for one.
     */
    public function test_cost(): void {
        global $DB;
        $counts = [];
        foreach ([1, 100] as $count) {
            for ($i = 0; $i < $count; $i++) {
                $this->getDataGenerator()->enrol_user($this->getDataGenerator()->create_user()->id, $this->site->course->id);
            }
            site::clear();
            outbox::add(fanout::METHOD, $this->site->enrol->id, 'updated');
            [$reads, $writes] = [$DB->perf_get_reads(), $DB->perf_get_writes()];
            $changes = (new outbox())->next(1000);
            $this->assertGreaterThan($count, count($changes));
            $counts[] = [$DB->perf_get_reads() - $reads, $DB->perf_get_writes() - $writes];
        }
        $this->assertSame($counts[0], $counts[1]);
    }
}
