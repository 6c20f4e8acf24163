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

namespace local_backend_sync\local;

/**
 * The command lines of this plugin, as this site's administrator must type them.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class command {
    /**
     * The command line of a script in the folder cli.
     *
     * @param string $name without .php
     * @return string to be typed in Moodle's folder, which from Moodle 5.1 on is the one above public
     */
    public static function line(string $name): string {
        global $CFG;
        $file = dirname(__DIR__, 2) . "/cli/$name.php";
        $root = rtrim($CFG->root ?? $CFG->dirroot, '/') . '/';
        // A plugin that is linked into Moodle's folder lies elsewhere: then the whole path is right.
        return 'php ' . (strpos($file, $root) === 0 ? substr($file, strlen($root)) : $file);
    }
}
