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

namespace local_backend_sync;

use core\event\base;
use local_backend_sync\local\config;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\fanout;
use local_backend_sync\local\immediate;
use local_backend_sync\local\outbox;

/**
 * Records each change in the outbox, within the transaction that makes it. It reads nothing and makes no request, so that the
 * page stays fast.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class observer {
    /**
     * A user was created, updated or deleted, or logged in.
     *
     * @param base $event
     */
    public static function user(base $event): void {
        $kind = $event->crud === 'd' ? fanout::PERSON : change::USER;
        self::enqueue($kind, change::USER, $event, ['userid' => $event->objectid]);
    }

    /**
     * A course was created, updated or deleted.
     *
     * @param base $event
     */
    public static function course(base $event): void {
        $kind = $event->crud === 'd' ? fanout::CONTENTS : change::COURSE;
        self::enqueue($kind, change::COURSE, $event, ['courseid' => $event->objectid]);
        if (isset($event->other['updatedfields']['showgrades'])) {
            self::enqueue(fanout::GRADES, change::GRADE, $event, ['courseid' => $event->objectid]);
        }
    }

    /**
     * A course was restored or reset. Moodle reports no events for its contents then.
     *
     * @param base $event
     */
    public static function contents(base $event): void {
        self::enqueue(fanout::CONTENTS, change::COURSE, $event, ['objectid' => $event->courseid, 'event' => 'updated']);
    }

    /**
     * A section of a course came or went. The weeks format then moves the end of the course, with no event.
     *
     * @param base $event
     */
    public static function section(base $event): void {
        self::enqueue(change::COURSE, change::COURSE, $event, ['objectid' => $event->courseid, 'event' => 'updated']);
    }

    /**
     * A course category changed.
     *
     * @param base $event
     */
    public static function category(base $event): void {
        self::enqueue(fanout::CATEGORY, change::COURSE, $event);
    }

    /**
     * A user was enrolled or unenrolled, or an enrolment changed.
     *
     * @param base $event
     */
    public static function enrolment(base $event): void {
        self::enqueue(change::ENROLMENT, change::ENROLMENT, $event, ['userid' => $event->relateduserid]);
    }

    /**
     * An enrolment method of a course was enabled, disabled or changed.
     *
     * @param base $event
     */
    public static function method(base $event): void {
        self::enqueue(fanout::METHOD, change::ENROLMENT, $event);
    }

    /**
     * A role was assigned or unassigned. Only roles in the course itself are sent.
     *
     * @param base $event
     */
    public static function role(base $event): void {
        if ($event->contextlevel == CONTEXT_COURSE) {
            self::enqueue(fanout::ROLES, change::ENROLMENT, $event, ['userid' => $event->relateduserid, 'event' => 'updated']);
        }
    }

    /**
     * Somebody came into a cohort or left it.
     *
     * @param base $event
     */
    public static function cohort_member(base $event): void {
        $columns = ['objectid' => $event->relateduserid, 'userid' => $event->relateduserid, 'courseid' => 0, 'event' => 'updated'];
        self::enqueue_names(change::USER, change::USER, $event, $columns);
    }

    /**
     * A cohort was renamed or deleted. Of a deleted one, nobody knows any more who was in it.
     *
     * @param base $event
     */
    public static function cohort(base $event): void {
        $isgone = $event->crud === 'd';
        $columns = ['objectid' => $isgone ? 0 : $event->objectid, 'courseid' => 0, 'event' => 'updated'];
        self::enqueue_names($isgone ? fanout::EVERY_USER : fanout::COHORT, change::USER, $event, $columns);
    }

    /**
     * Somebody came into a group of a course or left it.
     *
     * @param base $event
     */
    public static function group_member(base $event): void {
        $columns = ['objectid' => 0, 'userid' => $event->relateduserid, 'event' => 'updated'];
        self::enqueue_names(fanout::ROLES, change::ENROLMENT, $event, $columns);
    }

    /**
     * A group of a course was renamed or deleted, together with its members.
     *
     * @param base $event
     */
    public static function group(base $event): void {
        self::enqueue_names(fanout::GROUPS, change::ENROLMENT, $event, ['objectid' => 0, 'event' => 'updated']);
    }

    /**
     * A role was renamed, or anything else about it changed.
     *
     * @param base $event
     */
    public static function role_itself(base $event): void {
        self::enqueue(fanout::ROLE, change::ENROLMENT, $event);
    }

    /**
     * A grade was given, changed or deleted.
     *
     * @param base $event
     */
    public static function grade(base $event): void {
        $other = $event->other;
        self::enqueue(change::GRADE, change::GRADE, $event, ['userid' => $event->relateduserid, 'itemid' => $other['itemid'] ?? 0]);
    }

    /**
     * A grade item was created, changed or deleted, for example its name, its maximum or whether it is hidden.
     *
     * @param base $event
     */
    public static function item(base $event): void {
        self::enqueue(fanout::ITEM, change::GRADE, $event, ['event' => 'updated']);
    }

    /**
     * A scale changed.
     *
     * @param base $event
     */
    public static function scale(base $event): void {
        self::enqueue(fanout::SCALE, change::GRADE, $event);
    }

    /**
     * A user completed a course.
     *
     * @param base $event
     */
    public static function completion(base $event): void {
        self::enqueue(change::COMPLETION, change::COMPLETION, $event, ['userid' => $event->relateduserid]);
    }

    /**
     * The criteria of a course's completion changed, or an activity that may be one of them. Unlocking them deletes completions
     * with no event for each.
     *
     * @param base $event
     */
    public static function criteria(base $event): void {
        self::enqueue(fanout::COMPLETIONS, change::COMPLETION, $event, ['objectid' => $event->courseid, 'event' => 'updated']);
    }

    /**
     * Two accounts were merged: the records of one belong to the other now, and some are gone. An event of tool_mergeusers.
     *
     * @param base $event
     */
    public static function merge(base $event): void {
        $people = $event->other['usersinvolved'] ?? [];
        foreach (array_filter([(int)($people['fromid'] ?? 0), (int)($people['toid'] ?? 0)]) as $userid) {
            self::enqueue(fanout::MERGED, change::USER, $event, ['objectid' => $userid, 'userid' => $userid, 'courseid' => 0]);
        }
    }

    /**
     * A person must complete a course anew, so what they did there was reset. An event of local_recompletion.
     *
     * @param base $event
     */
    public static function reset(base $event): void {
        $columns = ['objectid' => $event->courseid, 'userid' => $event->relateduserid, 'event' => 'updated'];
        self::enqueue(fanout::RESET, change::COMPLETION, $event, $columns);
    }

    /**
     * The same as enqueue() for what only matters if the names of cohorts or groups are sent.
     *
     * @param string $kind
     * @param string $group
     * @param base $event
     * @param array $columns
     */
    private static function enqueue_names(string $kind, string $group, base $event, array $columns): void {
        if ((new config())->sends_names($group)) {
            self::enqueue($kind, $group, $event, $columns);
        }
    }

    /**
     * Adds the row to the outbox.
     *
     * @param string $kind of the row: one of change::KINDS or a cause of fanout
     * @param string $group kind of records that it is about, which the administrator may have switched off
     * @param base $event
     * @param array $columns values that differ from the event's own objectid, courseid and crud
     */
    private static function enqueue(string $kind, string $group, base $event, array $columns = []): void {
        global $CFG;
        try {
            $config = new config();
            if (!$config->is_sending() || !$config->sends($group)) {
                return;
            }
            $names = ['c' => 'created', 'd' => 'deleted'];
            outbox::add(
                $kind,
                (int)($columns['objectid'] ?? $event->objectid),
                $columns['event'] ?? $names[$event->crud] ?? 'updated',
                (int)($columns['userid'] ?? 0),
                (int)($columns['courseid'] ?? $event->courseid),
                (int)($columns['itemid'] ?? 0)
            );
            immediate::register();
        } catch (\Throwable $e) {
            // Never break the page. During an upgrade the tables may not exist yet, so an error says nothing then.
            if (empty($CFG->upgraderunning)) {
                debugging('local_backend_sync: ' . $e->getMessage(), DEBUG_DEVELOPER);
            }
        }
    }
}
