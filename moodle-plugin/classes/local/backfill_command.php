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

use core\local\cli\shutdown;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\report;

/**
 * Goes through with the synchronisation of everything on the command line, and shows how far it is.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class backfill_command {
    /** @var int exit status: it went through everything */
    const DONE = 0;
    /** @var int exit status: deliveries fail, or the settings don't allow them */
    const FAILED = 1;
    /** @var int exit status: it was paused, cancelled or interrupted */
    const STOPPED = 3;

    /** @var int seconds of one run of the sender: so long an interruption may have to wait */
    const SECONDS = 5;
    /** @var int seconds between two lines where they cannot be rewritten */
    const LINE_SECONDS = 10;
    /** @var int seconds for which deliveries may fail before this gives up; the scheduled task does not */
    const GIVE_UP_SECONDS = 600;
    /** @var string[] reasons that only another setting ends */
    const PERMANENT = [failure::NOT_CONFIGURED, failure::INVALID_URL, failure::INSECURE_URL, failure::OTHER_SITE];

    /** @var int|null records in a minute; null for the setting */
    private $rate;
    /** @var bool the output is a terminal, where a line can be rewritten */
    private $isterminal;
    /** @var int when the last line was printed, Unix seconds */
    private $printed = 0;
    /** @var string what was said last, so that it is said once */
    private $lastreason = '';

    /**
     * Constructor.
     *
     * @param int|null $rate records in a minute; null for the setting
     */
    public function __construct(?int $rate) {
        $this->rate = $rate;
        $this->isterminal = function_exists('posix_isatty') && posix_isatty(STDOUT);
    }

    /**
     * Goes through with it.
     *
     * @param bool $force begin anew, and send also what the backend is known to hold
     * @param bool $resume only go on with one that was begun
     * @return int exit status
     */
    public function run(bool $force, bool $resume): int {
        if (!$this->request($force, $resume)) {
            cli_problem(get_string('cli_backfill_nothing', 'local_backend_sync'));
            return self::STOPPED;
        }
        $result = null;
        $first = true;
        while ($result === null) {
            // The first time, it is tried even if the last delivery failed.
            $report = runner::run(self::SECONDS, $first, null, [$this, 'show'], $this->rate);
            $first = false;
            $status = status::read();
            $result = $this->result($status, $report);
            $this->show();
            if ($result === null && (!$report || $report->failure || $report->waituntil)) {
                $this->print_reason($report);
                sleep(1);
            }
        }
        $this->print_line(status_text::backfill($status), true);
        return $result;
    }

    /**
     * Tells the sender what to do.
     *
     * @param bool $force
     * @param bool $resume
     * @return bool false when there is nothing to go on with
     */
    private function request(bool $force, bool $resume): bool {
        $memory = new database_memory();
        $status = $memory->get(backfill::STATE)['status'] ?? '';
        $isbegun = in_array($status, [backfill::RUNNING, backfill::PAUSED], true);
        if ($resume && !$isbegun) {
            return false;
        }
        if ($force || !$isbegun || $status === backfill::PAUSED) {
            backfill::request($memory, backfill::RUNNING, $force || !$isbegun, $force);
        }
        return true;
    }

    /**
     * Whether it is over.
     *
     * @param status $status
     * @param report|null $report
     * @return int|null exit status; null to go on
     */
    private function result(status $status, ?report $report): ?int {
        $name = $status->backfill['status'] ?? '';
        if (!$status->backfillrequest && $name !== backfill::RUNNING) {
            return $name === backfill::FINISHED ? self::DONE : self::STOPPED;
        }
        if (shutdown::should_gracefully_exit()) {
            return self::STOPPED;
        }
        $failure = $report ? $report->failure : null;
        $ispermanent = $failure && in_array($failure->reason, self::PERMANENT, true);
        $failing = $status->outage ? time() - $status->outage['since'] : 0;
        if ($ispermanent || ($failure && $failing > self::GIVE_UP_SECONDS)) {
            cli_problem("\n" . reasons::of($failure));
            return self::FAILED;
        }
        return null;
    }

    /**
     * Says why it waits.
     *
     * @param report|null $report
     */
    private function print_reason(?report $report): void {
        if ($report && !$report->failure) {
            return;
        }
        $text = $report ? reasons::of($report->failure) : get_string('cli_backfill_busy', 'local_backend_sync');
        if ($text !== $this->lastreason) {
            $this->lastreason = $text;
            cli_problem(($this->isterminal ? "\n" : '') . $text);
        }
    }

    /**
     * Shows how far it is, from time to time. The sender calls this, too, after each piece.
     */
    public function show(): void {
        if (time() - $this->printed >= ($this->isterminal ? 1 : self::LINE_SECONDS)) {
            $this->printed = time();
            $this->print_line(status_text::backfill(status::read()), false);
        }
    }

    /**
     * Prints how far it is.
     *
     * @param string $line
     * @param bool $last
     */
    private function print_line(string $line, bool $last): void {
        // On a terminal: back to the beginning of the line, and away with what was there.
        cli_write($this->isterminal ? "\r\033[K" . $line . ($last ? "\n" : '') : $line . "\n");
    }
}
