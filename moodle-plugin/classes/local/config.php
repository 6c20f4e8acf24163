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

use local_backend_sync\local\delivery\change;
use local_backend_sync\local\delivery\compression;
use local_backend_sync\local\delivery\failure;
use local_backend_sync\local\delivery\options;
use local_backend_sync\local\delivery\payload;

/**
 * The settings, with defaults and limits. Scripts such as admin/cli/cfg.php can store any value, so limits are applied here.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class config {
    /** @var int seconds */
    const CONNECT_TIMEOUT = 5;
    /** @var int seconds for a whole request; the backend answers a full batch within one second */
    const TIMEOUT = 30;
    /** @var int minutes that changes may wait before administrators are alerted */
    const ALERT_MINUTES = 30;
    /** @var int records that a backfill reads per minute: 500 per second hardly load a database */
    const BACKFILL_RATE = 30000;
    /** @var int[][] numeric settings: default, minimum, maximum */
    const NUMBERS = [
        'connecttimeout' => [self::CONNECT_TIMEOUT, 1, 60],
        'timeout' => [self::TIMEOUT, 2, 300],
        'alertminutes' => [self::ALERT_MINUTES, 5, 10080],
        'backfillrate' => [self::BACKFILL_RATE, 100, 10000000],
    ];

    /** @var \stdClass as stored */
    private $settings;

    /**
     * Constructor.
     */
    public function __construct() {
        $this->settings = get_config('local_backend_sync');
    }

    /**
     * The backend's URL.
     *
     * @return string empty if not set
     */
    public function url(): string {
        return self::clean_url($this->settings->backend_url ?? '');
    }

    /**
     * Normalises a URL.
     *
     * @param string $url as typed
     * @return string without a trailing slash, and without the API's path, which people paste along
     */
    public static function clean_url(string $url): string {
        return preg_replace('~(/api/v1)?/*$~', '', trim($url));
    }

    /**
     * The site token.
     *
     * @return string empty if it is not set or cannot be decrypted
     */
    public function token(): string {
        return secret::open($this->stored_token()) ?? '';
    }

    /**
     * The site token as stored.
     *
     * @return string
     */
    private function stored_token(): string {
        return trim($this->settings->{secret::SETTING} ?? '');
    }

    /**
     * Checks the characters of a token.
     *
     * @param string $token
     * @return bool
     */
    public static function is_token(string $token): bool {
        // The token goes into a header line: a line break would allow header injection.
        return (bool)preg_match('/^[\x21-\x7e]*$/D', $token);
    }

    /**
     * Whether the URL and the token are set.
     *
     * @return bool
     */
    public function is_configured(): bool {
        // Pages ask this with each change, so it decrypts nothing.
        return $this->url() !== '' && $this->stored_token() !== '';
    }

    /**
     * Whether an administrator has also started sending. Until then nothing is recorded: starting synchronises everything.
     *
     * @return bool
     */
    public function is_sending(): bool {
        // Only a new plugin stores that it has not been started, see db/install.php: after an upgrade it goes on at once.
        return $this->is_configured() && !empty($this->settings->sending ?? true);
    }

    /**
     * Starts sending, for good.
     */
    public static function start_sending(): void {
        set_config('sending', 1, 'local_backend_sync');
    }

    /**
     * Checks that the settings allow sending.
     *
     * @throws failure
     */
    public function require_valid_target(): void {
        if (!$this->is_configured()) {
            throw new failure(failure::NOT_CONFIGURED);
        }
        if ($this->token() === '') {
            throw new failure(failure::TOKEN_UNREADABLE);
        }
        $reason = self::url_problem($this->url(), !empty($this->settings->allowhttp));
        if ($reason) {
            throw new failure($reason);
        }
    }

    /**
     * Checks that sending has been started, and that the settings allow it.
     *
     * @throws failure
     */
    public function require_sending(): void {
        $this->require_valid_target();
        if (!$this->is_sending()) {
            throw new failure(failure::NOT_STARTED);
        }
    }

    /**
     * Checks a URL.
     *
     * @param string $url
     * @param bool $allowhttp
     * @return string|null a constant of failure; null if the URL is fine
     */
    public static function url_problem(string $url, bool $allowhttp): ?string {
        $parts = parse_url($url);
        $scheme = strtolower($parts['scheme'] ?? '');
        $host = strtolower(trim($parts['host'] ?? '', '[]'));
        $hasmore = isset($parts['user']) || isset($parts['query']) || isset($parts['fragment']);
        if ($host === '' || $hasmore || !in_array($scheme, ['http', 'https'], true) || preg_match('/[\s[:cntrl:]]/', $url)) {
            return failure::INVALID_URL;
        }
        $isloopback = $host === 'localhost' || $host === '::1' || preg_match('/^127(\.\d+){3}$/', $host);
        return $scheme === 'https' || $isloopback || $allowhttp ? null : failure::INSECURE_URL;
    }

    /**
     * Whether records of a kind are sent.
     *
     * @param string $kind
     * @return bool
     */
    public function sends(string $kind): bool {
        return (bool)($this->settings->{'send_' . $kind} ?? true);
    }

    /**
     * Whether hidden grades are sent.
     *
     * @return bool
     */
    public function sends_hidden(): bool {
        return !empty($this->settings->sendhidden);
    }

    /**
     * The language of names that hold several.
     *
     * @return string language code; empty for the site's default language
     */
    public function language(): string {
        return trim($this->settings->language ?? '');
    }

    /**
     * Whether bodies are compressed.
     *
     * @return string a constant of compression
     */
    public function compression(): string {
        $value = $this->settings->compression ?? '';
        return in_array($value, [compression::ALWAYS, compression::NEVER], true) ? $value : compression::AUTO;
    }

    /**
     * Whether changes are sent right after the page.
     *
     * @return bool
     */
    public function sends_immediately(): bool {
        return (bool)($this->settings->immediate ?? true);
    }

    /**
     * Timeout for connecting.
     *
     * @return int seconds
     */
    public function connect_timeout(): int {
        return $this->number('connecttimeout');
    }

    /**
     * Timeout for a whole request.
     *
     * @return int seconds
     */
    public function timeout(): int {
        return $this->number('timeout');
    }

    /**
     * How long changes may wait before administrators are alerted.
     *
     * @return int seconds
     */
    public function alert_after(): int {
        return MINSECS * $this->number('alertminutes');
    }

    /**
     * Speed limit of a backfill.
     *
     * @return int records per minute
     */
    public function backfill_rate(): int {
        return $this->number('backfillrate');
    }

    /**
     * What the administrator allows to leave the site.
     *
     * @return options
     */
    public function options(): options {
        $options = new options();
        $options->compression = $this->compression();
        $options->kinds = array_values(array_filter(change::KINDS, [$this, 'sends']));
        foreach (payload::FIELDS as $kind => $fields) {
            $names = array_keys($fields);
            // What is left out is stored, so that a field which a later version adds is sent.
            $excluded = array_intersect($names, explode(',', $this->settings->{'leftout_' . $kind} ?? ''));
            // An early version stored what is sent. config.php may still force that.
            $chosen = $this->settings->{'fields_' . $kind} ?? null;
            $unchosen = $chosen === null ? [] : array_diff($names, explode(',', $chosen));
            $options->excluded[$kind] = array_values(array_intersect($names, array_merge($excluded, $unchosen)));
        }
        return $options;
    }

    /**
     * Whether the names of what people belong to are sent: cohorts of users, groups of enrolments.
     *
     * @param string $kind
     * @return bool
     */
    public function sends_names(string $kind): bool {
        return isset(payload::NAMES[$kind]) && !empty($this->settings->{'send_' . payload::NAMES[$kind]});
    }

    /**
     * The custom fields that leave the site.
     *
     * @param string $kind
     * @return string[] short names
     */
    public function custom_fields(string $kind): array {
        return array_values(array_filter(array_map('trim', explode(',', $this->settings->{'custom_' . $kind} ?? '')), 'strlen'));
    }

    /**
     * A numeric setting, clamped to its limits.
     *
     * @param string $name one of NUMBERS
     * @return int
     */
    private function number(string $name): int {
        [$default, $min, $max] = self::NUMBERS[$name];
        return max($min, min($max, (int)($this->settings->$name ?? $default)));
    }
}
