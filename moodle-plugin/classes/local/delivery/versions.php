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
 * The versions of events. Each is later than all before, even if the clock was put back: the backend takes the later for the newer.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class versions {
    /** @var string name of what is remembered: time and sequence of the latest version that the backend may hold */
    const WATERMARK = 'version';

    /** @var memory */
    private $memory;
    /** @var clock */
    private $clock;
    /** @var array|null the latest version before the last were given */
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
     * Gives events their versions.
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
     * The backend holds none of those given last. If the clock was wrong when they were given, that is over with it.
     */
    public function roll_back(): void {
        $this->memory->set(self::WATERMARK, $this->before);
    }

    /**
     * Goes on from now, however late the latest is. The sequence goes on, because ids of events are made with it.
     */
    public function reset(): void {
        $sequence = $this->memory->get(self::WATERMARK)['sequence'] ?? 0;
        $this->memory->set(self::WATERMARK, ['time' => $this->clock->now(), 'sequence' => $sequence]);
    }
}
