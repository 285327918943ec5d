; serial.asm - INT 14h and the search for serial and parallel ports.
;
; Documents: IBM PS/2 and PC BIOS interface technical reference (INT 14h 00h-05h), 16550A data
; sheet.
; Invariant: 40:0h-7h hold the port addresses in the order found, 0 = none.

int14_handler:
        SERVICE
        sti
        cmp     dx, 3
        ja      .done
        mov     si, dx
        shl     si, 1
        mov     dx, [COM_PORTS + si]
        test    dx, dx
        jz      .done
        cmp     ah, 5
        ja      .done
        movzx   bx, ah
        shl     bx, 1
        call    [cs:int14_table + bx]
.done:
        SERVICE_END

int14_table     dw serial_init, serial_send, serial_receive, serial_status
                dw serial_extended, serial_modem

baud_table      dw 1047, 768, 384, 192, 96, 48, 24, 12, 6

; DX = base of the port, SI = 2 * number, AL and the frame as the caller gave them.
serial_init:
        mov     ah, al
        add     dx, 3
        mov     al, 0x80
        out     dx, al
        sub     dx, 3
        movzx   bx, ah
        shr     bx, 5
        shl     bx, 1
        push    ax
        mov     ax, [cs:baud_table + bx]
        out     dx, al
        inc     dx
        mov     al, ah
        out     dx, al
        pop     ax
        add     dx, 2
        mov     al, ah
        and     al, 0x1F
        out     dx, al
        sub     dx, 2
        xor     al, al
        out     dx, al                  ; no interrupts
        dec     dx
        ; falls through

serial_status:
        push    dx
        add     dx, 5
        in      al, dx
        mov     [r_ah], al
        inc     dx
        in      al, dx
        mov     [r_al], al
        pop     dx
        ret

; Waits until all bits BL of the modem status and BH of the line status are set, as long as
; 40:7Ch+n says in seconds. AL = line status, CF = time-out.
serial_wait:
        push    cx
        push    edi
        shr     si, 1
        movzx   edi, byte [COM_TIMEOUTS + si]
        shl     si, 1
        shl     edi, 16                 ; 65536 refresh changes are a second
        inc     edi
        push    dx
        add     dx, 6
.modem:
        in      al, dx
        and     al, bl
        cmp     al, bl
        je      .line
        call    .pause
        jnz     .modem
        dec     dx
        in      al, dx
        jmp     .late
.line:
        dec     dx
.look:
        in      al, dx
        mov     ah, al
        and     al, bh
        cmp     al, bh
        mov     al, ah
        je      .ready
        call    .pause
        jnz     .look
.late:
        stc
.ready:
        pop     dx
        pop     edi
        pop     cx
        ret
.pause:
        mov     cx, 1
        call    delay_refresh
        dec     edi
        ret

serial_send:
        push    ax
        add     dx, 4
        in      al, dx
        or      al, 3                   ; DTR, RTS
        out     dx, al
        sub     dx, 4
        mov     bx, 0x2030              ; holding register empty; CTS, DSR
        call    serial_wait
        mov     ah, al
        pop     cx
        jc      serial_timeout
        mov     al, cl
        out     dx, al
        and     ah, 0x7F
        mov     [r_ah], ah
        ret
serial_timeout:
        or      ah, 0x80
        mov     [r_ah], ah
        ret

serial_receive:
        add     dx, 4
        in      al, dx
        or      al, 1
        out     dx, al
        sub     dx, 4
        mov     bx, 0x0120              ; data ready; DSR
        call    serial_wait
        mov     ah, al
        jc      serial_timeout
        in      al, dx
        and     ah, 0x1E
        mov     [r_al], al
        mov     [r_ah], ah
        ret

; 04h: AL = break, BH = parity, BL = stop bits, CH = word length, CL = rate.
serial_extended:
        mov     cx, [r_cx]
        cmp     cl, 8
        ja      .done
        add     dx, 3
        mov     al, 0x80
        out     dx, al
        sub     dx, 3
        movzx   bx, cl
        shl     bx, 1
        mov     ax, [cs:baud_table + bx]
        out     dx, al
        inc     dx
        mov     al, ah
        out     dx, al
        add     dx, 2
        mov     bx, [r_bx]
        mov     al, ch
        and     al, 3
        and     bl, 1
        shl     bl, 2
        or      al, bl
        movzx   bx, bh
        cmp     bx, 4
        ja      .parity
        or      al, [cs:.parities + bx]
.parity:
        mov     ah, [r_al]
        and     ah, 1
        shl     ah, 6
        or      al, ah
        out     dx, al
        sub     dx, 3
        jmp     serial_status
.done:
        ret
.parities       db 0x00, 0x08, 0x18, 0x28, 0x38

; 05h: AL = 0 reads the modem control register into BL, 1 writes BL to it.
serial_modem:
        add     dx, 4
        cmp     al, 1
        ja      .done
        je      .write
        in      al, dx
        mov     [r_bl], al
        jmp     .status
.write:
        mov     al, [r_bl]
        out     dx, al
.status:
        sub     dx, 4
        jmp     serial_status
.done:
        ret

; ---------------------------------------------------------------- POST
; The line of the port at DX: 2400 baud, 8 bits, no parity, 1 stop bit, which programs that write to
; the port without a word to INT 14h count on.
line_init:
        push    dx
        add     dx, 3
        mov     al, 0x83                ; divisor latch, 8 bits
        out     dx, al
        sub     dx, 3
        mov     ax, 48                  ; 115200 / 2400
        out     dx, al
        inc     dx
        mov     al, ah
        out     dx, al
        add     dx, 2
        mov     al, 0x03
        out     dx, al
        pop     dx
        ret

; Fills the tables of serial and parallel ports and their counts in the equipment word.
ports_init:
        push    BDA_SEG
        pop     ds
        mov     si, .com
        xor     bx, bx
.next_com:
        mov     dx, [cs:si]
        test    dx, dx
        jz      .com_done
        add     si, 2
        inc     dx                      ; interrupt enable: only four bits exist
        mov     al, 0x05
        out     dx, al
        in      al, dx
        mov     ah, al
        xor     al, al
        out     dx, al
        cmp     ah, 0x05
        jne     .next_com
        inc     dx
        in      al, dx
        test    al, 0x30                ; always zero in the identification register
        jnz     .next_com
        sub     dx, 2
        mov     [COM_PORTS + bx], dx
        call    line_init
        add     bx, 2
        jmp     .next_com
.com_done:
        shl     bx, 8
        or      [EQUIPMENT], bx         ; bits 9-11: bx was twice the number
        xor     bx, bx
.next_lpt:
        add     si, 2
        mov     dx, [cs:si]
        test    dx, dx
        jz      .lpt_done
        mov     al, 0xAA
        out     dx, al
        in      al, dx
        cmp     al, 0xAA
        jne     .next_lpt
        mov     al, 0x55
        out     dx, al
        in      al, dx
        cmp     al, 0x55
        jne     .next_lpt
        mov     [LPT_PORTS + bx], dx
        add     dx, 2
        mov     al, 0x0C                ; selected, not reset, no interrupt
        out     dx, al
        add     bx, 2
        jmp     .next_lpt
.lpt_done:
        shl     bx, 13
        or      [EQUIPMENT], bx
        ret
.com            dw 0x3F8, 0x2F8, 0x3E8, 0x2E8, 0
                dw 0x378, 0x278, 0x3BC, 0
