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
 * How Moodle's clock, the backend's, and the latest version stand to each other.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class clocks {
    /** @var string name of what is remembered: the backend's last handshake, and when it was asked for (asked) */
    const HANDSHAKE = 'handshake';
    /** @var int seconds by which a version may be ahead of the backend's clock: the contract's, see clock_ahead there */
    const MAX_AHEAD = 600;
    /** @var int seconds by which the two clocks may differ before one of them counts as wrong: well within what the backend allows */
    const MAX_SKEW = 300;

    /** @var int|null Moodle's clock when the backend was asked last, Unix seconds; null when it was put back since, or never asked */
    public $local = null;
    /** @var int|null the backend's clock at that moment */
    public $remote = null;
    /** @var int seconds by which the latest version is ahead of the backend's clock, or of ours when that is not known */
    public $ahead;

    /**
     * As far as it is remembered.
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
        $latest = $memory->get(versions::WATERMARK)['time'] ?? 0;
        $this->ahead = max(0, $latest - ($now - $this->skew()));
    }

    /**
     * Asks the backend what it takes and what time it is there.
     *
     * @param client $client
     * @param memory $memory
     * @param clock $clock
     * @return array the handshake, with asked
     * @throws failure
     */
    public static function handshake(client $client, memory $memory, clock $clock): array {
        $handshake = ['asked' => $clock->now()] + $client->handshake();
        $memory->set(self::HANDSHAKE, $handshake);
        return $handshake;
    }

    /**
     * By how much Moodle's clock is ahead of the backend's.
     *
     * @return int seconds, negative when it is behind; 0 when it is not known
     */
    public function skew(): int {
        return (int)$this->local - (int)$this->remote;
    }

    /**
     * Whether one of the two is wrong.
     *
     * @return bool
     */
    public function is_skewed(): bool {
        return abs($this->skew()) > self::MAX_SKEW;
    }

    /**
     * Whether the backend refuses all versions that are later than the latest, although the clocks agree.
     *
     * @return bool
     */
    public function needs_reset(): bool {
        return !$this->is_skewed() && $this->ahead > self::MAX_AHEAD;
    }
}
