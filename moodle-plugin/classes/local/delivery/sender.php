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
 * Sends what waits. There may be only one at a time: the order of its reads is the order of the versions that it gives.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class sender {
    /** @var int changes that are read and sent together */
    const BATCH = 1000;
    /** @var int bytes of a body at most, whatever more the backend would take: an answer should come within the time-out */
    const BODY_BYTES = 4000000;
    /** @var int seconds after which the backend is asked again what it takes */
    const HANDSHAKE_AGE = 3600;
    /** @var int seconds after which an event is tried again at which the backend failed, while it is well otherwise */
    const POISON_WAIT = 300;
    /** @var int such events in one run; when there are more, it is the backend that is ill */
    const MAX_POISON = 3;

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
    /** @var versions */
    private $versions;
    /** @var report what this run did so far */
    private $report;
    /** @var int events in this run at which the backend failed */
    private $poison = 0;

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
        $this->versions = new versions($memory, $clock);
        $this->report = new report();
    }

    /**
     * Sends until nothing waits, the time is over, or the backend fails.
     *
     * @param queue $queue
     * @param int $deadline Unix seconds; what has begun is finished
     * @param int|null $batches how many batches at most
     * @return report of all runs of this sender
     */
    public function run(queue $queue, int $deadline, ?int $batches = null): report {
        $this->report->empty = false;
        $this->check_target();
        $this->report->waituntil = $this->health->wait_until();
        if ($this->report->waituntil) {
            return $this->report;
        }
        try {
            while (true) {
                $changes = $queue->next(self::BATCH);
                if (!$changes) {
                    $this->report->empty = true;
                    $this->probe();
                    break;
                }
                $this->deliver($queue, $changes);
                if ($this->clock->now() >= $deadline || ($batches !== null && --$batches <= 0)) {
                    break;
                }
            }
        } catch (failure $failure) {
            $this->fail($failure);
        }
        return $this->report;
    }

    /**
     * When nothing waits, only a question can find out whether the backend is well: now and then, and when it was not.
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
     * Remembers and reports a success.
     */
    private function succeed(): void {
        $this->report->recovered = $this->health->succeeded() || $this->report->recovered;
    }

    /**
     * With another backend or another token, nothing is known any more of what the backend holds, and it may be tried at once.
     */
    private function check_target(): void {
        $target = ['target' => $this->client->target()];
        $last = $this->memory->get('target');
        if ($last === $target) {
            return;
        }
        if ($last) {
            $this->store->invalidate_all();
        }
        $this->memory->set(clocks::HANDSHAKE, null);
        $this->health->retry_now();
        $this->memory->set('target', $target);
    }

    /**
     * Remembers and reports a failure.
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
        $this->send_all($queue, $events, $handshake);
    }

    /**
     * Sends events in as many requests as it takes.
     *
     * @param queue $queue
     * @param event[] $events
     * @param array $handshake
     * @throws failure
     */
    private function send_all(queue $queue, array $events, array $handshake): void {
        $this->versions->assign($events);
        $this->store->invalidate($events);
        $requests = $this->report->requests;
        $maxbytes = min((int)$handshake['max_body_bytes'], self::BODY_BYTES);
        try {
            foreach (batches::divide($events, (int)$handshake['max_batch_events'], $maxbytes) as $batch) {
                $this->send($queue, $batch);
            }
        } catch (failure $failure) {
            if ($failure->reason === failure::CLOCK_AHEAD) {
                $this->clock_ahead($this->report->requests === $requests + 1);
            }
            throw $failure;
        }
    }

    /**
     * A clock is wrong, or was: notes what tells which, and lets the versions of the wrong time go, so that sending goes on by
     * itself when the clock is right again.
     *
     * @param bool $isfirst the backend was sent nothing else with these versions
     * @throws failure
     */
    private function clock_ahead(bool $isfirst): void {
        if ($isfirst) {
            $this->versions->roll_back();
        }
        clocks::handshake($this->client, $this->memory, $this->clock);
    }

    /**
     * Reads the present state of the records.
     *
     * @param change[] $changes by key
     * @return array[] by key, in their order; null for a record that is gone
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
     * What is to be sent of a change.
     *
     * @param change $change
     * @param array|null $state null when the record is gone
     * @param string|null $known what the backend is known to hold, see store
     * @param string[] $types the types of events that the backend takes
     * @return event|null null when nothing is
     */
    private function event(change $change, ?array $state, ?string $known, array $types): ?event {
        if (!in_array($change->kind, $this->options->kinds, true)) {
            return null;
        }
        $data = null;
        if ($state && !$change->deleted && empty($state['withheld'])) {
            $data = payload::state($change, $state, $this->options->excluded[$change->kind] ?? []);
        } else if ($state && !$change->deleted && $known === null) {
            return null; // Withheld, and the backend never heard of it.
        }
        $event = new event($change, $data);
        $isnews = $change->force || $known !== $event->hash;
        return $isnews && in_array($event->type, $types, true) ? $event : null;
    }

    /**
     * Sends events in one request; when they are refused as a whole, in halves.
     *
     * @param queue $queue
     * @param event[] $events
     * @throws failure
     */
    private function send(queue $queue, array $events): void {
        try {
            $this->report->requests++;
            $outcomes = $this->client->send($events);
        } catch (rejection $rejection) {
            if (count($events) === 1) {
                $this->reject($queue, $events[0]->change, $rejection->reason, $rejection->detail);
            } else {
                $this->send_halves($queue, $events);
            }
            return;
        } catch (failure $failure) {
            $this->isolate($queue, $events, $failure);
            return;
        }
        $this->settle($queue, $events, $outcomes);
    }

    /**
     * Sends each half in a request of its own.
     *
     * @param queue $queue
     * @param event[] $events
     * @throws failure
     */
    private function send_halves(queue $queue, array $events): void {
        foreach (array_chunk($events, (int)ceil(count($events) / 2)) as $half) {
            $this->send($queue, $half);
        }
    }

    /**
     * The backend failed at these events. When it is well otherwise, one of them may be the cause, and must not stop the others.
     *
     * @param queue $queue
     * @param event[] $events
     * @param failure $failure
     * @throws failure when it is the backend
     */
    private function isolate(queue $queue, array $events, failure $failure): void {
        if ($failure->reason !== failure::SERVER_ERROR || $this->poison >= self::MAX_POISON) {
            throw $failure;
        }
        $this->client->handshake(); // Fails, too, when the backend is ill.
        if (count($events) > 1) {
            $this->send_halves($queue, $events);
            return;
        }
        $this->poison++;
        $change = $events[0]->change;
        $this->store->postpone([$change], $this->clock->now() + self::POISON_WAIT);
        $queue->done([$change]);
        $this->report->postponed++;
    }

    /**
     * Does with each event what the backend said of it.
     *
     * @param queue $queue
     * @param event[] $events
     * @param outcome[] $outcomes
     */
    private function settle(queue $queue, array $events, array $outcomes): void {
        $held = [];
        foreach ($events as $i => $event) {
            if ($outcomes[$i]->is_accepted()) {
                // A duplicate was taken some time ago: what the backend holds now, only the next event can tell.
                $event->hash = $outcomes[$i]->is_duplicate() ? null : $event->hash;
                $held[] = $event;
            } else {
                $this->reject($queue, $event->change, $outcomes[$i]->code, $outcomes[$i]->detail);
            }
        }
        if ($held) {
            $this->store->confirm($held);
            $queue->done(array_column($held, 'change'));
        }
        $this->report->sent += count($held);
        $this->succeed();
    }

    /**
     * Puts a change aside.
     *
     * @param queue $queue
     * @param change $change
     * @param string $code
     * @param string $detail
     */
    private function reject(queue $queue, change $change, string $code, string $detail): void {
        $this->store->reject($change, $code, $detail);
        $queue->done([$change]);
        $this->report->rejected++;
    }

    /**
     * What the backend takes. It is asked again after a while, after each failure, and when another backend is set.
     *
     * @return array see client
     * @throws failure
     */
    private function handshake(): array {
        $handshake = $this->memory->get(clocks::HANDSHAKE);
        $age = $this->clock->now() - ($handshake['asked'] ?? 0);
        if (!$handshake || $age < 0 || $age > self::HANDSHAKE_AGE || $this->health->is_failing()) {
            $handshake = clocks::handshake($this->client, $this->memory, $this->clock);
        }
        return $handshake;
    }
}
