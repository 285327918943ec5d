#!/bin/sh
# Line coverage of `make check`, for each folder and each file.
# Usage: scripts/coverage [--measure-only]     --measure-only: the build in build/coverage has been run already
#
# Builds with gcc --coverage and the loop dispatch in build/coverage, runs make check there and adds up what gcov says: a
# line counts as covered when any of the objects it was compiled into ran it.  Fails when a check fails or when devices/
# is below 85 %.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/scripts/packages.sh"

out=$top/build/coverage
least=85

# The counters of the lines of all objects, as "FILE LINE COUNT-OR-#####".
counts()
{
    for data in memory/*.gcda cpu/*.gcda devices/*.gcda gui/*.gcda; do
        gcov -t -o "$data" "$data" 2>/dev/null
    done
}

# report TOP: table of folders and files; status 1 when devices/ has too little.
report()
{
    awk -F: -v top="$1/" -v least="$least" '
        $2 ~ /^ *0$/ && $3 == "Source" {
            file = $4
            if (index(file, top) == 1) file = substr(file, length(top) + 1)
            wanted = file ~ /^(memory|cpu|devices|gui)\//
            next
        }
        wanted && $2 ~ /^ *[0-9]+$/ && $1 !~ /^ *-$/ {
            line = file ":" $2 + 0
            if (!(line in lines)) { lines[line] = 0; all[file]++ }
            if ($1 !~ /[#=]/ && !lines[line]) { lines[line] = 1; hit[file]++ }
        }
        function row(name, n, of) { return sprintf("%6.1f %%  %6d of %6d lines  %s", 100 * n / of, n, of, name) }
        END {
            for (f in all) {
                d = f; sub(/\/.*/, "/", d)
                alls[d] += all[f]; hits[d] += hit[f]
                print row(f, hit[f], all[f]) | "sort -n"
            }
            close("sort -n")
            print ""
            for (d in alls) print row(d, hits[d], alls[d]) | "sort -k 6"
            close("sort -k 6")
            if (100 * hits["devices/"] < least * alls["devices/"]) {
                print "devices/ is below " least " %"
                exit 1
            }
        }'
}

status=0
if [ "${1:-}" != --measure-only ]; then
    need_packages gcc libc6-dev make autoconf automake pkg-config check zlib1g-dev
    rm -rf "$out"
    mkdir -p "$out"
    # -O1: at -O0 the boot tests take minutes, at -O2 lines melt into each other.
    configure_in "$out" --without-sdl --enable-dispatch=loop CC=gcc CFLAGS='-O1 -g --coverage' >"$out/log" 2>&1
    CK_TIMEOUT_MULTIPLIER=10 make -C "$out" -s -k -j 1 check >>"$out/log" 2>&1 || status=1
    grep -E '^(FAIL|ERROR): ' "$out/log" || true
fi
cd "$out"
counts | report "$top" || status=1
exit $status
