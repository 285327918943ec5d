#!/bin/sh
# Assembles the Oxbow system BIOS. Usage: build.sh [OUTPUT], default bios/oxbow-bios.bin.
# Needs only nasm and bios/font/font8x8.bin; the same sources give the same bytes everywhere.
set -e
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../oxbow-bios.bin}
exec nasm -f bin -I "$here/" -I "$here/../font/" -o "$out" "$here/bios.asm"
