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

namespace local_backend_sync\local\delivery;

/**
 * The fields that leave the site. The events, the privacy declaration and the settings are all made from this one list.
 *
 * Fields have their names from the contract (the backend's openapi.json), which are Moodle's own where Moodle has one.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class payload {
    /** @var string[][] ids by kind, which are always sent: property of a change by its name in the contract */
    const IDS = [
        change::USER => ['userid' => 'objectid'],
        change::COURSE => ['courseid' => 'objectid'],
        change::ENROLMENT => ['enrollmentid' => 'objectid', 'userid' => 'userid', 'courseid' => 'courseid'],
        change::GRADE => ['gradeid' => 'objectid', 'userid' => 'userid', 'itemid' => 'itemid'],
        change::COMPLETION => ['completionid' => 'objectid', 'userid' => 'userid', 'courseid' => 'courseid'],
    ];

    /** @var string[][] types of the fields by kind. The administrator may exclude any of these. */
    const FIELDS = [
        change::USER => [
            'username' => 'text', 'firstname' => 'text', 'lastname' => 'text', 'email' => 'text', 'idnumber' => 'text',
            'phone1' => 'text', 'phone2' => 'text', 'institution' => 'text', 'department' => 'text', 'city' => 'text',
            'country' => 'text', 'lang' => 'text', 'timezone' => 'text', 'auth' => 'text', 'confirmed' => 'bool',
            'suspended' => 'bool', 'timecreated' => 'time', 'timemodified' => 'time',
        ],
        change::COURSE => [
            'fullname' => 'text', 'shortname' => 'text', 'idnumber' => 'text', 'categoryid' => 'int', 'categoryname' => 'text',
            'format' => 'text', 'visible' => 'bool', 'startdate' => 'time', 'enddate' => 'time', 'timecreated' => 'time',
            'timemodified' => 'time', 'categories' => 'categories',
        ],
        change::ENROLMENT => [
            'roles' => 'roles', 'enrol' => 'text', 'enabled' => 'bool', 'status' => 'int', 'timestart' => 'time',
            'timeend' => 'time', 'timecreated' => 'time', 'timemodified' => 'time',
        ],
        change::GRADE => [
            'finalgrade' => 'decimal', 'gradetext' => 'text', 'feedback' => 'text', 'grader' => 'int', 'hidden' => 'bool',
            'timecreated' => 'time', 'timemodified' => 'time', 'courseid' => 'int', 'itemname' => 'text', 'itemtype' => 'text',
            'itemmodule' => 'text', 'iteminstance' => 'int', 'itemidnumber' => 'text', 'gradetype' => 'int',
            'grademin' => 'decimal', 'grademax' => 'decimal', 'gradepass' => 'decimal', 'scaleid' => 'int', 'scale' => 'text',
        ],
        change::COMPLETION => ['timecompleted' => 'time'],
    ];

    /** @var string[] name of the object that holds a record's custom fields, by kind. It is only sent if any are chosen. */
    const CUSTOM = [change::USER => 'profile', change::COURSE => 'customfields'];

    /** @var string[] name of the list of what a person belongs to, by kind. It is only sent if the settings say so. */
    const NAMES = [change::USER => 'cohorts', change::ENROLMENT => 'groups'];
    /** @var int names in one list; the backend accepts no more */
    const MOST_NAMES = 500;

    /** @var int custom fields of one record; the backend accepts no more */
    const CUSTOM_FIELDS = 250;
    /** @var int longest value of a custom field, in bytes: as much as Zoho's longest text has characters */
    const CUSTOM_BYTES = 32000;

    /** @var string[][] event types by kind and by what happened */
    const TYPES = [
        change::USER => ['created' => 'user_created', 'updated' => 'user_updated', 'deleted' => 'user_deleted'],
        change::COURSE => ['created' => 'course_created', 'updated' => 'course_updated', 'deleted' => 'course_deleted'],
        change::ENROLMENT => ['created' => 'user_enrolled', 'updated' => 'enrolment_updated', 'deleted' => 'enrolment_deleted'],
        change::GRADE => ['created' => 'grade_updated', 'updated' => 'grade_updated', 'deleted' => 'grade_deleted'],
        change::COMPLETION => [
            'created' => 'course_completed', 'updated' => 'course_completed', 'deleted' => 'completion_deleted',
        ],
    ];

    /** @var int latest time in the contract: the end of the year 9999, in Unix seconds */
    const TIME_MAX = 253402300799;
    /** @var int decimal places of Moodle's grades */
    const DECIMALS = 5;

    /** @var int longest text to send, in bytes. The backend accepts 1 MiB; feedback with pasted pictures may be longer. */
    const TEXT_BYTES = 1000000;

    /**
     * The ids of a record. A deletion sends nothing else.
     *
     * @param change $change
     * @return int[] by name in the contract
     */
    public static function ids(change $change): array {
        $data = [];
        foreach (self::IDS[$change->kind] as $name => $property) {
            $data[$name] = $change->$property;
        }
        return $data;
    }

    /**
     * The state of a record, without excluded fields.
     *
     * @param change $change
     * @param array $row from the source
     * @param string[] $excluded names of fields
     * @return array by name in the contract
     */
    public static function state(change $change, array $row, array $excluded): array {
        $data = self::ids($change);
        foreach (self::FIELDS[$change->kind] as $name => $type) {
            if (!in_array($name, $excluded, true)) {
                $data[$name] = isset($row[$name]) ? self::value($type, $row[$name]) : null;
            }
        }
        $custom = self::CUSTOM[$change->kind] ?? null;
        if ($custom !== null && isset($row[$custom])) {
            $data[$custom] = self::custom($row[$custom]);
        }
        $names = self::NAMES[$change->kind] ?? null;
        if ($names !== null && isset($row[$names])) {
            $data[$names] = array_slice($row[$names], 0, self::MOST_NAMES);
        }
        return $data;
    }

    /**
     * Custom fields within the bounds of the contract. What does not fit any more is left out.
     *
     * @param string[] $texts by short name
     * @return \stdClass an object in JSON even if it is empty
     */
    private static function custom(array $texts): \stdClass {
        $custom = [];
        $room = self::TEXT_BYTES;
        foreach ($texts as $name => $text) {
            $text = self::clip($text, self::CUSTOM_BYTES);
            $room -= strlen((string)$name) + strlen($text);
            if ($room >= 0) {
                $custom[$name] = $text;
            }
        }
        return (object)$custom;
    }

    /**
     * Converts a value to its type in the contract. Moodle's database layer returns every number as a string.
     *
     * @param string $type as in FIELDS
     * @param mixed $value
     * @return mixed
     */
    private static function value(string $type, $value) {
        switch ($type) {
            case 'int':
                return (int)$value;
            case 'bool':
                return (bool)$value;
            case 'time':
                // A typing error in one date must not stop the record.
                return $value >= 0 && $value <= self::TIME_MAX ? (int)$value : null;
            case 'text':
                return self::clip((string)$value, self::TEXT_BYTES);
            case 'decimal':
                // Decimals stay strings: a float would lose digits. Where a database's driver makes floats of them, the digits
                // must depend neither on the language nor on serialize_precision.
                return is_float($value) ? number_format($value, self::DECIMALS, '.', '') : $value;
            default:
                return $value;
        }
    }

    /**
     * Truncates a text, never within a character.
     *
     * @param string $text
     * @param int $bytes
     * @return string
     */
    private static function clip(string $text, int $bytes): string {
        if (strlen($text) <= $bytes) {
            return $text;
        }
        // Drops the last character, which may be incomplete and so invalid UTF-8.
        return preg_replace('/[\xC0-\xFF][\x80-\xBF]*$/D', '', substr($text, 0, $bytes));
    }
}
