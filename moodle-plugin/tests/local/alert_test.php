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

use local_backend_sync\fixtures\site;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\health;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../fixtures/load.php');

/**
 * Tests of the alert to administrators, and of the task that gives it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\alert
 * @covers     \local_backend_sync\task\watch
 */
final class alert_test extends \advanced_testcase {
    /**
     * A configured site with an empty outbox.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        site::configure();
        site::clear();
    }

    /**
     * Administrators are alerted once when changes wait too long, again after a day, and again at the next incident.
     */
    public function test_alert(): void {
        global $DB;
        $this->preventResetByRollback();
        $this->setUser($this->getDataGenerator()->create_user());
        set_config('siteadmins', get_admin()->id . ',' . $this->getDataGenerator()->create_user()->id);
        site::clear();
        $sink = $this->redirectMessages();
        $alerts = function () use ($sink) {
            (new \local_backend_sync\task\watch())->execute();
            $messages = $sink->get_messages();
            $sink->clear();
            return $messages;
        };
        $this->assertCount(0, $alerts());
        outbox::add(change::USER, get_admin()->id, 'updated');
        $this->assertCount(0, $alerts());
        $DB->set_field(outbox::TABLE, 'timecreated', time() - 3600);
        (new health(new database_memory(), new delivery\clock()))->failed(new failure(failure::UNAUTHORIZED, '', 401));
        $messages = $alerts();
        $this->assertCount(2, $messages);
        $this->assertSame('local_backend_sync', $messages[0]->component);
        $this->assertSame('waiting', $messages[0]->eventtype);
        $this->assertStringStartsWith('1 change is waiting to be sent', $messages[0]->fullmessage);
        $this->assertStringContainsString('site token', $messages[0]->fullmessage);
        $this->assertStringNotContainsString('{$a', $messages[0]->fullmessage . $messages[0]->subject);
        $this->assertStringNotContainsString('site-token', $messages[0]->fullmessage);
        $this->assertCount(0, $alerts());
        // A day later.
        $memory = new database_memory();
        $memory->set(alert::STATE, ['time' => time() - DAYSECS]);
        $this->assertCount(2, $alerts());
        $this->assertCount(0, $alerts());
        // It ends, and starts again.
        site::clear();
        $this->assertCount(0, $alerts());
        outbox::add(change::USER, get_admin()->id, 'updated');
        $DB->set_field(outbox::TABLE, 'timecreated', time() - 3600);
        $this->assertCount(2, $alerts());
        // Cron has not run for long: the changes are about to be sent.
        $memory = new database_memory();
        $memory->set(alert::STATE, null);
        $memory->set(alert::CHECKED, ['time' => time() - HOURSECS]);
        $this->assertCount(0, $alerts());
        $this->assertCount(2, $alerts());
        $sink->close();
        $this->assertNotEmpty((new \local_backend_sync\task\watch())->get_name());
    }

    /**
     * Postponed changes cause no alert.
     */
    public function test_no_alert_for_postponed_changes(): void {
        global $DB;
        outbox::postpone([new change(change::GRADE, 7)], time() + 1000);
        $DB->set_field(outbox::TABLE, 'timecreated', time() - 3600);
        $sink = $this->redirectMessages();
        alert::check();
        $this->assertCount(0, $sink->get_messages());
        $sink->close();
        $this->assertSame([0, 1, 0], [status::read()->waiting, status::read()->postponed, status::read()->age()]);
    }
}
