/*
 * MMX: state changes between x87 and MMX use, moves, and what exists for MM registers only.  Packed
 * arithmetic for both register files is in op_sse_int.c.
 *
 * Source: Intel SDM vol. 1 chapter 9, vol. 3 chapter 12, instruction pages of vol. 2.
 */
#include "cpu/simd.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/ops_simd.def"
#undef SLOWOP

COLD struct insn *mmx_stop(struct cpu *c, struct insn *i)
{
    if (c->cr0 & CR0_EM) {
        return cpu_raise(c, i, EXC_UD);
    }
    return fpu_stop(c, i);
}

SIMD_INSN(emms)
{
    MMX_CHECK
    c->fpu.empty = 0xff;
    c->fpu.top = 0; /* like every MMX instruction */
    return insn_next(i);
}

/* --- MOVD, MOVQ: both register files ---------------------------------------------------------- */

static bool put_gpr_or_mem(struct cpu *c, const struct insn *i, uint32_t v)
{
    if (i->flags & INSN_MEM) {
        return fpu_store(c, i, 4, v);
    }
    R32(i->dst) = v;
    return true;
}

static struct insn *movd_mm(struct cpu *c, struct insn *i)
{
    uint64_t v;

    MMX_CHECK
    if (i->flags & (INSN_DST_MEM | INSN_DST_GPR)) {
        if (!put_gpr_or_mem(c, i, low32(mm(c, i->src)))) {
            return cpu_fault(c, i);
        }
        mmx_enter(c);
        return insn_next(i);
    }
    if (!gpr_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    mmx_set(c, i->dst, v);
    return insn_next(i);
}

SIMD_INSN(movd)
{
    uint64_t v;

    if (i->flags & INSN_MM) {
        return movd_mm(c, i);
    }
    SSE_CHECK
    if (i->flags & (INSN_DST_MEM | INSN_DST_GPR)) {
        bool done = put_gpr_or_mem(c, i, low32(c->xmm[i->src].q[0]));
        return done ? insn_next(i) : cpu_fault(c, i);
    }
    if (!gpr_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = (struct xmm){{v, 0}};
    return insn_next(i);
}

static struct insn *movq_mm(struct cpu *c, struct insn *i)
{
    uint64_t v;

    MMX_CHECK
    if (i->flags & INSN_DST_MEM) {
        if (!fpu_store(c, i, 8, mm(c, i->src))) {
            return cpu_fault(c, i);
        }
        mmx_enter(c);
        return insn_next(i);
    }
    if (!mm_source(c, i, 8, &v)) {
        return cpu_fault(c, i);
    }
    mmx_set(c, i->dst, v);
    return insn_next(i);
}

SIMD_INSN(movq)
{
    uint64_t v;

    if (i->flags & INSN_MM) {
        return movq_mm(c, i);
    }
    SSE_CHECK
    if (i->flags & INSN_DST_MEM) {
        return fpu_store(c, i, 8, c->xmm[i->src].q[0]) ? insn_next(i) : cpu_fault(c, i);
    }
    if (!xmm_low_source(c, i, 8, &v)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = (struct xmm){{v, 0}};
    return insn_next(i);
}

SIMD_INSN(movntq)
{
    return movq_mm(c, i);
}

SIMD_INSN(movq2dq)
{
    SSE_MMX_CHECK
    c->xmm[i->dst] = (struct xmm){{mm(c, i->src), 0}};
    mmx_enter(c);
    return insn_next(i);
}

SIMD_INSN(movdq2q)
{
    SSE_MMX_CHECK
    mmx_set(c, i->dst, c->xmm[i->src].q[0]);
    return insn_next(i);
}

/* --- stores under a mask ---------------------------------------------------------------------- */

/*
 * Stores the bytes of v whose mask byte has bit 7 set at DS:[eDI].  Bytes that are not selected
 * are not accessed at all; nothing is stored unless all selected bytes can be.
 */
static bool masked_store(struct cpu *c, const struct insn *i, const struct xmm *v,
                         const struct xmm *mask, unsigned n)
{
    for (unsigned store = 0; store < 2; store++) {
        for (unsigned k = 0; k < n; k++) {
            unsigned half = k >> 3, shift = (k & 7) * 8;
            uint32_t ea = reg32(c, REG_EDI) + k;
            uint64_t la;

            if (!(mask->q[half] >> shift & 0x80)) {
                continue;
            }
            if (!seg_linear(c, i->seg, i->a16 ? ea & 0xffff : ea, 1, ACC_WRITE, &la)) {
                return false;
            }
            if (store ? !lin_write(c, la, 1, v->q[half] >> shift & 0xff)
                      : !lin_probe(c, la, 1, true)) {
                return false;
            }
        }
    }
    return true;
}

SIMD_INSN(maskmovq)
{
    MMX_CHECK
    struct xmm v = {{mm(c, i->dst), 0}}, mask = {{mm(c, i->src), 0}};
    if (!masked_store(c, i, &v, &mask, 8)) {
        return cpu_fault(c, i);
    }
    mmx_enter(c);
    return insn_next(i);
}

SIMD_INSN(maskmovdqu)
{
    SSE_CHECK
    if (!masked_store(c, i, &c->xmm[i->dst], &c->xmm[i->src], 16)) {
        return cpu_fault(c, i);
    }
    return insn_next(i);
}
