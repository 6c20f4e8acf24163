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
 * The status page, and the actions of its buttons.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

require(__DIR__ . '/../../config.php');
require_once($CFG->libdir . '/adminlib.php');

use local_backend_sync\admin\status_action;
use local_backend_sync\local\backfill;
use local_backend_sync\local\status;
use local_backend_sync\output\status_page;

$pageno = optional_param('page', 0, PARAM_INT);
$actionname = optional_param('action', '', PARAM_ALPHA);

admin_externalpage_setup('local_backend_sync_status');
$url = new moodle_url('/local/backend_sync/status.php');

if ($actionname !== '' && data_submitted()) {
    require_sesskey();
    require_capability('local/backend_sync:manage', context_system::instance());
    $ids = optional_param_array('ids', [], PARAM_INT);
    $action = new status_action($actionname, $ids, optional_param('force', false, PARAM_BOOL));
    $question = $action->question();
    if ($question !== null && !optional_param('confirmed', false, PARAM_BOOL)) {
        $yes = new moodle_url($url, ['action' => $actionname, 'confirmed' => 1]);
        foreach (array_values($ids) as $i => $id) {
            $yes->param("ids[$i]", $id);
        }
        echo $OUTPUT->header();
        echo $OUTPUT->confirm($question, new single_button($yes, $action->button()), $url);
        echo $OUTPUT->footer();
        exit;
    }
    $verdict = $action->perform();
    redirect($url, s($verdict->sentence), null, status_action::notification_type($verdict));
}

$status = status::read();
$isrunning = $status->backfillrequest || ($status->backfill['status'] ?? '') === backfill::RUNNING;
if ($isrunning && !$status->rejected) {
    // Refreshes the progress, but not while rows can be selected: a refresh would lose the selection.
    $PAGE->set_periodic_refresh_delay(15);
}

$page = new status_page($status, $pageno, has_capability('local/backend_sync:manage', context_system::instance()));
echo $OUTPUT->header();
echo $OUTPUT->heading(get_string('status_title', 'local_backend_sync'));
echo $OUTPUT->render_from_template('local_backend_sync/status', $page->export_for_template($OUTPUT));
echo $OUTPUT->footer();
