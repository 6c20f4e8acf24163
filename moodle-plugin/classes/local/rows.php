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

use local_backend_sync\local\delivery\change;

/**
 * Helpers for the three tables with kind and objectid.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class rows {
    /** @var int longest list in one SQL statement: databases are slow with lists of thousands */
    const LIST_SIZE = 1000;

    /**
     * Splits changes into groups that one SQL condition can select, and calls back for each.
     *
     * @param change[] $changes
     * @param callable $callback gets a condition on kind and objectid, its parameters, and the group's changes by objectid
     */
    public static function each_group(array $changes, callable $callback): void {
        global $DB;
        $kinds = [];
        foreach ($changes as $change) {
            $kinds[$change->kind][$change->objectid] = $change;
        }
        foreach ($kinds as $kind => $kindchanges) {
            foreach (array_chunk($kindchanges, self::LIST_SIZE, true) as $group) {
                [$in, $params] = $DB->get_in_or_equal(array_keys($group), SQL_PARAMS_NAMED, 'id');
                $callback("kind = :kind AND objectid $in", $params + ['kind' => $kind], $group);
            }
        }
    }

    /**
     * The columns that identify the record of a change.
     *
     * @param change $change
     * @return array
     */
    public static function columns(change $change): array {
        return [
            'kind' => $change->kind,
            'objectid' => $change->objectid,
            'userid' => $change->userid,
            'courseid' => $change->courseid,
            'itemid' => $change->itemid,
        ];
    }
}
