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

/**
 * Sets the site token, which it reads from standard input: an argument would end up in the process list, in the shell's history
 * and, with Moodle's admin/cli/cfg.php, in two logs.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

define('CLI_SCRIPT', true);

require(__DIR__ . '/../../../config.php');
require_once($CFG->libdir . '/clilib.php');

use local_backend_sync\local\command;
use local_backend_sync\local\config;
use local_backend_sync\local\secret;

[$options, $unknown] = cli_get_params(['remove' => false, 'help' => false], ['h' => 'help']);
if ($unknown || $options['help']) {
    cli_writeln(get_string('cli_settoken_help', 'local_backend_sync', command::line('set_token')));
    exit($unknown ? 2 : 0);
}
if (isset($CFG->forced_plugin_settings['local_backend_sync'][secret::SETTING])) {
    cli_problem(get_string('cli_settoken_forced', 'local_backend_sync'));
    exit(1);
}
$token = '';
if (!$options['remove']) {
    $isterminal = function_exists('posix_isatty') && posix_isatty(STDIN);
    if ($isterminal) {
        cli_write(get_string('cli_settoken_prompt', 'local_backend_sync'));
        shell_exec('stty -echo 2>/dev/null');
    }
    $token = trim((string)fgets(STDIN));
    if ($isterminal) {
        shell_exec('stty echo 2>/dev/null');
        cli_writeln('');
    }
    if ($token === '' || !config::is_token($token)) {
        cli_problem(get_string($token === '' ? 'cli_settoken_empty' : 'api_token_invalid', 'local_backend_sync'));
        exit(2);
    }
}
secret::store($token);
$cleaned = secret::clean_logs();
cli_writeln(get_string($options['remove'] ? 'cli_settoken_removed' : 'cli_settoken_done', 'local_backend_sync'));
if ($cleaned) {
    cli_writeln(get_string('cli_settoken_cleaned', 'local_backend_sync', $cleaned));
}
$stored = (string)get_config('local_backend_sync', secret::SETTING);
if ($stored !== '' && !preg_match(secret::SEALED, $stored)) {
    cli_writeln(get_string('cli_settoken_unsealed', 'local_backend_sync'));
}
