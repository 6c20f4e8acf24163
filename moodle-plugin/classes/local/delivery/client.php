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

/**
 * Speaks the backend's contract. Whatever is not an answer of the contract is a failure.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class client {
    /** @var int major version of the contract that this plugin speaks */
    const CONTRACT = 1;
    /** @var string where the backend takes events, below its URL */
    const PATH = '/api/v1/events/moodle/';
    /** @var int[] statuses that say that the request is bad, not the backend: invalid JSON, too large, invalid fields */
    const REJECTED_STATUSES = [400, 413, 422];
    /** @var string the backend's code, with status 409, for a batch whose versions are ahead of its clock */
    const CLOCK_AHEAD = 'clock_ahead';
    /** @var string[] what a handshake tells, with PHP's types */
    const FIELDS = [
        'site' => 'string', 'backend_version' => 'string', 'contract_version' => 'string', 'event_types' => 'array',
        'max_batch_events' => 'integer', 'max_body_bytes' => 'integer', 'time' => 'integer',
    ];
    /** @var int characters of a message of the backend that are kept */
    const DETAIL_LENGTH = 500;
    /** @var string what the backend names a request by: nothing else is shown, as a proxy may send anything */
    const REQUEST_ID = '/^[A-Za-z0-9.-]{1,72}$/D';

    /** @var http */
    private $http;
    /** @var string the backend's URL */
    private $url;
    /** @var string the site's token */
    private $token;

    /**
     * Constructor.
     *
     * @param http $http
     * @param string $url the backend's URL, without a slash at its end
     * @param string $token the site's token
     */
    public function __construct(http $http, string $url, string $token) {
        $this->http = $http;
        $this->url = $url;
        $this->token = $token;
    }

    /**
     * What tells one backend and site from another, without telling the token.
     *
     * @return string
     */
    public function target(): string {
        return hash('sha256', $this->url . "\n" . $this->token);
    }

    /**
     * Asks who we are for the backend, and what it takes.
     *
     * @return array with FIELDS, as in the contract
     * @throws failure
     */
    public function handshake(): array {
        try {
            $answer = $this->json($this->ask('handshake', null));
        } catch (rejection $rejection) {
            // Nothing was sent that could be refused.
            throw new failure(failure::NOT_CONTRACT, trim($rejection->reason . ' ' . $rejection->detail), 400);
        }
        foreach (self::FIELDS as $field => $type) {
            $value = $answer[$field] ?? null;
            if (gettype($value) !== $type || ($type === 'integer' && $value < 1)) {
                throw new failure(failure::NOT_CONTRACT, '', 200);
            }
        }
        if ((int)$answer['contract_version'] !== self::CONTRACT) {
            throw new failure(failure::CONTRACT_VERSION, $this->clip($answer['contract_version']), 200);
        }
        return $answer;
    }

    /**
     * Sends events.
     *
     * @param event[] $events
     * @return outcome[] one for each event, in their order
     * @throws failure when it may work later
     * @throws rejection when it never will, with these events
     */
    public function send(array $events): array {
        $events = array_values($events);
        $response = $this->ask('batch', event::body($events));
        $answer = $this->json($response);
        $outcomes = $answer['outcomes'] ?? null;
        if (!is_array($outcomes) || count($outcomes) !== count($events)) {
            throw new failure(failure::NOT_CONTRACT, '', 200);
        }
        return array_map(function ($event, $outcome) use ($response) {
            $isgood = is_array($outcome) && is_string($outcome['outcome'] ?? null);
            if (!$isgood || ($outcome['client_id'] ?? $event->idempotencykey) !== $event->idempotencykey) {
                throw new failure(failure::NOT_CONTRACT, '', 200);
            }
            $outcome = new outcome($outcome);
            $outcome->code = $this->clip($outcome->code);
            $outcome->detail = $this->clip($outcome->detail);
            if (!$outcome->is_accepted()) {
                $outcome->detail = $this->name_request($outcome->detail, $response, $outcome->code);
            }
            return $outcome;
        }, $events, $outcomes);
    }

    /**
     * Sends a request.
     *
     * @param string $operation last part of the path
     * @param string|null $body
     * @return response with status 200
     * @throws failure
     * @throws rejection
     */
    private function ask(string $operation, ?string $body): response {
        $headers = ['X-Moodle-Token: ' . $this->token, 'Accept: application/json'];
        if ($body !== null) {
            $headers[] = 'Content-Type: application/json';
            // Otherwise libcurl asks first whether it may send a large body, and waits a second for servers that don't answer that.
            $headers[] = 'Expect:';
        }
        $response = $this->http->request($this->url . self::PATH . $operation, $headers, $body);
        if ($response->status === 200) {
            return $response;
        }
        if ($response->status === 0) {
            throw new failure($response->reason ?: failure::NETWORK, $this->clip($response->error));
        }
        $problem = $this->problem($response);
        // Of a proxy, too, 413 means that less would be taken; any other rejection must be the backend's own.
        if (in_array($response->status, self::REJECTED_STATUSES) && ($problem || $response->status === 413)) {
            $outcome = new outcome(['outcome' => 'rejected'] + $problem + ['code' => 'payload_too_large']);
            $code = $this->clip($outcome->code);
            throw new rejection($code, $this->name_request($this->clip($outcome->detail), $response, $code));
        }
        $isahead = $response->status === 409 && ($problem['code'] ?? '') === self::CLOCK_AHEAD;
        $reason = $isahead ? failure::CLOCK_AHEAD : self::reason($response->status);
        $detail = $this->name_request($this->clip(outcome::text($problem['detail'] ?? '')), $response);
        throw new failure($reason, $detail, $response->status, $this->retry_after($response));
    }

    /**
     * The reason for a failure by its HTTP status.
     *
     * @param int $status
     * @return string
     */
    private static function reason(int $status): string {
        $reasons = [
            401 => failure::UNAUTHORIZED, 403 => failure::UNAUTHORIZED,
            404 => failure::NOT_FOUND, 405 => failure::NOT_FOUND, 410 => failure::NOT_FOUND,
            408 => failure::UNAVAILABLE, 429 => failure::UNAVAILABLE,
            502 => failure::UNAVAILABLE, 503 => failure::UNAVAILABLE, 504 => failure::UNAVAILABLE,
        ];
        if (isset($reasons[$status])) {
            return $reasons[$status];
        }
        if ($status >= 500) {
            return failure::SERVER_ERROR;
        }
        return $status >= 300 && $status < 400 ? failure::REDIRECT : failure::NOT_CONTRACT;
    }

    /**
     * The problem document of an answer.
     *
     * @param response $response
     * @return array empty when there is none
     */
    private function problem(response $response): array {
        $problem = json_decode($response->body, true);
        $isproblem = strpos($response->headers['content-type'] ?? '', 'application/problem+json') === 0;
        return $isproblem && is_array($problem) && is_string($problem['code'] ?? null) ? $problem : [];
    }

    /**
     * Says under which id the backend's log has more, if the answer tells it.
     *
     * @param string $detail what the backend says
     * @param response $response
     * @param string $code what stands for it when it says nothing
     * @return string
     */
    private function name_request(string $detail, response $response, string $code = ''): string {
        $id = $response->headers['x-request-id'] ?? '';
        if (!preg_match(self::REQUEST_ID, $id)) {
            return $detail;
        }
        return trim(($detail === '' ? $code : $detail) . ' Request ' . $this->clip($id) . ' in the backend\'s log.');
    }

    /**
     * How long the backend asks to wait.
     *
     * @param response $response
     * @return int|null seconds
     */
    private function retry_after(response $response): ?int {
        $value = $response->headers['retry-after'] ?? '';
        return ctype_digit($value) ? (int)$value : null;
    }

    /**
     * The JSON object of an answer.
     *
     * @param response $response
     * @return array
     * @throws failure
     */
    private function json(response $response): array {
        $answer = json_decode($response->body, true);
        if (!is_array($answer)) {
            throw new failure(failure::NOT_CONTRACT, '', $response->status);
        }
        return $answer;
    }

    /**
     * Keeps a message of another party short.
     *
     * @param string $text
     * @return string
     */
    private function clip(string $text): string {
        $text = preg_replace('/[[:cntrl:]]+/', ' ', mb_convert_encoding($text, 'UTF-8', 'UTF-8'));
        return mb_substr(str_replace($this->token, '***', $text), 0, self::DETAIL_LENGTH);
    }
}
