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

namespace local_backend_sync\local;

use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\http;
use local_backend_sync\local\delivery\response;

/**
 * HTTP client based on Moodle's curl class, so that Moodle's proxy settings apply.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class moodle_http implements http {
    /** @var int seconds */
    private $connecttimeout;
    /** @var int seconds for the whole request */
    private $timeout;

    /**
     * Constructor.
     *
     * @param int $connecttimeout seconds
     * @param int $timeout seconds
     */
    public function __construct(int $connecttimeout, int $timeout) {
        $this->connecttimeout = $connecttimeout;
        $this->timeout = $timeout;
    }

    /**
     * Sends a request.
     *
     * @param string $url
     * @param string[] $headers
     * @param string|null $body
     * @return response
     */
    public function request(string $url, array $headers, ?string $body): response {
        global $CFG;
        require_once($CFG->libdir . '/filelib.php');
        // Moodle's curl security guards against URLs that users enter, and blocks private addresses and all ports but 80 and 443.
        // This URL comes from the administrator, in this plugin's settings, and redirects are off.
        $curl = new \curl(['ignoresecurity' => true]);
        $curl->setHeader($headers);
        $options = [
            'CURLOPT_CONNECTTIMEOUT' => min($this->connecttimeout, $this->timeout),
            'CURLOPT_TIMEOUT' => $this->timeout,
            'CURLOPT_SSL_VERIFYPEER' => true,
            'CURLOPT_SSL_VERIFYHOST' => 2,
            'CURLOPT_FOLLOWLOCATION' => false,
            'CURLOPT_MAXREDIRS' => 0,
            'CURLOPT_PROTOCOLS' => CURLPROTO_HTTP | CURLPROTO_HTTPS,
        ];
        $text = $body === null ? $curl->get($url, [], $options) : $curl->post($url, $body, $options);
        return $this->response($curl, (string)$text, !empty($CFG->proxyhost) && !is_proxybypass($url));
    }

    /**
     * Converts the result.
     *
     * @param \curl $curl
     * @param string $text body of the response, or Moodle's error message
     * @param bool $proxied by Moodle's proxy
     * @return response
     */
    private function response(\curl $curl, string $text, bool $proxied): response {
        $info = $curl->get_info();
        $errno = (int)$curl->get_errno();
        $status = (int)($info['http_code'] ?? 0);
        if ($errno) {
            // Even with a status: the body may be incomplete.
            return response::none($errno, (string)$curl->error, !empty($info['connect_time']), $proxied);
        }
        if (!$status) {
            // Neither a status nor an error of libcurl: Moodle blocked the request.
            return new response(0, '', [], failure::BLOCKED, $text);
        }
        $headers = array_map(function ($value) {
            return is_array($value) ? end($value) : (string)$value;
        }, $curl->getResponse());
        return new response($status, $text, $headers);
    }
}
