; The 16-bit rows of `make bench`: a disk that boots and runs small programs of the kind that DOS, its drivers and 16-bit
; Windows consist of, each in real mode, in V86 mode with VME, in V86 mode under a monitor that reflects every INT, and in
; 16-bit protected mode at ring 3.  Prints "S mode.row" on COM1 before a row and "E mode.row checksum" behind it; bench.c
; takes the time.  nasm -f bin; an image of four cylinders with 16 heads and 63 sectors.
;
; All rows lie in one segment and run in it, whatever the mode: 1000h in real and V86 mode, and selector 1000h has the
; same base.  A row gets its number of rounds in CX and returns a checksum in AX; DS, SS and SP are to be kept.
; What depends on the mode is in variables: `data`, `alias`, `screen` and `overlay` are segments.
;
; All interrupt requests stay masked.

%define SEG 0x1000              ; the program, and the selector of its code
%define OVERLAY 0x1010          ; the same memory 100h further on
%define DATA 0x2000             ; a segment for data
%define STACK 0x4000
%define SECTORS 64

%define LINEAR (SEG << 4)
%define GDT 0x30000
%define IDT 0x33000
%define TSS 0x34000
%define DIRECTORY 0x38000
%define TABLE 0x39000
%define STACK0 0x3c000

%define SEL_CODE0 0x08          ; 32 bits, base of the program
%define SEL_DATA0 0x10
%define SEL_FLAT 0x18
%define SEL_TSS 0x20
%define SEL_BACK 0x28           ; 16 bits, ring 0: the way to real mode
%define SEL_BACKDATA 0x30
%define SEL_SELF (0x38 + 3)     ; ring 3: the program, data, the screen, the stack
%define SEL_DATA (0x40 + 3)
%define SEL_SCREEN (0x48 + 3)
%define SEL_STACK (0x50 + 3)
%define SEL_TEXT (0x58 + 3)
%define SEL_GATE 0x60           ; 16 bits, ring 0: a handler of INT 62h

%define REAL 1
%define VME 2
%define V86 4
%define PM16 8
%define SLOW 0x80               ; takes some emulators that translate code minutes: bench.c asks for fewer calls
%define DOS (REAL | VME | V86)
%define ALL (DOS | PM16)

        sectalign off
        bits 16
section boot vstart=0x7c00
        cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        mov [drive], dl
        sti
        mov ah, 8               ; sectors of a track, heads
        int 0x13
        jc .fail
        and cx, 63
        movzx di, dh
        inc di
        mov bp, cx
        mov ax, SEG
        mov es, ax
        mov si, 1
.next:  mov ax, si
        xor dx, dx
        div bp
        mov cl, dl
        inc cl
        xor dx, dx
        div di
        mov ch, al
        mov dh, dl
        mov dl, [drive]
        xor bx, bx
        mov ax, 0x0201
        int 0x13
        jc .fail
        mov ax, es
        add ax, 32
        mov es, ax
        inc si
        cmp si, SECTORS + 1
        jne .next
        mov dl, [drive]
        jmp SEG:start
.fail:  int 0x18
drive   db 0
        times 446 - ($ - $$) db 0
        db 0x80, 0, 1, 0, 6, 15, 63, 3          ; one partition: some BIOSes want a table
        dd 63, 4032 - 63
        times 510 - ($ - $$) db 0
        dw 0xaa55

section program vstart=0 align=512
start:  cli
        mov ax, cs
        mov ds, ax
        mov ax, STACK
        mov ss, ax
        mov sp, 0xfff0
        cld
        mov [disk], dl
        mov al, 0xff
        out 0x21, al
        out 0xa1, al
        call serial
        xor ax, ax
        mov es, ax
        mov di, 0x60 * 4        ; the handlers of the rows
        mov si, vectors
        mov cx, vectors_n
.ivt:   lodsw
        stosw
        mov ax, cs
        stosw
        loop .ivt
        call has_vme
        mov [vme], al
        sti
        mov byte [video], 0
        mov ax, 3
        int 0x10
        call modes
        mov byte [video], 1
        mov ax, 0x13
        int 0x10
        call modes
        mov byte [video], 2
        mov ax, 0x13
        int 0x10
        call mode_x
        call modes
        mov ax, 3
        int 0x10
        mov si, done
        call puts
        cli
.halt:  hlt
        jmp .halt

; All modes of the processor, with the rows of this display mode.
modes:  mov al, REAL
        mov [mode], al
        mov [name], word real
        mov [self], cs
        mov [data], word DATA
        mov [screen], word 0xa000
        mov [text], word 0xb800
        call rows
        mov [name], word v86
        mov byte [mode], V86
        call protected
        cmp byte [vme], 0
        je .pm
        mov [name], word vme86
        mov byte [mode], VME
        call protected
.pm:    mov [name], word pm16
        mov byte [mode], PM16
        mov [self], word SEL_SELF
        mov [data], word SEL_DATA
        mov [screen], word SEL_SCREEN
        mov [text], word SEL_TEXT
        call protected
        ret

; All rows of this mode and display.
rows:   mov di, list
.row:   mov al, [mode]
        test [di + 6], al
        jz .next
        mov al, [video]
        cmp [di + 7], al
        jne .next
        push di
        mov bl, 'S'
        call title
        mov al, 10
        call putc
        mov byte [first], 1
        mov ax, [di + 4]
        mov [left], ax
.again: mov cx, [di + 2]
        push di
        xor ax, ax
        mov bx, ax
        call [di]
        pop di
        cmp byte [first], 0
        je .on
        mov [sum], ax           ; of the first call: how many there are is the bench's to say
        mov byte [first], 0
.on:    dec word [left]
        jnz .again
        mov bl, 'E'
        call title
        mov al, ' '
        call putc
        call hex
        mov al, 10
        call putc
        pop di
.next:  add di, 16
        cmp word [di], 0
        jne .row
        ret

title:  mov al, bl
        call putc
        mov al, ' '
        call putc
        mov si, [name]
        call puts
        lea si, [di + 8]
puts:   lodsb
        test al, al
        jz .end
        call putc
        jmp puts
.end:   ret
putc:   mov ah, al
        mov dx, 0x3fd
.wait:  in al, dx
        test al, 0x20
        jz .wait
        mov al, ah
        mov dx, 0x3f8
        out dx, al
        ret
hex:    mov cx, 4
.digit: rol word [sum], 4
        mov al, [sum]
        and al, 15
        add al, '0'
        cmp al, '9'
        jbe .put
        add al, 'a' - '9' - 1
.put:   call putc
        loop .digit
        ret

serial: mov dx, 0x3fb           ; 115200 baud, 8 data bits, no interrupts
        mov al, 0x83
        out dx, al
        mov dl, 0xf8
        mov al, 1
        out dx, al
        inc dx
        xor al, al
        out dx, al
        mov dl, 0xfb
        mov al, 3
        out dx, al
        mov dl, 0xf9
        xor al, al
        out dx, al
        ret

; AL = 1: the processor says that it has VME
has_vme:
        pushfd
        pop eax
        mov ecx, eax
        xor eax, 1 << 21
        push eax
        popfd
        pushfd
        pop eax
        xor eax, ecx
        shr eax, 21
        and al, 1
        jz .no
        mov eax, 1
        cpuid
        mov al, dl
        shr al, 1
        and al, 1
.no:    ret

; mode 13h with its memory in four planes
mode_x: mov dx, 0x3c4
        mov ax, 0x0604
        out dx, ax
        mov dl, 0xd4
        mov ax, 0x0014
        out dx, ax
        mov ax, 0xe317
        out dx, ax
        ret

; --- transfers ---

handler:
        inc ax
        iret
chained:                        ; as a resident program: looks, and goes on
        cmp ah, 0xff
        je .mine
        jmp far [cs:old]
.mine:  iret
calling:                        ; calls the next one and comes back
        pushf
        call far [cs:old + 4]
        iret

int_iret:
        int 0x60
        int 0x60
        dec cx
        jnz int_iret
        ret
int_chain:
        mov dx, [self_code]
        mov [old + 2], dx
        mov [old + 6], dx
.l:     int 0x64
        dec cx
        jnz .l
        ret
int_monitor:                    ; V86: refused by the gate and reflected by what the opcode says; PM16: a ring change
        int 0x62
        dec cx
        jnz int_monitor
        ret

near_call:
        call .f
        call .g
        dec cx
        jnz near_call
        ret
.f:     inc ax
        ret
.g:     push cx
        call .f
        add ax, cx
        pop cx
        ret
near_indirect:
        mov si, near_call.f
.l:     call si
        call [.table]
        dec cx
        jnz .l
        ret
        align 64
.table  dw near_call.g
        align 64
far_call:
        call SEG:.f
        call OVERLAY:.g - 0x100
        dec cx
        jnz far_call
        ret
.f:     inc ax
        retf
.g:     add ax, cx
        retf
far_args:                       ; as compilers for large models do it
        push ax
        push cx
        call OVERLAY:.f - 0x100
        dec cx
        jnz far_args
        ret
.f:     push bp
        mov bp, sp
        mov ax, [bp + 6]
        add ax, [bp + 8]
        pop bp
        retf 4
far_indirect:
        mov dx, [self_code]
        mov [old + 10], dx
        mov word [old + 8], far_call.f
.l:     call far [old + 8]
        call far [old + 8]
        dec cx
        jnz .l
        ret
far_jump:
        jmp OVERLAY:.a - 0x100
.a:     inc ax
        jmp SEG:.b
.b:     dec cx
        jnz far_jump
        ret

; --- segment registers ---

mov_sreg:
        mov dx, [data]
        mov bx, ds
.l:     mov es, dx
        mov es, bx
        mov es, dx
        mov ax, es
        mov es, bx
        dec cx
        jnz .l
        xor ax, ax
        mov es, ax
        ret
mov_sreg_mem:                   ; as a large model reads its pointers
        mov es, [data]
        mov word [es:16], 5
.l:     mov es, [data]
        add ax, [es:16]
        mov es, [self]
        add ax, [es:three]
        dec cx
        jnz .l
        ret
pop_sreg:
        mov es, [data]
.l:     push es
        push ds
        pop es
        inc ax
        pop es
        dec cx
        jnz .l
        ret
save_sreg:                      ; the head and the end of every driver
        push ds
        push es
        push cs
        pop es
        mov ds, [es:data]
        inc ax
        pop es
        pop ds
        dec cx
        jnz save_sreg
        ret
les_bx: mov dx, [data]
        mov [pointer + 2], dx
        mov word [pointer], 32
        mov es, dx
        mov word [es:32], 7
.l:     les bx, [pointer]
        add ax, [es:bx]
        les di, [pointer]
        dec cx
        jnz .l
        ret
lds_si: mov dx, [data]
        mov [pointer + 2], dx
        mov word [pointer], 64
        mov es, dx
        mov word [es:64], 9
        mov dx, ds
        xor bx, bx
.l:     lds si, [pointer]
        lodsw
        add bx, ax
        mov ds, dx
        dec cx
        jnz .l
        mov ax, bx
        ret

; --- flags ---

pushf_popf:
        add ax, cx
        pushf
        popf
        pushf
        popf
        adc ax, 0
        dec cx
        jnz pushf_popf
        ret
cli_sti:
        cli
        inc ax
        sti
        cli
        inc ax
        sti
        dec cx
        jnz cli_sti
        ret
critical:                       ; a critical section
        pushf
        cli
        inc ax
        popf
        dec cx
        jnz critical
        ret

; --- ports ---

in_3da: mov dx, 0x3da
.l:     in al, dx
        in al, dx
        dec cx
        jnz .l
        and ax, 6
        ret
pit_read:
        mov al, 0
        out 0x43, al
        in al, 0x40
        mov ah, al
        in al, 0x40
        dec cx
        jnz pit_read
        xor ax, ax
        ret
pit_write:
        mov al, 0xb6
        out 0x43, al
        mov al, cl
        out 0x42, al
        mov al, 3
        out 0x42, al
        dec cx
        jnz pit_write
        ret
in_64:  in al, 0x64
        test al, 1
        jnz .full
        in al, 0x64
        dec cx
        jnz in_64
.full:  and ax, 1
        ret
in_60:  in al, 0x60
        in al, 0x60
        dec cx
        jnz in_60
        xor ax, ax
        ret
in_61:  in al, 0x61
        and al, 0xfc
        out 0x61, al
        dec cx
        jnz in_61
        and ax, 3
        ret
pic_eoi:
        mov al, 0x20
        out 0x20, al
        in al, 0x21
        dec cx
        jnz pic_eoi
        xor ah, ah
        ret
palette:
        mov dx, 0x3c8
        mov al, 64
        out dx, al
        inc dx
        mov al, cl
        and al, 63
        out dx, al
        out dx, al
        out dx, al
        dec cx
        jnz palette
        ret

; --- services ---

teletype:
        mov ax, 0x0e00
        mov al, cl
        and al, 15
        add al, 'a'
        mov bx, 7
        int 0x10
        test cl, 31
        jnz .on
        mov ax, 0x0e0d
        int 0x10
        mov ax, 0x0e0a
        int 0x10
.on:    dec cx
        jnz teletype
        mov ah, 3
        xor bx, bx
        int 0x10
        mov ax, dx
        and ax, 0xff
        ret
set_cursor:
        mov ah, 2
        xor bx, bx
        mov dx, cx
        and dx, 0x0f0f
        int 0x10
        push cx
        mov ah, 3
        int 0x10
        pop cx
        mov ax, dx
        dec cx
        jnz set_cursor
        ret
write_char:
        mov dx, cx
        mov ax, 0x0941
        mov bx, 7
        mov cx, 1
        int 0x10
        mov ah, 8
        xor bh, bh
        int 0x10
        mov cx, dx
        dec cx
        jnz write_char
        ret
read_sector:
        mov es, [data]
        push cx
        mov ax, 0x0201
        mov cx, 2
        mov dh, 0
        mov dl, [disk]
        xor bx, bx
        int 0x13
        pop cx
        jc .end
        add ax, [es:0]
        add ax, [es:510]
        dec cx
        jnz read_sector
.end:   ret
disk_status:
        mov ah, 1
        mov dl, [disk]
        int 0x13
        dec cx
        jnz disk_status
        mov al, 0
        ret
poll_key:                       ; DI says that this program does something else as well
        mov ah, 1
        int 0x16
        jnz .key
        inc di
        dec cx
        jnz poll_key
        xor ax, ax
.key:   ret
shift_state:
        mov ah, 2
        int 0x16
        dec cx
        jnz shift_state
        xor ah, ah
        ret
ticks:  mov bx, cx
.l:     mov ah, 0
        int 0x1a
        dec bx
        jnz .l
        xor ax, ax
        ret

; --- display ---

text_fill:
        mov es, [text]
        mov bx, cx
.l:     mov di, 160 * 4
        mov ax, bx
        and ah, 7
        mov cx, 80
        rep stosw
        dec bx
        jnz .l
        mov ax, [es:160 * 5 - 2]
        ret
text_string:
        mov es, [text]
        mov bx, cx
.l:     mov si, .text
        mov di, 160 * 6
        mov ah, 0x1f
.char:  lodsb
        test al, al
        jz .end
        stosw
        jmp .char
.end:   dec bx
        jnz .l
        mov ax, [es:di - 2]
        ret
        align 64
.text   db "The quick brown fox jumps over the lazy dog", 0
        align 64
text_read:
        mov es, [text]
.l:     mov bx, cx
        and bx, 0xffe
        mov ax, [es:bx]
        xor ah, 0x77
        mov [es:bx], ax
        dec cx
        jnz .l
        mov ax, [es:16]
        and ax, 0
        ret
text_scroll:
        push ds
        mov ax, [text]
        mov es, ax
        mov ds, ax
        mov bx, cx
.l:     mov si, 160
        xor di, di
        mov cx, 80 * 24
        rep movsw
        dec bx
        jnz .l
        pop ds
        xor ax, ax
        ret

pixels: mov es, [screen]        ; mode 13h: points
        xor dx, dx
.l:     mov ax, cx
        and ax, 127
        xchg ah, al
        mov di, ax
        shr ax, 2
        add di, ax
        mov bx, cx
        and bx, 255
        mov [es:di + bx], cl
        dec cx
        jnz .l
        mov al, [es:di + bx]
        ret
points_xor:
        mov es, [screen]
        mov di, cx
.l:     xor byte [es:di], 0x0f
        add di, 321
        dec cx
        jnz .l
        mov al, [es:di]
        ret
lines:  mov es, [screen]
        mov bx, cx
        xor di, di
.l:     mov ax, bx
        mov cx, 50
        rep stosb
        add di, 270
        dec bx
        jnz .l
        mov ax, [es:di - 271]
        ret
sprite: mov es, [screen]        ; 16 x 16, colour 0 is transparent
        mov bx, cx
.l:     mov si, picture
        mov di, bx
        and di, 0x3fff
        mov dl, 16
.line:  mov cx, 16
.point: lodsb
        test al, al
        jz .skip
        mov [es:di], al
.skip:  inc di
        loop .point
        add di, 320 - 16
        dec dl
        jnz .line
        dec bx
        jnz .l
        mov al, [es:di - 310]
        ret
blit:   mov es, [screen]        ; a buffer to the screen
        push ds
        mov bx, cx
        mov ds, [data]
.l:     xor si, si
        xor di, di
        mov cx, 4000
        rep movsw
        dec bx
        jnz .l
        pop ds
        xor ax, ax
        ret

x_pixels:
        mov es, [screen]
        mov dx, 0x3c4
        mov al, 2
        out dx, al
        inc dx
.l:     mov bx, cx
        mov di, cx
        and di, 0x3fff
        and bl, 3
        mov al, [.bits + bx - 0]
        and bx, 3
        mov al, [.bits + bx]
        out dx, al
        mov [es:di], cl
        dec cx
        jnz .l
        mov al, [es:di]
        ret
        align 64
.bits   db 1, 2, 4, 8
        align 256
x_lines:
        mov es, [screen]
        mov dx, 0x3c4
        mov ax, 0x0f02
        out dx, ax
        mov bx, cx
.l:     mov di, bx
        and di, 0x3fff
        mov al, bl
        mov cx, 40
        rep stosb
        dec bx
        jnz .l
        mov al, [es:di - 1]
        ret
x_copy: mov dx, 0x3c4           ; through the latches
        mov ax, 0x0f02
        out dx, ax
        mov dl, 0xce
        mov ax, 0x4105
        out dx, ax
        push ds
        mov bx, cx
        mov es, [screen]
        mov ax, es
        mov ds, ax
.l:     xor si, si
        mov di, 0x4000
        mov cx, 80
        rep movsb
        dec bx
        jnz .l
        pop ds
        mov ax, 0x4005
        out dx, ax
        mov al, [es:0x4000]
        ret

; --- copies ---

%macro COPY 3                   ; label, instruction, count
%1:     mov es, [data]
        mov bx, cx
%%l:    mov si, picture
        mov di, 128
        mov cx, %3
        rep %2
        dec bx
        jnz %%l
        mov ax, [es:di - 2]
        ret
%endmacro
        COPY copy8, movsb, 8
        COPY copy16, movsw, 8
        COPY copy32, movsb, 32
        COPY copy64, movsw, 32
        COPY fill16, stosw, 8
        COPY fill64, stosb, 64
scan:   push ds                 ; the length of a string
        pop es
        mov bx, cx
.l:     mov di, text_string.text
        mov cx, 0xffff
        xor al, al
        repne scasb
        dec bx
        jnz .l
        mov ax, cx
        ret
compare:
        push ds
        pop es
        mov bx, cx
.l:     mov si, picture
        mov di, picture + 16
        mov cx, 16
        repe cmpsb
        dec bx
        jnz .l
        mov ax, cx
        ret

; --- arithmetic ---

divide: mov bx, 7
        mov di, 0x1234
.l:     mov ax, cx
        xor dx, dx
        div bx
        add di, dx
        mov ax, cx
        cwd
        idiv bx
        add di, ax
        dec cx
        jnz .l
        mov ax, di
        ret
multiply:
        mov bx, 0x1234
        mov di, bx
.l:     mov ax, cx
        mul bx
        add di, dx
        mov ax, cx
        imul bx
        xor di, ax
        dec cx
        jnz .l
        mov ax, di
        ret
decimal:                        ; a number to digits: DIV with its result in memory
        mov si, 10
        mov bx, cx
.l:     mov ax, bx
        mov di, digits + 4
.digit: xor dx, dx
        div si
        add dl, '0'
        mov [di], dl
        dec di
        test ax, ax
        jnz .digit
        dec bx
        jnz .l
        mov ax, [digits + 3]
        ret

; --- data beside code ---

        align 128
line_var:
        inc word [.var]
        add ax, [.var]
        mov [.var + 2], ax
        dec cx
        jnz line_var
        mov word [.var], 0
        ret
.var    dw 0, 0
        align 128
line_div:
        mov bx, 7
.l:     mov ax, cx
        xor dx, dx
        div bx
        mov [.var], dx
        add [.var + 2], ax
        dec cx
        jnz .l
        xor ax, ax
        xchg [.var + 2], ax
        ret
.var    dw 0, 0
        align 128
line_pointer:
        mov dx, ds
        mov [.var + 2], dx
.l:     mov word [.var], three
        les bx, [.var]
        add ax, [es:bx]
        dec cx
        jnz .l
        ret
.var    dw 0, 0
        align 128
line_stack:                     ; a counter in the line of an interrupt handler
        int 0x63
        dec cx
        jnz line_stack
        xor ax, ax
        xchg [.var], ax
        ret
.handler:
        inc word [cs:.var]      ; PM16 has a handler of its own: code cannot be written there
        iret
.handler_pm:
        push ds
        push ax
        mov ax, SEL_SELF
        mov ds, ax
        inc word [.var]
        pop ax
        pop ds
        iret
.var    dw 0
        align 128
page_var:
        inc word [page_data]
        add ax, [page_data]
        mov [page_data + 2], ax
        dec cx
        jnz page_var
        mov word [page_data], 0
        ret
        align 128
page_data dw 0, 0
        align 128
page_copy:                      ; a buffer in the page of the code
        push ds
        pop es
        mov bx, cx
.l:     mov si, page_buffer
        mov di, page_buffer + 32
        mov cx, 16
        rep movsb
        dec bx
        jnz .l
        mov al, [page_buffer + 47]
        ret
        align 128
page_buffer times 64 db 0x5a
        align 128
patched:                        ; an immediate is changed before each use
        mov [.i + 1], cx
.i:     mov dx, 0
        add ax, dx
        dec cx
        jnz patched
        ret

; --- registers only ---

registers:
        mov bx, 0x1234
.l:     add ax, bx
        xor bx, cx
        mov dx, ax
        shl dx, 1
        sub bx, dx
        inc ax
        dec cx
        jnz .l
        ret
looping:
.l:     loop .l
        mov ax, cx
        ret
bytes:  mov dx, 0x0301
.l:     add al, dh
        xor ah, dl
        rol al, 1
        adc dl, ah
        dec cx
        jnz .l
        ret

; --- the monitor ---

; Runs `rows` in mode [mode], from real mode, and comes back to it.
protected:
        cli
        mov [back_sp], sp
        mov ax, GDT >> 4
        mov es, ax
        xor di, di
        mov cx, 0x1800 >> 1
        xor ax, ax
        rep stosw
        mov si, gdt_low
        xor di, di
        mov cx, (gdt_high - gdt_low) >> 1
        rep movsw
        mov di, SEG
        mov cx, 4
        rep movsw
        mov di, OVERLAY
        mov cx, 4
        rep movsw
        mov ax, TSS >> 4
        mov es, ax
        xor di, di
        xor ax, ax
        mov cx, (104 + 32 + 8192) >> 1
        rep stosw
        mov byte [es:di], 0xff
        mov dword [es:4], STACK0
        mov word [es:8], SEL_FLAT
        mov word [es:102], 104 + 32
        mov ax, DIRECTORY >> 4
        mov es, ax
        xor di, di
        mov cx, 0x800
        xor ax, ax
        rep stosw
        mov dword [es:0], TABLE + 7
        mov ax, TABLE >> 4
        mov es, ax
        xor di, di
        mov eax, 7
        mov cx, 1024
.table: stosd
        add eax, 0x1000
        loop .table
        call gates
        mov eax, DIRECTORY
        mov cr3, eax
        lgdt [gdtr]
        lidt [idtr]
        mov al, [mode]
        cmp byte [vme], 0
        je .no_cr4
        mov ebx, cr4
        and bl, ~1
        cmp al, VME
        jne .cr4
        or bl, 1
.cr4:   mov cr4, ebx
.no_cr4:
        mov eax, cr0
        or eax, 0x80000001
        mov cr0, eax
        jmp dword SEL_CODE0:enter

; The IDT: 16-bit vectors of the rows in protected mode; else every INT is reflected.
gates:  mov ax, IDT >> 4
        mov es, ax
        xor di, di
        mov ax, reflect
        cmp byte [mode], PM16
        jne .kind
        mov ax, fault
.kind:  mov cx, 256
.gate:  mov [es:di], ax
        mov word [es:di + 2], SEL_CODE0
        mov word [es:di + 4], 0xee00
        mov word [es:di + 6], 0
        cmp byte [mode], PM16
        je .same
        add ax, reflect_size
.same:  add di, 8
        loop .gate
        mov word [es:3 * 8], leave_mode
        mov di, 13 * 8
        mov word [es:di], protection
        mov byte [es:di + 5], 0x8e
        cmp byte [mode], PM16
        je .pm
        mov byte [es:0x62 * 8 + 5], 0x8e        ; this one ends in #GP
        ret
.pm:    mov di, 0x60 * 8
        mov si, vectors
        mov cx, vectors_n
.own:   lodsw
        mov [es:di], ax
        mov word [es:di + 2], SEG + 3
        mov word [es:di + 4], 0xe600
        add di, 8
        loop .own
        mov word [es:0x62 * 8 + 2], SEL_GATE    ; ring 0
        mov word [es:0x63 * 8], line_stack.handler_pm
        ret

back:   mov eax, cr0            ; 16 bits, ring 0
        and eax, 0x7ffffffe
        mov cr0, eax
        jmp SEG:.real
.real:  mov ax, cs
        mov ds, ax
        mov ax, STACK
        mov ss, ax
        mov sp, [back_sp]
        lidt [idtr_real]
        sti
        ret

go:     sti                     ; the modes start here
        call rows
        int3

        bits 32
enter:  mov ax, SEL_DATA0
        mov ds, ax
        mov ax, SEL_FLAT
        mov ss, ax
        mov esp, STACK0
        and byte [esp + GDT - STACK0 + SEL_TSS + 5], ~2
        mov ax, SEL_TSS
        ltr ax
        xor eax, eax
        mov es, ax
        mov fs, ax
        mov gs, ax
        cmp byte [mode], PM16
        je .pm
        push eax                ; GS, FS
        push eax
        push dword SEG          ; DS, ES
        push dword SEG
        push dword STACK
        push dword 0xfe00
        push dword 0x00023002
        cmp byte [mode], VME
        jne .v86
        mov dword [esp], 0x00020002     ; IOPL 0: the virtual interrupt flag is used
.v86:   push dword SEG
        push dword go
        iret
.pm:    push dword SEL_STACK
        push dword 0xfe00
        push dword 0x3002
        push dword SEG + 3
        push dword go
        mov ax, SEL_SELF
        mov ds, ax
        iret

leave_mode:
        mov ax, SEL_BACKDATA
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        mov eax, cr0
        and eax, 0x7fffffff
        mov cr0, eax
        jmp SEL_BACK:back

; A general protection fault of V86 mode: INT whose gate refuses, or HLT.
protection:
        pushad
        mov eax, SEL_FLAT
        mov ds, ax
        test byte [esp + 32 + 14], 2    ; VM
        jz fault
        movzx ebx, word [esp + 32 + 8]
        shl ebx, 4
        mov ecx, [esp + 32 + 4]
        cmp byte [ebx + ecx], 0xcd
        jne .other
        movzx eax, byte [ebx + ecx + 1]
        add word [esp + 32 + 4], 2
        mov [esp + 32], eax             ; in the place of the error code
        jmp reflect_it
.other: cmp byte [ebx + ecx], 0xf4
        jne fault
        inc word [esp + 32 + 4]
        popad
        add esp, 4
        iret

; INT n of V86 mode: what the processor does in real mode.
reflected:
        pushad
        mov eax, SEL_FLAT
        mov ds, ax
        mov eax, [esp + 32]
reflect_it:                             ; EAX = n; above PUSHAD n, EIP, CS, EFLAGS, ESP, SS
        movzx ebx, word [esp + 32 + 20]
        movzx ecx, word [esp + 32 + 16]
        shl ebx, 4
        sub cx, 6
        mov [esp + 32 + 16], cx
        add ebx, ecx
        mov edx, [esp + 32 + 4]
        mov [ebx], dx
        mov edx, [esp + 32 + 8]
        mov [ebx + 2], dx
        mov edx, [esp + 32 + 12]
        mov [ebx + 4], dx
        and dword [esp + 32 + 12], ~0x300
        movzx edx, word [eax * 4]
        mov [esp + 32 + 4], edx
        movzx edx, word [eax * 4 + 2]
        mov [esp + 32 + 8], edx
        popad
        add esp, 4
        iret

fault:  mov ax, SEL_DATA0               ; what nobody expects
        mov ds, ax
        mov esi, .text
.next:  lodsb
        test al, al
        jz .end
        mov ah, al
        mov edx, 0x3fd
.wait:  in al, dx
        test al, 0x20
        jz .wait
        mov al, ah
        mov edx, 0x3f8
        out dx, al
        jmp .next
.end:   hlt
        jmp .end
.text   db "FAULT", 10, 0

        align 16
reflect:
%assign i 0
%rep 256
        push strict dword i
        jmp near reflected
%assign i i + 1
%endrep
reflect_size equ ($ - reflect) / 256
        bits 16

; --- data: nothing of it is in a page with code ---
        align 4096
gdt_low dq 0
        dw 0xffff, 0, 0x9a01, 0x00cf            ; SEL_CODE0
        dw 0xffff, 0, 0x9201, 0x00cf            ; SEL_DATA0
        dw 0xffff, 0, 0x9200, 0x00cf            ; SEL_FLAT
        dw 104 + 32 + 8192, 0x4000, 0x8903, 0   ; SEL_TSS
        dw 0xffff, 0, 0x9a01, 0                 ; SEL_BACK
        dw 0xffff, 0, 0x9201, 0                 ; SEL_BACKDATA
        dw 0xffff, 0, 0xf201, 0                 ; SEL_SELF
        dw 0xffff, 0, 0xf202, 0                 ; SEL_DATA
        dw 0xffff, 0, 0xf20a, 0                 ; SEL_SCREEN
        dw 0xffff, 0, 0xf204, 0                 ; SEL_STACK
        dw 0xffff, 0x8000, 0xf20b, 0            ; SEL_TEXT
        dw 0xffff, 0, 0x9a01, 0                 ; SEL_GATE
gdt_high:
        dw 0xffff, 0, 0xfa01, 0                 ; SEG
        dw 0xffff, 0x0100, 0xfa01, 0            ; OVERLAY
gdtr    dw 0x17ff
        dd GDT
idtr    dw 256 * 8 - 1
        dd IDT
idtr_real dw 0x3ff
        dd 0
vectors dw handler, chained, handler, line_stack.handler, calling
vectors_n equ ($ - vectors) >> 1
self_code dw SEG
        align 16
old     dw handler, 0, chained, 0, 0, 0
self    dw 0
data    dw 0
screen  dw 0
text    dw 0
three   dw 3
pointer dw 0, 0
sum     dw 0
left    dw 0
name    dw 0
back_sp dw 0
mode    db 0
first   db 0
video   db 0
vme     db 0
disk    db 0
digits  db 0, 0, 0, 0, 0
done    db "DONE", 10, 0
real    db "real.", 0
vme86   db "vme.", 0
v86     db "v86.", 0
pm16    db "pm16.", 0
        align 16
picture:
%assign i 0
%rep 256
        db (i * 7 & 31) * ((i * 5 >> 3 & 3) != 0)
%assign i i + 1
%endrep

%macro ROW 6                    ; routine, rounds of a call, calls, modes, display, name
        dw %1, %2, %3
        db %4, %5
%%name: db %6, 0
        times 8 - ($ - %%name) db 0
%endmacro
        align 16
        db "OXBOW-BENCH-ROWS"
list:
        ROW int_iret, 5000, 50, ALL, 0, "int"
        ROW int_chain, 5000, 40, ALL, 0, "chain"
        ROW int_monitor, 5000, 30, V86 | PM16, 0, "monitor"
        ROW near_call, 10000, 120, ALL, 0, "call"
        ROW near_indirect, 10000, 100, ALL, 0, "icall"
        ROW far_call, 10000, 45, ALL, 0, "farcall"
        ROW far_args, 10000, 60, ALL, 0, "fararg"
        ROW far_indirect, 10000, 40, ALL, 0, "farind"
        ROW far_jump, 10000, 100, ALL, 0, "farjmp"
        ROW mov_sreg, 10000, 80, ALL, 0, "movseg"
        ROW mov_sreg_mem, 10000, 80, ALL, 0, "segmem"
        ROW pop_sreg, 10000, 100, ALL, 0, "popseg"
        ROW save_sreg, 10000, 60, ALL, 0, "savseg"
        ROW les_bx, 10000, 80, ALL, 0, "les"
        ROW lds_si, 10000, 100, ALL, 0, "lds"
        ROW pushf_popf, 10000, 80, ALL, 0, "pushf"
        ROW cli_sti, 10000, 200, ALL, 0, "clisti"
        ROW critical, 10000, 180, ALL, 0, "critic"
        ROW in_3da, 10000, 40, ALL, 0, "3da"
        ROW pit_read, 10000, 60, ALL, 0, "pitrd"
        ROW pit_write, 10000, 40, ALL, 0, "pitwr"
        ROW in_64, 10000, 120, ALL, 0, "kbc64"
        ROW in_60, 10000, 100, ALL, 0, "kbc60"
        ROW in_61, 10000, 120, ALL, 0, "port61"
        ROW pic_eoi, 10000, 100, ALL, 0, "eoi"
        ROW palette, 10000, 60, ALL, 0, "dac"
        ROW teletype, 2000, 8, DOS, 0, "tty"
        ROW set_cursor, 2000, 25, DOS, 0, "cursor"
        ROW write_char, 2000, 20, DOS, 0, "putchr"
        ROW read_sector, 50, 12, DOS, 0, "read"
        ROW disk_status, 2000, 60, DOS | SLOW, 0, "dskst"
        ROW poll_key, 2000, 50, DOS | SLOW, 0, "key"
        ROW shift_state, 2000, 80, DOS | SLOW, 0, "shift"
        ROW ticks, 2000, 80, DOS | SLOW, 0, "ticks"
        ROW text_fill, 1000, 30, ALL, 0, "txfill"
        ROW text_string, 1000, 40, ALL, 0, "txstr"
        ROW text_read, 10000, 120, ALL, 0, "txrmw"
        ROW text_scroll, 200, 4, ALL, 0, "scroll"
        ROW pixels, 10000, 150, ALL, 1, "pixel"
        ROW points_xor, 10000, 250, ALL, 1, "xor13"
        ROW lines, 10000, 40, ALL, 1, "line13"
        ROW sprite, 500, 25, ALL, 1, "sprite"
        ROW blit, 200, 20, ALL, 1, "blit"
        ROW x_pixels, 10000, 80, ALL, 2, "xpixel"
        ROW x_lines, 5000, 15, ALL, 2, "xline"
        ROW x_copy, 2000, 12, ALL, 2, "xcopy"
        ROW copy8, 10000, 150, ALL, 0, "copy8"
        ROW copy16, 10000, 200, ALL, 0, "copy16"
        ROW copy32, 10000, 150, ALL, 0, "copy32"
        ROW copy64, 10000, 150, ALL, 0, "copy64"
        ROW fill16, 10000, 150, ALL, 0, "fill16"
        ROW fill64, 10000, 150, ALL, 0, "fill64"
        ROW scan, 5000, 25, ALL, 0, "scan"
        ROW compare, 10000, 150, ALL, 0, "cmps"
        ROW divide, 10000, 250, ALL, 0, "div"
        ROW multiply, 10000, 300, ALL, 0, "mul"
        ROW decimal, 10000, 50, ALL, 0, "digits"
        ROW line_var, 10000, 30, ALL | SLOW, 0, "linvar"
        ROW line_div, 10000, 30, ALL | SLOW, 0, "lindiv"
        ROW line_pointer, 10000, 30, ALL | SLOW, 0, "linptr"
        ROW line_stack, 10000, 20, ALL | SLOW, 0, "linint"
        ROW page_var, 10000, 60, ALL | SLOW, 0, "pagvar"
        ROW page_copy, 10000, 80, ALL | SLOW, 0, "pagcpy"
        ROW patched, 10000, 30, ALL | SLOW, 0, "patch"
        ROW registers, 10000, 250, ALL, 0, "regs"
        ROW looping, 50000, 400, ALL, 0, "loop"
        ROW bytes, 10000, 500, ALL, 0, "bytes"
        dw 0
        times SECTORS * 512 - ($ - $$) db 0
        section rest align=512
        times (4032 - SECTORS - 1) * 512 db 0
