#!/bin/sh
# make check entry for tailcalls.sh; other dispatch shapes have nothing to prove.
[ "$DISPATCH" = tail ] || { echo "dispatch is $DISPATCH: skipped"; exit 77; }
exec "$srcdir/tests/lint/tailcalls.sh" "$builddir/cpu/fast.o" "$builddir"/cpu/fastgen[0-7].o
