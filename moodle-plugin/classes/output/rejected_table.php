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

namespace local_backend_sync\output;

use local_backend_sync\local\ledger;
use local_backend_sync\local\reasons;

/**
 * The table of rejected changes on the status page.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class rejected_table implements \renderable, \templatable {
    /** @var int rows per page */
    const PER_PAGE = 50;
    /** @var int longest name to show, in characters */
    const NAME_LENGTH = 60;

    /** @var int rows in the table */
    private $total;
    /** @var int from 0 */
    private $page;

    /**
     * Constructor.
     *
     * @param int $total rows in the table
     * @param int $page from 0
     */
    public function __construct(int $total, int $page) {
        $this->total = $total;
        // The page may no longer exist, after its rows were retried or discarded.
        $this->page = max(0, min($page, (int)ceil($total / self::PER_PAGE) - 1));
    }

    /**
     * Data for the template.
     *
     * @param \renderer_base $output
     * @return array
     */
    public function export_for_template(\renderer_base $output) {
        global $DB;
        $from = $this->page * self::PER_PAGE;
        $rows = $DB->get_records(ledger::REJECTED, null, 'timecreated DESC, id DESC', '*', $from, self::PER_PAGE);
        $users = self::user_names(array_column($rows, 'userid'));
        $courses = self::course_names(array_column($rows, 'courseid'));
        $url = new \moodle_url('/local/backend_sync/status.php');
        return [
            'any' => $this->total > 0,
            'total' => number_format($this->total),
            'rows' => array_map(function ($row) use ($users, $courses, $output) {
                $row = $this->row($row, $users, $courses);
                $label = get_string('select') . ' ' . $row['what'];
                return $row + ['select' => self::checkbox($output, false, 'ids[]', $row['id'], $label)];
            }, array_values($rows)),
            'selectall' => self::checkbox($output, true, 'all', 0, get_string('selectall')),
            'paging' => $output->paging_bar($this->total, $this->page, self::PER_PAGE, $url),
        ];
    }

    /**
     * One row.
     *
     * @param \stdClass $row
     * @param string[] $users names by id
     * @param string[] $courses names by id
     * @return array
     */
    private function row(\stdClass $row, array $users, array $courses): array {
        return [
            'id' => (int)$row->id,
            'what' => get_string('kind_' . $row->kind, 'local_backend_sync') . ' ' . $row->objectid,
            'user' => self::link($row->userid, $users, get_string('user'), '/user/profile.php'),
            'course' => self::link($row->courseid, $courses, get_string('course'), '/course/view.php'),
            'event' => get_string('event_' . $row->event, 'local_backend_sync'),
            'reason' => reasons::of_rejection($row->code, (string)$row->detail),
            'code' => $row->code,
            'time' => userdate($row->timecreated, get_string('strftimedatetimeshort', 'langconfig')),
        ];
    }

    /**
     * A checkbox for one row or for all, as this version of Moodle renders it.
     *
     * @param \renderer_base $output
     * @param bool $isforall
     * @param string $name
     * @param int $value id of the row, 0 for all
     * @param string $label
     * @return string HTML
     */
    private static function checkbox(\renderer_base $output, bool $isforall, string $name, int $value, string $label): string {
        return $output->render(new \core\output\checkbox_toggleall('rejected', $isforall, [
            'id' => "local_backend_sync-select$value",
            'name' => $name,
            'value' => $value,
            'label' => $label,
            'labelclasses' => 'accesshide',
        ]));
    }

    /**
     * A link to a user or a course.
     *
     * @param int $id
     * @param string[] $names by id, of those that exist; empty if the viewer may not see the name
     * @param string $word
     * @param string $path
     * @return array|null name, and url (empty if deleted); null if the change is about none
     */
    private static function link(int $id, array $names, string $word, string $path): ?array {
        if (!$id) {
            return null;
        }
        $name = \core_text::substr($names[$id] ?? '', 0, self::NAME_LENGTH);
        return [
            'name' => $name !== '' ? $name : $word . ' ' . $id,
            'url' => array_key_exists($id, $names) ? (new \moodle_url($path, ['id' => $id]))->out(false) : '',
        ];
    }

    /**
     * Names of users.
     *
     * @param int[] $ids
     * @return string[] by id, of those that exist; empty if the viewer may not see them
     */
    private static function user_names(array $ids): array {
        global $DB;
        $maysee = has_capability('moodle/user:viewdetails', \context_system::instance());
        $fields = 'id, deleted ' . \core_user\fields::for_name()->get_sql()->selects;
        $names = [];
        foreach ($DB->get_records_list('user', 'id', array_unique($ids), '', $fields) as $user) {
            if (!$user->deleted) {
                $names[$user->id] = $maysee ? fullname($user) : '';
            }
        }
        return $names;
    }

    /**
     * Names of courses.
     *
     * @param int[] $ids
     * @return string[] by id, of those that exist; empty if the viewer may not see them
     */
    private static function course_names(array $ids): array {
        global $DB;
        $context = \context_system::instance();
        $maysee = has_all_capabilities(['moodle/course:view', 'moodle/course:viewhiddencourses'], $context);
        $names = [];
        foreach ($DB->get_records_list('course', 'id', array_unique($ids), '', 'id, fullname') as $course) {
            $names[$course->id] = $maysee ? format_string($course->fullname, true, ['context' => $context, 'escape' => false]) : '';
        }
        return $names;
    }
}
