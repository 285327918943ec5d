; chipset.asm - brings up the board: shadow RAM, interrupt controllers, timer, DMA, CMOS clock.
;
; Documents: Intel 82441FX (PAM registers 59h-5Fh), 82371SB (ELCR), 8259A, 8254, 8237A, MC146818.
; Invariant: nothing here needs interrupts; shadow_on runs before there is anything worth keeping
; in memory below 1 MB, because it uses segments 2000h-5FFFh as a copy.

; Copies every ROM between C0000h and FFFFFh, makes the whole range RAM and puts the copies back.
; Boards without a 440FX keep their ROMs. Uses no stack; ends by jumping to post_shadowed.
shadow_on:
        mov     eax, 0x80000000
        mov     dx, PCI_ADDR
        out     dx, eax
        mov     dl, PCI_DATA & 0xFF
        in      eax, dx
        cmp     eax, 0x12378086
        jne     .none
        ; A warm start can find old shadows: look at the ROMs themselves first.
        mov     bp, .rom_visible
        xor     bx, bx
        jmp     set_pam
.rom_visible:
        ; Clear the copy area, then keep the ROMs found at 2 KB boundaries and our own 64 KB.
        xor     eax, eax
        mov     dx, 0x2000
.clear:
        mov     es, dx
        xor     di, di
        mov     cx, 0x4000
        rep stosd
        add     dx, 0x1000
        cmp     dx, 0x5000
        jb      .clear
        mov     dx, 0xC000
.scan:
        mov     ds, dx
        mov     ax, 0x80
        cmp     word [0], 0xAA55
        jne     .next
        movzx   bx, byte [2]
        test    bx, bx
        jz      .next
        mov     ax, dx
        sub     ax, 0xC000 - 0x2000
        mov     es, ax
        mov     bp, bx
.block:                                 ; 512 bytes each, it can be more than a segment
        xor     si, si
        xor     di, di
        mov     cx, 128
        rep movsd
        mov     ax, ds
        add     ax, 0x20
        mov     ds, ax
        mov     ax, es
        add     ax, 0x20
        mov     es, ax
        cmp     ax, 0x5000
        jae     .copied
        dec     bp
        jnz     .block
.copied:
        mov     ax, bx
        shl     ax, 5                   ; paragraphs
        add     ax, 0x7F
        and     ax, 0xFF80
.next:
        add     dx, ax
        cmp     dx, 0xF000
        jb      .scan
        mov     ax, 0xF000
        mov     ds, ax
        mov     ax, 0x5000
        mov     es, ax
        xor     si, si
        xor     di, di
        mov     cx, 0x4000
        rep movsd
        ; Now the code must not come from the range that changes.
        jmp     0x5000:.in_copy
.in_copy:
        mov     bp, .all_ram
        mov     bx, 0x3333
        jmp     set_pam
.all_ram:
        mov     dx, 0x2000
.restore:
        mov     ds, dx
        mov     ax, dx
        add     ax, 0xA000
        mov     es, ax
        xor     si, si
        xor     di, di
        mov     cx, 0x4000
        rep movsd
        add     dx, 0x1000
        cmp     dx, 0x6000
        jb      .restore
.none:
        jmp     0xF000:post_shadowed

; Sets every PAM field to the nibble in BX (0 = ROM, 1 = read only RAM, 3 = RAM) except that
; register 59h has only its upper half. Runs without a stack, goes on at BP. BX = 0, 1111h, 3333h.
set_pam:
        mov     eax, 0x80000058
        mov     dx, PCI_ADDR
        out     dx, eax
        mov     dl, (PCI_DATA + 1) & 0xFF
        mov     al, bl
        and     al, 0xF0
        out     dx, al
        inc     dx
        mov     al, bl
        out     dx, al
        inc     dx
        out     dx, al
        mov     eax, 0x8000005C
        mov     dl, PCI_ADDR & 0xFF
        out     dx, eax
        mov     dl, PCI_DATA & 0xFF
        mov     al, bl
        mov     ah, bl
        out     dx, ax
        add     dl, 2
        out     dx, ax
        jmp     bp

; End of POST: the used part of C0000h-EFFFFh and the F segment become read only, what nobody
; uses goes back to the bus so that memory managers see it empty.
shadow_lock:
        pushad
        xor     bx, bx
        xor     di, di
        call    pci_read32
        cmp     eax, 0x12378086
        jne     .done
        call    ebda_to_fs
        mov     cx, 0xC000              ; segment of the 16 KB field under way
        mov     di, 0x5A
.reg:
        xor     dl, dl
        cmp     cx, [fs:ebda.rom_next]
        jae     .upper
        or      dl, 0x01
.upper:
        add     cx, 0x400
        cmp     cx, [fs:ebda.rom_next]
        jae     .write
        or      dl, 0x10
.write:
        add     cx, 0x400
        xor     bx, bx
        mov     al, dl
        call    pci_write8
        inc     di
        cmp     di, 0x60
        jb      .reg
        mov     di, 0x59
        mov     al, 0x10
        call    pci_write8
.done:
        popad
        ret

; ---------------------------------------------------------------- interrupt controllers
pic_init:
        mov     al, 0x11
        out     PIC1, al
        out     PIC2, al
        mov     al, 0x08
        out     PIC1 + 1, al
        mov     al, 0x70
        out     PIC2 + 1, al
        mov     al, 0x04
        out     PIC1 + 1, al
        mov     al, 0x02
        out     PIC2 + 1, al
        mov     al, 0x01
        out     PIC1 + 1, al
        out     PIC2 + 1, al
        mov     al, 0xB8                ; timer, keyboard, cascade, floppy
        out     PIC1 + 1, al
        mov     al, 0x1F                ; fixed disks and coprocessor
        out     PIC2 + 1, al
        ret

pit_init:
        mov     al, 0x36                ; counter 0: square wave, 65536
        out     PIT + 3, al
        xor     al, al
        out     PIT, al
        out     PIT, al
        mov     al, 0x54                ; counter 1: refresh every 15 us
        out     PIT + 3, al
        mov     al, 18
        out     PIT + 1, al
        mov     al, 0xB6                ; counter 2: speaker, silent
        out     PIT + 3, al
        mov     ax, 1331
        out     PIT + 2, al
        mov     al, ah
        out     PIT + 2, al
        in      al, PORT_B
        and     al, 0xFC
        out     PORT_B, al
        ret

dma_init:
        xor     al, al
        out     0x0D, al                ; master clear of both
        out     0xDA, al
        out     0x08, al                ; command: DREQ high, DACK low, fixed priority
        out     0xD0, al
        mov     al, 0xC0
        out     0xD6, al                ; channel 4 carries the first controller
        xor     al, al
        out     0xD4, al                ; unmask it
        ret

; CMOS clock: 32768 Hz base, periodic rate 1024 Hz, BCD and 24 hours, no interrupt, flags cleared.
rtc_init:
        mov     ax, 0x260A
        call    cmos_write
        mov     ax, 0x020B
        call    cmos_write
        mov     al, 0x0C
        call    cmos_read
        mov     al, 0x0D
        jmp     cmos_read

; AL = index, returns AL. NMI stays enabled.
cmos_read:
        pushf
        cli
        and     al, 0x7F
        out     CMOS_INDEX, al
        in      al, CMOS_DATA
        push    ax
        mov     al, 0x0D
        out     CMOS_INDEX, al
        pop     ax
        popf
        ret

; AL = index, AH = value.
cmos_write:
        pushf
        cli
        push    ax
        and     al, 0x7F
        out     CMOS_INDEX, al
        mov     al, ah
        out     CMOS_DATA, al
        mov     al, 0x0D
        out     CMOS_INDEX, al
        pop     ax
        popf
        ret

; ---------------------------------------------------------------- A20 gate
; AL = 1 on, 0 off. Port 92h and the keyboard controller's output are ORed on the board, so opening
; takes one of them, closing both. Bit 0 of port 92h would reset the machine.
a20_set:
        push    ax
        and     al, 1
        shl     al, 1
        mov     ah, al
        in      al, 0x92
        and     al, 0xFC
        or      al, ah
        out     0x92, al
        test    ah, ah
        jnz     .done
        mov     al, 0xDD
        call    kbc_command
        call    kbc_wait_ready
.done:
        pop     ax
        ret

; AL = 1 when on: a word in the inter-application area shows through at FFFF:0500h when it is off.
a20_get:
        push    ds
        push    es
        push    bx
        push    cx
        pushf
        cli
        xor     bx, bx
        mov     ds, bx
        dec     bx
        mov     es, bx
        mov     cx, [0x4F0]
        mov     bx, [es:0x500]
        not     bx
        mov     [0x4F0], bx
        cmp     [es:0x500], bx
        mov     al, 1
        jne     .on
        mov     al, 0
.on:
        mov     [0x4F0], cx
        popf
        pop     cx
        pop     bx
        pop     es
        pop     ds
        ret

; ---------------------------------------------------------------- local APIC
; A processor with an enabled local APIC hears the 8259A pair only through LINT0: virtual wire mode,
; LINT0 external interrupts, LINT1 NMI.
APIC_BASE_MSR   equ 0x1B
APIC_SPURIOUS   equ 0xF0
APIC_LINT0      equ 0x350
APIC_LINT1      equ 0x360

        cpu     586
; EAX = signature, EDX = features of the processor, zero without CPUID. Changes EBX, ECX.
processor_id:
        pushfd                          ; CPUID exists when flag 21 can be changed
        pop     eax
        mov     ecx, eax
        xor     eax, 0x200000
        push    eax
        popfd
        pushfd
        pop     eax
        push    ecx
        popfd
        xor     eax, ecx
        xor     edx, edx
        and     eax, 0x200000
        jz      .none
        mov     eax, 1
        cpuid
.none:
        ret

lapic_init:
        call    processor_id
        test    dh, 2                   ; local APIC, enabled
        jz      .none
        mov     edi, LAPIC_ADDRESS
        and     ah, 0x0F
        cmp     ah, 6                   ; the Pentium's cannot be moved
        jb      .found
        mov     ecx, APIC_BASE_MSR
        rdmsr
        and     eax, 0xFFFFF000
        mov     edi, eax
.found:
        mov     edx, APIC_SPURIOUS
        mov     eax, 0x1FF
        call    .write
        mov     edx, APIC_LINT0
        mov     eax, 0x8700
        call    .write
        mov     edx, APIC_LINT1
        mov     eax, 0x8400
.write:                                 ; EAX to register EDX
        push    edi
        add     edi, edx
        push    eax
        xor     esi, esi
        mov     si, ss
        shl     esi, 4
        movzx   eax, sp
        add     esi, eax
        mov     ecx, 4
        call    pm_copy
        pop     eax
        pop     edi
.none:
        ret

; ---------------------------------------------------------------- memory types
; Memory is write-back, the video window and everything from E0000000h on uncached, ROMs and their
; shadows write-protected (MTRR, P6 family and later).
MTRR_DEFAULT    equ 0x2FF
MTRR_ON         equ 0xC06               ; enabled, fixed ranges too, the rest is write-back
MTRR_BASE0      equ 0x200
MTRR_MASK0      equ 0x201

mtrr_init:
        call    processor_id
        test    dh, 0x10
        jz      .none
        mov     si, .fixed
.next:
        cs lodsw
        test    ax, ax
        jz      .variable
        movzx   ecx, ax
        cs lodsd
        mov     edx, eax
        wrmsr
        jmp     .next
.variable:
        mov     ecx, MTRR_BASE0
        mov     eax, 0xE0000000
        xor     edx, edx
        wrmsr
        inc     cx
        mov     eax, 0xE0000800
        mov     edx, 0x0F               ; of 36 address bits
        wrmsr
        mov     ecx, MTRR_DEFAULT
        mov     eax, MTRR_ON
        xor     edx, edx
        wrmsr
.none:
        ret
%macro MTRR_FIXED 2
        dw      %1
        dd      %2
%endmacro
.fixed:
        MTRR_FIXED 0x250, 0x06060606    ; 00000h-7FFFFh
        MTRR_FIXED 0x258, 0x06060606    ; 80000h-9FFFFh
        MTRR_FIXED 0x259, 0x00000000    ; A0000h-BFFFFh
        MTRR_FIXED 0x268, 0x05050505    ; C0000h and up, 32 KB each
        MTRR_FIXED 0x269, 0x05050505
        MTRR_FIXED 0x26A, 0x05050505
        MTRR_FIXED 0x26B, 0x05050505
        MTRR_FIXED 0x26C, 0x05050505
        MTRR_FIXED 0x26D, 0x05050505
        MTRR_FIXED 0x26E, 0x05050505
        MTRR_FIXED 0x26F, 0x05050505
        dw      0
        cpu     386
