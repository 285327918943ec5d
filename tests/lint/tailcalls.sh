#!/bin/sh
# Every tail-dispatch handler, specialised ones included, must end in a jump: no `ret` but in f_exit.
# Usage: tailcalls.sh fast.o [fastgenN.o...]
obj=$1
[ -f "$obj" ] || { echo "usage: tailcalls.sh OBJECT..." >&2; exit 2; }
case $(objdump -f "$obj") in
*x86-64*|*i386*) ;;
*) echo "not an x86 object: skipped"; exit 77 ;;
esac
out=$(objdump -d --no-show-raw-insn "$@" | awk '
    /^[0-9a-f]+ <.*>:$/ {name = $2; gsub(/[<>:]/, "", name); n++}
    name ~ /^(f_|g_|fast_miss|fast_event|fast_lookup|fast_counted)/ && name !~ /^f_exit/ && $2 ~ /^ret/ {print name}
    END {if (n < 500) print "only " n " handlers found"}' | sort -u)
if [ -n "$out" ]; then
    echo "handlers that return instead of jumping:"
    echo "$out" | head -20
    exit 1
fi
