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
 * The backend's answer to one event of a batch.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class outcome {
    /** @var string[] outcomes that mean the backend holds what was sent */
    const ACCEPTED = ['applied', 'unchanged', 'duplicate'];

    /** @var int the event's position in the backend's log; 0 if it has none */
    public $id;
    /** @var string applied, unchanged, superseded, duplicate or rejected */
    public $outcome;
    /** @var string the backend's stable code for the reason of a rejection; else the outcome */
    public $code;
    /** @var string the reason in words, with the invalid fields */
    public $detail;

    /**
     * Constructor.
     *
     * @param array $answer as in the contract, not validated
     */
    public function __construct(array $answer) {
        $this->id = is_int($answer['id'] ?? null) ? $answer['id'] : 0;
        $this->outcome = self::text($answer['outcome']);
        $this->code = self::text($answer['code'] ?? $this->outcome);
        $this->detail = self::text($answer['detail'] ?? '') . self::fields((array)($answer['errors'] ?? []));
    }

    /**
     * Whether the backend holds what was sent.
     *
     * @return bool
     */
    public function is_accepted(): bool {
        return in_array($this->outcome, self::ACCEPTED, true);
    }

    /**
     * Whether the backend had the event already.
     *
     * @return bool
     */
    public function is_duplicate(): bool {
        return $this->outcome === 'duplicate';
    }

    /**
     * Reads a text from an answer that has not been validated.
     *
     * @param mixed $value
     * @return string empty if it is not a scalar
     */
    public static function text($value): string {
        return is_scalar($value) ? (string)$value : '';
    }

    /**
     * Describes the invalid fields.
     *
     * @param array $errors as in the contract
     * @return string
     */
    private static function fields(array $errors): string {
        $fields = [];
        foreach (array_filter($errors, 'is_array') as $error) {
            // The position in the batch tells an administrator nothing: /events/17/data/email is the field email.
            $field = preg_replace('~^/events/\d+(/data)?/?~', '', self::text($error['pointer'] ?? ''));
            $fields[] = trim($field . ': ' . self::text($error['detail'] ?? $error['code'] ?? ''), ': ');
        }
        return $fields ? ' (' . implode('; ', $fields) . ')' : '';
    }
}
