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
 * Synchronises everything, and shows the progress.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

define('CLI_SCRIPT', true);

require(__DIR__ . '/../../../config.php');
require_once($CFG->libdir . '/clilib.php');

use local_backend_sync\local\backfill;
use local_backend_sync\local\backfill_command;
use local_backend_sync\local\command;
use local_backend_sync\local\config;
use local_backend_sync\local\database_memory;
use local_backend_sync\local\status;
use local_backend_sync\local\status_text;

[$options, $unknown] = cli_get_params(
    [
        'force' => false, 'rate' => null, 'status' => false, 'pause' => false, 'resume' => false, 'cancel' => false,
        'help' => false,
    ],
    ['f' => 'force', 'r' => 'rate', 's' => 'status', 'h' => 'help']
);
$isratevalid = $options['rate'] === null || (ctype_digit((string)$options['rate']) && $options['rate'] > 0);
$requests = array_filter(['pause' => $options['pause'], 'cancel' => $options['cancel']]);
if ($unknown || $options['help'] || !$isratevalid || count($requests) > 1) {
    cli_writeln(get_string('cli_backfill_help', 'local_backend_sync', command::line('backfill')));
    exit($options['help'] && !$unknown ? 0 : 2);
}

if ($options['status']) {
    cli_writeln(status_text::backfill(status::read()));
    exit(0);
}
if ($requests) {
    backfill::request(new database_memory(), $options['pause'] ? backfill::PAUSED : backfill::CANCELLED);
    cli_writeln(get_string($options['pause'] ? 'backfillpause_done' : 'backfillcancel_done', 'local_backend_sync'));
    exit(0);
}
if (!(new config())->is_configured()) {
    cli_problem(get_string('reason_notconfigured', 'local_backend_sync'));
    exit(1);
}

\core_php_time_limit::raise();
raise_memory_limit(MEMORY_EXTRA);
// The first Ctrl-C ends it after the present batch, the second one at once. Either way it can be resumed.
\core\local\cli\shutdown::script_supports_graceful_exit();
$command = new backfill_command($options['rate'] === null ? null : (int)$options['rate']);
exit($command->run((bool)$options['force'], (bool)$options['resume']));
