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
 * Settings, and links to the plugin's pages.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

use local_backend_sync\admin\setting_custom;
use local_backend_sync\admin\setting_fields;
use local_backend_sync\admin\setting_number;
use local_backend_sync\admin\setting_state;
use local_backend_sync\admin\setting_token;
use local_backend_sync\admin\setting_url;
use local_backend_sync\local\config;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\compression;
use local_backend_sync\local\delivery\payload;
use local_backend_sync\local\immediate;
use local_backend_sync\local\records;

// Users who may view the status but not configure the site do not see the category "Local plugins".
$ADMIN->add($hassiteconfig ? 'localplugins' : 'modules', new admin_category(
    'local_backend_sync_pages',
    new lang_string('pluginname', 'local_backend_sync')
));

if ($hassiteconfig) {
    $page = new admin_settingpage('local_backend_sync', new lang_string('settings_title', 'local_backend_sync'));
    if ($ADMIN->fulltree) {
        $text = function (string $key) {
            return new lang_string($key, 'local_backend_sync');
        };
        $checkbox = function (string $name, int $default) use ($text) {
            return new admin_setting_configcheckbox('local_backend_sync/' . $name, $text($name), $text($name . '_desc'), $default);
        };
        $number = function (string $name) use ($text) {
            return new setting_number($name, $text($name), $text($name . '_desc'), config::NUMBERS[$name]);
        };
        $heading = function (string $name) use ($text) {
            return new admin_setting_heading('local_backend_sync/' . $name, $text($name), $text($name . '_desc'));
        };

        $page->add(new setting_state());
        $page->add(new setting_url($text('backend_url'), $text('backend_url_desc')));
        $page->add(new setting_token($text('api_token'), $text('api_token_desc')));
        $page->add($checkbox('allowhttp', 0));

        $page->add($heading('heading_what'));
        $languages = get_string_manager()->get_list_of_translations();
        $default = get_string('language_default', 'local_backend_sync', $languages[$CFG->lang] ?? $CFG->lang);
        $page->add(new admin_setting_configselect(
            'local_backend_sync/language',
            $text('language'),
            $text('language_desc'),
            '',
            ['' => $default] + $languages
        ));
        foreach (change::KINDS as $kind) {
            $page->add($checkbox('send_' . $kind, 1));
            $page->add(new setting_fields($kind));
            if (isset(records::CUSTOM[$kind])) {
                $page->add(new setting_custom($kind, records::CUSTOM[$kind]));
            }
            if (isset(payload::NAMES[$kind])) {
                $page->add($checkbox('send_' . payload::NAMES[$kind], 0));
            }
            if ($kind === change::GRADE) {
                $page->add($checkbox('sendhidden', 0));
            }
        }

        $page->add($heading('heading_how'));
        $immediate = $checkbox('immediate', 1);
        if (!immediate::is_possible()) {
            $immediate->description = $text('immediate_impossible');
        }
        $page->add($immediate);
        $ways = [];
        foreach ([compression::AUTO, compression::ALWAYS, compression::NEVER] as $way) {
            $ways[$way] = $text('compression_' . $way);
        }
        $page->add(new admin_setting_configselect(
            'local_backend_sync/compression',
            $text('compression'),
            $text('compression_desc'),
            compression::AUTO,
            $ways
        ));
        foreach (array_keys(config::NUMBERS) as $name) {
            $page->add($number($name));
        }
    }
    $ADMIN->add('local_backend_sync_pages', $page);
}

$ADMIN->add('local_backend_sync_pages', new admin_externalpage(
    'local_backend_sync_status',
    new lang_string('status', 'local_backend_sync'),
    new moodle_url('/local/backend_sync/status.php'),
    'local/backend_sync:viewstatus'
));
$ADMIN->add('local_backend_sync_pages', new admin_externalpage(
    'local_backend_sync_preview',
    new lang_string('preview', 'local_backend_sync'),
    new moodle_url('/local/backend_sync/preview.php'),
    'local/backend_sync:viewperson'
));
