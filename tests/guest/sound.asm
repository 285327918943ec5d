; Boot floppy that makes every kind of sound, half a second each with a pause of a tenth: 1000 Hz on
; the speaker, 440 Hz on the OPL3, 441 Hz by 8-bit auto-init DMA, and 630 Hz left and 315 Hz right by
; 16-bit auto-init DMA.  Each stage writes a letter to port E9h when it starts; interrupts are
; counted, and at the end the program says OK or BAD there and switches the machine off.
;
; nasm -f bin sound.asm -o sound.img; `sound.inc` holds the same bytes for t_audio.c.

        bits 16
        org 0x7c00

SB      equ 0x220
BUFFER  equ 0x1000                      ; segment: physical 10000h
HALF    equ 9                           ; ticks of 55 ms
TENTH   equ 2

start:
        cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        mov es, ax
        cld
        sti
        mov ax, 0x0203                  ; three more sectors
        mov cx, 0x0002
        xor dh, dh
        mov bx, 0x7e00
        int 0x13
        jc bad
        mov word [0x0d * 4], on_irq     ; IRQ 5
        mov word [0x0d * 4 + 2], 0
        in al, 0x21
        and al, 0xdf
        out 0x21, al
        call speaker
        call fm
        call pcm8
        call pcm16
        cmp byte [irqs8], 10            ; blocks of 45 and of 32 ms
        jb bad
        cmp byte [irqs16], 14
        jb bad
        mov si, text_ok
        jmp leave_it
bad:
        mov si, text_bad
leave_it:
        call say
        mov si, text_off
        mov dx, 0x8900
.next:
        lodsb
        out dx, al
        test al, al
        jnz .next
        cli
        hlt

; Waits CX clock ticks, counted from the next one.
ticks:
        mov ax, [0x46c]
.first:
        hlt
        cmp ax, [0x46c]
        je .first
        add cx, [0x46c]
.more:
        hlt
        cmp cx, [0x46c]
        jne .more
        ret

say:
        lodsb
        test al, al
        jz .end
        out 0xe9, al
        jmp say
.end:
        ret

; The interrupt of either stream: acknowledge what mixer register 82h names.
on_irq:
        push ax
        push dx
        mov dx, SB + 4
        mov al, 0x82
        out dx, al
        inc dx
        in al, dx
        test al, 1
        jz .wide
        inc byte [irqs8]
        mov dx, SB + 0x0e
        in al, dx
        jmp .done
.wide:
        inc byte [irqs16]
        mov dx, SB + 0x0f
        in al, dx
.done:
        mov al, 0x20
        out 0x20, al
        pop dx
        pop ax
        iret

text_ok:  db "OK", 10, 0
text_bad: db "BAD", 10, 0
text_off: db "Shutdown", 0
irqs8:    db 0
irqs16:   db 0

        times 510 - ($ - $$) db 0
        dw 0xaa55

speaker:
        mov al, 'S'
        out 0xe9, al
        mov al, 0xb6
        out 0x43, al
        mov ax, 1193
        out 0x42, al
        mov al, ah
        out 0x42, al
        in al, 0x61
        or al, 3
        out 0x61, al
        mov cx, HALF
        call ticks
        in al, 0x61
        and al, 0xfc
        out 0x61, al
        mov cx, TENTH
        jmp ticks

; Writes pairs of register and value at SI to the first array, up to a register 0.
fm_regs:
        mov dx, 0x388
        lodsb
        test al, al
        jz .end
        out dx, al
        lodsb
        inc dx
        out dx, al
        jmp fm_regs
.end:
        ret

fm:
        mov al, 'F'
        out 0xe9, al
        mov dx, 0x38a                   ; OPL3 mode
        mov al, 5
        out dx, al
        inc dx
        mov al, 1
        out dx, al
        mov si, note_on
        call fm_regs
        mov cx, HALF
        call ticks
        mov si, note_off
        call fm_regs
        mov cx, TENTH
        jmp ticks

note_on:
        db 0x20, 0x21, 0x23, 0x21, 0x40, 0x3f, 0x43, 0x00, 0x60, 0xf0, 0x63, 0xf0
        db 0x80, 0x0f, 0x83, 0x0f, 0xc0, 0x30, 0xa0, 0x44, 0xb0, 0x32, 0
note_off:
        db 0xb0, 0x12, 0

; A command byte in AL to the DSP.
dsp:
        push ax
        mov dx, SB + 0x0c
.busy:
        in al, dx
        test al, 0x80
        jnz .busy
        pop ax
        out dx, al
        ret

; CX bytes at SI.
dsp_bytes:
        lodsb
        call dsp
        loop dsp_bytes
        ret

dsp_reset:
        mov dx, SB + 6
        mov al, 1
        out dx, al
        mov cx, 100
.hold:
        in al, 0x80
        loop .hold
        xor al, al
        out dx, al
        mov dx, SB + 0x0e
.wait:
        in al, dx
        test al, 0x80
        jz .wait
        mov dx, SB + 0x0a
        in al, dx
        ret

; 2000 unsigned bytes, 25 high and 25 low; two blocks of 1000 at 22050 Hz on channel 1.
pcm8:
        mov al, '8'
        out 0xe9, al
        call dsp_reset
        mov ax, BUFFER
        mov es, ax
        xor di, di
        mov bx, 40
.period:
        mov al, 0xc0
        mov cx, 25
        rep stosb
        mov al, 0x40
        mov cx, 25
        rep stosb
        dec bx
        jnz .period
        mov al, 5
        out 0x0a, al
        out 0x0c, al
        mov al, 0x59                    ; auto-init, from memory, channel 1
        out 0x0b, al
        xor al, al
        out 0x02, al
        out 0x02, al
        mov ax, 1999
        out 0x03, al
        mov al, ah
        out 0x03, al
        mov al, 1
        out 0x83, al
        out 0x0a, al
        mov si, play8
        mov cx, 7
        call dsp_bytes
        mov cx, HALF
        call ticks
        mov al, 0xda                    ; ends with the block
        call dsp
        mov cx, TENTH
        call ticks
        jmp dsp_reset

play8:  db 0x41, 22050 >> 8, 22050 & 255, 0xc6, 0x00, 999 & 255, 999 >> 8

; 2800 frames of signed words, 35 and 70 frames to a half period; blocks of 1400 at 44100 Hz.
pcm16:
        mov al, 'W'
        out 0xe9, al
        mov ax, BUFFER
        mov es, ax
        xor di, di
        xor bx, bx                      ; frame
.frame:
        mov ax, bx
        mov cl, 35
        div cl                          ; half period in AL
        mov dx, 12000
        test al, 1
        jz .left
        neg dx
.left:
        mov cx, 12000
        test al, 2
        jz .right
        neg cx
.right:
        mov ax, dx
        stosw
        mov ax, cx
        stosw
        inc bx
        cmp bx, 2800
        jne .frame
        mov al, 5
        out 0xd4, al
        out 0xd8, al
        mov al, 0x59                    ; auto-init, from memory, channel 5
        out 0xd6, al
        xor al, al
        out 0xc4, al
        mov al, 0x80                    ; 10000h in words
        out 0xc4, al
        mov ax, 5599
        out 0xc6, al
        mov al, ah
        out 0xc6, al
        mov al, 1
        out 0x8b, al
        out 0xd4, al
        mov si, play16
        mov cx, 7
        call dsp_bytes
        mov cx, HALF
        call ticks
        mov al, 0xd9
        call dsp
        mov cx, TENTH
        call ticks
        jmp dsp_reset

play16: db 0x41, 44100 >> 8, 44100 & 255, 0xb6, 0x30, 2799 & 255, 2799 >> 8

        times 4 * 512 - ($ - $$) db 0
