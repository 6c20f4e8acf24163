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
use local_backend_sync\local\delivery\failure;

/**
 * Says in words why something failed or was refused, and what to do about it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class reasons {
    /**
     * Why deliveries fail.
     *
     * @param string $reason one of failure's
     * @param string $detail what the network or the backend says of it
     * @param int $status HTTP status, 0 when there was no answer
     * @return string
     */
    public static function sentence(string $reason, string $detail = '', int $status = 0): string {
        $url = (new config())->url();
        $a = (object)['host' => (string)parse_url($url, PHP_URL_HOST), 'url' => $url, 'status' => $status, 'detail' => $detail];
        $sentence = get_string('reason_' . $reason, 'local_backend_sync', $a);
        return $detail === '' ? $sentence : $sentence . ' ' . get_string('reason_detail', 'local_backend_sync', $detail);
    }

    /**
     * Why deliveries fail.
     *
     * @param failure $failure
     * @return string
     */
    public static function of(failure $failure): string {
        return self::sentence($failure->reason, $failure->detail, $failure->status);
    }

    /**
     * What to do when the backend takes nothing because of a clock.
     *
     * @param clocks $clocks
     * @param string $site name of this site at the backend
     * @return string
     */
    public static function of_clocks(clocks $clocks, string $site): string {
        if ($clocks->is_skewed()) {
            return self::of_difference($clocks) . ' ' . get_string('clocks_setright', 'local_backend_sync');
        }
        if (!$clocks->needs_reset()) {
            return get_string('clocks_agree', 'local_backend_sync');
        }
        $a = (object)['ahead' => format_time($clocks->ahead), 'site' => $site];
        return get_string('clocks_remembered', 'local_backend_sync', $a);
    }

    /**
     * By how much the clocks differ.
     *
     * @param clocks $clocks that differ
     * @return string
     */
    public static function of_difference(clocks $clocks): string {
        $difference = $clocks->skew();
        $a = (object)[
            'difference' => format_time(abs($difference)),
            'here' => userdate($clocks->local),
            'backend' => userdate($clocks->remote),
        ];
        return get_string($difference > 0 ? 'clocks_ahead' : 'clocks_behind', 'local_backend_sync', $a);
    }

    /**
     * Why a change was refused.
     *
     * @param string $code the backend's
     * @param string $detail
     * @return string
     */
    public static function of_rejection(string $code, string $detail): string {
        if ($code === 'superseded') {
            return get_string('rejected_superseded', 'local_backend_sync');
        }
        return trim($detail) === '' ? $code : $detail;
    }
}
