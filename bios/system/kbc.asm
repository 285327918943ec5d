; kbc.asm - 8042 keyboard controller: polled commands, start-up of keyboard and mouse.
;
; Documents: IBM PC/AT and PS/2 technical references (controller commands 20h, 60h, A7h-AEh, D4h,
; keyboard commands EDh-FFh, mouse commands E6h-FFh).
; Invariant: whoever polls here has switched the controller's interrupts off (command byte bits
; 1-0), or runs with interrupts disabled.

KBC_OBF         equ 0x01
KBC_IBF         equ 0x02
KBC_AUX         equ 0x20
CMD_BYTE_POST   equ 0x74                ; translate, both ports off, no interrupts
CMD_BYTE_RUN    equ 0x65                ; translate, keyboard interrupt, mouse port off

; Waits until a byte may be written. CF = no.
kbc_wait_ready:
        push    ax
        push    ecx
        push    edx
        mov     edx, 0x400000
        mov     ecx, 65535              ; one second of refresh signal
        in      al, PORT_B
        mov     ah, al
.look:
        in      al, KBC_CTL
        test    al, KBC_IBF
        jz      .ready
        call    kbc_tick
        jnc     .look
.ready:
        pop     edx
        pop     ecx
        pop     ax
        ret

; One step of a polled wait: AH = last value of port B, ECX = changes left, EDX = polls left.
kbc_tick:
        in      al, PORT_B
        dec     edx
        jz      .over
        xor     al, ah
        test    al, 0x10
        jz      .more
        xor     ah, al
        dec     ecx
        jz      .over
.more:
        clc
        ret
.over:
        stc
        ret

; Reads a reply into AL. CF = none came.
kbc_read:
        push    ecx
        push    edx
        mov     edx, 0x400000
        mov     ecx, 65535
        push    ax
        in      al, PORT_B
        mov     ah, al
.look:
        in      al, KBC_CTL
        test    al, KBC_OBF
        jnz     .got
        call    kbc_tick
        jnc     .look
        pop     ax
        pop     edx
        pop     ecx
        ret
.got:
        pop     ax
        in      al, KBC_DATA
        pop     edx
        pop     ecx
        clc
        ret

; AL = command for the controller itself. CF = not taken.
kbc_command:
        call    kbc_wait_ready
        jc      .done
        out     KBC_CTL, al
.done:
        ret

; AL = byte for port 60h: a parameter or a command for the keyboard. CF = not taken.
kbc_write:
        call    kbc_wait_ready
        jc      .done
        out     KBC_DATA, al
.done:
        ret

; AL = new command byte.
kbc_set_mode:
        push    ax
        mov     al, 0x60
        call    kbc_command
        pop     ax
        call    kbc_write
        jmp     kbc_wait_ready

; Throws away what waits in the output buffer.
kbc_drain:
        push    ax
        push    cx
        mov     cx, 64
.next:
        in      al, KBC_CTL
        test    al, KBC_OBF
        jz      .done
        in      al, KBC_DATA
        loop    .next
.done:
        pop     cx
        pop     ax
        ret

; Sends AL to the keyboard and takes the reply. CF = no acknowledge.
keyboard_send:
        call    kbc_write
        jc      .done
        call    kbc_read
        jc      .done
        cmp     al, 0xFA
        je      .done
        stc
.done:
        ret

; Sends AL to the mouse and takes the reply. CF = no acknowledge.
mouse_send:
        push    ax
        mov     al, 0xD4
        call    kbc_command
        pop     ax
        jc      .done
        call    kbc_write
        jc      .done
.reply:
        call    kbc_read
        jc      .done
        cmp     al, 0xFA
        je      .done
        stc
.done:
        ret

; ---------------------------------------------------------------- start-up
kbc_init:
        mov     al, 0xAD
        call    kbc_command
        mov     al, 0xA7
        call    kbc_command
        call    kbc_drain
        mov     al, 0xAA                ; self test; it also resets the command byte
        call    kbc_command
        call    kbc_read
        mov     al, CMD_BYTE_POST
        call    kbc_set_mode
        jmp     kbc_drain

; Resets the keyboard and waits for its self test, sleeping: a real one takes half a second.
keyboard_init:
        push    BDA_SEG
        pop     ds
        mov     fs, [EBDA_SEG_PTR]
        mov     al, CMD_BYTE_POST & ~0x10
        call    kbc_set_mode
        call    kbc_drain
        mov     al, 0xFF
        call    keyboard_send
        jc      .absent
        mov     al, CMD_BYTE_POST & ~0x10 | 1
        call    kbc_sleep_read
        jc      .absent
        mov     al, 0xF4
        call    keyboard_send
        or      byte [KB_FLAGS3], 0x10  ; an enhanced keyboard, as all with this connector are
.absent:
        mov     al, CMD_BYTE_RUN
        call    kbc_set_mode
        jmp     kbc_drain

; Waits up to two seconds for a byte of the device whose interrupt the command byte AL lets through:
; that ends HLT and does nothing else, as the port is read here. AL = the byte, CF = none came.
kbc_sleep_read:
        push    es
        push    0
        pop     es
        push    dword [es:0x09 * 4]
        push    dword [es:0x74 * 4]
        cli
        mov     dword [es:0x09 * 4], 0xF0000000 + (stray_irq - $$)
        mov     dword [es:0x74 * 4], 0xF0000000 + (stray_irq - $$)
        push    ax
        in      al, PIC2 + 1
        and     al, 0xEF
        out     PIC2 + 1, al
        pop     ax
        push    ax
        call    kbc_set_mode
        mov     ax, 37
        call    wait_begin
.look:
        cli
        in      al, KBC_CTL
        test    al, KBC_OBF
        jnz     .got
        xor     bx, bx
        call    wait_step
        jnc     .look
        pop     bx
        stc
        jmp     .end
.got:
        in      al, KBC_DATA
        pop     bx                      ; the command byte
        mov     bh, al
        sti                             ; what was asked for before the byte was read
        mov     al, bl
        and     al, ~3
        call    kbc_set_mode
        mov     al, bh
        clc
.end:
        cli
        pop     dword [es:0x74 * 4]
        pop     dword [es:0x09 * 4]
        pop     es
        pushf
        push    ax
        in      al, PIC1 + 1            ; stray_irq closed them
        and     al, 0xFD
        out     PIC1 + 1, al
        in      al, PIC2 + 1
        or      al, 0x10
        out     PIC2 + 1, al
        pop     ax
        popf
        sti
        ret

; Looks for a mouse: port test, then a reset that must answer FAh AAh 00h.
mouse_init:
        mov     al, CMD_BYTE_POST & ~0x20
        call    kbc_set_mode
        call    kbc_drain
        mov     al, 0xA9
        call    kbc_command
        call    kbc_read
        jc      .absent
        test    al, al
        jnz     .absent
        mov     al, 0xFF
        call    mouse_send
        jc      .absent
        mov     al, CMD_BYTE_POST & ~0x20 | 2
        call    kbc_sleep_read
        jc      .absent
        cmp     al, 0xAA
        jne     .absent
        call    kbc_read
        or      word [EQUIPMENT], 4
        mov     byte [fs:ebda.mouse_flags2], 2
        in      al, PIC2 + 1
        and     al, 0xEF
        out     PIC2 + 1, al
.absent:
        mov     al, CMD_BYTE_RUN
        call    kbc_set_mode
        ret
