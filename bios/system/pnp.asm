; pnp.asm - Plug and Play installation check structure.
;
; Document: Plug and Play BIOS Specification 1.0A, chapter 4.4. Option ROMs get its address in ES:DI
; to see that the BIOS follows the Boot Specification; there are no device nodes, so every call is
; answered with "function not supported".
; Invariant: the structure lies on a 16-byte boundary and its 33 bytes sum to zero.

pnp_real:
        mov     ax, 0x82
        retf

        align   16, db 0
%define PNP_LOW(x)  (((x) - $$) & 0xFF)
%define PNP_HIGH(x) (((x) - $$) >> 8)
PNP_SUM equ '$' + 'P' + 'n' + 'P' + 0x10 + 0x21 + 0xF0 + 0x0F + 0xF0 + 0x0F \
        + 2 * (PNP_LOW(pnp_real) + PNP_HIGH(pnp_real))
pnp_table:
        db      "$PnP", 0x10, 0x21
        dw      0                       ; no events
        db      (0x100 - (PNP_SUM & 0xFF)) & 0xFF
        dd      0
        dw      pnp_real, 0xF000        ; real mode
        dw      pnp_real                ; protected mode
        dd      0xF0000
        dd      0
        dw      0xF000
        dd      0xF0000
