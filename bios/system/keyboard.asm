; keyboard.asm - INT 09h (keyboard interrupt) and INT 16h (keyboard service), US layout.
;
; Documents: IBM PS/2 and PC BIOS interface technical reference, keyboard and INT 16h sections.
; Invariants: the buffer at 40:80h-40:82h holds words, AH scan code, AL character; head = tail
; means empty, one word always stays free. Keys that only the enhanced functions (10h-12h) may see
; carry F0h or a code above 84h, grey keys E0h; the old functions filter them.

; ---------------------------------------------------------------- INT 09h
int09_handler:
        SERVICE
        in      al, KBC_CTL
        test    al, KBC_OBF
        jz      .eoi
        in      al, KBC_DATA
        mov     ah, al
        mov     al, 0x20                ; early, because Pause and INT 1Bh may not come back soon
        out     PIC1, al
        mov     al, ah
        mov     ah, 0x4F                ; let programs look at the scan code first
        stc
        int     0x15
        jnc     .done
        call    key_process
.done:
        SERVICE_END
.eoi:
        mov     al, 0x20
        out     PIC1, al
        SERVICE_END

; AL = scan code (set 1). DS = BDA.
key_process:
        cmp     al, 0xE0
        je      .prefix_e0
        cmp     al, 0xE1
        je      .prefix_e1
        cmp     al, 0xFA                ; replies of the keyboard are no keys
        jae     .return
        test    byte [KB_FLAGS3], 1
        jnz     .after_e1
        mov     ah, [KB_FLAGS3]
        and     byte [KB_FLAGS3], ~2
        and     ah, 2                   ; AH = 2: the code had an E0 prefix
        mov     bl, al
        and     bl, 0x7F
        mov     si, modifier_table
.find:
        cs cmp  byte [si], 0
        je      .not_modifier
        cs cmp  bl, [si]
        je      .modifier
        add     si, 3
        jmp     .find
.modifier:
        cs jmp  [si + 1]
.not_modifier:
        test    al, 0x80
        jz      key_make
.return:
        ret
.prefix_e0:
        or      byte [KB_FLAGS3], 2
        ret
.prefix_e1:
        or      byte [KB_FLAGS3], 1
        ret
.after_e1:                              ; Pause: E1 1D 45, then E1 9D C5
        mov     bl, al
        and     bl, 0x7F
        cmp     bl, 0x1D
        je      .return
        and     byte [KB_FLAGS3], ~1
        cmp     al, 0x45
        jne     .return
        ; falls through

; Stops the program until a key is pressed; other interrupts go on.
key_pause:
        test    byte [KB_FLAGS2], 8
        jnz     .return
        or      byte [KB_FLAGS2], 8
.loop:
        cli
        test    byte [KB_FLAGS2], 8
        jz      .return
        call    idle
        jmp     .loop
.return:
        ret

; Sleeps until an interrupt where HLT is allowed; comes with interrupts off, leaves with them on.
idle:
        push    ax
        smsw    ax
        test    al, 1
        pop     ax
        jnz     .v86
        sti
        hlt
        ret
.v86:
        sti
        nop
        ret

modifier_table:
        db      0x2A
        dw      mod_lshift
        db      0x36
        dw      mod_rshift
        db      0x1D
        dw      mod_ctrl
        db      0x38
        dw      mod_alt
        db      0x3A
        dw      mod_caps
        db      0x45
        dw      mod_num
        db      0x46
        dw      mod_scroll
        db      0x52
        dw      mod_insert
        db      0x54
        dw      mod_sysreq
        db      0x37
        dw      mod_print
        db      0x53
        dw      mod_delete
        db      0

; All: AL = scan code with break bit, AH = 2 after E0h, BL = code without break bit.
mod_lshift:
        mov     bl, 2
        jmp     mod_shift
mod_rshift:
        mov     bl, 1
mod_shift:
        test    ah, ah                  ; E0 2A and E0 36 only frame grey keys
        jnz     .return
        or      [KB_FLAGS1], bl
        test    al, 0x80
        jz      .return
        not     bl
        and     [KB_FLAGS1], bl
.return:
        ret

mod_ctrl:
        mov     cx, 0x0104              ; CH: left key in flags 2, CL: both in flags 1
        mov     dl, 0x04                ; right key in flags 3
        jmp     mod_left_right
mod_alt:
        mov     cx, 0x0208
        mov     dl, 0x08
        call    mod_left_right
        test    byte [KB_FLAGS1], 8
        jnz     .return
        mov     al, [KB_ALT_CODE]       ; both released: the number typed is a character
        mov     byte [KB_ALT_CODE], 0
        xor     ah, ah
        test    al, al
        jnz     key_store
.return:
        ret

mod_left_right:
        mov     si, KB_FLAGS2
        mov     bl, ch
        test    ah, ah
        jz      .side
        mov     si, KB_FLAGS3
        mov     bl, dl
.side:
        or      [si], bl
        test    al, 0x80
        jz      .both
        not     bl
        and     [si], bl
.both:
        or      [KB_FLAGS1], cl
        test    [KB_FLAGS2], ch
        jnz     .return
        test    [KB_FLAGS3], dl
        jnz     .return
        not     cl
        and     [KB_FLAGS1], cl
.return:
        ret

mod_caps:
        mov     cl, 0x40
        jmp     mod_toggle
mod_num:
        test    ah, ah
        jnz     mod_none
        test    byte [KB_FLAGS1], 4     ; Ctrl-NumLock was Pause on the 83-key board
        jz      .lock
        test    al, 0x80
        jz      key_pause
.lock:
        mov     cl, 0x20
        jmp     mod_toggle
mod_scroll:
        test    ah, ah                  ; E0 46 is Ctrl-Break
        jnz     mod_break
        mov     cl, 0x10
; Flips the lock CL on the first make; the key held down is known from the flags 2.
mod_toggle:
        test    al, 0x80
        jnz     .release
        test    [KB_FLAGS2], cl
        jnz     .return
        or      [KB_FLAGS2], cl
        xor     [KB_FLAGS1], cl
        jmp     leds_update
.release:
        not     cl
        and     [KB_FLAGS2], cl
.return:
        ret
mod_none:
        ret

mod_break:
        test    al, 0x80
        jnz     mod_none
        or      byte [KB_BREAK], 0x80
        mov     bx, [KB_BUF_START]
        mov     [KB_HEAD], bx
        mov     [KB_TAIL], bx
        int     0x1B
        xor     ax, ax
        jmp     key_store

; Ins flips its state and is a key as well.
mod_insert:
        test    al, 0x80
        jnz     .release
        test    byte [KB_FLAGS1], 0x08  ; with Alt, or as the digit 0, it is no Ins
        jnz     key_make
        test    ah, ah
        jnz     .toggle
        mov     bl, [KB_FLAGS1]
        test    bl, 0x20
        setnz   bh
        test    bl, 0x03
        setnz   bl
        cmp     bh, bl
        jne     key_make_52
.toggle:
        test    byte [KB_FLAGS2], 0x80
        jnz     key_make_52
        or      byte [KB_FLAGS2], 0x80
        xor     byte [KB_FLAGS1], 0x80
        jmp     key_make_52
.release:
        and     byte [KB_FLAGS2], 0x7F
        ret
key_make_52:
        jmp     key_make

mod_sysreq:
        mov     bl, al
        and     byte [KB_FLAGS2], ~4
        mov     ax, 0x8501
        test    bl, 0x80
        jnz     .call
        or      byte [KB_FLAGS2], 4
        dec     ax
.call:
        int     0x15
        ret

; E0 37 is PrintScreen; without prefix the star of the keypad.
mod_print:
        test    ah, ah
        jz      .star
        test    al, 0x80
        jnz     mod_none
        test    byte [KB_FLAGS1], 4
        mov     ax, 0x7200
        jnz     key_store
        int     0x05
        ret
.star:
        test    al, 0x80
        jz      key_make
        ret

mod_delete:
        test    al, 0x80
        jnz     mod_none
        mov     bl, [KB_FLAGS1]
        and     bl, 0x0C
        cmp     bl, 0x0C
        jne     key_make
        mov     word [RESET_FLAG], 0x1234
        ; falls through

; Resets the machine through the keyboard controller.
machine_reset:
        cli
        mov     al, 0xFE
        out     KBC_CTL, al
        mov     cx, 1000
        call    delay_refresh
        jmp     0xF000:0xFFF0

; ---------------------------------------------------------------- keys with a character
; AL = make code, AH = 2 after E0h.
key_make:
        test    byte [KB_FLAGS2], 8     ; any key ends the pause and is lost
        jz      .running
        and     byte [KB_FLAGS2], ~8
        ret
.running:
        test    ah, ah
        jnz     .grey
        cmp     al, 0x58
        ja      .return
        cmp     al, 0x47
        jb      .plain
        cmp     al, 0x53
        ja      .plain
        test    byte [KB_FLAGS1], 8     ; Alt + keypad: a decimal number
        jz      .plain
        mov     bx, keypad_digits - 0x47
        cs xlatb
        cmp     al, 10
        jae     .pad_sign
        mov     ah, [KB_ALT_CODE]
        mov     bl, al
        mov     al, 10
        mul     ah
        add     al, bl
        mov     [KB_ALT_CODE], al
.return:
        ret
.pad_sign:
        mov     ah, al                  ; Alt with grey - and + on the keypad
        cmp     al, 0xFF
        mov     al, 0xF0
        jne     key_store
        ret
.plain:
        movzx   bx, al
        shl     bx, 3
        add     bx, key_table
        mov     cl, [KB_FLAGS1]
        ; Column: 0 plain, 1 shift, 2 Ctrl, 3 Alt; the locks swap the first two.
        mov     si, 3
        test    cl, 8
        jnz     .column
        dec     si
        test    cl, 4
        jnz     .column
        xor     si, si
        test    cl, 3
        jz      .unshifted
        inc     si
.unshifted:
        cmp     al, 0x47
        jb      .letter
        cmp     al, 0x53
        ja      .column
        test    cl, 0x20
        jz      .column
        xor     si, 1
        jmp     .column
.letter:
        test    cl, 0x40
        jz      .column
        mov     dl, [cs:bx]
        cmp     dl, 'a'
        jb      .column
        cmp     dl, 'z'
        ja      .column
        xor     si, 1
.column:
        shl     si, 1
        mov     ax, [cs:bx + si]
        test    ax, ax
        jnz     key_store
        ret
.grey:
        mov     si, grey_table
.search:
        cs cmp  byte [si], 0
        je      .return
        cs cmp  al, [si]
        je      .found
        add     si, 7
        jmp     .search
.found:
        mov     cl, [KB_FLAGS1]
        mov     ax, [cs:si + 5]
        test    cl, 8
        jnz     key_store
        mov     ax, [cs:si + 3]
        test    cl, 4
        jnz     key_store
        mov     ax, [cs:si + 1]
        ; falls through

; Puts AX into the buffer; beeps when it is full. CF = full.
key_store:
        push    bx
        push    si
        mov     bx, [KB_TAIL]
        mov     si, bx
        call    key_advance
        cmp     bx, [KB_HEAD]
        je      .full
        mov     [si], ax
        mov     [KB_TAIL], bx
        pop     si
        pop     bx
        mov     ax, 0x9102              ; tell who waits for keys
        int     0x15
        clc
        ret
.full:
        pop     si
        pop     bx
        call    beep
        stc
        ret

; BX = next place in the buffer.
key_advance:
        inc     bx
        inc     bx
        cmp     bx, [KB_BUF_END]
        jb      .done
        mov     bx, [KB_BUF_START]
.done:
        ret

; A short click of the speaker, 1 kHz for 30 ms.
beep:
        push    ax
        push    cx
        in      al, PORT_B
        push    ax
        or      al, 3
        out     PORT_B, al
        mov     cx, 2000
        call    delay_refresh
        pop     ax
        out     PORT_B, al
        pop     cx
        pop     ax
        ret

; Shows the lock states on the keyboard when they have changed. Bit 6 of the flags guards against
; entering twice. The replies are polled with interrupts off.
leds_update:
        pushf
        cli
        push    ax
        mov     al, [KB_FLAGS1]
        shr     al, 4
        and     al, 7
        mov     ah, [KB_FLAGS4]
        xor     ah, al
        test    ah, 0x07
        jz      .done
        test    byte [KB_FLAGS4], 0x40
        jnz     .done
        mov     ah, al
        in      al, KBC_CTL             ; a key that waits goes first; the next call catches up
        test    al, KBC_OBF
        jnz     .done
        or      byte [KB_FLAGS4], 0x40
        and     byte [KB_FLAGS4], 0xF8
        or      [KB_FLAGS4], ah
        mov     al, 0xED
        call    keyboard_send
        jc      .failed
        mov     al, [KB_FLAGS4]
        and     al, 7
        call    keyboard_send
.failed:
        and     byte [KB_FLAGS4], ~0x40
.done:
        pop     ax
        popf
        ret

; ---------------------------------------------------------------- INT 16h
int16_handler:
        SERVICE
        sti
        mov     cl, ah
        cmp     ah, 0x00
        je      .read
        cmp     ah, 0x10
        je      .read
        cmp     ah, 0x01
        je      .look
        cmp     ah, 0x11
        je      .look
        cmp     ah, 0x02
        je      .shift
        cmp     ah, 0x12
        je      .shift_ext
        cmp     ah, 0x03
        je      .typematic
        cmp     ah, 0x05
        je      .push
        cmp     ah, 0x09
        je      .abilities
        cmp     ah, 0x0A
        je      .identity
        SERVICE_END
.read:
        call    leds_update
        mov     bx, [KB_HEAD]
        cmp     bx, [KB_TAIL]
        jne     .take
        mov     ax, 0x9002
        int     0x15
.wait:
        cli
        mov     bx, [KB_HEAD]
        cmp     bx, [KB_TAIL]
        jne     .take
        call    idle
        jmp     .wait
.take:
        cli
        mov     bx, [KB_HEAD]
        mov     ax, [bx]
        call    key_advance
        mov     [KB_HEAD], bx
        sti
        call    key_translate
        jc      .read
        mov     [r_ax], ax
        SERVICE_END
.look:
        INTERRUPTS_ON                   ; loops on this function must not lock out the keyboard
        call    leds_update
        cli
        mov     bx, [KB_HEAD]
        cmp     bx, [KB_TAIL]
        je      .empty
        mov     ax, [bx]
        call    key_translate
        jc      .drop
        mov     [r_ax], ax
        and     byte [r_flags], ~FLAG_ZF
        SERVICE_END
.drop:
        call    key_advance
        mov     [KB_HEAD], bx
        jmp     .look
.empty:
        or      byte [r_flags], FLAG_ZF
        call    poll_idle
        SERVICE_END
.shift:
        mov     al, [KB_FLAGS1]
        mov     [r_al], al
        SERVICE_END
.shift_ext:
        mov     al, [KB_FLAGS1]
        mov     [r_al], al
        mov     al, [KB_FLAGS2]
        mov     ah, al
        and     ax, 0x7304              ; AH: locks held, left keys; AL: SysReq
        shl     al, 5
        or      ah, al
        mov     al, [KB_FLAGS3]
        and     al, 0x0C
        or      ah, al
        mov     [r_ah], ah
        SERVICE_END
.typematic:
        cmp     al, 0x05
        jne     .done
        cmp     bh, 3
        ja      .done
        cmp     bl, 0x1F
        ja      .done
        cli
        mov     al, 0xF3
        call    keyboard_send
        jc      .done
        mov     al, [r_bh]
        shl     al, 5
        or      al, [r_bl]
        call    keyboard_send
.done:
        SERVICE_END
.push:
        mov     ax, [r_cx]
        mov     bx, [KB_TAIL]
        mov     si, bx
        cli
        call    key_advance
        mov     cl, 1
        cmp     bx, [KB_HEAD]
        je      .pushed
        mov     [si], ax
        mov     [KB_TAIL], bx
        dec     cl
.pushed:
        mov     [r_al], cl
        SERVICE_END
.abilities:
        mov     byte [r_al], 0x30       ; 0Ah and 10h-12h exist, typematic by AL = 5 only
        SERVICE_END
.identity:
        mov     word [r_bx], 0x41AB     ; an enhanced keyboard behind a translating controller
        SERVICE_END

; A program that does nothing but look for a key again and again sleeps until the next interrupt. It is known by this:
; 256 times in a row it comes with the same registers on the same stack, and exactly as many processor clocks after
; it left as the time before; so few that nothing else fits in between. Whoever computes, counts or waits for a device
; in his loop does not keep that up. Comes with interrupts off. Changes EAX, EBX, ECX, EDX, SI.
POLL_CLOCKS     equ 8192
poll_idle:
        test    byte [fs:ebda.chips], HAVE_TSC
        jz      .return
        smsw    ax
        test    al, 1                   ; RDTSC may be refused in V86 mode
        jnz     .return
        xor     ebx, ebx
        mov     si, 40                  ; everything from r_di to r_flags
.hash:
        rol     ebx, 3
        xor     ebx, [bp + si]
        sub     si, 4
        jns     .hash
        call    clocks
        mov     ecx, eax
        sub     ecx, [fs:ebda.poll_tsc]
        cmp     ebx, [fs:ebda.poll_hash]
        jne     .other
        cmp     ecx, [fs:ebda.poll_delta]
        jne     .other
        cmp     ecx, POLL_CLOCKS
        jae     .other
        inc     byte [fs:ebda.poll_count]
        jnz     .end
        dec     byte [fs:ebda.poll_count]
        call    idle
.end:
        call    clocks
        mov     [fs:ebda.poll_tsc], eax
.return:
        ret
.other:
        mov     [fs:ebda.poll_hash], ebx
        mov     [fs:ebda.poll_delta], ecx
        mov     byte [fs:ebda.poll_count], 0
        jmp     .end

clocks:                                 ; EAX = time stamp; changes EDX
        db      0x0F, 0x31              ; RDTSC, which the 386 of this file has not
        ret

; AX = buffer word, CL = function; AX = what the caller gets. CF = a key this function can't show.
key_translate:
        test    cl, 0x10
        jnz     .enhanced
        cmp     ah, 0xE0
        je      .grey_pair
        cmp     ah, 0x84
        ja      .refuse
        test    ah, ah
        jz      .done
        cmp     al, 0xF0
        je      .refuse
        cmp     al, 0xE0
        jne     .done
        xor     al, al
        ret
.grey_pair:                             ; Enter and / of the keypad look like the main ones
        mov     ah, 0x35
        cmp     al, 0x2F
        je      .done
        mov     ah, 0x1C
        ret
.enhanced:
        cmp     al, 0xF0
        jne     .done
        test    ah, ah
        jz      .done
        xor     al, al
.done:
        clc
        ret
.refuse:
        stc
        ret

; ---------------------------------------------------------------- tables
keypad_digits:                          ; 47h-53h; FFh nothing, 4Ah and 4Eh: own scan code
        db      7, 8, 9, 0x4A, 4, 5, 6, 0x4E, 1, 2, 3, 0, 0xFF

; One letter: scan code, small letter.
%macro LETTER 2
        dw      (%1 << 8) | %2, (%1 << 8) | (%2 - 0x20), (%1 << 8) | (%2 & 0x1F), %1 << 8
%endmacro
%macro KEY 4
        dw      %1, %2, %3, %4
%endmacro
; Plain, shift, Ctrl, Alt; 0 = no code.
key_table:
        KEY     0x0000, 0x0000, 0x0000, 0x0000
        KEY     0x011B, 0x011B, 0x011B, 0x01F0
        KEY     0x0231, 0x0221, 0x0000, 0x7800
        KEY     0x0332, 0x0340, 0x0300, 0x7900
        KEY     0x0433, 0x0423, 0x0000, 0x7A00
        KEY     0x0534, 0x0524, 0x0000, 0x7B00
        KEY     0x0635, 0x0625, 0x0000, 0x7C00
        KEY     0x0736, 0x075E, 0x071E, 0x7D00
        KEY     0x0837, 0x0826, 0x0000, 0x7E00
        KEY     0x0938, 0x092A, 0x0000, 0x7F00
        KEY     0x0A39, 0x0A28, 0x0000, 0x8000
        KEY     0x0B30, 0x0B29, 0x0000, 0x8100
        KEY     0x0C2D, 0x0C5F, 0x0C1F, 0x8200
        KEY     0x0D3D, 0x0D2B, 0x0000, 0x8300
        KEY     0x0E08, 0x0E08, 0x0E7F, 0x0EF0
        KEY     0x0F09, 0x0F00, 0x9400, 0xA500
        LETTER  0x10, 'q'
        LETTER  0x11, 'w'
        LETTER  0x12, 'e'
        LETTER  0x13, 'r'
        LETTER  0x14, 't'
        LETTER  0x15, 'y'
        LETTER  0x16, 'u'
        LETTER  0x17, 'i'
        LETTER  0x18, 'o'
        LETTER  0x19, 'p'
        KEY     0x1A5B, 0x1A7B, 0x1A1B, 0x1AF0
        KEY     0x1B5D, 0x1B7D, 0x1B1D, 0x1BF0
        KEY     0x1C0D, 0x1C0D, 0x1C0A, 0x1CF0
        KEY     0x0000, 0x0000, 0x0000, 0x0000
        LETTER  0x1E, 'a'
        LETTER  0x1F, 's'
        LETTER  0x20, 'd'
        LETTER  0x21, 'f'
        LETTER  0x22, 'g'
        LETTER  0x23, 'h'
        LETTER  0x24, 'j'
        LETTER  0x25, 'k'
        LETTER  0x26, 'l'
        KEY     0x273B, 0x273A, 0x0000, 0x27F0
        KEY     0x2827, 0x2822, 0x0000, 0x28F0
        KEY     0x2960, 0x297E, 0x0000, 0x29F0
        KEY     0x0000, 0x0000, 0x0000, 0x0000
        KEY     0x2B5C, 0x2B7C, 0x2B1C, 0x2BF0
        LETTER  0x2C, 'z'
        LETTER  0x2D, 'x'
        LETTER  0x2E, 'c'
        LETTER  0x2F, 'v'
        LETTER  0x30, 'b'
        LETTER  0x31, 'n'
        LETTER  0x32, 'm'
        KEY     0x332C, 0x333C, 0x0000, 0x33F0
        KEY     0x342E, 0x343E, 0x0000, 0x34F0
        KEY     0x352F, 0x353F, 0x0000, 0x35F0
        KEY     0x0000, 0x0000, 0x0000, 0x0000
        KEY     0x372A, 0x372A, 0x9600, 0x37F0
        KEY     0x0000, 0x0000, 0x0000, 0x0000
        KEY     0x3920, 0x3920, 0x3920, 0x3920
        KEY     0x0000, 0x0000, 0x0000, 0x0000
%assign f 0
%rep 10
        KEY     (0x3B + f) << 8, (0x54 + f) << 8, (0x5E + f) << 8, (0x68 + f) << 8
%assign f f + 1
%endrep
        KEY     0x0000, 0x0000, 0x0000, 0x0000
        KEY     0x0000, 0x0000, 0x0000, 0x0000
        KEY     0x4700, 0x4737, 0x7700, 0x0000
        KEY     0x4800, 0x4838, 0x8D00, 0x0000
        KEY     0x4900, 0x4939, 0x8400, 0x0000
        KEY     0x4A2D, 0x4A2D, 0x8E00, 0x4AF0
        KEY     0x4B00, 0x4B34, 0x7300, 0x0000
        KEY     0x4CF0, 0x4C35, 0x8F00, 0x0000
        KEY     0x4D00, 0x4D36, 0x7400, 0x0000
        KEY     0x4E2B, 0x4E2B, 0x9000, 0x4EF0
        KEY     0x4F00, 0x4F31, 0x7500, 0x0000
        KEY     0x5000, 0x5032, 0x9100, 0x0000
        KEY     0x5100, 0x5133, 0x7600, 0x0000
        KEY     0x5200, 0x5230, 0x9200, 0x0000
        KEY     0x5300, 0x532E, 0x9300, 0x0000
        KEY     0x0000, 0x0000, 0x0000, 0x0000
        KEY     0x0000, 0x0000, 0x0000, 0x0000
        KEY     0x565C, 0x567C, 0x0000, 0x0000
        KEY     0x8500, 0x8700, 0x8900, 0x8B00
        KEY     0x8600, 0x8800, 0x8A00, 0x8C00

; Keys with an E0 prefix: code, then plain (also with shift), Ctrl, Alt.
%macro GREY 4
        db      %1
        dw      %2, %3, %4
%endmacro
grey_table:
        GREY    0x1C, 0xE00D, 0xE00A, 0xA600
        GREY    0x35, 0xE02F, 0x9500, 0xA400
        GREY    0x47, 0x47E0, 0x77E0, 0x9700
        GREY    0x48, 0x48E0, 0x8DE0, 0x9800
        GREY    0x49, 0x49E0, 0x84E0, 0x9900
        GREY    0x4B, 0x4BE0, 0x73E0, 0x9B00
        GREY    0x4D, 0x4DE0, 0x74E0, 0x9D00
        GREY    0x4F, 0x4FE0, 0x75E0, 0x9F00
        GREY    0x50, 0x50E0, 0x91E0, 0xA000
        GREY    0x51, 0x51E0, 0x76E0, 0xA100
        GREY    0x52, 0x52E0, 0x92E0, 0xA200
        GREY    0x53, 0x53E0, 0x93E0, 0xA300
        db      0
