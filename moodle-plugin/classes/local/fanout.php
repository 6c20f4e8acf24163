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
 * Changes that concern many records. The observer notes only the cause; here, in the sender, it becomes a row for each record, by
 * one statement within the database.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class fanout {
    /** @var string a person is gone (objectid: user), and with them what the backend holds of them */
    const PERSON = 'person';
    /** @var string a course was restored, reset or deleted (objectid: course): Moodle does not report what became of its contents */
    const CONTENTS = 'contents';
    /** @var string a person's roles in a course changed (userid, courseid) */
    const ROLES = 'roles';
    /** @var string an enrolment method of a course changed (objectid: enrol) */
    const METHOD = 'method';
    /** @var string a grade item changed (objectid: grade item): all its grades mean something else now */
    const ITEM = 'item';
    /** @var string a scale changed (objectid: scale) */
    const SCALE = 'scale';
    /** @var string a course category changed (objectid: category) */
    const CATEGORY = 'category';

    /** @var string[][] by cause, the selections of the records that it concerns: kind => rest of the statement, below */
    const SELECTIONS = [
        self::PERSON => ['user' => 'itself', '*' => 'known_person'],
        self::CONTENTS => [
            'course' => 'itself', 'enrolment' => 'course_enrolments', 'grade' => 'course_grades',
            'completion' => 'course_completions', '*' => 'known_contents',
        ],
        self::ROLES => ['enrolment' => 'role_enrolments'],
        self::METHOD => ['enrolment' => 'method_enrolments'],
        self::ITEM => ['grade' => 'item_grades'],
        self::SCALE => ['grade' => 'scale_grades'],
        self::CATEGORY => ['course' => 'category_courses'],
    ];

    /** @var string[] selections: objectid, userid, courseid, itemid, event, and the tables to join to the rows o of the outbox */
    const SQL = [
        'itself' => ["o.objectid, o.userid, o.courseid, 0, o.event", ""],
        'known_person' => ["s.objectid, s.userid, s.courseid, s.itemid, 'updated'",
            "JOIN {local_backend_sync_sent} s ON s.userid = o.objectid AND s.kind <> 'user'
               AND (s.hash IS NULL OR s.hash <> 'deleted')"],
        'known_contents' => ["s.objectid, s.userid, s.courseid, s.itemid, 'updated'",
            "JOIN {local_backend_sync_sent} s ON s.courseid = o.objectid AND s.kind <> 'course'
               AND (s.hash IS NULL OR s.hash <> 'deleted')"],
        'course_enrolments' => ["ue.id, ue.userid, e.courseid, 0, 'updated'",
            "JOIN {enrol} e ON e.courseid = o.objectid JOIN {user_enrolments} ue ON ue.enrolid = e.id"],
        'course_grades' => ["g.id, g.userid, i.courseid, g.itemid, 'updated'",
            "JOIN {grade_items} i ON i.courseid = o.objectid JOIN {grade_grades} g ON g.itemid = i.id
               AND (g.finalgrade IS NOT NULL OR g.feedback IS NOT NULL)"],
        'course_completions' => ["c.id, c.userid, c.course, 0, 'updated'",
            "JOIN {course_completions} c ON c.course = o.objectid AND c.timecompleted IS NOT NULL"],
        'role_enrolments' => ["ue.id, ue.userid, e.courseid, 0, 'updated'",
            "JOIN {enrol} e ON e.courseid = o.courseid JOIN {user_enrolments} ue ON ue.enrolid = e.id AND ue.userid = o.userid"],
        'method_enrolments' => ["ue.id, ue.userid, e.courseid, 0, 'updated'",
            "JOIN {enrol} e ON e.id = o.objectid JOIN {user_enrolments} ue ON ue.enrolid = e.id"],
        'item_grades' => ["g.id, g.userid, i.courseid, g.itemid, 'updated'",
            "JOIN {grade_items} i ON i.id = o.objectid JOIN {grade_grades} g ON g.itemid = i.id
               AND (g.finalgrade IS NOT NULL OR g.feedback IS NOT NULL)"],
        'scale_grades' => ["g.id, g.userid, i.courseid, g.itemid, 'updated'",
            "JOIN {grade_items} i ON i.scaleid = o.objectid JOIN {grade_grades} g ON g.itemid = i.id AND g.finalgrade IS NOT NULL"],
        'category_courses' => ["c.id, 0, c.id, 0, 'updated'", "JOIN {course} c ON c.category = o.objectid"],
    ];

    /**
     * Whether a row of the outbox is of this sort.
     *
     * @param \stdClass $row
     * @return bool
     */
    public static function is_fanout(\stdClass $row): bool {
        return isset(self::SELECTIONS[$row->kind]);
    }

    /**
     * Replaces rows by rows of the records that they concern.
     *
     * @param \stdClass[] $rows of the outbox
     */
    public static function expand(array $rows): void {
        global $DB;
        $causes = [];
        foreach ($rows as $row) {
            $causes[$row->kind][] = $row->id;
        }
        foreach ($causes as $cause => $ids) {
            $transaction = $DB->start_delegated_transaction();
            [$in, $params] = $DB->get_in_or_equal($ids);
            foreach (self::SELECTIONS[$cause] as $kind => $selection) {
                $DB->execute(self::sql($kind, $selection) . " WHERE o.id $in", $params);
            }
            $DB->delete_records_list(outbox::TABLE, 'id', $ids);
            $transaction->allow_commit();
        }
    }

    /**
     * The statement of a selection.
     *
     * @param string $kind kind of the new rows; * for that of what the backend is known to hold
     * @param string $selection
     * @return string
     */
    private static function sql(string $kind, string $selection): string {
        [$columns, $join] = self::SQL[$selection];
        $kind = $kind === '*' ? 's.kind' : "'$kind'";
        return "INSERT INTO {" . outbox::TABLE . "} (kind, objectid, userid, courseid, itemid, event, timecreated, timedue)
                SELECT DISTINCT $kind, $columns, o.timecreated, 0
                  FROM {" . outbox::TABLE . "} o $join";
    }
}
