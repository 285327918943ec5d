; mouse.asm - pointing device: INT 15h C2h and INT 74h.
;
; Documents: IBM PS/2 and PC BIOS interface technical reference, INT 15h AH = C2h; the driver is
; called far with four words on the stack: status, X, Y, Z.
; Invariant: ebda.mouse_flags1 counts the bytes of the packet being collected; a packet whose
; first byte lacks bit 3 is out of step and dropped.

int74_handler:
        SERVICE
        in      al, KBC_CTL
        and     al, KBC_OBF | KBC_AUX
        cmp     al, KBC_OBF | KBC_AUX
        jne     .eoi
        in      al, KBC_DATA
        test    byte [fs:ebda.mouse_flags2], 0x80
        jz      .eoi
        movzx   bx, byte [fs:ebda.mouse_flags1]
        and     bx, 7
        jnz     .store
        test    al, 8
        jz      .eoi
.store:
        mov     [fs:ebda.mouse_data + bx], al
        inc     bx
        mov     cl, [fs:ebda.mouse_flags2]
        and     cl, 7
        cmp     bl, cl
        ja      .packet
        mov     [fs:ebda.mouse_flags1], bl
        jmp     .eoi
.packet:
        mov     byte [fs:ebda.mouse_flags1], 0
        movzx   ax, byte [fs:ebda.mouse_data]
        push    ax
        mov     al, [fs:ebda.mouse_data + 1]
        push    ax
        mov     al, [fs:ebda.mouse_data + 2]
        push    ax
        xor     al, al
        cmp     cl, 3
        jb      .no_wheel
        mov     al, [fs:ebda.mouse_data + 3]
.no_wheel:
        push    ax
        call    far [fs:ebda.mouse_call]
        mov     sp, bp
.eoi:
        cli
        call    eoi_both
        SERVICE_END

; ---------------------------------------------------------------- INT 15h C2h
int15_mouse:
        cmp     al, 7
        ja      .bad_function
        test    byte [EQUIPMENT], 4
        jz      .no_mouse
        movzx   si, al
        shl     si, 1
        call    [cs:mouse_table + si]
        mov     [r_ah], ah
        test    ah, ah
        jnz     int15_error
        jmp     int15_ok
.bad_function:
        mov     byte [r_ah], 1
        jmp     int15_error
.no_mouse:
        mov     byte [r_ah], 3
        jmp     int15_error

mouse_table     dw mouse_enable, mouse_reset, mouse_rate, mouse_resolution
                dw mouse_type, mouse_initialise, mouse_extended, mouse_handler

; Each returns its status in AH: 0 fine, 2 bad input, 3 interface error, 5 no driver installed.
mouse_enable:
        mov     al, 0xF5
        test    bh, bh
        jz      .send
        cmp     bh, 1
        jne     mouse_bad_input
        mov     ah, 5
        test    byte [fs:ebda.mouse_flags2], 0x80
        jz      mouse_return
        mov     al, 0xF4
.send:
        mov     byte [fs:ebda.mouse_flags1], 0
        call    mouse_open
        call    mouse_send
        jmp     mouse_finish

mouse_reset:
        mov     byte [fs:ebda.mouse_flags1], 0
        call    mouse_open
        mov     al, 0xFF
        call    mouse_send
        jc      mouse_finish
        call    mouse_patient_read
        jc      mouse_finish
        mov     [r_bl], al
        call    kbc_read
        mov     [r_bh], al
        jmp     mouse_finish

mouse_rate:
        cmp     bh, 6
        ja      mouse_bad_input
        movzx   bx, bh
        mov     ah, [cs:mouse_rates + bx]
        mov     al, 0xF3
        jmp     mouse_two
mouse_resolution:
        cmp     bh, 3
        ja      mouse_bad_input
        mov     ah, bh
        mov     al, 0xE8
mouse_two:
        call    mouse_open
        push    ax
        call    mouse_send
        pop     ax
        jc      mouse_finish
        mov     al, ah
        call    mouse_send
        jmp     mouse_finish

mouse_type:
        call    mouse_open
        mov     al, 0xF2
        call    mouse_send
        jc      mouse_finish
        call    kbc_read
        mov     [r_bh], al
        jmp     mouse_finish

mouse_initialise:
        mov     al, bh
        dec     al
        cmp     al, 7
        ja      mouse_bad_input
        and     byte [fs:ebda.mouse_flags2], 0xF8
        or      [fs:ebda.mouse_flags2], al
        jmp     mouse_reset

mouse_extended:
        test    bh, bh
        jz      .status
        mov     al, 0xE6
        cmp     bh, 1
        je      .scaling
        inc     al
        cmp     bh, 2
        jne     mouse_bad_input
.scaling:
        call    mouse_open
        call    mouse_send
        jmp     mouse_finish
.status:
        call    mouse_open
        mov     al, 0xE9
        call    mouse_send
        jc      mouse_finish
        call    kbc_read
        jc      mouse_finish
        mov     [r_bl], al
        call    kbc_read
        jc      mouse_finish
        mov     [r_cl], al
        call    kbc_read
        mov     [r_dl], al
        jmp     mouse_finish

; ES:BX of the caller = driver, 0:0 removes it.
mouse_handler:
        mov     ax, [r_es]
        cli
        mov     [fs:ebda.mouse_call], bx
        mov     [fs:ebda.mouse_call + 2], ax
        and     byte [fs:ebda.mouse_flags2], 0x7F
        or      ax, bx
        jz      .removed
        or      byte [fs:ebda.mouse_flags2], 0x80
.removed:
        sti
        xor     ah, ah
        ret

mouse_bad_input:
        mov     ah, 2
mouse_return:
        ret

; Makes the controller ours: interrupts of both ports off, keyboard held, mouse port on. A byte
; that came before is left to its interrupt. All registers survive; interrupts are off afterwards.
mouse_open:
        pushad
        mov     al, 0xAD
        call    kbc_command
        mov     cx, 64
.pending:
        in      al, KBC_CTL
        test    al, KBC_OBF
        jz      .quiet
        sti
        push    cx
        mov     cx, 1
        call    delay_refresh
        pop     cx
        loop    .pending
.quiet:
        cli
        call    kbc_drain
        mov     al, CMD_BYTE_POST & ~0x20
        call    kbc_set_mode
        popad
        ret

; Ends a mouse command: both interrupts on again. CF = it failed; AH = status.
mouse_finish:
        setc    ah
        mov     al, 3
        mul     ah
        mov     ah, al
        push    ax
        mov     al, (CMD_BYTE_RUN & ~0x20) | 2
        call    kbc_set_mode
        sti
        pop     ax
        ret

; Reads the result of a reset, which takes a mouse up to half a second.
mouse_patient_read:
        call    kbc_read
        jnc     .done
        call    kbc_read
.done:
        ret

mouse_rates     db 10, 20, 40, 60, 80, 100, 200
