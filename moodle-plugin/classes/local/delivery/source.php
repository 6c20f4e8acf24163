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
 * Reads the present state of Moodle's records.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
interface source {
    /**
     * Reads records of one kind. The number of queries must not depend on the number of records.
     *
     * @param string $kind one of change::KINDS
     * @param int[] $ids
     * @return array[] by id: the fields in payload, and ids that a change may lack; deleted records are absent. Also:
     *     withheld (bool): must not leave the site now; until (int): when it may, Unix seconds, 0 if unknown;
     *     unfinished (bool): Moodle is still making it
     */
    public function states(string $kind, array $ids): array;

    /**
     * The sizes of records that may be long. The number of queries must not depend on the number of records.
     *
     * @param string $kind one of change::KINDS
     * @param int[] $ids
     * @return int[] characters by id; absent if short
     */
    public function sizes(string $kind, array $ids): array;
}
