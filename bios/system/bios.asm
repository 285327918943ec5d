; bios.asm - Oxbow system BIOS, the one file to assemble:
;
;       nasm -f bin -I bios/system/ -I bios/font/ -o bios/oxbow-bios.bin bios/system/bios.asm
;
; The image is 64 KB, the F000 segment; it ends at 4 GB and at 1 MB. Offsets up to E05Ah are free to
; move, the rest is in fixed.asm. Needs a 386; see docs/bios.md for memory layout and services.

%define BIOS_VERSION "1.0"
%define BIOS_DATE "11/20/26"
%define SMBIOS_DATE "11/20/2026"

        cpu     386
        bits    16
        org     0

%include "defs.inc"
%include "post.asm"
%include "chipset.asm"
%include "text.asm"
%include "wait.asm"
%include "kbc.asm"
%include "keyboard.asm"
%include "timer.asm"
%include "mouse.asm"
%include "fdc.asm"
%include "floppy.asm"
%include "ata.asm"
%include "disk.asm"
%include "atapi.asm"
%include "eltorito.asm"
%include "serial.asm"
%include "printer.asm"
%include "system.asm"
%include "pmode.asm"
%include "fwcfg.asm"
%include "optrom.asm"
%include "pci.asm"
%include "pnp.asm"
%include "tables.asm"
%include "boot.asm"
%include "bootmenu.asm"
code_end:
%include "fixed.asm"
