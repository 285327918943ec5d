/*
 * The x87 register stack as instructions see it: checks at the start of an instruction, stack
 * faults, exception flags in the status word, instruction and operand pointers.
 *
 * Source: Intel SDM vol. 1 chapter 8, vol. 1 appendix D (FERR#).
 * Invariants:
 * - ES and B of c->fpu.sw are set exactly while an exception flag is set whose mask in c->fpu.cw is
 *   clear.
 * - c->fpu.sw holds no TOP; c->fpu.cw has bit 6 set and the other reserved bits clear.
 * - A handler touches nothing of c->fpu before its last memory access has succeeded.
 */
#ifndef OXBOW_CPU_FPU_H
#define OXBOW_CPU_FPU_H

#include "cpu/exec.h"
#include "cpu/trace.h"

enum {
    FSW_IE = 0x01, FSW_SF = 0x40, FSW_ES = 0x80, FSW_B = 0x8000,
    FSW_C0 = 0x100, FSW_C1 = 0x200, FSW_C2 = 0x400, FSW_C3 = 0x4000,
    FSW_CC = FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3,
    FSW_TOP_SHIFT = 11,
    FCW_PC_SHIFT = 8, FCW_RC_SHIFT = 10,
    FCW_INIT = 0x37f, FCW_WRITABLE = 0x1f3f, FCW_FIXED = 0x40,
};

/* --- start of an instruction ----------------------------------------------------------------- */

/* Something stands in the way of a waiting instruction. */
ALWAYS_INLINE bool fpu_blocked(const struct cpu *c)
{
    return (c->fpu_trap | (c->fpu.sw & FSW_ES)) != 0;
}

/*
 * What then happens: #NM, #MF, or with CR0.NE = 0 FERR# towards the board.  The record to return,
 * or NULL when the instruction is to be executed all the same (interrupt 13 masked, or IGNNE#).
 */
struct insn *fpu_stop(struct cpu *c, struct insn *i);
/* The second half alone: a pending exception meets a waiting x87 or MMX instruction. */
struct insn *fpu_report(struct cpu *c, struct insn *i);

/* A handler that waits for pending exceptions; `body` is its value. */
#define FPU_WAITING(name, body)                                                                \
    struct insn *x_##name(struct cpu *c, struct insn *i)                                       \
    {                                                                                          \
        if (UNLIKELY(fpu_blocked(c))) {                                                        \
            struct insn *stop = fpu_stop(c, i);                                                \
            if (stop) {                                                                        \
                return stop;                                                                   \
            }                                                                                  \
        }                                                                                      \
        return body;                                                                           \
    }

/* A handler that does not look at pending exceptions. */
#define FPU_NOWAIT(name, body)                                                                 \
    struct insn *x_##name(struct cpu *c, struct insn *i)                                       \
    {                                                                                          \
        return UNLIKELY(c->fpu_trap) ? cpu_raise(c, i, EXC_NM) : body;                         \
    }

/* --- pointers: non-control instructions ------------------------------------------------------ */

ALWAYS_INLINE void fpu_note(struct cpu *c, const struct insn *i)
{
    c->fpu.fip = (uint32_t)(c->page_eip + insn_trace(i)->pgoff[i->idx]);
    c->fpu.fcs = c->seg[SEG_CS].sel;
    c->fpu.fop = i->fop;
}

ALWAYS_INLINE void fpu_note_mem(struct cpu *c, const struct insn *i)
{
    fpu_note(c, i);
    c->fpu.fdp = insn_ea(c, i);
    c->fpu.fds = c->seg[i->seg].sel;
}

/* --- memory operands ------------------------------------------------------------------------- */

ALWAYS_INLINE bool fpu_load(struct cpu *c, const struct insn *i, unsigned size, uint64_t *v)
{
    uint32_t ea = insn_ea(c, i);
    const struct segment *s = &c->seg[i->seg];
    const uint8_t *p = tlb_read_hit(c->tlb, (uint32_t)s->base + ea, size);

    if (LIKELY((uint64_t)(uint32_t)(ea - s->lo) + size <= s->rlen && p)) {
        *v = get_n(p, size);
        return true;
    }
    return mem_read(c, i->seg, ea, size, v);
}

ALWAYS_INLINE bool fpu_store(struct cpu *c, const struct insn *i, unsigned size, uint64_t v)
{
    uint32_t ea = insn_ea(c, i);
    const struct segment *s = &c->seg[i->seg];
    uint8_t *p = tlb_write_hit(c->tlb, (uint32_t)s->base + ea, size);

    if (LIKELY((uint64_t)(uint32_t)(ea - s->lo) + size <= s->wlen && p)) {
        put_n(p, size, v);
        return true;
    }
    return mem_write(c, i->seg, ea, size, v);
}

/* --- the stack ------------------------------------------------------------------------------- */

ALWAYS_INLINE unsigned fpu_phys(const struct cpu *c, unsigned n)
{
    return (c->fpu.top + n) & 7u;
}

ALWAYS_INLINE struct f80 fpu_st(const struct cpu *c, unsigned n)
{
    return c->fpu.st[fpu_phys(c, n)];
}

ALWAYS_INLINE bool fpu_empty(const struct cpu *c, unsigned n)
{
    return c->fpu.empty >> fpu_phys(c, n) & 1;
}

/* Stores and marks the register as in use. */
ALWAYS_INLINE void fpu_set(struct cpu *c, unsigned n, struct f80 v)
{
    unsigned p = fpu_phys(c, n);

    c->fpu.st[p] = v;
    c->fpu.empty &= (uint8_t)~(1u << p);
}

ALWAYS_INLINE void fpu_free(struct cpu *c, unsigned n)
{
    c->fpu.empty |= (uint8_t)(1u << fpu_phys(c, n));
}

ALWAYS_INLINE void fpu_push(struct cpu *c, struct f80 v)
{
    c->fpu.top = (c->fpu.top - 1) & 7;
    fpu_set(c, 0, v);
}

ALWAYS_INLINE void fpu_pop(struct cpu *c)
{
    fpu_free(c, 0);
    c->fpu.top = (c->fpu.top + 1) & 7;
}

/* --- exceptions ------------------------------------------------------------------------------ */

/* Field by field: a struct copied in wider pieces than it was written stalls the host. */
ALWAYS_INLINE void fpu_start(const struct cpu *c, struct sf_status *s)
{
    s->round = c->fpu.cw >> FCW_RC_SHIFT & 3;
    s->prec = c->fpu.cw >> FCW_PC_SHIFT & 3;
    s->flags = 0;
    s->masks = c->fpu.cw & SF_ALL;
    s->up = 0;
    s->daz = s->ftz = false;
}

/* The outcome of an operation goes into the status word: C1, flags, summary. */
ALWAYS_INLINE void fpu_commit(struct cpu *c, const struct sf_status *s)
{
    unsigned sw = (c->fpu.sw & ~(unsigned)FSW_C1) | s->flags | (unsigned)s->up << 9;

    if (UNLIKELY(s->flags & ~s->masks)) {
        sw |= FSW_ES | FSW_B;
    }
    c->fpu.sw = (uint16_t)sw;
}

/* Stack fault, C1 = overflow.  True: masked, the destinations get the indefinite. */
bool fpu_stack_fault(struct cpu *c, bool overflow);
/* ES and B follow flags and masks; FERR# goes away with the last pending exception. */
void fpu_update_summary(struct cpu *c);
/* The state after FNINIT; register contents stay. */
void fpu_init(struct cpu *c);

/* Images of the status and tag words. */
ALWAYS_INLINE uint16_t fpu_status_word(const struct cpu *c)
{
    return (uint16_t)(c->fpu.sw | c->fpu.top << FSW_TOP_SHIFT);
}

ALWAYS_INLINE void fpu_set_status_word(struct cpu *c, unsigned v)
{
    c->fpu.sw = v & ~(7u << FSW_TOP_SHIFT);
    c->fpu.top = v >> FSW_TOP_SHIFT & 7;
}

ALWAYS_INLINE void fpu_set_control_word(struct cpu *c, unsigned v)
{
    c->fpu.cw = (v & FCW_WRITABLE) | FCW_FIXED;
}

#endif
