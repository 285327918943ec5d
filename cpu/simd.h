/*
 * What MMX and SSE instructions share: checks at the start, register and memory operands,
 * exceptions of the floating-point instructions.
 *
 * Source: Intel SDM vol. 1 chapters 9 to 12, vol. 3 chapter 12 and 13 (CR0.EM, CR0.TS, CR4.OSFXSR).
 * Invariants:
 * - MMn is the significand of physical x87 register Rn; after any MMX instruction but EMMS the x87
 *   stack has TOP = 0 and no empty register, and a register that was written has the exponent
 *   FFFFh.
 * - A handler changes registers and MXCSR only after its last memory access has succeeded; an
 *   unmasked exception changes no register, only the flags of MXCSR (and the x87 tags, by the rule
 *   above).
 * - Lanes are taken out of uint64_t halves arithmetically, so the host's byte order does not
 *   matter.
 */
#ifndef OXBOW_CPU_SIMD_H
#define OXBOW_CPU_SIMD_H

#include "cpu/fpu.h"

enum {
    MXCSR_DAZ_SHIFT = 6, MXCSR_MASKS_SHIFT = 7, MXCSR_RC_SHIFT = 13, MXCSR_FTZ_SHIFT = 15,
};

/* --- start of an instruction ------------------------------------------------------------------ */

/* #UD, #NM or a pending x87 exception; NULL: execute all the same (see fpu_stop). */
struct insn *mmx_stop(struct cpu *c, struct insn *i);

#define MMX_CHECK                                                                              \
    if (UNLIKELY(fpu_blocked(c))) {                                                            \
        struct insn *stop_ = mmx_stop(c, i);                                                   \
        if (stop_) {                                                                           \
            return stop_;                                                                      \
        }                                                                                      \
    }

#define SSE_CHECK                                                                              \
    if (UNLIKELY(c->sse_trap)) {                                                               \
        return cpu_raise(c, i, c->sse_trap);                                                   \
    }

/* SSE instructions with an MM operand wait for pending x87 exceptions, too. */
#define SSE_MMX_CHECK                                                                          \
    SSE_CHECK                                                                                  \
    MMX_CHECK

#define SIMD_INSN(name) struct insn *x_##name(struct cpu *c, struct insn *i)

/* --- registers -------------------------------------------------------------------------------- */

ALWAYS_INLINE uint64_t mm(const struct cpu *c, unsigned n)
{
    return c->fpu.st[n & 7].sig;
}

/* The x87 unit becomes the MMX unit. */
ALWAYS_INLINE void mmx_enter(struct cpu *c)
{
    c->fpu.top = 0;
    c->fpu.empty = 0;
}

ALWAYS_INLINE void mmx_set(struct cpu *c, unsigned n, uint64_t v)
{
    mmx_enter(c);
    c->fpu.st[n & 7] = (struct f80){v, 0xffff};
}

ALWAYS_INLINE uint32_t low32(uint64_t q)
{
    return (uint32_t)q;
}

ALWAYS_INLINE uint32_t high32(uint64_t q)
{
    return (uint32_t)(q >> 32);
}

ALWAYS_INLINE uint64_t join32(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

ALWAYS_INLINE void set_low32(uint64_t *q, uint32_t v)
{
    *q = (*q & 0xffffffff00000000u) | v;
}

/* --- operands --------------------------------------------------------------------------------- */

/* 16 bytes at the memory operand, whatever the place; #GP(0) if INSN_ALIGN16 wants better. */
bool simd_load_slow(struct cpu *c, const struct insn *i, struct xmm *v);
bool simd_store_slow(struct cpu *c, const struct insn *i, const struct xmm *v);

ALWAYS_INLINE bool simd_misaligned(const struct insn *i, uint64_t la)
{
    return (la & 15) && (i->flags & INSN_ALIGN16);
}

ALWAYS_INLINE bool simd_load(struct cpu *c, const struct insn *i, struct xmm *v)
{
    uint32_t ea = insn_ea(c, i);
    const struct segment *s = &c->seg[i->seg];
    uint32_t la = (uint32_t)s->base + ea;
    const uint8_t *p = tlb_read_hit(c->tlb, la, 16);

    if (LIKELY((uint64_t)(uint32_t)(ea - s->lo) + 16 <= s->rlen && p && !simd_misaligned(i, la))) {
        v->q[0] = get64(p);
        v->q[1] = get64(p + 8);
        return true;
    }
    return simd_load_slow(c, i, v);
}

ALWAYS_INLINE bool simd_store(struct cpu *c, const struct insn *i, const struct xmm *v)
{
    uint32_t ea = insn_ea(c, i);
    const struct segment *s = &c->seg[i->seg];
    uint32_t la = (uint32_t)s->base + ea;
    uint8_t *p = tlb_write_hit(c->tlb, la, 16);

    if (LIKELY((uint64_t)(uint32_t)(ea - s->lo) + 16 <= s->wlen && p && !simd_misaligned(i, la))) {
        put64(p, v->q[0]);
        put64(p + 8, v->q[1]);
        return true;
    }
    return simd_store_slow(c, i, v);
}

/* The source of an instruction: XMM register or 16 bytes of memory. */
ALWAYS_INLINE bool xmm_source(struct cpu *c, const struct insn *i, struct xmm *v)
{
    if (i->flags & INSN_MEM) {
        return simd_load(c, i, v);
    }
    *v = c->xmm[i->src];
    return true;
}

/* Low part of an XMM register, or `size` (4, 8) bytes of memory. */
ALWAYS_INLINE bool xmm_low_source(struct cpu *c, const struct insn *i, unsigned size, uint64_t *v)
{
    if (i->flags & INSN_MEM) {
        return fpu_load(c, i, size, v);
    }
    *v = c->xmm[i->src].q[0];
    return true;
}

/* MM register, or `size` (4, 8) bytes of memory. */
ALWAYS_INLINE bool mm_source(struct cpu *c, const struct insn *i, unsigned size, uint64_t *v)
{
    if (i->flags & INSN_MEM) {
        return fpu_load(c, i, size, v);
    }
    *v = mm(c, i->src);
    return true;
}

/* General register, or 4 bytes of memory. */
ALWAYS_INLINE bool gpr_source(struct cpu *c, const struct insn *i, uint64_t *v)
{
    if (i->flags & INSN_MEM) {
        return fpu_load(c, i, 4, v);
    }
    *v = R32(i->src);
    return true;
}

/* --- floating point --------------------------------------------------------------------------- */

/*
 * MXCSR as the soft-float wants it.  Member by member into the caller's variable: copying the
 * struct would read it in wider pieces than it was just written in, which stalls the host.
 */
ALWAYS_INLINE void sse_status(const struct cpu *c, struct sf_status *s)
{
    uint32_t m = c->fpu.mxcsr;

    s->round = m >> MXCSR_RC_SHIFT & 3;
    s->prec = SF_PREC64;
    s->flags = 0;
    s->masks = m >> MXCSR_MASKS_SHIFT & SF_ALL;
    s->up = 0;
    s->daz = m >> MXCSR_DAZ_SHIFT & 1;
    s->ftz = m >> MXCSR_FTZ_SHIFT & 1;
    /* precision: flag set, exception masked, rounding control 0 */
    s->host = (m & (SF_INEXACT | SF_INEXACT << MXCSR_MASKS_SHIFT | 3u << MXCSR_RC_SHIFT)) ==
              (SF_INEXACT | SF_INEXACT << MXCSR_MASKS_SHIFT);
}

/* MXCSR bits that may be set: denormals-are-zeros came with SSE2. */
ALWAYS_INLINE uint32_t mxcsr_mask(const struct cpu *c)
{
    return cpu_has(c, FT_SSE2) ? 0xffff : 0xffbf;
}

/* Flags of an operation with an unmasked exception: sets #XM (or #UD), returns false. */
bool sse_unmasked(struct cpu *c, const struct sf_status *s);

/* The flags of all elements of an operation go into MXCSR.  False: no result, c->exc is set. */
ALWAYS_INLINE bool sse_commit(struct cpu *c, const struct sf_status *s)
{
    if (UNLIKELY(s->flags & ~s->masks)) {
        return sse_unmasked(c, s);
    }
    c->fpu.mxcsr |= s->flags;
    return true;
}

#endif
