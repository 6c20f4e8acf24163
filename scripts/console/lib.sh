# shellcheck shell=bash
# A headless Chromium with axe-core. Sourced, after scripts/lib.sh, by the scripts
# that need it; never run by itself.

modules=$root/target/console-test/node_modules

# Neither package has dependencies, so npm and everything that Debian installs with it are not needed.
npm_package() { # npm_package NAME VERSION SHA512
    local place=$modules/$1 archive
    [ "$(cat "$place/.version" 2>/dev/null)" = "$2" ] && return
    say "Fetching $1 $2 from the npm registry to target/console-test"
    archive=$(mktemp)
    curl -fsSL -o "$archive" "https://registry.npmjs.org/$1/-/$1-$2.tgz"
    say "$3  $archive" | sha512sum --check --quiet || die "the checksum of $1 $2 does not match"
    rm -rf "$place"
    mkdir -p "$place"
    tar -xzf "$archive" -C "$place" --strip-components=1
    rm -f "$archive"
    say "$2" >"$place/.version"
}

need_browser() {
    need_command node nodejs
    need_command chromium chromium
    need_command curl curl
}

fetch_browser_tools() {
    npm_package playwright-core 1.61.0 71a5fb4eb637325e9e8320d7d1651c4c70f1a1d97f6f9d72e7024e742100dfa42f88afecda0d3cd61be61acf1e684dc359be8d61943a0633bf4243513de9e83c
    npm_package axe-core 4.14.1 1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
}

in_browser() { # in_browser SCRIPT [ARGUMENTS]
    CHROMIUM=$(command -v chromium) NODE_MODULES=$modules node "$@"
}
