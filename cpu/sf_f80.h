/*
 * Internal to the soft-float: taking 80-bit extended reals apart, the NaN rules of the x87 and the
 * final rounding.  SDM volume 1, sections 4.2.2, 4.8.3 and 8.5.
 *
 * A nonzero finite number is handled as sign, exponent and a significand with bit 63 set; the
 * exponent is biased by 16383 but may leave the range of the format (denormals: below 1).
 */
#ifndef CPU_SF_F80_H
#define CPU_SF_F80_H

#include "cpu/sf_core.h"

#define F80_BIAS 16383
#define F80_MAX_EXP 0x7fff
#define F80_INTEGER_BIT ((uint64_t)1 << 63)
#define F80_QUIET_BIT ((uint64_t)1 << 62)

enum f80_kind { F80_ZERO, F80_DENORMAL, F80_NORMAL, F80_INFINITE, F80_NAN, F80_UNSUPPORTED };

struct f80_parts {
    uint64_t sig;
    int32_t exp;
    bool sign;
};

static inline bool f80_sign(struct f80 a)
{
    return a.sexp >> 15 != 0;
}

static inline int32_t f80_exp(struct f80 a)
{
    return a.sexp & 0x7fff;
}

static inline bool f80_is_normal(struct f80 a)
{
    return a.sig >> 63 != 0 && f80_exp(a) - 1u < F80_MAX_EXP - 1u;
}

static inline struct f80 f80_make(bool sign, int32_t exp, uint64_t sig)
{
    return (struct f80){ sig, (uint16_t)((unsigned)sign << 15 | (unsigned)exp) };
}

static inline struct f80 f80_zero(bool sign)
{
    return f80_make(sign, 0, 0);
}

static inline struct f80 f80_infinity(bool sign)
{
    return f80_make(sign, F80_MAX_EXP, F80_INTEGER_BIT);
}

static inline bool f80_is_signaling(struct f80 a)
{
    return f80_exp(a) == F80_MAX_EXP && (a.sig & F80_QUIET_BIT) == 0 && a.sig << 1 != 0;
}

static inline enum f80_kind f80_kind(struct f80 a)
{
    int32_t exp = f80_exp(a);
    if (exp == 0) {
        return a.sig == 0 ? F80_ZERO : F80_DENORMAL;
    }
    if (a.sig >> 63 == 0) {
        return F80_UNSUPPORTED;
    }
    if (exp < F80_MAX_EXP) {
        return F80_NORMAL;
    }
    return a.sig << 1 == 0 ? F80_INFINITE : F80_NAN;
}

/* a is a normal or denormal number */
static inline struct f80_parts f80_unpack(struct f80 a)
{
    struct f80_parts p = { a.sig, f80_exp(a), f80_sign(a) };
    if (p.exp == 0) {
        unsigned n = sf_clz64(p.sig);
        p.sig <<= n;
        p.exp = 1 - (int32_t)n;
    }
    return p;
}

/* Rounds hi:lo * 2^(exp - 16383 - 63), bit 63 of hi set, to the precision (enum sf_prec) and
 * packs. */
struct f80 sf_f80_round(bool sign, int32_t exp, uint64_t hi, uint64_t lo, unsigned prec,
                        struct sf_status *s);

/* Invalid operation: the default NaN. */
struct f80 sf_f80_invalid(struct sf_status *s);

/* Result for operands of which at least one is a NaN or unsupported; for one operand pass it
 * twice. */
struct f80 sf_f80_nan(struct f80 a, struct f80 b, struct sf_status *s);

#endif
