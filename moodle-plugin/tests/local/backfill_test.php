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

use local_backend_sync\fixtures\crash;
use local_backend_sync\fixtures\fake_backend;
use local_backend_sync\fixtures\fuse;
use local_backend_sync\fixtures\site;
use local_backend_sync\local\delivery\change;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->libdir . '/gradelib.php');
require_once($CFG->libdir . '/completionlib.php');

/**
 * Tests of the full synchronisation.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\backfill
 * @covers     \local_backend_sync\local\database_memory
 * @covers     \local_backend_sync\task\reconcile
 */
final class backfill_test extends \advanced_testcase {
    /** @var fuse */
    private $fuse;
    /** @var fake_backend */
    private $backend;

    /**
     * A Moodle with records of each kind, none of them sent yet.
     */
    protected function setUp(): void {
        global $CFG, $DB;
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        $CFG->enablecompletion = 1;
        for ($i = 0; $i < 3; $i++) {
            $site = site::course_with_student(['enablecompletion' => 1]);
            $item = site::item($site->course->id);
            $item->update_final_grade($site->user->id, 50 + $i, 'test');
            // A user without a grade and without a completion: nothing to send.
            $none = new \grade_grade(['itemid' => $item->id, 'userid' => get_admin()->id], false);
            $none->insert('test');
            (new \completion_completion(['userid' => $site->user->id, 'course' => $site->course->id]))->mark_complete();
            (new \completion_completion(['userid' => get_admin()->id, 'course' => $site->course->id]))->mark_inprogress();
        }
        site::configure();
        $this->assertSame([], site::rows());
        $this->fuse = new fuse();
        $this->backend = new fake_backend($this->fuse);
    }

    /**
     * A new backfill object, as each process makes one, after applying a request.
     *
     * @param string|null $status to request; null for no request
     * @param bool $restart
     * @param bool $force
     * @return backfill
     */
    private function backfill(?string $status = null, bool $restart = false, bool $force = false): backfill {
        $memory = new database_memory();
        if ($status) {
            backfill::request(new database_memory(), $status, $restart, $force);
        }
        $backfill = new backfill($memory);
        $backfill->apply_request(change::KINDS);
        return $backfill;
    }

    /**
     * What the backend should hold.
     *
     * @return string[] keys of records
     */
    private function wanted(): array {
        global $CFG, $DB;
        $sql = [
            'user' => "SELECT id FROM {user} WHERE deleted = 0 AND id <> $CFG->siteguest",
            'course' => "SELECT id FROM {course} WHERE id <> " . SITEID,
            'enrolment' => "SELECT id FROM {user_enrolments}",
            'grade' => "SELECT id FROM {grade_grades} WHERE finalgrade IS NOT NULL",
            'completion' => "SELECT id FROM {course_completions} WHERE timecompleted IS NOT NULL",
        ];
        $keys = [];
        foreach ($sql as $kind => $statement) {
            foreach ($DB->get_fieldset_sql("$statement ORDER BY id") as $id) {
                $keys[] = "$kind:$id";
            }
        }
        return $keys;
    }

    /**
     * What the backend holds.
     *
     * @return string[] keys of records
     */
    private function held(): array {
        return array_keys(array_filter($this->backend->records, function ($record) {
            return !$record['deleted'];
        }));
    }

    /**
     * Everything is sent once, each record after those that it refers to; a second pass sends nothing.
     */
    public function test_everything(): void {
        $wanted = $this->wanted();
        $backfill = $this->backfill(backfill::RUNNING, true);
        $state = $backfill->state();
        // The guest is counted, but withheld.
        $this->assertSame([count($wanted) + 1, 0], [$state['total'], $state['done']]);
        $report = site::send($this->backend, $backfill);
        $this->assertSame([count($wanted), 0], [$report->sent, $report->rejected]);
        $this->assertSame($wanted, array_keys($this->backend->records));
        $this->assertSame($wanted, $this->held());
        $this->assertCount(count($wanted), $this->backend->events());
        $state = $backfill->state();
        $this->assertSame([backfill::FINISHED, count($wanted) + 1], [$state['status'], $state['done']]);
        $this->assertFalse($backfill->is_running());
        $this->assertSame([], $backfill->next(10));

        $report = site::send($this->backend, $this->backfill(backfill::RUNNING, true));
        $this->assertSame(0, $report->sent);
        $report = site::send($this->backend, $this->backfill(backfill::RUNNING, true, true));
        $this->assertSame(count($wanted), $report->sent);
    }

    /**
     * Changes without events are found: updated, new and deleted records.
     */
    public function test_changes_without_events(): void {
        global $DB;
        site::send($this->backend, $this->backfill(backfill::RUNNING, true));
        $user = $this->getDataGenerator()->create_user();
        $other = $DB->get_record('user', ['username' => 'admin']);
        site::clear();
        $DB->set_field('user', 'city', 'Zürich', ['id' => $other->id]);
        $DB->delete_records('user_enrolments', ['id' => $DB->get_field_sql('SELECT MIN(id) FROM {user_enrolments}')]);
        $DB->delete_records('course_completions', ['id' => $DB->get_field_sql('SELECT MIN(id) FROM {course_completions}')]);
        $gradeid = $DB->get_field_sql('SELECT MIN(id) FROM {grade_grades} WHERE finalgrade > 0');
        $DB->delete_records('grade_grades', ['id' => $gradeid]);
        $DB->delete_records('course', ['id' => $DB->get_field_sql('SELECT MAX(id) FROM {course}')]);
        $completionid = $DB->get_field_sql('SELECT MAX(id) FROM {course_completions} WHERE timecompleted > 0');
        $DB->set_field('course_completions', 'timecompleted', null, ['id' => $completionid]);
        $backup = $this->backend->records;
        $report = site::send($this->backend, $this->backfill(backfill::RUNNING, true));
        $types = array_column(array_slice($this->backend->events(), -$report->sent), 'type');
        sort($types);
        $this->assertSame(['completion_deleted', 'completion_deleted', 'course_deleted', 'enrolment_deleted', 'grade_deleted',
            'user_updated', 'user_updated'], $types);
        $this->assertSame('Zürich', $this->backend->held("user:$other->id")['city']);
        $this->assertNotNull($this->backend->held("user:$user->id"));
        $this->assertEqualsCanonicalizing($this->wanted(), $this->held());
        $this->assertSame(0, site::send($this->backend, $this->backfill(backfill::RUNNING, true))->sent);
        // The backend is restored from a backup that had what is deleted now: with force, that is deleted again.
        $this->backend->records = $backup;
        site::send($this->backend, $this->backfill(backfill::RUNNING, true));
        $this->assertNotEqualsCanonicalizing($this->wanted(), $this->held());
        site::send($this->backend, $this->backfill(backfill::RUNNING, true, true));
        $this->assertEqualsCanonicalizing($this->wanted(), $this->held());
    }

    /**
     * It can be paused, resumed where it was, cancelled, and started again.
     */
    public function test_pause_resume_cancel(): void {
        $backfill = $this->backfill(backfill::RUNNING, true);
        $batches = 0;
        $seen = [];
        $next = function (backfill $backfill) use (&$seen) {
            $changes = $backfill->next(2);
            $seen = array_merge($seen, array_keys($changes));
            if ($changes) {
                $backfill->done($changes);
            }
            return count($changes);
        };
        while ($batches < 3) {
            $batches += $next($backfill) ? 1 : 0;
        }
        $before = $backfill->state();
        $backfill = $this->backfill(backfill::PAUSED);
        $this->assertSame([backfill::PAUSED, false, 0], [$backfill->state()['status'], $backfill->is_running(), $next($backfill)]);
        $this->assertNull((new database_memory())->get(backfill::REQUEST));
        $backfill = $this->backfill(backfill::RUNNING);
        $this->assertEquals($before, $backfill->state());
        while ($next($backfill)) {
            $this->assertTrue($backfill->is_running());
        }
        $this->assertSame($seen, array_values(array_unique($seen)));
        $this->assertCount(count($this->wanted()) + 1, $seen);
        // It cannot be resumed after it has ended.
        $this->assertSame(backfill::FINISHED, $this->backfill(backfill::RUNNING)->state()['status']);
        $this->assertSame(backfill::FINISHED, $this->backfill(backfill::CANCELLED)->state()['status']);

        $this->assertTrue($this->backfill(backfill::RUNNING, true)->is_running());
        $backfill = $this->backfill(backfill::CANCELLED);
        $this->assertSame([], $backfill->next(10));
        $this->assertSame(backfill::CANCELLED, $this->backfill(backfill::RUNNING)->state()['status']);
        $this->assertSame(0, $this->backfill(backfill::RUNNING, true)->state()['done']);
    }

    /**
     * A pause at the last moment counts: it is not lost because all is done.
     */
    public function test_pause_at_the_end(): void {
        $backfill = $this->backfill(backfill::RUNNING, true);
        while ($backfill->state()['done'] < $backfill->state()['total']) {
            $backfill->done($backfill->next(1000));
        }
        // On another page.
        backfill::request(new database_memory(), backfill::PAUSED);
        $this->assertSame([], $backfill->next(1000));
        $this->assertSame(backfill::RUNNING, $backfill->state()['status']);
        $backfill->apply_request(change::KINDS);
        $this->assertSame(backfill::PAUSED, $backfill->state()['status']);
        $this->assertSame([], $this->backfill(backfill::RUNNING)->next(1000));
        $this->assertSame(backfill::FINISHED, $this->backfill()->state()['status']);
    }

    /**
     * A request that is made while the one before is applied is not lost, and the nightly task replaces none.
     */
    public function test_request_meanwhile(): void {
        $memory = new database_memory();
        backfill::request($memory, backfill::RUNNING, true);
        $this->assertNotNull($memory->get(backfill::REQUEST));
        backfill::request(new database_memory(), backfill::PAUSED);
        (new backfill($memory))->apply_request(change::KINDS);
        $this->assertSame(backfill::PAUSED, (new database_memory())->get(backfill::REQUEST)['status']);
        $this->expectOutputRegex('/request comes first/');
        (new \local_backend_sync\task\reconcile())->execute();
        $this->assertSame(backfill::PAUSED, (new database_memory())->get(backfill::REQUEST)['status']);
    }

    /**
     * A process killed at any step repeats one batch at most, and skips none.
     */
    public function test_killed(): void {
        $this->backend->handshake = ['max_batch_events' => 3];
        $backfill = $this->backfill(backfill::RUNNING, true);
        $killed = 0;
        $before = count($this->backend->requests);
        for ($run = 0; $run < 200 && $backfill->is_running(); $run++) {
            $this->fuse->left = $run % 4;
            try {
                site::send($this->backend, $backfill, 1);
            } catch (crash $crash) {
                $killed++;
            }
            $backfill = $this->backfill();
        }
        $this->assertSame(backfill::FINISHED, $backfill->state()['status']);
        $this->assertGreaterThan(3, $killed);
        $this->assertGreaterThan(3, count($this->backend->requests) - $before);
        $this->assertSame($this->wanted(), $this->held());
    }

    /**
     * Nothing happens before an administrator starts it.
     */
    public function test_never_started(): void {
        $backfill = $this->backfill();
        $this->assertNull($backfill->state());
        $this->assertFalse($backfill->is_running());
        $this->assertSame([], $backfill->next(10));
        $this->assertNull($this->backfill(backfill::PAUSED)->state());
        $this->assertNull($this->backfill(backfill::RUNNING)->state());
    }

    /**
     * Kinds that are not sent are skipped.
     */
    public function test_some_kinds(): void {
        $memory = new database_memory();
        backfill::request($memory, backfill::RUNNING, true);
        $backfill = new backfill($memory);
        $backfill->apply_request([change::COURSE]);
        $this->assertSame(3, $backfill->state()['total']);
        site::send($this->backend, $backfill);
        $this->assertCount(3, $this->backend->records);
    }

    /**
     * The number of statements does not grow with the size of a batch.
     */
    public function test_cost(): void {
        global $DB;
        site::send($this->backend, $this->backfill(backfill::RUNNING, true));
        $counts = [];
        foreach ([10, 300] as $count) {
            for ($i = 0; $i < $count; $i++) {
                $this->getDataGenerator()->create_user();
            }
            site::clear();
            $backfill = $this->backfill(backfill::RUNNING, true);
            [$reads, $writes] = [$DB->perf_get_reads(), $DB->perf_get_writes()];
            $this->assertSame($count, site::send($this->backend, $backfill)->sent);
            $counts[] = [$DB->perf_get_reads() - $reads, $DB->perf_get_writes() - $writes];
        }
        $this->assertSame($counts[0][0], $counts[1][0]);
        // Moodle inserts rows in groups, which are small on some databases.
        $this->assertLessThanOrEqual($counts[0][1] + 10, $counts[1][1]);
    }

    /**
     * The nightly task starts it, once an administrator has started the first one, but not while it is paused.
     */
    public function test_reconcile(): void {
        $task = new \local_backend_sync\task\reconcile();
        $run = function () use ($task) {
            ob_start();
            $task->execute();
            ob_end_clean();
            return (new database_memory())->get(backfill::REQUEST);
        };
        $this->assertNull($run());
        $this->backfill(backfill::RUNNING, true);
        $this->assertNull($run());
        $this->backfill(backfill::PAUSED);
        $this->assertNull($run());
        site::send($this->backend, $this->backfill(backfill::RUNNING));
        $this->assertSame(['status' => backfill::RUNNING, 'anew' => true, 'force' => false], $run());
        (new database_memory())->set(backfill::REQUEST, null);
        set_config('api_token', '', 'local_backend_sync');
        $this->assertNull($run());
        $this->assertNotEmpty($task->get_name());
    }
}
