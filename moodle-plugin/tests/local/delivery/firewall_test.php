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

namespace local_backend_sync\local\delivery;

use local_backend_sync\fixtures\fake_backend;
use local_backend_sync\fixtures\sender_testcase;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of the sender with something in between, such as a firewall, that refuses some requests because of what is in them.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\dispatcher
 * @covers     \local_backend_sync\local\delivery\client
 */
final class firewall_test extends sender_testcase {
    /** @var string the firewall does not like it */
    const MARK = '<script>';

    /**
     * Ways to refuse a request.
     *
     * @return array[] the answer, and how it is named
     */
    public static function ways(): array {
        $html = ['Content-Type' => 'text/html'];
        $ways = [
            'reset' => [response::none(CURLE_RECV_ERROR, 'Connection reset by peer', true), 'intercepted Connection reset by peer'],
            'no answer' => [response::none(CURLE_GOT_NOTHING, 'Empty reply', true), 'intercepted Empty reply'],
            'a page' => [new response(200, '<html>Request blocked</html>', $html), 'intercepted HTTP 200'],
            'redirect to a page' => [new response(302, '', ['Location' => 'https://waf.example']), 'intercepted HTTP 302'],
        ];
        foreach ([400, 401, 403, 404, 405, 406, 409, 418, 422, 451] as $status) {
            $ways["status $status"] = [new response($status, '<html>Blocked</html>', $html), "intercepted HTTP $status"];
        }
        return $ways;
    }

    /**
     * Refuses requests with a mark.
     *
     * @param response $answer
     */
    private function refuse(response $answer): void {
        $this->world->backend->fault = function ($operation, $events) use ($answer) {
            return strpos(json_encode($events, JSON_UNESCAPED_SLASHES), self::MARK) === false ? null : $answer;
        };
    }

    /**
     * All other events arrive in one run; the marked ones are named with the reason, and tried again later.
     *
     * @dataProvider ways
     * @param response $answer
     * @param string $reason
     */
    public function test_all_but_the_marked_arrive(response $answer, string $reason): void {
        $this->refuse($answer);
        $this->world->put_users(500);
        foreach ([7, 8, 300] as $id) {
            $this->world->put(change::USER, $id, ['firstname' => self::MARK]);
        }
        $report = $this->world->run();
        $this->assertNull($report->failure);
        $this->assertNull($this->world->memory->get(health::OUTAGE));
        $this->assertSame([497, 3], [$report->sent, $report->rejected]);
        $this->assertCount(497, $this->world->backend->records);
        $expected = ['user:7' => $reason, 'user:8' => $reason, 'user:300' => $reason];
        $this->assertSame($expected, $this->world->store->rejected);
        $this->assertSame(0, $this->world->run()->requests);

        // The firewall has been corrected.
        $this->world->backend->fault = null;
        $this->world->clock->now += dispatcher::INTERCEPTED_WAIT;
        $this->assertSame(3, $this->world->run()->sent);
        $this->assertSame([], $this->world->store->rejected);
        $this->assert_settled();
    }

    /**
     * What something in between refuses once only has nothing to do with the event.
     */
    public function test_refused_once(): void {
        $this->world->put_users(1);
        $this->answer_batches([new response(403, '')]);
        $report = $this->world->run();
        $this->assertSame([1, 0, 2], [$report->sent, $report->rejected, $report->requests]);
        $this->assert_settled();
    }

    /**
     * If nothing passes, it is nobody's fault: everything waits.
     */
    public function test_nothing_passes(): void {
        $this->world->put_users(3);
        $this->answer_batches(array_fill(0, 100, new response(403, '')));
        $report = $this->world->run();
        $this->assertSame([failure::INTERCEPTED, 403], [$report->failure->reason, $report->failure->status]);
        $this->assertSame([0, 0], [$report->sent, $report->rejected]);
        $this->assertCount(3, $this->world->outbox->rows);
    }

    /**
     * If no event passes, although a request without any does, few are named before everything waits.
     */
    public function test_no_event_passes(): void {
        $this->world->put_users(200);
        $this->world->backend->fault = function ($operation, $events) {
            return $events ? new response(403, '') : null;
        };
        $report = $this->world->run();
        $this->assertSame(failure::INTERCEPTED, $report->failure->reason);
        $this->assertSame(dispatcher::MAX_INTERCEPTED, $report->rejected);
        $this->world->backend->fault = null;
        $this->world->clock->now += dispatcher::INTERCEPTED_WAIT;
        $this->world->run();
        $this->assertSame([], $this->world->store->rejected);
        $this->assert_settled();
    }

    /**
     * The backend itself says that the token is wrong, or that it is busy: nothing is halved.
     */
    public function test_own_refusals(): void {
        $answers = [
            failure::UNAUTHORIZED => fake_backend::problem(403, 'forbidden'),
            failure::NOT_FOUND => fake_backend::problem(404, 'not_found'),
            failure::UNAVAILABLE => fake_backend::problem(503, 'queue_full'),
        ];
        foreach ($answers as $reason => $answer) {
            $this->setUp();
            $this->world->put_users(10);
            $this->answer_batches([$answer]);
            $report = $this->world->run();
            $this->assertSame([$reason, 1], [$report->failure->reason, $report->requests]);
        }
    }

    /**
     * Halving ends with the run's time, and the next run goes on.
     */
    public function test_time_is_up(): void {
        $this->refuse(new response(403, ''));
        $this->world->put_users(8);
        $this->world->put(change::USER, 8, ['firstname' => self::MARK]);
        $answer = $this->world->backend->fault;
        $this->world->backend->fault = function ($operation, $events) use ($answer) {
            $this->world->clock->now += 30;
            return $answer($operation, $events);
        };
        $report = $this->world->run();
        $this->assertNull($report->failure);
        $this->assertFalse($report->empty);
        $this->assertLessThanOrEqual(2, $report->requests);
        for ($run = 0; $run < 20 && !$this->world->store->rejected; $run++) {
            $this->world->run();
        }
        $this->assertSame(['user:8'], array_keys($this->world->store->rejected));
        $this->assertCount(7, $this->world->backend->records);
    }
}
