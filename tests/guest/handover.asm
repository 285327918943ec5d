; What a BIOS hands over to a boot sector, and which flags its services come back with: a floppy that
; prints one line "NAME VALUE" for each on port E9h and leaves through isa-debug-exit at F4h (status 1).
; scripts/handover runs it on two BIOSes and shows the differences; tests/boot/handover.test has what
; ours must give.     nasm -f bin -o handover.img handover.asm
;
; Documents: Intel SDM vol. 3 (MSRs), 82441FX (PAM), 8259A, 8254, 8237A, 16550A, MC146818 data sheets, IBM
; PC/AT technical reference (8042, BIOS data area), IBM VGA technical reference.
        bits    16
        cpu     586
        org     0x7C00

SECTORS         equ 16
COPY_SEG        equ 0x2000              ; IVT and BDA as they were at the first instruction

        jmp     start
        times   3 - ($ - $$) db 0x90
        ; Boot sectors of floppies have a table here that some BIOSes look at.
        times   62 - ($ - $$) db 0

start:
        mov     [cs:r_ds], ds
        pushf
        pop     word [cs:r_flags]
        cli
        push    cs
        pop     ds
        mov     [r_eax], eax
        mov     [r_ebx], ebx
        mov     [r_ecx], ecx
        mov     [r_edx], edx
        mov     [r_esi], esi
        mov     [r_edi], edi
        mov     [r_ebp], ebp
        mov     [r_esp], esp
        mov     [r_es], es
        mov     [r_ss], ss
        mov     [r_fs], fs
        mov     [r_gs], gs
        call    .here
.here:  pop     ax
        sub     ax, .here - 0x7C00
        mov     [r_ip], ax
        mov     [r_cs], cs
        xor     ax, ax
        mov     ss, ax
        mov     sp, 0x7C00
        mov     ax, COPY_SEG
        mov     es, ax
        xor     ax, ax
        mov     ds, ax
        xor     si, si
        xor     di, di
        mov     cx, 0x280
        cld
        rep     movsw
        call    a20_state
        mov     [a20], al
        xor     ax, ax
        mov     es, ax
        mov     ax, 0x0200 + SECTORS
        mov     bx, 0x7E00
        mov     cx, 2
        xor     dx, dx
        int     0x13
        jc      $
        jmp     probe

; AL = 1: open.  The words at 0:500h and FFFF:510h are the same when it is closed.
a20_state:
        push    ds
        push    es
        xor     ax, ax
        mov     ds, ax
        dec     ax
        mov     es, ax
        mov     bx, [0x500]
        not     word [es:0x510]
        mov     cx, [0x500]
        not     word [es:0x510]
        xor     al, al
        cmp     bx, cx
        jne     .closed
        inc     al
.closed:
        pop     es
        pop     ds
        ret

a20             db 0
r_eax           dd 0
r_ebx           dd 0
r_ecx           dd 0
r_edx           dd 0
r_esi           dd 0
r_edi           dd 0
r_ebp           dd 0
r_esp           dd 0
r_ds            dw 0
r_es            dw 0
r_ss            dw 0
r_fs            dw 0
r_gs            dw 0
r_cs            dw 0
r_ip            dw 0
r_flags         dw 0
        times   510 - ($ - $$) db 0
        dw      0xAA55

; ---------------------------------------------------------------- printing
putc:
        out     0xE9, al
        ret
; CS:SI, ends with 0
puts:
        cs lodsb
        test    al, al
        jz      .done
        call    putc
        jmp     puts
.done:
        ret
newline:
        mov     al, 10
        jmp     putc
space:
        mov     al, ' '
        jmp     putc
hex32:
        push    eax
        shr     eax, 16
        call    hex16
        pop     eax
hex16:
        push    ax
        mov     al, ah
        call    hex8
        pop     ax
hex8:
        push    ax
        shr     al, 4
        call    .digit
        pop     ax
        and     al, 15
.digit:
        cmp     al, 10
        jb      .decimal
        add     al, 'A' - '0' - 10
.decimal:
        add     al, '0'
        jmp     putc

%macro NAME 1
        push    si
        mov     si, %%text
        call    puts
        pop     si
        jmp     %%over
%%text  db      %1, 0
%%over:
%endmacro
; A line of a value in EAX.
%macro LINE32 2
        NAME    %1
        call    space
        mov     eax, %2
        call    hex32
        call    newline
%endmacro
%macro LINE16 2
        NAME    %1
        call    space
        mov     ax, %2
        call    hex16
        call    newline
%endmacro
%macro LINE8 2
        NAME    %1
        call    space
        mov     al, %2
        call    hex8
        call    newline
%endmacro
; A line of a port.
%macro LINEPORT 2
        NAME    %1
        call    space
        mov     dx, %2
        in      al, dx
        call    hex8
        call    newline
%endmacro
; Lines NAME.II of registers behind an index port: name, index port, data port, how many.
%macro INDEXED 4
        xor     bl, bl
%%next:
        NAME    %1
        mov     al, bl
        call    hex8
        call    space
        mov     dx, %2
        mov     al, bl
        out     dx, al
        mov     dx, %3
        in      al, dx
        call    hex8
        call    newline
        inc     bl
        cmp     bl, %4
        jb      %%next
%endmacro

; ---------------------------------------------------------------- the probe
probe:
        cli
        LINE32  "cpu.eax", [r_eax]
        LINE32  "cpu.ebx", [r_ebx]
        LINE32  "cpu.ecx", [r_ecx]
        LINE32  "cpu.edx", [r_edx]
        LINE32  "cpu.esi", [r_esi]
        LINE32  "cpu.edi", [r_edi]
        LINE32  "cpu.ebp", [r_ebp]
        LINE32  "cpu.esp", [r_esp]
        LINE16  "cpu.ds", [r_ds]
        LINE16  "cpu.es", [r_es]
        LINE16  "cpu.ss", [r_ss]
        LINE16  "cpu.fs", [r_fs]
        LINE16  "cpu.gs", [r_gs]
        LINE16  "cpu.cs", [r_cs]
        LINE16  "cpu.ip", [r_ip]
        LINE16  "cpu.flags", [r_flags]
        LINE8   "cpu.a20", [a20]
        LINE32  "cpu.cr0", cr0
        LINE32  "cpu.cr4", cr4
        LINE32  "cpu.dr7", dr7
        sidt    [table]
        LINE16  "cpu.idt-limit", [table]
        LINE32  "cpu.idt-base", [table + 2]
        sgdt    [table]
        LINE16  "cpu.gdt-limit", [table]

        ; --- memory types
        mov     si, msrs
.msr:
        lodsw
        test    ax, ax
        jz      .msrs_done
        movzx   ecx, ax
        NAME    "msr."
        mov     ax, cx
        call    hex16
        call    space
        rdmsr
        push    eax
        mov     eax, edx
        call    hex32
        pop     eax
        call    hex32
        call    newline
        jmp     .msr
.msrs_done:

        ; --- host bridge: PAM
        mov     bl, 0x58
.pam:
        NAME    "pam."
        mov     al, bl
        call    hex8
        call    space
        mov     eax, 0x80000000
        mov     al, bl
        mov     dx, 0xCF8
        out     dx, eax
        mov     dx, 0xCFC
        in      eax, dx
        call    hex32
        call    newline
        add     bl, 4
        cmp     bl, 0x60
        jb      .pam

        ; --- interrupt controllers
        LINEPORT "pic.mask0", 0x21
        LINEPORT "pic.mask1", 0xA1
        mov     al, 0x0B
        out     0x20, al
        out     0xA0, al
        LINEPORT "pic.isr0", 0x20
        LINEPORT "pic.isr1", 0xA0
        mov     al, 0x0A
        out     0x20, al
        out     0xA0, al
        LINEPORT "pic.elcr0", 0x4D0
        LINEPORT "pic.elcr1", 0x4D1

        ; --- timer: the mode of each counter
        mov     al, 0xEE                ; read back: status of all
        out     0x43, al
        NAME    "pit.mode0"
        call    space
        in      al, 0x40
        and     al, 0x3F
        call    hex8
        call    newline
        NAME    "pit.mode1"
        call    space
        in      al, 0x41
        and     al, 0x3F
        call    hex8
        call    newline
        NAME    "pit.mode2"
        call    space
        in      al, 0x42
        and     al, 0x3F
        call    hex8
        call    newline
        NAME    "pit.port61"
        call    space
        in      al, 0x61
        and     al, 0x0F
        call    hex8
        call    newline
        LINEPORT "port92", 0x92

        ; --- DMA
        LINEPORT "dma.status0", 0x08
        LINEPORT "dma.status1", 0xD0
        mov     si, pages
.page:
        lodsb
        test    al, al
        jz      .pages_done
        mov     bl, al
        NAME    "dma.page"
        mov     al, bl
        call    hex8
        call    space
        movzx   dx, bl
        in      al, dx
        call    hex8
        call    newline
        jmp     .page
.pages_done:

        ; --- CMOS without the time
        mov     bl, 0x0A
.cmos:
        NAME    "cmos."
        mov     al, bl
        call    hex8
        call    space
        mov     al, bl
        out     0x70, al
        in      al, 0x71
        cmp     bl, 0x0A
        jne     .whole
        and     al, 0x7F                ; an update may be under way
.whole:
        call    hex8
        call    newline
        inc     bl
        cmp     bl, 0x60
        jb      .cmos
        mov     al, 0x0D
        out     0x70, al

        ; --- serial and parallel ports
        mov     si, uarts
.uart:
        lodsw
        test    ax, ax
        jz      .uarts_done
        mov     di, ax
        mov     cx, 7                   ; registers 1 to 7
        mov     bl, 1
.uart_register:
        NAME    "uart."
        mov     ax, di
        call    hex16
        mov     al, '.'
        call    putc
        mov     al, bl
        call    hex8
        call    space
        movzx   dx, bl
        add     dx, di
        in      al, dx
        call    hex8
        call    newline
        inc     bl
        loop    .uart_register
        NAME    "uart."
        mov     ax, di
        call    hex16
        NAME    ".divisor"
        call    space
        lea     dx, [di + 3]
        in      al, dx
        mov     bl, al
        or      al, 0x80
        out     dx, al
        lea     dx, [di + 1]
        in      al, dx
        mov     ah, al
        mov     dx, di
        in      al, dx
        push    ax
        lea     dx, [di + 3]
        mov     al, bl
        out     dx, al
        pop     ax
        call    hex16
        call    newline
        jmp     .uart
.uarts_done:
        LINEPORT "lpt.data", 0x378
        LINEPORT "lpt.status", 0x379
        LINEPORT "lpt.control", 0x37A

        ; --- keyboard controller
        LINEPORT "kbc.status", 0x64
        NAME    "kbc.command"
        call    space
        mov     al, 0x20
        call    kbc_ask
        call    hex8
        call    newline
        NAME    "kbc.output"
        call    space
        mov     al, 0xD0
        call    kbc_ask
        call    hex8
        call    newline

        ; --- display
        LINEPORT "vga.misc", 0x3CC
        LINEPORT "vga.feature", 0x3CA
        LINEPORT "vga.pelmask", 0x3C6
        INDEXED "vga.seq", 0x3C4, 0x3C5, 5
        INDEXED "vga.gdc", 0x3CE, 0x3CF, 9
        INDEXED "vga.crtc", 0x3D4, 0x3D5, 0x19
        xor     bl, bl
.atc:
        NAME    "vga.atc"
        mov     al, bl
        call    hex8
        call    space
        mov     dx, 0x3DA
        in      al, dx
        mov     dx, 0x3C0
        mov     al, bl
        out     dx, al
        inc     dx
        in      al, dx
        call    hex8
        call    newline
        inc     bl
        cmp     bl, 0x15
        jb      .atc
        mov     dx, 0x3DA
        in      al, dx
        mov     dx, 0x3C0
        mov     al, 0x20
        out     dx, al
        xor     bl, bl
.dac:
        NAME    "vga.dac"
        mov     al, bl
        call    hex8
        call    space
        mov     dx, 0x3C7
        mov     al, bl
        out     dx, al
        mov     dx, 0x3C9
        mov     cx, 3
.colour:
        in      al, dx
        call    hex8
        loop    .colour
        call    newline
        inc     bl
        cmp     bl, 0x40
        jb      .dac

        ; --- vectors: where they lead
        mov     ax, COPY_SEG
        mov     es, ax
        xor     bx, bx
.vector:
        NAME    "ivt."
        mov     ax, bx
        shr     ax, 2
        call    hex8
        call    space
        mov     ax, [es:bx + 2]
        call    hex16
        call    newline
        add     bx, 4
        cmp     bx, 0x400
        jb      .vector

        ; --- BIOS data area, extended BIOS data area
        mov     bx, 0x400
.bda:
        NAME    "bda."
        mov     ax, bx
        call    hex8
        call    space
        mov     cx, 8
.bda_byte:
        mov     al, [es:bx]
        call    hex8
        inc     bx
        loop    .bda_byte
        call    newline
        cmp     bx, 0x500
        jb      .bda
        mov     es, [es:0x40E]
        NAME    "ebda.kb"
        call    space
        mov     al, [es:0]
        call    hex8
        call    newline

        ; --- services
        mov     si, services
.service:
        cmp     byte [si], 0
        je      .leave
        NAME    "int."
        mov     al, [si]
        call    hex8
        mov     al, '.'
        call    putc
        mov     ax, [si + 1]
        call    hex16
        call    space
        xor     bp, bp                  ; first with all clear, then with IF, CF, ZF
        call    call_service
        call    space
        mov     bp, 0x0241
        call    call_service
        call    newline
        add     si, 7
        jmp     .service
.leave:
        NAME    "end"
        call    newline
        mov     dx, 0xF4
        xor     al, al
        out     dx, al
        hlt

; AL = command, returns the byte.
kbc_ask:
        push    ax
.ready:
        in      al, 0x64
        test    al, 2
        jnz     .ready
        pop     ax
        out     0x64, al
.answer:
        in      al, 0x64
        test    al, 1
        jz      .answer
        in      al, 0x60
        ret

; Calls the service of row SI with flags BP (CF, ZF, IF) and prints IF, CF, ZF and DF as letters.
call_service:
        push    si
        mov     al, [si]
        mov     [.vector], al
        mov     ax, [si + 1]
        mov     cx, [si + 3]
        mov     dx, [si + 5]
        mov     bx, 0x5000
        cmp     word [si + 1], 0x4100
        jne     .no_magic
        mov     bx, 0x55AA
.no_magic:
        push    ax
        mov     ax, 0x3000
        mov     es, ax
        pop     ax
        mov     si, block_move
        cmp     byte [.vector], 0x15
        jne     .call
        push    cs
        pop     es
.call:
        push    bp
        popf
        db      0xCD
.vector db      0
        pushf
        pop     bx
        cli
        cld
        xor     ax, ax
        mov     ds, ax
        mov     al, 'i'
        test    bh, 0x02
        call    .letter
        mov     al, 'c'
        test    bl, 0x01
        call    .letter
        mov     al, 'z'
        test    bl, 0x40
        call    .letter
        mov     al, 'd'
        test    bh, 0x04
        call    .letter
        pop     si
        ret
.letter:
        jz      .clear
        sub     al, 'a' - 'A'
.clear:
        jmp     putc

; Interrupt, AX, CX, DX
%macro SERVICE 4
        db      %1
        dw      %2, %3, %4
%endmacro
services:
        SERVICE 0x10, 0x0F00, 0, 0
        SERVICE 0x10, 0x0300, 0, 0
        SERVICE 0x11, 0x0000, 0, 0
        SERVICE 0x12, 0x0000, 0, 0
        SERVICE 0x13, 0x0000, 0, 0x0000
        SERVICE 0x13, 0x0100, 0, 0x0000
        SERVICE 0x13, 0x0201, 1, 0x0000
        SERVICE 0x13, 0x0200, 1, 0x0000
        SERVICE 0x13, 0x0281, 1, 0x0000
        SERVICE 0x13, 0x0401, 1, 0x0000
        SERVICE 0x13, 0x0800, 0, 0x0000
        SERVICE 0x13, 0x1500, 0, 0x0000
        SERVICE 0x13, 0x0000, 0, 0x0080
        SERVICE 0x13, 0x0201, 1, 0x0080
        SERVICE 0x13, 0x0200, 1, 0x0080
        SERVICE 0x13, 0x0281, 1, 0x0080
        SERVICE 0x13, 0x0800, 0, 0x0080
        SERVICE 0x13, 0x1500, 0, 0x0080
        SERVICE 0x13, 0x4100, 0, 0x0080
        SERVICE 0x13, 0x7F00, 0, 0x0080
        SERVICE 0x13, 0x0201, 1, 0x0085
        SERVICE 0x14, 0x0300, 0, 0x0000
        SERVICE 0x14, 0x0300, 0, 0x0007
        SERVICE 0x15, 0x2402, 0, 0
        SERVICE 0x15, 0x4F1E, 0, 0
        SERVICE 0x15, 0x8000, 0, 0
        SERVICE 0x15, 0x8600, 0, 1000
        SERVICE 0x15, 0x8700, 1, 0
        SERVICE 0x15, 0x8800, 0, 0
        SERVICE 0x15, 0x9000, 0, 0
        SERVICE 0x15, 0xC000, 0, 0
        SERVICE 0x15, 0xE801, 0, 0
        SERVICE 0x15, 0xBB00, 0, 0
        SERVICE 0x16, 0x0100, 0, 0
        SERVICE 0x16, 0x0200, 0, 0
        SERVICE 0x16, 0x1100, 0, 0
        SERVICE 0x16, 0x1200, 0, 0
        SERVICE 0x17, 0x0200, 0, 0
        SERVICE 0x1A, 0x0000, 0, 0
        SERVICE 0x1A, 0x0200, 0, 0
        SERVICE 0x1A, 0x0400, 0, 0
        SERVICE 0x1A, 0xB101, 0, 0
        db      0

table           times 6 db 0
msrs            dw 0x1B, 0x2FF, 0x250, 0x258, 0x259, 0x268, 0x269, 0x26A, 0x26B, 0x26C, 0x26D, 0x26E, 0x26F
                dw 0x200, 0x201, 0x202, 0x203, 0
pages           db 0x81, 0x82, 0x83, 0x87, 0x89, 0x8A, 0x8B, 0x8F, 0
uarts           dw 0x3F8, 0x2F8, 0

; Descriptors of INT 15h 87h: a word from 30000h to 30010h.
        align   16, db 0
block_move:
        times   16 db 0
        dw      0xFFFF, 0x0000
        db      0x03, 0x93, 0, 0
        dw      0xFFFF, 0x0010
        db      0x03, 0x93, 0, 0
        times   16 db 0

        times   (SECTORS + 1) * 512 - ($ - $$) db 0
        times   1474560 - ($ - $$) db 0
