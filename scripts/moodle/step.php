<?php
// For the scripts that change a Moodle, which require it after Moodle's own config.php: acts as the administrator, and step by step.

defined('MOODLE_INTERNAL') || die();

\core\session\manager::init_empty_session();
\core\session\manager::set_user(get_admin());

/**
 * Prints a step and performs it.
 *
 * @param string $name
 * @param callable $change
 * @return mixed result of the change
 */
function step(string $name, callable $change) {
    cli_writeln("  $name");
    return $change();
}
