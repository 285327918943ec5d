#!/bin/sh
# What CPU test suites need from the program: raw ROMs of 64 and 128 KB, -postlog, -debugcon, the ends through port
# 8900h and isa-debug-exit, -cpu help.  Skipped without nasm.
set -eu
command -v nasm >/dev/null || exit 77
oxbow=$builddir/oxbow
work=$builddir/tests/interfaces
mkdir -p "$work"
failed=0

# same WHAT GOT WANT
same()
{
    if [ "$2" != "$3" ]; then
        echo "$1: got \"$2\", want \"$3\""
        failed=1
    fi
}

# try SIZE TEXT STATUS NASM-ARGUMENTS: runs the ROM and compares what comes out.
try()
{
    size=$1 text=$2 status=$3
    shift 3
    nasm -f bin -dSIZE="$size" "$@" -o "$work/rom.bin" "$srcdir/tests/guest/interfaces.asm"
    same "size of the ROM" "$(($(wc -c <"$work/rom.bin")))" "$size"
    rm -f "$work/post.txt" "$work/con.txt"
    got=0
    "$oxbow" -bios "$work/rom.bin" -m 2 -display none -vga none -postlog "$work/post.txt" \
        -debugcon "file:$work/con.txt" -device isa-debug-exit,iobase=0xf4,iosize=1 -stop-at 1000000 \
        >"$work/out.txt" 2>&1 || got=$?
    same "$size: status" "$got" "$status"
    same "$size: -postlog" "$(cat "$work/post.txt")" "80 12
190 deadbeef
80 34"
    same "$size: -debugcon" "$(cat "$work/con.txt")" "$text"
}

try 65536 OKSESSE 0
try 131072 OKSELLE 0
try 65536 OKSESSE 43 -dEXIT=21
try 131072 OKSELLE 1 -dEXIT=0

models=$("$oxbow" -cpu help | awk '{print $1}' | tr '\n' ' ')
same "-cpu help" "$models" "386 486 pentium pentium-mmx pentium-pro pentium2 pentium3 pentium4 max "
for model in $models; do
    "$oxbow" -bios "$work/rom.bin" -m 2 -cpu "$model" -display none -vga none -stop-at 1000 >"$work/out.txt" 2>&1 || {
        echo "-cpu $model: status $?: $(cat "$work/out.txt")"
        failed=1
    }
done

# -stop-at is exact; the ROM is a loop of three instructions
nasm -f bin -o "$work/rom.bin" "$srcdir/tests/guest/stop-at.asm"
for n in 200001 200002 200003 200004; do
    same "-stop-at" "$("$oxbow" -bios "$work/rom.bin" -m 2 -display none -vga none -stop-at $n -stats 2>&1 |
        awk '$1 == "instructions" {print $2}')" $n
done
exit $failed
