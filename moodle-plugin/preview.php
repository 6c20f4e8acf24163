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
 * Shows what is sent about one person.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

require(__DIR__ . '/../../config.php');
require_once($CFG->libdir . '/adminlib.php');

use local_backend_sync\event\person_viewed;
use local_backend_sync\local\preview;
use local_backend_sync\output\preview_page;

$search = trim(optional_param('search', '', PARAM_RAW_TRIMMED));
$userid = optional_param('userid', 0, PARAM_INT);

admin_externalpage_setup('local_backend_sync_preview');
navigation_node::override_active_url(new moodle_url('/local/backend_sync/preview.php'));
$people = $search === '' ? [] : preview::people($search);
if (!$userid && count($people) === 1) {
    $userid = (int)reset($people)->id;
}

if ($userid && $DB->record_exists('user', ['id' => $userid, 'deleted' => 0])) {
    person_viewed::create_from_person($userid)->trigger();
}

$page = new preview_page($search, $people, $userid);
echo $OUTPUT->header();
echo $OUTPUT->heading(get_string('preview', 'local_backend_sync'));
echo $OUTPUT->render_from_template('local_backend_sync/preview', $page->export_for_template($OUTPUT));
echo $OUTPUT->footer();
