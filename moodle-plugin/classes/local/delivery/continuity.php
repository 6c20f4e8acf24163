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
 * Whether both sides remember the same. Either may have been restored from an older backup: the backend does not know the event
 * then that it confirmed last, or Moodle has forgotten what it sent.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class continuity {
    /** @var string key in the memory: the event that the backend confirmed last, and its position in the backend's log */
    const LAST = 'acknowledged';
    /** @var string key in the memory: the newest event of the past that an administrator accepted (event) */
    const ACCEPTED = 'acceptedpast';
    /** @var string key in the memory: why everything is to be compared with the backend (reason) */
    const COMPARE = 'parityrequest';
    /** @var string reason: the backend was restored from an older backup */
    const RESTORED = 'restored';
    /** @var string reason: Moodle was restored from an older backup, or this plugin was installed anew */
    const WENT_BACK = 'wentback';
    /** @var int positions that no backend gives out between two events of a site: a restored one leaves out twice as many */
    const GAP = 500000000;

    /**
     * Remembers which of these events the backend confirmed last. Its position also tells whether the backend was restored since
     * the event before: the next handshake could not, because it names an event that came after.
     *
     * @param memory $memory
     * @param event[] $events
     * @param outcome[] $outcomes one for each event, in the same order
     */
    public static function acknowledge(memory $memory, array $events, array $outcomes): void {
        $positions = [];
        foreach ($events as $i => $event) {
            if ($outcomes[$i]->is_accepted() && !$outcomes[$i]->is_duplicate() && $outcomes[$i]->id > 0) {
                $positions[$outcomes[$i]->id] = $event->idempotencykey;
            }
        }
        if (!$positions) {
            return;
        }
        $before = $memory->get(self::LAST)['position'] ?? null;
        $last = max(array_keys($positions));
        if ($before !== null && (min(array_keys($positions)) <= $before || $last - $before > self::GAP)) {
            $memory->set(self::COMPARE, ['reason' => self::RESTORED]);
        }
        $memory->set(self::LAST, ['event' => $positions[$last], 'position' => $last]);
    }

    /**
     * Looks at what the backend remembers.
     *
     * @param memory $memory
     * @param array $handshake
     * @throws failure when it remembers more than this side, until an administrator accepts that
     */
    public static function check(memory $memory, array $handshake): void {
        $last = $memory->get(self::LAST);
        // A handshake is used for a while. What was confirmed meanwhile is news to it.
        if ($last && ($handshake['holds_last_event'] ?? null) === false && ($handshake['named'] ?? null) === $last['event']) {
            $memory->set(self::LAST, null);
            $memory->set(self::COMPARE, ['reason' => self::RESTORED]);
        }
        $newest = $handshake['newest_event'] ?? null;
        $sequence = $memory->get(versions::WATERMARK)['sequence'] ?? 0;
        $isahead = is_array($newest) && (int)($newest['sequence'] ?? 0) > $sequence;
        if ($isahead && ($memory->get(self::ACCEPTED)['event'] ?? null) !== ($newest['client_id'] ?? '')) {
            throw new failure(failure::WENT_BACK);
        }
    }

    /**
     * Accepts that the backend remembers more: everything is compared then.
     *
     * @param memory $memory
     */
    public static function accept(memory $memory): void {
        $newest = $memory->get(clocks::HANDSHAKE)['newest_event'] ?? null;
        if ($newest) {
            $memory->set(self::ACCEPTED, ['event' => $newest['client_id']]);
            $memory->set(self::COMPARE, ['reason' => self::WENT_BACK]);
        }
    }
}
