; pmode.asm - copies between any two addresses below 4 GB, INT 15h 87h and 89h.
;
; Document: IBM PS/2 and PC BIOS interface technical reference (INT 15h 87h, 89h), Intel SDM on
; switching modes.
; Invariants: interrupts are off while CR0.PE is set; the real mode segment limits of 64 KB are
; restored before returning; callers in V86 mode are refused.

PM_CODE         equ 0x08
PM_FLAT         equ 0x10
PM_REAL         equ 0x18

        align   8, db 0
pm_gdt:
        dq      0
        dw      0xFFFF, 0x0000
        db      0x0F, 0x9B, 0x00, 0x00  ; code at F0000h, 64 KB
        dw      0xFFFF, 0x0000
        db      0x00, 0x93, 0xCF, 0x00  ; all memory
        dw      0xFFFF, 0x0000
        db      0x00, 0x93, 0x00, 0x00  ; 64 KB, what real mode expects
pm_gdt_end:
pm_gdtr:
        dw      pm_gdt_end - pm_gdt - 1
        dd      0xF0000 + (pm_gdt - $$)

; Copies ECX bytes from linear address ESI to EDI, upwards. All registers survive.
pm_copy:
        pushf
        pushad
        push    ds
        push    es
        cli
        o32 lgdt [cs:pm_gdtr]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     PM_CODE:.protected
.protected:
        mov     ax, PM_FLAT
        mov     ds, ax
        mov     es, ax
        mov     edx, ecx
        shr     ecx, 2
        a32 rep movsd
        mov     ecx, edx
        and     ecx, 3
        a32 rep movsb
        mov     ax, PM_REAL
        mov     ds, ax
        mov     es, ax
        mov     eax, cr0
        and     al, 0xFE
        mov     cr0, eax
        jmp     0xF000:.real
.real:
        pop     es
        pop     ds
        popad
        popf
        ret

; INT 15h 87h: CX words by the descriptors at ES:SI + 10h (from) and + 18h (to).
int15_move_block:
        mov     byte [r_ah], 0x03
        smsw    ax
        test    al, 1
        jnz     int15_error
        cmp     word [r_cx], 0x8000
        mov     byte [r_ah], 0x02
        ja      int15_error
        mov     es, [r_es]
        mov     bx, [r_si]
        mov     esi, [es:bx + 0x12]
        and     esi, 0xFFFFFF
        mov     al, [es:bx + 0x17]
        shl     eax, 24
        or      esi, eax
        mov     edi, [es:bx + 0x1A]
        and     edi, 0xFFFFFF
        mov     al, [es:bx + 0x1F]
        shl     eax, 24
        or      edi, eax
        movzx   ecx, word [r_cx]
        shl     ecx, 1
        call    a20_get
        push    ax
        mov     al, 1
        call    a20_set
        call    pm_copy
        pop     ax
        call    a20_set
        mov     byte [r_ah], 0
        jmp     int15_ok

; INT 15h 89h: ES:SI = descriptor table (08h itself, 10h IDT, 18h DS, 20h ES, 28h SS, 30h CS, 38h
; for the BIOS), BL, BH = interrupt numbers of the two controllers. Ends in protected mode.
int15_protected:
        mov     byte [r_ah], 0xFF
        smsw    ax
        test    al, 1
        jnz     int15_error
        cli
        mov     al, 1
        call    a20_set
        mov     al, 0x11
        out     PIC1, al
        out     PIC2, al
        mov     al, [r_bl]
        out     PIC1 + 1, al
        mov     al, [r_bh]
        out     PIC2 + 1, al
        mov     al, 0x04
        out     PIC1 + 1, al
        mov     al, 0x02
        out     PIC2 + 1, al
        mov     al, 0x01
        out     PIC1 + 1, al
        out     PIC2 + 1, al
        mov     al, 0xFF
        out     PIC1 + 1, al
        out     PIC2 + 1, al
        mov     es, [r_es]
        mov     si, [r_si]
        mov     word [es:si + 0x38], 0xFFFF     ; our own code
        mov     word [es:si + 0x3A], 0x0000
        mov     dword [es:si + 0x3C], 0x00009B0F
        o32 lgdt [es:si + 0x08]
        o32 lidt [es:si + 0x10]
        mov     dx, [r_ip]              ; the caller goes on behind its INT
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     0x38:.protected
.protected:
        mov     ax, 0x18
        mov     ds, ax
        mov     ax, 0x20
        mov     es, ax
        lea     bx, [r_flags + 2]
        mov     ax, 0x28
        mov     ss, ax
        mov     sp, bx
        push    word 0x30
        push    dx
        mov     ax, 0
        retf
