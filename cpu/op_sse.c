/*
 * SSE, SSE2, SSE3: 16-byte memory operands, MXCSR, moves between XMM registers and memory.
 * Arithmetic is in op_sse_fp.c, packed integers and shuffles are in op_sse_int.c.
 *
 * Source: Intel SDM vol. 1 chapters 10 to 12, instruction pages of vol. 2.
 */
#include "cpu/simd.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/ops_simd.def"
#undef SLOWOP

/* --- 16 bytes of memory ----------------------------------------------------------------------- */

/* Linear address after the segment and alignment checks. */
static bool simd_address(struct cpu *c, const struct insn *i, enum access acc, uint64_t *la)
{
    if (!seg_linear(c, i->seg, insn_ea(c, i), 16, acc, la)) {
        return false;
    }
    return simd_misaligned(i, *la) ? exc_set_err(c, EXC_GP, 0) : true;
}

NOINLINE bool simd_load_slow(struct cpu *c, const struct insn *i, struct xmm *v)
{
    uint8_t b[16];
    uint64_t la;

    if (!simd_address(c, i, ACC_READ, &la) || !lin_read_bytes(c, la, b, sizeof b)) {
        return false;
    }
    *v = (struct xmm){{get64(b), get64(b + 8)}};
    return true;
}

NOINLINE bool simd_store_slow(struct cpu *c, const struct insn *i, const struct xmm *v)
{
    uint8_t b[16];
    uint64_t la;

    put64(b, v->q[0]);
    put64(b + 8, v->q[1]);
    return simd_address(c, i, ACC_WRITE, &la) && lin_write_bytes(c, la, b, sizeof b);
}

/* --- MXCSR ------------------------------------------------------------------------------------ */

SIMD_INSN(ldmxcsr)
{
    uint64_t v;

    SSE_CHECK
    if (!fpu_load(c, i, 4, &v)) {
        return cpu_fault(c, i);
    }
    if (v & ~(uint64_t)mxcsr_mask(c)) {
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    c->fpu.mxcsr = (uint32_t)v;
    return insn_next(i);
}

SIMD_INSN(stmxcsr)
{
    SSE_CHECK
    return fpu_store(c, i, 4, c->fpu.mxcsr) ? insn_next(i) : cpu_fault(c, i);
}

/* --- whole registers -------------------------------------------------------------------------- */

/* Aligned and unaligned moves differ in INSN_ALIGN16 alone. */
ALWAYS_INLINE struct insn *move_whole(struct cpu *c, struct insn *i)
{
    SSE_CHECK
    if (i->flags & INSN_DST_MEM) {
        return simd_store(c, i, &c->xmm[i->src]) ? insn_next(i) : cpu_fault(c, i);
    }
    return xmm_source(c, i, &c->xmm[i->dst]) ? insn_next(i) : cpu_fault(c, i);
}

SIMD_INSN(movaps) { return move_whole(c, i); }
SIMD_INSN(movapd) { return move_whole(c, i); }
SIMD_INSN(movups) { return move_whole(c, i); }
SIMD_INSN(movupd) { return move_whole(c, i); }
SIMD_INSN(movdqa) { return move_whole(c, i); }
SIMD_INSN(movdqu) { return move_whole(c, i); }
SIMD_INSN(lddqu) { return move_whole(c, i); }
SIMD_INSN(movntps) { return move_whole(c, i); }
SIMD_INSN(movntpd) { return move_whole(c, i); }
SIMD_INSN(movntdq) { return move_whole(c, i); }

/* Works on general registers and is there without OSFXSR, too. */
SIMD_INSN(movnti)
{
    return fpu_store(c, i, 4, R32(i->src)) ? insn_next(i) : cpu_fault(c, i);
}

/* --- parts of registers ----------------------------------------------------------------------- */

/* Loads clear the rest of the register, moves between registers leave it alone. */
SIMD_INSN(movss)
{
    uint64_t v;

    SSE_CHECK
    if (i->flags & INSN_DST_MEM) {
        return fpu_store(c, i, 4, low32(c->xmm[i->src].q[0])) ? insn_next(i) : cpu_fault(c, i);
    }
    if (!(i->flags & INSN_MEM)) {
        set_low32(&c->xmm[i->dst].q[0], low32(c->xmm[i->src].q[0]));
        return insn_next(i);
    }
    if (!fpu_load(c, i, 4, &v)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = (struct xmm){{v, 0}};
    return insn_next(i);
}

SIMD_INSN(movsd)
{
    uint64_t v;

    SSE_CHECK
    if (i->flags & INSN_DST_MEM) {
        return fpu_store(c, i, 8, c->xmm[i->src].q[0]) ? insn_next(i) : cpu_fault(c, i);
    }
    if (!(i->flags & INSN_MEM)) {
        c->xmm[i->dst].q[0] = c->xmm[i->src].q[0];
        return insn_next(i);
    }
    if (!fpu_load(c, i, 8, &v)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = (struct xmm){{v, 0}};
    return insn_next(i);
}

/* MOVLPS, MOVHPS and their twins: one half of a register from or to memory. */
ALWAYS_INLINE struct insn *move_half(struct cpu *c, struct insn *i, unsigned half)
{
    uint64_t v;

    SSE_CHECK
    if (i->flags & INSN_DST_MEM) {
        return fpu_store(c, i, 8, c->xmm[i->src].q[half]) ? insn_next(i) : cpu_fault(c, i);
    }
    if (!fpu_load(c, i, 8, &v)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst].q[half] = v;
    return insn_next(i);
}

SIMD_INSN(movlps) { return move_half(c, i, 0); }
SIMD_INSN(movlpd) { return move_half(c, i, 0); }
SIMD_INSN(movhps) { return move_half(c, i, 1); }
SIMD_INSN(movhpd) { return move_half(c, i, 1); }

SIMD_INSN(movhlps)
{
    SSE_CHECK
    c->xmm[i->dst].q[0] = c->xmm[i->src].q[1];
    return insn_next(i);
}

SIMD_INSN(movlhps)
{
    SSE_CHECK
    c->xmm[i->dst].q[1] = c->xmm[i->src].q[0];
    return insn_next(i);
}

SIMD_INSN(movsldup)
{
    struct xmm v;

    SSE_CHECK
    if (!xmm_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = (struct xmm){{join32(low32(v.q[0]), low32(v.q[0])),
                                   join32(low32(v.q[1]), low32(v.q[1]))}};
    return insn_next(i);
}

SIMD_INSN(movshdup)
{
    struct xmm v;

    SSE_CHECK
    if (!xmm_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = (struct xmm){{join32(high32(v.q[0]), high32(v.q[0])),
                                   join32(high32(v.q[1]), high32(v.q[1]))}};
    return insn_next(i);
}

SIMD_INSN(movddup)
{
    uint64_t v;

    SSE_CHECK
    if (!xmm_low_source(c, i, 8, &v)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = (struct xmm){{v, v}};
    return insn_next(i);
}

/* Sign bits of the elements. */
SIMD_INSN(movmskps)
{
    const struct xmm *v = &c->xmm[i->src];

    SSE_CHECK
    R32(i->dst) = (uint32_t)((v->q[0] >> 31 & 1) | (v->q[0] >> 63) << 1 | (v->q[1] >> 31 & 1) << 2 |
                             (v->q[1] >> 63) << 3);
    return insn_next(i);
}

SIMD_INSN(movmskpd)
{
    const struct xmm *v = &c->xmm[i->src];

    SSE_CHECK
    R32(i->dst) = (uint32_t)(v->q[0] >> 63 | (v->q[1] >> 63) << 1);
    return insn_next(i);
}
