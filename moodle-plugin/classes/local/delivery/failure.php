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
 * The delivery failed for a reason that has nothing to do with the events. Everything waits and is retried later.
 *
 * The values of the constants are stored, and are part of the names of strings.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class failure extends \Exception {
    /** @var string the URL or the token is not set */
    const NOT_CONFIGURED = 'notconfigured';
    /** @var string no administrator has started sending yet */
    const NOT_STARTED = 'notstarted';
    /** @var string the stored token cannot be decrypted: Moodle's key for that is another one, or gone */
    const TOKEN_UNREADABLE = 'tokenunreadable';
    /** @var string the URL is malformed */
    const INVALID_URL = 'invalidurl';
    /** @var string http to another machine, which is not allowed */
    const INSECURE_URL = 'insecureurl';
    /** @var string Moodle's address has changed: this may be a copy of the site that the settings were made for */
    const OTHER_SITE = 'othersite';
    /** @var string the backend remembers more than this side: Moodle may have been restored from an older backup */
    const WENT_BACK = 'wentback';
    /** @var string the host name does not resolve */
    const DNS = 'dns';
    /** @var string connection refused */
    const REFUSED = 'refused';
    /** @var string no connection within the timeout */
    const CONNECT_TIMEOUT = 'connecttimeout';
    /** @var string no answer within the timeout */
    const TIMEOUT = 'timeout';
    /** @var string no TLS at this port */
    const TLS = 'tls';
    /** @var string the certificate is not valid today */
    const TLS_EXPIRED = 'tlsexpired';
    /** @var string the certificate is for another host name */
    const TLS_NAME = 'tlsname';
    /** @var string the certificate is signed by nobody whom this server trusts */
    const TLS_UNTRUSTED = 'tlsuntrusted';
    /** @var string the proxy in Moodle's settings makes no connection */
    const PROXY = 'proxy';
    /** @var string Moodle's HTTP security blocks the address */
    const BLOCKED = 'blocked';
    /** @var string any other error of the connection */
    const NETWORK = 'network';
    /** @var string the answer is a redirect */
    const REDIRECT = 'redirect';
    /** @var string something between Moodle and the backend, such as a firewall, refuses the request */
    const INTERCEPTED = 'intercepted';
    /** @var string the backend does not accept the token */
    const UNAUTHORIZED = 'unauthorized';
    /** @var string no backend at this URL */
    const NOT_FOUND = 'notfound';
    /** @var string the backend is overloaded, stopping, or without its database */
    const UNAVAILABLE = 'unavailable';
    /** @var string the versions are ahead of the backend's clock: a clock is or was wrong */
    const CLOCK_AHEAD = 'clockahead';
    /** @var string internal error of the backend */
    const SERVER_ERROR = 'servererror';
    /** @var string not an answer of a backend */
    const NOT_CONTRACT = 'notcontract';
    /** @var string the backend has another major version of the contract */
    const CONTRACT_VERSION = 'contractversion';

    /** @var string[] what something in between may cause, such as a firewall, because of what is in a request */
    private static $interceptions = [
        self::INTERCEPTED, self::NETWORK, self::NOT_CONTRACT, self::NOT_FOUND, self::REDIRECT, self::TIMEOUT,
    ];

    /** @var string one of the constants */
    public $reason;
    /** @var string message of the HTTP library or the backend; may be empty */
    public $detail;
    /** @var int HTTP status, 0 without an answer */
    public $status;
    /** @var int|null seconds from the Retry-After header */
    public $retryafter;
    /** @var bool the backend itself says so, in a problem document */
    public $isown = false;

    /**
     * Constructor.
     *
     * @param string $reason one of the constants
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

    /**
     * Whether something in between may have caused it because of what is in the request.
     *
     * @return bool
     */
    public function is_interception(): bool {
        return !$this->isown && in_array($this->reason, self::$interceptions, true);
    }
}
