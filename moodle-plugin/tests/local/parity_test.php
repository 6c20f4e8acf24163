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
use local_backend_sync\local\delivery\client;
use local_backend_sync\local\delivery\clock;
use local_backend_sync\local\delivery\clocks;
use local_backend_sync\local\delivery\continuity;
use local_backend_sync\local\delivery\parity;
use local_backend_sync\local\delivery\parity_counts;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../fixtures/load.php');

/**
 * Tests of the comparison with the backend.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\parity
 * @covers     \local_backend_sync\local\parity_text
 */
final class parity_test extends \advanced_testcase {
    /** @var fake_backend */
    private $backend;
    /** @var \stdClass a course with a student, see fixtures\site */
    private $site;

    /**
     * A site that has been sent.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        site::configure();
        $this->backend = new fake_backend(new fuse());
        $this->site = site::course_with_student();
        for ($i = 0; $i < 5; $i++) {
            $this->getDataGenerator()->create_user();
        }
        site::clear();
        $memory = new database_memory();
        backfill::request($memory, backfill::RUNNING, true);
        $backfill = new backfill($memory);
        $backfill->apply_request(change::KINDS);
        site::send($this->backend, $backfill);
        $this->assertNotNull($this->backend->held("user:{$this->site->user->id}"));
    }

    /**
     * A comparison, as each run makes one.
     *
     * @param client $client
     * @return parity
     */
    private function parity(client $client): parity {
        return new parity(new ledger(), new records(false), $client, new database_memory(), new clock(), change::KINDS);
    }

    /**
     * Compares everything, and sends what that finds, as the runner does.
     *
     * @param bool $allowed
     * @return array[] counts by kind
     */
    private function compare(bool $allowed = false): array {
        $allowed ? parity::allow(new database_memory()) : parity::request(new database_memory(), parity::ASKED);
        $client = new client($this->backend, 'https://sync.college.example', 'site-token');
        do {
            $this->parity($client)->run();
            site::send($this->backend);
            $state = (new database_memory())->get(parity::STATE);
            $this->assertNull($state['trouble']);
        } while ($state['status'] === parity::RUNNING);
        return $state['kinds'];
    }

    /**
     * What is in the ledger as held, by kind.
     *
     * @return int[]
     */
    private function sent(): array {
        global $DB;
        $sql = "SELECT kind, COUNT(1) FROM {" . ledger::SENT . "} WHERE hash IS NOT NULL AND hash <> 'deleted' GROUP BY kind";
        return array_map('intval', $DB->get_records_sql_menu($sql));
    }

    /**
     * When both hold the same, one question for each kind shows it.
     */
    public function test_equal(): void {
        $requests = count($this->backend->requests);
        $kinds = $this->compare();
        $this->assertSame(change::KINDS, array_keys($kinds));
        foreach ($kinds as $kind => $counts) {
            $this->assertTrue(parity_counts::is_equal($counts), $kind);
            $this->assertSame($this->sent()[$kind] ?? 0, $counts['moodle']);
            $this->assertSame(0, $counts['repaired']);
        }
        $operations = array_column(array_slice($this->backend->requests, $requests), 'operation');
        $this->assertSame(['parity' => 5, 'result' => 5], array_count_values($operations));
        $words = new parity_text(status::read());
        $this->assertTrue($words->is_equal());
        $this->assertStringStartsWith('The backend holds what Moodle holds, as of ', $words->sentence());
        $this->assertSame($kinds[change::USER]['digest'], $words->rows()[0]['digest']);
        $last = $this->backend->of('result');
        $this->assertSame($kinds[change::USER]['digest'], json_decode($last[0]['body'], true)['digest']);
    }

    /**
     * What the backend said about its destination follows; an older backend says nothing.
     */
    public function test_destination(): void {
        $this->compare();
        $memory = new database_memory();
        $finished = $memory->get(parity::STATE)['finished'];
        $say = function (array $destination) use ($memory, $finished): string {
            $destination += ['name' => 'zoho', 'agrees' => true, 'differing' => 0, 'as_of' => $finished - 3600];
            $memory->set(clocks::HANDSHAKE, ['destination' => $destination] + $memory->get(clocks::HANDSHAKE));
            return (new parity_text(status::read()))->sentence();
        };
        $when = userdate($finished - 3600);
        $this->assertSame("Backend and Zoho agree with this Moodle, as of $when.", $say([]));
        $differs = $say(['agrees' => false, 'differing' => 3]);
        $this->assertStringStartsWith('The backend holds what Moodle holds, as of ' . userdate($finished), $differs);
        $this->assertStringEndsWith("In Zoho, 3 records differ: see the page Parity of the backend's console.", $differs);
        $this->assertStringEndsWith('The backend has not compared all records with Zoho yet.', $say(['agrees' => false]));
    }

    /**
     * One record was lost, one is older, one is deleted there, one is too many, one is unknown: all are repaired.
     */
    public function test_repair(): void {
        global $DB;
        $course = $this->site->course->id;
        $users = array_keys($DB->get_records_select('user', "deleted = 0 AND username <> 'guest'", [], 'id', 'id'));
        unset($this->backend->records["course:$course"]);
        $this->backend->records["user:$users[1]"]['data']['firstname'] = 'Older';
        $this->backend->records["user:$users[2]"]['deleted'] = true;
        $this->backend->records["user:$users[3]"]['unknown'] = true;
        $extra = ['enrollmentid' => 900001, 'userid' => 900002, 'courseid' => 900003];
        $this->backend->records['enrolment:900001'] = ['data' => $extra] + $this->backend->records["user:$users[1]"];
        $kinds = $this->compare();
        foreach ($kinds as $kind => $counts) {
            $this->assertTrue(parity_counts::is_equal($counts), $kind);
        }
        $this->assertSame([3, 1, 1], [$kinds['user']['repaired'], $kinds['course']['repaired'], $kinds['enrolment']['repaired']]);
        $this->assertNotNull($this->backend->held("course:$course"));
        $this->assertNotSame('Older', $this->backend->held("user:$users[1]")['firstname']);
        $this->assertNotNull($this->backend->held("user:$users[2]"));
        $this->assertNull($this->backend->held('enrolment:900001'));
        $events = $this->backend->events();
        $deletions = array_filter($events, function ($event) {
            return $event['type'] === 'enrolment_deleted';
        });
        $this->assertSame([$extra], array_column($deletions, 'data'));
        $this->assertStringContainsString('Repaired: 5.', (new parity_text(status::read()))->sentence());
    }

    /**
     * What the ledger has forgotten but Moodle has is sent, not deleted.
     */
    public function test_forgotten(): void {
        global $DB;
        $DB->delete_records(ledger::SENT, ['kind' => change::USER, 'objectid' => $this->site->user->id]);
        $kinds = $this->compare();
        $this->assertTrue(parity_counts::is_equal($kinds['user']));
        $this->assertSame(1, $kinds['user']['repaired']);
        $this->assertNotNull($this->backend->held("user:{$this->site->user->id}"));
    }

    /**
     * Unusually many deletions wait for an administrator, whatever else is repaired meanwhile.
     */
    public function test_many_deletions(): void {
        for ($id = 900000; $id < 900000 + parity_counts::FEW + 1; $id++) {
            $this->backend->records["completion:$id"] = $this->backend->records["user:{$this->site->user->id}"];
            $this->backend->records["completion:$id"]['data'] = ['completionid' => $id, 'userid' => 900002, 'courseid' => 900003];
        }
        $this->backend->records["user:{$this->site->user->id}"]['data']['firstname'] = 'Older';
        $kinds = $this->compare();
        $this->assertSame(parity_counts::FEW + 1, $kinds['completion']['gone']);
        $this->assertSame([1, true], [$kinds['user']['repaired'], parity_counts::is_equal($kinds['user'])]);
        $this->assertNotNull($this->backend->held('completion:900000'));
        $words = new parity_text(status::read());
        $this->assertFalse($words->is_equal());
        $this->assertStringContainsString('51 are in the backend and not in Moodle', $words->asks());
        $kinds = $this->compare(true);
        $this->assertSame([parity_counts::FEW + 1, 0], [$kinds['completion']['repaired'], $kinds['completion']['gone']]);
        $this->assertNull($this->backend->held('completion:900000'));
        $this->assertSame('', (new parity_text(status::read()))->asks());
    }

    /**
     * What is in doubt, refused or erased is named, and not sent again.
     */
    public function test_unprovable(): void {
        global $DB;
        $user = ['kind' => change::USER, 'objectid' => $this->site->user->id];
        $other = $DB->get_field('user', 'id', ['username' => 'admin']);
        $DB->set_field(ledger::SENT, 'hash', null, $user);
        $this->backend->erased = [(int)$other];
        unset($this->backend->records["user:$other"]);
        $kinds = $this->compare();
        $this->assertSame([2, 0], [$kinds['user']['unprovable'], $kinds['user']['repaired']]);
        $this->assertTrue(parity_counts::is_equal($kinds['user']));
        $row = $DB->get_record(ledger::SENT, ['kind' => change::USER, 'objectid' => $other]);
        $this->assertNull($row->hash);
        $this->assertSame(32, strlen($row->refused));
        $this->assertStringContainsString('(not comparable: 2)', (new parity_text(status::read()))->rows()[0]['result']);
    }

    /**
     * What differs even after it was sent is a finding.
     */
    public function test_finding(): void {
        $key = "user:{$this->site->user->id}";
        $this->backend->fault = function ($operation) use ($key) {
            if ($operation !== 'batch') {
                $this->backend->records[$key]['data']['firstname'] = 'Stubborn';
            }
        };
        $kinds = $this->compare();
        $this->assertSame(1, $kinds['user']['differing']);
        $this->assertFalse(parity_counts::is_equal($kinds['user']));
        $results = $this->backend->of('result');
        $this->assertSame(1, json_decode($results[0]['body'], true)['differing']);
        $this->assertStringContainsString('1 record differs', (new parity_text(status::read()))->sentence());
    }

    /**
     * A failure interrupts it, and the next run goes on.
     */
    public function test_interruption(): void {
        $fails = true;
        $this->backend->fault = function ($operation) use (&$fails) {
            return $fails && $operation === 'parity' ? fake_backend::problem(503, 'queue_full') : null;
        };
        $client = new client($this->backend, 'https://sync.college.example', 'site-token');
        parity::request(new database_memory(), continuity::RESTORED);
        $this->parity($client)->run();
        $state = (new database_memory())->get(parity::STATE);
        $this->assertSame(['unavailable', parity::RUNNING], [$state['trouble'], $state['status']]);
        $this->assertStringStartsWith('The backend was restored', (new parity_text(status::read()))->sentence());
        $fails = false;
        $this->parity($client)->run();
        $state = (new database_memory())->get(parity::STATE);
        $this->assertSame([null, parity::FINISHED], [$state['trouble'], $state['status']]);
    }

    /**
     * A backend without the capability is asked nothing, and the page says so.
     */
    public function test_old_backend(): void {
        $handshake = (new database_memory())->get(clocks::HANDSHAKE);
        (new database_memory())->set(clocks::HANDSHAKE, ['capabilities' => []] + $handshake);
        parity::request(new database_memory(), parity::ASKED);
        $client = new client($this->backend, 'https://sync.college.example', 'site-token');
        $this->parity($client)->run();
        $this->assertSame([], $this->backend->of('parity'));
        $target = ['target' => $client->target()];
        (new database_memory())->set('target', $target);
        $this->assertStringContainsString('too old', (new parity_text(status::read()))->sentence());
    }
}
