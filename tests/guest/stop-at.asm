; a ROM of 64 KB that counts for ever: three instructions a round
bits 16
org 0
again: inc ax
 inc bx
 jmp again
 times 0fff0h-($-$$) db 0
 jmp 0f000h:again
 times 10000h-($-$$) db 0
