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
 * Divides events into requests that the backend takes.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class batches {
    /** @var int bytes of a body besides its events */
    const FRAME = 20;

    /**
     * Divides events, keeping their order.
     *
     * @param event[] $events with their versions
     * @param int $maxevents events of one request at most
     * @param int $maxbytes bytes of its body at most; an event that is larger alone stands alone
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
