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

use core\encryption;

/**
 * The site token as a secret: stored encrypted where this Moodle can do that, and kept out of Moodle's logs.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class secret {
    /** @var string name of the setting */
    const SETTING = 'api_token';
    /** @var string pattern of what \core\encryption returns: its method comes first */
    const SEALED = '/^(sodium|openssl-aes-256-ctr):/';
    /** @var string what Moodle writes into its logs instead of a password */
    const MASK = '********';

    /**
     * Encrypts a token.
     *
     * @param string $token
     * @return string what to store; the token itself where encryption is not possible
     */
    public static function seal(string $token): string {
        if ($token === '' || !self::can_seal()) {
            return $token;
        }
        try {
            return encryption::encrypt($token);
        } catch (\Throwable $e) {
            return $token; // No key, and Moodle may not make one.
        }
    }

    /**
     * Whether this process may encrypt. The first one that does makes the key's file, which only its own user can read then: a
     * script that runs as root or as somebody else would lock the web server out.
     *
     * @return bool
     */
    public static function can_seal(): bool {
        global $CFG;
        if (!class_exists(encryption::class)) {
            return false;
        }
        if (!CLI_SCRIPT || PHPUNIT_TEST || $CFG->ostype === 'WINDOWS' || encryption::key_exists()) {
            return true;
        }
        $uid = function_exists('posix_geteuid') ? posix_geteuid() : 0;
        return $uid !== 0 && $uid === fileowner($CFG->dataroot);
    }

    /**
     * Decrypts a stored token.
     *
     * @param string $stored
     * @return string|null null if the key is gone, as in a restored database without its moodledata
     */
    public static function open(string $stored): ?string {
        if (!preg_match(self::SEALED, $stored)) {
            return $stored;
        }
        try {
            return encryption::decrypt($stored);
        } catch (\Throwable $e) {
            return null;
        }
    }

    /**
     * Stores a token, with a row in Moodle's log that does not contain it.
     *
     * @param string $token empty to remove it
     */
    public static function store(string $token): void {
        $old = (string)get_config('local_backend_sync', self::SETTING);
        set_config(self::SETTING, self::seal($token), 'local_backend_sync');
        add_to_config_log(self::SETTING, $old === '' ? '' : self::MASK, $token === '' ? '' : self::MASK, 'local_backend_sync');
    }

    /**
     * Encrypts the stored token if it is not, as after admin/cli/cfg.php or an upgrade.
     */
    public static function seal_stored(): void {
        global $DB;
        // Not get_config(), which would also return what config.php forces.
        $where = ['plugin' => 'local_backend_sync', 'name' => self::SETTING];
        $stored = trim((string)$DB->get_field('config_plugins', 'value', $where));
        $sealed = preg_match(self::SEALED, $stored) ? $stored : self::seal($stored);
        if ($sealed !== $stored) {
            set_config(self::SETTING, $sealed, 'local_backend_sync');
        }
    }

    /**
     * Removes tokens from Moodle's logs, where admin/cli/cfg.php leaves them.
     *
     * @return int number of rows cleaned
     */
    public static function clean_logs(): int {
        global $DB;
        $count = 0;
        foreach ($DB->get_records('config_log', ['plugin' => 'local_backend_sync', 'name' => self::SETTING]) as $row) {
            $clean = (object)(['id' => $row->id] + self::mask((array)$row));
            if ($clean != (object)['id' => $row->id, 'value' => $row->value, 'oldvalue' => $row->oldvalue]) {
                $DB->update_record('config_log', $clean);
                $count++;
            }
        }
        return $DB->get_manager()->table_exists('logstore_standard_log') ? $count + self::clean_standard_log() : $count;
    }

    /**
     * Removes tokens from Moodle's standard log.
     *
     * @return int number of rows cleaned
     */
    private static function clean_standard_log(): int {
        global $DB;
        $where = 'eventname = ? AND ' . $DB->sql_like('other', '?') . ' AND ' . $DB->sql_like('other', '?');
        $params = ['\core\event\config_log_created', '%local_backend_sync%', '%' . self::SETTING . '%'];
        $count = 0;
        foreach ($DB->get_records_select('logstore_standard_log', $where, $params, '', 'id, other') as $row) {
            // Moodle writes JSON or, as it did once, PHP's own format.
            $isjson = json_decode($row->other, true);
            $other = $isjson ?? unserialize($row->other, ['allowed_classes' => false]);
            $isours = is_array($other) && [$other['plugin'] ?? '', $other['name'] ?? ''] === ['local_backend_sync', self::SETTING];
            $clean = $isours ? self::mask($other) + $other : $other;
            if ($clean != $other) {
                $text = $isjson ? json_encode($clean) : serialize($clean);
                $DB->set_field('logstore_standard_log', 'other', $text, ['id' => $row->id]);
                $count++;
            }
        }
        return $count;
    }

    /**
     * Masks the values of a row of the log.
     *
     * @param array $row
     * @return array its value and oldvalue
     */
    private static function mask(array $row): array {
        $masked = [];
        foreach (['value', 'oldvalue'] as $name) {
            $masked[$name] = (string)($row[$name] ?? '') === '' ? $row[$name] ?? null : self::MASK;
        }
        return $masked;
    }
}
