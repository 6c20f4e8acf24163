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
 * Whether bodies are sent compressed. Something in between, such as a firewall, may refuse a text that it takes for an attack; it
 * does not look into gzip.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class compression {
    /** @var string bodies are compressed when something in between refuses them */
    const AUTO = 'auto';
    /** @var string all bodies are compressed */
    const ALWAYS = 'always';
    /** @var string no body is compressed */
    const NEVER = 'never';
    /** @var string what a backend that can unpack names in its handshake */
    const CAPABILITY = 'gzip';

    /** @var string one of the constants */
    private $setting;
    /** @var bool the backend can unpack */
    private $iscapable = false;
    /** @var bool bodies are to be compressed at present */
    private $ison;
    /** @var bool a batch may still be tried the other way */
    private $maytry = true;

    /**
     * Constructor, for one process.
     *
     * @param string $setting one of the constants
     */
    public function __construct(string $setting) {
        $this->setting = $setting;
        $this->ison = $setting === self::ALWAYS;
    }

    /**
     * Notes what the backend can do.
     *
     * @param array $handshake
     */
    public function learn(array $handshake): void {
        $this->iscapable = in_array(self::CAPABILITY, (array)($handshake['capabilities'] ?? []), true);
    }

    /**
     * Whether bodies are compressed at present.
     *
     * @return bool
     */
    public function is_on(): bool {
        return $this->ison && $this->iscapable;
    }

    /**
     * How to send what was refused as it is.
     *
     * @return bool whether compressed; the same as is_on() if there is no other way
     */
    public function other(): bool {
        return $this->iscapable && $this->setting !== self::NEVER ? !$this->ison : $this->is_on();
    }

    /**
     * Whether a batch that was refused is worth trying the other way. That is so once: if it does not help, it costs a request.
     *
     * @return bool
     */
    public function try_other(): bool {
        $maytry = $this->maytry && $this->other() !== $this->is_on();
        $this->maytry = $this->maytry && !$maytry;
        return $maytry;
    }

    /**
     * The backend does not get what was sent, so this process compresses nothing any more.
     */
    public function give_up(): void {
        $this->setting = self::NEVER;
        $this->ison = false;
    }

    /**
     * The other way works, so it is the way of all further requests of this process.
     */
    public function turn(): void {
        $this->ison = $this->other();
    }
}
