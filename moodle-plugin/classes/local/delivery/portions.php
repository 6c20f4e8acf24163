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
 * Divides changes into portions whose states fit into memory together: feedback may be megabytes each, and PHP has little memory.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class portions {
    /** @var int text to read at once, in characters. PHP holds it about four times: as read, as JSON, as body, and in libcurl. */
    const CHARACTERS = 4000000;

    /**
     * Divides changes, keeping their order.
     *
     * @param change[] $changes by key
     * @param source $source
     * @param int $alone so many come one by one
     * @return change[][] by key
     */
    public static function divide(array $changes, source $source, int $alone): array {
        $portions = [];
        foreach (array_slice($changes, 0, $alone) as $key => $change) {
            $portions[] = [$key => $change];
        }
        $changes = array_slice($changes, $alone);
        $sizes = self::sizes($changes, $source);
        $portion = [];
        $total = 0;
        foreach ($changes as $key => $change) {
            $size = $sizes[$key] ?? 0;
            if ($portion && $total + $size > self::CHARACTERS) {
                $portions[] = $portion;
                $portion = [];
                $total = 0;
            }
            $portion[$key] = $change;
            $total += $size;
        }
        if ($portion) {
            $portions[] = $portion;
        }
        return $portions;
    }

    /**
     * The sizes of long texts.
     *
     * @param change[] $changes
     * @param source $source
     * @return int[] characters by key
     */
    private static function sizes(array $changes, source $source): array {
        $ids = [];
        foreach ($changes as $change) {
            $ids[$change->kind][] = $change->objectid;
        }
        $sizes = [];
        foreach ($ids as $kind => $kindids) {
            foreach ($source->sizes($kind, $kindids) as $id => $size) {
                $sizes["$kind:$id"] = $size;
            }
        }
        return $sizes;
    }
}
