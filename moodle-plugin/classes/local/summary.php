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

use local_backend_sync\local\delivery\report;

/**
 * Describes a run of the sender in words.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class summary {
    /**
     * Describes a report.
     *
     * @param report|null $report from runner::run()
     * @return verdict
     */
    public static function of(?report $report): verdict {
        if (!$report) {
            return new verdict(verdict::INFO, runner::busy());
        }
        if ($report->failure) {
            return new verdict(verdict::ERROR, reasons::of($report->failure));
        }
        if ($report->waituntil) {
            $wait = format_time(max(1, $report->waituntil - time()));
            return new verdict(verdict::WARNING, get_string('summary_backoff', 'local_backend_sync', $wait));
        }
        if ($report->empty && !($report->sent + $report->unchanged + $report->postponed + $report->rejected)) {
            return new verdict(verdict::OK, get_string('summary_nothing', 'local_backend_sync'));
        }
        $parts = [verdict::count('sent', $report->sent)];
        foreach (['unchanged', 'postponed', 'rejected'] as $what) {
            if ($report->$what) {
                $parts[] = verdict::count($what, $report->$what);
            }
        }
        if (!$report->empty) {
            $parts[] = get_string('summary_more', 'local_backend_sync');
        }
        return new verdict($report->rejected ? verdict::WARNING : verdict::OK, implode(' ', $parts));
    }
}
