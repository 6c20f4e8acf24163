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
 * Tests of the client: requests, valid answers, and mutated ones.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\client
 * @covers     \local_backend_sync\local\delivery\response
 * @covers     \local_backend_sync\local\delivery\outcome
 */
final class client_test extends client_testcase {
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
