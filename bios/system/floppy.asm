; floppy.asm - INT 13h for diskette drives 0 and 1, INT 40h, INT 0Eh.
;
; Documents: Intel 82077AA data sheet (commands, DOR, DIR, CCR), IBM PC/AT technical reference
; (BDA 40:3Eh-42h, 40:8Bh-95h, the parameter table behind INT 1Eh), 8237A for channel 2.
; Media byte 40:90h+n: bits 7-6 data rate (0 500, 1 300, 2 250, 3 1000 kbit/s), bit 5 double step,
; bit 4 established, bits 2-0 kind. Invariants: FD_TRACK counts cylinders as the drive steps them;
; the bit of a drive in FD_SEEK says that it can be trusted.

FDC_DOR         equ 0x3F2
FDC_MSR         equ 0x3F4
FDC_DATA        equ 0x3F5
FDC_DIR         equ 0x3F7               ; read: change line; write: data rate

DPT_MOTOR_OFF   equ 2
DPT_SIZE        equ 3
DPT_LAST        equ 4
DPT_GAP         equ 5
DPT_LENGTH      equ 6
DPT_FORMAT_GAP  equ 7
DPT_FILL        equ 8
DPT_SETTLE      equ 9
DPT_SPIN_UP     equ 10

FD_OK           equ 0x00
FD_BAD_COMMAND  equ 0x01
FD_CHANGED      equ 0x06
FD_BOUNDARY     equ 0x09
FD_SEEK_ERROR   equ 0x40
FD_TIMEOUT      equ 0x80

; ---------------------------------------------------------------- INT 0Eh
int0e_handler:
        push    ds
        push    ax
        push    BDA_SEG
        pop     ds
        or      byte [FD_SEEK], 0x80
        mov     al, 0x20
        out     PIC1, al
        mov     ax, 0x9101
        int     0x15
        pop     ax
        pop     ds
        iret

; ---------------------------------------------------------------- dispatch
int40_handler:
        SERVICE
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

; ---------------------------------------------------------------- controller
; Waits for the interrupt of the controller. AX = limit in ticks, CF = none came.
fd_wait_irq:
        push    bx
        call    wait_begin
        mov     ax, 0x9001
        clc
        int     0x15
.look:
        cli
        test    byte [FD_SEEK], 0x80
        jnz     .got
        mov     bx, 0x0041
        call    wait_step
        jnc     .look
        pop     bx
        ret
.got:
        and     byte [FD_SEEK], 0x7F
        sti
        pop     bx
        clc
        ret

; Waits until the controller takes (AH = 80h) or gives (AH = C0h) a byte. CF = never.
fd_wait_ready:
        push    cx
        push    dx
        mov     dx, FDC_MSR
        mov     cx, 0xFFFF
.look:
        in      al, dx
        and     al, 0xC0
        cmp     al, ah
        je      .done
        push    cx
        mov     cx, 1
        call    delay_refresh
        pop     cx
        loop    .look
        stc
.done:
        pop     dx
        pop     cx
        ret

; Sends AL.
fd_out:
        push    ax
        push    dx
        push    ax
        mov     ah, 0x80
        call    fd_wait_ready
        pop     ax
        jc      .done
        mov     dx, FDC_DATA
        out     dx, al
.done:
        pop     dx
        pop     ax
        ret

; Takes the result phase into FD_RESULT. CF = the controller is stuck.
fd_result:
        push    bx
        push    cx
        push    dx
        mov     bx, FD_RESULT
        mov     cx, 7
.next:
        mov     ah, 0xC0
        call    fd_wait_ready
        jc      .done
        mov     dx, FDC_DATA
        in      al, dx
        mov     [bx], al
        inc     bx
        push    cx
        mov     cx, 2
        call    delay_refresh
        pop     cx
        mov     dx, FDC_MSR
        in      al, dx
        test    al, 0x10
        jz      .done
        loop    .next
.done:
        pop     dx
        pop     cx
        pop     bx
        ret

fd_sense:
        mov     al, 0x08
        call    fd_out
        jc      .done
        call    fd_result
.done:
        ret

; Resets the controller; afterwards no drive is calibrated. AH = status.
fd_reset:
        push    cx
        push    dx
        mov     dx, FDC_DOR
        cli
        and     byte [FD_SEEK], 0x70
        mov     al, [FD_MOTORS]
        shl     al, 4
        or      al, 0x08
        out     dx, al                  ; reset bit low
        mov     cx, 1
        call    delay_refresh
        or      al, 0x04
        out     dx, al
        sti
        mov     ax, 18
        call    fd_wait_irq
        mov     ah, FD_TIMEOUT
        jc      .done
        mov     cx, 4                   ; one status per drive waits
.sense:
        call    fd_sense
        loop    .sense
        call    fd_specify
        mov     ah, FD_OK
.done:
        pop     dx
        pop     cx
        ret

; Step rate and head times from the parameter table; DMA mode.
fd_specify:
        push    bx
        mov     al, 0x03
        call    fd_out
        xor     bx, bx
        call    fd_dpt
        call    fd_out
        inc     bx
        call    fd_dpt
        and     al, 0xFE
        call    fd_out
        pop     bx
        ret

; AL = byte BX of the table that INT 1Eh points to.
fd_dpt:
        push    es
        push    di
        xor     di, di
        mov     es, di
        les     di, [es:0x1E * 4]
        mov     al, [es:di + bx]
        pop     di
        pop     es
        ret

; Selects drive DL and turns its motor on. CF = it was off before.
fd_motor_on:
        push    ax
        push    cx
        push    dx
        mov     byte [FD_MOTOR_TICKS], 0xFF
        mov     cl, dl
        mov     ah, 1
        shl     ah, cl
        mov     al, [FD_MOTORS]
        mov     ch, al
        and     ch, ah
        and     al, 0x0F
        or      al, ah
        mov     cl, dl
        shl     cl, 4
        or      cl, al
        mov     [FD_MOTORS], cl
        shl     al, 4
        or      al, dl
        or      al, 0x0C
        mov     dx, FDC_DOR
        out     dx, al
        cmp     ch, 1
        pop     dx
        pop     cx
        pop     ax
        ret

; The motor may stop after the time in the parameter table.
fd_motor_later:
        push    ax
        push    bx
        mov     bx, DPT_MOTOR_OFF
        call    fd_dpt
        mov     [FD_MOTOR_TICKS], al
        pop     bx
        pop     ax
        ret

; Programs the data rate of drive DL.
fd_set_rate:
        push    ax
        push    bx
        push    dx
        movzx   bx, dl
        mov     al, [FD_MEDIA + bx]
        and     al, 0xC0
        mov     [FD_RATE], al
        shr     al, 6
        mov     dx, FDC_DIR
        out     dx, al
        pop     dx
        pop     bx
        pop     ax
        ret

; ---------------------------------------------------------------- seeking
; Moves the heads of drive DL to cylinder CH of the medium. CF = failed, AH = status.
fd_seek:
        push    bx
        push    cx
        movzx   bx, dl
        test    byte [FD_MEDIA + bx], 0x20
        jz      .single
        shl     ch, 1
.single:
        mov     cl, dl
        mov     ah, 1
        shl     ah, cl
        test    [FD_SEEK], ah
        jnz     .calibrated
        call    fd_recalibrate
        jc      .done
        or      [FD_SEEK], ah
.calibrated:
        cmp     [FD_TRACK + bx], ch
        clc
        je      .done
        mov     al, 0x0F
        call    fd_out
        jc      .stuck
        mov     al, dl
        call    fd_out
        mov     al, ch
        call    fd_out
        mov     ax, 37
        call    fd_wait_irq
        jc      .stuck
        call    fd_sense
        jc      .stuck
        mov     al, [FD_RESULT]
        and     al, 0xE0
        cmp     al, 0x20
        jne     .failed
        cmp     [FD_RESULT + 1], ch
        jne     .failed
        mov     [FD_TRACK + bx], ch
        or      byte [fs:ebda.req_op], 2
        clc
.done:
        pop     cx
        pop     bx
        ret
.stuck:
        mov     ah, FD_TIMEOUT
        jmp     .bad
.failed:
        mov     ah, FD_SEEK_ERROR
.bad:
        and     byte [FD_SEEK], 0x70
        stc
        jmp     .done

; Two tries: one command gives up after 79 steps. Keeps AH when it works.
fd_recalibrate:
        push    ax
        mov     byte [FD_TRACK + bx], 0
        call    .once
        jnc     .ok
        call    .once
        jnc     .ok
        pop     ax
        mov     ah, FD_SEEK_ERROR
        stc
        ret
.ok:
        pop     ax
        ret
.once:
        mov     al, 0x07
        call    fd_out
        jc      .no
        mov     al, dl
        call    fd_out
        mov     ax, 55
        call    fd_wait_irq
        jc      .no
        call    fd_sense
        jc      .no
        mov     al, [FD_RESULT]
        and     al, 0xF0
        cmp     al, 0x20
        je      .no                     ; flags of "equal": CF clear
        stc
.no:
        ret

; ---------------------------------------------------------------- medium
; Motor on, change line looked at, data rate known. CF = error, AH = status.
fd_prepare:
        push    bx
        call    fd_motor_on
        setc    [fs:ebda.req_op]        ; bit 0: motor was off, bit 1: heads have moved
        call    fd_check_change
        jc      .done
        movzx   bx, dl
        test    byte [FD_MEDIA + bx], 0x10
        jnz     .known
        call    fd_detect
        jmp     .done
.known:
        call    fd_set_rate
        clc
.done:
        pop     bx
        ret

; A set change line means that the disk was taken out since the last step. Steps clear it when
; there is a disk again. CF = changed or empty, AH = status.
fd_check_change:
        push    bx
        push    cx
        push    dx
        movzx   bx, dl
        cmp     byte [fs:ebda.fd_types + bx], 1
        je      .same                   ; 360 KB drives have no such line
        call    .line
        jz      .same
        and     byte [FD_MEDIA + bx], 0x0F
        mov     cl, dl
        mov     al, 0xFE
        rol     al, cl
        and     [FD_SEEK], al
        mov     ch, 1
        call    fd_seek
        mov     ch, 0
        call    fd_seek
        call    .line
        mov     ah, FD_TIMEOUT
        jnz     .bad
        mov     ah, FD_CHANGED
.bad:
        stc
        jmp     .done
.same:
        clc
.done:
        pop     dx
        pop     cx
        pop     bx
        ret
.line:
        push    dx
        mov     dx, FDC_DIR
        in      al, dx
        pop     dx
        test    al, 0x80
        ret

; Tries the data rates the drive knows until an ID field can be read. CF = none, AH = status.
fd_detect:
        push    bx
        push    cx
        push    si
        movzx   bx, dl
        and     byte [FD_MEDIA + bx], 0x0F
        mov     ch, 0
        call    fd_seek
        jc      .done
        movzx   si, byte [fs:ebda.fd_types + bx]
        shl     si, 2
        add     si, fd_rates - 4
.next:
        mov     al, [cs:si]
        inc     si
        test    al, al
        jz      .none
        mov     [FD_MEDIA + bx], al
        call    fd_set_rate
        call    fd_read_id
        jc      .reset
        call    fd_check_double
        clc
        jmp     .done
.reset:
        cmp     ah, FD_TIMEOUT          ; without a disk not even index pulses come
        jne     .next
        call    fd_reset
        mov     ah, FD_TIMEOUT
        jmp     .fail
.none:
        mov     ah, 0x02
.fail:
        and     byte [FD_MEDIA + bx], 0x0F
        stc
.done:
        pop     si
        pop     cx
        pop     bx
        ret

; Media bytes to try, by CMOS drive type.
fd_rates        db 0x93, 0, 0, 0
                db 0x15, 0x54, 0x94, 0
                db 0x97, 0, 0, 0
                db 0x17, 0x97, 0, 0
                db 0xD7, 0x17, 0x97, 0
                db 0xD7, 0x17, 0x97, 0

; A 40-cylinder disk in a 1.2 MB drive shows cylinder 1 where the drive counts 2.
fd_check_double:
        mov     al, [FD_MEDIA + bx]
        and     al, 0x3F
        cmp     al, 0x14
        jne     .done
        mov     ch, 2
        call    fd_seek
        jc      .done
        call    fd_read_id
        jc      .done
        cmp     byte [FD_RESULT + 3], 1
        jne     .done
        or      byte [FD_MEDIA + bx], 0x20
.done:
        ret

; Reads any ID field under head 0. CF = none, AH = status.
fd_read_id:
        mov     al, 0x4A
        call    fd_out
        jc      .stuck
        mov     al, dl
        call    fd_out
        mov     ax, 37
        call    fd_wait_irq
        jc      .stuck
        call    fd_result
        jc      .stuck
        mov     ah, 0x02
        test    byte [FD_RESULT], 0xC0
        jz      .done
        stc
.done:
        ret
.stuck:
        mov     ah, FD_TIMEOUT
        stc
        ret

; ---------------------------------------------------------------- read, write, verify
floppy_transfer:
        mov     byte [r_al], 0          ; sectors done
        mov     ah, FD_BAD_COMMAND
        test    al, al
        jz      .return
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

; Programs channel 2: AH = mode, ECX = bytes, buffer ES:BX of the frame. CF = it would cross a
; 64 KB boundary, AH = status.
fd_dma:
        push    ebx
        push    ecx
        movzx   eax, ax
        push    ax
        movzx   ebx, word [r_es]
        shl     ebx, 4
        movzx   eax, word [r_bx]
        add     ebx, eax
        pop     ax
        cmp     ah, 0x42
        jne     .address
        xor     ebx, ebx                ; verifying touches no memory
.address:
        dec     ecx
        push    ax
        movzx   eax, bx
        add     eax, ecx
        cmp     eax, 0x10000
        pop     ax
        jae     .crosses
        cli
        mov     al, 0x06
        out     0x0A, al                ; mask channel 2
        out     0x0C, al                ; low byte next
        mov     al, ah
        out     0x0B, al
        mov     al, bl
        out     0x04, al
        mov     al, bh
        out     0x04, al
        shr     ebx, 16
        mov     al, bl
        out     0x81, al
        mov     al, cl
        out     0x05, al
        mov     al, ch
        out     0x05, al
        mov     al, 0x02
        out     0x0A, al
        sti
        clc
        jmp     .done
.crosses:
        mov     ah, FD_BOUNDARY
        stc
.done:
        pop     ecx
        pop     ebx
        ret

; AX = bytes channel 2 has not moved, CF = none are left.
fd_dma_left:
        pushf
        cli
        out     0x0C, al
        in      al, 0x05
        mov     ah, al
        in      al, 0x05
        xchg    al, ah
        popf
        add     ax, 1
        ret

; Interrupt and result phase of a data command. CF = error, AH = status.
fd_finish:
        mov     ax, 55                  ; three seconds
        call    fd_wait_irq
        jc      .dead
        call    fd_result
        mov     ah, 0x20
        jc      .bad
        test    byte [FD_RESULT], 0xC0
        jz      .good
        mov     al, [FD_RESULT + 1]     ; status register 1
        mov     ah, 0x04
        test    al, 0x84                ; end of cylinder, sector not found
        jnz     .bad
        mov     ah, 0x10
        test    al, 0x20
        jnz     .bad
        mov     ah, 0x08
        test    al, 0x10
        jnz     .bad
        mov     ah, 0x03
        test    al, 0x02
        jnz     .bad
        mov     ah, 0x02
        test    al, 0x01
        jnz     .bad
        mov     ah, 0x20
.bad:
        stc
        ret
.dead:
        call    fd_reset
        mov     ah, FD_TIMEOUT
        stc
        ret
.good:
        mov     ah, FD_OK
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
