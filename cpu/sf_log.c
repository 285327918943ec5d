/*
 * F2XM1, FYL2X and FYL2XP1 (SDM volume 2; the tables of special operands there).
 *
 * Logarithms are 2 / ln 2 * atanh(z) with z = (m - 1) / (m + 1) for m from sqrt(1/2) to sqrt(2),
 * plus the exponent; 2^x - 1 is its Taylor series in x * ln 2.  Both keep full relative precision
 * near 0, so results are the exact ones rounded as RC says but for about one case in 2^55, where
 * they are 1 ulp off.  As on silicon the inexact flag is set even for the few exact results
 * (powers of two), zeros and infinities excepted.  The SDM leaves operands beyond the stated
 * domains undefined: F2XM1 returns them unchanged, FYL2XP1 computes y * log2(1 + x) wherever that
 * exists.
 */
#include "cpu/sf_wide.h"

#define SQRT2_SIG 0xb504f333f9de6484u

static const struct sf_wide one = { { F80_INTEGER_BIT, 0 }, 0, false };
static const struct sf_wide two = { { F80_INTEGER_BIT, 0 }, 1, false };

struct f80 f80_f2xm1(struct f80 a, struct sf_status *s)
{
    enum f80_kind k = f80_kind(a);

    if (k >= F80_NAN) {
        return sf_f80_nan(a, a, s);
    }
    s->up = 0;
    if (k == F80_INFINITE) {
        return f80_sign(a) ? f80_make(true, F80_BIAS, F80_INTEGER_BIT) : a;
    }
    if (k == F80_ZERO || (k == F80_DENORMAL && sf_raise_stops(s, SF_DENORMAL))) {
        return a;
    }
    if (f80_exp(a) >= F80_BIAS) {
        bool minus_one = f80_sign(a) && f80_exp(a) == F80_BIAS && a.sig == F80_INTEGER_BIT;
        sf_raise(s, SF_INEXACT);
        return minus_one ? f80_make(true, F80_BIAS - 1, F80_INTEGER_BIT) : a;
    }
    const struct sf_series series = { sf_inverse_factorial, 29, 1, f80_sign(a) };
    struct sf_wide t = sf_wide_mul(sf_wide_from_parts(f80_unpack(a)),
                                   sf_wide_const(0xb17217f7d1cf79abu, 0xc9e3b39803f2f6afu, -1));
    return sf_wide_inexact(sf_wide_series(t, sf_wide_fraction(t), series, t.sign), s);
}

/* 2 / ln 2 * atanh(z) = log2((1 + z) / (1 - z)) for |z| <= 3 - sqrt(8) */
static struct sf_wide log2_quotient(struct sf_wide z)
{
    const struct sf_series series = { sf_inverse_odd, 25, 1, false };

    if (sf_wide_is_zero(z)) {
        return z;
    }
    struct sf_u128 square = sf_wide_fraction(sf_wide_mul(z, z));
    return sf_wide_mul(sf_wide_series(z, square, series, false),
                       sf_wide_const(0xb8aa3b295c17f0bbu, 0xbe87fed0691d3e89u, 1));
}

static struct sf_wide log2_wide(struct sf_wide x)
{
    int32_t e = x.exp;
    x.exp = 0;
    if (x.m.hi > SQRT2_SIG) {
        x.exp = -1;
        e++;
    }
    struct sf_wide z = sf_wide_div(sf_wide_add(x, sf_wide_neg(one)), sf_wide_add(x, one));
    return sf_wide_add(sf_wide_from_int(e), log2_quotient(z));
}

/* y * (log2 of the other operand), that logarithm being zero or infinite with the given sign */
static struct f80 scaled_limit(struct f80 y, bool infinite, bool sign, struct sf_status *s)
{
    enum f80_kind ky = f80_kind(y);

    if ((infinite && ky == F80_ZERO) || (!infinite && ky == F80_INFINITE)) {
        return sf_f80_invalid(s);
    }
    sign = sign != f80_sign(y);
    return infinite ? f80_infinity(sign) : f80_zero(sign);
}

/* log2(0) * y */
static struct f80 log_of_zero(struct f80 y, struct sf_status *s)
{
    if (f80_kind(y) != F80_ZERO && f80_kind(y) != F80_INFINITE) {
        sf_raise(s, SF_DIVZERO);
    }
    return scaled_limit(y, true, true, s);
}

struct f80 f80_fyl2x(struct f80 st0, struct f80 st1, struct sf_status *s)
{
    enum f80_kind kx = f80_kind(st0), ky = f80_kind(st1);

    if (kx >= F80_NAN || ky >= F80_NAN) {
        return sf_f80_nan(st0, st1, s);
    }
    s->up = 0;
    if (kx == F80_ZERO) {
        return log_of_zero(st1, s);
    }
    if (f80_sign(st0)) {
        return sf_f80_invalid(s);
    }
    bool is_one = kx == F80_NORMAL && f80_exp(st0) == F80_BIAS && st0.sig == F80_INTEGER_BIT;
    if ((is_one && ky == F80_INFINITE) || (kx == F80_INFINITE && ky == F80_ZERO)) {
        return sf_f80_invalid(s);
    }
    if ((kx == F80_DENORMAL || ky == F80_DENORMAL) && sf_raise_stops(s, SF_DENORMAL)) {
        return st0;
    }
    if (kx == F80_INFINITE || is_one) {
        return scaled_limit(st1, !is_one, false, s);
    }
    bool below_one = f80_exp(st0) < F80_BIAS;
    if (ky == F80_INFINITE || ky == F80_ZERO) {
        return scaled_limit(st1, ky == F80_INFINITE, below_one, s);
    }
    struct sf_wide x = sf_wide_from_parts(f80_unpack(st0));
    struct sf_wide y = sf_wide_from_parts(f80_unpack(st1));
    if (x.m.hi == F80_INTEGER_BIT) {
        struct f80 r = sf_wide_exact(sf_wide_mul(y, sf_wide_from_int(x.exp)), s);
        sf_raise(s, f80_exp(r) == 0 ? SF_INEXACT | SF_UNDERFLOW : SF_INEXACT);
        return r;
    }
    return sf_wide_inexact(sf_wide_mul(y, log2_wide(x)), s);
}

/* y * log2(1 + x) for finite nonzero operands, x above -1 */
static struct f80 log_of_sum(struct sf_wide x, struct sf_wide y, struct sf_status *s)
{
    struct sf_wide sum = sf_wide_add(one, x);
    /* where the exponent of the sum does not count, work from x itself: no digits of it get lost */
    bool near_one = sum.exp == 0 ? sum.m.hi <= SQRT2_SIG : sum.exp == -1 && sum.m.hi > SQRT2_SIG;
    struct sf_wide log;
    if (near_one) {
        log = log2_quotient(sf_wide_div(x, sf_wide_add(two, x)));
    } else {
        log = log2_wide(sum);
    }
    return sf_wide_inexact(sf_wide_mul(y, log), s);
}

struct f80 f80_fyl2xp1(struct f80 st0, struct f80 st1, struct sf_status *s)
{
    enum f80_kind kx = f80_kind(st0), ky = f80_kind(st1);
    bool sign = f80_sign(st0);

    if (kx >= F80_NAN || ky >= F80_NAN) {
        return sf_f80_nan(st0, st1, s);
    }
    s->up = 0;
    bool minus_one = sign && f80_exp(st0) == F80_BIAS && st0.sig == F80_INTEGER_BIT;
    if (minus_one) {
        return log_of_zero(st1, s);
    }
    if ((sign && f80_exp(st0) >= F80_BIAS) || (kx == F80_ZERO && ky == F80_INFINITE) ||
        (kx == F80_INFINITE && ky == F80_ZERO)) {
        return sf_f80_invalid(s);
    }
    if ((kx == F80_DENORMAL || ky == F80_DENORMAL) && sf_raise_stops(s, SF_DENORMAL)) {
        return st0;
    }
    if (kx == F80_INFINITE || kx == F80_ZERO) {
        return scaled_limit(st1, kx == F80_INFINITE, sign, s);
    }
    if (ky == F80_INFINITE || ky == F80_ZERO) {
        return scaled_limit(st1, ky == F80_INFINITE, sign, s);
    }
    return log_of_sum(sf_wide_from_parts(f80_unpack(st0)), sf_wide_from_parts(f80_unpack(st1)), s);
}
