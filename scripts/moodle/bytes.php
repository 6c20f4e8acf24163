<?php
// Usage: php bytes.php
//        php -S HOST:PORT bytes.php
//
// Reads every record as the sender does, and compares its digest with that of what was sent: from the command line as cron does, or in
// the page of a student who reads German. Prints the counts, and fails if any differs.
//
// Environment: MOODLE_CONFIG (path of Moodle's config.php), MOODLE_URL (for a page, its own address), PRECISION (serialize_precision).

if (PHP_SAPI === 'cli') {
    define('CLI_SCRIPT', true);
}
require(getenv('MOODLE_CONFIG'));
// Moodle sets it, some versions to 17.
ini_set('serialize_precision', getenv('PRECISION'));

use local_backend_sync\local\config;
use local_backend_sync\local\database_memory;
use local_backend_sync\local\delivery\change;
use local_backend_sync\local\differences;
use local_backend_sync\local\findings;
use local_backend_sync\local\records;

/**
 * Makes this the page of somebody with another language, whose numbers have a comma.
 */
function be_a_page(): void {
    global $CFG, $DB, $PAGE;
    check_dir_exists("$CFG->dataroot/lang/de");
    file_put_contents("$CFG->dataroot/lang/de/langconfig.php", '<?php $string["thislanguage"] = "Deutsch"; $string["decsep"] = ",";');
    get_string_manager()->reset_caches(true);
    $user = $DB->get_record_select('user', "deleted = 0 AND username LIKE 'ada%'", null, '*', IGNORE_MULTIPLE);
    $user->lang = 'de';
    \core\session\manager::set_user($user);
    $PAGE->set_context(context_system::instance());
    moodle_setlocale();
    header('Content-Type: text/plain; charset=utf-8');
}

if (!CLI_SCRIPT) {
    be_a_page();
}
$config = new config();
$differences = new differences(new database_memory(), new records($config->sends_hidden()), $config->options());
$tables = [change::USER => 'user', change::COURSE => 'course', change::ENROLMENT => 'user_enrolments', change::GRADE => 'grade_grades',
    change::COMPLETION => 'course_completions'];
$compared = 0;
$different = [];
foreach ($tables as $kind => $table) {
    $ids = $DB->get_fieldset_select($table, 'id', '');
    $found = $differences->among($kind, $ids);
    // Such as grades without a value, which no event has reported.
    $compared += count($ids) - count($found[findings::ADDED] ?? []);
    $different = array_merge($different, array_keys($found[findings::CHANGED] ?? []));
}
$where = (CLI_SCRIPT ? 'the command line' : 'a page') . ', language ' . current_language();
printf("  from %s, serialize_precision %s: %d records, %d differ %s\n", $where, ini_get('serialize_precision'), $compared, count($different),
    implode(' ', array_slice($different, 0, 10)));
if ($different || !$compared) {
    CLI_SCRIPT ? exit(1) : http_response_code(500);
}
