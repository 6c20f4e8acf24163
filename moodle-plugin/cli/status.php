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
 * Shows the status of the deliveries.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

define('CLI_SCRIPT', true);

require(__DIR__ . '/../../../config.php');
require_once($CFG->libdir . '/clilib.php');

use local_backend_sync\local\command;
use local_backend_sync\local\status;
use local_backend_sync\local\status_text;
use local_backend_sync\local\verdict;

[$options, $unknown] = cli_get_params(['json' => false, 'help' => false], ['j' => 'json', 'h' => 'help']);
if ($unknown || $options['help']) {
    cli_writeln(get_string('cli_status_help', 'local_backend_sync', command::line('status')));
    exit($unknown ? 2 : 0);
}

$status = status::read();
$verdict = verdict::of($status);
if ($options['json']) {
    $flags = JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES;
    cli_writeln(json_encode(status_text::data($status, $verdict), $flags));
} else {
    cli_writeln(implode("\n", status_text::lines($status, $verdict)));
}
exit(in_array($verdict->level, [verdict::OK, verdict::INFO], true) ? 0 : 1);
