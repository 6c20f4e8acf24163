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
 * Tests of compressed bodies, which something in between, such as a firewall, does not look into.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\compression
 * @covers     \local_backend_sync\local\delivery\dispatcher
 * @covers     \local_backend_sync\local\delivery\client
 */
final class compression_test extends sender_testcase {
    /** @var string the firewall does not like it */
    const MARK = '<script>';

    /**
     * Ways to refuse a request.
     *
     * @return array[]
     */
    public static function ways(): array {
        $ways = [];
        foreach ([400, 403, 406, 418, 451] as $status) {
            $ways["status $status"] = [new response($status, '<html>Blocked</html>', ['Content-Type' => 'text/html'])];
        }
        return $ways + ['reset' => [response::none(CURLE_RECV_ERROR, 'Connection reset by peer', true)]];
    }

    /**
     * Refuses requests with a mark, and perhaps those that it cannot read.
     *
     * @param response $answer
     * @param response|null $unreadable null to let them pass
     */
    private function refuse(response $answer, ?response $unreadable = null): void {
        $this->world->backend->fault = function ($operation, $events, $packed) use ($answer, $unreadable) {
            if ($packed) {
                return $unreadable;
            }
            return strpos(json_encode($events, JSON_UNESCAPED_SLASHES), self::MARK) === false ? null : $answer;
        };
    }

    /**
     * Changes users, some of them marked.
     *
     * @param int $count
     * @param int[] $marked
     */
    private function put_users(int $count, array $marked): void {
        $this->world->put_users($count);
        foreach ($marked as $id) {
            $this->world->put(change::USER, $id, ['firstname' => self::MARK]);
        }
    }

    /**
     * The batch requests, as a string: the number of events, in brackets if packed.
     *
     * @return string
     */
    private function batches(): string {
        return implode(' ', array_map(function ($request) {
            $count = count($request['events']);
            return $request['packed'] ? "($count)" : $count;
        }, $this->world->backend->of('batch')));
    }

    /**
     * What a firewall refuses is sent compressed, and so is all that follows.
     *
     * @dataProvider ways
     * @param response $answer
     */
    public function test_the_marked_arrive_too(response $answer): void {
        $this->refuse($answer);
        $this->world->backend->handshake['max_batch_events'] = 100;
        $this->put_users(500, [107, 108, 300]);
        $report = $this->world->run();
        $this->assertNull($report->failure);
        $this->assertSame([500, 0], [$report->sent, $report->rejected]);
        $this->assertSame('100 100 (100) (100) (100) (100)', $this->batches());
        $this->assert_settled();
        $this->assertNull($this->world->memory->get(health::OUTAGE));
        // The next process begins as before.
        $this->put_users(1, []);
        $this->put_users(0, [2]);
        $this->world->run();
        $this->put_users(0, [3]);
        $this->world->run();
        $this->assert_settled();
        // Alone, after a request without events has passed.
        $this->assertStringEndsWith(' 1 0 (1)', $this->batches());
    }

    /**
     * A firewall that also refuses what it cannot read: all but the marked events arrive, and it is tried once per batch and event.
     */
    public function test_compressed_bodies_are_refused(): void {
        $this->refuse(new response(403, ''), new response(415, ''));
        $this->put_users(16, [5, 11]);
        $report = $this->world->run();
        $this->assertNull($report->failure);
        $this->assertSame([14, 2], [$report->sent, $report->rejected]);
        $this->assertSame('intercepted HTTP 403', $this->world->store->rejected['user:5']);
        $this->assertSame('16 (16) 8 4 4 2 1 0 (1) 1 2 8 4 2 2 1 0 (1) 1 4', $this->batches());
    }

    /**
     * An earlier backend gets nothing compressed, whatever the settings.
     */
    public function test_earlier_backend(): void {
        foreach ([compression::AUTO, compression::ALWAYS] as $setting) {
            $this->setUp();
            $this->world->options->compression = $setting;
            $this->world->backend->handshake['capabilities'] = [];
            $this->refuse(new response(403, ''));
            $this->put_users(2, [2]);
            $report = $this->world->run();
            $this->assertSame([1, 1], [$report->sent, $report->rejected]);
            $this->assertSame('2 1 1 0 1', $this->batches());
        }
    }

    /**
     * Nothing is compressed if the settings say so.
     */
    public function test_never(): void {
        $this->world->options->compression = compression::NEVER;
        $this->refuse(new response(403, ''));
        $this->put_users(2, [2]);
        $this->assertSame(1, $this->world->run()->rejected);
        $this->assertSame('2 1 1 0 1', $this->batches());
    }

    /**
     * Everything is compressed if the settings say so, unless that is what something in between refuses.
     */
    public function test_always(): void {
        $this->world->options->compression = compression::ALWAYS;
        $this->put_users(2, []);
        $this->assertSame(2, $this->world->run()->sent);
        $this->assertSame('(2)', $this->batches());
        $this->refuse(new response(200, ''), new response(415, ''));
        $this->put_users(4, []);
        $this->assertNull($this->world->run()->failure);
        $this->assert_settled();
        $this->assertSame('(2) (2) 2', $this->batches());
    }

    /**
     * The backend takes a compressed body for a plain text, because it is an earlier version since a moment ago, or something in
     * between has dropped the header: nothing is rejected because of that.
     */
    public function test_the_backend_does_not_unpack(): void {
        $this->world->options->compression = compression::ALWAYS;
        $this->world->backend->fault = function ($operation, $events, $packed) {
            return $packed ? fake_backend::problem(400, client::MALFORMED) : null;
        };
        $this->put_users(3, []);
        $report = $this->world->run();
        $this->assertSame([3, 0, 2], [$report->sent, $report->rejected, $report->requests]);
        $this->assertSame('(3) 3', $this->batches());
        $this->assert_settled();
    }

    /**
     * What the backend itself says about a compressed body is no firewall's.
     */
    public function test_own_refusal(): void {
        $this->refuse(new response(403, ''), fake_backend::problem(503, 'queue_full'));
        $this->put_users(4, [2]);
        $report = $this->world->run();
        $this->assertSame([failure::UNAVAILABLE, 0, 0], [$report->failure->reason, $report->sent, $report->rejected]);
        $this->assertSame('4 (4)', $this->batches());
    }
}
