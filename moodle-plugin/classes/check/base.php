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

namespace local_backend_sync\check;

use core\check\check;
use core\check\result;
use local_backend_sync\local\status;
use local_backend_sync\local\verdict;

/**
 * Base of the system status checks.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
abstract class base extends check {
    /** @var string[] status of a result by level of a verdict */
    const STATUS = [
        verdict::OK => result::OK,
        verdict::INFO => result::INFO,
        verdict::WARNING => result::WARNING,
        verdict::ERROR => result::ERROR,
    ];

    /**
     * Links to the status page.
     *
     * @return \action_link|null
     */
    public function get_action_link(): ?\action_link {
        $url = new \moodle_url('/local/backend_sync/status.php');
        return new \action_link($url, get_string('status_title', 'local_backend_sync'));
    }

    /**
     * Converts a verdict.
     *
     * @param verdict $verdict
     * @return result
     */
    protected static function result(verdict $verdict): result {
        $details = get_string('check_details', 'local_backend_sync');
        return new result(self::STATUS[$verdict->level], s($verdict->sentence), s($details));
    }

    /**
     * The result while nothing is sent yet.
     *
     * @param status $status
     * @return result|null null if sending has been started
     */
    protected static function not_sending(status $status): ?result {
        $verdict = verdict::on_start($status);
        return $verdict ? new result(result::NA, s($verdict->sentence)) : null;
    }
}
