; timer.asm - INT 08h (tick), INT 70h (clock interrupt), the clock part of INT 1Ah, waits of
; INT 15h 83h/86h.
;
; Documents: IBM PC/AT technical reference; MC146818 data sheet (registers A-D, alarm, periodic).
; Invariants: 40:6Ch counts 18.2065 Hz ticks up to 1800B0h a day; the periodic interrupt of the
; clock runs at 1024 Hz and only while a wait is active.

TICKS_PER_DAY   equ 0x1800B0
PERIOD_US       equ 977

; ---------------------------------------------------------------- INT 08h
int08_handler:
        push    ds
        push    eax
        push    dx
        push    BDA_SEG
        pop     ds
        mov     eax, [TICKS]
        inc     eax
        cmp     eax, TICKS_PER_DAY
        jb      .same_day
        xor     eax, eax
        inc     byte [MIDNIGHT]
.same_day:
        mov     [TICKS], eax
        cmp     byte [FD_MOTOR_TICKS], 0
        je      .motor_done
        dec     byte [FD_MOTOR_TICKS]
        jnz     .motor_done
        and     byte [FD_MOTORS], 0xF0
        mov     al, 0x0C                ; motors off, controller stays enabled
        mov     dx, 0x3F2
        out     dx, al
.motor_done:
        int     0x1C
        cli
        mov     al, 0x20
        out     PIC1, al
        pop     dx
        pop     eax
        pop     ds
        iret

; ---------------------------------------------------------------- INT 70h
int70_handler:
        SERVICE
        mov     al, 0x0C
        call    cmos_read
        test    al, 0x40
        jz      .alarm
        push    ax
        call    wait_period
        pop     ax
.alarm:
        test    al, 0x20
        jz      .eoi
        int     0x4A
.eoi:
        call    eoi_both
        SERVICE_END

eoi_both:
        mov     al, 0x20
        out     PIC2, al
        out     PIC1, al
        ret

; One period of the active wait is over.
wait_period:
        test    byte [WAIT_ACTIVE], 1
        jz      periodic_off
        sub     dword [WAIT_COUNT], PERIOD_US
        ja      .more
        mov     byte [WAIT_ACTIVE], 0
        les     di, [WAIT_FLAG_PTR]
        or      byte [es:di], 0x80
        jmp     periodic_off
.more:
        ret

periodic_off:
        mov     al, 0x0B
        call    cmos_read
        and     al, 0xBF
        mov     ah, al
        mov     al, 0x0B
        jmp     cmos_write

; ES:BX = flag byte, CX:DX = microseconds. CF = a wait is already active.
wait_start:
        pushf
        cli
        test    byte [WAIT_ACTIVE], 1
        jnz     .busy
        mov     [WAIT_FLAG_PTR], bx
        mov     [WAIT_FLAG_PTR + 2], es
        mov     [WAIT_COUNT], dx
        mov     [WAIT_COUNT + 2], cx
        mov     byte [WAIT_ACTIVE], 1
        in      al, PIC2 + 1
        and     al, 0xFE
        out     PIC2 + 1, al
        in      al, PIC1 + 1
        and     al, 0xFB
        out     PIC1 + 1, al
        mov     al, 0x0C
        call    cmos_read
        mov     al, 0x0B
        call    cmos_read
        or      al, 0x40
        mov     ah, al
        mov     al, 0x0B
        call    cmos_write
        popf
        clc
        ret
.busy:
        popf
        stc
        ret

; INT 15h 83h: AL = 0 start, 1 cancel.
int15_event_wait:
        cmp     al, 1
        je      .cancel
        mov     es, [r_es]
        call    wait_start
        jc      .busy
        mov     byte [r_ah], 0
        jmp     int15_ok
.cancel:
        mov     byte [WAIT_ACTIVE], 0
        call    periodic_off
        mov     byte [r_ah], 0
        jmp     int15_ok
.busy:
        mov     byte [r_ah], 0
        jmp     int15_error

; INT 15h 86h: CX:DX microseconds. Longer waits sleep; the flag byte is the low bit 7 of 40:A0h.
int15_wait:
        push    ds
        pop     es
        mov     bx, WAIT_ACTIVE
        mov     byte [r_ah], 0x83
        call    wait_start
        jc      int15_error
.wait:
        cli
        test    byte [WAIT_ACTIVE], 0x80
        jnz     .over
        call    idle
        jmp     .wait
.over:
        mov     byte [WAIT_ACTIVE], 0
        sti
        mov     byte [r_ah], 0
        jmp     int15_ok

; ---------------------------------------------------------------- INT 1Ah
int1a_handler:
        SERVICE
        sti
        cmp     ah, 0xB1
        je      int1a_pci
        INTERRUPTS_ON
        cmp     ah, 7
        ja      .unknown
        mov     cl, ah                  ; CX and DX of the caller are in the frame
        movzx   si, cl
        shl     si, 1
        mov     cx, [r_cx]
        cs call [int1a_table + si]
        SERVICE_END
.unknown:
        or      byte [r_flags], FLAG_CF
        SERVICE_END

int1a_table     dw clock_ticks, clock_set_ticks, clock_time, clock_set_time
                dw clock_date, clock_set_date, clock_alarm, clock_no_alarm

clock_ticks:
        cli
        mov     ax, [TICKS]
        mov     [r_dx], ax
        mov     ax, [TICKS + 2]
        mov     [r_cx], ax
        xor     al, al
        xchg    al, [MIDNIGHT]
        sti
        mov     [r_al], al
clock_ok:
        mov     byte [r_ah], 0
        and     byte [r_flags], ~FLAG_CF
        ret
clock_error:
        or      byte [r_flags], FLAG_CF
        ret

clock_set_ticks:
        cli
        mov     [TICKS], dx
        mov     [TICKS + 2], cx
        mov     byte [MIDNIGHT], 0
        sti
        jmp     clock_ok

; Waits out the update of the clock, two milliseconds at most; CF = it never ends.
clock_stable:
        push    cx
        mov     cx, 200
.look:
        mov     al, 0x0A
        call    cmos_read
        test    al, 0x80
        jz      .done
        push    cx
        mov     cx, 1
        call    delay_refresh
        pop     cx
        loop    .look
        pop     cx
        stc
        ret
.done:
        pop     cx
        clc
        ret

clock_time:
        call    clock_stable
        jc      clock_error
        mov     al, 0x04
        call    cmos_read
        mov     [r_ch], al
        mov     al, 0x02
        call    cmos_read
        mov     [r_cl], al
        mov     al, 0x00
        call    cmos_read
        mov     [r_dh], al
        mov     al, 0x0B
        call    cmos_read
        and     al, 1
        mov     [r_dl], al
        jmp     clock_ok

clock_set_time:
        mov     al, 0x00
        mov     ah, dh
        call    cmos_write
        mov     al, 0x02
        mov     ah, cl
        call    cmos_write
        mov     al, 0x04
        mov     ah, ch
        call    cmos_write
        mov     al, 0x0B
        call    cmos_read
        and     al, 0x7E                ; clock runs, daylight saving as asked
        and     dl, 1
        or      al, dl
        mov     ah, al
        mov     al, 0x0B
        call    cmos_write
        jmp     clock_ok

clock_date:
        call    clock_stable
        jc      clock_error
        mov     al, 0x32
        call    cmos_read
        mov     [r_ch], al
        mov     al, 0x09
        call    cmos_read
        mov     [r_cl], al
        mov     al, 0x08
        call    cmos_read
        mov     [r_dh], al
        mov     al, 0x07
        call    cmos_read
        mov     [r_dl], al
        jmp     clock_ok

clock_set_date:
        mov     al, 0x32
        mov     ah, ch
        call    cmos_write
        mov     al, 0x09
        mov     ah, cl
        call    cmos_write
        mov     al, 0x08
        mov     ah, dh
        call    cmos_write
        mov     al, 0x07
        mov     ah, dl
        call    cmos_write
        mov     al, 0x0B
        call    cmos_read
        and     al, 0x7F
        mov     ah, al
        mov     al, 0x0B
        call    cmos_write
        jmp     clock_ok

; CH, CL, DH = hours, minutes, seconds in BCD.
clock_alarm:
        mov     al, 0x0B
        call    cmos_read
        test    al, 0x20
        jnz     clock_error
        mov     al, 0x01
        mov     ah, dh
        call    cmos_write
        mov     al, 0x03
        mov     ah, cl
        call    cmos_write
        mov     al, 0x05
        mov     ah, ch
        call    cmos_write
        in      al, PIC2 + 1
        and     al, 0xFE
        out     PIC2 + 1, al
        mov     al, 0x0B
        call    cmos_read
        and     al, 0x7F
        or      al, 0x20
        mov     ah, al
        mov     al, 0x0B
        call    cmos_write
        jmp     clock_ok

clock_no_alarm:
        mov     al, 0x0B
        call    cmos_read
        and     al, 0x5F
        mov     ah, al
        mov     al, 0x0B
        call    cmos_write
        jmp     clock_ok

; ---------------------------------------------------------------- POST: ticks since midnight
; ticks = seconds * 1193182 / 65536, near enough as seconds * 18.2065.
clock_init:
        push    BDA_SEG
        pop     ds
        call    clock_stable
        mov     al, 0x04
        call    cmos_bcd
        imul    ebx, eax, 3600
        mov     al, 0x02
        call    cmos_bcd
        imul    eax, eax, 60
        add     ebx, eax
        mov     al, 0x00
        call    cmos_bcd
        add     eax, ebx
        mov     ebx, 1193182
        mul     ebx
        shrd    eax, edx, 16
        cmp     eax, TICKS_PER_DAY
        jb      .store
        xor     eax, eax
.store:
        cli
        mov     [TICKS], eax
        mov     byte [MIDNIGHT], 0
        sti
        ret

; AL = CMOS index; EAX = its BCD value as a number.
cmos_bcd:
        call    cmos_read
        mov     ah, al
        shr     ah, 4
        and     al, 0x0F
        aad
        movzx   eax, al
        ret
