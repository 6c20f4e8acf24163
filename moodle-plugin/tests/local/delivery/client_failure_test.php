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

use local_backend_sync\fixtures\client_testcase;
use local_backend_sync\fixtures\fake_backend;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of the client: failures, rejections, and what they say.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\client
 * @covers     \local_backend_sync\local\delivery\response
 * @covers     \local_backend_sync\local\delivery\failure
 * @covers     \local_backend_sync\local\delivery\rejection
 */
final class client_failure_test extends client_testcase {
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
     * Answers after which a retry may succeed.
     *
     * @return array[]
     */
    public static function failures(): array {
        $problem = ['Content-Type' => 'application/problem+json'];
        $body = '{"code":"some_code","detail":"In words."}';
        $cases = [
            'dns' => [response::none(CURLE_COULDNT_RESOLVE_HOST, 'no host', false), failure::DNS],
            'no proxy' => [response::none(CURLE_COULDNT_RESOLVE_PROXY, 'no proxy', false, true), failure::PROXY],
            'proxy down' => [response::none(CURLE_COULDNT_CONNECT, 'refused', false, true), failure::PROXY],
            'proxy refuses' => [
                response::none(CURLE_RECV_ERROR, 'CONNECT tunnel failed, response 403', true, true), failure::PROXY,
            ],
            'old libcurl, proxy refuses' => [
                response::none(CURLE_RECV_ERROR, 'Received HTTP code 407 from proxy after CONNECT', true, true), failure::PROXY,
            ],
            'reset behind a proxy' => [response::none(CURLE_RECV_ERROR, 'reset', true, true), failure::NETWORK],
            'refused' => [response::none(CURLE_COULDNT_CONNECT, 'refused', false), failure::REFUSED],
            'no connection' => [response::none(CURLE_OPERATION_TIMEOUTED, 'late', false), failure::CONNECT_TIMEOUT],
            'no answer' => [response::none(CURLE_OPERATION_TIMEOUTED, 'late', true), failure::TIMEOUT],
            'TLS handshake' => [response::none(CURLE_SSL_CONNECT_ERROR, 'tls', true), failure::TLS],
            'certificate' => [response::none(60, 'SSL certificate problem: self-signed', true), failure::TLS_UNTRUSTED],
            'issuer' => [response::none(83, 'issuer', true), failure::TLS_UNTRUSTED],
            'no authorities' => [response::none(77, 'error setting certificate file', false), failure::TLS_UNTRUSTED],
            'expired' => [response::none(60, 'SSL certificate problem: certificate has expired', true), failure::TLS_EXPIRED],
            'too early' => [response::none(60, 'SSL certificate problem: it is not yet valid', true), failure::TLS_EXPIRED],
            'another host' => [
                response::none(60, "SSL: no alternative certificate subject name matches target host name 'x'", true),
                failure::TLS_NAME,
            ],
            'another host, old libcurl' => [
                response::none(51, "SSL: certificate subject name 'y' does not match target host name 'x'", true),
                failure::TLS_NAME,
            ],
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
            '400 of a proxy' => [new response(400, '<html>', ['Content-Type' => 'text/html']), failure::INTERCEPTED],
            '422 of others' => [new response(422, '{"detail":"x"}', ['Content-Type' => 'application/json']), failure::INTERCEPTED],
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
            // Only the backend itself knows about tokens. Any other refusal is somebody else's.
            $isforeign = $status >= 400 && in_array($reason, [failure::UNAUTHORIZED, failure::NOT_CONTRACT], true);
            $cases["$status without a problem"] = [new response($status, '<html>'), $isforeign ? failure::INTERCEPTED : $reason];
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
}
