#!/bin/sh
# Compiles the ACPI description of the board.  Usage: mkdsdt.sh [OUTPUT], default bios/system/dsdt.aml.
# Needs a C compiler ($CC_FOR_BUILD or cc) and iasl; exit status 77 when there is no iasl.
set -e
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/dsdt.aml}
command -v iasl >/dev/null || { echo "mkdsdt.sh: iasl is not installed" >&2; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${CC_FOR_BUILD:-cc} -E -P -x c "$here/dsdt.asl" >"$work/dsdt.asl"
iasl -ve -p "$work/dsdt" "$work/dsdt.asl" >"$work/log" || { cat "$work/log"; exit 1; }
mv "$work/dsdt.aml" "$out"
