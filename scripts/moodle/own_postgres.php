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

namespace local_backend_sync\integration;

/**
 * The same on PostgreSQL, at TEST_POSTGRES_URL.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class own_postgres extends own_backend {
    /** @var string the database */
    private $database;

    /**
     * The URL of an empty database.
     *
     * @return string
     */
    protected function make_database(): string {
        $this->database = 'parity_' . bin2hex(random_bytes(6));
        $this->sql("CREATE DATABASE $this->database");
        return preg_replace('~/[^/]*$~', "/$this->database", getenv('TEST_POSTGRES_URL'));
    }

    /**
     * Copies the database alone.
     *
     * @param string $name of the copy
     */
    protected function copy_database(string $name): void {
        $this->end_sessions();
        $this->sql("CREATE DATABASE {$this->database}_" . strtr($name, '.', '_') . " TEMPLATE $this->database");
    }

    /**
     * Puts a copy in place of the database alone.
     *
     * @param string $name of the copy
     */
    protected function replace_database(string $name): void {
        $this->sql("DROP DATABASE $this->database WITH (FORCE)");
        $this->sql("CREATE DATABASE $this->database TEMPLATE {$this->database}_" . strtr($name, '.', '_'));
    }

    /**
     * PostgreSQL has its log to itself.
     *
     * @param float $share
     */
    public function cut_tail(float $share): void {
        $this->end_sessions();
    }

    /**
     * Ends the sessions of a server that was killed.
     */
    private function end_sessions(): void {
        $this->sql("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '$this->database'");
    }

    /**
     * Runs a statement.
     *
     * @param string $sql
     */
    private function sql(string $sql): void {
        $command = ['psql', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', getenv('TEST_POSTGRES_URL'), '-c', $sql];
        $process = proc_open($command, [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w']], $pipes);
        if (proc_close($process) !== 0) {
            throw new \Exception("PostgreSQL refuses: $sql");
        }
    }
}
