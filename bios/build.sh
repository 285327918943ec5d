#!/bin/sh
# Builds every firmware image from source: fonts, system BIOS, VGA BIOS, loader ROM, demo floppy.
#
#   bios/build.sh OUTDIR            into OUTDIR
#   bios/build.sh --check           into a scratch folder, and compares with the images in the tree
#
# Needs nasm and a C compiler for the build host ($CC_FOR_BUILD or cc).  Deterministic: the same sources give the same bytes.
# The ACPI description (bios/system/dsdt.aml) is made by bios/system/mkdsdt.sh and needs iasl; --check compares it where iasl is.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
check=
case ${1-} in
--check) check=1 out=$(mktemp -d) && trap 'rm -rf "$out"' EXIT ;;
''|-*) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
*) mkdir -p "$1" && out=$(cd "$1" && pwd) ;;
esac
command -v nasm >/dev/null || { echo "bios/build.sh: nasm is not installed" >&2; exit 77; }
cc=${CC_FOR_BUILD:-cc}
tools=$(mktemp -d)
if [ -n "$check" ]; then trap 'rm -rf "$out" "$tools"' EXIT; else trap 'rm -rf "$tools"' EXIT; fi
$cc -O1 -o "$tools/mkfont" "$here/font/mkfont.c"
$cc -O1 -o "$tools/romsum" "$here/romsum.c"
for h in 8 14 16; do
    "$tools/mkfont" $h "$here/font/cp437-8x$h.txt" "$out/font8x$h.bin"
done
nasm -f bin -I "$here/system/" -I "$out/" -o "$out/oxbow-bios.bin" "$here/system/bios.asm"
nasm -f bin -I "$here/vga/" -I "$out/" -o "$out/oxbow-vgabios.bin" "$here/vga/vgabios.asm"
"$tools/romsum" "$out/oxbow-vgabios.bin"
nasm -f bin -o "$out/oxbow-loader.bin" "$here/loader/loader.asm"
"$tools/romsum" "$out/oxbow-loader.bin"
nasm -f bin -I "$here/demo/" -I "$out/" -o "$out/demo.img" "$here/demo/demo.asm"
[ -n "$check" ] || exit 0
bad=0
for f in oxbow-bios.bin oxbow-vgabios.bin oxbow-loader.bin demo.img; do
    cmp "$out/$f" "$here/$f" || bad=1
done
for h in 8 14 16; do
    cmp "$out/font8x$h.bin" "$here/font/font8x$h.bin" || bad=1
done
# The header (36 bytes) names the version of iasl and has the check sum.
if command -v iasl >/dev/null; then
    "$here/system/mkdsdt.sh" "$tools/dsdt.aml" && cmp -i 36 "$tools/dsdt.aml" "$here/system/dsdt.aml" || bad=1
fi
exit $bad
