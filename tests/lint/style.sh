#!/bin/sh
# Line length, tabs, promises, absolute paths.  Usage: style.sh SOURCE_DIR
cd "${1:-.}" || exit 2
bad=0
files=$(find oxbow.h memory cpu devices gui tests bios -name '*.[ch]' -o -name '*.inc' -path '*cpu*' -o -name '*.def')
long=$(awk 'length($0) > 100 {print FILENAME ":" FNR ": " length($0) " columns"}' $files)
tabs=$(grep -nP '\t' $files /dev/null)
todo=$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' $files /dev/null)
for out in "$long" "$tabs" "$todo"; do
    if [ -n "$out" ]; then
        echo "$out" | head -20
        bad=1
    fi
done
exit $bad
