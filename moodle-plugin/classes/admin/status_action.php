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

use core\output\notification;
use local_backend_sync\local\backfill;
use local_backend_sync\local\config;
use local_backend_sync\local\database_memory;
use local_backend_sync\local\delivery\parity;
use local_backend_sync\local\delivery\report;
use local_backend_sync\local\ledger;
use local_backend_sync\local\runner;
use local_backend_sync\local\summary;
use local_backend_sync\local\verdict;
use local_backend_sync\local\version_reset;

/**
 * The actions behind the buttons of the status page.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class status_action {
    /** @var int seconds that a button may spend sending; the scheduled task sends the rest */
    const SECONDS = 20;

    /** @var string[] by action that cannot be undone, the string that asks for confirmation */
    const QUESTIONS = [
        'discard' => 'confirm_discard',
        'discardall' => 'confirm_discardall',
        'backfillcancel' => 'confirm_backfillcancel',
        'acceptsite' => 'confirm_acceptsite',
        'acceptpast' => 'confirm_acceptpast',
        'paritydelete' => 'confirm_paritydelete',
        'resetversions' => 'confirm_resetversions',
    ];
    /** @var string[] actions on selected rows */
    const NEED_ROWS = ['retry', 'discard'];
    /** @var string[] by action, the status to request for the full synchronisation */
    const BACKFILL = [
        'backfillstart' => backfill::RUNNING,
        'backfillresume' => backfill::RUNNING,
        'backfillpause' => backfill::PAUSED,
        'backfillcancel' => backfill::CANCELLED,
    ];

    /** @var string */
    private $action;
    /** @var int[] ids of rejected changes */
    private $ids;
    /** @var bool also send what the backend already holds */
    private $force;

    /**
     * Constructor.
     *
     * @param string $action
     * @param int[] $ids of rejected changes
     * @param bool $force also send what the backend already holds
     */
    public function __construct(string $action, array $ids, bool $force) {
        $this->action = $action;
        $this->ids = array_values(array_unique($ids));
        $this->force = $force;
    }

    /**
     * The question to confirm before the action.
     *
     * @return string|null null when it needs no confirmation
     */
    public function question(): ?string {
        if (!isset(self::QUESTIONS[$this->action]) || $this->lacks_rows()) {
            return null;
        }
        $isone = $this->action === 'discard' && count($this->ids) === 1;
        $question = self::QUESTIONS[$this->action] . ($isone ? '_one' : '');
        return get_string($question, 'local_backend_sync', count($this->ids));
    }

    /**
     * The label of the button that confirms: what it does, not "Continue".
     *
     * @return string
     */
    public function button(): string {
        // Beside "Cancel", another "Cancel" would say nothing.
        $strings = ['discardall' => 'confirm_discardall_button', 'backfillcancel' => 'confirm_backfillcancel_button'];
        return get_string($strings[$this->action] ?? $this->action, 'local_backend_sync');
    }

    /**
     * Performs the action.
     *
     * @return verdict
     */
    public function perform(): verdict {
        if ($this->lacks_rows()) {
            return new verdict(verdict::WARNING, get_string('selectone', 'local_backend_sync'));
        }
        if (isset(self::BACKFILL[$this->action])) {
            return $this->request_backfill();
        }
        switch ($this->action) {
            case 'acceptsite':
                runner::accept_site();
                return summary::of($this->send());
            case 'acceptpast':
                runner::accept_past();
                return summary::of($this->send());
            case 'parity':
            case 'paritydelete':
                $memory = new database_memory();
                $this->action === 'parity' ? parity::request($memory, parity::ASKED) : parity::allow($memory);
                return new verdict(verdict::OK, get_string('parity_requested', 'local_backend_sync'));
            case 'resetversions':
                $verdict = version_reset::run();
                if ($verdict->level === verdict::OK) {
                    $this->send();
                }
                return $verdict;
            case 'send':
                return summary::of($this->send());
            case 'retry':
            case 'retryall':
                ledger::retry($this->action === 'retry' ? $this->ids : []);
                return summary::of($this->send());
            case 'discard':
            case 'discardall':
                ledger::discard($this->action === 'discard' ? $this->ids : []);
                return new verdict(verdict::OK, get_string('discarded', 'local_backend_sync'));
            default:
                throw new \moodle_exception('invalidaction');
        }
    }

    /**
     * Whether the action needs rows and none is selected. The ledger would take an empty list for all rows.
     *
     * @return bool
     */
    private function lacks_rows(): bool {
        return in_array($this->action, self::NEED_ROWS, true) && !$this->ids;
    }

    /**
     * Sends waiting changes now.
     *
     * @return report|null null when another process is sending
     */
    private function send(): ?report {
        \core_php_time_limit::raise();
        return runner::run(self::SECONDS, true);
    }

    /**
     * Requests that the sender start, resume, pause or cancel the full synchronisation.
     *
     * @return verdict
     */
    private function request_backfill(): verdict {
        if ($this->action === 'backfillstart') {
            config::start_sending();
        }
        backfill::request(new database_memory(), self::BACKFILL[$this->action], $this->action === 'backfillstart', $this->force);
        return new verdict(verdict::OK, get_string($this->action . '_done', 'local_backend_sync'));
    }

    /**
     * The type of Moodle's notification for a verdict.
     *
     * @param verdict $verdict
     * @return string
     */
    public static function notification_type(verdict $verdict): string {
        $types = [
            verdict::OK => notification::NOTIFY_SUCCESS,
            verdict::INFO => notification::NOTIFY_INFO,
            verdict::WARNING => notification::NOTIFY_WARNING,
            verdict::ERROR => notification::NOTIFY_ERROR,
        ];
        return $types[$verdict->level];
    }
}
