; pci.asm - PCI: configuration access for POST, resource assignment, $PIR table, BIOS32 directory.
;
; Documents: PCI Local Bus 2.1 (configuration header, BAR sizing), PCI BIOS 2.1 (BIOS32, $PIR),
; Intel 82371SB (PIRQRC 60h-63h, IDETIM 40h) and 82371AB (PMBA 40h, PMREGMISC 80h, SMBus 90h/D2h).
; Invariants: BX = bus/device/function, DI = register in all helpers; only bus 0 is enumerated;
; ports are given out from C000h, memory from E0000000h below the I/O APIC.

PCI_IO_FIRST    equ 0xC000
PCI_IO_END      equ 0x10000
PCI_MEM_FIRST   equ 0xE0000000
PCI_MEM_END     equ 0xFEC00000

; Sets the address register for BX and DI, DX = data port of that byte.
pci_address:
        push    eax
        movzx   eax, bx
        shl     eax, 8
        or      eax, 0x80000000
        mov     dx, di
        mov     al, dl
        and     al, 0xFC
        push    dx
        mov     dx, PCI_ADDR
        out     dx, eax
        pop     dx
        and     dx, 3
        add     dx, PCI_DATA
        pop     eax
        ret

pci_read32:
        push    dx
        call    pci_address
        in      eax, dx
        pop     dx
        ret
pci_read16:
        push    dx
        call    pci_address
        in      ax, dx
        pop     dx
        ret
pci_read8:
        push    dx
        call    pci_address
        in      al, dx
        pop     dx
        ret
pci_write32:
        push    dx
        call    pci_address
        out     dx, eax
        pop     dx
        ret
pci_write16:
        push    dx
        call    pci_address
        out     dx, ax
        pop     dx
        ret
pci_write8:
        push    dx
        call    pci_address
        out     dx, al
        pop     dx
        ret

; Calls BP for every function on bus 0 with BX set, EAX = vendor and device.
pci_each:
        xor     bx, bx
.next:
        xor     di, di
        call    pci_read32
        cmp     ax, 0xFFFF
        je      .absent
        push    bx
        push    bp
        call    bp
        pop     bp
        pop     bx
        test    bl, 7
        jnz     .advance
        mov     di, 0x0E
        call    pci_read8
        test    al, 0x80
        jz      .device
.advance:
        inc     bl
        jnz     .next
        ret
.absent:
        test    bl, 7                   ; without function 0 there is no device
        jnz     .advance
.device:
        or      bl, 7
        jmp     .advance

; ---------------------------------------------------------------- POST
pci_init:
        call    ebda_to_fs
        xor     bx, bx
        xor     di, di
        call    pci_read32
        cmp     ax, 0xFFFF
        je      .none
        mov     dword [fs:ebda.pci_io], PCI_IO_FIRST
        mov     dword [fs:ebda.pci_mem], PCI_MEM_FIRST
        mov     bp, pci_setup
        call    pci_each
.none:
        ret

; One function: chip-specific registers, BARs, interrupt line, command register.
pci_setup:
        mov     si, pci_chips
.chip:
        cmp     dword [cs:si], 0
        je      .generic
        cmp     eax, [cs:si]
        je      .known
        add     si, 6
        jmp     .chip
.known:
        call    [cs:si + 4]
.generic:
        mov     di, 0x08
        call    pci_read32
        shr     eax, 8
        mov     edx, eax                ; class code
        shr     eax, 16
        cmp     al, 0x06                ; bridges keep what they have
        je      .interrupt
        mov     di, 0x04                ; nothing may decode or master while the BARs are sized
        call    pci_read16
        and     al, ~7
        push    ax
        call    pci_write16
        mov     di, 0x10
        mov     cx, 6
        mov     eax, edx
        and     eax, 0xFFFF05
        cmp     eax, 0x010100           ; IDE at the compatible ports
        jne     .bars
        mov     di, 0x20
        mov     cx, 2
.bars:
        call    pci_bar
        add     di, 4
        loop    .bars
        mov     di, 0x30
        call    pci_rom_bar
        pop     ax
        or      al, 3
        shr     edx, 16
        cmp     dl, 0x01
        jne     .command
        or      al, 4
.command:
        mov     di, 0x04
        call    pci_write16
.interrupt:
        mov     di, 0x3D                ; interrupt pin
        call    pci_read8
        dec     al
        cmp     al, 3
        ja      .return
        mov     ah, bl
        shr     ah, 3
        add     al, ah
        dec     al
        and     ax, 3
        mov     si, ax
        mov     al, [cs:pirq_lines + si]
        mov     di, 0x3C
        call    pci_write8
        xor     di, di
        call    pci_read32
        cmp     eax, 0x71138086         ; the SCI is wired to IRQ 9
        jne     .return
        mov     di, 0x3C
        mov     al, 9
        call    pci_write8
.return:
        ret

pirq_lines      db 10, 10, 11, 11

pci_chips:
        dd      0x70008086
        dw      piix3_setup
        dd      0x70108086
        dw      piix3_ide_setup
        dd      0x71138086
        dw      piix4_pm_setup
        dd      0

; PIRQA-D to IRQ 10, 10, 11, 11, all of them and the SCI level triggered.
piix3_setup:
        mov     di, 0x60
.route:
        mov     si, di
        mov     al, [cs:pirq_lines - 0x60 + si]
        call    pci_write8
        inc     di
        cmp     di, 0x64
        jb      .route
        mov     dx, 0x4D0
        xor     al, al
        out     dx, al
        inc     dx
        mov     al, 0x0E                ; 9, 10, 11
        out     dx, al
        ret

; Both channels decode their ports.
piix3_ide_setup:
        mov     di, 0x40
        mov     eax, 0x80008000
        jmp     pci_write32

piix4_pm_setup:
        mov     di, 0x40
        mov     eax, PM_BASE | 1
        call    pci_write32
        mov     di, 0x80
        mov     al, 1
        call    pci_write8
        mov     di, 0x90
        mov     eax, SMB_BASE | 1
        call    pci_write32
        mov     di, 0xD2
        mov     al, 0x09
        jmp     pci_write8

; Sizes and places the BAR DI of BX; CX counts the BARs left and DI moves on over a 64-bit one.
pci_bar:
        push    edx
        mov     eax, 0xFFFFFFFF
        call    pci_write32
        call    pci_read32
        test    eax, eax
        jz      .done
        test    al, 1
        jnz     .io
        mov     dl, al
        and     al, 0xF0
        neg     eax                     ; size
        jz      .off
        call    pci_take_memory
        call    pci_write32
        and     dl, 6
        cmp     dl, 4
        jne     .done
        add     di, 4
        xor     eax, eax
        call    pci_write32
        dec     cx
        jnz     .done
        inc     cx
        jmp     .done
.io:
        and     al, 0xFC
        or      eax, 0xFFFF0000
        neg     eax
        jz      .off
        call    pci_take_io
        call    pci_write32
        jmp     .done
.off:
        call    pci_write32
.done:
        pop     edx
        ret

; The ROM gets an address but stays off.
pci_rom_bar:
        push    edx
        mov     eax, 0xFFFFF800
        call    pci_write32
        call    pci_read32
        and     eax, 0xFFFFF800
        jz      .done
        neg     eax
        call    pci_take_memory
        call    pci_write32
.done:
        pop     edx
        ret

; EAX = size, a power of two; EAX = address, 0 when the space is used up.
pci_take_memory:
        push    ecx
        push    edx
        mov     ecx, [fs:ebda.pci_mem]
        mov     edx, eax
        dec     eax
        add     ecx, eax
        jc      .full
        not     eax
        and     ecx, eax
        mov     eax, ecx
        add     ecx, edx
        jc      .full
        cmp     ecx, PCI_MEM_END
        ja      .full
        mov     [fs:ebda.pci_mem], ecx
        jmp     .done
.full:
        xor     eax, eax
.done:
        pop     edx
        pop     ecx
        ret

pci_take_io:
        push    ecx
        push    edx
        mov     ecx, [fs:ebda.pci_io]
        mov     edx, eax
        dec     eax
        add     ecx, eax
        not     eax
        and     ecx, eax
        mov     eax, ecx
        add     ecx, edx
        cmp     ecx, PCI_IO_END
        ja      .full
        mov     [fs:ebda.pci_io], ecx
        jmp     .done
.full:
        xor     eax, eax
.done:
        pop     edx
        pop     ecx
        ret

; ---------------------------------------------------------------- INT 1Ah, AH = B1h
int1a_pci:
        push    bp
        mov     eax, [r_eax]
        mov     ebx, [r_ebx]
        mov     ecx, [r_ecx]
        mov     edx, [r_edx]
        mov     edi, [r_edi]
        mov     esi, [r_esi]
        mov     es, [r_es]
        call    pcibios16_entry
        pop     bp
        mov     [r_eax], eax
        mov     [r_ebx], ebx
        mov     [r_ecx], ecx
        mov     [r_edx], edx
        setc    al
        and     byte [r_flags], ~FLAG_CF
        or      [r_flags], al
        SERVICE_END

%define PCIBIOS(x) pcibios16_ %+ x
%define PCIBIOS_BITS 16
%include "pcibios.inc"

; ---------------------------------------------------------------- BIOS32
        bits    32
; EAX = service, BL = 0. AL = 0: EBX = base, ECX = length, EDX = entry.
bios32_entry:
        test    bl, bl
        jnz     .bad_function
        cmp     eax, '$PCI'
        jne     .unknown
        mov     ebx, 0xF0000
        mov     ecx, 0x10000
        mov     edx, pci32_service - $$
        mov     al, 0
        retf
.unknown:
        mov     al, 0x80
        retf
.bad_function:
        mov     al, 0x81
        retf

%undef PCIBIOS
%undef PCIBIOS_BITS
%define PCIBIOS(x) pcibios32_ %+ x
%define PCIBIOS_BITS 32
%include "pcibios.inc"

pci32_service:
        call    pcibios32_entry
        retf
        bits    16

; ---------------------------------------------------------------- tables in the F segment
BIOS32_PHYS     equ 0xF0000 + (bios32_entry - $$)
        align   16, db 0
        db      "_32_"
        dd      BIOS32_PHYS
        db      0, 1
        db      (0x100 - (('_' * 2 + '3' + '2' + 1 + 0x0F + \
                ((bios32_entry - $$) & 0xFF) + ((bios32_entry - $$) >> 8)) & 0xFF)) & 0xFF
        times   5 db 0

; Devices 1-31 of bus 0: pin p of device d is on PIRQ (p + d - 1) mod 4.
PIR_DEVICES     equ 31
PIR_SIZE        equ 32 + PIR_DEVICES * 16
PIR_MASK        equ 0xDEF8              ; IRQ 3-7, 9-12, 14, 15
%assign pir_sum '$' + 'P' + 'I' + 'R' + 1 + (PIR_SIZE & 0xFF) + (PIR_SIZE >> 8) + 0x08
%assign pir_sum pir_sum + 0x86 + 0x80 + 0x00 + 0x70
%assign d 1
%rep PIR_DEVICES
  %assign pir_sum pir_sum + (d << 3) + 4 * 0x60 + 6 + 4 * ((PIR_MASK & 0xFF) + (PIR_MASK >> 8))
  %if d > 1
    %assign pir_sum pir_sum + d - 1
  %endif
  %assign d d + 1
%endrep
        align   16, db 0
pir_table:
        db      "$PIR"
        dw      0x0100, PIR_SIZE
        db      0, 0x08                 ; the router is 00:01.0
        dw      0
        dd      0x70008086
        dd      0
        times   11 db 0
        db      (0x100 - (pir_sum & 0xFF)) & 0xFF
pir_entries:
%assign d 1
%rep PIR_DEVICES
        db      0, d << 3
  %assign p 0
  %rep 4
        db      0x60 + ((p + d - 1) & 3)
        dw      PIR_MASK
    %assign p p + 1
  %endrep
        db      d - 1, 0
  %assign d d + 1
%endrep
