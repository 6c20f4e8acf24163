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
 * The custom fields of courses.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class course_fields extends custom_fields {
    /**
     * All fields that Moodle has.
     *
     * @return \stdClass[] by id: id, shortname, name, type, options, hastime, default
     */
    public static function all(): array {
        global $DB;
        $fields = $DB->get_records_sql("
            SELECT f.id, f.shortname, f.name, f.type, f.configdata
              FROM {customfield_field} f
              JOIN {customfield_category} c ON c.id = f.categoryid
             WHERE c.component = 'core_course' AND c.area = 'course'
          ORDER BY c.sortorder, f.sortorder, f.id");
        foreach ($fields as $field) {
            $config = json_decode((string)$field->configdata, true) ?: [];
            unset($field->configdata);
            // A select stores the number of the entry, from 1.
            $options = preg_split('/\s*\n\s*/', trim($config['options'] ?? ''), -1, PREG_SPLIT_NO_EMPTY);
            $field->options = $field->type === 'select' ? array_merge([''], $options) : [];
            $field->hastime = !empty($config['includetime']);
            $field->default = (string)($config[$field->type === 'checkbox' ? 'checkbydefault' : 'defaultvalue'] ?? '');
        }
        return $fields;
    }

    /**
     * The text of a value: '1' or '0' of a checkbox, a date as in 2026-11-28 or 2026-11-28T09:00:00Z, the entry of a select, and
     * otherwise what Moodle stores.
     *
     * @param \stdClass $field
     * @param string $value as stored
     * @return string
     */
    protected function text(\stdClass $field, string $value): string {
        switch ($field->type) {
            case 'checkbox':
                return $value ? '1' : '0';
            case 'date':
                return $field->hastime ? self::moment((int)$value) : self::date((int)$value);
            case 'select':
                return (string)$this->names->resolve($field->options[(int)$value] ?? '');
            case 'text':
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
        return $field->type === 'select' ? (string)array_search($field->default, $field->options) : $field->default;
    }

    /**
     * The tables of stored values. Moodle stores each in the column of its type, and all of them in the column value.
     *
     * @param string $fields SQL
     * @param string $records SQL
     * @return string[] columns for record, field and value; tables and condition
     */
    protected function stored(string $fields, string $records): array {
        return [['d.instanceid', 'd.fieldid', 'd.value'], "{customfield_data} d WHERE d.fieldid $fields AND d.instanceid $records"];
    }
}
