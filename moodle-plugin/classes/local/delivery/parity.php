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

namespace local_backend_sync\local\delivery;

/**
 * Proves that the backend holds what this ledger says, and repairs what it does not: it may have been restored from an older
 * backup, or have lost something. (That the ledger says what Moodle holds, the other comparisons see to.)
 *
 * It runs under the sender's lock with an empty outbox, a few seconds at a time, so no event is on its way meanwhile. In a pass,
 * all living records are compared by ranges of ids, and record by record where a range differs. What differs is sent as an
 * ordinary event, and compared once more in the next pass: what then still differs is a finding. Records that are in doubt
 * (refused, postponed, erased) are named to the backend, not compared.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class parity {
    /**
     * @var string key in the memory: status, reason, trouble (why the last run did not end), started, finished, pass, step, cursor,
     *     allowed, kinds (see parity_counts::START)
     */
    const STATE = 'parity';
    /** @var string status: a comparison is underway */
    const RUNNING = 'running';
    /** @var string status: it has ended; deletions may wait for an administrator, see parity_counts */
    const FINISHED = 'finished';
    /** @var string reason: the nightly comparison */
    const NIGHTLY = 'nightly';
    /** @var string reason: an administrator asked */
    const ASKED = 'asked';

    /** @var string capability of the backend */
    const CAPABILITY = 'parity';
    /** @var int records of a range: its question and answer take some 180 bytes, and naming them all 80,000 */
    const RANGE = 1000;
    /** @var int ranges of one request; the backend reads 50,000 rows for one */
    const RANGES = 20;
    /**
     * @var int records after which a run looks no further: what people do meanwhile waits for no more than that, a batch or two.
     *     After an upgrade, a backend may know the digest of none of a million records
     */
    const REPAIRS = 1000;
    /** @var float seconds after which a run starts no further request: live changes must not wait */
    const SECONDS = 2.0;
    /** @var int passes: the first looks and repairs, the second also deletes, the third says what is left */
    const PASSES = 3;

    /** @var store */
    private $store;
    /** @var memory */
    private $memory;
    /** @var clock */
    private $clock;
    /** @var client */
    private $client;
    /** @var source */
    private $source;
    /** @var string[] kinds that are sent */
    private $kinds;
    /** @var int records of a range */
    private $range;
    /** @var array see STATE */
    private $state;
    /** @var int records that this run has put into the outbox */
    private $enqueued = 0;

    /**
     * Constructor.
     *
     * @param store $store
     * @param source $source
     * @param client $client
     * @param memory $memory
     * @param clock $clock
     * @param string[] $kinds that are sent
     * @param int $range records of a range
     */
    public function __construct(
        store $store,
        source $source,
        client $client,
        memory $memory,
        clock $clock,
        array $kinds,
        int $range = self::RANGE
    ) {
        $this->store = $store;
        $this->source = $source;
        $this->client = $client;
        $this->memory = $memory;
        $this->clock = $clock;
        $this->kinds = array_values($kinds);
        $this->range = $range;
        $this->state = $memory->get(self::STATE) ?? [];
    }

    /**
     * Requests a comparison.
     *
     * @param memory $memory
     * @param string $reason
     */
    public static function request(memory $memory, string $reason): void {
        $memory->set(continuity::COMPARE, ['reason' => $reason]);
    }

    /**
     * Lets the next comparison delete in the backend what Moodle does not have, however much that is.
     *
     * @param memory $memory
     */
    public static function allow(memory $memory): void {
        $memory->set(continuity::COMPARE, ['reason' => self::ASKED, 'allowed' => true]);
    }

    /**
     * Whether there is something to compare.
     *
     * @param memory $memory
     * @return bool
     */
    public static function is_due(memory $memory): bool {
        return $memory->get(continuity::COMPARE) || ($memory->get(self::STATE)['status'] ?? '') === self::RUNNING;
    }

    /**
     * Compares the next ranges. To be called when the outbox has just been emptied.
     *
     * @return int number of records that are in the outbox now
     */
    public function run(): int {
        $this->begin();
        $canbe = in_array(self::CAPABILITY, $this->memory->get(clocks::HANDSHAKE)['capabilities'] ?? [], true);
        $end = microtime(true) + self::SECONDS;
        try {
            while ($canbe && !$this->enqueued && $this->is_running() && microtime(true) < $end) {
                $this->step();
                $this->memory->set(self::STATE, ['trouble' => null] + $this->state);
            }
        } catch (failure | rejection $e) {
            // It goes on from the last range in the next run. An outage is the sender's to notice.
            $this->memory->set(self::STATE, ['trouble' => $e->reason] + $this->state);
        }
        return $this->enqueued;
    }

    /**
     * Whether a comparison is underway.
     *
     * @return bool
     */
    private function is_running(): bool {
        return ($this->state['status'] ?? '') === self::RUNNING;
    }

    /**
     * Starts what was requested.
     */
    private function begin(): void {
        $request = $this->memory->get(continuity::COMPARE);
        if ($request) {
            $this->state = ['status' => self::RUNNING, 'reason' => $request['reason'], 'started' => $this->clock->now(),
                'finished' => null, 'trouble' => null, 'pass' => 1, 'step' => 0, 'cursor' => 0,
                'allowed' => !empty($request['allowed']), 'kinds' => []];
            $this->memory->set(self::STATE, $this->state);
            $this->memory->forget(continuity::COMPARE);
        }
    }

    /**
     * Compares the next ranges of the present kind, or goes on to the next kind or pass.
     */
    private function step(): void {
        $kind = $this->kinds[$this->state['step']] ?? null;
        if ($kind === null) {
            $this->end_pass();
            return;
        }
        $before = $this->state['kinds'][$kind] ?? null;
        if ($this->state['cursor'] === 0) {
            if ($this->state['pass'] > 1 && $before && parity_counts::is_equal($before) && !$before['again']) {
                $this->state['step']++;
                return;
            }
            $this->state['maydelete'] = $before && ($this->state['allowed'] || !parity_counts::needs_permission($before));
            $this->state['kinds'][$kind] = ['repaired' => $before['repaired'] ?? 0, 'again' => false] + parity_counts::START;
        }
        $rows = $this->store->next($kind, $this->state['cursor'], $this->range * self::RANGES);
        $islast = count($rows) < $this->range * self::RANGES;
        $this->compare($kind, $this->ranges($rows, $islast));
        if ($islast && $this->state['cursor'] === PHP_INT_MAX) {
            $this->state['step']++;
            $this->state['cursor'] = 0;
        }
    }

    /**
     * Divides rows of the ledger into ranges of ids without gaps between them.
     *
     * @param \stdClass[] $rows by id
     * @param bool $islast there are no more
     * @return array[] each with from, to, digests (by id), people (by id), except (ids)
     */
    private function ranges(array $rows, bool $islast): array {
        $ranges = [];
        $from = $this->state['cursor'] + 1;
        $chunks = array_chunk($rows, $this->range, true) ?: [[]];
        foreach ($chunks as $i => $chunk) {
            end($chunk);
            $to = $islast && $i === count($chunks) - 1 ? PHP_INT_MAX : (int)key($chunk);
            $range = ['from' => $from, 'to' => $to, 'digests' => [], 'people' => [], 'except' => []];
            foreach ($chunk as $id => $row) {
                if ($row->hash === null) {
                    $range['except'][] = (int)$id;
                } else if ($row->hash !== event::DELETED) {
                    $range['digests'][(int)$id] = $row->hash;
                    $range['people'][(int)$id] = (int)$row->userid;
                }
            }
            $ranges[] = $range;
            $from = $to === PHP_INT_MAX ? $to : $to + 1;
        }
        return $ranges;
    }

    /**
     * Compares ranges, and looks into those that differ.
     *
     * @param string $kind
     * @param array[] $ranges
     */
    private function compare(string $kind, array $ranges): void {
        $questions = [];
        foreach ($ranges as $range) {
            $questions[] = ['from' => $range['from'], 'to' => $range['to'], 'records' => count($range['digests']),
                'digest' => digests::of_records($range['digests']), 'except' => $range['except']];
        }
        $answers = $this->client->compare('', ['kind' => $kind, 'ranges' => $questions])['ranges'] ?? [];
        if (!$answers || count($answers) > count($ranges)) {
            throw new failure(failure::NOT_CONTRACT);
        }
        foreach (array_values($answers) as $i => $answer) {
            if (empty($answer['equal'])) {
                $this->look_into($kind, $ranges[$i]);
            }
            $counts = &$this->state['kinds'][$kind];
            $counts['moodle'] += $questions[$i]['records'];
            $counts['backend'] += (int)($answer['records'] ?? 0);
            $counts['digest'] = digests::chain($counts['digest'], $questions[$i]['digest']);
            $counts['unprovable'] += count($ranges[$i]['except']);
            $this->state['cursor'] = $ranges[$i]['to'];
            if ($this->enqueued >= self::REPAIRS) {
                return;
            }
        }
    }

    /**
     * Compares the records of a range one by one, and repairs what differs.
     *
     * @param string $kind
     * @param array $range
     */
    private function look_into(string $kind, array $range): void {
        $from = $range['from'];
        do {
            $records = [];
            foreach ($range['digests'] as $id => $digest) {
                if ($id >= $from) {
                    $records[] = ['id' => $id, 'digest' => $digest, 'userid' => $range['people'][$id] ?: null];
                }
            }
            $question = ['kind' => $kind, 'from' => $from, 'to' => $range['to'], 'records' => $records,
                'except' => $range['except']];
            $answer = $this->client->compare('records', $question);
            $this->settle($kind, $answer);
            $from = (int)($answer['to'] ?? $range['to']) + 1;
        } while (($answer['to'] ?? $range['to']) < $range['to']);
    }

    /**
     * Repairs what differs; or, when it was repaired before, counts it.
     *
     * @param string $kind
     * @param array $answer
     */
    private function settle(string $kind, array $answer): void {
        $counts = &$this->state['kinds'][$kind];
        $differing = array_merge($answer['differing'] ?? [], $answer['missing'] ?? [], $answer['unknown'] ?? []);
        $erased = $this->changes($kind, array_map(function ($id) {
            return ['id' => $id];
        }, $answer['erased'] ?? []));
        $this->store->refuse($erased);
        $counts['again'] = $counts['again'] || $erased;
        [$living, $gone] = $this->divide($kind, $answer['surplus'] ?? []);
        $resend = $this->changes($kind, array_map(function ($id) {
            return ['id' => $id];
        }, $differing)) + $living;
        if ($this->state['pass'] === 1) {
            $counts['repaired'] += $this->enqueue($resend);
        } else {
            $counts['differing'] += count($resend);
        }
        if ($this->state['pass'] === 2 && $this->state['maydelete']) {
            foreach ($gone as $change) {
                $change->deleted = true;
            }
            $counts['repaired'] += $this->enqueue($gone);
        } else {
            $counts['gone'] += count($gone);
        }
    }

    /**
     * Divides what only the backend holds into what Moodle has after all, and what it does not have.
     *
     * @param string $kind
     * @param array[] $surplus
     * @return change[][] by key
     */
    private function divide(string $kind, array $surplus): array {
        $changes = $this->changes($kind, $surplus);
        $states = $changes ? $this->source->states($kind, array_column($changes, 'objectid')) : [];
        $living = array_filter($changes, function ($change) use ($states) {
            return isset($states[$change->objectid]) && empty($states[$change->objectid]['withheld']);
        });
        return [$living, array_diff_key($changes, $living)];
    }

    /**
     * Changes of records.
     *
     * @param string $kind
     * @param array[] $records id, and perhaps userid, courseid, itemid
     * @return change[] by key
     */
    private function changes(string $kind, array $records): array {
        $changes = [];
        foreach ($records as $record) {
            $change = new change($kind, (int)$record['id']);
            foreach (['userid', 'courseid', 'itemid'] as $property) {
                $change->$property = (int)($record[$property] ?? 0);
            }
            $changes[$change->key()] = $change;
        }
        return $changes;
    }

    /**
     * Puts changes into the outbox, to be sent whatever the ledger says.
     *
     * @param change[] $changes
     * @return int their number
     */
    private function enqueue(array $changes): int {
        if ($changes) {
            $this->store->send_again($changes);
            $this->state['kinds'][reset($changes)->kind]['again'] = true;
        }
        $this->enqueued += count($changes);
        return count($changes);
    }

    /**
     * Starts the next pass if there is something to compare again, or reports the results.
     */
    private function end_pass(): void {
        $this->state['step'] = 0;
        $open = array_filter($this->state['kinds'], function ($counts) {
            return $counts['again'] || ($this->state['pass'] === 1 && $counts['gone']
                && ($this->state['allowed'] || !parity_counts::needs_permission($counts)));
        });
        if ($open && $this->state['pass'] < self::PASSES) {
            $this->state['pass']++;
            return;
        }
        foreach ($this->state['kinds'] as $kind => $counts) {
            $this->client->compare('result', [
                'kind' => $kind, 'moodle_records' => $counts['moodle'], 'backend_records' => $counts['backend'],
                'digest' => $counts['digest'], 'repaired' => $counts['repaired'],
                'differing' => $counts['differing'] + $counts['gone'], 'unprovable' => $counts['unprovable'],
            ]);
        }
        $this->state['status'] = self::FINISHED;
        $this->state['finished'] = $this->clock->now();
    }
}
