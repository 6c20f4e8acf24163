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
use local_backend_sync\local\delivery\memory;

/**
 * Finds changes of settings that decide what students see of many grades. Moodle fires no event for them.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class grade_settings {
    /** @var string key in the memory: the settings as of the last call */
    const STATE = 'gradesettings';

    /**
     * Enqueues the grades that the settings changed since the last call affect.
     *
     * @param memory $memory
     * @param bool $sendhidden hidden grades are sent
     */
    public static function enqueue_changes(memory $memory, bool $sendhidden): void {
        global $CFG;
        $settings = [
            'site' => [
                'sendhidden' => $sendhidden,
                grade_visibility::TOTALS => (int)($CFG->grade_report_user_showtotalsifcontainhidden ?? 0),
                grade_visibility::BOUNDS => (int)($CFG->grade_minmaxtouse ?? 0),
            ],
            'courses' => self::courses(),
        ];
        $last = $memory->get(self::STATE);
        if ($last === $settings || (($last['site'] ?? null) !== $settings['site'] && !self::enqueue_all($memory))) {
            return;
        }
        $old = $last['courses'] ?? [];
        $new = $settings['courses'];
        $changed = $last ? array_diff_assoc($old, $new) + array_diff_assoc($new, $old) : [];
        foreach (array_keys($changed) as $course) {
            outbox::add(fanout::GRADES, 0, 'updated', 0, $course);
        }
        $memory->set(self::STATE, $settings);
    }

    /**
     * The settings of courses.
     *
     * @return string[] by course
     */
    private static function courses(): array {
        global $DB;
        [$in, $params] = $DB->get_in_or_equal([grade_visibility::TOTALS, grade_visibility::BOUNDS]);
        $courses = [];
        $rows = primary::read(function () use ($DB, $in, $params) {
            return $DB->get_records_select('grade_settings', "name $in", $params, 'courseid, name', 'id, courseid, name, value');
        });
        foreach ($rows as $row) {
            $courses[$row->courseid] = ($courses[$row->courseid] ?? '') . "$row->name=$row->value;";
        }
        return $courses;
    }

    /**
     * Has all grades compared with what the backend holds.
     *
     * @param memory $memory
     * @return bool false if that has to wait
     */
    private static function enqueue_all(memory $memory): bool {
        global $DB;
        $held = "kind = '" . change::GRADE . "' AND (hash IS NULL OR hash <> 'deleted')";
        $isnews = primary::read(function () use ($DB, $held) {
            return $DB->record_exists_select(ledger::SENT, $held);
        });
        if (!$isnews) {
            return true;
        }
        $backfill = $memory->get(backfill::STATE);
        if (!$backfill) {
            // What was there before the plugin has never been sent, and is not now.
            $DB->execute("
                INSERT INTO {" . outbox::TABLE . "} (kind, objectid, userid, courseid, itemid, event, timecreated, timedue)
                SELECT kind, objectid, userid, courseid, itemid, 'updated', " . time() . ", 0
                  FROM {" . ledger::SENT . "}
                 WHERE $held");
            return true;
        }
        if ($backfill['status'] === backfill::PAUSED || $memory->get(backfill::REQUEST)) {
            return false; // An administrator's decision comes first.
        }
        backfill::request($memory, backfill::RUNNING, true);
        return true;
    }
}
