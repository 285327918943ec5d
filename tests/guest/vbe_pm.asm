; Boot sector that calls the protected-mode interface of the VGA BIOS (VBE 4F0Ah): in mode 103h
; (800x600x8, linear) from 32-bit code the window, the display start and a palette entry are set by
; a copy of the BIOS's code at 20000h. Leaves through port 501h, with 7 when a call fails.
; vbe_pm.inc: nasm -f bin -o vbe_pm.bin vbe_pm.asm, then its bytes.

        bits    16
        org     7C00h
TABLE   equ     20000h

        cli
        xor     ax, ax
        mov     ds, ax
        mov     ss, ax
        mov     sp, 7000h
        mov     ax, 4F02h
        mov     bx, 4103h
        int     10h
        cmp     ax, 4Fh
        jne     bad
        mov     ax, 4F06h               ; lines of 1024 pixels
        mov     bl, 0
        mov     cx, 1024
        int     10h
        cmp     ax, 4Fh
        jne     bad
        mov     ax, 4F0Ah
        mov     bl, 0
        int     10h
        cmp     ax, 4Fh
        jne     bad
        push    es                      ; copies ES:DI, CX bytes
        pop     ds
        mov     si, di
        mov     ax, TABLE >> 4
        mov     es, ax
        xor     di, di
        cld
        rep     movsb
        xor     ax, ax
        mov     ds, ax
        cli
        lgdt    [gdtr]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     8:flat
bad:    mov     al, 7
        mov     dx, 501h
        out     dx, al
        hlt

        bits    32
flat:   mov     ax, 10h
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     esp, 7000h
        mov     ebp, TABLE
        mov     ax, 4F05h               ; window A at bank 3
        xor     ebx, ebx
        mov     edx, 3
        movzx   edi, word [ebp]
        add     edi, ebp
        call    edi
        cmp     ax, 4Fh
        jne     wrong
        mov     ax, 4F07h               ; pixel 40 of line 25: (25 * 1024 + 40) / 4
        xor     ebx, ebx
        mov     ecx, (25 * 1024 + 40) / 4
        xor     edx, edx
        movzx   edi, word [ebp + 2]
        add     edi, ebp
        call    edi
        cmp     ax, 4Fh
        jne     wrong
        mov     ax, 4F09h               ; colour 200, and the one behind it
        xor     ebx, ebx
        mov     ecx, 2
        mov     edx, 200
        mov     edi, colours
        movzx   esi, word [ebp + 4]
        add     esi, ebp
        call    esi
        cmp     ax, 4Fh
        jne     wrong
        mov     al, 1
        jmp     leave_
wrong:  mov     al, 7
leave_: mov     dx, 501h
        out     dx, al
        hlt

colours:
        db      3, 2, 1, 0, 6, 5, 4, 0  ; blue, green, red
        align   4
gdt:    dq      0
        dq      00CF9B000000FFFFh
        dq      00CF93000000FFFFh
gdtr:   dw      23
        dd      gdt
        times   510 - ($ - $$) db 0
        dw      0AA55h
