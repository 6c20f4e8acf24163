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
 * Whether deliveries work, and when to try again when they do not.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class health {
    /** @var string name of what is remembered: failures, since, last, retry (Unix seconds), reason, detail, status */
    const OUTAGE = 'trouble';
    /** @var string name of what is remembered: time of the last success */
    const SUCCESS = 'success';

    /** @var memory */
    private $memory;
    /** @var clock */
    private $clock;

    /**
     * Constructor.
     *
     * @param memory $memory
     * @param clock $clock
     */
    public function __construct(memory $memory, clock $clock) {
        $this->memory = $memory;
        $this->clock = $clock;
    }

    /**
     * Whether the last try failed.
     *
     * @return bool
     */
    public function is_failing(): bool {
        return $this->memory->get(self::OUTAGE) !== null;
    }

    /**
     * Until when to wait.
     *
     * @return int|null Unix seconds; null when it may be tried now
     */
    public function wait_until(): ?int {
        $outage = $this->memory->get(self::OUTAGE);
        $retry = $outage['retry'] ?? 0;
        $now = $this->clock->now();
        // A clock that was put back must not stop the deliveries.
        return $retry > $now && $now >= ($outage['last'] ?? $retry - backoff::LONGEST_ASKED) ? $retry : null;
    }

    /**
     * Remembers a failure.
     *
     * @param failure $failure
     * @return bool whether it is the first after a success
     */
    public function failed(failure $failure): bool {
        $outage = $this->memory->get(self::OUTAGE);
        $failures = ($outage['failures'] ?? 0) + 1;
        $now = $this->clock->now();
        $this->memory->set(self::OUTAGE, [
            'failures' => $failures,
            'since' => min($outage['since'] ?? $now, $now),
            'last' => $now,
            'retry' => $now + backoff::wait($failures, $failure->retryafter, $this->clock->chance()),
            'reason' => $failure->reason,
            'detail' => $failure->detail,
            'status' => $failure->status,
        ]);
        return $outage === null;
    }

    /**
     * Remembers a success.
     *
     * @return bool whether it is the first after a failure
     */
    public function succeeded(): bool {
        $recovered = $this->is_failing();
        if ($recovered) {
            $this->memory->set(self::OUTAGE, null);
        }
        $now = $this->clock->now();
        if (($this->memory->get(self::SUCCESS)['time'] ?? 0) !== $now) {
            $this->memory->set(self::SUCCESS, ['time' => $now]);
        }
        return $recovered;
    }

    /**
     * Forgets what failed, so that the next try is made at once.
     */
    public function retry_now(): void {
        $outage = $this->memory->get(self::OUTAGE);
        if ($outage) {
            $this->memory->set(self::OUTAGE, ['retry' => 0] + $outage);
        }
    }
}
