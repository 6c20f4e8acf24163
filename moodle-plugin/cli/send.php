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
 * Sends waiting changes now.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

define('CLI_SCRIPT', true);

require(__DIR__ . '/../../../config.php');
require_once($CFG->libdir . '/clilib.php');

use local_backend_sync\local\command;
use local_backend_sync\local\reasons;
use local_backend_sync\local\runner;
use local_backend_sync\local\status;
use local_backend_sync\local\verdict;
use local_backend_sync\local\version_reset;

[$options, $unknown] = cli_get_params(
    ['seconds' => 3600, 'settle-here' => false, 'reset-versions' => false, 'quiet' => false, 'help' => false],
    ['s' => 'seconds', 'q' => 'quiet', 'h' => 'help']
);
if ($unknown || $options['help']) {
    cli_writeln(get_string('cli_send_help', 'local_backend_sync', command::line('send')));
    exit($unknown ? 2 : 0);
}

if ($options['settle-here']) {
    runner::accept_site();
}
if ($options['reset-versions']) {
    $verdict = version_reset::run();
    if (in_array($verdict->level, [verdict::ERROR, verdict::WARNING], true)) {
        cli_problem($verdict->sentence);
        exit(1);
    }
    if (!$options['quiet']) {
        cli_writeln($verdict->sentence);
    }
}
\core_php_time_limit::raise();
$report = runner::run_long((int)$options['seconds'], function ($report) use ($options) {
    if (!$options['quiet']) {
        cli_writeln("Sent: {$report->sent}, unchanged: {$report->unchanged}, rejected: {$report->rejected}, "
            . "requests: {$report->requests}");
    }
});
if (!$report) {
    cli_problem(runner::busy());
    exit(3);
}
if ($report->failure) {
    cli_problem(reasons::of($report->failure));
    exit(1);
}
$status = status::read();
if (!$options['quiet']) {
    cli_writeln(get_string('cli_waiting', 'local_backend_sync', $status));
}
exit($status->waiting ? 1 : 0);
