<?php
// Usage: php hours_later.php
//
// Makes the plugin's last handshake old, as if hours had passed since. The plugin repeats it every few minutes.
//
// Environment: MOODLE_CONFIG (path of Moodle's config.php).

define('CLI_SCRIPT', true);
require(getenv('MOODLE_CONFIG'));

use local_backend_sync\local\database_memory;
use local_backend_sync\local\delivery\clocks;

$memory = new database_memory();
$memory->set(clocks::HANDSHAKE, ['asked' => time() - 2 * HOURSECS] + $memory->get(clocks::HANDSHAKE));
