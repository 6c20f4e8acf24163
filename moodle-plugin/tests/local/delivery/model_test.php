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

use local_backend_sync\fixtures\crash;
use local_backend_sync\fixtures\fake_backend;
use local_backend_sync\fixtures\fake_backfill;
use local_backend_sync\fixtures\world;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Model test: whatever happens and in whatever order, the backend finally holds what Moodle does.
 *
 * Random changes in Moodle, also while the sender is running; random faults of the network and the backend; processes killed
 * between any two steps; clocks set forward and back. SEED=n in the environment repeats one run, SEEDS=n makes n of them.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\sender
 */
final class model_test extends \basic_testcase {
    /** @var int runs of the model */
    const SEEDS = 400;
    /** @var int rounds of each run */
    const ROUNDS = 25;
    /** @var int records of each kind at a time */
    const IDS = 4;
    /** @var string[] few states, so that a record often returns to an earlier one */
    const NAMES = ['Ann', 'Bea', fake_backend::BAD];

    /** @var world */
    private $world;
    /** @var fake_backfill|null */
    private $backfill;
    /** @var int[] deletions, by key of the first record: ids are never reused */
    private $deletions = [];
    /** @var int[] what happened, by name */
    private static $happened = [];

    /**
     * Runs the model with many seeds.
     */
    public function test_backend_holds_what_moodle_does(): void {
        $seed = (int)getenv('SEED');
        $seeds = $seed ? [$seed] : range(1, (int)(getenv('SEEDS') ?: self::SEEDS));
        foreach ($seeds as $seed) {
            mt_srand($seed);
            try {
                $this->run_model();
            } catch (\Throwable $e) {
                throw new \Exception("SEED=$seed: " . get_class($e) . ' ' . $e->getMessage(), 0, $e);
            }
        }
        if (count($seeds) > 100) {
            // Proves that the test exercises what it claims to.
            $names = [
                'lost', 'silence', '500', '503', '413', 'html', 'poison event', 'killed', 'rejected', 'postponed',
                'concurrent change', 'recovered', 'other target', 'duplicate', 'backfill',
            ];
            foreach ($names as $name) {
                $this->assertGreaterThan(10, self::$happened[$name] ?? 0, "$name happened too rarely");
            }
        }
    }

    /**
     * True with a given probability.
     *
     * @param int $percent
     * @return bool
     */
    private function chance(int $percent): bool {
        return mt_rand(1, 100) <= $percent;
    }

    /**
     * A random value of a list.
     *
     * @param array $values
     * @return mixed
     */
    private function choose(array $values) {
        return $values[mt_rand(0, count($values) - 1)];
    }

    /**
     * Counts an occurrence.
     *
     * @param string $name
     * @param int $count
     */
    private function happened(string $name, int $count = 1): void {
        self::$happened[$name] = (self::$happened[$name] ?? 0) + $count;
    }

    /**
     * One run.
     */
    private function run_model(): void {
        $this->world = new world();
        $this->backfill = null;
        $this->deletions = [];
        $this->world->outbox->limit = mt_rand(2, 10);
        $this->world->backend->handshake = ['max_batch_events' => mt_rand(1, 6)];
        for ($round = 0; $round < self::ROUNDS; $round++) {
            $this->change_something(mt_rand(0, 5));
            $this->world->clock->now += $this->chance(5) ? -mt_rand(0, 5000) : mt_rand(0, 400);
            $this->world->clock->chance = mt_rand(0, 100) / 100;
            if ($this->chance(1)) {
                $this->other_target();
            }
            if ($this->chance(10)) {
                $this->happened('backfill');
                $this->backfill = new fake_backfill($this->world, $this->chance(30));
            }
            $this->work_with_faults();
        }
        $this->settle();
    }

    /**
     * Some changes, each with its row in the outbox.
     *
     * @param int $count
     */
    private function change_something(int $count): void {
        for ($i = 0; $i < $count; $i++) {
            $kind = $this->choose([change::USER, change::ENROLMENT, change::GRADE]);
            $place = mt_rand(1, self::IDS);
            $deletions = $this->deletions["$kind:$place"] ?? 0;
            $id = $place + 10 * $deletions;
            $fields = $this->chance(25) ? null : ['firstname' => $this->choose(self::NAMES), 'enrol' => $this->choose(self::NAMES),
                'feedback' => $this->choose(self::NAMES)];
            if ($fields && $kind === change::GRADE && $this->chance(30)) {
                $fields['hiddenuntil'] = $this->choose([1, $this->world->clock->now() + mt_rand(1, 600)]);
            }
            if (!$fields) {
                $this->deletions["$kind:$place"] = $deletions + 1;
            }
            $this->world->put($kind, $id, $fields);
        }
    }

    /**
     * Switches to another, empty backend, and starts a backfill as an administrator would.
     */
    private function other_target(): void {
        $this->happened('other target');
        $this->world->token = 'token ' . mt_rand();
        $this->world->backend->handshake['site'] = 'site ' . mt_rand();
        $this->world->backend->records = [];
        $this->world->backend->ids = [];
        // The sender must first have invalidated what the old backend holds.
        $this->world->backend->fault = null;
        $this->world->sender()->run($this->world->outbox, $this->world->clock->now(), 1);
        $this->backfill = new fake_backfill($this->world);
    }

    /**
     * Runs the sender with random faults.
     */
    private function work_with_faults(): void {
        $faultrate = $this->chance(40) ? mt_rand(5, 60) : 0;
        $poison = $this->chance(15) ? [mt_rand(1, self::IDS), 1000 + mt_rand(1, self::IDS)] : [];
        $largest = $this->chance(15) ? mt_rand(1, 3) : PHP_INT_MAX;
        $this->world->backend->fault = function ($operation, $events) use ($faultrate, $poison, $largest) {
            if ($events && array_intersect($poison, $this->places($events))) {
                $this->happened('poison event');
                return fake_backend::problem(500, 'internal_error');
            }
            if (count($events) > $largest) {
                $this->happened('413');
                return new response(413, '<html>');
            }
            return $this->chance($faultrate) ? $this->fault($operation) : null;
        };
        $this->world->fuse->beforestep = $this->chance(50) ? function () {
            if ($this->chance(8)) {
                $this->happened('concurrent change');
                $this->change_something(1);
            }
        } : null;
        $this->world->fuse->left = $this->chance(40) ? mt_rand(0, 40) : null;
        try {
            $this->work();
        } catch (crash $crash) {
            $this->happened('killed');
        }
        $this->world->fuse->left = null;
        $this->world->fuse->beforestep = null;
        $this->world->backend->fault = null;
    }

    /**
     * The places of the records in events, distinct for each kind.
     *
     * @param array[] $events
     * @return int[]
     */
    private function places(array $events): array {
        return array_map(function ($event) {
            return intdiv($event['data']['userid'], 1000) * 1000 + $event['data']['userid'] % 10;
        }, $events);
    }

    /**
     * A fault of the network or the backend.
     *
     * @param string $operation
     * @return response|string
     */
    private function fault(string $operation) {
        $faults = [
            'lost' => 'lost',
            'silence' => fake_backend::silence(),
            '500' => fake_backend::problem(500, 'internal_error'),
            '503' => fake_backend::problem(503, 'queue_full', '', ['Retry-After' => (string)mt_rand(0, 400)]),
            'html' => new response(200, '<html>Login</html>'),
        ];
        $name = $this->choose(array_keys($faults));
        if ($operation === 'batch') {
            $this->happened((string)$name);
        }
        return $faults[$name];
    }

    /**
     * Runs the sender as the runner does.
     */
    private function work(): void {
        $sender = $this->world->sender();
        $before = count($this->world->backend->ids);
        $deadline = $this->world->clock->now() + 60;
        $report = $sender->run($this->world->outbox, $deadline, $this->chance(30) ? 1 : null);
        while ($this->backfill && $report->empty) {
            $report = $sender->run($this->backfill, $deadline, 1);
            $this->backfill = $report->empty ? null : $this->backfill;
            $report = $report->failure ? $report : $sender->run($this->world->outbox, $deadline);
        }
        $this->happened('rejected', $report->rejected);
        $this->happened('postponed', $report->postponed);
        $this->happened('recovered', (int)$report->recovered);
        $this->happened('duplicate', max(0, $report->sent - (count($this->world->backend->ids) - $before)));
    }

    /**
     * Without faults, sends everything and compares.
     */
    private function settle(): void {
        for ($run = 0; $run < 10 && ($run < 3 || $this->world->outbox->rows); $run++) {
            $this->world->clock->now += 5000;
            $this->work();
        }
        $this->assertSame([], $this->world->outbox->rows, 'something is waiting');
        $this->compare();
        // A backfill finds changes without events.
        $this->world->put_silently(change::USER, 8, ['firstname' => 'Dan']);
        $this->world->put_silently(change::USER, 9, ['firstname' => 'Eve']);
        foreach (array_slice(array_keys($this->world->source->records[change::ENROLMENT] ?? []), 0, 2) as $i => $id) {
            $this->world->put_silently(change::ENROLMENT, $id, $i ? ['enrol' => 'Fay'] : null);
        }
        $this->backfill = new fake_backfill($this->world);
        $this->work();
        $this->compare();
        // A second one finds nothing to send.
        $this->backfill = new fake_backfill($this->world);
        $requests = count($this->world->backend->of('batch'));
        $bad = count($this->world->store->rejected);
        $this->work();
        $this->assertTrue($bad > 0 || count($this->world->backend->of('batch')) === $requests);
    }

    /**
     * Compares all records, except rejected ones.
     */
    private function compare(): void {
        $differences = [];
        foreach ($this->world->differences() as $difference) {
            $key = strtok($difference, ' ');
            [$kind, $id] = explode(':', $key);
            $isbad = strpos(json_encode($this->world->wanted($kind, (int)$id)), fake_backend::BAD) !== false;
            $isfatal = ($this->world->store->rejected[$key] ?? '') === sender::FATAL;
            if (!$isfatal && (!$isbad || !isset($this->world->store->rejected[$key]))) {
                $differences[] = $difference;
            }
        }
        $this->assertSame([], $differences, implode("\n", $differences));
        foreach ($this->world->store->rejected as $key => $reason) {
            [$kind, $id] = explode(':', $key);
            $wanted = json_encode($this->world->wanted($kind, (int)$id));
            // A rejection stays until the backend accepts something newer. A withheld record sends nothing.
            $isbad = strpos($wanted, fake_backend::BAD) !== false;
            $this->assertTrue($wanted === 'null' || $isbad || $reason === sender::FATAL, "$key is still listed as rejected");
        }
    }
}
