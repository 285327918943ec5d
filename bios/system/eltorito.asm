; eltorito.asm - booting from CD: catalogue, no emulation, diskette and hard disk emulation.
;
; Document: "El Torito" Bootable CD-ROM Format Specification 1.0 (catalogue, INT 13h 4Bh).
; Invariants: while emu_media is not 0 the record of the CD (position emu_slot) carries the
; geometry of the image in its l* fields; sector n of the image is 512 bytes inside 2048-byte
; block emu_lba + n / 4.

; INT 13h for the emulated drive; AH, AL, CX, DX as in the frame.
emulated_service:
        mov     al, [fs:ebda.emu_slot]
        call    slot_record
        mov     di, emulated_functions
.find:
        cmp     byte [cs:di], 0xFF
        je      .unknown
        cmp     ah, [cs:di]
        je      .found
        add     di, 3
        jmp     .find
.unknown:
        mov     ah, 0x01
        jmp     .return
.found:
        call    [cs:di + 1]
.return:
        mov     [fs:ebda.cd_status], ah
        jmp     disk_status

emulated_functions:
        CD_FUNCTION 0x00, cd_fine
        CD_FUNCTION 0x01, emulated_last
        CD_FUNCTION 0x02, emulated_read
        CD_FUNCTION 0x03, cd_protected
        CD_FUNCTION 0x04, emulated_read
        CD_FUNCTION 0x05, cd_protected
        CD_FUNCTION 0x08, emulated_params
        CD_FUNCTION 0x09, cd_fine
        CD_FUNCTION 0x0C, disk_seek
        CD_FUNCTION 0x0D, cd_fine
        CD_FUNCTION 0x10, atapi_ready
        CD_FUNCTION 0x11, cd_fine
        CD_FUNCTION 0x14, cd_fine
        CD_FUNCTION 0x15, emulated_type
        CD_FUNCTION 0x16, cd_fine
        CD_FUNCTION 0x4B, emulation_status
        db      0xFF

emulated_last:
        pop     ax
        mov     ah, [fs:ebda.cd_status]
        jmp     disk_status

emulated_read:
        mov     al, [r_al]
        call    count_check
        jc      .done
        movzx   ecx, al
        mov     byte [r_al], 0
        push    ecx
        call    chs_to_lba
        pop     ecx
        mov     ah, 0x01
        jc      .done
        mov     eax, [fs:ebda.req_lba]
        mov     bx, ax
        and     bx, 3
        shl     bx, 9
        mov     [fs:ebda.cd_skip], bx
        shr     eax, 2
        add     eax, [fs:ebda.emu_lba]
        mov     [fs:ebda.cd_block], eax
        mov     ax, cx
        shl     ecx, 9
        mov     [fs:ebda.cd_want], ecx
        cmp     byte [r_ah], 0x04
        jne     .wanted
        mov     dword [fs:ebda.cd_want], 0
.wanted:
        movzx   ebx, bx
        lea     ecx, [ecx + ebx + 2047]
        shr     ecx, 11
        mov     [fs:ebda.cd_blocks], cx
        mov     es, [r_es]
        mov     di, [r_bx]
        push    ax
        call    atapi_read
        pop     cx
        jc      .done
        mov     [r_al], cl
.done:
        ret

emulated_params:
        call    disk_params
        cmp     byte [fs:ebda.emu_drive], 0x80
        jae     .done
        mov     al, [fs:ebda.fd_count]
        inc     al
        mov     [r_dl], al
        movzx   bx, byte [fs:ebda.emu_media]
        shl     bx, 1
        mov     bx, [cs:.types - 2 + bx]
        mov     [r_bl], bl
        mov     byte [r_bh], 0
        movzx   bx, bl
        shl     bx, 4
        add     bx, diskette_tables - 16
        mov     [r_di], bx
        mov     word [r_es], 0xF000
.done:
        mov     ah, 0
        ret
.types          dw 2, 4, 5

emulated_type:
        cmp     byte [fs:ebda.emu_drive], 0x80
        jae     disk_type
        pop     ax
        mov     byte [r_ah], 1
        and     byte [r_flags], ~FLAG_CF
        SERVICE_END

; 4Bh: AL = 0 ends the emulation, 1 only asks; both fill the packet at DS:SI of the caller.
emulation_status:
        mov     al, [r_al]
        mov     ah, 0x01
        cmp     al, 1
        ja      .done
        mov     es, [r_ds]
        mov     di, [r_si]
        push    si
        mov     byte [es:di], 0x13
        mov     bl, [fs:ebda.emu_flags]
        mov     [es:di + 1], bl
        mov     bl, [fs:ebda.emu_drive]
        mov     [es:di + 2], bl
        mov     bl, [fs:ebda.emu_slot]
        mov     bh, bl
        shr     bl, 1
        and     bx, 0x0101
        mov     [es:di + 3], bl         ; channel
        movzx   cx, bh                  ; device on it
        mov     [es:di + 8], cx
        mov     ebx, [fs:ebda.emu_lba]
        mov     [es:di + 4], ebx
        mov     word [es:di + 10], 0
        mov     bx, [fs:ebda.emu_segment]
        mov     [es:di + 12], bx
        mov     bx, [fs:ebda.emu_count]
        mov     [es:di + 14], bx
        mov     bx, [fs:si + drive.lcyls]
        dec     bx
        mov     [es:di + 16], bl
        shl     bh, 6
        or      bh, [fs:si + drive.lspt]
        mov     [es:di + 17], bh
        mov     bl, [fs:si + drive.lheads]
        dec     bl
        mov     [es:di + 18], bl
        pop     si
        test    al, al
        jnz     .kept
        call    emulation_end
.kept:
        mov     ah, 0
.done:
        ret

emulation_end:
        cmp     byte [fs:ebda.emu_media], 0
        je      .done
        mov     byte [fs:ebda.emu_media], 0
        test    byte [fs:ebda.emu_drive], 0x80
        jnz     .disk
        mov     al, [fs:ebda.fd_count]
        jmp     floppy_equipment
.disk:
        dec     byte [HD_COUNT]
.done:
        ret

; Equipment word for AL diskette drives.
floppy_equipment:
        and     byte [EQUIPMENT], ~0xC1
        test    al, al
        jz      .done
        dec     al
        shl     al, 6
        or      al, 1
        or      [EQUIPMENT], al
.done:
        ret

; ---------------------------------------------------------------- boot
; SI = record of the CD. Loads the boot image of the catalogue's default entry.
; CF = no, BX = message; else AX = segment, DL = drive number.
cd_boot:
        call    atapi_ready
        mov     bx, msg_no_medium
        jc      .return
        mov     ax, SCRATCH_SEG
        mov     es, ax
        mov     eax, 17
        call    cd_read_block
        mov     bx, msg_read_error
        jc      .return
        mov     bx, msg_not_bootable
        cmp     dword [es:1], 'CD00'
        jne     .fail
        cmp     dword [es:7], 'EL T'
        jne     .fail
        mov     eax, [es:0x47]
        call    cd_read_block
        mov     bx, msg_read_error
        jc      .return
        mov     bx, msg_not_bootable
        cmp     byte [es:0], 1
        jne     .fail
        cmp     word [es:30], 0xAA55
        jne     .fail
        xor     di, di
        xor     ax, ax
        mov     cx, 16
.sum:
        add     ax, [es:di]
        add     di, 2
        loop    .sum
        test    ax, ax
        jnz     .fail
        cmp     byte [es:0x20], 0x88
        jne     .fail
        mov     al, [fs:si + drive.number]
        and     al, 3
        movzx   di, al
        mov     dl, [fs:si + drive.number]
        mov     al, [fs:ebda.cd_slots + di]
        mov     [fs:ebda.emu_slot], al
        mov     [fs:ebda.emu_drive], dl
        mov     eax, [es:0x28]
        mov     [fs:ebda.emu_lba], eax
        mov     al, [es:0x21]
        mov     [fs:ebda.emu_flags], al
        mov     ax, [es:0x22]
        test    ax, ax
        jnz     .segment
        mov     ax, 0x07C0
.segment:
        mov     [fs:ebda.emu_segment], ax
        mov     ax, [es:0x26]
        test    ax, ax
        jnz     .count
        inc     ax
.count:
        mov     [fs:ebda.emu_count], ax
        movzx   ecx, ax
        shl     ecx, 9
        mov     [fs:ebda.cd_want], ecx
        add     ecx, 2047
        shr     ecx, 11
        mov     [fs:ebda.cd_blocks], cx
        mov     word [fs:ebda.cd_skip], 0
        mov     eax, [fs:ebda.emu_lba]
        mov     [fs:ebda.cd_block], eax
        mov     al, [fs:ebda.emu_flags]
        and     al, 0x0F
        mov     bx, msg_not_bootable
        cmp     al, 4
        ja      .fail
        call    emulation_start
        jc      .return
        mov     es, [fs:ebda.emu_segment]
        xor     di, di
        call    atapi_read
        mov     bx, msg_read_error
        jc      .undo
        mov     ax, [fs:ebda.emu_segment]
        mov     dl, [fs:ebda.emu_drive]
        clc
        ret
.undo:
        call    emulation_end
.fail:
        stc
.return:
        ret

; Sets the emulation AL (media type of the catalogue) up. CF = the image has no partition table.
emulation_start:
        test    al, al
        jz      .done
        cmp     al, 4
        je      .disk
        movzx   bx, al
        mov     [fs:ebda.emu_media], al
        mov     byte [fs:ebda.emu_drive], 0
        mov     word [fs:si + drive.lcyls], 80
        mov     word [fs:si + drive.lheads], 2
        movzx   ax, byte [cs:.sectors - 1 + bx]
        mov     [fs:si + drive.lspt], ax
        mov     al, [fs:ebda.fd_count]
        inc     al
        call    floppy_equipment
        clc
.done:
        ret
.sectors        db 15, 18, 36
.disk:
        ; The end of the first partition tells the geometry the image was made with.
        push    dword [fs:ebda.cd_want]
        push    word [fs:ebda.cd_blocks]
        mov     ax, SCRATCH_SEG
        mov     es, ax
        mov     eax, [fs:ebda.emu_lba]
        call    cd_read_block
        pop     word [fs:ebda.cd_blocks]
        pop     dword [fs:ebda.cd_want]
        mov     bx, msg_read_error
        jc      .done
        mov     bx, msg_not_bootable
        cmp     word [es:510], 0xAA55
        stc
        jne     .done
        movzx   ax, byte [es:446 + 5]
        inc     ax
        mov     [fs:si + drive.lheads], ax
        mov     ax, [es:446 + 6]
        xchg    al, ah
        mov     cl, ah
        and     cx, 0x3F
        jz      .bad
        mov     [fs:si + drive.lspt], cx
        shr     ah, 6
        inc     ax
        mov     [fs:si + drive.lcyls], ax
        mov     byte [fs:ebda.emu_media], 4
        mov     byte [fs:ebda.emu_drive], 0x80
        inc     byte [HD_COUNT]
        clc
        ret
.bad:
        stc
        ret

; Reads the 2048 bytes of block EAX to ES:0.
cd_read_block:
        push    es
        push    di
        mov     [fs:ebda.cd_block], eax
        mov     word [fs:ebda.cd_blocks], 1
        mov     word [fs:ebda.cd_skip], 0
        mov     dword [fs:ebda.cd_want], 2048
        xor     di, di
        call    atapi_read
        pop     di
        pop     es
        ret
