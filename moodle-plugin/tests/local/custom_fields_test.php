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

use local_backend_sync\admin\setting_custom;
use local_backend_sync\fixtures\fake_backend;
use local_backend_sync\fixtures\fuse;
use local_backend_sync\fixtures\site;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\options;
use local_backend_sync\local\delivery\payload;
use local_backend_sync\output\preview_page;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once(__DIR__ . '/../fixtures/load.php');
require_once($CFG->libdir . '/adminlib.php');
require_once($CFG->dirroot . '/course/lib.php');
require_once($CFG->dirroot . '/user/profile/lib.php');
require_once($CFG->dirroot . '/user/profile/definelib.php');

/**
 * Tests of custom fields of users and courses.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\custom_fields
 * @covers     \local_backend_sync\local\profile_fields
 * @covers     \local_backend_sync\local\course_fields
 * @covers     \local_backend_sync\local\unreported
 * @covers     \local_backend_sync\admin\setting_custom
 * @covers     \local_backend_sync\output\preview_page
 */
final class custom_fields_test extends \advanced_testcase {
    /** @var fake_backend */
    private $backend;

    /**
     * A backend that holds everything.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        site::configure();
        $this->backend = new fake_backend(new fuse());
    }

    /**
     * Makes a profile field.
     *
     * @param string $shortname
     * @param string $datatype
     * @param array $columns
     * @return int id
     */
    private function field(string $shortname, string $datatype, array $columns = []): int {
        global $DB;
        return $DB->insert_record('user_info_field', $columns + ['shortname' => $shortname, 'name' => strtoupper($shortname),
            'datatype' => $datatype, 'categoryid' => 1, 'sortorder' => 1, 'visible' => PROFILE_VISIBLE_ALL, 'defaultdata' => '']);
    }

    /**
     * Chooses what is sent.
     *
     * @param string $names with commas
     */
    private function choose(string $names): void {
        set_config('custom_user', $names, 'local_backend_sync');
    }

    /**
     * A person's custom fields, as they would be sent.
     *
     * @param int $userid
     * @return array|null null if there are none
     */
    private function profile(int $userid): ?array {
        $state = (new records(false))->states(change::USER, [$userid])[$userid];
        $data = payload::state(new change(change::USER, $userid), $state, []);
        return isset($data['profile']) ? (array)$data['profile'] : null;
    }

    /**
     * Looks for what Moodle does not report, and sends.
     */
    private function look(): void {
        $memory = new database_memory();
        unreported::enqueue_changes($memory, new differences($memory, new records(false), new options()), change::KINDS);
        site::send($this->backend);
    }

    /**
     * A value of each type, as Moodle's form stores it.
     */
    public function test_types(): void {
        $this->setTimezone('America/New_York');
        $this->field('text', 'text');
        $this->field('vegan', 'checkbox');
        $this->field('birthday', 'datetime', ['param1' => '1900', 'param2' => '2030', 'param3' => '']);
        $this->field('interview', 'datetime', ['param1' => '2000', 'param2' => '2030', 'param3' => '1']);
        $this->field('size', 'menu', ['param1' => "Small\nLarge & wide"]);
        $this->field('bio', 'textarea');
        $this->field('skype', 'social', ['name' => 'skype', 'param1' => 'skype']);
        $this->choose('text,vegan,birthday,interview,size,bio,skype,nonsense');
        $user = $this->getDataGenerator()->create_user();
        $this->assertSame(['vegan' => '0'], $this->profile($user->id));
        profile_save_data((object)['id' => $user->id, 'profile_field_text' => 'Zoë, "q" 🎓', 'profile_field_vegan' => 1,
            'profile_field_birthday' => make_timestamp(1965, 5, 23), 'profile_field_interview' => 1795333607,
            'profile_field_size' => 'Large & wide', 'profile_field_bio' => ['text' => '<p>a &amp; b</p>', 'format' => FORMAT_HTML],
            'profile_field_skype' => 'zoe']);
        $full = ['bio' => '<p>a &amp; b</p>', 'birthday' => '1965-05-23', 'interview' => '2026-11-22T07:46:47Z',
            'size' => 'Large & wide', 'skype' => 'zoe', 'text' => 'Zoë, "q" 🎓', 'vegan' => '1'];
        $this->assertSame($full, $this->profile($user->id));
        // Who runs PHP makes no difference.
        $this->setUser($this->getDataGenerator()->create_user(['timezone' => 'Asia/Tokyo']));
        $this->assertSame($full, $this->profile($user->id));
        profile_save_data((object)['id' => $user->id, 'profile_field_text' => '', 'profile_field_birthday' => 0,
            'profile_field_vegan' => 0]);
        unset($full['text'], $full['birthday']);
        $this->assertSame(['vegan' => '0'] + $full, ['vegan' => '0'] + $this->profile($user->id));
    }

    /**
     * Nothing leaves the site that nobody has chosen, and where none is stored, the default counts, as in Moodle.
     */
    public function test_choice_and_default(): void {
        global $DB;
        $user = $this->getDataGenerator()->create_user();
        $this->field('level', 'text', ['defaultdata' => 'Entry']);
        $this->field('secret', 'text', ['defaultdata' => 'private']);
        $this->assertNull($this->profile($user->id));
        $setting = new setting_custom(change::USER, profile_fields::class);
        $this->assertSame([], $setting->get_setting());
        $setting->load_choices();
        $this->assertSame(['level' => 'LEVEL (level)', 'secret' => 'SECRET (secret)'], $setting->choices);
        $this->assertSame('', $setting->write_setting(['xxxxx' => '1', 'level' => '1', 'unknown' => '1']));
        $this->assertSame(['level' => 1], $setting->get_setting());
        $this->assertSame(['level' => 'Entry'], $this->profile($user->id));
        profile_save_data((object)['id' => $user->id, 'profile_field_level' => 'Higher']);
        $this->assertSame(['level' => 'Higher'], $this->profile($user->id));
        $DB->delete_records('user_info_field');
        $this->assertSame([], $this->profile($user->id));
    }

    /**
     * A field that is chosen, renamed or deleted changes everybody whom the backend holds; a look that finds nothing changes
     * nobody.
     */
    public function test_changed_fields(): void {
        global $DB;
        $id = $this->field('level', 'text', ['defaultdata' => 'Entry']);
        $user = $this->getDataGenerator()->create_user();
        profile_save_data((object)['id' => $user->id, 'profile_field_level' => 'Higher']);
        $held = function () use ($user) {
            return $this->backend->held("user:$user->id")['profile'] ?? null;
        };
        site::send($this->backend);
        $this->look();
        $this->assertNull($held());
        $row = ['username' => 'unsent', 'email' => 'u@example.com', 'confirmed' => 1, 'mnethostid' => 1];
        $unsent = $DB->insert_record('user', $row);

        $this->choose('level');
        $this->look();
        $this->assertSame(['level' => 'Higher'], $held());
        // The full synchronisation has not come to this one yet.
        $this->assertNull($this->backend->held("user:$unsent"));
        $requests = count($this->backend->batches());
        $this->look();
        $DB->set_field('user_info_field', 'name', 'Another label', ['id' => $id]);
        $DB->set_field('user_info_field', 'sortorder', 7, ['id' => $id]);
        $memory = new database_memory();
        unreported::enqueue_changes($memory, new differences($memory, new records(false), new options()), change::KINDS);
        $this->assertSame([], site::rows());
        $this->look();
        $this->assertCount($requests, $this->backend->batches());

        $DB->set_field('user_info_field', 'shortname', 'grade', ['id' => $id]);
        $this->look();
        $this->assertSame([], $held());
        $this->choose('grade');
        $this->look();
        $this->assertSame(['grade' => 'Higher'], $held());
        profile_delete_field($id);
        $this->look();
        $this->assertSame([], $held());
        $this->choose('');
        $this->look();
        $this->assertNull($held());
    }

    /**
     * A person's own change is reported by Moodle, and the nightly comparison knows of any other.
     */
    public function test_changed_value(): void {
        $this->field('level', 'text');
        $this->choose('level');
        $user = $this->getDataGenerator()->create_user();
        site::send($this->backend);
        profile_save_data((object)['id' => $user->id, 'profile_field_level' => 'Higher']);
        $memory = new database_memory();
        $differences = new differences($memory, new records(false), new options());
        $found = $differences->among(change::USER, [$user->id]);
        $this->assertSame(["user:$user->id"], array_keys($found[findings::CHANGED]));
        \core\event\user_updated::create_from_userid($user->id)->trigger();
        site::send($this->backend);
        $this->assertSame(['level' => 'Higher'], $this->backend->held("user:$user->id")['profile']);
        $this->assertSame([], $differences->among(change::USER, [$user->id]));
    }

    /**
     * What is sent of a person shows each field with its name, and cohorts.
     */
    public function test_preview(): void {
        global $PAGE;
        $this->field('level', 'text', ['name' => 'Study level']);
        $user = $this->getDataGenerator()->create_user();
        profile_save_data((object)['id' => $user->id, 'profile_field_level' => 'Higher']);
        $shown = function () use ($user, $PAGE) {
            $data = (new preview_page('', [], $user->id))->export_for_template($PAGE->get_renderer('core'));
            return array_column($data['kinds'][0]['records'][0]['fields'], null, 'name');
        };
        $this->assertArrayNotHasKey('profile.level', $shown());
        $this->choose('level');
        set_config('send_cohorts', 1, 'local_backend_sync');
        $fields = $shown();
        $this->assertSame(['Study level', 'Higher'], [$fields['profile.level']['label'], $fields['profile.level']['value']]);
        $this->assertSame(['Cohorts', '[]'], [$fields['cohorts']['label'], $fields['cohorts']['value']]);
        profile_save_data((object)['id' => $user->id, 'profile_field_level' => '']);
        $this->assertTrue($shown()['profile']['isempty']);
    }

    /**
     * Makes a custom field of courses.
     *
     * @param string $shortname
     * @param string $type
     * @param array $config
     * @return int id
     */
    private function course_field(string $shortname, string $type, array $config = []): int {
        $generator = $this->getDataGenerator()->get_plugin_generator('core_customfield');
        $category = $generator->create_category();
        return $generator->create_field(['categoryid' => $category->get('id'), 'type' => $type, 'shortname' => $shortname,
            'name' => strtoupper($shortname), 'configdata' => $config])->get('id');
    }

    /**
     * A course's custom fields, as they would be sent.
     *
     * @param int $id
     * @return array|null null if there are none
     */
    private function course(int $id): ?array {
        $state = (new records(false))->states(change::COURSE, [$id])[$id];
        $data = payload::state(new change(change::COURSE, $id), $state, []);
        return isset($data['customfields']) ? (array)$data['customfields'] : null;
    }

    /**
     * Custom fields of courses: a value of each type, from Moodle's form, and defaults.
     */
    public function test_courses(): void {
        global $DB;
        $this->course_field('body', 'text', ['defaultvalue' => 'Pearson']);
        $this->course_field('funded', 'checkbox', ['checkbydefault' => 1]);
        $this->course_field('closes', 'date', ['includetime' => 0]);
        $this->course_field('opens', 'date', ['includetime' => 1]);
        $level = $this->course_field('level', 'select', ['options' => "Entry\nHigher & more", 'defaultvalue' => 'Entry']);
        $this->course_field('about', 'textarea', ['defaultvalue' => '<p>Soon</p>']);
        $this->course_field('secret', 'text', ['defaultvalue' => 'private']);
        // Added in the database: the generator would save the defaults.
        $category = $this->getDataGenerator()->create_category();
        $bare = $DB->insert_record('course', ['shortname' => 'bare', 'fullname' => 'Bare', 'category' => $category->id]);
        $this->assertNull($this->course($bare));
        set_config('custom_course', 'about,body,closes,funded,level,opens', 'local_backend_sync');
        $defaults = ['about' => '<p>Soon</p>', 'body' => 'Pearson', 'funded' => '1', 'level' => 'Entry'];
        $this->assertSame($defaults, $this->course($bare));
        $course = $this->getDataGenerator()->create_course(['customfield_body' => 'City & Guilds', 'customfield_funded' => 0,
            'customfield_closes' => make_timestamp(2027, 1, 31), 'customfield_opens' => 1795333607, 'customfield_level' => 2,
            'customfield_about_editor' => ['text' => '<p>Now</p>', 'format' => FORMAT_HTML]]);
        $full = ['about' => '<p>Now</p>', 'body' => 'City & Guilds', 'closes' => '2027-01-31', 'funded' => '0',
            'level' => 'Higher & more', 'opens' => '2026-11-22T07:46:47Z'];
        $this->assertSame($full, $this->course($course->id));

        site::send($this->backend);
        $this->look();
        $held = function () use ($course) {
            return $this->backend->held("course:$course->id")['customfields'];
        };
        $this->assertSame($full, $held());
        update_course((object)['id' => $course->id, 'customfield_body' => '']);
        site::send($this->backend);
        unset($full['body']);
        $this->assertSame($full, $held());
        // An entry that is renamed, of which Moodle reports nothing about the courses.
        $DB->set_field('customfield_field', 'configdata', json_encode(['options' => "Entry\nTop"]), ['id' => $level]);
        $this->look();
        $this->assertSame('Top', $held()['level']);
        \core_customfield\field_controller::create($level)->get_handler()->delete_field_configuration(
            \core_customfield\field_controller::create($level)
        );
        $this->look();
        $this->assertArrayNotHasKey('level', $held());
    }

    /**
     * All courses below a category that is moved have another path, whatever their number.
     */
    public function test_moved_category(): void {
        $generator = $this->getDataGenerator();
        $top = $generator->create_category(['name' => 'Arts']);
        $other = $generator->create_category(['name' => 'Science']);
        $moved = $generator->create_category(['name' => 'Physics', 'parent' => $top->id]);
        $below = $generator->create_category(['name' => 'Optics', 'parent' => $moved->id]);
        $courses = [$generator->create_course(['category' => $moved->id]), $generator->create_course(['category' => $below->id])];
        $stays = $generator->create_course(['category' => $top->id]);
        $path = function ($course) {
            return implode(' / ', array_column($this->backend->held("course:$course->id")['categories'], 'name'));
        };
        site::send($this->backend);
        $this->assertSame(['Arts / Physics', 'Arts / Physics / Optics'], array_map($path, $courses));
        $this->assertSame('Arts', $path($stays));
        \core_course_category::get($moved->id)->change_parent($other->id);
        $requests = count($this->backend->batches());
        site::send($this->backend);
        $this->assertSame(['Science / Physics', 'Science / Physics / Optics'], array_map($path, $courses));
        $this->assertCount($requests + 1, $this->backend->batches());
        \core_course_category::get($other->id)->update(['name' => 'Sciences']);
        site::send($this->backend);
        $this->assertSame(['Sciences / Physics', 'Sciences / Physics / Optics'], array_map($path, $courses));
        // The category goes, what is in it moves up.
        \core_course_category::get($moved->id)->delete_move($top->id);
        site::send($this->backend);
        $this->assertSame(['Arts', 'Arts / Optics'], array_map($path, $courses));
    }

    /**
     * Thirty fields of many people take as many statements as those of a few, and long ones are read in portions.
     */
    public function test_cost(): void {
        global $DB;
        $ids = [];
        for ($i = 0; $i < 60; $i++) {
            $ids[] = (int)$this->getDataGenerator()->create_user()->id;
        }
        for ($i = 0; $i < 30; $i++) {
            $field = $this->field("f$i", 'textarea');
            foreach ($ids as $id) {
                $DB->insert_record('user_info_data', ['userid' => $id, 'fieldid' => $field, 'data' => "$i of $id"]);
            }
        }
        $this->choose(implode(',', array_map(function ($i) {
            return "f$i";
        }, range(0, 29))));
        $transaction = $DB->start_delegated_transaction();
        $this->profile($ids[0]); // Moodle looks at the tables' columns once.
        $counts = [];
        foreach ([2, 60] as $count) {
            $reads = $DB->perf_get_reads();
            $states = (new records(false))->states(change::USER, array_slice($ids, 0, $count));
            $counts[] = $DB->perf_get_reads() - $reads;
            $this->assertCount(30, $states[$ids[$count - 1]]['profile']);
            $this->assertSame("7 of {$ids[0]}", $states[$ids[0]]['profile']['f7']);
        }
        $transaction->allow_commit();
        $this->assertSame($counts[0], $counts[1]);
        // People, fields, and the values, whose cursor takes PostgreSQL three statements.
        $this->assertLessThanOrEqual(5, $counts[0]);
        $DB->set_field('user_info_data', 'data', str_repeat('ü', 40000), ['userid' => $ids[0], 'fieldid' => $field]);
        $sizes = (new records(false))->sizes(change::USER, $ids);
        $this->assertGreaterThan(40000, $sizes[$ids[0]]);
        $this->assertLessThan(1000, $sizes[$ids[1]]);
        $this->assertSame(payload::CUSTOM_BYTES - 2, strlen($this->profile($ids[0])['f29']));
    }
}
