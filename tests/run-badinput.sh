#!/bin/sh
# What users get wrong: each case must end with the right status and one sentence on standard error that
# names the culprit, at once, and leave every file as it was.
set -eu
oxbow=$builddir/oxbow
work=$builddir/tests/badinput
rm -rf "$work"
mkdir -p "$work"
cd "$work"

bad=0
# case_of STATUS WORD OPTIONS...: the sentence must hold WORD.
case_of()
{
    status=$1 word=$2
    shift 2
    got=0
    timeout 60 "$oxbow" -display none "$@" >out 2>err </dev/null || got=$?
    if [ "$got" != "$status" ] || [ "$(wc -l <err)" != 1 ] || ! grep -qF -e "$word" err; then
        echo "oxbow $*: status $got (want $status), said:"
        cat err
        bad=1
    fi
}

dd if=/dev/zero of=disk.img bs=1024 count=64 2>/dev/null
dd if=/dev/zero of=short.img bs=100 count=1 2>/dev/null
# The volume descriptor speaks of 1000 sectors of 2048 bytes.
dd if=/dev/zero of=cut.iso bs=2048 count=20 2>/dev/null
printf '\001CD001\001' | dd of=cut.iso bs=2048 seek=16 conv=notrunc 2>/dev/null
printf '\350\003\000\000\000\000\003\350' | dd of=cut.iso bs=1 seek=32848 conv=notrunc 2>/dev/null
dd if=/dev/zero of=cut.bin bs=512 count=2 2>/dev/null
printf '\125\252' | dd of=cut.bin bs=1 seek=510 conv=notrunc 2>/dev/null
printf 'HdrS' | dd of=cut.bin bs=1 seek=514 conv=notrunc 2>/dev/null
printf 'OXBOWST\n\001' >cut.state
echo 'not a kernel' >text
: >empty.img
mkdir folder
cp disk.img kept.img

case_of 4 missing.img -hda missing.img
case_of 4 missing.img missing.img
case_of 4 empty.img -hda empty.img
case_of 4 short.img -hda short.img
case_of 4 cut.iso -cdrom cut.iso
case_of 4 cut.iso cut.iso
case_of 4 folder -hda folder
case_of 4 missing.iso -cdrom missing.iso
case_of 4 text -fda text
case_of 4 -nonsense -nonsense
case_of 4 '-m' -m 0
case_of 4 '-m' -m 99999
case_of 4 '-m' -m ten
case_of 4 '-m' -m
case_of 4 z80 -cpu z80
case_of 4 wings -cpu pentium2,+wings
case_of 4 text -kernel text
case_of 4 -kernel -kernel cut.bin
case_of 4 missing -kernel missing
case_of 4 missing -kernel text -initrd missing
case_of 4 folder -serial file:folder
case_of 4 no/such -serial file:no/such/place
case_of 4 nowhere -serial nowhere
case_of 4 -bios -bios text
case_of 4 missing -bios missing
case_of 4 missing -loadstate missing
case_of 4 text -loadstate text
case_of 4 cut.state -loadstate cut.state
case_of 4 disk.img -savestate disk.img
case_of 4 no/such -audio wav:no/such.wav
case_of 4 teleport -display teleport
case_of 4 token-ring -nic user,model=token-ring
case_of 4 '-boot' -boot xyz

# An image that someone else holds.
exec 9<>disk.img
if command -v flock >/dev/null && command -v python3 >/dev/null; then
    python3 -c 'import fcntl, time
f = open("disk.img", "r+b")
fcntl.lockf(f, fcntl.LOCK_EX)
open("held", "w").close()
time.sleep(20)' &
    holder=$!
    while [ ! -e held ]; do sleep 0.1; done
    case_of 4 disk.img -hda disk.img
    kill "$holder"
    wait "$holder" 2>/dev/null || true
fi
exec 9>&-

# Unreadable and read-only files say nothing to root.
if [ "$(id -u)" != 0 ]; then
    chmod 0 disk.img
    case_of 4 disk.img -hda disk.img
    chmod 644 disk.img
fi
cmp disk.img kept.img || bad=1
[ "$(cat text)" = 'not a kernel' ] || bad=1
exit $bad
