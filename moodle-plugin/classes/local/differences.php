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
use local_backend_sync\local\delivery\clocks;
use local_backend_sync\local\delivery\event;
use local_backend_sync\local\delivery\memory;
use local_backend_sync\local\delivery\options;
use local_backend_sync\local\delivery\payload;
use local_backend_sync\local\delivery\source;

/**
 * Tells which records differ from what the backend is known to hold. What is unknown, for example after a refusal, is no
 * difference: the nightly comparison deals with it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class differences {
    /** @var source */
    private $source;
    /** @var options */
    private $options;
    /** @var ledger */
    private $ledger;
    /** @var bool records that were never sent are differences */
    private $findsnew;
    /** @var string[] event types that the backend accepts */
    private $types;

    /**
     * Constructor.
     *
     * @param memory $memory
     * @param source $source
     * @param options $options
     */
    public function __construct(memory $memory, source $source, options $options) {
        $this->source = $source;
        $this->options = $options;
        $this->ledger = new ledger();
        // Before that, what has never been sent is what the full synchronisation is for.
        $this->findsnew = ($memory->get(backfill::STATE)['status'] ?? '') === backfill::FINISHED;
        $this->types = $memory->get(clocks::HANDSHAKE)['event_types'] ?? [];
    }

    /**
     * The differing ones among some records.
     *
     * @param string $kind one of change::KINDS
     * @param int[] $ids
     * @return change[][] by cause (a constant of findings) and key
     */
    public function among(string $kind, array $ids): array {
        $different = [];
        foreach (array_chunk($ids, rows::LIST_SIZE) as $chunk) {
            $changes = [];
            foreach ($chunk as $id) {
                $change = new change($kind, (int)$id);
                $changes[$change->key()] = $change;
            }
            $known = $this->ledger->known($changes);
            $states = $this->source->states($kind, $chunk);
            foreach ($changes as $key => $change) {
                $cause = $this->cause($change, $states[$change->objectid] ?? null, $known[$key] ?? null);
                if ($cause !== null) {
                    $different[$cause][$key] = $change;
                }
            }
        }
        $this->ledger->complete($different[findings::GONE] ?? []);
        return $different;
    }

    /**
     * In what way a record differs.
     *
     * @param change $change gets the ids that the state has
     * @param array|null $state null if the record does not exist
     * @param string|null $known what the backend holds, see store::known()
     * @return string|null a constant of findings; null if it does not differ, or if that is unknown
     */
    private function cause(change $change, ?array $state, ?string $known): ?string {
        $isheld = $known !== null && $known !== event::DELETED;
        if (!$state || !empty($state['withheld'])) {
            return $isheld && $known !== '' && strpos($known, event::REFUSED) !== 0 ? findings::GONE : null;
        }
        if (!$isheld) {
            // Withdrawn ones that may be sent again count as new.
            return $this->findsnew && empty($state['unfinished']) ? findings::ADDED : null;
        }
        foreach (['userid', 'courseid', 'itemid'] as $property) {
            $change->$property = (int)($state[$property] ?? 0);
        }
        $event = new event($change, payload::state($change, $state, $this->options->excluded[$change->kind] ?? []));
        $isdifferent = !in_array($known, ['', $event->hash, event::REFUSED . $event->hash], true);
        return $isdifferent && in_array($event->type, $this->types, true) ? findings::CHANGED : null;
    }
}
