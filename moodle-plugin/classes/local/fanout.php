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
 * Changes that affect many records. The observer records only the cause, so that the page stays fast; the sender expands it here
 * to one row for each record, with a few statements within the database.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class fanout {
    /** @var string a user was deleted (objectid: user), and so were their other records */
    const PERSON = 'person';
    /** @var string a course was restored, reset or deleted (objectid: course); Moodle reports no events for its contents */
    const CONTENTS = 'contents';
    /** @var string a user's roles in a course changed (userid, courseid) */
    const ROLES = 'roles';
    /** @var string an enrolment method of a course changed (objectid: enrol) */
    const METHOD = 'method';
    /** @var string a grade item changed (objectid: grade item, courseid), and with it the meaning of its grades and of all totals */
    const ITEM = 'item';
    /** @var string what students of a course see of their grades changed (courseid) */
    const GRADES = 'grades';
    /** @var string a scale changed (objectid: scale) */
    const SCALE = 'scale';
    /** @var string a course category changed (objectid: category) */
    const CATEGORY = 'category';

    /** @var string[][] by cause, the existing records that it affects: join of records::TABLES with the outbox row o, by kind */
    const EXISTING = [
        self::PERSON => [],
        self::CONTENTS => [
            change::ENROLMENT => 'e.courseid = o.objectid',
            change::GRADE => 'i.courseid = o.objectid',
            change::COMPLETION => 't.course = o.objectid',
        ],
        self::ROLES => [change::ENROLMENT => 'e.courseid = o.courseid AND t.userid = o.userid'],
        self::METHOD => [change::ENROLMENT => 'e.id = o.objectid'],
        self::ITEM => [change::GRADE => 'i.courseid = o.courseid AND (i.id = o.objectid OR ' . grade_visibility::TOTAL_ITEMS . ')'],
        self::GRADES => [change::GRADE => 'i.courseid = o.courseid'],
        self::SCALE => [change::GRADE => 'i.scaleid = o.objectid'],
        self::CATEGORY => [change::COURSE => 't.category = o.objectid'],
    ];

    /** @var string[][] causes that also change a record themselves: its kind, and the join with what the backend holds below it */
    const OWNERS = [
        self::PERSON => [change::USER, "s.userid = o.objectid AND s.kind <> 'user'"],
        self::CONTENTS => [change::COURSE, "s.courseid = o.objectid AND s.kind <> 'course'"],
    ];

    /**
     * Whether an outbox row must be expanded.
     *
     * @param \stdClass $row
     * @return bool
     */
    public static function is_fanout(\stdClass $row): bool {
        return isset(self::EXISTING[$row->kind]);
    }

    /**
     * Replaces each row by rows for the records that it affects.
     *
     * @param \stdClass[] $rows of the outbox
     */
    public static function expand(array $rows): void {
        global $DB;
        $causes = [];
        foreach ($rows as $row) {
            // The newest of the same rows is enough.
            $causes[$row->kind]["$row->objectid $row->userid $row->courseid $row->event"] = $row->id;
        }
        $transaction = $DB->start_delegated_transaction();
        foreach ($causes as $cause => $ids) {
            [$in, $params] = $DB->get_in_or_equal($ids);
            foreach (self::selections($cause) as [$columns, $tables]) {
                $DB->execute("
                    INSERT INTO {" . outbox::TABLE . "} (kind, objectid, userid, courseid, itemid, event, timecreated, timedue)
                    SELECT DISTINCT $columns, o.timecreated, 0 FROM $tables AND o.id $in", $params);
            }
        }
        $DB->delete_records_list(outbox::TABLE, 'id', array_keys($rows));
        $transaction->allow_commit();
    }

    /**
     * The queries that expand a cause.
     *
     * @param string $cause
     * @return string[][] columns from kind to event; tables with a condition
     */
    private static function selections(string $cause): array {
        $selections = [];
        foreach (self::EXISTING[$cause] as $kind => $join) {
            [$columns, $from, $where] = records::TABLES[$kind];
            $selections[] = ["'$kind', $columns, 'updated'", "$from JOIN {" . outbox::TABLE . "} o ON $join WHERE $where AND "
                . outbox::not_waiting($kind, 't.id')];
        }
        if (isset(self::OWNERS[$cause])) {
            [$kind, $join] = self::OWNERS[$cause];
            $selections[] = ["'$kind', o.objectid, o.userid, o.courseid, 0, o.event", "{" . outbox::TABLE . "} o WHERE 1 = 1"];
            $selections[] = ["s.kind, s.objectid, s.userid, s.courseid, s.itemid, 'updated'",
                "{" . ledger::SENT . "} s JOIN {" . outbox::TABLE . "} o ON $join WHERE (s.hash IS NULL OR s.hash <> 'deleted')"];
        }
        return $selections;
    }
}
