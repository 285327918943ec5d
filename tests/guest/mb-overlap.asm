; A multiboot kernel whose image covers BASE..END-1 of base memory, with 64 KB of zeros behind it when BSS is
; given.  Whatever a boot loader leaves for it (information structure, strings, module, memory map) must lie
; elsewhere, and nothing may have run over it.  Checks that every dword of its table still holds its own
; address, then writes PASS or FAIL to port E9h and leaves through isa-debug-exit (F4h: 0 or 1).
;   nasm -f bin -dBASE=0x8000 -dEND=0xe000 -o mb-overlap.bin tests/guest/mb-overlap.asm
        bits 32
        org BASE
%ifdef BSS
LAST    equ END + 0x10000
%else
LAST    equ END
%endif
start:  jmp short code
        align 4
hdr:    dd 0x1badb002, 0x00010003, -(0x1badb002 + 0x00010003)
        dd hdr, BASE, END, LAST, start

code:   cmp eax, 0x2badb002
        jne bad
        cld
        push eax                        ; a kernel may use the stack that it was given
        pop eax
        mov esi, table
.word:  cmp [esi], esi
        jne bad
        add esi, 4
        cmp esi, END
        jb .word
.zero:  cmp esi, LAST
        jae .info
        cmp dword [esi], 0
        jne bad
        add esi, 4
        jmp .zero

.info:  mov eax, ebx
        lea edx, [ebx + 116]
        call outside
        mov eax, [ebx + 16]             ; command line: "words"
        lea edx, [eax + 6]
        call outside
        cmp dword [eax], 'word'
        jne bad
        mov eax, [ebx + 64]
        lea edx, [eax + 6]
        call outside
        mov eax, [ebx + 48]
        mov edx, [ebx + 44]
        add edx, eax
        call outside
        cmp dword [ebx + 20], 1         ; one module: "module"
        jne bad
        mov ecx, [ebx + 24]
        mov eax, ecx
        lea edx, [eax + 16]
        call outside
        mov eax, [ecx]
        mov edx, [ecx + 4]
        call outside
        cmp dword [eax], 'modu'
        jne bad
        test eax, 0xfff
        jnz bad
        mov esi, pass
        xor ecx, ecx
        jmp say
bad:    mov esi, fail
        mov ecx, 1
say:    mov dx, 0xe9
.next:  lodsb
        or al, al
        jz .end
        out dx, al
        jmp .next
.end:   mov eax, ecx
        mov dx, 0xf4
        out dx, eax
        hlt

; EAX..EDX-1 outside of the image.
outside:
        cmp edx, BASE
        jbe .good
        cmp eax, LAST
        jb bad
.good:  ret

pass:   db 'PASS', 10, 0
fail:   db 'FAIL: something lies in the image', 10, 0
        times 512 - ($ - $$) db 0
table:
%rep (END - BASE - 512) / 4
        dd $
%endrep
