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
 * The response to an HTTP request, or the reason why there is none.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class response {
    /** @var int HTTP status, 0 without a response */
    public $status;
    /** @var string empty without a response */
    public $body;
    /** @var string[] by name in lower case */
    public $headers;
    /** @var string without a response: a constant of failure */
    public $reason;
    /** @var string without a response: message of the HTTP library */
    public $error;

    /**
     * Constructor.
     *
     * @param int $status
     * @param string $body
     * @param string[] $headers
     * @param string $reason
     * @param string $error
     */
    public function __construct(int $status, string $body, array $headers = [], string $reason = '', string $error = '') {
        $this->status = $status;
        $this->body = $body;
        $this->headers = array_change_key_case($headers);
        $this->reason = $reason;
        $this->error = $error;
    }

    /**
     * Makes the object for a request without a response.
     *
     * @param int $errno error number of libcurl
     * @param string $error message of libcurl
     * @param bool $connected the connection was established
     * @param bool $proxied by a proxy
     * @return self
     */
    public static function none(int $errno, string $error, bool $connected, bool $proxied = false): self {
        // A proxy that refuses is told in words only.
        $isproxy = $proxied && ($errno === CURLE_COULDNT_CONNECT || strpos($error, 'CONNECT') !== false);
        $reason = $isproxy ? failure::PROXY : self::reason($errno, $connected);
        return new self(0, '', [], $reason === failure::TLS_UNTRUSTED ? self::certificate($error) : $reason, $error);
    }

    /**
     * Classifies an error number of libcurl.
     *
     * @param int $errno
     * @param bool $connected
     * @return string a constant of failure
     */
    private static function reason(int $errno, bool $connected): string {
        switch ($errno) {
            case CURLE_COULDNT_RESOLVE_HOST:
                return failure::DNS;
            case CURLE_COULDNT_RESOLVE_PROXY:
                return failure::PROXY;
            case CURLE_COULDNT_CONNECT:
                return failure::REFUSED;
            case CURLE_OPERATION_TIMEOUTED:
                return $connected ? failure::TIMEOUT : failure::CONNECT_TIMEOUT;
            case CURLE_SSL_CONNECT_ERROR:
                return failure::TLS;
            case CURLE_SSL_PEER_CERTIFICATE:
            case CURLE_SSL_CACERT:
            case CURLE_SSL_CERTPROBLEM:
            case CURLE_SSL_CACERT_BADFILE:
            case 51: // What libcurl before 7.62 answers if the host name does not match.
            case 83: // CURLE_SSL_ISSUER_ERROR, which PHP does not define.
                return failure::TLS_UNTRUSTED;
            default:
                return failure::NETWORK;
        }
    }

    /**
     * What is wrong with a certificate. Only the words of libcurl and its TLS library tell.
     *
     * @param string $error
     * @return string a constant of failure
     */
    private static function certificate(string $error): string {
        if (preg_match('/expired|not yet valid/i', $error)) {
            return failure::TLS_EXPIRED;
        }
        return preg_match('/subject|host ?name/i', $error) ? failure::TLS_NAME : failure::TLS_UNTRUSTED;
    }
}
