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

/**
 * Alerts administrators when changes have been waiting too long, and once a day from then on until they are sent.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class alert {
    /** @var string key in the memory: time of the last alert, Unix seconds */
    const STATE = 'alert';
    /** @var string key in the memory: time of the last check, Unix seconds */
    const CHECKED = 'alertchecked';
    /** @var int seconds since the last check after which cron has just come back, and is about to send */
    const ABSENCE = 900;

    /**
     * Sends the alert if it is due.
     */
    public static function check(): void {
        $memory = new database_memory();
        $status = status::read();
        $lastsent = $memory->get(self::STATE);
        $checked = $memory->get(self::CHECKED)['time'] ?? 0;
        $memory->set(self::CHECKED, ['time' => time()]);
        if ($status->age() < (new config())->alert_after()) {
            $memory->set(self::STATE, null);
            return;
        }
        if ($checked < time() - self::ABSENCE) {
            return;
        }
        // A time in the future comes from a clock that was ahead.
        if (!$lastsent || $lastsent['time'] <= time() - DAYSECS || $lastsent['time'] > time()) {
            $memory->set(self::STATE, ['time' => time()]);
            foreach (get_admins() as $admin) {
                self::send($admin, $status);
            }
        }
    }

    /**
     * Sends the alert to one administrator, through Moodle's messages.
     *
     * @param \stdClass $admin
     * @param status $status
     */
    private static function send(\stdClass $admin, status $status): void {
        global $SITE;
        $url = new \moodle_url('/local/backend_sync/status.php');
        $a = (object)[
            'site' => format_string($SITE->fullname),
            'waiting' => verdict::count('waiting', $status->waiting),
            'age' => format_time($status->age()),
            'reason' => $status->reason() ?: get_string('alert_noreason', 'local_backend_sync'),
            'url' => $url->out(false),
        ];
        $text = get_string('alert_body', 'local_backend_sync', $a);
        $message = new \core\message\message();
        $message->component = 'local_backend_sync';
        $message->name = 'waiting';
        $message->userfrom = \core_user::get_noreply_user();
        $message->userto = $admin;
        $message->subject = get_string('alert_subject', 'local_backend_sync', $a);
        $message->fullmessage = $text;
        $message->fullmessageformat = FORMAT_PLAIN;
        $message->fullmessagehtml = text_to_html(s($text), false, false, true);
        $message->smallmessage = $message->subject;
        $message->notification = 1;
        $message->contexturl = $a->url;
        $message->contexturlname = get_string('status', 'local_backend_sync');
        message_send($message);
    }
}
