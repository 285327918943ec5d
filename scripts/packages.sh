# shellcheck shell=sh disable=SC2154,SC3013
# Sourced by scripts/demo and scripts/test: Debian packages that a build needs.

# True when the package is installed.
have_package()
{
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Runs a command as root; fails when that can't be.
as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo -n "$@"
    else
        return 1
    fi
}

# Package lists are fetched at most once a run.  One source that fails need not be the one that matters.
package_lists_fresh=
update_packages()
{
    [ -n "$package_lists_fresh" ] || as_root apt-get update -qq >/dev/null 2>&1 || true
    package_lists_fresh=yes
}

# Installs those of the packages that are missing; fails when one can't be had.
want_packages()
{
    missing=
    for package in "$@"; do
        have_package "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null 2>&1 || return 1
    echo "installing:$missing" >&2
    update_packages
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $missing >/dev/null 2>&1
}

# Like want_packages, and the end of the script when it fails.
need_packages()
{
    want_packages "$@" && return 0
    for package in "$@"; do
        have_package "$package" || echo "$0: please install $package" >&2
    done
    exit 1
}

# A configured build of this tree in folder $1, with the configure arguments that follow.
configure_in()
{
    folder=$1
    shift
    if [ -e "$top/config.status" ]; then
        echo "$0: the source folder itself is configured; run make distclean there first" >&2
        exit 1
    fi
    if [ ! -x "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ] ||
        [ "$top/Makefile.am" -nt "$top/Makefile.in" ]; then
        (cd "$top" && ./autogen.sh) || return 1
    fi
    mkdir -p "$folder"
    (cd "$folder" && "$top/configure" -q "$@")
}
