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
 * Checks that the settings allow sending, and that cron runs.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class configuration extends base {
    /**
     * Runs the check.
     *
     * @return result
     */
    public function get_result(): result {
        $config = new config();
        $status = status::read();
        if (!$status->configured) {
            return self::not_sending($status);
        }
        return self::result(verdict::on_target($config) ?? verdict::on_task($status) ?? self::on_encryption($config));
    }

    /**
     * Warns when data travels unencrypted.
     *
     * @param config $config
     * @return verdict
     */
    private static function on_encryption(config $config): verdict {
        // A URL that is valid only while http is allowed sends unencrypted to another machine.
        $isprotected = config::url_problem($config->url(), false) === null;
        return $isprotected ? new verdict(verdict::OK, get_string('check_configurationok', 'local_backend_sync'))
            : new verdict(verdict::WARNING, get_string('check_unencrypted', 'local_backend_sync'));
    }
}
