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

namespace local_backend_sync\admin;

/**
 * Tests of the actions on the status page.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\admin\status_action
 */
final class status_action_test extends \advanced_testcase {
    /**
     * Questions are right for one change and for many, and nothing is asked before rows are selected.
     */
    public function test_questions(): void {
        $this->assertNull((new status_action('discard', [], false))->question());
        $this->assertStringStartsWith('Discard the selected change?', (new status_action('discard', [7, 7], false))->question());
        $this->assertStringStartsWith('Discard the 2 selected changes?', (new status_action('discard', [7, 8], false))->question());
        $this->assertNull((new status_action('retry', [7], false))->question());
        foreach (status_action::QUESTIONS as $action => $string) {
            $this->assertStringNotContainsString('[[', (new status_action($action, [7], false))->question(), $string);
        }
    }

    /**
     * Without selected rows, an action on rows does nothing.
     */
    public function test_nothing_selected(): void {
        foreach (status_action::NEED_ROWS as $action) {
            $verdict = (new status_action($action, [], false))->perform();
            $this->assertSame(\local_backend_sync\local\verdict::WARNING, $verdict->level);
        }
    }
}
