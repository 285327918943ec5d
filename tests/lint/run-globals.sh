#!/bin/sh
# make check entry for globals.sh.
exec "$srcdir/tests/lint/globals.sh" "$builddir/liboxbow.a"
