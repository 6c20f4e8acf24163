<?php
// Usage: php compare.php [--values] [--absent=TEXT]
//
// Compares Moodle's tables with the backend's API, field by field, and prints how many records of each kind exist, are equal, missing in
// the backend, surplus in the backend, and different. Fails if anything differs, or if Moodle has no records of a kind.
//
//   --values       show the values that differ, which are personal data
//   --absent=TEXT  also fail if an event that contains this text has reached the backend
//
// Environment: MOODLE_CONFIG (path of Moodle's config.php), BACKEND_URL, API_TOKEN (of the backend, scope read).

define('CLI_SCRIPT', true);
require(getenv('MOODLE_CONFIG'));
require_once($CFG->libdir . '/clilib.php');
require_once(__DIR__ . '/api.php');

const DIFFERENCES_SHOWN = 20;

[$options] = cli_get_params(['values' => false, 'absent' => '']);

/**
 * Converts a database field, which is a string, to an integer.
 *
 * @param string|null $value
 * @return int|null
 */
function integer(?string $value): ?int {
    return $value === null ? null : (int) $value;
}

/**
 * The fields of a record that have the same name in the API as in Moodle's table.
 *
 * @param stdClass $row
 * @param string $integers names, separated by spaces
 * @param string $strings names, separated by spaces; decimals are strings too
 * @return array
 */
function fields(stdClass $row, string $integers, string $strings = ''): array {
    $fields = [];
    foreach (explode(' ', $integers) as $name) {
        $fields[$name] = integer($row->$name);
    }
    foreach (array_filter(explode(' ', $strings)) as $name) {
        $fields[$name] = $row->$name;
    }
    return $fields;
}

/**
 * Names in the order of their bytes.
 *
 * @param string[] $names
 * @return string[]
 */
function sorted(array $names): array {
    sort($names, SORT_STRING);
    return $names;
}

/**
 * A person's custom profile fields that are chosen, as Moodle's own classes have them.
 *
 * @param int $userid
 * @return array|null texts by short name
 */
function moodle_profile(int $userid): ?array {
    global $CFG;
    require_once($CFG->dirroot . '/user/profile/lib.php');
    $chosen = array_filter(explode(',', (string) get_config('local_backend_sync', 'custom_user')));
    $profile = [];
    foreach (profile_get_user_fields_with_data($userid) as $field) {
        $time = (int) $field->data;
        $text = ['checkbox' => fn() => $time ? '1' : '0', 'datetime' => fn() => !$time ? ''
            : ($field->field->param3 ? gmdate('Y-m-d\TH:i:s\Z', $time) : date('Y-m-d', $time))][$field->field->datatype] ?? fn() => $field->data;
        if (in_array($field->field->shortname, $chosen, true) && (string) $text() !== '') {
            $profile[$field->field->shortname] = $text();
        }
    }
    ksort($profile);
    return $chosen ? $profile : null;
}

/**
 * All users except deleted ones, those who have not confirmed their address, and the guest.
 *
 * @return array of fields by id
 */
function moodle_users(): array {
    global $CFG, $DB;
    $users = [];
    foreach ($DB->get_records_select('user', 'deleted = 0 AND confirmed = 1 AND id <> ?', [$CFG->siteguest]) as $row) {
        $users[$row->id] = ['userid' => integer($row->id)] + fields($row, 'timecreated timemodified',
            'username firstname lastname email idnumber phone1 phone2 institution department city country lang timezone auth') +
            ['confirmed' => (bool) $row->confirmed, 'suspended' => (bool) $row->suspended, 'profile' => moodle_profile($row->id),
             'cohorts' => sorted($DB->get_fieldset_sql('SELECT c.name FROM {cohort_members} m JOIN {cohort} c ON c.id = m.cohortid
                WHERE m.userid = ?', [$row->id]))];
    }
    return $users;
}

/**
 * The categories from the top to this one.
 *
 * @param int $id
 * @return array[]
 */
function moodle_categories(int $id): array {
    return array_map(fn($id) => ['id' => (int) $id, 'name' => core_course_category::get($id, MUST_EXIST, true)->name],
        array_merge(core_course_category::get($id, MUST_EXIST, true)->get_parents(), [$id]));
}

/**
 * A course's custom fields that are chosen, as Moodle's own classes have them.
 *
 * @param int $id
 * @return array|null texts by short name
 */
function moodle_course_fields(int $id): ?array {
    $chosen = array_filter(explode(',', (string) get_config('local_backend_sync', 'custom_course')));
    $fields = [];
    foreach (\core_course\customfield\course_handler::create()->get_instance_data($id, true) as $data) {
        $field = $data->get_field();
        $value = (string) $data->get_value();
        switch ($field->get('type')) {
            case 'checkbox':
                $value = $value ? '1' : '0';
                break;
            case 'date':
                $value = $value ? date('Y-m-d', (int) $value) : '';
                break;
            case 'select':
                $value = $value ? explode("\n", $field->get_configdata_property('options'))[$value - 1] : '';
        }
        if (in_array($field->get('shortname'), $chosen, true) && $value !== '') {
            $fields[$field->get('shortname')] = $value;
        }
    }
    ksort($fields);
    return $chosen ? $fields : null;
}

/**
 * All courses except the front page.
 *
 * @return array of fields by id
 */
function moodle_courses(): array {
    global $DB;
    $courses = [];
    $sql = 'SELECT c.*, cc.name AS categoryname FROM {course} c JOIN {course_categories} cc ON cc.id = c.category WHERE c.id <> ?';
    foreach ($DB->get_records_sql($sql, [SITEID]) as $row) {
        $courses[$row->id] = ['courseid' => integer($row->id), 'categoryid' => integer($row->category)] +
            fields($row, 'startdate enddate timecreated timemodified', 'fullname shortname idnumber categoryname format') +
            ['visible' => (bool) $row->visible, 'categories' => moodle_categories($row->category),
             'customfields' => moodle_course_fields($row->id)];
    }
    return $courses;
}

/**
 * All enrolments, each with all roles of the user in the course.
 *
 * @return array of fields by id
 */
function moodle_enrolments(): array {
    global $DB;
    $roles = [];
    $sql = 'SELECT ra.id, ra.userid, cx.instanceid AS courseid, r.shortname, r.archetype
              FROM {role_assignments} ra JOIN {context} cx ON cx.id = ra.contextid JOIN {role} r ON r.id = ra.roleid
             WHERE cx.contextlevel = ?';
    foreach ($DB->get_records_sql($sql, [CONTEXT_COURSE]) as $row) {
        $roles[$row->courseid][$row->userid][] = ['shortname' => $row->shortname, 'archetype' => $row->archetype];
    }
    $enrolments = [];
    $sql = 'SELECT ue.*, e.courseid, e.enrol, e.status AS instancestatus FROM {user_enrolments} ue JOIN {enrol} e ON e.id = ue.enrolid';
    foreach ($DB->get_records_sql($sql) as $row) {
        $enrolments[$row->id] = ['enrollmentid' => integer($row->id)] +
            fields($row, 'userid courseid status timestart timeend timecreated timemodified', 'enrol') +
            ['enabled' => (int) $row->instancestatus === ENROL_INSTANCE_ENABLED,
             'roles' => role_set($roles[$row->courseid][$row->userid] ?? []),
             'groups' => sorted(array_column(groups_get_all_groups($row->courseid, $row->userid), 'name'))];
    }
    return $enrolments;
}

/**
 * Roles as one sorted text without duplicates: several enrolment methods may assign the same role.
 *
 * @param array|null $roles
 * @return string|null
 */
function role_set(?array $roles): ?string {
    if ($roles === null) {
        return null;
    }
    $names = array_unique(array_map(fn($role) => $role['shortname'] . '/' . $role['archetype'], $roles));
    sort($names);
    return implode(' ', $names);
}

/**
 * What students see in their grade reports, by Moodle's own report, if all activities are available to them: whether they are, the
 * plugin does not consider (decision 0085). To somebody without a role in the course none is.
 *
 * @return array of grade, minimum and maximum as text, by item and user; grades are null where nothing is shown
 */
function moodle_reports(): array {
    global $CFG, $DB;
    require_once($CFG->dirroot . '/grade/lib.php');
    require_once($CFG->dirroot . '/grade/report/user/lib.php');
    $class = class_exists('\\gradereport_user\\report\\user') ? '\\gradereport_user\\report\\user' : '\\grade_report_user';
    // A category that is hidden until a date is no row of the report then.
    $CFG->grade_report_user_showhiddenitems = 0;
    $sql = 'SELECT DISTINCT gi.courseid, gg.userid FROM {grade_grades} gg JOIN {grade_items} gi ON gi.id = gg.itemid
              JOIN {course} c ON c.id = gi.courseid WHERE c.showgrades = 1 AND c.id <> ?';
    $seen = [];
    $text = fn($number) => $number === null ? null : number_format((float) $number, 5, '.', '');
    foreach ($DB->get_recordset_sql($sql, [SITEID]) as $pair) {
        \core\session\manager::set_user($DB->get_record('user', ['id' => $pair->userid]));
        grade_regrade_final_grades($pair->courseid);
        $return = new grade_plugin_return(['type' => 'report', 'plugin' => 'user', 'courseid' => $pair->courseid]);
        $report = new $class($pair->courseid, $return, context_course::instance($pair->courseid), $pair->userid, true);
        (function($modinfo) {
            $this->modinfo = $modinfo;
        })->call($report, get_fast_modinfo($pair->courseid, get_admin()->id));
        $report->fill_table();
        foreach ($report->gradeitemsdata as $row) {
            $seen[$row['id']][$pair->userid] = array_map($text, [$row['graderaw'], $row['grademin'], $row['grademax']]);
        }
    }
    \core\session\manager::set_user(get_admin());
    return $seen;
}

/**
 * All grades that students can see, with their items.
 *
 * @return array of fields by id
 */
function moodle_grades(): array {
    global $DB;
    $grades = [];
    $reports = moodle_reports();
    $sql = "SELECT gg.id AS gradeid, gg.userid, gg.itemid, gg.finalgrade, gg.feedback, gg.usermodified AS grader, gg.hidden, gg.timecreated,
                   gg.timemodified, gi.courseid, gi.itemname, gi.itemtype, gi.itemmodule, gi.iteminstance, gi.idnumber AS itemidnumber,
                   gi.gradetype, gi.grademin, gi.grademax, gi.gradepass, gi.scaleid, gi.hidden AS itemhidden, s.scale, gc.fullname
              FROM {grade_grades} gg JOIN {grade_items} gi ON gi.id = gg.itemid LEFT JOIN {scale} s ON s.id = gi.scaleid
         LEFT JOIN {grade_categories} gc ON gc.id = gi.iteminstance AND gi.itemtype = 'category'";
    // 0 is visible, 1 is hidden, anything else is the time until which it is hidden.
    $hidden = fn($value) => (int) $value === 1 || (int) $value > time();
    foreach ($DB->get_records_sql($sql) as $row) {
        $seen = $reports[$row->itemid][$row->userid] ?? null;
        $isblank = !$seen || ($seen[0] === null && $row->finalgrade !== null && (string) $row->feedback === '');
        if ($isblank || $hidden($row->hidden) || $hidden($row->itemhidden)) {
            continue;
        }
        [$row->finalgrade, $row->grademin, $row->grademax] = $seen;
        $row->itemname = (string) $row->itemname === '' ? $row->fullname : $row->itemname;
        // With a scale, the grade is the number of the scale's entry, from 1.
        $entries = $row->scale === null ? [] : array_map('trim', explode(',', $row->scale));
        $text = $row->finalgrade === null ? null : ($entries[(int) round($row->finalgrade) - 1] ?? null);
        $grades[$row->gradeid] = fields($row,
            'gradeid userid itemid grader timecreated timemodified courseid iteminstance gradetype scaleid',
            'finalgrade feedback itemname itemtype itemmodule itemidnumber grademin grademax gradepass scale') +
            ['hidden' => false, 'gradetext' => $text];
    }
    return $grades;
}

/**
 * All course completions.
 *
 * @return array of fields by id
 */
function moodle_completions(): array {
    global $DB;
    $completions = [];
    foreach ($DB->get_records_select('course_completions', 'timecompleted > 0') as $row) {
        $completions[$row->id] = ['completionid' => integer($row->id), 'courseid' => integer($row->course)] +
            fields($row, 'userid timecompleted');
    }
    return $completions;
}

/**
 * Whether a field is the same on both sides. Moodle stores a text that is not set as null or as an empty string.
 *
 * @param mixed $moodle
 * @param mixed $backend
 * @return bool
 */
function same($moodle, $backend): bool {
    return $moodle === $backend || (in_array($moodle, [null, ''], true) && in_array($backend, [null, ''], true));
}

// The backend may serve other sites as well.
$handshake = $DB->get_field('local_backend_sync_state', 'value', ['name' => 'handshake'], MUST_EXIST);
$site = json_decode($handshake, true)['site'];
$kinds = [
    'users' => ['userid', moodle_users()],
    'courses' => ['courseid', moodle_courses()],
    'enrolments' => ['enrollmentid', moodle_enrolments()],
    'grades' => ['gradeid', moodle_grades()],
    'completions' => ['completionid', moodle_completions()],
];
$differences = [];
$empty = [];
$row = "%-12s %9s %11s %7s %8s %8s %10s\n";
printf($row, 'kind', 'in Moodle', 'in backend', 'equal', 'missing', 'surplus', 'different');
foreach ($kinds as $kind => [$key, $expected]) {
    $count = ['equal' => 0, 'missing' => 0, 'surplus' => 0, 'different' => 0];
    $found = [];
    ksort($expected);
    foreach (backend_items($kind, $site) as $item) {
        if (!$item['deleted']) {
            $found[$item[$key]] = $item;
        }
    }
    foreach ($expected as $id => $fields) {
        if (!isset($found[$id]) && $kind === 'grades' && $fields['finalgrade'] === null && (string) $fields['feedback'] === '') {
            // Moodle has a row for every gradable user, and keeps it when the grade is removed.
            unset($expected[$id]);
            continue;
        }
        if (!isset($found[$id])) {
            $count['missing']++;
            $differences[] = "$kind $id: missing in the backend";
            continue;
        }
        if ($kind === 'enrolments') {
            $found[$id]['roles'] = role_set($found[$id]['roles']);
        }
        $different = false;
        foreach ($fields as $name => $value) {
            if (!same($value, $found[$id][$name])) {
                $different = true;
                $shown = ' is ' . json_encode($value, JSON_UNESCAPED_UNICODE) . ' in Moodle, '
                    . json_encode($found[$id][$name], JSON_UNESCAPED_UNICODE) . ' in the backend';
                $differences[] = "$kind $id: $name" . ($options['values'] ? $shown : ' is different');
            }
        }
        $count[$different ? 'different' : 'equal']++;
    }
    foreach (array_keys(array_diff_key($found, $expected)) as $id) {
        $count['surplus']++;
        $differences[] = "$kind $id: in the backend and not deleted, but not in Moodle";
    }
    if (!$expected) {
        $empty[] = $kind;
    }
    printf($row, $kind, count($expected), count($found), ...array_values($count));
}

if ($options['absent'] !== '') {
    // Of whatever site.
    foreach (backend_items('events') as $event) {
        if (strpos(json_encode($event['data'], JSON_UNESCAPED_UNICODE), $options['absent']) !== false) {
            $differences[] = "event {$event['id']} ({$event['type']}, {$event['record']}): contains what should never have been sent";
        }
    }
}

foreach (array_slice($differences, 0, DIFFERENCES_SHOWN) as $difference) {
    cli_writeln($difference);
}
if (count($differences) > DIFFERENCES_SHOWN) {
    cli_writeln('... and ' . (count($differences) - DIFFERENCES_SHOWN) . ' more');
}
if ($differences) {
    cli_error('Differences between Moodle and the backend: ' . count($differences)
        . ($options['values'] ? '.' : '. Use --values to see the values.'));
}
if ($empty) {
    cli_error('The comparison proves nothing, because Moodle has no ' . implode(', ', $empty) . '.');
}
