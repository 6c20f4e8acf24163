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
 * One event of a batch: a change as the backend receives it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class event {
    /** @var string stands in for the digest of a deleted record */
    const DELETED = 'deleted';
    /** @var string before the digest of a state that the backend refused */
    const REFUSED = 'refused ';

    /** @var change what it reports */
    public $change;
    /** @var string event type of the contract */
    public $type;
    /** @var array state of the record, or only its ids for a deletion */
    public $data;
    /** @var string|null digest of the state; DELETED for a deletion; null when the backend's state after it is unknown */
    public $hash;
    /** @var string|null UUID, the same for the same outbox rows and the same state, so that the backend recognises a retry;
     *     null until set_version() */
    public $idempotencykey;
    /** @var string|null null until set_version() */
    public $json;

    /**
     * Constructor.
     *
     * @param change $change
     * @param array|null $data state of the record; null for a deletion
     */
    public function __construct(change $change, ?array $data) {
        $this->change = $change;
        $this->type = payload::TYPES[$change->kind][$data === null ? 'deleted' : ($change->created ? 'created' : 'updated')];
        $this->hash = $data === null ? self::DELETED : substr(hash('sha256', self::encode($data)), 0, 32);
        $this->data = $data ?? payload::ids($change);
    }

    /**
     * Sets the version. Of two events about one record, the later version has the newer state.
     *
     * @param int $time Unix seconds
     * @param int $sequence breaks ties within one second
     */
    public function set_version(int $time, int $sequence): void {
        // A backfill has no rows. Its key must be unique: the same state is no retry if another state was sent in between.
        $cause = $this->change->rowids ? implode('.', $this->change->rowids) : "v$sequence";
        $this->idempotencykey = $this->make_idempotency_key($cause);
        $this->json = self::encode([
            'id' => $this->idempotencykey,
            'type' => $this->type,
            'time' => $time,
            'sequence' => $sequence,
            'data' => $this->data,
        ]);
    }

    /**
     * The body of a batch request.
     *
     * @param self[] $events with versions
     * @return string
     */
    public static function body(array $events): string {
        return '{"events":[' . implode(',', array_column($events, 'json')) . ']}';
    }

    /**
     * Encodes JSON, replacing invalid UTF-8: one broken text must not stop the other events.
     *
     * @param array $data
     * @return string
     */
    public static function encode(array $data): string {
        return json_encode($data, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
    }

    /**
     * Makes a UUID of version 7. It starts with the time of the change, because ascending keys are the fastest to store; the
     * rest is a digest instead of random bits, so that a retry has the same key.
     *
     * @param string $cause the outbox rows behind the event, or its sequence number
     * @return string
     */
    private function make_idempotency_key(string $cause): string {
        $time = sprintf('%012x', $this->change->time * 1000);
        $digest = hash('sha256', implode(',', [$this->change->key(), $this->hash, $cause]));
        $variant = dechex(8 + hexdec($digest[3]) % 4);
        return substr($time, 0, 8) . '-' . substr($time, 8) . '-7' . substr($digest, 0, 3) . '-' . $variant . substr($digest, 4, 3)
            . '-' . substr($digest, 7, 12);
    }
}
