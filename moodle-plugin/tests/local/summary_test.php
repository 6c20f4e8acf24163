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

namespace local_backend_sync\local;

use local_backend_sync\local\delivery\report;

/**
 * Tests of the sentences about a run of the sender.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\summary
 * @covers     \local_backend_sync\local\verdict
 */
final class summary_test extends \advanced_testcase {
    /**
     * Reports, with the expected level and sentence.
     *
     * @return array[]
     */
    public static function reports(): array {
        return [
            'nothing' => [['empty' => true], verdict::OK, 'There was nothing to send.'],
            'one' => [['sent' => 1, 'empty' => true], verdict::OK, '1 change was sent.'],
            'many' => [
                ['sent' => 1234, 'unchanged' => 1, 'empty' => true],
                verdict::OK,
                '1,234 changes were sent. 1 did not need to be sent.',
            ],
            'rejected' => [
                ['unchanged' => 2, 'postponed' => 1, 'rejected' => 1, 'empty' => true],
                verdict::WARNING,
                '0 changes were sent. 2 did not need to be sent. 1 was postponed because the backend failed on it. '
                    . '1 was rejected; the reason is below.',
            ],
            'more' => [
                ['sent' => 2],
                verdict::OK,
                '2 changes were sent. More changes are waiting: the scheduled task continues within a minute.',
            ],
        ];
    }

    /**
     * Sentences are right for none, one and many.
     *
     * @dataProvider reports
     * @param array $properties of the report
     * @param string $level
     * @param string $sentence
     */
    public function test_reports(array $properties, string $level, string $sentence): void {
        $report = new report();
        foreach ($properties as $name => $value) {
            $report->$name = $value;
        }
        $verdict = summary::of($report);
        $this->assertSame([$level, $sentence], [$verdict->level, $verdict->sentence]);
    }

    /**
     * Another process is sending, or the backoff is not over.
     */
    public function test_not_sent(): void {
        $this->assertSame(verdict::INFO, summary::of(null)->level);
        $report = new report();
        $report->waituntil = time() + 100;
        $verdict = summary::of($report);
        $this->assertSame(verdict::WARNING, $verdict->level);
        $this->assertStringContainsString('Next retry in', $verdict->sentence);
    }
}
