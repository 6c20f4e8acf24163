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

namespace local_backend_sync\admin;

use local_backend_sync\local\config;
use local_backend_sync\local\reasons;

/**
 * Setting: the backend's URL. It rejects a URL to which the plugin would not send.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class setting_url extends \admin_setting_configtext {
    /**
     * Constructor.
     *
     * @param string|\lang_string $visiblename
     * @param string|\lang_string $description
     */
    public function __construct($visiblename, $description) {
        parent::__construct('local_backend_sync/backend_url', $visiblename, $description, '', PARAM_RAW_TRIMMED, 50);
    }

    /**
     * Saves the URL without surrounding spaces, which copying often adds.
     *
     * @param string $data
     * @return string an error message, or empty
     */
    public function write_setting($data) {
        return parent::write_setting(trim($data));
    }

    /**
     * Checks the URL.
     *
     * @param string $data
     * @return bool|string true, or an error message
     */
    public function validate($data) {
        $reason = $data === '' ? null : config::url_problem(config::clean_url($data), $this->allows_http());
        return $reason ? reasons::sentence($reason) : true;
    }

    /**
     * Whether http is allowed. The same form may be changing that, so its value wins over the saved one.
     *
     * @return bool
     */
    private function allows_http(): bool {
        $form = (array)data_submitted();
        return !empty($form['s_local_backend_sync_allowhttp'] ?? get_config('local_backend_sync', 'allowhttp'));
    }
}
