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
 * One event as it is sent: what a change looks like in a batch request.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class event {
    /** @var string stands for the digest of a record that is gone */
    const DELETED = 'deleted';

    /** @var change what it tells */
    public $change;
    /** @var string type of the event in the contract */
    public $type;
    /** @var array the data of the event */
    public $data;
    /** @var string|null digest of the state, DELETED for a deletion; null when nobody knows what the backend holds after it */
    public $hash;
    /** @var string UUID: the same for the same rows of the outbox and the same state, so that the backend recognises a repetition;
     *     null until it got its version */
    public $idempotencykey;
    /** @var string the event as JSON; null until it got its version */
    public $json;

    /**
     * Constructor.
     *
     * @param change $change
     * @param array|null $data the state; null when the record is gone
     */
    public function __construct(change $change, ?array $data) {
        $this->change = $change;
        $this->type = payload::TYPES[$change->kind][$data === null ? 'deleted' : ($change->created ? 'created' : 'updated')];
        $this->hash = $data === null ? self::DELETED : substr(hash('sha256', self::encode($data)), 0, 32);
        $this->data = $data ?? payload::ids($change);
    }

    /**
     * Gives the event its version: of two events about one record, the one with the later version tells the newer state.
     *
     * @param int $time Unix seconds
     * @param int $sequence decides within one second
     */
    public function set_version(int $time, int $sequence): void {
        // Without rows, as in a backfill, the same state is no repetition: another one may have gone in between.
        $this->idempotencykey = $this->make_idempotency_key($this->change->rowids ? implode('.', $this->change->rowids) : "v$sequence");
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
     * @param self[] $events with their versions
     * @return string
     */
    public static function body(array $events): string {
        return '{"events":[' . implode(',', array_column($events, 'json')) . ']}';
    }

    /**
     * JSON, whatever the database holds: a text that is no UTF-8 must not stop the others.
     *
     * @param array $data
     * @return string
     */
    public static function encode(array $data): string {
        return json_encode($data, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
    }

    /**
     * A UUID of version 7. Its first part is the time of the change, because the backend stores ascending ids fastest;
     * the rest is a digest instead of chance, so that a repetition has the same id.
     *
     * @param string $cause what the event comes from
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
