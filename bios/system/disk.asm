; disk.asm - INT 13h: who answers for which drive number, and the fixed disk functions.
;
; Documents: IBM PS/2 and PC BIOS interface technical reference (INT 13h), Phoenix/T13 Enhanced
; Disk Drive Services 1.1/3.0 (functions 41h-48h, 4Eh).
; Invariant: AH of the frame stays the function until the status is known; functions return their
; status in AH; FS:SI = drive record.

SECTORS_MAX     equ 128                 ; of one transfer: 64 KB

int13_handler:
        SERVICE
        INTERRUPTS_ON
        sti
        cmp     byte [fs:ebda.emu_media], 0
        je      .direct
        cmp     dl, [fs:ebda.emu_drive]
        je      emulated_service
        ; The emulated drive pushes those of its kind one number up.
        mov     bl, dl
        xor     bl, [fs:ebda.emu_drive]
        js      .direct
        cmp     dl, 0xE0
        jae     .direct
        dec     dl
.direct:
        cmp     dl, 0x80
        jb      floppy_service
        movzx   bx, dl
        sub     bl, 0x80
        cmp     bl, 4
        jb      .disk
        sub     bl, 0x60
        jb      .nobody
        cmp     bl, 4
        jae     .nobody
        mov     al, [fs:ebda.cd_slots + bx]
        mov     di, cd_service
        jmp     .slot
.disk:
        mov     al, [fs:ebda.hd_slots + bx]
        mov     di, disk_service
.slot:
        cmp     al, 0xFF
        je      .nobody
        call    slot_record
        mov     al, [r_al]
        jmp     di
.nobody:
        cmp     ah, 0x15
        je      .no_type
        mov     ah, 0x01
        jmp     disk_status
.no_type:
        mov     byte [r_ah], 0
        and     byte [r_flags], ~FLAG_CF
        SERVICE_END

; SI = record of position AL.
slot_record:
        push    ax
        mov     ah, drive_size
        mul     ah
        add     ax, ebda.drives
        mov     si, ax
        pop     ax
        ret

disk_service:
        cmp     ah, 0x15
        jbe     .classic
        cmp     ah, 0x41
        jb      .unknown
        cmp     ah, 0x4E
        ja      .unknown
        movzx   bx, ah
        sub     bl, 0x41 - 0x16
        jmp     .look
.classic:
        movzx   bx, ah
.look:
        shl     bx, 1
        mov     di, [cs:disk_table + bx]
        call    di
disk_return:
        mov     [HD_STATUS], ah
disk_status:
        mov     [r_ah], ah
        and     byte [r_flags], ~FLAG_CF
        test    ah, ah
        jz      .done
        or      byte [r_flags], FLAG_CF
.done:
        SERVICE_END
disk_service.unknown:
        mov     ah, 0x01
        jmp     disk_return

disk_table:
        dw      disk_reset, disk_last, disk_chs, disk_chs, disk_chs, disk_unknown
        dw      disk_unknown, disk_unknown, disk_params, disk_ready, disk_unknown, disk_unknown
        dw      disk_seek, disk_reset, disk_unknown, disk_unknown, disk_ready, disk_ready
        dw      disk_unknown, disk_unknown, disk_ready, disk_type
        dw      edd_check, edd_transfer, edd_transfer, edd_transfer, disk_unknown, disk_unknown
        dw      edd_seek, edd_params, disk_unknown, disk_unknown, disk_unknown, disk_unknown
        dw      disk_unknown, edd_hardware

disk_unknown:
        mov     ah, 0x01
        ret

disk_reset:
        call    ata_select
        mov     ah, 0x05
        jc      .done
        mov     ah, 0
.done:
        ret

; The status stays what it was.
disk_last:
        pop     ax
        mov     ah, [HD_STATUS]
        jmp     disk_status

disk_ready:
        call    ata_select
        mov     ah, 0xAA
        jc      .done
        call    ata_wait_poll
        mov     ah, 0xAA
        jc      .done
        test    al, 0x40
        jz      .done
        mov     ah, 0
.done:
        ret

; Turns CX, DX of the frame into req_lba by the geometry in the record. CF = outside of it.
chs_to_lba:
        push    ebx
        mov     bx, [r_cx]
        movzx   eax, bh                 ; cylinder
        mov     ah, bl
        shr     ah, 6
        cmp     ax, [fs:si + drive.lcyls]
        jae     .bad
        movzx   ecx, word [fs:si + drive.lheads]
        mul     ecx
        movzx   edx, byte [r_dh]
        cmp     dx, cx
        jae     .bad
        add     eax, edx
        movzx   ecx, word [fs:si + drive.lspt]
        mul     ecx
        and     bx, 0x3F
        jz      .bad
        cmp     bx, cx
        ja      .bad
        dec     bx
        movzx   ebx, bx
        add     eax, ebx
        mov     [fs:ebda.req_lba], eax
        mov     dword [fs:ebda.req_lba + 4], 0
        pop     ebx
        clc
        ret
.bad:
        pop     ebx
        stc
        ret

; CF = AL is not a number of sectors that one segment can hold, AH = status. Nothing is moved then, and
; AL stays what it was.
count_check:
        mov     ah, 0x01
        cmp     al, 1
        jb      .done
        cmp     al, SECTORS_MAX + 1
        cmc
.done:
        ret

; 02h read, 03h write, 04h verify.
disk_chs:
        call    count_check
        jc      .done
        movzx   cx, al
        mov     byte [r_al], 0
        mov     ah, [r_ah]
        mov     [fs:ebda.req_count], cx
        mov     al, ah
        sub     al, 2
        mov     [fs:ebda.req_op], al
        call    chs_to_lba
        mov     ah, 0x01
        jc      .done
        mov     es, [r_es]
        mov     di, [r_bx]
        call    ata_transfer
        mov     al, [fs:ebda.req_done]
        mov     [r_al], al
.done:
        ret

disk_seek:
        call    chs_to_lba
        mov     ah, 0x40
        jc      .done
        mov     ah, 0
.done:
        ret

; 08h: last cylinder, head and sector, number of disks.
disk_params:
        mov     word [r_ax], 0
        mov     ax, [fs:si + drive.lcyls]
        dec     ax
        mov     [r_ch], al
        shl     ah, 6
        or      ah, [fs:si + drive.lspt]
        mov     [r_cl], ah
        mov     al, [fs:si + drive.lheads]
        dec     al
        mov     [r_dh], al
        mov     al, [HD_COUNT]
        mov     [r_dl], al
        mov     ah, 0
        ret

; 15h: AH = 3, CX:DX = sectors of the shown geometry.
disk_type:
        movzx   eax, word [fs:si + drive.lcyls]
        movzx   ecx, word [fs:si + drive.lheads]
        mul     ecx
        movzx   ecx, word [fs:si + drive.lspt]
        mul     ecx
        mov     [r_dx], ax
        shr     eax, 16
        mov     [r_cx], ax
        mov     byte [HD_STATUS], 0
        pop     ax
        mov     byte [r_ah], 3
        and     byte [r_flags], ~FLAG_CF
        SERVICE_END

; ---------------------------------------------------------------- extensions
; 41h: BX = 55AAh answers AA55h, version 3.0, packets and EDD table.
edd_check:
        mov     cx, 0x0005
edd_check_cx:
        mov     ah, 0x01
        cmp     word [r_bx], 0x55AA
        jne     .done
        mov     word [r_bx], 0xAA55
        mov     [r_cx], cx
        pop     ax
        mov     byte [r_ah], 0x30
        and     byte [r_flags], ~FLAG_CF
        SERVICE_END
.done:
        ret

; Takes the address packet at DS:SI of the caller: count, LBA and buffer in ES:DI.
; CF = malformed.
edd_packet:
        push    bx
        mov     es, [r_ds]
        mov     bx, [r_si]
        cmp     byte [es:bx], 0x10
        jb      .bad
        mov     ax, [es:bx + 2]
        mov     [fs:ebda.req_count], ax
        mov     eax, [es:bx + 8]
        mov     [fs:ebda.req_lba], eax
        mov     eax, [es:bx + 12]
        mov     [fs:ebda.req_lba + 4], eax
        cmp     dword [es:bx + 4], 0xFFFFFFFF
        je      .bad                    ; flat 64-bit addresses are out of reach of real mode
        les     di, [es:bx + 4]
        pop     bx
        clc
        ret
.bad:
        pop     bx
        stc
        ret

; Writes the number of blocks done back into the packet.
edd_done:
        push    es
        push    bx
        mov     es, [r_ds]
        mov     bx, [r_si]
        push    ax
        mov     ax, [fs:ebda.req_done]
        mov     [es:bx + 2], ax
        pop     ax
        pop     bx
        pop     es
        ret

; 42h read, 43h write (AL = 2 with verify), 44h verify.
edd_transfer:
        sub     ah, 0x42
        mov     [fs:ebda.req_op], ah
        call    edd_packet
        mov     ah, 0x01
        jc      .done
        push    dword [fs:ebda.req_lba]
        push    dword [fs:ebda.req_lba + 4]
        call    ata_transfer
        pop     dword [fs:ebda.req_lba + 4]
        pop     dword [fs:ebda.req_lba]
        jc      .count
        cmp     word [r_ax], 0x4302
        jne     .count
        mov     byte [fs:ebda.req_op], OP_VERIFY
        mov     cx, [fs:ebda.req_done]
        mov     [fs:ebda.req_count], cx
        call    ata_transfer
.count:
        call    edd_done
.done:
        ret

edd_seek:
        call    edd_packet
        mov     ah, 0x01
        jc      .done
        mov     word [fs:ebda.req_count], 1
        call    ata_check_end
        jc      .done
        mov     ah, 0
.done:
        ret

; 48h: 26 bytes, with room for 30 also the pointer to the parameter table extension.
edd_params:
        mov     bx, 0x0002              ; the physical geometry is valid
edd_params_flags:
        mov     es, [r_ds]
        mov     di, [r_si]
        mov     ah, 0x01
        cmp     word [es:di], 0x1A
        jb      .done
        mov     cx, 0x1A
        cmp     word [es:di], 0x1E
        jb      .size
        mov     cx, 0x1E
.size:
        mov     [es:di], cx
        mov     [es:di + 2], bx
        movzx   eax, word [fs:si + drive.pcyls]
        mov     [es:di + 4], eax
        movzx   eax, word [fs:si + drive.pheads]
        mov     [es:di + 8], eax
        movzx   eax, word [fs:si + drive.pspt]
        mov     [es:di + 12], eax
        mov     eax, [fs:si + drive.sectors]
        mov     [es:di + 16], eax
        mov     eax, [fs:si + drive.sectors + 4]
        mov     [es:di + 20], eax
        mov     ax, [fs:si + drive.block]
        mov     [es:di + 24], ax
        cmp     cx, 0x1E
        mov     ah, 0
        jne     .done
        mov     word [es:di + 26], ebda.dpte
        mov     word [es:di + 28], fs
        call    edd_dpte
        mov     ah, 0
.done:
        ret

; Device parameter table extension of the drive, with its check sum.
edd_dpte:
        mov     ax, [fs:si + drive.base]
        mov     [fs:ebda.dpte], ax
        mov     ax, [fs:si + drive.control]
        mov     [fs:ebda.dpte + 2], ax
        mov     al, [fs:si + drive.select]
        or      al, 0x40
        mov     [fs:ebda.dpte + 4], al
        mov     byte [fs:ebda.dpte + 5], 0xCB
        movzx   ax, byte [fs:si + drive.irq]
        mov     [fs:ebda.dpte + 6], ax
        mov     word [fs:ebda.dpte + 8], 0
        mov     ax, 0x0060              ; removable ATAPI
        cmp     byte [fs:si + drive.type], DRIVE_ATAPI
        je      .options
        mov     ax, 0x0090              ; LBA, 32-bit transfers
        mov     cx, [fs:si + drive.lcyls]
        cmp     cx, [fs:si + drive.pcyls]
        je      .options
        or      ax, 0x0208              ; translated, LBA-assisted
.options:
        mov     [fs:ebda.dpte + 10], ax
        mov     dword [fs:ebda.dpte + 12], 0x00110000
        mov     bx, ebda.dpte
        mov     cx, 15
        xor     al, al
.sum:
        sub     al, [fs:bx]
        inc     bx
        loop    .sum
        mov     [fs:bx], al
        ret

; 4Eh: only what asks for less than the usual is granted: prefetch off, PIO, DMA off.
edd_hardware:
        mov     ah, 0
        cmp     al, 0x01
        je      .done
        cmp     al, 0x03
        je      .done
        cmp     al, 0x04
        je      .done
        cmp     al, 0x06
        je      .done
        mov     ah, 0x01
.done:
        ret
