#!/bin/sh
# make check entry for layers.sh.
exec "$srcdir/tests/lint/layers.sh" "$srcdir"
