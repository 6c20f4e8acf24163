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
 * Event observers.
 *
 * All of them are internal: they run within the transaction of the change, so a rollback also removes their outbox rows.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

$callbacks = [
    // A login is observed because Moodle reports no event when it updates the account at login, or when a user confirms the email
    // address, after which the first login follows.
    'user' => ['user_created', 'user_updated', 'user_deleted', 'user_loggedin'],
    'course' => ['course_created', 'course_updated', 'course_deleted', 'course_started', 'course_ended'],
    'section' => ['course_section_created', 'course_section_deleted'],
    'contents' => ['course_restored', 'course_reset_ended'],
    'category' => ['course_category_updated'],
    'enrolment' => ['user_enrolment_created', 'user_enrolment_updated', 'user_enrolment_deleted'],
    'method' => ['enrol_instance_updated'],
    'role' => ['role_assigned', 'role_unassigned'],
    'role_itself' => ['role_updated'],
    'cohort_member' => ['cohort_member_added', 'cohort_member_removed'],
    'cohort' => ['cohort_updated', 'cohort_deleted'],
    'group_member' => ['group_member_added', 'group_member_removed'],
    'group' => ['group_updated', 'group_deleted'],
    'grade' => ['user_graded', 'grade_deleted'],
    'item' => ['grade_item_created', 'grade_item_updated', 'grade_item_deleted'],
    'scale' => ['scale_updated'],
    'completion' => ['course_completed'],
    'criteria' => ['course_completion_updated', 'course_module_updated'],
    // Of common plugins. Observing events of one that is not installed costs nothing.
    'merge' => ['\\tool_mergeusers\\event\\user_merged_success'],
    'reset' => ['\\local_recompletion\\event\\completion_reset'],
];

$observers = [];
foreach ($callbacks as $callback => $events) {
    foreach ($events as $event) {
        $observers[] = [
            'eventname' => $event[0] === '\\' ? $event : '\\core\\event\\' . $event,
            'callback' => '\\local_backend_sync\\observer::' . $callback,
        ];
    }
}
