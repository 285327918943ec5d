; text.asm - messages of POST and boot: INT 10h teletype and, always, the debug port 402h.
;
; Invariant: strings are in the F000 segment and end with a zero byte; all registers survive.

; CS:SI = string.
puts:
        pushad
.next:
        cs lodsb
        test    al, al
        jz      .done
        call    putc
        jmp     .next
.done:
        popad
        ret

; ES:SI = string in memory, CX = longest length.
puts_es:
        pushad
.next:
        jcxz    .done
        es lodsb
        test    al, al
        jz      .done
        call    putc
        dec     cx
        jmp     .next
.done:
        popad
        ret

putc:
        pushad
        mov     dx, DEBUG_PORT
        out     dx, al
        mov     ah, 0x0E
        mov     bx, 0x0007
        int     0x10
        popad
        ret

; EAX in decimal.
print_dec:
        pushad
        xor     cx, cx
        mov     ebx, 10
.digit:
        xor     edx, edx
        div     ebx
        push    dx
        inc     cx
        test    eax, eax
        jnz     .digit
.out:
        pop     ax
        add     al, '0'
        call    putc
        loop    .out
        popad
        ret

; AL as two hexadecimal digits.
print_hex8:
        push    ax
        shr     al, 4
        call    .digit
        pop     ax
        push    ax
        and     al, 0x0F
        call    .digit
        pop     ax
        ret
.digit:
        cmp     al, 10
        sbb     al, 0x69
        das
        jmp     putc
