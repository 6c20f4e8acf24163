<?php
// Usage: php install.php ZIP
//
// Installs the plugin's zip as Moodle's page "Install plugins" does: validates it, and replaces an installed plugin. Run
// admin/cli/upgrade.php afterwards.
//
// Environment: MOODLE_CONFIG (path of Moodle's config.php).

define('CLI_SCRIPT', true);
require(getenv('MOODLE_CONFIG'));
require_once($CFG->libdir . '/clilib.php');

$plugin = (object) ['component' => 'local_backend_sync', 'zipfilepath' => $argv[1]];
if (!core_plugin_manager::instance()->install_plugins([$plugin], true, false)) {
    cli_error("\nMoodle rejects {$argv[1]}; see the lines above.");
}
