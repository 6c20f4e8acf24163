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
require_once($CFG->libdir . '/gradelib.php');
require_once($CFG->dirroot . '/grade/lib.php');

/**
 * What was sent is what students see in their grade report, also after each change of hiding.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\grade_visibility
 * @covers     \local_backend_sync\local\grade_settings
 */
final class grade_visibility_test extends \advanced_testcase {
    /** @var int changes of hiding, in each of which several things change at once */
    const STEPS = 30;
    /** @var string[] names of the items with grades of their own, by name of the category */
    const ITEMS = ['' => ['a', 'b', 'sum'], 'outer' => ['c', 'd'], 'inner' => ['e', 'f', 'quiz']];

    /** @var \stdClass */
    private $course;
    /** @var \stdClass[] */
    private $students = [];
    /** @var \grade_category[] by name; '' is the course */
    private $categories = [];
    /** @var \grade_item[] by name */
    private $items = [];
    /** @var fake_backend */
    private $backend;
    /** @var int state of the generator of numbers: the test does the same every time */
    private $seed = 1;

    /**
     * A course with nested categories and three graded students.
     */
    protected function setUp(): void {
        global $CFG;
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        site::configure();
        // So that a category hidden until a date is no row of the report, as what it contains.
        $CFG->grade_report_user_showhiddenitems = 0;
        $this->backend = new fake_backend(new fuse());
        $generator = $this->getDataGenerator();
        $this->course = $generator->create_course();
        $this->categories[''] = \grade_category::fetch_course_category($this->course->id);
        foreach (['outer' => '', 'inner' => 'outer'] as $name => $parent) {
            $id = $generator->create_grade_category(['courseid' => $this->course->id, 'fullname' => $name])->id;
            $this->categories[$name] = \grade_category::fetch(['id' => $id]);
            $this->categories[$name]->set_parent($this->categories[$parent]->id);
        }
        foreach (self::ITEMS as $category => $names) {
            foreach ($names as $name) {
                $this->items[$name] = $this->item($name, $this->categories[$category]->id);
            }
        }
        $this->items['sum']->set_calculation("=[[a]] * 2 + [[c]]");
        for ($i = 0; $i < 3; $i++) {
            $this->students[$i] = $generator->create_and_enrol($this->course, 'student');
            foreach (array_diff_key($this->items, ['sum' => 0]) as $name => $item) {
                if ($i || $name !== 'd') {
                    $item->update_final_grade($this->students[$i]->id, $this->number(100), 'test');
                }
            }
        }
        grade_regrade_final_grades($this->course->id);
        grade_history::enqueue_changes(new database_memory());
    }

    /**
     * An item; "quiz" is one that Moodle does not hide with its category.
     *
     * @param string $name
     * @param int $category
     * @return \grade_item
     */
    private function item(string $name, int $category): \grade_item {
        if ($name === 'quiz') {
            $quiz = $this->getDataGenerator()->create_module('quiz', ['course' => $this->course->id, 'grade' => 10]);
            $where = ['itemmodule' => 'quiz', 'iteminstance' => $quiz->id, 'courseid' => $this->course->id];
            $item = \grade_item::fetch($where);
            $item->set_parent($category);
            return $item;
        }
        return site::item($this->course->id, ['itemname' => $name, 'idnumber' => $name, 'categoryid' => $category]);
    }

    /**
     * The next number of the generator.
     *
     * @param int $below
     * @return int
     */
    private function number(int $below): int {
        $this->seed = ($this->seed * 48271) % 2147483647;
        return $this->seed % $below;
    }

    /**
     * Changes what is hidden.
     *
     * @return string what it did
     */
    private function change(): string {
        $values = [0, 0, 1, time() + DAYSECS, time() - DAYSECS];
        $value = $values[$this->number(count($values))];
        $names = array_keys($this->items);
        $item = \grade_item::fetch(['id' => $this->items[$names[$this->number(count($names))]]->id]);
        switch ($this->number(8)) {
            case 0:
            case 1:
                $item->set_hidden($value, $this->number(3) === 0);
                return "item $item->itemname hidden $value";
            case 2:
            case 3:
                $user = $this->students[$this->number(3)]->id;
                $grade = \grade_grade::fetch(['itemid' => $item->id, 'userid' => $user]);
                if ($grade) {
                    $grade->set_hidden($value);
                }
                return "grade of $item->itemname and $user hidden $value";
            case 4:
                $name = ['outer', 'inner'][$this->number(2)];
                \grade_category::fetch(['id' => $this->categories[$name]->id])->set_hidden($value, true);
                return "category $name hidden $value";
            case 5:
                $setting = [null, 0, 1, 2][$this->number(4)];
                grade_set_setting($this->course->id, grade_visibility::TOTALS, $setting);
                return 'totals ' . json_encode($setting);
            case 6:
                $name = array_keys($this->categories)[$this->number(3)];
                $category = \grade_category::fetch(['id' => $this->categories[$name]->id]);
                $category->aggregation = [GRADE_AGGREGATE_SUM, GRADE_AGGREGATE_MEAN, GRADE_AGGREGATE_MAX][$this->number(3)];
                $category->aggregateonlygraded = $this->number(2);
                $category->update();
                grade_regrade_final_grades($this->course->id);
                return "aggregation $category->aggregation of '$name'";
            default:
                $show = (int)($this->number(4) > 0);
                update_course((object)['id' => $this->course->id, 'showgrades' => $show]);
                return "gradebook shown $show";
        }
    }

    /**
     * Sends all changes, as the scheduled task does.
     */
    private function send(): void {
        global $DB;
        $memory = new database_memory();
        grade_history::enqueue_changes($memory);
        grade_settings::enqueue_changes($memory, false);
        $this->assertNull(site::send($this->backend)->failure);
        $this->assertSame(0, $DB->count_records_select(outbox::TABLE, 'timedue <= ?', [time()]));
    }

    /**
     * What a student sees in the grade report.
     *
     * @param \stdClass $student
     * @return array[] grade, minimum and maximum, by item
     */
    private function seen(\stdClass $student): array {
        global $DB;
        $course = $DB->get_record('course', ['id' => $this->course->id]);
        if (!$course->showgrades) {
            return [];
        }
        // As the page of the report does first.
        grade_regrade_final_grades($course->id);
        $this->setUser($student);
        $context = \context_course::instance($course->id);
        $return = ['type' => 'report', 'plugin' => 'user', 'courseid' => $course->id, 'userid' => $student->id];
        $gpr = new \grade_plugin_return($return);
        $report = new \gradereport_user\report\user($course->id, $gpr, $context, $student->id, true);
        $report->fill_table();
        $this->setAdminUser();
        $seen = [];
        foreach ($report->gradeitemsdata as $row) {
            if ($row['graderaw'] !== null) {
                $seen[$row['id']] = array_map([self::class, 'text'], [$row['graderaw'], $row['grademin'], $row['grademax']]);
            }
        }
        ksort($seen);
        return $seen;
    }

    /**
     * What the backend holds of a student's grades.
     *
     * @param \stdClass $student
     * @return array[] see seen()
     */
    private function held(\stdClass $student): array {
        $held = [];
        foreach (array_keys($this->backend->records) as $key) {
            $data = $this->backend->held($key);
            if (strpos($key, 'grade:') === 0 && $data && $data['userid'] === (int)$student->id) {
                $values = [$data['finalgrade'], $data['grademin'], $data['grademax']];
                $held[$data['itemid']] = array_map([self::class, 'text'], $values);
            }
        }
        ksort($held);
        return $held;
    }

    /**
     * A number as text.
     *
     * @param mixed $number
     * @return string
     */
    private static function text($number): string {
        return number_format((float)$number, 4, '.', '');
    }

    /**
     * What the backend holds is what each student sees.
     *
     * @param string $message
     * @return int grades
     */
    private function assert_same(string $message): int {
        $count = 0;
        foreach ($this->students as $student) {
            $seen = $this->seen($student);
            $this->assertSame($seen, $this->held($student), $message);
            $count += count($seen);
        }
        return $count;
    }

    /**
     * The report and the backend are the same in 30 combinations of hiding, each made from the one before.
     */
    public function test_same_as_the_report(): void {
        $this->send();
        $counts = [$this->assert_same('nothing is hidden')];
        $this->assertSame(3 * 11 - 1, $counts[0]);
        $log = [];
        for ($step = 1; $step <= self::STEPS; $step++) {
            $log = [];
            for ($i = 0; $i < 3; $i++) {
                $log[] = $this->change();
            }
            $this->send();
            $counts[] = $this->assert_same("step $step: " . implode('; ', $log));
        }
        $this->assertGreaterThan(10, count(array_unique($counts)), 'it was not always the same: ' . implode(', ', $counts));
        foreach (array_keys($this->categories) as $name) {
            \grade_category::fetch(['id' => $this->categories[$name]->id])->set_hidden(0, true);
        }
        foreach ($this->items as $item) {
            \grade_item::fetch(['id' => $item->id])->set_hidden(0, true);
        }
        update_course((object)['id' => $this->course->id, 'showgrades' => 1]);
        $this->send();
        $this->assertSame($counts[0], $this->assert_same('nothing is hidden any more'));
    }

    /**
     * Two items, of which one is hidden: their total would tell its grade.
     */
    public function test_total_with_a_hidden_item(): void {
        $total = \grade_item::fetch_course_item($this->course->id);
        $held = function (): array {
            $this->send();
            return $this->held($this->students[0]);
        };
        $before = $held();
        $this->assertArrayHasKey($total->id, $before);
        $this->items['b']->set_hidden(1);
        $after = $held();
        $this->assertArrayNotHasKey($total->id, $after);
        $this->assertArrayNotHasKey($this->items['b']->id, $after);
        $this->assertArrayHasKey($this->items['a']->id, $after);
        $this->assert_same('hidden');
        // A new setting of the course, for which Moodle has no event.
        grade_set_setting($this->course->id, grade_visibility::TOTALS, GRADE_REPORT_SHOW_TOTAL_IF_CONTAINS_HIDDEN);
        $this->assertLessThan((float)$before[$total->id][0], (float)$held()[$total->id][0]);
        grade_set_setting($this->course->id, grade_visibility::TOTALS, GRADE_REPORT_SHOW_REAL_TOTAL_IF_CONTAINS_HIDDEN);
        $this->assertSame($before[$total->id], $held()[$total->id]);
        grade_set_setting($this->course->id, grade_visibility::TOTALS, null);
        $this->assertArrayNotHasKey($total->id, $held());
        $this->items['b']->delete('test');
        $this->assertArrayHasKey($total->id, $held());
    }

    /**
     * A single grade is hidden: the totals that contain it change for that student alone.
     */
    public function test_total_with_a_hidden_grade(): void {
        $this->send();
        $before = array_map([$this, 'held'], $this->students);
        \grade_grade::fetch(['itemid' => $this->items['c']->id, 'userid' => $this->students[1]->id])->set_hidden(1);
        $this->send();
        $after = array_map([$this, 'held'], $this->students);
        $this->assertSame([$before[0], $before[2]], [$after[0], $after[2]]);
        $this->assert_same('hidden');
        $gone = array_keys(array_diff_key($before[1], $after[1]));
        $this->assertContains((int)$this->items['sum']->id, $gone);
        $this->assertContains((int)\grade_item::fetch_course_item($this->course->id)->id, $gone);
    }

    /**
     * A total that contains a grade hidden until a date is sent on that date.
     */
    public function test_until(): void {
        global $DB;
        $this->send();
        $total = \grade_item::fetch_course_item($this->course->id)->id;
        $this->items['b']->set_hidden(time() + HOURSECS);
        $this->send();
        $this->assertArrayNotHasKey($total, $this->held($this->students[0]));
        $due = $DB->get_records_menu(outbox::TABLE, ['itemid' => $total], '', 'userid, timedue');
        $this->assertEqualsCanonicalizing(array_column($this->students, 'id'), array_keys($due));
        // The time passes, which is no event.
        $this->items['b']->set_hidden(time() - 1);
        $DB->delete_records(outbox::TABLE, ['timedue' => 0]);
        $DB->set_field(outbox::TABLE, 'timedue', time() - 1);
        $this->send();
        $this->assert_same('shown again');
        $this->assertArrayHasKey($total, $this->held($this->students[0]));
    }

    /**
     * A gradebook that students cannot open sends nothing.
     */
    public function test_gradebook_not_shown(): void {
        $this->send();
        $this->assertNotEmpty($this->held($this->students[0]));
        update_course((object)['id' => $this->course->id, 'showgrades' => 0]);
        $this->send();
        $this->assertSame([], $this->held($this->students[0]));
        update_course((object)['id' => $this->course->id, 'showgrades' => 1]);
        $this->send();
        $this->assert_same('shown');
    }

    /**
     * Hidden grades are sent with everything if the settings say so, and marked.
     */
    public function test_hidden_grades_may_be_sent(): void {
        $total = \grade_item::fetch_course_item($this->course->id);
        $grade = \grade_grade::fetch(['itemid' => $total->id, 'userid' => $this->students[0]->id]);
        $this->items['b']->set_hidden(1);
        $state = (new records(true))->states('grade', [$grade->id])[$grade->id];
        $this->assertSame([$grade->finalgrade, true, false], [$state['finalgrade'], $state['hidden'], $state['withheld']]);
    }

    /**
     * A setting of the whole site has everything compared, but not against an administrator's decision.
     */
    public function test_settings_of_the_site(): void {
        global $CFG;
        $memory = new database_memory();
        $this->send();
        $CFG->grade_report_user_showtotalsifcontainhidden = GRADE_REPORT_SHOW_REAL_TOTAL_IF_CONTAINS_HIDDEN;
        // Only what the backend holds, where there has been no full synchronisation.
        grade_settings::enqueue_changes($memory, false);
        $this->assertCount(3 * 11 - 1, site::rows('grade'));
        $this->assertNull($memory->get(backfill::REQUEST));
        site::clear();
        foreach ([backfill::PAUSED => false, backfill::FINISHED => true] as $status => $isrequested) {
            $memory->set(backfill::STATE, ['status' => $status]);
            grade_settings::enqueue_changes($memory, true);
            $this->assertSame($isrequested, (bool)$memory->get(backfill::REQUEST), $status);
        }
        $this->assertSame([], site::rows('grade'));
        $memory->set(backfill::REQUEST, null);
        grade_settings::enqueue_changes($memory, true);
        $this->assertNull($memory->get(backfill::REQUEST));
    }
}
