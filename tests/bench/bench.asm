; Kernels of `make bench`: a floppy that boots, switches to 32-bit protected mode with paging and runs one small
; program after the other.  Each prints "S name count" on COM1 before and "E name checksum" behind; bench.c takes the
; time.  nasm -f bin; the image is padded to 1.44 MB.
;
; A kernel gets its number of rounds in ECX and returns a checksum in EAX; ESP and EBP are to be kept.

%define CODE 0x10000
%define SECTORS 40
%define DIRECTORY 0x100000
%define TABLES 0x101000
%define DATA 0x200000
%define GENERATED 0x300000
%define REMAP 0x500000          ; linear page that `paging` maps anew
%define STACK0 0x90000
%define STACK3 0x88000

        org 0x7c00
        bits 16
boot:   cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        mov [drive], dl
        sti
        mov ax, CODE >> 4
        mov es, ax
        mov si, 1               ; sector of the image, counted from 0
.next:  mov ax, si
        xor dx, dx
        mov bx, 18
        div bx                  ; ax: track, dx: sector - 1
        mov cl, dl
        inc cl
        mov dh, al
        and dh, 1
        shr ax, 1
        mov ch, al
        mov dl, [drive]
        xor bx, bx
        mov ax, 0x0201
        int 0x13
        jc .next
        mov ax, es
        add ax, 32
        mov es, ax
        inc si
        cmp si, SECTORS + 1
        jne .next
        mov ax, 0x12            ; 640x480, four planes
        int 0x10
        cli
        in al, 0x92
        or al, 2
        out 0x92, al
        lgdt [gdtr]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 8:start
drive   db 0
gdtr    dw 6 * 8 - 1
        dd gdt
        times 510 - ($ - $$) db 0
        dw 0xaa55

        section program vstart=CODE align=512
        bits 32
        align 8
gdt     dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00cffa000000ffff, 0x00cff2000000ffff
        dw 103, tss - $$, 0x8901, 0 ; base CODE + offset: see the program's start
idtr    dw 256 * 8 - 1
        dd idt

start:  mov ax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, STACK0
        cld
        mov al, 0xff            ; no interrupts but our own
        out 0x21, al
        out 0xa1, al
        ; 16 MB mapped 1:1, for user code too
        mov edi, DIRECTORY
        mov eax, TABLES + 7
        mov ecx, 4
.dir:   stosd
        add eax, 0x1000
        loop .dir
        mov edi, TABLES
        mov eax, 7
        mov ecx, 4096
.table: stosd
        add eax, 0x1000
        loop .table
        mov eax, DIRECTORY
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov dword [tss + 4], STACK0 - 4096
        mov dword [tss + 8], 0x10
        mov ax, 0x28
        ltr ax
        mov eax, gate
        mov ebx, 0x30
        call set_gate
        mov eax, leave_user
        mov ebx, 0x31
        call set_gate
        lidt [idtr]
        mov edx, 0x3fb          ; 115200 baud, 8 data bits, no interrupts
        mov al, 0x80
        out dx, al
        mov dl, 0xf8
        mov al, 1
        out dx, al
        inc edx
        xor al, al
        out dx, al
        mov dl, 0xfb
        mov al, 3
        out dx, al
        mov dl, 0xf9
        xor al, al
        out dx, al
        fninit
        mov eax, cr4
        or eax, 0x200
        mov cr4, eax
        mov ebp, list
.kernel:
        mov esi, ebp
        add esi, 8
        mov bl, 'S'
        call line
        mov eax, [ebp + 4]
        call hex
        mov al, 10
        call putc
        push ebp
        mov ecx, [ebp + 4]
        call [ebp]
        pop ebp
        push eax
        mov esi, ebp
        add esi, 8
        mov bl, 'E'
        call line
        pop eax
        call hex
        mov al, 10
        call putc
        add ebp, 16
        cmp dword [ebp], 0
        jne .kernel
        mov esi, done
        call puts
        cli
.halt:  hlt
        jmp .halt

; vector EBX, handler EAX, from ring 3
set_gate:
        lea edi, [idt + ebx * 8]
        mov [edi], ax
        mov word [edi + 2], 8
        mov word [edi + 4], 0xee00
        shr eax, 16
        mov [edi + 6], ax
        ret

line:   mov al, bl
        call putc
        mov al, ' '
        call putc
        call puts
        mov al, ' '
        ; fall through
putc:   push edx
        push eax
        mov edx, 0x3fd
.wait:  in al, dx
        test al, 0x20
        jz .wait
        pop eax
        mov edx, 0x3f8
        out dx, al
        pop edx
        ret
puts:   lodsb
        test al, al
        jz .end
        call putc
        jmp puts
.end:   ret
hex:    mov ecx, 8
        mov edx, eax
.digit: rol edx, 4
        mov al, dl
        and al, 15
        add al, '0'
        cmp al, '9'
        jbe .put
        add al, 'a' - '9' - 1
.put:   call putc
        loop .digit
        ret

; --- integer ---

; xorshift and a few additions
alu:    mov eax, 0x12345678
        xor ebx, ebx
.l:     mov edx, eax
        shl edx, 13
        xor eax, edx
        mov edx, eax
        shr edx, 17
        xor eax, edx
        lea ebx, [ebx + eax * 2 + 3]
        rol ebx, 5
        sub edx, ebx
        adc ebx, edx
        dec ecx
        jnz .l
        add eax, ebx
        ret

; Takeuchi's function: calls, branches, the stack
calls:  mov esi, ecx
        xor edi, edi
.l:     push dword 4
        push dword 8
        push dword 12
        call tak
        add edi, eax
        dec esi
        jnz .l
        mov eax, edi
        ret
tak:    push ebp                ; tak(x, y, z); pops its arguments
        mov ebp, esp
        mov eax, [ebp + 12]
        cmp eax, [ebp + 8]
        jl .deep
        mov eax, [ebp + 16]
        pop ebp
        ret 12
.deep:  mov eax, [ebp + 8]
        push dword [ebp + 12]   ; z' = tak(z - 1, x, y)
        push eax
        mov ecx, [ebp + 16]
        dec ecx
        push ecx
        call tak
        push eax
        push dword [ebp + 8]    ; y' = tak(y - 1, z, x)
        push dword [ebp + 16]
        mov ecx, [ebp + 12]
        dec ecx
        push ecx
        call tak
        push eax
        push dword [ebp + 16]   ; x' = tak(x - 1, y, z)
        push dword [ebp + 12]
        mov ecx, [ebp + 8]
        dec ecx
        push ecx
        call tak
        push eax
        call tak
        pop ebp
        ret 12

; a list of 4096 nodes in an order that jumps about
chase:  push ecx
        xor eax, eax
        mov ecx, 4096
.fill:  lea edx, [eax + 1573]   ; odd: visits all
        and edx, 4095
        mov ebx, edx
        shl ebx, 5
        add ebx, DATA
        mov esi, eax
        shl esi, 5
        mov [DATA + esi], ebx
        mov [DATA + esi + 4], eax
        mov eax, edx
        loop .fill
        pop ecx
        mov esi, DATA
        xor eax, eax
.l:     add eax, [esi + 4]
        mov esi, [esi]
        dec ecx
        jnz .l
        ret

; 16 x 16 integer matrices
matrix: push ebp
        mov ebp, ecx
.again: xor esi, esi
.row:   xor edi, edi
.cell:  xor ecx, ecx
        xor ebx, ebx
.dot:   mov eax, esi
        shl eax, 4
        add eax, ecx
        mov eax, [DATA + eax * 4]
        mov edx, ecx
        shl edx, 4
        add edx, edi
        imul eax, [DATA + 1024 + edx * 4]
        add ebx, eax
        inc ecx
        cmp ecx, 16
        jb .dot
        mov eax, esi
        shl eax, 4
        add eax, edi
        mov [DATA + 2048 + eax * 4], ebx
        inc edi
        cmp edi, 16
        jb .cell
        inc esi
        cmp esi, 16
        jb .row
        dec ebp
        jnz .again
        mov eax, ebx
        pop ebp
        ret

; how often each byte value occurs, through 16-bit registers as well
counts: mov ebx, ecx
.again: mov esi, start
        mov ecx, 1024
.l:     movzx eax, byte [esi]
        inc word [DATA + eax * 2]
        add dl, al
        adc dh, 0
        inc esi
        dec ecx
        jnz .l
        dec ebx
        jnz .again
        movzx eax, dx
        ret

; a machine with eight instructions
bytes:  mov ebx, ecx
.again: mov esi, .text
        xor eax, eax
.fetch: movzx edx, byte [esi]
        inc esi
        jmp [.table + edx * 4]
.add:   add eax, 7
        jmp .fetch
.dbl:   add eax, eax
        jmp .fetch
.neg:   neg eax
        jmp .fetch
.shr:   shr eax, 1
        jmp .fetch
.xor:   xor eax, 0x55
        jmp .fetch
.inc:   inc eax
        jmp .fetch
.swap:  xchg al, ah
        jmp .fetch
.end:   dec ebx
        jnz .again
        ret
        align 4
.table  dd .add, .dbl, .neg, .shr, .xor, .inc, .swap, .end
.text   db 0, 1, 5, 4, 0, 6, 2, 3, 5, 1, 0, 0, 4, 3, 6, 5, 1, 2, 4, 0, 3, 5, 7

; --- floating point ---

; Horner's rule, five terms
horner: fld qword [.x]
.l:     fld qword [.c]
        fmul st1
        fadd qword [.c + 8]
        fmul st1
        fadd qword [.c + 16]
        fmul st1
        fadd qword [.c + 24]
        fstp qword [DATA]
        dec ecx
        jnz .l
        fstp st0
        mov eax, [DATA]
        ret
        align 8
.x      dq 0.8125731
.c      dq 0.0416573, 0.1666121, 0.4999874, 1.0000351

; dot products of doubles
vectors:
        mov ebx, ecx
        xorpd xmm0, xmm0
.again: mov ecx, 16
        mov esi, horner.c
.l:     movupd xmm1, [esi]
        movupd xmm2, [esi + 16]
        mulpd xmm1, xmm2
        addpd xmm0, xmm1
        dec ecx
        jnz .l
        dec ebx
        jnz .again
        movd eax, xmm0
        ret

; --- memory in bulk ---

strings:
        mov ebx, ecx
.again: mov esi, CODE
        mov edi, DATA
        mov ecx, 1500
        rep movsd
        mov edi, DATA + 8192 + 3
        mov ecx, 1000
        mov eax, ebx
        rep stosw
        mov edi, DATA
        mov al, 0xee
        mov ecx, 500
        repne scasb
        mov esi, CODE
        mov edi, DATA
        mov ecx, 800
        repe cmpsb
        dec ebx
        jnz .again
        mov eax, ecx
        ret

; --- the system ---

; ring 3 and back
rings:  mov [.esp], esp
        mov ax, 0x23
        mov ds, ax
        mov es, ax
        push dword 0x23
        push dword STACK3
        push dword 2
        push dword 0x1b
        push dword .user
        iret
.user:  xor eax, eax
.l:     int 0x30
        add eax, 3
        dec ecx
        jnz .l
        int 0x31
.esp    dd 0
gate:   push ds
        push edx
        mov dx, 0x10
        mov ds, dx
        inc eax
        pop edx
        pop ds
        iret
leave_user:
        mov dx, 0x10
        mov ds, dx
        mov es, dx
        mov esp, [rings.esp]
        ret

; a page goes from frame to frame, and all translations are dropped at times
paging: xor eax, eax
        mov ebx, TABLES + (REMAP >> 12) * 4
.l:     mov edx, ecx
        and edx, 15
        shl edx, 12
        add edx, DATA + 7
        mov [ebx], edx
        invlpg [REMAP]
        add eax, [REMAP]
        inc dword [REMAP + 4]
        test ecx, 31
        jnz .on
        mov edx, cr3
        mov cr3, edx
.on:    dec ecx
        jnz .l
        ret

; the PIC's mask, the port of delays and the refresh bit
ports:  in al, 0x21
        out 0x80, al
        in al, 0x61
        add ebx, eax
        mov dx, 0x21
        in al, dx
        dec ecx
        jnz ports
        movzx eax, al
        ret

; a program writes programs: their length and their instructions differ
emit:   push ebp
        mov ebp, ecx
        xor ebx, ebx
.l:     mov edi, ebp
        and edi, 31
        shl edi, 7
        add edi, GENERATED
        mov esi, edi
        mov al, 0xb8            ; mov eax, n
        stosb
        mov eax, ebp
        stosd
        mov ecx, ebp
        shr ecx, 5
        and ecx, 7
        inc ecx
.more:  mov ax, 0xc083          ; alu eax, n
        mov edx, ebp
        add edx, ecx
        and edx, 7
        cmp edx, 3
        ja .op
        xor edx, edx
.op:    shl edx, 11
        or eax, edx
        stosw
        mov al, cl
        stosb
        loop .more
        mov al, 0xc3
        stosb
        mov ecx, 6
.run:   call esi
        add ebx, eax
        loop .run
        dec ebp
        jnz .l
        mov eax, ebx
        pop ebp
        ret

; a variable beside code, and code that is patched with a new branch target
beside: call .here
.here:  pop esi
        xor eax, eax
.l:     inc dword [esi + .var - .here]
        add eax, [esi + .var - .here]
        mov edx, ecx
        and edx, 1
        shl edx, 1
        mov [esi + .jump + 1 - .here], dl
.jump:  jmp short .a
.a:     inc eax
        nop
        dec ecx
        jnz .l
        ret
        align 128
.var    dd 0

; --- video memory ---

; lines with bit masks over what is there, 640x480 in 16 colours
planes: mov ebx, ecx
        mov edx, 0x3ce
        mov eax, 0x0205         ; write mode 2
        out dx, ax
        mov al, 8
        out dx, al
        inc edx
.again: mov edi, 0xa0000
        mov ecx, 800
        mov al, 0x81
.l:     out dx, al
        rol al, 1
        mov ah, [edi]
        mov [edi], cl
        add edi, 41
        dec ecx
        jnz .l
        dec ebx
        jnz .again
        movzx eax, ah
        ret

        align 16
%macro KERNEL 3
        dd %1, %2
%%name: db %3, 0
        times 8 - ($ - %%name) db 0
%endmacro
list:   KERNEL alu, 8000000, "alu"
        KERNEL calls, 300, "calls"
        KERNEL chase, 20000000, "chase"
        KERNEL matrix, 2500, "matrix"
        KERNEL counts, 12000, "counts"
        KERNEL bytes, 500000, "bytes"
        KERNEL horner, 3000000, "horner"
        KERNEL vectors, 400000, "vectors"
        KERNEL strings, 20000, "strings"
        KERNEL rings, 300000, "rings"
        KERNEL paging, 500000, "paging"
        KERNEL ports, 600000, "ports"
        KERNEL emit, 40000, "emit"
        KERNEL beside, 200000, "beside"
        KERNEL planes, 4000, "planes"
        dd 0
done    db "DONE", 10, 0
        align 16
tss     times 104 db 0
        align 16
idt     times 256 * 8 db 0
        times SECTORS * 512 - ($ - $$) db 0
        section rest align=512
        times 2880 * 512 - (SECTORS + 1) * 512 db 0
