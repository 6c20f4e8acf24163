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
use local_backend_sync\fixtures\fuse;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of the client against all sorts of answers.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\client
 * @covers     \local_backend_sync\local\delivery\response
 * @covers     \local_backend_sync\local\delivery\outcome
 */
final class client_test extends \basic_testcase {
    /** @var string the site's token */
    const TOKEN = 'secret-token-of-the-site';

    /** @var fake_backend */
    private $backend;
    /** @var client */
    private $client;

    /**
     * A client with a fake backend.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->backend = new fake_backend(new fuse());
        $this->client = new client($this->backend, 'https://sync.college.example/moodle', self::TOKEN);
    }

    /**
     * Gives the same answer to every request.
     *
     * @param response $response
     */
    private function answer(response $response): void {
        $this->backend->fault = function () use ($response) {
            return $response;
        };
    }

    /**
     * Events about users.
     *
     * @param int $count
     * @return event[]
     */
    private function events(int $count = 1): array {
        $events = [];
        for ($id = 1; $id <= $count; $id++) {
            $change = new change(change::USER, $id);
            $event = new event($change, payload::state($change, ['firstname' => 'Ann'], []));
            $event->set_version(1795333600, $id);
            $events[] = $event;
        }
        return $events;
    }

    /**
     * The failure of sending.
     *
     * @return failure
     */
    private function failure(): failure {
        try {
            $this->client->send($this->events());
        } catch (failure $failure) {
            return $failure;
        }
        $this->fail('There was no failure.');
    }

    /**
     * The rejection of a batch.
     *
     * @return rejection
     */
    private function rejection(): rejection {
        try {
            $this->client->send($this->events());
        } catch (rejection $rejection) {
            return $rejection;
        }
        $this->fail('There was no rejection.');
    }

    /**
     * URLs, headers and bodies of requests.
     */
    public function test_requests(): void {
        $events = $this->events(2);
        $this->client->handshake();
        $outcomes = $this->client->send($events);
        [$handshake, $batch] = $this->backend->requests;
        $this->assertSame('https://sync.college.example/moodle/api/v1/events/moodle/handshake', $handshake['url']);
        $this->assertNull($handshake['body']);
        $this->assertSame('https://sync.college.example/moodle/api/v1/events/moodle/batch', $batch['url']);
        $this->assertContains('X-Moodle-Token: ' . self::TOKEN, $batch['headers']);
        $this->assertContains('Content-Type: application/json', $batch['headers']);
        $this->assertContains('Expect:', $batch['headers']);
        $this->assertSame(event::body($events), $batch['body']);
        $this->assertSame(['applied', 'applied'], array_column($outcomes, 'outcome'));
        $this->assertTrue($outcomes[0]->is_accepted());
    }

    /**
     * Answers after which a retry may succeed.
     *
     * @return array[]
     */
    public static function failures(): array {
        $problem = ['Content-Type' => 'application/problem+json'];
        $body = '{"code":"some_code","detail":"In words."}';
        $cases = [
            'dns' => [response::none(CURLE_COULDNT_RESOLVE_HOST, 'no host', false), failure::DNS],
            'proxy' => [response::none(CURLE_COULDNT_RESOLVE_PROXY, 'no proxy', false), failure::DNS],
            'refused' => [response::none(CURLE_COULDNT_CONNECT, 'refused', false), failure::REFUSED],
            'no connection' => [response::none(CURLE_OPERATION_TIMEOUTED, 'late', false), failure::CONNECT_TIMEOUT],
            'no answer' => [response::none(CURLE_OPERATION_TIMEOUTED, 'late', true), failure::TIMEOUT],
            'TLS handshake' => [response::none(CURLE_SSL_CONNECT_ERROR, 'tls', true), failure::TLS],
            'certificate' => [response::none(60, 'certificate', true), failure::TLS],
            'issuer' => [response::none(83, 'issuer', true), failure::TLS],
            'reset' => [response::none(CURLE_RECV_ERROR, 'reset', true), failure::NETWORK],
            'half an answer' => [response::none(CURLE_PARTIAL_FILE, 'cut', true), failure::NETWORK],
            'blocked' => [new response(0, '', [], failure::BLOCKED, 'blocked'), failure::BLOCKED],
            'unknown error' => [new response(0, ''), failure::NETWORK],
            'no JSON' => [new response(200, '<html>Login</html>', ['Content-Type' => 'text/html']), failure::NOT_CONTRACT],
            'empty' => [new response(200, ''), failure::NOT_CONTRACT],
            'null' => [new response(200, 'null'), failure::NOT_CONTRACT],
            'a number' => [new response(200, '17'), failure::NOT_CONTRACT],
            'a list' => [new response(200, '[]'), failure::NOT_CONTRACT],
            'cut JSON' => [new response(200, '{"outcomes":[{"outcome":"applied"'), failure::NOT_CONTRACT],
            'no outcome' => [new response(200, '{"outcomes":[]}'), failure::NOT_CONTRACT],
            'too many outcomes' => [
                new response(200, '{"outcomes":[{"outcome":"applied"},{"outcome":"applied"}]}'), failure::NOT_CONTRACT,
            ],
            'outcomes are a string' => [new response(200, '{"outcomes":"applied"}'), failure::NOT_CONTRACT],
            'outcome is a string' => [new response(200, '{"outcomes":["applied"]}'), failure::NOT_CONTRACT],
            'outcome is null' => [new response(200, '{"outcomes":[{"outcome":null}]}'), failure::NOT_CONTRACT],
            'outcome of another event' => [
                new response(200, '{"outcomes":[{"outcome":"applied","client_id":"x"}]}'), failure::NOT_CONTRACT,
            ],
            // These two are a rejection only when the backend itself says so.
            '400 of a proxy' => [new response(400, '<html>', ['Content-Type' => 'text/html']), failure::NOT_CONTRACT],
            '422 of others' => [new response(422, '{"detail":"x"}', ['Content-Type' => 'application/json']), failure::NOT_CONTRACT],
        ];
        $statuses = [
            201 => failure::NOT_CONTRACT, 204 => failure::NOT_CONTRACT, 301 => failure::REDIRECT, 302 => failure::REDIRECT,
            307 => failure::REDIRECT, 308 => failure::REDIRECT, 401 => failure::UNAUTHORIZED, 403 => failure::UNAUTHORIZED,
            404 => failure::NOT_FOUND, 405 => failure::NOT_FOUND, 410 => failure::NOT_FOUND, 408 => failure::UNAVAILABLE,
            415 => failure::NOT_CONTRACT, 418 => failure::NOT_CONTRACT, 429 => failure::UNAVAILABLE, 500 => failure::SERVER_ERROR,
            501 => failure::SERVER_ERROR, 502 => failure::UNAVAILABLE, 503 => failure::UNAVAILABLE, 504 => failure::UNAVAILABLE,
            507 => failure::SERVER_ERROR, 599 => failure::SERVER_ERROR,
        ];
        foreach ($statuses as $status => $reason) {
            $cases["$status"] = [new response($status, $body, $problem), $reason];
            $cases["$status without a problem"] = [new response($status, '<html>'), $reason];
        }
        return $cases;
    }

    /**
     * Each failure has its reason and status.
     *
     * @dataProvider failures
     * @param response $response
     * @param string $reason
     */
    public function test_failures(response $response, string $reason): void {
        $this->answer($response);
        $failure = $this->failure();
        $this->assertSame($reason, $failure->reason);
        $this->assertSame($response->status, $failure->status);
        if (strpos($response->body, 'some_code')) {
            $this->assertSame('In words.', $failure->detail);
        } else {
            $this->assertSame($response->error, $failure->detail);
        }
    }

    /**
     * An outcome without client_id is accepted: the contract allows null when the backend could not read the id.
     */
    public function test_outcome_without_client_id(): void {
        $this->answer(new response(200, '{"outcomes":[{"outcome":"unchanged","client_id":null}]}'));
        $this->assertTrue($this->client->send($this->events())[0]->is_accepted());
    }

    /**
     * Outcomes that mean the backend holds what was sent, and others.
     */
    public function test_outcomes(): void {
        foreach (['applied', 'unchanged', 'duplicate', 'superseded', 'rejected'] as $i => $name) {
            $outcome = new outcome(['outcome' => $name]);
            $this->assertSame($i < 3, $outcome->is_accepted(), $name);
            $this->assertSame($name, $outcome->code);
        }
        // An unknown outcome of a later backend does not count as accepted.
        $this->assertFalse((new outcome(['outcome' => 'deferred']))->is_accepted());
        $outcome = new outcome(['outcome' => 'rejected', 'code' => 'validation_failed', 'detail' => 'Invalid.', 'errors' => [
            ['pointer' => '/events/17/data/email', 'code' => 'too_long', 'detail' => 'Too long.'],
            ['pointer' => '/events/17/time', 'code' => 'required'],
            ['pointer' => '/events/17', 'detail' => 'No object.'],
        ]]);
        $this->assertSame('validation_failed', $outcome->code);
        $this->assertSame('Invalid. (email: Too long.; time: required; No object.)', $outcome->detail);
    }

    /**
     * Answers after which a retry would not help.
     *
     * @return array[]
     */
    public static function rejections(): array {
        return [
            [fake_backend::problem(400, 'malformed_json', 'No JSON.'), 'malformed_json', 'No JSON.'],
            [fake_backend::problem(413, 'payload_too_large', 'Too large.'), 'payload_too_large', 'Too large.'],
            [fake_backend::problem(422, 'validation_failed', 'Invalid.'), 'validation_failed', 'Invalid.'],
            'of a proxy' => [new response(413, '<html>Too large</html>', ['Content-Type' => 'text/html']), 'payload_too_large', ''],
            'with parameters' => [
                new response(400, '{"code":"a","detail":"b"}', ['content-type' => 'application/problem+json; charset=utf-8']),
                'a',
                'b',
            ],
        ];
    }

    /**
     * Each rejection has the backend's code and message.
     *
     * @dataProvider rejections
     * @param response $response
     * @param string $code
     * @param string $detail
     */
    public function test_rejections(response $response, string $code, string $detail): void {
        $this->answer($response);
        try {
            $this->client->send($this->events());
            $this->fail('There was no rejection.');
        } catch (rejection $rejection) {
            $this->assertSame([$code, $detail], [$rejection->reason, $rejection->detail]);
        }
        // A handshake has no content that could be rejected.
        $this->expectException(failure::class);
        $this->client->handshake();
    }

    /**
     * Every failure and rejection names the backend's request id, if it is one.
     */
    public function test_request_ids(): void {
        $id = '019aaccb-4d2c-7d27-9d8a-5c1b0f3a4e21';
        $note = "See request $id in the backend's log.";
        $headers = ['X-Request-Id' => $id];
        $this->answer(fake_backend::problem(503, 'queue_full', 'Full.', $headers));
        $this->assertSame("Full. $note", $this->failure()->detail);
        $this->answer(new response(502, '<html>', $headers));
        $this->assertSame($note, $this->failure()->detail);
        foreach (['Invalid.' => 'Invalid.', '' => 'validation_failed'] as $detail => $words) {
            $this->answer(fake_backend::problem(422, 'validation_failed', $detail, $headers));
            $this->assertSame("$words $note", $this->rejection()->detail);
        }
        $outcomes = [
            ['outcome' => 'rejected', 'code' => 'a', 'detail' => 'In words.'],
            ['outcome' => 'superseded'],
            ['outcome' => 'applied'],
        ];
        $this->answer(new response(200, json_encode(['outcomes' => $outcomes]), $headers));
        $details = array_column($this->client->send($this->events(3)), 'detail');
        $this->assertSame(["In words. $note", "superseded $note", ''], $details);

        $this->answer(fake_backend::problem(401, 'unauthorized', 'Unknown.', $headers));
        try {
            $this->client->handshake();
            $this->fail('There was no failure.');
        } catch (failure $failure) {
            $this->assertSame("Unknown. $note", $failure->detail);
        }
        foreach (['', '<b>', "a\nb", "$id\n", 'ann@example.org', str_repeat('x', 100)] as $bad) {
            $this->answer(fake_backend::problem(503, 'queue_full', 'Full.', ['X-Request-Id' => $bad]));
            $this->assertSame('Full.', $this->failure()->detail, $bad);
        }
        $this->answer(fake_backend::problem(503, 'queue_full', 'Full.', ['X-Request-Id' => self::TOKEN]));
        $this->assertStringNotContainsString(self::TOKEN, $this->failure()->detail);
    }

    /**
     * Retry-After is parsed if it is a number of seconds.
     */
    public function test_retry_after(): void {
        $values = ['120' => 120, '0' => 0, '' => null, 'Wed, 21 Oct 2026 07:28:00 GMT' => null, '-5' => null, '1.5' => null];
        foreach ($values as $header => $seconds) {
            $this->answer(fake_backend::problem(503, 'queue_full', '', ['RETRY-AFTER' => (string)$header]));
            $this->assertSame($seconds, $this->failure()->retryafter, $header);
        }
        $this->answer(fake_backend::problem(503, 'queue_full'));
        $this->assertNull($this->failure()->retryafter);
    }

    /**
     * Messages from the other side never contain the token, and are short and readable.
     */
    public function test_details_are_clean(): void {
        $words = 'header was ' . self::TOKEN . "\0\r\n\x1b[31m \xff" . str_repeat('x', 5000);
        $this->answer(response::none(CURLE_RECV_ERROR, $words, true));
        $this->check_clean($this->failure());
        $this->answer(fake_backend::problem(503, 'queue_full', mb_convert_encoding($words, 'UTF-8', 'UTF-8')));
        $this->check_clean($this->failure());
        $this->answer(fake_backend::problem(422, self::TOKEN, mb_convert_encoding($words, 'UTF-8', 'UTF-8')));
        try {
            $this->client->send($this->events());
            $this->fail('There was no rejection.');
        } catch (rejection $rejection) {
            $this->assertSame('***', $rejection->reason);
            $this->check_clean($rejection);
        }
        $this->answer(fake_backend::answer(['outcomes' => [
            ['outcome' => 'rejected', 'code' => self::TOKEN, 'detail' => mb_convert_encoding($words, 'UTF-8', 'UTF-8')],
        ]]));
        $outcome = $this->client->send($this->events())[0];
        $this->assertSame('***', $outcome->code);
        $this->check_clean($outcome);
    }

    /**
     * Asserts that a message is clean.
     *
     * @param \stdClass|failure|rejection|outcome $message
     */
    private function check_clean($message): void {
        $this->assertStringStartsWith('header was *** ', $message->detail);
        $this->assertStringNotContainsString(self::TOKEN, $message instanceof \Exception ? (string)$message->getMessage() : '');
        $this->assertLessThanOrEqual(client::DETAIL_LENGTH, mb_strlen($message->detail));
        $this->assertTrue(mb_check_encoding($message->detail, 'UTF-8'));
        $this->assertDoesNotMatchRegularExpression('/[[:cntrl:]]/', $message->detail);
    }

    /**
     * Handshakes are validated field by field.
     */
    public function test_handshake(): void {
        $this->assertSame($this->backend->handshake(), $this->client->handshake());
        $bad = [
            ['contract_version', '2.0', failure::CONTRACT_VERSION], ['contract_version', '0.9', failure::CONTRACT_VERSION],
            ['contract_version', '10.1', failure::CONTRACT_VERSION], ['contract_version', [], failure::NOT_CONTRACT],
            ['event_types', 'user_created', failure::NOT_CONTRACT], ['site', null, failure::NOT_CONTRACT],
            ['max_batch_events', null, failure::NOT_CONTRACT], ['max_batch_events', 0, failure::NOT_CONTRACT],
            ['max_body_bytes', null, failure::NOT_CONTRACT], ['max_body_bytes', '5', failure::NOT_CONTRACT],
            ['time', null, failure::NOT_CONTRACT], ['backend_version', null, failure::NOT_CONTRACT],
        ];
        foreach ($bad as [$field, $value, $reason]) {
            $this->backend->handshake = [$field => $value];
            try {
                $this->client->handshake();
                $this->fail("$field " . json_encode($value) . ' was taken.');
            } catch (failure $failure) {
                $this->assertSame($reason, $failure->reason, $field);
            }
        }
        $this->backend->handshake = ['contract_version' => '1.17', 'news' => true];
        $this->assertSame('1.17', $this->client->handshake()['contract_version']);
    }

    /**
     * Another backend or another token is another target, which does not reveal the token.
     */
    public function test_target(): void {
        $target = $this->client->target();
        $this->assertSame($target, (new client($this->backend, 'https://sync.college.example/moodle', self::TOKEN))->target());
        $this->assertNotSame($target, (new client($this->backend, 'https://sync.college.example', self::TOKEN))->target());
        $this->assertNotSame($target, (new client($this->backend, 'https://sync.college.example/moodle', 'other'))->target());
        $this->assertStringNotContainsString(self::TOKEN, $target);
    }

    /**
     * Mutated answers cause a failure or a rejection: no other exception, and no warning.
     */
    public function test_mutated_answers(): void {
        $seed = (int)(getenv('SEED') ?: 1);
        mt_srand($seed);
        set_error_handler(function ($number, $message) {
            throw new \ErrorException($message);
        });
        $counts = [];
        try {
            for ($i = 0; $i < 3000; $i++) {
                $operation = mt_rand(0, 1) ? 'handshake' : 'send';
                $response = $this->mutant($operation);
                $this->answer($response);
                try {
                    $operation === 'send' ? $this->client->send($this->events()) : $this->client->handshake();
                    $result = 'taken';
                } catch (failure $failure) {
                    $result = $failure->reason;
                } catch (rejection $rejection) {
                    $result = 'rejection';
                } catch (\Throwable $e) {
                    $what = "SEED=$seed, $i, $operation, $response->status $response->body";
                    throw new \Exception($what . ': ' . $e->getMessage(), 0, $e);
                }
                $counts[$operation . ' ' . $result] = ($counts[$operation . ' ' . $result] ?? 0) + 1;
            }
        } finally {
            restore_error_handler();
        }
        foreach (['send taken', 'send notcontract', 'send rejection', 'handshake taken', 'handshake notcontract'] as $result) {
            $this->assertGreaterThan(10, $counts[$result] ?? 0, "$result is not tested");
        }
    }

    /**
     * A valid answer with one value replaced.
     *
     * @param string $operation
     * @return response
     */
    private function mutant(string $operation): response {
        $values = [null, true, false, 0, 1, -1, 1.5, '', 'x', [], ['x'], [[]], ['a' => 'b'], [null], 'rejected', '1.0', "\u{0}"];
        $isproblem = mt_rand(0, 3) === 0;
        if ($isproblem) {
            $answer = json_decode(fake_backend::problem(422, 'validation_failed', 'Invalid.')->body, true);
        } else if ($operation === 'handshake') {
            $answer = $this->backend->handshake();
        } else {
            $answer = ['outcomes' => [[
                'client_id' => $this->events()[0]->idempotencykey, 'outcome' => 'rejected', 'code' => 'a', 'detail' => 'b',
                'errors' => [['pointer' => '/events/0/data/email', 'code' => 'c', 'detail' => 'd']],
            ]]];
        }
        $place =& $answer;
        while (is_array($place) && $place && mt_rand(0, 4)) {
            $place =& $place[array_rand($place)];
        }
        $place = $values[mt_rand(0, count($values) - 1)];
        $statuses = [400, 413, 422, 500, 503];
        $type = ['Content-Type' => $isproblem ? 'application/problem+json' : 'application/json'];
        return new response($isproblem ? $statuses[mt_rand(0, 4)] : 200, json_encode($answer), $type);
    }
}
