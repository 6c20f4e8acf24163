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

use local_backend_sync\local\delivery\memory;

/**
 * The sender's memory, in a table of its own. It caches what it reads: see reload().
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class database_memory implements memory {
    /** @var string name of the table */
    const TABLE = 'local_backend_sync_state';

    /** @var string[]|null JSON by name, as in the table; null before the first read */
    private $values = null;

    /**
     * Reads a value.
     *
     * @param string $name
     * @return array|null
     */
    public function get(string $name): ?array {
        global $DB;
        if ($this->values === null) {
            $this->values = primary::read(function () use ($DB) {
                return $DB->get_records_menu(self::TABLE, null, '', 'name, value');
            });
        }
        return isset($this->values[$name]) ? json_decode($this->values[$name], true) : null;
    }

    /**
     * Writes a value, unless it is the same.
     *
     * @param string $name
     * @param array|null $value null to delete it
     */
    public function set(string $name, ?array $value): void {
        global $DB;
        if ($this->get($name) === $value) {
            return;
        }
        $json = json_encode($value);
        if ($value === null) {
            $DB->delete_records(self::TABLE, ['name' => $name]);
            unset($this->values[$name]);
            return;
        }
        if (isset($this->values[$name])) {
            $DB->set_field(self::TABLE, 'value', $json, ['name' => $name]);
        } else {
            $DB->insert_record(self::TABLE, (object)['name' => $name, 'value' => $json]);
        }
        $this->values[$name] = $json;
    }

    /**
     * Deletes a value, unless another process has written a new one since it was read.
     *
     * @param string $name
     */
    public function forget(string $name): void {
        global $DB;
        if ($this->get($name) !== null) {
            $where = 'name = ? AND ' . $DB->sql_compare_text('value', 255) . ' = ' . $DB->sql_compare_text('?', 255);
            $DB->delete_records_select(self::TABLE, $where, [$name, $this->values[$name]]);
            $this->reload();
        }
    }

    /**
     * Drops the cache, because another process may have written since.
     */
    public function reload(): void {
        $this->values = null;
    }
}
