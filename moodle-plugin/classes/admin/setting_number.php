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

namespace local_backend_sync\admin;

/**
 * Setting: a whole number within limits.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class setting_number extends \admin_setting_configtext {
    /** @var int inclusive */
    private $min;
    /** @var int inclusive */
    private $max;

    /**
     * Constructor.
     *
     * @param string $name
     * @param string|\lang_string $visiblename
     * @param string|\lang_string $description
     * @param int[] $numbers default, minimum, maximum
     */
    public function __construct(string $name, $visiblename, $description, array $numbers) {
        [$default, $this->min, $this->max] = $numbers;
        parent::__construct('local_backend_sync/' . $name, $visiblename, $description, $default, PARAM_INT, 8);
    }

    /**
     * Checks the number against its limits.
     *
     * @param string $data
     * @return bool|string true, or an error message
     */
    public function validate($data) {
        if (parent::validate($data) === true && $data >= $this->min && $data <= $this->max) {
            return true;
        }
        return get_string('outofrange', 'local_backend_sync', ['min' => $this->min, 'max' => $this->max]);
    }
}
