<?php
// Usage: php cost.php [ROUNDS]
//
// Measures what the plugin costs: creates ROUNDS users (default 200) without the plugin's observers, and as many with each kind of backend,
// in turns within one process, because a machine's speed changes from second to second. Prints the times, and their ratios to those
// without the plugin.
//
// Environment: MOODLE_CONFIG (path of Moodle's config.php), BACKEND_URL.

define('CLI_SCRIPT', true);
require(getenv('MOODLE_CONFIG'));
require_once($CFG->dirroot . '/user/lib.php');

const WITHOUT = 'without the plugin';

/**
 * Starts a server that accepts connections and answers after a delay, or never.
 *
 * @param int|null $milliseconds null for never
 * @return string its URL
 */
function bad_backend(?int $milliseconds): string {
    $server = stream_socket_server('tcp://127.0.0.1:0');
    $url = 'http://' . stream_socket_get_name($server, false);
    $pid = pcntl_fork();
    if ($pid === 0) {
        while (true) {
            $connection = stream_socket_accept($server, -1);
            fread($connection, 65536);
            usleep(1000 * ($milliseconds ?? 3600000));
            fwrite($connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
            fclose($connection);
        }
    }
    register_shutdown_function('posix_kill', $pid, SIGKILL);
    return $url;
}

/**
 * Creates a user.
 *
 * @param string $name
 * @return float seconds
 */
function create_user(string $name): float {
    global $CFG;
    $start = microtime(true);
    user_create_user((object) [
        'username' => $name, 'firstname' => 'Ann', 'lastname' => 'Smith', 'email' => "$name@example.com", 'password' => 'Passw0rd!x',
        'auth' => 'manual', 'confirmed' => 1, 'mnethostid' => $CFG->mnet_localhost_id, 'lang' => 'en',
    ]);
    return microtime(true) - $start;
}

/**
 * The median.
 *
 * @param float[] $values
 * @return float
 */
function median(array $values): float {
    sort($values);
    return $values[intdiv(count($values), 2)];
}

$backends = [
    WITHOUT => '',
    'backend well' => getenv('BACKEND_URL'),
    'backend down' => 'http://127.0.0.1:9',
    'backend answers after 200 ms' => bad_backend(200),
    'backend never answers' => bad_backend(null),
];
$rounds = (int) ($argv[1] ?? 200);
$run = uniqid('cost');
create_user($run);

// Moodle has read its list of observers by now. Without the plugin's own, it is as if the plugin were not installed.
$observers = new ReflectionProperty(\core\event\manager::class, 'allobservers');
$observers->setAccessible(true);
$with = $observers->getValue();
$without = array_map(function ($list) {
    return array_filter($list, function ($observer) {
        return !is_string($observer->callable) || strpos($observer->callable, 'local_backend_sync') === false;
    });
}, $with);

$times = [];
for ($round = 0; $round < $rounds; $round++) {
    $names = array_keys($backends);
    shuffle($names);
    foreach ($names as $i => $name) {
        set_config('backend_url', $backends[$name], 'local_backend_sync');
        get_config('local_backend_sync');
        $observers->setValue(null, $name === WITHOUT ? $without : $with);
        $times[$name][] = create_user("$run-$round-$i");
    }
}
$observers->setValue(null, $with);
set_config('backend_url', getenv('BACKEND_URL'), 'local_backend_sync');

printf("%-30s %10s %7s %12s %7s\n", "$rounds users", 'sum, s', 'ratio', 'median, ms', 'ratio');
foreach (array_keys($backends) as $name) {
    $sum = array_sum($times[$name]);
    $median = median($times[$name]);
    $format = "%-30s %10.3f %7.3f %12.3f %7.3f\n";
    printf($format, $name, $sum, $sum / array_sum($times[WITHOUT]), 1000 * $median, $median / median($times[WITHOUT]));
}
