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
 * Setting: which custom fields of one kind of record leave the site. None, until an administrator chooses them.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class setting_custom extends \admin_setting_configmulticheckbox {
    /** @var string a subclass of custom_fields */
    private $class;

    /**
     * Constructor.
     *
     * @param string $kind one that has custom fields
     * @param string $class a subclass of custom_fields
     */
    public function __construct(string $kind, string $class) {
        $this->class = $class;
        parent::__construct(
            'local_backend_sync/custom_' . $kind,
            new \lang_string('custom_' . $kind, 'local_backend_sync'),
            new \lang_string('custom_desc', 'local_backend_sync'),
            [],
            null
        );
    }

    /**
     * Loads the fields that Moodle has. Lazily, because every admin page makes this object and few show it.
     *
     * @return bool
     */
    public function load_choices() {
        if (!is_array($this->choices)) {
            $this->choices = [];
            foreach ($this->class::all() as $field) {
                $name = format_string($field->name, true, ['context' => \context_system::instance()]);
                $this->choices[$field->shortname] = "$name ($field->shortname)";
            }
        }
        return true;
    }

    /**
     * The fields that are sent.
     *
     * @return int[] 1 by short name. Never null: Moodle would call a setting new on each of its upgrades while there are no fields.
     */
    public function get_setting() {
        return parent::get_setting() ?? [];
    }
}
