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
 * Digests of many records, as the backend makes them: 128 bits of a SHA-256, as hexadecimal digits.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class digests {
    /** @var string the digest with which a chain begins */
    const NONE = '00000000000000000000000000000000';

    /**
     * The digest of records.
     *
     * @param string[] $digests of their states, by id, in the order of the ids
     * @return string
     */
    public static function of_records(array $digests): string {
        $hash = hash_init('sha256');
        foreach ($digests as $id => $digest) {
            hash_update($hash, pack('J', $id) . hex2bin($digest));
        }
        return substr(hash_final($hash), 0, 32);
    }

    /**
     * Adds a range to the digest of those before.
     *
     * @param string $chain digest of the ranges before
     * @param string $digest of the range
     * @return string
     */
    public static function chain(string $chain, string $digest): string {
        return substr(hash('sha256', hex2bin($chain . $digest)), 0, 32);
    }
}
