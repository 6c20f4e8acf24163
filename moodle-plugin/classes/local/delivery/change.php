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
 * One Moodle record to send: everything that happened to it since the last time, coalesced into one change.
 *
 * This namespace does not depend on Moodle, so it can be tested without one. Its interfaces queue, store, source, memory and
 * http are implemented in the parent namespace.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class change {
    /** @var string an account, from the table user */
    const USER = 'user';
    /** @var string a course, from the table course */
    const COURSE = 'course';
    /** @var string an enrolment, from the table user_enrolments */
    const ENROLMENT = 'enrolment';
    /** @var string a grade, from the table grade_grades */
    const GRADE = 'grade';
    /** @var string the completion of a course, from the table course_completions */
    const COMPLETION = 'completion';

    /** @var string[] all kinds of records; each comes after the kinds that it refers to */
    const KINDS = [self::USER, self::COURSE, self::ENROLMENT, self::GRADE, self::COMPLETION];

    /** @var string one of KINDS */
    public $kind;
    /** @var int id of the record in its table */
    public $objectid;
    /** @var int the user whom the record is about; 0 if none or unknown */
    public $userid = 0;
    /** @var int 0 if none or unknown */
    public $courseid = 0;
    /** @var int grade item of a grade; 0 if none or unknown */
    public $itemid = 0;
    /** @var bool the record is new */
    public $created = false;
    /** @var bool the record was deleted */
    public $deleted = false;
    /** @var bool send it even if the backend already holds this state */
    public $force = false;
    /** @var int[] ids of the outbox rows that were coalesced; empty in a backfill */
    public $rowids = [];
    /** @var int when the newest of these rows was written, in Unix seconds */
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
     * Identifies the record among all kinds.
     *
     * @return string
     */
    public function key(): string {
        return $this->kind . ':' . $this->objectid;
    }

    /**
     * What happened to the record: created, updated or deleted.
     *
     * @return string
     */
    public function event(): string {
        return $this->deleted ? 'deleted' : ($this->created ? 'created' : 'updated');
    }

    /**
     * Makes a change from a row with kind, objectid, userid, courseid and itemid.
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
     * Coalesces all rows about the same record into one change.
     *
     * @param \stdClass[] $rows of the outbox, oldest first
     * @return self[] by key(), in the order of each record's first row
     */
    public static function coalesce(array $rows): array {
        $changes = [];
        foreach ($rows as $row) {
            $new = self::from_row($row);
            $change = $changes[$new->key()] ?? $new;
            // An older row may have an id that a newer one lacks.
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
