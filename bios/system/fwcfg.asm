; fwcfg.asm - the emulator's configuration interface at ports 510h/511h.
;
; Document: QEMU "fw_cfg" device specification (selector, byte stream, file directory item 19h).
; Invariant: FS = EBDA; without the signature item every search fails.

FWCFG_SIGNATURE equ 0x00
FWCFG_DIR       equ 0x19
FWCFG_NAME      equ 8                   ; directory entry: size, selector, flags, name
FWCFG_ENTRY     equ 64

; AX = item.
fwcfg_select:
        push    dx
        mov     dx, FWCFG_SEL
        out     dx, ax
        pop     dx
        ret

; EAX = next four bytes of the item as stored, first byte lowest.
fwcfg_read32:
        push    dx
        push    cx
        mov     dx, FWCFG_DATA
        mov     cx, 4
.byte:
        in      al, dx
        ror     eax, 8
        loop    .byte
        pop     cx
        pop     dx
        ret

; Selects the directory. EAX = number of files, CF = there is no such device.
fwcfg_directory:
        mov     ax, FWCFG_SIGNATURE
        call    fwcfg_select
        call    fwcfg_read32
        cmp     eax, 'QEMU'
        stc
        jne     .done
        mov     ax, FWCFG_DIR
        call    fwcfg_select
        call    fwcfg_read32
        xchg    al, ah
        rol     eax, 16
        xchg    al, ah
        cmp     eax, 1024               ; no sane directory is longer
        cmc
.done:
        ret

; Reads the next directory entry to SCRATCH_SEG:0. AX = selector, ECX = size.
fwcfg_next:
        push    es
        push    di
        push    dx
        push    word SCRATCH_SEG
        pop     es
        xor     di, di
        mov     cx, FWCFG_ENTRY
        mov     dx, FWCFG_DATA
        rep insb
        mov     ecx, [es:0]
        xchg    cl, ch
        rol     ecx, 16
        xchg    cl, ch
        mov     ax, [es:4]
        xchg    al, ah
        pop     dx
        pop     di
        pop     es
        ret

; ZF = the name of the entry in the scratch segment starts with CS:SI.
fwcfg_match:
        push    es
        push    si
        push    di
        push    ax
        push    word SCRATCH_SEG
        pop     es
        mov     di, FWCFG_NAME
.next:
        cs lodsb
        test    al, al
        jz      .done
        scasb
        je      .next
.done:
        pop     ax
        pop     di
        pop     si
        pop     es
        ret

; Looks for the file whose name starts with CS:SI. AX = selector, ECX = size, CF = no such file.
fwcfg_find:
        push    edx
        call    fwcfg_directory
        jc      .done
        mov     edx, eax
.next:
        sub     edx, 1
        jc      .done
        call    fwcfg_next
        call    fwcfg_match
        jne     .next
        clc
.done:
        pop     edx
        ret

; Copies ECX bytes of item AX to ES:DI; the buffer may cross segments.
fwcfg_load:
        call    fwcfg_select
        push    es
        push    di
        push    ecx
        push    dx
        mov     dx, FWCFG_DATA
.chunk:
        test    ecx, ecx
        jz      .done
        call    normalise
        push    ecx
        cmp     ecx, 0x8000
        jbe     .size
        mov     cx, 0x8000
.size:
        mov     ax, cx
        rep insb
        pop     ecx
        movzx   eax, ax
        sub     ecx, eax
        jmp     .chunk
.done:
        pop     dx
        pop     ecx
        pop     di
        pop     es
        ret
