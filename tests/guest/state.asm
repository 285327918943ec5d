; A boot floppy whose program is saved by one version and goes on in another: it writes a pattern to memory and, with a
; hard disk, to sector 5; then it waits for a key.  After the key it looks at what must still be there (memory, floppy,
; disk, clock) and says so on COM1.  tests/states/ holds what versions saved while it waited; see tests/run-states.sh.
;   nasm -f bin -o state.img tests/guest/state.asm
        bits 16
        org 0x7c00
PATTERN equ 0x2000                      ; segment of 32 KB of pattern
BUFFER  equ 0x8000

start:  cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        sti
        mov dx, 0x3fb
        mov al, 3
        out dx, al
        mov bx, 0x9000                  ; what POST left there would only make the state larger
.clear: mov es, bx
        xor di, di
        xor ax, ax
        mov cx, 0x7e00
        rep stosw
        sub bx, 0x1000
        jnz .clear
        mov ax, PATTERN
        mov es, ax
        xor di, di
        mov cx, 0x4000
.fill:  mov ax, di
        and ax, 0xff0f
        stosw
        loop .fill
        mov ax, 0x0301                  ; the floppy's second sector holds a word; the disk gets another
        call disk
        mov si, waiting
        call say
.key:   sti
        hlt
        mov ah, 1
        int 0x16
        jz .key
        mov ah, 0
        int 0x16
        call say_al

        mov ax, PATTERN
        mov es, ax
        xor di, di
        mov cx, 0x4000
.check: mov ax, di
        and ax, 0xff0f
        cmp [es:di], ax
        jne bad
        add di, 2
        loop .check
        mov si, memory
        call say

        xor ax, ax
        mov es, ax
        mov bx, BUFFER
        mov ax, 0x0201
        mov cx, 2
        mov dx, 0
        int 0x13
        jc bad
        mov si, BUFFER
        call say

        mov word [BUFFER], 0
        mov ax, 0x0201
        call disk
        mov si, BUFFER
        call say

        mov ah, 4                       ; the year of the clock
        int 0x1a
        jc bad
        mov al, ch
        call say_hex
        mov al, cl
        call say_hex
        mov si, done
        call say
        mov dx, 0xf4
        xor al, al
        out dx, al
        hlt
bad:    mov si, wrong
        call say
        mov dx, 0xf4
        mov al, 1
        out dx, al
        hlt

; AX = INT 13h function for sector 5 of the hard disk, when there is one.
disk:   cmp byte [0x475], 0
        je .none
        push ds
        pop es
        mov bx, ax
        cmp ah, 3
        mov ax, bx
        mov bx, BUFFER
        jne .go
        mov dword [BUFFER], 'disk'
        mov dword [BUFFER + 4], ' '
.go:    mov cx, 5
        mov dx, 0x80
        int 0x13
        jc bad
.none:  ret

say_hex:
        push ax
        shr al, 4
        call .digit
        pop ax
        and al, 15
.digit: add al, '0'
say_al: push dx
        push ax
        mov dx, 0x3fd
.wait:  in al, dx
        test al, 0x20
        jz .wait
        pop ax
        mov dx, 0x3f8
        out dx, al
        pop dx
        ret
say:    lodsb
        or al, al
        jz .end
        call say_al
        jmp say
.end:   ret

waiting db 'WAITING ', 0
memory  db ' memory ', 0
done    db ' STATE-GOES-ON', 13, 10, 0
wrong   db 'WRONG', 0
        times 510 - ($ - $$) db 0
        dw 0xaa55
        db 'floppy ', 0
        times 1474560 - ($ - $$) db 0
