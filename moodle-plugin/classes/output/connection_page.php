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

namespace local_backend_sync\output;

use local_backend_sync\local\config;
use local_backend_sync\local\connection_test;
use local_backend_sync\local\status;
use local_backend_sync\local\verdict;

/**
 * The page that tests the connection.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class connection_page implements \renderable, \templatable {
    /** @var config */
    private $config;
    /** @var connection_test|null null before the test */
    private $test;

    /**
     * Constructor.
     *
     * @param config $config
     * @param connection_test|null $test
     */
    public function __construct(config $config, ?connection_test $test) {
        $this->config = $config;
        $this->test = $test;
    }

    /**
     * Data for the template.
     *
     * @param \renderer_base $output
     * @return array
     */
    public function export_for_template(\renderer_base $output) {
        $isconfigured = $this->config->is_configured();
        $intro = $isconfigured ? 'test_intro' : 'reason_notconfigured';
        return [
            'url' => (new \moodle_url('/local/backend_sync/testconnection.php'))->out(false),
            'statusurl' => (new \moodle_url('/local/backend_sync/status.php'))->out(false),
            'settingsurl' => (new \moodle_url('/admin/settings.php', ['section' => 'local_backend_sync']))->out(false),
            'sesskey' => sesskey(),
            'intro' => get_string($intro, 'local_backend_sync', $this->config->url()),
            'configured' => $isconfigured,
            'results' => $this->test ? self::results($this->test) : [],
            'tested' => (bool)$this->test,
        ];
    }

    /**
     * The results of a test.
     *
     * @param connection_test $test
     * @return array[] verdicts, as data for the template
     */
    public static function results(connection_test $test): array {
        if ($test->problem !== null) {
            return [(new verdict(verdict::ERROR, $test->problem))->export()];
        }
        $a = (object)['site' => $test->site, 'version' => $test->version, 'ms' => number_format($test->milliseconds)];
        $results = [new verdict(verdict::OK, get_string('test_success', 'local_backend_sync', $a))];
        foreach ($test->warnings as $warning) {
            $results[] = new verdict(verdict::WARNING, $warning);
        }
        return array_map(function ($verdict) {
            return $verdict->export();
        }, array_filter(array_merge($results, [verdict::on_start(status::read())])));
    }
}
