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

use local_backend_sync\local\delivery\http;
use local_backend_sync\local\delivery\response;

/**
 * HTTP client based on PHP's own curl, for tests without Moodle.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class curl_http implements http {
    /** @var int number of next answers to lose, after the backend has processed the request */
    public $loseanswers = 0;

    /**
     * Sends a request.
     *
     * @param string $url
     * @param string[] $headers
     * @param string|null $body
     * @return response
     */
    public function request(string $url, array $headers, ?string $body): response {
        $received = [];
        $curl = curl_init($url);
        curl_setopt_array($curl, [
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => 30,
            CURLOPT_PROXY => '',
            CURLOPT_HEADERFUNCTION => function ($curl, $line) use (&$received) {
                [$name, $value] = explode(':', $line, 2) + [1 => ''];
                $received[trim($name)] = trim($value);
                return strlen($line);
            },
        ] + ($body === null ? [] : [CURLOPT_POSTFIELDS => $body]));
        $text = curl_exec($curl);
        if ($text === false) {
            return response::none(curl_errno($curl), curl_error($curl), curl_getinfo($curl, CURLINFO_CONNECT_TIME) > 0);
        }
        if ($body !== null && $this->loseanswers > 0) {
            $this->loseanswers--;
            return response::none(CURLE_OPERATION_TIMEOUTED, 'The test lost the answer', true);
        }
        return new response(curl_getinfo($curl, CURLINFO_RESPONSE_CODE), $text, $received);
    }
}
