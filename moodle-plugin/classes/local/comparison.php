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
use local_backend_sync\local\delivery\event;
use local_backend_sync\local\delivery\memory;
use local_backend_sync\local\delivery\options;
use local_backend_sync\local\delivery\source;

/**
 * The light comparison: finds what Moodle reports by no event and what is cheap to find. It looks for records that the ledger
 * holds and Moodle does not, and compares courses and enrolments, with their roles, with the digests of what was sent. It takes
 * turns: each run looks at a few slices, and the next run continues.
 *
 * Records that are being changed look different, too: Moodle often writes first and reports later. So a difference is only a
 * suspicion, and what is still different in the next run is a finding.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class comparison {
    /** @var string key in the memory: step, cursor, started (of the round), suspects (ids by kind) */
    const STATE = 'comparison';
    /** @var int rows of one slice, which takes a fraction of a second */
    const SLICE = 2000;
    /** @var int slices of one run: with a run each minute, 100,000 rows take three minutes, and a million half an hour */
    const SLICES = 20;
    /** @var float seconds after which a run starts no further slice: a slow database must not hold up live changes */
    const SECONDS = 5.0;
    /** @var int seconds from the start of a round to that of the next one, at least: a small site needs no more */
    const ROUND = 300;
    /** @var int seconds for which the ledger keeps rows of deleted records: late rows of the outbox have long been sent by then */
    const KEEP_DELETED = 30 * 86400;
    /** @var string[] kinds of which all records are compared */
    const COMPARED = [change::COURSE, change::ENROLMENT];

    /** @var memory */
    private $memory;
    /** @var options */
    private $options;
    /** @var differences */
    private $differences;

    /**
     * Constructor.
     *
     * @param memory $memory
     * @param source $source
     * @param options $options
     */
    public function __construct(memory $memory, source $source, options $options) {
        $this->memory = $memory;
        $this->options = $options;
        $this->differences = new differences($memory, $source, $options);
    }

    /**
     * Looks at the next slices. To be called when the outbox has just been emptied.
     *
     * @return int number of findings, which are in the outbox now
     */
    public function run(): int {
        if (fanout::is_waiting()) {
            return 0; // Until it is expanded, each of the records that it concerns would look like a finding.
        }
        $state = $this->memory->get(self::STATE) ?? ['step' => 0, 'cursor' => 0, 'started' => time(), 'suspects' => []];
        $found = 0;
        foreach ($state['suspects'] as $kind => $ids) {
            foreach ($this->differences->among($kind, $ids) as $cause => $changes) {
                $found += findings::add($this->memory, $cause, $changes);
            }
        }
        $state['suspects'] = [];
        $end = microtime(true) + self::SECONDS;
        for ($slice = 0; $slice < self::SLICES && microtime(true) < $end && $this->is_turn($state); $slice++) {
            $this->look($state);
        }
        $this->memory->set(self::STATE, $state);
        return $found;
    }

    /**
     * The steps of a round: what to look for, among records of which kind.
     *
     * @return string[][]
     */
    private function steps(): array {
        $steps = [];
        foreach ($this->options->kinds as $kind) {
            $steps[] = ['gone', $kind];
        }
        foreach (array_intersect(self::COMPARED, $this->options->kinds) as $kind) {
            $steps[] = ['changed', $kind];
        }
        return $steps;
    }

    /**
     * Whether there is something to look at now. Starts the next round when its time has come.
     *
     * @param array $state
     * @return bool
     */
    private function is_turn(array &$state): bool {
        if ($state['step'] < count($this->steps())) {
            return true;
        }
        $age = time() - $state['started'];
        if ($age >= 0 && $age < self::ROUND) {
            return false;
        }
        $state = ['step' => 0, 'cursor' => 0, 'started' => time()] + $state;
        return (bool)$this->options->kinds;
    }

    /**
     * Looks at one slice, and moves on.
     *
     * @param array $state
     */
    private function look(array &$state): void {
        [$method, $kind] = $this->steps()[$state['step']];
        [$end, $suspects] = $this->$method($kind, (int)$state['cursor']);
        if ($suspects) {
            $state['suspects'][$kind] = array_merge($state['suspects'][$kind] ?? [], $suspects);
        }
        $state['cursor'] = $end ?? 0;
        $state['step'] += $end === null ? 1 : 0;
    }

    /**
     * Looks for rows of the ledger without a record, and deletes those of records deleted long ago. The step 'gone' calls it.
     *
     * @param string $kind
     * @param int $after cursor
     * @return array end of the slice (null if it was the last one), ids
     */
    private function gone(string $kind, int $after): array {
        global $DB;
        [$end, $ids] = primary::read(function () use ($DB, $kind, $after) {
            $sql = "SELECT objectid FROM {" . ledger::SENT . "} WHERE kind = ? AND objectid > ? ORDER BY objectid";
            $last = $DB->get_records_sql($sql, [$kind, $after], self::SLICE - 1, 1);
            $end = $last ? (int)key($last) : null;
            $slice = "s.objectid > ? AND s.objectid <= ? AND s.hash IS NOT NULL AND s.hash <> 'deleted'";
            $sql = "SELECT s.objectid FROM " . ledger::gone($kind) . " AND $slice";
            return [$end, $DB->get_fieldset_sql($sql, [$after, $end ?? PHP_INT_MAX])];
        });
        $DB->delete_records_select(
            ledger::SENT,
            "kind = ? AND objectid > ? AND objectid <= ? AND hash = 'deleted' AND timesent < ?",
            [$kind, $after, $end ?? PHP_INT_MAX, time() - self::KEEP_DELETED]
        );
        return [$end, $ids];
    }

    /**
     * Looks for records that are not in the state that was sent. The step 'changed' calls it.
     *
     * @param string $kind
     * @param int $after cursor
     * @return array end of the slice (null if it was the last one), ids
     */
    private function changed(string $kind, int $after): array {
        global $DB;
        [, $from, $where] = records::TABLES[$kind];
        $ids = primary::read(function () use ($DB, $from, $where, $after) {
            $sql = "SELECT t.id FROM $from WHERE t.id > ? AND $where ORDER BY t.id";
            return array_keys($DB->get_records_sql($sql, [$after], 0, self::SLICE));
        });
        $suspects = array_column(array_merge([], ...array_values($this->differences->among($kind, $ids))), 'objectid');
        return [count($ids) < self::SLICE ? null : end($ids), $suspects];
    }
}
