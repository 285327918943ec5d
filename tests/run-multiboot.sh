#!/bin/sh
# Multiboot kernels that fill base memory where firmware and loaders like to put things: the preferred place of the
# information structure, the stack of the BIOS, all up to the extended BIOS data area.  Skipped without nasm.
set -eu
command -v nasm >/dev/null || exit 77
work=$builddir/tests/multiboot
mkdir -p "$work"
printf module >"$work/module"
failed=0

# try BASE END NASM-ARGUMENTS
try()
{
    base=$1 end=$2
    shift 2
    nasm -f bin -dBASE="$base" -dEND="$end" "$@" -o "$work/kernel.bin" "$srcdir/tests/guest/mb-overlap.asm"
    got=0
    "$builddir/oxbow" -m 4 -kernel "$work/kernel.bin" -initrd "$work/module" -append words -display none \
        -debugcon "file:$work/con.txt" -device isa-debug-exit,iobase=0xf4,iosize=4 -stop-at 4000000000 \
        >"$work/out.txt" 2>&1 || got=$?
    if [ $got != 1 ] || ! grep -q '^PASS' "$work/con.txt"; then
        echo "$base to $end: status $got: $(cat "$work/out.txt" "$work/con.txt")"
        failed=1
    fi
}

try 0x8000 0xe000
try 0x8000 0xe000 -dBSS
try 0x1000 0x9000
try 0x7000 0x8000
try 0x500 0x80000 -dBSS
try 0x500 0x9fc00
exit $failed
