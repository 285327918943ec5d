; tables.asm - what operating systems read about the board: ACPI, MP and SMBIOS tables.
;
; Documents: ACPI 1.0 and 2.0 (RSDP, RSDT, XSDT, FADT, FACS, MADT), IA-PC HPET 1.0a, MultiProcessor
; Specification 1.4, System Management BIOS 2.4. The DSDT is compiled from dsdt.asl.
; Invariants: all tables lie in the F segment, only the FACS, which systems write to, is in the EBDA;
; POST fills in what depends on the machine while the segment is writable; a table whose hardware is
; missing never gets its signature.

LAPIC_ADDRESS   equ 0xFEE00000
IOAPIC_ADDRESS  equ 0xFEC00000
IOAPIC_ID       equ 1
HPET_ADDRESS    equ 0xFED00000
FACS_ADDRESS    equ (EBDA_SEG << 4) + ebda.facs
HAVE_APIC       equ 1                   ; bits of ebda.chips
HAVE_HPET       equ 2
HAVE_TSC        equ 4
%define PHYS(x) (0xF0000 + ((x) - $$))

tables_init:
        pushad
        push    ds
        push    es
        call    ebda_to_fs
        call    chips_find
        push    cs
        pop     ds
        call    acpi_init
        test    byte [fs:ebda.chips], HAVE_APIC
        jz      .no_apic
        call    mp_init
.no_apic:
        call    smbios_init
        pop     es
        pop     ds
        popad
        ret

; ebda.chips: what answers behind the addresses in high memory. The I/O APIC gets its number.
chips_find:
        call    processor_id
        test    dl, 0x10
        jz      .no_tsc
        or      byte [fs:ebda.chips], HAVE_TSC
.no_tsc:
        test    dh, 2
        jz      .no_apic
        mov     eax, 1
        mov     edi, IOAPIC_ADDRESS
        call    phys_write
        mov     esi, IOAPIC_ADDRESS + 0x10
        call    phys_read
        cmp     eax, -1
        je      .no_apic
        mov     eax, 0
        mov     edi, IOAPIC_ADDRESS
        call    phys_write
        mov     eax, IOAPIC_ID << 24
        mov     edi, IOAPIC_ADDRESS + 0x10
        call    phys_write
        or      byte [fs:ebda.chips], HAVE_APIC
.no_apic:
        mov     esi, HPET_ADDRESS
        call    phys_read
        shr     eax, 16
        cmp     ax, 0x8086
        jne     .no_hpet
        or      byte [fs:ebda.chips], HAVE_HPET
.no_hpet:
        ret

; EAX to or from a register in memory. SS is 0 while POST runs.
phys_write:
        pushad
        mov     bp, sp
        lea     esi, [bp + 28]          ; EAX as pushed
        mov     ecx, 4
        call    pm_copy
        popad
        ret
phys_read:
        pushad
        mov     bp, sp
        lea     edi, [bp + 28]
        mov     ecx, 4
        call    pm_copy
        popad
        ret

; Makes CX bytes at DS:SI sum to zero by the byte at SI + BX.
sum_set:
        push    ax
        push    cx
        push    si
        mov     byte [si + bx], 0
        xor     al, al
        push    si
.next:
        add     al, [si]
        inc     si
        loop    .next
        pop     si
        neg     al
        mov     [si + bx], al
        pop     si
        pop     cx
        pop     ax
        ret

; ---------------------------------------------------------------- ACPI
acpi_init:
        mov     bx, 0x0B                ; 00:01.3: the PIIX4's power management
        xor     di, di
        call    pci_read32
        cmp     eax, 0x71138086
        jne     .none
        mov     dword [fs:ebda.facs], 'FACS'
        mov     dword [fs:ebda.facs + 4], 64
        mov     byte [fs:ebda.facs + 32], 1
        mov     si, fadt
        call    acpi_add
        test    byte [fs:ebda.chips], HAVE_APIC
        jz      .no_apic
        mov     si, madt
        call    acpi_add
.no_apic:
        test    byte [fs:ebda.chips], HAVE_HPET
        jz      .no_hpet
        mov     si, hpet_table
        call    acpi_add
.no_hpet:
        mov     si, rsdt
        call    acpi_sum
        mov     si, xsdt
        call    acpi_sum
        mov     si, rsdp
        mov     dword [si], 'RSD '
        mov     dword [si + 4], 'PTR '
        mov     cx, 20
        mov     bx, 8
        call    sum_set
        mov     cx, 36
        mov     bx, 32
        call    sum_set
.none:
        ret

; Lists table SI in RSDT and XSDT.
acpi_add:
        call    acpi_sum
        movzx   eax, si
        add     eax, 0xF0000
        mov     bx, [rsdt + 4]
        mov     [rsdt + bx], eax
        add     word [rsdt + 4], 4
        mov     bx, [xsdt + 4]
        mov     [xsdt + bx], eax
        add     word [xsdt + 4], 8
        ret
acpi_sum:
        mov     cx, [si + 4]
        mov     bx, 9
        jmp     sum_set

; signature, length, revision
%macro ACPI_HEADER 3
        db      %1
        dd      %2
        db      %3, 0                   ; the sum is set by POST
        db      "OXBOW ", "OXBOWPC "
        dd      1
        db      "OXBO"
        dd      1
%endmacro

; Generic address: space (1 = ports), bits, address.
%macro GAS 3
        db      %1, %2, 0, 0
        dq      %3
%endmacro

        align   16, db 0
rsdp:
        times   8 db 0                  ; signature, when there is ACPI hardware
        db      0
        db      "OXBOW ", 2
        dd      PHYS(rsdt)
        dd      36
        dq      PHYS(xsdt)
        times   4 db 0

        align   16, db 0
rsdt:
        ACPI_HEADER "RSDT", 36, 1
        times   3 dd 0
        align   16, db 0
xsdt:
        ACPI_HEADER "XSDT", 36, 1
        times   3 dq 0

        align   16, db 0
fadt:
        ACPI_HEADER "FACP", 244, 3
        dd      FACS_ADDRESS
        dd      PHYS(dsdt)
        db      0
        db      1                       ; desktop
        dw      9                       ; SCI
        dd      0xB2                    ; command port: ACPI on, off
        db      0xF1, 0xF0, 0, 0
        dd      PM_BASE, 0              ; PM1 events
        dd      PM_BASE + 4, 0          ; PM1 control
        dd      0
        dd      PM_BASE + 8             ; timer
        dd      PM_BASE + 0x0C, 0       ; general purpose events
        db      4, 2, 0, 4, 4, 0, 0, 0
        dw      0xFFFF, 0xFFFF          ; no C2, no C3
        dw      0, 0
        db      0, 0
        db      0, 0, 0x32              ; the clock has a century byte, its alarm no date
        dw      3                       ; ISA devices, keyboard controller
        db      0
        dd      0x425                   ; WBINVD works, C1, no sleep button, reset register
        GAS     1, 8, 0xCF9
        db      6, 0, 0, 0
        dq      0                       ; the FACS is below 4 GB
        dq      PHYS(dsdt)
        GAS     1, 32, PM_BASE
        GAS     0, 0, 0
        GAS     1, 16, PM_BASE + 4
        GAS     0, 0, 0
        GAS     0, 0, 0
        GAS     1, 32, PM_BASE + 8
        GAS     1, 32, PM_BASE + 0x0C
        GAS     0, 0, 0
%if $ - fadt != 244
  %error the FADT has 244 bytes
%endif

; ISA interrupt, input, flags (0: as the bus has them, 0Dh: level, active high).
%macro OVERRIDE 3
        db      2, 10, 0, %1
        dd      %2
        dw      %3
%endmacro

        align   16, db 0
madt:
        ACPI_HEADER "APIC", madt_end - madt, 1
        dd      LAPIC_ADDRESS
        dd      1                       ; there is a pair of 8259A, too
        db      0, 8, 0, 0              ; processor 0, its local APIC 0
        dd      1
        db      1, 12, IOAPIC_ID, 0
        dd      IOAPIC_ADDRESS, 0
        OVERRIDE 0, 2, 0
        OVERRIDE 9, 9, 0x0D
        OVERRIDE 10, 10, 0x0D
        OVERRIDE 11, 11, 0x0D
        db      4, 6, 0xFF, 0, 0, 1     ; NMI on LINT1
madt_end:

        align   16, db 0
hpet_table:
        ACPI_HEADER "HPET", 56, 1
        dd      0x8086A201
        GAS     0, 64, HPET_ADDRESS
        db      0
        dw      100                     ; shortest period that loses no interrupt
        db      0

        align   16, db 0
dsdt:
        incbin  "dsdt.aml"

; ---------------------------------------------------------------- MultiProcessor
mp_init:
        call    processor_id
        mov     [mp_processor + 4], eax
        mov     [mp_processor + 8], edx
        mov     si, mp_config
        mov     cx, mp_config_end - mp_config
        mov     bx, 7
        call    sum_set
        mov     si, mp_pointer
        mov     dword [si], '_MP_'
        mov     cx, 16
        mov     bx, 10
        jmp     sum_set

        align   16, db 0
mp_pointer:
        dd      0                       ; signature, when there is an APIC
        dd      PHYS(mp_config)
        db      1, 4, 0
        times   5 db 0                  ; table present, virtual wire mode

; Type, flags, source bus, source interrupt, input of the I/O APIC.
%macro MP_INTERRUPT 5
        db      3, %1
        dw      %2
        db      %3, %4, IOAPIC_ID, %5
  %assign mp_count mp_count + 1
%endmacro
MP_INT          equ 0
MP_NMI          equ 1
MP_EXTINT       equ 3
MP_PCI          equ 0
MP_ISA          equ 1
%assign mp_count 6                      ; processor, buses, I/O APIC, local interrupts

        align   16, db 0
mp_config:
        db      "PCMP"
        dw      mp_config_end - mp_config
        db      4, 0
        db      "OXBOW   ", "PC          "
        dd      0
        dw      0
        dw      MP_COUNT
        dd      LAPIC_ADDRESS
        dd      0
mp_processor:
        db      0, 0, 0x14, 3
        dd      0, 0                    ; signature and features as CPUID gives them
        dd      0, 0
        db      1, MP_PCI, "PCI   "
        db      1, MP_ISA, "ISA   "
        db      2, IOAPIC_ID, 0x11, 1
        dd      IOAPIC_ADDRESS
        MP_INTERRUPT MP_EXTINT, 0, MP_ISA, 0, 0
        MP_INTERRUPT MP_INT, 0, MP_ISA, 0, 2
        MP_INTERRUPT MP_INT, 0, MP_ISA, 1, 1
        MP_INTERRUPT MP_INT, 0, MP_ISA, 3, 3
        MP_INTERRUPT MP_INT, 0, MP_ISA, 4, 4
        MP_INTERRUPT MP_INT, 0, MP_ISA, 5, 5
        MP_INTERRUPT MP_INT, 0, MP_ISA, 6, 6
        MP_INTERRUPT MP_INT, 0, MP_ISA, 7, 7
        MP_INTERRUPT MP_INT, 0, MP_ISA, 8, 8
        MP_INTERRUPT MP_INT, 0x0D, MP_ISA, 9, 9
        MP_INTERRUPT MP_INT, 0, MP_ISA, 12, 12
        MP_INTERRUPT MP_INT, 0, MP_ISA, 13, 13
        MP_INTERRUPT MP_INT, 0, MP_ISA, 14, 14
        MP_INTERRUPT MP_INT, 0, MP_ISA, 15, 15
%assign d 1
%rep PIR_DEVICES                        ; as pirq_lines in pci.asm routes them
  %assign p 0
  %rep 4
    %if ((p + d - 1) & 3) < 2
        MP_INTERRUPT MP_INT, 0x0D, MP_PCI, (d << 2 | p), 10
    %else
        MP_INTERRUPT MP_INT, 0x0D, MP_PCI, (d << 2 | p), 11
    %endif
    %assign p p + 1
  %endrep
  %assign d d + 1
%endrep
        db      4, MP_EXTINT, 0, 0, MP_ISA, 0, 0xFF, 0
        db      4, MP_NMI, 0, 0, MP_ISA, 0, 0xFF, 1
mp_config_end:
MP_COUNT        equ mp_count

; ---------------------------------------------------------------- SMBIOS
smbios_init:
        push    ds
        pop     es
        call    fwcfg_directory
        jc      .no_uuid
        mov     ax, 2                   ; the emulator's UUID, zero when it has none
        call    fwcfg_select
        mov     dx, FWCFG_DATA
        mov     di, smbios_uuid
        mov     cx, 16
        rep insb
.no_uuid:
        call    processor_id
        mov     [smbios_processor], eax
        mov     [smbios_processor + 4], edx
        shr     ax, 8
        and     al, 0x0F
        mov     si, smbios_families
.family:
        cmp     byte [si], 0
        je      .other
        cmp     al, [si]
        je      .other
        add     si, 2
        jmp     .family
.other:
        mov     al, [si + 1]
        mov     [smbios_family], al
        mov     eax, [fs:ebda.mem_low]
        mov     edx, [fs:ebda.mem_high + 4]
        add     eax, [fs:ebda.mem_high]
        adc     edx, 0
        shrd    eax, edx, 10            ; KB
        mov     [smbios_capacity], eax
        lea     edx, [eax - 1]
        mov     [smbios_last], edx
        shr     eax, 10
        mov     [smbios_megabytes], ax
        mov     si, smbios_dmi
        mov     dword [si - 0x10], '_SM_'
        mov     cx, 15
        mov     bx, 5
        call    sum_set
        mov     si, smbios_entry
        mov     cx, 0x1F
        mov     bx, 4
        jmp     sum_set

smbios_families db 5, 0x0B, 6, 0x11, 15, 0xB2, 0, 0x02

        align   16, db 0
smbios_entry:
        dd      0                       ; signature, written by POST
        db      0, 0x1F, 2, 4
        dw      SMBIOS_LARGEST
        times   6 db 0
smbios_dmi:
        db      "_DMI_", 0
        dw      smbios_end - smbios_table
        dd      PHYS(smbios_table)
        dw      SMBIOS_COUNT
        db      0x24

; Type and handle; the length of the formatted part is measured up to SMBIOS_STRINGS, which takes the
; strings, numbered from 1.
%assign smbios_count 0
%macro SMBIOS 2
  %push smbios
%$start:
        db      %1, %$strings - %$start
        dw      %2
  %assign smbios_count smbios_count + 1
%endmacro
%macro SMBIOS_STRINGS 0-*
%$strings:
  %if %0 == 0
        db      0
  %endif
  %rep %0
        db      %1, 0
    %rotate 1
  %endrep
        db      0
  %pop
%endmacro
SMBIOS_LARGEST  equ 0x60

smbios_table:
        SMBIOS  0, 0x0000               ; BIOS
        db      1, 2
        dw      0xF000
        db      3, 0                    ; 64 KB
        dq      0x099890                ; ISA, PCI, PnP, APM, shadow, CD, boot order, EDD
        db      0x01, 0x01              ; ACPI; BIOS Boot Specification
        db      1, 0, 0xFF, 0xFF
        SMBIOS_STRINGS "Oxbow", BIOS_VERSION, SMBIOS_DATE
        SMBIOS  1, 0x0100               ; system
        db      1, 2, 3, 0
smbios_uuid:
        times   16 db 0
        db      6                       ; power switch
        db      0, 0
        SMBIOS_STRINGS "Oxbow", "PC (440FX, PIIX3)", "1.0"
        SMBIOS  3, 0x0300               ; chassis
        db      1, 3, 0, 0, 0           ; desktop
        db      3, 3, 3, 3
        dd      0
        db      0, 0, 0, 0
        SMBIOS_STRINGS "Oxbow"
        SMBIOS  4, 0x0400               ; processor
        db      1, 3
smbios_family:
        db      2, 2
smbios_processor:
        dq      0
        db      3, 0
        dw      0, 0, 0
        db      0x41, 1                 ; in its socket, enabled
        dw      0xFFFF, 0xFFFF, 0xFFFF
        db      0, 0, 0
        SMBIOS_STRINGS "CPU 0", "GenuineIntel", "Oxbow virtual CPU"
        SMBIOS  16, 0x1000              ; memory array
        db      3, 3, 3
smbios_capacity:
        dd      0
        dw      0xFFFE, 1
        SMBIOS_STRINGS
        SMBIOS  17, 0x1100              ; memory device
        dw      0x1000, 0xFFFE, 64, 64
smbios_megabytes:
        dw      0
        db      9, 0, 1, 0, 0x0F        ; DIMM, SDRAM
        dw      0x80, 0
        db      0, 0, 0, 0
        SMBIOS_STRINGS "DIMM 0"
        SMBIOS  19, 0x1300              ; where it appears
        dd      0
smbios_last:
        dd      0
        dw      0x1000
        db      1
        SMBIOS_STRINGS
        SMBIOS  32, 0x2000              ; boot status: no errors
        times   7 db 0
        SMBIOS_STRINGS
        SMBIOS  127, 0x7F00
        SMBIOS_STRINGS
smbios_end:
SMBIOS_COUNT    equ smbios_count
