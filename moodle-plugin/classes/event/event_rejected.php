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
 * The backend refused a change. It is put aside with the reason.
 *
 * @property-read array $other {
 *      - string kind: kind of record
 *      - int recordid: its id in its own table
 *      - string event: created, updated or deleted
 *      - string code: the backend's word for the reason
 *      - string detail: the reason in words, without personal data
 * }
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class event_rejected extends \core\event\base {
    /**
     * Makes the event.
     *
     * @param int $id of the row with the rejected change
     * @param array $row the row
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
     * Name of the event.
     *
     * @return string
     */
    public static function get_name() {
        return get_string('eventeventrejected', 'local_backend_sync');
    }

    /**
     * What happened.
     *
     * @return string
     */
    public function get_description() {
        return "The backend refused the {$this->other['kind']} with id '{$this->other['recordid']}' ({$this->other['event']}): "
            . "{$this->other['code']}. {$this->other['detail']}";
    }

    /**
     * Where to look.
     *
     * @return \moodle_url
     */
    public function get_url() {
        return new \moodle_url('/local/backend_sync/status.php');
    }

    /**
     * Rows of this table are not in backups.
     *
     * @return int
     */
    public static function get_objectid_mapping() {
        return \core\event\base::NOT_MAPPED;
    }

    /**
     * Nothing of it is in backups.
     *
     * @return bool
     */
    public static function get_other_mapping() {
        return false;
    }
}
