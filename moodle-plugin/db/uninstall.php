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
 * Removes what Moodle leaves behind when it uninstalls this plugin.
 *
 * Moodle itself drops the tables, and deletes settings, tasks, capabilities, the message provider and users' preferences for it.
 * Log entries stay, as for every plugin.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

use local_backend_sync\local\runner;

/**
 * Removes the lock and the notifications.
 *
 * @return bool
 */
function xmldb_local_backend_sync_uninstall() {
    global $DB;
    // Where Moodle stores locks as rows, it never deletes them.
    $DB->delete_records('lock_db', ['resourcekey' => 'local_backend_sync_' . runner::LOCK]);
    // Their links would lead to a page that no longer exists.
    $notifications = 'notificationid IN (SELECT id FROM {notifications} WHERE component = ?)';
    $DB->delete_records_select('message_popup_notifications', $notifications, ['local_backend_sync']);
    $DB->delete_records('notifications', ['component' => 'local_backend_sync']);
    return true;
}
