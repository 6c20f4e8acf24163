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
 * One record of Moodle that is to be sent: all that happened to it since it was sent last, as one change.
 *
 * Nothing in this namespace knows Moodle or its database: the interfaces queue, store, source, memory and http stand between.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class change {
    /** @var string a person, from the table user */
    const USER = 'user';
    /** @var string a course */
    const COURSE = 'course';
    /** @var string an enrolment, from the table user_enrolments */
    const ENROLMENT = 'enrolment';
    /** @var string a grade, from the table grade_grades */
    const GRADE = 'grade';
    /** @var string the completion of a course, from the table course_completions */
    const COMPLETION = 'completion';

    /** @var string[] all kinds of records, in an order in which nothing comes before what it belongs to */
    const KINDS = [self::USER, self::COURSE, self::ENROLMENT, self::GRADE, self::COMPLETION];

    /** @var string one of KINDS */
    public $kind;
    /** @var int id of the record in its table */
    public $objectid;
    /** @var int id of the person it is about, 0 if none or not known */
    public $userid = 0;
    /** @var int id of its course, 0 if none or not known */
    public $courseid = 0;
    /** @var int id of a grade's item, 0 if none or not known */
    public $itemid = 0;
    /** @var bool the record is new */
    public $created = false;
    /** @var bool the record is gone */
    public $deleted = false;
    /** @var bool send it even if the backend is known to hold this very state */
    public $force = false;
    /** @var int[] ids of the rows of the outbox that it consists of */
    public $rowids = [];
    /** @var int when the newest of them was written, in Unix seconds */
    public $time = 0;

    /**
     * Constructor.
     *
     * @param string $kind one of KINDS
     * @param int $objectid id of the record in its table
     */
    public function __construct(string $kind, int $objectid) {
        $this->kind = $kind;
        $this->objectid = $objectid;
    }

    /**
     * What tells this record from all others.
     *
     * @return string
     */
    public function key(): string {
        return $this->kind . ':' . $this->objectid;
    }

    /**
     * created, updated or deleted.
     *
     * @return string
     */
    public function event(): string {
        return $this->deleted ? 'deleted' : ($this->created ? 'created' : 'updated');
    }

    /**
     * A change of one row of a table that has kind, objectid, userid, courseid, itemid.
     *
     * @param \stdClass $row
     * @return self
     */
    public static function from_row(\stdClass $row): self {
        $change = new self($row->kind, (int)$row->objectid);
        $change->userid = (int)$row->userid;
        $change->courseid = (int)$row->courseid;
        $change->itemid = (int)$row->itemid;
        return $change;
    }

    /**
     * Makes one change of all rows that concern the same record.
     *
     * @param \stdClass[] $rows rows of the outbox, oldest first
     * @return self[] by key(), in the order in which the records changed first
     */
    public static function coalesce(array $rows): array {
        $changes = [];
        foreach ($rows as $row) {
            $new = self::from_row($row);
            $change = $changes[$new->key()] ?? $new;
            // An older row may know what a newer one does not.
            $change->userid = $new->userid ?: $change->userid;
            $change->courseid = $new->courseid ?: $change->courseid;
            $change->itemid = $new->itemid ?: $change->itemid;
            $change->created = $change->created || $row->event === 'created';
            $change->deleted = $row->event === 'deleted';
            $change->rowids[] = (int)$row->id;
            $change->time = max($change->time, (int)$row->timecreated);
            $changes[$change->key()] = $change;
        }
        return $changes;
    }
}
