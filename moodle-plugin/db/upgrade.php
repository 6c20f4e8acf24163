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
 * Upgrade steps.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

use local_backend_sync\local\config;
use local_backend_sync\local\delivery\payload;
use local_backend_sync\local\secret;

/**
 * Upgrades the plugin from an older version.
 *
 * @param int $oldversion
 * @return bool
 */
function xmldb_local_backend_sync_upgrade($oldversion) {
    global $DB;
    $dbman = $DB->get_manager();

    if ($oldversion < 2026112200) {
        // Before 1.0.0 the plugin sent each change within the page and had no tables. Its settings remain valid.
        foreach (['outbox', 'sent', 'rejected', 'state'] as $name) {
            if (!$dbman->table_exists('local_backend_sync_' . $name)) {
                $dbman->install_one_table_from_xmldb_file(__DIR__ . '/install.xml', 'local_backend_sync_' . $name);
            }
        }
        upgrade_plugin_savepoint(true, 2026112200, 'local', 'backend_sync');
    }

    if ($oldversion < 2026112601) {
        $field = new xmldb_field('refused', XMLDB_TYPE_CHAR, '32', null, null, null, null, 'hash');
        $table = new xmldb_table('local_backend_sync_sent');
        if (!$dbman->field_exists($table, $field)) {
            $dbman->add_field($table, $field);
        }
        // The token was stored in clear, and admin/cli/cfg.php left it in Moodle's logs.
        secret::seal_stored();
        secret::clean_logs();
        upgrade_plugin_savepoint(true, 2026112601, 'local', 'backend_sync');
    }

    if ($oldversion < 2026112602) {
        // The settings stored the fields that are sent, so a new field was off everywhere.
        foreach (payload::FIELDS as $kind => $fields) {
            $chosen = get_config('local_backend_sync', 'fields_' . $kind);
            $leftout = $chosen === false ? [] : array_diff(array_keys($fields), explode(',', $chosen));
            set_config('leftout_' . $kind, implode(',', $leftout), 'local_backend_sync');
            unset_config('fields_' . $kind, 'local_backend_sync');
        }
        upgrade_plugin_savepoint(true, 2026112602, 'local', 'backend_sync');
    }

    if ($oldversion < 2026112802) {
        // What is configured goes on sending. Before that, nothing is sent until an administrator starts it.
        if (!(new config())->is_configured()) {
            set_config('sending', 0, 'local_backend_sync');
        }
        upgrade_plugin_savepoint(true, 2026112802, 'local', 'backend_sync');
    }

    return true;
}
