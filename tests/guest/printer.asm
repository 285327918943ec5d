; Boot floppy that prints a line on LPT1 through INT 17h and switches the machine off.  run-boot.sh
; compares what -parallel file: has got.
org 7c00h
 xor ax,ax
 mov ds,ax
 mov si,msg
.n: lodsb
 test al,al
 jz .e
 mov ah,0
 xor dx,dx
 int 17h
 jmp .n
.e: mov si,off
 mov dx,8900h
 mov cx,8
 rep outsb
 hlt
msg db "Hello LPT",13,10,0
off db "Shutdown"
times 510-($-$$) db 0
dw 0aa55h
