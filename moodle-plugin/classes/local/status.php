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

use local_backend_sync\local\delivery\client;
use local_backend_sync\local\delivery\clock;
use local_backend_sync\local\delivery\clocks;
use local_backend_sync\local\delivery\continuity;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\health;
use local_backend_sync\local\delivery\parity;

/**
 * Snapshot of the deliveries: the single source for the status page, the checks, the command line and the alert.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class status {
    /** @var int seconds that a backfill must have run before its speed is meaningful */
    const ETA_AFTER = 5;

    /** @var bool URL and token are set */
    public $configured;
    /** @var bool the same, and an administrator has started sending */
    public $sending;
    /** @var int outbox rows that are due */
    public $waiting;
    /** @var int|null when the oldest of these was written, Unix seconds */
    public $oldest;
    /** @var int outbox rows that are not due yet */
    public $postponed;
    /** @var int changes that the backend rejected */
    public $rejected;
    /** @var int|null time of the last success, Unix seconds */
    public $lastsuccess;
    /** @var array|null see health::OUTAGE; null while delivery works */
    public $outage;
    /** @var int|null end of the backoff, Unix seconds; null if sending is allowed now */
    public $waituntil;
    /** @var int events sent in the current and the previous hour */
    public $senthour;
    /** @var int events sent in the last 24 hours */
    public $sentday;
    /** @var array|null the last handshake; null if there was none with the present backend and token */
    public $backend;
    /** @var array|null status and progress of the full synchronisation, see backfill::state() */
    public $backfill;
    /** @var array|null an administrator's request that the sender has not applied yet */
    public $backfillrequest;
    /** @var clocks as of the last handshake */
    public $clocks;
    /** @var array|null the last or present comparison with the backend, see parity::STATE */
    public $parity;
    /** @var array|null a requested one that has not started yet */
    public $parityrequest;
    /** @var array[] what only a comparison found: count and last, by kind and cause, see findings */
    public $found;
    /** @var int|null last run of the task that sends, Unix seconds */
    public $lasttask;
    /** @var bool the task that sends is stuck, see schedule */
    public $isstuck;
    /** @var bool the task that sends is disabled */
    public $isdisabled;

    /**
     * Takes a snapshot.
     *
     * @return self
     */
    public static function read(): self {
        return primary::read(function () {
            return self::read_primary();
        });
    }

    /**
     * Takes a snapshot of the primary database.
     *
     * @return self
     */
    private static function read_primary(): self {
        global $DB;
        $memory = new database_memory();
        $now = time();
        $status = new self();
        $config = new config();
        $ispresent = self::is_present_target($memory, $config);
        $status->configured = $config->is_configured();
        $status->sending = $config->is_sending();
        $sql = "SELECT COUNT(1) AS waiting, MIN(timecreated) AS oldest FROM {" . outbox::TABLE . "} WHERE timedue <= ?";
        $row = $DB->get_record_sql($sql, [$now]);
        $status->waiting = (int)$row->waiting;
        $status->oldest = $row->oldest ? (int)$row->oldest : null;
        $status->postponed = $DB->count_records_select(outbox::TABLE, 'timedue > ?', [$now]);
        $status->rejected = $DB->count_records(ledger::REJECTED);
        $status->lastsuccess = $memory->get(health::SUCCESS)['time'] ?? null;
        $status->outage = $ispresent ? $memory->get(health::OUTAGE) : null;
        $status->waituntil = (new health($memory, new clock()))->wait_until();
        $hours = $memory->get(runner::THROUGHPUT) ?? [];
        $status->senthour = self::sum($hours, 1);
        $status->sentday = self::sum($hours, 24);
        $status->backend = $ispresent ? $memory->get(clocks::HANDSHAKE) : null;
        $status->clocks = new clocks($memory, new clock());
        $status->backfill = $memory->get(backfill::STATE);
        $status->backfillrequest = $memory->get(backfill::REQUEST);
        $status->parity = $memory->get(parity::STATE);
        $status->parityrequest = $memory->get(continuity::COMPARE);
        $status->found = $memory->get(findings::STATE) ?? [];
        ksort($status->found);
        $task = \core\task\manager::get_scheduled_task('\local_backend_sync\task\send');
        $status->lasttask = $task && $task->get_last_run_time() ? (int)$task->get_last_run_time() : null;
        $status->isstuck = $task && schedule::is_stuck($task);
        $status->isdisabled = $task && $task->get_disabled();
        return $status;
    }

    /**
     * Whether the stored state belongs to the configured backend and token. After a change it belongs to the old ones until the
     * sender runs.
     *
     * @param database_memory $memory
     * @param config $config
     * @return bool true also if the settings do not allow sending, because then that is the outage
     */
    private static function is_present_target(database_memory $memory, config $config): bool {
        try {
            $config->require_valid_target();
        } catch (failure $failure) {
            return true;
        }
        $client = new client(new moodle_http($config->connect_timeout(), $config->timeout()), $config->url(), $config->token());
        return in_array($memory->get('target'), [null, ['target' => $client->target()]], true);
    }

    /**
     * Age of the oldest waiting change.
     *
     * @return int seconds
     */
    public function age(): int {
        return $this->oldest === null ? 0 : max(0, time() - $this->oldest);
    }

    /**
     * Explains the outage, and what to do about it.
     *
     * @return string empty while delivery works
     */
    public function reason(): string {
        $outage = $this->outage;
        if (!$outage) {
            return '';
        }
        if ($outage['reason'] === failure::CLOCK_AHEAD) {
            // The backend's message is based on the versions alone. Only this side knows whether the clock is still ahead.
            return reasons::sentence($outage['reason']) . ' ' . reasons::of_clocks($this->clocks, $this->backend['site'] ?? '');
        }
        return reasons::sentence($outage['reason'], $outage['detail'], (int)$outage['status']);
    }

    /**
     * Whether delivery fails because of the watermark, so that it should be reset.
     *
     * @return bool
     */
    public function needs_reset(): bool {
        return ($this->outage['reason'] ?? '') === failure::CLOCK_AHEAD && $this->clocks->needs_reset();
    }

    /**
     * Sums up the throughput of the current hour and the ones before it.
     *
     * @param int[] $hours by hour since 1970
     * @param int $count hours before the current one
     * @return int
     */
    private static function sum(array $hours, int $count): int {
        $now = (int)floor(time() / HOURSECS);
        return array_sum(array_filter($hours, function ($hour) use ($now, $count) {
            return $hour >= $now - $count && $hour <= $now;
        }, ARRAY_FILTER_USE_KEY));
    }

    /**
     * Estimates the time left of a running full synchronisation.
     *
     * @return int|null seconds; null if unknown
     */
    public function backfill_eta(): ?int {
        $state = $this->backfill;
        if (($state['status'] ?? '') !== backfill::RUNNING || !$state['done'] || $state['total'] <= $state['done']) {
            return null;
        }
        $time = time() - $state['started'];
        return $time < self::ETA_AFTER ? null : (int)ceil($time * ($state['total'] - $state['done']) / $state['done']);
    }
}
