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
 * The delivery failed for reasons that have nothing to do with what was to be sent. Everything waits, and is tried again later.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class failure extends \Exception {
    /** @var string no URL or no token is set */
    const NOT_CONFIGURED = 'notconfigured';
    /** @var string the URL is none */
    const INVALID_URL = 'invalidurl';
    /** @var string http without encryption to another machine */
    const INSECURE_URL = 'insecureurl';
    /** @var string this Moodle is a copy of the one that the settings were made for */
    const OTHER_SITE = 'othersite';
    /** @var string the name of the host is not found */
    const DNS = 'dns';
    /** @var string nobody listens there */
    const REFUSED = 'refused';
    /** @var string no connection within the time */
    const CONNECT_TIMEOUT = 'connecttimeout';
    /** @var string no answer within the time */
    const TIMEOUT = 'timeout';
    /** @var string the certificate is not valid */
    const TLS = 'tls';
    /** @var string Moodle's own HTTP security forbids the address */
    const BLOCKED = 'blocked';
    /** @var string another trouble with the connection */
    const NETWORK = 'network';
    /** @var string the answer is a redirect */
    const REDIRECT = 'redirect';
    /** @var string the token is not accepted */
    const UNAUTHORIZED = 'unauthorized';
    /** @var string there is no such page: not a backend's URL */
    const NOT_FOUND = 'notfound';
    /** @var string the backend is full, stops or has no database */
    const UNAVAILABLE = 'unavailable';
    /** @var string the versions are ahead of the backend's clock: a clock is wrong, or was */
    const CLOCK_AHEAD = 'clockahead';
    /** @var string the backend failed */
    const SERVER_ERROR = 'servererror';
    /** @var string not the answer of a backend */
    const NOT_CONTRACT = 'notcontract';
    /** @var string a backend with another contract */
    const CONTRACT_VERSION = 'contractversion';

    /** @var string one of the constants */
    public $reason;
    /** @var string what the HTTP library or the backend says of it; empty if nothing */
    public $detail;
    /** @var int HTTP status, 0 when there was no answer */
    public $status;
    /** @var int|null how long the backend asks to wait, in seconds */
    public $retryafter;

    /**
     * Constructor.
     *
     * @param string $reason
     * @param string $detail
     * @param int $status
     * @param int|null $retryafter
     */
    public function __construct(string $reason, string $detail = '', int $status = 0, ?int $retryafter = null) {
        parent::__construct(trim($reason . ' ' . $detail));
        $this->reason = $reason;
        $this->detail = $detail;
        $this->status = $status;
        $this->retryafter = $retryafter;
    }
}
