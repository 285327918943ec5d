; system.asm - INT 11h, 12h, 15h and the interrupts nobody else cares for.
;
; Documents: IBM PS/2 and PC BIOS interface technical reference (INT 15h), ACPI 1.0 (E820h),
; RBIL for E801h, E881h and 24h.
; Invariant: INT 15h functions end by jumping to int15_ok or int15_error with AH of the frame set.

int11_handler:
        push    ds
        push    BDA_SEG
        pop     ds
        mov     ax, [EQUIPMENT]
        pop     ds
        iret

int12_handler:
        push    ds
        push    BDA_SEG
        pop     ds
        mov     ax, [MEMORY_KB]
        pop     ds
        iret

; ---------------------------------------------------------------- INT 15h
int15_handler:
        cmp     ah, 0x4F                ; the scan code stays as it is
        je      .set_carry
        cmp     ah, 0x90
        je      .clear
        cmp     ah, 0x91
        je      .clear
        SERVICE
        mov     si, int15_table
.find:
        cmp     byte [cs:si], 0
        je      .unknown
        cmp     ah, [cs:si]
        je      .found
        add     si, 4
        jmp     .find
.found:
        cmp     byte [cs:si + 3], 0
        je      .call
        INTERRUPTS_ON
.call:
        jmp     [cs:si + 1]
.unknown:
        INTERRUPTS_ON
        mov     byte [r_ah], 0x86
        jmp     int15_error
.set_carry:
        push    bp
        mov     bp, sp
        or      byte [bp + 6], FLAG_CF
        pop     bp
        iret
.clear:
        mov     ah, 0
        push    bp
        mov     bp, sp
        and     byte [bp + 6], ~FLAG_CF
        pop     bp
        iret

int15_ok:
        and     byte [r_flags], ~FLAG_CF
        SERVICE_END
int15_error:
        or      byte [r_flags], FLAG_CF
        SERVICE_END

; Number, function, whether the AT's came back with interrupts on.
%macro FUNCTION15 3
        db      %1
        dw      %2
        db      %3
%endmacro
int15_table:
        FUNCTION15 0x24, int15_a20, 0
        FUNCTION15 0x53, int15_apm, 0
        FUNCTION15 0x80, int15_zero, 1
        FUNCTION15 0x81, int15_zero, 1
        FUNCTION15 0x82, int15_zero, 1
        FUNCTION15 0x83, int15_event_wait, 1
        FUNCTION15 0x85, int15_zero, 0
        FUNCTION15 0x86, int15_wait, 1
        FUNCTION15 0x87, int15_move_block, 1
        FUNCTION15 0x88, int15_extended, 0
        FUNCTION15 0x89, int15_protected, 0
        FUNCTION15 0xC0, int15_config, 1
        FUNCTION15 0xC1, int15_ebda, 0
        FUNCTION15 0xC2, int15_mouse, 0
        FUNCTION15 0xE8, int15_memory, 0
        db      0

int15_zero:
        mov     byte [r_ah], 0
        jmp     int15_ok

; 24h: A20 gate: AL = 0 off, 1 on, 2 state, 3 how it can be switched.
int15_a20:
        mov     byte [r_ah], 0
        cmp     al, 1
        ja      .ask
        call    a20_set
        jmp     int15_ok
.ask:
        cmp     al, 3
        ja      .unknown
        je      .ways
        call    a20_get
        mov     [r_al], al
        jmp     int15_ok
.ways:
        mov     word [r_bx], 3          ; keyboard controller and port 92h
        jmp     int15_ok
.unknown:
        mov     byte [r_ah], 0x86
        jmp     int15_error

; 88h: KB above 1 MB, not more than fits below 64 MB.
int15_extended:
        mov     eax, [fs:ebda.mem_low]
        sub     eax, 0x100000
        shr     eax, 10
        cmp     eax, 0xFC00
        jbe     .fits
        mov     ax, 0xFC00
.fits:
        mov     [r_ax], ax
        jmp     int15_ok

int15_config:
        mov     word [r_es], 0xF000
        mov     word [r_bx], config_table
        jmp     int15_zero

int15_ebda:
        mov     [r_es], fs
        jmp     int15_ok

; ---------------------------------------------------------------- E8xxh
int15_memory:
        cmp     al, 0x20
        je      .map
        cmp     al, 0x01
        je      .sizes
        cmp     al, 0x81
        je      .sizes32
        mov     byte [r_ah], 0x86
        jmp     int15_error
.sizes:
        call    memory_blocks
        mov     [r_ax], ax
        mov     [r_cx], ax
        mov     [r_bx], dx
        mov     [r_dx], dx
        jmp     int15_ok
.sizes32:
        call    memory_blocks
        mov     [r_eax], eax
        mov     [r_ecx], eax
        mov     [r_ebx], edx
        mov     [r_edx], edx
        jmp     int15_ok
.map:
        cmp     edx, 'PAMS'
        jne     .bad
        cmp     ecx, 20
        jb      .bad
        movzx   eax, byte [fs:ebda.e820_count]
        cmp     ebx, eax
        jae     .bad
        call    e820_refresh
        mov     es, [r_es]
        mov     di, [r_di]
        imul    si, bx, 20
        mov     cx, 10
.copy:
        mov     dx, [fs:ebda.e820 + si]
        mov     [es:di], dx
        add     si, 2
        add     di, 2
        loop    .copy
        inc     ebx
        cmp     ebx, eax
        jb      .more
        xor     ebx, ebx
.more:
        mov     [r_ebx], ebx
        mov     dword [r_ecx], 20
        mov     dword [r_eax], 'PAMS'
        jmp     int15_ok
.bad:
        mov     byte [r_ah], 0x86
        jmp     int15_error

; EAX = KB between 1 and 16 MB, EDX = 64 KB blocks above 16 MB and below 4 GB.
memory_blocks:
        mov     eax, [fs:ebda.mem_low]
        sub     eax, 0x100000
        shr     eax, 10
        xor     edx, edx
        cmp     eax, 0x3C00
        jbe     .done
        lea     edx, [eax - 0x3C00]
        shr     edx, 6
        mov     eax, 0x3C00
.done:
        ret

; Option ROMs may have taken conventional memory since POST: 40:13h is the truth.
e820_refresh:
        push    eax
        movzx   eax, word [MEMORY_KB]
        shl     eax, 10
        mov     [fs:ebda.e820 + 8], eax
        mov     [fs:ebda.e820 + 20], eax
        neg     eax
        add     eax, 0xA0000
        mov     [fs:ebda.e820 + 28], eax
        pop     eax
        ret

; ---------------------------------------------------------------- 53h: APM in real mode
int15_apm:
        cmp     al, 0x03
        jbe     .connect
        push    bp
        call    apm_real_entry
        pop     bp
        setc    [fs:ebda.cd_status]
        mov     [r_ax], ax
        mov     [r_bx], bx
        mov     [r_cx], cx
        mov     [r_dx], dx
        cmp     byte [fs:ebda.cd_status], 0
        jne     int15_error
        jmp     int15_ok
.connect:
        test    bx, bx
        mov     byte [r_ah], 0x09
        jnz     int15_error
        mov     byte [r_ah], 0
        cmp     al, 1
        je      int15_ok
        jb      .check
        cmp     al, 3
        je      .connect32
        mov     word [r_ax], 0xF000
        mov     word [r_bx], apm16_call
        mov     word [r_cx], 0xF000
        mov     word [r_si], 0xFFFF
        mov     word [r_di], 0xFFFF
        jmp     int15_ok
.connect32:
        mov     word [r_ax], 0xF000
        mov     dword [r_ebx], apm32_call
        mov     word [r_cx], 0xF000
        mov     word [r_dx], 0xF000
        mov     dword [r_esi], 0xFFFFFFFF
        mov     word [r_di], 0xFFFF
        jmp     int15_ok
.check:
        mov     word [r_ax], 0x0102
        mov     word [r_bx], 0x504D     ; "PM"
        mov     word [r_cx], 0x0003     ; both protected mode interfaces
        jmp     int15_ok

%define APM(x) apm_real_ %+ x
%define APM_REAL 1
%include "apm.inc"

apm16_call:
        call    apm16_entry
        retf
%undef APM
%undef APM_REAL
%define APM(x) apm16_ %+ x
%define APM_REAL 0
%include "apm.inc"

        bits    32
apm32_call:
        call    apm32_entry
        retf
%undef APM
%define APM(x) apm32_ %+ x
%include "apm.inc"
        bits    16

; ---------------------------------------------------------------- other interrupts
; A hardware interrupt without owner: if the controller really has it in service, mask its line and
; acknowledge it; 40:6Bh keeps which one it was.
stray_irq:
        push    ds
        push    ax
        push    BDA_SEG
        pop     ds
        mov     al, 0x0B
        out     PIC1, al
        in      al, PIC1
        mov     byte [STRAY_IRQ], 0xFF
        test    al, al
        jz      .done                   ; spurious
        mov     [STRAY_IRQ], al
        test    al, 4
        jz      .first
        mov     al, 0x0B
        out     PIC2, al
        in      al, PIC2
        test    al, al
        jz      .cascade
        mov     [STRAY_IRQ], al
        mov     ah, al
        in      al, PIC2 + 1
        or      al, ah
        out     PIC2 + 1, al
        mov     al, 0x20
        out     PIC2, al
        jmp     .cascade
.first:
        mov     ah, al
        in      al, PIC1 + 1
        or      al, ah
        out     PIC1 + 1, al
.cascade:
        mov     al, 0x20
        out     PIC1, al
.done:
        pop     ax
        pop     ds
        iret

; IRQ 9 appears as the old IRQ 2.
int71_handler:
        push    ax
        mov     al, 0x20
        out     PIC2, al
        pop     ax
        int     0x0A
        iret

; The coprocessor's error line; programs expect it as NMI.
int75_handler:
        push    ax
        xor     al, al
        out     0xF0, al
        call    eoi_both
        pop     ax
        int     0x02
        iret
