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
 * Tests of what the handshake says about the destination.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_backend_sync\local\delivery\agreement
 */
final class agreement_test extends \basic_testcase {
    /**
     * The state of a destination as the handshake has it.
     *
     * @param array $destination
     * @return agreement
     */
    private function of(array $destination): agreement {
        $destination += ['name' => 'zoho', 'agrees' => true, 'differing' => 0, 'as_of' => 1795333607];
        return agreement::of(['destination' => $destination]);
    }

    /**
     * It agrees, differs, or was not compared in full.
     */
    public function test_states(): void {
        $agrees = $this->of([]);
        $this->assertSame(
            ['Zoho', agreement::AGREES, 0, 1795333607],
            [$agrees->name, $agrees->state, $agrees->differing, $agrees->time]
        );
        $differs = $this->of(['agrees' => false, 'differing' => 3]);
        $this->assertSame([agreement::DIFFERS, 3], [$differs->state, $differs->differing]);
        $this->assertSame(agreement::UNKNOWN, $this->of(['agrees' => false])->state);
        $this->assertSame(agreement::UNKNOWN, $this->of(['as_of' => null])->state);
    }

    /**
     * Older backends say nothing, and those without a destination say null.
     */
    public function test_nothing_said(): void {
        $this->assertNull(agreement::of(null));
        $this->assertNull(agreement::of([]));
        foreach ([null, 'zoho', ['agrees' => true]] as $destination) {
            $this->assertNull(agreement::of(['destination' => $destination]));
        }
    }
}
