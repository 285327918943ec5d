; fdc.asm - diskette controller: commands, interrupt INT 0Eh, seeking, finding out the medium, DMA.
;
; Documents: Intel 82077AA data sheet (commands, DOR, DIR, CCR), IBM PC/AT technical reference
; (BDA 40:3Eh-42h, 40:8Bh-95h, the parameter table behind INT 1Eh), 8237A for channel 2.
; Media byte 40:90h+n: bits 7-6 data rate (0 500, 1 300, 2 250, 3 1000 kbit/s), bit 5 double step,
; bit 4 established, bits 2-0 kind. Invariants: FD_TRACK counts cylinders as the drive steps them;
; the bit of a drive in FD_SEEK says that it can be trusted; DL = drive in all of these.

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

; ---------------------------------------------------------------- transfers
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
