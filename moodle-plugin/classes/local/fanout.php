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
    /** @var string a user's roles or groups in a course changed (userid, courseid) */
    const ROLES = 'roles';
    /** @var string an enrolment method of a course changed (objectid: enrol) */
    const METHOD = 'method';
    /** @var string a grade item changed (objectid: grade item, courseid), and with it the meaning of its grades and of totals */
    const ITEM = 'item';
    /** @var string what students of a course see of their grades changed (courseid) */
    const GRADES = 'grades';
    /** @var string a scale changed (objectid: scale) */
    const SCALE = 'scale';
    /** @var string a course category changed (objectid: category), and with it all courses below it */
    const CATEGORY = 'category';
    /** @var string a role was renamed (objectid: role) */
    const ROLE = 'role';
    /** @var string completions of a course may have been deleted (courseid) */
    const COMPLETIONS = 'completions';
    /** @var string the records of one person may belong to another one now (objectid: either of them) */
    const MERGED = 'merged';
    /** @var string what a person did in a course was reset (userid, courseid) */
    const RESET = 'reset';

    /** @var string a cohort was renamed (objectid: cohort) */
    const COHORT = 'cohort';
    /** @var string a group of a course was renamed or deleted (courseid) */
    const GROUPS = 'groups';
    /** @var string[] by kind: what is sent of its records, for example which custom fields, has changed */
    const EVERY = [
        change::USER => self::EVERY_USER, change::COURSE => self::EVERY_COURSE, change::ENROLMENT => self::EVERY_ENROLMENT,
    ];
    /** @var string see EVERY */
    const EVERY_USER = 'every_user';
    /** @var string see EVERY */
    const EVERY_COURSE = 'every_course';
    /** @var string see EVERY */
    const EVERY_ENROLMENT = 'every_enrol';

    /** @var string a condition for records of the kind that follows which the backend holds */
    const HELD_OF = "EXISTS (SELECT 1 FROM {" . ledger::SENT . "} s
         WHERE s.objectid = t.id AND (s.hash IS NULL OR s.hash <> 'deleted') AND s.kind = ";

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
        // Hiding a category hides the courses in those below it, too.
        self::CATEGORY => [
            change::COURSE => 'EXISTS (
                SELECT 1
                  FROM {course_categories} own
                  JOIN {course_categories} above ON own.id = above.id OR own.path LIKE %path%
                 WHERE own.id = t.category AND above.id = o.objectid)',
        ],
        self::ROLE => [
            change::ENROLMENT => 'EXISTS (
                SELECT 1
                  FROM {role_assignments} ra
                  JOIN {context} ctx ON ctx.id = ra.contextid AND ctx.contextlevel = ' . CONTEXT_COURSE . '
                 WHERE ra.roleid = o.objectid AND ra.userid = t.userid AND ctx.instanceid = e.courseid)',
        ],
        self::COMPLETIONS => [],
        self::MERGED => [
            change::USER => 't.id = o.objectid',
            change::ENROLMENT => 't.userid = o.objectid',
            change::GRADE => 't.userid = o.objectid',
            change::COMPLETION => 't.userid = o.objectid',
        ],
        self::RESET => [
            change::ENROLMENT => 'e.courseid = o.courseid AND t.userid = o.userid',
            change::GRADE => 'i.courseid = o.courseid AND t.userid = o.userid',
            change::COMPLETION => 't.course = o.courseid AND t.userid = o.userid',
        ],
        // What has never been sent is what the full synchronisation is for.
        self::EVERY_USER => [change::USER => self::HELD_OF . "'user')"],
        self::EVERY_COURSE => [change::COURSE => self::HELD_OF . "'course')"],
        self::EVERY_ENROLMENT => [change::ENROLMENT => self::HELD_OF . "'enrolment')"],
        self::COHORT => [
            change::USER => 'EXISTS (SELECT 1 FROM {cohort_members} m WHERE m.cohortid = o.objectid AND m.userid = t.id)',
        ],
        self::GROUPS => [change::ENROLMENT => 'e.courseid = o.courseid'],
    ];

    /** @var string[] by cause, the records that the backend may hold although they are gone: join of the ledger s with o */
    const HELD = [
        self::PERSON => "s.userid = o.objectid AND s.kind <> 'user'",
        self::CONTENTS => "s.courseid = o.objectid AND s.kind <> 'course'",
        self::COMPLETIONS => "s.courseid = o.courseid AND s.kind = 'completion'",
        self::MERGED => 's.userid = o.objectid',
        self::RESET => 's.courseid = o.courseid AND s.userid = o.userid',
    ];

    /** @var string[] causes that also change a record themselves, and its kind */
    const OWNERS = [self::PERSON => change::USER, self::CONTENTS => change::COURSE];

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
     * Whether a row that must be expanded is in the outbox.
     *
     * @return bool
     */
    public static function is_waiting(): bool {
        global $DB;
        [$causes, $params] = $DB->get_in_or_equal(array_keys(self::EXISTING));
        return $DB->record_exists_select(outbox::TABLE, "kind $causes", $params);
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
        global $DB;
        $outbox = '{' . outbox::TABLE . '}';
        $path = $DB->sql_concat('above.path', "'/%'");
        $selections = [];
        foreach (self::EXISTING[$cause] as $kind => $join) {
            [$columns, $from, $where] = records::TABLES[$kind];
            $join = str_replace('%path%', $path, $join);
            $selections[] = ["'$kind', $columns, 'updated'", "$from JOIN $outbox o ON $join WHERE $where AND "
                . outbox::not_waiting($kind, 't.id')];
        }
        if (isset(self::OWNERS[$cause])) {
            $kind = self::OWNERS[$cause];
            $selections[] = ["'$kind', o.objectid, o.userid, o.courseid, 0, o.event", "$outbox o WHERE 1 = 1"];
        }
        foreach (isset(self::HELD[$cause]) ? change::KINDS : [] as $kind) {
            $selections[] = ["s.kind, s.objectid, s.userid, s.courseid, s.itemid, 'updated'",
                ledger::gone($kind, "JOIN $outbox o ON " . self::HELD[$cause]) . " AND (s.hash IS NULL OR s.hash <> 'deleted')"];
        }
        return $selections;
    }
}
