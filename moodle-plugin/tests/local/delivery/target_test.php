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
use local_backend_sync\fixtures\fake_backfill;
use local_backend_sync\fixtures\sender_testcase;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of what is known of the backend: after a change of token or backend, and after a refusal.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\sender
 */
final class target_test extends sender_testcase {
    /**
     * Another backend, or another site there, receives everything again, and the old one's backoff does not apply. It gets no
     * deletions of what it never had.
     *
     * @dataProvider other_targets
     * @param string $url
     * @param string $site
     */
    public function test_other_target(string $url, string $site): void {
        $this->world->put(change::USER, 3, ['firstname' => 'Cid']);
        $this->world->run();
        $this->world->put(change::USER, 3, null);
        $this->world->run();
        $this->world->put_users(2);
        $this->world->run();
        $this->world->put_users(1, 'Bea');
        $this->answer_batches([fake_backend::silence()]);
        $this->world->run();
        $this->world->put(change::USER, 2, ['firstname' => 'Ann']);

        $this->world->token = 'other-token';
        $this->world->url = $url;
        $this->world->backend->handshake['site'] = $site;
        $this->world->backend->records = [];
        $this->world->backend->ids = [];
        $this->world->backend->requests = [];
        $report = $this->world->run();
        $this->assertSame([2, 0], [$report->sent, $report->unchanged]);
        $this->assertSame(['handshake', 'batch'], array_column($this->world->backend->requests, 'operation'));
        $this->assert_settled();
        $this->assertSame(2, count(array_filter($this->world->store->sent)));
        $this->assertArrayNotHasKey('user:3', $this->world->store->sent);
        $this->assertSame(0, $this->world->run()->requests);
    }

    /**
     * What makes another target: URL, name of the site.
     *
     * @return string[][]
     */
    public static function other_targets(): array {
        return [
            'other backend' => ['https://other.college.example', 'college'],
            'other site' => ['https://sync.college.example', 'university'],
        ];
    }

    /**
     * A new token of the same site changes nothing, and neither does a mistyped one, or another scheme before the same host.
     */
    public function test_new_token(): void {
        $this->world->put_users(2);
        $this->world->put(change::USER, 3, ['firstname' => 'Cid']);
        $this->world->run();
        $this->world->put(change::USER, 3, null);
        $this->world->run();
        $sent = $this->world->store->sent;
        $this->assertSame(event::DELETED, $sent['user:3']);

        $this->world->token = 'mistyped';
        $this->world->put(change::USER, 1, ['firstname' => 'Ann']);
        $this->world->backend->fault = function () {
            return fake_backend::problem(401, 'unauthorized');
        };
        $this->assertSame(failure::UNAUTHORIZED, $this->world->run()->failure->reason);
        $this->assertSame($sent, $this->world->store->sent);

        $this->world->token = 'new-token';
        $this->world->url = 'http://sync.college.example';
        $this->world->backend->fault = null;
        $report = $this->world->run();
        $this->assertSame([0, 1], [$report->sent, $report->unchanged]);
        $this->assertSame($sent, $this->world->store->sent);
    }

    /**
     * An earlier version of the plugin did not note which backend it was: then a new token counts as a new backend, to be safe.
     */
    public function test_new_token_after_upgrade(): void {
        $this->world->put_users(2);
        $this->world->run();
        $this->world->memory->set(sender::BACKEND, null);
        $this->world->run();
        $this->assertSame(2, count(array_filter($this->world->store->sent)));
        $this->world->memory->set(sender::BACKEND, null);
        $this->world->token = 'new-token';
        $this->world->run();
        $this->assertSame([], array_filter($this->world->store->sent));
    }

    /**
     * What the backend refused is not sent again until it changes or somebody retries it, as with a person who was erased there
     * while the account lives on.
     */
    public function test_refused_is_not_sent_again(): void {
        $this->world->put(change::USER, 1, ['firstname' => fake_backend::BAD]);
        $this->assertSame(1, $this->world->run()->rejected);
        $night = new fake_backfill($this->world);
        $sender = $this->world->sender();
        $report = $sender->run($night, $this->world->clock->now() + 1000);
        $this->assertSame([0, 0, 1], [$report->requests, $report->rejected, $report->unchanged]);
        // Retried, in the same state.
        $this->world->outbox->postpone([$this->world->change(change::USER, 1)], 0);
        $this->assertSame(1, $this->world->run()->rejected);
        // Changed, although no event told so.
        $this->world->put_silently(change::USER, 1, ['firstname' => 'Ann']);
        $report = $this->world->sender()->run(new fake_backfill($this->world), $this->world->clock->now() + 1000);
        $this->assertSame([1, 1], [$report->requests, $report->sent]);
    }
}
