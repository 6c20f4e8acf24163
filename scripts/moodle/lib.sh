# shellcheck shell=bash
# A backend and a Moodle for one run. Sourced, after scripts/lib.sh, by the
# scripts that need them; never run by itself.

# No setting of the calling shell may change what is tested, and no proxy
# stand between the two.
unset "${!BACKEND_SYNC_@}"
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

# --- The backend ------------------------------------------------------------

work=
backend_pid=
firewall_pid=

cleanup() {
    local status=$?
    stop_backend
    stop_firewall
    stop_zoho
    [ -z "${postgres_dir:-}" ] || stop_postgres
    stop_mariadb
    [ $status = 0 ] || [ -z "$work" ] || show_logs >&2
    [ -z "$work" ] || rm -rf "$work"
}
trap cleanup EXIT

show_logs() {
    heading "The end of the backend's log, without the events that it received"
    grep -v ' Received ' "$work/backend.log" | tail -n 20
    heading "The end of PHP's error log"
    tail -n 20 "$work/php.log"
}

# Starts a backend with an empty SQLite database and sets BACKEND_URL,
# SITE_TOKEN and API_TOKEN.
start_backend() {
    local database
    database=$(mktemp -d "$work/backend.XXXXXX")/backend.sqlite
    export BACKEND_SYNC_LISTEN BACKEND_SYNC_DATABASE_URL BACKEND_URL SITE_TOKEN API_TOKEN
    BACKEND_SYNC_LISTEN=127.0.0.1:$(free_port)
    BACKEND_SYNC_DATABASE_URL=sqlite://$database
    BACKEND_URL=http://$BACKEND_SYNC_LISTEN
    # The token is the last line that each prints.
    "$program" migrate
    SITE_TOKEN=$("$program" site add college | tail -n 1)
    API_TOKEN=$("$program" token add integration --scope read | tail -n 1)
    restart_backend
}

# Starts it again, after stop_backend or kill_backend, with the same data,
# port and tokens.
restart_backend() {
    # pdeathsig: it stops even when this script is killed outright.
    setpriv --pdeathsig KILL "$program" serve >>"$work/backend.log" 2>&1 &
    backend_pid=$!
    until curl -fsS -m 5 -o /dev/null "$BACKEND_URL/api/v1/health" 2>/dev/null; do
        kill -0 "$backend_pid" 2>/dev/null || die "the backend did not start"
        sleep 0.1
    done
}

# Runs a command between the end of the backend and its next start.
while_stopped() { # while_stopped COMMAND...
    stop_backend
    "$@"
    restart_backend
}

stop_backend() { end_backend TERM; }

# As when the power fails: it finishes nothing.
kill_backend() { end_backend KILL; }

end_backend() { # end_backend SIGNAL
    [ -n "$backend_pid" ] || return 0
    kill -"$1" "$backend_pid" 2>/dev/null || true
    # The shell would report how it ended.
    wait "$backend_pid" 2>/dev/null || true
    backend_pid=
}

# Starts a firewall before the backend that does not like some texts. Sets firewall_url.
start_firewall() {
    setpriv --pdeathsig KILL php scripts/moodle/firewall.php "$BACKEND_URL" 403 >"$work/firewall.out" 2>>"$work/php.log" &
    firewall_pid=$!
    until firewall_url=$(cat "$work/firewall.out") && [ -n "$firewall_url" ]; do
        kill -0 "$firewall_pid" 2>/dev/null || die "the firewall did not start"
        sleep 0.1
    done
}

stop_firewall() {
    [ -n "$firewall_pid" ] || return 0
    kill "$firewall_pid" 2>/dev/null || true
    wait "$firewall_pid" 2>/dev/null || true
    firewall_pid=
}

# --- Moodle -----------------------------------------------------------------

# Looks at the folder that a variable names.
find_moodle() { # find_moodle VARIABLE
    local folder=${!1}
    [[ $folder == /* ]] || die "$1 must be an absolute path; it is $folder"
    # From 5.1 on, what the web server shows lies in public/.
    web=.
    [ ! -f "$folder/public/version.php" ] || web=public
    [ -f "$folder/$web/lib/moodlelib.php" ] ||
        die "$1=$folder has no Moodle code: it must be the folder with Moodle's config-dist.php"
    moodle_release=$(sed -nE "s/^\\\$release *= *'([^']*)'.*/\1/p" "$folder/$web/version.php")
}

need_php() { # need_php EXTENSION...
    local extension
    need_command php php-cli
    for extension in "$@"; do
        php -r "exit((int) !extension_loaded('$extension'));" 2>/dev/null || packages+=("php-$extension")
    done
}

# What a Moodle needs.
need_moodle() {
    case $moodle_database in
    pgsql)
        need_postgres
        need_php pgsql
        ;;
    mariadb)
        # Without a server that starts by itself.
        need_command mariadbd mariadb-server-core
        need_command mariadb-dump mariadb-client
        php -r "exit((int) !extension_loaded('mysqli'));" 2>/dev/null || packages+=(php-mysql)
        ;;
    *) die "MOODLE_DATABASE is pgsql or mariadb, not $moodle_database" ;;
    esac
    need_command curl curl
    need_command zip zip
    need_php curl gd intl mbstring soap xml zip
}

# Runs a PHP script in Moodle's folder, half an hour at most; Moodle wants more
# variables and memory than PHP's defaults allow.
moodle() { # moodle SCRIPT [ARGUMENTS]; SCRIPT relative to Moodle's folder, or absolute
    (cd "$code" && exec timeout --foreground -k 5 1800 \
        php -d max_input_vars=5000 -d memory_limit=1G -d log_errors=1 -d error_log="$work/php.log" "$@")
}

# Copies the code that find_moodle has found.
copy_moodle() { # copy_moodle FOLDER COPY
    code=$2
    mkdir "$code"
    tar -C "$1" --anchored --exclude=./.git --exclude=./config.php -cf - . | tar -C "$code" -xf -
    rm -rf "${code:?}/$web/local/backend_sync"
    cp scripts/moodle/config.php "$code/config.php"
    export MOODLE_CONFIG=$code/config.php
    # Where admin/ lies depends on the version too.
    admin=admin/cli
    [ -d "$code/$admin" ] || admin=$web/admin/cli
}

install_moodle() {
    heading "Installing Moodle $moodle_release"
    export MOODLE_DATA=$work/data
    mkdir "$MOODLE_DATA"
    copy_moodle "$MOODLE_DIR" "$work/moodle"
    quietly moodle "$admin/install_database.php" --agree-license --fullname=College --shortname=college \
        --adminpass="Admin-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')" --adminemail=admin@example.com
}

install_plugin() { # install_plugin ZIP
    heading "Installing the plugin from ${1##*/}"
    quietly moodle "$root/scripts/moodle/install.php" "$1"
    quietly moodle "$admin/upgrade.php" --non-interactive
    [ -f "$code/$web/local/backend_sync/version.php" ] || die "Moodle did not install the plugin to local/backend_sync"
}

# Replaces Moodle's code by a later version's, with the plugin that it has, as an administrator does.
upgrade_moodle() {
    local plugin=$code/$web/local/backend_sync
    find_moodle MOODLE_UPGRADE_DIR
    heading "Upgrading to Moodle $moodle_release"
    copy_moodle "$MOODLE_UPGRADE_DIR" "$work/upgraded"
    cp -R "$plugin" "$code/$web/local/backend_sync"
    quietly moodle "$admin/upgrade.php" --non-interactive
}

connect_plugin() { # connect_plugin URL
    moodle "$admin/cfg.php" --component=local_backend_sync --name=backend_url --set="$1"
    # Never as an argument, which any user of the machine can read.
    moodle "$web/local/backend_sync/cli/set_token.php" <<<"$SITE_TOKEN"
    # Those that changes.php makes, except one.
    moodle "$admin/cfg.php" --component=local_backend_sync --name=custom_user \
        --set=int_text,int_checkbox,int_date,int_datetime,int_menu,int_textarea,int_social
    moodle "$admin/cfg.php" --component=local_backend_sync --name=custom_course \
        --set=int_text,int_checkbox,int_date,int_select,int_textarea
    moodle "$admin/cfg.php" --component=local_backend_sync --name=send_cohorts --set=1
    moodle "$admin/cfg.php" --component=local_backend_sync --name=send_groups --set=1
}

plugin() { moodle "$web/local/backend_sync/cli/$1.php" "${@:2}"; } # plugin SCRIPT [ARGUMENTS]

# As an administrator backs up Moodle's database, and puts the backup in its place.
backup_moodle() { # backup_moodle FILE
    case $moodle_database in
    pgsql) "$(postgres_bin)/pg_dump" --format=custom --file="$1" "$MOODLE_DATABASE_URL" ;;
    mariadb) with_mariadb mariadb-dump --single-transaction >"$1" ;;
    esac
}
restore_moodle() { # restore_moodle FILE
    case $moodle_database in
    pgsql) "$(postgres_bin)/pg_restore" --clean --if-exists --dbname="$MOODLE_DATABASE_URL" "$1" ;;
    mariadb) with_mariadb mariadb <"$1" ;;
    esac
    quietly moodle "$admin/purge_caches.php"
}
with_mariadb() { # with_mariadb PROGRAM [OPTIONS]
    local password=${MOODLE_DATABASE_URL#mariadb://moodle:}
    MYSQL_PWD=${password%%@*} "$1" --no-defaults --host=127.0.0.1 --port="$mariadb_port" --user=moodle \
        --default-character-set=utf8mb4 "${@:2}" moodle
}

# Runs a command whose output nobody wants unless it fails.
quietly() {
    "$@" >"$work/output" 2>&1 || {
        tail -n 100 "$work/output" >&2
        die "the command above failed: $*"
    }
}

# --- MariaDB ----------------------------------------------------------------

moodle_database=${MOODLE_DATABASE:-pgsql}
mariadb_pid=

# Starts a throwaway server that waits for no disk, and exports its address.
start_mariadb() {
    local port password as_user=()
    port=$(free_port)
    mariadb_port=$port
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    mariadb_dir=$(mktemp -d /var/tmp/backend-sync-mariadb.XXXXXX)
    # A password, because any user of this machine can connect to the port.
    cat >"$mariadb_dir/init.sql" <<SQL
CREATE DATABASE moodle CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE USER moodle@'127.0.0.1' IDENTIFIED BY '$password';
GRANT ALL ON *.* TO moodle@'127.0.0.1';
ALTER USER root@localhost ACCOUNT LOCK;
SQL
    # The server does not run as root.
    if [ "$(id -u)" = 0 ]; then
        chown -R nobody "$mariadb_dir"
        as_user=(--reuid=nobody --regid=nogroup --clear-groups)
    fi
    say "Starting a throwaway MariaDB on 127.0.0.1:$port"
    quietly setpriv "${as_user[@]}" mariadb-install-db --no-defaults --datadir="$mariadb_dir/data" \
        --auth-root-authentication-method=normal --skip-test-db
    setpriv "${as_user[@]}" --pdeathsig KILL mariadbd --no-defaults --datadir="$mariadb_dir/data" \
        --bind-address=127.0.0.1 --port="$port" --socket="$mariadb_dir/socket" --pid-file="$mariadb_dir/pid" \
        --skip-name-resolve --skip-log-bin --innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync \
        --max-allowed-packet=64M --init-file="$mariadb_dir/init.sql" >"$mariadb_dir/log" 2>&1 &
    mariadb_pid=$!
    until (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        kill -0 "$mariadb_pid" 2>/dev/null || {
            tail -n 50 "$mariadb_dir/log" >&2
            die "MariaDB did not start"
        }
        sleep 0.1
    done
    export MOODLE_DATABASE_URL="mariadb://moodle:$password@127.0.0.1:$port/moodle"
}

stop_mariadb() {
    [ -n "$mariadb_pid" ] || return 0
    kill -KILL "$mariadb_pid" 2>/dev/null || true
    wait "$mariadb_pid" 2>/dev/null || true
    mariadb_pid=
    rm -rf "$mariadb_dir"
}

# --- Moodle's own PHPUnit ---------------------------------------------------

# Why Moodle's PHPUnit cannot run here; nothing when it can. Moodle 5.0 and later
# need a newer PHPUnit than Debian has, which Moodle's composer.json brings.
no_phpunit() {
    [ ! -f "$code/vendor/bin/phpunit" ] || return 0
    if grep -Eq "branch *= *'[5-9][0-9]{2}'" "$code/$web/version.php"; then
        say "this Moodle needs its own PHPUnit: run composer install in MOODLE_DIR"
    elif ! [ -f /usr/share/php/PHPUnit/Autoload.php ] || ! [ -f /usr/share/php/org/bovigo/vfs/autoload.php ]; then
        say "install Debian's packages phpunit and php-mikey179-vfsstream"
    elif ! locale -a | grep -i '^en_AU.utf-\?8$' >/dev/null; then
        say "Moodle's tests need the locale en_AU.UTF-8: install Debian's package locales-all"
    fi
}

# Debian's PHPUnit where Moodle expects composer's.
use_debian_phpunit() {
    mkdir -p "$code/vendor/bin" "$code/vendor/phpunit/phpunit"
    printf '{"name": "phpunit/phpunit", "version": "%s"}\n' "$(phpunit --version | grep -oE '[0-9]+(\.[0-9]+)+')" \
        >"$code/vendor/phpunit/phpunit/composer.json"
    cat >"$code/vendor/autoload.php" <<'PHP'
<?php
require_once('/usr/share/php/PHPUnit/Autoload.php');
require_once('/usr/share/php/org/bovigo/vfs/autoload.php');
PHP
    cat >"$code/vendor/bin/phpunit" <<'PHP'
<?php
defined('PHPUNIT_COMPOSER_INSTALL') || define('PHPUNIT_COMPOSER_INSTALL', dirname(__DIR__) . '/autoload.php');
require(PHPUNIT_COMPOSER_INSTALL);
PHPUnit\TextUI\Command::main();
PHP
}

# Runs the plugin's tests as any plugin's are run in Moodle.
plugin_phpunit() {
    local reason util=$web/admin/tool/phpunit/cli/util.php
    heading "The plugin's tests in Moodle's PHPUnit"
    reason=$(no_phpunit)
    if [ -n "$reason" ]; then
        say "Skipped: $reason"
        return
    fi
    [ -f "$code/vendor/bin/phpunit" ] || use_debian_phpunit
    mkdir "$MOODLE_DATA.phpunit"
    quietly moodle "$util" --install
    quietly moodle "$util" --buildconfig
    moodle vendor/bin/phpunit --test-suffix _test.php "$web/local/backend_sync/tests"
    # The tests provoke errors.
    : >"$work/php.log"
}

# --- For one run ------------------------------------------------------------

make_work() {
    # Not in /tmp, which may be memory, and small.
    work=$(mktemp -d /var/tmp/backend-sync-moodle.XXXXXX)
    touch "$work/backend.log" "$work/php.log"
}

# A Moodle with its database and no plugin.
make_moodle() {
    if [ "$moodle_database" = mariadb ]; then
        start_mariadb
    else
        start_postgres
        # start_postgres has set its own.
        trap cleanup EXIT
        export MOODLE_DATABASE_URL=$TEST_POSTGRES_URL
    fi
    install_moodle
}
