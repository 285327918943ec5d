/*
 * SSE, SSE2, SSE3 floating point: arithmetic, comparison, conversion.
 *
 * Source: Intel SDM vol. 1 sections 11.5 (exceptions), 12.1 (SSE3), instruction pages of vol. 2.
 *
 * All elements are computed before anything is written: their flags are ORed, and an unmasked
 * exception of one leaves the whole destination alone.  Cores take the operation on one element as
 * an argument and are always inlined, so every handler is straight code around its calls of the
 * soft-float.
 */
#include "cpu/simd.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/ops_simd.def"
#undef SLOWOP

typedef uint32_t f32_fn(uint32_t a, uint32_t b, struct sf_status *s);
typedef uint64_t f64_fn(uint64_t a, uint64_t b, struct sf_status *s);
/* One element to one element; 32-bit ones in the low half. */
typedef uint64_t element_fn(uint64_t a, struct sf_status *s);

/*
 * Invalid operation, denormal operand and division by zero are found before the computation; when
 * one of them is unmasked in any element, overflow, underflow and inexact of the others do not
 * show.
 */
COLD bool sse_unmasked(struct cpu *c, const struct sf_status *s)
{
    const unsigned before = SF_INVALID | SF_DENORMAL | SF_DIVZERO;
    unsigned flags = s->flags;

    if (flags & ~s->masks & before) {
        flags &= before;
    }
    c->fpu.mxcsr |= flags;
    return exc_set(c, c->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
}

/* --- two operands: arithmetic ----------------------------------------------------------------- */

ALWAYS_INLINE struct insn *scalar32(struct cpu *c, struct insn *i, f32_fn *op)
{
    uint64_t b, *d = &c->xmm[i->dst].q[0];

    SSE_CHECK
    if (!xmm_low_source(c, i, 4, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    uint32_t r = op(low32(*d), low32(b), &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    set_low32(d, r);
    return insn_next(i);
}

ALWAYS_INLINE struct insn *scalar64(struct cpu *c, struct insn *i, f64_fn *op)
{
    uint64_t b, *d = &c->xmm[i->dst].q[0];

    SSE_CHECK
    if (!xmm_low_source(c, i, 8, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    uint64_t r = op(*d, b, &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    *d = r;
    return insn_next(i);
}

/* Elements with an even number, and those with an odd one, have their own operations. */
ALWAYS_INLINE uint64_t pair32(uint64_t a, uint64_t b, f32_fn *even, f32_fn *odd,
                              struct sf_status *s)
{
    uint32_t low = even(low32(a), low32(b), s);
    return join32(low, odd(high32(a), high32(b), s));
}

ALWAYS_INLINE struct insn *packed32(struct cpu *c, struct insn *i, f32_fn *even, f32_fn *odd)
{
    struct xmm b, r, *d = &c->xmm[i->dst];

    SSE_CHECK
    if (!xmm_source(c, i, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    r.q[0] = pair32(d->q[0], b.q[0], even, odd, &s);
    r.q[1] = pair32(d->q[1], b.q[1], even, odd, &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    *d = r;
    return insn_next(i);
}

ALWAYS_INLINE struct insn *packed64(struct cpu *c, struct insn *i, f64_fn *even, f64_fn *odd)
{
    struct xmm b, r, *d = &c->xmm[i->dst];

    SSE_CHECK
    if (!xmm_source(c, i, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    r.q[0] = even(d->q[0], b.q[0], &s);
    r.q[1] = odd(d->q[1], b.q[1], &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    *d = r;
    return insn_next(i);
}

#define ARITH(name)                                                                            \
    SIMD_INSN(name##ss) { return scalar32(c, i, f32_##name); }                                 \
    SIMD_INSN(name##sd) { return scalar64(c, i, f64_##name); }                                 \
    SIMD_INSN(name##ps) { return packed32(c, i, f32_##name, f32_##name); }                     \
    SIMD_INSN(name##pd) { return packed64(c, i, f64_##name, f64_##name); }
ARITH(add)
ARITH(sub)
ARITH(mul)
ARITH(div)
ARITH(min)
ARITH(max)

SIMD_INSN(addsubps) { return packed32(c, i, f32_sub, f32_add); }
SIMD_INSN(addsubpd) { return packed64(c, i, f64_sub, f64_add); }

/* Neighbours of the destination, then of the source. */
ALWAYS_INLINE struct insn *horizontal32(struct cpu *c, struct insn *i, f32_fn *op)
{
    struct xmm b, r, *d = &c->xmm[i->dst];

    SSE_CHECK
    if (!xmm_source(c, i, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    uint32_t low = op(low32(d->q[0]), high32(d->q[0]), &s);
    r.q[0] = join32(low, op(low32(d->q[1]), high32(d->q[1]), &s));
    low = op(low32(b.q[0]), high32(b.q[0]), &s);
    r.q[1] = join32(low, op(low32(b.q[1]), high32(b.q[1]), &s));
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    *d = r;
    return insn_next(i);
}

ALWAYS_INLINE struct insn *horizontal64(struct cpu *c, struct insn *i, f64_fn *op)
{
    struct xmm b, r, *d = &c->xmm[i->dst];

    SSE_CHECK
    if (!xmm_source(c, i, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    r.q[0] = op(d->q[0], d->q[1], &s);
    r.q[1] = op(b.q[0], b.q[1], &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    *d = r;
    return insn_next(i);
}

SIMD_INSN(haddps) { return horizontal32(c, i, f32_add); }
SIMD_INSN(hsubps) { return horizontal32(c, i, f32_sub); }
SIMD_INSN(haddpd) { return horizontal64(c, i, f64_add); }
SIMD_INSN(hsubpd) { return horizontal64(c, i, f64_sub); }

/* --- comparison ------------------------------------------------------------------------------- */

ALWAYS_INLINE uint32_t mask32(uint32_t a, uint32_t b, const struct insn *i, struct sf_status *s)
{
    return f32_cmp(a, b, (enum sf_pred)(i->imm & 7), s) ? ~(uint32_t)0 : 0;
}

ALWAYS_INLINE uint64_t mask64(uint64_t a, uint64_t b, const struct insn *i, struct sf_status *s)
{
    return f64_cmp(a, b, (enum sf_pred)(i->imm & 7), s) ? ~(uint64_t)0 : 0;
}

SIMD_INSN(cmpss)
{
    uint64_t b, *d = &c->xmm[i->dst].q[0];

    SSE_CHECK
    if (!xmm_low_source(c, i, 4, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    uint32_t r = mask32(low32(*d), low32(b), i, &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    set_low32(d, r);
    return insn_next(i);
}

SIMD_INSN(cmpsd)
{
    uint64_t b, *d = &c->xmm[i->dst].q[0];

    SSE_CHECK
    if (!xmm_low_source(c, i, 8, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    uint64_t r = mask64(*d, b, i, &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    *d = r;
    return insn_next(i);
}

SIMD_INSN(cmpps)
{
    struct xmm b, r, *d = &c->xmm[i->dst];

    SSE_CHECK
    if (!xmm_source(c, i, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    for (unsigned k = 0; k < 2; k++) {
        uint32_t low = mask32(low32(d->q[k]), low32(b.q[k]), i, &s);
        r.q[k] = join32(low, mask32(high32(d->q[k]), high32(b.q[k]), i, &s));
    }
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    *d = r;
    return insn_next(i);
}

SIMD_INSN(cmppd)
{
    struct xmm b, r, *d = &c->xmm[i->dst];

    SSE_CHECK
    if (!xmm_source(c, i, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    r.q[0] = mask64(d->q[0], b.q[0], i, &s);
    r.q[1] = mask64(d->q[1], b.q[1], i, &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    *d = r;
    return insn_next(i);
}

/* COMISS and relatives: ZF, PF, CF; the other three are cleared. */
static uint32_t relation_flags(enum sf_relation r)
{
    switch (r) {
    case SF_LESS:
        return FLAG_CF;
    case SF_EQUAL:
        return FLAG_ZF;
    case SF_GREATER:
        return 0;
    default:
        return FLAG_ZF | FLAG_PF | FLAG_CF;
    }
}

ALWAYS_INLINE struct insn *compare(struct cpu *c, struct insn *i, unsigned size, bool quiet)
{
    uint64_t a = c->xmm[i->dst].q[0], b;

    SSE_CHECK
    if (!xmm_low_source(c, i, size, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    enum sf_relation r = size == 4 ? f32_compare(low32(a), low32(b), quiet, &s)
                                   : f64_compare(a, b, quiet, &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    flags_set_oszapc(c, relation_flags(r));
    return insn_next(i);
}

SIMD_INSN(comiss) { return compare(c, i, 4, false); }
SIMD_INSN(comisd) { return compare(c, i, 8, false); }
SIMD_INSN(ucomiss) { return compare(c, i, 4, true); }
SIMD_INSN(ucomisd) { return compare(c, i, 8, true); }

/* --- one operand: elements -------------------------------------------------------------------- */

static uint64_t sqrt32(uint64_t a, struct sf_status *s)
{
    return f32_sqrt(low32(a), s);
}

static uint64_t sqrt64(uint64_t a, struct sf_status *s)
{
    return f64_sqrt(a, s);
}

static uint64_t rcp32(uint64_t a, struct sf_status *s)
{
    (void)s;
    return f32_rcp(low32(a));
}

static uint64_t rsqrt32(uint64_t a, struct sf_status *s)
{
    (void)s;
    return f32_rsqrt(low32(a));
}

static uint64_t i32_to_f32(uint64_t a, struct sf_status *s)
{
    return f32_from_i32((int32_t)low32(a), s);
}

static uint64_t i32_to_f64(uint64_t a, struct sf_status *s)
{
    return f64_from_i32((int32_t)low32(a), s);
}

static uint64_t round32(uint64_t a, struct sf_status *s)
{
    return (uint32_t)f32_to_i32(low32(a), s);
}

static uint64_t round64(uint64_t a, struct sf_status *s)
{
    return (uint32_t)f64_to_i32(a, s);
}

static uint64_t trunc32(uint64_t a, struct sf_status *s)
{
    return (uint32_t)f32_to_i32_trunc(low32(a), s);
}

static uint64_t trunc64(uint64_t a, struct sf_status *s)
{
    return (uint32_t)f64_to_i32_trunc(a, s);
}

static uint64_t widen32(uint64_t a, struct sf_status *s)
{
    return f32_to_f64(low32(a), s);
}

static uint64_t narrow64(uint64_t a, struct sf_status *s)
{
    return f64_to_f32(a, s);
}

/* --- one operand: scalar ---------------------------------------------------------------------- */

/* From the low `from` bytes of an XMM register or memory to the low `to` bytes of a register. */
ALWAYS_INLINE struct insn *scalar_unary(struct cpu *c, struct insn *i, unsigned from, unsigned to,
                                        element_fn *op)
{
    uint64_t b, *d = &c->xmm[i->dst].q[0];

    SSE_CHECK
    if (!xmm_low_source(c, i, from, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    uint64_t r = op(b, &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    if (to == 4) {
        set_low32(d, low32(r));
    } else {
        *d = r;
    }
    return insn_next(i);
}

SIMD_INSN(sqrtss) { return scalar_unary(c, i, 4, 4, sqrt32); }
SIMD_INSN(sqrtsd) { return scalar_unary(c, i, 8, 8, sqrt64); }
SIMD_INSN(rcpss) { return scalar_unary(c, i, 4, 4, rcp32); }
SIMD_INSN(rsqrtss) { return scalar_unary(c, i, 4, 4, rsqrt32); }
SIMD_INSN(cvtss2sd) { return scalar_unary(c, i, 4, 8, widen32); }
SIMD_INSN(cvtsd2ss) { return scalar_unary(c, i, 8, 4, narrow64); }

ALWAYS_INLINE struct insn *to_gpr(struct cpu *c, struct insn *i, unsigned from, element_fn *op)
{
    uint64_t b;

    SSE_CHECK
    if (!xmm_low_source(c, i, from, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    uint64_t r = op(b, &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    R32(i->dst) = low32(r);
    return insn_next(i);
}

SIMD_INSN(cvtss2si) { return to_gpr(c, i, 4, round32); }
SIMD_INSN(cvtsd2si) { return to_gpr(c, i, 8, round64); }
SIMD_INSN(cvttss2si) { return to_gpr(c, i, 4, trunc32); }
SIMD_INSN(cvttsd2si) { return to_gpr(c, i, 8, trunc64); }

SIMD_INSN(cvtsi2ss)
{
    uint64_t b;

    SSE_CHECK
    if (!gpr_source(c, i, &b)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    uint64_t r = i32_to_f32(b, &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    set_low32(&c->xmm[i->dst].q[0], low32(r));
    return insn_next(i);
}

/* Always exact. */
SIMD_INSN(cvtsi2sd)
{
    struct sf_status s = {.masks = SF_ALL};
    uint64_t b;

    SSE_CHECK
    if (!gpr_source(c, i, &b)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst].q[0] = i32_to_f64(b, &s);
    return insn_next(i);
}

/* --- one operand: packed ---------------------------------------------------------------------- */

ALWAYS_INLINE uint64_t both32(uint64_t a, element_fn *op, struct sf_status *s)
{
    uint64_t low = op(low32(a), s);
    return join32(low32(low), low32(op(high32(a), s)));
}

/* Two 64-bit elements to two of 32 bits. */
ALWAYS_INLINE uint64_t both64(const struct xmm *v, element_fn *op, struct sf_status *s)
{
    uint64_t low = op(v->q[0], s);
    return join32(low32(low), low32(op(v->q[1], s)));
}

ALWAYS_INLINE struct insn *packed_unary(struct cpu *c, struct insn *i, unsigned size,
                                        element_fn *op)
{
    struct xmm v;

    SSE_CHECK
    if (!xmm_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    for (unsigned k = 0; k < 2; k++) {
        v.q[k] = size == 4 ? both32(v.q[k], op, &s) : op(v.q[k], &s);
    }
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = v;
    return insn_next(i);
}

SIMD_INSN(sqrtps) { return packed_unary(c, i, 4, sqrt32); }
SIMD_INSN(sqrtpd) { return packed_unary(c, i, 8, sqrt64); }
SIMD_INSN(rcpps) { return packed_unary(c, i, 4, rcp32); }
SIMD_INSN(rsqrtps) { return packed_unary(c, i, 4, rsqrt32); }
SIMD_INSN(cvtdq2ps) { return packed_unary(c, i, 4, i32_to_f32); }
SIMD_INSN(cvtps2dq) { return packed_unary(c, i, 4, round32); }
SIMD_INSN(cvttps2dq) { return packed_unary(c, i, 4, trunc32); }

/* Two 64-bit elements to 32 bits; the upper half becomes zero. */
ALWAYS_INLINE struct insn *packed_shorten(struct cpu *c, struct insn *i, element_fn *op)
{
    struct xmm v;

    SSE_CHECK
    if (!xmm_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    uint64_t r = both64(&v, op, &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = (struct xmm){{r, 0}};
    return insn_next(i);
}

SIMD_INSN(cvtpd2ps) { return packed_shorten(c, i, narrow64); }
SIMD_INSN(cvtpd2dq) { return packed_shorten(c, i, round64); }
SIMD_INSN(cvttpd2dq) { return packed_shorten(c, i, trunc64); }

/* Two 32-bit elements to 64 bits. */
ALWAYS_INLINE struct insn *packed_lengthen(struct cpu *c, struct insn *i, element_fn *op)
{
    uint64_t v;

    SSE_CHECK
    if (!xmm_low_source(c, i, 8, &v)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    struct xmm r;
    r.q[0] = op(low32(v), &s);
    r.q[1] = op(high32(v), &s);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = r;
    return insn_next(i);
}

SIMD_INSN(cvtps2pd) { return packed_lengthen(c, i, widen32); }
SIMD_INSN(cvtdq2pd) { return packed_lengthen(c, i, i32_to_f64); }

/* --- MM registers: MMX state is entered even if #XM comes up ---------------------------------- */

/* The MMX half of CVTPI2PS and CVTPI2PD: with a memory operand there is none. */
ALWAYS_INLINE struct insn *from_mm_stop(struct cpu *c, struct insn *i)
{
    SSE_CHECK
    if (!(i->flags & INSN_MEM)) {
        MMX_CHECK
    }
    return NULL;
}

SIMD_INSN(cvtpi2ps)
{
    uint64_t v;
    struct insn *stop = from_mm_stop(c, i);

    if (stop) {
        return stop;
    }
    if (!mm_source(c, i, 8, &v)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    v = both32(v, i32_to_f32, &s);
    if (!(i->flags & INSN_MEM)) {
        mmx_enter(c);
    }
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst].q[0] = v;
    return insn_next(i);
}

SIMD_INSN(cvtpi2pd)
{
    struct sf_status s = {.masks = SF_ALL};
    uint64_t v;
    struct insn *stop = from_mm_stop(c, i);

    if (stop) {
        return stop;
    }
    if (!mm_source(c, i, 8, &v)) {
        return cpu_fault(c, i);
    }
    if (!(i->flags & INSN_MEM)) {
        mmx_enter(c);
    }
    c->xmm[i->dst] = (struct xmm){{i32_to_f64(low32(v), &s), i32_to_f64(high32(v), &s)}};
    return insn_next(i);
}

ALWAYS_INLINE struct insn *to_mm32(struct cpu *c, struct insn *i, element_fn *op)
{
    uint64_t v;

    SSE_MMX_CHECK
    if (!xmm_low_source(c, i, 8, &v)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    v = both32(v, op, &s);
    mmx_enter(c);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    mmx_set(c, i->dst, v);
    return insn_next(i);
}

ALWAYS_INLINE struct insn *to_mm64(struct cpu *c, struct insn *i, element_fn *op)
{
    struct xmm v;

    SSE_MMX_CHECK
    if (!xmm_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    struct sf_status s;
    sse_status(c, &s);
    uint64_t r = both64(&v, op, &s);
    mmx_enter(c);
    if (!sse_commit(c, &s)) {
        return cpu_fault(c, i);
    }
    mmx_set(c, i->dst, r);
    return insn_next(i);
}

SIMD_INSN(cvtps2pi) { return to_mm32(c, i, round32); }
SIMD_INSN(cvttps2pi) { return to_mm32(c, i, trunc32); }
SIMD_INSN(cvtpd2pi) { return to_mm64(c, i, round64); }
SIMD_INSN(cvttpd2pi) { return to_mm64(c, i, trunc64); }
