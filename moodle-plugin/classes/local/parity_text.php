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

use local_backend_sync\local\delivery\agreement;
use local_backend_sync\local\delivery\continuity;
use local_backend_sync\local\delivery\parity;
use local_backend_sync\local\delivery\parity_counts;

/**
 * The comparison with the backend in words, for the status page and the command line.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class parity_text {
    /** @var status */
    private $status;
    /** @var array[] counts by kind, see parity_counts::START */
    private $kinds;

    /**
     * Constructor.
     *
     * @param status $status
     */
    public function __construct(status $status) {
        $this->status = $status;
        $this->kinds = $status->parity['kinds'] ?? [];
    }

    /**
     * Whether a comparison is requested or running.
     *
     * @return bool
     */
    public function is_underway(): bool {
        return $this->status->parityrequest || ($this->status->parity['status'] ?? '') === parity::RUNNING;
    }

    /**
     * Whether the last comparison ended, and both sides hold the same.
     *
     * @return bool
     */
    public function is_equal(): bool {
        return !$this->is_underway() && $this->kinds && !array_filter($this->kinds, function ($counts) {
            return !parity_counts::is_equal($counts);
        });
    }

    /**
     * The result in one sentence.
     *
     * @return string
     */
    public function sentence(): string {
        $reason = $this->status->parityrequest['reason'] ?? $this->status->parity['reason'] ?? '';
        $why = in_array($reason, [continuity::RESTORED, continuity::WENT_BACK], true)
            ? get_string('parity_' . $reason, 'local_backend_sync') . ' ' : '';
        if ($this->is_underway()) {
            $capabilities = $this->status->backend['capabilities'] ?? [];
            $can = !$this->status->backend || in_array(parity::CAPABILITY, $capabilities, true);
            return $why . get_string($can ? 'parity_underway' : 'parity_cannot', 'local_backend_sync');
        }
        if (!$this->kinds) {
            return get_string('parity_never', 'local_backend_sync');
        }
        $sum = function (string $name) {
            return array_sum(array_column($this->kinds, $name));
        };
        $there = agreement::of($this->status->backend);
        $agree = $this->is_equal() && $there && $there->state === agreement::AGREES;
        $finished = $this->status->parity['finished'];
        $a = (object)[
            // All agreed at the earlier of the two times.
            'when' => userdate($agree ? min($finished, $there->time) : $finished),
            'destination' => $there->name ?? '',
            'differing' => verdict::count('differing', $sum('differing') + $sum('gone')),
            'repaired' => number_format($sum('repaired')),
        ];
        $here = $this->is_equal() ? 'parity_equal' : 'parity_differs';
        $sentence = get_string($agree ? 'parity_agree' : $here, 'local_backend_sync', $a);
        $repaired = $sum('repaired') ? ' ' . get_string('parity_repaired', 'local_backend_sync', $a->repaired) : '';
        return $why . $sentence . $repaired . ($there && !$agree ? ' ' . $this->of_destination($there) : '');
    }

    /**
     * Whether the destination has what the backend writes.
     *
     * @param agreement $there
     * @return string
     */
    private function of_destination(agreement $there): string {
        $a = (object)[
            'destination' => $there->name,
            'differing' => verdict::count('differing', $there->differing),
            'when' => userdate($there->time),
        ];
        return get_string('parity_destination_' . $there->state, 'local_backend_sync', $a);
    }

    /**
     * What needs permission, if the last comparison asks.
     *
     * @return string empty if nothing does
     */
    public function asks(): string {
        $asks = $this->is_underway() ? [] : array_filter($this->kinds, [parity_counts::class, 'needs_permission']);
        return implode(' ', array_map(function ($kind, $counts) {
            $a = (object)['kind' => get_string('kinds_' . $kind, 'local_backend_sync'), 'count' => number_format($counts['gone'])];
            return get_string('parity_asks', 'local_backend_sync', $a);
        }, array_keys($asks), $asks));
    }

    /**
     * The numbers by kind.
     *
     * @return string[][] kind, moodle, backend, digest, result
     */
    public function rows(): array {
        $rows = [];
        foreach ($this->is_underway() ? [] : $this->kinds as $kind => $counts) {
            $result = parity_counts::is_equal($counts) ? get_string('parity_result_equal', 'local_backend_sync')
                : verdict::count('differing', $counts['differing'] + $counts['gone']);
            if ($counts['unprovable']) {
                $result .= ' ' . get_string('parity_result_unprovable', 'local_backend_sync', number_format($counts['unprovable']));
            }
            $rows[] = ['kind' => get_string('kinds_' . $kind, 'local_backend_sync'), 'moodle' => number_format($counts['moodle']),
                'backend' => number_format($counts['backend']), 'digest' => $counts['digest'], 'result' => $result];
        }
        return $rows;
    }
}
