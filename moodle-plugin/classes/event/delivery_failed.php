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

use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\reasons;

/**
 * Delivery to the backend has begun to fail. Changes wait and are sent later.
 *
 * @property-read array $other {
 *      - string reason: a constant of the class failure
 *      - string detail: message of the HTTP library or the backend
 *      - int status: HTTP status, 0 without an answer
 *      - string url: the backend's; entries of an early version lack it
 * }
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class delivery_failed extends \core\event\base {
    /**
     * Creates the event.
     *
     * @param failure $failure
     * @param string $url of the backend, which may be another one when somebody reads the log
     * @return self
     */
    public static function create_from_failure(failure $failure, string $url): self {
        return self::create([
            'context' => \context_system::instance(),
            'other' => ['reason' => $failure->reason, 'detail' => $failure->detail, 'status' => $failure->status, 'url' => $url],
        ]);
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
        return get_string('eventdeliveryfailed', 'local_backend_sync');
    }

    /**
     * Sentence for the log report.
     *
     * @return string
     */
    public function get_description() {
        return 'Delivery to the backend failed: '
            . reasons::sentence(
                $this->other['reason'],
                $this->other['detail'],
                (int)$this->other['status'],
                $this->other['url'] ?? null
            )
            . ' Changes are kept and sent later.';
    }

    /**
     * Links to the status page.
     *
     * @return \moodle_url
     */
    public function get_url() {
        return new \moodle_url('/local/backend_sync/status.php');
    }
}
