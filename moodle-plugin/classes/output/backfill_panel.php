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

namespace local_backend_sync\output;

use local_backend_sync\local\backfill;
use local_backend_sync\local\command;
use local_backend_sync\local\status;

/**
 * The full synchronisation on the status page.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class backfill_panel implements \renderable, \templatable {
    /** @var status */
    private $status;

    /**
     * Constructor.
     *
     * @param status $status
     */
    public function __construct(status $status) {
        $this->status = $status;
    }

    /**
     * Data for the template.
     *
     * @param \renderer_base $output
     * @return array
     */
    public function export_for_template(\renderer_base $output) {
        $state = $this->status->backfill;
        $requested = (bool)$this->status->backfillrequest;
        $name = $state['status'] ?? '';
        $isactive = in_array($name, [backfill::RUNNING, backfill::PAUSED], true);
        return [
            'command' => command::line('backfill'),
            'begin' => $this->status->configured && !$this->status->sending,
            'invite' => $this->status->sending && !$state && !$requested,
            'sentence' => $this->sentence($state),
            'requested' => $requested,
            'progress' => $isactive,
            'percent' => $isactive ? self::percent($state) : 0,
            'counts' => $isactive ? $this->counts($state) : '',
            'canstart' => $this->status->sending && !$isactive && !$requested,
            'canpause' => $name === backfill::RUNNING && !$requested,
            'canresume' => $name === backfill::PAUSED && !$requested,
            'cancancel' => $isactive && !$requested,
        ];
    }

    /**
     * The progress.
     *
     * @param array $state see backfill::state()
     * @return int percent; 100 only when finished
     */
    public static function percent(array $state): int {
        if ($state['status'] === backfill::FINISHED) {
            return 100;
        }
        return $state['total'] ? (int)min(99, floor(100 * $state['done'] / $state['total'])) : 0;
    }

    /**
     * Describes the status.
     *
     * @param array|null $state
     * @return string
     */
    private function sentence(?array $state): string {
        if (!$state) {
            return '';
        }
        $a = (object)[
            'started' => userdate($state['started']),
            'finished' => $state['finished'] ? userdate($state['finished']) : '',
            'done' => number_format($state['done']),
            'total' => number_format($state['total']),
        ];
        $isdeletions = $state['status'] === backfill::RUNNING && ($state['steps'][0][0] ?? 'gone') === 'gone';
        return get_string($isdeletions ? 'backfill_deletions' : 'backfill_' . $state['status'], 'local_backend_sync', $a);
    }

    /**
     * The numbers below the progress bar.
     *
     * @param array $state
     * @return string
     */
    private function counts(array $state): string {
        $text = get_string('backfill_counts', 'local_backend_sync', (object)[
            'done' => number_format($state['done']),
            'total' => number_format($state['total']),
        ]);
        $eta = $this->status->backfill_eta();
        if ($eta !== null) {
            $a = (object)[
                'rate' => number_format(MINSECS * $state['done'] / max(1, time() - $state['started'])),
                'eta' => format_time(max(1, $eta)),
            ];
            $text .= ' ' . get_string('backfill_eta', 'local_backend_sync', $a);
        }
        return $text;
    }
}
