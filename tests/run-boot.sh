#!/bin/sh
# Boot tests: `oxbow test` on tests/boot/*.test.  Images are assembled into the build folder; without nasm only the scripts
# that need none run.
set -eu
oxbow=$builddir/oxbow
work=$builddir/tests/boot
mkdir -p "$work"
cp "$srcdir"/tests/boot/*.test "$work/"
scripts='demo state'
if command -v nasm >/dev/null; then
    nasm -f bin -I "$srcdir/bios/system/" -o "$work/bios-selftest.img" "$srcdir/bios/system/selftest.asm"
    nasm -f bin -I "$srcdir/bios/vga/" -o "$work/vgabios-selftest.img" "$srcdir/bios/vga/selftest.asm"
    for f in bios-selftest vgabios-selftest; do
        dd if=/dev/null of="$work/$f.img" bs=1 seek=1474560 2>/dev/null
    done
    dd if=/dev/zero of="$work/scratch.img" bs=1024 count=2048 2>/dev/null
    # Enough of a CD for INT 13h: the volume descriptor's signature in sectors 16 and 17.
    cp "$work/scratch.img" "$work/cd.img"
    for sector in 16 17; do
        printf '\001CD001\001' | dd of="$work/cd.img" bs=2048 seek=$sector conv=notrunc 2>/dev/null
    done
    # The same CD by a cue sheet.
    printf 'FILE cd.img BINARY\n TRACK 01 MODE1/2048\n  INDEX 01 00:00:00\n' >"$work/cd.cue"
    sed 's/cd\.img/cd.cue/' "$work/bios.test" >"$work/cue.test"
    nasm -f bin -o "$work/handover.img" "$srcdir/tests/guest/handover.asm"
    nasm -f bin -o "$work/cr0-cache.img" "$srcdir/tests/guest/cr0-cache.asm"
    scripts="$scripts bios cue vgabios handover"
fi
status=0
if command -v nasm >/dev/null; then
    echo "== printer"
    nasm -f bin -o "$work/printer.img" "$srcdir/tests/guest/printer.asm"
    rm -f "$work/printed"
    "$oxbow" "$work/printer.img" -parallel "file:$work/printed" -display none || status=1
    [ "$(cat "$work/printed")" = "$(printf 'Hello LPT\r')" ] || { echo "FAIL: not what was printed"; status=1; }
fi
for s in $scripts; do
    echo "== $s"
    "$oxbow" test "$work/$s.test" || status=1
done
exit $status
