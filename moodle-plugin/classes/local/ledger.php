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

use local_backend_sync\event\event_rejected;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\event;
use local_backend_sync\local\delivery\store;

/**
 * The ledger in Moodle's database. The number of statements does not depend on the number of events.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class ledger implements store {
    /** @var string table: what the backend holds */
    const SENT = 'local_backend_sync_sent';
    /** @var string table: what the backend rejected */
    const REJECTED = 'local_backend_sync_rejected';

    /**
     * Rows of the ledger whose records do not exist any more: tables and a condition. A join, because MariaDB would evaluate
     * NOT EXISTS by reading all records first, for each slice of the ledger again.
     *
     * @param string $kind of the records
     * @param string $join further tables that select among the rows
     * @return string to continue with AND; the rows are called s
     */
    public static function gone(string $kind, string $join = ''): string {
        [, $from, $where] = records::TABLES[$kind];
        return '{' . self::SENT . "} s $join LEFT JOIN $from ON t.id = s.objectid AND $where
                 WHERE s.kind = '$kind' AND t.id IS NULL";
    }

    /**
     * What the backend holds of these records.
     *
     * @param change[] $changes
     * @return string[] see store
     */
    public function known(array $changes): array {
        $known = [];
        rows::each_group($changes, function ($where, $params, $group) use (&$known) {
            global $DB;
            $hashes = primary::read(function () use ($DB, $where, $params) {
                return $DB->get_records_select(self::SENT, $where, $params, '', 'objectid, hash, refused');
            });
            foreach ($hashes as $objectid => $row) {
                $refused = $row->hash === null && $row->refused !== null ? event::REFUSED . $row->refused : '';
                $known[$group[$objectid]->key()] = $row->hash ?? $refused;
            }
        });
        return $known;
    }

    /**
     * Adds to changes of deleted records the ids that a deletion needs, as they were when the records were sent.
     *
     * @param change[] $changes
     */
    public function complete(array $changes): void {
        rows::each_group($changes, function ($where, $params, $group) {
            global $DB;
            foreach ($DB->get_records_select(self::SENT, $where, $params, '', 'objectid, userid, courseid, itemid') as $row) {
                foreach (['userid', 'courseid', 'itemid'] as $property) {
                    $group[$row->objectid]->$property = (int)$row->$property;
                }
            }
        });
    }

    /**
     * Invalidates what is known of these records, before sending.
     *
     * @param event[] $events
     */
    public function invalidate(array $events): void {
        rows::each_group(array_column($events, 'change'), function ($where, $params, $group) {
            global $DB;
            $DB->set_field_select(self::SENT, 'hash', null, $where, $params);
            $held = $DB->get_records_select_menu(self::SENT, $where, $params, '', 'objectid, id');
            $rows = [];
            foreach (array_diff_key($group, $held) as $change) {
                $rows[] = rows::columns($change) + ['hash' => null, 'timesent' => time()];
            }
            if ($rows) {
                $DB->insert_records(self::SENT, $rows);
            }
        });
    }

    /**
     * Records that the backend accepted these.
     *
     * @param event[] $events
     */
    public function confirm(array $events): void {
        $hashes = [];
        foreach ($events as $event) {
            $hashes[$event->change->key()] = $event->hash;
        }
        rows::each_group(array_column($events, 'change'), function ($where, $params, $group) use ($hashes) {
            global $DB;
            $cases = '';
            $n = 0;
            foreach ($group as $objectid => $change) {
                $cases .= ' WHEN ' . (int)$objectid . ' THEN :hash' . ++$n;
                $params["hash$n"] = $hashes[$change->key()];
            }
            $sql = "UPDATE {" . self::SENT . "} SET hash = CASE objectid $cases END, refused = NULL, timesent = :now WHERE $where";
            $DB->execute($sql, $params + ['now' => time()]);
        });
        $this->forget_rejections(array_column($events, 'change'));
    }

    /**
     * Deletes earlier rejections of these records, which a newer answer of the backend replaces.
     *
     * @param change[] $changes
     */
    private function forget_rejections(array $changes): void {
        global $DB;
        $any = primary::read(function () use ($DB) {
            return $DB->record_exists(self::REJECTED, []);
        });
        if (!$any) {
            return;
        }
        rows::each_group($changes, function ($where, $params) {
            global $DB;
            $DB->delete_records_select(self::REJECTED, $where, $params);
        });
    }

    /**
     * Records a rejected change, and logs it in Moodle.
     *
     * @param event $event
     * @param string $code
     * @param string $detail
     */
    public function reject(event $event, string $code, string $detail): void {
        global $DB;
        $change = $event->change;
        $this->forget_rejections([$change]);
        $where = ['kind' => $change->kind, 'objectid' => $change->objectid];
        $DB->set_field(self::SENT, 'refused', $event->hash, $where);
        $row = rows::columns($change) + [
            'event' => $change->event(),
            'code' => \core_text::substr($code, 0, 50),
            'detail' => $detail,
            'timecreated' => time(),
        ];
        $id = $DB->insert_record(self::REJECTED, $row);
        event_rejected::create_from_rejection($id, $row)->trigger();
    }

    /**
     * Puts changes back into the outbox for later.
     *
     * @param change[] $changes
     * @param int $until Unix seconds
     */
    public function postpone(array $changes, int $until): void {
        outbox::postpone($changes, $until);
    }

    /**
     * Forgets what is known of all records. Deleted ones end: another backend never had them.
     */
    public function invalidate_all(): void {
        global $DB;
        $DB->delete_records(self::SENT, ['hash' => event::DELETED]);
        $DB->execute("UPDATE {" . self::SENT . "} SET hash = NULL, refused = NULL");
    }

    /**
     * Invalidates what is known of all records, and of deleted ones: the same backend may hold anything.
     */
    public static function doubt_all(): void {
        global $DB;
        $DB->execute("UPDATE {" . self::SENT . "} SET hash = NULL, refused = NULL");
    }

    /**
     * What the backend is known to hold of the next records of a kind, in the order of their ids.
     *
     * @param string $kind
     * @param int $after id
     * @param int $limit
     * @return \stdClass[] objectid, userid, hash; by objectid. Deleted records are among them.
     */
    public function next(string $kind, int $after, int $limit): array {
        global $DB;
        return primary::read(function () use ($DB, $kind, $after, $limit) {
            $where = 'kind = ? AND objectid > ?';
            return $DB->get_records_select(self::SENT, $where, [$kind, $after], 'objectid', 'objectid, userid, hash', 0, $limit);
        });
    }

    /**
     * Puts changes into the outbox, to be sent whatever the ledger says. Ids that it knows replace those of the changes.
     *
     * @param change[] $changes
     */
    public function send_again(array $changes): void {
        $this->complete($changes);
        rows::each_group($changes, function ($where, $params) {
            global $DB;
            $DB->set_field_select(self::SENT, 'hash', null, $where, $params);
        });
        outbox::postpone($changes, 0);
    }

    /**
     * Notes that the backend will not hold the present states of some records, so that no comparison sends them again.
     *
     * @param change[] $changes
     */
    public function refuse(array $changes): void {
        rows::each_group($changes, function ($where, $params) {
            global $DB;
            $DB->execute("UPDATE {" . self::SENT . "} SET refused = hash, hash = NULL WHERE hash IS NOT NULL AND $where", $params);
        });
    }

    /**
     * Moves rejected changes back into the outbox, to be sent in their present state.
     *
     * @param int[] $ids of rows in the table; empty for all
     * @return int number of changes
     */
    public static function retry(array $ids): int {
        global $DB;
        $rows = $ids ? $DB->get_records_list(self::REJECTED, 'id', $ids) : $DB->get_records(self::REJECTED);
        $transaction = $DB->start_delegated_transaction();
        $changes = [];
        foreach ($rows as $row) {
            $change = change::from_row($row);
            $change->created = $row->event === 'created';
            $change->deleted = $row->event === 'deleted';
            $changes[] = $change;
        }
        outbox::postpone($changes, 0);
        foreach (array_chunk(array_keys($rows), rows::LIST_SIZE) as $chunk) {
            $DB->delete_records_list(self::REJECTED, 'id', $chunk);
        }
        $transaction->allow_commit();
        return count($rows);
    }

    /**
     * Discards rejected changes.
     *
     * @param int[] $ids of rows in the table; empty for all
     */
    public static function discard(array $ids): void {
        global $DB;
        if ($ids) {
            $DB->delete_records_list(self::REJECTED, 'id', $ids);
        } else {
            $DB->delete_records(self::REJECTED);
        }
    }
}
