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

namespace local_backend_sync\local\delivery;

/**
 * Tests of the payload, most of them against the backend's contract.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\payload
 */
final class payload_test extends \basic_testcase {
    /** @var string[] names of the contract's schemas, by kind */
    const SCHEMAS = [
        change::USER => 'UserData', change::COURSE => 'CourseData', change::ENROLMENT => 'EnrolmentData',
        change::GRADE => 'GradeData', change::COMPLETION => 'CompletionData',
    ];

    /**
     * A file of the contract.
     *
     * @param string $path
     * @return array
     */
    private function contract(string $path): array {
        $file = dirname(__DIR__, 4) . "/openapi/$path";
        if (!is_file($file)) {
            $this->markTestSkipped('The backend\'s contract is not here: this test runs in the repository of Backend Sync.');
        }
        return json_decode(file_get_contents($file), true);
    }

    /**
     * A row with a value for each field, as Moodle's database returns it.
     *
     * @param string $kind
     * @return array
     */
    private function row(string $kind): array {
        $values = ['text' => 'text', 'int' => '7', 'time' => '7', 'bool' => '1', 'decimal' => '82.50000',
            'roles' => [['shortname' => 'student', 'archetype' => 'student']],
            'categories' => [['id' => 3, 'name' => 'Science']]];
        $row = array_map(function ($type) use ($values) {
            return $values[$type];
        }, payload::FIELDS[$kind]);
        $row += isset(payload::CUSTOM[$kind]) ? [payload::CUSTOM[$kind] => ['level' => '3']] : [];
        return $row + (isset(payload::NAMES[$kind]) ? [payload::NAMES[$kind] => ['Year 1']] : []);
    }

    /**
     * A change with all ids.
     *
     * @param string $kind
     * @return change
     */
    private function change(string $kind): change {
        return change::from_row((object)['kind' => $kind, 'objectid' => 1, 'userid' => 2, 'courseid' => 3, 'itemid' => 4]);
    }

    /**
     * Whether a value has the type that a schema's property requires.
     *
     * @param mixed $value
     * @param array $property
     * @return bool
     */
    private function fits($value, array $property): bool {
        if ($value === null) {
            return !empty($property['nullable']);
        }
        foreach ($property['anyOf'] ?? [$property] as $alternative) {
            $type = gettype($value) === 'double' ? 'number' : gettype($value);
            $pattern = $alternative['pattern'] ?? '';
            if ($alternative['type'] === $type && ($pattern === '' || preg_match("~$pattern~", $value))) {
                return true;
            }
        }
        return false;
    }

    /**
     * All kinds.
     *
     * @return array[]
     */
    public static function kinds(): array {
        return array_map(function ($kind) {
            return [$kind];
        }, array_combine(change::KINDS, change::KINDS));
    }

    /**
     * Every field sent is in the contract and has its type, and every required field is sent.
     *
     * @dataProvider kinds
     * @param string $kind
     */
    public function test_state_fits_the_schema(string $kind): void {
        $schema = $this->contract('openapi.json')['components']['schemas'][self::SCHEMAS[$kind]];
        $full = payload::state($this->change($kind), $this->row($kind), []);
        foreach ([$full, payload::state($this->change($kind), [], [])] as $data) {
            foreach ($data as $name => $value) {
                $this->assertArrayHasKey($name, $schema['properties'], "$kind.$name is not in the contract");
                $this->assertTrue($this->fits($value, $schema['properties'][$name]), "$kind.$name is " . json_encode($value));
            }
        }
        foreach ([$full, payload::ids($this->change($kind))] as $data) {
            $this->assertSame([], array_diff($schema['required'], array_keys($data)), 'required and not sent');
        }
        // The contract has these fields only for the original plugin.
        $unsent = array_values(array_diff(array_keys($schema['properties']), array_keys($full)));
        sort($unsent);
        $this->assertSame($kind === change::ENROLMENT ? ['deleted', 'roleid'] : ['deleted'], $unsent);
    }

    /**
     * The contract's examples have the values that the plugin sends.
     *
     * @dataProvider kinds
     * @param string $kind
     */
    public function test_examples_are_what_is_sent(string $kind): void {
        foreach (array_unique(payload::TYPES[$kind]) as $what => $type) {
            $example = $this->contract("examples/$type.json");
            $change = new change($kind, (int)array_values($example)[0]);
            foreach (payload::IDS[$kind] as $name => $property) {
                $this->assertArrayHasKey($name, $example);
                $change->$property = (int)$example[$name];
            }
            if ($what === 'deleted') {
                $this->assertEquals($example, payload::ids($change));
                continue;
            }
            // Without what only the original plugin sends.
            $fields = array_diff_key($example, payload::IDS[$kind], ['deleted' => 0, 'eventname' => 0, 'roleid' => 0]);
            $custom = payload::CUSTOM[$kind] ?? '';
            $data = payload::state($change, $example, []);
            $this->assertSame($fields[$custom] ?? null, isset($data[$custom]) ? (array)$data[$custom] : null);
            $names = payload::NAMES[$kind] ?? '';
            $this->assertSame($fields[$names] ?? null, $data[$names] ?? null);
            unset($fields[$custom], $fields[$names]);
            $this->assertSame([], array_diff_key($fields, payload::FIELDS[$kind]), "fields of $type.json that are not sent");
            // Compared by meaning: the examples have numbers as strings, as Moodle's database does.
            foreach ($fields as $name => $value) {
                $isnumber = in_array(payload::FIELDS[$kind][$name], ['int', 'time', 'bool'], true) && $value !== null;
                $this->assertSame($isnumber ? (int)$value : $value, $isnumber ? (int)$data[$name] : $data[$name], "$type.$name");
            }
        }
    }

    /**
     * The plugin sends exactly the event types of the contract.
     */
    public function test_types_are_those_of_the_contract(): void {
        $schemas = $this->contract('openapi.json')['components']['schemas'];
        $types = array_unique(array_merge(...array_values(array_map('array_values', payload::TYPES))));
        sort($types);
        $known = $schemas['EventType']['enum'];
        sort($known);
        $this->assertSame($known, $types);
        foreach (change::KINDS as $kind) {
            $this->assertSame(['created', 'updated', 'deleted'], array_keys(payload::TYPES[$kind]));
        }
    }

    /**
     * Events have the properties and types of the contract.
     */
    public function test_events_look_as_the_contract_wants(): void {
        $schema = $this->contract('openapi.json')['components']['schemas']['Batch']['properties']['events']['items'];
        $change = $this->change(change::GRADE);
        $event = new event($change, payload::state($change, $this->row(change::GRADE), []));
        $event->set_version(1795333607, 12);
        $sent = json_decode(event::body([$event]), true)['events'][0];
        $this->assertEqualsCanonicalizing(array_keys($schema['properties']), array_keys($sent));
        $this->assertEqualsCanonicalizing(array_keys($this->contract('examples/batch.json')['events'][0]), array_keys($sent));
        foreach (['id', 'type', 'time', 'sequence'] as $name) {
            $this->assertTrue($this->fits($sent[$name], $schema['properties'][$name]), $name);
        }
    }

    /**
     * An excluded field is absent, so the backend clears it; ids cannot be excluded.
     */
    public function test_excluded_fields(): void {
        $excluded = ['phone1', 'email', 'userid'];
        $data = payload::state($this->change(change::USER), $this->row(change::USER), $excluded);
        $this->assertArrayNotHasKey('phone1', $data);
        $this->assertArrayNotHasKey('email', $data);
        $this->assertSame(1, $data['userid']);
        // With the id, custom fields and cohorts.
        $this->assertCount(count(payload::FIELDS[change::USER]) + 3 - 2, $data);
    }

    /**
     * Custom fields are an object of texts within the contract's bounds, and absent if none are chosen: a state is then the same as
     * before there were any.
     */
    public function test_custom_fields(): void {
        $encoded = function (array $row) {
            return event::encode(array_slice(payload::state($this->change(change::USER), $row, []), -1));
        };
        $this->assertSame('{"timemodified":null}', $encoded([]));
        $this->assertSame('{"profile":{}}', $encoded(['profile' => []]));
        $this->assertSame('{"cohorts":[]}', $encoded(['cohorts' => []]));
        $many = $encoded(['cohorts' => array_fill(0, payload::MOST_NAMES + 1, 'a')]);
        $this->assertCount(payload::MOST_NAMES, json_decode($many, true)['cohorts']);
        // PHP makes integers of such names.
        $this->assertSame('{"profile":{"0":"a","1":"b"}}', $encoded(['profile' => ['0' => 'a', '1' => 'b']]));
        $long = str_repeat('ü', payload::CUSTOM_BYTES);
        $names = array_map(function ($i) {
            return "name$i";
        }, range(1, payload::CUSTOM_FIELDS));
        $data = payload::state($this->change(change::USER), ['profile' => array_fill_keys($names, $long) + ['z' => '']], []);
        $texts = (array)$data['profile'];
        // The last character may be incomplete, so it is dropped.
        $this->assertSame(payload::CUSTOM_BYTES - 2, strlen($texts['name1']));
        $bytes = strlen(implode('', $texts)) + strlen(implode('', array_keys($texts)));
        $this->assertLessThanOrEqual(payload::TEXT_BYTES, $bytes);
        $this->assertGreaterThan(payload::TEXT_BYTES - payload::CUSTOM_BYTES - 10, $bytes);
    }

    /**
     * Empty values are told apart from missing ones.
     */
    public function test_empty_values(): void {
        $row = ['username' => '', 'timecreated' => '0', 'suspended' => '0', 'city' => null];
        $data = payload::state($this->change(change::USER), $row, []);
        $this->assertSame(
            ['', 0, false, null, null],
            [$data['username'], $data['timecreated'], $data['suspended'], $data['city'], $data['email']]
        );
    }

    /**
     * Grades keep all their digits.
     */
    public function test_decimals_stay_as_they_are(): void {
        $data = payload::state($this->change(change::GRADE), ['finalgrade' => '9999999999.12345'], []);
        $this->assertSame('9999999999.12345', $data['finalgrade']);
    }

    /**
     * Where a database's driver makes floats of decimals, their digits depend neither on PHP's precision nor on the language.
     */
    public function test_floats_have_the_same_digits_everywhere(): void {
        $precision = ini_get('serialize_precision');
        $locale = setlocale(LC_NUMERIC, 0);
        $texts = [];
        foreach (['17', '-1'] as $digits) {
            foreach (['C', 'de_DE.UTF-8'] as $name) {
                ini_set('serialize_precision', $digits);
                setlocale(LC_NUMERIC, $name);
                $row = ['finalgrade' => 82.1, 'grademax' => 1e2];
                $texts[] = event::encode(payload::state($this->change(change::GRADE), $row, []));
            }
        }
        ini_set('serialize_precision', $precision);
        setlocale(LC_NUMERIC, $locale);
        $this->assertCount(1, array_unique($texts));
        $this->assertStringContainsString('"finalgrade":"82.10000"', $texts[0]);
        $this->assertStringContainsString('"grademax":"100.00000"', $texts[0]);
    }

    /**
     * Times around the limits of the contract.
     *
     * @return array[]
     */
    public static function times(): array {
        return [
            'not set' => ['0', 0],
            'latest' => ['253402300799', 253402300799],
            'after the year 9999' => ['253402300800', null],
            'before 1970' => ['-86400', null],
            'none' => [null, null],
        ];
    }

    /**
     * A time that the contract does not allow costs its field, not the record.
     *
     * @dataProvider times
     * @param string|null $time as in Moodle's table
     * @param int|null $sent
     */
    public function test_times_out_of_range(?string $time, ?int $sent): void {
        $data = payload::state($this->change(change::COURSE), ['fullname' => 'Course', 'enddate' => $time], []);
        $this->assertSame([$sent, 'Course'], [$data['enddate'], $data['fullname']]);
    }

    /**
     * Texts around the limit.
     *
     * @return array[]
     */
    public static function texts(): array {
        $max = payload::TEXT_BYTES;
        return [
            'at the limit' => [str_repeat('a', $max), $max],
            'above' => [str_repeat('a', $max + 1), $max],
            'two bytes, limit within a character' => ['a' . str_repeat("\u{e9}", $max), $max - 1],
            'three bytes' => [str_repeat("\u{20ac}", $max), $max - 1],
            'four bytes' => ['ab' . str_repeat("\u{1f389}", $max), $max - 2],
        ];
    }

    /**
     * A text that is too long is truncated, never within a character.
     *
     * @dataProvider texts
     * @param string $text
     * @param int $bytes length of the longest prefix of whole characters
     */
    public function test_long_texts_are_truncated_between_characters(string $text, int $bytes): void {
        $feedback = payload::state($this->change(change::GRADE), ['feedback' => $text], [])['feedback'];
        $this->assertTrue(mb_check_encoding($feedback, 'UTF-8'));
        $this->assertSame(0, strpos($text, $feedback));
        $this->assertLessThanOrEqual($bytes, strlen($feedback));
        // At most one more character is lost.
        $this->assertGreaterThan($bytes - 5, strlen($feedback));
    }
}
