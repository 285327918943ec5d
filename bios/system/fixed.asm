; fixed.asm - the addresses in F000:E000h-FFFFh that old programs call or read directly.
;
; Document: IBM PC/XT/AT technical references (BIOS listings give these places).
; Invariant: every AT line is an address fixed for ever; what does not fit behind it is a jump.

        AT      0xE05B
        jmp     post_start

        AT      0xE2C3
nmi_entry:
        iret

        AT      0xE6F2
int19_entry:
        jmp     int19_handler

        AT      0xE6F5
config_table:
        dw      8
        db      0xFC, 0x01, 0x00        ; AT, sub model, revision
        db      0x74                    ; second PIC, RTC, INT 15h 4Fh, EBDA
        db      0x40, 0, 0, 0           ; INT 16h 09h

        AT      0xE729                  ; divisors for 110 to 9600 bit/s
        dw      1047, 768, 384, 192, 96, 48, 24, 12

        AT      0xE739
int14_entry:
        jmp     int14_handler

        AT      0xE82E
int16_entry:
        jmp     int16_handler

        AT      0xE987
int09_entry:
        jmp     int09_handler

        AT      0xEC59
int13_entry:
        jmp     int13_handler

        AT      0xEF57
int0e_entry:
        jmp     int0e_handler

        AT      0xEFC7
diskette_table:
        db      0xAF, 0x02, 0x25, 2, 18, 0x1B, 0xFF, 0x6C, 0xF6, 15, 8

        AT      0xEFD2
int17_entry:
        jmp     int17_handler

        AT      0xF065
int10_entry:
        iret                            ; no display adapter, no output

        AT      0xF0A4
video_params:                           ; 6845 registers for 40x25, 80x25, graphics, monochrome
        db      0x38, 0x28, 0x2D, 0x0A, 0x1F, 0x06, 0x19, 0x1C
        db      0x02, 0x07, 0x06, 0x07, 0, 0, 0, 0
        db      0x71, 0x50, 0x5A, 0x0A, 0x1F, 0x06, 0x19, 0x1C
        db      0x02, 0x07, 0x06, 0x07, 0, 0, 0, 0
        db      0x38, 0x28, 0x2D, 0x0A, 0x7F, 0x06, 0x64, 0x70
        db      0x02, 0x01, 0x06, 0x07, 0, 0, 0, 0
        db      0x61, 0x50, 0x52, 0x0F, 0x19, 0x06, 0x19, 0x19
        db      0x02, 0x0D, 0x0B, 0x0C, 0, 0, 0, 0
        dw      2048, 4096, 16384, 16384        ; lengths of the regeneration buffers
        db      40, 40, 80, 80, 40, 40, 80, 80  ; columns
        db      0x2C, 0x28, 0x2D, 0x29, 0x2A, 0x2E, 0x1E, 0x29  ; mode register

        AT      0xF841
int12_entry:
        jmp     int12_handler

        AT      0xF84D
int11_entry:
        jmp     int11_handler

        AT      0xF859
int15_entry:
        jmp     int15_handler

        AT      0xFA6E
font_8x8:
        incbin  "font8x8.bin", 0, 1024

        AT      0xFE6E
int1a_entry:
        jmp     int1a_handler

        AT      0xFEA5
int08_entry:
        jmp     int08_handler

        AT      0xFF53
dummy_iret:
        iret

        AT      0xFF54
int05_entry:
        jmp     int05_handler

        AT      0xFFF0
        jmp     0xF000:0xE05B

        AT      0xFFF5
        db      BIOS_DATE
        db      0

        AT      0xFFFE
        db      0xFC, 0x00
