#!/bin/sh
# R2: who may include whom.  Usage: layers.sh SOURCE_DIR
# Headers that are installed name each other relative to themselves: base.h, ../memory/base.h.
cd "${1:-.}" || exit 2
bad=0
# check FILES PATTERN-OF-ALLOWED-FOLDERS
check() {
    what=$1 allowed=$2
    shift 2
    out=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$@" /dev/null |
        grep -vE "#[[:space:]]*include[[:space:]]*\"($allowed)")
    if [ -n "$out" ]; then
        echo "$what may include only $allowed:"
        echo "$out"
        bad=1
    fi
}
chips=$(ls devices/*.c devices/*.h | grep -vE '/(machine|pc|config|loader|input)\.[ch]$')
check 'memory/' 'memory/|base\.h' memory/*.[ch]
check 'cpu/' '(cpu|memory)/' cpu/*
check 'chips' '(devices|(\.\./)?memory)/' $chips
check 'the board' '(bios|cpu|devices|memory)/|oxbow\.h' devices/machine.[ch] devices/pc.[ch] devices/config.[ch] devices/loader.[ch]
check 'gui/' 'gui/|bios/images\.h|oxbow\.h|devices/(block|chardev|net|surface)\.h|memory/' gui/*.[ch]

# A chip includes its own header and the interfaces, never another chip.
interfaces='device|sched|apic_bus|net|audio|ct1745|creative_adpcm|irq|dma_port|block|chardev|surface|pci|ps2|cd_layout|ide|ide_core|atapi_core|net|ne2000|ne2000_core|vga|vga_priv'
for f in $chips; do
    own=$(basename "$f" | sed 's/\.[ch]$//')
    out=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"devices/' "$f" |
        grep -vE "\"devices/($interfaces|$own)\.h\"")
    if [ -n "$out" ]; then
        echo "$f includes another chip:"
        echo "$out"
        bad=1
    fi
done
exit $bad
