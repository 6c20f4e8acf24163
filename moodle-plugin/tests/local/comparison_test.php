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
use local_backend_sync\local\delivery\clocks;
use local_backend_sync\local\delivery\event;
use local_backend_sync\local\delivery\options;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->libdir . '/gradelib.php');
require_once($CFG->libdir . '/completionlib.php');

/**
 * Tests of the light comparison, and of what each run looks at.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\comparison
 * @covers     \local_backend_sync\local\differences
 * @covers     \local_backend_sync\local\findings
 * @covers     \local_backend_sync\local\unreported
 */
final class comparison_test extends \advanced_testcase {
    /** @var fake_backend */
    private $backend;
    /** @var \stdClass a course with a student, see fixtures\site, and a grade and a completion */
    private $site;

    /**
     * A site whose full synchronisation has finished.
     */
    protected function setUp(): void {
        global $CFG, $DB;
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        $CFG->enablecompletion = 1;
        site::configure();
        $this->backend = new fake_backend(new fuse());
        $this->site = site::course_with_student(['enablecompletion' => 1]);
        $item = site::item($this->site->course->id);
        $item->update_final_grade($this->site->user->id, 80, 'test');
        $this->site->grade = $DB->get_field('grade_grades', 'id', ['itemid' => $item->id, 'userid' => $this->site->user->id]);
        $completion = new \completion_completion(['userid' => $this->site->user->id, 'course' => $this->site->course->id]);
        $this->site->completion = $completion->mark_complete();
        site::clear();
        $memory = new database_memory();
        backfill::request($memory, backfill::RUNNING, true);
        $backfill = new backfill($memory);
        $backfill->apply_request(change::KINDS);
        site::send($this->backend, $backfill);
        $this->assertSame(backfill::FINISHED, (new database_memory())->get(backfill::STATE)['status']);
    }

    /**
     * Runs the comparison once.
     *
     * @return int findings
     */
    private function compare(): int {
        $memory = new database_memory();
        $state = $memory->get(comparison::STATE);
        if ($state && $state['step'] > 0) {
            // As if the time of the next round had come.
            $memory->set(comparison::STATE, ['started' => time() - comparison::ROUND] + $state);
        }
        return (new comparison($memory, new records(false), new options()))->run();
    }

    /**
     * What was found so far.
     *
     * @return int[] by kind and cause
     */
    private function counts(): array {
        $counts = (new database_memory())->get(findings::STATE) ?? [];
        ksort($counts);
        return array_map(function ($found) {
            return $found['count'];
        }, $counts);
    }

    /**
     * Drifts of each kind: what changes in the database with no event, what is found, and of which record.
     *
     * @return array[]
     */
    public static function drifts(): array {
        return [
            'enrolment suspended, as by LDAP' => ['enrolment_changed', 'enrolment', function ($site) {
                global $DB;
                $DB->set_field('user_enrolments', 'status', ENROL_USER_SUSPENDED, ['id' => $site->enrolment]);
            }],
            'enrolment gone, as with its plugin' => ['enrolment_gone', 'enrolment', function ($site) {
                global $DB;
                $DB->delete_records('user_enrolments', ['id' => $site->enrolment]);
                $DB->delete_records('enrol', ['id' => $site->enrol->id]);
            }],
            'role gone' => ['enrolment_changed', 'enrolment', function ($site) {
                global $DB;
                $DB->delete_records('role_assignments', ['userid' => $site->user->id, 'contextid' => $site->context->id]);
            }],
            'role renamed' => ['enrolment_changed', 'enrolment', function ($site) {
                global $DB;
                $DB->set_field('role', 'shortname', 'learner', ['shortname' => 'student']);
            }],
            'course renamed' => ['course_changed', 'course', function ($site) {
                global $DB;
                $DB->set_field('course', 'fullname', 'Other', ['id' => $site->course->id]);
            }],
            'course gone' => ['course_gone', 'course', function ($site) {
                global $DB;
                $DB->delete_records('course', ['id' => $site->course->id]);
            }],
            'grade gone, as by a privacy request' => ['grade_gone', 'grade', function ($site) {
                global $DB;
                $DB->delete_records('grade_grades', ['id' => $site->grade]);
            }],
            'completion gone' => ['completion_gone', 'completion', function ($site) {
                global $DB;
                $DB->delete_records('course_completions', ['id' => $site->completion]);
            }],
            'completion undone' => ['completion_gone', 'completion', function ($site) {
                global $DB;
                $DB->set_field('course_completions', 'timecompleted', null, ['id' => $site->completion]);
            }],
            'account gone' => ['user_gone', 'user', function ($site) {
                global $DB;
                $DB->set_field('user', 'deleted', 1, ['id' => $site->user->id]);
            }],
        ];
    }

    /**
     * Each drift is found, counted by its cause, and repaired.
     *
     * @dataProvider drifts
     * @param string $cause
     * @param string $kind
     * @param callable $drift
     */
    public function test_drift(string $cause, string $kind, callable $drift): void {
        $ids = ['user' => $this->site->user->id, 'course' => $this->site->course->id, 'enrolment' => $this->site->enrolment,
            'grade' => $this->site->grade, 'completion' => $this->site->completion];
        $this->compare();
        $this->assertSame(0, $this->compare());
        $before = $this->backend->held("$kind:$ids[$kind]");
        $drift($this->site);
        // Only suspicious at first: its event may follow.
        $this->assertSame(0, $this->compare());
        $this->assertSame(1, $this->compare());
        $this->assertSame([$cause => 1], $this->counts());
        site::send($this->backend);
        $now = $this->backend->held("$kind:$ids[$kind]");
        if (substr($cause, -5) === '_gone') {
            $this->assertNull($now);
        } else {
            $this->assertNotNull($now);
            $this->assertNotSame($before, $now);
        }
        $this->compare();
        $this->assertSame(0, $this->compare());
        $this->assertSame([$cause => 1], $this->counts());
    }

    /**
     * An enrolment or a course that was never sent is found, too, but only after the first full synchronisation.
     */
    public function test_new_records(): void {
        global $DB;
        $user = $this->getDataGenerator()->create_user();
        site::send($this->backend);
        $id = $DB->insert_record('user_enrolments', ['enrolid' => $this->site->enrol->id, 'userid' => $user->id, 'status' => 0]);
        $memory = new database_memory();
        $memory->set(backfill::STATE, ['status' => backfill::CANCELLED] + $memory->get(backfill::STATE));
        $this->compare();
        $this->assertSame(0, $this->compare());
        $memory->set(backfill::STATE, ['status' => backfill::FINISHED] + $memory->get(backfill::STATE));
        $this->compare();
        $this->assertSame(1, $this->compare());
        $this->assertSame(['enrolment_new' => 1], $this->counts());
        $this->assertSame(["enrolment $id updated 0 0 0"], site::rows());
        site::send($this->backend);
        $this->assertSame((int)$user->id, $this->backend->held("enrolment:$id")['userid']);
    }

    /**
     * The sender compares when there is nothing else to do, and sends what it finds in the same run.
     */
    public function test_in_the_sender(): void {
        global $DB;
        $handshake = json_encode($this->backend->handshake());
        \curl::mock_response($handshake);
        runner::run(5);
        $DB->set_field('user_enrolments', 'status', ENROL_USER_SUSPENDED, ['id' => $this->site->enrolment]);
        $memory = new database_memory();
        $memory->set(comparison::STATE, ['started' => 0] + $memory->get(comparison::STATE));
        $this->assertSame(0, runner::run(5)->sent);
        \curl::mock_response(json_encode(['outcomes' => [['outcome' => 'applied', 'errors' => []]]]));
        $this->assertSame(1, runner::run(5)->sent);
        $this->assertSame(['enrolment_changed' => 1], status::read()->found ? $this->counts() : []);
        $status = status::read();
        $this->assertSame(1, status_text::data($status, verdict::of($status))['found']->enrolment_changed['count']);
        $lines = implode("\n", status_text::lines($status, verdict::of($status)));
        $this->assertStringContainsString('Enrolment: changed, 1,', $lines);
        // A page that sends at its end does not compare.
        $DB->set_field('user_enrolments', 'status', ENROL_USER_ACTIVE, ['id' => $this->site->enrolment]);
        $memory->reload();
        $state = ['started' => 0] + $memory->get(comparison::STATE);
        $memory->set(comparison::STATE, $state);
        runner::run(5, false, 1);
        $memory->reload();
        $this->assertSame($state, $memory->get(comparison::STATE));
    }

    /**
     * What Moodle reports is no finding, whether its row arrives before the next run or waits to be expanded.
     */
    public function test_reported_changes_are_no_findings(): void {
        global $DB;
        $this->compare();
        $DB->set_field('user_enrolments', 'status', ENROL_USER_SUSPENDED, ['id' => $this->site->enrolment]);
        $this->compare();
        outbox::add(fanout::METHOD, $this->site->enrol->id, 'updated');
        $this->assertSame(0, $this->compare());
        site::clear();
        outbox::add(change::ENROLMENT, $this->site->enrolment, 'updated', $this->site->user->id, $this->site->course->id);
        $this->assertSame(0, $this->compare());
        $this->assertSame([], $this->counts());
    }

    /**
     * What the backend refused is known to be unknown, and no finding.
     */
    public function test_refused_is_no_finding(): void {
        global $DB;
        $this->compare();
        $DB->set_field(ledger::SENT, 'hash', null, ['kind' => 'enrolment']);
        $this->compare();
        $this->assertSame(0, $this->compare());
        $DB->set_field(ledger::SENT, 'hash', null, ['kind' => 'course']);
        $state = (new records(false))->states(change::COURSE, [$this->site->course->id])[$this->site->course->id];
        $change = new change(change::COURSE, $this->site->course->id);
        $hash = (new event($change, delivery\payload::state($change, $state, [])))->hash;
        $DB->set_field(ledger::SENT, 'refused', $hash, ['kind' => 'course', 'objectid' => $this->site->course->id]);
        $this->compare();
        $this->assertSame(0, $this->compare());
    }

    /**
     * The rows of records that were deleted long ago end.
     */
    public function test_old_rows_of_deleted_records_end(): void {
        global $DB;
        $row = ['kind' => 'grade', 'userid' => 3, 'courseid' => 4, 'itemid' => 5, 'hash' => event::DELETED];
        $DB->insert_record(ledger::SENT, $row + ['objectid' => 900001, 'timesent' => time() - comparison::KEEP_DELETED - 10]);
        $DB->insert_record(ledger::SENT, $row + ['objectid' => 900002, 'timesent' => time() - comparison::KEEP_DELETED + 1000]);
        $this->compare();
        $this->assertSame(['900002'], $DB->get_fieldset_select(ledger::SENT, 'objectid', "hash = 'deleted'"));
    }

    /**
     * A site with many records takes several runs, each of a limited number of slices; a round starts when its time has come.
     */
    public function test_slices(): void {
        global $DB;
        $rows = [];
        $count = comparison::SLICE * (comparison::SLICES + 2);
        for ($i = 0; $i < $count; $i++) {
            $rows[] = ['kind' => 'grade', 'objectid' => 1000000 + $i, 'hash' => 'x', 'timesent' => 1];
        }
        $DB->insert_records(ledger::SENT, $rows);
        $memory = new database_memory();
        $run = function () use ($memory) {
            return (new comparison($memory, new records(false), new options()))->run();
        };
        $run();
        $state = $memory->get(comparison::STATE);
        $this->assertLessThan(comparison::SLICE * comparison::SLICES + 1, count($state['suspects']['grade']));
        $first = count($state['suspects']['grade']);
        $this->assertSame($first, $run());
        $this->assertSame($count - $first, $run());
        $this->assertSame($count, $DB->count_records(outbox::TABLE));
        site::clear();
        $DB->delete_records_select(ledger::SENT, 'objectid >= 1000000');
        // The round is over, and the next one's time has not come.
        $reads = $DB->perf_get_reads();
        $run();
        $this->assertLessThan(6, $DB->perf_get_reads() - $reads);
    }

    /**
     * An account is sent when its owner has confirmed the email address, of which Moodle reports nothing.
     */
    public function test_confirmed_account(): void {
        global $DB;
        $user = $this->getDataGenerator()->create_user(['confirmed' => 0]);
        $other = $this->getDataGenerator()->create_user(['confirmed' => 0]);
        $gone = $this->getDataGenerator()->create_user(['confirmed' => 0]);
        site::send($this->backend);
        $this->assertNull($this->backend->held("user:$user->id"));
        $look = function () {
            $memory = new database_memory();
            unreported::enqueue_changes($memory, new differences($memory, new records(false), new options()), change::KINDS);
        };
        $look();
        $this->assertSame([], site::rows());
        $DB->set_field('user', 'confirmed', 1, ['id' => $user->id]);
        delete_user($gone);
        site::clear();
        $look();
        $this->assertSame(["user $user->id updated $user->id 0 0"], site::rows());
        $this->assertSame(['user_confirmed' => 1], $this->counts());
        site::send($this->backend);
        $this->assertTrue($this->backend->held("user:$user->id")['confirmed']);
        // Who has logged in before the next run is known already.
        $DB->set_field('user', 'confirmed', 1, ['id' => $other->id]);
        outbox::add(change::USER, $other->id, 'updated', $other->id);
        site::send($this->backend);
        $look();
        $this->assertSame([], site::rows());
        $this->assertSame(['user_confirmed' => 1], $this->counts());
    }

    /**
     * Renaming a category of the gradebook renames its total, of which Moodle reports nothing.
     */
    public function test_renamed_category(): void {
        global $DB;
        $category = new \grade_category(['courseid' => $this->site->course->id, 'fullname' => 'Essays'], false);
        $category->insert();
        $item = site::item($this->site->course->id, ['categoryid' => $category->id]);
        $item->update_final_grade($this->site->user->id, 80, 'test');
        grade_regrade_final_grades($this->site->course->id);
        (new database_memory())->set(clocks::HANDSHAKE, null);
        site::send($this->backend);
        $total = $category->load_grade_item();
        $id = $DB->get_field('grade_grades', 'id', ['itemid' => $total->id, 'userid' => $this->site->user->id]);
        $this->assertSame('Essays', $this->backend->held("grade:$id")['itemname']);
        $look = function () {
            $memory = new database_memory();
            unreported::enqueue_changes($memory, new differences($memory, new records(false), new options()), change::KINDS);
        };
        $look();
        $category->fullname = 'Papers';
        $category->update();
        site::clear();
        $look();
        site::send($this->backend);
        $this->assertSame('Papers', $this->backend->held("grade:$id")['itemname']);
        // The next look sees it again, and finds nothing new.
        $look();
        $this->assertSame([], site::rows());
    }
}
