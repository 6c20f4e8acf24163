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
use local_backend_sync\local\delivery\memory;
use local_backend_sync\local\delivery\payload;

/**
 * What Moodle reports by no event, and a small look in each run finds at once: accounts whose owner has confirmed the email
 * address, renamed categories of the gradebook, whose totals bear their names, and other custom fields. Those Moodle does report,
 * but not what a renamed one was called; and what is sent of them, and of cohorts and groups, is a setting, of which there is no
 * event.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class unreported {
    /** @var string key in the memory: ids of the unconfirmed accounts at the last look */
    const UNCONFIRMED = 'unconfirmed';
    /** @var string key in the memory: when the categories were last looked at, Unix seconds */
    const CATEGORIES = 'gradecategories';
    /** @var string key in the memory: signatures of what was chosen at the last look, by kind */
    const CHOSEN = 'chosen';
    /** @var int accounts to remember, the newest ones: Moodle deletes what is not confirmed within a week */
    const ACCOUNTS = 5000;
    /** @var int seconds to look at again: rows appear only when their transaction commits, and the clocks of web servers differ */
    const OVERLAP = 120;

    /**
     * Puts what has changed since the last call into the outbox.
     *
     * @param memory $memory
     * @param differences $differences
     * @param string[] $kinds kinds of records to send
     */
    public static function enqueue_changes(memory $memory, differences $differences, array $kinds): void {
        if (in_array(change::USER, $kinds, true)) {
            self::look_at_accounts($memory);
        }
        if (in_array(change::GRADE, $kinds, true)) {
            self::look_at_categories($memory, $differences);
        }
        foreach (array_intersect(array_keys(fanout::EVERY), $kinds) as $kind) {
            self::look_at_choice($memory, $kind);
        }
    }

    /**
     * Enqueues all records of a kind if its custom fields are not those of the last look: one came or went, was renamed, has
     * another default, or is sent from now on, or no longer; and if names of cohorts or groups are, or no longer.
     *
     * @param memory $memory
     * @param string $kind
     */
    private static function look_at_choice(memory $memory, string $kind): void {
        $config = new config();
        $class = records::CUSTOM[$kind] ?? null;
        $signature = !$class ? '' : primary::read(function () use ($config, $class, $kind) {
            return (new $class($config->custom_fields($kind), new names($config->language())))->signature();
        });
        $signature .= $config->sends_names($kind) ? payload::NAMES[$kind] : '';
        $last = $memory->get(self::CHOSEN) ?? [];
        if (($last[$kind] ?? '') !== $signature) {
            outbox::add(fanout::EVERY[$kind], 0, 'updated');
            $memory->set(self::CHOSEN, [$kind => $signature] + $last);
        }
    }

    /**
     * Enqueues accounts that were not confirmed at the last look and are now. Those that logged in are known already.
     *
     * @param memory $memory
     */
    private static function look_at_accounts(memory $memory): void {
        global $DB;
        $ids = primary::read(function () use ($DB) {
            $sql = 'SELECT id FROM {user} WHERE confirmed = 0 AND deleted = 0 ORDER BY id DESC';
            return array_keys($DB->get_records_sql($sql, [], 0, self::ACCOUNTS));
        });
        $last = $memory->get(self::UNCONFIRMED) ?? [];
        $changes = [];
        foreach (array_chunk(array_diff($last, $ids), rows::LIST_SIZE) as $chunk) {
            [$in, $params] = $DB->get_in_or_equal($chunk);
            foreach ($DB->get_fieldset_select('user', 'id', "confirmed = 1 AND deleted = 0 AND id $in", $params) as $id) {
                $change = new change(change::USER, (int)$id);
                $change->userid = (int)$id;
                $changes[$change->key()] = $change;
            }
        }
        findings::add($memory, findings::CONFIRMED, array_diff_key($changes, (new ledger())->known($changes)));
        $memory->set(self::UNCONFIRMED, $ids);
    }

    /**
     * Enqueues the totals of categories that were changed since the last look, if their state has changed with it.
     *
     * @param memory $memory
     * @param differences $differences
     */
    private static function look_at_categories(memory $memory, differences $differences): void {
        global $DB;
        $now = time();
        $last = $memory->get(self::CATEGORIES)['time'] ?? null;
        $memory->set(self::CATEGORIES, ['time' => $now]);
        if ($last === null) {
            return; // Earlier changes belong to the first full synchronisation.
        }
        [, $from, $where] = records::TABLES[change::GRADE];
        $ids = primary::read(function () use ($DB, $from, $where, $last, $now) {
            return $DB->get_fieldset_sql("
                SELECT t.id
                  FROM $from
                  JOIN {grade_categories} c ON c.id = i.iteminstance AND i.itemtype = 'category'
                 WHERE c.timemodified >= ? AND $where", [min($last, $now) - self::OVERLAP]);
        });
        foreach ($differences->among(change::GRADE, $ids) as $cause => $changes) {
            findings::add($memory, $cause, $changes);
        }
    }
}
