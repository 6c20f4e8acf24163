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
 * How many events go into one request. What had no answer in time is tried in smaller requests by the next run.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class request_size {
    /** @var string key in the memory: by queue, the most events of a request (events), and the key of one that had no answer
     *     although it was alone (alone) */
    const STATE = 'requestsize';
    /** @var int a smaller request has this part of the events: three steps from a full batch to a single event */
    const PART = 10;

    /** @var memory */
    private $memory;

    /**
     * Constructor.
     *
     * @param memory $memory
     */
    public function __construct(memory $memory) {
        $this->memory = $memory;
    }

    /**
     * The most events of a request.
     *
     * @param queue $queue
     * @param int $most what the backend allows
     * @return int
     */
    public function limit(queue $queue, int $most): int {
        return min($most, $this->state($queue)['events'] ?? $most);
    }

    /**
     * A request had no answer in time.
     *
     * @param queue $queue
     * @param event[] $events
     * @return bool whether it was about a single event, for the second time
     */
    public function timed_out(queue $queue, array $events): bool {
        $alone = count($events) === 1 ? reset($events)->change->key() : null;
        $isagain = $alone !== null && $alone === ($this->state($queue)['alone'] ?? null);
        $this->write($queue, ['events' => (int)ceil(count($events) / self::PART), 'alone' => $alone]);
        return $isagain;
    }

    /**
     * Everything is sent, so requests may be as large as before.
     *
     * @param queue $queue
     */
    public function reset(queue $queue): void {
        if ($this->state($queue)) {
            $this->write($queue, null);
        }
    }

    /**
     * The state of a queue.
     *
     * @param queue $queue
     * @return array
     */
    private function state(queue $queue): array {
        return $this->memory->get(self::STATE)[get_class($queue)] ?? [];
    }

    /**
     * Writes the state of a queue.
     *
     * @param queue $queue
     * @param array|null $state
     */
    private function write(queue $queue, ?array $state): void {
        $all = array_filter([get_class($queue) => $state] + ($this->memory->get(self::STATE) ?? []));
        $this->memory->set(self::STATE, $all ?: null);
    }
}
