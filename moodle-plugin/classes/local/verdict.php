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
 * The status in one sentence, with a level: for the top of the pages, the checks and the command line.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class verdict {
    /** @var string all is well */
    const OK = 'ok';
    /** @var string nothing is wrong, but there is something to do */
    const INFO = 'info';
    /** @var string may resolve itself */
    const WARNING = 'warning';
    /** @var string needs an administrator */
    const ERROR = 'error';

    /** @var int seconds that changes may wait before a warning; the scheduled task sends every minute */
    const WAIT = 300;
    /** @var int seconds since the last run of the scheduled task before a warning */
    const TASK_AGE = 600;

    /** @var string[][] by level: class of Bootstrap's alert, icon of Moodle */
    const LOOKS = [
        self::OK => ['success', 'i/valid'],
        self::INFO => ['info', 'i/info'],
        self::WARNING => ['warning', 'i/warning'],
        self::ERROR => ['danger', 'i/invalid'],
    ];

    /** @var string OK, INFO, WARNING or ERROR */
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
     * The most important verdict of all.
     *
     * @param status $status
     * @param bool $isstatuspage it is shown above the list of rejected changes
     * @return self
     */
    public static function of(status $status, bool $isstatuspage = false): self {
        $config = new config();
        if (!$status->configured) {
            return self::on_start($status);
        }
        return self::on_target($config) ?? self::on_start($status, $isstatuspage)
            ?? self::on_outage($status) ?? self::on_task($status) ?? self::on_waiting($status, $config)
            ?? self::on_rejected($status, $isstatuspage) ?? self::on_success($status);
    }

    /**
     * Verdict while nothing is sent yet.
     *
     * @param status $status
     * @param bool $isstatuspage
     * @return self|null null if sending has been started
     */
    public static function on_start(status $status, bool $isstatuspage = false): ?self {
        $what = $status->configured ? 'notstarted' . ($isstatuspage ? 'here' : '') : 'notconfigured';
        return $status->sending ? null : new self(self::INFO, get_string('verdict_' . $what, 'local_backend_sync'));
    }

    /**
     * Verdict on the settings.
     *
     * @param config $config
     * @return self|null null if they allow sending
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
     * Verdict on the scheduled task.
     *
     * @param status $status
     * @return self|null null if it runs
     */
    public static function on_task(status $status): ?self {
        if ($status->isdisabled) {
            return new self(self::WARNING, get_string('verdict_taskdisabled', 'local_backend_sync'));
        }
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
     * Verdict on an outage.
     *
     * @param status $status
     * @return self|null null if there is none
     */
    public static function on_outage(status $status): ?self {
        $outage = $status->outage;
        if (!$outage) {
            return null;
        }
        $sentence = get_string('verdict_failing', 'local_backend_sync', (object)[
            'since' => userdate(min($outage['since'], time())), // A clock that was ahead may have set it.
            'reason' => $status->reason(),
            'retry' => self::next_retry($status),
            'waiting' => self::count('waiting', $status->waiting),
        ]);
        return new self(self::ERROR, $sentence);
    }

    /**
     * Says when the next retry is.
     *
     * @param status $status
     * @return string
     */
    private static function next_retry(status $status): string {
        if ($status->isstuck) {
            return get_string('verdict_retrystuck', 'local_backend_sync');
        }
        return $status->waituntil === null ? get_string('verdict_retrynextrun', 'local_backend_sync')
            : get_string('verdict_retry', 'local_backend_sync', format_time(max(1, $status->waituntil - time())));
    }

    /**
     * Verdict on changes that have been waiting too long.
     *
     * @param status $status
     * @param config $config
     * @return self|null null if there are none
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
     * Verdict on rejected changes.
     *
     * @param status $status
     * @param bool $isstatuspage
     * @return self|null null if there are none
     */
    public static function on_rejected(status $status, bool $isstatuspage = false): ?self {
        $what = $isstatuspage ? 'rejectedhere' : 'rejectedtotal';
        return $status->rejected ? new self(self::WARNING, self::count($what, $status->rejected)) : null;
    }

    /**
     * Verdict when nothing is wrong.
     *
     * @param status $status
     * @return self
     */
    public static function on_success(status $status): self {
        // A backend that was set a moment ago has had no handshake yet.
        if ($status->lastsuccess === null || $status->backend === null) {
            $isnew = $status->lastsuccess === null;
            return new self(self::INFO, get_string($isnew ? 'verdict_nothingsent' : 'verdict_newtarget', 'local_backend_sync'));
        }
        if ($status->waiting) {
            $count = self::count('waiting', $status->waiting);
            return new self(self::OK, get_string('verdict_okwaiting', 'local_backend_sync', $count));
        }
        $age = format_time(max(1, time() - $status->lastsuccess));
        return new self(self::OK, get_string('verdict_ok', 'local_backend_sync', $age));
    }

    /**
     * Counts things in words.
     *
     * @param string $what of the strings count_WHAT and, for one, count_WHAT_one
     * @param int $count
     * @return string
     */
    public static function count(string $what, int $count): string {
        return get_string('count_' . $what . ($count === 1 ? '_one' : ''), 'local_backend_sync', number_format($count));
    }

    /**
     * Data for the template.
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
