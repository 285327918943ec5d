; vgabios.asm - Oxbow VGA BIOS: option ROM header, start-up, INT 10h entry and dispatch.
;
; A 32 KB option ROM for a plain VGA, or for a VGA with the Bochs DISPI registers at 1CEh/1CFh
; (then with VBE). Follows IBM's PS/2 and PC BIOS interface reference for INT 10h and VESA VBE
; 3.0. Invariants: the ROM is never written at run time and keeps no state outside the BIOS data
; area and the chip; every service runs with DS = 0 (BDA fields are addressed as 04xxh), BP on
; the caller's registers and the direction flag clear, and gives back every register that is not
; a result. Nothing needs interrupts, a big stack (about 120 bytes) or real mode, so V86 callers
; are fine.

        cpu     386
        bits    16
        org     0

ROM_SIZE        equ     32768

%include "defs.inc"

rom_start:
        db      55h, 0AAh
        db      ROM_SIZE / 512
        jmp     near init
        times   18h - ($ - rom_start) db 0
        dw      pci_data
        dw      0
        db      "Oxbow VGA BIOS", 0

        align   4
pci_data:
        db      "PCIR"
        dw      1234h, 1111h            ; vendor, device
        dw      0                       ; no vital product data
        dw      18h                     ; length of this structure
        db      0                       ; structure revision
        db      0, 0, 3                 ; class 03.00.00, VGA compatible controller
        dw      ROM_SIZE / 512
        dw      1                       ; revision of the code
        db      0                       ; PC-AT code
        db      80h                     ; last image
        dw      0

; ---------------------------------------------------------------------------------------------
; Far entry from the system BIOS: hook the vectors, fill the BDA, show mode 3.
init:
        pushad
        push    ds
        push    es
        push    fs
        cld
        xor     ax, ax
        mov     ds, ax
        mov     eax, [10h * 4]          ; the planar video BIOS, by custom reachable as INT 42h
        mov     [42h * 4], eax
        mov     word [10h * 4], int10
        mov     [10h * 4 + 2], cs
        mov     word [IVT_FONT8_HI], font8x8 + 128 * 8
        mov     [IVT_FONT8_HI + 2], cs
        mov     word [IVT_FONT], font8x16
        mov     [IVT_FONT + 2], cs
        mov     word [BDA_SAVE_PTR], save_pointers
        mov     [BDA_SAVE_PTR + 2], cs
        mov     byte [BDA_EGA_INFO], 60h        ; 256 KB, cursor emulation on
        mov     byte [BDA_EGA_SWITCH], 0F9h
        mov     byte [BDA_VGA_FLAGS], 11h       ; VGA active, 400 lines
        mov     byte [BDA_DCC], DCC_VGA_COLOUR
        mov     ax, 3
        int     10h
        pop     fs
        pop     es
        pop     ds
        popad
        retf

; ---------------------------------------------------------------------------------------------
; INT 10h. The service sees AX, BX, CX, DX, DI and ES as the caller left them, DS = 0 and the
; frame at BP; it may change anything but BP, DS, FS and GS, and returns results by writing to
; the frame.
int10:
        cld
        pushad
        push    ds
        push    es
        mov     bp, sp
        xor     si, si
        mov     ds, si
        cmp     ah, 4Fh
        je      .vbe
        cmp     ah, 1Ch
        ja      .done
        mov     si, ax
        shr     si, 8
        add     si, si
        call    [cs:services + si]
.done:
        pop     es
        pop     ds
        popad
        iret
.vbe:
        call    vbe_service
        jmp     .done

services:
        dw      set_mode                ; 00
        dw      set_cursor_shape        ; 01
        dw      set_cursor_position     ; 02
        dw      get_cursor              ; 03
        dw      read_light_pen          ; 04
        dw      select_page             ; 05
        dw      scroll                  ; 06
        dw      scroll                  ; 07
        dw      read_char               ; 08
        dw      write_char_attr         ; 09
        dw      write_char              ; 0A
        dw      set_cga_palette         ; 0B
        dw      write_pixel             ; 0C
        dw      read_pixel              ; 0D
        dw      teletype                ; 0E
        dw      get_mode                ; 0F
        dw      palette_service         ; 10
        dw      font_service            ; 11
        dw      alternate_select        ; 12
        dw      write_string            ; 13
        times   6 dw no_service         ; 14-19
        dw      display_combination     ; 1A
        dw      state_info              ; 1B
        dw      save_restore            ; 1C

no_service:
        ret

%include "mode.inc"
%include "text.inc"
%include "graphics.inc"
%include "palette.inc"
%include "fontsvc.inc"
%include "misc.inc"
%include "vbe.inc"
%include "tables.inc"

font8x8:
        incbin  "../font/font8x8.bin"
font8x14:
        incbin  "../font/font8x14.bin"
font8x16:
        incbin  "../font/font8x16.bin"

; romsum replaces the last byte so that all bytes add up to 0.
        times   ROM_SIZE - ($ - rom_start) db 0
