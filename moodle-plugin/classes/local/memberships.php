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
 * What people belong to: the cohorts of a person, and the groups of an enrolled person in the course.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class memberships {
    /** @var string[][] by kind: columns for record and name; tables, ending with the column to compare with the ids */
    const TABLES = [
        change::USER => ['m.userid', 'c.name', '{cohort_members} m JOIN {cohort} c ON c.id = m.cohortid WHERE m.userid'],
        change::ENROLMENT => ['ue.id', 'g.name', '{user_enrolments} ue
             JOIN {enrol} e ON e.id = ue.enrolid
             JOIN {groups_members} m ON m.userid = ue.userid
             JOIN {groups} g ON g.id = m.groupid AND g.courseid = e.courseid
            WHERE ue.id'],
    ];

    /**
     * The names of what records belong to, with one statement.
     *
     * @param string $kind
     * @param int[] $ids
     * @param names $names
     * @return string[][] by record, each sorted
     */
    public static function of(string $kind, array $ids, names $names): array {
        global $DB;
        $found = array_fill_keys($ids, []);
        if ($ids) {
            [$record, $name, $from] = self::TABLES[$kind];
            [$in, $params] = $DB->get_in_or_equal($ids);
            $rows = $DB->get_recordset_sql("SELECT $record AS recordid, $name AS name FROM $from $in", $params);
            foreach ($rows as $row) {
                $found[$row->recordid][] = $names->resolve($row->name);
            }
            $rows->close();
        }
        return array_map(function ($list) {
            // By bytes: the order of the database depends on its language.
            $list = array_unique($list);
            sort($list, SORT_STRING);
            return $list;
        }, $found);
    }
}
