; bootmenu.asm - F12: choose one device to start from, this time only.
;
; Document: QEMU "fw_cfg" items (0Eh: the menu is wanted); how it looks is our own.
; Invariants: a chosen disk or CD becomes number 0 of its kind, because boot sectors look for
; themselves there; without a choice nothing changes. DS = BDA, FS = EBDA.

FWCFG_BOOT_MENU equ 0x0E
MENU_TICKS      equ 55                  ; 3 seconds for the key
KEY_F12         equ 0x86
KEY_ESC         equ 0x01

; With item 0Eh of fw_cfg POST waits for the key, else it must be there already.
boot_menu:
        push    BDA_SEG
        pop     ds
        call    ebda_to_fs
        call    fwcfg_directory
        jc      .peek
        mov     ax, FWCFG_BOOT_MENU
        call    fwcfg_select
        mov     dx, FWCFG_DATA
        in      al, dx
        test    al, al
        jnz     .ask
.peek:
        mov     ah, 0x11
        int     0x16
        jz      .return
        cmp     ah, KEY_F12
        jne     .return
        mov     ah, 0x10
        int     0x16
        jmp     .show
.ask:
        PRINT   msg_menu_key
        mov     ax, MENU_TICKS
        call    wait_begin
.wait:
        mov     ah, 0x11
        int     0x16
        jz      .idle
        mov     ah, 0x10
        int     0x16
        cmp     ah, KEY_F12
        je      .show
        cmp     ah, KEY_ESC
        je      .show
.idle:
        cli
        mov     bx, 0x02                ; the keyboard's interrupt wakes it
        call    wait_step
        jnc     .wait
.return:
        ret
.show:
        PRINT   msg_menu_title
        mov     bp, menu_print
        call    menu_each
        PRINT   msg_menu_choose
.key:
        mov     ah, 0x10
        int     0x16
        cmp     ah, KEY_ESC
        je      .return
        call    menu_number
        mov     [fs:ebda.menu_kind], al
        mov     bp, menu_pick
        call    menu_each               ; replaces the number by what is behind it
        cmp     byte [fs:ebda.menu_found], 0
        jne     .found
        mov     byte [fs:ebda.menu_kind], 0
        jmp     .key
.found:
        mov     si, ebda.hd_slots
        cmp     byte [fs:ebda.menu_kind], BOOT_DISK
        je      .first
        mov     si, ebda.cd_slots
        cmp     byte [fs:ebda.menu_kind], BOOT_CD
        jne     .return
.first:
        movzx   bx, byte [fs:ebda.menu_index]
        test    bx, bx
        jz      .return
        ; falls through

; Exchanges number 0 and number BX of the list SI.
menu_exchange:
        mov     al, [fs:si]
        xchg    al, [fs:si + bx]
        mov     [fs:si], al
        mov     ah, [fs:si + bx]
        call    slot_record
        mov     di, si
        mov     al, ah
        call    slot_record
        mov     al, [fs:si + drive.number]
        xchg    al, [fs:di + drive.number]
        mov     [fs:si + drive.number], al
        cmp     byte [fs:ebda.menu_kind], BOOT_DISK
        jne     .done
        call    menu_parameter_table    ; SI = the new disk BX, DI = the new disk 0
        mov     si, di
        xor     bx, bx
        ; falls through
menu_parameter_table:
        cmp     bx, 1
        ja      menu_exchange.done
        push    di
        mov     di, bx
        shl     di, 4
        add     di, ebda.fdpt0
        push    es
        push    fs
        pop     es
        mov     cx, 8
        xor     ax, ax
        rep stosw
        pop     es
        call    ata_parameter_table
        pop     di
menu_exchange.done:
        ret

; AL = 1-9, 10-35 for the characters 1-9, a-z, 0 for others.
menu_number:
        sub     al, '1' - 1
        cmp     al, 9
        jbe     .done
        or      al, 0x20
        sub     al, 'a' - ('1' - 1) - 10
        cmp     al, 10
        jb      .none
        cmp     al, 36
        jb      .done
.none:
        xor     al, al
.done:
        ret

; Calls BP for every device with CL = its number in the menu, AL = kind, BX = index of the kind.
menu_each:
        mov     byte [fs:ebda.menu_found], 0
        xor     cx, cx
        mov     al, BOOT_FLOPPY
        cmp     byte [fs:ebda.fd_count], 1
        cmc
        setc    ah
        call    .kind
        mov     al, BOOT_DISK
        mov     ah, [HD_COUNT]
        call    .kind
        mov     al, BOOT_CD
        mov     ah, [fs:ebda.cd_count]
        call    .kind
        mov     al, BOOT_NETWORK
        mov     ah, [fs:ebda.bev_count]
.kind:
        xor     bx, bx
.next:
        cmp     bl, ah
        jae     .done
        inc     cx
        pusha
        call    bp
        popa
        inc     bx
        jmp     .next
.done:
        ret

menu_pick:
        cmp     byte [fs:ebda.menu_found], 0
        jne     .no
        cmp     cl, [fs:ebda.menu_kind]
        jne     .no
        mov     byte [fs:ebda.menu_found], 1
        mov     [fs:ebda.menu_kind], al
        mov     [fs:ebda.menu_index], bl
.no:
        ret

menu_print:
        push    ax
        mov     al, cl
        add     al, '0'
        cmp     al, '9'
        jbe     .digit
        add     al, 'a' - '9' - 1
.digit:
        call    putc
        PRINT   msg_menu_dot
        pop     ax
        movzx   di, al
        shl     di, 1
        cmp     al, BOOT_NETWORK
        je      .rom
        mov     si, [cs:.names - 2 + di]
        call    puts
        cmp     al, BOOT_FLOPPY
        je      .end
        xchg    ax, bx
        push    bx
        push    ax
        add     al, '0'
        call    putc
        pop     di
        pop     bx
        cmp     bl, BOOT_DISK
        jne     .end
        PRINT   msg_dash
        mov     al, [fs:ebda.hd_slots + di]
        call    slot_record
        mov     eax, [fs:si + drive.sectors]
        mov     edx, [fs:si + drive.sectors + 4]
        shrd    eax, edx, 11
        call    print_dec
        PRINT   msg_mb
        ret
.rom:
        imul    bx, bx, 6
        mov     es, [fs:ebda.bev_table + bx + 2]
        mov     si, [fs:ebda.bev_table + bx + 4]
        mov     cx, 40
        test    si, si
        jnz     .named
        PRINT   msg_rom
        jmp     .end
.named:
        call    puts_es
.end:
        PRINT   msg_newline
        ret
.names          dw msg_menu_floppy, msg_disk, msg_cd

msg_menu_key    db "Press F12 for the boot menu.", 13, 10, 0
msg_menu_title  db 13, 10, "Boot from:", 13, 10, 13, 10, 0
msg_menu_choose db 13, 10, "Press a number, or Esc for the usual order.", 13, 10, 0
msg_menu_dot    db ". ", 0
msg_menu_floppy db "Floppy", 0
