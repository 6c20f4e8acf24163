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
 * The ledger: what the backend holds of each record, and what it rejected.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
interface store {
    /**
     * What the backend holds of these records.
     *
     * @param change[] $changes
     * @return string[] by key(): digest of the state confirmed last, event::DELETED, event::REFUSED with the digest of a
     *     state, or '' if unknown; absent if never sent
     */
    public function known(array $changes): array;

    /**
     * Invalidates what is known of these records, before sending: until confirmed, the backend may hold the old or the new state.
     *
     * @param event[] $events
     */
    public function invalidate(array $events): void;

    /**
     * Records that the backend accepted these, and holds the states with their digests.
     *
     * @param event[] $events
     */
    public function confirm(array $events): void;

    /**
     * Records a rejected change, for an administrator to retry or discard.
     *
     * @param event $event
     * @param string $code the backend's stable code for the reason
     * @param string $detail the reason in words; no personal data
     */
    public function reject(event $event, string $code, string $detail): void;

    /**
     * Puts changes back into the outbox for later.
     *
     * @param change[] $changes
     * @param int $until Unix seconds
     */
    public function postpone(array $changes, int $until): void;

    /**
     * What the backend is known to hold of the next records of a kind, in the order of their ids.
     *
     * @param string $kind
     * @param int $after id
     * @param int $limit
     * @return \stdClass[] by id: userid, and hash (null if unknown; event::DELETED)
     */
    public function next(string $kind, int $after, int $limit): array;

    /**
     * Puts changes into the outbox, to be sent whatever the ledger says. Ids that it knows replace those of the changes.
     *
     * @param change[] $changes
     */
    public function send_again(array $changes): void;

    /**
     * Notes that the backend will not hold the states of some records, so that no comparison sends them again.
     *
     * @param change[] $changes
     */
    public function refuse(array $changes): void;

    /**
     * Forgets what is known of all records, because another backend may hold anything, and knows nothing of deleted ones.
     */
    public function invalidate_all(): void;
}
