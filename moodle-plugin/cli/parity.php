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
 * Compares everything with what the backend holds, and repairs it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

define('CLI_SCRIPT', true);

require(__DIR__ . '/../../../config.php');
require_once($CFG->libdir . '/clilib.php');

use local_backend_sync\local\command;
use local_backend_sync\local\database_memory;
use local_backend_sync\local\delivery\parity;
use local_backend_sync\local\parity_text;
use local_backend_sync\local\reasons;
use local_backend_sync\local\runner;
use local_backend_sync\local\status;

[$options, $unknown] = cli_get_params(
    ['status' => false, 'delete' => false, 'accept-past' => false, 'help' => false],
    ['s' => 'status', 'h' => 'help']
);
if ($unknown || $options['help']) {
    cli_writeln(get_string('cli_parity_help', 'local_backend_sync', command::line('parity')));
    exit($unknown ? 2 : 0);
}

if (!$options['status']) {
    \core_php_time_limit::raise();
    if ($options['accept-past']) {
        runner::accept_past();
    } else {
        $options['delete'] ? parity::allow(new database_memory()) : parity::request(new database_memory(), parity::ASKED);
    }
    do {
        $report = runner::run(runner::LONGEST, true);
        if (!$report) {
            cli_problem(runner::busy());
            exit(3);
        }
        if ($report->failure) {
            cli_problem(reasons::of($report->failure));
            exit(1);
        }
        $words = new parity_text($status = status::read());
        // A full synchronisation or a failed request delays it: the scheduled task goes on.
        $goeson = $words->is_underway() && empty($status->parity['trouble'])
            && in_array(parity::CAPABILITY, $status->backend['capabilities'] ?? [], true);
    } while ($goeson);
}
$words = new parity_text(status::read());
cli_writeln(trim($words->sentence() . ' ' . $words->asks()));
foreach ($words->rows() as $row) {
    cli_writeln("{$row['kind']}: Moodle {$row['moodle']}, backend {$row['backend']}, {$row['digest']}, {$row['result']}");
}
exit($words->is_equal() ? 0 : 1);
