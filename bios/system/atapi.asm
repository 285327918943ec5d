; atapi.asm - CD-ROM drives: packet commands, INT 13h for drives E0h-E3h.
;
; Documents: ATA/ATAPI-6 (PACKET), SFF-8020i/MMC (READ(10), TEST UNIT READY, REQUEST SENSE,
; START STOP UNIT, PREVENT ALLOW), EDD 3.0 (45h, 46h, 49h), El Torito 1.0.
; Invariants: FS:SI = drive record, ES:DI = buffer; of the data of a command pkt_skip bytes are
; dropped, pkt_want stored, the rest dropped, so that 512-byte pieces need no buffer.

; Sends ebda.packet and moves the data. CF = failed, AH = 80h time-out, else sense is due (AH = 0).
atapi_packet:
        call    ata_select
        jc      .timeout
        mov     dx, [fs:si + drive.base]
        inc     dx
        xor     al, al
        out     dx, al                  ; features: programmed I/O
        add     dx, ATA_LBA1 - ATA_FEATURES
        out     dx, al
        inc     dx
        mov     al, 0xF8                ; at most F800h bytes a time
        out     dx, al
        add     dx, ATA_COMMAND - ATA_LBA2
        mov     al, 0xA0
        out     dx, al
        call    ata_wait_poll
        jc      .timeout
        test    al, ST_ERR
        jnz     .check
        test    al, ST_DRQ
        jz      .check
        push    ds
        push    si
        mov     dx, [fs:si + drive.base]
        mov     si, ebda.packet
        mov     cx, 6
        fs rep outsw
        pop     si
        pop     ds
.data:
        call    ata_wait
        jc      .timeout
        test    al, ST_ERR | ST_DF
        jnz     .check
        test    al, ST_DRQ
        jz      .done
        mov     dx, [fs:si + drive.base]
        add     dx, ATA_LBA1
        in      al, dx
        mov     cl, al
        inc     dx
        in      al, dx
        mov     ch, al
        inc     cx
        and     cl, 0xFE
        mov     bx, cx                  ; bytes of this block
        mov     dx, [fs:si + drive.base]
        mov     cx, [fs:ebda.pkt_skip]
        cmp     cx, bx
        jbe     .skip
        mov     cx, bx
.skip:
        sub     [fs:ebda.pkt_skip], cx
        sub     bx, cx
        call    .drop
        movzx   eax, bx
        cmp     eax, [fs:ebda.pkt_want]
        jbe     .take
        mov     eax, [fs:ebda.pkt_want]
.take:
        mov     cx, ax
        sub     [fs:ebda.pkt_want], eax
        sub     bx, cx
        call    normalise
        shr     cx, 1
        rep insw
        mov     cx, bx
        call    .drop
        jmp     .data
.drop:
        push    ax
        shr     cx, 1
        jcxz    .dropped
.word:
        in      ax, dx
        loop    .word
.dropped:
        pop     ax
        ret
.done:
        clc
        ret
.timeout:
        mov     ah, 0x80
        stc
        ret
.check:
        mov     ah, 0
        stc
        ret

; Clears the packet, puts the command AL in.
atapi_prepare:
        mov     dword [fs:ebda.packet], 0
        mov     dword [fs:ebda.packet + 4], 0
        mov     dword [fs:ebda.packet + 8], 0
        mov     [fs:ebda.packet], al
        mov     word [fs:ebda.pkt_skip], 0
        mov     dword [fs:ebda.pkt_want], 0
        ret

; Asks the drive what was wrong. AL = sense key, AH = status of INT 13h, DL = additional code.
atapi_sense:
        push    es
        push    di
        mov     al, 0x03
        call    atapi_prepare
        mov     byte [fs:ebda.packet + 4], 18
        mov     dword [fs:ebda.pkt_want], 18
        mov     dword [fs:ebda.sense], 0
        push    fs
        pop     es
        mov     di, ebda.sense
        call    atapi_packet
        pop     di
        pop     es
        mov     al, [fs:ebda.sense + 2]
        and     al, 0x0F
        mov     dl, [fs:ebda.sense + 12]
        mov     ah, 0x20
        jc      .done
        cmp     al, 6
        jne     .key
        or      byte [fs:si + drive.flags], DF_CHANGED
.key:
        movzx   bx, al
        mov     ah, [cs:.status + bx]
        cmp     dl, 0x3A
        jne     .done
        mov     ah, 0x31                ; no medium
.done:
        ret
.status         db 0x20, 0x00, 0xAA, 0x10, 0x20, 0x01, 0x06, 0x03
                db 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20

; TEST UNIT READY until the drive has settled: attention conditions are taken note of, a disk that
; spins up is given ten seconds. CF = not ready, AH = status.
atapi_ready:
        push    cx
        mov     cx, 24
.try:
        push    cx
        mov     al, 0x00
        call    atapi_prepare
        call    atapi_packet
        pop     cx
        jnc     .good
        cmp     ah, 0x80
        je      .bad
        call    atapi_sense
        cmp     al, 6
        je      .again
        cmp     al, 2
        jne     .bad
        cmp     dl, 0x04
        jne     .bad
        mov     ax, 8
        call    wait_begin
.sleep:
        cli
        xor     bx, bx
        call    wait_step
        jnc     .sleep
.again:
        loop    .try
        mov     ah, 0xAA
.bad:
        stc
        pop     cx
        ret
.good:
        mov     ah, 0
        pop     cx
        ret

; Reads what ebda.cd_block, cd_blocks, cd_skip and cd_want say to ES:DI, which moves on. A changed
; or sleeping disk gets a second try. CF = failed, AH = status.
atapi_read:
        push    es
        push    di
        call    .once
        jnc     .good
        cmp     ah, 0x80
        je      .bad
        call    atapi_sense
        cmp     ah, 0x31
        je      .bad
        call    atapi_ready
        jc      .bad
        pop     di
        pop     es
        push    es
        push    di
        call    .once
        jnc     .good
        cmp     ah, 0x80
        je      .bad
        call    atapi_sense
.bad:
        pop     di
        pop     es
        stc
        ret
.good:
        add     sp, 4
        mov     ah, 0
        clc
        ret
.once:
        mov     al, 0x28
        call    atapi_prepare
        mov     eax, [fs:ebda.cd_block]
        xchg    al, ah
        rol     eax, 16
        xchg    al, ah
        mov     [fs:ebda.packet + 2], eax
        mov     ax, [fs:ebda.cd_blocks]
        xchg    al, ah
        mov     [fs:ebda.packet + 7], ax
        mov     ax, [fs:ebda.cd_skip]
        mov     [fs:ebda.pkt_skip], ax
        mov     eax, [fs:ebda.cd_want]
        mov     [fs:ebda.pkt_want], eax
        call    atapi_packet
        jc      .failed
        cmp     dword [fs:ebda.pkt_want], 0
        mov     ah, 0
        je      .failed                 ; "equal" also says CF = 0
        mov     ah, 0x80
        stc
.failed:
        ret

; ---------------------------------------------------------------- INT 13h for E0h-E3h
; FS:SI = drive record, AH, AL, CX, DX as in the frame.
cd_service:
        mov     di, cd_functions
.find:
        cmp     byte [cs:di], 0xFF
        je      .unknown
        cmp     ah, [cs:di]
        je      .found
        add     di, 3
        jmp     .find
.found:
        call    [cs:di + 1]
        jmp     disk_return
.unknown:
        mov     ah, 0x01
        jmp     disk_return

%macro CD_FUNCTION 2
        db      %1
        dw      %2
%endmacro
cd_functions:
        CD_FUNCTION 0x00, cd_fine
        CD_FUNCTION 0x01, disk_last
        CD_FUNCTION 0x03, cd_protected
        CD_FUNCTION 0x05, cd_protected
        CD_FUNCTION 0x09, cd_fine
        CD_FUNCTION 0x0D, cd_fine
        CD_FUNCTION 0x10, atapi_ready
        CD_FUNCTION 0x11, cd_fine
        CD_FUNCTION 0x15, cd_type
        CD_FUNCTION 0x41, cd_check
        CD_FUNCTION 0x42, cd_read
        CD_FUNCTION 0x43, cd_protected
        CD_FUNCTION 0x44, cd_verify
        CD_FUNCTION 0x45, cd_lock
        CD_FUNCTION 0x46, cd_eject
        CD_FUNCTION 0x47, cd_fine
        CD_FUNCTION 0x48, cd_params
        CD_FUNCTION 0x49, cd_changed
        CD_FUNCTION 0x4B, emulation_status
        CD_FUNCTION 0x4E, edd_hardware
        db      0xFF

cd_fine:
        mov     ah, 0
        ret

cd_protected:
        mov     ah, 0x03
        ret

; A drive without geometry: reported as absent to those who ask the old way.
cd_type:
        pop     ax
        mov     byte [r_ah], 0
        and     byte [r_flags], ~FLAG_CF
        SERVICE_END

cd_check:
        mov     cx, 0x0007
        jmp     edd_check_cx

cd_read:
        call    edd_packet
        mov     ah, 0x01
        jc      .done
        mov     word [fs:ebda.req_done], 0
        mov     ah, 0
        movzx   ecx, word [fs:ebda.req_count]
        jcxz    .count
        cmp     dword [fs:ebda.req_lba + 4], 0
        mov     ah, 0x04
        jne     .count
        mov     eax, [fs:ebda.req_lba]
        mov     [fs:ebda.cd_block], eax
        mov     [fs:ebda.cd_blocks], cx
        mov     word [fs:ebda.cd_skip], 0
        shl     ecx, 11
        mov     [fs:ebda.cd_want], ecx
        call    atapi_read
        jc      .count
        mov     cx, [fs:ebda.req_count]
        mov     [fs:ebda.req_done], cx
.count:
        call    edd_done
.done:
        ret

; Verifying is reading without keeping anything.
cd_verify:
        call    edd_packet
        mov     ah, 0x01
        jc      .done
        mov     eax, [fs:ebda.req_lba]
        mov     [fs:ebda.cd_block], eax
        mov     ax, [fs:ebda.req_count]
        mov     [fs:ebda.cd_blocks], ax
        mov     word [fs:ebda.cd_skip], 0
        mov     dword [fs:ebda.cd_want], 0
        test    ax, ax
        mov     ah, 0
        jz      .done
        call    atapi_read
.done:
        ret

; 45h: AL = 0 lock, 1 unlock, 2 ask. Locks nest; AL = 1 in the answer when still locked.
cd_lock:
        mov     ah, 0x01
        cmp     al, 2
        ja      .done
        je      .state
        mov     bl, [fs:si + drive.locks]
        cmp     al, 1
        je      .unlock
        mov     ah, 0xB4                ; too often
        inc     bl
        jz      .done
        jmp     .set
.unlock:
        mov     ah, 0xB0                ; not locked
        sub     bl, 1
        jc      .done
.set:
        mov     [fs:si + drive.locks], bl
        call    cd_prevent
.state:
        mov     al, [fs:si + drive.locks]
        cmp     al, 1
        sbb     al, al
        inc     al
        mov     [r_al], al
        mov     ah, 0
.done:
        ret

; PREVENT ALLOW MEDIUM REMOVAL as the lock count says.
cd_prevent:
        push    bx
        mov     al, 0x1E
        call    atapi_prepare
        pop     bx
        test    bl, bl
        setnz   [fs:ebda.packet + 4]
        jmp     atapi_packet

cd_eject:
        mov     ah, 0xB1
        cmp     byte [fs:si + drive.locks], 0
        jne     .done
        mov     al, 0x1B
        call    atapi_prepare
        mov     byte [fs:ebda.packet + 4], 2
        call    atapi_packet
        jnc     cd_fine
        mov     ah, 0xB5
.done:
        ret

cd_params:
        mov     bx, 0x0074              ; removable, change notification, lockable, no medium's CHS
        jmp     edd_params_flags

cd_changed:
        call    atapi_ready
        mov     ah, 0x06
        jc      .done
        test    byte [fs:si + drive.flags], DF_CHANGED
        jnz     .clear
        mov     ah, 0
.clear:
        and     byte [fs:si + drive.flags], ~DF_CHANGED
.done:
        ret

; ---------------------------------------------------------------- POST
; SCRATCH_SEG:0 = IDENTIFY PACKET DEVICE data of the drive SI.
atapi_found:
        mov     ax, [es:0]
        and     ah, 0x1F
        cmp     ah, 5                   ; only CD-ROM drives
        je      .cd
        mov     byte [fs:si + drive.type], DRIVE_NONE
        ret
.cd:
        mov     word [fs:si + drive.block], 2048
        mov     dword [fs:si + drive.sectors], 0xFFFFFFFF
        mov     dword [fs:si + drive.sectors + 4], 0xFFFFFFFF
        movzx   bx, byte [fs:ebda.cd_count]
        inc     byte [fs:ebda.cd_count]
        mov     al, bl
        add     al, 0xE0
        mov     [fs:si + drive.number], al
        mov     ax, si
        sub     ax, ebda.drives
        mov     cl, drive_size
        div     cl
        mov     [fs:ebda.cd_slots + bx], al
        PRINT   msg_cd
        mov     al, bl
        add     al, '0'
        call    putc
        call    print_model
        PRINT   msg_newline
        ret
