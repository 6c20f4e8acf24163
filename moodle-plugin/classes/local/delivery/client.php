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
 * Client of the backend's API. Anything that is not an answer according to the API's contract is a failure.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class client {
    /** @var int major version of the contract that this plugin implements */
    const CONTRACT = 1;
    /** @var string path of the events API below the backend's URL */
    const PATH = '/api/v1/events/moodle/';
    /** @var int[] HTTP statuses that blame the request, not the backend: invalid JSON, too large, invalid fields */
    const REJECTED_STATUSES = [400, 413, 422];
    /** @var string the backend's code, with HTTP status 409, for a batch whose versions are ahead of its clock */
    const CLOCK_AHEAD = 'clock_ahead';
    /** @var string the backend's code for a body that is no JSON */
    const MALFORMED = 'malformed_json';
    /** @var string[] PHP types of the fields in a handshake */
    const FIELDS = [
        'site' => 'string', 'backend_version' => 'string', 'contract_version' => 'string', 'event_types' => 'array',
        'max_batch_events' => 'integer', 'max_body_bytes' => 'integer', 'time' => 'integer',
    ];
    /** @var int zlib's level for bodies: the fastest, because only their form matters */
    const COMPRESSION_LEVEL = 1;
    /** @var int longest message from the backend to keep, in characters */
    const DETAIL_LENGTH = 500;
    /** @var string pattern of a request id of the backend; a proxy may send anything in that header, so nothing else is shown */
    const REQUEST_ID = '/^[A-Za-z0-9.-]{1,72}$/D';

    /** @var http */
    private $http;
    /** @var string the backend's URL, without a trailing slash */
    private $url;
    /** @var string secret: must not reach logs or messages */
    private $token;

    /**
     * Constructor.
     *
     * @param http $http
     * @param string $url the backend's URL, without a trailing slash
     * @param string $token the site token
     */
    public function __construct(http $http, string $url, string $token) {
        $this->http = $http;
        $this->url = $url;
        $this->token = $token;
    }

    /**
     * Identifies the backend and the site without revealing the token.
     *
     * @return string
     */
    public function target(): string {
        return hash('sha256', $this->url . "\n" . $this->token);
    }

    /**
     * Identifies the backend and what it calls this site, whatever the token.
     *
     * @param string $site name of the site in a handshake
     * @return string
     */
    public function identity(string $site): string {
        return hash('sha256', preg_replace('~^https?://~i', '', $this->url) . "\n" . $site);
    }

    /**
     * Asks the backend which site the token belongs to, and what it accepts.
     *
     * @return array FIELDS, as in the contract
     * @throws failure
     */
    public function handshake(): array {
        try {
            $answer = $this->json($this->ask('handshake', null));
        } catch (rejection $rejection) {
            // The request has no content that could be rejected.
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
     * Sends a batch of events.
     *
     * @param event[] $events
     * @param bool $compress with gzip, which not every backend can unpack
     * @return outcome[] one for each event, in the same order
     * @throws failure when a retry may succeed
     * @throws rejection when the backend will never accept this batch
     */
    public function send(array $events, bool $compress = false): array {
        $events = array_values($events);
        $response = $this->ask('batch', event::body($events), $compress);
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
     * Finds out whether requests with events reach the backend, by one without any. The backend does not accept it, and says so.
     *
     * @param bool $compress
     * @throws failure if they do not
     */
    public function knock(bool $compress = false): void {
        try {
            $this->send([], $compress);
        } catch (rejection $rejection) {
            return;
        }
    }

    /**
     * Sends a request.
     *
     * @param string $operation last segment of the path
     * @param string|null $body JSON to POST; null for GET
     * @param bool $compress the body
     * @return response with status 200
     * @throws failure
     * @throws rejection
     */
    private function ask(string $operation, ?string $body, bool $compress = false): response {
        $headers = ['X-Moodle-Token: ' . $this->token, 'Accept: application/json'];
        if ($body !== null) {
            $headers[] = 'Content-Type: application/json';
            // Turns off Expect: 100-continue, with which libcurl waits a second for servers that do not support it.
            $headers[] = 'Expect:';
        }
        if ($compress) {
            $headers[] = 'Content-Encoding: gzip';
            $body = gzencode($body, self::COMPRESSION_LEVEL);
        }
        $response = $this->http->request($this->url . self::PATH . $operation, $headers, $body);
        if ($response->status === 200) {
            return $response;
        }
        if ($response->status === 0) {
            throw new failure($response->reason ?: failure::NETWORK, $this->clip($response->error));
        }
        $problem = $this->problem($response);
        // A proxy's 413 counts as well, because smaller batches help; any other rejection must come from the backend itself.
        if (in_array($response->status, self::REJECTED_STATUSES) && ($problem || $response->status === 413)) {
            $outcome = new outcome(['outcome' => 'rejected'] + $problem + ['code' => 'payload_too_large']);
            $code = $this->clip($outcome->code);
            throw new rejection($code, $this->name_request($this->clip($outcome->detail), $response, $code));
        }
        $isahead = $response->status === 409 && ($problem['code'] ?? '') === self::CLOCK_AHEAD;
        $reason = $isahead ? failure::CLOCK_AHEAD : self::reason($response->status, (bool)$problem);
        $detail = $this->name_request($this->clip(outcome::text($problem['detail'] ?? '')), $response);
        $failure = new failure($reason, $detail, $response->status, $this->retry_after($response));
        $failure->isown = (bool)$problem;
        throw $failure;
    }

    /**
     * Classifies an HTTP status.
     *
     * @param int $status
     * @param bool $isown the backend itself says so, in a problem document; nobody else knows about tokens
     * @return string a constant of failure
     */
    private static function reason(int $status, bool $isown): string {
        $reasons = [
            401 => failure::UNAUTHORIZED, 403 => failure::UNAUTHORIZED,
            404 => failure::NOT_FOUND, 405 => failure::NOT_FOUND, 410 => failure::NOT_FOUND,
            408 => failure::UNAVAILABLE, 429 => failure::UNAVAILABLE,
            502 => failure::UNAVAILABLE, 503 => failure::UNAVAILABLE, 504 => failure::UNAVAILABLE,
        ];
        if (isset($reasons[$status]) && ($isown || $reasons[$status] !== failure::UNAUTHORIZED)) {
            return $reasons[$status];
        }
        if ($status >= 500) {
            return failure::SERVER_ERROR;
        }
        if ($status >= 400 && !$isown) {
            return failure::INTERCEPTED;
        }
        return $status >= 300 && $status < 400 ? failure::REDIRECT : failure::NOT_CONTRACT;
    }

    /**
     * Parses a problem document (RFC 9457).
     *
     * @param response $response
     * @return array empty if the response has none
     */
    private function problem(response $response): array {
        $problem = json_decode($response->body, true);
        $isproblem = strpos($response->headers['content-type'] ?? '', 'application/problem+json') === 0;
        return $isproblem && is_array($problem) && is_string($problem['code'] ?? null) ? $problem : [];
    }

    /**
     * Appends the request id, by which the backend's log can be searched.
     *
     * @param string $detail
     * @param response $response
     * @param string $code stands in for an empty detail
     * @return string
     */
    private function name_request(string $detail, response $response, string $code = ''): string {
        $id = $response->headers['x-request-id'] ?? '';
        if (!preg_match(self::REQUEST_ID, $id)) {
            return $detail;
        }
        return trim(($detail === '' ? $code : $detail) . ' See request ' . $this->clip($id) . ' in the backend\'s log.');
    }

    /**
     * Parses the Retry-After header.
     *
     * @param response $response
     * @return int|null seconds; null if absent or a date
     */
    private function retry_after(response $response): ?int {
        $value = $response->headers['retry-after'] ?? '';
        return ctype_digit($value) ? (int)$value : null;
    }

    /**
     * Parses a JSON object.
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
     * Cleans a message from the other side: valid UTF-8, no control characters, no token, limited length.
     *
     * @param string $text
     * @return string
     */
    private function clip(string $text): string {
        $text = preg_replace('/[[:cntrl:]]+/', ' ', mb_convert_encoding($text, 'UTF-8', 'UTF-8'));
        return mb_substr(str_replace($this->token, '***', $text), 0, self::DETAIL_LENGTH);
    }
}
