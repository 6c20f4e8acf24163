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
 * Changes that concern many records. The observer notes only the cause; here, in the sender, it becomes a row for each record, in
 * a few statements within the database.
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

    /** @var string[][] by cause, the records that exist and that it concerns: kind => what joins records::TABLES to the row o */
    const EXISTING = [
        self::PERSON => [],
        self::CONTENTS => [
            change::ENROLMENT => 'e.courseid = o.objectid',
            change::GRADE => 'i.courseid = o.objectid',
            change::COMPLETION => 't.course = o.objectid',
        ],
        self::ROLES => [change::ENROLMENT => 'e.courseid = o.courseid AND t.userid = o.userid'],
        self::METHOD => [change::ENROLMENT => 'e.id = o.objectid'],
        self::ITEM => [change::GRADE => 'i.id = o.objectid'],
        self::SCALE => [change::GRADE => 'i.scaleid = o.objectid'],
        self::CATEGORY => [change::COURSE => 't.category = o.objectid'],
    ];

    /** @var string[][] causes that are a change of a record, too: kind of that, and what joins to it what the backend holds of it */
    const OWNERS = [
        self::PERSON => [change::USER, "s.userid = o.objectid AND s.kind <> 'user'"],
        self::CONTENTS => [change::COURSE, "s.courseid = o.objectid AND s.kind <> 'course'"],
    ];

    /**
     * Whether a row of the outbox is of this sort.
     *
     * @param \stdClass $row
     * @return bool
     */
    public static function is_fanout(\stdClass $row): bool {
        return isset(self::EXISTING[$row->kind]);
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
            foreach (self::selections($cause) as [$columns, $tables]) {
                $DB->execute("
                    INSERT INTO {" . outbox::TABLE . "} (kind, objectid, userid, courseid, itemid, event, timecreated, timedue)
                    SELECT DISTINCT $columns, o.timecreated, 0 FROM $tables AND o.id $in", $params);
            }
            $DB->delete_records_list(outbox::TABLE, 'id', $ids);
            $transaction->allow_commit();
        }
    }

    /**
     * What becomes of a cause.
     *
     * @param string $cause
     * @return string[][] columns from kind to event, and tables
     */
    private static function selections(string $cause): array {
        $selections = [];
        foreach (self::EXISTING[$cause] as $kind => $join) {
            [$columns, $from, $where] = records::TABLES[$kind];
            $selections[] = ["'$kind', $columns, 'updated'", "$from JOIN {" . outbox::TABLE . "} o ON $join WHERE $where"];
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
