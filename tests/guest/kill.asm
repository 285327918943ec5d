; Writes records to the primary master as a journal would, for ever: eight sectors by bus-master DMA, FLUSH
; CACHE, then the commit sector by PIO, FLUSH CACHE, then the number of the record as four bytes to port
; E9h. It goes on where the commit sector says. A ROM at F000:0000.
; Every doubleword of record N is N; it lies at 64 + (N - 1) % 256 * 8. The commit sector is sector 1.
; kill.inc: nasm -f bin -o kill.bin kill.asm, then its bytes.
bits 16
org 0
        cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 7000h
        cld
        mov     eax, 80000904h          ; IDE function: ports and bus mastering
        mov     ebx, 5
        call    config
        mov     eax, 80000920h
        mov     ebx, 0c001h
        call    config
        mov     eax, 80000940h          ; both channels decode
        mov     ebx, 80008000h
        call    config
        mov     dword [2000h], 4000h    ; descriptor: 4096 bytes at 4000h
        mov     dword [2004h], 80001000h
        mov     ebx, 1                  ; commit record
        mov     cx, 1
        mov     al, 20h
        call    command
        call    data
        mov     di, 3000h
        mov     cx, 256
        mov     dx, 1f0h
        rep     insw
        mov     ebp, [3000h]
next:   inc     ebp
        mov     di, 4000h
        mov     cx, 1024
        mov     eax, ebp
        rep     stosd
        movzx   ebx, bp
        dec     bl
        mov     bh, 0
        shl     bx, 3
        add     bx, 64
        mov     dx, 0c004h
        mov     eax, 2000h
        out     dx, eax
        mov     dl, 2
        mov     al, 6
        out     dx, al
        mov     cx, 8
        mov     al, 0cah                ; WRITE DMA
        call    command
        mov     dx, 0c000h
        mov     al, 1
        out     dx, al
        mov     dl, 2
.dma:   in      al, dx
        test    al, 4
        jz      .dma
        mov     dl, 0
        mov     al, 0
        out     dx, al
        call    flush
        mov     ebx, 1
        mov     cx, 1
        mov     al, 30h
        call    command
        call    data
        mov     si, 4000h
        mov     cx, 256
        mov     dx, 1f0h
        rep     outsw
        call    ready
        call    flush
        mov     eax, ebp
        mov     cx, 4
.log:   out     0e9h, al
        shr     eax, 8
        loop    .log
        jmp     next

config: mov     dx, 0cf8h
        out     dx, eax
        mov     dl, 0fch
        mov     eax, ebx
        out     dx, eax
        ret
; EBX = sector, CL = count, AL = command.
command:
        push    ax
        call    ready
        mov     dx, 1f2h
        mov     al, cl
        out     dx, al
        inc     dx
        mov     eax, ebx
        out     dx, al
        inc     dx
        mov     al, ah
        out     dx, al
        inc     dx
        shr     eax, 16
        out     dx, al
        inc     dx
        mov     al, 0e0h
        out     dx, al
        inc     dx
        pop     ax
        out     dx, al
        ret
ready:  mov     dx, 1f7h
.wait:  in      al, dx
        test    al, 80h
        jnz     .wait
        test    al, 21h
        jnz     fail
        ret
data:   call    ready
        test    al, 8
        jz      data
        ret
flush:  mov     dx, 1f6h
        mov     al, 0e0h
        out     dx, al
        inc     dx
        mov     al, 0e7h
        out     dx, al
        jmp     ready
fail:   mov     dx, 501h
        out     dx, al
        hlt
