<?php
// Usage: php install.php ZIP
//
// Unpacks the plugin's zip as Moodle's page "Install plugins" does: checks it as that page does, and replaces the plugin that is there.
// What remains to do is admin/cli/upgrade.php. The environment variable MOODLE_CONFIG is the path of Moodle's config.php.

define('CLI_SCRIPT', true);
require(getenv('MOODLE_CONFIG'));
require_once($CFG->libdir . '/clilib.php');

$plugin = (object) ['component' => 'local_backend_sync', 'zipfilepath' => $argv[1]];
if (!core_plugin_manager::instance()->install_plugins([$plugin], true, false)) {
    cli_error("\nMoodle refuses {$argv[1]}; the lines above say why.");
}
