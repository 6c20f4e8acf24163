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

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->libdir . '/gradelib.php');

/**
 * Tests of finding changes of grades without events.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\grade_history
 */
final class grade_history_test extends \advanced_testcase {
    /** @var \stdClass see fixtures\site, with a grade */
    private $site;

    /**
     * A graded student.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        site::configure();
        $this->site = site::course_with_student();
        $this->site->item = site::item($this->site->course->id);
        $this->site->item->update_final_grade($this->site->user->id, 50, 'test');
        $this->site->grade = \grade_grade::fetch(['itemid' => $this->site->item->id, 'userid' => $this->site->user->id]);
    }

    /**
     * The rows found after a change without an event.
     *
     * @param callable $change
     * @return string[] see fixtures\site::rows()
     */
    private function found(callable $change): array {
        return site::enqueued(function () use ($change) {
            $change();
            $this->assertSame([], site::rows('grade'), 'Moodle reports an event for it');
            grade_history::enqueue_changes(new database_memory());
        }, 'grade');
    }

    /**
     * The row of the grade.
     *
     * @return string
     */
    private function row(): string {
        return "grade {$this->site->grade->id} updated {$this->site->user->id} {$this->site->course->id} {$this->site->item->id}";
    }

    /**
     * Changes from before the first call are not found; later ones without an event are.
     */
    public function test_silent_changes(): void {
        $this->assertSame([], $this->found(function () {
            $this->site->grade->set_hidden(1);
        }), 'the first call only sets the watermark');
        $changes = [
            function () {
                $this->site->grade->set_hidden(0);
            },
            function () {
                $this->site->item->update_final_grade($this->site->user->id, false, 'test', '<p>Other</p>', FORMAT_HTML);
            },
        ];
        foreach ($changes as $change) {
            $this->assertSame([$this->row()], $this->found($change));
        }
    }

    /**
     * Only recent changes are read.
     */
    public function test_old_changes(): void {
        global $DB;
        grade_history::enqueue_changes(new database_memory());
        $DB->set_field('grade_grades_history', 'timemodified', time() - grade_history::OVERLAP - 10);
        $this->assertSame([], $this->found(function () {
            return null;
        }));
    }

    /**
     * After a pause, all changes since then are found, except rows without a grade.
     */
    public function test_after_a_pause(): void {
        global $DB;
        $memory = new database_memory();
        $memory->set(grade_history::STATE, ['time' => time() - WEEKSECS]);
        $DB->set_field('grade_grades_history', 'timemodified', time() - DAYSECS);
        $none = new \grade_grade(['itemid' => $this->site->item->id, 'userid' => get_admin()->id], false);
        $none->insert('test');
        $this->assertSame([$this->row()], $this->found(function () {
            return null;
        }));
    }

    /**
     * A change is found once, not in every run while it is recent; one that its transaction commits late is found, too.
     */
    public function test_each_change_once(): void {
        global $DB;
        $memory = new database_memory();
        grade_history::enqueue_changes($memory);
        $this->site->grade->set_hidden(1);
        $newest = $DB->get_record_sql('SELECT * FROM {grade_grades_history} ORDER BY id DESC', [], IGNORE_MULTIPLE);
        $DB->delete_records('grade_grades_history', ['id' => $newest->id]);
        $this->site->grade->set_hidden(0);
        $find = function () use ($memory) {
            return site::enqueued(function () use ($memory) {
                grade_history::enqueue_changes($memory);
            }, 'grade');
        };
        $this->assertSame([$this->row()], $find());
        $this->assertSame([], $find());
        $DB->import_record('grade_grades_history', $newest);
        $this->assertSame([$this->row()], $find());
        $this->assertSame([], $find());
    }

    /**
     * What waits already is not added again, however often it changes: rows of one record do not pile up.
     */
    public function test_no_rows_pile_up(): void {
        $memory = new database_memory();
        grade_history::enqueue_changes($memory);
        site::clear();
        for ($i = 0; $i < 3; $i++) {
            $this->site->grade->set_hidden($i % 2);
            grade_history::enqueue_changes($memory);
        }
        $this->assertSame([$this->row()], site::rows('grade'));
        // A deletion that waits is another matter: what comes after it must be sent.
        site::clear();
        outbox::add('grade', $this->site->grade->id, 'deleted', $this->site->user->id);
        $this->site->grade->set_hidden(0);
        grade_history::enqueue_changes($memory);
        $this->assertContains($this->row(), site::rows('grade'));
    }

    /**
     * Hiding a category changes all that it contains, also what Moodle does not hide with it.
     */
    public function test_categories(): void {
        $memory = new database_memory();
        $category = new \grade_category(['courseid' => $this->site->course->id, 'fullname' => 'Outer'], false);
        $category->insert('test');
        grade_history::enqueue_changes($memory);
        site::clear();
        $category->set_hidden(1);
        grade_history::enqueue_changes($memory);
        grade_history::enqueue_changes($memory);
        $this->assertSame(["grades 0 updated 0 {$this->site->course->id} 0"], site::rows(fanout::GRADES));
    }
}
