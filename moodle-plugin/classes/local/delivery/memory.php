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
 * Key-value store for what the sender must remember between runs.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
interface memory {
    /**
     * Reads a value.
     *
     * @param string $name
     * @return array|null null if not set
     */
    public function get(string $name): ?array;

    /**
     * Writes a value, durably: it must survive a crash.
     *
     * @param string $name
     * @param array|null $value null to delete it
     */
    public function set(string $name, ?array $value): void;

    /**
     * Deletes a value, unless another process has written a new one since it was read.
     *
     * @param string $name
     */
    public function forget(string $name): void;

    /**
     * Sees what other processes have written since.
     */
    public function reload(): void;
}
