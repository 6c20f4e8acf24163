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
use local_backend_sync\local\delivery\payload;
use local_backend_sync\local\delivery\source;

/**
 * Reads the present state of records from Moodle's tables, with one statement for each kind (and another one for roles).
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class records implements source {
    /** @var string[][] by kind: columns for objectid, userid, courseid, itemid; tables; which rows are records to send */
    const TABLES = [
        change::USER => ['t.id, t.id, 0, 0', '{user} t', 't.deleted = 0'],
        change::COURSE => ['t.id, 0, t.id, 0', '{course} t', 't.category > 0'],
        change::ENROLMENT => ['t.id, t.userid, e.courseid, 0', '{user_enrolments} t JOIN {enrol} e ON e.id = t.enrolid', '1 = 1'],
        change::GRADE => ['t.id, t.userid, i.courseid, t.itemid', '{grade_grades} t JOIN {grade_items} i ON i.id = t.itemid',
            '(t.finalgrade IS NOT NULL OR t.feedback IS NOT NULL)'],
        change::COMPLETION => ['t.id, t.userid, t.course, 0', '{course_completions} t', 't.timecompleted IS NOT NULL'],
    ];

    /** @var string[] class of a kind's custom fields */
    const CUSTOM = [change::USER => profile_fields::class, change::COURSE => course_fields::class];

    /** @var string reason to withhold: the guest account */
    const GUEST = 'user';
    /** @var string reason to withhold: an account whose email address is not confirmed */
    const UNCONFIRMED = 'unconfirmed';
    /** @var string reason to withhold: a grade of an activity on the front page, which is no course that is sent */
    const FRONT_PAGE = 'frontpage';
    /** @var int backup::STATUS_FINISHED_ERR: from this status on, Moodle's restore has ended */
    const RESTORE_ENDED = 900;

    /** @var bool hidden grades are sent */
    private $sendhidden;
    /** @var names */
    private $names;
    /** @var custom_fields[] by kind */
    private $custom;
    /** @var bool[] names of what people belong to are sent, by kind */
    private $sendsnames = [];
    /** @var int time of the read, Unix seconds */
    private $now;

    /**
     * Constructor.
     *
     * @param bool $sendhidden
     * @param names|null $names null for the language of the settings
     */
    public function __construct(bool $sendhidden, ?names $names = null) {
        global $CFG;
        // For constants.
        require_once($CFG->libdir . '/enrollib.php');
        require_once($CFG->libdir . '/grade/constants.php');
        $this->sendhidden = $sendhidden;
        $config = new config();
        $this->names = $names ?? new names($config->language());
        foreach (self::CUSTOM as $kind => $class) {
            $this->custom[$kind] = new $class($config->custom_fields($kind), $this->names);
        }
        foreach (array_keys(payload::NAMES) as $kind) {
            $this->sendsnames[$kind] = $config->sends_names($kind);
        }
        $this->now = time();
    }

    /**
     * Reads all records of one kind.
     *
     * @param string $kind
     * @param int[] $ids
     * @return array[] by id
     */
    public function states(string $kind, array $ids): array {
        $this->now = time();
        return primary::read(function () use ($kind, $ids) {
            $states = [];
            foreach (array_chunk($ids, rows::LIST_SIZE) as $chunk) {
                $states += $this->$kind($chunk);
            }
            return $states;
        });
    }

    /**
     * The sizes of records that may be long: grades, because of their feedback and their scales, and custom fields.
     *
     * @param string $kind
     * @param int[] $ids
     * @return int[] characters by id
     */
    public function sizes(string $kind, array $ids): array {
        global $DB;
        if (isset($this->custom[$kind])) {
            return primary::read(function () use ($kind, $ids) {
                $sizes = [];
                foreach (array_chunk($ids, rows::LIST_SIZE) as $chunk) {
                    $sizes += $this->custom[$kind]->sizes($chunk);
                }
                return array_map('intval', $sizes);
            });
        }
        if ($kind !== change::GRADE) {
            return [];
        }
        $feedback = $DB->sql_length('g.feedback');
        $scale = $DB->sql_length('s.scale');
        return primary::read(function () use ($ids, $feedback, $scale, $DB) {
            $sizes = [];
            foreach (array_chunk($ids, rows::LIST_SIZE) as $chunk) {
                [$in, $params] = $DB->get_in_or_equal($chunk);
                $sizes += $DB->get_records_sql_menu("
                    SELECT g.id, COALESCE($feedback, 0) + COALESCE($scale, 0)
                      FROM {grade_grades} g
                      JOIN {grade_items} i ON i.id = g.itemid
                 LEFT JOIN {scale} s ON s.id = i.scaleid
                     WHERE g.id $in", $params);
            }
            return array_map(function ($size) {
                return min((int)$size, payload::TEXT_BYTES);
            }, $sizes);
        });
    }

    /**
     * Reads users. Moodle keeps the rows of deleted users, so it skips them; it withholds the guest, who is not a person, and
     * accounts whose owner has not confirmed the email address: anybody may sign up with anybody's.
     *
     * @param int[] $ids
     * @return array[]
     */
    private function user(array $ids): array {
        global $CFG;
        $columns = implode(', ', array_keys(payload::FIELDS[change::USER]));
        $states = $this->read("SELECT id AS recordid, $columns FROM {user} WHERE deleted = 0 AND id", $ids);
        foreach ($states as $id => $state) {
            $reason = $id == $CFG->siteguest ? self::GUEST : ($state['confirmed'] ? null : self::UNCONFIRMED);
            $states[$id] = ['userid' => $id, 'withheld' => $reason !== null, 'reason' => $reason] + $state;
        }
        return $this->with_chosen(change::USER, $states);
    }

    /**
     * Adds what is only sent if an administrator has chosen it.
     *
     * @param string $kind
     * @param array[] $states by id
     * @return array[]
     */
    private function with_chosen(string $kind, array $states): array {
        if (isset($this->custom[$kind]) && $this->custom[$kind]->is_used()) {
            foreach ($this->custom[$kind]->values(array_keys($states)) as $id => $values) {
                $states[$id][payload::CUSTOM[$kind]] = $values;
            }
        }
        if (!empty($this->sendsnames[$kind])) {
            foreach (memberships::of($kind, array_keys($states), $this->names) as $id => $names) {
                $states[$id][payload::NAMES[$kind]] = $names;
            }
        }
        return $states;
    }

    /**
     * Reads courses. It withholds the front page, which Moodle stores as a course. A course that Moodle is still copying or
     * restoring has a preliminary name and is not reported until it is complete.
     *
     * @param int[] $ids
     * @return array[]
     */
    private function course(array $ids): array {
        $states = $this->read("
            SELECT c.id AS recordid, c.id AS courseid, c.fullname, c.shortname, c.idnumber, c.category AS categoryid,
                   cc.name AS categoryname, cc.path AS categorypath, c.format, c.visible, c.startdate, c.enddate, c.timecreated,
                   c.timemodified
              FROM {course} c
         LEFT JOIN {course_categories} cc ON cc.id = c.category
             WHERE c.id", $ids);
        $unfinished = $this->courses_in_progress(array_keys($states));
        $categories = $this->categories(array_column($states, 'categorypath'));
        foreach ($states as $id => $state) {
            foreach (['fullname', 'shortname', 'categoryname'] as $name) {
                $states[$id][$name] = $this->names->resolve($state[$name]);
            }
            $states[$id]['categories'] = array_values(array_intersect_key(
                $categories,
                array_flip(explode('/', trim((string)$state['categorypath'], '/')))
            ));
            $states[$id]['withheld'] = $id == SITEID;
            $states[$id]['unfinished'] = isset($unfinished[$id]);
        }
        return $this->with_chosen(change::COURSE, $states);
    }

    /**
     * The categories in some paths.
     *
     * @param array $paths as in /1/5/7; null for none
     * @return array[] id and name by id, those above others first
     */
    private function categories(array $paths): array {
        global $DB;
        $ids = array_unique(array_filter(explode('/', implode('/', $paths))));
        $categories = [];
        foreach (array_chunk($ids, rows::LIST_SIZE) as $chunk) {
            [$in, $params] = $DB->get_in_or_equal($chunk);
            $categories += $DB->get_records_select('course_categories', "id $in", $params, '', 'id, name, depth');
        }
        uasort($categories, function ($left, $right) {
            return $left->depth <=> $right->depth;
        });
        return array_map(function ($category) {
            return ['id' => (int)$category->id, 'name' => $this->names->resolve($category->name)];
        }, $categories);
    }

    /**
     * Which of these courses a copy or a restore is still writing.
     *
     * @param int[] $ids
     * @return array by id
     */
    private function courses_in_progress(array $ids): array {
        global $DB;
        if (!$ids) {
            return [];
        }
        [$in, $params] = $DB->get_in_or_equal($ids);
        // Moodle makes the course and, within the same page, what controls its restore; only later does that get a type. What
        // restores into an older course is none of our business.
        return array_flip($DB->get_fieldset_sql("
            SELECT c.id
              FROM {course} c
              JOIN {backup_controllers} b ON b.itemid = c.id AND b.type IN ('', 'course')
             WHERE c.id $in AND b.operation = 'restore' AND b.status < " . self::RESTORE_ENDED . "
               AND b.timecreated BETWEEN c.timecreated AND c.timecreated + " . MINSECS, $params));
    }

    /**
     * Reads enrolments with the present roles of the user in the course.
     *
     * @param int[] $ids
     * @return array[]
     */
    private function enrolment(array $ids): array {
        global $DB;
        $states = $this->read("
            SELECT ue.id AS recordid, ue.userid, e.courseid, e.enrol, e.status AS method, ue.status, ue.timestart, ue.timeend,
                   ue.timecreated, ue.timemodified
              FROM {user_enrolments} ue
              JOIN {enrol} e ON e.id = ue.enrolid
             WHERE ue.id", $ids);
        foreach ($states as $id => $state) {
            $states[$id]['enabled'] = $state['method'] == ENROL_INSTANCE_ENABLED;
            $states[$id]['roles'] = [];
        }
        [$in, $params] = $DB->get_in_or_equal($ids);
        $roles = $DB->get_recordset_sql("
            SELECT DISTINCT ue.id, r.shortname, r.archetype
              FROM {user_enrolments} ue
              JOIN {enrol} e ON e.id = ue.enrolid
              JOIN {context} ctx ON ctx.contextlevel = " . CONTEXT_COURSE . " AND ctx.instanceid = e.courseid
              JOIN {role_assignments} ra ON ra.contextid = ctx.id AND ra.userid = ue.userid
              JOIN {role} r ON r.id = ra.roleid
             WHERE ue.id $in
          ORDER BY ue.id, r.shortname", $params);
        foreach ($roles as $role) {
            // An enrolment made between the two statements is not in $states yet; its own outbox row will bring it.
            if (isset($states[$role->id])) {
                $states[$role->id]['roles'][] = ['shortname' => $role->shortname, 'archetype' => $role->archetype];
            }
        }
        $roles->close();
        return $this->with_chosen(change::ENROLMENT, $states);
    }

    /**
     * Reads grades with their items.
     *
     * @param int[] $ids
     * @return array[]
     */
    private function grade(array $ids): array {
        global $DB;
        $feedback = $DB->sql_substr('g.feedback', 1, payload::TEXT_BYTES + 1);
        $states = $this->read("
            SELECT g.id AS recordid, g.userid, g.itemid, g.finalgrade, $feedback AS feedback, g.usermodified AS grader,
                   g.hidden AS gradehidden, g.timecreated, g.timemodified, i.courseid, i.itemname, i.itemtype, i.itemmodule,
                   i.iteminstance, i.idnumber AS itemidnumber, i.gradetype, i.grademin, i.grademax, i.gradepass, i.scaleid,
                   i.hidden AS itemhidden, own.fullname AS gradecategory, COALESCE(own.path, parent.path) AS categorypath,
                   g.rawgrademin, g.rawgrademax, COALESCE(c.showgrades, 1) AS showgrades,
                   CASE WHEN i.calculation IS NULL THEN 0 ELSE 1 END AS iscalculated,
                   CASE WHEN " . grade_visibility::TOTAL_ITEMS . " THEN 1 ELSE 0 END AS istotal,
                   s.scale
              FROM {grade_grades} g
              JOIN {grade_items} i ON i.id = g.itemid
         LEFT JOIN {course} c ON c.id = i.courseid
         LEFT JOIN {grade_categories} parent ON parent.id = i.categoryid
         LEFT JOIN {grade_categories} own ON own.id = i.iteminstance AND i.itemtype IN ('category', 'course')
         LEFT JOIN {scale} s ON s.id = i.scaleid
             WHERE g.id", $ids);
        $seen = (new grade_visibility($this->now))->of($states);
        foreach ($states as $id => $state) {
            $state = $this->seen($state, $seen[$id]) + $state;
            // A category's total usually has no name of its own.
            $iscategory = $state['itemtype'] === 'category' && (string)$state['itemname'] === '';
            $state['itemname'] = $this->names->resolve($iscategory ? $state['gradecategory'] : $state['itemname']);
            $states[$id] = ['gradetext' => $this->grade_text($state)] + $state;
            $states[$id]['scale'] = $this->names->resolve($state['scale']);
            if ($state['courseid'] == SITEID) {
                $states[$id] = ['withheld' => true, 'reason' => self::FRONT_PAGE, 'until' => 0] + $states[$id];
            }
        }
        return $states;
    }

    /**
     * Replaces what students do not see, unless hidden grades are sent.
     *
     * @param array $state
     * @param array $seen see grade_visibility::of()
     * @return array hidden, withheld, until, and perhaps finalgrade, grademin and grademax
     */
    private function seen(array $state, array $seen): array {
        $isreal = ($seen['finalgrade'] === null) === ($state['finalgrade'] === null)
            && (float)$seen['finalgrade'] === (float)$state['finalgrade'];
        if ($this->sendhidden) {
            return ['hidden' => !$seen['shown'] || !$isreal, 'withheld' => false, 'until' => $seen['until']] + $seen['bounds'];
        }
        $isblank = !$isreal && $seen['finalgrade'] === null && (string)$state['feedback'] === '';
        return [
            'hidden' => !$seen['shown'] || $isblank,
            'withheld' => !$seen['shown'] || $isblank,
            // Moodle reports no event at that time, so the sender must schedule it.
            'until' => $seen['until'],
            'finalgrade' => $seen['finalgrade'],
            'grademin' => $seen['grademin'],
            'grademax' => $seen['grademax'],
        ];
    }

    /**
     * The grade in words, if its item uses a scale.
     *
     * @param array $state
     * @return string|null
     */
    private function grade_text(array $state): ?string {
        if ($state['gradetype'] != GRADE_TYPE_SCALE || $state['finalgrade'] === null || $state['scale'] === null) {
            return null;
        }
        $entries = explode(',', $state['scale']);
        $entry = max(1, min(count($entries), (int)round((float)$state['finalgrade'])));
        return $this->names->resolve(trim($entries[$entry - 1]));
    }

    /**
     * Reads course completions. Moodle also keeps rows for courses that are not completed; those have no time.
     *
     * @param int[] $ids
     * @return array[]
     */
    private function completion(array $ids): array {
        return $this->read("
            SELECT c.id AS recordid, c.userid, c.course AS courseid, c.timecompleted
              FROM {course_completions} c
             WHERE c.timecompleted IS NOT NULL AND c.id", $ids);
    }

    /**
     * Reads rows by id.
     *
     * @param string $sql ends with the column to compare with the ids; selects the id as its first column
     * @param int[] $ids
     * @return array[] by id
     */
    private function read(string $sql, array $ids): array {
        global $DB;
        [$in, $params] = $DB->get_in_or_equal($ids);
        return array_map(function ($row) {
            return (array)$row;
        }, $DB->get_records_sql("$sql $in", $params));
    }
}
