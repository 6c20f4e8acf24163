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

use local_backend_sync\fixtures\site;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\payload;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->libdir . '/gradelib.php');
require_once($CFG->libdir . '/completionlib.php');

/**
 * Tests of reading states from Moodle's tables.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\records
 */
final class records_test extends \advanced_testcase {
    /**
     * Resets Moodle after each test.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
    }

    /**
     * The data that would be sent of a record.
     *
     * @param string $kind
     * @param int $id
     * @param bool $sendhidden
     * @return array|null null if deleted
     */
    private function data(string $kind, int $id, bool $sendhidden = false): ?array {
        $state = $this->state($kind, $id, $sendhidden);
        if (!$state) {
            return null;
        }
        $change = new change($kind, $id);
        foreach (['userid', 'courseid', 'itemid'] as $property) {
            $change->$property = (int)($state[$property] ?? 0);
        }
        return payload::state($change, $state, []);
    }

    /**
     * The state of a record.
     *
     * @param string $kind
     * @param int $id
     * @param bool $sendhidden
     * @return array|null
     */
    private function state(string $kind, int $id, bool $sendhidden = false): ?array {
        return (new records($sendhidden))->states($kind, [$id])[$id] ?? null;
    }

    /**
     * Users, field by field.
     */
    public function test_user(): void {
        global $CFG, $DB;
        $row = ['username' => 'ann', 'firstname' => 'Zoë 🎓', 'lastname' => "O'Neil \"q\" & \u{738b}", 'email' => 'ann@example.com',
            'idnumber' => 'S-1', 'phone1' => '1', 'phone2' => '2', 'institution' => 'I', 'department' => 'D', 'city' => 'London',
            'country' => 'GB', 'lang' => 'en', 'timezone' => 'Europe/London', 'auth' => 'manual', 'confirmed' => 1,
            'suspended' => 0];
        $user = $this->getDataGenerator()->create_user($row);
        $times = $DB->get_record('user', ['id' => $user->id], 'timecreated, timemodified');
        $expected = ['userid' => (int)$user->id] + $row;
        $expected['confirmed'] = true;
        $expected['suspended'] = false;
        $expected += ['timecreated' => (int)$times->timecreated, 'timemodified' => (int)$times->timemodified];
        $this->assertSame($expected, $this->data(change::USER, $user->id));
        $this->assertFalse($this->state(change::USER, $user->id)['withheld']);
        // Anybody may sign up with anybody's address, until its owner confirms it.
        $DB->set_field('user', 'confirmed', 0, ['id' => $user->id]);
        $state = $this->state(change::USER, $user->id);
        $this->assertSame([true, records::UNCONFIRMED], [$state['withheld'], $state['reason']]);
        $DB->set_field('user', 'confirmed', 1, ['id' => $user->id]);
        // The guest is not a person; a deleted user is absent, although Moodle keeps the row.
        $this->assertTrue($this->state(change::USER, $CFG->siteguest)['withheld']);
        delete_user($user);
        $this->assertNull($this->state(change::USER, $user->id));
        $this->assertNull($this->state(change::USER, 999999));
        $this->assertArrayNotHasKey('password', $this->state(change::USER, get_admin()->id));
    }

    /**
     * Courses, field by field.
     */
    public function test_course(): void {
        global $DB;
        $category = $this->getDataGenerator()->create_category(['name' => 'Engineering & more']);
        $course = $this->getDataGenerator()->create_course([
            'fullname' => 'Курс', 'shortname' => 'K1', 'idnumber' => 'C-1', 'visible' => 0, 'category' => $category->id,
            'format' => 'topics', 'startdate' => 1795333600, 'enddate' => 1795339999,
        ]);
        $times = $DB->get_record('course', ['id' => $course->id], 'timecreated, timemodified');
        $this->assertSame([
            'courseid' => (int)$course->id, 'fullname' => 'Курс', 'shortname' => 'K1', 'idnumber' => 'C-1',
            'categoryid' => (int)$category->id, 'categoryname' => 'Engineering & more', 'format' => 'topics', 'visible' => false,
            'startdate' => 1795333600, 'enddate' => 1795339999, 'timecreated' => (int)$times->timecreated,
            'timemodified' => (int)$times->timemodified,
            'categories' => [['id' => (int)$category->id, 'name' => 'Engineering & more']],
        ], $this->data(change::COURSE, $course->id));
        $this->assertTrue($this->state(change::COURSE, SITEID)['withheld']);
        $this->assertNull($this->state(change::COURSE, 999999));
    }

    /**
     * Enrolments, with the roles in the course and no others.
     */
    public function test_enrolment(): void {
        global $DB;
        $site = site::course_with_student();
        $own = $this->getDataGenerator()->create_role(['shortname' => 'aide']);
        $DB->set_field('role', 'archetype', '', ['id' => $own]);
        $manager = $DB->get_field('role', 'id', ['shortname' => 'manager']);
        role_assign($own, $site->user->id, $site->context->id);
        role_assign($manager, $site->user->id, \context_system::instance()->id);
        // Another component may have assigned the same role as well.
        role_assign($own, $site->user->id, $site->context->id, 'enrol_cohort', 7);
        $manual = enrol_get_plugin('manual');
        $manual->update_user_enrol($site->enrol, $site->user->id, ENROL_USER_SUSPENDED, 1795333600, 1795339999);
        $row = $DB->get_record('user_enrolments', ['id' => $site->enrolment]);
        $this->assertSame([
            'enrollmentid' => $site->enrolment, 'userid' => (int)$site->user->id, 'courseid' => (int)$site->course->id,
            'roles' => [['shortname' => 'aide', 'archetype' => ''], ['shortname' => 'student', 'archetype' => 'student']],
            'enrol' => 'manual', 'enabled' => true, 'status' => 1, 'timestart' => 1795333600, 'timeend' => 1795339999,
            'timecreated' => (int)$row->timecreated, 'timemodified' => (int)$row->timemodified,
        ], $this->data(change::ENROLMENT, $site->enrolment));
        $manual->update_status($site->enrol, ENROL_INSTANCE_DISABLED);
        role_unassign_all(['userid' => $site->user->id, 'contextid' => $site->context->id]);
        $data = $this->data(change::ENROLMENT, $site->enrolment);
        $this->assertFalse($data['enabled']);
        $this->assertSame([], $data['roles']);
        $manual->unenrol_user($site->enrol, $site->user->id);
        $this->assertNull($this->state(change::ENROLMENT, $site->enrolment));
    }

    /**
     * Grades with their items, field by field.
     */
    public function test_grade(): void {
        global $USER;
        $site = site::course_with_student();
        $item = site::item($site->course->id, ['itemname' => 'Essay', 'idnumber' => 'E-1', 'grademax' => 200, 'grademin' => 10,
            'gradepass' => 50]);
        $item->update_final_grade($site->user->id, 82.5, 'test', '<p>Well done 🎉</p>', FORMAT_HTML);
        $grade = \grade_grade::fetch(['itemid' => $item->id, 'userid' => $site->user->id]);
        $data = $this->data(change::GRADE, $grade->id);
        $this->assertSame([
            'gradeid' => (int)$grade->id, 'userid' => (int)$site->user->id, 'itemid' => (int)$item->id, 'finalgrade' => '82.50000',
            'gradetext' => null, 'feedback' => '<p>Well done 🎉</p>', 'grader' => (int)$USER->id, 'hidden' => false,
            'timecreated' => $data['timecreated'], 'timemodified' => (int)$grade->timemodified,
            'courseid' => (int)$site->course->id, 'itemname' => 'Essay', 'itemtype' => 'manual', 'itemmodule' => null,
            'iteminstance' => null, 'itemidnumber' => 'E-1',
            'gradetype' => GRADE_TYPE_VALUE, 'grademin' => '10.00000', 'grademax' => '200.00000', 'gradepass' => '50.00000',
            'scaleid' => null, 'scale' => null,
        ], $data);
        $grade->delete('test');
        $this->assertNull($this->state(change::GRADE, $grade->id));
    }

    /**
     * Grades of activities on the front page have no course that is sent.
     */
    public function test_grade_on_the_front_page(): void {
        global $DB;
        $user = $this->getDataGenerator()->create_user();
        $item = site::item(SITEID);
        $item->update_final_grade($user->id, 80, 'test');
        $id = $DB->get_field('grade_grades', 'id', ['itemid' => $item->id, 'userid' => $user->id]);
        $state = $this->state(change::GRADE, $id, true);
        $this->assertSame([true, records::FRONT_PAGE, 0], [$state['withheld'], $state['reason'], $state['until']]);
    }

    /**
     * Grades in words.
     */
    public function test_grade_of_a_scale(): void {
        global $DB;
        $site = site::course_with_student();
        $scale = $this->getDataGenerator()->create_scale(['scale' => 'Not yet, Pass ,Merit']);
        $item = site::item($site->course->id, ['gradetype' => GRADE_TYPE_SCALE, 'scaleid' => $scale->id]);
        $item->update_final_grade($site->user->id, 2, 'test');
        $id = $DB->get_field('grade_grades', 'id', ['itemid' => $item->id, 'userid' => $site->user->id]);
        $data = $this->data(change::GRADE, $id);
        $this->assertSame(
            ['Pass', '2.00000', 'Not yet, Pass ,Merit', (int)$scale->id, GRADE_TYPE_SCALE],
            [$data['gradetext'], $data['finalgrade'], $data['scale'], $data['scaleid'], $data['gradetype']]
        );
        // A scale that became shorter, and grades outside any scale.
        foreach (['7' => 'Merit', '0' => 'Not yet', '2.6' => 'Merit', '-3' => 'Not yet'] as $final => $text) {
            $DB->set_field('grade_grades', 'finalgrade', $final, ['id' => $id]);
            $this->assertSame($text, $this->data(change::GRADE, $id)['gradetext'], $final);
        }
        $DB->set_field('grade_grades', 'finalgrade', null, ['id' => $id]);
        $data = $this->data(change::GRADE, $id);
        $this->assertNull($data['gradetext']);
        $this->assertNull($data['finalgrade']);
        $DB->delete_records('scale', ['id' => $scale->id]);
        $DB->set_field('grade_grades', 'finalgrade', 2, ['id' => $id]);
        $this->assertNull($this->data(change::GRADE, $id)['gradetext']);
    }

    /**
     * Ways to hide a grade: value of the grade, value of its item, whether it is hidden, until when (0 for unknown).
     *
     * @return array[]
     */
    public static function hiding(): array {
        // PHPUnit calls this before the first test, which may be long ago.
        $past = time() - DAYSECS;
        $soon = time() + DAYSECS;
        $later = time() + 2 * DAYSECS;
        return [
            'shown' => [0, 0, false, 0],
            'hidden' => [1, 0, true, 0],
            'item hidden' => [0, 1, true, 0],
            'both' => [1, 1, true, 0],
            'until soon' => [$soon, 0, true, $soon],
            'item until soon' => [0, $soon, true, $soon],
            'both until' => [$soon, $later, true, $later],
            'until soon, and item hidden' => [$soon, 1, true, 0],
            'until a past time' => [$past, 0, false, 0],
            'item until a past time' => [0, $past, false, 0],
            'until a past time, item until soon' => [$past, $soon, true, $soon],
        ];
    }

    /**
     * Hidden grades are withheld unless the settings allow them, and the time when they may be sent is known.
     *
     * @dataProvider hiding
     * @param int $grade
     * @param int $item
     * @param bool $hidden
     * @param int $until
     */
    public function test_hidden_grade(int $grade, int $item, bool $hidden, int $until): void {
        global $DB;
        $site = site::course_with_student();
        $essay = site::item($site->course->id);
        $essay->update_final_grade($site->user->id, 50, 'test');
        $id = $DB->get_field('grade_grades', 'id', ['itemid' => $essay->id, 'userid' => $site->user->id]);
        $DB->set_field('grade_grades', 'hidden', $grade, ['id' => $id]);
        $DB->set_field('grade_items', 'hidden', $item, ['id' => $essay->id]);
        $state = $this->state(change::GRADE, $id);
        $this->assertSame([$hidden, $hidden, $until], [$state['hidden'], $state['withheld'], $state['until']]);
        $state = $this->state(change::GRADE, $id, true);
        $this->assertSame([$hidden, false, $until], [$state['hidden'], $state['withheld'], $state['until']]);
        $this->assertSame($hidden, $this->data(change::GRADE, $id, true)['hidden']);
    }

    /**
     * Completions, but not courses that are only in progress.
     */
    public function test_completion(): void {
        global $CFG, $DB;
        $CFG->enablecompletion = 1;
        $site = site::course_with_student(['enablecompletion' => 1]);
        $completion = new \completion_completion(['userid' => $site->user->id, 'course' => $site->course->id]);
        $completion->mark_inprogress();
        $this->assertNull($this->state(change::COMPLETION, $completion->id));
        $completion->mark_complete(1795333600);
        $this->assertSame([
            'completionid' => (int)$completion->id, 'userid' => (int)$site->user->id, 'courseid' => (int)$site->course->id,
            'timecompleted' => 1795333600,
        ], $this->data(change::COMPLETION, $completion->id));
        $DB->delete_records('course_completions', ['id' => $completion->id]);
        $this->assertNull($this->state(change::COMPLETION, $completion->id));
    }

    /**
     * Reading 300 records takes as many statements as reading 10, whatever their kind.
     */
    public function test_cost(): void {
        global $CFG, $DB;
        $CFG->enablecompletion = 1;
        $site = site::course_with_student(['enablecompletion' => 1]);
        $item = site::item($site->course->id);
        for ($i = 0; $i < 300; $i++) {
            $user = $this->getDataGenerator()->create_user();
            $this->getDataGenerator()->enrol_user($user->id, $site->course->id, 'student');
            $DB->insert_record('grade_grades', ['itemid' => $item->id, 'userid' => $user->id, 'finalgrade' => $i % 100]);
            $DB->insert_record('course_completions', ['course' => $site->course->id, 'userid' => $user->id, 'timecompleted' => 1,
                'timeenrolled' => 0, 'timestarted' => 0]);
            $DB->insert_record('course', ['shortname' => "c$i", 'fullname' => 'C', 'category' => $site->course->category]);
        }
        $tables = [change::USER => 'user', change::COURSE => 'course', change::ENROLMENT => 'user_enrolments',
            change::GRADE => 'grade_grades', change::COMPLETION => 'course_completions'];
        foreach ($tables as $kind => $table) {
            $ids = array_slice($DB->get_fieldset_select($table, 'id', '1 = 1 ORDER BY id DESC'), 0, 300);
            $records = new records(false);
            $counts = [];
            // Within a transaction: beginning one of its own takes Moodle two statements on PostgreSQL and three on MariaDB.
            $transaction = $DB->start_delegated_transaction();
            foreach ([10, 300] as $count) {
                $reads = $DB->perf_get_reads();
                $this->assertCount($count, $records->states($kind, array_slice($ids, 0, $count)), $kind);
                $counts[] = $DB->perf_get_reads() - $reads;
            }
            $transaction->allow_commit();
            $this->assertSame($counts[0], $counts[1], $kind);
            // Three for grades; two for enrolments, of which one is a cursor of three statements on PostgreSQL.
            $this->assertLessThanOrEqual(4, $counts[0], $kind);
        }
    }
}
