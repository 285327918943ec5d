/*
 * x87 instructions: arithmetic, comparison, loads, stores, transcendentals and control.  Images of
 * the whole unit (FLDENV, FNSAVE, FXSAVE and relatives) are in op_fpu_env.c.
 *
 * Source: Intel SDM vol. 1 chapter 8 and the instruction pages of vol. 2.
 *
 * Cores take the operation or conversion as a function argument; they are always inlined, so every
 * handler is straight code of its own.  Common order: memory operand, pointers, stack check,
 * operation, flags, and - unless an unmasked exception forbids it - destination and pop.
 */
#include "cpu/fpu.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/ops_fpu.def"
#undef SLOWOP

typedef struct f80 binary_fn(struct f80 a, struct f80 b, struct sf_status *s);
typedef struct f80 unary_fn(struct f80 a, struct sf_status *s);
/* Memory operand of arithmetic: value of the bits that were read. */
typedef struct f80 operand_fn(uint64_t bits, bool *denormal);
/* FLD of memory, FST to memory. */
typedef struct f80 load_fn(uint64_t bits, struct sf_status *s);
typedef uint64_t store_fn(struct f80 a, struct sf_status *s);

#define ST0_EMPTY fpu_empty(c, 0)

/* --- faults ---------------------------------------------------------------------------------- */

COLD struct insn *fpu_report(struct cpu *c, struct insn *i)
{
    if (c->cr0 & CR0_NE) {
        return cpu_raise(c, i, EXC_MF);
    }
    if (c->cfg.wiring.ferr) {
        c->cfg.wiring.ferr(c->cfg.wiring.ctx, true);
    }
    /* The CPU waits for the interrupt in front of this instruction.  It cannot wait for one that
     * will not come: then the instruction is executed as with IGNNE#. */
    if (!c->intr || !(c->eflags & FLAG_IF)) {
        return NULL;
    }
    c->step = false; /* nothing was executed that could trap */
    return cpu_leave_again(c, i);
}

COLD struct insn *fpu_stop(struct cpu *c, struct insn *i)
{
    return c->fpu_trap ? cpu_raise(c, i, EXC_NM) : fpu_report(c, i);
}

COLD bool fpu_stack_fault(struct cpu *c, bool overflow)
{
    unsigned sw = (c->fpu.sw & ~(unsigned)FSW_C1) | FSW_IE | FSW_SF | (overflow ? FSW_C1 : 0);
    bool masked = (c->fpu.cw & SF_INVALID) != 0;

    c->fpu.sw = (uint16_t)(sw | (masked ? 0 : FSW_ES | FSW_B));
    return masked;
}

void fpu_update_summary(struct cpu *c)
{
    if (c->fpu.sw & ~c->fpu.cw & SF_ALL) {
        c->fpu.sw |= FSW_ES | FSW_B;
        return;
    }
    if ((c->fpu.sw & FSW_ES) && c->cfg.wiring.ferr) {
        c->cfg.wiring.ferr(c->cfg.wiring.ctx, false);
    }
    c->fpu.sw &= (uint16_t)~(FSW_ES | FSW_B);
}

void fpu_init(struct cpu *c)
{
    fpu_set_control_word(c, FCW_INIT);
    c->fpu.sw &= FSW_ES;
    fpu_update_summary(c);
    c->fpu.top = 0;
    c->fpu.empty = 0xff;
    c->fpu.fop = 0;
    c->fpu.fcs = c->fpu.fds = 0;
    c->fpu.fip = c->fpu.fdp = 0;
}

/* --- arithmetic ------------------------------------------------------------------------------ */

static struct f80 op_add(struct f80 a, struct f80 b, struct sf_status *s)
{
    return f80_add(a, b, s);
}

static struct f80 op_mul(struct f80 a, struct f80 b, struct sf_status *s)
{
    return f80_mul(a, b, s);
}

static struct f80 op_sub(struct f80 a, struct f80 b, struct sf_status *s)
{
    return f80_sub(a, b, s);
}

static struct f80 op_subr(struct f80 a, struct f80 b, struct sf_status *s)
{
    return f80_sub(b, a, s);
}

static struct f80 op_div(struct f80 a, struct f80 b, struct sf_status *s)
{
    return f80_div(a, b, s);
}

static struct f80 op_divr(struct f80 a, struct f80 b, struct sf_status *s)
{
    return f80_div(b, a, s);
}

static struct f80 operand_f32(uint64_t bits, bool *denormal)
{
    return f80_widen_f32((uint32_t)bits, denormal);
}

static struct f80 operand_f64(uint64_t bits, bool *denormal)
{
    return f80_widen_f64(bits, denormal);
}

static struct f80 operand_i16(uint64_t bits, bool *denormal)
{
    *denormal = false;
    return f80_from_i64((int16_t)bits);
}

static struct f80 operand_i32(uint64_t bits, bool *denormal)
{
    *denormal = false;
    return f80_from_i64((int32_t)bits);
}

/* ST(0) = ST(0) op memory */
ALWAYS_INLINE struct insn *arith_mem(struct cpu *c, struct insn *i, unsigned size,
                                     operand_fn *operand, binary_fn *op)
{
    uint64_t bits;
    bool denormal = false;

    if (!fpu_load(c, i, size, &bits)) {
        return cpu_fault(c, i);
    }
    fpu_note_mem(c, i);
    if (UNLIKELY(ST0_EMPTY)) {
        if (fpu_stack_fault(c, false)) {
            fpu_set(c, 0, F80_INDEFINITE);
        }
        return insn_next(i);
    }
    struct sf_status s;
    fpu_start(c, &s);
    struct f80 a = fpu_st(c, 0), r = op(a, operand(bits, &denormal), &s);
    if (UNLIKELY(denormal)) {
        f80_denormal_operand(a, &s);
    }
    fpu_commit(c, &s);
    if (LIKELY(!sf_aborted(&s))) {
        fpu_set(c, 0, r);
    }
    return insn_next(i);
}

/* ST(dst) = ST(dst) op ST(src) */
ALWAYS_INLINE struct insn *arith_st(struct cpu *c, struct insn *i, unsigned dst, unsigned src,
                                    bool pop, binary_fn *op)
{
    bool store;
    struct f80 r = F80_INDEFINITE;

    fpu_note(c, i);
    if (UNLIKELY(fpu_empty(c, dst) || fpu_empty(c, src))) {
        store = fpu_stack_fault(c, false);
    } else {
        struct sf_status s;
        fpu_start(c, &s);
        r = op(fpu_st(c, dst), fpu_st(c, src), &s);
        fpu_commit(c, &s);
        store = !sf_aborted(&s);
    }
    if (LIKELY(store)) {
        fpu_set(c, dst, r);
        if (pop) {
            fpu_pop(c);
        }
    }
    return insn_next(i);
}

#define ARITH(name)                                                                            \
    FPU_WAITING(f##name##_m32, arith_mem(c, i, 4, operand_f32, op_##name))                     \
    FPU_WAITING(f##name##_m64, arith_mem(c, i, 8, operand_f64, op_##name))                     \
    FPU_WAITING(fi##name##_m16, arith_mem(c, i, 2, operand_i16, op_##name))                    \
    FPU_WAITING(fi##name##_m32, arith_mem(c, i, 4, operand_i32, op_##name))                    \
    FPU_WAITING(f##name##_st0_sti, arith_st(c, i, 0, i->src, false, op_##name))                \
    FPU_WAITING(f##name##_sti_st0, arith_st(c, i, i->dst, 0, false, op_##name))                \
    FPU_WAITING(f##name##p_sti_st0, arith_st(c, i, i->dst, 0, true, op_##name))
ARITH(add)
ARITH(mul)
ARITH(sub)
ARITH(subr)
ARITH(div)
ARITH(divr)

/* ST(0) = op(ST(0)) */
ALWAYS_INLINE struct insn *unary(struct cpu *c, struct insn *i, unary_fn *op)
{
    fpu_note(c, i);
    if (UNLIKELY(ST0_EMPTY)) {
        if (fpu_stack_fault(c, false)) {
            fpu_set(c, 0, F80_INDEFINITE);
        }
        return insn_next(i);
    }
    struct sf_status s;
    fpu_start(c, &s);
    struct f80 r = op(fpu_st(c, 0), &s);
    fpu_commit(c, &s);
    if (!sf_aborted(&s)) {
        fpu_set(c, 0, r);
    }
    return insn_next(i);
}

static struct f80 op_chs(struct f80 a, struct sf_status *s)
{
    (void)s;
    return f80_neg(a);
}

static struct f80 op_abs(struct f80 a, struct sf_status *s)
{
    (void)s;
    return f80_abs(a);
}

FPU_WAITING(fchs, unary(c, i, op_chs))
FPU_WAITING(fabs, unary(c, i, op_abs))
FPU_WAITING(fsqrt, unary(c, i, f80_sqrt))
FPU_WAITING(frndint, unary(c, i, f80_rint))
FPU_WAITING(f2xm1, unary(c, i, f80_f2xm1))
FPU_WAITING(fscale, arith_st(c, i, 0, 1, false, f80_scale))

/* ST(1) = op(ST(0), ST(1)), pop */
static struct f80 op_yl2x(struct f80 st1, struct f80 st0, struct sf_status *s)
{
    return f80_fyl2x(st0, st1, s);
}

static struct f80 op_yl2xp1(struct f80 st1, struct f80 st0, struct sf_status *s)
{
    return f80_fyl2xp1(st0, st1, s);
}

static struct f80 op_patan(struct f80 st1, struct f80 st0, struct sf_status *s)
{
    return f80_fpatan(st0, st1, s);
}

FPU_WAITING(fyl2x, arith_st(c, i, 1, 0, true, op_yl2x))
FPU_WAITING(fyl2xp1, arith_st(c, i, 1, 0, true, op_yl2xp1))
FPU_WAITING(fpatan, arith_st(c, i, 1, 0, true, op_patan))

typedef bool remainder_fn(struct f80 a, struct f80 b, struct f80 *r, unsigned *quotient,
                          struct sf_status *s);

/*
 * C2: not complete; else the low quotient bits 2, 1, 0 are in C0, C3, C1.  C0 and C3 keep their
 * values when there is no quotient (a NaN as the result, or none at all).
 */
static struct insn *remainder_st(struct cpu *c, struct insn *i, remainder_fn *op)
{
    unsigned q = 0;
    struct f80 r;

    fpu_note(c, i);
    c->fpu.sw &= (uint16_t)~FSW_C2;
    if (UNLIKELY(ST0_EMPTY || fpu_empty(c, 1))) {
        if (fpu_stack_fault(c, false)) {
            fpu_set(c, 0, F80_INDEFINITE);
        }
        return insn_next(i);
    }
    struct sf_status s;
    fpu_start(c, &s);
    bool complete = op(fpu_st(c, 0), fpu_st(c, 1), &r, &q, &s);
    s.up = 0;
    fpu_commit(c, &s);
    if (sf_aborted(&s)) {
        return insn_next(i);
    }
    fpu_set(c, 0, r);
    if (f80_class(r) != SF_CLASS_NAN) {
        c->fpu.sw = (uint16_t)((c->fpu.sw & ~FSW_CC) | (complete ? 0 : FSW_C2) |
                               (q & 4 ? FSW_C0 : 0) | (q & 2 ? FSW_C3 : 0) | (q & 1 ? FSW_C1 : 0));
    }
    return insn_next(i);
}

FPU_WAITING(fprem, remainder_st(c, i, f80_fprem))
FPU_WAITING(fprem1, remainder_st(c, i, f80_fprem1))

/* --- one operand, two results ---------------------------------------------------------------- */

/* ST(0) must be in use and ST(7) free.  False: the stack fault has been dealt with. */
static bool pair_ready(struct cpu *c)
{
    bool underflow = ST0_EMPTY;

    if (!underflow && fpu_empty(c, 7)) {
        return true;
    }
    if (fpu_stack_fault(c, !underflow)) {
        fpu_set(c, 0, F80_INDEFINITE);
        fpu_push(c, F80_INDEFINITE);
    }
    return false;
}

static struct insn *fxtract(struct cpu *c, struct insn *i)
{
    struct f80 exponent, sig;

    fpu_note(c, i);
    if (!pair_ready(c)) {
        return insn_next(i);
    }
    struct sf_status s;
    fpu_start(c, &s);
    f80_extract(fpu_st(c, 0), &exponent, &sig, &s);
    fpu_commit(c, &s);
    if (!sf_aborted(&s)) {
        fpu_set(c, 0, exponent);
        fpu_push(c, sig);
    }
    return insn_next(i);
}

FPU_WAITING(fxtract, fxtract(c, i))

/* C2 = 1: |ST(0)| is out of range and nothing else changes. */
static void set_c2(struct cpu *c, bool out_of_range)
{
    c->fpu.sw = (uint16_t)((c->fpu.sw & ~FSW_C2) | (out_of_range ? FSW_C2 : 0));
}

static struct insn *fsincos(struct cpu *c, struct insn *i)
{
    struct f80 sine, cosine;

    fpu_note(c, i);
    set_c2(c, false);
    if (!pair_ready(c)) {
        return insn_next(i);
    }
    struct sf_status s;
    fpu_start(c, &s);
    bool in_range = f80_fsincos(fpu_st(c, 0), &sine, &cosine, &s);
    set_c2(c, !in_range);
    fpu_commit(c, &s);
    if (in_range && !sf_aborted(&s)) {
        fpu_set(c, 0, sine);
        fpu_push(c, cosine);
    }
    return insn_next(i);
}

FPU_WAITING(fsincos, fsincos(c, i))

static struct insn *fptan(struct cpu *c, struct insn *i)
{
    struct f80 tangent;

    fpu_note(c, i);
    set_c2(c, false);
    if (!pair_ready(c)) {
        return insn_next(i);
    }
    struct sf_status s;
    fpu_start(c, &s);
    bool in_range = f80_fptan(fpu_st(c, 0), &tangent, &s);
    set_c2(c, !in_range);
    fpu_commit(c, &s);
    if (in_range && !sf_aborted(&s)) {
        fpu_set(c, 0, tangent);
        fpu_push(c, f80_class(tangent) == SF_CLASS_NAN ? tangent : f80_const(SF_ONE, &s));
    }
    return insn_next(i);
}

FPU_WAITING(fptan, fptan(c, i))

typedef bool circular_fn(struct f80 a, struct f80 *r, struct sf_status *s);

static struct insn *circular(struct cpu *c, struct insn *i, circular_fn *op)
{
    struct f80 r;

    fpu_note(c, i);
    set_c2(c, false);
    if (ST0_EMPTY) {
        if (fpu_stack_fault(c, false)) {
            fpu_set(c, 0, F80_INDEFINITE);
        }
        return insn_next(i);
    }
    struct sf_status s;
    fpu_start(c, &s);
    bool in_range = op(fpu_st(c, 0), &r, &s);
    set_c2(c, !in_range);
    fpu_commit(c, &s);
    if (in_range && !sf_aborted(&s)) {
        fpu_set(c, 0, r);
    }
    return insn_next(i);
}

FPU_WAITING(fsin, circular(c, i, f80_fsin))
FPU_WAITING(fcos, circular(c, i, f80_fcos))

/* --- comparison ------------------------------------------------------------------------------ */

static void set_cc(struct cpu *c, unsigned cc)
{
    c->fpu.sw = (uint16_t)((c->fpu.sw & ~(FSW_C0 | FSW_C2 | FSW_C3)) | cc);
}

static void set_relation(struct cpu *c, enum sf_relation r)
{
    static const uint16_t cc[] = {FSW_C0, FSW_C3, 0, FSW_C3 | FSW_C2 | FSW_C0};
    set_cc(c, cc[r - SF_LESS]);
}

static void pop_n(struct cpu *c, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        fpu_pop(c);
    }
}

/* An unmasked exception stops the pops only, the condition codes are there for the handler. */
ALWAYS_INLINE struct insn *compare_end(struct cpu *c, struct insn *i, bool done,
                                       enum sf_relation r, unsigned pops)
{
    set_relation(c, r);
    if (done) {
        pop_n(c, pops);
    }
    return insn_next(i);
}

ALWAYS_INLINE struct insn *compare_mem(struct cpu *c, struct insn *i, unsigned size,
                                       operand_fn *operand, unsigned pops)
{
    uint64_t bits;
    bool denormal = false;

    if (!fpu_load(c, i, size, &bits)) {
        return cpu_fault(c, i);
    }
    fpu_note_mem(c, i);
    if (UNLIKELY(ST0_EMPTY)) {
        return compare_end(c, i, fpu_stack_fault(c, false), SF_UNORDERED, pops);
    }
    struct sf_status s;
    fpu_start(c, &s);
    struct f80 a = fpu_st(c, 0);
    enum sf_relation r = f80_compare(a, operand(bits, &denormal), false, &s);
    if (UNLIKELY(denormal)) {
        f80_denormal_operand(a, &s);
    }
    fpu_commit(c, &s);
    return compare_end(c, i, !sf_aborted(&s), r, pops);
}

ALWAYS_INLINE struct insn *compare_st(struct cpu *c, struct insn *i, unsigned src, bool quiet,
                                      unsigned pops)
{
    fpu_note(c, i);
    if (UNLIKELY(ST0_EMPTY || fpu_empty(c, src))) {
        return compare_end(c, i, fpu_stack_fault(c, false), SF_UNORDERED, pops);
    }
    struct sf_status s;
    fpu_start(c, &s);
    enum sf_relation r = f80_compare(fpu_st(c, 0), fpu_st(c, src), quiet, &s);
    fpu_commit(c, &s);
    return compare_end(c, i, !sf_aborted(&s), r, pops);
}

FPU_WAITING(fcom_m32, compare_mem(c, i, 4, operand_f32, 0))
FPU_WAITING(fcom_m64, compare_mem(c, i, 8, operand_f64, 0))
FPU_WAITING(ficom_m16, compare_mem(c, i, 2, operand_i16, 0))
FPU_WAITING(ficom_m32, compare_mem(c, i, 4, operand_i32, 0))
FPU_WAITING(fcomp_m32, compare_mem(c, i, 4, operand_f32, 1))
FPU_WAITING(fcomp_m64, compare_mem(c, i, 8, operand_f64, 1))
FPU_WAITING(ficomp_m16, compare_mem(c, i, 2, operand_i16, 1))
FPU_WAITING(ficomp_m32, compare_mem(c, i, 4, operand_i32, 1))
FPU_WAITING(fcom_sti, compare_st(c, i, i->src, false, 0))
FPU_WAITING(fcomp_sti, compare_st(c, i, i->src, false, 1))
FPU_WAITING(fcompp, compare_st(c, i, 1, false, 2))
FPU_WAITING(fucom_sti, compare_st(c, i, i->src, true, 0))
FPU_WAITING(fucomp_sti, compare_st(c, i, i->src, true, 1))
FPU_WAITING(fucompp, compare_st(c, i, 1, true, 2))

static struct insn *ftst(struct cpu *c, struct insn *i)
{
    fpu_note(c, i);
    if (ST0_EMPTY) {
        return compare_end(c, i, fpu_stack_fault(c, false), SF_UNORDERED, 0);
    }
    struct sf_status s;
    fpu_start(c, &s);
    enum sf_relation r = f80_compare(fpu_st(c, 0), (struct f80){0, 0}, false, &s);
    fpu_commit(c, &s);
    return compare_end(c, i, !sf_aborted(&s), r, 0);
}

FPU_WAITING(ftst, ftst(c, i))

/* Comparison into ZF, PF and CF; OF, SF and AF are cleared. */
ALWAYS_INLINE struct insn *compare_flags(struct cpu *c, struct insn *i, bool quiet, bool pop)
{
    static const uint8_t image[] = {FLAG_CF, FLAG_ZF, 0, FLAG_ZF | FLAG_PF | FLAG_CF};
    enum sf_relation r = SF_UNORDERED;
    bool done;

    fpu_note(c, i);
    if (UNLIKELY(ST0_EMPTY || fpu_empty(c, i->src))) {
        done = fpu_stack_fault(c, false);
    } else {
        struct sf_status s;
        fpu_start(c, &s);
        r = f80_compare(fpu_st(c, 0), fpu_st(c, i->src), quiet, &s);
        fpu_commit(c, &s);
        done = !sf_aborted(&s);
    }
    flags_set_oszapc(c, image[r - SF_LESS]);
    if (done && pop) {
        fpu_pop(c);
    }
    return insn_next(i);
}

FPU_WAITING(fcomi, compare_flags(c, i, false, false))
FPU_WAITING(fcomip, compare_flags(c, i, false, true))
FPU_WAITING(fucomi, compare_flags(c, i, true, false))
FPU_WAITING(fucomip, compare_flags(c, i, true, true))

/* C1 is the sign, also of an empty register. */
static struct insn *fxam(struct cpu *c, struct insn *i)
{
    struct f80 a = fpu_st(c, 0);
    unsigned class = ST0_EMPTY ? 5 : (unsigned)f80_class(a);

    fpu_note(c, i);
    set_cc(c, (class & 4 ? FSW_C3 : 0) | (class & 2 ? FSW_C2 : 0) | (class & 1 ? FSW_C0 : 0));
    c->fpu.sw = (uint16_t)((c->fpu.sw & ~FSW_C1) | (a.sexp >> 15 ? FSW_C1 : 0));
    return insn_next(i);
}

FPU_WAITING(fxam, fxam(c, i))

/* --- loads ----------------------------------------------------------------------------------- */

/* Pushes v, or handles the full stack. */
ALWAYS_INLINE struct insn *push_value(struct cpu *c, struct insn *i, struct f80 v)
{
    if (UNLIKELY(!fpu_empty(c, 7))) {
        if (fpu_stack_fault(c, true)) {
            fpu_push(c, F80_INDEFINITE);
        }
        return insn_next(i);
    }
    c->fpu.sw &= (uint16_t)~FSW_C1;
    fpu_push(c, v);
    return insn_next(i);
}

ALWAYS_INLINE struct insn *load_real(struct cpu *c, struct insn *i, unsigned size, load_fn *load)
{
    uint64_t bits;

    if (!fpu_load(c, i, size, &bits)) {
        return cpu_fault(c, i);
    }
    fpu_note_mem(c, i);
    if (UNLIKELY(!fpu_empty(c, 7))) {
        return push_value(c, i, F80_INDEFINITE);
    }
    struct sf_status s;
    fpu_start(c, &s);
    struct f80 v = load(bits, &s);
    fpu_commit(c, &s);
    if (LIKELY(!sf_no_load(&s))) {
        fpu_push(c, v);
    }
    return insn_next(i);
}

ALWAYS_INLINE struct insn *load_int(struct cpu *c, struct insn *i, unsigned size)
{
    uint64_t bits;

    if (!fpu_load(c, i, size, &bits)) {
        return cpu_fault(c, i);
    }
    fpu_note_mem(c, i);
    return push_value(c, i, f80_from_i64(size == 2   ? (int16_t)bits
                                         : size == 4 ? (int32_t)bits
                                                     : (int64_t)bits));
}

static struct insn *load_80(struct cpu *c, struct insn *i, bool bcd)
{
    uint8_t b[10];

    if (!mem_read_bytes(c, i->seg, insn_ea(c, i), b, sizeof b)) {
        return cpu_fault(c, i);
    }
    fpu_note_mem(c, i);
    return push_value(c, i, bcd ? f80_from_bcd(b) : (struct f80){get64(b), get16(b + 8)});
}

static struct f80 load_f32(uint64_t bits, struct sf_status *s)
{
    return f80_from_f32((uint32_t)bits, s);
}

static struct f80 load_f64(uint64_t bits, struct sf_status *s)
{
    return f80_from_f64(bits, s);
}

FPU_WAITING(fld_m32, load_real(c, i, 4, load_f32))
FPU_WAITING(fld_m64, load_real(c, i, 8, load_f64))
FPU_WAITING(fld_m80, load_80(c, i, false))
FPU_WAITING(fbld_m80, load_80(c, i, true))
FPU_WAITING(fild_m16, load_int(c, i, 2))
FPU_WAITING(fild_m32, load_int(c, i, 4))
FPU_WAITING(fild_m64, load_int(c, i, 8))

static struct insn *fld_sti(struct cpu *c, struct insn *i)
{
    fpu_note(c, i);
    if (UNLIKELY(fpu_empty(c, i->dst) && fpu_empty(c, 7))) {
        if (fpu_stack_fault(c, false)) {
            fpu_push(c, F80_INDEFINITE);
        }
        return insn_next(i);
    }
    return push_value(c, i, fpu_st(c, i->dst));
}

FPU_WAITING(fld_sti, fld_sti(c, i))

static struct insn *load_const(struct cpu *c, struct insn *i, enum sf_const k)
{
    struct sf_status s;
    fpu_start(c, &s);

    fpu_note(c, i);
    return push_value(c, i, f80_const(k, &s));
}

FPU_WAITING(fld1, load_const(c, i, SF_ONE))
FPU_WAITING(fldl2t, load_const(c, i, SF_L2T))
FPU_WAITING(fldl2e, load_const(c, i, SF_L2E))
FPU_WAITING(fldpi, load_const(c, i, SF_PI))
FPU_WAITING(fldlg2, load_const(c, i, SF_LG2))
FPU_WAITING(fldln2, load_const(c, i, SF_LN2))
FPU_WAITING(fldz, load_const(c, i, SF_ZERO_CONST))

/* --- stores ---------------------------------------------------------------------------------- */

/* An unmasked exception keeps the value back, but the address is checked all the same. */
COLD static bool store_nothing(struct cpu *c, const struct insn *i, unsigned size)
{
    uint64_t la;

    if (!seg_linear(c, i->seg, insn_ea(c, i), size, ACC_WRITE, &la)) {
        return false;
    }
    if (c->cpl == 3 && (c->cr0 & CR0_AM) && (c->eflags & FLAG_AC) &&
        (la & (size == 10 ? 7 : size - 1))) {
        return exc_set_err(c, EXC_AC, 0);
    }
    return lin_probe(c, la, size, true);
}

/* Flags of a store are committed behind the memory access, which may fault. */
ALWAYS_INLINE struct insn *store_mem(struct cpu *c, struct insn *i, unsigned size,
                                     store_fn *convert, uint64_t indefinite, bool pop)
{
    struct sf_status s;
    fpu_start(c, &s);
    bool empty = ST0_EMPTY;
    bool store = true;
    uint64_t bits = indefinite;

    if (UNLIKELY(empty)) {
        store = (c->fpu.cw & SF_INVALID) != 0;
    } else {
        bits = convert(fpu_st(c, 0), &s);
        store = !sf_no_store(&s);
    }
    if (UNLIKELY(!(store ? fpu_store(c, i, size, bits) : store_nothing(c, i, size)))) {
        return cpu_fault(c, i);
    }
    fpu_note_mem(c, i);
    if (UNLIKELY(empty)) {
        fpu_stack_fault(c, false);
    } else {
        fpu_commit(c, &s);
    }
    if (pop && store) {
        fpu_pop(c);
    }
    return insn_next(i);
}

#define STORE_FN(name, type, call)                                                             \
    static uint64_t store_##name(struct f80 a, struct sf_status *s)                            \
    {                                                                                          \
        return (type)call(a, s);                                                               \
    }
STORE_FN(f32, uint32_t, f80_to_f32)
STORE_FN(f64, uint64_t, f80_to_f64)
STORE_FN(i16, uint16_t, f80_to_i16)
STORE_FN(i32, uint32_t, f80_to_i32)
STORE_FN(i64, uint64_t, f80_to_i64)
STORE_FN(i16_trunc, uint16_t, f80_to_i16_trunc)
STORE_FN(i32_trunc, uint32_t, f80_to_i32_trunc)
STORE_FN(i64_trunc, uint64_t, f80_to_i64_trunc)

#define I64_INDEFINITE 0x8000000000000000u
FPU_WAITING(fst_m32, store_mem(c, i, 4, store_f32, F32_INDEFINITE, false))
FPU_WAITING(fst_m64, store_mem(c, i, 8, store_f64, F64_INDEFINITE, false))
FPU_WAITING(fstp_m32, store_mem(c, i, 4, store_f32, F32_INDEFINITE, true))
FPU_WAITING(fstp_m64, store_mem(c, i, 8, store_f64, F64_INDEFINITE, true))
FPU_WAITING(fist_m16, store_mem(c, i, 2, store_i16, 0x8000, false))
FPU_WAITING(fist_m32, store_mem(c, i, 4, store_i32, 0x80000000u, false))
FPU_WAITING(fistp_m16, store_mem(c, i, 2, store_i16, 0x8000, true))
FPU_WAITING(fistp_m32, store_mem(c, i, 4, store_i32, 0x80000000u, true))
FPU_WAITING(fistp_m64, store_mem(c, i, 8, store_i64, I64_INDEFINITE, true))
FPU_WAITING(fisttp_m16, store_mem(c, i, 2, store_i16_trunc, 0x8000, true))
FPU_WAITING(fisttp_m32, store_mem(c, i, 4, store_i32_trunc, 0x80000000u, true))
FPU_WAITING(fisttp_m64, store_mem(c, i, 8, store_i64_trunc, I64_INDEFINITE, true))

static void bytes_f80(uint8_t out[10], struct f80 a)
{
    put64(out, a.sig);
    put16(out + 8, a.sexp);
}

/* FSTP m80 and FBSTP. */
static struct insn *store_80(struct cpu *c, struct insn *i, bool bcd)
{
    static const uint8_t bcd_indefinite[10] = {0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff};
    struct sf_status s;
    fpu_start(c, &s);
    bool empty = ST0_EMPTY, store = true;
    uint8_t b[10];

    if (empty) {
        store = (c->fpu.cw & SF_INVALID) != 0;
        bytes_f80(b, F80_INDEFINITE);
        if (bcd) {
            memcpy(b, bcd_indefinite, sizeof b);
        }
    } else if (bcd) {
        f80_to_bcd(fpu_st(c, 0), b, &s);
        store = !sf_no_store(&s);
    } else {
        bytes_f80(b, fpu_st(c, 0));
    }
    if (!(store ? mem_write_bytes(c, i->seg, insn_ea(c, i), b, sizeof b)
                : store_nothing(c, i, sizeof b))) {
        return cpu_fault(c, i);
    }
    fpu_note_mem(c, i);
    if (empty) {
        fpu_stack_fault(c, false);
    } else {
        fpu_commit(c, &s);
    }
    if (store) {
        fpu_pop(c);
    }
    return insn_next(i);
}

FPU_WAITING(fstp_m80, store_80(c, i, false))
FPU_WAITING(fbstp_m80, store_80(c, i, true))

/* --- moves between registers ----------------------------------------------------------------- */

ALWAYS_INLINE struct insn *copy_st(struct cpu *c, struct insn *i, bool pop)
{
    struct f80 v = fpu_st(c, 0);

    fpu_note(c, i);
    if (UNLIKELY(ST0_EMPTY)) {
        if (!fpu_stack_fault(c, false)) {
            return insn_next(i);
        }
        v = F80_INDEFINITE;
    } else {
        c->fpu.sw &= (uint16_t)~FSW_C1;
    }
    fpu_set(c, i->dst, v);
    if (pop) {
        fpu_pop(c);
    }
    return insn_next(i);
}

FPU_WAITING(fst_sti, copy_st(c, i, false))
FPU_WAITING(fstp_sti, copy_st(c, i, true))

/* D9 D8+i: FSTP without exceptions; an empty ST(0) is only popped. */
static struct insn *fstpnce(struct cpu *c, struct insn *i)
{
    fpu_note(c, i);
    c->fpu.sw &= (uint16_t)~FSW_C1;
    if (!ST0_EMPTY) {
        fpu_set(c, i->dst, fpu_st(c, 0));
    }
    fpu_pop(c);
    return insn_next(i);
}

FPU_WAITING(fstpnce_sti, fstpnce(c, i))

/* An empty register takes part as the indefinite. */
static struct insn *fxch(struct cpu *c, struct insn *i)
{
    struct f80 a = fpu_st(c, 0), b = fpu_st(c, i->dst);
    bool a_empty = ST0_EMPTY, b_empty = fpu_empty(c, i->dst);

    fpu_note(c, i);
    if (UNLIKELY(a_empty || b_empty)) {
        if (!fpu_stack_fault(c, false)) {
            return insn_next(i);
        }
        a = a_empty ? F80_INDEFINITE : a;
        b = b_empty ? F80_INDEFINITE : b;
    } else {
        c->fpu.sw &= (uint16_t)~FSW_C1;
    }
    fpu_set(c, 0, b);
    fpu_set(c, i->dst, a);
    return insn_next(i);
}

FPU_WAITING(fxch_sti, fxch(c, i))

/* The registers are checked whether the condition holds or not. */
ALWAYS_INLINE struct insn *move_if(struct cpu *c, struct insn *i, unsigned cc)
{
    fpu_note(c, i);
    if (UNLIKELY(ST0_EMPTY || fpu_empty(c, i->src))) {
        if (fpu_stack_fault(c, false)) {
            fpu_set(c, 0, F80_INDEFINITE);
        }
        return insn_next(i);
    }
    if (flag_cond(c, cc)) {
        fpu_set(c, 0, fpu_st(c, i->src));
    }
    return insn_next(i);
}

FPU_WAITING(fcmovb, move_if(c, i, CC_B))
FPU_WAITING(fcmove, move_if(c, i, CC_Z))
FPU_WAITING(fcmovbe, move_if(c, i, CC_BE))
FPU_WAITING(fcmovu, move_if(c, i, CC_P))
FPU_WAITING(fcmovnb, move_if(c, i, CC_NB))
FPU_WAITING(fcmovne, move_if(c, i, CC_NZ))
FPU_WAITING(fcmovnbe, move_if(c, i, CC_NBE))
FPU_WAITING(fcmovnu, move_if(c, i, CC_NP))

/* --- stack management ------------------------------------------------------------------------ */

static struct insn *rotate_top(struct cpu *c, struct insn *i, unsigned by)
{
    fpu_note(c, i);
    c->fpu.top = (c->fpu.top + by) & 7;
    c->fpu.sw &= (uint16_t)~FSW_C1;
    return insn_next(i);
}

FPU_WAITING(fincstp, rotate_top(c, i, 1))
FPU_WAITING(fdecstp, rotate_top(c, i, 7))

static struct insn *ffree(struct cpu *c, struct insn *i, bool pop)
{
    fpu_note(c, i);
    c->fpu.sw &= (uint16_t)~FSW_C1;
    fpu_free(c, i->dst);
    if (pop) {
        fpu_pop(c);
    }
    return insn_next(i);
}

FPU_WAITING(ffree_sti, ffree(c, i, false))
FPU_WAITING(ffreep_sti, ffree(c, i, true))

static struct insn *fnop(struct cpu *c, struct insn *i)
{
    fpu_note(c, i);
    return insn_next(i);
}

FPU_WAITING(fnop, fnop(c, i))

/* --- control --------------------------------------------------------------------------------- */

/* WAIT looks at TS only if MP is set, and never at EM. */
struct insn *x_fwait(struct cpu *c, struct insn *i)
{
    if ((c->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) {
        return cpu_raise(c, i, EXC_NM);
    }
    if (c->fpu.sw & FSW_ES) {
        struct insn *stop = fpu_report(c, i);
        return stop ? stop : insn_next(i);
    }
    return insn_next(i);
}

static struct insn *fldcw(struct cpu *c, struct insn *i)
{
    uint64_t v;

    if (!fpu_load(c, i, 2, &v)) {
        return cpu_fault(c, i);
    }
    fpu_set_control_word(c, (unsigned)v);
    fpu_update_summary(c);
    return insn_next(i);
}

FPU_WAITING(fldcw, fldcw(c, i))

static struct insn *store_word(struct cpu *c, struct insn *i, uint16_t v)
{
    return fpu_store(c, i, 2, v) ? insn_next(i) : cpu_fault(c, i);
}

FPU_NOWAIT(fnstcw, store_word(c, i, c->fpu.cw))
FPU_NOWAIT(fnstsw_m16, store_word(c, i, fpu_status_word(c)))

static struct insn *fnstsw_ax(struct cpu *c, struct insn *i)
{
    set_reg16(c, REG_EAX, fpu_status_word(c));
    return insn_next(i);
}

FPU_NOWAIT(fnstsw_ax, fnstsw_ax(c, i))

static struct insn *fnclex(struct cpu *c, struct insn *i)
{
    c->fpu.sw &= FSW_CC | FSW_ES;
    fpu_update_summary(c);
    return insn_next(i);
}

FPU_NOWAIT(fnclex, fnclex(c, i))

static struct insn *fninit(struct cpu *c, struct insn *i)
{
    fpu_init(c);
    return insn_next(i);
}

FPU_NOWAIT(fninit, fninit(c, i))
FPU_NOWAIT(fneni, insn_next(i))
FPU_NOWAIT(fndisi, insn_next(i))
FPU_NOWAIT(fnsetpm, insn_next(i))
