# shellcheck shell=bash
# Shared by the scripts in this folder; sourced by them, never run by itself.
# Sourcing it answers --help with the comment at the top of the calling script
# and goes to the root of the repository.

set -euo pipefail

case "${1:-}" in
-h | --help)
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# rustup's folder, which is not on the PATH of every shell (cron, sudo, CI).
PATH="$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin"

heading() { printf '\n==> %s\n' "$*"; }
say() { printf '%s\n' "$*"; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# --- What must be installed -------------------------------------------------
# need_* only collect, so that install_packages asks apt-get (and sudo) once.

packages=()

need_command() { # need_command COMMAND PACKAGE
    command -v "$1" >/dev/null || packages+=("$2")
}

# Compiles a program rather than looking for cc: a compiler without the C
# library's headers and start files (Debian's gcc alone) cannot link anything.
compiler_works() {
    local program status=0
    program=$(mktemp)
    printf '#include <stdlib.h>\nint main(void) { return 0; }\n' |
        cc -x c -o "$program" - 2>/dev/null || status=1
    rm -f "$program"
    return $status
}

need_rust() {
    command -v cargo >/dev/null ||
        die "cargo not found, neither on the PATH nor in ~/.cargo/bin: install Rust first (https://rustup.rs)"
    compiler_works || packages+=(gcc libc6-dev)
    # cargo downloads over HTTPS and brings no certificates of its own.
    [ -e "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" ] || packages+=(ca-certificates)
}

need_postgres() { postgres_bin >/dev/null || packages+=(postgresql); }

need_python() {
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3 python3-venv)
}

need_rust_component() { # need_rust_component NAME CARGO_SUBCOMMAND
    cargo "$2" --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null || die "cargo $2 is missing and so is rustup: install $1 the way Rust was installed"
    say "Installing $1 with rustup"
    rustup component add "$1"
}

install_packages() {
    [ ${#packages[@]} -gt 0 ] || return 0
    say "Missing here: ${packages[*]}"
    become_root "${packages[@]}"
    say "Installing from Debian's packages (${as_root[*]}${as_root:+ }apt-get): ${packages[*]}"
    run_apt update
    if [[ " ${packages[*]} " == *" postgresql "* ]]; then
        install_without_cluster
    else
        run_apt install "${packages[@]}"
    fi
    packages=()
}

become_root() { # become_root PACKAGE...
    command -v apt-get >/dev/null ||
        die "only Debian and Ubuntu are installed to by this script (no apt-get here): install $* yourself"
    as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            die "installing needs root and there is no sudo; as root: apt-get install $*"
        as_root=(sudo)
    fi
}

run_apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends "$@" ||
        die "apt-get $* failed"
}

# Debian's PostgreSQL packages create a database cluster and start it. Only the
# programs are wanted here, so that is switched off, and on again afterwards.
install_without_cluster() {
    local conf=/etc/postgresql-common/createcluster.conf status=0
    run_apt install postgresql-common
    "${as_root[@]}" cp -p "$conf" "$conf.saved"
    "${as_root[@]}" sed -i -E 's/^#?create_main_cluster.*/create_main_cluster = false/' "$conf"
    (run_apt install "${packages[@]}") || status=$?
    "${as_root[@]}" mv "$conf.saved" "$conf"
    return $status
}

# Debian's package prometheus would start a server. Only promtool is wanted, so
# that is taken out of the package, and nothing is installed.
get_promtool() { # sets promtool
    local folder
    promtool=$(command -v promtool) && return
    promtool=$root/target/promtool/usr/bin/promtool
    [ ! -x "$promtool" ] || return 0
    say "Taking promtool out of Debian's package prometheus, to target/promtool (apt-get download)"
    folder=$(mktemp -d)
    (cd "$folder" && apt-get -qq download prometheus 2>/dev/null) || {
        # Without the lists of packages there is nothing to download.
        become_root prometheus
        run_apt update
        (cd "$folder" && apt-get -qq download prometheus) || die "apt-get download prometheus failed"
    }
    dpkg-deb -x "$folder"/prometheus_*.deb "$root/target/promtool"
    rm -rf "$folder"
}

# --- Waiting ------------------------------------------------------------------

# Looks until the command succeeds. Three minutes are no measure of speed: machines
# are slow, and do other things besides.
wait_until() { # wait_until WHAT COMMAND...
    local what=$1 end=$((SECONDS + 180))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || die "timed out waiting for: $what"
        sleep 0.2
    done
}

# --- The backend ----------------------------------------------------------------

# Sets program. scripts/test has built the debug one together with the tests, which
# give some dependencies more features: alone, it would compile most of them again.
build_backend() { # build_backend debug|release
    local options=()
    program=${BUILT_PROGRAMS:+$BUILT_PROGRAMS/backend-sync}
    if [ -z "$program" ] || [ "$1" != debug ]; then
        [ "$1" = debug ] || options=(--release)
        heading "Building the backend"
        cargo build --locked --workspace "${options[@]}"
        program=$(realpath "${CARGO_TARGET_DIR:-target}/$1/backend-sync")
    fi
}

# --- A PostgreSQL server for one run ----------------------------------------

# The programs are not on the PATH in Debian; the newest version wins.
postgres_bin() {
    local dir version
    while read -r dir; do
        version=$(basename "$(dirname "$dir")")
        if [ -x "$dir/initdb" ] && [ "$version" -ge 15 ]; then
            say "$dir"
            return
        fi
    done < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV)
    return 1
}

# Below 32768, where the kernel takes ports for outgoing connections from.
free_port() {
    local port
    while
        port=$((20000 + RANDOM % 10000))
        (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null
    do :; done
    say "$port"
}

# More options of the server.
postgres_options=()
# For a server that holds nothing of worth and that nobody measures: it waits for no disk.
# shellcheck disable=SC2034 # scripts/test uses it
not_durable=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)

# Starts the server, exports its address for the tests and stops it when the
# calling script ends, however that ends.
start_postgres() {
    local bin port password as_user=()
    bin=$(postgres_bin) || die "PostgreSQL 15 or later is needed (Debian 12, Ubuntu 24.04 or later have it)"
    port=$(free_port)
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    # Not in /tmp: where that is memory, writing to disk would cost nothing.
    postgres_dir=$(mktemp -d /var/tmp/backend-sync-postgres.XXXXXX)
    postgres_pid=
    trap stop_postgres EXIT
    say "$password" >"$postgres_dir/password"
    # The server refuses to run as root; Debian's package made a user for it.
    if [ "$(id -u)" = 0 ]; then
        chown -R postgres "$postgres_dir"
        as_user=(--reuid=postgres --regid=postgres --init-groups)
    fi
    say "Starting a throwaway PostgreSQL ($bin) on 127.0.0.1:$port"
    cd "$postgres_dir"
    # A password, because any user of this machine can connect to the port.
    LC_ALL=C setpriv "${as_user[@]}" "$bin/initdb" -D data -U postgres --auth=password --pwfile=password \
        --encoding=UTF8 --locale=C --no-sync >log 2>&1 || postgres_failed
    # pdeathsig: it stops even when the calling script is killed outright. mmap: what it leaves then lies in its folder.
    LC_ALL=C setpriv "${as_user[@]}" --pdeathsig QUIT "$bin/postgres" -D data -c listen_addresses=127.0.0.1 \
        -c port="$port" -c unix_socket_directories= -c max_connections=1000 -c dynamic_shared_memory_type=mmap \
        "${postgres_options[@]}" >>log 2>&1 &
    postgres_pid=$!
    until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do
        kill -0 "$postgres_pid" 2>/dev/null || postgres_failed
        sleep 0.1
    done
    cd "$root"
    export TEST_POSTGRES_URL="postgres://postgres:$password@127.0.0.1:$port/postgres"
}

postgres_failed() {
    tail -n 50 "$postgres_dir/log" >&2
    die "PostgreSQL did not start"
}

stop_postgres() {
    if [ -n "$postgres_pid" ]; then
        kill -QUIT "$postgres_pid" 2>/dev/null || true
        wait "$postgres_pid" 2>/dev/null || true
    fi
    cd "$root"
    rm -rf "$postgres_dir"
}

# --- A simulated Zoho CRM -----------------------------------------------------

zoho_pid=

# Starts an empty one, and lets backends that are started later deliver to it. Sets
# ZOHO_URL. The script stops it when it ends.
start_empty_zoho() { # start_empty_zoho PROGRAM FOLDER; the program is backend-sync, the folder for the simulator's output
    heading "Starting a simulated Zoho CRM"
    # pdeathsig: it stops even when the calling script is killed outright.
    : >"$2/zoho.out"
    setpriv --pdeathsig KILL "${1%/*}/zoho-simulator" --listen 127.0.0.1:0 >"$2/zoho.out" 2>&1 &
    zoho_pid=$!
    until ZOHO_URL=$(sed -n 's/^zoho-simulator listening on //p' "$2/zoho.out") && [ -n "$ZOHO_URL" ]; do
        kill -0 "$zoho_pid" 2>/dev/null || die "the simulator did not start"
        sleep 0.1
    done
    export ZOHO_URL BACKEND_SYNC_ZOHO__ACCOUNTS_URL=$ZOHO_URL
    export BACKEND_SYNC_ZOHO__CLIENT_ID=test BACKEND_SYNC_ZOHO__CLIENT_SECRET=test BACKEND_SYNC_ZOHO__REFRESH_TOKEN=simulator
    # What a killed backend had in flight is taken over soon.
    export BACKEND_SYNC_SYNC__LEASE_SECONDS=3
}

# The same with what the default mapping needs.
start_zoho() { # start_zoho PROGRAM FOLDER
    start_empty_zoho "$@"
    "$1" zoho setup --yes
}

stop_zoho() {
    [ -n "$zoho_pid" ] || return 0
    kill "$zoho_pid" 2>/dev/null || true
    wait "$zoho_pid" 2>/dev/null || true
    zoho_pid=
}
