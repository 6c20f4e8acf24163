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

use local_backend_sync\local\delivery\failure;

/**
 * How things stand, in one sentence: what the pages begin with and what the checks and the command line tell.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class verdict {
    /** @var string all is well */
    const OK = 'ok';
    /** @var string there is something to do, but nothing is wrong */
    const INFO = 'info';
    /** @var string may become well by itself */
    const WARNING = 'warning';
    /** @var string needs somebody */
    const ERROR = 'error';

    /** @var int seconds that changes may wait while all is well: the scheduled task sends every minute */
    const WAIT = 300;
    /** @var int seconds after which the scheduled task should have run again */
    const TASK_AGE = 600;

    /** @var string[][] by level, how it looks: class of Bootstrap's alert, icon of Moodle */
    const LOOKS = [
        self::OK => ['success', 'i/valid'],
        self::INFO => ['info', 'i/info'],
        self::WARNING => ['warning', 'i/warning'],
        self::ERROR => ['danger', 'i/invalid'],
    ];

    /** @var string one of the constants */
    public $level;
    /** @var string plain text */
    public $sentence;

    /**
     * Constructor.
     *
     * @param string $level
     * @param string $sentence plain text
     */
    public function __construct(string $level, string $sentence) {
        $this->level = $level;
        $this->sentence = $sentence;
    }

    /**
     * On everything.
     *
     * @param status $status
     * @return self
     */
    public static function of(status $status): self {
        $config = new config();
        if (!$status->configured) {
            return new self(self::INFO, get_string('verdict_notconfigured', 'local_backend_sync'));
        }
        return self::on_target($config) ?? self::on_outage($status) ?? self::on_task($status)
            ?? self::on_waiting($status, $config) ?? self::on_rejected($status) ?? self::on_success($status);
    }

    /**
     * On the settings: whether anything may be sent with them.
     *
     * @param config $config
     * @return self|null null when there is nothing to say
     */
    public static function on_target(config $config): ?self {
        try {
            $config->require_valid_target();
        } catch (failure $failure) {
            return new self(self::ERROR, reasons::of($failure));
        }
        return null;
    }

    /**
     * On the scheduled task.
     *
     * @param status $status
     * @return self|null null when there is nothing to say
     */
    public static function on_task(status $status): ?self {
        if ($status->lasttask === null) {
            return new self(self::WARNING, get_string('verdict_taskneverran', 'local_backend_sync'));
        }
        if ($status->isstuck) {
            $when = userdate($status->lasttask);
            return new self(self::WARNING, get_string('verdict_taskahead', 'local_backend_sync', $when));
        }
        $age = time() - $status->lasttask;
        return $age <= self::TASK_AGE ? null
            : new self(self::WARNING, get_string('verdict_tasklate', 'local_backend_sync', format_time($age)));
    }

    /**
     * On deliveries that fail.
     *
     * @param status $status
     * @return self|null null when they don't
     */
    public static function on_outage(status $status): ?self {
        $outage = $status->outage;
        if (!$outage) {
            return null;
        }
        $sentence = get_string('verdict_failing', 'local_backend_sync', (object)[
            'since' => userdate(min($outage['since'], time())), // Not by a clock that was ahead.
            'reason' => $status->reason(),
            'retry' => self::next_try($status),
            'waiting' => self::count('waiting', $status->waiting),
        ]);
        return new self(self::ERROR, $sentence);
    }

    /**
     * When it will be tried again.
     *
     * @param status $status
     * @return string
     */
    private static function next_try(status $status): string {
        if ($status->isstuck) {
            return get_string('verdict_retrystuck', 'local_backend_sync');
        }
        return $status->waituntil === null ? get_string('verdict_retrysoon', 'local_backend_sync')
            : get_string('verdict_retry', 'local_backend_sync', format_time(max(1, $status->waituntil - time())));
    }

    /**
     * On changes that wait too long.
     *
     * @param status $status
     * @param config $config
     * @return self|null null when none does
     */
    public static function on_waiting(status $status, config $config): ?self {
        $age = $status->age();
        if ($age <= self::WAIT) {
            return null;
        }
        $a = (object)['waiting' => self::count('waiting', $status->waiting), 'age' => format_time($age)];
        $level = $age >= $config->alert_after() ? self::ERROR : self::WARNING;
        return new self($level, get_string('verdict_waiting', 'local_backend_sync', $a));
    }

    /**
     * On changes that the backend refused.
     *
     * @param status $status
     * @return self|null null when there is none
     */
    public static function on_rejected(status $status): ?self {
        return $status->rejected ? new self(self::WARNING, self::count('rejectedwait', $status->rejected)) : null;
    }

    /**
     * When nothing is wrong.
     *
     * @param status $status
     * @return self
     */
    public static function on_success(status $status): self {
        // Of a backend that was set a moment ago, nothing is known yet.
        if ($status->lastsuccess === null || $status->backend === null) {
            return new self(self::INFO, get_string('verdict_nothingsent', 'local_backend_sync'));
        }
        if ($status->waiting) {
            $count = self::count('waiting', $status->waiting);
            return new self(self::OK, get_string('verdict_wellwaiting', 'local_backend_sync', $count));
        }
        $age = format_time(max(1, time() - $status->lastsuccess));
        return new self(self::OK, get_string('verdict_well', 'local_backend_sync', $age));
    }

    /**
     * A number of things in words.
     *
     * @param string $what name of two strings, this and this with "one" behind it
     * @param int $count
     * @return string
     */
    public static function count(string $what, int $count): string {
        return get_string('count_' . $what . ($count === 1 ? '_one' : ''), 'local_backend_sync', number_format($count));
    }

    /**
     * For templates.
     *
     * @return array
     */
    public function export(): array {
        [$class, $icon] = self::LOOKS[$this->level];
        return [
            'class' => $class,
            'icon' => $icon,
            'level' => get_string('level_' . $this->level, 'local_backend_sync'),
            'sentence' => $this->sentence,
        ];
    }
}
