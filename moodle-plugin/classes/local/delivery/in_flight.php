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
 * Remembers what a run is working on. If it ends without saying so, because PHP ran out of memory or the process was killed, the
 * next run finds that here, and tries each of these changes alone.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class in_flight {
    /** @var string key in the memory: by queue, how many of its first changes (changes), which if it is one alone (alone), and how
     *     many runs have tried that (tries) */
    const STATE = 'inflight';
    /** @var int runs that may end with a change although it is alone: a process may also be killed from outside */
    const TRIES = 3;

    /** @var memory */
    private $memory;
    /** @var string */
    private $queue;
    /** @var int how many of the queue's first changes are to be tried alone */
    private $suspects;
    /** @var string|null key of the change with which the last run ended although it was alone */
    private $culprit;
    /** @var int how many runs have ended with it */
    private $tries;

    /**
     * Constructor.
     *
     * @param memory $memory
     * @param queue $queue
     */
    public function __construct(memory $memory, queue $queue) {
        $this->memory = $memory;
        $this->queue = get_class($queue);
        $last = $memory->get(self::STATE)[$this->queue] ?? [];
        $this->suspects = $last['changes'] ?? 0;
        $this->culprit = $last['alone'] ?? null;
        $this->tries = $last['tries'] ?? 0;
    }

    /**
     * How many of the queue's first changes are to be tried alone.
     *
     * @return int
     */
    public function suspects(): int {
        return $this->suspects;
    }

    /**
     * Whether too many runs have ended with this change although it was alone.
     *
     * @param change $change
     * @return bool
     */
    public function is_culprit(change $change): bool {
        return $this->culprit === $change->key() && $this->tries >= self::TRIES;
    }

    /**
     * Work begins on these changes.
     *
     * @param change[] $changes
     */
    public function begin(array $changes): void {
        $alone = $this->suspects > 0 ? reset($changes)->key() : null;
        $this->write([
            'changes' => $this->suspects ?: count($changes),
            'alone' => $alone,
            'tries' => $alone === null ? 0 : 1 + ($alone === $this->culprit ? $this->tries : 0),
        ]);
    }

    /**
     * The changes are settled.
     *
     * @param change[] $changes
     */
    public function done(array $changes): void {
        $this->suspects = max(0, $this->suspects - count($changes));
    }

    /**
     * Has these tried alone by the next run, too, because this one has found none of them to be at fault in all its time.
     *
     * @param change[] $changes
     */
    public function suspect(array $changes): void {
        $this->suspects = max($this->suspects, count($changes));
    }

    /**
     * The run ends as it should. What it has not tried alone yet waits for the next one.
     */
    public function end(): void {
        $this->write($this->suspects ? ['changes' => $this->suspects, 'alone' => null, 'tries' => 0] : null);
    }

    /**
     * Writes the state of this queue.
     *
     * @param array|null $state
     */
    private function write(?array $state): void {
        $all = array_filter([$this->queue => $state] + ($this->memory->get(self::STATE) ?? []));
        $this->memory->set(self::STATE, $all ?: null);
    }
}
