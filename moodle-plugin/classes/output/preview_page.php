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

use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\event;
use local_backend_sync\local\preview;
use local_backend_sync\local\records;

/**
 * The page that shows what is sent about one person.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class preview_page implements \renderable, \templatable {
    /** @var string search text */
    private $search;
    /** @var \stdClass[] people found */
    private $people;
    /** @var int the person to show, 0 for none */
    private $userid;

    /**
     * Constructor.
     *
     * @param string $search
     * @param \stdClass[] $people from preview::people()
     * @param int $userid the person to show, 0 for none
     */
    public function __construct(string $search, array $people, int $userid) {
        $this->search = $search;
        $this->people = $people;
        $this->userid = $userid;
    }

    /**
     * Data for the template.
     *
     * @param \renderer_base $output
     * @return array
     */
    public function export_for_template(\renderer_base $output) {
        $person = $this->userid ? \core_user::get_user($this->userid) : false;
        $person = $person && !$person->deleted ? $person : null;
        $found = array_slice($this->people, 0, preview::PEOPLE);
        return [
            'url' => (new \moodle_url('/local/backend_sync/preview.php'))->out(false),
            'search' => $this->search,
            'nobody' => !$person && !$found && ($this->search !== '' || $this->userid),
            'people' => $person ? [] : array_map([$this, 'found'], array_values($found)),
            'morepeople' => !$person && count($this->people) > preview::PEOPLE ? preview::PEOPLE : 0,
            'person' => $person ? ['name' => fullname($person), 'username' => $person->username, 'id' => $person->id] : null,
            'kinds' => $person ? $this->kinds(new preview()) : [],
        ];
    }

    /**
     * A person in the search results.
     *
     * @param \stdClass $user
     * @return array
     */
    private function found(\stdClass $user): array {
        $params = ['search' => $this->search, 'userid' => $user->id];
        return [
            'name' => fullname($user),
            'username' => $user->username,
            'id' => $user->id,
            'url' => (new \moodle_url('/local/backend_sync/preview.php', $params))->out(false),
        ];
    }

    /**
     * The person's records, by kind.
     *
     * @param preview $preview
     * @return array[]
     */
    private function kinds(preview $preview): array {
        $kinds = [];
        foreach (preview::KINDS as $kind) {
            $total = $preview->count($kind, $this->userid);
            $records = $preview->sends($kind) ? $preview->records($kind, $this->userid) : [];
            $names = self::course_names(array_column($records, 'courseid'));
            $kinds[] = [
                'heading' => get_string($kind === change::USER ? 'preview_account' : 'kinds_' . $kind, 'local_backend_sync'),
                'total' => number_format($total),
                'off' => !$preview->sends($kind),
                'none' => $preview->sends($kind) && !$records,
                'cut' => count($records) < $total && $records ? number_format(count($records)) : null,
                'records' => array_map(function ($record) use ($kind, $names) {
                    return $this->record($kind, $record, $names[$record['courseid']] ?? '');
                }, $records),
            ];
        }
        return $kinds;
    }

    /**
     * A record.
     *
     * @param string $kind
     * @param array $record from preview::records()
     * @param string $course name of its course; may be empty
     * @return array
     */
    private function record(string $kind, array $record, string $course): array {
        $event = $record['event'];
        $colours = [
            preview::SENT => 'bg-success text-white',
            preview::UP_TO_DATE => 'bg-secondary text-dark',
        ];
        $outcome = $record['outcome'];
        return [
            'title' => implode(' · ', array_filter([get_string('kind_' . $kind, 'local_backend_sync'), $course, $record['name']])),
            'open' => $kind === change::USER,
            'outcome' => get_string('outcome_' . $outcome, 'local_backend_sync'),
            'badge' => $colours[$outcome] ?? 'bg-warning text-dark',
            'why' => self::why($outcome, $record['reason'] ?? ''),
            'type' => $event ? $event->type : '',
            'fields' => $event ? $this->fields($kind, $event) : [],
            'json' => $event ? self::json($event) : '',
        ];
    }

    /**
     * Explains why a record would not be sent as it is.
     *
     * @param string $outcome
     * @param string $reason to withhold, a constant of records; may be empty
     * @return string empty if it would
     */
    private static function why(string $outcome, string $reason): string {
        if ($outcome === preview::SENT) {
            return '';
        }
        return get_string('outcome_' . $outcome . '_' . ($reason ?: 'why'), 'local_backend_sync');
    }

    /**
     * The fields of an event.
     *
     * @param string $kind
     * @param event $event
     * @return array[]
     */
    private function fields(string $kind, event $event): array {
        $fields = [];
        foreach ($event->data as $name => $value) {
            if ($value instanceof \stdClass) {
                array_push($fields, ...self::custom_fields($kind, $name, (array)$value));
                continue;
            }
            $istime = strpos($name, 'time') === 0 && $name !== 'timezone' || substr($name, -4) === 'date';
            $fields[] = [
                'name' => $name,
                'label' => get_string("field_{$kind}_$name", 'local_backend_sync'),
                'value' => self::text($value),
                'isnull' => $value === null,
                'isempty' => $value === '',
                'date' => $istime && $value ? userdate($value) : '',
            ];
        }
        return $fields;
    }

    /**
     * The custom fields of an event.
     *
     * @param string $kind
     * @param string $object its name in the contract
     * @param string[] $values by short name
     * @return array[]
     */
    private static function custom_fields(string $kind, string $object, array $values): array {
        $class = records::CUSTOM[$kind];
        $names = array_column($class::all(), 'name', 'shortname');
        $fields = [];
        foreach ($values as $name => $value) {
            $label = format_string($names[$name] ?? $name, true, ['context' => \context_system::instance(), 'escape' => false]);
            $fields[] = ['name' => "$object.$name", 'label' => $label, 'value' => $value];
        }
        if (!$fields) {
            $fields[] = ['name' => $object, 'label' => get_string('custom_' . $kind, 'local_backend_sync'), 'isempty' => true];
        }
        return $fields;
    }

    /**
     * A value as text, as it is sent.
     *
     * @param mixed $value
     * @return string
     */
    private static function text($value): string {
        if (is_string($value)) {
            return $value;
        }
        return is_array($value) ? event::encode($value) : json_encode($value);
    }

    /**
     * The event as readable JSON.
     *
     * @param event $event
     * @return string
     */
    private static function json(event $event): string {
        $flags = JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE;
        return json_encode(['type' => $event->type, 'data' => $event->data], $flags);
    }

    /**
     * Names of courses.
     *
     * @param int[] $ids
     * @return string[] by id
     */
    private static function course_names(array $ids): array {
        global $DB;
        $courses = $DB->get_records_list('course', 'id', array_unique(array_filter($ids)), '', 'id, fullname');
        return array_map(function ($course) {
            return format_string($course->fullname, true, ['context' => \context_system::instance(), 'escape' => false]);
        }, $courses);
    }
}
