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

use local_backend_sync\fixtures\fake_backend;
use local_backend_sync\fixtures\sender_testcase;
use local_backend_sync\fixtures\world;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of the comparison with the backend, without Moodle: its questions, and random histories after which it must find what a
 * plain comparison of all records finds, and repair it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\parity
 */
final class parity_test extends sender_testcase {
    /** @var int random histories */
    const SEEDS = 150;
    /** @var int ids of each kind */
    const IDS = 9;

    /** @var string[] what happened in the random histories */
    private $happened = [];

    /**
     * Compares, and sends what that finds, as the runner does.
     *
     * @param int $range records of a range
     * @return array[] counts by kind
     */
    private function compare(int $range = parity::RANGE): array {
        $world = $this->world;
        parity::request($world->memory, parity::ASKED);
        for ($runs = 0; $runs < 1000; $runs++) {
            $world->clock->now += 4000;
            $report = $world->run();
            if ($report->failure && $report->failure->reason === failure::WENT_BACK) {
                continuity::accept($world->memory);
                continue;
            }
            $client = new client($world->backend, $world->url, $world->token);
            (new parity($world->store, $world->source, $client, $world->memory, $world->clock, change::KINDS, $range))->run();
            $state = $world->memory->get(parity::STATE);
            $this->assertNull($state['trouble']);
            if ($state['status'] === parity::FINISHED) {
                return $state['kinds'];
            }
        }
        $this->fail('The comparison does not end.');
    }

    /**
     * Ranges have no gaps, and those that are equal are not looked into.
     */
    public function test_questions(): void {
        $this->world->put_users(10);
        $this->world->run();
        $this->world->backend->records['user:7']['data']['firstname'] = 'Older';
        $this->compare(4);
        $ranges = json_decode($this->world->backend->of('parity')[0]['body'], true)['ranges'];
        $bounds = array_map(function ($range) {
            return [$range['from'], $range['to'], $range['records']];
        }, $ranges);
        $this->assertSame([[1, 4, 4], [5, 8, 4], [9, PHP_INT_MAX, 2]], $bounds);
        $looked = array_map(function ($request) {
            return json_decode($request['body'], true)['from'];
        }, $this->world->backend->of('records'));
        $this->assertSame([5], $looked);
        $this->assert_settled();
    }

    /**
     * A backend that lost its database gets everything again, with nobody doing anything.
     */
    public function test_lost_database(): void {
        $this->world->put_users(30);
        $this->world->run();
        $backend = new fake_backend($this->world->fuse);
        $this->world->backend = $backend;
        $kinds = $this->compare(4);
        $this->assertSame([30, 30, 30], [$kinds['user']['repaired'], $kinds['user']['moodle'], $kinds['user']['backend']]);
        $this->assertTrue(parity_counts::is_equal($kinds['user']));
        $this->assert_settled();
    }

    /**
     * After an upgrade, a backend may know no digest at all. What people do meanwhile waits for some of it only.
     */
    public function test_many_repairs(): void {
        $this->world->put_users(5 * parity::REPAIRS);
        $this->world->run();
        foreach (array_keys($this->world->backend->records) as $key) {
            $this->world->backend->records[$key]['unknown'] = true;
        }
        parity::request($this->world->memory, parity::ASKED);
        $client = new client($this->world->backend, $this->world->url, $this->world->token);
        $range = intdiv(parity::REPAIRS, 4);
        for ($runs = 1; $runs <= 5; $runs++) {
            $this->assertTrue(parity::is_due($this->world->memory));
            $world = $this->world;
            (new parity($world->store, $world->source, $client, $world->memory, $world->clock, change::KINDS, $range))->run();
            $this->assertCount(parity::REPAIRS, $world->outbox->rows);
            $world->run();
        }
        $this->assertTrue(parity_counts::is_equal($this->compare()['user']));
        $this->assertFalse(parity::is_due($this->world->memory));
        $this->assert_settled();
    }

    /**
     * Random histories, also with restored backups on either side.
     */
    public function test_random_histories(): void {
        $seed = (int)getenv('SEED');
        foreach ($seed ? [$seed] : range(1, self::SEEDS) as $seed) {
            mt_srand($seed);
            $this->world = new world();
            $this->play();
            $this->synchronise();
            $kinds = $this->compare(mt_rand(1, 4));
            // What the backend refuses differs, and is named.
            $differences = array_filter($this->world->differences(), function ($difference) {
                return strpos($difference, fake_backend::BAD) === false;
            });
            $this->assertSame([], array_values($differences), "SEED=$seed");
            foreach ($kinds as $kind => $counts) {
                $this->assertTrue(parity_counts::is_equal($counts), "SEED=$seed $kind " . json_encode($counts));
            }
            $repaired = array_sum(array_column($kinds, 'repaired'));
            $this->happened[] = $repaired ? 'repaired' : 'equal at once';
        }
        if (!getenv('SEED')) {
            // Proves that the test exercises what it claims to.
            foreach (['Moodle restored', 'backend restored', 'repaired', 'equal at once'] as $what) {
                $this->assertGreaterThan(10, array_count_values($this->happened)[$what] ?? 0, $what);
            }
        }
    }

    /**
     * Sees to it that the ledger says what Moodle holds, as the full synchronisation does.
     */
    private function synchronise(): void {
        foreach ($this->world->source->records as $kind => $records) {
            foreach (array_keys($records) as $id) {
                $this->world->outbox->add($this->world->change($kind, $id));
            }
        }
    }

    /**
     * Plays a history.
     */
    private function play(): void {
        $backups = [];
        $moodle = null;
        for ($i = mt_rand(5, 40); $i > 0; $i--) {
            $world = $this->world;
            $kind = change::KINDS[mt_rand(0, count(change::KINDS) - 1)];
            $id = mt_rand(1, self::IDS);
            switch (mt_rand(0, 11)) {
                case 0:
                    $world->run();
                    $backups[] = clone $world->backend;
                    break;
                case 1:
                    $world->run();
                    if ($backups) {
                        $world->backend = clone $backups[array_rand($backups)];
                        $this->happened[] = 'backend restored';
                    }
                    break;
                case 2:
                    unset($world->backend->records["$kind:$id"]); // A damaged table.
                    break;
                case 3:
                    unset($world->store->sent["$kind:$id"], $world->store->changes["$kind:$id"]); // A ledger restored alone.
                    break;
                case 4:
                    $moodle = unserialize(serialize($world));
                    break;
                case 5:
                    if ($moodle) {
                        $restored = unserialize(serialize($moodle));
                        $restored->backend = $world->backend;
                        $restored->clock->now = $world->clock->now;
                        $this->world = $restored;
                        $this->happened[] = 'Moodle restored';
                    }
                    break;
                case 6:
                    $world->put($kind, $id, null);
                    break;
                default:
                    $name = ['Ann', 'Bea', mt_rand(0, 9) ? 'Cleo' : fake_backend::BAD][mt_rand(0, 2)];
                    $world->put($kind, $id, [$kind === change::COURSE ? 'fullname' : 'firstname' => $name, 'timemodified' => $i,
                        'itemname' => $name, 'timecompleted' => $i]);
            }
            $this->world->clock->now += 100;
            if (mt_rand(0, 2) === 0) {
                $this->world->run();
            }
        }
    }
}
