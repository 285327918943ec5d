; A raw ROM of SIZE bytes that uses the interfaces of CPU test suites: POST codes on ports 80h and
; 190h, text on port E9h, and an end through port 8900h or (with EXIT) isa-debug-exit.
; Its first and last bytes are read through all the places where such a ROM has to be.
cpu 386
org 0
times SIZE-0x10000 db 'L'       ; what precedes the segment F000h
segment_f:
    db 'S'
align 16
main:
    cli
    mov al, 0x12
    out 0x80, al
    mov dx, 0x190
    mov eax, 0xdeadbeef
    out dx, eax
    mov al, 'O'
    out 0xe9, al
    mov al, 'K'
    out 0xe9, al
    xor bx, bx
    mov ax, 0xf000              ; below 1 MB
    mov ds, ax
    mov al, [0]
    out 0xe9, al
    mov al, [0xffff]
    out 0xe9, al
    mov ax, 0x10000 - SIZE / 16
    mov ds, ax
    mov al, [0]
    out 0xe9, al
    mov ax, cs                  ; below 4 GB
    mov ds, ax
    o32 lgdt [gdtr - segment_f]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp short .pe
.pe:
    mov bx, 8
    mov ds, bx
    dec al
    mov cr0, eax
    mov ebx, -SIZE
    mov al, [ebx]
    out 0xe9, al
    mov al, [dword 0xffffffff]
    out 0xe9, al
    mov al, 0x34
    out 0x80, al
%ifdef EXIT
    mov al, EXIT
    out 0xf4, al
%endif
    mov dx, 0x8900
    mov si, bye - segment_f
.bye:
    mov al, [cs:si]
    out dx, al
    inc si
    test al, al
    jnz .bye
    hlt
bye: db "Shutdown", 0
align 8
gdt: dq 0, 0x008f92000000ffff   ; data, base 0, 4 GB
gdtr: dw 15
    dd 0xffff0000 + (gdt - segment_f)
times SIZE-16-($-$$) db 0x90
reset:
    jmp 0xf000:main - segment_f
times SIZE-1-($-$$) db 0
    db 'E'
