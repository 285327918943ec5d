; The least that -kernel takes for a Linux bzImage: the setup sectors of boot protocol 2.06, and nothing to run.
        bits 16
        times 0x1f1-($-$$) db 0
        db 1                            ; setup_sects
        times 0x1fe-($-$$) db 0
        dw 0xaa55
        jmp short $
        db 'HdrS'
        dw 0x206                        ; version
        times 0x211-($-$$) db 0
        db 1                            ; loadflags: the kernel goes to 1 MB
        times 0x22c-($-$$) db 0
        dd 0x37ffffff                   ; highest address of the initial RAM disk
        times 0x238-($-$$) db 0
        dd 255                          ; longest command line
        times 4096-($-$$) db 0
