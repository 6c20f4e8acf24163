<?php
// Usage: php firewall.php BACKEND_URL WAY
//
// Stands between a Moodle and a backend, and refuses requests whose body has <script> in it, as a web application firewall does. WAY is
// the status of its answer, or "reset" to break the connection. It does not look into compressed bodies. Prints its URL, and runs
// until it is killed.

/**
 * Reads a request.
 *
 * @param resource $client
 * @return string[] head and body
 */
function read_request($client): array {
    $head = stream_get_line($client, 65536, "\r\n\r\n");
    preg_match('/^content-length: *(\d+)/mi', $head, $match);
    $length = (int) ($match[1] ?? 0);
    return [$head, $length ? stream_get_contents($client, $length) : ''];
}

/**
 * Refuses a request.
 *
 * @param resource $client
 * @param string $way
 */
function refuse($client, string $way): void {
    if ($way === 'reset') {
        // Instead of closing it in good order.
        socket_set_option(socket_import_stream($client), SOL_SOCKET, SO_LINGER, ['l_onoff' => 1, 'l_linger' => 0]);
        return;
    }
    $page = '<html>Your request has been blocked.</html>';
    $length = strlen($page);
    fwrite($client, "HTTP/1.1 $way Blocked\r\nContent-Type: text/html\r\nContent-Length: $length\r\nConnection: close\r\n\r\n$page");
}

/**
 * Lets a request pass.
 *
 * @param resource $client
 * @param string $backend host and port
 * @param string $head
 * @param string $body
 */
function relay($client, string $backend, string $head, string $body): void {
    $connection = stream_socket_client("tcp://$backend");
    fwrite($connection, "$head\r\nConnection: close\r\n\r\n$body");
    stream_copy_to_stream($connection, $client);
}

[, $url, $way] = $argv;
$backend = substr($url, strlen('http://'));
$server = stream_socket_server('tcp://127.0.0.1:0');
echo 'http://' . stream_socket_get_name($server, false) . "\n";
while ($client = stream_socket_accept($server, -1)) {
    [$head, $body] = read_request($client);
    if (strpos($body, '<script>') === false) {
        relay($client, $backend, $head, $body);
    } else {
        refuse($client, $way);
    }
    fclose($client);
}
