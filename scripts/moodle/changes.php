<?php
// Usage: php changes.php [--keep]
//
// Makes the changes in a Moodle that people make in a college, through Moodle's own functions, and prints each step. Each run creates its
// own people and courses. It stops at the first step that fails.
//
//   --keep   skip the deletions at the end
//
// What must never leave Moodle contains the text NEVER-SENT: what was rolled back, and what was written while hidden.
//
// Environment: MOODLE_CONFIG (path of Moodle's config.php).

define('CLI_SCRIPT', true);
require(getenv('MOODLE_CONFIG'));
require_once($CFG->libdir . '/clilib.php');
require_once($CFG->libdir . '/enrollib.php');
require_once($CFG->libdir . '/gradelib.php');
require_once($CFG->libdir . '/completionlib.php');
require_once($CFG->libdir . '/testing/generator/lib.php');
require_once($CFG->dirroot . '/completion/completion_completion.php');
require_once($CFG->dirroot . '/user/lib.php');
require_once($CFG->dirroot . '/user/profile/lib.php');
require_once($CFG->dirroot . '/course/lib.php');
require_once($CFG->dirroot . '/cohort/lib.php');
require_once($CFG->dirroot . '/group/lib.php');
require_once($CFG->dirroot . '/enrol/cohort/locallib.php');
require_once($CFG->dirroot . '/mod/assign/locallib.php');
require_once($CFG->dirroot . '/backup/util/includes/backup_includes.php');
require_once($CFG->dirroot . '/backup/util/includes/restore_includes.php');

[$options, $unknown] = cli_get_params(['keep' => false]);
if ($unknown) {
    cli_error('Unknown arguments: ' . implode(' ', $unknown));
}

require(__DIR__ . '/step.php');

/**
 * Makes a change in a transaction and rolls it back.
 *
 * @param callable $change
 */
function rolled_back(callable $change): void {
    global $DB;
    $transaction = $DB->start_delegated_transaction();
    $change();
    try {
        $transaction->rollback(new moodle_exception('error'));
    } catch (moodle_exception $reason) {
        // rollback() rethrows its argument.
        return;
    }
}

/**
 * Makes a text unique to this run.
 *
 * @param string $text
 * @return string
 */
function unique(string $text): string {
    static $run = null;
    $run = $run ?? bin2hex(random_bytes(4));
    return "$text-$run";
}

/**
 * Creates a user.
 *
 * @param string $username
 * @param string $firstname
 * @param string $lastname
 * @param array $more fields
 * @return int id
 */
function new_user(string $username, string $firstname, string $lastname, array $more = []): int {
    global $CFG;
    return user_create_user((object) ($more + [
        'username' => unique($username), 'firstname' => $firstname, 'lastname' => $lastname, 'email' => unique($username) . '@example.com',
        'password' => 'Passw0rd!' . random_string(8), 'auth' => 'manual', 'confirmed' => 1, 'mnethostid' => $CFG->mnet_localhost_id,
    ]));
}

/**
 * Makes a custom profile field of each type, unless they are there.
 */
function make_profile_fields(): void {
    global $DB;
    $types = ['text' => ['text', 'Entry'], 'checkbox' => ['checkbox', '1'], 'date' => ['datetime', '0'], 'datetime' => ['datetime', '0'],
        'menu' => ['menu', ''], 'textarea' => ['textarea', '<p>None yet</p>'], 'social' => ['social', ''], 'secret' => ['text', 'NEVER-SENT']];
    foreach ($types as $name => [$datatype, $default]) {
        if (!$DB->record_exists('user_info_field', ['shortname' => "int_$name"])) {
            $DB->insert_record('user_info_field', (object) ['shortname' => "int_$name", 'name' => $name === 'social' ? 'skype' : "Integration: $name",
                'datatype' => $datatype, 'descriptionformat' => FORMAT_HTML, 'categoryid' => 1, 'sortorder' => 1, 'visible' => 2,
                'defaultdata' => $default, 'param1' => ['menu' => "Small\nLarge & wide", 'datetime' => '1900'][$datatype] ?? '',
                'param2' => ['text' => '2048', 'datetime' => '2040'][$datatype] ?? '', 'param3' => $name === 'datetime' ? '1' : '']);
        }
    }
}

/**
 * Saves a person's custom profile fields, as the form does.
 *
 * @param int $userid
 * @param array $values by short name
 */
function save_profile(int $userid, array $values): void {
    $user = (object) ['id' => $userid];
    foreach ($values as $name => $value) {
        $user->{"profile_field_int_$name"} = $value;
    }
    profile_save_data($user);
    \core\event\user_updated::create_from_userid($userid)->trigger();
}

/**
 * Makes a custom field of courses of each type, unless they are there.
 */
function make_course_fields(): void {
    global $DB, $generator;
    $config = ['text' => ['defaultvalue' => 'Pearson'], 'checkbox' => ['checkbydefault' => 1], 'date' => ['includetime' => 0],
        'select' => ['options' => "Entry\nHigher & more", 'defaultvalue' => 'Entry'], 'textarea' => ['defaultvalue' => '<p>Soon</p>']];
    if (!$DB->record_exists('customfield_field', ['shortname' => 'int_text'])) {
        $fields = $generator->get_plugin_generator('core_customfield');
        $category = $fields->create_category();
        foreach ($config as $type => $configdata) {
            $fields->create_field(['categoryid' => $category->get('id'), 'type' => $type, 'shortname' => "int_$type",
                'name' => "Integration: $type", 'configdata' => $configdata]);
        }
    }
}

/**
 * Adds a column to the gradebook.
 *
 * @param int $courseid
 * @param string $name
 * @param array $more fields
 * @return grade_item
 */
function new_item(int $courseid, string $name, array $more): grade_item {
    $item = new grade_item(['courseid' => $courseid, 'itemtype' => 'manual', 'itemname' => $name] + $more, false);
    $item->insert();
    return $item;
}

/**
 * The data of an assignment's grading form.
 *
 * @param string $grade
 * @param string $feedback HTML
 * @return stdClass
 */
function grading_form(string $grade, string $feedback): stdClass {
    return (object) [
        'grade' => $grade, 'attemptnumber' => -1, 'addattempt' => 0, 'workflowstate' => '', 'applytoall' => 0,
        'sendstudentnotifications' => false, 'assignfeedbackcomments_editor' => ['text' => $feedback, 'format' => FORMAT_HTML],
    ];
}

/**
 * Copies a course with its people and grades, by backup and restore.
 *
 * @param stdClass $course
 * @return int id of the copy
 */
function copy_course(stdClass $course): int {
    global $USER;
    $backup = new backup_controller(backup::TYPE_1COURSE, $course->id, backup::FORMAT_MOODLE, backup::INTERACTIVE_NO,
        backup::MODE_GENERAL, $USER->id);
    $backup->execute_plan();
    $file = $backup->get_results()['backup_destination'];
    $backup->destroy();

    $folder = restore_controller::get_tempdir_name($course->id, $USER->id);
    $file->extract_to_pathname(get_file_packer('application/vnd.moodle.backup'), make_backup_temp_directory($folder));
    $copy = restore_dbops::create_new_course('Copy', unique('COPY'), $course->category);
    $restore = new restore_controller($folder, $copy, backup::INTERACTIVE_NO, backup::MODE_GENERAL, $USER->id, backup::TARGET_NEW_COURSE);
    if (!$restore->execute_precheck()) {
        cli_error('The backup cannot be restored: ' . json_encode($restore->get_precheck_results()));
    }
    $restore->execute_plan();
    $restore->destroy();
    return $copy;
}

$now = time();
$generator = new testing_data_generator();

cli_writeln('Users');
$ada = step('created', fn() => new_user('ada', 'Ada', "O'Neil \"q\" & <b>",
    ['idnumber' => unique('S1'), 'phone1' => '+44 20 7946 0000', 'phone2' => '07700 900000', 'city' => 'London', 'country' => 'GB',
     'institution' => 'College', 'department' => 'Science', 'lang' => 'en', 'timezone' => 'Europe/London']));
$omar = step('created, Arabic', fn() => new_user('omar', 'عمر', 'عبد الله', ['city' => 'الرياض', 'country' => 'SA']));
$wei = step('created, Chinese', fn() => new_user('wei', '伟', '王', ['idnumber' => '００７']));
$zoe = step('created, emoji', fn() => new_user('zoe', 'Zoë 🎓', 'O’Brien 👩🏽‍🏫'));
$leo = step('created, not confirmed', fn() => new_user('leo', 'Leo', 'Leaves', ['confirmed' => 0]));
step('last name changed', fn() => user_update_user((object) ['id' => $ada, 'lastname' => 'Smith-Jones'], false));
step('saved without a change', fn() => user_update_user((object) ['id' => $ada, 'lastname' => 'Smith-Jones'], false));
step('suspended', fn() => user_update_user((object) ['id' => $wei, 'suspended' => 1], false));
step('suspended and activated', function () use ($zoe) {
    user_update_user((object) ['id' => $zoe, 'suspended' => 1], false);
    user_update_user((object) ['id' => $zoe, 'suspended' => 0], false);
});
step('created and rolled back', fn() => rolled_back(fn() => new_user('never', 'NEVER-SENT', 'Ghost')));
step('renamed and rolled back', fn() => rolled_back(
    fn() => user_update_user((object) ['id' => $omar, 'firstname' => 'NEVER-SENT'], false)));
$short = step('created to be deleted', fn() => new_user('short', 'Short', 'Lived'));
step('created and deleted within a transaction', function () use ($DB) {
    $transaction = $DB->start_delegated_transaction();
    user_delete_user($DB->get_record('user', ['id' => new_user('brief', 'Brief', 'Lived')]));
    $transaction->allow_commit();
});

step('custom profile fields', function () use ($ada, $wei, $zoe, $now) {
    make_profile_fields();
    $full = ['text' => 'Zoë "q" 🎓', 'checkbox' => 0, 'date' => make_timestamp(1965, 5, 23), 'datetime' => $now, 'menu' => 'Large & wide',
        'textarea' => ['text' => '<p>a &amp; b</p>', 'format' => FORMAT_HTML], 'social' => 'zoe', 'secret' => 'NEVER-SENT'];
    foreach ([$ada, $wei, $zoe] as $user) {
        save_profile($user, $full);
    }
});
step('custom profile fields changed and emptied', function () use ($ada, $wei) {
    save_profile($wei, ['text' => '', 'checkbox' => 1, 'date' => 0, 'menu' => 'Small', 'textarea' => ['text' => '', 'format' => FORMAT_HTML]]);
    save_profile($ada, ['secret' => 'NEVER-SENT either']);
});

cli_writeln('Courses');
$category = step('category created', fn() => core_course_category::create(['name' => unique('Science')]));
$course = step('created', fn() => create_course((object) [
    'fullname' => 'Курс по физике 🧪', 'shortname' => unique('PHY'), 'idnumber' => unique('C1'), 'category' => $category->id,
    'startdate' => $now - WEEKSECS, 'enddate' => $now + YEARSECS, 'enablecompletion' => 1]));
$other = step('created, another', fn() => create_course((object) [
    'fullname' => 'Mathematics', 'shortname' => unique('MAT'), 'category' => $category->id, 'format' => 'weeks', 'enablecompletion' => 1]));
step('renamed and hidden', fn() => update_course((object) ['id' => $other->id, 'fullname' => 'Mathematics & logic', 'visible' => 0]));
step('custom course fields', function () use ($course, $now) {
    make_course_fields();
    update_course((object) ['id' => $course->id, 'customfield_int_text' => 'City & Guilds', 'customfield_int_checkbox' => 0,
        'customfield_int_date' => make_timestamp(2027, 1, 31), 'customfield_int_select' => 2,
        'customfield_int_textarea_editor' => ['text' => '<p>Now &amp; then</p>', 'format' => FORMAT_HTML]]);
    update_course((object) ['id' => $course->id, 'customfield_int_text' => '']);
});
step('category below another one', function () use ($category) {
    $above = core_course_category::create(['name' => unique('Faculty')]);
    core_course_category::get($category->id)->change_parent($above->id);
});
$category = core_course_category::get($category->id);
step('category renamed', fn() => $category->update(['name' => unique('Sciences 🔬')]));
step('created and rolled back', fn() => rolled_back(fn() => create_course((object) [
    'fullname' => 'NEVER-SENT', 'shortname' => unique('NEVER-SENT'), 'category' => $category->id])));
$course = get_course($course->id);
$context = context_course::instance($course->id);

cli_writeln('Enrolments');
$role = $DB->get_records_menu('role', null, '', 'shortname, id');
$manual = enrol_get_plugin('manual');
$instance = $DB->get_record('enrol', ['courseid' => $course->id, 'enrol' => 'manual'], '*', MUST_EXIST);
$otherinstance = $DB->get_record('enrol', ['courseid' => $other->id, 'enrol' => 'manual'], '*', MUST_EXIST);
step('a student for 90 days', fn() => $manual->enrol_user($instance, $ada, $role['student'], $now, $now + 90 * DAYSECS));
step('her end moved', fn() => $manual->enrol_user($instance, $ada, $role['student'], $now, $now + 180 * DAYSECS));
step('students', function () use ($manual, $instance, $role, $omar, $zoe, $leo) {
    foreach ([$omar, $zoe, $leo] as $student) {
        $manual->enrol_user($instance, $student, $role['student']);
    }
});
step('a teacher', fn() => $manual->enrol_user($instance, $wei, $role['editingteacher']));
step('by a second method', function () use ($DB, $course, $role, $ada) {
    $self = enrol_get_plugin('self');
    $id = $self->add_instance($course, ['status' => ENROL_INSTANCE_ENABLED, 'roleid' => $role['student']]);
    $self->enrol_user($DB->get_record('enrol', ['id' => $id]), $ada, $role['student']);
});
step('without a role, which is assigned later', function () use ($manual, $otherinstance, $role, $zoe, $other) {
    $manual->enrol_user($otherinstance, $zoe);
    role_assign($role['teacher'], $zoe, context_course::instance($other->id)->id);
});
step('a role of the site\'s own added', function () use ($ada, $context) {
    $rep = create_role('Course rep', unique('rep'), '');
    set_role_contextlevels($rep, [CONTEXT_COURSE]);
    role_assign($rep, $ada, $context->id);
});
step('a role assigned and unassigned', function () use ($role, $omar, $context) {
    role_assign($role['teacher'], $omar, $context->id);
    role_unassign($role['teacher'], $omar, $context->id);
});
step('one suspended', fn() => $manual->update_user_enrol($instance, $omar, ENROL_USER_SUSPENDED));
step('one suspended and rolled back', fn() => rolled_back(
    fn() => $manual->update_user_enrol($instance, $ada, ENROL_USER_SUSPENDED)));
step('method disabled and enabled', function () use ($manual, $instance) {
    $manual->update_status($instance, ENROL_INSTANCE_DISABLED);
    $manual->update_status($instance, ENROL_INSTANCE_ENABLED);
});
step('method disabled in the other course', function () use ($manual, $otherinstance, $ada, $role) {
    $manual->enrol_user($otherinstance, $ada, $role['student']);
    $manual->update_status($otherinstance, ENROL_INSTANCE_DISABLED);
});
step('unenrolled', fn() => $manual->unenrol_user($instance, $leo));
$cohort = step('cohort synchronised', function () use ($course, $role, $leo, $short) {
    $id = cohort_add_cohort((object) ['contextid' => context_system::instance()->id, 'name' => unique('Cohort Ω')]);
    cohort_add_member($id, $leo);
    cohort_add_member($id, $short);
    $enabled = explode(',', get_config('core', 'enrol_plugins_enabled'));
    set_config('enrol_plugins_enabled', implode(',', array_unique(array_merge($enabled, ['cohort']))));
    enrol_get_plugin('cohort')->add_instance($course, ['customint1' => $id, 'roleid' => $role['student']]);
    enrol_cohort_sync(new null_progress_trace(), $course->id);
    return $id;
});

step('groups', function () use ($course, $ada, $zoe) {
    $groups = array_map(fn($name) => groups_create_group((object) ['courseid' => $course->id, 'name' => $name]), ['B', 'A', 'Gone', 'Ω']);
    foreach ($groups as $group) {
        groups_add_member($group, $ada);
    }
    groups_add_member($groups[1], $zoe);
    groups_remove_member($groups[1], $zoe);
    groups_update_group((object) ['id' => $groups[0], 'courseid' => $course->id, 'name' => 'Renamed']);
    groups_delete_group($groups[2]);
});
step('a cohort renamed', fn() => cohort_update_cohort((object) ['id' => $cohort, 'name' => unique('Cohort "2"'),
    'contextid' => context_system::instance()->id]));

cli_writeln('Grades');
$coursework = step('category of grades', function () use ($course) {
    $coursework = new grade_category(['courseid' => $course->id, 'fullname' => 'Coursework'], false);
    $coursework->insert();
    return $coursework;
});
$assignment = step('assignment', fn() => $generator->create_module('assign', [
    'course' => $course->id, 'name' => 'Essay №1 <i>x</i>', 'grade' => 100, 'gradecat' => $coursework->id, 'idnumber' => unique('ESSAY'),
    'assignfeedback_comments_enabled' => 1]));
$module = get_coursemodule_from_instance('assign', $assignment->id, $course->id, false, MUST_EXIST);
$essay = new assign(context_module::instance($module->id), $module, $course);
step('82.5 with feedback in HTML', fn() => $essay->save_grade($ada, grading_form('82.5', '<p>Well done 🎉 &amp; مرحبا</p><script>alert(1)</script>')));
step('a third', fn() => $essay->save_grade($zoe, grading_form('33.333333', '')));
step('only the feedback changed', fn() => $essay->save_grade($ada, grading_form('82.5', '<p>Changed</p>')));
step('40, then none', function () use ($essay, $leo) {
    $essay->save_grade($leo, grading_form('40', ''));
    $essay->save_grade($leo, grading_form('-1', ''));
});
step('90 and rolled back', fn() => rolled_back(fn() => $essay->save_grade($ada, grading_form('90', '<p>NEVER-SENT</p>'))));
$oral = step('column made by hand', fn() => new_item($course->id, 'Oral', ['gradetype' => GRADE_TYPE_VALUE, 'grademax' => 10]));
step('7.25, right to left', fn() => $oral->update_final_grade($ada, 7.25, 'gradebook', '<p dir="rtl">ممتاز</p>', FORMAT_HTML));
step('more than the maximum', fn() => $oral->update_final_grade($zoe, 99, 'gradebook'));
step('feedback alone', fn() => $oral->update_final_grade($leo, false, 'gradebook', '<p>See <script>alert(1)</script></p>', FORMAT_HTML));
step('maximum from 10 to 20', function () use ($oral, $course) {
    $oral->grademax = 20;
    $oral->update('integration');
    grade_regrade_final_grades($course->id);
});
step('by a scale', function () use ($generator, $course, $ada, $zoe) {
    $scale = $generator->create_scale(['name' => 'PMD', 'scale' => 'Refer, Pass,Merit , Distinction', 'courseid' => $course->id]);
    $unit = new_item($course->id, 'Unit', ['gradetype' => GRADE_TYPE_SCALE, 'scaleid' => $scale->id]);
    $unit->update_final_grade($ada, 3, 'gradebook');
    $unit->update_final_grade($zoe, 1, 'gradebook');
});
step('excluded and regraded', function () use ($oral, $zoe, $course) {
    grade_grade::fetch(['itemid' => $oral->id, 'userid' => $zoe])->set_excluded(true);
    grade_regrade_final_grades($course->id);
});
step('hidden, then changed', function () use ($course, $ada) {
    $item = new_item($course->id, 'Hidden grade', ['grademax' => 10]);
    $item->update_final_grade($ada, 5, 'gradebook', 'for all to see');
    grade_grade::fetch(['itemid' => $item->id, 'userid' => $ada])->set_hidden(1);
    $item->update_final_grade($ada, 6, 'gradebook', 'NEVER-SENT');
});
step('hidden column', function () use ($course, $ada) {
    $item = new_item($course->id, 'Hidden column', ['grademax' => 10]);
    $item->set_hidden(1);
    $item->update_final_grade($ada, 6, 'gradebook', 'NEVER-SENT');
});
step('hidden until next week', function () use ($course, $ada, $now) {
    $item = new_item($course->id, 'Hidden until', ['grademax' => 10]);
    $item->set_hidden($now + WEEKSECS);
    $item->update_final_grade($ada, 6, 'gradebook', 'NEVER-SENT');
});
step('hidden and shown again, hidden until yesterday', function () use ($course, $ada, $zoe, $now) {
    $item = new_item($course->id, 'Shown again', ['grademax' => 10]);
    $item->update_final_grade($ada, 5, 'gradebook');
    $item->update_final_grade($zoe, 4, 'gradebook');
    $item->set_hidden(1);
    $item->set_hidden(0);
    grade_grade::fetch(['itemid' => $item->id, 'userid' => $ada])->set_hidden($now - DAYSECS);
});
step('a grade deleted', function () use ($course, $zoe) {
    $item = new_item($course->id, 'Deleted grade', ['grademax' => 10]);
    $item->update_final_grade($zoe, 5, 'gradebook');
    grade_grade::fetch(['itemid' => $item->id, 'userid' => $zoe])->delete('integration');
});

cli_writeln('Completion');
step('course completed', function () use ($course, $ada, $zoe) {
    (new completion_completion(['userid' => $ada, 'course' => $course->id]))->mark_complete();
    (new completion_completion(['userid' => $zoe, 'course' => $course->id]))->mark_complete();
});
step('in progress, not completed', fn() => (new completion_completion(['userid' => $leo, 'course' => $course->id]))->mark_inprogress());

cli_writeln('Copies');
step('course backed up and restored', fn() => copy_course($course));
$reset = step('backed up and restored again', fn() => copy_course($course));
if (!$options['keep']) {
    step('the second copy reset', fn() => reset_course_userdata((object) [
        'id' => $reset, 'reset_gradebook_grades' => 1, 'reset_completion' => 1, 'unenrol_users' => [$role['student']]]));

    cli_writeln('Deletions');
    step('a column', fn() => grade_item::fetch(['courseid' => $course->id, 'itemname' => 'Shown again'])->delete('integration'));
    step('an activity', fn() => course_delete_module($module->id));
    step('an enrolment method', fn() => enrol_get_plugin('self')->delete_instance(
        $DB->get_record('enrol', ['courseid' => $course->id, 'enrol' => 'self', 'roleid' => $role['student'], 'status' => 0])));
    step('a member of the cohort', function () use ($cohort, $leo, $course) {
        cohort_remove_member($cohort, $leo);
        enrol_cohort_sync(new null_progress_trace(), $course->id);
    });
    step('the cohort', fn() => cohort_delete_cohort($DB->get_record('cohort', ['id' => $cohort])));
    step('a user', fn() => user_delete_user($DB->get_record('user', ['id' => $short])));
    step('a user with grades', fn() => user_delete_user($DB->get_record('user', ['id' => $zoe])));
    step('a course', fn() => delete_course($other->id, false));
    step('a category with the course\'s copies in it', function () use ($category) {
        $empty = core_course_category::create(['name' => unique('Moved')]);
        $category->delete_move($empty->id);
    });
    step('the course', fn() => delete_course($course->id, false));
}
