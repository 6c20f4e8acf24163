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
 * What the backend said in the handshake about what it delivers to, such as Zoho.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class agreement {
    /** @var string the destination has what the backend writes */
    const AGREES = 'agrees';
    /** @var string records differ there */
    const DIFFERS = 'differs';
    /** @var string not all records were compared yet */
    const UNKNOWN = 'unknown';

    /** @var string the destination's name, as people write it */
    public $name;
    /** @var string AGREES, DIFFERS or UNKNOWN */
    public $state;
    /** @var int records that differ there */
    public $differing;
    /** @var int Unix seconds of the last comparison; 0 if there was none */
    public $time;

    /**
     * Reads a handshake.
     *
     * @param array|null $handshake
     * @return self|null null if the backend delivers to nothing, or is too old to say so
     */
    public static function of(?array $handshake): ?self {
        $destination = $handshake['destination'] ?? null;
        if (!is_array($destination) || !is_string($destination['name'] ?? null)) {
            return null;
        }
        $agreement = new self();
        $agreement->name = ucfirst($destination['name']);
        $agreement->differing = (int)($destination['differing'] ?? 0);
        $agreement->time = (int)($destination['as_of'] ?? 0);
        if ($agreement->differing > 0) {
            $agreement->state = self::DIFFERS;
        } else {
            $agreement->state = !empty($destination['agrees']) && $agreement->time ? self::AGREES : self::UNKNOWN;
        }
        return $agreement;
    }
}
