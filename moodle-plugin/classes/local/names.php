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
 * Resolves names that hold several languages to one language, with the filters that this Moodle applies to headings. The language
 * is fixed by a setting: the name must not depend on whose page, or whether cron, happens to send it.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class names {
    /** @var string characters that markup of several languages begins with: <span class="multilang">, {mlang} */
    const MARKUP = '<{';

    /** @var string language code */
    private $language;
    /** @var string[] resolved names by name: those of categories and grade items repeat */
    private $resolved = [];

    /**
     * Constructor.
     *
     * @param string $language language code; empty for the site's default language
     */
    public function __construct(string $language) {
        global $CFG;
        $exists = $language !== '' && get_string_manager()->translation_exists($language, false);
        $this->language = $exists ? $language : $CFG->lang;
    }

    /**
     * A name in one language.
     *
     * @param string|null $name as in Moodle's tables
     * @return string|null without markup of languages; otherwise the same, with no HTML escaping
     */
    public function resolve(?string $name): ?string {
        if ($name === null || strpbrk($name, self::MARKUP) === false) {
            return $name;
        }
        if (!isset($this->resolved[$name])) {
            $this->resolved[$name] = $this->filter($name);
        }
        return $this->resolved[$name];
    }

    /**
     * Applies Moodle's filters in the fixed language.
     *
     * @param string $name
     * @return string
     */
    private function filter(string $name): string {
        global $CFG;
        require_once($CFG->libdir . '/filterlib.php');
        $before = force_current_language($this->language);
        try {
            // The site's filters, not the course's: each course would take statements of its own.
            return \filter_manager::instance()->filter_string($name, \context_system::instance());
        } finally {
            force_current_language($before);
        }
    }
}
