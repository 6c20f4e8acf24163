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

/**
 * Changes that only a comparison found, because Moodle reported no event.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class findings {
    /** @var string key in the memory: by kind and cause, how many there were, and when the last one was found */
    const STATE = 'findings';

    /** @var string cause: the record is gone, or may not be sent any more */
    const GONE = 'gone';
    /** @var string cause: the record is not in the state that was sent */
    const CHANGED = 'changed';
    /** @var string cause: the record was never sent */
    const ADDED = 'new';
    /** @var string cause: the owner of an account confirmed the email address */
    const CONFIRMED = 'confirmed';

    /**
     * Puts changes into the outbox and counts them, except those that Moodle has reported meanwhile.
     *
     * @param memory $memory
     * @param string $cause
     * @param change[] $changes by key
     * @return int number of findings
     */
    public static function add(memory $memory, string $cause, array $changes): int {
        rows::each_group($changes, function ($where, $params, $group) use (&$changes) {
            global $DB;
            foreach ($DB->get_fieldset_select(outbox::TABLE, 'objectid', $where, $params) as $objectid) {
                unset($changes[$group[$objectid]->key()]);
            }
        });
        if (!$changes) {
            return 0;
        }
        outbox::postpone($changes, 0);
        $counts = $memory->get(self::STATE) ?? [];
        foreach ($changes as $change) {
            $name = $change->kind . '_' . $cause;
            $counts[$name] = ['count' => ($counts[$name]['count'] ?? 0) + 1, 'last' => time()];
        }
        $memory->set(self::STATE, $counts);
        return count($changes);
    }

    /**
     * Names what was found.
     *
     * @param string $name kind and cause, as in STATE
     * @return string
     */
    public static function words(string $name): string {
        [$kind, $cause] = explode('_', $name);
        return get_string('kind_' . $kind, 'local_backend_sync') . ': ' . get_string('found_' . $cause, 'local_backend_sync');
    }
}
