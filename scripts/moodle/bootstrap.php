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
 * Lets PHPUnit run the plugin's tests that need no Moodle:
 *
 *     phpunit --bootstrap scripts/moodle/bootstrap.php --do-not-cache-result --test-suffix _test.php moodle-plugin/tests/local/delivery
 *
 * In Moodle, the same tests run together with all others.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

define('MOODLE_INTERNAL', true);

error_reporting(E_ALL);
ini_set('display_errors', '1');

class_alias(\PHPUnit\Framework\TestCase::class, 'basic_testcase');

spl_autoload_register(function ($class) {
    $folders = ['local_backend_sync\\fixtures\\' => 'tests/fixtures/', 'local_backend_sync\\' => 'classes/'];
    foreach ($folders as $namespace => $folder) {
        if (strpos($class, $namespace) === 0) {
            $name = str_replace('\\', '/', substr($class, strlen($namespace)));
            $file = dirname(__DIR__, 2) . "/moodle-plugin/$folder$name.php";
            if (is_file($file)) {
                require_once($file);
                return;
            }
        }
    }
});
