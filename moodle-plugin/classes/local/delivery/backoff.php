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
 * Exponential backoff with jitter, so that a backend that comes back is not hit by all sites at once.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class backoff {
    /** @var int longest wait after the first failure, in seconds */
    const FIRST = 10;
    /** @var int longest wait after any number of failures, in seconds: a recovery may go unnoticed for so long */
    const LONGEST = 300;
    /** @var int longest wait that a Retry-After header may impose, in seconds: a wrong header must not stop delivery for days */
    const LONGEST_ASKED = 3600;

    /**
     * The wait before the next retry.
     *
     * @param int $failures consecutive failures, at least 1
     * @param int|null $retryafter seconds from the Retry-After header
     * @param float $chance random number from 0 to 1
     * @return int seconds
     */
    public static function wait(int $failures, ?int $retryafter, float $chance): int {
        $longest = min(self::LONGEST, self::FIRST * 2 ** min($failures - 1, 10));
        // Equal jitter: with full jitter, a small random number could undo the growth.
        $wait = (int)round($longest * (0.5 + $chance / 2));
        return max($wait, min((int)$retryafter, self::LONGEST_ASKED));
    }
}
