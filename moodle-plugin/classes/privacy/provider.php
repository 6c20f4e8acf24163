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

namespace local_backend_sync\privacy;

use core_privacy\local\metadata\collection;
use core_privacy\local\metadata\provider as metadata_provider;
use core_privacy\local\request\approved_contextlist;
use core_privacy\local\request\approved_userlist;
use core_privacy\local\request\contextlist;
use core_privacy\local\request\core_userlist_provider;
use core_privacy\local\request\plugin\provider as plugin_provider;
use core_privacy\local\request\transform;
use core_privacy\local\request\userlist;
use core_privacy\local\request\writer;
use local_backend_sync\local\config;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\event;
use local_backend_sync\local\delivery\payload;
use local_backend_sync\local\ledger;
use local_backend_sync\local\outbox;

/**
 * Declares which personal data this plugin stores and sends. What it sends is derived from the payload's own list of fields.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class provider implements core_userlist_provider, metadata_provider, plugin_provider {
    /** @var string[][] table and its columns, by the table's name in the strings */
    const TABLES = [
        'outbox' => [
            outbox::TABLE, 'kind', 'objectid', 'userid', 'courseid', 'itemid', 'event', 'timecreated', 'timedue',
        ],
        'sent' => [
            ledger::SENT, 'kind', 'objectid', 'userid', 'courseid', 'itemid', 'hash', 'refused', 'timesent',
        ],
        'rejected' => [
            ledger::REJECTED, 'kind', 'objectid', 'userid', 'courseid', 'itemid', 'event', 'code', 'detail', 'timecreated',
        ],
    ];

    /**
     * Declares what is stored and sent.
     *
     * @param collection $collection
     * @return collection
     */
    public static function get_metadata(collection $collection): collection {
        foreach (change::KINDS as $kind) {
            $fields = [];
            foreach (array_keys(payload::IDS[$kind] + payload::FIELDS[$kind]) as $name) {
                $fields[$name] = "field_{$kind}_$name";
            }
            if (isset(payload::CUSTOM[$kind])) {
                $fields[payload::CUSTOM[$kind]] = 'custom_' . $kind;
            }
            if (isset(payload::NAMES[$kind])) {
                $fields[payload::NAMES[$kind]] = "field_{$kind}_" . payload::NAMES[$kind];
            }
            $collection->add_external_location_link("backend_$kind", $fields, "privacy:metadata:backend_$kind");
        }
        foreach (self::TABLES as $name => $columns) {
            $table = array_shift($columns);
            $fields = [];
            foreach ($columns as $column) {
                $fields[$column] = "privacy:metadata:$column";
            }
            $collection->add_database_table($table, $fields, "privacy:metadata:$name");
        }
        return $collection;
    }

    /**
     * Data about a person belongs to their own context.
     *
     * @param int $userid
     * @return contextlist
     */
    public static function get_contexts_for_userid(int $userid): contextlist {
        $contextlist = new contextlist();
        if (self::has_data($userid)) {
            $contextlist->add_user_context($userid);
        }
        return $contextlist;
    }

    /**
     * Adds the person whose context it is, if there is data about them.
     *
     * @param userlist $userlist
     */
    public static function get_users_in_context(userlist $userlist) {
        $userid = self::userid_of($userlist->get_context());
        if ($userid && self::has_data($userid)) {
            $userlist->add_user($userid);
        }
    }

    /**
     * Exports the data about a person.
     *
     * @param approved_contextlist $contextlist
     */
    public static function export_user_data(approved_contextlist $contextlist) {
        global $DB;
        $userid = $contextlist->get_user()->id;
        foreach ($contextlist->get_contexts() as $context) {
            if (self::userid_of($context) != $userid) {
                continue;
            }
            foreach (self::TABLES as $name => $columns) {
                $table = array_shift($columns);
                $rows = $DB->get_records($table, ['userid' => $userid], 'id', implode(', ', array_merge(['id'], $columns)));
                if ($rows) {
                    $path = get_strings(['pluginname', "privacy:path:$name"], 'local_backend_sync');
                    $data = (object)['rows' => array_values(array_map([self::class, 'readable'], $rows))];
                    writer::with_context($context)->export_data(array_values((array)$path), $data);
                }
            }
        }
    }

    /**
     * Makes a row readable for people.
     *
     * @param \stdClass $row
     * @return \stdClass
     */
    private static function readable(\stdClass $row): \stdClass {
        unset($row->id);
        foreach (['timecreated', 'timedue', 'timesent'] as $column) {
            if (!empty($row->$column)) {
                $row->$column = transform::datetime($row->$column);
            }
        }
        return $row;
    }

    /**
     * Deletes the data about the person whose context it is.
     *
     * @param \context $context
     */
    public static function delete_data_for_all_users_in_context(\context $context) {
        self::delete(self::userid_of($context));
    }

    /**
     * Deletes the data about a person.
     *
     * @param approved_contextlist $contextlist
     */
    public static function delete_data_for_user(approved_contextlist $contextlist) {
        $userid = $contextlist->get_user()->id;
        foreach ($contextlist->get_contexts() as $context) {
            if (self::userid_of($context) == $userid) {
                self::delete($userid);
            }
        }
    }

    /**
     * Deletes the data about people.
     *
     * @param approved_userlist $userlist
     */
    public static function delete_data_for_users(approved_userlist $userlist) {
        $userid = self::userid_of($userlist->get_context());
        if (in_array($userid, $userlist->get_userids())) {
            self::delete($userid);
        }
    }

    /**
     * The person whose context it is.
     *
     * @param \context $context
     * @return int 0 if it is no user context
     */
    private static function userid_of(\context $context): int {
        return $context->contextlevel == CONTEXT_USER ? (int)$context->instanceid : 0;
    }

    /**
     * Whether there is data about a person.
     *
     * @param int $userid
     * @return bool
     */
    private static function has_data(int $userid): bool {
        global $DB;
        foreach (self::TABLES as $columns) {
            if ($DB->record_exists($columns[0], ['userid' => $userid])) {
                return true;
            }
        }
        return false;
    }

    /**
     * Deletes the data about a person, except what is needed to have the backend delete its records.
     *
     * @param int $userid
     */
    private static function delete(int $userid): void {
        global $DB;
        if (!$userid) {
            return;
        }
        $transaction = $DB->start_delegated_transaction();
        // Rows that report a deletion stay until they are sent: without them, the backend would keep forever what Moodle has
        // deleted. They hold only ids.
        $DB->delete_records_select(outbox::TABLE, 'userid = ? AND event <> ?', [$userid, 'deleted']);
        if ((new config())->is_sending()) {
            // Enqueues every record that the backend holds, so that the sender checks whether it still exists. Moodle deletes
            // completions without an event, and only the rows that are deleted below know about them.
            $DB->execute("
                INSERT INTO {" . outbox::TABLE . "} (kind, objectid, userid, courseid, itemid, event, timecreated, timedue)
                SELECT kind, objectid, userid, courseid, itemid, 'updated', " . time() . ", 0
                  FROM {" . ledger::SENT . "}
                 WHERE userid = ? AND (hash IS NULL OR hash <> ?)", [$userid, event::DELETED]);
        }
        $DB->delete_records(ledger::SENT, ['userid' => $userid]);
        $DB->delete_records(ledger::REJECTED, ['userid' => $userid]);
        $transaction->allow_commit();
    }
}
