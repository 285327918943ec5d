; ata.asm - ATA disks: detection, geometry, sector transfers by programmed I/O, INT 76h/77h.
;
; Documents: ATA/ATAPI-6 (task file, IDENTIFY DEVICE, 48-bit commands, signatures after reset).
; Invariants: SI = drive record in the EBDA (FS:SI); ES:DI = buffer and is kept normalised, so
; that one block never runs over the end of a segment; req_done counts finished sectors.

ATA_ERROR       equ 1
ATA_FEATURES    equ 1
ATA_COUNT       equ 2
ATA_LBA0        equ 3
ATA_LBA1        equ 4
ATA_LBA2        equ 5
ATA_DEVICE      equ 6
ATA_STATUS      equ 7
ATA_COMMAND     equ 7

ST_BSY          equ 0x80
ST_DF           equ 0x20
ST_DRQ          equ 0x08
ST_ERR          equ 0x01

OP_READ         equ 0
OP_WRITE        equ 1
OP_VERIFY       equ 2

ATA_WAIT_TICKS  equ 182                 ; ten seconds
CHUNK_MAX       equ 128                 ; sectors per command

; ---------------------------------------------------------------- interrupts of both channels
int76_handler:
        push    ds
        push    ax
        push    BDA_SEG
        pop     ds
        mov     byte [HD_INT_FLAG], 0xFF
        call    eoi_both
        mov     ax, 0x9100
        int     0x15
        pop     ax
        pop     ds
        iret

; ---------------------------------------------------------------- small steps
; Waits until the drive is not busy. AL = status. CF = time-out. DX survives. The first form sleeps
; until the interrupt of the channel, the other is for phases that end without one.
ata_wait:
        push    bx
        mov     bx, 0x4004
        cmp     byte [fs:si + drive.irq], 14
        je      ata_wait_common
        mov     bh, 0x80
        jmp     ata_wait_common
ata_wait_poll:
        push    bx
        mov     bx, 0xFFFF
ata_wait_common:
        push    dx
        mov     ax, ATA_WAIT_TICKS
        call    wait_begin
        mov     dx, [fs:si + drive.control]
        in      al, dx                  ; 400 ns for the status to become valid
.look:
        cli
        in      al, dx
        test    al, ST_BSY
        jz      .ready
        call    wait_step
        jnc     .look
        pop     dx
        pop     bx
        ret
.ready:
        sti
        mov     dx, [fs:si + drive.base]
        add     dx, ATA_STATUS
        in      al, dx
        pop     dx
        pop     bx
        clc
        ret

; Selects the drive and waits until the channel is free. CF = it never gets free.
ata_select:
        push    ax
        call    ata_wait_poll
        jc      .done
        mov     dx, [fs:si + drive.base]
        add     dx, ATA_DEVICE
        mov     al, [fs:si + drive.select]
        out     dx, al
        call    ata_wait_poll
.done:
        pop     ax
        ret

; The offset of ES:DI becomes less than 16, or, above 1 MB, that in the last segment.
normalise:
        push    ax
        push    bx
        mov     ax, es
        mov     bx, di
        shr     bx, 4
        and     di, 0x0F
        add     ax, bx
        jnc     .below
        inc     ax
        shl     ax, 4
        or      di, ax
        mov     ax, 0xFFFF
.below:
        mov     es, ax
        pop     bx
        pop     ax
        ret

; ---------------------------------------------------------------- transfers
; Transfers req_count sectors from req_lba, req_op says what. CF = error, AH = status of INT 13h.
ata_transfer:
        mov     word [fs:ebda.req_done], 0
        call    ata_check_end
        jc      .return
.chunk:
        movzx   eax, word [fs:ebda.req_count]
        test    ax, ax
        mov     ah, 0
        jz      .return
        call    ata_chunk
        jnc     .chunk
.return:
        ret

; CF = the request goes past the end of the disk, AH = status.
ata_check_end:
        movzx   eax, word [fs:ebda.req_count]
        xor     edx, edx
        add     eax, [fs:ebda.req_lba]
        adc     edx, [fs:ebda.req_lba + 4]
        jc      .beyond
        cmp     edx, [fs:si + drive.sectors + 4]
        jb      .fine
        ja      .beyond
        cmp     eax, [fs:si + drive.sectors]
        ja      .beyond
.fine:
        clc
        ret
.beyond:
        mov     ah, 0x04
        stc
        ret

; One command of at most CHUNK_MAX sectors.
ata_chunk:
        call    ata_select
        jc      .timeout
        mov     cx, [fs:ebda.req_count]
        cmp     cx, CHUNK_MAX
        jbe     .size
        mov     cx, CHUNK_MAX
.size:
        mov     byte [HD_INT_FLAG], 0
        call    ata_command
        cmp     byte [fs:ebda.req_op], OP_WRITE
        jb      .sector
        ja      .verify
        call    ata_wait_poll           ; the first block of a write is asked for silently
        jmp     .ready
.sector:
        call    ata_wait
.ready:
        jc      .timeout
        test    al, ST_ERR | ST_DF
        jnz     .error
        test    al, ST_DRQ
        jz      .error
.block:
        call    normalise
        cmp     di, 0x10000 - 512       ; the end of what real mode can reach
        ja      .boundary
        push    cx
        mov     cx, 128
        mov     dx, [fs:si + drive.base]
        cmp     byte [fs:ebda.req_op], OP_WRITE
        je      .out
        rep insd
        jmp     .moved
.out:
        push    ds
        push    si
        push    es
        pop     ds
        mov     si, di
        rep outsd
        mov     di, si
        pop     si
        pop     ds
        call    ata_wait                ; a sector counts when the drive has taken it
        pop     cx
        jc      .timeout
        test    al, ST_ERR | ST_DF
        jnz     .error
        mov     ax, 1
        call    ata_advance
        dec     cx
        jz      .end
        mov     dx, [fs:si + drive.control]
        in      al, dx
        test    al, ST_DRQ
        jz      .error
        jmp     .block
.moved:
        pop     cx
        mov     ax, 1
        call    ata_advance
        loop    .sector
        call    ata_wait_poll
        jc      .timeout
        test    al, ST_ERR | ST_DF
        jnz     .error
.end:
        ret
.verify:
        call    ata_wait
        jc      .timeout
        test    al, ST_ERR | ST_DF
        jnz     .error
        mov     ax, cx
        ; falls through

; AX sectors are done.
ata_advance:
        sub     [fs:ebda.req_count], ax
        add     [fs:ebda.req_done], ax
        movzx   eax, ax
        add     [fs:ebda.req_lba], eax
        adc     dword [fs:ebda.req_lba + 4], 0
        clc
        ret
ata_chunk.boundary:
        mov     ah, 0x09
        stc
        ret
ata_chunk.timeout:
        mov     ah, 0x80
        stc
        ret
; The error register says what was wrong.
ata_chunk.error:
        mov     dx, [fs:si + drive.base]
        add     dx, ATA_ERROR
        in      al, dx
        mov     ah, 0x10
        test    al, 0x40                ; uncorrectable data
        jnz     ata_classified
        mov     ah, 0x04
        test    al, 0x10                ; no such sector
        jnz     ata_classified
        mov     ah, 0x02
        test    al, 0x01
        jnz     ata_classified
        mov     ah, 0x01
        test    al, 0x04                ; command aborted
        jnz     ata_classified
        mov     ah, 0x20
ata_classified:
        stc
        ret

; Writes the task file for CX sectors and the command. CX and SI survive.
ata_command:
        mov     dx, [fs:si + drive.base]
        add     dx, ATA_COUNT
        mov     ebx, [fs:ebda.req_lba]
        test    byte [fs:si + drive.flags], DF_LBA
        jz      .chs
        test    byte [fs:si + drive.flags], DF_LBA48
        jz      .lba28
        cmp     dword [fs:ebda.req_lba + 4], 0
        jne     .lba48
        cmp     ebx, 0x0FFFFF00
        jae     .lba48
.lba28:
        mov     al, cl
        out     dx, al
        inc     dx
        call    .three
        shr     ebx, 8                  ; BH: bits 31-24
        mov     al, bh
        and     al, 0x0F
        or      al, 0x40
        mov     ah, 0
        jmp     .device
.lba48:
        mov     al, 0                   ; high bytes first
        out     dx, al
        inc     dx
        rol     ebx, 8
        mov     al, bl
        out     dx, al
        inc     dx
        mov     ax, [fs:ebda.req_lba + 4]
        out     dx, al
        inc     dx
        mov     al, ah
        out     dx, al
        ror     ebx, 8
        sub     dx, ATA_LBA2 - ATA_COUNT
        mov     al, cl
        out     dx, al
        inc     dx
        call    .three
        mov     al, 0x40
        mov     ah, 3
        jmp     .device
.three:                                 ; EBX bits 23-0; leaves EBX shifted right by 8
        mov     al, bl
        out     dx, al
        inc     dx
        mov     al, bh
        out     dx, al
        inc     dx
        shr     ebx, 8
        mov     al, bh
        out     dx, al
        inc     dx
        ret
.chs:
        push    dx
        mov     eax, ebx
        xor     edx, edx
        movzx   ebx, word [fs:si + drive.pspt]
        div     ebx
        inc     dx
        mov     bl, dl                  ; sector
        xor     edx, edx
        push    bx
        movzx   ebx, word [fs:si + drive.pheads]
        div     ebx
        pop     bx
        mov     bh, dl                  ; head
        pop     dx
        push    ax                      ; cylinder
        mov     al, cl
        out     dx, al
        inc     dx
        mov     al, bl
        out     dx, al
        inc     dx
        pop     ax
        out     dx, al
        inc     dx
        mov     al, ah
        out     dx, al
        inc     dx
        mov     al, bh
        mov     ah, 0
.device:
        or      al, [fs:si + drive.select]
        out     dx, al
        inc     dx
        movzx   bx, byte [fs:ebda.req_op]
        add     bl, ah
        mov     al, [cs:ata_opcodes + bx]
        out     dx, al
        ret

ata_opcodes     db 0x20, 0x30, 0x40     ; read, write, verify
                db 0x24, 0x34, 0x42     ; the same with 48-bit addresses

; ---------------------------------------------------------------- POST: which drives are there
ata_init:
        push    BDA_SEG
        pop     ds
        call    ebda_to_fs
        mov     si, ebda.drives
        mov     bx, ata_positions
        mov     cx, 4
.next:
        mov     ax, [cs:bx]
        mov     [fs:si + drive.base], ax
        mov     ax, [cs:bx + 2]
        mov     [fs:si + drive.control], ax
        mov     al, [cs:bx + 4]
        mov     [fs:si + drive.irq], al
        mov     al, [cs:bx + 5]
        mov     [fs:si + drive.select], al
        push    bx
        push    cx
        test    al, 0x10
        jnz     .probe
        call    ata_reset_channel
.probe:
        call    ata_probe
        pop     cx
        pop     bx
        add     bx, 6
        add     si, drive_size
        loop    .next
        mov     al, [fs:ebda.hd_count]
        mov     [HD_COUNT], al
        ret

ata_positions:
        dw      0x1F0, 0x3F6
        db      14, 0xA0
        dw      0x1F0, 0x3F6
        db      14, 0xB0
        dw      0x170, 0x376
        db      15, 0xA0
        dw      0x170, 0x376
        db      15, 0xB0

; Soft reset of the channel of SI, unless nobody is on it (all bits of the status high).
ata_reset_channel:
        mov     dx, [fs:si + drive.control]
        in      al, dx
        cmp     al, 0xFF
        je      .done
        mov     al, 0x0C
        out     dx, al
        mov     cx, 2
        call    delay_refresh
        mov     al, 0x08
        out     dx, al
        mov     cx, 2
        call    delay_refresh
        call    ata_wait_poll
.done:
        ret

; Finds out what is at position SI.
ata_probe:
        mov     dx, [fs:si + drive.base]
        add     dx, ATA_DEVICE
        mov     al, [fs:si + drive.select]
        out     dx, al
        mov     dx, [fs:si + drive.control]
        in      al, dx
        in      al, dx
        cmp     al, 0xFF
        je      .none
        ; Registers that do not hold a value belong to nobody.
        mov     dx, [fs:si + drive.base]
        add     dx, ATA_STATUS
        in      al, dx
        test    al, ST_BSY
        jz      .free
        call    ata_wait_poll
        jc      .none
.free:
        mov     dx, [fs:si + drive.base]
        add     dx, ATA_LBA1
        in      al, dx
        mov     bl, al
        inc     dx
        in      al, dx
        mov     bh, al
        mov     al, 0xA1                ; IDENTIFY PACKET DEVICE
        mov     cl, DRIVE_ATAPI
        cmp     bx, 0xEB14
        je      .identify
        mov     al, 0xEC
        mov     cl, DRIVE_ATA
        test    bx, bx
        jnz     .none
        mov     ah, al
        add     dx, ATA_STATUS - ATA_LBA2
        in      al, dx
        test    al, 0x50                ; an absent second drive shows 00h
        mov     al, ah
        jz      .none
.identify:
        mov     dx, [fs:si + drive.base]
        add     dx, ATA_COMMAND
        out     dx, al
        call    ata_wait
        jc      .none
        test    al, ST_ERR | ST_DF
        jnz     .none
        test    al, ST_DRQ
        jz      .none
        push    cx
        mov     ax, SCRATCH_SEG
        mov     es, ax
        xor     di, di
        mov     cx, 256
        mov     dx, [fs:si + drive.base]
        rep insw
        pop     cx
        call    ata_wait
        mov     [fs:si + drive.type], cl
        cmp     cl, DRIVE_ATAPI
        je      atapi_found
        jmp     ata_found
.none:
        ret

; SCRATCH_SEG:0 = IDENTIFY DEVICE data.
ata_found:
        mov     word [fs:si + drive.block], 512
        mov     ax, [es:1 * 2]
        mov     [fs:si + drive.pcyls], ax
        mov     ax, [es:3 * 2]
        mov     [fs:si + drive.pheads], ax
        mov     ax, [es:6 * 2]
        mov     [fs:si + drive.pspt], ax
        test    word [es:49 * 2], 0x200
        jz      .chs
        or      byte [fs:si + drive.flags], DF_LBA
        mov     eax, [es:60 * 2]
        xor     edx, edx
        mov     bx, [es:83 * 2]
        and     bx, 0xC400              ; bit 10 with the validity pattern in 15-14
        cmp     bx, 0x4400
        jne     .size
        or      byte [fs:si + drive.flags], DF_LBA48
        mov     eax, [es:100 * 2]
        mov     edx, [es:102 * 2]
        jmp     .size
.chs:
        movzx   eax, word [fs:si + drive.pcyls]
        movzx   edx, word [fs:si + drive.pheads]
        mul     edx
        movzx   edx, word [fs:si + drive.pspt]
        mul     edx
.size:
        mov     [fs:si + drive.sectors], eax
        mov     [fs:si + drive.sectors + 4], edx
        call    ata_geometry
        call    ata_partition_hint
        movzx   bx, byte [fs:ebda.hd_count]
        inc     byte [fs:ebda.hd_count]
        mov     al, bl
        or      al, 0x80
        mov     [fs:si + drive.number], al
        mov     ax, si
        sub     ax, ebda.drives
        mov     cl, drive_size
        div     cl
        mov     [fs:ebda.hd_slots + bx], al
        call    ata_parameter_table
        PRINT   msg_disk
        mov     al, bl
        add     al, '0'
        call    putc
        call    print_model
        PRINT   msg_dash
        mov     eax, [fs:si + drive.sectors]
        mov     edx, [fs:si + drive.sectors + 4]
        shrd    eax, edx, 11
        call    print_dec
        PRINT   msg_mb
        ret

; The geometry shown to programs: the drive's own up to 1024 cylinders, else 63 sectors and as many
; heads as bring the cylinders down (LBA-assisted translation).
ata_geometry:
        mov     ax, [fs:si + drive.pheads]
        mov     bx, [fs:si + drive.pspt]
        mov     cx, [fs:si + drive.pcyls]
        test    byte [fs:si + drive.flags], DF_LBA
        jz      .as_is
        cmp     cx, 1024
        ja      .translate
        test    ax, ax
        jz      .translate
        test    bx, bx
        jnz     .as_is
.translate:
        mov     eax, [fs:si + drive.sectors]
        mov     edx, [fs:si + drive.sectors + 4]
        test    edx, edx
        jnz     .largest
        mov     ebx, 63
        div     ebx                     ; tracks
        mov     ecx, eax
        mov     bx, 16
.heads:
        movzx   edx, bx
        shl     edx, 10
        cmp     ecx, edx
        jbe     .fits
        shl     bx, 1
        cmp     bx, 256
        jb      .heads
.largest:
        mov     bx, 255
        mov     eax, [fs:si + drive.sectors]
        mov     edx, [fs:si + drive.sectors + 4]
        mov     cx, 1024
        test    edx, edx
        jnz     .capped
        mov     ecx, 63
        div     ecx
        mov     ecx, eax
.fits:
        mov     eax, ecx
        xor     edx, edx
        movzx   ecx, bx
        div     ecx
        mov     cx, 1024
        cmp     eax, 1024
        ja      .capped
        mov     cx, ax
        test    cx, cx
        jnz     .capped
        inc     cx
.capped:
        mov     ax, bx
        mov     bx, 63
.as_is:
        mov     [fs:si + drive.lcyls], cx
        mov     [fs:si + drive.lheads], ax
        mov     [fs:si + drive.lspt], bx
        ret

; A partition table remembers the geometry it was made with, and programs on the disk rely on that: the
; last sector of a partition is the last one of a track of the last head. Taken when start and end
; of an entry agree with it; an end behind cylinder 1022 cannot be checked.
ata_partition_hint:
        pushad
        push    es
        test    byte [fs:si + drive.flags], DF_LBA
        jz      .done
        cmp     dword [fs:si + drive.sectors + 4], 0
        jne     .done
        push    SCRATCH_SEG + 0x100
        pop     es
        xor     di, di
        xor     eax, eax
        mov     [fs:ebda.req_lba], eax
        mov     [fs:ebda.req_lba + 4], eax
        mov     word [fs:ebda.req_count], 1
        mov     byte [fs:ebda.req_op], OP_READ
        call    ata_transfer
        jc      .done
        push    SCRATCH_SEG + 0x100
        pop     es
        cmp     word [es:510], 0xAA55
        jne     .done
        mov     di, 446
.entry:
        call    .try
        jc      .next
        mov     [fs:si + drive.lheads], bx
        mov     [fs:si + drive.lspt], cx
        imul    bx, cx
        mov     eax, [fs:si + drive.sectors]
        xor     edx, edx
        movzx   ebx, bx
        div     ebx
        cmp     eax, 1024
        jbe     .cylinders
        mov     ax, 1024
.cylinders:
        mov     [fs:si + drive.lcyls], ax
        jmp     .done
.next:
        add     di, 16
        cmp     di, 446 + 4 * 16
        jb      .entry
.done:
        pop     es
        popad
        ret

; BX = heads, CX = sectors per track of the entry ES:DI. CF = it says nothing.
.try:
        cmp     dword [es:di + 12], 0
        je      .no
        movzx   bx, byte [es:di + 5]
        inc     bx
        cmp     bl, 2                   ; neither 1 nor 256
        jb      .no
        movzx   cx, byte [es:di + 6]
        and     cl, 0x3F
        jz      .no
        lea     bp, [di + 1]
        call    .address
        jc      .no
        cmp     eax, [es:di + 8]
        jne     .no
        movzx   eax, bx
        imul    ax, cx
        cmp     eax, [fs:si + drive.sectors]
        ja      .no
        lea     bp, [di + 5]
        call    .address
        jc      .yes                    ; the end is too far away
        add     eax, 1
        sub     eax, [es:di + 8]
        cmp     eax, [es:di + 12]
        jne     .no
.yes:
        clc
        ret
.no:
        stc
        ret

; EAX = sector number of the head, sector, cylinder bytes at ES:BP. CF = not in this geometry.
.address:
        movzx   eax, byte [es:bp + 2]
        mov     ah, [es:bp + 1]
        shr     ah, 6
        cmp     ax, 1023                ; all that do not fit are written so
        jae     .outside
        mov     dl, [es:bp + 1]
        and     dl, 0x3F
        jz      .outside
        cmp     dl, cl
        ja      .outside
        mov     dh, [es:bp]
        cmp     dh, bl
        jae     .outside
        push    edx
        movzx   edx, bx
        imul    eax, edx
        pop     edx
        push    edx
        movzx   edx, dh
        add     eax, edx
        movzx   edx, cx
        imul    eax, edx
        pop     edx
        movzx   edx, dl
        lea     eax, [eax + edx - 1]
        clc
        ret
.outside:
        stc
        ret

; The tables behind INT 41h and 46h for disks 0 and 1. BX = disk.
ata_parameter_table:
        cmp     bx, 1
        ja      .done
        mov     di, bx
        shl     di, 4
        add     di, ebda.fdpt0
        mov     ax, [fs:si + drive.lcyls]
        mov     [fs:di], ax
        mov     [fs:di + 12], ax        ; landing zone
        mov     ax, [fs:si + drive.lheads]
        mov     [fs:di + 2], al
        mov     ax, [fs:si + drive.lspt]
        mov     [fs:di + 14], al
        mov     word [fs:di + 5], 0xFFFF
        mov     byte [fs:di + 8], 0xC0  ; no retries by the drive
        mov     ax, [fs:si + drive.lcyls]
        cmp     ax, [fs:si + drive.pcyls]
        je      .heads
        ; Translated: the table carries both geometries and a check sum.
        mov     byte [fs:di + 3], 0xA0
        mov     al, [fs:si + drive.pspt]
        mov     [fs:di + 4], al
        mov     ax, [fs:si + drive.pcyls]
        mov     [fs:di + 9], ax
        mov     al, [fs:si + drive.pheads]
        mov     [fs:di + 11], al
        push    cx
        push    di
        mov     cx, 15
        xor     al, al
.sum:
        sub     al, [fs:di]
        inc     di
        loop    .sum
        mov     [fs:di], al
        pop     di
        pop     cx
.heads:
        cmp     byte [fs:di + 2], 8
        jbe     .done
        or      byte [fs:di + 8], 8
.done:
        ret

; The model from the IDENTIFY data: 40 characters, bytes swapped, blanks at the end dropped.
print_model:
        pushad
        PRINT   msg_colon
        mov     di, 27 * 2
        mov     cx, 20
        mov     bx, cx
.swap:
        mov     ax, [es:di]
        xchg    al, ah
        mov     [es:di], ax
        add     di, 2
        loop    .swap
        mov     si, 27 * 2
        mov     cx, 40
.trim:
        dec     di
        cmp     byte [es:di], ' '
        jne     .print
        loop    .trim
.print:
        call    puts_es
        popad
        ret

msg_disk        db "Disk ", 0
msg_cd          db "CD-ROM ", 0
msg_colon       db ": ", 0
msg_dash        db " - ", 0
msg_mb          db " MB", 13, 10, 0
