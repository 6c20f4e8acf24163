<?php
// Usage: php drift.php
//
// Sends records, changes them as Moodle does when it reports no event for each of them, or none at all, and sends again, with the light
// comparison. What it makes must be the same on both sides then. Prints each step.
//
// Environment: MOODLE_CONFIG (path of Moodle's config.php). The plugin is installed and its backend can be reached.

define('CLI_SCRIPT', true);
require(getenv('MOODLE_CONFIG'));
require_once($CFG->libdir . '/clilib.php');
require_once($CFG->libdir . '/gradelib.php');
require_once($CFG->libdir . '/completionlib.php');
require_once($CFG->libdir . '/testing/generator/lib.php');
require_once($CFG->dirroot . '/completion/completion_completion.php');
require_once($CFG->dirroot . '/course/lib.php');

use local_backend_sync\local\comparison;
use local_backend_sync\local\database_memory;
use local_backend_sync\local\findings;
use local_backend_sync\local\runner;

require(__DIR__ . '/step.php');

/**
 * Sends what waits, as the task does each minute, as if the time of the light comparison's next round had come.
 */
function send(): void {
    $memory = new database_memory();
    $state = $memory->get(comparison::STATE);
    if ($state) {
        $memory->set(comparison::STATE, ['step' => 0, 'cursor' => 0] + $state);
    }
    $report = runner::run(300, true);
    if (!$report || $report->failure || !$report->empty) {
        cli_error('Not everything could be sent.');
    }
}

/**
 * How many findings there were so far.
 *
 * @return int
 */
function found(): int {
    return array_sum(array_column((new database_memory())->get(findings::STATE) ?? [], 'count'));
}

$generator = new testing_data_generator();
$run = bin2hex(random_bytes(4));
$above = core_course_category::create(['name' => "Term $run"]);
$category = core_course_category::create(['name' => "Below $run", 'parent' => $above->id]);
$course = create_course((object) ['fullname' => 'Weeks', 'shortname' => "weeks-$run", 'category' => $category->id, 'format' => 'weeks',
    'numsections' => 3, 'automaticenddate' => 1, 'startdate' => time() - YEARSECS, 'enablecompletion' => 1]);
$enrol = $DB->get_record('enrol', ['courseid' => $course->id, 'enrol' => 'manual'], '*', MUST_EXIST);
$role = create_role("Aide $run", "aide-$run", '');
set_role_contextlevels($role, [CONTEXT_COURSE]);
$users = [];
for ($i = 0; $i < 4; $i++) {
    $users[] = $generator->create_user(['username' => "drift-$i-$run", 'email' => "drift-$i-$run@example.com", 'confirmed' => $i ? 1 : 0])->id;
    enrol_get_plugin('manual')->enrol_user($enrol, $users[$i], $role);
}
(new completion_completion(['userid' => $users[1], 'course' => $course->id]))->mark_complete();
$papers = new grade_category(['courseid' => $course->id, 'fullname' => 'Papers'], false);
$papers->insert();
$item = new grade_item(['courseid' => $course->id, 'itemtype' => 'manual', 'itemname' => 'Paper', 'grademax' => 10,
    'categoryid' => $papers->id], false);
$item->insert();
foreach ([1, 2] as $i) {
    $item->update_final_grade($users[$i], 7, 'gradebook');
}
$front = new grade_item(['courseid' => SITEID, 'itemtype' => 'manual', 'itemname' => 'On the front page', 'grademax' => 10], false);
$front->insert();
$front->update_final_grade($users[1], 5, 'gradebook');
grade_regrade_final_grades($course->id);
step('sent', 'send');
$before = found();

step('a category above hidden', fn() => $above->hide());
step('a role renamed', function () use ($DB, $role, $run) {
    $DB->set_field('role', 'shortname', "helper-$run", ['id' => $role]);
    $other = ['name' => '', 'shortname' => "helper-$run", 'description' => '', 'archetype' => '', 'contextlevels' => []];
    \core\event\role_updated::create(['context' => context_system::instance(), 'objectid' => $role, 'other' => $other])->trigger();
});
step('criteria unlocked', function () use ($course) {
    (new completion_info($course))->delete_course_completion_data();
    $event = ['courseid' => $course->id, 'context' => context_course::instance($course->id)];
    \core\event\course_completion_updated::create($event)->trigger();
});
step('a section added to a course in weeks', function () use ($course) {
    course_get_format($course);
    course_create_section($course->id);
});
step('a category of grades renamed', function () use ($papers) {
    $papers->fullname = 'Essays';
    $papers->update();
});
step('an address confirmed', fn() => $DB->set_field('user', 'confirmed', 1, ['id' => $users[0]]));
step('sent', 'send');
step('an enrolment suspended, with no event', fn() => $DB->set_field('user_enrolments', 'status', ENROL_USER_SUSPENDED,
    ['enrolid' => $enrol->id, 'userid' => $users[1]]));
step('an enrolment and a grade gone, with no event', function () use ($DB, $enrol, $users, $item) {
    $DB->delete_records('user_enrolments', ['enrolid' => $enrol->id, 'userid' => $users[2]]);
    $DB->delete_records('grade_grades', ['itemid' => $item->id, 'userid' => $users[2]]);
});
step('a role gone, with no event', fn() => $DB->delete_records('role_assignments', ['roleid' => $role, 'userid' => $users[3]]));
// The first run notes what differs, the second one finds it.
step('compared', 'send');
step('compared again', 'send');
// Confirmed, renamed (the totals of two students), suspended, role gone, enrolment gone, grade gone.
$found = found() - $before;
cli_writeln("  found: $found");
exit($found === 7 ? 0 : 1);
