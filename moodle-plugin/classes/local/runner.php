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

use core\lock\lock_config;
use local_backend_sync\event\delivery_failed;
use local_backend_sync\event\delivery_recovered;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\client;
use local_backend_sync\local\delivery\clock;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\health;
use local_backend_sync\local\delivery\report;
use local_backend_sync\local\delivery\sender;

/**
 * Runs the sender in Moodle: one at a time, with Moodle's settings, and with Moodle's log told.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class runner {
    /** @var string name of the lock */
    const LOCK = 'sender';
    /** @var int seconds after which a lock counts as left behind by a process that died, where locks are kept as rows */
    const LOCK_LIFETIME = 900;
    /** @var string name of what is remembered: events sent, by hour */
    const THROUGHPUT = 'throughput';
    /** @var string name of what is remembered: for which address of Moodle, and which backend and token, deliveries are meant */
    const SITE = 'home';
    /** @var string name of what is remembered: when the backfill may read its next piece */
    const PACE = 'backfillpace';
    /** @var int hours for which that is kept */
    const THROUGHPUT_HOURS = 48;

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
    /** @var int events sent that are in the throughput already */
    private $counted = 0;
    /** @var int records that a backfill reads in a minute */
    private $rate;

    /**
     * Constructor.
     *
     * @param config $config
     * @param int|null $rate records that a backfill reads in a minute; null for the setting
     */
    private function __construct(config $config, ?int $rate) {
        $this->config = $config;
        $this->rate = $rate ?? $config->backfill_rate();
        $this->memory = new database_memory();
        $this->backfill = new backfill($this->memory);
        $this->outbox = new outbox();
    }

    /**
     * Sends what waits, unless another process does.
     *
     * @param int $seconds how long at most; what has begun is finished
     * @param bool $force do not wait after a failure
     * @param int|null $batches how many batches at most, of live changes alone; null for all, and for the backfill
     * @param callable|null $progress gets the report, and the backfill's state, after each step
     * @param int|null $rate records that a backfill reads in a minute; null for the setting
     * @return report|null null when another process is at it
     */
    public static function run(
        int $seconds,
        bool $force = false,
        ?int $batches = null,
        ?callable $progress = null,
        ?int $rate = null
    ): ?report {
        return self::with_lock(function () use ($seconds, $force, $batches, $progress, $rate) {
            return (new self(new config(), $rate))->work($seconds, $force, $batches, $progress);
        });
    }

    /**
     * Does something while no other process sends.
     *
     * @param callable $work
     * @return mixed what it returns; null when another process is at it
     */
    public static function with_lock(callable $work) {
        $lock = lock_config::get_lock_factory('local_backend_sync')->get_lock(self::LOCK, 0, self::LOCK_LIFETIME);
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
     * Sends what waits.
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
            $this->config->require_valid_target();
            $this->require_same_site($client->target());
        } catch (failure $failure) {
            return $this->fail_settings($failure, $health);
        }
        $records = new records($this->config->sends_hidden());
        $options = $this->config->options();
        $this->sender = new sender(new ledger(), $records, $client, $this->memory, new clock(), $options);
        if ($batches === null && !$health->is_failing() && $this->config->sends(change::GRADE)) {
            grade_history::enqueue_changes($this->memory);
        }
        $report = $this->loop(time() + $seconds, $batches, $progress, $options->kinds);
        $this->log_outage($report);
        return $report;
    }

    /**
     * Checks that this Moodle is still at the address for which its settings were made. A copy of it, for tests, has its settings
     * and its token, too, and would overwrite in the backend what the original sends.
     *
     * @param string $target see client
     * @throws failure
     */
    private function require_same_site(string $target): void {
        global $CFG;
        // That https replaces http makes it no other site.
        $home = ['wwwroot' => preg_replace('~^https?://~', '', $CFG->wwwroot), 'target' => $target];
        $last = $this->memory->get(self::SITE);
        if ($last && $last['target'] === $target && $last['wwwroot'] !== $home['wwwroot']) {
            throw new failure(failure::OTHER_SITE, $last['wwwroot']);
        }
        $this->memory->set(self::SITE, $home);
    }

    /**
     * Makes the address that this Moodle has now the right one.
     */
    public static function accept_site(): void {
        (new database_memory())->set(self::SITE, null);
    }

    /**
     * Live changes first, then a piece of the backfill, and again.
     *
     * @param int $deadline Unix seconds
     * @param int|null $batches
     * @param callable|null $progress
     * @param string[] $kinds kinds of records that are sent
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
            if (!$done && $this->await_backfill_slot()) {
                $report = $this->send_backfill_batch($deadline);
                $done = (bool)$report->failure;
            }
            if ($progress) {
                $progress($report, $this->backfill->state());
            }
        } while (!$done && time() < $deadline);
        return $report;
    }

    /**
     * Whether it is time for the next piece of the backfill. Waits for that, but not long, for live changes' sake.
     *
     * @return bool
     */
    private function await_backfill_slot(): bool {
        $wait = ($this->memory->get(self::PACE)['due'] ?? 0) - microtime(true);
        if ($wait > MINSECS * sender::BATCH / $this->rate) {
            return true; // The rate was raised, or the clock put back.
        }
        usleep((int)(1000000 * max(0, min(1, $wait))));
        return $wait <= 1;
    }

    /**
     * Sends a piece of the backfill, and notes when its rate allows the next one.
     *
     * @param int $deadline Unix seconds
     * @return report
     */
    private function send_backfill_batch(int $deadline): report {
        $begin = microtime(true);
        $before = $this->backfill->state()['done'];
        $report = $this->sender->run($this->backfill, $deadline, 1);
        $this->count_sent($report);
        $read = $this->backfill->state()['done'] - $before;
        $this->memory->set(self::PACE, ['due' => round($begin + MINSECS * $read / $this->rate, 3)]);
        return $report;
    }

    /**
     * When the settings don't allow to send.
     *
     * @param failure $failure
     * @param health $health
     * @return report
     */
    private function fail_settings(failure $failure, health $health): report {
        $report = new report();
        $report->failure = $failure;
        if ($failure->reason !== failure::NOT_CONFIGURED && !$health->wait_until()) {
            $report->outagestarted = $health->failed($failure);
            $this->log_outage($report);
        }
        return $report;
    }

    /**
     * Counts what was sent.
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
     * Tells Moodle's log that deliveries fail, or work again.
     *
     * @param report $report
     */
    private function log_outage(report $report): void {
        if ($report->recovered) {
            delivery_recovered::create_now()->trigger();
            schedule::reschedule();
        }
        if ($report->outagestarted) {
            delivery_failed::create_from_failure($report->failure)->trigger();
        }
    }
}
