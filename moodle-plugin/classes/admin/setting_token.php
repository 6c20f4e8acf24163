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

use local_backend_sync\local\config;
use local_backend_sync\local\secret;

/**
 * Setting: the site token. The page can set and remove it, but never shows it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class setting_token extends \admin_setting_configpasswordunmask {
    /** @var int characters at the end of the token that the page shows, to tell it from another */
    const SHOWN = 4;

    /**
     * Constructor.
     *
     * @param string|\lang_string $visiblename
     * @param string|\lang_string $description
     */
    public function __construct($visiblename, $description) {
        parent::__construct('local_backend_sync/' . secret::SETTING, $visiblename, $description, '');
    }

    /**
     * Saves the token. An empty field keeps the saved one, because the page never receives it.
     *
     * @param string|array $data the token (from a script), or the form's fields token and remove
     * @return string an error message, or empty
     */
    public function write_setting($data) {
        $remove = is_array($data) && !empty($data['remove']);
        $token = trim(is_array($data) ? $data['token'] ?? '' : $data);
        if ($token === '' && !$remove && $this->get_setting() !== null) {
            return '';
        }
        return parent::write_setting($remove ? '' : $token);
    }

    /**
     * Reads the token.
     *
     * @return string|null null if it was never set; empty if it cannot be decrypted
     */
    public function get_setting() {
        $stored = parent::get_setting();
        return $stored === null ? null : (string)secret::open($stored);
    }

    /**
     * Stores the token encrypted.
     *
     * @param string $name
     * @param string|null $value
     * @return bool
     */
    public function config_write($name, $value) {
        return parent::config_write($name, secret::seal((string)$value));
    }

    /**
     * Checks the characters of the token.
     *
     * @param string $data
     * @return bool|string true, or an error message
     */
    public function validate($data) {
        return config::is_token($data) ? true : get_string('api_token_invalid', 'local_backend_sync');
    }

    /**
     * Whether an admin search matches this setting. Moodle's own version would also search the token.
     *
     * @param string $query in lower case
     * @return bool
     */
    public function is_related($query) {
        foreach ([$this->name, $this->visiblename, $this->description] as $text) {
            if (strpos(\core_text::strtolower((string)$text), $query) !== false) {
                return true;
            }
        }
        return false;
    }

    /**
     * Renders the field.
     *
     * @param string|array $data unused, because it may be the token
     * @param string $query
     * @return string
     */
    public function output_html($data, $query = '') {
        global $OUTPUT;
        $token = (string)$this->get_setting();
        $element = $OUTPUT->render_from_template('local_backend_sync/setting_token', [
            'id' => $this->get_id(),
            'name' => $this->get_full_name(),
            'readonly' => $this->is_readonly(),
            'isset' => $token !== '',
            // The end of a short token would reveal too much of it.
            'end' => \core_text::strlen($token) >= 4 * self::SHOWN ? \core_text::substr($token, -self::SHOWN) : '',
        ]);
        return format_admin_setting($this, $this->visiblename, $element, $this->description, true, '', null, $query);
    }
}
