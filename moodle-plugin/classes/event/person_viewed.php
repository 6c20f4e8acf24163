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
 * Somebody looked at what is sent about a person.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class person_viewed extends \core\event\base {
    /**
     * Creates the event.
     *
     * @param int $userid
     * @return self
     */
    public static function create_from_person(int $userid): self {
        return self::create(['context' => \context_system::instance(), 'relateduserid' => $userid]);
    }

    /**
     * Init method.
     */
    protected function init() {
        $this->data['crud'] = 'r';
        $this->data['edulevel'] = self::LEVEL_OTHER;
    }

    /**
     * Name for the log report.
     *
     * @return string
     */
    public static function get_name() {
        return get_string('eventpersonviewed', 'local_backend_sync');
    }

    /**
     * Sentence for the log report.
     *
     * @return string
     */
    public function get_description() {
        return "The user with id '$this->userid' viewed what is sent about the user with id '$this->relateduserid'.";
    }

    /**
     * Links to what was viewed.
     *
     * @return \moodle_url
     */
    public function get_url() {
        return new \moodle_url('/local/backend_sync/preview.php', ['userid' => $this->relateduserid]);
    }
}
