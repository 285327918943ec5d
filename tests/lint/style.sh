#!/bin/sh
# Line length, tabs, promises, absolute paths.  Usage: style.sh SOURCE_DIR
cd "${1:-.}" || exit 2
bad=0
files=$(ls oxbow.h memory/* cpu/* devices/* gui/* tests/*.[ch] bios/*.[ch] 2>/dev/null | grep -E '\.(c|h|inc|def)$')
long=$(awk 'length($0) > 120 {print FILENAME ":" FNR ": " length($0) " columns"}' $files)
tabs=$(grep -nP '\t' $files /dev/null)
todo=$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' $files /dev/null)
for out in "$long" "$tabs" "$todo"; do
    if [ -n "$out" ]; then
        echo "$out" | head -20
        bad=1
    fi
done
exit $bad
