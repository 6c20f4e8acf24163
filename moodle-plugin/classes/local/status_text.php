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

namespace local_backend_sync\local;

use local_backend_sync\output\backfill_panel;

/**
 * Formats the status for the command line.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class status_text {
    /**
     * The data of --json, for programs. Its keys are an interface and must not change.
     *
     * @param status $status
     * @param verdict $verdict
     * @return array times are Unix seconds
     */
    public static function data(status $status, verdict $verdict): array {
        $backfill = $status->backfill;
        return [
            'level' => $verdict->level,
            'sentence' => $verdict->sentence,
            'configured' => $status->configured,
            'sending' => $status->sending,
            'waiting' => $status->waiting,
            'oldest' => $status->oldest,
            'age' => $status->age(),
            'postponed' => $status->postponed,
            'rejected' => $status->rejected,
            'lastsuccess' => $status->lastsuccess,
            'lasttask' => $status->lasttask,
            'senthour' => $status->senthour,
            'sentday' => $status->sentday,
            'trouble' => $status->outage,
            'backend' => $status->backend,
            'found' => (object)$status->found,
            'clocks' => [
                'difference' => $status->clocks->local === null ? null : $status->clocks->skew(),
                'remembered' => $status->clocks->ahead,
            ],
            'backfill' => !$backfill ? null : [
                'status' => $backfill['status'],
                'done' => $backfill['done'],
                'total' => $backfill['total'],
                'percent' => backfill_panel::percent($backfill),
                'started' => $backfill['started'],
                'finished' => $backfill['finished'],
                'eta' => $status->backfill_eta(),
            ],
        ];
    }

    /**
     * The lines for people.
     *
     * @param status $status
     * @param verdict $verdict
     * @return string[]
     */
    public static function lines(status $status, verdict $verdict): array {
        $text = function (string $key, $value) {
            return get_string($key, 'local_backend_sync') . ': ' . $value;
        };
        $lines = [
            get_string('level_' . $verdict->level, 'local_backend_sync') . ': ' . $verdict->sentence,
            '',
            $text('number_waiting', $status->waiting . ($status->waiting
                ? ' (' . get_string('number_waiting_age', 'local_backend_sync', format_time(max(1, $status->age()))) . ')' : '')),
            $text('number_postponed', $status->postponed),
            $text('number_rejected', $status->rejected),
            $text('number_lastsuccess', $status->lastsuccess ? userdate($status->lastsuccess) : get_string('never')),
            $text('number_senthour', $status->senthour),
            $text('number_sentday', $status->sentday),
            $text('number_lasttask', $status->lasttask ? userdate($status->lasttask) : get_string('never')),
        ];
        if ($status->backend) {
            $lines[] = $text('number_backend', $status->backend['site'] . ', '
                . get_string('number_backend_version', 'local_backend_sync', $status->backend['backend_version']));
        }
        $lines[] = $text('backfill', self::backfill($status));
        foreach ($status->found as $name => $found) {
            $lines[] = $text('found', findings::words($name) . ', ' . $found['count'] . ', ' . userdate($found['last']));
        }
        return $lines;
    }

    /**
     * Status and progress of the full synchronisation, in one line.
     *
     * @param status $status
     * @return string
     */
    public static function backfill(status $status): string {
        $state = $status->backfill;
        if (!$state) {
            return get_string('never');
        }
        $name = get_string('backfillstate_' . $state['status'], 'local_backend_sync');
        $text = $name . ', ' . $state['done'] . '/' . $state['total'] . ', ' . backfill_panel::percent($state) . ' %';
        $eta = $status->backfill_eta();
        if ($eta === null) {
            return $text;
        }
        $a = (object)[
            'rate' => (int)(MINSECS * $state['done'] / max(1, time() - $state['started'])),
            'eta' => format_time(max(1, $eta)),
        ];
        return $text . ', ' . get_string('cli_eta', 'local_backend_sync', $a);
    }
}
