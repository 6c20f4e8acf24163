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

use core\lock\db_record_lock_factory;
use core\lock\lock_config;
use local_backend_sync\event\delivery_failed;
use local_backend_sync\event\delivery_recovered;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\client;
use local_backend_sync\local\delivery\clock;
use local_backend_sync\local\delivery\continuity;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\health;
use local_backend_sync\local\delivery\parity;
use local_backend_sync\local\delivery\report;
use local_backend_sync\local\delivery\sender;

/**
 * Runs the sender within Moodle: under a lock, with the settings, and with events in Moodle's log.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class runner {
    /** @var string name of the lock */
    const LOCK = 'sender';
    /** @var int longest run in seconds: it must end before its lock counts as abandoned */
    const LONGEST = 60;
    /** @var int requests with which a run may exceed its time: to find an event at fault, and a handshake before */
    const LAST_REQUESTS = 4;
    /** @var int seconds in which a run reads and writes the database after its time */
    const GRACE = 60;
    /** @var string key in the memory: events sent, by hour since 1970 */
    const THROUGHPUT = 'throughput';
    /** @var int how many hours of THROUGHPUT to keep */
    const THROUGHPUT_HOURS = 48;
    /** @var string key in the memory: the address of Moodle for which the backend and token were set */
    const SITE = 'home';
    /** @var string key in the memory: when the rate limit allows the next batch that no page has caused */
    const PACE = 'backfillpace';

    /** @var config */
    private $config;
    /** @var database_memory */
    private $memory;
    /** @var backfill */
    private $backfill;
    /** @var outbox */
    private $outbox;
    /** @var sender */
    private $sender;
    /** @var int events sent that THROUGHPUT already includes */
    private $counted = 0;
    /** @var int speed limit of the backfill and of what a comparison repairs, in records per minute */
    private $rate;

    /**
     * Constructor.
     *
     * @param config $config
     * @param int|null $rate speed limit of the backfill, in records per minute; null for the setting
     */
    private function __construct(config $config, ?int $rate) {
        $this->config = $config;
        $this->rate = $rate ?? $config->backfill_rate();
        $this->memory = new database_memory();
        $this->backfill = new backfill($this->memory);
        $this->outbox = new outbox();
    }

    /**
     * Sends waiting changes, unless another process is sending.
     *
     * @param int $seconds time limit, LONGEST at most; a request in progress is completed
     * @param bool $force ignore the backoff
     * @param int|null $batches limit of batches, for live changes only; null for no limit, and the backfill too
     * @param callable|null $progress called after each step with the report and the backfill's state
     * @param int|null $rate speed limit of the backfill, in records per minute; null for the setting
     * @return report|null null if another process is sending
     */
    public static function run(
        int $seconds,
        bool $force = false,
        ?int $batches = null,
        ?callable $progress = null,
        ?int $rate = null
    ): ?report {
        $seconds = min($seconds, self::LONGEST);
        return self::with_lock($seconds, function () use ($seconds, $force, $batches, $progress, $rate) {
            return (new self(new config(), $rate))->work($seconds, $force, $batches, $progress);
        });
    }

    /**
     * Sends waiting changes for longer than one run may hold the lock.
     *
     * @param int $seconds time limit
     * @param callable $progress called after each step with the report
     * @return report|null of the last run; null if another process is sending
     */
    public static function run_long(int $seconds, callable $progress): ?report {
        $deadline = time() + $seconds;
        $isfirst = true;
        do {
            $report = self::run(max(1, $deadline - time()), $isfirst, null, $progress);
            $isfirst = false;
        } while ($report && $report->istimeup && time() < $deadline);
        return $report;
    }

    /**
     * Calls a function while no other process is sending.
     *
     * @param int $seconds how long it may take, apart from the requests with which it ends
     * @param callable $work
     * @return mixed its result; null if another process is sending
     */
    public static function with_lock(int $seconds, callable $work) {
        // Where Moodle stores locks as rows, that of a killed process counts for so long.
        $lifetime = $seconds + self::LAST_REQUESTS * (new config())->timeout() + self::GRACE;
        $lock = lock_config::get_lock_factory('local_backend_sync')->get_lock(self::LOCK, 0, $lifetime);
        if (!$lock) {
            return null;
        }
        try {
            return $work();
        } finally {
            $lock->release();
        }
    }

    /**
     * Says that another process is sending, and how long that may take if it has been killed.
     *
     * @return string
     */
    public static function busy(): string {
        global $DB;
        // Any other kind of lock ends with its process.
        $expires = 0;
        if (lock_config::get_lock_factory('local_backend_sync') instanceof db_record_lock_factory) {
            $expires = primary::read(function () use ($DB) {
                return (int)$DB->get_field('lock_db', 'expires', ['resourcekey' => 'local_backend_sync_' . self::LOCK]);
            });
        }
        return $expires <= time() ? get_string('busy', 'local_backend_sync')
            : get_string('busy_until', 'local_backend_sync', format_time($expires - time()));
    }

    /**
     * Sends waiting changes, under the lock.
     *
     * @param int $seconds
     * @param bool $force
     * @param int|null $batches
     * @param callable|null $progress
     * @return report
     */
    private function work(int $seconds, bool $force, ?int $batches, ?callable $progress): report {
        $health = new health($this->memory, new clock());
        if ($force) {
            $health->retry_now();
            schedule::reschedule();
        }
        $timeout = $batches === null ? $this->config->timeout() : immediate::TIMEOUT;
        $http = new moodle_http($this->config->connect_timeout(), $timeout);
        $client = new client($http, $this->config->url(), $this->config->token());
        try {
            $this->config->require_sending();
            $this->require_same_site($client->target());
        } catch (failure $failure) {
            return $this->fail_settings($failure, $health);
        }
        $records = new records($this->config->sends_hidden());
        $options = $this->config->options();
        $this->sender = new sender(new ledger(), $records, $client, $this->memory, new clock(), $options);
        if ($batches === null && !$health->is_failing() && $this->config->sends(change::GRADE)) {
            grade_history::enqueue_changes($this->memory);
            grade_settings::enqueue_changes($this->memory, $this->config->sends_hidden());
        }
        $deadline = time() + $seconds;
        if ($batches === null && !$health->is_failing()) {
            unreported::enqueue_changes($this->memory, new differences($this->memory, $records, $options), $options->kinds);
        }
        $report = $this->loop($deadline, $batches, $progress, $options->kinds);
        // The full synchronisation finds the same and more.
        $maycompare = $batches === null && $report->empty && !$report->failure && !$this->backfill->is_running();
        if ($maycompare && time() < $deadline && (new comparison($this->memory, $records, $options))->run()) {
            $report = $this->loop($deadline, $batches, $progress, $options->kinds);
        }
        $goeson = $maycompare && parity::is_due($this->memory);
        while ($goeson && $report->empty && !$report->failure && time() < $deadline) {
            $goeson = !$this->await_slot() || $this->compare($this->parity($client, $records, $options->kinds));
            $report = $this->loop($deadline, $batches, $progress, $options->kinds);
        }
        $this->log_outage($report);
        return $report;
    }

    /**
     * Compares with the backend, and stores when the rate limit allows to go on.
     *
     * @param parity $parity
     * @return bool whether it has found something to send
     */
    private function compare(parity $parity): bool {
        $start = microtime(true);
        $enqueued = $parity->run();
        if ($enqueued) {
            $this->set_pace($start, $enqueued);
        }
        return (bool)$enqueued;
    }

    /**
     * Checks that Moodle still has the address for which the settings were made. A test copy of the site also has its settings
     * and token, and would overwrite in the backend what the original sends.
     *
     * @param string $target see client::target()
     * @throws failure
     */
    private function require_same_site(string $target): void {
        global $CFG;
        // A site that switches from http to https remains the same.
        $site = ['wwwroot' => preg_replace('~^https?://~', '', $CFG->wwwroot), 'target' => $target];
        $last = $this->memory->get(self::SITE);
        if ($last && $last['target'] === $target && $last['wwwroot'] !== $site['wwwroot']) {
            throw new failure(failure::OTHER_SITE, $last['wwwroot']);
        }
        $this->memory->set(self::SITE, $site);
    }

    /**
     * Accepts Moodle's present address: the next run stores it.
     */
    public static function accept_site(): void {
        (new database_memory())->set(self::SITE, null);
    }

    /**
     * The comparison with the backend.
     *
     * @param client $client
     * @param records $records
     * @param string[] $kinds
     * @return parity
     */
    private function parity(client $client, records $records, array $kinds): parity {
        return new parity(new ledger(), $records, $client, $this->memory, new clock(), $kinds);
    }

    /**
     * Accepts that the backend remembers more than this site, which has gone back in time.
     */
    public static function accept_past(): void {
        continuity::accept(new database_memory());
    }

    /**
     * Alternates between all live changes and one batch of the backfill, so that live changes never wait for it.
     *
     * @param int $deadline Unix seconds
     * @param int|null $batches
     * @param callable|null $progress
     * @param string[] $kinds kinds of records to send
     * @return report
     */
    private function loop(int $deadline, ?int $batches, ?callable $progress, array $kinds): report {
        do {
            $report = $this->sender->run($this->outbox, $deadline, $batches);
            $this->count_sent($report);
            $done = !$report->empty || $batches !== null;
            if (!$done) {
                $this->memory->reload();
                $this->backfill->apply_request($kinds);
                $done = !$this->backfill->is_running();
            }
            if (!$done && $this->await_slot()) {
                $report = $this->send_backfill_batch($deadline);
                $done = (bool)$report->failure;
            }
            if ($progress) {
                $progress($report, $this->backfill->state());
            }
        } while (!$done && time() < $deadline);
        $report->istimeup = !$done || (!$report->empty && !$report->failure && !$report->waituntil);
        return $report;
    }

    /**
     * Waits until the rate limit allows the next batch of the backfill or of a comparison, but at most a second, because of live
     * changes.
     *
     * @return bool whether it does
     */
    private function await_slot(): bool {
        $wait = ($this->memory->get(self::PACE)['due'] ?? 0) - microtime(true);
        if ($wait > MINSECS * sender::BATCH / $this->rate) {
            return true; // The rate was raised, or the clock set back.
        }
        usleep((int)(1000000 * max(0, min(1, $wait))));
        return $wait <= 1;
    }

    /**
     * Sends a batch of the backfill, and stores when the rate limit allows the next one.
     *
     * @param int $deadline Unix seconds
     * @return report
     */
    private function send_backfill_batch(int $deadline): report {
        $start = microtime(true);
        $before = $this->backfill->state()['done'];
        $report = $this->sender->run($this->backfill, $deadline, 1);
        $this->count_sent($report);
        $this->set_pace($start, $this->backfill->state()['done'] - $before);
        return $report;
    }

    /**
     * Stores when the rate limit allows the next batch.
     *
     * @param float $start of the last one
     * @param int $records how many it had
     */
    private function set_pace(float $start, int $records): void {
        // Not more, or await_slot() would not believe it.
        $records = min($records, sender::BATCH);
        $this->memory->set(self::PACE, ['due' => round($start + MINSECS * $records / $this->rate, 3)]);
    }

    /**
     * Reports that the settings do not allow sending.
     *
     * @param failure $failure
     * @param health $health
     * @return report
     */
    private function fail_settings(failure $failure, health $health): report {
        $report = new report();
        $report->failure = $failure;
        $isidle = in_array($failure->reason, [failure::NOT_CONFIGURED, failure::NOT_STARTED], true);
        if (!$isidle && !$health->wait_until()) {
            $report->outagestarted = $health->failed($failure);
            $this->log_outage($report);
        }
        return $report;
    }

    /**
     * Adds what was sent since the last call to THROUGHPUT.
     *
     * @param report $report
     */
    private function count_sent(report $report): void {
        if ($report->sent === $this->counted) {
            return;
        }
        $hour = (int)floor(time() / HOURSECS);
        $hours = $this->memory->get(self::THROUGHPUT) ?? [];
        $hours[$hour] = ($hours[$hour] ?? 0) + $report->sent - $this->counted;
        foreach (array_keys($hours) as $old) {
            if ($old <= $hour - self::THROUGHPUT_HOURS) {
                unset($hours[$old]);
            }
        }
        $this->memory->set(self::THROUGHPUT, $hours);
        $this->counted = $report->sent;
    }

    /**
     * Logs in Moodle that an outage started or ended.
     *
     * @param report $report
     */
    private function log_outage(report $report): void {
        if ($report->recovered) {
            delivery_recovered::create_now()->trigger();
            schedule::reschedule();
        }
        if ($report->outagestarted) {
            delivery_failed::create_from_failure($report->failure, $this->config->url())->trigger();
        }
    }
}
