#!/bin/sh
# Ends from outside: whatever the guest does, a signal ends every front end within half a second of processor time, with
# the state saved, the hash printed and a status of its own.  Skipped without nasm.
set -eu
command -v nasm >/dev/null || exit 77
oxbow=$builddir/oxbow
work=$builddir/tests/stop
rm -rf "$work"
mkdir -p "$work"
cd "$work"
failed=0
LIMIT=500 HUP=1 INT=2 QUIT=3 TERM=15

fail()
{
    echo "$*"
    failed=1
}

# stop NAME STATUS SIGNAL TIMES BUSY PROGRAM...: see stop_run.c; what the program says is in NAME.out.
stop()
{
    name=$1 want=$2 signal=$3 times=$4 busy=$5
    shift 5
    "$builddir/stop_run" "$signal" "$times" "$busy" $LIMIT "$@" >"$name.out" 2>"$name.err" </dev/null ||
        fail "$name: $(cat "$name.out" "$name.err")"
    grep -qx "status $want" "$name.out" || fail "$name: got $(grep '^status' "$name.out"), want status $want"
}

rom()
{
    nasm -w-number-overflow -f bin -o "$@"
}

# Loops whose single instructions are dear, and two OUTs that moved megabytes.
for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
    rom "loop$k.rom" "-DK=$k" "$srcdir/tests/guest/slow-loops.asm"
    stop "loop$k" 143 $TERM 1 150 "$oxbow" -display none -bios "loop$k.rom" -m 64
done
rom dma.rom -DLEN=0x1000000 "$srcdir/tests/guest/slow-out.asm"
stop dma 143 $TERM 1 150 "$oxbow" -display none -bios dma.rom -m 64
nasm -f bin -o kernel "$srcdir/tests/guest/slow-kernel.asm"
dd if=/dev/zero of=initrd bs=1048576 count=16 2>/dev/null
rom loader.rom -DLEN=0 -DLOADER=0x5e0 "$srcdir/tests/guest/slow-out.asm"
stop loader 143 $TERM 1 150 "$oxbow" -display none -bios loader.rom -m 64 -kernel kernel -initrd initrd

# Every signal, and what is written then; a second one does not spoil it.
report()
{
    name=$1 status=$2
    shift 2
    rm -f "$name.state"
    stop "$name" "$status" "$@" "$oxbow" -display none -bios dma.rom -m 64 -hash -savestate "$name.state"
    grep -q '^state-hash: ' "$name.out" || fail "$name: no hash"
    [ -s "$name.state" ] || fail "$name: no state"
}
report interrupt 130 $INT 1 100
report quit 131 $QUIT 1 100
report hangup 129 $HUP 1 100
report twice 143 $TERM 2 100
"$oxbow" -display none -bios dma.rom -m 64 -loadstate twice.state -stop-at 1 || fail "the state saved after two signals"

# Signals that the caller ignores stay ignored (nohup).
export STOP_RUN_IGNORE=1
stop ignored 0 $HUP 1 5 "$oxbow" -display none -bios loop14.rom -m 64 -stop-at 1M
unset STOP_RUN_IGNORE

# A terminal is listened to while a slice would take minutes.
status=0
{ sleep 1; printf '\001x'; } | timeout 60 "$oxbow" -nographic -bios loop2.rom -m 64 -ips 10000M \
    >keys.out 2>&1 || status=$?
[ $status -eq 0 ] || fail "Ctrl-A x: status $status"

# An idle guest's time passes no faster than the host's, unless the run is bounded or asked to hurry.
printf 'bits 16\ntimes 0xfff0 db 0\nl: cli\nhlt\njmp l\ntimes 0x10000-($-$$) db 0\n' >idle.asm
rom idle.rom idle.asm
start=$(date +%s)
stop idle 143 $TERM 1 100 "$oxbow" -display none -bios idle.rom -m 64 -ips 100M -stats
seconds=$(($(date +%s) - start + 2))
count=$(awk '$1 == "instructions" {print int($2 / 100000000)}' idle.err)
[ "$count" -le $seconds ] || fail "idle: $count s of the guest's in less than $seconds s"
timeout 60 "$oxbow" -display none -bios idle.rom -m 64 -ips 100M -stop-at 20G || fail "idle, bounded: status $?"
stop idle2 143 $TERM 1 200 "$oxbow" -display none -bios idle.rom -m 64 -ips 100M -stats -icount sleep=off
count=$(awk '$1 == "instructions" {print int($2 / 100000000)}' idle2.err)
[ "$count" -ge 60 ] || fail "idle, -icount sleep=off: only $count s"

# The other front ends.
stop terminal 143 $TERM 1 150 "$oxbow" -nographic -bios loop2.rom -m 64
printf 'boot -bios loop2.rom -m 64 -display none -serial file:script.log\nsleep 1000\n' >loop.test
printf 'boot -bios loop2.rom -m 64 -display none\nsleep 1000\n' >second.test
stop script 143 $TERM 1 150 "$oxbow" test loop.test second.test
grep -q '^ENDED loop.test:2: SIGTERM' script.err || fail "script: no report: $(cat script.err)"
grep -q 'second.test' script.err && fail "script: the next one was begun"
if "$oxbow" -display sdl -stop-at 1 -bios loop2.rom 2>&1 | grep -q 'without SDL2'; then
    exit $failed
fi
stop window 143 $TERM 1 150 env SDL_VIDEODRIVER=dummy "$oxbow" -display sdl -bios loop2.rom -m 64 -savestate window.state
[ -s window.state ] || fail "window: no state"
stop window2 129 $HUP 1 150 env SDL_VIDEODRIVER=dummy "$oxbow" -display sdl -bios loop2.rom -m 64 -savestate window2.state
[ -s window2.state ] || fail "window, SIGHUP: no state"

# The X server goes away under the window.
if command -v Xvfb >/dev/null; then
    Xvfb -displayfd 3 -screen 0 1024x768x24 -nolisten tcp 3>display >xvfb.log 2>&1 &
    server=$!
    for n in 1 2 3 4 5 6 7 8 9 10; do
        [ -s display ] || sleep 0.5
    done
    if [ -s display ]; then
        DISPLAY=:$(cat display) SDL_VIDEODRIVER=x11 "$oxbow" -display sdl -hash -savestate lost.state \
            -serial file:lost.log -bios loop4.rom >lost.out 2>lost.err &
        window=$!
        sleep 2
        kill -TERM $server
        status=0
        wait $window || status=$?
        [ $status -eq 129 ] || fail "lost display: status $status: $(cat lost.err)"
        [ -s lost.state ] || fail "lost display: no state"
        grep -q '^state-hash: ' lost.out || fail "lost display: no hash"
    fi
    kill $server 2>/dev/null || true
fi
exit $failed
