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
 * How long to wait after failures: longer each time, never the same for two sites, and never less than the backend asks for.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class backoff {
    /** @var int seconds at most after the first failure */
    const FIRST = 10;
    /** @var int seconds at most after many: how long a recovery may go unnoticed */
    const LONGEST = 300;
    /** @var int seconds at most that a backend may ask for, lest one wrong header stop everything for days */
    const LONGEST_ASKED = 3600;

    /**
     * The seconds to wait.
     *
     * @param int $failures how many in a row, at least 1
     * @param int|null $retryafter what the backend asks for
     * @param float $chance from 0 to 1
     * @return int
     */
    public static function wait(int $failures, ?int $retryafter, float $chance): int {
        $longest = min(self::LONGEST, self::FIRST * 2 ** min($failures - 1, 10));
        // At least half of it: without a lower end, chance could undo the growth.
        $wait = (int)round($longest * (0.5 + $chance / 2));
        return max($wait, min((int)$retryafter, self::LONGEST_ASKED));
    }
}
