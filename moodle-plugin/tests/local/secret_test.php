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

use local_backend_sync\admin\setting_token;
use local_backend_sync\local\delivery\failure;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->libdir . '/adminlib.php');

/**
 * Tests of the site token as a secret.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\secret
 * @covers     \local_backend_sync\admin\setting_token
 */
final class secret_test extends \advanced_testcase {
    /** @var string a token */
    const TOKEN = 'bss_0123456789abcdef';

    /**
     * A site with a URL.
     */
    protected function setUp(): void {
        global $DB;
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        set_config('backend_url', 'https://sync.college.example', 'local_backend_sync');
        $DB->delete_records('config_log'); // Moodle's installation logs every setting.
        if (class_exists('core\encryption')) {
            // As on a site that has encrypted something before.
            secret::seal('x');
        }
    }

    /**
     * The token as stored.
     *
     * @return string
     */
    private function stored(): string {
        global $DB;
        return (string)$DB->get_field('config_plugins', 'value', ['plugin' => 'local_backend_sync', 'name' => secret::SETTING]);
    }

    /**
     * All text of Moodle's logs and of the setting.
     *
     * @return string
     */
    private function everything(): string {
        global $DB;
        return json_encode([
            $DB->get_records('config_log'), $DB->get_records('logstore_standard_log'), $DB->get_records('config_plugins'),
        ], JSON_UNESCAPED_SLASHES);
    }

    /**
     * The settings page stores the token encrypted, never shows it, and logs that it changed.
     */
    public function test_settings_page(): void {
        global $DB;
        set_config('enabled_stores', 'logstore_standard', 'tool_log');
        set_config('buffersize', 0, 'logstore_standard');
        get_log_manager(true);
        $setting = new setting_token('Token', '');
        $this->assertSame('', $setting->write_setting(['token' => self::TOKEN]));
        $this->assertMatchesRegularExpression(secret::SEALED, $this->stored());
        $this->assertSame(self::TOKEN, (new config())->token());
        $this->assertSame(self::TOKEN, $setting->get_setting());
        $this->assertStringContainsString('cdef', $setting->output_html('x'));
        $this->assertStringNotContainsString(self::TOKEN, $setting->output_html('x'));
        $this->assertSame(1, $DB->count_records('config_log', ['name' => secret::SETTING]));
        $this->assertStringNotContainsString(self::TOKEN, $this->everything());
        // An empty field keeps it.
        $setting->write_setting(['token' => '']);
        $this->assertSame(self::TOKEN, (new config())->token());
        $setting->write_setting(['token' => '', 'remove' => 1]);
        $this->assertSame('', $this->stored());
        $this->assertFalse((new config())->is_configured());
        $this->assertNotSame('', $setting->write_setting(['token' => "two\nlines"]));
    }

    /**
     * What admin/cli/cfg.php leaves behind, as a script for version 1.0.0 did: a token in clear in the setting and in two logs.
     *
     * @dataProvider formats
     * @param int $jsonformat format of Moodle's standard log
     */
    public function test_what_cfg_left_behind(int $jsonformat): void {
        global $DB;
        $this->preventResetByRollback();
        set_config('enabled_stores', 'logstore_standard', 'tool_log');
        set_config('buffersize', 0, 'logstore_standard');
        set_config('jsonformat', $jsonformat, 'logstore_standard');
        get_log_manager(true);
        foreach (['bss_old', self::TOKEN] as $token) {
            $old = get_config('local_backend_sync', secret::SETTING) ?: null;
            set_config(secret::SETTING, $token, 'local_backend_sync');
            add_to_config_log(secret::SETTING, $old, $token, 'local_backend_sync');
        }
        add_to_config_log('backend_url', '', 'https://api_token.example', 'local_backend_sync');
        add_to_config_log(secret::SETTING, '', 'of another plugin', 'local_other');
        $this->assertStringContainsString(self::TOKEN, $this->everything());
        secret::seal_stored();
        $this->assertSame(4, secret::clean_logs());
        $everything = $this->everything();
        $this->assertStringNotContainsString(self::TOKEN, $everything);
        $this->assertStringNotContainsString('bss_old', $everything);
        $this->assertStringContainsString('https://api_token.example', $everything);
        $this->assertStringContainsString('of another plugin', $everything);
        $this->assertSame(self::TOKEN, (new config())->token());
        $this->assertSame(0, secret::clean_logs());
    }

    /**
     * Formats of Moodle's standard log.
     *
     * @return int[][]
     */
    public static function formats(): array {
        return ['JSON' => [1], 'PHP' => [0]];
    }

    /**
     * A token from a script, with its row in the log.
     */
    public function test_store(): void {
        global $DB;
        secret::store(self::TOKEN);
        $this->assertSame(self::TOKEN, (new config())->token());
        secret::store('bss_other');
        secret::store('');
        $rows = $DB->get_records('config_log', ['name' => secret::SETTING], 'id', 'id, oldvalue, value');
        $this->assertSame(
            [['', secret::MASK], [secret::MASK, secret::MASK], [secret::MASK, '']],
            array_values(array_map(function ($row) {
                return [$row->oldvalue, $row->value];
            }, $rows))
        );
        $this->assertStringNotContainsString('bss_', $this->everything());
    }

    /**
     * A database that was restored without the key: the token is unreadable, and says so.
     */
    public function test_lost_key(): void {
        set_config(secret::SETTING, 'sodium:' . base64_encode(random_bytes(80)), 'local_backend_sync');
        $config = new config();
        $this->assertTrue($config->is_configured());
        $this->assertSame('', $config->token());
        try {
            $config->require_valid_target();
            $this->fail();
        } catch (failure $failure) {
            $this->assertSame(failure::TOKEN_UNREADABLE, $failure->reason);
            $this->assertStringContainsString('Enter the token again', reasons::of($failure));
        }
        $this->assertSame('', (new setting_token('Token', ''))->get_setting());
        // Pasting the same one again must not be taken for "unchanged".
        (new setting_token('Token', ''))->write_setting(['token' => self::TOKEN]);
        $this->assertSame(self::TOKEN, (new config())->token());
    }

    /**
     * A token in config.php is used as it is and never stored.
     */
    public function test_forced_in_config_php(): void {
        global $CFG;
        $CFG->forced_plugin_settings['local_backend_sync'][secret::SETTING] = self::TOKEN;
        $this->assertSame(self::TOKEN, (new config())->token());
        secret::seal_stored();
        $this->assertSame('', $this->stored());
        unset($CFG->forced_plugin_settings['local_backend_sync']);
    }

    /**
     * The command lines that the plugin prints exist.
     */
    public function test_command_lines(): void {
        global $CFG;
        foreach (['backfill', 'send', 'set_token', 'status'] as $name) {
            $line = command::line($name);
            $this->assertFileExists(($CFG->root ?? $CFG->dirroot) . '/' . substr($line, 4));
            $this->assertStringEndsWith("local/backend_sync/cli/$name.php", $line);
        }
    }

    /**
     * Looking at what is sent about a person is logged.
     */
    public function test_looking_at_a_person_is_logged(): void {
        $user = $this->getDataGenerator()->create_user();
        $event = \local_backend_sync\event\person_viewed::create_from_person($user->id);
        $sink = $this->redirectEvents();
        $event->trigger();
        $logged = $sink->get_events()[0];
        $this->assertEquals($user->id, $logged->relateduserid);
        $this->assertStringContainsString("'$user->id'", $logged->get_description());
        $this->assertNotEmpty($logged->get_url());
        $this->assertNotEmpty($logged::get_name());
    }
}
