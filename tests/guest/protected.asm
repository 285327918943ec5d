; Protected-mode probe: a 64 KB boot ROM that provokes one event after the other and logs what the
; CPU made of each to port E9h, so that the log can be compared with a recorded one or with another
; machine's.  Intel SDM vol. 3 chapters 3, 5, 6, 7, 16, 20 and the instruction pages of vol. 2.
;
; Log lines:  T number            a test begins; tables, segments and control registers are fresh
;             X vector [E error] EIP CS EFLAGS [CR2] [O ESP SS [V ES DS FS GS]]
;               S SS EBP EFLAGS D DS ES FS
;                                 an exception or interrupt as its handler sees it
;             R EAX EBX ECX EDX EFLAGS    the test returned
;             G ...               digest of the GDT access bytes, LDT entry, TR, LDTR, CR0, DR6
;             t u v g s L         task entries, gate entries, LAR/LSL/VERR/VERW of a selector
;
; Vector 31h logs and goes on, so does #DB; any other event ends its test.
; The recorded log equals what Debian 12's Bochs (p3_katmai) prints, but for five lines: zero
; extension of PUSH Sreg, PSE-36 reserved bits, an unknown MSR, the ESP that a call gate stores from
; a 16-bit stack, and an accessed bit set by a load that fails later.
cpu 686
org 0
BASE equ 0xF0000
GDT  equ 0x1000
IDT  equ 0x2000
LDT  equ 0x3000
TSSK equ 0x4000     ; main TSS (32)
TSS2 equ 0x17000     ; second TSS (32)
TSS6 equ 0x17800     ; 16-bit TSS
VARS equ 0x7000
KST  equ 0x9000     ; kernel stack top
RST0 equ 0xA000     ; ring0 stack for transitions
R3ST equ 0xB000     ; ring 3 stack
T2ST equ 0xC000
PDIR equ 0x20000
PTAB equ 0x21000
PDPT equ 0x22000
BUF  equ 0x30000
V86ST equ 0x1000    ; ss:sp in v86: 0x3800:1000

v_idx  equ VARS
v_esp  equ VARS+4
v_n    equ VARS+8

%define SEL_CODE 0x08
%define SEL_DATA 0x10
%define SEL_UCODE 0x1b
%define SEL_UDATA 0x23
%define SEL_TSSK 0x28
%define SEL_TSS2 0x30
%define SEL_TSS6 0x38
%define SEL_LDT 0x40
%define SEL_RO 0x48      ; read-only data, limit 0xffff
%define SEL_DOWN 0x50    ; expand-down 32, limit 0xfff
%define SEL_XO 0x58      ; execute only
%define SEL_CONF 0x60    ; conforming code dpl 0
%define SEL_NP 0x68      ; not present data
%define SEL_SMALL 0x70   ; data limit 0x0f
%define SEL_NPC 0x78     ; not present code
%define SEL_G32 0x80     ; call gate 32 dpl 3 -> ring0, 2 params
%define SEL_G16 0x88     ; call gate 16 dpl 3 -> ring0 code16 , 2 params
%define SEL_GNP 0x90     ; call gate not present
%define SEL_GD0 0x98     ; call gate dpl 0
%define SEL_TG 0xa0      ; task gate dpl 3 -> TSS2
%define SEL_CODE16 0xa8
%define SEL_DATA16 0xb0
%define SEL_U16 0xbb     ; ring 3 data for 16-bit stack (dpl3)
%define SEL_CONF3 0xc0   ; conforming dpl 3
%define SEL_DOWN16 0xc8  ; expand-down 16
%define SEL_SSNP 0xd0    ; not present stack dpl 0
%define SEL_TSSB 0xd8    ; busy tss
%define SEL_TSSL 0xe0    ; tss with small limit
%define SEL_GCONF 0xe8   ; call gate to conforming
%define SEL_BADTY 0xf0   ; type 0 system
%define SEL_PG 0xf8      ; page granular, limit 0 -> 0xfff
%define SEL_SYS 0x100    ; sysenter cs, ss, ucs, uss
%define SEL_TSSNP 0x120
%define SEL_GBIG 0x128   ; gate with offset beyond code limit
%define SEL_CSMALL 0x130 ; code with base BASE limit ffff
%define GDTN 0x138

bits 16
start:
    cli
    mov ax, cs
    mov ds, ax
    xor ax, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7000
    lgdt [gdtr0]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword SEL_CODE:BASE+pm

gdtr0: dw 0x17
    dd BASE+gdt0
align 8
gdt0: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff

%macro DESC 4 ; base limit access flags
    dw (%2)&0xffff
    dw (%1)&0xffff
    db ((%1)>>16)&0xff
    db %3
    db ((%4)<<4)|(((%2)>>16)&0xf)
    db ((%1)>>24)&0xff
%endmacro
%macro GATE 4 ; sel off type/access count
    dw (%2)&0xffff
    dw %1
    db %4
    db %3
    dw ((%2)>>16)&0xffff
%endmacro
%define A(x) (BASE+((x)-$$))
align 8
gdt:
    dq 0
    DESC 0,0xfffff,0x9a,0xc
    DESC 0,0xfffff,0x92,0xc
    DESC 0,0xfffff,0xfa,0xc
    DESC 0,0xfffff,0xf2,0xc
    DESC TSSK,0x2067,0x89,0
    DESC TSS2,0x67,0x89,0
    DESC TSS6,0x2b,0x81,0
    DESC LDT,0x1f,0x82,0
    DESC 0,0xffff,0x90,4
    DESC 0,0xfff,0x96,4
    DESC 0,0xfffff,0x98,0xc
    DESC 0,0xfffff,0x9e,0xc
    DESC 0,0xfffff,0x12,0xc
    DESC BUF,0xf,0x92,4
    DESC 0,0xfffff,0x1a,0xc
    GATE SEL_CODE,A(gate32),0xec,2
    GATE SEL_CODE16,(gate16-$$),0xe4,2
    GATE SEL_CODE,A(gate32),0x6c,2
    GATE SEL_CODE,A(gate32s),0x8c,2
    GATE SEL_TSS2,0,0xe5,0
    DESC BASE,0xffff,0x9a,0
    DESC 0,0xffff,0x92,0
    DESC 0,0xffff,0xf2,0
    DESC 0,0xfffff,0xfe,0xc
    DESC 0,0xfff,0x96,0
    DESC 0,0xfffff,0x12,0xc
    DESC TSS2,0x67,0x8b,0
    DESC TSS2,0x66,0x89,0
    GATE SEL_CONF,A(gateconf),0xec,0
    DESC 0,0,0x80,0
    DESC 0,0,0x92,0xc
    DESC 0,0xfffff,0x9a,0xc
    DESC 0,0xfffff,0x92,0xc
    DESC 0,0xfffff,0xfa,0xc
    DESC 0,0xfffff,0xf2,0xc
    DESC TSS2,0x67,0x09,0
    GATE SEL_CSMALL,0x10000,0xec,0
    DESC BASE,0xffff,0x9a,4
gdt_end:
ldt:
    dq 0
    DESC 0,0xfffff,0xf2,0xc   ; 0x0c|3
    DESC 0,0xfffff,0x92,0xc   ; 0x14
    DESC 0,0xfffff,0x9a,0xc   ; 0x1c
ldt_end:
gdtr: dw GDTN-1
    dd GDT
idtr: dw 0x40*8-1
    dd IDT
idtr_real: dw 0x3ff
    dd 0

bits 32
; ---- logging
putc: ; al
    push edx
    mov dx, 0xe9
    out dx, al
    pop edx
    ret
hex32: ; eax
    push ecx
    push eax
    mov ecx, 8
.l: rol eax, 4
    push eax
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe .d
    add al, 'a'-'0'-10
.d: call putc
    pop eax
    loop .l
    mov al, ' '
    call putc
    pop eax
    pop ecx
    ret
nl: push eax
    mov al, 10
    call putc
    pop eax
    ret
%macro PUT 1
    push eax
    mov al, %1
    call putc
    pop eax
%endmacro

build: ; rebuild tables
    mov esi, A(gdt)
    mov edi, GDT
    mov ecx, (gdt_end-gdt)/4
    rep movsd
    mov esi, A(ldt)
    mov edi, LDT
    mov ecx, (ldt_end-ldt)/4
    rep movsd
    ; idt
    mov edi, IDT
    mov eax, A(stubs)
    mov ecx, 0
.i: mov [edi], ax
    mov word [edi+2], SEL_CODE
    mov dword [edi+4], eax
    mov word [edi+4], 0x8e00
    add eax, 8
    add edi, 8
    inc ecx
    cmp ecx, 0x40
    jb .i
    mov byte [IDT+3*8+5], 0xee
    mov byte [IDT+4*8+5], 0xee
    mov byte [IDT+0x30*8+5], 0xee   ; int 0x30: dpl 3 gate
    mov byte [IDT+0x31*8+5], 0xef   ; trap gate dpl 3
    mov byte [IDT+0x32*8+5], 0x6e   ; not present
    mov byte [IDT+0x33*8+5], 0xe5   ; task gate
    mov word [IDT+0x33*8+2], SEL_TSS2
    mov byte [IDT+0x34*8+5], 0xec   ; call gate type in idt: invalid
    mov word [IDT+0x35*8+2], SEL_DATA ; not code
    mov byte [IDT+0x35*8+5], 0xee
    mov word [IDT+0x36*8+2], 0 ; null
    mov byte [IDT+0x36*8+5], 0xee
    mov word [IDT+0x37*8+2], SEL_CONF ; conforming
    mov byte [IDT+0x37*8+5], 0xee
    mov word [IDT+0x38*8+2], SEL_CODE16 ; 16 bit gate
    mov byte [IDT+0x38*8+5], 0xe6
    mov word [IDT+0x38*8], int38_16-$$
    mov word [IDT+0x38*8+6], 0
    mov word [IDT+0x39*8+2], SEL_UCODE ; outer privilege
    mov byte [IDT+0x39*8+5], 0xee
    mov word [IDT+0x3a*8+2], SEL_NPC
    mov byte [IDT+0x3a*8+5], 0xee
    ; tss
    mov edi, TSSK
    mov ecx, 0x2100/4
    xor eax, eax
    rep stosd
    mov dword [TSSK+4], RST0
    mov dword [TSSK+8], SEL_DATA
    mov dword [TSSK+0x1c], PDIR
    mov word [TSSK+0x66], 0x88
    ; redirection bitmap at 0x68..0x87 = 0, io map 0x88: all zero except port 0x80..0x87
    mov byte [TSSK+0x88+0x10], 0xff
    mov byte [TSSK+0x88+0x2000], 0xff
    mov edi, TSS2
    mov ecx, 0xc00/4
    xor eax, eax
    rep stosd
    mov dword [TSS2+4], RST0
    mov dword [TSS2+8], SEL_DATA
    mov dword [TSS2+0x1c], PDIR
    mov dword [TSS2+0x20], A(task2)
    mov dword [TSS2+0x24], 2
    mov dword [TSS2+0x28], 0x11111111
    mov dword [TSS2+0x38], T2ST
    mov dword [TSS2+0x48], SEL_DATA
    mov dword [TSS2+0x4c], SEL_CODE
    mov dword [TSS2+0x50], SEL_DATA
    mov dword [TSS2+0x54], SEL_DATA
    mov dword [TSS2+0x58], 0
    mov dword [TSS2+0x5c], 0
    mov word [TSS2+0x66], 0x68
    mov word [TSS6+2], RST0
    mov word [TSS6+4], SEL_DATA
    mov word [TSS6+0x0e], task16-$$
    mov word [TSS6+0x10], 2
    mov word [TSS6+0x12], 0x2222
    mov word [TSS6+0x1a], T2ST
    mov word [TSS6+0x22], SEL_DATA
    mov word [TSS6+0x24], SEL_CODE16
    mov word [TSS6+0x26], SEL_DATA16
    mov word [TSS6+0x28], SEL_DATA
    ; buffer
    mov edi, BUF
    mov ecx, 1024
    mov eax, 0xb0b0b0b0
    rep stosd
    ; v86 ivt entry 0x60 -> F000:v86_ivt
    mov word [0x60*4], v86_ivt-$$
    mov word [0x60*4+2], 0xf000
    ret

pm: mov ax, SEL_DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov fs, ax
    mov gs, ax
    mov esp, KST
    mov dword [v_idx], 0
next_test:
    cld
    mov ax, SEL_DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, KST
    push dword 2
    popfd
    mov eax, cr0
    and eax, 0x7fffffff & ~0x10000 & ~0x40000
    mov cr0, eax
    xor eax, eax
    mov cr4, eax
    mov cr3, eax
    mov dr7, eax
    mov eax, 0xffff0ff0
    mov dr6, eax
    call build
    lgdt [A(gdtr)]
    lidt [A(idtr)]
    mov ax, SEL_TSSK
    ltr ax
    mov ax, SEL_LDT
    lldt ax
    xor ax, ax
    mov fs, ax
    mov gs, ax
    clts
    jmp SEL_CODE:A(.re)
.re:
    mov eax, [v_idx]
    cmp eax, NTESTS
    jae done
    inc dword [v_idx]
    PUT 'T'
    call hex32
    call nl
    mov ebx, [A(tests)+eax*4]
    mov dword [v_n], 0
    mov eax, 0x0a0a0a0a
    mov ecx, 0x0c0c0c0c
    mov edx, 0x0d0d0d0d
    mov esi, 0x01010101
    mov edi, 0x02020202
    mov ebp, 0x05050505
    push dword A(test_ret)
    push ebx
    mov ebx, 0x0b0b0b0b
    ret
test_ret:
    push dword [v_idx]
    pop dword [v_n]
    jmp report_ok
report_ok:
    pushfd
    PUT 'R'
    call hex32
    mov eax, ebx
    call hex32
    mov eax, ecx
    call hex32
    mov eax, edx
    call hex32
    pop eax
    and eax, 0x7f4740     ; zf and system flags
    call hex32
    call nl
    jmp after
after: ; gdt access bytes checksum
    mov ax, SEL_DATA
    mov ds, ax
    PUT 'G'
    xor ebx, ebx
    mov ecx, GDTN/8
    mov esi, GDT
.l: rol ebx, 3
    xor bl, [esi+5]
    add esi, 8
    loop .l
    mov eax, ebx
    call hex32
    mov eax, [LDT+12]
    call hex32
    xor eax, eax
    str ax
    call hex32
    sldt ax
    call hex32
    mov eax, cr0
    and eax, 0x8005000f
    call hex32
    mov eax, dr6
    and eax, 0xe00f
    call hex32
    call nl
    jmp next_test
done:
    mov esi, A(bye)
    mov dx, 0x8900
    mov ecx, 8
.l: lodsb
    out dx, al
    loop .l
    mov al, 0
    out 0xf4, al
.h: cli
    hlt
    jmp .h
bye: db "Shutdown"

align 8
stubs:
%assign k 0
%rep 0x40
    align 8
    push byte k
    jmp near exc
    align 8
%assign k k+1
%endrep
exc:
    ; stack: vec [err] eip cs eflags [esp ss [es ds fs gs]]
    push eax
    push ebp
    mov ebp, esp
    push ds
    mov ax, SEL_DATA
    mov ds, ax
    PUT 'X'
    mov eax, [ebp+8]
    call hex32
    cmp al, 8
    lea edx, [ebp+12]
    mov eax, [ebp+8]
    cmp eax, 8
    je .err
    cmp eax, 10
    jb .noerr
    cmp eax, 14
    jbe .err
    cmp eax, 17
    je .err
    jmp .noerr
.err: PUT 'E'
    mov eax, [edx]
    call hex32
    add edx, 4
.noerr:
    mov eax, [edx]
    call hex32
    movzx eax, word [edx+4]
    call hex32
    mov eax, [edx+8]
    and eax, 0x7f7740
    call hex32
    cmp dword [ebp+8], 14
    jne .nocr2
    mov eax, cr2
    call hex32
.nocr2:
    test byte [edx+4], 3
    jnz .outer
    test byte [edx+10], 2
    jz .same
.outer:
    PUT 'O'
    mov eax, [edx+12]
    call hex32
    movzx eax, word [edx+16]
    call hex32
    test byte [edx+10], 2
    jz .same
    PUT 'V'
    movzx eax, word [edx+20]
    call hex32
    movzx eax, word [edx+24]
    call hex32
    movzx eax, word [edx+28]
    call hex32
    movzx eax, word [edx+32]
    call hex32
.same:
    PUT 'S'
    mov ax, ss
    movzx eax, ax
    call hex32
    mov eax, ebp
    call hex32
    pushfd
    pop eax
    and eax, 0x7f7200
    call hex32
    PUT 'D'
    movzx eax, word [ebp-4]
    call hex32
    mov ax, es
    movzx eax, ax
    call hex32
    mov ax, fs
    movzx eax, ax
    call hex32
    call nl
    inc dword [v_n]
    cmp dword [v_n], 40
    ja .stop
    ; int 0x31 continues after logging
    cmp dword [ebp+8], 0x31
    je .cont
    cmp dword [ebp+8], 1
    je .cont1
.stop:
    jmp after
.cont1:
    or dword [ebp+20], 0x10000 ; RF: past a code breakpoint
.cont:
    pop ds
    pop ebp
    pop eax
    add esp, 4
    iretd

; ---- gates
gate32: ; called from ring 3 through SEL_G32 with 2 params
    push ds
    mov ax, SEL_DATA
    mov ds, ax
    PUT 'g'
    mov eax, [esp+4]
    call hex32
    mov eax, [esp+8]
    call hex32
    mov eax, [esp+12]
    call hex32
    mov eax, [esp+16]
    call hex32
    mov eax, [esp+20]
    call hex32
    mov eax, [esp+24]
    call hex32
    mov eax, esp
    call hex32
    call nl
    pop ds
    mov ax, SEL_DATA
    mov es, ax
    retf 8
gate32s: ; same-level
    PUT 's'
    mov eax, [esp]
    call hex32
    mov eax, [esp+4]
    call hex32
    mov eax, esp
    call hex32
    call nl
    retf
gateconf:
    mov ax, cs
    movzx eax, ax
    retf
bits 16
gate16:
    mov bp, sp
    mov eax, [bp]
    mov ebx, [bp+4]
    mov ecx, [bp+8]
    retf 4
int38_16:
    mov bp, sp
    mov eax, [bp]
    mov ebx, [bp+4]
    mov ecx, [bp+8]
    iret
bits 32
task2:
    PUT 't'
    pushfd
    pop eax
    and eax, 0x7f7740
    call hex32
    xor eax, eax
    str ax
    call hex32
    mov eax, [TSS2]
    and eax, 0xffff
    call hex32
    mov eax, cr0
    and eax, 15
    call hex32
    mov eax, esp
    call hex32
    mov eax, [esp]
    call hex32
    call nl
    iretd
    PUT 'u'
    call nl
    iretd
    jmp after
bits 16
task16:
    mov eax, 0x77665544
    str bx
    mov cx, sp
    iret
bits 32

; the rest of the test runs in ring 3 with these EFLAGS bits
%macro RING3 1
    push dword SEL_UDATA
    push dword R3ST
    pushfd
    and dword [esp], ~0x3000
    or dword [esp], %1
    push dword SEL_UCODE
    push dword A(%%here)
    iretd
%%here:
%endmacro
; V86 at F000:label
%macro V86 2
    push dword 0x1111   ; gs
    push dword 0x2222
    push dword 0x3333
    push dword 0x3300   ; es
    push dword 0x3800   ; ss
    push dword 0x1000
    push dword 0x20002|%2
    push dword 0xf000
    push dword %1-$$
    iretd
%endmacro

%assign NT 0
%macro T 0
t%[NT]:
%assign NT NT+1
%endmacro
%macro PAGING 0
    call mkpages
%endmacro
mkpages:
    mov edi, PDIR
    xor eax, eax
    mov ecx, 1024
    rep stosd
    mov dword [PDIR], PTAB|7
    mov edi, PTAB
    mov eax, 7
    mov ecx, 1024
.l: stosd
    add eax, 0x1000
    loop .l
    mov eax, PDIR
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    jmp short .f
.f: ret

%include "protected_tests.inc"

NTESTS equ NT
align 4
tests:
%assign k 0
%rep NT
    dd A(t%[k])
%assign k k+1
%endrep
bits 16
v86_ivt:
    mov bp, sp
    mov eax, [bp]
    mov ebx, [bp+4]
    iret
times 0xfff0-($-$$) db 0xff
    jmp 0xf000:start
times 0x10000-($-$$) db 0
