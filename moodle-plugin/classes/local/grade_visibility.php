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
 * What students see of their grades, by Moodle's own functions: as in the user report, the report that students open.
 *
 * A grade is not shown if it is hidden itself, or its item, or a category that contains it, or the course does not show its
 * gradebook. A total that contains something hidden is not shown, or without the hidden part, or as it is: the course's setting
 * "Hide totals if they contain hidden items" decides. Not considered: the availability of activities, capabilities, and which rows
 * and columns the report has.
 *
 * The number of statements depends on the number of courses with something hidden, not on the number of grades.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class grade_visibility {
    /** @var string course setting of the gradebook: what to do with totals that contain something hidden */
    const TOTALS = 'report_user_showtotalsifcontainhidden';
    /** @var string course setting of the gradebook: whose bounds apply, the item's or the grade's */
    const BOUNDS = 'minmaxtouse';
    /** @var string condition for items whose grades are made from others': categories, courses, and calculated items */
    const TOTAL_ITEMS = "(i.itemtype IN ('category', 'course') OR i.calculation IS NOT NULL)";
    /** @var string what Moodle needs of a grade, without its feedback, which may be long */
    const GRADE = 'g.id, g.itemid, g.userid, g.rawgrade, g.rawgrademax, g.rawgrademin, g.rawscaleid, g.usermodified, g.finalgrade,
        g.hidden, g.locked, g.locktime, g.exported, g.overridden, g.excluded, g.timecreated, g.timemodified, g.aggregationstatus,
        g.aggregationweight';
    /** @var int decimals of grades in Moodle's tables */
    const DECIMALS = 5;

    /** @var int Unix seconds */
    private $now;
    /** @var string[][] settings of courses that differ from the site's: by name, by course */
    private $settings = [];
    /** @var int[][] hidden categories: value by category, by course */
    private $categories = [];
    /** @var int[][] hidden items: value by item, by course */
    private $items = [];
    /** @var int[][] hidden grades: values, by course and user */
    private $grades = [];

    /**
     * Constructor.
     *
     * @param int $now Unix seconds
     */
    public function __construct(int $now) {
        global $CFG;
        require_once($CFG->libdir . '/gradelib.php');
        $this->now = $now;
    }

    /**
     * What students see now.
     *
     * @param array[] $states grades with their items, by id, as records reads them
     * @return array[] by id: shown (bool); finalgrade, grademin and grademax as shown; bounds: the latter two as they are without
     *     hiding; until: when all this may change, Unix seconds, 0 if unknown
     */
    public function of(array $states): array {
        $courses = array_values(array_unique(array_column($states, 'courseid')));
        $this->load_settings($courses);
        $this->categories = $this->hidden('grade_categories', $courses);
        $seen = [];
        $totals = [];
        foreach ($states as $id => $state) {
            $seen[$id] = $this->of_grade($state);
            if ($seen[$id]['shown'] && $state['istotal'] && !$this->shows_real_totals($state['courseid'])) {
                $totals[$state['courseid']][$state['userid']][$id] = $state['itemid'];
            }
        }
        return $totals ? $this->of_totals($totals, $seen) : $seen;
    }

    /**
     * The settings that decide about many grades at once.
     *
     * @param int[] $courses
     */
    private function load_settings(array $courses): void {
        global $DB;
        $this->settings = [self::TOTALS => [], self::BOUNDS => []];
        [$names, $nameparams] = $DB->get_in_or_equal(array_keys($this->settings));
        foreach (array_chunk($courses, rows::LIST_SIZE) as $chunk) {
            [$in, $params] = $DB->get_in_or_equal($chunk);
            $rows = $DB->get_records_select('grade_settings', "name $names AND courseid $in", array_merge($nameparams, $params));
            foreach ($rows as $row) {
                $this->settings[$row->name][$row->courseid] = (int)$row->value;
            }
        }
    }

    /**
     * Whether students see totals with everything in them.
     *
     * @param int $course
     * @return bool
     */
    private function shows_real_totals(int $course): bool {
        return $this->totals_setting($course) === GRADE_REPORT_SHOW_REAL_TOTAL_IF_CONTAINS_HIDDEN;
    }

    /**
     * What a course does with totals that contain something hidden.
     *
     * @param int $course
     * @return int a constant GRADE_REPORT_…_IF_CONTAINS_HIDDEN
     */
    private function totals_setting(int $course): int {
        global $CFG;
        return $this->settings[self::TOTALS][$course] ?? (int)($CFG->grade_report_user_showtotalsifcontainhidden ?? 0);
    }

    /**
     * What is hidden now of the items or categories of courses.
     *
     * @param string $table
     * @param int[] $courses
     * @return int[][] 1 or the time until which it is hidden, by id, by course
     */
    private function hidden(string $table, array $courses): array {
        global $DB;
        $hidden = [];
        foreach (array_chunk($courses, rows::LIST_SIZE) as $chunk) {
            [$in, $params] = $DB->get_in_or_equal($chunk);
            $params[] = $this->now;
            $where = "courseid $in AND (hidden = 1 OR hidden > ?)";
            foreach ($DB->get_records_select($table, $where, $params, '', 'id, courseid, hidden') as $row) {
                $hidden[$row->courseid][$row->id] = (int)$row->hidden;
            }
        }
        return $hidden;
    }

    /**
     * What is seen of a grade, if nothing that it is made from is hidden.
     *
     * @param array $state
     * @return array see of()
     */
    private function of_grade(array $state): array {
        $values = [(int)$state['gradehidden'], (int)$state['itemhidden'], $state['showgrades'] ? 0 : 1];
        foreach ($this->categories[$state['courseid']] ?? [] as $category => $value) {
            if (strpos((string)$state['categorypath'], "/$category/") !== false) {
                $values[] = $value;
            }
        }
        $values = array_filter($values, function ($value) {
            return $value === 1 || $value > $this->now;
        });
        [$min, $max] = $this->has_own_bounds($state) ? ['rawgrademin', 'rawgrademax'] : ['grademin', 'grademax'];
        $bounds = ['grademin' => $state[$min], 'grademax' => $state[$max]];
        return $bounds + [
            'shown' => !$values,
            'finalgrade' => $state['finalgrade'],
            'bounds' => $bounds,
            'until' => $values && !in_array(1, $values, true) ? max($values) : 0,
        ];
    }

    /**
     * Whether a grade has bounds of its own, as a total has that contains only what has been graded.
     *
     * @param array $state
     * @return bool
     * @see \grade_grade::get_grade_min_and_max() which reads settings for each grade, and is protected
     */
    private function has_own_bounds(array $state): bool {
        global $CFG;
        $frozen = 'gradebook_calculations_freeze_' . $state['courseid'];
        $isfrozen = isset($CFG->$frozen) && (int)$CFG->$frozen <= 20150627;
        $isaggregate = in_array($state['itemtype'], ['category', 'course'], true);
        $setting = $this->settings[self::BOUNDS][$state['courseid']] ?? (int)$CFG->grade_minmaxtouse;
        return $setting === GRADE_MIN_MAX_FROM_GRADE_GRADE || ($isaggregate && ($isfrozen || !$state['iscalculated']));
    }

    /**
     * Corrects what is seen of totals that contain something hidden.
     *
     * @param int[][][] $totals item by grade, by user, by course
     * @param array[] $seen see of()
     * @return array[]
     */
    private function of_totals(array $totals, array $seen): array {
        $this->items = $this->hidden('grade_items', array_keys($totals));
        $this->load_hidden_grades($totals);
        foreach ($totals as $course => $users) {
            $hidden = $this->items[$course] ?? [];
            $users = $hidden ? $users : array_intersect_key($users, $this->grades[$course] ?? []);
            if (!$users) {
                continue;
            }
            foreach ($this->affected($course, array_keys($users)) as $user => $affected) {
                $times = array_filter(array_merge($hidden, $this->grades[$course][$user] ?? []), function ($value) {
                    return $value > 1;
                });
                foreach ($users[$user] as $id => $item) {
                    $seen[$id] = ['until' => $times ? min($times) : 0]
                        + $this->of_total($item, $affected, $this->totals_setting($course), $seen[$id]);
                }
            }
        }
        return $seen;
    }

    /**
     * Finds the hidden grades of users in courses.
     *
     * @param array[] $totals by course, by user
     */
    private function load_hidden_grades(array $totals): void {
        global $DB;
        $this->grades = [];
        [$where, $params] = self::condition($totals, 'g');
        $rows = $DB->get_recordset_sql("
            SELECT g.id, i.courseid, g.userid, g.hidden
              FROM {grade_grades} g
              JOIN {grade_items} i ON i.id = g.itemid
             WHERE $where AND (g.hidden = 1 OR g.hidden > ?)", array_merge($params, [$this->now]));
        foreach ($rows as $row) {
            $this->grades[$row->courseid][$row->userid][] = (int)$row->hidden;
        }
        $rows->close();
    }

    /**
     * A condition for grades of users in courses, and perhaps of the same users in others of these courses.
     *
     * @param array[] $pairs by course, by user
     * @param string $grades alias of the table of grades
     * @return array SQL, parameters
     */
    private static function condition(array $pairs, string $grades): array {
        global $DB;
        [$courses, $params] = $DB->get_in_or_equal(array_keys($pairs));
        [$users, $more] = $DB->get_in_or_equal(array_keys(array_replace(...array_values($pairs))));
        return ["i.courseid $courses AND $grades.userid $users", array_merge($params, $more)];
    }

    /**
     * What Moodle finds to be affected by hiding.
     *
     * @param int $course
     * @param int[] $users
     * @return \Generator of the answers of grade_grade::get_hiding_affected(), by user
     */
    private function affected(int $course, array $users): \Generator {
        global $DB;
        $items = $this->prepared(\grade_item::fetch_all(['courseid' => $course]) ?: []);
        foreach (array_chunk($users, rows::LIST_SIZE) as $chunk) {
            [$in, $params] = $DB->get_in_or_equal($chunk);
            $sql = 'SELECT ' . self::GRADE . " FROM {grade_grades} g JOIN {grade_items} i ON i.id = g.itemid
                     WHERE i.courseid = ? AND g.userid $in ORDER BY g.userid";
            $rows = $DB->get_recordset_sql($sql, array_merge([$course], $params));
            $grades = [];
            $user = null;
            foreach ($rows as $row) {
                if ($user !== null && $user !== (int)$row->userid) {
                    yield $user => $this->affected_of_user($user, $grades, $items);
                    $grades = [];
                }
                $user = (int)$row->userid;
                $grades[$row->itemid] = new \grade_grade($row, false);
            }
            $rows->close();
            if ($user !== null) {
                yield $user => $this->affected_of_user($user, $grades, $items);
            }
        }
    }

    /**
     * Has items read what they need of the database, and remember it for all their copies. A column that is new since they were
     * read is left to its own event: Moodle calculates with all items or none.
     *
     * @param \grade_item[] $items of a course
     * @return \grade_item[] the same
     */
    private function prepared(array $items): array {
        foreach ($items as $item) {
            $item->dependson_cache = array_values(array_intersect($item->depends_on(), array_keys($items)));
            $item->load_item_category();
        }
        return $items;
    }

    /**
     * What Moodle finds to be affected by hiding in the grades of one user.
     *
     * @param int $user
     * @param \grade_grade[] $grades by item
     * @param \grade_item[] $items of the course
     * @return array see grade_grade::get_hiding_affected()
     */
    private function affected_of_user(int $user, array $grades, array $items): array {
        // Moodle changes the items.
        $copies = array_map(function ($item) {
            return clone $item;
        }, $items);
        $grades = array_intersect_key($grades, $items);
        foreach ($copies as $id => $item) {
            $grades[$id] = $grades[$id] ?? new \grade_grade(['userid' => $user, 'itemid' => $id], false);
            $grades[$id]->grade_item = $item;
        }
        return \grade_grade::get_hiding_affected($grades, $copies);
    }

    /**
     * What is seen of a total, or of a calculated grade.
     *
     * @param int $item
     * @param array $affected see grade_grade::get_hiding_affected()
     * @param int $setting see totals_setting()
     * @param array $seen see of(), if nothing were hidden
     * @return array see of()
     * @see \grade_report::blank_hidden_total_and_adjust_bounds() which is protected, and reads everything anew for each grade
     */
    private function of_total(int $item, array $affected, int $setting, array $seen): array {
        $unknown = $affected['unknowngrades'] ?? $affected['unknown'];
        $isaltered = array_key_exists($item, $affected['altered']);
        if ($setting === GRADE_REPORT_HIDE_TOTAL_IF_CONTAINS_HIDDEN && ($isaltered || array_key_exists($item, $unknown))) {
            $seen['finalgrade'] = null;
            return $seen;
        }
        if ($isaltered) {
            $seen['finalgrade'] = self::decimal($affected['altered'][$item]);
        }
        foreach (['grademin', 'grademax'] as $bound) {
            if (isset($affected["altered$bound"][$item])) {
                $seen[$bound] = self::decimal($affected["altered$bound"][$item]);
            }
        }
        return $seen;
    }

    /**
     * A number that Moodle has calculated, as its database returns numbers.
     *
     * @param float|string|null $value
     * @return string|null
     */
    private static function decimal($value): ?string {
        return $value === null ? null : number_format((float)$value, self::DECIMALS, '.', '');
    }

    /**
     * The totals that contain grades. They may look different to students when a grade changes, although Moodle reports no event
     * for them: it only compares what is stored.
     *
     * @param array[] $pairs by course, by user
     * @return \stdClass[] by id: kind, objectid, userid, courseid, itemid
     */
    public static function totals_of(array $pairs): array {
        global $DB;
        [$columns, $from, $where] = records::TABLES[change::GRADE];
        [$objectid, $userid, $courseid, $itemid] = explode(', ', $columns);
        [$condition, $params] = self::condition($pairs, 't');
        $rows = $DB->get_recordset_sql("
            SELECT $objectid AS objectid, $userid AS userid, $courseid AS courseid, $itemid AS itemid
              FROM $from
             WHERE $condition AND $where AND " . self::TOTAL_ITEMS, $params);
        $totals = [];
        foreach ($rows as $row) {
            if (isset($pairs[$row->courseid][$row->userid])) {
                $row->kind = change::GRADE;
                $totals[$row->objectid] = $row;
            }
        }
        $rows->close();
        return $totals;
    }
}
