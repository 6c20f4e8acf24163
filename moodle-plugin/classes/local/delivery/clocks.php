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
 * Compares Moodle's clock, the backend's clock, and the watermark of the versions, to find out which of them is wrong.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class clocks {
    /** @var string key in the memory: the last handshake, with Moodle's time of the request (asked) */
    const HANDSHAKE = 'handshake';
    /** @var int seconds that a version may be ahead of the backend's clock; the contract sets it, see clock_ahead there */
    const MAX_AHEAD = 600;
    /** @var int seconds of skew from which one clock counts as wrong: well below MAX_AHEAD */
    const MAX_SKEW = 300;

    /** @var int|null Moodle's clock at the last handshake, Unix seconds; null without one, or if the clock was set back since */
    public $local = null;
    /** @var int|null the backend's clock at the same moment, Unix seconds */
    public $remote = null;
    /** @var int seconds by which the watermark is ahead of the backend's clock (of Moodle's, if the backend's is unknown) */
    public $ahead;

    /**
     * Reads the last handshake and the watermark.
     *
     * @param memory $memory
     * @param clock $clock
     */
    public function __construct(memory $memory, clock $clock) {
        $handshake = $memory->get(self::HANDSHAKE);
        $now = $clock->now();
        if ($handshake && $handshake['asked'] <= $now) {
            $this->local = $handshake['asked'];
            $this->remote = $handshake['time'];
        }
        $watermark = $memory->get(versions::WATERMARK)['time'] ?? 0;
        $this->ahead = max(0, $watermark - ($now - $this->skew()));
    }

    /**
     * Makes a handshake and stores it.
     *
     * @param client $client
     * @param memory $memory
     * @param clock $clock
     * @return array the handshake, with asked
     * @throws failure
     */
    public static function handshake(client $client, memory $memory, clock $clock): array {
        $last = $memory->get(continuity::LAST);
        $handshake = ['asked' => $clock->now(), 'named' => $last['event'] ?? null] + $client->handshake($last);
        $memory->set(self::HANDSHAKE, $handshake);
        return $handshake;
    }

    /**
     * How far Moodle's clock is ahead of the backend's.
     *
     * @return int seconds; negative if it is behind, 0 if unknown
     */
    public function skew(): int {
        return (int)$this->local - (int)$this->remote;
    }

    /**
     * Whether one of the two clocks must be wrong.
     *
     * @return bool
     */
    public function is_skewed(): bool {
        return abs($this->skew()) > self::MAX_SKEW;
    }

    /**
     * Whether the clocks agree but the watermark is so far ahead that the backend rejects every new version.
     *
     * @return bool
     */
    public function needs_reset(): bool {
        return !$this->is_skewed() && $this->ahead > self::MAX_AHEAD;
    }
}
