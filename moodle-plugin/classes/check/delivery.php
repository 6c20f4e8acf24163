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

use core\check\result;
use local_backend_sync\local\config;
use local_backend_sync\local\status;
use local_backend_sync\local\verdict;

/**
 * Checks that changes reach the backend.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class delivery extends base {
    /**
     * Runs the check.
     *
     * @return result
     */
    public function get_result(): result {
        $status = status::read();
        $bad = verdict::on_outage($status) ?? verdict::on_waiting($status, new config());
        return self::not_sending($status) ?? self::result($bad ?? verdict::on_success($status));
    }
}
