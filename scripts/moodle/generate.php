<?php
// Usage: php generate.php USERS
//
// Fills a Moodle quickly and without events, as a migration does: USERS users in one course with five grades each, and some completions.
//
// Environment: MOODLE_CONFIG (path of Moodle's config.php).

define('CLI_SCRIPT', true);
require(getenv('MOODLE_CONFIG'));
require_once($CFG->dirroot . '/course/lib.php');
require_once($CFG->libdir . '/enrollib.php');
require_once($CFG->libdir . '/gradelib.php');

const ROWS = 1000;

\core\session\manager::set_user(get_admin());
$run = uniqid('gen');
$course = create_course((object) ['fullname' => "Course $run", 'shortname' => $run, 'category' => 1, 'enablecompletion' => 1]);
$context = context_course::instance($course->id);
$enrol = $DB->get_field('enrol', 'id', ['courseid' => $course->id, 'enrol' => 'manual'], MUST_EXIST);
$role = $DB->get_field('role', 'id', ['shortname' => 'student'], MUST_EXIST);
$items = [];
for ($i = 1; $i <= 5; $i++) {
    $item = new grade_item(['courseid' => $course->id, 'itemtype' => 'manual', 'itemname' => "Unit $i"], false);
    $items[] = $item->insert();
}

$time = time();
$times = ['timecreated' => $time, 'timemodified' => $time];
for ($first = 0; $first < (int) $argv[1]; $first += ROWS) {
    $users = [];
    for ($i = $first; $i < $first + ROWS; $i++) {
        $users[] = $times + [
            'auth' => 'manual', 'confirmed' => 1, 'mnethostid' => $CFG->mnet_localhost_id, 'username' => "$run-$i", 'password' => 'x',
            'firstname' => "First $i", 'lastname' => "Last $i", 'email' => "$run-$i@example.com", 'lang' => 'en', 'city' => 'London',
        ];
    }
    $DB->insert_records('user', $users);
    $ids = $DB->get_fieldset_select('user', 'id', $DB->sql_like('username', '?') . ' AND id > ?', ["$run-%", $last ?? 0]);
    $last = max($ids);
    $DB->insert_records('user_enrolments', array_map(function ($id) use ($enrol, $times) {
        return $times + ['enrolid' => $enrol, 'userid' => $id, 'modifierid' => 2];
    }, $ids));
    $DB->insert_records('role_assignments', array_map(function ($id) use ($role, $context, $time) {
        return ['roleid' => $role, 'contextid' => $context->id, 'userid' => $id, 'timemodified' => $time, 'modifierid' => 2];
    }, $ids));
    foreach ($items as $item) {
        $DB->insert_records('grade_grades', array_map(function ($id) use ($item, $times) {
            return $times + ['itemid' => $item, 'userid' => $id, 'finalgrade' => $id % 100, 'feedback' => '<p>Well done, go on like this.</p>'];
        }, $ids));
    }
    $DB->insert_records('course_completions', array_map(function ($id) use ($course, $time) {
        return ['userid' => $id, 'course' => $course->id, 'timeenrolled' => $time, 'timecompleted' => $id % 4 ? null : $time];
    }, $ids));
}
echo "Users generated, with their enrolments and grades: {$argv[1]}.\n";
