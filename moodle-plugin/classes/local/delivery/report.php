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
 * Result of a run of the sender.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class report {
    /** @var int events that the backend accepted */
    public $sent = 0;
    /** @var int changes without an event: the backend already holds the state, or it must not leave the site */
    public $unchanged = 0;
    /** @var int changes that the backend rejected */
    public $rejected = 0;
    /** @var int poison events that were postponed */
    public $postponed = 0;
    /** @var int batches sent, including retried halves */
    public $requests = 0;
    /** @var failure|null why the run ended early */
    public $failure = null;
    /** @var int|null end of the backoff, Unix seconds; null if sending is allowed now */
    public $waituntil = null;
    /** @var bool delivery worked before this run and fails now */
    public $outagestarted = false;
    /** @var bool delivery failed before this run and works now */
    public $recovered = false;
    /** @var bool the queue is empty */
    public $empty = false;
    /** @var bool the run ended because of its time, and there may be more to send */
    public $istimeup = false;
}
