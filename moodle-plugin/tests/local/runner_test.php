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

use local_backend_sync\event\delivery_failed;
use local_backend_sync\event\delivery_recovered;
use local_backend_sync\fixtures\site;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\health;
use local_backend_sync\local\delivery\report;
use local_backend_sync\output\status_page;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->libdir . '/filelib.php');

/**
 * Tests of the sender in Moodle: its HTTP client, and Moodle's log.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\runner
 * @covers     \local_backend_sync\local\moodle_http
 * @covers     \local_backend_sync\local\status
 * @covers     \local_backend_sync\task\send
 */
final class runner_test extends \advanced_testcase {
    /** @var string URL on this machine at which nothing listens */
    const NOBODY = 'http://127.0.0.1:1';

    /**
     * A configured site with an empty outbox.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        site::configure(self::NOBODY);
        site::clear();
    }

    /**
     * Runs the sender as if the backoff were over.
     *
     * @param report|null $report
     * @return string[] classes of the events that it logged
     */
    private function logged(?report &$report = null): array {
        $memory = new database_memory();
        $outage = $memory->get(health::OUTAGE);
        if ($outage) {
            $memory->set(health::OUTAGE, ['retry' => 0] + $outage);
        }
        $sink = $this->redirectEvents();
        $report = runner::run(5);
        $classes = array_map('get_class', $sink->get_events());
        $sink->close();
        return $classes;
    }

    /**
     * Changes are sent to the backend.
     */
    public function test_delivery(): void {
        $user = $this->getDataGenerator()->create_user();
        site::answer([site::handshake(), site::outcomes(1)]);
        $report = runner::run(5);
        $this->assertNull($report->failure);
        $this->assertSame([1, true], [$report->sent, $report->empty]);
        $this->assertSame([], site::rows());
        $this->assertNotEmpty((new ledger())->known([new change(change::USER, $user->id)])["user:$user->id"]);
        $status = status::read();
        $this->assertSame([true, 0, 0, 0, 1, 1], [$status->configured, $status->waiting, $status->postponed, $status->rejected,
            $status->senthour, $status->sentday]);
        $this->assertSame('college', $status->backend['site']);
        $this->assertEqualsWithDelta(time(), $status->lastsuccess, 60);
        $this->assertSame(0, $status->age());
    }

    /**
     * A copy of the site sends nothing until an administrator confirms its address, or gives it a token of its own.
     */
    public function test_copy_of_the_site(): void {
        global $CFG;
        site::answer([site::handshake()]);
        runner::run(5);
        $this->getDataGenerator()->create_user();
        $CFG->wwwroot = 'https://copy.college.example';
        $report = runner::run(5, true);
        $this->assertSame(failure::OTHER_SITE, $report->failure->reason);
        $this->assertSame('www.example.com/moodle', $report->failure->detail);
        $this->assertCount(1, site::rows());
        $this->assertSame([false, true], $this->buttons());

        runner::accept_site();
        site::answer([site::handshake(), site::outcomes(1)]);
        $this->assertSame(1, runner::run(5, true)->sent);
        $this->assertSame([true, false], $this->buttons());
        // With https instead of http it is the same site.
        $CFG->wwwroot = 'http://copy.college.example';
        $this->assertNull(runner::run(5, true)->failure);

        $CFG->wwwroot = 'https://another.college.example';
        set_config('api_token', 'token-of-the-copy', 'local_backend_sync');
        site::answer([site::handshake()]);
        $this->assertNull(runner::run(5, true)->failure);
    }

    /**
     * Which buttons the status page has: to send, and to say that the site has moved.
     *
     * @return bool[]
     */
    private function buttons(): array {
        global $PAGE;
        $PAGE->set_url('/local/backend_sync/status.php');
        $data = (new status_page(status::read(), 0, true))->export_for_template($PAGE->get_renderer('core'));
        return [$data['cansend'], $data['isothersite']];
    }

    /**
     * The log names the backend as it was.
     */
    public function test_log_names_the_backend(): void {
        $failure = new failure(failure::REFUSED);
        $event = delivery_failed::create_from_failure($failure, 'https://old.college.example');
        $this->assertStringContainsString('https://old.college.example', $event->get_description());
        $this->assertStringNotContainsString(self::NOBODY, $event->get_description());
    }

    /**
     * The start and the end of an outage are logged once each.
     */
    public function test_log(): void {
        $this->getDataGenerator()->create_user();
        $this->assertSame([delivery_failed::class], $this->logged($report));
        $this->assertSame([failure::REFUSED, true, false], [$report->failure->reason, $report->outagestarted, $report->recovered]);
        $this->assertSame([], $this->logged($report));
        $this->assertSame(failure::REFUSED, $report->failure->reason);
        $this->assertSame(2, status::read()->outage['failures']);
        // A run during the backoff is no failure.
        $report = runner::run(5);
        $this->assertNull($report->failure);
        $this->assertNotNull($report->waituntil);
        // An administrator may ignore the backoff.
        $this->assertNotNull(runner::run(5, true)->failure);
        site::answer([site::handshake(), site::outcomes(1)]);
        $this->assertSame([delivery_recovered::class], $this->logged($report));
        $this->assertSame(1, $report->sent);
        $this->assertNull(status::read()->outage);
        $this->assertSame([], $this->logged());
        // The next outage is logged again.
        $this->getDataGenerator()->create_user();
        site::answer(['<html>', '<html>']);
        $this->assertSame([delivery_failed::class], $this->logged($report));
        $this->assertSame(failure::NOT_CONTRACT, $report->failure->reason);
    }

    /**
     * The events in Moodle's log describe what happened.
     */
    public function test_log_descriptions(): void {
        $event = delivery_failed::create_from_failure(new failure(failure::UNAUTHORIZED, 'No.', 401), self::NOBODY);
        $this->assertStringContainsString('401', $event->get_description());
        $this->assertStringContainsString('No.', $event->get_description());
        $events = [$event, delivery_recovered::create_now()];
        foreach ($events as $event) {
            $this->assertNotEmpty($event->get_description());
            $this->assertStringNotContainsString('[[', $event::get_name());
            $this->assertInstanceOf(\moodle_url::class, $event->get_url());
            $event->trigger();
        }
    }

    /**
     * Settings that do not allow sending are a failure, unless nothing is set up.
     */
    public function test_bad_settings(): void {
        $this->getDataGenerator()->create_user();
        set_config('backend_url', 'http://sync.college.example', 'local_backend_sync');
        $this->assertSame([delivery_failed::class], $this->logged($report));
        $this->assertSame(failure::INSECURE_URL, $report->failure->reason);
        $this->assertSame([], $this->logged());
        set_config('backend_url', '', 'local_backend_sync');
        $this->assertSame([], $this->logged($report));
        $this->assertSame(failure::NOT_CONFIGURED, $report->failure->reason);
        $this->assertCount(1, site::rows());
    }

    /**
     * Until an administrator starts sending, no run sends anything, not even a handshake, and nothing is called a failure.
     */
    public function test_not_started(): void {
        $this->getDataGenerator()->create_user();
        set_config('sending', 0, 'local_backend_sync');
        foreach ([false, true] as $force) {
            $report = runner::run(5, $force);
            $this->assertSame([failure::NOT_STARTED, 0], [$report->failure->reason, $report->requests]);
        }
        $this->assertSame([], $this->logged());
        $this->assertNull(status::read()->outage);
        $this->assertCount(1, site::rows());
    }

    /**
     * Live changes are sent first, then the backfill.
     */
    public function test_backfill(): void {
        global $DB;
        backfill::request(new database_memory(), backfill::RUNNING, true);
        $user = $this->getDataGenerator()->create_user();
        site::answer([site::handshake(), site::outcomes(1), site::outcomes(1)]);
        $steps = [];
        $report = runner::run(20, false, null, function ($report, $state) use (&$steps) {
            $steps[] = [$report->sent, $state['status']];
        }, 10000000);
        // The admin is the only other user of a new site, apart from the guest.
        $this->assertNull($report->failure);
        $this->assertSame(2, $report->sent);
        $this->assertSame(backfill::FINISHED, status::read()->backfill['status']);
        $this->assertSame(backfill::FINISHED, end($steps)[1]);
        $this->assertNull(status::read()->backfillrequest);
        $this->assertSame(2, $DB->count_records(ledger::SENT));
        $this->assertSame(2, status::read()->senthour);
        $this->assertNotNull($user);
    }

    /**
     * A run for live changes only does not touch the backfill.
     */
    public function test_live_changes_only(): void {
        backfill::request(new database_memory(), backfill::RUNNING, true);
        $this->getDataGenerator()->create_user();
        site::answer([site::handshake(), site::outcomes(1)]);
        $report = runner::run(5, false, 1);
        $this->assertSame(1, $report->sent);
        $this->assertNotNull(status::read()->backfillrequest);
        $this->assertNull(status::read()->backfill);
    }

    /**
     * The task prints what it did.
     */
    public function test_task(): void {
        $this->getDataGenerator()->create_user();
        site::answer([site::handshake(), site::outcomes(1)]);
        $this->expectOutputRegex('/Sent: 1, unchanged: 0, rejected: 0, requests: 1\./');
        $task = new \local_backend_sync\task\send();
        $task->execute();
        $this->assertNotEmpty($task->get_name());
    }

    /**
     * Responses of Moodle's curl, and errors of the connection.
     */
    public function test_http(): void {
        $response = (new moodle_http(1, 2))->request(self::NOBODY . '/x', ['X-Header: 1'], '{}');
        $this->assertSame([0, failure::REFUSED], [$response->status, $response->reason]);
        $this->assertNotSame('', $response->error);
        site::answer(['body']);
        $response = (new moodle_http(1, 2))->request(self::NOBODY . '/x', [], null);
        $this->assertSame([200, 'body'], [$response->status, $response->body]);
    }

    /**
     * Moodle's proxy is used, and told apart from the backend when it fails.
     */
    public function test_proxy(): void {
        global $CFG;
        $CFG->proxyhost = '127.0.0.1';
        $CFG->proxyport = 1;
        $this->assertSame(failure::PROXY, (new moodle_http(1, 2))->request('http://sync.invalid/x', [], null)->reason);
        $CFG->proxybypass = '127.0.0.1';
        $this->assertSame(failure::REFUSED, (new moodle_http(1, 2))->request(self::NOBODY . '/x', [], null)->reason);
    }

    /**
     * Scripts on the command line, such as tests, do not send at their end.
     */
    public function test_immediate(): void {
        $this->assertFalse(immediate::is_possible());
        set_config('immediate', 0, 'local_backend_sync');
        $this->getDataGenerator()->create_user();
        immediate::send();
        $this->assertCount(1, site::rows());
        $this->assertNull(status::read()->outage);
    }
}
