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

use core\check\result;
use local_backend_sync\admin\setting_state;
use local_backend_sync\admin\status_action;
use local_backend_sync\check;
use local_backend_sync\fixtures\site;
use local_backend_sync\local\delivery\change;
use local_backend_sync\output\connection_page;
use local_backend_sync\output\status_page;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once(__DIR__ . '/../../db/install.php');
require_once(__DIR__ . '/../../db/upgrade.php');
require_once($CFG->libdir . '/adminlib.php');
require_once($CFG->libdir . '/filelib.php');
require_once($CFG->libdir . '/upgradelib.php');

/**
 * Tests of the way from a new plugin to the first delivery: nothing leaves the site before an administrator says so.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\config
 * @covers     \local_backend_sync\admin\setting_state
 * @covers     \local_backend_sync\output\status_page
 */
final class start_test extends \advanced_testcase {
    /** @var string settings of this plugin */
    const COMPONENT = 'local_backend_sync';

    /**
     * A new plugin with URL and token.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        site::configure();
        xmldb_local_backend_sync_install();
        site::clear();
    }

    /**
     * The status page.
     *
     * @return array data for the template
     */
    private function page(): array {
        global $PAGE;
        $PAGE->set_url('/local/backend_sync/status.php');
        return (new status_page(status::read(), 0, true))->export_for_template($PAGE->get_renderer('core'));
    }

    /**
     * A new plugin sends nothing, and says what to do. It shows what it would send, and offers to start, and nothing else.
     */
    public function test_new(): void {
        $user = $this->getDataGenerator()->create_user();
        $this->assertSame([], site::rows());
        $page = $this->page();
        $this->assertStringContainsString('has not been started', $page['verdict']['sentence']);
        $this->assertStringContainsString('on the status page', verdict::of(status::read())->sentence);
        $this->assertStringNotContainsString('on the status page', $page['verdict']['sentence']);
        $this->assertSame([true, false], [$page['configured'], $page['cansend']]);
        $backfill = $page['backfill'];
        $this->assertSame([true, false, false], [$backfill['begin'], $backfill['invite'], $backfill['canstart']]);
        $this->assertFalse($page['parity']['canstart']);
        $records = (new preview())->records(change::USER, $user->id);
        $this->assertSame([preview::SENT, 'user_updated'], [$records[0]['outcome'], $records[0]['event']->type]);
        foreach ([new check\delivery(), new check\rejected()] as $check) {
            $this->assertSame(result::NA, $check->get_result()->get_status());
        }
        $this->expectOutputRegex('/no full synchronisation has been started/');
        (new \local_backend_sync\task\reconcile())->execute();
        $this->assertNull(status::read()->backfillrequest);
    }

    /**
     * Starting sends what is there, and then each change.
     */
    public function test_start(): void {
        global $DB;
        $this->getDataGenerator()->create_user();
        (new status_action('backfillstart', [], false))->perform();
        $page = $this->page();
        $this->assertTrue($page['cansend']);
        $this->assertFalse($page['backfill']['begin']);
        // The administrator and the new user.
        site::answer([site::handshake(), site::outcomes(2)]);
        $this->assertSame(2, runner::run(20, false, null, null, 10000000)->sent);
        $this->assertSame(2, $DB->count_records(ledger::SENT));
        $this->getDataGenerator()->create_user();
        $this->assertCount(1, site::rows());
    }

    /**
     * Only a start starts: neither pausing, nor resuming, nor a comparison does.
     */
    public function test_nothing_else_starts(): void {
        foreach (['backfillpause', 'backfillresume', 'backfillcancel', 'parity', 'send', 'acceptpast', 'acceptsite'] as $action) {
            (new status_action($action, [], false))->perform();
            $this->assertFalse((new config())->is_sending(), $action);
        }
    }

    /**
     * A site that sends goes on after an upgrade, without a gap: while Moodle already has the new files, and before it has upgraded
     * its database, too. One that is not configured waits for the start.
     */
    public function test_upgrade(): void {
        unset_config('sending', self::COMPONENT);
        $this->assertTrue((new config())->is_sending());
        $this->getDataGenerator()->create_user();
        $this->assertCount(1, site::rows());
        $this->upgrade();
        $this->assertTrue((new config())->is_sending());

        unset_config('api_token', self::COMPONENT);
        $this->upgrade();
        site::clear();
        set_config('api_token', 'site-token', self::COMPONENT);
        $this->assertFalse((new config())->is_sending());
    }

    /**
     * Upgrades from the version before.
     */
    private function upgrade(): void {
        set_config('version', 2026112801, self::COMPONENT);
        xmldb_local_backend_sync_upgrade(2026112801);
    }

    /**
     * config.php can start it.
     */
    public function test_forced_setting(): void {
        global $CFG;
        $CFG->forced_plugin_settings[self::COMPONENT] = ['sending' => 1];
        $this->assertTrue((new config())->is_sending());
    }

    /**
     * The button of the settings page stores what was typed, and then tests that. It shows the result once.
     */
    public function test_save_and_test(): void {
        $setting = new setting_state();
        $this->assertStringNotContainsString('The connection works', $setting->output_html(true));
        $page = new \admin_settingpage('x', 'x');
        $page->add($setting);
        $page->add(new \local_backend_sync\admin\setting_url('x', 'x'));
        $form = ['s_local_backend_sync_state' => '1', 's_local_backend_sync_backend_url' => 'https://typed.college.example'];
        $this->assertSame(array_keys($form), array_keys(admin_find_write_settings($page, $form)));
        foreach (admin_find_write_settings($page, $form) as $name => $found) {
            $this->assertSame('', $found->write_setting($form[$name]));
        }
        site::answer([site::handshake(), site::handshake()]);
        $html = $setting->output_html(true);
        $this->assertStringContainsString('The connection works', $html);
        $this->assertStringContainsString('Start sending', $html);
        $this->assertSame('https://typed.college.example', (new config())->url());
        $this->assertStringNotContainsString('The connection works', $setting->output_html(true));
        // The second answer is still there.
        $this->assertNull(connection_test::run()->problem);
    }

    /**
     * What was typed wrong is not tested: the form asks to correct it first.
     */
    public function test_save_and_test_with_an_error(): void {
        $setting = new setting_state();
        $setting->write_setting('1');
        admin_get_root()->errors = ['s_local_backend_sync_backend_url' => (object)['error' => 'It is bad.']];
        site::answer([site::handshake()]);
        $this->assertStringNotContainsString('The connection works', $setting->output_html(true));
        admin_get_root()->errors = [];
        $this->assertStringNotContainsString('The connection works', $setting->output_html(true));
        // The answer is still there.
        $this->assertNull(connection_test::run()->problem);
    }

    /**
     * After a test, the page says what comes next.
     */
    public function test_what_comes_next(): void {
        site::answer([site::handshake(), site::handshake()]);
        $sentences = array_column(connection_page::results(connection_test::run()), 'sentence');
        $this->assertStringContainsString('Start sending', end($sentences));
        config::start_sending();
        $this->assertCount(count($sentences) - 1, connection_page::results(connection_test::run()));
    }

    /**
     * A disabled task is told as such, and not as cron that does not run.
     */
    public function test_disabled_task(): void {
        config::start_sending();
        $task = \core\task\manager::get_scheduled_task('\local_backend_sync\task\send');
        $task->set_disabled(true);
        \core\task\manager::configure_scheduled_task($task);
        $this->assertStringContainsString('is disabled', verdict::of(status::read())->sentence);
        $task->set_disabled(false);
        \core\task\manager::configure_scheduled_task($task);
        $this->assertStringNotContainsString('is disabled', verdict::of(status::read())->sentence);
    }

    /**
     * Numbers have their plural forms.
     */
    public function test_plural_forms(): void {
        $this->assertSame('1 record differs', verdict::count('differing', 1));
        $this->assertSame('2,000 records differ', verdict::count('differing', 2000));
        $this->assertSame('0 records differ', verdict::count('differing', 0));
    }
}
