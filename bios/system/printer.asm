; printer.asm - INT 17h and INT 05h.
;
; Document: IBM PS/2 and PC BIOS interface technical reference; status bits of the parallel port as
; INT 17h turns them: 7 not busy, 6 acknowledge, 5 no paper, 4 selected, 3 error, 0 time-out.
; Invariant: 40:8h-Dh hold the port addresses, 0 = none.

int17_handler:
        SERVICE
        sti
        cmp     dx, 2
        ja      .done
        mov     si, dx
        shl     si, 1
        mov     dx, [LPT_PORTS + si]
        test    dx, dx
        jz      .done
        cmp     ah, 1
        jb      .print
        je      .reset
        cmp     ah, 2
        je      .status
.done:
        SERVICE_END

.print:
        out     dx, al
        inc     dx
        in      al, dx
        test    al, 0x80
        jnz     .strobe
        mov     ax, 0x90FE
        int     0x15
        shr     si, 1
        movzx   ebx, byte [LPT_TIMEOUTS + si]
        shl     ebx, 16                 ; seconds in refresh changes
.busy:
        in      al, dx
        test    al, 0x80
        jnz     .strobe
        test    al, 0x20                ; without paper, or without printer, waiting is no use
        jnz     .late
        mov     cx, 1
        call    delay_refresh
        sub     ebx, 1
        ja      .busy
.late:
        call    .read_status
        or      al, 1
        and     al, 0xF9
        mov     [r_ah], al
        SERVICE_END
.strobe:
        inc     dx
        in      al, dx
        or      al, 0x01
        out     dx, al
        and     al, 0xFE
        out     dx, al
        dec     dx
        jmp     .status_here
.reset:
        add     dx, 2
        mov     al, 0x08
        out     dx, al
        mov     cx, 70                  ; a millisecond
        call    delay_refresh
        mov     al, 0x0C
        out     dx, al
        dec     dx
        jmp     .status_here
.status:
        inc     dx
.status_here:
        call    .read_status
        mov     [r_ah], al
        SERVICE_END
.read_status:
        in      al, dx
        and     al, 0xF8
        xor     al, 0x48
        ret

; ---------------------------------------------------------------- INT 05h: print the text screen
; 50:0 = 1 while printing, 0 done, FFh failed.
int05_handler:
        SERVICE
        sti
        mov     ax, 0x50
        mov     es, ax
        cmp     byte [es:0], 1
        je      .return
        mov     byte [es:0], 1
        mov     ah, 0x0F
        int     0x10
        mov     cl, ah                  ; columns
        mov     ch, [VIDEO_ROWS]
        test    ch, ch
        jnz     .rows
        mov     ch, 24
.rows:
        push    cx
        push    bx
        mov     ah, 0x03
        int     0x10
        pop     bx
        pop     cx
        push    dx                      ; cursor
        xor     dx, dx
        call    .newline
        jnz     .failed
.cell:
        push    cx
        mov     ah, 0x02
        int     0x10
        mov     ah, 0x08
        int     0x10
        pop     cx
        test    al, al
        jnz     .visible
        mov     al, ' '
.visible:
        call    .out
        jnz     .failed
        inc     dl
        cmp     dl, cl
        jb      .cell
        mov     dl, 0
        call    .newline
        jnz     .failed
        inc     dh
        cmp     dh, ch
        jbe     .cell
        mov     byte [es:0], 0
        jmp     .restore
.failed:
        mov     byte [es:0], 0xFF
.restore:
        pop     dx
        mov     ah, 0x02
        int     0x10
.return:
        SERVICE_END
.newline:
        mov     al, 13
        call    .out
        jnz     .done
        mov     al, 10
.out:
        push    dx
        xor     dx, dx
        mov     ah, 0
        int     0x17
        test    ah, 0x29
        pop     dx
.done:
        ret
