<?php
// The config.php of the Moodle that scripts/integration and scripts/bench install. Its settings come from the environment.

unset($CFG);
global $CFG;
$CFG = new stdClass();

$database = parse_url(getenv('MOODLE_DATABASE_URL'));
$CFG->dbtype = $database['scheme'] === 'mariadb' ? 'mariadb' : 'pgsql';
$CFG->dblibrary = 'native';
$CFG->dbhost = $database['host'];
$CFG->dbname = ltrim($database['path'], '/');
$CFG->dbuser = $database['user'];
$CFG->dbpass = $database['pass'];
$CFG->prefix = 'mdl_';
$CFG->dboptions = ['dbport' => $database['port']];
unset($database);

$CFG->wwwroot = getenv('MOODLE_URL') ?: 'http://127.0.0.1';
$CFG->dataroot = getenv('MOODLE_DATA');
$CFG->admin = 'admin';
$CFG->phpunit_prefix = 'phpu_';
$CFG->phpunit_dataroot = getenv('MOODLE_DATA') . '.phpunit';
$CFG->noemailever = true;
$CFG->noreplyaddress = 'noreply@example.com';

// Errors go to PHP's error log. An old Moodle causes many deprecation notices on a new PHP.
$CFG->debug = E_ALL & ~E_DEPRECATED;
$CFG->debugdisplay = 0;

require_once(__DIR__ . '/lib/setup.php');
