; selftest.asm - boot floppy that checks the VGA BIOS through INT 10h.
;
; Each failed check prints its number on COM1; the last line is "VGABIOS-OK" or "VGABIOS-BAD".
; VBE checks are left out where the BIOS says it has no VBE. It judges results only, so it runs
; on any machine and with any VGA BIOS that has the same interface; pictures are for people
; (docs/vgabios.md). Built with "nasm -f bin".

        cpu     386
        bits    16
        org     7C00h

COM1            equ     3F8h
AREA            equ     1000h           ; segment of a free 64 KB

        cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 7C00h
        sti
        cld
        mov     [drive], dl
        mov     bx, 7E00h
        mov     cx, 2
        mov     dh, 0
        mov     di, SECTORS
.read:
        mov     ax, 0201h
        mov     dl, [drive]
        int     13h
        jc      .read
        add     bx, 512
        inc     cx
        cmp     cl, 18
        jbe     .same_track
        mov     cl, 1
        inc     dh
.same_track:
        dec     di
        jnz     .read
        jmp     main
drive:
        db      0

        times   510 - ($ - $$) db 0
        dw      0AA55h

; Jumps over the report when the condition holds. Checks are numbered in the order of the source.
%assign check_number 0
%macro expect 1
%assign check_number check_number + 1
        j%1     %%good
        push    word check_number
        call    failed
%%good:
%endmacro

%macro video 1
        mov     ax, %1
        int     10h
%endmacro

main:
        mov     dx, COM1 + 3
        mov     al, 80h
        out     dx, al
        mov     dx, COM1
        mov     al, 3
        out     dx, al
        inc     dx
        mov     al, 0
        out     dx, al
        add     dl, 2
        mov     al, 3
        out     dx, al
        call    test_modes
        call    test_registers
        call    test_cursor
        call    test_text
        call    test_graphics
        call    test_palette
        call    test_fonts
        call    test_misc
        call    test_vbe
        video   3
        mov     si, .good
        cmp     word [failures], 0
        je      .say
        mov     si, .bad
.say:
        call    say
        mov     dx, 8900h
        mov     si, .off
        mov     cx, 8
        rep     outsb
        mov     al, 0
        mov     dx, 501h                ; isa-debug-exit: status 1 is success
        out     dx, al
.stop:
        hlt
        jmp     .stop
.good:
        db      "VGABIOS-OK", 13, 10, 0
.bad:
        db      "VGABIOS-BAD", 13, 10, 0
.off:
        db      "Shutdown"

; On the stack: the number of the check.
failed:
        pusha
        inc     word [failures]
        mov     bp, sp
        mov     si, .text
        call    say
        mov     ax, [bp + 18]
        mov     cx, 4
.digit:
        rol     ax, 4
        push    ax
        and     al, 0Fh
        add     al, '0'
        cmp     al, '9'
        jbe     .decimal
        add     al, 7
.decimal:
        call    send
        pop     ax
        loop    .digit
        mov     si, .end
        call    say
        popa
        ret     2
.text:
        db      "failed check (hex) ", 0
.end:
        db      13, 10, 0

say:
        lodsb
        test    al, al
        jz      .done
        call    send
        jmp     say
.done:
        ret

send:
        push    dx
        push    ax
        mov     dx, COM1 + 5
.wait:
        in      al, dx
        test    al, 20h
        jz      .wait
        mov     dx, COM1
        pop     ax
        out     dx, al
        pop     dx
        ret

failures:
        dw      0

; ---------------------------------------------------------------------------------------------
; BDA and 0Fh after each mode set.
test_modes:
        mov     si, modes
.next:
        mov     al, [si]
        mov     ah, 0
        push    si
        int     10h
        pop     si
        mov     al, [449h]
        cmp     al, [si]
        expect  e
        mov     al, [44Ah]
        cmp     al, [si + 1]
        expect  e
        mov     al, [484h]
        cmp     al, [si + 2]
        expect  e
        mov     al, [485h]
        cmp     al, [si + 3]
        expect  e
        mov     ax, [44Ch]
        cmp     ax, [si + 4]
        expect  e
        mov     ax, [463h]
        mov     bx, 3D4h
        cmp     byte [si], 7
        je      .mono
        cmp     byte [si], 0Fh
        jne     .colour
.mono:
        mov     bl, 0B4h
.colour:
        cmp     ax, bx
        expect  e
        video   0F00h
        cmp     al, [si]
        expect  e
        cmp     ah, [si + 1]
        expect  e
        test    bh, bh
        expect  z
        add     si, 6
        cmp     si, modes_end
        jb      .next
        video   0083h                   ; keep memory
        mov     ax, 0B800h
        mov     es, ax
        mov     word [es:0], 1234h
        video   0083h
        cmp     word [es:0], 1234h
        expect  e
        video   0F00h
        cmp     al, 83h
        expect  e
        test    byte [487h], 80h
        expect  nz
        video   3
        cmp     word [es:0], 0720h
        expect  e
        test    byte [487h], 80h
        expect  z
        video   0008h                   ; no such mode: nothing changes
        cmp     byte [449h], 3
        expect  e
        ret

; mode, columns, rows - 1, height, page size
%macro mode 5
        db      %1, %2, %3, %4
        dw      %5
%endmacro
modes:
        mode    0, 40, 24, 16, 0800h
        mode    1, 40, 24, 16, 0800h
        mode    2, 80, 24, 16, 1000h
        mode    3, 80, 24, 16, 1000h
        mode    7, 80, 24, 16, 1000h
graphics_modes:
        mode    4, 40, 24, 8, 4000h
        mode    5, 40, 24, 8, 4000h
        mode    6, 80, 24, 8, 4000h
        mode    0Dh, 40, 24, 8, 2000h
        mode    0Eh, 80, 24, 8, 4000h
        mode    0Fh, 80, 24, 14, 8000h
        mode    10h, 80, 24, 14, 8000h
        mode    11h, 80, 29, 16, 0A000h
        mode    12h, 80, 29, 16, 0A000h
        mode    13h, 40, 24, 8, 0
modes_end:

; ---------------------------------------------------------------------------------------------
; Registers that are no results survive, with a small stack in another segment.
test_registers:
        mov     si, .calls
.next:
        lodsw
        push    si
        push    ds
        mov     [.function], ax
        mov     [.ss], ss
        mov     [.sp], sp
        mov     dx, 2000h
        mov     ss, dx
        mov     sp, 0100h
        mov     ebx, 11220007h
        mov     ecx, 33440001h
        mov     edx, 55660205h
        mov     esi, 778899AAh
        mov     edi, 0BBCCDDEEh
        mov     ebp, 12345678h
        mov     bx, 3456h
        mov     fs, bx
        mov     gs, bx
        mov     bx, 7
        mov     ax, 0B000h
        mov     es, ax
        mov     ds, ax
        std
        push    ax
        mov     ax, [cs:.function]
        int     10h
        pop     ax
        pushf
        push    ds
        push    word 0
        pop     ds
        mov     [.ds], ax
        pop     ax
        cmp     ax, [.ds]
        expect  e
        pop     ax
        test    ax, 0400h               ; direction flag
        expect  nz
        cld
        cmp     ebx, 11220007h
        expect  e
        cmp     ecx, 33440001h
        expect  e
        cmp     edx, 55660205h
        expect  e
        cmp     esi, 778899AAh
        expect  e
        cmp     edi, 0BBCCDDEEh
        expect  e
        cmp     ebp, 12345678h
        expect  e
        mov     ax, es
        cmp     ax, 0B000h
        expect  e
        mov     ax, fs
        cmp     ax, 3456h
        expect  e
        mov     ss, [.ss]
        mov     sp, [.sp]
        pop     ds
        pop     si
        cmp     si, .calls_end
        jb      .next
        xor     ax, ax
        mov     es, ax
        ret
.calls:
        dw      0003h, 0100h, 0200h, 0500h, 0600h, 0701h, 0941h, 0A42h, 0E43h, 0E0Ah, 0013h
        dw      0E44h, 0C05h
        dw      0012h, 0E45h, 0941h, 0601h, 0004h, 0E45h, 1202h, 1112h, 1000h, 4F06h, 0003h
.calls_end:
.function:
        dw      0
.ss:
        dw      0
.sp:
        dw      0
.ds:
        dw      0

; ---------------------------------------------------------------------------------------------
test_cursor:
        video   3
        mov     cx, 0607h
        video   0100h
        mov     dx, 3D4h
        mov     al, 0Ah
        call    crtc
        cmp     al, 0Dh
        expect  e
        mov     al, 0Bh
        call    crtc
        cmp     al, 0Eh
        expect  e
        mov     cx, 2000h
        video   0100h
        mov     al, 0Ah
        call    crtc
        test    al, 20h
        expect  nz
        mov     bh, 2
        mov     dx, 0A14h
        video   0200h
        mov     bh, 0
        mov     dx, 0102h
        video   0200h
        mov     bh, 2
        video   0300h
        cmp     dx, 0A14h
        expect  e
        cmp     cx, 2000h
        expect  e
        mov     al, 0Fh
        call    crtc
        cmp     al, 82                  ; row 1, column 2
        expect  e
        video   0502h
        cmp     word [44Eh], 2000h
        expect  e
        mov     al, 0Ch
        call    crtc
        cmp     al, 10h
        expect  e
        mov     al, 0Eh
        call    crtc
        cmp     al, (1000h + 0A0h * 5 + 14h) >> 8
        expect  e
        video   0500h
        ret

; AL = CRTC register -> AL.
crtc:
        push    dx
        mov     dx, [463h]
        out     dx, al
        inc     dx
        in      al, dx
        pop     dx
        ret

; ---------------------------------------------------------------------------------------------
test_text:
        video   3
        mov     ax, 0B800h
        mov     es, ax
        mov     cx, 81                  ; a line and one character
        mov     bx, 7
.fill:
        video   0E58h
        loop    .fill
        cmp     word [450h], 0101h
        expect  e
        cmp     word [es:160], 0758h
        expect  e
        video   0E08h
        cmp     word [450h], 0100h
        expect  e
        video   0E08h                   ; stays at the edge
        cmp     word [450h], 0100h
        expect  e
        mov     dx, 1800h
        mov     bh, 0
        video   0200h
        video   0E0Ah                   ; scrolls
        cmp     word [450h], 1800h
        expect  e
        cmp     word [es:0], 0758h
        expect  e
        cmp     word [es:2], 0720h
        expect  e
        mov     bl, 1Eh
        mov     cx, 3
        video   0941h
        cmp     word [es:24 * 160 + 4], 1E41h
        expect  e
        cmp     word [es:24 * 160 + 6], 0720h
        expect  e
        mov     bx, 0
        video   0800h
        cmp     ax, 1E41h
        expect  e
        mov     cx, 1
        video   0A42h
        cmp     word [es:24 * 160], 1E42h
        expect  e
        mov     bh, 2Fh                 ; window up by one
        mov     cx, 1700h
        mov     dx, 1801h
        video   0601h
        cmp     word [es:23 * 160], 1E42h
        expect  e
        cmp     word [es:23 * 160 + 4], 0720h
        expect  e
        cmp     word [es:24 * 160 + 2], 2F20h
        expect  e
        cmp     word [es:24 * 160 + 4], 1E41h
        expect  e
        video   0701h                   ; and down again
        cmp     word [es:24 * 160], 1E42h
        expect  e
        cmp     word [es:23 * 160], 2F20h
        expect  e
        push    es
        push    ds
        pop     es
        mov     bp, .string
        mov     cx, 3
        mov     bx, 0105h               ; page 1
        mov     dx, 0203h
        video   1301h
        mov     bp, .pairs
        mov     cx, 2
        mov     dx, 0303h
        mov     bh, 1
        video   1302h
        pop     es
        cmp     word [es:1000h + 2 * 160 + 3 * 2], 0541h
        expect  e
        cmp     word [452h], 0206h
        expect  e
        cmp     word [es:1000h + 3 * 160 + 4 * 2], 3443h
        expect  e
        ret
.string:
        db      "ABC"
.pairs:
        db      "B", 12h, "C", 34h

; ---------------------------------------------------------------------------------------------
; In each graphics mode: pixels, exclusive or, a glyph written and read, scrolling.
test_graphics:
        mov     si, graphics_modes
.mode:
        mov     al, [si]
        mov     ah, 0
        int     10h
        mov     bx, 0
        mov     cx, 317
        mov     dx, 150
        call    .mask                   ; DI = colours - 1
        mov     ax, 0C05h
        and     ax, di
        or      ah, 0Ch
        int     10h
        mov     ah, 0Dh
        int     10h
        mov     ah, 0
        push    di
        and     di, 5
        cmp     ax, di
        expect  e
        pop     di
        dec     cx
        mov     ah, 0Dh
        int     10h
        test    al, al
        expect  z
        inc     cx
        cmp     byte [si], 13h
        je      .no_xor
        mov     ax, 0C81h
        int     10h
        mov     ah, 0Dh
        int     10h
        push    di
        and     di, 4
        mov     ah, 0
        cmp     ax, di
        expect  e
        pop     di
.no_xor:
        mov     dx, 1005h
        mov     bx, 0
        video   0200h
        mov     al, 0E1h
        call    .glyph
        mov     al, 'g'
        call    .glyph
        mov     bh, 0
        mov     cx, 0
        mov     dx, 1808h
        video   0601h
        mov     dx, 0F05h
        mov     bh, 0
        video   0200h
        video   0800h
        cmp     al, 'g'
        expect  e
        mov     dx, 1005h
        video   0200h
        video   0800h
        cmp     al, ' '
        expect  e
        add     si, 6
        cmp     si, modes_end
        jb      .mode
        ret
.glyph:
        push    ax
        mov     ah, 9
        mov     bx, 0005h
        mov     cx, 2
        int     10h
        mov     ah, 8
        int     10h
        mov     cx, ax
        pop     ax
        cmp     al, cl
        expect  e
        ret
.mask:
        mov     di, 0Fh
        cmp     byte [si], 0Dh
        jb      .cga
        cmp     byte [si], 0Fh
        jne     .done
        mov     di, 5                   ; two planes
.done:
        ret
.cga:
        mov     di, 3
        cmp     byte [si], 6
        jne     .done
        mov     di, 1
        ret

; ---------------------------------------------------------------------------------------------
test_palette:
        video   3
        mov     bx, 0B02h
        video   1000h
        mov     bx, 0002h
        video   1007h
        cmp     bh, 0Bh
        expect  e
        mov     bh, 5
        video   1001h
        video   1008h
        cmp     bh, 5
        expect  e
        mov     ax, AREA
        mov     es, ax
        mov     dx, 0
        video   1009h
        cmp     byte [es:2], 0Bh
        expect  e
        cmp     byte [es:16], 5
        expect  e
        cmp     byte [es:15], 3Fh
        expect  e
        mov     byte [es:16], 0
        mov     byte [es:2], 2
        video   1002h
        mov     bx, 0002h
        video   1007h
        cmp     bh, 2
        expect  e
        mov     bl, 0
        video   1003h
        video   101Ah
        test    bx, bx
        expect  z
        mov     bx, 100
        mov     dh, 11
        mov     cx, 22 << 8 | 33
        video   1010h
        mov     dh, 0
        mov     cx, 0
        video   1015h
        cmp     dh, 11
        expect  e
        cmp     cx, 22 << 8 | 33
        expect  e
        mov     bx, 99
        mov     cx, 3
        mov     dx, 200h
        video   1017h
        cmp     byte [es:203h], 11
        expect  e
        mov     byte [es:208h], 63
        video   1012h
        mov     bx, 101
        video   1015h
        cmp     cl, 63
        expect  e
        mov     bx, 100
        mov     cx, 1
        video   101Bh
        video   1015h
        cmp     dh, 20                  ; .30 * 11 + .59 * 22 + .11 * 33 = 19.9
        expect  e
        cmp     ch, 20
        expect  e
        mov     bl, 0Fh
        video   1018h
        mov     bl, 0
        video   1019h
        mov     dx, 3C6h
        in      al, dx
        cmp     bl, al                  ; some emulators ignore the mask, so no fixed value
        expect  e
        mov     bx, 0100h               ; groups of 16, the third
        video   1013h
        mov     bx, 0301h
        video   1013h
        video   101Ah
        cmp     bx, 0301h
        expect  e
        video   3
        mov     bx, 14h                 ; EGA brown
        video   1015h
        cmp     dh, 2Ah
        expect  e
        cmp     cx, 1500h
        expect  e
        video   13h
        mov     bx, 32                  ; the circle starts with pure blue
        video   1015h
        cmp     cx, 003Fh
        expect  e
        mov     bx, 40                  ; red after a third
        video   1015h
        cmp     dh, 3Fh
        expect  e
        test    cx, cx
        expect  z
        mov     bx, 31
        video   1015h
        cmp     cx, 3F3Fh
        expect  e
        mov     bl, 31h                 ; keep the program's colours
        mov     al, 1
        mov     ah, 12h
        int     10h
        cmp     al, 12h
        expect  e
        video   3
        mov     bx, 31
        video   1015h
        cmp     cx, 3F3Fh
        expect  e
        mov     bl, 31h
        video   1200h
        video   3
        ret

; ---------------------------------------------------------------------------------------------
test_fonts:
        video   3
        mov     bl, 0
        video   1112h
        cmp     byte [484h], 49
        expect  e
        cmp     byte [485h], 8
        expect  e
        mov     al, 9
        call    crtc
        and     al, 1Fh
        cmp     al, 7
        expect  e
        video   1111h
        cmp     byte [484h], 27
        expect  e
        mov     bl, 30h
        video   1201h                   ; 350 lines
        cmp     al, 12h
        expect  e
        video   3
        cmp     byte [485h], 14
        expect  e
        mov     bl, 0
        video   1112h
        cmp     byte [484h], 42
        expect  e
        mov     bl, 30h
        video   1202h
        video   3
        mov     bh, 6
        video   1130h
        cmp     cx, 16
        expect  e
        cmp     dl, 24
        expect  e
        cmp     byte [es:bp + 0DBh * 16], 0FFh
        expect  e
        cmp     byte [es:bp + ' ' * 16 + 8], 0
        expect  e
        push    es
        push    bp
        mov     bh, 1                   ; INT 43h: also the 8x16 font now
        video   1130h
        pop     ax
        cmp     ax, bp
        expect  e
        pop     ax
        mov     bx, es
        cmp     ax, bx
        expect  e
        mov     bh, 0
        video   1130h
        cmp     byte [es:bp + (0DBh - 80h) * 8], 0FFh
        expect  e
        mov     ax, 0
        mov     es, ax
        mov     bp, .glyph
        mov     cx, 1
        mov     dx, 'A'
        mov     bx, 1000h
        video   1100h                   ; one glyph of our own, loaded and read back from plane 2
        mov     dx, 3C4h
        mov     ax, 0704h
        out     dx, ax
        mov     dl, 0CEh
        mov     ax, 0204h
        out     dx, ax
        mov     ax, 0005h
        out     dx, ax
        mov     ax, 0406h
        out     dx, ax
        mov     ax, 0A000h
        mov     es, ax
        cmp     word [es:'A' * 32], 0DEADh
        expect  e
        cmp     byte [es:0DBh * 32], 0FFh
        expect  e
        video   3
        mov     ax, 0
        mov     es, ax
        mov     bp, .glyph
        mov     cx, 8
        mov     bl, 2
        video   1121h
        cmp     word [43h * 4], .glyph
        expect  e
        cmp     byte [484h], 24
        expect  e
        video   3
        ret
.glyph:
        db      0ADh, 0DEh
        times   14 db 0

; ---------------------------------------------------------------------------------------------
test_misc:
        video   3
        mov     bl, 10h
        video   1200h
        cmp     bx, 3
        expect  e
        cmp     cl, 9
        expect  e
        video   1A00h
        cmp     al, 1Ah
        expect  e
        cmp     bl, 8
        expect  e
        mov     ax, AREA
        mov     es, ax
        mov     bx, 0
        mov     di, 0
        video   1B00h
        cmp     al, 1Bh
        expect  e
        cmp     byte [es:4], 3
        expect  e
        cmp     byte [es:22h], 25
        expect  e
        cmp     word [es:23h], 16
        expect  e
        cmp     byte [es:25h], 8
        expect  e
        cmp     word [es:27h], 16
        expect  e
        cmp     word [es:29h], 0208h    ; 8 pages, 400 lines
        expect  e
        lds     si, [es:0]
        cmp     dword [si], 000FE0FFh
        push    word 0
        pop     ds
        expect  e
        mov     cx, 7
        video   1C00h
        cmp     al, 1Ch
        expect  e
        cmp     bx, 16
        expect  b
        video   12h                     ; save, disturb, restore, save again: the same
        mov     dx, 0306h
        mov     bh, 0
        video   0200h
        mov     cx, 7
        mov     bx, 0
        video   1C01h
        video   3
        mov     dx, 0
        mov     bx, 0
        video   0200h
        mov     cx, 7
        mov     bx, 0
        video   1C02h
        cmp     byte [449h], 12h
        expect  e
        mov     bx, 4000h
        video   1C01h
        mov     si, 0
        mov     di, 4000h
        mov     cx, 884                 ; what parts 1, 2 and 4 take
        push    ds
        push    es
        pop     ds
        repe    cmpsb
        pop     ds
        expect  e
        video   3
        mov     bl, 34h                 ; no cursor emulation
        video   1201h
        mov     cx, 0405h
        video   0100h
        mov     al, 0Ah
        call    crtc
        cmp     al, 4
        expect  e
        mov     bl, 34h
        video   1200h
        mov     bl, 36h
        video   1201h
        mov     dx, 3C4h
        mov     al, 1
        out     dx, al
        inc     dx
        in      al, dx
        test    al, 20h
        expect  nz
        mov     bl, 36h
        video   1200h
        ret

; ---------------------------------------------------------------------------------------------
test_vbe:
        mov     ax, AREA
        mov     es, ax
        mov     di, 0
        mov     dword [es:0], "VBE2"
        mov     byte [es:512], 77h
        video   4F00h
        cmp     ax, 4Fh
        jne     .absent
        cmp     dword [es:0], "VESA"
        expect  e
        cmp     word [es:4], 0200h
        expect  ae
        cmp     byte [es:512], 77h
        expect  e
        lfs     si, [es:0Eh]
        mov     word [.count], 0
.mode:
        mov     cx, [fs:si]
        cmp     cx, 0FFFFh
        je      .modes_done
        add     si, 2
        inc     word [.count]
        call    .one_mode
        jmp     .mode
.modes_done:
        cmp     word [.count], 20
        expect  ae
        call    .services
        mov     di, 0
        mov     cx, 0
        mov     dx, 0
        mov     bl, 1
        video   4F15h
        cmp     ax, 4Fh
        expect  e
        mov     si, 0
        mov     cx, 128
        mov     al, 0
.edid:
        add     al, [es:si]
        inc     si
        loop    .edid
        test    al, al
        expect  z
        cmp     dword [es:0], 0FFFFFF00h
        expect  e
.absent:
        ret
.count:
        dw      0

; CX = mode: its description makes sense, it can be set with the linear buffer and is then the
; current one.
.one_mode:
        push    si
        mov     di, 400h
        video   4F01h
        cmp     ax, 4Fh
        expect  e
        test    word [es:400h], 0080h
        expect  nz
        movzx   ax, byte [es:419h]
        add     ax, 7
        shr     ax, 3
        mul     word [es:412h]
        cmp     [es:410h], ax
        expect  be
        mov     bx, cx
        or      bx, 4000h
        video   4F02h
        cmp     ax, 4Fh
        expect  e
        mov     bx, 0
        video   4F03h
        and     bh, 7Fh
        sub     bx, 4000h
        cmp     bx, cx
        expect  e
        mov     ax, [es:412h]
        shr     ax, 3
        cmp     [44Ah], al
        expect  e
        pop     si
        ret

.services:
        mov     bx, 101h
        video   4F02h
        mov     ax, 0A000h
        mov     gs, ax
        mov     dx, 2
        mov     bx, 0
        video   4F05h
        cmp     ax, 4Fh
        expect  e
        cmp     byte [gs:7], 0
        expect  e
        mov     byte [gs:7], 5Ah
        mov     bx, 0100h
        mov     dx, 0
        video   4F05h
        cmp     dx, 2
        expect  e
        mov     bx, 0                   ; the window function of 101h
        mov     dx, 0
        mov     di, 400h
        mov     cx, 101h
        push    dx
        video   4F01h
        pop     dx
        call    far [es:40Ch]
        mov     byte [gs:7], 1
        mov     dx, 2
        mov     bx, 0
        call    far [es:40Ch]
        cmp     byte [gs:7], 5Ah
        expect  e
        mov     dx, 0FFFFh
        mov     bx, 0
        video   4F05h
        cmp     ax, 4Fh
        expect  ne
        mov     bl, 0
        mov     cx, 1024
        video   4F06h
        cmp     ax, 4Fh
        expect  e
        cmp     bx, 1024
        expect  e
        cmp     cx, 1024
        expect  e
        mov     bl, 0
        mov     cx, 320
        video   4F06h
        cmp     ax, 4Fh
        expect  ne
        mov     bl, 3
        video   4F06h
        cmp     cx, 1024
        expect  ae
        mov     cx, 8
        mov     dx, 100
        mov     bx, 0
        video   4F07h
        cmp     ax, 4Fh
        expect  e
        mov     bx, 1
        video   4F07h
        cmp     cx, 8
        expect  e
        cmp     dx, 100
        expect  e
        mov     dx, 0FFF0h
        mov     bx, 0
        video   4F07h
        cmp     ax, 4Fh
        expect  ne
        mov     bx, 0800h
        video   4F08h
        cmp     bh, 8
        expect  e
        mov     dword [es:400h], 00FF8041h
        mov     bl, 0
        mov     cx, 1
        mov     dx, 9
        mov     di, 400h
        video   4F09h
        cmp     ax, 4Fh
        expect  e
        mov     dword [es:400h], 0
        mov     bl, 1
        video   4F09h
        cmp     dword [es:400h], 00FF8041h
        expect  e
        mov     cx, 0Fh                 ; state
        mov     dl, 0
        video   4F04h
        cmp     ax, 4Fh
        expect  e
        mov     bx, 1000h
        mov     dl, 1
        video   4F04h
        video   3
        mov     bx, 0
        video   4F03h
        cmp     bx, 3
        expect  e
        mov     cx, 0Fh
        mov     bx, 1000h
        mov     dl, 2
        video   4F04h
        mov     bx, 0
        video   4F03h
        cmp     bx, 101h
        expect  e
        mov     bx, 1
        video   4F07h
        cmp     dx, 100
        expect  e
        mov     bl, 1
        video   4F06h
        cmp     cx, 1024
        expect  e
        mov     bl, 0
        video   4F0Ah
        cmp     ax, 4Fh
        expect  e
        push    word AREA
        pop     es
        mov     bx, 111h                ; 16-colour text in a true-colour mode
        video   4F02h
        mov     bx, 0Ah
        video   0EDBh
        cmp     word [gs:0], 57EAh      ; bright green
        expect  e
        cmp     word [gs:16], 0
        expect  e
        mov     bx, 82h                 ; plain mode, memory kept
        video   4F02h
        cmp     ax, 4Fh
        expect  ne
        mov     bx, 8003h
        video   4F02h
        cmp     ax, 4Fh
        expect  e
        mov     bx, 1FFh
        video   4F02h
        cmp     ax, 4Fh
        expect  ne
        ret

        times   (512 - ($ - $$) % 512) % 512 db 0
image_end:
SECTORS         equ     (image_end - $$) / 512 - 1
