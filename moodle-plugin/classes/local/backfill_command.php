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
 * Runs the full synchronisation on the command line, and shows its progress.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class backfill_command {
    /** @var int exit status: finished */
    const DONE = 0;
    /** @var int exit status: delivery fails, or the settings do not allow it */
    const FAILED = 1;
    /** @var int exit status: paused, cancelled or interrupted */
    const STOPPED = 3;

    /** @var int seconds of one run of the sender, and so the longest delay of an interruption */
    const SECONDS = 5;
    /** @var int seconds between progress lines when the output is not a terminal */
    const LINE_SECONDS = 10;
    /** @var int seconds of an outage after which the command gives up; the scheduled task never does */
    const GIVE_UP_SECONDS = 600;
    /** @var string[] reasons that a retry cannot overcome, only a change of settings */
    const PERMANENT = [failure::NOT_CONFIGURED, failure::NOT_STARTED, failure::INVALID_URL, failure::INSECURE_URL,
        failure::OTHER_SITE, failure::WENT_BACK];

    /** @var int|null records per minute; null for the setting */
    private $rate;
    /** @var bool the output is a terminal, so a line can be rewritten */
    private $isterminal;
    /** @var int when progress was last printed, Unix seconds */
    private $printed = 0;
    /** @var string reason printed last, so that it is not repeated */
    private $lastreason = '';

    /**
     * Constructor.
     *
     * @param int|null $rate records per minute; null for the setting
     */
    public function __construct(?int $rate) {
        $this->rate = $rate;
        $this->isterminal = function_exists('posix_isatty') && posix_isatty(STDOUT);
    }

    /**
     * Runs it until it has ended, or cannot go on.
     *
     * @param bool $force start from the beginning, and also send what the backend already holds
     * @param bool $resume continue, but never start a new one
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
            // The administrator is watching, so the first run ignores the backoff.
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
     * Requests the start or the continuation.
     *
     * @param bool $force
     * @param bool $resume
     * @return bool false if there is nothing to resume
     */
    private function request(bool $force, bool $resume): bool {
        $memory = new database_memory();
        $status = $memory->get(backfill::STATE)['status'] ?? '';
        $isactive = in_array($status, [backfill::RUNNING, backfill::PAUSED], true);
        if ($resume && !$isactive) {
            return false;
        }
        if (!$resume) {
            config::start_sending();
        }
        if ($force || !$isactive || $status === backfill::PAUSED) {
            backfill::request($memory, backfill::RUNNING, $force || !$isactive, $force);
        }
        return true;
    }

    /**
     * Decides whether the command is done.
     *
     * @param status $status
     * @param report|null $report null if another process is sending
     * @return int|null exit status; null to continue
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
     * Prints why it is waiting, once for each reason.
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
     * Shows the progress, at most once in a while. The sender calls it after each batch.
     */
    public function show(): void {
        if (time() - $this->printed >= ($this->isterminal ? 1 : self::LINE_SECONDS)) {
            $this->printed = time();
            $this->print_line(status_text::backfill(status::read()), false);
        }
    }

    /**
     * Prints a line of progress.
     *
     * @param string $line
     * @param bool $last
     */
    private function print_line(string $line, bool $last): void {
        // On a terminal, rewrites the line.
        cli_write($this->isterminal ? "\r\033[K" . $line . ($last ? "\n" : '') : $line . "\n");
    }
}
