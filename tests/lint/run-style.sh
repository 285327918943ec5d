#!/bin/sh
# make check entry for style.sh.
exec "$srcdir/tests/lint/style.sh" "$srcdir"
