<?php
// Usage: php pages.php STEP
//
// Prepares a Moodle for a step of scripts/plugin-pages.
//
// Environment: MOODLE_CONFIG (path of Moodle's config.php), ADMIN_PASSWORD.

define('CLI_SCRIPT', true);
require(getenv('MOODLE_CONFIG'));
require_once($CFG->dirroot . '/user/lib.php');
require_once($CFG->dirroot . '/course/lib.php');
require_once($CFG->libdir . '/clilib.php');
require_once($CFG->libdir . '/filterlib.php');
require_once($CFG->libdir . '/gradelib.php');
require_once(__DIR__ . '/step.php');

use local_backend_sync\local\delivery\change;
use local_backend_sync\local\ledger;

/**
 * An account.
 *
 * @param string $username
 * @param string $first
 * @param string $last
 * @return int
 */
function account(string $username, string $first, string $last): int {
    global $CFG;
    return user_create_user((object) [
        'username' => $username, 'firstname' => $first, 'lastname' => $last, 'email' => "$username@college.example",
        'idnumber' => "student-$username", 'password' => 'Passw0rd!x', 'auth' => 'manual', 'confirmed' => 1,
        'mnethostid' => $CFG->mnet_localhost_id,
    ]);
}

$steps = [
    // Students with grades, in theme designer mode.
    'site' => function () {
        global $DB;
        set_config('themedesignermode', 1);
        // Moodle 4 has its browsers fetch that from another host.
        filter_set_global_state('mathjaxloader', TEXTFILTER_DISABLED);
        update_internal_user_password(get_admin(), getenv('ADMIN_PASSWORD'));
        $course = create_course((object) ['fullname' => 'Mathematics', 'shortname' => 'MATH', 'category' => 1]);
        $enrol = $DB->get_record('enrol', ['courseid' => $course->id, 'enrol' => 'manual'], '*', MUST_EXIST);
        $role = $DB->get_field('role', 'id', ['shortname' => 'student'], MUST_EXIST);
        $item = new grade_item(['courseid' => $course->id, 'itemtype' => 'manual', 'itemname' => 'Essay'], false);
        $item->insert();
        $people = ['ada' => 'Ada Lovelace', 'alan' => 'Alan Turing', 'edsger' => 'Edsger Dijkstra', 'grace' => 'Grace Hopper',
            'john' => 'John Backus'];
        foreach ($people as $username => $name) {
            $id = account($username, ...explode(' ', $name));
            enrol_get_plugin('manual')->enrol_user($enrol, $id, $role);
            $item->update_final_grade($id, 80, 'test', '<p>Well done.</p>');
        }
    },
    // Changes that the backend rejected, although it would accept them now.
    'rejected' => function () {
        global $DB;
        $users = $DB->get_fieldset_select('user', 'id', "idnumber LIKE 'student-%'");
        $reasons = ['validation_failed' => '/data/firstname: It has more than 100 characters.', 'superseded' => '',
            'intercepted' => 'HTTP 403', 'fatal' => '', 'internal' => 'An internal error.'];
        foreach ($reasons as $code => $detail) {
            $id = array_pop($users);
            $DB->insert_record(ledger::REJECTED, ['kind' => change::USER, 'objectid' => $id, 'userid' => $id, 'event' => 'updated',
                'code' => $code, 'detail' => $detail, 'timecreated' => time()]);
        }
    },
    // Something that waits.
    'change' => function () {
        account(uniqid('new'), 'Barbara', 'Liskov');
    },
];
step($argv[1], $steps[$argv[1]]);
