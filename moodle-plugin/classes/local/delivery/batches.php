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

namespace local_backend_sync\local\delivery;

/**
 * Splits events into batches within the backend's limits.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class batches {
    /** @var int bytes of a body that are not events, rounded up */
    const FRAME = 20;

    /**
     * Splits events, keeping their order.
     *
     * @param event[] $events with versions
     * @param int $maxevents limit for one request
     * @param int $maxbytes limit for one body; a larger event gets a request of its own
     * @return event[][]
     */
    public static function divide(array $events, int $maxevents, int $maxbytes): array {
        $batches = [];
        $batch = [];
        $bytes = self::FRAME;
        foreach ($events as $event) {
            $size = strlen($event->json) + 1;
            if ($batch && (count($batch) >= $maxevents || $bytes + $size > $maxbytes)) {
                $batches[] = $batch;
                $batch = [];
                $bytes = self::FRAME;
            }
            $batch[] = $event;
            $bytes += $size;
        }
        if ($batch) {
            $batches[] = $batch;
        }
        return $batches;
    }
}
