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

use local_backend_sync\local\delivery\payload;

/**
 * Setting: which fields of one kind of record leave the site.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class setting_fields extends \admin_setting_configmulticheckbox {
    /** @var string kind of record */
    private $kind;

    /**
     * Constructor.
     *
     * @param string $kind one of change::KINDS
     */
    public function __construct(string $kind) {
        $this->kind = $kind;
        parent::__construct(
            'local_backend_sync/leftout_' . $kind,
            new \lang_string('fields_' . $kind, 'local_backend_sync'),
            new \lang_string('fields_desc', 'local_backend_sync'),
            array_fill_keys(array_keys(payload::FIELDS[$kind]), 1),
            null
        );
    }

    /**
     * Loads the labels of the fields. Lazily, because every admin page makes this object and few show it.
     *
     * @return bool
     */
    public function load_choices() {
        if (!is_array($this->choices)) {
            $this->choices = [];
            foreach (array_keys(payload::FIELDS[$this->kind]) as $field) {
                $this->choices[$field] = get_string("field_{$this->kind}_$field", 'local_backend_sync');
            }
        }
        return true;
    }

    /**
     * The fields that are sent.
     *
     * @return int[]|null 1 by name; null if the setting was never stored
     */
    public function get_setting() {
        $leftout = $this->config_read($this->name);
        return $leftout === null ? null
            : array_fill_keys(array_diff(array_keys(payload::FIELDS[$this->kind]), explode(',', $leftout)), 1);
    }

    /**
     * Stores the fields that are left out, so that one which a later version adds is sent.
     *
     * @param array $data checked fields
     * @return string empty or an error message
     */
    public function write_setting($data) {
        if (!is_array($data)) {
            return '';
        }
        $leftout = array_diff(array_keys(payload::FIELDS[$this->kind]), array_keys(array_filter($data)));
        return $this->config_write($this->name, implode(',', $leftout)) ? '' : get_string('errorsetting', 'admin');
    }

    /**
     * Renders the checkboxes, without Moodle's list of defaults: the description already says that all are on.
     *
     * @param array|null $data
     * @param string $query
     * @return string
     */
    public function output_html($data, $query = '') {
        global $OUTPUT;
        $this->load_choices();
        $options = [];
        foreach ($this->choices as $field => $label) {
            $options[] = ['key' => $field, 'label' => $label, 'checked' => !empty($data[$field])];
        }
        $element = $OUTPUT->render_from_template('local_backend_sync/setting_fields', [
            'id' => $this->get_id(),
            'name' => $this->get_full_name(),
            'readonly' => $this->is_readonly(),
            'options' => $options,
        ]);
        return format_admin_setting($this, $this->visiblename, $element, $this->description, false, '', null, $query);
    }
}
