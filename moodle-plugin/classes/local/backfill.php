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
 * Goes through everything that exists, and through everything that the backend is known to hold and that exists no more. What the
 * backend holds already is not sent again, so a second pass finds just what no event reported.
 *
 * It has no rows in the outbox: where it is, is one number for each step, so it needs no more memory or disk for a large site.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class backfill implements queue {
    /** @var string name of what is remembered */
    const STATE = 'backfill';
    /** @var string name of what an administrator asked for. Only the sender changes STATE, so neither undoes what the other did. */
    const REQUEST = 'backfillorder';

    /** @var string at work */
    const RUNNING = 'running';
    /** @var string waits for the administrator */
    const PAUSED = 'paused';
    /** @var string went through everything */
    const FINISHED = 'finished';
    /** @var string given up */
    const CANCELLED = 'cancelled';

    /** @var memory */
    private $memory;
    /** @var int changes of the present piece that are not done yet */
    private $open = 0;
    /** @var int changes of the present piece */
    private $size = 0;
    /** @var int where the present piece ends */
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
     * Notes what an administrator wants; the sender does it.
     *
     * @param memory $memory
     * @param string $status RUNNING to begin anew or to go on, PAUSED, CANCELLED
     * @param bool $restart begin anew
     * @param bool $force send also what the backend is known to hold
     */
    public static function request(memory $memory, string $status, bool $restart = false, bool $force = false): void {
        $memory->set(self::REQUEST, ['status' => $status, 'anew' => $restart, 'force' => $force]);
    }

    /**
     * Does what an administrator asked for.
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
        $this->memory->set(self::REQUEST, null);
    }

    /**
     * Begins from the beginning.
     *
     * @param string[] $kinds of change::KINDS
     * @param bool $force send also what the backend is known to hold
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
     * Where it is.
     *
     * @return array|null null when there never was one; else status, steps (left), total, done, force, started, finished
     */
    public function state(): ?array {
        return $this->memory->get(self::STATE);
    }

    /**
     * Whether it is at work.
     *
     * @return bool
     */
    public function is_running(): bool {
        return ($this->state()['status'] ?? '') === self::RUNNING;
    }

    /**
     * Pauses, resumes or cancels.
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
     * The next piece.
     *
     * @param int $limit
     * @return change[]
     */
    public function next(int $limit): array {
        while ($this->is_running()) {
            $state = $this->state();
            if (!$state['steps']) {
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
     * Makes changes of rows.
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
            $this->end = (int)$row->place;
        }
        $this->size = count($changes);
        $this->open = $this->size;
        return $changes;
    }

    /**
     * What exists.
     *
     * @param string $kind
     * @param int $after
     * @param int $limit
     * @return \stdClass[]
     */
    private function existing(string $kind, int $after, int $limit): array {
        global $DB;
        [$columns, $from, $where] = records::TABLES[$kind];
        [$objectid, $userid, $courseid, $itemid] = explode(', ', $columns);
        return $DB->get_records_sql("
            SELECT $objectid AS place, '$kind' AS kind, $objectid AS objectid, $userid AS userid, $courseid AS courseid,
                   $itemid AS itemid
              FROM $from
             WHERE t.id > ? AND $where
          ORDER BY t.id", [$after], 0, $limit);
    }

    /**
     * What the backend is known to hold, or may hold, and exists no more.
     *
     * @param string $kind
     * @param int $after
     * @param int $limit
     * @return \stdClass[]
     */
    private function gone(string $kind, int $after, int $limit): array {
        global $DB;
        [, $from, $where] = records::TABLES[$kind];
        return $DB->get_records_sql("
            SELECT s.id AS place, s.kind, s.objectid, s.userid, s.courseid, s.itemid
              FROM {" . ledger::SENT . "} s
             WHERE s.kind = ? AND s.id > ? AND (s.hash IS NULL OR s.hash <> 'deleted')
               AND NOT EXISTS (SELECT 1 FROM $from WHERE t.id = s.objectid AND $where)
          ORDER BY s.id", [$kind, $after], 0, $limit);
    }

    /**
     * These are settled. When all of the piece are, the next one begins; until then a crash would repeat it, which does no harm.
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
