/*
 * Internal to the soft-float: floating point with 128-bit significands, the working format of the
 * transcendental functions.  Results are cut, not rounded; every operation below is off by at
 * most a few units of 2^-127 relative, far below the 2^-64 that the results are rounded to.
 */
#ifndef CPU_SF_WIDE_H
#define CPU_SF_WIDE_H

#include "cpu/sf_f80.h"

/* m * 2^(exp - 127); m is 0 or has its top bit set. */
struct sf_wide {
    struct sf_u128 m;
    int32_t exp;
    bool sign;
};

/* Power series in u (a fraction of 2^128) with the coefficients c[0], c[stride], ...: fractions of
 * 2^128 too. */
struct sf_series {
    const struct sf_u128 *c;
    unsigned terms, stride;
    bool alternate; /* the signs of the terms alternate, starting with plus */
};

/* 1 / (k + 2)! and 1 / (2k + 3) */
extern const struct sf_u128 sf_inverse_factorial[32];
extern const struct sf_u128 sf_inverse_odd[25];

static inline struct sf_wide sf_wide_const(uint64_t hi, uint64_t lo, int32_t exp)
{
    return (struct sf_wide){ { hi, lo }, exp, false };
}

static inline struct sf_wide sf_wide_from_parts(struct f80_parts p)
{
    return (struct sf_wide){ { p.sig, 0 }, p.exp - F80_BIAS, p.sign };
}

static inline bool sf_wide_is_zero(struct sf_wide a)
{
    return (a.m.hi | a.m.lo) == 0;
}

static inline struct sf_wide sf_wide_neg(struct sf_wide a)
{
    a.sign = !a.sign;
    return a;
}

struct sf_wide sf_wide_from_int(int32_t n);
/* m * 2^(exp - 127) with m as it comes */
struct sf_wide sf_wide_normal(bool sign, struct sf_u128 m, int32_t exp);
struct sf_wide sf_wide_add(struct sf_wide a, struct sf_wide b);
struct sf_wide sf_wide_mul(struct sf_wide a, struct sf_wide b);
struct sf_wide sf_wide_div(struct sf_wide a, struct sf_wide b); /* b not 0 */

/* |a| as a fraction of 2^128; a below 1 in magnitude */
struct sf_u128 sf_wide_fraction(struct sf_wide a);

/* x * (1 + u * series(u)), or with subtract x * (1 - u * series(u)); never exactly x. */
struct sf_wide sf_wide_series(struct sf_wide x, struct sf_u128 u, struct sf_series series,
                              bool subtract);

/* Rounds and packs an exact value, or one known never to be representable. */
struct f80 sf_wide_exact(struct sf_wide a, struct sf_status *s);
struct f80 sf_wide_inexact(struct sf_wide a, struct sf_status *s);

#endif
