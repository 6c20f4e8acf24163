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
 * Remembers what the backend holds and what it refused.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
interface store {
    /**
     * What the backend is known to hold.
     *
     * @param change[] $changes
     * @return string[] by key(): digest of the state that it confirmed last, event::DELETED, or '' when it may hold any;
     *     absent when nothing was ever sent
     */
    public function known(array $changes): array;

    /**
     * These are about to be sent: until they are confirmed, nobody knows what the backend holds.
     *
     * @param event[] $events
     */
    public function invalidate(array $events): void;

    /**
     * The backend took these, and holds the states that their digests tell.
     *
     * @param event[] $events
     */
    public function confirm(array $events): void;

    /**
     * Puts a change aside that the backend refused, where the administrator sees it.
     *
     * @param change $change
     * @param string $code stable word for the reason
     * @param string $detail the reason in words; holds no personal data
     */
    public function reject(change $change, string $code, string $detail): void;

    /**
     * Makes changes wait in the outbox.
     *
     * @param change[] $changes
     * @param int $until Unix seconds
     */
    public function postpone(array $changes, int $until): void;

    /**
     * Another backend is set: it may hold anything.
     */
    public function invalidate_all(): void;
}
