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

use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\findings;
use local_backend_sync\local\parity_text;
use local_backend_sync\local\status;
use local_backend_sync\local\verdict;

/**
 * The status page.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class status_page implements \renderable, \templatable {
    /** @var status */
    private $status;
    /** @var int page of the table of rejected changes, from 0 */
    private $page;
    /** @var bool the viewer may use the buttons */
    private $canmanage;

    /**
     * Constructor.
     *
     * @param status $status
     * @param int $page page of the table of rejected changes, from 0
     * @param bool $canmanage the viewer may use the buttons
     */
    public function __construct(status $status, int $page, bool $canmanage) {
        $this->status = $status;
        $this->page = $page;
        $this->canmanage = $canmanage;
    }

    /**
     * Data for the template.
     *
     * @param \renderer_base $output
     * @return array
     */
    public function export_for_template(\renderer_base $output) {
        $actions = [
            'url' => (new \moodle_url('/local/backend_sync/status.php'))->out(false),
            'sesskey' => sesskey(),
            'canmanage' => $this->canmanage,
            'configured' => $this->status->configured,
        ];
        $reason = $this->status->outage['reason'] ?? '';
        return $actions + [
            'isothersite' => $reason === failure::OTHER_SITE,
            'wentback' => $reason === failure::WENT_BACK,
            // Before somebody has said what happened, it could only fail.
            'cansend' => $this->status->sending && !in_array($reason, [failure::OTHER_SITE, failure::WENT_BACK], true),
            'needsreset' => $this->status->needs_reset(),
            'verdict' => verdict::of($this->status, true)->export(),
            'testurl' => (new \moodle_url('/local/backend_sync/testconnection.php'))->out(false),
            'previewurl' => has_capability('local/backend_sync:viewperson', \context_system::instance())
                ? (new \moodle_url('/local/backend_sync/preview.php'))->out(false) : null,
            'settingsurl' => has_capability('moodle/site:config', \context_system::instance())
                ? (new \moodle_url('/admin/settings.php', ['section' => 'local_backend_sync']))->out(false) : null,
            'numbers' => $this->numbers(),
            'backfill' => (new backfill_panel($this->status))->export_for_template($output) + $actions,
            'parity' => $this->parity() + $actions,
            'rejected' => (new rejected_table($this->status->rejected, $this->page))->export_for_template($output) + $actions,
            'found' => $this->found(),
        ];
    }

    /**
     * The key figures.
     *
     * @return array[] each with label, value, hint
     */
    private function numbers(): array {
        $status = $this->status;
        $text = function (string $key, $a = null) {
            return get_string($key, 'local_backend_sync', $a);
        };
        $backend = $status->backend;
        $numbers = [
            ['number_waiting', number_format($status->waiting),
                $status->waiting ? $text('number_waiting_age', format_time(max(1, $status->age()))) : ''],
            ['number_postponed', number_format($status->postponed), $status->postponed ? $text('number_postponed_hint') : ''],
            ['number_rejected', number_format($status->rejected), ''],
            ['number_lastsuccess', self::ago($status->lastsuccess), ''],
            ['number_senthour', number_format($status->senthour), ''],
            ['number_sentday', number_format($status->sentday), ''],
            ['number_lasttask', self::ago($status->lasttask), ''],
            ['number_backend', $backend ? $backend['site'] : $text('backend_unknown'),
                $backend ? $text('number_backend_version', $backend['backend_version']) : ''],
        ];
        return array_map(function ($number) use ($text) {
            return ['label' => $text($number[0]), 'value' => $number[1], 'hint' => $number[2]];
        }, $numbers);
    }

    /**
     * Whether the backend holds what Moodle holds.
     *
     * @return array
     */
    private function parity(): array {
        $words = new parity_text($this->status);
        return [
            'sentence' => $words->sentence(),
            'rows' => $words->rows(),
            'canstart' => $this->status->sending && !$words->is_underway(),
            'asks' => $words->asks(),
        ];
    }

    /**
     * What only a comparison found.
     *
     * @return array|null null if nothing
     */
    private function found(): ?array {
        $rows = [];
        foreach ($this->status->found as $name => $found) {
            $count = number_format($found['count']);
            $rows[] = ['what' => findings::words($name), 'count' => $count, 'last' => self::ago($found['last'])];
        }
        return $rows ? ['rows' => $rows] : null;
    }

    /**
     * How long ago something happened.
     *
     * @param int|null $time Unix seconds
     * @return string
     */
    private static function ago(?int $time): string {
        return $time === null ? get_string('never') : get_string('ago', 'message', format_time(max(1, time() - $time)));
    }
}
