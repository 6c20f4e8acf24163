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
require_once($CFG->dirroot . '/user/lib.php');
require_once($CFG->dirroot . '/course/lib.php');
require_once($CFG->libdir . '/gradelib.php');
require_once($CFG->libdir . '/completionlib.php');
require_once($CFG->dirroot . '/backup/util/includes/backup_includes.php');
require_once($CFG->dirroot . '/backup/util/includes/restore_includes.php');

/**
 * Tests of the outbox rows that changes through Moodle's own functions add.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\observer
 */
final class observer_test extends \advanced_testcase {
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
     * Users.
     */
    public function test_users(): void {
        $id = user_create_user((object)[
            'username' => 'ann', 'firstname' => 'Ann', 'lastname' => 'Lee', 'email' => 'ann@example.com',
            'password' => 'Passw0rd!x', 'mnethostid' => 1,
        ]);
        $this->assertSame(["user $id created $id 0 0"], array_values(array_unique(site::rows())));
        $rows = site::enqueued(function () use ($id) {
            user_update_user((object)['id' => $id, 'lastname' => 'Smith'], false);
        });
        $this->assertSame(["user $id updated $id 0 0"], $rows);
        $rows = site::enqueued(function () use ($id) {
            $event = ['userid' => $id, 'objectid' => $id, 'other' => ['username' => 'ann']];
            \core\event\user_loggedin::create($event)->trigger();
        });
        $this->assertSame(["user $id updated $id 0 0"], $rows);
        $rows = site::enqueued(function () use ($id) {
            delete_user(\core_user::get_user($id));
        });
        $this->assertSame(["person $id deleted $id 0 0"], array_values(array_unique($rows)));
    }

    /**
     * Courses, and their categories.
     */
    public function test_courses(): void {
        $category = $this->getDataGenerator()->create_category();
        $this->assertSame([], site::rows());
        $id = create_course((object)['fullname' => 'Course', 'shortname' => 'C1', 'category' => $category->id])->id;
        $this->assertContains("course $id created 0 $id 0", site::rows('course'));
        $rows = site::enqueued(function () use ($id) {
            update_course((object)['id' => $id, 'fullname' => 'Other']);
        });
        $this->assertSame(["course $id updated 0 $id 0"], $rows);
        $rows = site::enqueued(function () use ($category) {
            \core_course_category::get($category->id)->update(['name' => 'Other']);
        });
        $this->assertSame(["category $category->id updated 0 0 0"], $rows);
        $rows = site::enqueued(function () use ($category) {
            \core_course_category::get($category->id)->hide();
        });
        $this->assertSame(["category $category->id updated 0 0 0"], $rows);
        $rows = site::enqueued(function () use ($id) {
            delete_course($id, false);
        });
        $this->assertContains("contents $id deleted 0 $id 0", $rows);
    }

    /**
     * Hiding a course, and moving it to another category, change it.
     */
    public function test_course_is_hidden_and_moved(): void {
        $course = $this->getDataGenerator()->create_course();
        $category = $this->getDataGenerator()->create_category();
        $changes = [
            function () use ($course) {
                course_change_visibility($course->id, false);
            },
            function () use ($course, $category) {
                move_courses([$course->id], $category->id);
            },
        ];
        foreach ($changes as $change) {
            $this->assertContains("course $course->id updated 0 $course->id 0", site::enqueued($change));
        }
    }

    /**
     * After a course reset, any of its contents may be gone.
     */
    public function test_course_reset(): void {
        $site = site::course_with_student();
        site::item($site->course->id)->update_final_grade($site->user->id, 80, 'test');
        $rows = site::enqueued(function () use ($site) {
            reset_course_userdata((object)['id' => $site->course->id, 'reset_gradebook_grades' => 1, 'reset_completion' => 1,
                'unenrol_users' => [], 'courseid' => $site->course->id]);
        });
        $this->assertContains("contents {$site->course->id} updated 0 {$site->course->id} 0", $rows);
    }

    /**
     * After a restore into a course, any of its contents may be new.
     */
    public function test_course_restore(): void {
        global $USER;
        $site = site::course_with_student();
        $new = $this->getDataGenerator()->create_course();
        $backup = new \backup_controller(
            \backup::TYPE_1COURSE,
            $site->course->id,
            \backup::FORMAT_MOODLE,
            \backup::INTERACTIVE_NO,
            \backup::MODE_IMPORT,
            $USER->id
        );
        $backup->execute_plan();
        $rows = site::enqueued(function () use ($backup, $new, $USER) {
            $restore = new \restore_controller(
                $backup->get_backupid(),
                $new->id,
                \backup::INTERACTIVE_NO,
                \backup::MODE_IMPORT,
                $USER->id,
                \backup::TARGET_EXISTING_ADDING
            );
            $restore->execute_precheck();
            $restore->execute_plan();
            $restore->destroy();
        }, 'contents');
        $backup->destroy();
        $this->assertSame(["contents $new->id updated 0 $new->id 0"], $rows);
    }

    /**
     * Enrolments and their methods.
     */
    public function test_enrolments(): void {
        global $DB;
        $site = site::course_with_student();
        [$courseid, $userid, $id] = [$site->course->id, $site->user->id, $site->enrolment];
        $this->assertContains("enrolment $id created $userid $courseid 0", site::rows());
        $manual = enrol_get_plugin('manual');
        $rows = site::enqueued(function () use ($manual, $site) {
            $manual->update_user_enrol($site->enrol, $site->user->id, ENROL_USER_SUSPENDED);
        });
        $this->assertSame(["enrolment $id updated $userid $courseid 0"], $rows);
        $rows = site::enqueued(function () use ($manual, $site) {
            $manual->update_status($site->enrol, ENROL_INSTANCE_DISABLED);
        });
        $this->assertSame(["method {$site->enrol->id} updated 0 $courseid 0"], $rows);
        $rows = site::enqueued(function () use ($manual, $site) {
            $manual->unenrol_user($site->enrol, $site->user->id);
        });
        $this->assertContains("enrolment $id deleted $userid $courseid 0", $rows);
        // Deleting the method unenrols everyone.
        $this->getDataGenerator()->enrol_user($userid, $courseid, 'student');
        $id = $DB->get_field('user_enrolments', 'id', ['enrolid' => $site->enrol->id, 'userid' => $userid]);
        $rows = site::enqueued(function () use ($manual, $site) {
            $manual->delete_instance($site->enrol);
        });
        $this->assertContains("enrolment $id deleted $userid $courseid 0", $rows);
    }

    /**
     * Roles of a course, and of no other context.
     */
    public function test_roles(): void {
        global $DB;
        $site = site::course_with_student();
        $role = $DB->get_field('role', 'id', ['shortname' => 'teacher']);
        $expected = ["roles $role updated {$site->user->id} {$site->course->id} 0"];
        $this->assertSame($expected, site::enqueued(function () use ($site, $role) {
            role_assign($role, $site->user->id, $site->context->id);
        }));
        $this->assertSame($expected, site::enqueued(function () use ($site, $role) {
            role_unassign($role, $site->user->id, $site->context->id);
        }));
        $this->assertSame([], site::enqueued(function () use ($site, $role) {
            role_assign($role, $site->user->id, \context_system::instance()->id);
            role_assign($role, $site->user->id, \context_coursecat::instance($site->course->category)->id);
            role_unassign($role, $site->user->id, \context_system::instance()->id);
        }));
    }

    /**
     * Grades: the one that was given, and totals that follow from it.
     */
    public function test_grades(): void {
        $site = site::course_with_student();
        $item = site::item($site->course->id);
        $total = \grade_item::fetch_course_item($site->course->id);
        $rows = site::enqueued(function () use ($item, $site) {
            $item->update_final_grade($site->user->id, 80, 'test', 'Well done', FORMAT_HTML);
            grade_regrade_final_grades($site->course->id);
        }, 'grade');
        $grade = \grade_grade::fetch(['itemid' => $item->id, 'userid' => $site->user->id]);
        $totalgrade = \grade_grade::fetch(['itemid' => $total->id, 'userid' => $site->user->id]);
        $this->assertContains("grade $grade->id updated {$site->user->id} {$site->course->id} $item->id", $rows);
        $this->assertContains("grade $totalgrade->id updated {$site->user->id} {$site->course->id} $total->id", $rows);
        $rows = site::enqueued(function () use ($grade) {
            $grade->delete('test');
        }, 'grade');
        $this->assertContains("grade $grade->id deleted {$site->user->id} {$site->course->id} $item->id", $rows);
    }

    /**
     * Grade items: name, maximum and hiding affect all their grades, and deleting an item deletes its grades.
     */
    public function test_grade_items(): void {
        $site = site::course_with_student();
        $item = site::item($site->course->id);
        $item->update_final_grade($site->user->id, 80, 'test');
        $grade = \grade_grade::fetch(['itemid' => $item->id, 'userid' => $site->user->id]);
        $expected = "item $item->id updated 0 {$site->course->id} 0";
        $changes = [
            'name' => function () use ($item) {
                $item->itemname = 'Other';
                $item->update('test');
            },
            'maximum' => function () use ($item) {
                $item->grademax = 200;
                $item->update('test');
            },
            'hiding' => function () use ($item) {
                $item->set_hidden(1);
            },
            'showing' => function () use ($item) {
                $item->set_hidden(0);
            },
        ];
        foreach ($changes as $name => $change) {
            $this->assertContains($expected, site::enqueued($change), $name);
        }
        $rows = site::enqueued(function () use ($item) {
            $item->delete('test');
        });
        $this->assertContains("grade $grade->id deleted {$site->user->id} {$site->course->id} $item->id", $rows);
    }

    /**
     * Scales.
     */
    public function test_scales(): void {
        $scale = $this->getDataGenerator()->create_scale(['scale' => 'Bad,Good']);
        $rows = site::enqueued(function () use ($scale) {
            $scale = \grade_scale::fetch(['id' => $scale->id]);
            $scale->scale = 'Bad,Good,Excellent';
            $scale->update('test');
        });
        $this->assertSame(["scale $scale->id updated 0 0 0"], $rows);
    }

    /**
     * Completions of courses.
     */
    public function test_completions(): void {
        global $CFG, $DB;
        $CFG->enablecompletion = 1;
        $site = site::course_with_student(['enablecompletion' => 1]);
        $rows = site::enqueued(function () use ($site) {
            (new \completion_completion(['userid' => $site->user->id, 'course' => $site->course->id]))->mark_complete();
        });
        $id = $DB->get_field('course_completions', 'id', ['userid' => $site->user->id, 'course' => $site->course->id]);
        $this->assertSame(["completion $id updated {$site->user->id} {$site->course->id} 0"], $rows);
    }

    /**
     * Each observed event and its observer exist, and the observer runs within the transaction.
     */
    public function test_all_observers(): void {
        $observers = [];
        require(__DIR__ . '/../db/events.php');
        $this->assertCount(40, $observers);
        foreach ($observers as $observer) {
            // Other plugins may not be installed, and an old Moodle has no event when a course starts or ends.
            $isoptional = preg_match('/^.(tool|local)_|course_(started|ended)$/', $observer['eventname']);
            $this->assertTrue($isoptional || class_exists($observer['eventname']), $observer['eventname']);
            $this->assertTrue(is_callable($observer['callback']), $observer['callback']);
            $this->assertTrue($observer['internal'] ?? true);
        }
    }
}
