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

use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\memory;
use local_backend_sync\local\delivery\queue;

/**
 * The full synchronisation: all existing records, then the deleted ones that the backend still holds. What the backend already
 * holds is not sent again, so repeating it finds changes for which Moodle fires no event.
 *
 * It adds no rows to the outbox. Its only state is a cursor, so a large site needs no more memory or disk than a small one.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class backfill implements queue {
    /** @var string key in the memory: progress, see state() */
    const STATE = 'backfill';
    /** @var string key in the memory: an administrator's request. Only the sender writes STATE, so the two never collide. */
    const REQUEST = 'backfillorder';

    /** @var string sends batches */
    const RUNNING = 'running';
    /** @var string waits for an administrator to resume it */
    const PAUSED = 'paused';
    /** @var string all records are processed */
    const FINISHED = 'finished';
    /** @var string stopped by an administrator, for good */
    const CANCELLED = 'cancelled';

    /** @var memory */
    private $memory;
    /** @var int changes of the present batch that are not done yet */
    private $open = 0;
    /** @var int changes of the present batch */
    private $size = 0;
    /** @var int cursor after the present batch */
    private $end = 0;

    /**
     * Constructor.
     *
     * @param memory $memory
     */
    public function __construct(memory $memory) {
        $this->memory = $memory;
    }

    /**
     * Stores an administrator's request, for the sender to apply.
     *
     * @param memory $memory
     * @param string $status RUNNING (to start or resume), PAUSED or CANCELLED
     * @param bool $restart start from the beginning
     * @param bool $force also send what the backend already holds
     */
    public static function request(memory $memory, string $status, bool $restart = false, bool $force = false): void {
        // A request may wait while the plugin is upgraded, so its keys must not change.
        $memory->set(self::REQUEST, ['status' => $status, 'anew' => $restart, 'force' => $force]);
    }

    /**
     * Applies the stored request, if there is one.
     *
     * @param string[] $kinds of change::KINDS
     */
    public function apply_request(array $kinds): void {
        $request = $this->memory->get(self::REQUEST);
        if (!$request) {
            return;
        }
        if ($request['anew']) {
            $this->start($kinds, $request['force']);
        } else {
            $this->set_status($request['status']);
        }
        // Not one that was made meanwhile.
        $this->memory->forget(self::REQUEST);
    }

    /**
     * Starts from the beginning.
     *
     * @param string[] $kinds of change::KINDS
     * @param bool $force also send what the backend already holds
     */
    private function start(array $kinds, bool $force): void {
        global $DB;
        $steps = [];
        $total = 0;
        foreach (['existing', 'gone'] as $pass) {
            foreach ($kinds as $kind) {
                $steps[] = [$pass, $kind];
            }
        }
        foreach ($kinds as $kind) {
            [, $from, $where] = records::TABLES[$kind];
            $total += $DB->count_records_sql("SELECT COUNT(1) FROM $from WHERE $where");
        }
        $this->memory->set(self::STATE, [
            'status' => self::RUNNING,
            'steps' => $steps,
            'cursor' => 0,
            'total' => $total,
            'done' => 0,
            'force' => $force,
            'started' => time(),
            'finished' => null,
        ]);
    }

    /**
     * Status and progress.
     *
     * @return array|null null if never started; else status, steps (remaining), cursor, total, done, force, started, finished
     */
    public function state(): ?array {
        return $this->memory->get(self::STATE);
    }

    /**
     * Whether it is running.
     *
     * @return bool
     */
    public function is_running(): bool {
        return ($this->state()['status'] ?? '') === self::RUNNING;
    }

    /**
     * Pauses, resumes or cancels, unless it has ended.
     *
     * @param string $status
     */
    private function set_status(string $status): void {
        $state = $this->state();
        if ($state && in_array($state['status'], [self::RUNNING, self::PAUSED], true)) {
            $this->memory->set(self::STATE, ['status' => $status] + $state);
        }
    }

    /**
     * The next batch. Ends steps that have no more rows.
     *
     * @param int $limit
     * @return change[]
     */
    public function next(int $limit): array {
        while ($this->is_running()) {
            $state = $this->state();
            if (!$state['steps']) {
                $this->memory->reload();
                if ($this->memory->get(self::REQUEST)) {
                    break; // A pause that comes at the last moment counts: the administrator has been told so.
                }
                $this->memory->set(self::STATE, ['status' => self::FINISHED, 'finished' => time()] + $state);
                break;
            }
            [$pass, $kind] = $state['steps'][0];
            $rows = primary::read(function () use ($pass, $kind, $state, $limit) {
                return $this->$pass($kind, (int)$state['cursor'], $limit);
            });
            if ($rows) {
                return $this->changes($rows, $state);
            }
            array_shift($state['steps']);
            $this->memory->set(self::STATE, ['cursor' => 0] + $state);
        }
        return [];
    }

    /**
     * Makes changes from rows.
     *
     * @param \stdClass[] $rows
     * @param array $state
     * @return change[]
     */
    private function changes(array $rows, array $state): array {
        $changes = [];
        foreach ($rows as $row) {
            $change = change::from_row($row);
            $change->force = $state['force'];
            $change->time = $state['started'];
            $changes[$change->key()] = $change;
            $this->end = (int)$row->cursorid;
        }
        $this->size = count($changes);
        $this->open = $this->size;
        return $changes;
    }

    /**
     * Reads existing records. The step 'existing' calls it.
     *
     * @param string $kind
     * @param int $after cursor
     * @param int $limit
     * @return \stdClass[]
     */
    private function existing(string $kind, int $after, int $limit): array {
        global $DB;
        [$columns, $from, $where] = records::TABLES[$kind];
        [$objectid, $userid, $courseid, $itemid] = explode(', ', $columns);
        return $DB->get_records_sql("
            SELECT $objectid AS cursorid, '$kind' AS kind, $objectid AS objectid, $userid AS userid, $courseid AS courseid,
                   $itemid AS itemid
              FROM $from
             WHERE t.id > ? AND $where
          ORDER BY t.id", [$after], 0, $limit);
    }

    /**
     * Reads deleted records that the backend holds, or may hold: with force, any that the ledger knows, because a backend that lost
     * data lost deletions too. The step 'gone' calls it.
     *
     * @param string $kind
     * @param int $after cursor
     * @param int $limit
     * @return \stdClass[]
     */
    private function gone(string $kind, int $after, int $limit): array {
        global $DB;
        $isheld = $this->state()['force'] ? '1 = 1' : "(s.hash IS NULL OR s.hash <> 'deleted')";
        return $DB->get_records_sql("
            SELECT s.id AS cursorid, s.kind, s.objectid, s.userid, s.courseid, s.itemid
              FROM " . ledger::gone($kind) . " AND s.id > ? AND $isheld
          ORDER BY s.id", [$after], 0, $limit);
    }

    /**
     * Marks changes as settled. The cursor moves when the whole batch is: a crash before that repeats it, which does no harm.
     *
     * @param change[] $changes
     */
    public function done(array $changes): void {
        $this->open -= count($changes);
        $state = $this->state();
        if ($this->open <= 0 && $state['steps']) {
            $done = $state['steps'][0][0] === 'existing' ? $state['done'] + $this->size : $state['done'];
            $this->memory->set(self::STATE, ['cursor' => $this->end, 'done' => $done] + $state);
        }
    }
}
