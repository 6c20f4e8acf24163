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

namespace local_backend_sync\local;

/**
 * The custom profile fields of users.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class profile_fields extends custom_fields {
    /**
     * All fields that Moodle has.
     *
     * @return \stdClass[] by id: id, shortname, name, datatype, defaultdata, hastime
     */
    public static function all(): array {
        global $DB;
        $columns = 'id, shortname, name, datatype, defaultdata, param3 AS hastime';
        $fields = $DB->get_records('user_info_field', null, 'categoryid, sortorder, id', $columns);
        foreach ($fields as $field) {
            // Of other types, it has another meaning.
            $field->hastime = $field->datatype === 'datetime' && $field->hastime;
        }
        return $fields;
    }

    /**
     * The text of a value: '1' or '0' of a checkbox, a date as in 2026-11-28 or 2026-11-28T09:00:00Z, and otherwise what Moodle
     * stores.
     *
     * @param \stdClass $field
     * @param string $value as stored
     * @return string
     */
    protected function text(\stdClass $field, string $value): string {
        switch ($field->datatype) {
            case 'checkbox':
                return $value ? '1' : '0';
            case 'datetime':
                return $field->hastime ? self::moment((int)$value) : self::date((int)$value);
            case 'menu':
                return (string)$this->names->resolve($value);
            default:
                return $value;
        }
    }

    /**
     * The value that Moodle shows where none is stored.
     *
     * @param \stdClass $field
     * @return string as stored
     */
    protected function default_value(\stdClass $field): string {
        return (string)$field->defaultdata;
    }

    /**
     * The tables of stored values.
     *
     * @param string $fields SQL
     * @param string $records SQL
     * @return string[] columns for record, field and value; tables and condition
     */
    protected function stored(string $fields, string $records): array {
        return [['d.userid', 'd.fieldid', 'd.data'], "{user_info_data} d WHERE d.fieldid $fields AND d.userid $records"];
    }
}
