/*
 * Soft-float: the arithmetic of the x87 FPU (80-bit extended real) and of SSE/SSE2 (single and
 * double precision), written on integers (but see sf_status.host) so that every host gives the same
 * bits.  Follows the Intel SDM volume 1, chapters 4, 8 and 11, and the instruction pages of volume
 * 2.
 *
 * Invariants: pure functions; all state is in the struct sf_status that the caller owns.  Flags
 * only accumulate; an operation never clears one, except `up` (condition code C1), which every
 * 80-bit operation that takes a status sets or clears.
 * When a pre-computation exception (invalid, denormal operand, divide by zero) is unmasked the
 * operation stops: the returned value is meaningless and sf_aborted() is true, provided the caller
 * cleared `flags` first.  Results of unmasked overflow and underflow in 80-bit arithmetic carry the
 * adjusted exponent of SDM 8.5.4 and 8.5.5; narrowing stores (f80_to_f32, f80_to_f64) and f32/f64
 * arithmetic have no result then: see sf_no_store().
 */
#ifndef CPU_SOFTFLOAT_H
#define CPU_SOFTFLOAT_H

#include <stdbool.h>
#include <stdint.h>

/* Exception flags and masks: order of the x87 status word, the x87 control word and MXCSR. */
enum sf_flag {
    SF_INVALID = 0x01,
    SF_DENORMAL = 0x02,
    SF_DIVZERO = 0x04,
    SF_OVERFLOW = 0x08,
    SF_UNDERFLOW = 0x10,
    SF_INEXACT = 0x20,
    SF_ALL = 0x3f
};

/* Rounding control, encoded as RC of the x87 control word and of MXCSR. */
enum sf_round { SF_NEAREST = 0, SF_DOWN = 1, SF_UP = 2, SF_ZERO = 3 };

/* Precision control of the x87 control word; 1 is reserved and works like 3. */
enum sf_prec { SF_PREC24 = 0, SF_PREC53 = 2, SF_PREC64 = 3 };

struct sf_status {
    uint8_t round; /* enum sf_round */
    uint8_t prec;  /* enum sf_prec; only f80_add, sub, mul, div and sqrt look at it */
    uint8_t flags; /* enum sf_flag, accumulated */
    uint8_t masks; /* enum sf_flag, set = masked */
    uint8_t up;    /* 1: the last rounding increased the magnitude (x87: C1) */
    bool daz;      /* f32/f64 arithmetic: denormal operands are zeros */
    bool ftz;      /* f32/f64 arithmetic: tiny results become zero while underflow is masked */
    /*
     * f32/f64 add, sub, mul, div: nobody needs to hear of "inexact" - it is masked, and already in
     * the caller's sticky flags - and rounding is to nearest.  Then the host's arithmetic may give
     * the bits (sf_f32f64.inc).
     */
    bool host;
};

/* An 80-bit extended real: sign and biased exponent; bit 63 of sig is the integer bit. */
struct f80 {
    uint64_t sig;
    uint16_t sexp;
};

/* Results of comparisons. */
enum sf_relation { SF_LESS = -1, SF_EQUAL = 0, SF_GREATER = 1, SF_UNORDERED = 2 };

/* FXAM classes: C3 C2 C0 from bit 2 down to bit 0 (5 is empty: the caller's business). */
enum sf_class {
    SF_CLASS_UNSUPPORTED = 0,
    SF_CLASS_NAN = 1,
    SF_CLASS_NORMAL = 2,
    SF_CLASS_INFINITY = 3,
    SF_CLASS_ZERO = 4,
    SF_CLASS_DENORMAL = 6
};

/* The constant loads, in opcode order D9 E8 to D9 EE. */
enum sf_const { SF_ONE, SF_L2T, SF_L2E, SF_PI, SF_LG2, SF_LN2, SF_ZERO_CONST };

/* Predicates 0 to 7 of CMPPS, CMPSD and relatives. */
enum sf_pred {
    SF_CMP_EQ, SF_CMP_LT, SF_CMP_LE, SF_CMP_UNORD, SF_CMP_NEQ, SF_CMP_NLT, SF_CMP_NLE, SF_CMP_ORD
};

#define F80_INDEFINITE ((struct f80){ 0xc000000000000000u, 0xffff })
#define F32_INDEFINITE 0xffc00000u
#define F64_INDEFINITE 0xfff8000000000000u

/* The operation hit an unmasked pre-computation exception: no destination may change. */
static inline bool sf_aborted(const struct sf_status *s)
{
    return (s->flags & ~s->masks & (SF_INVALID | SF_DENORMAL | SF_DIVZERO)) != 0;
}

/* As sf_aborted(), for narrowing stores to memory and for f32/f64 operations: there also unmasked
 * overflow and underflow leave the destination alone. */
static inline bool sf_no_store(const struct sf_status *s)
{
    return (s->flags & ~s->masks & (SF_ALL & ~SF_INEXACT)) != 0;
}

/* As sf_aborted(), for f80_from_f32() and f80_from_f64(). */
static inline bool sf_no_load(const struct sf_status *s)
{
    return (s->flags & ~s->masks & SF_INVALID) != 0;
}

static inline struct f80 f80_neg(struct f80 a)
{
    a.sexp ^= 0x8000;
    return a;
}

static inline struct f80 f80_abs(struct f80 a)
{
    a.sexp &= 0x7fff;
    return a;
}

/* ---- 80-bit arithmetic (sf_f80.c) ---- */
struct f80 f80_add(struct f80 a, struct f80 b, struct sf_status *s);
struct f80 f80_sub(struct f80 a, struct f80 b, struct sf_status *s);
struct f80 f80_mul(struct f80 a, struct f80 b, struct sf_status *s);
struct f80 f80_div(struct f80 a, struct f80 b, struct sf_status *s);
struct f80 f80_sqrt(struct f80 a, struct sf_status *s);

/* FPREM (truncating) and FPREM1 (nearest): remainder of a by b.  False when the reduction is only
 * partial (C2 = 1), with *quotient 0 then; else *quotient is the low three bits of the integer
 * quotient (bit 2 to C0, bit 1 to C3, bit 0 to C1). */
bool f80_fprem(struct f80 a, struct f80 b, struct f80 *r, unsigned *quotient, struct sf_status *s);
bool f80_fprem1(struct f80 a, struct f80 b, struct f80 *r, unsigned *quotient, struct sf_status *s);

struct f80 f80_rint(struct f80 a, struct sf_status *s); /* FRNDINT */
/* FSCALE: a * 2^trunc(n) */
struct f80 f80_scale(struct f80 a, struct f80 n, struct sf_status *s);
/* FXTRACT: *exponent replaces ST0, *sig is pushed. */
void f80_extract(struct f80 a, struct f80 *exponent, struct f80 *sig, struct sf_status *s);
/* FCOM, FCOMI, FTST; with quiet FUCOM, FUCOMI.  With invalid raised the result is SF_UNORDERED. */
enum sf_relation f80_compare(struct f80 a, struct f80 b, bool quiet, struct sf_status *s);
enum sf_class f80_class(struct f80 a);
struct f80 f80_const(enum sf_const c, const struct sf_status *s);

/* ---- 80-bit conversions (sf_convert.c) ---- */
/* FLD m32, FLD m64: raise invalid for signalling NaNs and denormal.  Unlike in arithmetic an
 * unmasked denormal does not stop the load: only sf_no_load() does. */
struct f80 f80_from_f32(uint32_t a, struct sf_status *s);
struct f80 f80_from_f64(uint64_t a, struct sf_status *s);
/* A memory operand of arithmetic or comparison: the value as it is, signalling NaNs included.  If
 * *denormal, call f80_denormal_operand() after the operation, with the other operand: it reports
 * the denormal unless something of higher priority came up.  The operation must have started with
 * flags = 0. */
struct f80 f80_widen_f32(uint32_t a, bool *denormal);
struct f80 f80_widen_f64(uint64_t a, bool *denormal);
void f80_denormal_operand(struct f80 other, struct sf_status *s);
struct f80 f80_from_i64(int64_t a); /* FILD of any width, always exact */
uint32_t f80_to_f32(struct f80 a, struct sf_status *s);
uint64_t f80_to_f64(struct f80 a, struct sf_status *s);
/* FIST; the _trunc forms are FISTTP.  Out of range: invalid and the integer indefinite. */
int16_t f80_to_i16(struct f80 a, struct sf_status *s);
int32_t f80_to_i32(struct f80 a, struct sf_status *s);
int64_t f80_to_i64(struct f80 a, struct sf_status *s);
int16_t f80_to_i16_trunc(struct f80 a, struct sf_status *s);
int32_t f80_to_i32_trunc(struct f80 a, struct sf_status *s);
int64_t f80_to_i64_trunc(struct f80 a, struct sf_status *s);
void f80_to_bcd(struct f80 a, uint8_t out[10], struct sf_status *s);
struct f80 f80_from_bcd(const uint8_t in[10]);

/* ---- transcendentals (sf_log.c, sf_trig.c): rounded as RC says, error bounds there ---- */
struct f80 f80_f2xm1(struct f80 a, struct sf_status *s);
struct f80 f80_fyl2x(struct f80 st0, struct f80 st1, struct sf_status *s);
struct f80 f80_fyl2xp1(struct f80 st0, struct f80 st1, struct sf_status *s);
struct f80 f80_fpatan(struct f80 st0, struct f80 st1, struct sf_status *s); /* atan(st1 / st0) */
/* The next four return false, without touching the results, when |a| >= 2^63 (C2 = 1). */
bool f80_fsin(struct f80 a, struct f80 *sine, struct sf_status *s);
bool f80_fcos(struct f80 a, struct f80 *cosine, struct sf_status *s);
bool f80_fsincos(struct f80 a, struct f80 *sine, struct f80 *cosine, struct sf_status *s);
bool f80_fptan(struct f80 a, struct f80 *tangent, struct sf_status *s);

/* ---- single and double precision, SSE rules (sf_f32f64.c); a is the destination operand ---- */
uint32_t f32_add(uint32_t a, uint32_t b, struct sf_status *s);
uint32_t f32_sub(uint32_t a, uint32_t b, struct sf_status *s);
uint32_t f32_mul(uint32_t a, uint32_t b, struct sf_status *s);
uint32_t f32_div(uint32_t a, uint32_t b, struct sf_status *s);
uint32_t f32_sqrt(uint32_t a, struct sf_status *s);
uint32_t f32_min(uint32_t a, uint32_t b, struct sf_status *s);
uint32_t f32_max(uint32_t a, uint32_t b, struct sf_status *s);
uint32_t f32_rint(uint32_t a, struct sf_status *s);
/* COMISS; with quiet UCOMISS */
enum sf_relation f32_compare(uint32_t a, uint32_t b, bool quiet, struct sf_status *s);
bool f32_cmp(uint32_t a, uint32_t b, enum sf_pred pred, struct sf_status *s);
int32_t f32_to_i32(uint32_t a, struct sf_status *s);
int64_t f32_to_i64(uint32_t a, struct sf_status *s);
int32_t f32_to_i32_trunc(uint32_t a, struct sf_status *s);
uint32_t f32_from_i32(int32_t a, struct sf_status *s);
uint32_t f32_from_i64(int64_t a, struct sf_status *s);
uint64_t f32_to_f64(uint32_t a, struct sf_status *s);
uint32_t f32_rcp(uint32_t a);   /* RCPSS: relative error below 1.5 * 2^-12, no exceptions */
uint32_t f32_rsqrt(uint32_t a); /* RSQRTSS, likewise */

uint64_t f64_add(uint64_t a, uint64_t b, struct sf_status *s);
uint64_t f64_sub(uint64_t a, uint64_t b, struct sf_status *s);
uint64_t f64_mul(uint64_t a, uint64_t b, struct sf_status *s);
uint64_t f64_div(uint64_t a, uint64_t b, struct sf_status *s);
uint64_t f64_sqrt(uint64_t a, struct sf_status *s);
uint64_t f64_min(uint64_t a, uint64_t b, struct sf_status *s);
uint64_t f64_max(uint64_t a, uint64_t b, struct sf_status *s);
uint64_t f64_rint(uint64_t a, struct sf_status *s);
enum sf_relation f64_compare(uint64_t a, uint64_t b, bool quiet, struct sf_status *s);
bool f64_cmp(uint64_t a, uint64_t b, enum sf_pred pred, struct sf_status *s);
int32_t f64_to_i32(uint64_t a, struct sf_status *s);
int64_t f64_to_i64(uint64_t a, struct sf_status *s);
int32_t f64_to_i32_trunc(uint64_t a, struct sf_status *s);
uint64_t f64_from_i32(int32_t a, struct sf_status *s);
uint64_t f64_from_i64(int64_t a, struct sf_status *s);
uint32_t f64_to_f32(uint64_t a, struct sf_status *s);

#endif
