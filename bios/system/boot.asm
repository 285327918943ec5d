; boot.asm - INT 19h and INT 18h: boot order, boot sectors, what to say when nothing boots.
;
; Documents: IBM PC/AT technical reference (INT 18h, 19h), BIOS Boot Specification 1.01 (BEV),
; boot order in CMOS 3Dh and 38h as Bochs and QEMU write it.
; Invariants: boot_step is the next place in the order; a boot sector gets DL = drive, interrupts
; on, SS:SP = 0000:7C00h and ES:DI = the PnP installation check structure.

BOOT_FLOPPY     equ 1
BOOT_DISK       equ 2
BOOT_CD         equ 3
BOOT_NETWORK    equ 4

int19_handler:
        call    boot_environment
        mov     byte [fs:ebda.boot_step], 0
        mov     byte [fs:ebda.boot_tried], 0
        mov     byte [fs:ebda.boot_absent], 0
        jmp     boot_next

; A boot sector gives up: go on with the next device.
int18_handler:
        call    boot_environment
        PRINT   msg_gave_up
        jmp     boot_next

; Fresh stack, DS = BDA, FS = EBDA. The return address comes along.
boot_environment:
        pop     dx
        cli
        xor     ax, ax
        mov     ss, ax
        mov     sp, STACK_TOP
        sti
        cld
        push    BDA_SEG
        pop     ds
        call    ebda_to_fs
        call    emulation_end
        push    dx
        ret

boot_next:
        movzx   bx, byte [fs:ebda.boot_step]
        inc     byte [fs:ebda.boot_step]
        cmp     bl, 0
        jne     .ordered
        mov     al, [fs:ebda.menu_kind]
        mov     cl, [fs:ebda.menu_index]
        cmp     al, BOOT_NETWORK
        je      boot_entry_vector
        test    al, al
        jnz     .kind
        mov     al, [fs:ebda.bev_first]
        cmp     al, 0xFF
        je      boot_next
        mov     cl, al
        jmp     boot_entry_vector
.ordered:
        cmp     bl, 3
        ja      boot_failed
        call    boot_order              ; AL = kind
.kind:
        movzx   di, al
        cmp     di, BOOT_NETWORK
        ja      boot_next
        mov     cl, al
        mov     ah, 1
        shl     ah, cl
        test    [fs:ebda.boot_tried], ah
        jnz     boot_next
        or      [fs:ebda.boot_tried], ah
        mov     [fs:ebda.boot_kind], al
        shl     di, 1
        jmp     [cs:.kinds + di]
.kinds          dw boot_next, boot_floppy, boot_disk, boot_cd, boot_network

; AL = kind at place BL (1-3) of the order; nothing set means floppy, disk, CD.
boot_order:
        mov     al, 0x3D
        call    cmos_read
        mov     ah, al
        test    al, al
        jnz     .set
        mov     ax, 0x2103
        jmp     .pick
.set:
        mov     al, 0x38
        call    cmos_read
        shr     al, 4
.pick:                                  ; AH low, AH high, AL
        cmp     bl, 3
        je      .done
        mov     al, ah
        cmp     bl, 2
        jne     .low
        shr     al, 4
.low:
        and     al, 0x0F
.done:
        and     al, 0x0F
        ret

boot_floppy:
        cmp     byte [fs:ebda.fd_count], 0
        je      boot_absent
        PRINT   msg_floppy
        mov     dl, 0
        call    boot_read
        jc      boot_skip
        mov     al, 0x38                ; the check can be switched off for old disks
        call    cmos_read
        test    al, 1
        jnz     .old
        call    boot_signature
        jne     boot_skip
        jmp     .go
.old:                                   ; code, as the AT's BIOS judged, and no filler
        xor     ax, ax
        mov     es, ax
        mov     bx, msg_not_bootable
        mov     di, 0x7C00
        mov     ax, [es:di]
        cmp     al, 6
        jb      boot_skip
        mov     cx, 9
        cld
        repe    scasw
        je      boot_skip
.go:
        mov     dl, 0
        mov     ax, 0x07C0
        jmp     boot_jump

boot_disk:
        cmp     byte [HD_COUNT], 0
        je      boot_absent
        PRINT   msg_hard_disk
        mov     dl, 0x80
        call    boot_read
        jc      boot_skip
        call    boot_signature
        jne     boot_skip
        mov     dl, 0x80
        mov     ax, 0x07C0
        jmp     boot_jump

boot_cd:
        cmp     byte [fs:ebda.cd_count], 0
        je      boot_absent
        PRINT   msg_cd_boot
        mov     cx, 0
.next:
        mov     di, cx
        mov     al, [fs:ebda.cd_slots + di]
        call    slot_record
        push    cx
        call    cd_boot
        pop     cx
        jnc     boot_jump
        inc     cx
        cmp     cl, [fs:ebda.cd_count]
        jb      .next
        jmp     boot_skip

boot_network:
        mov     cl, 0
.next:
        cmp     cl, [fs:ebda.bev_count]
        jae     boot_absent
        cmp     cl, [fs:ebda.bev_first]
        jne     boot_entry_vector
        inc     cl
        jmp     .next

; The kind under way has no device: only the last message mentions it.
boot_absent:
        mov     cl, [fs:ebda.boot_kind]
        mov     al, 1
        shl     al, cl
        or      [fs:ebda.boot_absent], al
        jmp     boot_next

; Calls boot entry vector CL; one that returns has failed.
boot_entry_vector:
        mov     al, 6
        mul     cl
        mov     si, ax
        push    word [fs:ebda.bev_table + si]
        push    word [fs:ebda.bev_table + si + 2]
        mov     bx, [fs:ebda.bev_table + si + 4]
        PRINT   msg_booting_from
        test    bx, bx
        jz      .unnamed
        mov     es, [fs:ebda.bev_table + si + 2]
        mov     si, bx
        mov     cx, 40
        call    puts_es
        jmp     .named
.unnamed:
        PRINT   msg_rom
.named:
        PRINT   msg_dots
        pop     ax
        pop     bx
        push    cs
        push    .back
        push    ax
        push    bx
        push    cs
        pop     es
        mov     di, pnp_table
        retf
.back:
        call    boot_environment
        mov     bx, msg_came_back
        ; falls through

; BX = why the device did not boot.
boot_skip:
        PRINT   bx
        jmp     boot_next

; Reads sector 0 of drive DL to 0000:7C00h. CF = failed, BX = message.
boot_read:
        mov     cx, 4
.try:
        push    cx
        push    dx
        xor     ax, ax
        int     0x13
        pop     dx
        push    dx
        xor     ax, ax
        mov     es, ax
        mov     ax, 0x0201
        mov     bx, 0x7C00
        mov     cx, 0x0001
        mov     dh, 0
        int     0x13
        pop     dx
        pop     cx
        mov     bx, msg_read_error
        jnc     .done
        cmp     ah, 0x80
        mov     bx, msg_no_medium
        je      .failed
        mov     bx, msg_read_error
        loop    .try
.failed:
        stc
.done:
        ret

; ZF = the sector at 0000:7C00h carries 55AAh. BX = message.
boot_signature:
        xor     ax, ax
        mov     es, ax
        mov     bx, msg_not_bootable
        cmp     word [es:0x7C00 + 510], 0xAA55
        ret

; AX = segment of the loaded code, DL = drive.
boot_jump:
        mov     bx, ax
        POSTCODE 0x21
        xor     ax, ax
        cmp     bx, 0x1000
        jae     .far
        shl     bx, 4                   ; most boot sectors expect CS = 0
        push    ax
        push    bx
        jmp     .registers
.far:
        push    bx
        push    ax
.registers:
        push    cs
        pop     es
        mov     di, pnp_table
        and     edx, 0xFF
        movzx   edi, di
        xor     eax, eax
        mov     ebx, eax
        mov     ecx, eax
        mov     esi, eax
        mov     ebp, eax
        mov     ds, ax
        mov     fs, ax
        sti
        retf

; Nothing boots: say what was tried and what can be done, try again after a key.
boot_failed:
        POSTCODE 0x2F
        PRINT   msg_nothing
        mov     si, .names
        mov     cl, 1
        mov     ah, 0
.name:
        mov     al, 1
        shl     al, cl
        test    [fs:ebda.boot_tried], al
        jz      .next
        test    ah, ah
        jz      .first
        PRINT   msg_comma
.first:
        mov     ah, 1
        mov     bx, [cs:si]
        PRINT   bx
        test    [fs:ebda.boot_absent], al
        jz      .next
        PRINT   msg_absent
.next:
        add     si, 2
        inc     cl
        cmp     cl, 4
        jbe     .name
        PRINT   msg_what_to_do
.drain:
        mov     ah, 1
        int     0x16
        jz      .wait
        mov     ah, 0
        int     0x16
        jmp     .drain
.wait:
        mov     ah, 0
        int     0x16
        PRINT   msg_newline
        int     0x19
.names          dw name_floppy, name_disk, name_cd, name_network

msg_booting_from db "Booting from ", 0
msg_dots        db "...", 13, 10, 0
msg_rom         db "ROM", 0
msg_floppy      db "Booting from Floppy...", 13, 10, 0
msg_hard_disk   db "Booting from Hard Disk...", 13, 10, 0
msg_cd_boot     db "Booting from CD-ROM...", 13, 10, 0
msg_absent      db " (none)", 0
msg_no_medium   db "  no disk in the drive", 13, 10, 0
msg_read_error  db "  the boot sector cannot be read", 13, 10, 0
msg_not_bootable db "  the disk is not bootable", 13, 10, 0
msg_came_back   db "  nothing to boot there", 13, 10, 0
msg_gave_up     db "  no success, trying the next device", 13, 10, 0
msg_nothing     db 13, 10, "No bootable device found. Tried: ", 0
msg_what_to_do  db ".", 13, 10
                db "Insert a bootable floppy, disk or CD, then press any key to try again."
                db 13, 10, 0
msg_comma       db ", ", 0
name_floppy     db "floppy", 0
name_disk       db "hard disk", 0
name_cd         db "CD-ROM", 0
name_network    db "network", 0
