<?php
// Usage: php compare_zoho.php
//
// Compares the backend's API with the simulated Zoho CRM under the default mapping, and prints how many records of each kind exist.
// Fails if anything differs. Deleted records must be absent or marked in Zoho, and those that the backend does not know must be marked.
//
// Environment: BACKEND_URL, API_TOKEN (of the backend, scope read), ZOHO_URL (of the simulator).

require_once(__DIR__ . '/api.php');

const DIFFERENCES_SHOWN = 20;

/**
 * Converts a text to Zoho's normal form: trimmed, and null if empty.
 *
 * @param string|null $text
 * @return string|null
 */
function text(?string $text): ?string {
    $text = trim((string) $text);
    return $text === '' ? null : $text;
}

/**
 * Converts a number to the two decimals of Zoho's fields.
 *
 * @param mixed $number
 * @return string|null
 */
function number($number): ?string {
    return $number === null ? null : number_format((float) $number, 2, '.', '');
}

/**
 * A person's custom fields in Zoho, by scripts/moodle/mapping-user.toml.
 *
 * @param string[] $profile texts by short name
 * @return array
 */
function custom(array $profile): array {
    $value = fn($name) => $profile["int_$name"] ?? null;
    $moment = $value('datetime') === null ? null : str_replace('Z', '+00:00', $value('datetime'));
    $plain = $value('textarea') === null ? null : html_entity_decode(strip_tags($value('textarea')));
    return ['Int_Text' => text($value('text')), 'Int_Date' => $value('date'), 'Int_Moment' => $moment, 'Int_Menu' => $value('menu'),
        'Int_Textarea' => $plain, 'Int_Social' => $value('social')]
        + ($value('checkbox') === null ? [] : ['Int_Checkbox' => $value('checkbox') === '1']);
}

/**
 * The same of a course, by scripts/moodle/mapping-course.toml.
 *
 * @param array $course from the API
 * @return array
 */
function course_fields(array $course): array {
    $value = fn($name) => $course['customfields']["int_$name"] ?? null;
    return ['Int_Text' => text($value('text')), 'Int_Date' => $value('date'), 'Int_Select' => text($value('select')),
        'Int_Path' => text(implode(' / ', array_map('trim', array_column($course['categories'] ?? [], 'name'))))]
        + ($value('checkbox') === null ? [] : ['Int_Checkbox' => $value('checkbox') === '1']);
}

/**
 * The records of a module, by a key field.
 *
 * @param array $state
 * @param string $module
 * @param string $key
 * @return array
 */
function by_key(array $state, string $module, string $key): array {
    $records = [];
    foreach ($state['modules'][$module] as $record) {
        if (isset($records[$record[$key]])) {
            fwrite(STDERR, "$module has two records with the key {$record[$key]}\n");
            exit(1);
        }
        $records[$record[$key]] = $record;
    }
    return $records;
}

/**
 * The fields of a record in Zoho that have other values than expected.
 *
 * @param array $fields
 * @param array $record
 * @return string[] names
 */
function different(array $fields, array $record): array {
    return array_keys(array_filter($fields, function ($value, $name) use ($record) {
        $found = $record[$name] ?? null;
        $found = is_array($found) ? $found['id'] : (is_string($value) && is_numeric($found) ? number($found) : $found);
        return $found !== $value;
    }, ARRAY_FILTER_USE_BOTH));
}

$state = get_json(getenv('ZOHO_URL') . '/__sim/state');
$contacts = by_key($state, 'Contacts', 'Moodle_User_Key');
$products = by_key($state, 'Products', 'Moodle_Course_Key');
$contact = fn($userid) => $contacts["college:$userid"]['id'] ?? 'none';
$product = fn($courseid) => $courseid === null ? null : $products["college:$courseid"]['id'] ?? 'none';

$kinds = ['users' => $contacts, 'courses' => $products, 'enrolments' => by_key($state, 'Moodle_Enrolments', 'Moodle_Enrolment_Key'),
    'grades' => by_key($state, 'Moodle_Grades', 'Moodle_Grade_Key')];
$key = ['users' => fn($i) => "college:{$i['userid']}", 'courses' => fn($i) => "college:{$i['courseid']}",
    'enrolments' => fn($i) => "college:{$i['enrollmentid']}", 'grades' => fn($i) => "college:{$i['userid']}:{$i['itemid']}"];
// By the clock, as in the mapping.
$status = fn($i) => $i['status'] !== 0 || !$i['enabled'] ? 'Suspended' : ($i['timeend'] && $i['timeend'] <= time() ? 'Ended'
    : ($i['timestart'] > time() ? 'Not started' : 'Active'));
$expected = [
    'users' => fn($i) => ['Last_Name' => text($i['lastname']) ?? text($i['username']), 'First_Name' => text($i['firstname']),
        'Email' => text($i['email']), 'Moodle_Username' => text($i['username']),
        'Moodle_Status' => $i['suspended'] ? 'Suspended' : 'Active', 'Moodle_Sync_Status' => 'Synced'] + custom($i['profile'] ?? [])
        + ['Int_Cohorts' => text(implode(', ', $i['cohorts'] ?? []))],
    'courses' => fn($i) => ['Product_Name' => text($i['fullname']), 'Product_Code' => text($i['shortname']),
        'Moodle_Visible' => $i['visible'], 'Moodle_Sync_Status' => 'Synced'] + course_fields($i),
    'enrolments' => fn($i) => ['Contact' => $contact($i['userid']), 'Course' => $product($i['courseid']),
        'Status' => $status($i), 'Moodle_Sync_Status' => 'Synced', 'Int_Groups' => text(implode(', ', $i['groups'] ?? []))],
    'grades' => fn($i) => ['Contact' => $contact($i['userid']), 'Course' => $product($i['item']['courseid'] ?? $i['courseid']),
        'Final_Grade' => number($i['finalgrade']), 'Grade_Max' => number($i['grademax']), 'Moodle_Sync_Status' => 'Synced'],
];
$marked = ['users' => ['Moodle_Status' => 'Deleted'], 'courses' => ['Moodle_Visible' => false], 'enrolments' => ['Status' => 'Ended'],
    'grades' => ['Final_Grade' => null]];

// Who has not confirmed the address is not in the backend, and what belongs to such a person waits there.
$people = [];
foreach (backend_items('users') as $item) {
    $people[$item['userid']] = true;
}
$differences = [];
$row = "%-12s %11s %8s %8s\n";
printf($row, 'kind', 'in backend', 'in Zoho', 'deleted');
foreach ($kinds as $kind => $records) {
    $living = [];
    $deleted = [];
    foreach (backend_items($kind) as $item) {
        if (!isset($people[$item['userid'] ?? key($people)])) {
            continue;
        }
        $deleted += $item['deleted'] ? [$key[$kind]($item) => true] : [];
        $living += $item['deleted'] ? [] : [$key[$kind]($item) => $item];
    }
    $wanted = array_map($expected[$kind], $living) + array_fill_keys(array_keys($deleted), $marked[$kind]);
    foreach ($wanted as $id => $fields) {
        if (!isset($records[$id])) {
            // A record that was deleted before its delivery is never created in Zoho.
            if (!isset($deleted[$id]) || isset($living[$id])) {
                $differences[] = "$kind $id: missing in Zoho";
            }
            continue;
        }
        foreach (different($fields, $records[$id]) as $name) {
            $differences[] = "$kind $id: $name is different";
        }
    }
    foreach (array_diff_key($records, $wanted) as $id => $record) {
        // What was deleted before the plugin was connected to this backend, only the one before knows (decision 0092).
        if (different($marked[$kind], $record)) {
            $differences[] = "$kind $id: in Zoho and not marked as deleted, but not in the backend";
        }
    }
    printf($row, $kind, count($living), count($records), count(array_diff_key($deleted, $living)));
}
foreach (array_slice($differences, 0, DIFFERENCES_SHOWN) as $difference) {
    fwrite(STDERR, "$difference\n");
}
if ($differences) {
    fwrite(STDERR, 'Differences between the backend and Zoho: ' . count($differences) . "\n");
    exit(1);
}
