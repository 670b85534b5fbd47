# shellcheck shell=bash
# The Python environment that tools/run, tools/test and tools/check share.
# Sourced; gives set_up, install_debian_packages and the variables `root` and `python`.

# With an empty environment bash has a PATH of its own, but Python needs it to find itself.
export PATH

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python="$root/.venv/bin/python"

die() {
    printf 'spliceproxy set-up: %s\n' "$*" >&2
    exit 1
}

say() {
    printf 'spliceproxy set-up: %s\n' "$*" >&2
}

may_install_packages() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

# Prints the first interpreter that is new enough and passes the check given.
find_python() {
    local candidate
    for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
        if "$candidate" -c "import sys; assert sys.version_info >= (3, 11); $1" 2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

find_python_with_venv() {
    find_python 'import ensurepip, venv'
}

# Quiet when it works: packages tell a great deal about their installation.
install_debian_packages() {
    local log status=0
    log=$(mktemp)
    # A fresh machine or container has no package lists yet; old ones may do where this fails.
    apt-get -qq update >"$log" 2>&1 || true
    DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install --yes --no-install-recommends "$@" </dev/null >>"$log" 2>&1 || status=$?
    if [ "$status" != 0 ]; then
        cat "$log" >&2
        say "apt-get could not install $*"
    fi
    rm -f "$log"
    return "$status"
}

make_venv() {
    local base
    if ! base=$(find_python_with_venv); then
        if may_install_packages; then
            say "installing python3-venv"
            install_debian_packages python3-venv || exit 1
            base=$(find_python_with_venv) || die "needs Python 3.11 or newer with its venv module"
        elif find_python '' >/dev/null; then
            die "this Python has no venv module: install it (Debian: apt-get install python3-venv) and run this again"
        else
            die "needs Python 3.11 or newer: install it, with its venv module, and run this again"
        fi
    fi
    "$base" -m venv --clear "$root/.venv" || die "could not make $root/.venv"
}

# What an up-to-date environment was made from: the place, the interpreter and the dependencies.
wanted_stamp() {
    printf '%s\n' "$root"
    "$python" --version
    cat "$root/pyproject.toml" "$root/tools/test.lock"
}

is_up_to_date() {
    [ -x "$python" ] && [ -e "$1" ] && wanted_stamp 2>/dev/null | cmp -s - "$1"
}

# A virtual environment holds absolute paths: one that came from elsewhere is made anew.
is_usable() {
    "$python" -c 'import pip' 2>/dev/null || return 1
    local stamp
    for stamp in "$root"/.venv/.installed-*; do
        if [ -e "$stamp" ] && [ "$(head -n 1 "$stamp")" != "$root" ]; then
            return 1
        fi
    done
}

requirements_of_group() {
    "$python" - "$root/pyproject.toml" "$1" <<'PYTHON'
import sys
import tomllib

with open(sys.argv[1], "rb") as file:
    print(*tomllib.load(file)["dependency-groups"][sys.argv[2]], sep="\n")
PYTHON
}

install() {
    "$python" -m pip install --quiet --disable-pip-version-check "$@" >&2 ||
        die "pip could not install what is needed; its message is above"
}

# `set_up package` makes the environment with the package in it; `set_up GROUP` adds the
# dependency group of that name. That of the tests is locked: the same versions everywhere, each
# with the hash of what was published.
set_up() {
    local group=$1 stamp="$root/.venv/.installed-$1" requirements
    local -a packages=(--editable "$root")
    if is_up_to_date "$stamp"; then
        return
    fi
    # One set-up at a time; who had to wait finds the work done. The lock goes when the file closes.
    exec 9<"$root/pyproject.toml"
    flock 9
    if ! is_up_to_date "$stamp"; then
        say "preparing $root/.venv (once; a minute at most)"
        is_usable || make_venv
        if [ "$group" = test ]; then
            install --require-hashes --requirement "$root/tools/test.lock"
            packages=(--no-deps "${packages[@]}")
        elif [ "$group" != package ]; then
            requirements=$(requirements_of_group "$group") || die "no dependency group $group"
            mapfile -t -O "${#packages[@]}" packages <<<"$requirements"
        fi
        install "${packages[@]}"
        wanted_stamp >"$root/.venv/.installed-package"
        wanted_stamp >"$stamp"
    fi
    exec 9<&-
}
