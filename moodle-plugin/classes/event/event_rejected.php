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

namespace local_backend_sync\event;

/**
 * The backend rejected a change, which is kept with the reason until somebody retries or discards it.
 *
 * @property-read array $other {
 *      - string kind: kind of record
 *      - int recordid: id of the record in its Moodle table
 *      - string event: created, updated or deleted
 *      - string code: the backend's stable code for the reason
 *      - string detail: the reason in words; no personal data
 * }
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class event_rejected extends \core\event\base {
    /**
     * Creates the event.
     *
     * @param int $id of the row in local_backend_sync_rejected
     * @param array $row
     * @return self
     */
    public static function create_from_rejection(int $id, array $row): self {
        return self::create([
            'context' => \context_system::instance(),
            'objectid' => $id,
            'relateduserid' => $row['userid'] ?: null,
            'other' => [
                'kind' => $row['kind'],
                'recordid' => $row['objectid'],
                'event' => $row['event'],
                'code' => $row['code'],
                'detail' => $row['detail'],
            ],
        ]);
    }

    /**
     * Init method.
     */
    protected function init() {
        $this->data['crud'] = 'c';
        $this->data['edulevel'] = self::LEVEL_OTHER;
        $this->data['objecttable'] = 'local_backend_sync_rejected';
    }

    /**
     * Name for the log report.
     *
     * @return string
     */
    public static function get_name() {
        return get_string('eventeventrejected', 'local_backend_sync');
    }

    /**
     * Sentence for the log report.
     *
     * @return string
     */
    public function get_description() {
        return "The backend rejected the {$this->other['kind']} with id '{$this->other['recordid']}' ({$this->other['event']}): "
            . "{$this->other['code']}. {$this->other['detail']}";
    }

    /**
     * Links to the status page.
     *
     * @return \moodle_url
     */
    public function get_url() {
        return new \moodle_url('/local/backend_sync/status.php');
    }

    /**
     * Backups do not contain the table.
     *
     * @return int
     */
    public static function get_objectid_mapping() {
        return \core\event\base::NOT_MAPPED;
    }

    /**
     * Backups contain no ids of this event.
     *
     * @return bool
     */
    public static function get_other_mapping() {
        return false;
    }
}
