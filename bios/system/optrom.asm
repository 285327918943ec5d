; optrom.asm - option ROMs: found in C0000h-EFFFFh, in PCI ROM BARs or handed over by fw_cfg.
;
; Documents: IBM PC/AT technical reference (55AAh, length, check sum, entry at +3), PCI 2.1 chapter
; 6.3 (PCIR structure), Plug and Play BIOS 1.0A (expansion header, BEV, BCV).
; Invariant: ebda.rom_next is the first free segment; images lie on 2 KB boundaries below F0000h.

ROM_END         equ 0xF000

; The display's ROM comes before anything can be shown.
rom_video:
        call    ebda_to_fs
        mov     dx, 0xC000
        call    rom_present
        jnc     .run
        mov     si, name_vgaroms
        call    fwcfg_find
        jc      .pci
        mov     dx, [fs:ebda.rom_next]
        call    rom_from_fwcfg
        jnc     .run
.pci:
        mov     bp, .display
        jmp     pci_each
.run:
        xor     bx, bx
        jmp     rom_run
.display:
        call    pci_class
        cmp     ah, 0x03
        jne     .no
        call    rom_from_pci
.no:
        ret

; Everything else, in the order: images already mapped, PCI devices, files of the emulator.
rom_others:
        call    ebda_to_fs
        mov     dx, [fs:ebda.rom_next]
.mapped:
        cmp     dx, ROM_END
        jae     .pci
        call    rom_present
        jc      .step
        xor     bx, bx
        call    rom_run
        cmp     dx, [fs:ebda.rom_next]
        jae     .step
        mov     dx, [fs:ebda.rom_next]
        jmp     .mapped
.step:
        add     dx, 0x80
        jmp     .mapped
.pci:
        mov     bp, .device
        call    pci_each
        xor     cx, cx
.file:
        call    rom_generic
        inc     cx
        jnc     .file
        ret
.device:
        call    pci_class
        cmp     ah, 0x03
        je      .skip
        call    rom_from_pci
.skip:
        ret

; AX = base and sub class of BX.
pci_class:
        mov     di, 0x0A
        jmp     pci_read16

; CF = no ROM at segment DX.
rom_present:
        push    es
        mov     es, dx
        cmp     word [es:0], 0xAA55
        jne     .no
        cmp     byte [es:2], 1          ; an empty one is none
        pop     es
        ret
.no:
        pop     es
        stc
        ret

; Runs the image number CX of those whose names start with genroms/. CF = there are no more.
rom_generic:
        push    cx
        mov     dx, cx
        call    fwcfg_directory
        jc      .done
        mov     ebx, eax
        mov     si, name_genroms
.next:
        sub     ebx, 1
        jc      .done
        call    fwcfg_next
        call    fwcfg_match
        jne     .next
        sub     dx, 1
        jnc     .next
        push    ax
        push    ecx
        call    rom_wanted_first
        pop     ecx
        pop     ax
        mov     bl, [fs:ebda.bev_count]
        pushf
        mov     dx, [fs:ebda.rom_next]
        call    rom_from_fwcfg
        jc      .skip
        push    bx
        xor     bx, bx
        call    rom_run
        pop     bx
        popf
        jc      .good
        cmp     bl, [fs:ebda.bev_count]
        je      .good
        cmp     byte [fs:ebda.bev_first], 0xFF
        jne     .good
        mov     [fs:ebda.bev_first], bl
.good:
        clc
.done:
        pop     cx
        ret
.skip:
        popf
        jmp     .good

; CF = 0 when the file in the scratch segment shall boot before anything else: its name is in the
; file bootorder, or there is no such file.
rom_wanted_first:
        push    es
        push    si
        push    di
        push    ds
        push    word SCRATCH_SEG
        pop     es
        mov     di, 0x100               ; keep the name while the scratch segment is used
        push    es
        pop     ds
        mov     si, FWCFG_NAME
        mov     cx, 56
        rep movsb
        mov     si, name_bootorder
        call    fwcfg_find
        jc      .first                  ; no list
        cmp     ecx, 0x1000
        jbe     .size
        mov     ecx, 0x1000
.size:
        mov     di, 0x200
        call    fwcfg_load
        add     cx, di                  ; end of the list
.line:
        mov     si, 0x100
        push    di
.compare:
        lodsb
        test    al, al
        jz      .match
        cmp     di, cx
        jae     .other
        scasb
        je      .compare
.other:
        pop     di
        inc     di
        cmp     di, cx
        jb      .line
        stc
        jmp     .done
.match:
        pop     di
.first:
        clc
.done:
        pop     ds
        pop     di
        pop     si
        pop     es
        ret

; Loads item AX, ECX bytes, to segment DX. CF = no room or no ROM.
rom_from_fwcfg:
        push    es
        push    di
        push    eax
        movzx   eax, dx
        shl     eax, 4
        add     eax, ecx
        cmp     eax, ROM_END << 4
        pop     eax
        ja      .no
        mov     es, dx
        xor     di, di
        call    fwcfg_load
        call    rom_present
.done:
        pop     di
        pop     es
        ret
.no:
        stc
        jmp     .done

; Copies the PC image of the ROM of function BX to the next free place and runs it.
rom_from_pci:
        mov     di, 0x30
        call    pci_read32
        and     eax, 0xFFFFF800
        jz      .return
        mov     ebp, eax                ; address of the image under way
        or      al, 1
        call    pci_write32
        mov     cx, 8                   ; images
.image:
        push    cx
        mov     esi, ebp
        mov     edi, SCRATCH_SEG << 4
        mov     ecx, 0x200
        call    pm_copy
        push    word SCRATCH_SEG
        pop     es
        movzx   ecx, byte [es:2]
        shl     ecx, 9
        cmp     word [es:0], 0xAA55
        jne     .whole
        call    pm_copy                 ; the structure can be anywhere in it
.whole:
        pop     cx
        jne     .off
        mov     si, [es:0x18]
        cmp     si, 0xFFE8
        ja      .off
        cmp     dword [es:si], 'PCIR'
        jne     .off
        cmp     byte [es:si + 0x14], 0  ; code for PCs
        je      .take
        test    byte [es:si + 0x15], 0x80
        jnz     .off
        movzx   eax, word [es:si + 0x10]
        shl     eax, 9
        add     ebp, eax
        loop    .image
        jmp     .off
.take:
        movzx   ecx, byte [es:2]
        shl     ecx, 9
        mov     dx, [fs:ebda.rom_next]
        movzx   edi, dx
        shl     edi, 4
        lea     eax, [edi + ecx]
        cmp     eax, ROM_END << 4
        ja      .off
        mov     esi, SCRATCH_SEG << 4
        call    pm_copy
        call    .disable
        call    rom_present
        jc      .return
        jmp     rom_run
.off:
        call    .disable
.return:
        ret
.disable:
        mov     di, 0x30
        call    pci_read32
        and     al, 0xFE
        jmp     pci_write32

; Initialises the ROM at segment DX, BX = its PCI function or 0, and takes note of its boot entry.
rom_run:
        pushad
        push    ds
        push    es
        mov     ds, dx
        movzx   cx, byte [2]
        xor     al, al
.block:                                 ; 512 bytes each, it can be more than a segment
        xor     si, si
.sum:
        add     al, [si]
        add     al, [si + 1]
        add     al, [si + 2]
        add     al, [si + 3]
        add     si, 4
        test    si, 0x200
        jz      .sum
        mov     si, ds
        add     si, 0x20
        mov     ds, si
        loop    .block
        push    BDA_SEG
        pop     ds
        test    al, al
        jnz     .done
        push    dx
        push    fs
        push    gs
        push    bp
        mov     ax, bx                  ; bus, device and function
        mov     bx, 0xFFFF              ; no card select number
        push    cs
        push    .back
        push    dx
        push    word 3
        mov     dx, 0xFFFF
        push    cs
        pop     es
        mov     di, pnp_table
        retf
.back:
        cli
        cld
        pop     bp
        pop     gs
        pop     fs
        pop     dx
        sti
        mov     es, dx
        movzx   ax, byte [es:2]         ; it may have become smaller
        shl     ax, 5
        add     ax, 0x7F
        and     ax, 0xFF80
        add     ax, dx
        cmp     ax, [fs:ebda.rom_next]
        jbe     .headers
        mov     [fs:ebda.rom_next], ax
.headers:
        mov     si, [es:0x1A]
        mov     cx, 8
.header:
        test    si, si
        jz      .done
        cmp     dword [es:si], '$PnP'
        jne     .done
        mov     ax, [es:si + 0x1A]
        test    ax, ax
        jz      .no_bev
        call    rom_boot_entry
.no_bev:
        mov     ax, [es:si + 0x16]
        test    ax, ax
        jz      .no_bcv
        call    rom_connect
.no_bcv:
        mov     si, [es:si + 6]
        loop    .header
.done:
        pop     es
        pop     ds
        popad
        ret

; Registers the boot entry ES:AX of the header ES:SI.
rom_boot_entry:
        movzx   bx, byte [fs:ebda.bev_count]
        cmp     bl, 6
        jae     .full
        inc     byte [fs:ebda.bev_count]
        imul    bx, bx, 6
        mov     [fs:ebda.bev_table + bx], ax
        mov     [fs:ebda.bev_table + bx + 2], es
        mov     ax, [es:si + 0x10]
        mov     [fs:ebda.bev_table + bx + 4], ax
.full:
        ret

; Calls the connection vector ES:AX: the ROM adds its disks to INT 13h.
rom_connect:
        pushad
        push    ds
        push    es
        push    fs
        push    gs
        push    cs
        push    .back
        push    es
        push    ax
        push    cs
        pop     es
        mov     di, pnp_table
        retf
.back:
        cld
        pop     gs
        pop     fs
        pop     es
        pop     ds
        popad
        ret

name_vgaroms    db "vgaroms/", 0
name_genroms    db "genroms/", 0
name_bootorder  db "bootorder", 0
