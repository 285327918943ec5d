; Option ROM of the direct kernel boot (-kernel).
;
; The firmware finds it as any other option ROM.  Its entry hooks INT 19h; when the firmware is ready to boot, the
; hook asks the machine (port 5E0h, devices/loader.c) to put the kernel into memory and jumps into it:
; Linux in real mode (boot protocol 2.x), multiboot in flat 32-bit protected mode.
;
; A multiboot kernel may come to lie anywhere below 640 KB, so on the stack, too: the ROM is in protected mode
; and done with memory before it asks for it.

        bits 16
        org 0

PORT    equ 0x5e0
ASK_KIND equ 1
LOAD    equ 0
KIND_LINUX equ 1

        db 0x55, 0xaa
        db 1                            ; length in 512-byte units
        jmp short init
        times 0x18 - ($ - $$) db 0
        dw 0, 0                         ; no PCI data, no PnP header

init:
        push ax
        push ds
        xor ax, ax
        mov ds, ax
        mov word [0x19 * 4], boot
        mov [0x19 * 4 + 2], cs
        pop ds
        pop ax
        retf

boot:
        cli
        cld
        in al, 0x92                     ; A20 on, by the fast gate
        or al, 2
        and al, 0xfe
        out 0x92, al
        mov dx, PORT
        mov eax, ASK_KIND
        out dx, eax
        in eax, dx
        cmp al, KIND_LINUX
        jne multiboot

        mov eax, LOAD
        out dx, eax
        in eax, dx
        in eax, dx                      ; segment of the real-mode part
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        mov sp, 0xfff0
        add ax, 0x20
        push ax
        push word 0
        xor eax, eax
        xor ebx, ebx
        xor ecx, ecx
        xor edx, edx
        xor esi, esi
        xor edi, edi
        xor ebp, ebp
        sti
        retf

multiboot:
        push cs
        pop ds
        xor eax, eax
        mov ax, cs                      ; linear address of this ROM
        shl eax, 4
        mov ebx, eax
        ; The ROM may be read-only: the descriptor-table pointer is built on the stack.
        lea eax, [ebx + gdt]
        push eax
        push word gdt_end - gdt - 1
        mov bp, sp
        o32 lgdt [bp]
        lea eax, [ebx + flat]
        push dword 8
        push eax
        mov bp, sp
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp far dword [bp]

        bits 32
flat:
        mov ax, 16
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        mov edx, PORT
        mov eax, LOAD
        out dx, eax
        in eax, dx
        in eax, dx
        mov ecx, eax                    ; entry
        in eax, dx
        mov ebx, eax                    ; information structure; the loader keeps room for a stack below
        mov esp, eax
        mov eax, 0x2badb002
        xor edx, edx
        xor esi, esi
        xor edi, edi
        xor ebp, ebp
        jmp ecx

        align 8
gdt:    dq 0
        dq 0x00cf9a000000ffff           ; code, base 0, 4 GB
        dq 0x00cf92000000ffff           ; data
gdt_end:

        times 511 - ($ - $$) db 0
        db 0                            ; checksum: put in by romsum
