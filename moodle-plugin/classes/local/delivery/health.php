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
 * Circuit breaker: remembers whether delivery works, and blocks it during the backoff after a failure.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class health {
    /** @var string key in the memory: failures (a count), since, last, retry (Unix seconds), reason, detail, status */
    const OUTAGE = 'trouble';
    /** @var string key in the memory: time of the last success */
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
     * Whether the last attempt failed.
     *
     * @return bool
     */
    public function is_failing(): bool {
        return $this->memory->get(self::OUTAGE) !== null;
    }

    /**
     * End of the present backoff.
     *
     * @return int|null Unix seconds; null if sending is allowed now
     */
    public function wait_until(): ?int {
        $outage = $this->memory->get(self::OUTAGE);
        $retry = $outage['retry'] ?? 0;
        $now = $this->clock->now();
        // If the clock was set back since the failure, the stored time would stop delivery for too long.
        return $retry > $now && $now >= ($outage['last'] ?? $retry - backoff::LONGEST_ASKED) ? $retry : null;
    }

    /**
     * Records a failure.
     *
     * @param failure $failure
     * @return bool whether an outage started with it
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
     * Records a success.
     *
     * @return bool whether an outage ended with it
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
     * Ends the backoff, but not the outage.
     */
    public function retry_now(): void {
        $outage = $this->memory->get(self::OUTAGE);
        if ($outage) {
            $this->memory->set(self::OUTAGE, ['retry' => 0] + $outage);
        }
    }
}
