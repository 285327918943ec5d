; floppy.asm - INT 13h for diskette drives 0 and 1, and INT 40h.
;
; Documents: IBM PS/2 and PC BIOS interface technical reference (INT 13h 00h-18h), IBM PC/AT
; technical reference (the parameter table behind INT 1Eh).
; Invariant: DS = BDA, FS = EBDA, DL = drive; functions return their status in AH and the number of
; sectors in AL of the frame.

; ---------------------------------------------------------------- dispatch
int40_handler:
        SERVICE
        INTERRUPTS_ON
        sti
        ; falls through

; AH = function, AL, CX, DH as the caller gave them, DL = drive.
floppy_service:
        cmp     ah, 0x18
        ja      .unknown
        movzx   si, ah
        mov     bl, [cs:floppy_index + si]
        test    bl, bl
        jz      .unknown
        movzx   si, bl
        shl     si, 1
        cmp     ah, 0x08                ; these answer for missing drives, too
        je      .call
        cmp     ah, 0x15
        je      .call
        cmp     ah, 1
        jbe     .call
        cmp     dl, 1
        ja      .unknown
        movzx   bx, dl
        cmp     byte [fs:ebda.fd_types + bx], 0
        je      .missing
.call:
        call    [cs:floppy_table + si - 2]
floppy_return:
        mov     [FD_STATUS], ah
floppy_status:
        mov     [r_ah], ah
        and     byte [r_flags], ~FLAG_CF
        test    ah, ah
        jz      .done
        or      byte [r_flags], FLAG_CF
.done:
        SERVICE_END
floppy_service.unknown:
        mov     ah, FD_BAD_COMMAND
        jmp     floppy_return
floppy_service.missing:
        mov     ah, FD_TIMEOUT
        mov     byte [r_al], 0
        jmp     floppy_return

floppy_index    db 1, 2, 3, 3, 3, 4, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0
                db 0, 0, 0, 0, 0, 6, 7, 8, 9
floppy_table    dw floppy_reset, floppy_last, floppy_transfer, floppy_format, floppy_params
                dw floppy_type, floppy_changed, floppy_set_type, floppy_set_media

; All functions: registers as in floppy_service, status in AH.
floppy_reset:
        call    fd_reset
        ret

floppy_last:
        pop     ax                      ; the status itself must stay as it is
        mov     ah, [FD_STATUS]
        jmp     floppy_status

; ---------------------------------------------------------------- read, write, verify
floppy_transfer:
        call    count_check
        jc      .return
        mov     byte [r_al], 0          ; sectors done
        mov     ah, FD_BAD_COMMAND
        cmp     dh, 1
        ja      .return
        mov     ah, 0
        mov     [fs:ebda.req_count], al
        mov     byte [fs:ebda.req_count + 1], 0
        call    fd_try
        jnc     .done
        cmp     ah, 0x03                ; write protection, changes and bad buffers are final
        je      .done
        cmp     ah, FD_CHANGED
        je      .done
        cmp     ah, FD_BOUNDARY
        je      .done
        cmp     ah, FD_TIMEOUT
        je      .done
        movzx   bx, dl
        and     byte [FD_MEDIA + bx], 0x0F
        call    fd_reset
        call    fd_try
.done:
        call    fd_motor_later
.return:
        ret

; One try of the transfer in the frame. CF = failed, AH = status; sets AL of the frame.
fd_try:
        mov     byte [r_al], 0
        call    fd_prepare
        jc      .return
        mov     al, [r_ah]
        mov     ah, 0x42                ; DMA mode: verify
        cmp     al, 0x04
        je      .mode
        mov     ah, 0x46                ; to memory
        cmp     al, 0x02
        je      .mode
        mov     ah, 0x4A                ; from memory
.mode:
        movzx   ecx, word [fs:ebda.req_count]
        shl     ecx, 9
        call    fd_dma
        jc      .return
        mov     ch, [r_ch]
        call    fd_seek
        jc      .return
        cmp     byte [r_ah], 0x03
        jne     .command
        call    fd_write_delay
.command:
        call    fd_specify
        mov     al, 0xE6                ; multi-track, MFM, skip deleted
        cmp     byte [r_ah], 0x03
        jne     .code
        mov     al, 0xC5
.code:
        call    fd_out
        mov     ah, FD_TIMEOUT
        jc      .return
        mov     al, [r_dh]
        shl     al, 2
        or      al, dl
        call    fd_out
        mov     al, [r_ch]
        call    fd_out
        mov     al, [r_dh]
        call    fd_out
        mov     al, [r_cl]
        call    fd_out
        mov     bx, DPT_SIZE
        call    fd_dpt
        call    fd_out
        call    fd_last_sector
        call    fd_out
        mov     bx, DPT_GAP
        call    fd_dpt
        call    fd_out
        inc     bx
        call    fd_dpt
        call    fd_out
        call    fd_finish
        pushf
        push    ax
        call    fd_dma_left             ; bytes not moved
        mov     cx, [fs:ebda.req_count]
        jc      .all                    ; the count ran out: everything was moved
        add     ax, 511
        shr     ax, 9
        sub     cx, ax
.all:
        pop     ax
        popf
        jnc     .whole
        cmp     cx, [fs:ebda.req_count]
        jb      .part
        xor     cx, cx
.part:
        mov     [r_al], cl
        stc
        ret
.whole:
        mov     cl, [fs:ebda.req_count]
        mov     [r_al], cl
.return:
        ret

; AL = the number of the last sector of the track for the command. The parameter table decides,
; unless it belongs to another kind of disk than the one in the drive.
fd_last_sector:
        push    bx
        push    cx
        mov     bx, DPT_LAST
        call    fd_dpt
        mov     cl, [r_cl]
        add     cl, [fs:ebda.req_count]
        dec     cl                      ; last sector wanted
        cmp     al, cl
        jae     .done
        mov     ah, al
        call    fd_media_sectors
        cmp     al, cl
        jae     .done
        cmp     [r_cl], al
        jbe     .crossing
        mov     al, cl                  ; beyond everything usual: take it at its word
        jmp     .done
.crossing:
        cmp     [r_cl], ah
        ja      .done
        mov     al, ah
.done:
        pop     cx
        pop     bx
        ret

; AL = sectors per track usual for the disk in drive DL.
fd_media_sectors:
        push    bx
        movzx   bx, dl
        mov     al, [FD_MEDIA + bx]
        shr     al, 6
        cmp     al, 3
        je      .extra
        cmp     al, 1
        mov     al, 9
        jae     .done
        mov     al, 15
        cmp     byte [fs:ebda.fd_types + bx], 2
        je      .done
        mov     al, 18
.done:
        pop     bx
        ret
.extra:
        mov     al, 36
        pop     bx
        ret

; Waits until the disk turns and the heads rest: only writing needs that.
fd_write_delay:
        push    ax
        push    bx
        push    cx
        test    byte [fs:ebda.req_op], 1
        jz      .settle
        mov     bx, DPT_SPIN_UP         ; units of 1/8 s
        call    fd_dpt
        xor     ah, ah
        imul    ax, ax, 9
        shr     ax, 2
        inc     ax
        call    wait_begin
        xor     bx, bx
.spin:
        cli
        call    wait_step
        jnc     .spin
.settle:
        test    byte [fs:ebda.req_op], 3
        jz      .done
        mov     bx, DPT_SETTLE
        call    fd_dpt
        movzx   cx, al
        imul    cx, cx, 66
        call    delay_refresh
.done:
        pop     cx
        pop     bx
        pop     ax
        ret

; ---------------------------------------------------------------- format
; ES:BX = four bytes per sector; the table of INT 1Eh gives their number, gap and filling.
floppy_format:
        mov     [fs:ebda.req_count], al
        mov     byte [fs:ebda.req_count + 1], 0
        call    fd_motor_on
        setc    [fs:ebda.req_op]
        call    fd_check_change
        jc      .done
        movzx   bx, dl
        test    byte [FD_MEDIA + bx], 0x10
        jnz     .rate
        movzx   si, byte [fs:ebda.fd_types + bx]
        shl     si, 2                   ; the drive's own density
        mov     al, [cs:fd_rates - 4 + si]
        mov     [FD_MEDIA + bx], al
.rate:
        call    fd_set_rate
        mov     bx, DPT_LAST
        call    fd_dpt
        movzx   ecx, al
        shl     ecx, 2
        mov     ah, 0x4A
        call    fd_dma
        jc      .done
        mov     ch, [r_ch]
        call    fd_seek
        jc      .done
        call    fd_write_delay
        call    fd_specify
        mov     al, 0x4D
        call    fd_out
        mov     ah, FD_TIMEOUT
        jc      .done
        mov     al, [r_dh]
        shl     al, 2
        or      al, dl
        call    fd_out
        mov     bx, DPT_SIZE
        call    fd_dpt
        call    fd_out
        inc     bx
        call    fd_dpt
        call    fd_out
        mov     bx, DPT_FORMAT_GAP
        call    fd_dpt
        call    fd_out
        inc     bx
        call    fd_dpt
        call    fd_out
        call    fd_finish
.done:
        call    fd_motor_later
        ret

; ---------------------------------------------------------------- parameters and types
floppy_params:
        mov     al, [fs:ebda.fd_count]
        mov     byte [r_dl], al
        mov     byte [r_dh], 0
        xor     ax, ax
        mov     [r_ax], ax
        mov     [r_bx], ax
        mov     [r_cx], ax
        mov     [r_es], ax
        mov     [r_di], ax
        mov     ah, FD_BAD_COMMAND
        cmp     dl, 1
        ja      .done
        movzx   bx, dl
        mov     ah, FD_OK
        movzx   bx, byte [fs:ebda.fd_types + bx]
        test    bx, bx
        jz      .done
        mov     [r_bl], bl
        mov     byte [r_dh], 1
        shl     bx, 4
        add     bx, diskette_tables - 16
        mov     word [r_es], 0xF000
        mov     [r_di], bx
        mov     al, [cs:bx + DPT_LAST]
        mov     [r_cl], al
        mov     al, [cs:bx + 11]
        mov     [r_ch], al
.done:
        ret

floppy_type:
        pop     ax                      ; AH is the answer, not a status
        mov     byte [r_ah], 0
        cmp     dl, 1
        ja      .done
        movzx   bx, dl
        mov     al, [fs:ebda.fd_types + bx]
        cmp     al, 1
        jb      .done
        inc     byte [r_ah]
        cmp     al, 1
        je      .done
        inc     byte [r_ah]
.done:
        mov     byte [FD_STATUS], 0
        and     byte [r_flags], ~FLAG_CF
        SERVICE_END

floppy_changed:
        call    fd_motor_on
        call    fd_check_change
        mov     al, ah
        mov     ah, FD_OK
        jnc     .same
        mov     ah, al
.same:
        call    fd_motor_later
        ret

; AL = 1 360 KB in its drive, 2 360 KB in a 1.2 MB drive, 3 1.2 MB, 4 720 KB.
floppy_set_type:
        mov     ah, FD_BAD_COMMAND
        dec     al
        cmp     al, 3
        ja      .done
        movzx   si, al
        call    fd_motor_on
        call    fd_check_change
        jnc     .set
        cmp     ah, FD_CHANGED
        jne     .done
.set:
        movzx   bx, dl
        mov     al, [cs:.media + si]
        mov     [FD_MEDIA + bx], al
        mov     ah, FD_OK
.done:
        call    fd_motor_later
        ret
.media  db 0x93, 0x74, 0x15, 0x97

; CH = last cylinder, CL = sectors: looks for the table of such a disk among those the drive can do.
floppy_set_media:
        movzx   bx, dl
        movzx   si, byte [fs:ebda.fd_types + bx]
        mov     di, fd_formats
.next:
        mov     ah, 0x0C
        cmp     byte [cs:di], 0
        je      .done
        mov     ax, si
        cmp     [cs:di], al
        jne     .skip
        cmp     [cs:di + 1], cx
        je      .found
.skip:
        add     di, 6
        jmp     .next
.found:
        call    fd_motor_on
        call    fd_check_change
        jnc     .set
        cmp     ah, FD_CHANGED
        jne     .done
.set:
        mov     al, [cs:di + 3]
        mov     [FD_MEDIA + bx], al
        mov     ax, [cs:di + 4]
        mov     [r_di], ax
        mov     word [r_es], 0xF000
        mov     ah, FD_OK
.done:
        call    fd_motor_later
        ret

; Drive type, sectors and last cylinder, media byte, table.
%macro FORMAT 5
        db      %1, %2, %3, %4
        dw      diskette_tables + (%5 - 1) * 16
%endmacro
fd_formats:
        FORMAT  1, 9, 39, 0x93, 1
        FORMAT  2, 9, 39, 0x74, 1
        FORMAT  2, 15, 79, 0x15, 2
        FORMAT  3, 9, 79, 0x97, 3
        FORMAT  4, 9, 79, 0x97, 3
        FORMAT  4, 18, 79, 0x17, 4
        FORMAT  5, 9, 79, 0x97, 3
        FORMAT  5, 18, 79, 0x17, 4
        FORMAT  5, 36, 79, 0xD7, 5
        FORMAT  6, 9, 79, 0x97, 3
        FORMAT  6, 18, 79, 0x17, 4
        FORMAT  6, 36, 79, 0xD7, 5
        db      0

; Parameter tables by drive type, 16 bytes each: the eleven classical bytes, last cylinder, rate.
diskette_tables:
        db      0xDF, 0x02, 0x25, 2, 9, 0x2A, 0xFF, 0x50, 0xF6, 15, 8, 39, 0x80, 0, 0, 0
        db      0xDF, 0x02, 0x25, 2, 15, 0x1B, 0xFF, 0x54, 0xF6, 15, 8, 79, 0x00, 0, 0, 0
        db      0xDF, 0x02, 0x25, 2, 9, 0x2A, 0xFF, 0x50, 0xF6, 15, 8, 79, 0x80, 0, 0, 0
        db      0xAF, 0x02, 0x25, 2, 18, 0x1B, 0xFF, 0x6C, 0xF6, 15, 8, 79, 0x00, 0, 0, 0
        db      0xAF, 0x02, 0x25, 2, 36, 0x1B, 0xFF, 0x53, 0xF6, 15, 8, 79, 0xC0, 0, 0, 0
        db      0xAF, 0x02, 0x25, 2, 36, 0x1B, 0xFF, 0x53, 0xF6, 15, 8, 79, 0xC0, 0, 0, 0

; ---------------------------------------------------------------- POST
floppy_init:
        push    BDA_SEG
        pop     ds
        call    ebda_to_fs
        mov     al, 0x10
        call    cmos_read
        mov     ah, al
        shr     al, 4
        and     ah, 0x0F
        cmp     al, 6
        jbe     .first_known
        xor     al, al
.first_known:
        cmp     ah, 6
        jbe     .second_known
        xor     ah, ah
.second_known:
        mov     [fs:ebda.fd_types], ax
        xor     bx, bx
        cmp     al, 1
        cmc
        adc     bl, 0
        cmp     ah, 1
        cmc
        adc     bl, 0
        mov     [fs:ebda.fd_count], bl
        test    bl, bl
        jz      .none
        mov     al, bl
        dec     al
        shl     al, 6
        or      al, 1
        or      [EQUIPMENT], al
        mov     byte [FD_CONTROLLER], 0x77
        call    fd_reset
        test    ah, ah
        jnz     .dead
        ; Steps clear the change line, so that the first read at boot finds a quiet drive.
        mov     dl, 0
.drive:
        movzx   bx, dl
        cmp     byte [fs:ebda.fd_types + bx], 0
        je      .next
        call    fd_motor_on
        call    fd_check_change
.next:
        inc     dl
        cmp     dl, 2
        jb      .drive
        call    fd_motor_later
.none:
        ret
.dead:
        mov     byte [fs:ebda.fd_count], 0
        mov     word [fs:ebda.fd_types], 0
        and     word [EQUIPMENT], ~0xC1
        PRINT   .message
        ret
.message        db "Floppy controller does not answer", 13, 10, 0
