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

use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\compression;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\payload;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->libdir . '/adminlib.php');

/**
 * Tests of the settings.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\config
 */
final class config_test extends \advanced_testcase {
    /**
     * Resets Moodle after each test.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
    }

    /**
     * The config after saving some settings.
     *
     * @param array $settings
     * @return config
     */
    private function config(array $settings = []): config {
        foreach ($settings as $name => $value) {
            set_config($name, $value, 'local_backend_sync');
        }
        return new config();
    }

    /**
     * URLs, with the problem while http is not allowed, and while it is.
     *
     * @return array[]
     */
    public static function urls(): array {
        $bad = [failure::INVALID_URL, failure::INVALID_URL];
        $plain = [failure::INSECURE_URL, null];
        $good = [null, null];
        $urls = [
            'https://sync.college.example' => $good,
            'https://sync.college.example:8443/below/a/path' => $good,
            'https://10.0.0.5' => $good,
            'https://[2001:db8::1]:8443' => $good,
            'HTTPS://SYNC.COLLEGE.EXAMPLE' => $good,
            'http://localhost' => $good,
            'http://LocalHost' => $good,
            'http://localhost:8001' => $good,
            'http://127.0.0.1:8001' => $good,
            'http://127.9.9.9' => $good,
            'http://[::1]:8001' => $good,
            'http://sync.college.example' => $plain,
            'HTTP://sync.college.example' => $plain,
            'http://10.0.0.5' => $plain,
            'http://192.168.1.1:8001' => $plain,
            'http://localhost.evil.example' => $plain,
            'http://127.0.0.1.evil.example' => $plain,
            'http://127.0.0.1evil.example' => $plain,
            'http://1127.0.0.1' => $plain,
            'http://128.0.0.1' => $plain,
            'https://user@sync.college.example' => $bad,
            'https://user:password@sync.college.example' => $bad,
            'https://sync.college.example?x=1' => $bad,
            'https://sync.college.example/#top' => $bad,
            'http://127.0.0.1@evil.example' => $bad,
            'ftp://sync.college.example' => $bad,
            'file:///etc/passwd' => $bad,
            'gopher://127.0.0.1' => $bad,
            'javascript:alert(1)' => $bad,
            '//sync.college.example' => $bad,
            'sync.college.example' => $bad,
            'https://' => $bad,
            'https:///path' => $bad,
            'https://sync.college.example:99999' => $bad,
            'https://sync .college.example' => $bad,
            "https://sync.college.example/\r\nX-Header: 1" => $bad,
            "https://sync\x00.college.example" => $bad,
            'nonsense' => $bad,
            '' => $bad,
        ];
        $cases = [];
        foreach ($urls as $url => $problems) {
            $cases[json_encode($url)] = array_merge([(string)$url], $problems);
        }
        return $cases;
    }

    /**
     * Personal data is never sent unencrypted to another machine, unless the administrator allows it.
     *
     * @dataProvider urls
     * @param string $url
     * @param string|null $problem
     * @param string|null $problemwithhttp
     */
    public function test_urls(string $url, ?string $problem, ?string $problemwithhttp): void {
        $this->assertSame($problem, config::url_problem($url, false));
        $this->assertSame($problemwithhttp, config::url_problem($url, true));
    }

    /**
     * Settings are accepted as administrators paste them.
     */
    public function test_url_as_pasted(): void {
        $urls = ['https://sync.example', 'https://sync.example/', ' https://sync.example// ', 'https://sync.example/api/v1',
            'https://sync.example/api/v1/'];
        foreach ($urls as $url) {
            $this->assertSame('https://sync.example', $this->config(['backend_url' => $url])->url());
        }
        $config = $this->config(['backend_url' => 'https://sync.example/below/api/v1']);
        $this->assertSame('https://sync.example/below', $config->url());
        $this->assertSame('token', $this->config(['api_token' => " token\n"])->token());
    }

    /**
     * Nothing is sent without a valid URL and a token.
     */
    public function test_target(): void {
        $cases = [
            [[], failure::NOT_CONFIGURED],
            [['backend_url' => 'https://sync.example'], failure::NOT_CONFIGURED],
            [['api_token' => 'token'], null],
            [['backend_url' => 'http://sync.example'], failure::INSECURE_URL],
            [['allowhttp' => '1'], null],
            [['backend_url' => 'nonsense'], failure::INVALID_URL],
            [['backend_url' => '/'], failure::NOT_CONFIGURED],
        ];
        foreach ($cases as [$settings, $reason]) {
            $config = $this->config($settings);
            try {
                $config->require_valid_target();
                $this->assertNull($reason, json_encode($settings));
                $this->assertTrue($config->is_configured());
            } catch (failure $failure) {
                $this->assertSame($reason, $failure->reason, json_encode($settings));
            }
        }
    }

    /**
     * Numbers are clamped to their limits, even if a script stored them.
     */
    public function test_numbers(): void {
        $this->assertSame([5, 30, 1800, 30000], $this->numbers([]));
        foreach (['0', '-5', '', 'nonsense'] as $value) {
            $this->assertSame([1, 2, 300, 100], $this->numbers(array_fill_keys(array_keys(config::NUMBERS), $value)), $value);
        }
        $large = array_fill_keys(array_keys(config::NUMBERS), '99999999999');
        $this->assertSame([60, 300, 604800, 10000000], $this->numbers($large));
    }

    /**
     * The numbers after saving some settings.
     *
     * @param string[] $settings
     * @return int[]
     */
    private function numbers(array $settings): array {
        $config = $this->config($settings);
        return [$config->connect_timeout(), $config->timeout(), $config->alert_after(), $config->backfill_rate()];
    }

    /**
     * By default everything is sent except hidden grades, and immediately.
     */
    public function test_defaults(): void {
        foreach (array_keys((array)get_config('local_backend_sync')) as $name) {
            if ($name !== 'version') {
                unset_config($name, 'local_backend_sync');
            }
        }
        $config = $this->config();
        $this->assertSame(change::KINDS, $config->options()->kinds);
        $this->assertSame([], array_filter($config->options()->excluded));
        $this->assertFalse($config->sends_hidden());
        $this->assertTrue($config->sends_immediately());
        $this->assertSame(compression::AUTO, $config->options()->compression);
        $this->assertFalse($config->is_configured());
    }

    /**
     * Kinds can be switched off, and fields excluded.
     */
    public function test_options(): void {
        $config = $this->config(['send_grade' => '0', 'send_user' => '1', 'sendhidden' => '1', 'immediate' => '0',
            'fields_user' => 'firstname,lastname,nonsense', 'fields_completion' => '']);
        $options = $config->options();
        $this->assertSame([change::USER, change::COURSE, change::ENROLMENT, change::COMPLETION], $options->kinds);
        $this->assertFalse($config->sends(change::GRADE));
        $this->assertTrue($config->sends_hidden());
        $this->assertFalse($config->sends_immediately());
        $this->assertSame(compression::NEVER, $this->config(['compression' => 'never'])->options()->compression);
        $this->assertSame(compression::ALWAYS, $this->config(['compression' => 'always'])->options()->compression);
        $this->assertSame(compression::AUTO, $this->config(['compression' => 'nonsense'])->options()->compression);
        $left = array_diff(array_keys(payload::FIELDS[change::USER]), $options->excluded[change::USER]);
        $this->assertSame(['firstname', 'lastname'], array_values($left));
        $this->assertSame(['timecompleted'], $options->excluded[change::COMPLETION]);
    }

    /**
     * What is left out is stored, so that a new field is sent. What an early version stored is turned into that.
     */
    public function test_fields_left_out(): void {
        $config = $this->config(['leftout_user' => 'firstname,nonsense', 'leftout_completion' => '']);
        $this->assertSame(['firstname'], $config->options()->excluded[change::USER]);
        $this->assertSame([], $config->options()->excluded[change::COMPLETION]);
        $setting = new \local_backend_sync\admin\setting_fields(change::COURSE);
        unset_config('leftout_course', 'local_backend_sync');
        $this->assertNull($setting->get_setting());
        $this->assertSame('', $setting->write_setting($setting->get_defaultsetting()));
        $this->assertSame('', get_config('local_backend_sync', 'leftout_course'));
        $data = array_fill_keys(array_keys(payload::FIELDS[change::COURSE]), '1');
        $this->assertSame('', $setting->write_setting(['format' => '0'] + array_diff_key($data, ['idnumber' => 1])));
        $this->assertSame('idnumber,format', get_config('local_backend_sync', 'leftout_course'));
        $this->assertArrayHasKey('fullname', $setting->get_setting());
        $this->assertArrayNotHasKey('format', $setting->get_setting());
    }

    /**
     * Each field has a label, for the settings and the privacy declaration.
     */
    public function test_fields_have_names(): void {
        foreach (change::KINDS as $kind) {
            foreach (array_keys(payload::IDS[$kind] + payload::FIELDS[$kind]) as $name) {
                $this->assertTrue(get_string_manager()->string_exists("field_{$kind}_$name", 'local_backend_sync'), "$kind $name");
            }
        }
    }

    /**
     * Each reason of a failure has a sentence.
     */
    public function test_reasons_have_sentences(): void {
        $this->config(['backend_url' => 'https://sync.example']);
        foreach ((new \ReflectionClass(failure::class))->getConstants() as $reason) {
            $sentence = reasons::of(new failure($reason, 'some detail', 503));
            $this->assertStringNotContainsString('[[', $sentence, $reason);
            $this->assertStringNotContainsString('{$a', $sentence, $reason);
            $this->assertStringContainsString('some detail', $sentence);
        }
        $this->assertSame('In words.', reasons::of_rejection('validation_failed', 'In words.'));
        $this->assertSame('validation_failed', reasons::of_rejection('validation_failed', ''));
        $this->assertNotSame('superseded', reasons::of_rejection('superseded', ''));
    }
}
