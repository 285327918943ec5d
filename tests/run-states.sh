#!/bin/sh
# States that released versions saved (docs/snapshot-format.md) go on: the program in them, tests/guest/state.asm, waits for a
# key and then looks at memory, floppy, disk and clock.  Skipped without nasm, which makes the floppy.
#
# A state VERSION-NAME.state was saved while the guest waited, by a script like those below.
set -eu
command -v nasm >/dev/null || exit 77
work=$builddir/tests/states
mkdir -p "$work"
nasm -f bin -o "$work/state.img" "$srcdir/tests/guest/state.asm"
dd if=/dev/zero of="$work/disk.img" bs=1024 count=512 2>/dev/null
dd if=/dev/zero of="$work/cd.img" bs=2048 count=20 2>/dev/null
printf '\001CD001\001' | dd of="$work/cd.img" bs=2048 seek=16 conv=notrunc 2>/dev/null

options()
{
    case $1 in
    small) echo "-m 1" ;;
    cards) echo "-m 2 -cpu pentium2 -device sb16 -device ne2k_isa -device ne2k_pci -serial null -serial null -vga none" ;;
    disk) echo "-m 2 -cpu max -hda disk.img -snapshot -machine hpet=on" ;;
    old) echo "-m 1 -cpu 386 -vga none -device adlib -cdrom cd.img" ;;
    esac
}

status=0
# go_on STATE NAME TEXT: the guest of that name must say TEXT.
go_on()
{
    cp "$srcdir/tests/states/$1.state" "$work/"
    cat >"$work/$1.test" <<END
timeout 20
boot -fda state.img -boot a -device isa-debug-exit,iobase=0xf4,iosize=1 $(options "$2")
loadstate $1.state
key x
expect exit 1
expect serial "$3"
END
    "$builddir/oxbow" test "$work/$1.test" || status=1
}

go_on 0.1.0-small small "x memory floppy 2000 STATE-GOES-ON"
go_on 0.1.0-cards cards "x memory floppy 2000 STATE-GOES-ON"
go_on 0.1.0-disk disk "x memory floppy disk 2000 STATE-GOES-ON"
go_on 0.1.0-old old "x memory floppy 2000 STATE-GOES-ON"

# refused STATE OPTIONS WORDS: the sentence holds WORDS.
refused()
{
    got=0
    # The options are words to be split.
    # shellcheck disable=SC2086
    "$builddir/oxbow" -display none -fda "$work/state.img" -boot a -loadstate "$work/$1.state" $2 -stop-at 1000 \
        >"$work/out" 2>&1 || got=$?
    if [ $got != 4 ] || ! grep -qF -e "$3" "$work/out"; then
        echo "$1 with $2: status $got: $(cat "$work/out")"
        status=1
    fi
}
exit_device="-device isa-debug-exit,iobase=0xf4,iosize=1"
refused 0.1.0-small "-m 1" 'the saved machine had "debug_exit" and this one has not'
refused 0.1.0-small "-m 1 $exit_device -device sb16" 'the saved machine had no "opl3" and this one has'
exit $status
