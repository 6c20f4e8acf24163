<?php
// Usage: php day.php FILE [--other]
//
// Makes the changes of a day in the course that changes.php --keep made last, which a backup from the day before lacks: new people with
// enrolments and grades, changes and deletions of what was there before. Writes the ids of what it made to FILE.
//
//   --other   another day instead: after Moodle was restored from a backup, its database gives the ids of the day that is lost, which
//             FILE has, to other people and courses. Fails if it does not.
//
// Environment: MOODLE_CONFIG (path of Moodle's config.php).

define('CLI_SCRIPT', true);
require(getenv('MOODLE_CONFIG'));
require_once($CFG->libdir . '/clilib.php');
require_once($CFG->libdir . '/enrollib.php');
require_once($CFG->libdir . '/gradelib.php');
require_once($CFG->libdir . '/testing/generator/lib.php');
require_once($CFG->dirroot . '/completion/completion_completion.php');
require_once($CFG->dirroot . '/course/lib.php');
require_once($CFG->dirroot . '/user/lib.php');

[$options, [$file]] = cli_get_params(['other' => false]);
require(__DIR__ . '/step.php');

const IDS_OF = ['user', 'course', 'user_enrolments', 'grade_items', 'grade_grades', 'course_completions'];

/**
 * The highest id of each table.
 *
 * @return int[] by table
 */
function highest_ids(): array {
    global $DB;
    return array_combine(IDS_OF, array_map(fn($table) => (int) $DB->get_field_sql("SELECT MAX(id) FROM {{$table}}"), IDS_OF));
}

/**
 * The newest person with a first name.
 *
 * @param string $firstname
 * @return stdClass
 */
function newest(string $firstname): stdClass {
    global $DB;
    $users = $DB->get_records('user', ['firstname' => $firstname, 'deleted' => 0], 'id DESC', '*', 0, 1);
    return reset($users);
}

/**
 * Makes a course with new people.
 *
 * @param string $name
 * @param int $count of people
 * @param stdClass[] $enrols enrolment methods of further courses for them
 * @return int[] their ids
 */
function new_course(string $name, int $count, array $enrols = []): array {
    global $DB;
    $run = bin2hex(random_bytes(4));
    $student = $DB->get_field('role', 'id', ['shortname' => 'student']);
    $category = core_course_category::create(['name' => "$name $run"]);
    $course = create_course((object) ['fullname' => "$name course", 'shortname' => "$name-$run", 'category' => $category->id,
        'enablecompletion' => 1]);
    $enrols[] = $DB->get_record('enrol', ['courseid' => $course->id, 'enrol' => 'manual'], '*', MUST_EXIST);
    $item = new grade_item(['courseid' => $course->id, 'itemtype' => 'manual', 'itemname' => "$name paper", 'grademax' => 10], false);
    $item->insert();
    $users = [];
    for ($i = 1; $i <= $count; $i++) {
        $users[] = $user = (new testing_data_generator())->create_user(['firstname' => $name, 'lastname' => "Person $i",
            'username' => core_text::strtolower("$name-$i-$run"), 'email' => core_text::strtolower("$name-$i-$run") . '@example.com'])->id;
        foreach ($enrols as $enrol) {
            enrol_get_plugin('manual')->enrol_user($enrol, $user, $student);
        }
        $item->update_final_grade($user, $i, 'gradebook', "$name feedback $i", FORMAT_PLAIN);
        (new completion_completion(['userid' => $user, 'course' => $course->id]))->mark_complete();
    }
    grade_regrade_final_grades($course->id);
    return $users;
}

$before = highest_ids();
if ($options['other']) {
    step('another course with other people', fn() => new_course('Other', 2));
} else {
    $ada = newest('Ada');
    $courses = $DB->get_records_select('course', $DB->sql_like('shortname', '?'), ['PHY-%'], 'id DESC', '*', 0, 1);
    $course = reset($courses);
    $enrol = $DB->get_record('enrol', ['courseid' => $course->id, 'enrol' => 'manual'], '*', MUST_EXIST);
    $oral = grade_item::fetch(['courseid' => $course->id, 'itemname' => 'Oral']);
    $people = step('a course with people, also in the old course', fn() => new_course('Lost', 3, [$enrol]));
    step('their grades in the old course', function () use ($people, $oral) {
        foreach ($people as $user) {
            $oral->update_final_grade($user, 9, 'gradebook');
        }
    });
    step('a person renamed', fn() => user_update_user((object) ['id' => $ada->id, 'lastname' => 'Lost-Name'], false));
    step('a grade changed', fn() => $oral->update_final_grade($ada->id, 1.5, 'gradebook'));
    step('an enrolment gone', fn() => enrol_get_plugin('manual')->unenrol_user($enrol, newest('عمر')->id));
    step('a person with grades gone', fn() => user_delete_user(newest('Zoë 🎓')));
    step('totals made', fn() => grade_regrade_final_grades($course->id));
}

$made = [];
foreach ($before as $table => $last) {
    $made[$table] = $DB->get_fieldset_select($table, 'id', 'id > ?', [$last]);
}
if (!$options['other']) {
    file_put_contents($file, json_encode($made));
    exit(0);
}
foreach (json_decode(file_get_contents($file), true) as $table => $ids) {
    $reused = count(array_intersect($ids, $made[$table]));
    cli_writeln("  $table: $reused of " . count($ids) . ' lost ids are in use again');
    if (!$reused) {
        cli_error("No id of $table is in use again: this proves nothing.");
    }
}
