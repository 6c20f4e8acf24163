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
 * Sends waiting changes. Only one sender may run at a time: versions are assigned in the order in which it reads the records.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class sender {
    /** @var int changes to read and send together */
    const BATCH = 1000;
    /**
     * @var int seconds until the handshake is repeated: shorter than Moodle's database can be backed up and restored in, because a
     *     restored one brings an old handshake along, and only a new one tells, before anything is sent, that it went back in time
     */
    const HANDSHAKE_AGE = 300;
    /** @var string code of the rejection of a change with which several runs ended although it was alone */
    const FATAL = 'fatal';

    /** @var string key in the memory: which backend and site the ledger is about */
    const BACKEND = 'backend';

    /** @var store */
    private $store;
    /** @var source */
    private $source;
    /** @var client */
    private $client;
    /** @var memory */
    private $memory;
    /** @var clock */
    private $clock;
    /** @var options */
    private $options;
    /** @var health */
    private $health;
    /** @var dispatcher */
    private $dispatcher;
    /** @var report adds up over all runs of this object */
    private $report;

    /**
     * Constructor.
     *
     * @param store $store
     * @param source $source
     * @param client $client
     * @param memory $memory
     * @param clock $clock
     * @param options $options
     */
    public function __construct(store $store, source $source, client $client, memory $memory, clock $clock, options $options) {
        $this->store = $store;
        $this->source = $source;
        $this->client = $client;
        $this->memory = $memory;
        $this->clock = $clock;
        $this->options = $options;
        $this->health = new health($memory, $clock);
        $this->report = new report();
        $compression = new compression($options->compression);
        $this->dispatcher = new dispatcher($store, $client, $memory, $clock, $this->health, $this->report, $compression);
    }

    /**
     * Sends until the queue is empty, the deadline passes, or delivery fails.
     *
     * @param queue $queue
     * @param int $deadline Unix seconds; a batch in progress is completed
     * @param int|null $batches limit of batches
     * @return report totals of all runs of this object
     */
    public function run(queue $queue, int $deadline, ?int $batches = null): report {
        $this->report->empty = false;
        $this->check_target();
        $this->report->waituntil = $this->health->wait_until();
        if ($this->report->waituntil) {
            return $this->report;
        }
        $inflight = new in_flight($this->memory, $queue);
        $this->dispatcher->begin($deadline);
        try {
            do {
                $changes = $queue->next(self::BATCH);
                if (!$changes) {
                    $this->report->empty = true;
                    $this->dispatcher->finish($queue);
                    $this->probe();
                    break;
                }
                $this->deliver_all($queue, $changes, $inflight, $deadline);
            } while ($this->clock->now() < $deadline && ($batches === null || --$batches > 0));
        } catch (out_of_time $e) {
            $this->report->empty = false;
        } catch (failure $failure) {
            $this->fail($failure);
        }
        // Not after any other exception: its cause may be a change, as if the process had been killed.
        $inflight->end();
        return $this->report;
    }

    /**
     * Sends a batch of changes in portions that fit into memory.
     *
     * @param queue $queue
     * @param change[] $changes by key
     * @param in_flight $inflight
     * @param int $deadline Unix seconds
     * @throws failure
     * @throws out_of_time
     */
    private function deliver_all(queue $queue, array $changes, in_flight $inflight, int $deadline): void {
        foreach (portions::divide($changes, $this->source, $inflight->suspects()) as $i => $portion) {
            if ($i && $this->clock->now() >= $deadline) {
                throw new out_of_time();
            }
            $inflight->begin($portion);
            $first = reset($portion);
            if ($inflight->is_culprit($first)) {
                $event = new event($first, null);
                $event->hash = null; // Its state is what must not be read again.
                $this->dispatcher->reject($queue, $event, self::FATAL, '');
            } else {
                $this->deliver_portion($queue, $portion, $inflight);
            }
            $inflight->done($portion);
        }
    }

    /**
     * Sends changes. A run whose time ends without any progress leaves a note, so that the next one does not spend its time in the
     * same way.
     *
     * @param queue $queue
     * @param change[] $changes by key
     * @param in_flight $inflight
     * @throws failure
     * @throws out_of_time
     */
    private function deliver_portion(queue $queue, array $changes, in_flight $inflight): void {
        $settled = $this->report->sent + $this->report->rejected;
        try {
            $this->deliver($queue, $changes);
        } catch (out_of_time $e) {
            if ($settled === $this->report->sent + $this->report->rejected) {
                $inflight->suspect($changes);
            }
            throw $e;
        }
    }

    /**
     * Checks the backend while the queue is empty: during an outage each time, otherwise when the handshake is too old.
     *
     * @throws failure
     */
    private function probe(): void {
        $this->handshake();
        if ($this->health->is_failing()) {
            $this->succeed();
        }
    }

    /**
     * Records and reports a success.
     */
    private function succeed(): void {
        $this->report->recovered = $this->health->succeeded() || $this->report->recovered;
    }

    /**
     * After a change of backend or token, the old backoff, handshake and size of requests no longer apply. Only the next handshake
     * tells whether it is another backend or site, see recognise().
     */
    private function check_target(): void {
        $target = ['target' => $this->client->target()];
        $last = $this->memory->get('target');
        if ($last === $target) {
            return;
        }
        if ($last && !$this->memory->get(self::BACKEND)) {
            // An earlier version of this plugin did not note which backend that was.
            $this->memory->set(self::BACKEND, ['identity' => '']);
        }
        $this->memory->set(clocks::HANDSHAKE, null);
        $this->memory->set(request_size::STATE, null);
        $this->health->retry_now();
        $this->memory->set('target', $target);
    }

    /**
     * Forgets what the backend holds if it is another one than before, or knows this Moodle as another site. A new token of the
     * same site changes nothing, and neither does a mistyped one, which gets no handshake.
     *
     * @param array $handshake made with the present backend and token
     */
    private function recognise(array $handshake): void {
        $backend = ['identity' => $this->client->identity($handshake['site'])];
        $last = $this->memory->get(self::BACKEND);
        if ($last && $last !== $backend) {
            $this->store->invalidate_all();
            $this->memory->set(continuity::LAST, null); // It never had it.
        }
        $this->memory->set(self::BACKEND, $backend);
        continuity::check($this->memory, $handshake);
    }

    /**
     * Records and reports a failure.
     *
     * @param failure $failure
     */
    private function fail(failure $failure): void {
        $this->report->outagestarted = $this->health->failed($failure);
        $this->report->failure = $failure;
        $this->report->waituntil = $this->health->wait_until();
    }

    /**
     * Sends one batch of changes.
     *
     * @param queue $queue
     * @param change[] $changes
     * @throws failure
     */
    private function deliver(queue $queue, array $changes): void {
        $handshake = $this->handshake();
        $known = $this->store->known($changes);
        $events = [];
        $later = [];
        foreach ($this->states($changes) as $key => $state) {
            $change = $changes[$key];
            if ($state['until'] ?? 0) {
                $later[$state['until']][] = $change;
            }
            $event = $this->event($change, $state, $known[$key] ?? null, $handshake['event_types']);
            if ($event) {
                $events[] = $event;
                unset($changes[$key]);
            }
        }
        foreach ($later as $until => $postponed) {
            $this->store->postpone($postponed, $until);
        }
        $this->report->unchanged += count($changes);
        $queue->done($changes);
        if (!$events) {
            return;
        }
        $this->dispatcher->send_all($queue, $events, $handshake);
    }

    /**
     * Reads the present state of the records, and completes the ids of the changes.
     *
     * @param change[] $changes by key
     * @return array[] by key, in the same order; null for a deleted record
     */
    private function states(array $changes): array {
        $ids = [];
        foreach ($changes as $change) {
            $ids[$change->kind][] = $change->objectid;
        }
        $states = array_fill_keys(array_keys($changes), null);
        foreach ($ids as $kind => $kindids) {
            foreach ($this->source->states($kind, $kindids) as $id => $state) {
                $change = $changes["$kind:$id"];
                foreach (['userid', 'courseid', 'itemid'] as $property) {
                    $change->$property = (int)($state[$property] ?? $change->$property);
                }
                $states[$change->key()] = $state;
            }
        }
        return $states;
    }

    /**
     * Makes the event for a change.
     *
     * @param change $change
     * @param array|null $state null for a deleted record
     * @param string|null $known what the backend holds, see store::known()
     * @param string[] $types event types that the backend accepts
     * @return event|null null if there is nothing to send
     */
    private function event(change $change, ?array $state, ?string $known, array $types): ?event {
        if (!in_array($change->kind, $this->options->kinds, true)) {
            return null;
        }
        if ($known === null && !empty($state['unfinished'])) {
            return null; // Moodle is still making it.
        }
        $data = null;
        if ($state && !$change->deleted && empty($state['withheld'])) {
            $data = payload::state($change, $state, $this->options->excluded[$change->kind] ?? []);
        } else if ($state && !$change->deleted && $known === null) {
            return null; // Withheld, and never sent before.
        }
        $event = new event($change, $data);
        $isnews = $change->force || $known !== $event->hash && !$this->is_refused($change, $event, $known);
        return $isnews && in_array($event->type, $types, true) ? $event : null;
    }

    /**
     * Whether the backend has refused exactly this state, and nothing has changed since. It is sent again when somebody retries it.
     *
     * @param change $change
     * @param event $event
     * @param string|null $known what the backend holds, see store::known()
     * @return bool
     */
    private function is_refused(change $change, event $event, ?string $known): bool {
        return !$change->rowids && $known === event::REFUSED . $event->hash;
    }

    /**
     * The backend's limits and event types. Repeats the handshake when it is too old, during an outage, and for a new target.
     *
     * @return array see client::handshake()
     * @throws failure
     */
    private function handshake(): array {
        $handshake = $this->memory->get(clocks::HANDSHAKE);
        $age = $this->clock->now() - ($handshake['asked'] ?? 0);
        if (!$handshake || $age < 0 || $age > self::HANDSHAKE_AGE || $this->health->is_failing()) {
            $handshake = clocks::handshake($this->client, $this->memory, $this->clock);
        }
        $this->recognise($handshake);
        return $handshake;
    }
}
