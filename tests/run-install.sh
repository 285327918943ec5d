#!/bin/sh
# What make install puts down is enough to build a program with, in C11 and, where the compiler knows it, in C++; the
# program boots the demo and shows its screen.  Every installed header compiles alone.
set -eu
work=$builddir/tests/install
rm -rf "$work"
mkdir -p "$work"
MAKEFLAGS=
export MAKEFLAGS
make -s -C "$builddir" install DESTDIR="$work" prefix=/usr exec_prefix=/usr includedir=/usr/include libdir=/usr/lib \
    >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
include=$work/usr/include
strict="-Wall -Wextra -Werror -pedantic -I$include"

# The words of $CC and of the flags are meant to be split.
# shellcheck disable=SC2086
$CC $CFLAGS -std=c11 $strict -o "$work/client" "$srcdir/tests/client.c" "$work/usr/lib/liboxbow.a" $LDFLAGS $LIBS
cp "$srcdir/bios/demo.img" "$work/demo.img"
dd if=/dev/zero of="$work/demo.img" bs=512 seek=2880 count=0 2>/dev/null
"$work/client" "$work/demo.img" >"$work/screen"
grep -q 'OXBOW-DEMO-READY' "$work/screen" || { cat "$work/screen"; exit 1; }
[ "$(wc -l <"$work/screen")" -ge 26 ] || { cat "$work/screen"; exit 1; }

languages="c:c11"
echo 'int main() { return 0; }' >"$work/empty.cc"
# shellcheck disable=SC2086
if $CC -fsyntax-only "$work/empty.cc" 2>/dev/null; then
    languages="$languages c++:c++11 c++:c++17"
    $CC -x c++ -std=c++11 $strict -fsyntax-only "$srcdir/tests/client.c"
fi
for header in $(cd "$include" && find oxbow -name '*.h'); do
    for language in $languages; do
        echo "#include <$header>" | $CC -x "${language%%:*}" -std="${language##*:}" $strict -fsyntax-only -
    done
done
