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

namespace local_backend_sync\integration;

use local_backend_sync\fixtures\world;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\clocks;
use local_backend_sync\local\delivery\compression;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\payload;
use local_backend_sync\local\delivery\versions;

require_once(__DIR__ . '/curl_http.php');

/**
 * Tests of the plugin's sender with a real backend, over HTTP. Arrays stand in for Moodle's tables.
 *
 * Environment: BACKEND_URL, SITE_TOKEN, API_TOKEN, as scripts/integration sets them.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
final class sender_test extends \basic_testcase {
    /** @var string[] lists of the backend's API, by kind */
    const LISTS = [
        change::USER => 'users',
        change::COURSE => 'courses',
        change::ENROLMENT => 'enrolments',
        change::GRADE => 'grades',
        change::COMPLETION => 'completions',
    ];

    /** @var int last id used: the tests share one backend */
    private static $lastid = 0;

    /** @var world */
    private $world;
    /** @var curl_http */
    private $http;

    /**
     * Connects a Moodle to the backend.
     */
    protected function setUp(): void {
        $this->http = new curl_http();
        $this->world = new world();
        $this->world->backend = $this->http;
        $this->world->url = getenv('BACKEND_URL');
        $this->world->token = getenv('SITE_TOKEN');
        $this->world->clock->now = time();
        // Each test is another Moodle with an empty memory, and must not look like one that went back in time.
        $this->world->memory->set(versions::WATERMARK, ['time' => 0, 'sequence' => hrtime(true)]);
    }

    /**
     * An id that no test has used.
     *
     * @return int
     */
    private function new_id(): int {
        return ++self::$lastid;
    }

    /**
     * A record in the backend's API.
     *
     * @param string $kind
     * @param int $id
     * @return array|null
     */
    private function held(string $kind, int $id): ?array {
        $url = getenv('BACKEND_URL') . '/api/v1/' . self::LISTS[$kind] . '/college:' . $id;
        $response = $this->http->request($url, ['Authorization: Bearer ' . getenv('API_TOKEN')], null);
        $this->assertContains($response->status, [200, 404]);
        return $response->status === 200 ? json_decode($response->body, true) : null;
    }

    /**
     * Asserts that the backend holds exactly what Moodle does.
     *
     * @param string $kind
     * @param int $id
     */
    private function assert_same(string $kind, int $id): void {
        $held = $this->held($kind, $id);
        $wanted = $this->world->wanted($kind, $id);
        if ($wanted === null) {
            $this->assertTrue($held['deleted'], "$kind $id is not deleted in the backend");
            return;
        }
        $this->assertNotNull($held, "$kind $id is not in the backend");
        $this->assertFalse($held['deleted'], "$kind $id is deleted in the backend");
        $this->assertNull($held['extra'], "$kind $id has fields unknown to the backend");
        foreach ($wanted as $name => $value) {
            // The keys of a role may come in another order.
            $assert = is_array($value) ? 'assertEquals' : 'assertSame';
            $this->$assert($value, $held[$name], "field $name of $kind $id");
        }
    }

    /**
     * A state with every field of a kind.
     *
     * @param string $kind
     * @return array
     */
    private function full_state(string $kind): array {
        $values = ['text' => 'Zoë O’Brien <b> "q" مرحبا 🎓', 'int' => '7', 'time' => '1795333607', 'bool' => '1', 'decimal' => '82.50000',
            'roles' => [['shortname' => 'student', 'archetype' => 'student'], ['shortname' => 'course_rep', 'archetype' => '']],
            'categories' => [['id' => 3, 'name' => 'Science'], ['id' => 7, 'name' => 'Физика']]];
        $state = array_map(function ($type) use ($values) {
            return $values[$type];
        }, payload::FIELDS[$kind]);
        $state += isset(payload::CUSTOM[$kind]) ? [payload::CUSTOM[$kind] => ['level' => $values['text'], 'vegan' => '0']] : [];
        return $state + (isset(payload::NAMES[$kind]) ? [payload::NAMES[$kind] => ['Year 1', $values['text']]] : []);
    }

    /**
     * Every kind can be created, emptied and deleted, with every field.
     */
    public function test_every_field_arrives(): void {
        foreach (change::KINDS as $kind) {
            $id = $this->new_id();
            $full = $this->full_state($kind);
            // A grade's course is one of its fields, not one of its ids.
            unset($full['courseid']);
            foreach ([$full, array_fill_keys(array_keys($full), null), $full, null] as $fields) {
                $this->world->put($kind, $id, $fields);
                $report = $this->world->run();
                $this->assertNull($report->failure);
                $this->assertSame([1, 0], [$report->sent, $report->rejected], "$kind " . json_encode($this->world->store->rejected));
                $this->assert_same($kind, $id);
            }
        }
    }

    /**
     * A rejected event is stored with the name of the invalid field, and the others arrive.
     */
    public function test_rejected_event(): void {
        $ids = array_map([$this, 'new_id'], range(1, 50));
        foreach ($ids as $i => $id) {
            $this->world->put(change::USER, $id, ['firstname' => 'Ann', 'city' => $i === 20 ? "Lon\0don" : 'London']);
        }
        $report = $this->world->run();
        $this->assertSame([49, 1, 1], [$report->sent, $report->rejected, $report->requests]);
        $this->assertSame(["user:$ids[20]"], array_keys($this->world->store->rejected));
        $rejection = json_encode($this->world->store->rejected);
        $this->assertStringContainsString('city', $rejection);
        $this->assertStringNotContainsString('Lon', $rejection);
        $this->assertNull($this->held(change::USER, $ids[20]));
        $this->assert_same(change::USER, $ids[19]);
        $this->assert_same(change::USER, $ids[21]);
    }

    /**
     * More than the limits of one request, in bytes and in events.
     */
    public function test_several_requests(): void {
        $ids = array_map([$this, 'new_id'], range(1, 12));
        foreach ($ids as $id) {
            // Two bytes per character, and longer than the plugin sends.
            $this->world->put(change::GRADE, $id, ['feedback' => str_repeat('é', 600000)]);
        }
        $report = $this->world->run();
        $this->assertSame([12, 0, 4], [$report->sent, $report->rejected, $report->requests]);
        $this->assert_same(change::GRADE, $ids[11]);

        $first = $this->new_id();
        for ($id = $first; $id < $first + 2500; $id++) {
            $this->world->put(change::USER, $id, ['firstname' => "Ann $id"]);
        }
        self::$lastid = $id;
        $report = $this->world->run();
        $this->assertSame([2500, 3], [$report->sent, $report->requests]);
        $this->assert_same(change::USER, $first + 2499);
    }

    /**
     * Answers are lost while records change: finally both sides agree, and nothing is stored twice.
     */
    public function test_lost_answers(): void {
        mt_srand(7);
        // Starts in the past, because time passes below and the backend rejects times in the future.
        $this->world->clock->now -= 42 * 4000;
        $ids = array_map([$this, 'new_id'], range(1, 20));
        for ($round = 0; $round < 40; $round++) {
            foreach (array_rand($ids, 5) as $i) {
                $this->world->put(change::USER, $ids[$i], mt_rand(0, 9) ? ['firstname' => 'Ann ' . mt_rand(1, 3)] : null);
            }
            $this->http->loseanswers = mt_rand(0, 1);
            $this->world->run();
            $this->world->clock->now += 4000;
        }
        $this->http->loseanswers = 0;
        $this->assertNull($this->world->run()->failure);
        $this->http->loseanswers = 1;
        $this->world->put(change::USER, $ids[0], ['firstname' => 'Last']);
        $this->assertSame(failure::TIMEOUT, $this->world->run()->failure->reason);
        $this->world->clock->now += 4000;
        $report = $this->world->run();
        $this->assertTrue($report->recovered);
        $this->assertSame([], $this->world->outbox->rows);
        $this->assertSame([], $this->world->store->rejected);
        foreach ($ids as $id) {
            if ($this->held(change::USER, $id)) {
                $this->assert_same(change::USER, $id);
            }
        }
        // The last event was sent twice, and stored once.
        $this->assertCount(1, array_filter($this->events($ids[0]), function ($event) {
            return ($event['data']['firstname'] ?? '') === 'Last';
        }));
    }

    /**
     * The events of a user in the backend's log.
     *
     * @param int $id
     * @return array[]
     */
    private function events(int $id): array {
        $url = getenv('BACKEND_URL') . "/api/v1/events?limit=500&user=college:$id";
        $response = $this->http->request($url, ['Authorization: Bearer ' . getenv('API_TOKEN')], null);
        $this->assertSame(200, $response->status);
        return json_decode($response->body, true)['items'];
    }

    /**
     * While Moodle's clock is a day ahead, nothing is stored and the skew is known. Afterwards sending resumes automatically.
     */
    public function test_clock_ahead(): void {
        $id = $this->new_id();
        $this->world->put(change::USER, $id, ['firstname' => 'Ann']);
        $this->world->clock->now += 86400;
        $report = $this->world->run();
        $this->assertSame([failure::CLOCK_AHEAD, 1, 0], [$report->failure->reason, $report->requests, $report->rejected]);
        $this->assertNull($this->held(change::USER, $id));
        $clocks = new clocks($this->world->memory, $this->world->clock);
        $this->assertTrue($clocks->is_skewed());
        $this->assertGreaterThan(0, $clocks->skew());
        $this->world->clock->now = time();
        $report = $this->world->run();
        $this->assertSame([1, true], [$report->sent, $report->recovered]);
        $this->assert_same(change::USER, $id);
    }

    /**
     * Ways in which a firewall refuses a request.
     *
     * @return string[][]
     */
    public static function ways(): array {
        $ways = ['400', '403', '406', '418', '451', 'reset'];
        return array_combine($ways, array_chunk($ways, 1));
    }

    /**
     * A firewall refuses a text that it takes for an attack: all other events arrive, and compressed this one, too.
     *
     * @dataProvider ways
     * @param string $way
     */
    public function test_firewall(string $way): void {
        $command = [PHP_BINARY, __DIR__ . '/firewall.php', $this->world->url, $way];
        $firewall = proc_open($command, [1 => ['pipe', 'w']], $pipes);
        try {
            $this->world->url = trim(fgets($pipes[1]));
            $ids = array_map([$this, 'new_id'], range(1, 60));
            foreach ($ids as $i => $id) {
                $this->world->put(change::USER, $id, ['firstname' => 'Ann', 'city' => $i === 40 ? '<script>alert(1)</script>' : 'London']);
            }
            $this->world->options->compression = compression::NEVER;
            $report = $this->world->run();
            $this->assertSame([null, 59, 1], [$report->failure, $report->sent, $report->rejected]);
            $this->assertSame(["user:$ids[40]"], array_keys($this->world->store->rejected));

            $this->world->options->compression = compression::AUTO;
            foreach ($ids as $id) {
                $this->world->put(change::USER, $id, ['firstname' => 'Bea', 'city' => '<script>alert(2)</script>']);
            }
            $report = $this->world->run();
            $this->assertSame([null, 60, 0, 2], [$report->failure, $report->sent, $report->rejected, $report->requests]);
            array_map([$this, 'assert_same'], array_fill(0, 60, change::USER), $ids);
        } finally {
            proc_terminate($firewall, SIGKILL);
            proc_close($firewall);
        }
    }

    /**
     * Causes of failure are told apart, and nothing is lost.
     */
    public function test_failures(): void {
        $good = [$this->world->url, $this->world->token];
        $id = $this->new_id();
        $this->world->put(change::USER, $id, ['firstname' => 'Ann']);
        $cases = [
            failure::UNAUTHORIZED => [$good[0], 'bss_0123456789'],
            failure::NOT_FOUND => [$good[0] . '/elsewhere', $good[1]],
            failure::REFUSED => ['http://127.0.0.1:1', $good[1]],
            failure::DNS => ['http://nowhere.invalid', $good[1]],
        ];
        foreach ($cases as $reason => [$url, $token]) {
            $this->world->url = $url;
            $this->world->token = $token;
            $failure = $this->world->run()->failure;
            $this->assertSame($reason, $failure->reason, (string)$failure->detail);
            $this->assertStringNotContainsString($token, $failure->getMessage());
        }
        [$this->world->url, $this->world->token] = $good;
        $this->assertSame(1, $this->world->run()->sent);
        $this->assert_same(change::USER, $id);
    }
}
