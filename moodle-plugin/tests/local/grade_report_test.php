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

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->libdir . '/gradelib.php');
require_once($CFG->dirroot . '/grade/lib.php');

/**
 * What was sent is what students see in their grade report, after each of many changes of hiding.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\grade_visibility
 * @covers     \local_backend_sync\local\grade_settings
 */
final class grade_report_test extends \advanced_testcase {
    use graded_course;

    /** @var int changes of hiding, in each of which several things change at once */
    const STEPS = 30;

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
}
