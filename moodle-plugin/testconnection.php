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

/**
 * Tests the connection to the backend with the saved settings.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

require(__DIR__ . '/../../config.php');
require_once($CFG->libdir . '/adminlib.php');

use local_backend_sync\local\config;
use local_backend_sync\local\connection_test;
use local_backend_sync\output\connection_page;

$url = new moodle_url('/local/backend_sync/testconnection.php');
admin_externalpage_setup('local_backend_sync_status', '', null, $url);
require_capability('local/backend_sync:manage', context_system::instance());
navigation_node::override_active_url(new moodle_url('/local/backend_sync/status.php'));
$PAGE->set_title(get_string('testconnection', 'local_backend_sync'));
$PAGE->navbar->add(get_string('testconnection', 'local_backend_sync'), $url);

$test = null;
if (data_submitted()) {
    require_sesskey();
    // The test may take a while and needs no session, so it must not block the user's other pages.
    \core\session\manager::write_close();
    $test = connection_test::run();
}

$page = new connection_page(new config(), $test);
echo $OUTPUT->header();
echo $OUTPUT->heading(get_string('testconnection', 'local_backend_sync'));
echo $OUTPUT->render_from_template('local_backend_sync/connection', $page->export_for_template($OUTPUT));
echo $OUTPUT->footer();
