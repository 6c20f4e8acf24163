<?php
// HTTP requests of the comparisons. Needs no Moodle.
//
// Environment: BACKEND_URL, API_TOKEN (of the backend, scope read).

/**
 * Fetches JSON.
 *
 * @param string $url
 * @param string[] $headers
 * @return array
 */
function get_json(string $url, array $headers = []): array {
    $curl = curl_init($url);
    curl_setopt_array($curl, [
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_HTTPHEADER => $headers,
        CURLOPT_PROXY => '',
        CURLOPT_TIMEOUT => 60,
    ]);
    $body = curl_exec($curl);
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    if ($status !== 200) {
        fwrite(STDERR, "GET $url answered $status " . curl_error($curl) . "\n$body\n");
        exit(1);
    }
    return json_decode($body, true, 512, JSON_THROW_ON_ERROR);
}

/**
 * All items of a list in the backend's API, page by page.
 *
 * @param string $list such as "users"
 * @param string $site only those of this site; empty for all
 * @return Generator of arrays
 */
function backend_items(string $list, string $site = ''): Generator {
    $cursor = null;
    do {
        // Explicit separator: Moodle changes PHP's default to the one for HTML.
        $query = http_build_query(['limit' => 500] + ($site === '' ? [] : ['site' => $site]) + ($cursor === null ? [] : ['cursor' => $cursor]), '', '&');
        $page = get_json(getenv('BACKEND_URL') . "/api/v1/$list?$query", ['Authorization: Bearer ' . getenv('API_TOKEN')]);
        yield from $page['items'];
        $cursor = $page['next_cursor'];
    } while ($cursor !== null);
}
