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

use local_backend_sync\fixtures\graded_course;
use local_backend_sync\fixtures\site;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->libdir . '/gradelib.php');
require_once($CFG->dirroot . '/grade/lib.php');

/**
 * What students do not see is not sent, nor what would tell it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\grade_visibility
 * @covers     \local_backend_sync\local\grade_settings
 */
final class grade_visibility_test extends \advanced_testcase {
    use graded_course;

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
     * A column that another process makes while grades are read changes nothing yet.
     */
    public function test_column_made_meanwhile(): void {
        $this->items['b']->set_hidden(1);
        $items = \grade_item::fetch_all(['courseid' => $this->course->id]);
        unset($items[$this->items['c']->id]);
        $grades = \grade_grade::fetch_all(['userid' => $this->students[0]->id]);
        $grades = array_combine(array_column($grades, 'itemid'), $grades);
        $affected = (function () use ($items, $grades) {
            return $this->affected_of_user((int)reset($grades)->userid, $grades, $this->prepared($items));
        })->call(new grade_visibility(time()));
        $total = \grade_item::fetch_course_item($this->course->id)->id;
        $this->assertArrayHasKey($total, $affected['altered'] + $affected['unknown']);
        $this->assertDebuggingNotCalled();
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
