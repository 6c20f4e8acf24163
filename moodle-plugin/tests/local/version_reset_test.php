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

use core\task\manager;
use local_backend_sync\admin\status_action;
use local_backend_sync\check\delivery as delivery_check;
use local_backend_sync\fixtures\fake_backend;
use local_backend_sync\fixtures\fake_clock;
use local_backend_sync\fixtures\fuse;
use local_backend_sync\fixtures\site;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\client;
use local_backend_sync\local\delivery\clock;
use local_backend_sync\local\delivery\clocks;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\health;
use local_backend_sync\local\delivery\options;
use local_backend_sync\local\delivery\sender;
use local_backend_sync\local\delivery\versions;
use local_backend_sync\output\status_page;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->libdir . '/filelib.php');

/**
 * Tests of wrong clocks in Moodle: what the pages say, and the reset.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\version_reset
 * @covers     \local_backend_sync\local\schedule
 * @covers     \local_backend_sync\local\status
 * @covers     \local_backend_sync\local\reasons
 * @covers     \local_backend_sync\admin\status_action
 */
final class version_reset_test extends \advanced_testcase {
    /** @var int ten days in seconds, plus half an hour so that Moodle still says "10 days" however long the test takes */
    const TEN_DAYS = 10 * DAYSECS + HOURSECS / 2;
    /** @var string URL on this machine at which nothing listens */
    const NOBODY = 'http://127.0.0.1:1';

    /** @var fake_backend with a correct clock of its own */
    private $backend;
    /** @var database_memory */
    private $memory;

    /**
     * A site that has sent everything except one waiting change.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        site::configure(self::NOBODY);
        $this->backend = new fake_backend(new fuse());
        $this->backend->clock = new fake_clock();
        $this->backend->clock->now = time();
        $user = $this->getDataGenerator()->create_user();
        $this->getDataGenerator()->create_user();
        $this->send();
        $this->assertSame([], site::rows());
        user_update_user((object)['id' => $user->id, 'firstname' => 'Bea'], false);
        $this->assertCount(1, site::rows());
    }

    /**
     * Sends waiting changes, ignoring the backoff.
     *
     * @return failure|null
     */
    private function send(): ?failure {
        $config = new config();
        $this->memory = new database_memory();
        (new health($this->memory, new clock()))->retry_now();
        $client = new client($this->backend, $config->url(), $config->token());
        $records = new records(false);
        $sender = new sender(new ledger(), $records, $client, $this->memory, new clock(), new options());
        return $sender->run(new outbox(), time() + 100)->failure;
    }

    /**
     * Sets the watermark ten days ahead, and has the backend reject a batch for it.
     */
    private function put_watermark_ahead(): void {
        $this->memory->set(versions::WATERMARK, ['time' => time() + self::TEN_DAYS, 'sequence' => 77]);
        $this->assertSame(failure::CLOCK_AHEAD, $this->send()->reason);
    }

    /**
     * Answers the next handshake as the backend would.
     *
     * @param int $ahead seconds by which its clock is ahead
     */
    private function answer(int $ahead = 0): void {
        \curl::mock_response(json_encode(['time' => time() + $ahead] + $this->backend->handshake()));
    }

    /**
     * Reads the status page.
     *
     * @return array needsreset, and the sentence of the verdict
     */
    private function page(): array {
        global $PAGE;
        $PAGE->set_url('/local/backend_sync/status.php');
        $data = (new status_page(status::read(), 0, true))->export_for_template($PAGE->get_renderer('core'));
        return [$data['needsreset'], $data['verdict']['sentence']];
    }

    /**
     * While a clock is wrong, the page says by how much the clocks differ and what to do, and offers no reset.
     */
    public function test_wrong_clock(): void {
        foreach ([-1 => 'ahead of', 1 => 'behind'] as $sign => $words) {
            $this->backend->clock->now = time() + $sign * self::TEN_DAYS;
            // While Moodle's clock is behind, only an old watermark can be ahead. Its sequence may not be behind the backend's.
            $this->memory->set(versions::WATERMARK, ['time' => time() + ($sign > 0 ? 20 * DAYSECS : 0), 'sequence' => 77]);
            $this->assertSame(failure::CLOCK_AHEAD, $this->send()->reason);
            [$needsreset, $sentence] = $this->page();
            $this->assertFalse($needsreset);
            $this->assertStringContainsString("This server's clock is 10 days $words the backend's", $sentence);
            $this->assertStringContainsString(userdate($this->backend->clock->now), $sentence);
            $this->assertStringContainsString('time server', $sentence);
            $this->assertStringNotContainsString('{$a', $sentence);
        }
        $result = (new delivery_check())->get_result();
        $this->assertSame(\core\check\result::ERROR, $result->get_status());
        $this->assertStringContainsString('10 days', $result->get_summary());
        $this->assertCount(1, site::rows());
    }

    /**
     * After the clock is corrected, sending resumes automatically.
     */
    public function test_clock_corrected(): void {
        $this->backend->clock->now = time() - self::TEN_DAYS;
        $this->send();
        // As if this server's clock had been wrong.
        $this->backend->clock->now = time();
        $this->memory->set(clocks::HANDSHAKE, ['asked' => time() + 100] + $this->memory->get(clocks::HANDSHAKE));
        [$needsreset, $sentence] = $this->page();
        $this->assertFalse($needsreset);
        $this->assertStringContainsString('The clocks agree again', $sentence);
        // The page names no times that come from the wrong clock.
        $late = time() + 400 * DAYSECS;
        $outage = ['since' => $late, 'last' => $late, 'retry' => $late + 9];
        $this->memory->set(health::OUTAGE, $outage + $this->memory->get(health::OUTAGE));
        $sentence = $this->page()[1];
        $this->assertStringContainsString('Next retry at the next run', $sentence);
        $this->assertStringNotContainsString(userdate($late, '%Y'), $sentence);
        $this->assertNull($this->send());
        $this->assertSame([], site::rows());
        $this->assertNull(status::read()->outage);
    }

    /**
     * If only the watermark is ahead, the page says so and has a button; it asks for confirmation, then everything is sent again.
     */
    public function test_reset(): void {
        global $DB;
        $this->put_watermark_ahead();
        [$needsreset, $sentence] = $this->page();
        $this->assertTrue($needsreset);
        $this->assertStringContainsString('still 10 days ahead', $sentence);
        $this->assertStringContainsString('repair-versions college', $sentence);
        $action = new status_action('resetversions', [], false);
        $this->assertNotNull($action->question());

        $gone = $DB->insert_record(ledger::SENT, ['kind' => change::USER, 'objectid' => 987654, 'userid' => 987654,
            'hash' => 'deleted', 'timesent' => 1]);
        $this->answer();
        $verdict = $action->perform();
        $this->assertSame(verdict::OK, $verdict->level, $verdict->sentence);
        $this->assertStringContainsString('repair-versions college', $verdict->sentence);
        $this->memory->reload();
        $this->assertLessThanOrEqual(time(), $this->memory->get(versions::WATERMARK)['time']);
        $this->assertGreaterThanOrEqual(77, $this->memory->get(versions::WATERMARK)['sequence']);
        // Deletions are sent again too.
        $this->assertNull($DB->get_field(ledger::SENT, 'hash', ['id' => $gone]));
        $this->assertSame(0, $DB->count_records_select(ledger::SENT, 'hash IS NOT NULL'));
        $status = status::read();
        $this->assertFalse($status->needs_reset());
        $this->assertTrue($status->backfillrequest['anew']);

        $this->assertNull($this->send());
        $this->assertSame([], site::rows());
        $backfill = new backfill($this->memory);
        $backfill->apply_request(change::KINDS);
        $this->assertNull(site::send($this->backend, $backfill)->failure);
        $this->assertSame(0, $DB->count_records_select(ledger::SENT, 'hash IS NULL'));
        $this->assertSame(0, $DB->count_records(ledger::REJECTED));
        $this->assertNull(status::read()->outage);
    }

    /**
     * Nothing is reset while the clocks differ, the backend cannot be reached, or there is no need.
     */
    public function test_no_reset(): void {
        global $DB;
        $this->put_watermark_ahead();
        $before = $this->memory->get(versions::WATERMARK);
        $cases = [
            [verdict::ERROR, '10 days behind', self::TEN_DAYS],
            [verdict::ERROR, '10 days ahead of', -self::TEN_DAYS],
            [verdict::ERROR, 'Nothing accepts connections', null],
        ];
        foreach ($cases as [$level, $words, $ahead]) {
            if ($ahead !== null) {
                $this->answer($ahead);
            }
            $verdict = version_reset::run();
            $this->assertSame($level, $verdict->level);
            $this->assertStringContainsString($words, $verdict->sentence);
        }
        $this->memory->reload();
        $this->assertSame($before, $this->memory->get(versions::WATERMARK));

        $slightly = ['time' => time() + clocks::MAX_AHEAD - 60, 'sequence' => 77];
        $this->memory->set(versions::WATERMARK, $slightly);
        $this->answer();
        $verdict = version_reset::run();
        $this->assertSame(verdict::INFO, $verdict->level);
        $this->assertStringContainsString('nothing to reset', $verdict->sentence);
        $this->memory->reload();
        $this->assertSame($slightly, $this->memory->get(versions::WATERMARK));
        $this->assertNull(status::read()->backfillrequest);
        $this->assertNotSame(0, $DB->count_records_select(ledger::SENT, 'hash IS NOT NULL'));
    }

    /**
     * Tasks that Moodle scheduled while the clock was ahead are rescheduled, and keep their customised schedule.
     */
    public function test_schedule(): void {
        global $DB;
        $late = time() + self::TEN_DAYS;
        $task = manager::get_scheduled_task(schedule::TASKS[0]);
        $task->set_minute('*/7');
        $task->set_customised(true);
        manager::configure_scheduled_task($task);
        $this->assertFalse(schedule::is_sending_stuck());
        $where = ['component' => 'local_backend_sync'];
        $this->assertSame(count(schedule::TASKS), $DB->count_records('task_scheduled', $where));
        $DB->set_field('task_scheduled', 'nextruntime', $late + 60, $where);
        // Tasks that are merely scheduled for later stay.
        schedule::reschedule();
        $this->assertSame($late + 60, (int)$DB->get_field('task_scheduled', 'MIN(nextruntime)', $where));

        $DB->set_field('task_scheduled', 'lastruntime', $late, $where);
        $this->assertTrue(schedule::is_sending_stuck());
        $verdict = verdict::on_task(status::read());
        $this->assertSame(verdict::WARNING, $verdict->level);
        $this->assertStringContainsString(userdate($late), $verdict->sentence);
        $this->answer();
        (new health($this->memory, new clock()))->failed(new failure(failure::TIMEOUT));
        $this->assertStringContainsString('There is no automatic retry', verdict::on_outage(status::read())->sentence);
        (new status_action('send', [], false))->perform();
        $this->assertLessThan(time() + 2 * DAYSECS, (int)$DB->get_field('task_scheduled', 'MAX(nextruntime)', $where));
        // Its last run is still in the future, but that does no harm any more.
        $this->assertNull(verdict::on_task(status::read()));
        $task = manager::get_scheduled_task(schedule::TASKS[0]);
        $this->assertSame(['*/7', true], [$task->get_minute(), (bool)$task->is_customised()]);
        $this->assertLessThanOrEqual(time() + 7 * MINSECS, $task->get_next_run_time());
    }

    /**
     * An alert sent while the clock was ahead does not delay the next one.
     */
    public function test_alert(): void {
        global $DB;
        $this->preventResetByRollback();
        $this->put_watermark_ahead();
        $DB->set_field(outbox::TABLE, 'timecreated', time() - DAYSECS);
        $this->memory->set(alert::STATE, ['time' => time() + self::TEN_DAYS]);
        $sink = $this->redirectMessages();
        alert::check();
        alert::check();
        $messages = $sink->get_messages();
        $sink->close();
        $this->assertCount(1, $messages);
        $this->assertStringContainsString('still 10 days ahead', $messages[0]->fullmessage);
    }
}
