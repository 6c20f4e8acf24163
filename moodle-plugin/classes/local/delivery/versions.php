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
 * Assigns ascending versions to events. They must ascend even if the clock is set back, because the backend treats the later
 * version as the newer state. A watermark ensures it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class versions {
    /** @var string key in the memory: time (Unix seconds) and sequence of the latest version that the backend may hold */
    const WATERMARK = 'version';

    /** @var memory */
    private $memory;
    /** @var clock */
    private $clock;
    /** @var array|null the watermark before the last assign() */
    private $before = null;

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
     * Assigns versions, and raises the watermark.
     *
     * @param event[] $events
     */
    public function assign(array $events): void {
        $this->before = $this->memory->get(self::WATERMARK);
        $time = max($this->clock->now(), $this->before['time'] ?? 0);
        $sequence = $this->before['sequence'] ?? 0;
        foreach ($events as $event) {
            $event->set_version($time, ++$sequence);
        }
        $this->memory->set(self::WATERMARK, ['time' => $time, 'sequence' => $sequence]);
    }

    /**
     * Undoes the last assign(), when the backend holds none of its versions: they may come from a wrong clock.
     */
    public function roll_back(): void {
        $this->memory->set(self::WATERMARK, $this->before);
    }

    /**
     * Sets the time back to now. The sequence continues, because idempotency keys depend on it.
     */
    public function reset(): void {
        $sequence = $this->memory->get(self::WATERMARK)['sequence'] ?? 0;
        $this->memory->set(self::WATERMARK, ['time' => $this->clock->now(), 'sequence' => $sequence]);
    }
}
