; demo.asm - the Oxbow demo floppy: boot sector, memory plan and the order of events.
;
; A bootable program of its own, not a DOS disk. The boot sector loads the rest behind itself
; with INT 13h; 16-bit code gathers what only the BIOS knows (real.inc); then everything runs in
; 32-bit protected mode with paging, its own IDT, the timer at 100 Hz, keyboard and PS/2 mouse
; interrupts (system.inc). It shows a text screen with a banner and an inventory (screen.inc,
; inventory.inc), says OXBOW-DEMO-READY on COM1, goes on to a mode 13h show (show.inc,
; effects.inc) and powers the machine off in the end (leave.inc). Invariants: integer arithmetic
; only, so no FPU is needed; waiting is HLT and timer ticks; the image stays below 32 KB so that
; 16-bit code in segment 0 reaches all of it. Built with "nasm -f bin".

        cpu     586
        bits    16
        org     7C00h

; Physical memory. Below the image lies what real mode gathers, above it what needs no loading.
GATHERED        equ     1000h           ; see real.inc
REAL_STACK      equ     7000h
BSS             equ     18000h
PAGE_DIR        equ     20000h
PAGE_LOW        equ     21000h          ; the first 4 MB, mapped one to one
PAGE_VIDEO      equ     22000h          ; VIDEO and BACK below
IDT             equ     23000h
STACK_TOP       equ     30000h
BACK_PHYSICAL   equ     30000h          ; 64 KB, mapped with its pages in reverse order
TABLES          equ     40000h          ; see effects.inc
FIRE            equ     50000h

; Virtual addresses.
VIDEO           equ     0D0000000h      ; A0000h-BFFFFh
TEXT            equ     VIDEO + 18000h
BACK            equ     0D0100000h      ; the picture being drawn

%include "boot.inc"
%include "real.inc"

        bits    32
%include "system.inc"
%include "screen.inc"
%include "inventory.inc"
%include "show.inc"
%include "effects.inc"
%include "leave.inc"

        align   4
font:
        incbin  "../font/font8x8.bin"

        times   (512 - ($ - $$) % 512) % 512 db 0
image_end:
SECTORS         equ     (image_end - $$) / 512 - 1
%if image_end - $$ > 0FE00h - 7C00h
%error "the image is too big for the loader"
%endif
; The tree keeps the image in this size; the rest of the floppy is zeros.
        times   16384 - ($ - $$) db 0

        absolute BSS
%include "bss.inc"
