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

namespace local_backend_sync\integration;

use local_backend_sync\fixtures\crash;
use local_backend_sync\fixtures\world;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\client;
use local_backend_sync\local\delivery\continuity;
use local_backend_sync\local\delivery\event;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\parity;
use local_backend_sync\local\delivery\response;
use local_backend_sync\local\delivery\sender;

require_once(__DIR__ . '/curl_http.php');
require_once(__DIR__ . '/own_backend.php');
require_once(__DIR__ . '/own_postgres.php');

/**
 * Random histories of a Moodle and a real backend, in which either is killed, restored and copied: what a comparison says is what a
 * plain look at both tables says, and afterwards both hold the same. Arrays stand in for Moodle's tables.
 *
 * Environment: BACKEND_PROGRAM, WORK (a folder); with TEST_POSTGRES_URL, each third backend is on PostgreSQL. SEED=n repeats one
 * history, PARITY_SEEDS=n plays n of them.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
final class parity_test extends \basic_testcase {
    /** @var int random histories */
    const SEEDS = 3;
    /** @var int steps of each */
    const STEPS = 60;
    /** @var int ids of each kind */
    const IDS = 7;
    /** @var int seconds after which a handshake is made again, whatever the backoff */
    const LATER = 4000;
    /** @var string a text that the backend refuses */
    const BAD = "not\0good";
    /** @var string[] lists of the backend's API, by kind */
    const LISTS = [change::USER => 'users', change::COURSE => 'courses', change::ENROLMENT => 'enrolments',
        change::GRADE => 'grades', change::COMPLETION => 'completions'];
    /** @var int[] what happens, and how often for each time that something else does */
    const DEEDS = ['change' => 30, 'delete' => 4, 'commit' => 4, 'open' => 4, 'lose_ledger' => 1, 'kill_sender' => 4,
        'lose_answers' => 3, 'kill_backend' => 3, 'kill_in_request' => 3, 'stop_backend' => 1, 'cut_tail' => 3, 'backup' => 3,
        'restore' => 3, 'copy' => 3, 'put_back' => 3, 'save_moodle' => 2, 'restore_moodle' => 2, 'check' => 2];

    /** @var int[] what happened in all histories */
    private static $happened = [];

    /** @var world */
    private $world;
    /** @var own_backend */
    private $backend;
    /** @var curl_http carries the requests */
    private $http;
    /** @var array[] transactions that are open in Moodle: changes and rows of the outbox */
    private $open;
    /** @var string|null backup of Moodle */
    private $moodle;
    /** @var string[][] backups and copies of the backend: names by kind */
    private $kept;
    /**
     * @var array|null the event that the backend confirmed last, if it has forgotten that and Moodle must notice. Events without an
     *     answer may fill the places of forgotten ones: then only the nightly comparison finds them
     */
    private $forgotten;

    /**
     * Plays the histories.
     */
    public function test_random_histories(): void {
        $seed = (int)getenv('SEED');
        $seeds = $seed ? [$seed] : range(1, (int)(getenv('PARITY_SEEDS') ?: self::SEEDS));
        foreach ($seeds as $seed) {
            mt_srand($seed);
            fwrite(STDERR, "Seed $seed\n");
            try {
                $this->play($seed);
            } catch (\Throwable $e) {
                throw new \Exception("SEED=$seed: " . get_class($e) . ' ' . $e->getMessage(), 0, $e);
            } finally {
                $this->backend->end(SIGKILL);
            }
        }
        fwrite(STDERR, count($seeds) . ' histories: ' . json_encode(self::$happened) . "\n");
        if (count($seeds) >= 30) {
            // Proves that the test exercises what it claims to.
            $others = ['roll_back', 'noticed', 'repaired', 'equal at once', 'refused'];
            foreach (array_merge(array_keys(self::DEEDS), $others) as $what) {
                $this->assertGreaterThan(5, self::$happened[$what] ?? 0, "$what happened too rarely");
            }
        }
    }

    /**
     * Plays a history.
     *
     * @param int $seed
     */
    private function play(int $seed): void {
        $folder = getenv('WORK') . "/parity.$seed";
        mkdir($folder);
        $class = getenv('TEST_POSTGRES_URL') && $seed % 3 === 0 ? own_postgres::class : own_backend::class;
        $this->backend = new $class(getenv('BACKEND_PROGRAM'), $folder);
        $this->http = $this->make_http();
        [$this->open, $this->moodle, $this->kept, $this->forgotten] = [[], null, ['backup' => [], 'copy' => []], null];
        $this->world = new world();
        $this->connect();
        // In the past, because time passes below, and the backend refuses versions of the future.
        $this->world->clock->now = time() - 90 * 86400;
        for ($step = 0; $step < self::STEPS; $step++) {
            $deed = $this->choose_deed();
            self::note($deed);
            $this->$deed();
            $this->world->clock->now += mt_rand(1, 200);
            if (mt_rand(0, 2) === 0) {
                $this->world->run();
            }
        }
        $this->check();
        $this->backend->run(['parity', 'show']);
        $audited = json_decode($this->backend->run(['parity', 'audit', '--json']), true);
        $this->assertSame([0, 0], [$audited['wrong'], $audited['unknown']]);
    }

    /**
     * Counts what happened.
     *
     * @param string $what
     */
    private static function note(string $what): void {
        self::$happened[$what] = (self::$happened[$what] ?? 0) + 1;
    }

    /**
     * Lets Moodle speak to the backend.
     */
    private function connect(): void {
        $this->world->backend = $this->http;
        $this->world->url = $this->backend->url;
        $this->world->token = $this->backend->sitetoken;
    }

    /**
     * A client that notes what the first pass of a comparison says.
     *
     * @return curl_http
     */
    private function make_http(): curl_http {
        return new class extends curl_http {
            /** @var string[] keys of the records that differ */
            public $said = [];

            /**
             * Sends a request.
             *
             * @param string $url
             * @param string[] $headers
             * @param string|null $body
             * @return response
             */
            public function request(string $url, array $headers, ?string $body): response {
                $response = parent::request($url, $headers, $body);
                if ($response->status === 200 && substr($url, -15) === '/parity/records') {
                    $answer = json_decode($response->body, true);
                    $surplus = array_column($answer['surplus'], 'id');
                    foreach (array_merge($answer['differing'], $answer['missing'], $answer['unknown'], $surplus) as $id) {
                        $this->said[] = json_decode($body, true)['kind'] . ":$id";
                    }
                }
                return $response;
            }
        };
    }

    /**
     * A random deed.
     *
     * @return string
     */
    private function choose_deed(): string {
        $left = mt_rand(1, array_sum(self::DEEDS));
        foreach (self::DEEDS as $deed => $weight) {
            $left -= $weight;
            if ($left <= 0) {
                return $deed;
            }
        }
    }

    /**
     * A random kind and id of a record.
     *
     * @return array
     */
    private function any_record(): array {
        return [change::KINDS[mt_rand(0, count(change::KINDS) - 1)], mt_rand(1, self::IDS)];
    }

    // What people do in Moodle.

    /**
     * Creates or changes a record; a grade may be hidden.
     */
    private function change(): void {
        [$kind, $id] = $this->any_record();
        $this->world->put($kind, $id, $this->fields($kind));
    }

    /**
     * Random fields of a record.
     *
     * @param string $kind
     * @return array
     */
    private function fields(string $kind): array {
        // Few, so that a record often returns to an earlier state.
        $text = ['Ann', 'Zoë', 'Cleo', mt_rand(0, 3) ? 'Dan' : self::BAD][mt_rand(0, 3)];
        $number = (string)mt_rand(1, 3);
        $fields = ['firstname' => $text, 'fullname' => $text, 'enrol' => $text, 'feedback' => $text, 'timemodified' => $number,
            'timecompleted' => $number, 'finalgrade' => "$number.00000", 'itemname' => "Essay $number",
            'roles' => [['shortname' => $number, 'archetype' => 'student']]];
        if ($kind === change::GRADE && mt_rand(0, 2) === 0) {
            $fields['hiddenuntil'] = mt_rand(0, 1) ? 1 : $this->world->clock->now() + mt_rand(1, 2000);
        }
        return $fields;
    }

    /**
     * Deletes a record.
     */
    private function delete(): void {
        [$kind, $id] = $this->any_record();
        $this->world->put($kind, $id, null);
    }

    /**
     * Changes records in a transaction that stays open: nobody sees them, but the ids of their rows are given out.
     */
    private function open(): void {
        [$records, $rows] = [$this->world->source->records, $this->world->outbox->rows];
        $changes = [];
        for ($i = mt_rand(1, 4); $i > 0; $i--) {
            [$kind, $id] = $this->any_record();
            $fields = mt_rand(0, 3) ? $this->fields($kind) : null;
            $this->world->put($kind, $id, $fields);
            $changes[] = [$kind, $id, $fields];
        }
        $this->open[] = ['changes' => $changes, 'rows' => array_diff_key($this->world->outbox->rows, $rows)];
        [$this->world->source->records, $this->world->outbox->rows] = [$records, $rows];
    }

    /**
     * Ends the oldest open transaction: it may also be rolled back.
     */
    private function commit(): void {
        $transaction = array_shift($this->open);
        if ($transaction && mt_rand(0, 1)) {
            foreach ($transaction['changes'] as [$kind, $id, $fields]) {
                $this->world->put_silently($kind, $id, $fields);
            }
            $this->world->outbox->rows += $transaction['rows'];
        } else if ($transaction) {
            self::note('roll_back');
        }
    }

    // What happens to Moodle.

    /**
     * A table of the plugin was restored alone.
     */
    private function lose_ledger(): void {
        [$kind, $id] = $this->any_record();
        unset($this->world->store->sent["$kind:$id"], $this->world->store->changes["$kind:$id"]);
    }

    /**
     * The process that sends is killed.
     */
    private function kill_sender(): void {
        $this->forgotten = null;
        $this->change();
        $this->world->fuse->left = mt_rand(0, 20);
        try {
            $this->world->run();
        } catch (crash $e) {
            $this->assertNotNull($this->world->memory);
        }
        $this->world->fuse->left = null;
    }

    /**
     * Answers do not arrive.
     */
    private function lose_answers(): void {
        $this->forgotten = null;
        $this->change();
        $this->http->loseanswers = mt_rand(1, 2);
        $this->world->run();
        $this->http->loseanswers = 0;
    }

    /**
     * A backup of Moodle.
     */
    private function save_moodle(): void {
        $this->world->backend = null;
        $this->moodle = serialize($this->world);
        $this->connect();
    }

    /**
     * Moodle is restored. Transactions end with it.
     */
    private function restore_moodle(): void {
        if ($this->moodle) {
            $now = $this->world->clock->now();
            $this->world = unserialize($this->moodle);
            $this->world->clock->now = $now;
            $this->connect();
            $this->open = [];
            $this->forgotten = null;
            $this->note_forgotten();
        }
    }

    // What happens to the backend.

    /**
     * It is killed, and starts again; sometimes only after a while.
     */
    private function kill_backend(): void {
        $this->backend->end(SIGKILL);
        $this->restart();
    }

    /**
     * It is stopped in peace.
     */
    private function stop_backend(): void {
        $this->backend->end(SIGTERM);
        $this->restart();
    }

    /**
     * Starts it; sometimes Moodle notices that it was away.
     */
    private function restart(): void {
        if (mt_rand(0, 3) === 0) {
            $this->change();
            $this->world->run();
        }
        $this->backend->start();
        $this->note_forgotten();
    }

    /**
     * Notes whether the backend has forgotten what it confirmed last. Moodle must find out with the next event or handshake.
     */
    private function note_forgotten(): void {
        $last = $this->world->memory->get(continuity::LAST);
        // Of two lives of a database that are seconds old, the positions tell nothing.
        $position = $last['position'] ?? 0;
        $gap = $position - ($this->forgotten['position'] ?? $position);
        $this->assert_noticed($gap < 0 || $gap > continuity::GAP);
        $held = $last ? $this->backend->read('/api/v1/events?limit=500')['items'] : [];
        $this->forgotten = $last && !in_array($last['event'], array_column($held, 'client_id'), true) ? $last : null;
    }

    /**
     * Asserts that Moodle is about to compare, if the backend has forgotten something.
     *
     * @param bool $isforgotten
     */
    private function assert_noticed(bool $isforgotten): void {
        if ($isforgotten) {
            self::note('noticed');
            $this->assertTrue(parity::is_due($this->world->memory), 'nobody has noticed that the backend has forgotten something');
        }
    }

    /**
     * It is killed somewhere in the middle of a request.
     */
    private function kill_in_request(): void {
        $this->forgotten = null;
        for ($i = mt_rand(1, 9); $i > 0; $i--) {
            $this->change();
        }
        $command = ['sh', '-c', 'sleep ' . mt_rand(0, 40) / 1000 . '; kill -9 ' . $this->backend->pid()];
        $killer = proc_open($command, [], $pipes);
        $this->world->run();
        proc_close($killer);
        $this->kill_backend();
    }

    /**
     * The power fails, and the disk had not written the end of the log.
     */
    private function cut_tail(): void {
        $this->backend->end(SIGKILL);
        $this->backend->cut_tail(mt_rand(0, 99) / 100);
        $this->restart();
    }

    /**
     * A backup is made.
     */
    private function backup(): void {
        $this->backend->backup($this->keep('backup'));
    }

    /**
     * A name for a backup or copy.
     *
     * @param string $kind
     * @return string
     */
    private function keep(string $kind): string {
        return $this->kept[$kind][] = "$kind." . count($this->kept[$kind]);
    }

    /**
     * A backup is restored.
     */
    private function restore(): void {
        if ($this->kept['backup']) {
            $this->backend->end(mt_rand(0, 1) ? SIGTERM : SIGKILL);
            $this->backend->restore($this->kept['backup'][array_rand($this->kept['backup'])]);
            $this->restart();
        }
    }

    /**
     * Somebody copies the database.
     */
    private function copy(): void {
        $this->backend->end(mt_rand(0, 1) ? SIGTERM : SIGKILL);
        $this->backend->copy($this->keep('copy'));
        $this->restart();
    }

    /**
     * Somebody puts a copy back, sometimes of the whole machine.
     */
    private function put_back(): void {
        if ($this->kept['copy']) {
            $this->backend->end(mt_rand(0, 1) ? SIGTERM : SIGKILL);
            $this->backend->put_back($this->kept['copy'][array_rand($this->kept['copy'])], (bool)mt_rand(0, 1));
            $this->restart();
        }
    }

    // Comparing.

    /**
     * Compares, with the sender and by looking at both tables.
     */
    private function check(): void {
        // What was hidden until some time is visible then, and nothing changes by itself any more.
        $this->world->clock->now += self::LATER;
        $this->send();
        $this->assert_noticed($this->forgotten !== null);
        $this->forgotten = null;
        $this->synchronise();
        $differing = $this->differences();
        self::note($differing ? 'repaired' : 'equal at once');
        $this->http->said = [];
        $this->compare();
        $said = array_unique($this->http->said);
        sort($said);
        $this->assertSame($differing, $said, 'what the comparison says is not what a look at the tables says');
        $this->assertSame([], $this->differences(), 'the comparison has not made both equal');
        $this->check_counts();
    }

    /**
     * Sees to it that the ledger says what Moodle holds, as the full synchronisation does.
     */
    private function synchronise(): void {
        $keys = array_keys(array_diff($this->world->store->sent, [event::DELETED]));
        foreach ($this->world->source->records as $kind => $records) {
            foreach (array_keys($records) as $id) {
                $keys[] = "$kind:$id";
            }
        }
        foreach (array_unique($keys) as $key) {
            [$kind, $id] = explode(':', $key);
            $this->world->outbox->add($this->world->change($kind, (int)$id));
        }
        $this->send();
    }

    /**
     * Sends what waits, as administrators and cron do.
     */
    private function send(): void {
        for ($runs = 0; $runs < 100; $runs++) {
            $report = $this->world->run();
            if (!$report->failure && !$report->waituntil && $report->empty) {
                return;
            }
            if ($report->failure && $report->failure->reason === failure::WENT_BACK) {
                continuity::accept($this->world->memory);
            }
            $this->world->clock->now += self::LATER;
        }
        $this->fail('It does not send everything: ' . json_encode($report));
    }

    /**
     * Compares to the end, as the runner does.
     */
    private function compare(): void {
        $world = $this->world;
        if (!parity::is_due($world->memory)) {
            parity::request($world->memory, parity::ASKED);
        }
        $range = mt_rand(1, 4);
        for ($runs = 0; $runs < 100; $runs++) {
            $this->send();
            $client = new client($this->http, $world->url, $world->token);
            (new parity($world->store, $world->source, $client, $world->memory, $world->clock, change::KINDS, $range))->run();
            $state = $world->memory->get(parity::STATE);
            $this->assertNull($state['trouble']);
            if ($state['pass'] > 1 && !isset($first)) {
                $first = $this->http->said;
            }
            if ($state['status'] === parity::FINISHED) {
                $this->http->said = $first ?? $this->http->said;
                return;
            }
        }
        $this->fail('The comparison does not end: ' . json_encode($state));
    }

    /**
     * Looks at each record in both tables. Those that the backend refuses are no differences.
     *
     * @return string[] keys of those that differ, sorted
     */
    private function differences(): array {
        $differing = [];
        foreach (self::LISTS as $kind => $list) {
            $held = $this->backend->living($list);
            $ids = array_merge(array_keys($held), array_keys($this->world->source->records[$kind] ?? []));
            foreach (array_unique($ids) as $id) {
                if (!$this->is_refused("$kind:$id") && !$this->is_same($this->world->wanted($kind, $id), $held[$id] ?? null)) {
                    $differing[] = "$kind:$id";
                }
            }
        }
        sort($differing);
        return $differing;
    }

    /**
     * Whether the ledger says that the backend has refused a record, and it is right.
     *
     * @param string $key
     * @return bool
     */
    private function is_refused(string $key): bool {
        [$kind, $id] = explode(':', $key);
        $isrefused = strpos($this->world->store->sent[$key] ?? '', event::REFUSED) === 0;
        if ($isrefused) {
            $isbad = strpos(json_encode($this->world->wanted($kind, (int)$id)), json_encode(self::BAD)) !== false;
            $this->assertTrue($isbad || $this->world->store->rejected[$key] === sender::FATAL, "$key is not to be refused");
            self::note('refused');
        }
        return $isrefused;
    }

    /**
     * Whether the backend holds what it should.
     *
     * @param array|null $wanted
     * @param array|null $held
     * @return bool
     */
    private function is_same(?array $wanted, ?array $held): bool {
        if (!$wanted || !$held) {
            return !$wanted && !$held;
        }
        foreach ($wanted as $name => $value) {
            // The keys of a role may come in another order.
            if (is_array($value) ? $held[$name] != $value : $held[$name] !== $value) {
                return false;
            }
        }
        return $held['extra'] === null;
    }

    /**
     * What people are told is what there is.
     */
    private function check_counts(): void {
        $told = array_column($this->backend->read('/api/v1/parity')['sites'], null, 'kind');
        foreach (self::LISTS as $kind => $list) {
            $ids = array_keys($this->world->source->records[$kind] ?? []);
            $living = array_filter($ids, function ($id) use ($kind) {
                return $this->world->wanted($kind, $id) !== null && !$this->is_refused("$kind:$id");
            });
            $refused = array_filter(array_keys($this->world->store->sent), function ($key) use ($kind) {
                return strtok($key, ':') === $kind && $this->is_refused($key);
            });
            $of = $told[$kind];
            $counted = [$of['equal'], $of['moodle_records'], $of['backend_records'], $of['unprovable']];
            $is = [true, count($living), count($living), count($refused)];
            $this->assertSame($is, $counted, "what people are told of $kind: " . json_encode($counted));
        }
    }
}
