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

use local_backend_sync\local\connection_test;
use local_backend_sync\local\status;
use local_backend_sync\local\verdict;
use local_backend_sync\output\connection_page;

/**
 * Shows on the settings page whether delivery works, with links to the other pages, and tests the connection with what has just
 * been typed. It stores nothing.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class setting_state extends \admin_setting_heading {
    /**
     * Constructor.
     */
    public function __construct() {
        parent::__construct('local_backend_sync/state', '', '');
    }

    /**
     * Remembers that the button "Save and test" was pressed: this comes first, and the test needs all settings of the form.
     *
     * @param mixed $data
     * @return string no error
     */
    public function write_setting($data) {
        global $SESSION;
        $SESSION->local_backend_sync_test = true;
        return '';
    }

    /**
     * Tests the connection, if that was asked for and the settings are stored.
     *
     * @return connection_test|null
     */
    private function test(): ?connection_test {
        global $SESSION;
        $isasked = !empty($SESSION->local_backend_sync_test);
        unset($SESSION->local_backend_sync_test);
        return $isasked && !admin_get_root()->errors ? connection_test::run() : null;
    }

    /**
     * Renders the verdict, or the result of the test, and the links.
     *
     * @param mixed $data
     * @param string $query
     * @return string
     */
    public function output_html($data, $query = '') {
        global $OUTPUT;
        $test = $this->test();
        return $OUTPUT->render_from_template('local_backend_sync/settings_state', [
            'verdicts' => $test ? connection_page::results($test) : [verdict::of(status::read())->export()],
            'testname' => $this->get_full_name(),
            'statusurl' => (new \moodle_url('/local/backend_sync/status.php'))->out(false),
            'previewurl' => (new \moodle_url('/local/backend_sync/preview.php'))->out(false),
        ]);
    }
}
