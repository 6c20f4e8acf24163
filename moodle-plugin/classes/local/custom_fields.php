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

use local_backend_sync\local\delivery\payload;

/**
 * The custom fields of one kind of record, as far as an administrator has chosen them: nothing of them leaves the site before.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
abstract class custom_fields {
    /** @var string[] short names */
    private $chosen;
    /** @var names */
    protected $names;
    /** @var \stdClass[]|null the chosen fields by id, in the order of their short names; null until they are read */
    private $fields;

    /**
     * Constructor.
     *
     * @param string[] $chosen short names
     * @param names $names
     */
    public function __construct(array $chosen, names $names) {
        $this->chosen = $chosen;
        $this->names = $names;
    }

    /**
     * All fields that Moodle has.
     *
     * @return \stdClass[] by id: id, shortname, name, and whatever makes a text of a value
     */
    abstract public static function all(): array;

    /**
     * The text of a value; empty for no value. It must not depend on who runs PHP.
     *
     * @param \stdClass $field
     * @param string $value as stored
     * @return string
     */
    abstract protected function text(\stdClass $field, string $value): string;

    /**
     * The value that Moodle shows where none is stored.
     *
     * @param \stdClass $field
     * @return string as stored
     */
    abstract protected function default_value(\stdClass $field): string;

    /**
     * The tables of stored values, with a condition on the ids of fields and records.
     *
     * @param string $fields SQL
     * @param string $records SQL
     * @return string[] columns for record, field and value; tables and condition
     */
    abstract protected function stored(string $fields, string $records): array;

    /**
     * The fields that exist and are chosen.
     *
     * @return \stdClass[] by id
     */
    private function fields(): array {
        if ($this->fields === null) {
            $this->fields = [];
            if ($this->chosen) {
                $this->fields = array_filter(static::all(), function ($field) {
                    return in_array($field->shortname, $this->chosen, true);
                });
                // The order of short names, so that sorting fields in Moodle changes no record.
                uasort($this->fields, function ($left, $right) {
                    return strcmp($left->shortname, $right->shortname);
                });
                $this->fields = array_slice($this->fields, 0, payload::CUSTOM_FIELDS, true);
            }
        }
        return $this->fields;
    }

    /**
     * Whether any field is chosen. If not, records have no custom fields at all.
     *
     * @return bool
     */
    public function is_used(): bool {
        return (bool)$this->chosen;
    }

    /**
     * What the fields are: another signature means that every record may have changed.
     *
     * @return string
     */
    public function signature(): string {
        $fields = array_map(function ($field) {
            return array_diff_key((array)$field, ['name' => 0]);
        }, array_values($this->fields()));
        return $this->chosen ? hash('sha256', json_encode($fields)) : '';
    }

    /**
     * The values of records, with one statement.
     *
     * @param int[] $ids
     * @return string[][] texts by record and short name; fields without a value are absent
     */
    public function values(array $ids): array {
        global $DB;
        $defaults = [];
        foreach ($this->fields() as $field) {
            $defaults[$field->shortname] = $this->text($field, $this->default_value($field));
        }
        $values = array_fill_keys($ids, $defaults);
        if ($defaults && $ids) {
            [[$record, $field, $value], $from, $params] = $this->selection($ids);
            $value = $DB->sql_substr($value, 1, payload::CUSTOM_BYTES + 1);
            $rows = $DB->get_recordset_sql("SELECT $record AS recordid, $field AS fieldid, $value AS value FROM $from", $params);
            foreach ($rows as $row) {
                $field = $this->fields()[$row->fieldid];
                $values[$row->recordid][$field->shortname] = $this->text($field, (string)$row->value);
            }
            $rows->close();
        }
        return array_map(function ($texts) {
            return array_filter($texts, 'strlen');
        }, $values);
    }

    /**
     * The sizes of the values of records, with one statement.
     *
     * @param int[] $ids
     * @return int[] characters by record
     */
    public function sizes(array $ids): array {
        global $DB;
        if (!$this->fields() || !$ids) {
            return [];
        }
        [[$record, , $value], $from, $params] = $this->selection($ids);
        $length = $DB->sql_length($value);
        return $DB->get_records_sql_menu("SELECT $record AS recordid, SUM($length) AS size FROM $from GROUP BY $record", $params);
    }

    /**
     * Selects the stored values of records.
     *
     * @param int[] $ids
     * @return array columns; tables and condition; parameters
     */
    private function selection(array $ids): array {
        global $DB;
        [$fields, $params] = $DB->get_in_or_equal(array_keys($this->fields()));
        [$records, $more] = $DB->get_in_or_equal($ids);
        [$columns, $from] = $this->stored($fields, $records);
        return [$columns, $from, array_merge($params, $more)];
    }

    /**
     * A date, in the time zone of the site: the plugin does not know who entered it.
     *
     * @param int $time Unix seconds
     * @return string empty for no date
     */
    protected static function date(int $time): string {
        return $time ? (new \DateTime("@$time"))->setTimezone(\core_date::get_server_timezone_object())->format('Y-m-d') : '';
    }

    /**
     * A moment.
     *
     * @param int $time Unix seconds
     * @return string empty for none
     */
    protected static function moment(int $time): string {
        return $time ? gmdate('Y-m-d\TH:i:s\Z', $time) : '';
    }
}
