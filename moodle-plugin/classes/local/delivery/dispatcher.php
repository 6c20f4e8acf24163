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
 * Sends events in as many requests as needed, and settles each of them. If a request fails because of what is in it, bisects it to
 * find the event at fault, so that all others arrive.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class dispatcher {
    /** @var int largest body in bytes, even if the backend accepts more: the answer must arrive within the timeout */
    const BODY_BYTES = 4000000;
    /** @var int seconds before a poison event is retried */
    const POISON_WAIT = 300;
    /** @var int poison events to isolate in one run; more mean that the backend itself is failing */
    const MAX_POISON = 3;
    /** @var int seconds before an event is retried that something in between refuses */
    const INTERCEPTED_WAIT = 3600;
    /** @var int events in a row that something in between may refuse; more mean that it refuses everything */
    const MAX_INTERCEPTED = 20;
    /** @var string code of the rejection of an event that something between Moodle and the backend refuses */
    const INTERCEPTED = 'intercepted';

    /** @var store */
    private $store;
    /** @var client */
    private $client;
    /** @var memory */
    private $memory;
    /** @var clock */
    private $clock;
    /** @var health */
    private $health;
    /** @var versions */
    private $versions;
    /** @var compression */
    private $compression;
    /** @var request_size */
    private $size;
    /** @var report adds up over all runs */
    private $report;
    /** @var int poison events isolated so far: single events on which a healthy backend fails */
    private $poison = 0;
    /** @var int events refused since the last one that was accepted */
    private $intercepted = 0;
    /** @var int no request starts after this time, Unix seconds */
    private $deadline = 0;
    /** @var bool the run has made a request with events */
    private $isunderway = false;

    /**
     * Constructor.
     *
     * @param store $store
     * @param client $client
     * @param memory $memory
     * @param clock $clock
     * @param health $health
     * @param report $report
     * @param compression $compression
     */
    public function __construct(
        store $store,
        client $client,
        memory $memory,
        clock $clock,
        health $health,
        report $report,
        compression $compression
    ) {
        $this->store = $store;
        $this->client = $client;
        $this->memory = $memory;
        $this->clock = $clock;
        $this->health = $health;
        $this->report = $report;
        $this->compression = $compression;
        $this->versions = new versions($memory, $clock);
        $this->size = new request_size($memory);
    }

    /**
     * A run begins.
     *
     * @param int $deadline no request starts after this time, Unix seconds, except the first one
     */
    public function begin(int $deadline): void {
        $this->deadline = $deadline;
        $this->isunderway = false;
    }

    /**
     * The queue is empty.
     *
     * @param queue $queue
     */
    public function finish(queue $queue): void {
        $this->size->reset($queue);
    }

    /**
     * Sends events.
     *
     * @param queue $queue
     * @param event[] $events
     * @param array $handshake the backend's limits
     * @throws failure
     * @throws out_of_time
     */
    public function send_all(queue $queue, array $events, array $handshake): void {
        $this->versions->assign($events);
        $this->store->invalidate($events);
        $requests = $this->report->requests;
        $this->compression->learn($handshake);
        $maxevents = $this->size->limit($queue, (int)$handshake['max_batch_events']);
        $maxbytes = min((int)$handshake['max_body_bytes'], self::BODY_BYTES);
        try {
            foreach (batches::divide($events, $maxevents, $maxbytes) as $batch) {
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
     * A clock is or was wrong. Makes a new handshake to find out which, and rolls the versions back, so that sending resumes
     * automatically once the clock is correct.
     *
     * @param bool $isfirst no earlier request used these versions, so the backend holds none of them
     * @throws failure
     */
    private function clock_ahead(bool $isfirst): void {
        if ($isfirst) {
            $this->versions->roll_back();
        }
        clocks::handshake($this->client, $this->memory, $this->clock);
    }

    /**
     * Sends events in one request. If the backend rejects it as a whole, bisects to find the event at fault.
     *
     * @param queue $queue
     * @param event[] $events
     * @throws failure
     * @throws out_of_time
     */
    private function send(queue $queue, array $events): void {
        try {
            $outcomes = $this->request($events, $this->compression->is_on());
        } catch (rejection $rejection) {
            if (count($events) === 1) {
                $this->reject($queue, $events[0], $rejection->reason, $rejection->detail);
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
     * Makes one request.
     *
     * @param event[] $events
     * @param bool $compress
     * @return outcome[]
     * @throws failure
     * @throws rejection
     * @throws out_of_time
     */
    private function request(array $events, bool $compress): array {
        if ($this->isunderway && $this->clock->now() >= $this->deadline) {
            throw new out_of_time();
        }
        $this->isunderway = true;
        return $this->transmit($events, $compress);
    }

    /**
     * Makes one request; a second one if the backend takes a compressed body for a plain text, because something in between has
     * dropped the header, or it is an earlier version since a moment ago.
     *
     * @param event[] $events
     * @param bool $compress
     * @return outcome[]
     * @throws failure
     * @throws rejection
     */
    private function transmit(array $events, bool $compress): array {
        $this->report->requests++;
        try {
            return $this->client->send($events, $compress);
        } catch (rejection $rejection) {
            if (!$compress || $rejection->reason !== client::MALFORMED) {
                throw $rejection;
            }
        }
        $this->compression->give_up();
        return $this->transmit($events, false);
    }

    /**
     * Sends each half separately.
     *
     * @param queue $queue
     * @param event[] $events
     * @throws failure
     * @throws out_of_time
     */
    private function send_halves(queue $queue, array $events): void {
        foreach (array_chunk($events, (int)ceil(count($events) / 2)) as $half) {
            $this->send($queue, $half);
        }
    }

    /**
     * Handles a failure that may be caused by what is in the request: an internal error of the backend, or something in between,
     * such as a firewall, that does not like it. If the backend itself can be reached, bisects to find the event.
     *
     * @param queue $queue
     * @param event[] $events
     * @param failure $failure
     * @throws failure if it is not about the events
     * @throws out_of_time
     */
    private function isolate(queue $queue, array $events, failure $failure): void {
        if ($failure->reason === failure::TIMEOUT && !$this->size->timed_out($queue, $events)) {
            throw $failure;
        }
        $isinterception = $failure->is_interception();
        $ispoison = $failure->reason === failure::SERVER_ERROR
            || (!$failure->isown && $failure->reason === failure::UNAVAILABLE && $failure->retryafter === null);
        if ((!$isinterception && !$ispoison) || ($ispoison && $this->poison >= self::MAX_POISON)) {
            throw $failure;
        }
        $this->client->handshake(); // Throws if the backend itself is failing.
        if (count($events) > 1) {
            if (!$isinterception || !$this->send_otherwise($queue, $events)) {
                $this->send_halves($queue, $events);
            }
        } else if ($isinterception) {
            $this->intercepted($queue, $events[0], $failure);
        } else {
            $this->postpone($queue, $events[0]->change);
        }
    }

    /**
     * Sends what something in between refuses the other way, compressed or not, if that has not been tried yet. If it helps, all
     * further requests go the same way.
     *
     * @param queue $queue
     * @param event[] $events
     * @return bool whether it has helped
     * @throws failure
     * @throws out_of_time
     */
    private function send_otherwise(queue $queue, array $events): bool {
        if (!$this->compression->try_other()) {
            return false;
        }
        try {
            $outcomes = $this->request($events, $this->compression->other());
        } catch (rejection $rejection) {
            return false;
        } catch (failure $failure) {
            if (!$failure->is_interception()) {
                throw $failure;
            }
            return false;
        }
        $this->compression->turn();
        $this->settle($queue, $events, $outcomes);
        return true;
    }

    /**
     * Sets an event aside that something in between refuses, if it does so twice, the second time compressed if the backend can
     * unpack, and lets other requests pass.
     *
     * @param queue $queue
     * @param event $event
     * @param failure $failure
     * @throws failure
     */
    private function intercepted(queue $queue, event $event, failure $failure): void {
        if ($this->intercepted >= self::MAX_INTERCEPTED) {
            throw $failure;
        }
        $this->client->knock($this->compression->is_on());
        try {
            // Whatever the time, because an event would never be found to be at fault if this took longer than a run.
            $outcomes = $this->transmit([$event], $this->compression->other());
        } catch (rejection $rejection) {
            $this->reject($queue, $event, $rejection->reason, $rejection->detail);
            return;
        } catch (failure $again) {
            if (!$again->is_interception()) {
                throw $again;
            }
            $this->intercepted++;
            $detail = trim(($failure->status ? "HTTP $failure->status" : '') . ' ' . $failure->detail);
            $this->store->postpone([$event->change], $this->clock->now() + self::INTERCEPTED_WAIT);
            $this->reject($queue, $event, self::INTERCEPTED, $detail);
            return;
        }
        $this->settle($queue, [$event], $outcomes);
    }

    /**
     * Postpones a poison event, so that it does not stop the others.
     *
     * @param queue $queue
     * @param change $change
     */
    private function postpone(queue $queue, change $change): void {
        $this->poison++;
        $this->store->postpone([$change], $this->clock->now() + self::POISON_WAIT);
        $queue->done([$change]);
        $this->report->postponed++;
    }

    /**
     * Settles each event by its outcome.
     *
     * @param queue $queue
     * @param event[] $events
     * @param outcome[] $outcomes
     */
    private function settle(queue $queue, array $events, array $outcomes): void {
        $accepted = [];
        foreach ($events as $i => $event) {
            if ($outcomes[$i]->is_accepted()) {
                // The backend accepted a duplicate some time ago and may hold a newer state by now, so that is unknown.
                $event->hash = $outcomes[$i]->is_duplicate() ? null : $event->hash;
                $accepted[] = $event;
            } else {
                $this->reject($queue, $event, $outcomes[$i]->code, $outcomes[$i]->detail);
            }
        }
        if ($accepted) {
            $this->store->confirm($accepted);
            $queue->done(array_column($accepted, 'change'));
            $this->intercepted = 0;
        }
        $this->report->sent += count($accepted);
        $this->report->recovered = $this->health->succeeded() || $this->report->recovered;
    }

    /**
     * Moves a rejected change out of the queue.
     *
     * @param queue $queue
     * @param event $event
     * @param string $code
     * @param string $detail
     */
    public function reject(queue $queue, event $event, string $code, string $detail): void {
        $this->store->reject($event, $code, $detail);
        $queue->done([$event->change]);
        $this->report->rejected++;
    }
}
