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
 * A backend of its own, with an empty SQLite database, for a test that kills it, restores it and replaces its files. The register
 * lies beside the database.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class own_backend {
    /** @var string what the backend calls the site */
    const SITE = 'college';
    /** @var int seconds in which it starts, or does what a command says, on any machine */
    const PATIENCE = 180;

    /** @var string */
    public $url;
    /** @var string */
    public $sitetoken;
    /** @var string */
    public $apitoken;
    /** @var string the program */
    private $program;
    /** @var string its files */
    protected $folder;
    /** @var string[] environment of the program */
    private $environment;
    /** @var int bytes of the write-ahead log that stay, because the tokens may be there */
    private $least;
    /** @var resource|null the running server */
    private $server = null;

    /**
     * Makes an empty database and starts the server.
     *
     * @param string $program backend-sync
     * @param string $folder an empty one
     */
    public function __construct(string $program, string $folder) {
        $this->program = $program;
        $this->folder = $folder;
        $address = self::free_address();
        $this->url = "http://$address";
        $this->environment = ['PATH' => getenv('PATH'), 'BACKEND_SYNC_LISTEN' => $address,
            'BACKEND_SYNC_DATABASE_URL' => $this->make_database(), 'BACKEND_SYNC_BACKUP__REGISTER' => "$folder/register"];
        $this->run(['--new-database', 'migrate']);
        $this->sitetoken = $this->last_line(['site', 'add', self::SITE]);
        $this->apitoken = $this->last_line(['token', 'add', 'test', '--scope', 'read']);
        $this->least = $this->wal_bytes();
        $this->start();
    }

    /**
     * The URL of an empty database.
     *
     * @return string
     */
    protected function make_database(): string {
        return "sqlite://$this->folder/backend.sqlite";
    }

    /**
     * An address at which nobody listens.
     *
     * @return string
     */
    private static function free_address(): string {
        $socket = stream_socket_server('tcp://127.0.0.1:0');
        $address = stream_socket_get_name($socket, false);
        fclose($socket);
        return $address;
    }

    /**
     * Runs a command of the program.
     *
     * @param string[] $arguments
     * @return string what it prints
     */
    public function run(array $arguments): string {
        $files = [['file', '/dev/null', 'r'], ['pipe', 'w'], ['file', "$this->folder/log", 'a']];
        $command = array_merge([$this->program], $arguments);
        $process = proc_open($command, $files, $pipes, $this->folder, $this->environment);
        $output = stream_get_contents($pipes[1]);
        fclose($pipes[1]);
        $status = proc_close($process);
        if ($status !== 0) {
            throw new \Exception(implode(' ', $arguments) . " ended with $status: $output\n" . $this->log());
        }
        return $output;
    }

    /**
     * The last line that a command prints.
     *
     * @param string[] $arguments
     * @return string
     */
    private function last_line(array $arguments): string {
        $lines = explode("\n", trim($this->run($arguments)));
        return end($lines);
    }

    /**
     * The end of what it has logged.
     *
     * @return string
     */
    private function log(): string {
        return substr(file_get_contents("$this->folder/log"), -4000);
    }

    /**
     * Starts the server, and waits until it answers.
     */
    public function start(): void {
        $log = ['file', "$this->folder/log", 'a'];
        // It ends with the test, however that ends.
        $command = ['setpriv', '--pdeathsig', 'KILL', $this->program, 'serve'];
        $this->server = proc_open($command, [['file', '/dev/null', 'r'], $log, $log], $pipes, $this->folder, $this->environment);
        for ($end = time() + self::PATIENCE; !$this->answers(); usleep(10000)) {
            if (!proc_get_status($this->server)['running'] || time() > $end) {
                throw new \Exception("The backend does not start:\n" . $this->log());
            }
        }
    }

    /**
     * Whether the server answers.
     *
     * @return bool
     */
    private function answers(): bool {
        $curl = curl_init("$this->url/api/v1/health");
        curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 5, CURLOPT_PROXY => '']);
        curl_exec($curl);
        return curl_getinfo($curl, CURLINFO_RESPONSE_CODE) === 200;
    }

    /**
     * The process of the server.
     *
     * @return int
     */
    public function pid(): int {
        return proc_get_status($this->server)['pid'];
    }

    /**
     * Ends the server: in peace, or as when the power fails.
     *
     * @param int $signal SIGTERM or SIGKILL
     */
    public function end(int $signal): void {
        if ($this->server) {
            proc_terminate($this->server, $signal);
            proc_close($this->server);
            $this->server = null;
        }
    }

    /**
     * Copies the database as it lies there. The server must have ended.
     *
     * @param string $name of the copy
     */
    public function copy(string $name): void {
        mkdir("$this->folder/$name");
        $this->copy_files(['register'], '', "$name/");
        $this->copy_database($name);
    }

    /**
     * Puts a copy in place of the database. The server must have ended.
     *
     * @param string $name of the copy
     * @param bool $all also the register, which no restore of a database replaces: as when a whole machine goes back in time
     */
    public function put_back(string $name, bool $all): void {
        if ($all) {
            $this->copy_files(['register'], "$name/", '');
        }
        $this->replace_database($name);
    }

    /**
     * Copies the database alone.
     *
     * @param string $name of the copy
     */
    protected function copy_database(string $name): void {
        $this->copy_files(['backend.sqlite', 'backend.sqlite-wal'], '', "$name/");
    }

    /**
     * Puts a copy in place of the database alone.
     *
     * @param string $name of the copy
     */
    protected function replace_database(string $name): void {
        // What SQLite keeps in memory is made anew of the log.
        $this->copy_files(['backend.sqlite', 'backend.sqlite-wal', 'backend.sqlite-shm'], "$name/", '');
    }

    /**
     * Copies files of its folder. Those that are not there go where they would be copied to.
     *
     * @param string[] $files
     * @param string $from
     * @param string $to
     */
    private function copy_files(array $files, string $from, string $to): void {
        foreach ($files as $file) {
            if (is_file("$this->folder/$to$file")) {
                unlink("$this->folder/$to$file");
            }
            if (is_file("$this->folder/$from$file")) {
                copy("$this->folder/$from$file", "$this->folder/$to$file");
            }
        }
    }

    /**
     * Makes a backup while the server runs.
     *
     * @param string $name
     */
    public function backup(string $name): void {
        $this->run(['backup', "$this->folder/$name.backup"]);
    }

    /**
     * Restores a backup. The server must have ended.
     *
     * @param string $name
     */
    public function restore(string $name): void {
        $this->run(['restore', "$this->folder/$name.backup", '--replace', '--yes']);
    }

    /**
     * Cuts off the end of the write-ahead log, as a disk does that had not written what it said. The server must have been killed.
     *
     * @param float $share of it that stays
     */
    public function cut_tail(float $share): void {
        $path = "$this->folder/backend.sqlite-wal";
        if (is_file($path)) {
            $file = fopen($path, 'r+');
            ftruncate($file, max($this->least, (int)($this->wal_bytes() * $share)));
            fclose($file);
        }
    }

    /**
     * The bytes of the write-ahead log.
     *
     * @return int
     */
    private function wal_bytes(): int {
        clearstatcache();
        $path = "$this->folder/backend.sqlite-wal";
        return is_file($path) ? filesize($path) : 0;
    }

    /**
     * All living records of a kind, as its API lists them.
     *
     * @param string $list
     * @return array[] by id
     */
    public function living(string $list): array {
        $records = [];
        $cursor = '';
        do {
            $page = $this->read("/api/v1/$list?deleted=false&limit=500" . ($cursor ? '&cursor=' . urlencode($cursor) : ''));
            foreach ($page['items'] as $record) {
                $records[(int)substr(strrchr($record['id'], ':'), 1)] = $record;
            }
            $cursor = $page['next_cursor'] ?? null;
        } while ($cursor);
        return $records;
    }

    /**
     * Reads its API.
     *
     * @param string $path
     * @return array
     */
    public function read(string $path): array {
        $response = (new curl_http())->request($this->url . $path, ["Authorization: Bearer $this->apitoken"], null);
        if ($response->status !== 200) {
            throw new \Exception("$path answers $response->status $response->error $response->body");
        }
        return json_decode($response->body, true);
    }
}
