; selftest.asm - a 1.44 MB floppy that calls the BIOS services and says what came back.
;
;       nasm -f bin -o selftest.img bios/system/selftest.asm
;
; Every line goes to debug port 402h and to the screen: "ok NAME" or "FAIL NAME AX", at
; the end "SELFTEST n failed", then power off by port 8900h and APM. Expects drive A: with this
; image; uses disk 80h (any size from 1 MB; its sectors 100-131 are overwritten) and the CD E0h
; when they are there. Invariant: sector n of the image from 64 on holds n in every doubleword.

        cpu     386
        bits    16
        org     0x7C00

LOADED_SECTORS  equ 40
BUFFER          equ 0x2000              ; segments of the work buffers
BUFFER2         equ 0x3000

boot:
        cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 0x7C00
        sti
        cld
        mov     [drive], dl
        mov     [pnp_seen], es
        mov     bx, 0x7E00
        mov     cx, 0x0002              ; track by track, as old boot sectors do
        xor     dh, dh
        mov     si, LOADED_SECTORS
.track:
        mov     ax, 19
        sub     al, cl
        cmp     ax, si
        jbe     .read
        mov     ax, si
.read:
        mov     di, ax
        mov     ah, 2
        int     0x13
        jc      .error
        sub     si, di
        shl     di, 9
        add     bx, di
        mov     cl, 1
        xor     dh, 1
        jnz     .next
        inc     ch
.next:
        test    si, si
        jnz     .track
        jmp     main
.error:
        mov     si, read_failed
        call    puts
        hlt
drive           db 0
pnp_seen        dw 0
read_failed     db "FAIL boot read", 10, 0

putc:
        push    ax
        push    dx
        push    bx
        mov     dx, 0x402
        out     dx, al
        cmp     al, 10
        jne     .screen
        mov     ax, 0x0E0D
        int     0x10
        mov     al, 10
.screen:
        mov     ah, 0x0E
        mov     bx, 7
        int     0x10
        pop     bx
        pop     dx
        pop     ax
        ret
puts:
        lodsb
        test    al, al
        jz      .done
        call    putc
        jmp     puts
.done:
        ret

        times   510 - ($ - $$) db 0
        dw      0xAA55

; ---------------------------------------------------------------- reporting
; CF = failed; the name follows the call.
report:
        pushf
        mov     [result_ax], ax
        mov     [report_si], si
        popf
        pop     si
        pushad
        push    ds
        push    es
        push    word 0
        pop     ds
        cld
        jc      .bad
        push    si
        mov     si, text_ok
        call    puts
        pop     si
        call    puts
        jmp     .done
.bad:
        inc     word [failures]
        push    si
        mov     si, text_fail
        call    puts
        pop     si
        call    puts
        mov     al, ' '
        call    putc
        mov     ax, [result_ax]
        call    hex
.done:
        mov     al, 10
        call    putc
        mov     [name_end], si
        pop     es
        pop     ds
        popad
        mov     si, [report_si]
        jmp     [name_end]

hex:
        push    cx
        mov     cx, 4
.digit:
        rol     ax, 4
        push    ax
        and     al, 15
        add     al, '0'
        cmp     al, '9'
        jbe     .out
        add     al, 7
.out:
        call    putc
        pop     ax
        loop    .digit
        pop     cx
        ret

hex32:
        push    eax
        shr     eax, 16
        call    hex
        pop     eax
        call    hex
        ret

%macro REPORT 1
        call    report
        db      %1, 0
%endmacro
; Compares and reports.
%macro EXPECT 3
        cmp     %1, %2
        call    not_equal
        REPORT  %3
%endmacro
not_equal:                              ; CF = ZF was clear
        jz      .same
        stc
        ret
.same:
        clc
        ret

text_ok         db "ok ", 0
text_fail       db "FAIL ", 0
failures        dw 0
result_ax       dw 0
name_end        dw 0
report_si       dw 0

; ---------------------------------------------------------------- INT with all registers checked
; Fills the registers that should survive with marks, calls the interrupt given behind the call,
; and compares: EBX ECX EDX ESI EDI EBP keep what the caller had unless masked.
%macro CALL_INT 1
        mov     byte [cs:int_number], %1
        call    checked_int
%endmacro
checked_int:
        mov     [cs:save_ebx], ebx
        mov     [cs:save_ecx], ecx
        mov     [cs:save_edx], edx
        mov     [cs:save_esi], esi
        mov     [cs:save_edi], edi
        mov     [cs:save_ebp], ebp
        mov     [cs:save_ds], ds
        mov     [cs:save_es], es
        mov     [cs:save_fs], fs
        mov     [cs:save_gs], gs
        mov     [cs:save_sp], sp
        db      0xCD
int_number      db 0
        mov     [cs:got_ax], ax
        pushf
        pop     word [cs:got_flags]
        mov     byte [cs:clobbered], 0
        cmp     sp, [cs:save_sp]
        jne     .bad
        push    ax
        mov     ax, ds
        cmp     ax, [cs:save_ds]
        pop     ax
        jne     .bad
        push    ax
        mov     ax, fs
        cmp     ax, [cs:save_fs]
        pop     ax
        jne     .bad
        push    ax
        mov     ax, gs
        cmp     ax, [cs:save_gs]
        pop     ax
        jne     .bad
        cmp     esi, [cs:save_esi]
        jne     .bad
        cmp     ebp, [cs:save_ebp]
        jne     .bad
        jmp     .out
.bad:
        mov     byte [cs:clobbered], 1
.out:
        push    word [cs:got_flags]
        popf
        ret
save_ebx        dd 0
save_ecx        dd 0
save_edx        dd 0
save_esi        dd 0
save_edi        dd 0
save_ebp        dd 0
save_ds         dw 0
save_es         dw 0
save_fs         dw 0
save_gs         dw 0
save_sp         dw 0
got_ax          dw 0
got_flags       dw 0
clobbered       db 0

%macro KEPT 1
        cmp     byte [clobbered], 0
        call    not_equal
        REPORT  %1
%endmacro
; EBX, ECX, EDX, EDI, ES unchanged by the last call.
%macro KEPT_ALL 1
        call    all_kept
        REPORT  %1
%endmacro
all_kept:
        cmp     byte [clobbered], 0
        jne     .bad
        cmp     ebx, [save_ebx]
        jne     .bad
        cmp     ecx, [save_ecx]
        jne     .bad
        cmp     edx, [save_edx]
        jne     .bad
        cmp     edi, [save_edi]
        jne     .bad
        push    ax
        mov     ax, es
        cmp     ax, [save_es]
        pop     ax
        jne     .bad
        clc
        ret
.bad:
        stc
        ret

; ---------------------------------------------------------------- main
main:
        mov     esi, 0x51EE1511
        mov     edi, 0xD1DD0000
        mov     ebp, 0xB9B90123
        mov     ebx, 0xB0B00000
        mov     ecx, 0xC0C00000
        mov     edx, 0xD0D00000
        mov     ax, 0xF5F5
        mov     fs, ax
        mov     ax, 0x6565
        mov     gs, ax
        call    test_places
        call    test_sizes
        call    test_ticks
        call    test_keys
        call    test_floppy
        call    test_disk
        call    test_cd
        call    test_memory
        call    test_clock
        call    test_pci
        call    test_serial
        call    test_printer
        call    test_mouse
        call    test_stack
        call    test_apm
        call    test_pm
        call    test_v86
        mov     si, text_total
        call    puts
        mov     ax, [failures]
        call    hex
        mov     si, text_failed
        call    puts
        mov     ax, 0x5301
        xor     bx, bx
        int     0x15
        mov     ax, 0x5307
        mov     bx, 1
        mov     cx, 3
        int     0x15
        mov     si, text_alive
        call    puts
.stop:
        sti
        hlt
        jmp     .stop
text_total      db "SELFTEST ", 0
text_failed     db " failed", 10, 0
text_alive      db "FAIL power off", 10, 0

; ---------------------------------------------------------------- fixed places and tables
test_places:
        mov     ax, 0xF000
        mov     es, ax
        EXPECT  byte [es:0xFFFE], 0xFC, "model byte"
        EXPECT  byte [es:0xFFF0], 0xEA, "reset jump"
        EXPECT  byte [es:0xFF53], 0xCF, "dummy iret"
        EXPECT  byte [es:0xFA6E + 8 * '_' + 7], 0xFF, "8x8 font"
        EXPECT  word [0x13 * 4], 0xEC59, "vector 13h"
        EXPECT  word [0x16 * 4], 0xE82E, "vector 16h"
        mov     eax, '_32_'
        mov     cx, 16
        call    find_table
        REPORT  "BIOS32 directory"
        mov     eax, '$PIR'
        mov     cx, 32 + 31 * 16
        call    find_table
        REPORT  "$PIR table"
        mov     eax, '$PnP'
        mov     cx, 33
        call    find_table
        REPORT  "$PnP structure"
        ret

; Looks for EAX on 16-byte boundaries; the CX bytes there must sum to zero. CF = no.
find_table:
        push    bx
        push    si
        xor     si, si
.next:
        cmp     [es:si], eax
        je      .sum
        add     si, 16
        jnz     .next
        pop     si
        pop     bx
        stc
        ret
.sum:
        xor     bl, bl
.byte:
        add     bl, [es:si]
        inc     si
        loop    .byte
        cmp     bl, 0
        pop     si
        pop     bx
        jne     .bad
        clc
        ret
.bad:
        stc
        ret

test_sizes:
        CALL_INT 0x12
        EXPECT  ax, 639, "12h conventional memory"
        CALL_INT 0x11
        and     al, 0x41
        EXPECT  al, 0x01, "11h one floppy"
        ret

; ---------------------------------------------------------------- INT 1Ah 00h, INT 08h
test_ticks:
        mov     ah, 0
        CALL_INT 0x1A
        mov     bx, dx
        mov     di, 3
.wait:
        mov     ah, 0
        int     0x1A
        cmp     dx, bx
        je      .wait
        mov     bx, dx
        dec     di
        jnz     .wait
        clc
        REPORT  "1Ah 00h ticks run"
        mov     di, 0
        ret

; ---------------------------------------------------------------- INT 16h
test_keys:
        mov     ah, 1
        CALL_INT 0x16
        setz    al
        EXPECT  al, 1, "16h 01h empty"
        mov     ah, 5
        mov     cx, 0x1E61
        CALL_INT 0x16
        EXPECT  al, 0, "16h 05h store"
        mov     ah, 1
        CALL_INT 0x16
        EXPECT  ax, 0x1E61, "16h 01h look"
        KEPT_ALL "16h 01h registers"
        mov     ah, 0
        CALL_INT 0x16
        EXPECT  ax, 0x1E61, "16h 00h read"
        mov     ah, 5
        mov     cx, 0x48E0
        int     0x16
        mov     ah, 0
        CALL_INT 0x16
        EXPECT  ax, 0x4800, "16h 00h grey key"
        mov     ah, 5
        int     0x16
        mov     ah, 0x10
        CALL_INT 0x16
        EXPECT  ax, 0x48E0, "16h 10h grey key"
        mov     ah, 5
        mov     cx, 0x8500
        int     0x16
        mov     ah, 1
        int     0x16
        setz    al
        EXPECT  al, 1, "16h 01h hides F11"
        mov     bx, 16
.fill:
        mov     ah, 5
        mov     cx, 0x1234
        int     0x16
        test    al, al
        jnz     .full
        dec     bx
        jnz     .fill
.full:
        EXPECT  bx, 1, "16h 05h fifteen keys"
.drain:
        mov     ah, 0x11
        int     0x16
        jz      .empty
        mov     ah, 0x10
        int     0x16
        jmp     .drain
.empty:
        mov     ah, 2
        CALL_INT 0x16
        test    al, 0x0F
        call    not_equal
        REPORT  "16h 02h no shift"
        mov     ah, 0x0A
        CALL_INT 0x16
        EXPECT  bx, 0x41AB, "16h 0Ah identity"
        mov     ax, 0x0305
        mov     bx, 0x0000
        CALL_INT 0x16
        KEPT_ALL "16h 03h typematic"
        ret

; ---------------------------------------------------------------- INT 13h floppy
test_floppy:
        mov     ax, BUFFER
        mov     es, ax
        mov     ah, 0
        mov     dl, 0
        CALL_INT 0x13
        REPORT  "13h 00h floppy reset"
        KEPT_ALL "13h 00h registers"
        ; sector 72 = cylinder 2, head 0, sector 1
        mov     ax, 0x0201
        xor     bx, bx
        mov     cx, 0x0201
        mov     dx, 0x0000
        CALL_INT 0x13
        REPORT  "13h 02h one sector"
        KEPT_ALL "13h 02h registers"
        EXPECT  ax, 1, "13h 02h count"
        EXPECT  dword [es:508], 72, "13h 02h data"
        mov     ax, 0x0212
        mov     cx, 0x0301
        mov     dx, 0x0100
        CALL_INT 0x13
        REPORT  "13h 02h track"
        EXPECT  al, 18, "13h 02h track count"
        EXPECT  dword [es:17 * 512], 3 * 36 + 35, "13h 02h track data"
        mov     ax, 0x0212              ; from sector 10 of head 0 into head 1
        mov     cx, 0x040A
        mov     dx, 0x0000
        CALL_INT 0x13
        REPORT  "13h 02h both heads"
        EXPECT  dword [es:17 * 512], 4 * 36 + 9 + 17, "13h 02h both heads data"
        mov     ax, 0x0212
        mov     cx, 0x4F01
        mov     dx, 0x0100
        CALL_INT 0x13
        EXPECT  dword [es:17 * 512], 2879, "13h 02h last sector"
        mov     ax, 0x0201
        mov     cx, 0x0213
        mov     dx, 0x0000
        CALL_INT 0x13
        cmc
        REPORT  "13h 02h bad sector"
        EXPECT  ah, 0x04, "13h 02h bad sector status"
        mov     ah, 1
        CALL_INT 0x13
        EXPECT  ah, 0x04, "13h 01h last status"
        mov     ax, 0x0202
        mov     bx, 0xFE10
        mov     cx, 0x0201
        CALL_INT 0x13
        EXPECT  ah, 0x09, "13h 02h DMA boundary"
        mov     ax, 0x0412
        mov     cx, 0x0501
        CALL_INT 0x13
        REPORT  "13h 04h verify"
        ; write to the last track and read it back
        xor     bx, bx
        mov     di, 0
        mov     cx, 512
        mov     eax, 0x12345678
        rep stosd
        mov     ax, 0x0304
        mov     cx, 0x4E03
        mov     dx, 0x0100
        CALL_INT 0x13
        REPORT  "13h 03h write"
        EXPECT  al, 4, "13h 03h count"
        mov     ax, BUFFER2
        mov     es, ax
        mov     ax, 0x0212
        mov     cx, 0x4E01
        CALL_INT 0x13
        EXPECT  dword [es:2 * 512], 0x12345678, "13h 03h first"
        EXPECT  dword [es:5 * 512 + 508], 0x12345678, "13h 03h last"
        EXPECT  dword [es:6 * 512], 78 * 36 + 18 + 6, "13h 03h not more"
        ; format the track, gives the filler byte F6
        xor     bx, bx
        mov     cx, 18
        mov     eax, 0x0201014E
.id:
        mov     [es:bx], eax
        add     bx, 4
        add     eax, 0x10000
        loop    .id
        xor     bx, bx
        mov     ax, 0x0512
        mov     cx, 0x4E01
        mov     dx, 0x0100
        CALL_INT 0x13
        REPORT  "13h 05h format"
        mov     ah, 8
        mov     dl, 0
        CALL_INT 0x13
        REPORT  "13h 08h floppy"
        EXPECT  cx, 0x4F12, "13h 08h geometry"
        EXPECT  dx, 0x0101, "13h 08h heads, drives"
        EXPECT  bl, 4, "13h 08h type"
        EXPECT  byte [es:di + 4], 18, "13h 08h table"
        mov     ah, 0x15
        mov     dl, 0
        CALL_INT 0x13
        EXPECT  ah, 2, "13h 15h floppy"
        mov     ah, 0x16
        CALL_INT 0x13
        EXPECT  ah, 0, "13h 16h change line"
        mov     ax, 0x0201
        mov     cx, 1
        mov     dx, 0x0001
        CALL_INT 0x13
        cmc
        REPORT  "13h 02h no second drive"
        mov     ah, 0x18
        mov     cx, 0x4F12
        mov     dx, 0
        CALL_INT 0x13
        REPORT  "13h 18h media type"
        xor     di, di
        ret

; ---------------------------------------------------------------- INT 13h disk
test_disk:
        mov     ah, 0x15
        mov     dl, 0x80
        int     0x13
        cmp     ah, 3
        je      .there
        ret
.there:
        push    es
        mov     ah, 8
        mov     dl, 0x80
        CALL_INT 0x13
        REPORT  "13h 08h disk"
        pop     es
        mov     [disk_cx], cx
        mov     [disk_dx], dx
        mov     ah, 0x41
        mov     bx, 0x55AA
        mov     dl, 0x80
        CALL_INT 0x13
        EXPECT  bx, 0xAA55, "13h 41h"
        ; write 32 sectors at 100 by LBA, from an odd offset near the end of a segment
        mov     ax, BUFFER
        mov     es, ax
        mov     di, 0xF00C
        mov     ecx, 0
.fill:
        push    di
        push    cx
        mov     eax, ecx
        xor     eax, 0xA5A50000
        mov     bx, 128
.dword:
        call    store_far
        dec     bx
        jnz     .dword
        pop     cx
        pop     di
        mov     ax, es
        add     ax, 32
        mov     es, ax
        inc     cx
        cmp     cx, 32
        jb      .fill
        mov     word [packet], 0x10
        mov     word [packet + 2], 32
        mov     word [packet + 4], 0xF00C
        mov     word [packet + 6], BUFFER
        mov     dword [packet + 8], 100
        mov     dword [packet + 12], 0
        push    esi
        mov     si, packet
        mov     ax, 0x4300
        mov     dl, 0x80
        CALL_INT 0x13
        REPORT  "13h 43h write"
        KEPT    "13h 43h registers"
        mov     word [packet + 4], 0x0001
        mov     word [packet + 6], 0x5000
        mov     ah, 0x42
        CALL_INT 0x13
        REPORT  "13h 42h read"
        EXPECT  word [packet + 2], 32, "13h 42h count"
        mov     ax, 0x5000
        mov     es, ax
        EXPECT  dword [es:1], 0xA5A50000, "13h 42h first"
        EXPECT  dword [es:1 + 31 * 512 + 508], 0xA5A5001F, "13h 42h last"
        mov     ah, 0x44
        CALL_INT 0x13
        REPORT  "13h 44h verify"
        mov     ah, 0x47
        CALL_INT 0x13
        REPORT  "13h 47h seek"
        ; beyond the end
        mov     dword [packet + 8], 0xFFFFFFF0
        mov     ah, 0x42
        CALL_INT 0x13
        cmc
        REPORT  "13h 42h beyond the end"
        EXPECT  word [packet + 2], 0, "13h 42h beyond count"
        ; the same sectors by CHS
        mov     eax, 100
        xor     edx, edx
        movzx   ebx, byte [disk_cx]
        and     bl, 0x3F
        div     ebx
        mov     cl, dl
        inc     cl
        xor     edx, edx
        movzx   ebx, byte [disk_dx + 1]
        inc     ebx
        div     ebx
        mov     dh, dl
        mov     dl, 0x80
        mov     ch, al
        xor     bx, bx
        mov     ax, 0x6000
        mov     es, ax
        mov     ax, 0x0203
        mov     edi, 0x12345678
        CALL_INT 0x13
        REPORT  "13h 02h disk"
        KEPT_ALL "13h 02h disk registers"
        EXPECT  ax, 3, "13h 02h disk count"
        EXPECT  dword [es:2 * 512], 0xA5A50002, "13h 02h disk data"
        mov     ax, 0x0403
        CALL_INT 0x13
        REPORT  "13h 04h disk"
        mov     word [es:0], 0x4D4D
        mov     ax, 0x0301
        CALL_INT 0x13
        REPORT  "13h 03h disk"
        mov     ax, 0x0201
        mov     bx, 0x1000
        CALL_INT 0x13
        EXPECT  word [es:0x1000], 0x4D4D, "13h 03h disk data"
        mov     ax, 0x0201
        mov     cl, 0
        CALL_INT 0x13
        cmc
        REPORT  "13h 02h sector 0 refused"
        mov     ah, 0x10
        CALL_INT 0x13
        REPORT  "13h 10h ready"
        mov     ah, 0x0D
        CALL_INT 0x13
        REPORT  "13h 0Dh reset"
        mov     ah, 0x48
        mov     si, edd_buffer
        mov     word [edd_buffer], 30
        CALL_INT 0x13
        REPORT  "13h 48h"
        EXPECT  word [edd_buffer], 30, "13h 48h length"
        EXPECT  word [edd_buffer + 24], 512, "13h 48h sector size"
        les     di, [edd_buffer + 26]
        mov     cx, 16
        xor     al, al
.sum:
        add     al, [es:di]
        inc     di
        loop    .sum
        EXPECT  al, 0, "13h 48h table sum"
        mov     eax, [edd_buffer + 16]
        push    si
        mov     si, text_sectors
        call    puts
        pop     si
        call    hex32
        mov     al, ' '
        call    putc
        mov     ax, [disk_cx]
        call    hex
        mov     al, ' '
        call    putc
        mov     ax, [disk_dx]
        call    hex
        mov     al, 10
        call    putc
        mov     ah, 0x15
        mov     dl, 0x87
        CALL_INT 0x13
        EXPECT  ah, 0, "13h 15h no disk 87h"
        pop     esi
        xor     di, di
        ret
store_far:                              ; EAX to ES:DI, DI may wrap into the next segment
        push    es
        push    di
        push    bx
        mov     bx, di
        shr     bx, 4
        push    ax
        mov     ax, es
        add     bx, ax
        pop     ax
        mov     es, bx
        and     di, 15
        mov     [es:di], eax
        pop     bx
        pop     di
        pop     es
        add     di, 4
        ret
disk_cx         dw 0
disk_dx         dw 0
packet          times 16 db 0
edd_buffer      times 32 db 0
text_sectors    db "disk sectors, CX, DX: ", 0

; ---------------------------------------------------------------- INT 13h CD
test_cd:
        mov     ah, 0x41
        mov     bx, 0x55AA
        mov     dl, 0xE0
        int     0x13
        jnc     .there
        ret
.there:
        mov     ah, 0x10
        int     0x13
        jnc     .disc
        ret
.disc:
        push    esi
        mov     word [packet], 0x10
        mov     word [packet + 2], 2
        mov     word [packet + 4], 0x0002
        mov     word [packet + 6], BUFFER
        mov     dword [packet + 8], 16
        mov     dword [packet + 12], 0
        mov     si, packet
        mov     ah, 0x42
        mov     dl, 0xE0
        CALL_INT 0x13
        REPORT  "13h 42h CD"
        KEPT    "13h 42h CD registers"
        mov     ax, BUFFER
        mov     es, ax
        EXPECT  dword [es:3], 'CD00', "13h 42h CD data"
        EXPECT  dword [es:2048 + 3], 'CD00', "13h 42h CD second block"
        mov     ah, 0x44
        CALL_INT 0x13
        REPORT  "13h 44h CD"
        mov     ah, 0x43
        CALL_INT 0x13
        EXPECT  ah, 3, "13h 43h CD protected"
        mov     ah, 0x48
        mov     si, edd_buffer
        mov     word [edd_buffer], 26
        CALL_INT 0x13
        EXPECT  word [edd_buffer + 24], 2048, "13h 48h CD"
        mov     ax, 0x4500
        CALL_INT 0x13
        EXPECT  ax, 1, "13h 45h lock"
        mov     ah, 0x46
        mov     al, 0
        CALL_INT 0x13
        EXPECT  ah, 0xB1, "13h 46h locked"
        mov     ax, 0x4501
        CALL_INT 0x13
        EXPECT  ax, 0, "13h 45h unlock"
        pop     esi
        ret

; ---------------------------------------------------------------- INT 15h memory
test_memory:
        mov     ah, 0x88
        CALL_INT 0x15
        REPORT  "15h 88h"
        mov     [ext_kb], ax
        mov     ax, 0xE801
        CALL_INT 0x15
        REPORT  "15h E801h"
        mov     si, text_e801
        call    puts
        mov     ax, [ext_kb]
        call    hex
        mov     al, ' '
        call    putc
        mov     ax, cx
        call    hex
        mov     al, ' '
        call    putc
        mov     ax, dx
        call    hex
        mov     al, 10
        call    putc
        xor     ebx, ebx
        mov     ax, BUFFER
        mov     es, ax
        xor     di, di
.entry:
        mov     eax, 0x0000E820
        mov     edx, 'PAMS'
        mov     ecx, 20
        mov     esi, 0x51EE1511
        CALL_INT 0x15
        jc      .ended
        cmp     eax, 'PAMS'
        jne     .ended
        mov     si, text_map
        call    puts
        mov     eax, [es:4]
        call    hex32
        mov     eax, [es:0]
        call    hex32
        mov     al, ' '
        call    putc
        mov     eax, [es:12]
        call    hex32
        mov     eax, [es:8]
        call    hex32
        mov     al, ' '
        call    putc
        mov     ax, [es:16]
        call    hex
        mov     al, 10
        call    putc
        test    ebx, ebx
        jnz     .entry
        clc
        jmp     .mapped
.ended:
        stc
.mapped:
        REPORT  "15h E820h"
        cmp     word [ext_kb], 128
        jb      .low_only
        ; 87h: 512 bytes up to 1 MB + 64 KB and back
        mov     di, 0
        mov     cx, 128
        mov     eax, 0xCAFE0001
        rep stosd
        mov     word [block_gdt + 0x12], 0x0000
        mov     byte [block_gdt + 0x14], BUFFER >> 12
        mov     word [block_gdt + 0x1A], 0x0000
        mov     byte [block_gdt + 0x1C], 0x11
        push    es
        push    ds
        pop     es
        mov     si, block_gdt
        mov     cx, 256
        mov     ah, 0x87
        CALL_INT 0x15
        REPORT  "15h 87h up"
        KEPT_ALL "15h 87h registers"
        mov     byte [block_gdt + 0x14], 0x11
        mov     byte [block_gdt + 0x1C], BUFFER2 >> 12
        mov     ah, 0x87
        CALL_INT 0x15
        REPORT  "15h 87h down"
        mov     ax, BUFFER2
        mov     es, ax
        EXPECT  dword [es:508], 0xCAFE0001, "15h 87h data"
        pop     es
.low_only:
        mov     ax, 0x2400
        CALL_INT 0x15
        REPORT  "15h 2400h"
        mov     ax, 0x2402
        CALL_INT 0x15
        EXPECT  al, 0, "15h 2402h off"
        mov     ax, 0x2401
        CALL_INT 0x15
        mov     ax, 0x2402
        CALL_INT 0x15
        EXPECT  al, 1, "15h 2402h on"
        mov     ah, 0xC0
        push    es
        CALL_INT 0x15
        EXPECT  byte [es:bx + 2], 0xFC, "15h C0h"
        mov     ah, 0xC1
        CALL_INT 0x15
        mov     ax, es
        EXPECT  ax, [0x40E], "15h C1h"
        pop     es
        mov     ax, 0x4F1E
        stc
        CALL_INT 0x15
        cmc
        REPORT  "15h 4Fh keeps carry"
        mov     ah, 0x77
        CALL_INT 0x15
        EXPECT  ah, 0x86, "15h unknown"
        ret
ext_kb          dw 0
block_gdt       times 16 db 0
                dw 0xFFFF, 0
                db 0, 0x93
                dw 0
                dw 0xFFFF, 0
                db 0, 0x93
                dw 0
                times 16 db 0
text_e801       db "15h 88h, E801h: ", 0
text_map        db "map ", 0

; ---------------------------------------------------------------- clock and waits
test_clock:
        mov     ah, 2
        CALL_INT 0x1A
        REPORT  "1Ah 02h time"
        mov     ax, cx
        call    valid_bcd
        REPORT  "1Ah 02h BCD"
        mov     ah, 4
        CALL_INT 0x1A
        REPORT  "1Ah 04h date"
        EXPECT  ch, 0x20, "1Ah 04h century"
        mov     ah, 2
        int     0x1A
        mov     ah, 3
        CALL_INT 0x1A
        REPORT  "1Ah 03h set time"
        mov     ax, [0x46C]             ; 300 ms are five to seven ticks
        mov     [tick], ax
        mov     ah, 0x86
        mov     cx, 4
        mov     dx, 0x93E0
        CALL_INT 0x15
        REPORT  "15h 86h wait"
        KEPT_ALL "15h 86h registers"
        mov     ax, [0x46C]
        sub     ax, [tick]
        sub     ax, 5
        cmp     ax, 3
        cmc
        REPORT  "15h 86h length"
        mov     ax, 0x8300
        push    ds
        pop     es
        mov     bx, flag
        mov     cx, 1
        mov     dx, 0
        CALL_INT 0x15
        REPORT  "15h 83h start"
        mov     ax, 0x8300
        CALL_INT 0x15
        cmc
        REPORT  "15h 83h busy"
        mov     di, [0x46C]
.wait:
        mov     ax, [0x46C]
        sub     ax, di
        cmp     ax, 10
        ja      .late
        test    byte [flag], 0x80
        jz      .wait
.late:
        EXPECT  byte [flag], 0x80, "15h 83h flag"
        ; alarm in two seconds
        mov     word [0x4A * 4], alarm
        mov     [0x4A * 4 + 2], cs
        mov     ah, 2
        int     0x1A
        mov     al, dh
        add     al, 2
        daa
        cmp     al, 0x60
        jb      .second
        sub     al, 0x60
        push    ax
        mov     al, cl
        add     al, 1
        daa
        mov     cl, al
        pop     ax
.second:
        mov     dh, al
        mov     ah, 6
        CALL_INT 0x1A
        REPORT  "1Ah 06h alarm"
        mov     di, [0x46C]
.sleep:
        mov     ax, [0x46C]
        sub     ax, di
        cmp     ax, 80
        ja      .rung
        cmp     byte [rang], 0
        je      .sleep
.rung:
        EXPECT  byte [rang], 1, "4Ah alarm rings"
        mov     ah, 7
        CALL_INT 0x1A
        REPORT  "1Ah 07h"
        xor     di, di
        ret
valid_bcd:
        push    ax
        and     al, 0x0F
        cmp     al, 10
        pop     ax
        cmc
        ret
alarm:
        mov     byte [cs:rang], 1
        iret
tick            dw 0
flag            db 0
rang            db 0

; ---------------------------------------------------------------- PCI
test_pci:
        push    edi
        mov     ax, 0xB101
        mov     edi, 0
        CALL_INT 0x1A
        REPORT  "1Ah B101h"
        EXPECT  edx, 'PCI ', "1Ah B101h signature"
        EXPECT  bx, 0x0210, "1Ah B101h version"
        mov     ax, 0xB102
        mov     cx, 0x7000
        mov     dx, 0x8086
        push    esi
        mov     si, 0
        CALL_INT 0x1A
        REPORT  "1Ah B102h"
        EXPECT  bx, 0x0008, "1Ah B102h place"
        mov     ax, 0xB102
        mov     si, 1
        CALL_INT 0x1A
        EXPECT  ah, 0x86, "1Ah B102h no second"
        mov     ax, 0xB103
        mov     ecx, 0x010180
        mov     si, 0
        CALL_INT 0x1A
        REPORT  "1Ah B103h"
        EXPECT  bx, 0x0009, "1Ah B103h place"
        pop     esi
        mov     bx, 8
        mov     di, 0
        mov     ax, 0xB108
        CALL_INT 0x1A
        EXPECT  cl, 0x86, "1Ah B108h"
        mov     di, 2
        mov     ax, 0xB109
        CALL_INT 0x1A
        EXPECT  cx, 0x7000, "1Ah B109h"
        mov     di, 0
        mov     ax, 0xB10A
        CALL_INT 0x1A
        EXPECT  ecx, 0x70008086, "1Ah B10Ah"
        mov     di, 1
        mov     ax, 0xB109
        CALL_INT 0x1A
        EXPECT  ah, 0x87, "1Ah B109h odd"
        mov     di, 0x60
        mov     ax, 0xB10B
        mov     cl, 11
        CALL_INT 0x1A
        mov     ax, 0xB108
        CALL_INT 0x1A
        EXPECT  cl, 11, "1Ah B10Bh"
        mov     ax, 0xB10B
        mov     cl, 10
        CALL_INT 0x1A
        mov     ax, BUFFER
        mov     es, ax
        mov     di, 0
        mov     word [es:0], 10
        mov     word [es:2], 16
        mov     [es:4], es
        push    ds
        mov     ax, 0xF000
        mov     ds, ax
        mov     ax, 0xB10E
        CALL_INT 0x1A
        pop     ds
        EXPECT  ah, 0x89, "1Ah B10Eh small buffer"
        push    ds
        mov     ax, 0xF000
        mov     ds, ax
        mov     ax, 0xB10E
        CALL_INT 0x1A
        pop     ds
        REPORT  "1Ah B10Eh"
        EXPECT  byte [es:16 + 2], 0x60, "1Ah B10Eh first link"
        pop     edi
        ret

; ---------------------------------------------------------------- INT 14h with the UART looped back
test_serial:
        cmp     word [0x400], 0
        je      .none
        mov     ax, 0x00E3
        mov     dx, 0
        CALL_INT 0x14
        KEPT_ALL "14h 00h"
        push    dx
        mov     dx, [0x400]
        add     dx, 4
        mov     al, 0x13
        out     dx, al
        pop     dx
        mov     ax, 0x0155
        CALL_INT 0x14
        test    ah, 0x80
        call    not_equal
        REPORT  "14h 01h send"
        mov     ah, 2
        CALL_INT 0x14
        EXPECT  ax, 0x0055, "14h 02h receive"
        push    dx
        mov     dx, [0x400]
        add     dx, 4
        mov     al, 0
        out     dx, al
        pop     dx
.none:
        ret

; ---------------------------------------------------------------- INT 17h
test_printer:
        cmp     word [0x408], 0
        je      .none
        mov     ah, 1
        mov     dx, 0
        CALL_INT 0x17
        KEPT_ALL "17h 01h"
        test    ah, 0x20
        jnz     .none
        mov     ax, 0x0041
        CALL_INT 0x17
        test    ah, 1
        call    not_equal
        REPORT  "17h 00h print"
.none:
        ret

; ---------------------------------------------------------------- stack used by a disk read
test_stack:
        push    ds
        pop     es
        mov     di, 0x7200
        mov     cx, 0x180
        mov     ax, 0x5AA5
        rep stosw
        mov     [0x7100], sp
        cli
        mov     sp, 0x7500
        sti
        mov     ax, BUFFER
        mov     es, ax
        mov     bp, 16
.read:
        mov     ax, 0x0212
        xor     bx, bx
        mov     cx, bp
        shl     cx, 8
        inc     cx
        mov     dx, 0
        int     0x13
        dec     bp
        jnz     .read
        cli
        mov     sp, [0x7100]
        sti
        push    ds
        pop     es
        mov     di, 0x7200
        mov     cx, 0x180
        mov     ax, 0x5AA5
        repe scasw
        mov     ax, 0x7502
        sub     ax, di
        push    ax
        mov     si, text_stack
        call    puts
        pop     ax
        push    ax
        call    hex
        mov     al, 10
        call    putc
        pop     ax
        cmp     ax, 256
        cmc
        REPORT  "13h 02h stack"
        xor     di, di
        ret
text_stack      db "13h 02h stack bytes ", 0

; ---------------------------------------------------------------- mouse
test_mouse:
        test    byte [0x410], 4
        jnz     .there
        ret
.there:
        mov     ax, 0xC205
        mov     bh, 3
        CALL_INT 0x15
        REPORT  "15h C205h"
        EXPECT  bx, 0x00AA, "15h C205h answer"
        mov     ax, 0xC203
        mov     bh, 3
        CALL_INT 0x15
        REPORT  "15h C203h"
        mov     ax, 0xC202
        mov     bh, 5
        CALL_INT 0x15
        REPORT  "15h C202h"
        mov     ax, 0xC204
        CALL_INT 0x15
        REPORT  "15h C204h"
        mov     ax, 0xC206
        mov     bh, 0
        CALL_INT 0x15
        REPORT  "15h C206h"
        EXPECT  dl, 100, "15h C206h rate"
        mov     ax, 0xC200
        mov     bh, 1
        CALL_INT 0x15
        EXPECT  ah, 5, "15h C200h no driver"
        push    ds
        pop     es
        mov     ax, 0xC207
        mov     bx, mouse_driver
        CALL_INT 0x15
        REPORT  "15h C207h"
        mov     ax, 0xC200
        mov     bh, 1
        CALL_INT 0x15
        REPORT  "15h C200h"
        mov     ax, 0xC200
        mov     bh, 0
        CALL_INT 0x15
        mov     ax, 0xC207
        xor     bx, bx
        mov     es, bx
        CALL_INT 0x15
        REPORT  "15h C207h off"
        ret
mouse_driver:
        retf

; ---------------------------------------------------------------- APM
test_apm:
        mov     ax, 0x5300
        xor     bx, bx
        CALL_INT 0x15
        EXPECT  bx, 0x504D, "15h 5300h"
        mov     ax, 0x5301
        xor     bx, bx
        CALL_INT 0x15
        REPORT  "15h 5301h"
        mov     ax, 0x530A
        mov     bx, 1
        CALL_INT 0x15
        EXPECT  bh, 1, "15h 530Ah"
        mov     ax, 0x530B
        CALL_INT 0x15
        EXPECT  ah, 0x80, "15h 530Bh"
        ret

%include "selftest_pm.inc"
%include "selftest_v86.inc"

        times   64 * 512 - ($ - $$) db 0
%assign n 64
%rep 2880 - 64
        times   128 dd n
%assign n n + 1
%endrep
