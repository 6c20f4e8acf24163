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

use local_backend_sync\local\delivery\clocks;
use local_backend_sync\local\delivery\dispatcher;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\sender;

/**
 * Explains in words why something failed or was rejected, and what to do about it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class reasons {
    /**
     * Explains a stored failure.
     *
     * @param string $reason a constant of failure
     * @param string $detail message of the HTTP library or the backend
     * @param int $status HTTP status, 0 without an answer
     * @param string|null $url the backend's; null for the one in the settings
     * @return string
     */
    public static function sentence(string $reason, string $detail = '', int $status = 0, ?string $url = null): string {
        $url = $url ?? (new config())->url();
        $a = (object)['host' => (string)parse_url($url, PHP_URL_HOST), 'url' => $url, 'status' => $status, 'detail' => $detail];
        $sentence = get_string('reason_' . $reason, 'local_backend_sync', $a);
        return $detail === '' ? $sentence : $sentence . ' ' . get_string('reason_detail', 'local_backend_sync', $detail);
    }

    /**
     * Explains a failure.
     *
     * @param failure $failure
     * @return string
     */
    public static function of(failure $failure): string {
        return self::sentence($failure->reason, $failure->detail, $failure->status);
    }

    /**
     * Explains which clock is wrong, and what to do about it.
     *
     * @param clocks $clocks
     * @param string $site the backend's name for this site
     * @return string
     */
    public static function of_clocks(clocks $clocks, string $site): string {
        if ($clocks->is_skewed()) {
            return self::of_skew($clocks) . ' ' . get_string('clocks_correct', 'local_backend_sync');
        }
        if (!$clocks->needs_reset()) {
            return get_string('clocks_agree', 'local_backend_sync');
        }
        $a = (object)['ahead' => format_time($clocks->ahead), 'site' => $site];
        return get_string('clocks_resetneeded', 'local_backend_sync', $a);
    }

    /**
     * Says by how much the clocks differ.
     *
     * @param clocks $clocks
     * @return string
     */
    public static function of_skew(clocks $clocks): string {
        $skew = $clocks->skew();
        $a = (object)[
            'difference' => format_time(abs($skew)),
            'here' => userdate($clocks->local),
            'backend' => userdate($clocks->remote),
        ];
        return get_string($skew > 0 ? 'clocks_ahead' : 'clocks_behind', 'local_backend_sync', $a);
    }

    /**
     * Explains a rejection.
     *
     * @param string $code the backend's stable code
     * @param string $detail
     * @return string
     */
    public static function of_rejection(string $code, string $detail): string {
        if (in_array($code, ['superseded', dispatcher::INTERCEPTED, sender::FATAL], true)) {
            return get_string('rejected_' . $code, 'local_backend_sync', $detail);
        }
        return trim($detail) === '' ? $code : $detail;
    }
}
