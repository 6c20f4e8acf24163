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

namespace local_backend_sync\privacy;

use core_privacy\local\metadata\collection;
use core_privacy\local\request\approved_contextlist;
use core_privacy\local\request\approved_userlist;
use core_privacy\local\request\userlist;
use core_privacy\local\request\writer;
use local_backend_sync\fixtures\fake_backend;
use local_backend_sync\fixtures\fuse;
use local_backend_sync\fixtures\site;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\payload;
use local_backend_sync\local\ledger;
use local_backend_sync\local\outbox;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->libdir . '/completionlib.php');

/**
 * Tests of declaring, exporting and deleting personal data.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\privacy\provider
 */
final class provider_test extends \core_privacy\tests\provider_testcase {
    /** @var string name of the plugin */
    const COMPONENT = 'local_backend_sync';

    /** @var \stdClass the person whose data is exported or deleted */
    private $user;
    /** @var \stdClass another person, whose data must not be touched */
    private $other;

    /**
     * Two people with rows in each table.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        $this->user = $this->getDataGenerator()->create_user();
        $this->other = $this->getDataGenerator()->create_user();
        site::configure();
        foreach ([$this->user, $this->other] as $user) {
            $this->add_rows($user->id);
        }
    }

    /**
     * Adds rows to each table.
     *
     * @param int $userid
     */
    private function add_rows(int $userid): void {
        global $DB;
        outbox::add(change::GRADE, 10 + $userid, 'updated', $userid, 3, 4);
        outbox::add(change::ENROLMENT, 20 + $userid, 'deleted', $userid, 3);
        foreach (['hash' => 30 + $userid, 'deleted' => 40 + $userid] as $hash => $id) {
            $ids = ['kind' => 'grade', 'objectid' => $id, 'userid' => $userid, 'courseid' => 3, 'itemid' => 4];
            $DB->insert_record(ledger::SENT, $ids + ['hash' => $hash, 'timesent' => 1795333600]);
        }
        $reason = ['event' => 'updated', 'code' => 'validation_failed', 'detail' => 'Invalid.', 'timecreated' => 1795333600];
        $DB->insert_record(ledger::REJECTED, ['objectid' => 50 + $userid] + $ids + $reason);
    }

    /**
     * Counts the rows about a person.
     *
     * @param int $userid
     * @return int[] in outbox, sent, rejected
     */
    private function count_rows(int $userid): array {
        global $DB;
        return [
            $DB->count_records(outbox::TABLE, ['userid' => $userid]),
            $DB->count_records(ledger::SENT, ['userid' => $userid]),
            $DB->count_records(ledger::REJECTED, ['userid' => $userid]),
        ];
    }

    /**
     * Every field that is sent is declared, and every column of a table with personal data, each with a description.
     */
    public function test_metadata(): void {
        global $DB;
        $items = [];
        foreach (provider::get_metadata(new collection(self::COMPONENT))->get_collection() as $item) {
            $items[$item->get_name()] = $item->get_privacy_fields();
            foreach (array_merge([$item->get_summary()], array_values($item->get_privacy_fields())) as $string) {
                $this->assertTrue(get_string_manager()->string_exists($string, self::COMPONENT), $string);
            }
        }
        foreach (change::KINDS as $kind) {
            $sent = array_keys(payload::IDS[$kind] + payload::FIELDS[$kind]);
            $sent = array_merge($sent, array_values(array_intersect_key(payload::CUSTOM, [$kind => 0])));
            $sent = array_merge($sent, array_values(array_intersect_key(payload::NAMES, [$kind => 0])));
            $this->assertSame($sent, array_keys($items["backend_$kind"]));
            unset($items["backend_$kind"]);
        }
        $this->assertSame([outbox::TABLE, ledger::SENT, ledger::REJECTED], array_keys($items));
        foreach ($items as $table => $fields) {
            $columns = array_diff(array_keys($DB->get_columns($table)), ['id']);
            $this->assertEqualsCanonicalizing($columns, array_keys($fields));
        }
    }

    /**
     * Data is found in the person's own context, and nowhere else.
     */
    public function test_contexts_and_users(): void {
        global $DB;
        $context = \context_user::instance($this->user->id);
        $this->assertEquals([$context->id], provider::get_contexts_for_userid($this->user->id)->get_contextids());
        $userlist = new userlist($context, self::COMPONENT);
        provider::get_users_in_context($userlist);
        $this->assertEquals([$this->user->id], $userlist->get_userids());
        $userlist = new userlist(\context_system::instance(), self::COMPONENT);
        provider::get_users_in_context($userlist);
        $this->assertSame([], $userlist->get_userids());
        // A row in any one of the tables is enough.
        $tables = [outbox::TABLE, ledger::SENT, ledger::REJECTED];
        foreach ($tables as $table) {
            foreach (array_diff($tables, [$table]) as $other) {
                $DB->delete_records($other, ['userid' => $this->user->id]);
            }
            $this->assertCount(1, provider::get_contexts_for_userid($this->user->id));
            $DB->delete_records($table, ['userid' => $this->user->id]);
            $this->assertCount(0, provider::get_contexts_for_userid($this->user->id));
            $this->add_rows($this->user->id);
        }
        $userlist = new userlist(\context_user::instance(get_admin()->id), self::COMPONENT);
        provider::get_users_in_context($userlist);
        $this->assertSame([], $userlist->get_userids());
    }

    /**
     * The export contains all rows about the person, and none about others.
     */
    public function test_export(): void {
        $context = \context_user::instance($this->user->id);
        $this->export_context_data_for_user($this->user->id, $context, self::COMPONENT);
        $writer = writer::with_context($context);
        $id = $this->user->id;
        $expected = ['outbox' => [10 + $id, 20 + $id], 'sent' => [30 + $id, 40 + $id], 'rejected' => [50 + $id]];
        foreach ($expected as $name => $ids) {
            $path = [get_string('pluginname', self::COMPONENT), get_string("privacy:path:$name", self::COMPONENT)];
            $rows = $writer->get_data($path)->rows;
            $this->assertEquals($ids, array_column($rows, 'objectid'));
            $this->assertEquals([$this->user->id], array_unique(array_column($rows, 'userid')));
            foreach ($rows as $row) {
                $this->assertFalse(isset($row->id));
                $this->assertFalse(is_numeric($row->timesent ?? $row->timecreated));
            }
        }
        $this->assertFalse(writer::with_context(\context_user::instance($this->other->id))->has_any_data());
    }

    /**
     * Another person's context exports nothing.
     */
    public function test_export_of_another_context(): void {
        $context = \context_user::instance($this->other->id);
        $this->export_context_data_for_user($this->user->id, $context, self::COMPONENT);
        $this->assertFalse(writer::with_context($context)->has_any_data());
    }

    /**
     * The ways to delete the data about a person.
     *
     * @return array[]
     */
    public static function deletions(): array {
        return [
            'context' => [function ($user, $other) {
                provider::delete_data_for_all_users_in_context(\context_user::instance($user->id));
            }],
            'user' => [function ($user, $other) {
                $contexts = [\context_user::instance($user->id)->id, \context_user::instance($other->id)->id,
                    \context_system::instance()->id];
                provider::delete_data_for_user(new approved_contextlist($user, self::COMPONENT, $contexts));
            }],
            'users' => [function ($user, $other) {
                $context = \context_user::instance($user->id);
                provider::delete_data_for_users(new approved_userlist($context, self::COMPONENT, [$user->id, $other->id]));
            }],
        ];
    }

    /**
     * The person's data is deleted, except what the backend must still receive. Other people's data is not touched.
     *
     * @dataProvider deletions
     * @param callable $delete
     */
    public function test_delete(callable $delete): void {
        $before = $this->count_rows($this->other->id);
        $delete($this->user, $this->other);
        $this->assertSame([2, 0, 0], $this->count_rows($this->user->id));
        $id = $this->user->id;
        $rows = array_values(preg_grep("/ $id 3 /", site::rows()));
        $this->assertSame(['enrolment ' . (20 + $id) . " deleted $id 3 0", 'grade ' . (30 + $id) . " updated $id 3 4"], $rows);
        $this->assertSame($before, $this->count_rows($this->other->id));
        // After sending, nothing is left, and the backend has received the deletions.
        $backend = new fake_backend(new fuse());
        site::send($backend);
        $deletions = array_filter($backend->events(), function ($event) use ($id) {
            return $event['data']['userid'] == $id;
        });
        $this->assertEqualsCanonicalizing(['enrolment_deleted', 'grade_deleted'], array_column($deletions, 'type'));
        $this->assertSame(0, $this->count_rows($this->user->id)[0]);
    }

    /**
     * Without a backend there is nothing to enqueue.
     */
    public function test_delete_when_unconfigured(): void {
        set_config('api_token', '', self::COMPONENT);
        provider::delete_data_for_all_users_in_context(\context_user::instance($this->user->id));
        $this->assertSame([1, 0, 0], $this->count_rows($this->user->id));
    }

    /**
     * Deleting in other contexts deletes nothing.
     */
    public function test_delete_in_other_contexts(): void {
        $before = [$this->count_rows($this->user->id), $this->count_rows($this->other->id)];
        provider::delete_data_for_all_users_in_context(\context_system::instance());
        $context = \context_user::instance($this->user->id);
        provider::delete_data_for_users(new approved_userlist($context, self::COMPONENT, [$this->other->id]));
        $this->assertSame($before, [$this->count_rows($this->user->id), $this->count_rows($this->other->id)]);
    }

    /**
     * When Moodle deletes a person's data on a privacy request, the backend receives all deletions, even of completions, which
     * Moodle deletes without an event.
     */
    public function test_request_for_deletion(): void {
        global $CFG;
        $CFG->enablecompletion = 1;
        site::clear();
        $site = site::course_with_student(['enablecompletion' => 1]);
        (new \completion_completion(['userid' => $site->user->id, 'course' => $site->course->id]))->mark_complete();
        $backend = new fake_backend(new fuse());
        site::send($backend);
        $keys = array_keys(array_filter($backend->records, function ($record) use ($site) {
            return ($record['data']['userid'] ?? 0) == $site->user->id;
        }));
        $this->assertCount(3, $keys);
        $manager = new \core_privacy\manager();
        $approved = new \core_privacy\local\request\contextlist_collection($site->user->id);
        foreach ($manager->get_contexts_for_userid($site->user->id) as $contextlist) {
            $component = $contextlist->get_component();
            $approved->add_contextlist(new approved_contextlist($site->user, $component, $contextlist->get_contextids()));
        }
        $manager->delete_data_for_user($approved);
        \core_completion\privacy\provider::delete_completion($site->user, $site->course->id);
        delete_user($site->user);
        site::send($backend);
        foreach ($keys as $key) {
            $this->assertNull($backend->held($key), $key);
        }
    }
}
