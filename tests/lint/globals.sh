#!/bin/sh
# R1: no mutable file-scope or static data in the library.  Usage: globals.sh LIBRARY
lib=$1
[ -f "$lib" ] || { echo "usage: globals.sh LIBRARY" >&2; exit 2; }
OBJDUMP=${OBJDUMP:-objdump}
# Sections of writable data; .data.rel.ro is constant after relocation.
out=$($OBJDUMP -t "$lib" | awk '/:     file format/ {file = $1}
    $0 ~ /[[:space:]](\.data|\.bss|\.tdata|\.tbss|\*COM\*)(\.[^r][^[:space:]]*)?[[:space:]]/ &&
    $0 ~ /[[:space:]]O[[:space:]]/ && $NF !~ /^__gcov/ {print file, $NF}')
if [ -n "$out" ]; then
    echo "mutable data in the library:"
    echo "$out"
    exit 1
fi
