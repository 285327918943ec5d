; post.asm - power-on self test: the order in which the machine is brought up.
;
; Documents: IBM PC/AT technical reference (shutdown byte in CMOS 0Fh, BIOS data area); every step
; writes its number to port 80h, docs/bios.md lists them.
; Invariant: interrupts stay off until all vectors and the controllers are set up; nothing waits
; without a limit.

CR0_NW          equ 1 << 29
CR0_CD          equ 1 << 30

post_start:
        cli
        cld
        mov     eax, cr0                ; caches on: RESET leaves CD and NW set
        and     eax, ~(CR0_CD | CR0_NW)
        mov     cr0, eax
        POSTCODE 0x01
        ; A program that left protected mode by a reset put its wish into CMOS 0Fh.
        mov     al, 0x0F
        out     CMOS_INDEX, al
        in      al, CMOS_DATA
        mov     bl, al
        mov     al, 0x0F
        out     CMOS_INDEX, al
        mov     al, 0
        out     CMOS_DATA, al
        mov     al, 0x0D
        out     CMOS_INDEX, al
        cmp     bl, 0x05
        je      resume
        cmp     bl, 0x0A
        je      resume
        cmp     bl, 0x0B
        je      resume
        cmp     bl, 0x0C
        je      resume
        cmp     bl, 0xFE
        je      wake
.cold:
        POSTCODE 0x02
        in      al, 0x92                ; memory above 1 MB must be reachable
        or      al, 2
        and     al, 0xFE
        out     0x92, al
        jmp     shadow_on

; The end of suspend to RAM: memory is as it was, the board as after RESET. Brings back what systems
; expect of firmware (shadows, PCI, power management, interrupt controllers, timer) and goes to the waking
; vector, in real mode with A20 open and interrupts off. All memory below 1 MB but the F segment is the system's,
; so the stack is there.
wake:
        POSTCODE 0x30
        in      al, 0x92
        or      al, 2
        and     al, 0xFE
        out     0x92, al
        mov     bp, .shadowed
        mov     bx, 0x3333
        jmp     set_pam
.shadowed:
        push    cs
        pop     ss
        mov     sp, wake_stack_top
        call    pic_init
        call    pit_init
        call    dma_init
        call    lapic_init
        call    mtrr_init
        call    pci_init
        mov     al, 0xF1                ; ACPI goes on
        out     0xB2, al
        mov     ax, EBDA_SEG
        mov     ds, ax
        mov     eax, [ebda.facs + 12]
        test    eax, eax
        jz      post_start.cold         ; nobody waits: start anew
        mov     edx, eax
        shr     eax, 4
        and     dx, 0x0F
        mov     [cs:wake_target], dx
        mov     [cs:wake_target + 2], ax
        call    shadow_lock             ; the stack can still be read
        POSTCODE 0x31
        jmp     far [cs:wake_target]

        align   4, db 0
wake_target     dd 0
wake_stack:     times 192 db 0
wake_stack_top:

; Goes on where the program asked for. A reset of the whole board took the shadows away: the
; contents are still in RAM, so switching them back on restores C0000h-FFFFFh.
resume:
        mov     eax, 0x80000000
        mov     dx, PCI_ADDR
        out     dx, eax
        mov     dl, PCI_DATA & 0xFF
        in      eax, dx
        cmp     eax, 0x12378086
        jne     .go
        mov     eax, 0x80000058
        mov     dl, PCI_ADDR & 0xFF
        out     dx, eax
        mov     dl, (PCI_DATA + 1) & 0xFF
        in      al, dx
        test    al, 0x10
        jnz     .go
        mov     cl, bl
        mov     bp, .shadowed
        mov     bx, 0x1111
        jmp     set_pam
.shadowed:
        mov     bl, cl
.go:
        mov     ax, BDA_SEG
        mov     ds, ax
        cmp     bl, 0x0B
        je      .iret
        cmp     bl, 0x0C
        je      .retf
        cmp     bl, 0x0A
        je      .jump
        mov     al, 0x20
        out     PIC2, al
        out     PIC1, al
        in      al, KBC_DATA
.jump:
        jmp     far [0x67]
.iret:
        lss     sp, [0x67]
        iret
.retf:
        lss     sp, [0x67]
        retf

post_shadowed:
        xor     ax, ax
        mov     ss, ax
        mov     sp, STACK_TOP
        POSTCODE 0x03
        mov     es, ax                  ; clear vectors and BDA, but not the warm start word
        mov     bx, [es:0x400 + RESET_FLAG]
        xor     di, di
        mov     cx, 0x300
        xor     ax, ax
        rep stosw
        mov     [es:0x400 + RESET_FLAG], bx
        POSTCODE 0x04
        call    pic_init
        call    pit_init
        call    dma_init
        call    rtc_init
        call    lapic_init
        call    mtrr_init
        POSTCODE 0x05
        call    bda_init
        call    ivt_init
        POSTCODE 0x06
        call    memory_size
        POSTCODE 0x07
        call    kbc_init
        POSTCODE 0x08
        call    pci_init
        POSTCODE 0x09
        sti
        call    rom_video
        mov     ax, 0x0003              ; not every display ROM sets a mode
        int     0x10
        POSTCODE 0x0A
        call    banner
        POSTCODE 0x0B
        call    ports_init
        call    clock_init
        POSTCODE 0x0C
        call    keyboard_init
        call    mouse_init
        POSTCODE 0x0D
        call    floppy_init
        POSTCODE 0x0E
        call    ata_init
        POSTCODE 0x12
        call    tables_init
        POSTCODE 0x0F
        call    rom_others
        POSTCODE 0x10
        call    shadow_lock
        POSTCODE 0x11
        call    fpu_init
        PRINT   msg_newline
        call    boot_menu
        mov     al, 0                   ; as on an AT: programs of the time count on 1 MB wrapping
        call    a20_set
        POSTCODE 0x20
.boot:
        int     0x19                    ; comes back only from a foreign handler
        jmp     .boot

; DS = 0040h, ES = EBDA afterwards.
bda_init:
        mov     ax, BDA_SEG
        mov     ds, ax
        mov     word [EBDA_SEG_PTR], EBDA_SEG
        mov     word [MEMORY_KB], 640 - EBDA_KB
        mov     word [EQUIPMENT], 0
        mov     word [KB_HEAD], KB_BUFFER
        mov     word [KB_TAIL], KB_BUFFER
        mov     word [KB_BUF_START], KB_BUFFER
        mov     word [KB_BUF_END], KB_BUFFER_LAST
        mov     dword [LPT_TIMEOUTS], 0x14141414
        mov     dword [COM_TIMEOUTS], 0x01010101
        mov     ax, EBDA_SEG
        mov     es, ax
        xor     di, di
        xor     ax, ax
        mov     cx, EBDA_KB * 512
        rep stosw
        mov     byte [es:ebda.size_kb], EBDA_KB
        mov     dword [es:ebda.hd_slots], 0xFFFFFFFF
        mov     dword [es:ebda.cd_slots], 0xFFFFFFFF
        mov     byte [es:ebda.bev_first], 0xFF
        mov     word [es:ebda.rom_next], 0xC000
        ret

; FS = EBDA, whatever DS is.
ebda_to_fs:
        push    ds
        push    BDA_SEG
        pop     ds
        mov     fs, [EBDA_SEG_PTR]
        pop     ds
        ret

; Interrupt vectors: a harmless default everywhere, nothing in 60h-67h and from 78h on, then ours.
ivt_init:
        xor     ax, ax
        mov     es, ax
        xor     di, di
        mov     eax, 0xF0000000 + (dummy_iret - $$)
        mov     cx, 0x78
        rep stosd
        xor     eax, eax
        mov     di, 0x60 * 4
        mov     cx, 8
        rep stosd
        mov     si, ivt_table
.next:
        cs lodsb
        cmp     al, 0xFF
        je      .done
        movzx   di, al
        shl     di, 2
        cs lodsw
        stosw
        jmp     .next
.done:
        mov     dword [es:0x41 * 4], (EBDA_SEG << 16) | ebda.fdpt0
        mov     dword [es:0x46 * 4], (EBDA_SEG << 16) | ebda.fdpt1
        mov     dword [es:0x1F * 4], 0
        ret

%macro VECTOR 2
        db      %1
        dw      %2
%endmacro
ivt_table:
        VECTOR  0x02, nmi_entry
        VECTOR  0x05, int05_entry
        VECTOR  0x08, int08_entry
        VECTOR  0x09, int09_entry
        VECTOR  0x0A, stray_irq
        VECTOR  0x0B, stray_irq
        VECTOR  0x0C, stray_irq
        VECTOR  0x0D, stray_irq
        VECTOR  0x0E, int0e_entry
        VECTOR  0x0F, stray_irq
        VECTOR  0x10, int10_entry
        VECTOR  0x11, int11_entry
        VECTOR  0x12, int12_entry
        VECTOR  0x13, int13_entry
        VECTOR  0x14, int14_entry
        VECTOR  0x15, int15_entry
        VECTOR  0x16, int16_entry
        VECTOR  0x17, int17_entry
        VECTOR  0x18, int18_handler
        VECTOR  0x19, int19_entry
        VECTOR  0x1A, int1a_entry
        VECTOR  0x1D, video_params
        VECTOR  0x1E, diskette_table
        VECTOR  0x40, int40_handler
        VECTOR  0x42, int10_entry
        VECTOR  0x43, font_8x8
        VECTOR  0x70, int70_handler
        VECTOR  0x71, int71_handler
        VECTOR  0x72, stray_irq
        VECTOR  0x73, stray_irq
        VECTOR  0x74, int74_handler
        VECTOR  0x75, int75_handler
        VECTOR  0x76, int76_handler
        VECTOR  0x77, int76_handler
        db      0xFF

; ---------------------------------------------------------------- memory
; CMOS 34h/35h count 64 KB above 16 MB, 30h/31h KB above 1 MB, 5Bh-5Dh 64 KB above 4 GB.
memory_size:
        push    ds
        call    ebda_to_fs
        mov     al, 0x35
        call    cmos_read
        mov     ah, al
        mov     al, 0x34
        call    cmos_read
        movzx   eax, ax
        test    eax, eax
        jz      .small
        shl     eax, 16
        add     eax, 0x1000000
        jmp     .low
.small:
        mov     al, 0x31
        call    cmos_read
        mov     ah, al
        mov     al, 0x30
        call    cmos_read
        movzx   eax, ax
        shl     eax, 10
        add     eax, 0x100000
.low:
        mov     [fs:ebda.mem_low], eax
        mov     al, 0x5D
        call    cmos_read
        movzx   eax, al
        mov     [fs:ebda.mem_high + 4], eax
        mov     al, 0x5C
        call    cmos_read
        mov     ah, al
        mov     al, 0x5B
        call    cmos_read
        shl     eax, 16
        mov     [fs:ebda.mem_high], eax
        call    e820_build
        pop     ds
        ret

; The memory map that INT 15h E820h hands out, 20 bytes per entry.
e820_build:
        mov     ax, fs
        mov     es, ax
        mov     di, ebda.e820
        xor     eax, eax
        mov     edx, EBDA_SEG << 4
        mov     cl, 1
        call    e820_add
        mov     eax, EBDA_SEG << 4
        mov     edx, 0xA0000 - (EBDA_SEG << 4)
        mov     cl, 2
        call    e820_add
        mov     eax, 0xF0000
        mov     edx, 0x10000
        call    e820_add
        mov     eax, 0x100000
        mov     edx, [fs:ebda.mem_low]
        sub     edx, eax
        jz      .no_extended
        mov     cl, 1
        call    e820_add
.no_extended:
        mov     eax, 0xFFFC0000
        mov     edx, 0x40000
        mov     cl, 2
        call    e820_add
        mov     eax, [fs:ebda.mem_high]
        or      eax, [fs:ebda.mem_high + 4]
        jz      e820_from_emulator
        xor     eax, eax
        stosd
        inc     ax
        stosd
        mov     eax, [fs:ebda.mem_high]
        stosd
        mov     eax, [fs:ebda.mem_high + 4]
        stosd
        mov     eax, 1
        stosd
        inc     byte [fs:ebda.e820_count]
        ; falls through

; Reserved ranges that only the emulator knows of: file etc/e820 of fw_cfg, same 20-byte layout.
e820_from_emulator:
        mov     si, name_e820
        call    fwcfg_find
        jc      .done
        call    fwcfg_select
.next:
        cmp     ecx, 20
        jb      .done
        sub     ecx, 20
        push    cx
        mov     cx, 20
        mov     dx, FWCFG_DATA
        cmp     byte [fs:ebda.e820_count], 14
        jae     .full
        rep insb
        pop     cx
        cmp     dword [es:di - 4], 1    ; RAM is what the CMOS says
        je      .drop
        inc     byte [fs:ebda.e820_count]
        jmp     .next
.drop:
        sub     di, 20
        jmp     .next
.full:
        pop     cx
.done:
        ret

; EAX = base, EDX = length, CL = type; ES:DI moves on.
e820_add:
        stosd
        xor     eax, eax
        stosd
        mov     eax, edx
        stosd
        xor     eax, eax
        stosd
        movzx   eax, cl
        stosd
        inc     byte [fs:ebda.e820_count]
        ret

; ---------------------------------------------------------------- what the user sees
banner:
        PRINT   msg_banner
        call    ebda_to_fs
        mov     eax, [fs:ebda.mem_low]
        shr     eax, 20
        mov     edx, [fs:ebda.mem_high]
        shr     edx, 20
        add     eax, edx
        mov     edx, [fs:ebda.mem_high + 4]
        shl     edx, 12
        add     eax, edx
        call    print_dec
        PRINT   msg_memory
        ret

; The coprocessor: equipment bit 1. A freshly initialised FPU has the status word 0.
fpu_init:
        push    ds
        push    BDA_SEG
        pop     ds
        smsw    ax
        test    al, 4
        jnz     .none
        fninit
        push    word 0x5A5A
        mov     bp, sp
        fnstsw  [bp]
        pop     ax
        test    ax, ax
        jnz     .none
        or      byte [EQUIPMENT], 2
.none:
        pop     ds
        ret

name_e820       db "etc/e820", 0
msg_banner      db "Oxbow BIOS ", BIOS_VERSION, 13, 10, 0
msg_memory      db " MB memory", 13, 10, 0
msg_newline     db 13, 10, 0
