/*
 * The decoded record: what one instruction of a trace is at run time.  32 bytes on 64-bit hosts.
 *
 * Registers are byte offsets into struct cpu, so that AH or a missing index need no branch.  EIP is
 * not here: trace->pgoff[idx] has the offset of the instruction in its page, the CPU knows the
 * page's EIP.
 */
#ifndef OXBOW_CPU_INSN_H
#define OXBOW_CPU_INSN_H

#include "cpu/state.h"

/* A slow (generic) handler: executes i and returns the record to go on with, never NULL. */
typedef struct insn *(*slow_fn)(struct cpu *c, struct insn *i);

#if defined(DISPATCH_TAIL)
typedef void (*op_fn)(struct cpu *c, struct insn *i);
#elif defined(DISPATCH_GOTO)
typedef const void *op_fn; /* a label of the run function */
#else
typedef slow_fn op_fn;
#endif

struct insn {
    op_fn exec;
    uint32_t imm;
    uint32_t disp;
    union {
        struct insn *link; /* branches: the target's first record, or a stub */
        uint64_t imm64;    /* moffs64, MOV r64,imm64 */
        struct { /* slow handlers only, filled by the translator for all of them */
            uint8_t osize;    /* effective operand size in bytes (1, 2, 4, 8, 16) */
            uint8_t flags;    /* INSN_ bits */
            uint16_t imm2;    /* ENTER level, far selector */
            uint16_t fop;     /* x87 opcode: low 3 bits of the escape byte << 8 | ModR/M byte */
            uint8_t rep;      /* REP_NONE, REP_F3, REP_F2 */
            uint8_t spare;
        };
    };
    /*
     * Register operands: byte offsets, or plain numbers for CR, DR, sreg, ST, MM, XMM.  A near
     * transfer has in src how many instructions are done when it is taken: its place in the trace
     * plus one.
     */
    uint8_t dst, src;
    uint8_t base, index; /* address registers: byte offsets of 32-bit (16-bit) lanes */
    uint16_t id;         /* handler id, H_... */
    uint8_t idx : 6;     /* place in the trace */
    uint8_t scale : 2;
    uint8_t len : 4;
    uint8_t seg : 3;     /* effective segment of the memory operand */
    uint8_t a16 : 1;     /* 16-bit address size */
};

#define TRACE_MAX 32

enum {
    INSN_MEM = 1,   /* the E operand is memory (its address: base, index, scale, disp, seg, a16) */
    INSN_LOCK = 2,
    INSN_ALIGN16 = 4, /* #GP(0) when the 16-byte memory operand is not aligned */
    INSN_SYS_DST = 8, /* operand 0 is the system register (MOV_SREG, MOV_CR, MOV_DR, MOV_TR) */
    INSN_DST_MEM = 16, /* operand 0 is the memory operand */
    INSN_DST_GPR = 32, /* operand 0 is a general register */
    INSN_MM = 64,      /* operand 0 or 1 is an MM register */
    INSN_SRC_IMM = 128, /* operand 1 is the immediate (packed shifts) */
};

#endif
