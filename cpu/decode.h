/* decode.h - x86 instruction decoder: bytes in, struct decoded out.
 *
 * Models the instruction formats of the SDM volume 2, chapter 2 and appendix A, from the 386 to the
 * P6 family with MMX, SSE, SSE2 and SSE3, plus the 64-bit columns of the same tables.
 *
 * The decoder is pure: no CPU state, no allocation, no static data that changes. It answers what
 * the bytes mean; what the current mode, privilege or CPU model thinks of it (AT_CPL0, AT_PROT,
 * feature, ...) is left to the caller. Faults that depend on the bytes alone (undefined opcode,
 * LOCK where it is not allowed, register form of a memory-only instruction, more than 15 bytes)
 * are decided here.
 */
#ifndef OXBOW_CPU_DECODE_H
#define OXBOW_CPU_DECODE_H

#include <stdbool.h>
#include <stdint.h>

/* Operations, one per mnemonic-like meaning; see opname.def. */
enum opcode {
    OP_INVALID = 0,
#define X(name, text) OP_##name,
#include "cpu/opname.def"
#undef X
    OP_COUNT
};

/* Code segment kind: decides the default operand and address size. */
enum code_size { CODE16, CODE32, CODE64 };

enum decode_status {
    DEC_OK,
    DEC_MORE,     /* the bytes given end inside the instruction; with more of them, call again */
    DEC_UD,       /* #UD; len counts the bytes the CPU has to fetch before it knows */
    DEC_TOO_LONG  /* longer than 15 bytes: #GP(0) */
};

enum { DECODE_MAX_LEN = 15 };

/* General registers by number; byte registers use the same field, see struct operand. */
enum {
    REG_AX = 0, REG_CX, REG_DX, REG_BX, REG_SP, REG_BP, REG_SI, REG_DI,
    REG_RIP = 0x10,   /* base of a RIP-relative operand (CODE64) */
    REG_NONE = 0xff
};

/* Segment registers by number, as in the reg field of 8C and 8E. */
enum { SEG_ES = 0, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

enum { REP_NONE = 0, REP_F3 = 1, REP_F2 = 2 };

enum operand_kind {
    OK_NONE = 0,
    OK_REG,         /* general register */
    OK_MEM,         /* memory; address in base/index/scale/disp/seg of struct decoded */
    OK_IMM,         /* immediate in imm (the second of ENTER: imm2) */
    OK_SREG,        /* segment register SEG_* */
    OK_CR,
    OK_DR,
    OK_TR,          /* test register TR3..TR7 of the 386 and 486 */
    OK_ST,          /* x87 register ST(reg) */
    OK_MM,
    OK_XMM,
    OK_REL,         /* relative branch: sign-extended displacement in imm; the target is
                       (address of the next instruction + imm) truncated to osize */
    OK_FARPTR,      /* immediate far pointer: offset in imm, selector in imm2 */
    OK_STRING_SRC,  /* seg:[rSI], width of rSI = asize */
    OK_STRING_DST   /* ES:[rDI], width of rDI = asize */
};

struct operand {
    uint8_t kind;   /* enum operand_kind */
    uint8_t reg;    /* register number 0-15. OK_REG with size 1: without a REX prefix 0-3 are AL CL
                       DL BL and 4-7 are AH CH DH BH; with REX (rex != 0) 4-7 are SPL BPL SIL DIL */
    uint16_t size;  /* bytes: 1 2 4 8 16; 6 and 10 for far pointers and descriptor-table operands,
                       10 for x87 extended and BCD, 14 28 94 108 512 for x87 and FXSAVE images;
                       0 where memory is named but not accessed (LEA, INVLPG, NOP, prefetches) */
};

/* Condition of JCC, SETCC, CMOVCC: the low four opcode bits. */
enum condition {
    CC_O, CC_NO, CC_B, CC_NB, CC_Z, CC_NZ, CC_BE, CC_NBE,
    CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_NL, CC_LE, CC_NLE
};

/* Arithmetic flags at their EFLAGS positions, for the liveness masks. */
enum {
    DF_C = 0x0001,
    DF_P = 0x0004,
    DF_A = 0x0010,
    DF_Z = 0x0040,
    DF_S = 0x0080,
    DF_O = 0x0800,
    DF_OSZAPC = DF_O | DF_S | DF_Z | DF_A | DF_P | DF_C
};

/* Attributes. The first group is meant for whoever translates or executes. */
#define AT_END      UINT32_C(0x00000001)  /* ends a trace: unconditional transfer, system state */
#define AT_LOCK     UINT32_C(0x00000002)  /* LOCK is allowed when operand 0 is memory */
#define AT_IO       UINT32_C(0x00000004)  /* port access: I/O permission, device side effects */
#define AT_CPL0     UINT32_C(0x00000008)  /* #GP(0) unless CPL is 0 */
#define AT_IOPL     UINT32_C(0x00000010)  /* depends on IOPL in any protected mode (CLI STI) */
#define AT_V86      UINT32_C(0x00000020)  /* depends on IOPL in V86 (PUSHF POPF INT IRET) */
#define AT_PROT     UINT32_C(0x00000040)  /* #UD in real and V86 mode */
#define AT_FPU      UINT32_C(0x00000080)  /* x87: #NM by CR0.EM and CR0.TS */
#define AT_NOWAIT   UINT32_C(0x00000100)  /* x87 instruction that does not report a pending #MF */
#define AT_MMX      UINT32_C(0x00000200)  /* MMX registers: #UD by EM, #NM by TS, pending #MF */
#define AT_SSE      UINT32_C(0x00000400)  /* needs CR4.OSFXSR: #UD by EM and OSFXSR, #NM by TS */
#define AT_SEG      UINT32_C(0x00000800)  /* loads a segment register: recheck flatness */
#define AT_REP      UINT32_C(0x00001000)  /* string operation: F2/F3 repeat it */
#define AT_COND     UINT32_C(0x00002000)  /* conditional near branch; never AT_END */
#define AT_ALIGN16  UINT32_C(0x00004000)  /* #GP(0) if the memory operand is not 16-byte aligned */
/* The second group is consumed by the decoder. */
#define AT_I64      UINT32_C(0x00008000)  /* invalid in CODE64 */
#define AT_O64      UINT32_C(0x00010000)  /* only in CODE64 */
#define AT_D64      UINT32_C(0x00020000)  /* operand size is 64 (or 16 with 66h) in CODE64 */
#define AT_F64      UINT32_C(0x00040000)  /* operand size is always 64 in CODE64 */
#define AT_UNAL     UINT32_C(0x00080000)  /* 16-byte memory operand without alignment check */
#define AT_COUNT    UINT32_C(0x00100000)  /* flags unchanged when the (masked) count operand is 0 */
#define AT_ALT      UINT32_C(0x00200000)  /* a prefix, mode or r/m variant may replace the row */
#define AT_MODRM    UINT32_C(0x00400000)  /* has a ModR/M byte */
#define AT_RMREG    UINT32_C(0x01000000)  /* mod field ignored: r/m always names a register */
#define AT_MAND     UINT32_C(0x02000000)  /* F2 or F3 is part of the opcode */
#define AT_CC       UINT32_C(0x00800000)  /* condition code in the low opcode bits */

/* What a CPU must have for the row to exist; else #UD. FT_386 is always there. */
enum feature {
    FT_386,
    FT_486,        /* BSWAP XADD CMPXCHG INVLPG INVD WBINVD */
    FT_TR,         /* MOV to and from test registers: 386 and 486 only */
    FT_FPU,
    FT_CPUID,
    FT_TSC,
    FT_MSR,
    FT_CX8,
    FT_PMC,
    FT_SMM,
    FT_CMOV,
    FT_FCMOV,      /* CMOV and FPU: FCMOVcc FCOMI */
    FT_NOPL,       /* 0F 18..1F as hints and long NOPs: P6 */
    FT_SEP,
    FT_FXSR,
    FT_MMX,
    FT_SSE,
    FT_SSE2,
    FT_SSE3,
    FT_CLFLUSH,
    FT_MONITOR,
    FT_PREFETCHW,  /* 0F 0D */
    FT_LM,         /* long mode: SYSCALL SYSRET SWAPGS */
    FT_CX16,
    FT_COUNT
};

struct decoded {
    uint16_t op;            /* enum opcode; OP_INVALID unless DEC_OK */
    uint16_t row;           /* table row it came from: decode_row(), coverage, statistics */
    uint8_t len;            /* bytes of the whole instruction */
    uint8_t nprefix;        /* of these, prefix bytes (REX included) */
    uint8_t code;           /* enum code_size it was decoded for */
    uint8_t feature;        /* enum feature */
    uint8_t osize;          /* effective operand size: 1 for byte operations, 2, 4, 8. Decided by
                               operand 0, or 1 where 0 is a port or plain memory: MM registers
                               give 8, XMM registers 16, MOVMSKPS, CVTSS2SI and their like the
                               general register. x87: 2, 4 or 8, tells the FLDENV formats apart */
    uint8_t asize;          /* address size 2, 4, 8 (also of rCX and rSI/rDI) */
    uint8_t seg;            /* SEG_* with defaults and overrides applied: for OK_MEM, OK_STRING_SRC,
                               and the implied operands of XLAT, MASKMOVQ, MASKMOVDQU, MONITOR */
    bool seg_override;      /* a segment prefix was present and counts */
    uint8_t rep;            /* REP_*: the last of F2/F3; REP_NONE when it was a mandatory prefix */
    bool lock;
    uint8_t cc;             /* enum condition (JCC SETCC CMOVCC) */
    uint8_t rex;            /* the REX byte, 0 when none counts */
    bool has_mem;           /* one of the operands is OK_MEM: the next four fields hold */
    uint8_t base;           /* REG_*; 16-bit pairs such as BX+SI are base and index with scale 0 */
    uint8_t index;
    uint8_t scale;          /* shift count 0-3 */
    uint8_t noperands;
    struct operand o[4];    /* destination first, as in the manual */
    uint32_t attr;          /* AT_* */
    uint16_t fl_read;       /* DF_*: flags whose old value matters */
    uint16_t fl_write;      /* always given a defined new value */
    uint16_t fl_may;        /* given a new value in some executions only (count in CL, REP CMPS) */
    uint16_t fl_undef;      /* documented as undefined afterwards: up to the implementation */
    uint8_t imm_bytes;      /* of an immediate at the end of the instruction (Ib, Iw, Iz), or 0 */
    uint32_t imm2;          /* selector of OK_FARPTR, second immediate of ENTER */
    uint64_t imm;           /* truncated to the size it is used with (sIb and Iz are sign-extended
                               up to it first); OK_REL: sign-extended to 64 bits */
    int64_t disp;           /* sign-extended; an effective address is base + (index << scale) + disp
                               truncated to asize */
};

/* Decode the instruction at bytes[0..avail). avail may exceed 15; bytes beyond the instruction are
 * not read. On anything but DEC_OK only op (OP_INVALID), len and nprefix of *out are meaningful. */
enum decode_status decode(const uint8_t *bytes, unsigned avail, enum code_size size,
                          struct decoded *out);

/* One line of the opcode map, for coverage lists, documentation and statistics. */
struct oprow {
    uint16_t op;            /* enum opcode; OP_INVALID for reserved entries and group heads */
    uint8_t operand[3];     /* operand codes, see decode.c */
    uint8_t osize;          /* operand-size rule, see decode.c */
    uint8_t feature;
    uint8_t group;          /* group heads: where to go on by the reg field, see decode.c */
    uint16_t fl_read, fl_write, fl_undef;
    uint32_t attr;
};

unsigned decode_row_count(void);
const struct oprow *decode_row(unsigned row);
const char *decode_row_name(unsigned row);   /* map position, such as "0F58 66" or "D9 E8" */

#endif
