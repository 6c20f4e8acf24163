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

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../../fixtures/load.php');

/**
 * Tests of the digests.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\digests
 * @covers     \local_backend_sync\local\delivery\event
 */
final class digests_test extends \basic_testcase {
    /**
     * The backend's test has the same bytes and digests.
     */
    public function test_same_as_backend(): void {
        $one = substr(hash('sha256', '{"userid":3}'), 0, 32);
        $this->assertSame('50f12d47deccefba5ece9c0ed7b87462', $one);
        $this->assertSame('408cbda873e635741ded41079b9c0adf', digests::of_records([3 => $one, 260 => $one]));
        $this->assertSame(substr(hash('sha256', ''), 0, 32), digests::of_records([]));
        $this->assertNotSame(digests::chain(digests::NONE, $one), digests::chain($one, digests::NONE));
    }

    /**
     * A state has one digest: the one of the bytes that are sent. It depends on neither PHP's settings nor the order of the
     * administrator's choices.
     */
    public function test_state(): void {
        $change = new change(change::GRADE, 7);
        $row = ['finalgrade' => 1 / 3, 'feedback' => "Zo\u{eb} / \u{1f393}", 'hidden' => 0, 'timemodified' => '1795333607',
            'grademax' => 100.0];
        $hashes = [];
        $precision = ini_get('serialize_precision');
        foreach (['-1', '5', '17'] as $setting) {
            ini_set('serialize_precision', $setting);
            foreach ([['grader', 'scale'], ['scale', 'grader']] as $excluded) {
                $event = new event($change, payload::state($change, $row, $excluded));
                $event->set_version(1795333607, 1);
                preg_match('/"data":(.*)}$/D', $event->json, $matches);
                $this->assertSame(substr(hash('sha256', $matches[1]), 0, 32), $event->hash);
                $hashes[] = $event->hash;
            }
        }
        ini_set('serialize_precision', $precision);
        $this->assertCount(1, array_unique($hashes));
    }
}
