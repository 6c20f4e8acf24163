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
 * What a run of the sender did.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class report {
    /** @var int events that the backend holds now */
    public $sent = 0;
    /** @var int changes that needed no event: the backend holds that state already, or it must not leave the site */
    public $unchanged = 0;
    /** @var int changes that the backend refused */
    public $rejected = 0;
    /** @var int changes put off to a later time */
    public $postponed = 0;
    /** @var int requests to the backend with events */
    public $requests = 0;
    /** @var failure|null why the run ended before everything was sent */
    public $failure = null;
    /** @var int|null when it is too early to try again after a failure: until when to wait, Unix seconds */
    public $waituntil = null;
    /** @var bool deliveries fail since this run */
    public $outagestarted = false;
    /** @var bool deliveries work again since this run */
    public $recovered = false;
    /** @var bool nothing waits any more */
    public $empty = false;
}
