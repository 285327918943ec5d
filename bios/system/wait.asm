; wait.asm - waiting for devices without burning the processor and without host-speed loops.
;
; A wait is limited twice: in timer ticks (54.9 ms, counted by INT 08h) and, because a program may
; have masked or taken over the timer, in changes of the memory refresh signal (port 61h bit 4,
; one per 15 us). Real mode code sleeps with HLT; V86 code must not, there HLT is privileged.
; Between two looks a fill passes PAUSE_BYTES instructions, which costs an emulator next to nothing.
; Invariant: DS = BDA, FS = EBDA; only one wait at a time (they never nest).

REFRESH_PER_TICK equ 3641

; AX = limit in ticks.
wait_begin:
        push    eax
        mov     [fs:ebda.wait_ticks], ax
        movzx   eax, ax
        imul    eax, eax, REFRESH_PER_TICK * 16
        mov     [fs:ebda.wait_polls], eax
        mov     al, [TICKS]
        mov     [fs:ebda.wait_last], al
        pop     eax
        ret

; Lets time pass. Comes with interrupts off after a look at the device, leaves with interrupts on.
; BX = interrupt mask bits that must be clear for HLT to be safe (BL first, BH second controller;
; bit 0 of BL, the timer, is always asked). CF = the limit is reached.
wait_step:
        push    ax
        smsw    ax
        test    al, 1
        jnz     .poll
        in      al, PIC2 + 1
        test    al, bh
        jnz     .poll
        in      al, PIC1 + 1
        or      bl, 1
        test    al, bl
        jnz     .poll
        sti
        hlt
        jmp     .count
.poll:
        sti
        in      al, PORT_B
        mov     ah, al
        push    cx                      ; the pause
        push    di
        push    es
        push    fs
        pop     es
        mov     di, ebda.pause
        mov     cx, PAUSE_BYTES
        rep stosb
        pop     es
        pop     di
        pop     cx
        in      al, PORT_B
        xor     al, ah
        test    al, 0x10
        jz      .count
        dec     dword [fs:ebda.wait_polls]
        jz      .expired
.count:
        mov     al, [TICKS]
        cmp     al, [fs:ebda.wait_last]
        je      .more
        mov     [fs:ebda.wait_last], al
        dec     word [fs:ebda.wait_ticks]
        jz      .expired
.more:
        pop     ax
        clc
        ret
.expired:
        pop     ax
        stc
        ret

; CX = time to pass in units of the refresh signal (15 us). Bounded should the signal stand still.
delay_refresh:
        push    ax
        push    cx
        push    edx
        jcxz    .done
        mov     edx, 0x1000000
        in      al, PORT_B
        mov     ah, al
.look:
        in      al, PORT_B
        dec     edx
        jz      .done
        xor     al, ah
        test    al, 0x10
        jz      .look
        xor     ah, al
        loop    .look
.done:
        pop     edx
        pop     cx
        pop     ax
        ret
