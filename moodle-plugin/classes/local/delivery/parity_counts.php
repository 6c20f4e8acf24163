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
 * What a comparison counts of the records of one kind, and what that means.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class parity_counts {
    /**
     * @var array before the first range: records that could be compared on each side, their digest, those that were sent again,
     *     that differ even so, that only the backend has, and that could not be compared
     */
    const START = ['moodle' => 0, 'backend' => 0, 'digest' => digests::NONE, 'repaired' => 0, 'differing' => 0, 'gone' => 0,
        'unprovable' => 0];
    /** @var int deletions of a kind that need no permission */
    const FEW = 50;
    /** @var int the same, as a share of its records: one in so many */
    const SHARE = 50;

    /**
     * Whether so many deletions of a kind stop and ask.
     *
     * @param array $counts see START
     * @return bool
     */
    public static function needs_permission(array $counts): bool {
        return $counts['gone'] > max(self::FEW, intdiv($counts['moodle'], self::SHARE));
    }

    /**
     * Whether both sides hold the same.
     *
     * @param array $counts see START
     * @return bool
     */
    public static function is_equal(array $counts): bool {
        return !$counts['differing'] && !$counts['gone'] && $counts['moodle'] === $counts['backend'];
    }
}
