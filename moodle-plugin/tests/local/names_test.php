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

/**
 * Tests of the names that are sent.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\names
 * @covers     \local_backend_sync\local\records
 */
final class names_test extends \advanced_testcase {
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
     * While Moodle copies a course, that has a preliminary name.
     */
    public function test_course_copy_in_progress(): void {
        global $CFG, $DB;
        require_once($CFG->dirroot . '/backup/util/includes/backup_includes.php');
        require_once($CFG->dirroot . '/backup/util/includes/restore_includes.php');
        $course = $this->getDataGenerator()->create_course();
        $category = $DB->get_record('course_categories', ['id' => $course->category]);
        $data = (object)['courseid' => $course->id, 'fullname' => 'Copy', 'shortname' => 'copy', 'category' => $category->id,
            'visible' => 1, 'startdate' => time(), 'enddate' => 0, 'idnumber' => 'c', 'userdata' => 0, 'keptroles' => []];
        if (class_exists('copy_helper')) {
            \copy_helper::create_copy($data);
        } else {
            (new \core_backup\copy\copy((object)($data)))->create_copy();
        }
        $copy = $DB->get_field_sql('SELECT MAX(id) FROM {course}');
        $this->assertTrue($this->state(change::COURSE, $copy)['unfinished']);
        $this->assertFalse($this->state(change::COURSE, $course->id)['unfinished']);
        $this->expectOutputRegex('/./');
        ob_start();
        $task = \core\task\manager::get_next_adhoc_task(time());
        $task->execute();
        \core\task\manager::adhoc_task_complete($task);
        $this->assertFalse($this->state(change::COURSE, $copy)['unfinished']);
        $this->assertSame('Copy', $this->data(change::COURSE, $copy)['fullname']);
        echo ob_get_clean();
    }

    /**
     * Names in several languages are sent in the one that the settings say, whoever runs PHP.
     */
    public function test_names_in_one_language(): void {
        global $CFG, $DB, $PAGE, $SESSION;
        filter_set_global_state('multilang', TEXTFILTER_ON);
        filter_set_applies_to_strings('multilang', true);
        // Another language of Moodle's, without downloading it.
        $folder = "$CFG->dataroot/lang/de";
        check_dir_exists($folder);
        file_put_contents("$folder/langconfig.php", '<?php $string["thislanguage"] = "Deutsch"; $string["decsep"] = ",";');
        get_string_manager()->reset_caches(true);
        $name = '<span lang="en" class="multilang">Law & order</span>'
            . '<span lang="de" class="multilang">Recht & Ordnung</span> 1 < 2';
        $category = $this->getDataGenerator()->create_category(['name' => $name]);
        $site = site::course_with_student(['fullname' => $name, 'category' => $category->id]);
        $scale = $this->getDataGenerator()->create_scale(['scale' => "Bad, $name"]);
        $item = site::item($site->course->id, ['gradetype' => GRADE_TYPE_SCALE, 'scaleid' => $scale->id]);
        $DB->set_field('grade_items', 'itemname', $name, ['id' => $item->id]);
        $item->update_final_grade($site->user->id, 2, 'test');
        $grade = $DB->get_field('grade_grades', 'id', ['itemid' => $item->id, 'userid' => $site->user->id]);
        $texts = [];
        $read = function () use (&$texts, $site, $grade) {
            \filter_manager::reset_caches();
            $states = [$this->data(change::COURSE, $site->course->id), $this->data(change::GRADE, $grade)];
            foreach (['17', '-1'] as $precision) {
                $before = ini_set('serialize_precision', $precision);
                $texts[] = delivery\event::encode($states);
                ini_set('serialize_precision', $before);
            }
        };
        $read(); // As cron does.
        // On the page of a student who reads German.
        $this->setUser($site->user);
        $SESSION->lang = 'de';
        $PAGE->set_context($site->context);
        moodle_setlocale();
        $read();
        $this->assertSame('de', current_language());
        $this->assertCount(1, array_unique($texts));
        $this->assertStringContainsString('"fullname":"Law & order 1 < 2"', $texts[0]);
        foreach (['categoryname', 'itemname', 'gradetext'] as $field) {
            $this->assertStringContainsString('"' . $field . '":"Law & order 1 < 2"', $texts[0]);
        }
        $this->assertStringContainsString('"scale":"Bad, Law & order 1 < 2"', $texts[0]);
        $this->setAdminUser();
        set_config('language', 'de', 'local_backend_sync');
        $this->assertSame('Recht & Ordnung 1 < 2', $this->data(change::COURSE, $site->course->id)['fullname']);
        $this->assertSame('en', current_language());
        // A language that has been uninstalled.
        set_config('language', 'xx', 'local_backend_sync');
        $this->assertSame('Law & order 1 < 2', $this->data(change::COURSE, $site->course->id)['fullname']);
        fulldelete($folder);
        get_string_manager()->reset_caches(true);
    }

    /**
     * Category totals bear their category's name, and the course's total has none.
     */
    public function test_names_of_totals(): void {
        global $DB;
        $site = site::course_with_student();
        $category = new \grade_category(['courseid' => $site->course->id, 'fullname' => 'Essays'], false);
        $category->insert();
        $item = site::item($site->course->id, ['categoryid' => $category->id]);
        $item->update_final_grade($site->user->id, 80, 'test');
        grade_regrade_final_grades($site->course->id);
        $name = function ($total) use ($site, $DB) {
            $id = $DB->get_field('grade_grades', 'id', ['itemid' => $total->id, 'userid' => $site->user->id]);
            return $this->data(change::GRADE, $id)['itemname'];
        };
        $total = $category->load_grade_item();
        $this->assertSame('Essays', $name($total));
        $this->assertNull($name(\grade_item::fetch_course_item($site->course->id)));
        $total->itemname = 'All essays';
        $total->update();
        $this->assertSame('All essays', $name($total));
    }
}
