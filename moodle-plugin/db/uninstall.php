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
 * Removes what Moodle leaves behind when this plugin is uninstalled.
 *
 * Moodle itself drops the tables, and deletes settings, tasks, capabilities, the message provider and people's preferences for it.
 * Logs stay, as those of all plugins: who changed which setting, what the plugin reported.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

use local_backend_sync\local\runner;

/**
 * Removes it.
 *
 * @return bool
 */
function xmldb_local_backend_sync_uninstall() {
    global $DB;
    // Where Moodle keeps locks as rows, it never deletes one.
    $DB->delete_records('lock_db', ['resourcekey' => 'local_backend_sync_' . runner::LOCK]);
    // Their links lead to a page that is no more.
    $notifications = 'notificationid IN (SELECT id FROM {notifications} WHERE component = ?)';
    $DB->delete_records_select('message_popup_notifications', $notifications, ['local_backend_sync']);
    $DB->delete_records('notifications', ['component' => 'local_backend_sync']);
    return true;
}
