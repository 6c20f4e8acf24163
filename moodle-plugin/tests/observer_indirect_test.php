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

use local_backend_sync\fixtures\site;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/fixtures/load.php');
require_once($CFG->dirroot . '/course/lib.php');
require_once($CFG->libdir . '/completionlib.php');

/**
 * Tests of the outbox rows for changes that Moodle reports only indirectly: by an event about something else, or of a plugin.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\observer
 */
final class observer_indirect_test extends \advanced_testcase {
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
     * Moodle's tasks that show a course when it starts and hide it when it ends.
     */
    public function test_course_starts_and_ends(): void {
        global $CFG;
        if (!class_exists('core\\task\\hide_ended_courses_task')) {
            $this->markTestSkipped('This Moodle has no such tasks.');
        }
        $course = $this->getDataGenerator()->create_course(['startdate' => time() - 7 * DAYSECS, 'enddate' => time() - HOURSECS]);
        $this->expectOutputRegex('/visibility/');
        $this->assertSame(["course $course->id updated 0 $course->id 0"], site::enqueued(function () {
            (new \core\task\hide_ended_courses_task())->execute();
        }));
        update_course((object)['id' => $course->id, 'startdate' => time() - HOURSECS, 'enddate' => 0]);
        $this->assertSame(["course $course->id updated 0 $course->id 0"], site::enqueued(function () {
            (new \core\task\show_started_courses_task())->execute();
        }));
    }

    /**
     * In the weeks format, the end of a course moves with its sections.
     */
    public function test_sections_of_a_course(): void {
        global $DB;
        $columns = ['format' => 'weeks', 'numsections' => 3, 'automaticenddate' => 1, 'startdate' => time()];
        $course = $this->getDataGenerator()->create_course($columns, ['createsections' => true]);
        course_get_format($course);
        $before = $DB->get_field('course', 'enddate', ['id' => $course->id]);
        $rows = site::enqueued(function () use ($course) {
            course_create_section($course->id);
        });
        $this->assertNotEquals($before, $DB->get_field('course', 'enddate', ['id' => $course->id]));
        $this->assertContains("course $course->id updated 0 $course->id 0", $rows);
        $rows = site::enqueued(function () use ($course) {
            course_delete_section($course->id, 4);
        });
        $this->assertEquals($before, $DB->get_field('course', 'enddate', ['id' => $course->id]));
        $this->assertContains("course $course->id updated 0 $course->id 0", $rows);
    }

    /**
     * A role itself changes, for example its short name.
     */
    public function test_role_is_renamed(): void {
        $id = $this->getDataGenerator()->create_role(['shortname' => 'aide']);
        $rows = site::enqueued(function () use ($id) {
            $event = ['context' => \context_system::instance(), 'objectid' => $id,
                'other' => ['name' => '', 'shortname' => 'helper', 'description' => '', 'archetype' => '', 'contextlevels' => []]];
            \core\event\role_updated::create($event)->trigger();
        });
        $this->assertSame(["role $id updated 0 0 0"], $rows);
    }

    /**
     * Unlocking the criteria of a course, or an activity among them, deletes completions with no event for each.
     */
    public function test_criteria(): void {
        global $CFG;
        require_once($CFG->dirroot . '/course/modlib.php');
        $CFG->enablecompletion = 1;
        $course = $this->getDataGenerator()->create_course(['enablecompletion' => 1]);
        $expected = "completions $course->id updated 0 $course->id 0";
        $this->assertSame([$expected], site::enqueued(function () use ($course) {
            $event = ['courseid' => $course->id, 'context' => \context_course::instance($course->id)];
            \core\event\course_completion_updated::create($event)->trigger();
        }));
        $columns = ['course' => $course->id, 'completion' => 2, 'completionview' => 1];
        $page = $this->getDataGenerator()->create_module('page', $columns);
        $rows = site::enqueued(function () use ($page, $course) {
            $cm = get_coursemodule_from_id('page', $page->cmid);
            \core\event\course_module_updated::create_from_cm($cm)->trigger();
        });
        $this->assertSame([$expected], $rows);
    }

    /**
     * Events of other plugins: accounts are merged, a person must complete a course anew.
     */
    public function test_other_plugins(): void {
        $site = site::course_with_student();
        [$courseid, $userid] = [$site->course->id, $site->user->id];
        foreach (['tool_mergeusers\\event\\user_merged_success', 'local_recompletion\\event\\completion_reset'] as $class) {
            if (!class_exists($class)) {
                require_once(__DIR__ . '/fixtures/plugins/' . substr(strrchr($class, '\\'), 1) . '.php');
            }
        }
        $other = $this->getDataGenerator()->create_user()->id;
        $rows = site::enqueued(function () use ($userid, $other) {
            $event = ['context' => \context_system::instance(),
                'other' => ['usersinvolved' => ['toid' => $other, 'fromid' => $userid], 'logid' => 1, 'log' => []]];
            \tool_mergeusers\event\user_merged_success::create($event)->trigger();
        });
        $this->assertSame(["merged $userid updated $userid 0 0", "merged $other updated $other 0 0"], $rows);
        $rows = site::enqueued(function () use ($site, $userid) {
            $event = ['context' => $site->context, 'relateduserid' => $userid];
            \local_recompletion\event\completion_reset::create($event)->trigger();
        });
        $this->assertSame(["reset $courseid updated $userid $courseid 0"], $rows);
    }
}
