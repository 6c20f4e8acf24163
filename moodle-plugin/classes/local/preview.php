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
use local_backend_sync\local\delivery\options;
use local_backend_sync\local\delivery\payload;

/**
 * Shows what would be sent about one person now, made by the same code that sends.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class preview {
    /** @var int records to show of each kind */
    const LIMIT = 100;
    /** @var int people to show in a search */
    const PEOPLE = 20;
    /** @var string[] kinds of records about a person */
    const KINDS = [change::USER, change::ENROLMENT, change::GRADE, change::COMPLETION];

    /** @var string outcome: it would be sent */
    const SENT = 'sent';
    /** @var string outcome: the backend already holds this state */
    const UP_TO_DATE = 'uptodate';
    /** @var string outcome: it must not leave the site, for example because it is a hidden grade */
    const WITHHELD = 'withheld';
    /** @var string outcome: the same, but the backend holds it, so a deletion would be sent */
    const WITHDRAWN = 'withdrawn';
    /** @var string outcome: the backend does not accept this event type */
    const UNSUPPORTED = 'unsupported';

    /** @var options */
    private $options;
    /** @var records */
    private $source;
    /** @var string[]|null event types that the backend accepts; null before the first handshake */
    private $types;

    /**
     * Constructor.
     */
    public function __construct() {
        $config = new config();
        $this->options = $config->options();
        $this->source = new records($config->sends_hidden());
        $this->types = (new database_memory())->get('handshake')['event_types'] ?? null;
    }

    /**
     * Searches people by id, name, username, ID number or email address.
     *
     * @param string $search
     * @return \stdClass[] by id; PEOPLE + 1 of them if there are more
     */
    public static function people(string $search): array {
        global $DB;
        $names = \core_user\fields::for_name()->get_sql('u')->selects;
        $where = [$DB->sql_like($DB->sql_concat('u.firstname', "' '", 'u.lastname'), ':name', false, false)];
        $pattern = '%' . $DB->sql_like_escape($search) . '%';
        $params = ['name' => $pattern];
        foreach (['username', 'idnumber', 'email'] as $field) {
            $where[] = $DB->sql_like("u.$field", ":$field", false, false);
            $params[$field] = $pattern;
        }
        if (ctype_digit($search) && strlen($search) < 11) {
            $where[] = 'u.id = :id';
            $params['id'] = (int)$search;
        }
        $sql = "SELECT u.id, u.username $names FROM {user} u WHERE u.deleted = 0 AND (" . implode(' OR ', $where) . ")
              ORDER BY u.lastname, u.firstname, u.id";
        return $DB->get_records_sql($sql, $params, 0, self::PEOPLE + 1);
    }

    /**
     * Whether records of a kind are sent.
     *
     * @param string $kind
     * @return bool
     */
    public function sends(string $kind): bool {
        return in_array($kind, $this->options->kinds, true);
    }

    /**
     * Counts a person's records.
     *
     * @param string $kind one of KINDS
     * @param int $userid
     * @return int
     */
    public function count(string $kind, int $userid): int {
        global $DB;
        [$from, $where] = $this->selection($kind);
        return $DB->count_records_sql("SELECT COUNT(1) FROM $from WHERE $where", [$userid]);
    }

    /**
     * A person's records.
     *
     * @param string $kind one of KINDS
     * @param int $userid
     * @return array[] each with outcome, event (event|null), reason (to withhold, a constant of records; may be absent), courseid
     *     (0 if none), name (of the grade item or enrolment method)
     */
    public function records(string $kind, int $userid): array {
        global $DB;
        [$from, $where] = $this->selection($kind);
        $ids = array_keys($DB->get_records_sql("SELECT t.id FROM $from WHERE $where ORDER BY t.id", [$userid], 0, self::LIMIT));
        $states = $ids ? $this->source->states($kind, $ids) : [];
        $changes = [];
        foreach ($states as $id => $state) {
            $change = new change($kind, $id);
            foreach (['userid', 'courseid', 'itemid'] as $property) {
                $change->$property = (int)($state[$property] ?? 0);
            }
            $changes[$change->key()] = $change;
        }
        $known = (new ledger())->known($changes);
        return array_map(function ($change) use ($states, $known) {
            $state = $states[$change->objectid];
            return $this->record($change, $state, $known[$change->key()] ?? null) + [
                'courseid' => $change->courseid,
                'name' => (string)($state['itemname'] ?? $state['itemtype'] ?? $state['enrol'] ?? ''),
            ];
        }, array_values($changes));
    }

    /**
     * Tables and condition that select a person's records.
     *
     * @param string $kind
     * @return string[]
     */
    private function selection(string $kind): array {
        [$columns, $from, $where] = records::TABLES[$kind];
        $userid = explode(', ', $columns)[1];
        return [$from, "$where AND $userid = ?"];
    }

    /**
     * Decides what would be sent of one record, as the sender does.
     *
     * @param change $change
     * @param array $state from the source
     * @param string|null $known what the backend holds, see store::known()
     * @return array outcome, event
     */
    private function record(change $change, array $state, ?string $known): array {
        if (!empty($state['withheld'])) {
            $iswithdrawn = $known !== null && $known !== event::DELETED;
            $reason = ['reason' => (string)($state['reason'] ?? '')];
            return $reason + ($iswithdrawn ? ['outcome' => self::WITHDRAWN, 'event' => new event($change, null)]
                : ['outcome' => self::WITHHELD, 'event' => null]);
        }
        $data = payload::state($change, $state, $this->options->excluded[$change->kind] ?? []);
        $event = new event($change, $data);
        if ($this->types !== null && !in_array($event->type, $this->types, true)) {
            return ['outcome' => self::UNSUPPORTED, 'event' => null];
        }
        return ['outcome' => $known === $event->hash ? self::UP_TO_DATE : self::SENT, 'event' => $event];
    }
}
