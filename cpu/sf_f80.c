/*
 * 80-bit extended real arithmetic of the x87: add, subtract, multiply, divide, square root, with
 * precision and rounding control and the masked and unmasked responses of SDM volume 1, section
 * 8.5.
 *
 * Each operation has a short path for two normal numbers and one function for everything else;
 * both end in sf_f80_round().  The order of checks is that of the SDM: unsupported operand and
 * signalling NaN, quiet NaN, other invalid operations and zero divide, denormal operand, then the
 * result.
 */
#include "cpu/sf_f80.h"

/* Exponent adjustment of unmasked overflow and underflow (SDM 8.5.4, 8.5.5). */
#define F80_WRAP 24576

struct f80 sf_f80_invalid(struct sf_status *s)
{
    s->up = 0;
    sf_raise(s, SF_INVALID);
    return F80_INDEFINITE;
}

struct f80 sf_f80_nan(struct f80 a, struct f80 b, struct sf_status *s)
{
    enum f80_kind ka = f80_kind(a), kb = f80_kind(b);
    bool sa = f80_is_signaling(a), sb = f80_is_signaling(b);

    s->up = 0;
    if (ka == F80_UNSUPPORTED || kb == F80_UNSUPPORTED) {
        return sf_f80_invalid(s);
    }
    if (sa || sb) {
        sf_raise(s, SF_INVALID);
    }
    a.sig |= F80_QUIET_BIT;
    b.sig |= F80_QUIET_BIT;
    if (ka != F80_NAN || kb != F80_NAN) {
        return ka == F80_NAN ? a : b;
    }
    if (sa != sb) {
        return sa ? b : a;
    }
    if (a.sig != b.sig) {
        return a.sig > b.sig ? a : b;
    }
    return f80_sign(a) ? b : a;
}

/* The significand after rounding; exp counts a carry out of bit 63. */
struct rounded {
    uint64_t sig;
    int32_t exp;
    bool inexact, up;
};

static struct rounded round_sig(bool sign, int32_t exp, uint64_t hi, uint64_t lo, unsigned prec,
                                unsigned round)
{
    uint64_t unit = 1;
    if (prec == SF_PREC24 || prec == SF_PREC53) {
        unsigned keep = prec == SF_PREC24 ? 24 : 53;
        unit = (uint64_t)1 << (64 - keep);
        lo = (hi & (unit - 1)) << keep | (lo != 0);
        hi &= ~(unit - 1);
    }
    struct rounded r = { hi, exp, lo != 0, false };
    r.up = sf_round_increments(round, sign, (hi & unit) != 0, lo);
    if (r.up) {
        r.sig += unit;
        if (r.sig < unit) {
            r.sig = F80_INTEGER_BIT;
            r.exp++;
        }
    }
    return r;
}

static struct f80 round_overflow(bool sign, struct rounded r, unsigned prec, struct sf_status *s)
{
    bool to_infinity = s->round == SF_NEAREST || s->round == (sign ? SF_DOWN : SF_UP);

    if ((s->masks & SF_OVERFLOW) == 0) {
        if (r.exp - F80_WRAP >= F80_MAX_EXP) {
            sf_raise(s, SF_OVERFLOW | SF_INEXACT);
            s->up = 1;
            return f80_infinity(sign);
        }
        sf_raise(s, SF_OVERFLOW | (r.inexact ? SF_INEXACT : 0));
        s->up = r.up;
        return f80_make(sign, r.exp - F80_WRAP, r.sig);
    }
    sf_raise(s, SF_OVERFLOW | SF_INEXACT);
    s->up = to_infinity;
    if (to_infinity) {
        return f80_infinity(sign);
    }
    unsigned dropped = prec == SF_PREC24 ? 40 : prec == SF_PREC53 ? 11 : 0;
    return f80_make(sign, F80_MAX_EXP - 1, ~(uint64_t)0 << dropped);
}

/* r, below the smallest normal, is the result rounded as if the exponent had no lower bound. */
static struct f80 round_underflow(bool sign, int32_t exp, struct sf_u128 sig, struct rounded r,
                                  unsigned prec, struct sf_status *s)
{
    if ((s->masks & SF_UNDERFLOW) == 0) {
        if (r.exp + F80_WRAP <= 0) {
            sf_raise(s, SF_UNDERFLOW | SF_INEXACT);
            s->up = 0;
            return f80_zero(sign);
        }
        sf_raise(s, SF_UNDERFLOW | (r.inexact ? SF_INEXACT : 0));
        s->up = r.up;
        return f80_make(sign, r.exp + F80_WRAP, r.sig);
    }
    sig = sf_shr128_sticky(sig, (unsigned)(1 - exp < 200 ? 1 - exp : 200));
    r = round_sig(sign, 0, sig.hi, sig.lo, prec, s->round);
    if (r.inexact) {
        sf_raise(s, SF_UNDERFLOW | SF_INEXACT);
    }
    s->up = r.up;
    return f80_make(sign, r.sig >> 63 != 0, r.sig);
}

struct f80 sf_f80_round(bool sign, int32_t exp, uint64_t hi, uint64_t lo, unsigned prec,
                        struct sf_status *s)
{
    struct rounded r = round_sig(sign, exp, hi, lo, prec, s->round);

    if (r.exp - 1u < F80_MAX_EXP - 1u) {
        s->up = r.up;
        if (r.inexact) {
            sf_raise(s, SF_INEXACT);
        }
        return f80_make(sign, r.exp, r.sig);
    }
    if (r.exp > 0) {
        return round_overflow(sign, r, prec, s);
    }
    return round_underflow(sign, exp, (struct sf_u128){ hi, lo }, r, prec, s);
}

/* |a| + |b| with the given sign */
static struct f80 add_magnitudes(struct f80_parts a, struct f80_parts b, bool sign,
                                 struct sf_status *s)
{
    if (a.exp < b.exp) {
        struct f80_parts t = a;
        a = b;
        b = t;
    }
    struct sf_u128 small = sf_shr128_sticky((struct sf_u128){ b.sig, 0 },
                                            (unsigned)(a.exp - b.exp));
    uint64_t hi = a.sig + small.hi;
    if (hi < a.sig) {
        uint64_t lo = hi << 63 | small.lo >> 1 | (small.lo & 1);
        return sf_f80_round(sign, a.exp + 1, hi >> 1 | F80_INTEGER_BIT, lo, s->prec, s);
    }
    return sf_f80_round(sign, a.exp, hi, small.lo, s->prec, s);
}

/* |a| - |b|, sign being that of a */
static struct f80 sub_magnitudes(struct f80_parts a, struct f80_parts b, bool sign,
                                 struct sf_status *s)
{
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        struct f80_parts t = a;
        a = b;
        b = t;
        sign = !sign;
    }
    struct sf_u128 small = sf_shr128_sticky((struct sf_u128){ b.sig, 0 },
                                            (unsigned)(a.exp - b.exp));
    struct sf_u128 d = sf_sub128((struct sf_u128){ a.sig, 0 }, small);
    int32_t exp = a.exp;
    if (d.hi == 0) {
        if (d.lo == 0) {
            s->up = 0;
            return f80_zero(s->round == SF_DOWN);
        }
        d = (struct sf_u128){ d.lo, 0 };
        exp -= 64;
    }
    unsigned n = sf_clz64(d.hi);
    d = sf_shl128(d, n);
    return sf_f80_round(sign, exp - (int32_t)n, d.hi, d.lo, s->prec, s);
}

static struct f80 add_special(struct f80 a, struct f80 b, struct sf_status *s)
{
    enum f80_kind ka = f80_kind(a), kb = f80_kind(b);
    bool sa = f80_sign(a), sb = f80_sign(b);

    if (ka >= F80_NAN || kb >= F80_NAN) {
        return sf_f80_nan(a, b, s);
    }
    s->up = 0;
    if (ka == F80_INFINITE && kb == F80_INFINITE && sa != sb) {
        return sf_f80_invalid(s);
    }
    if ((ka == F80_DENORMAL || kb == F80_DENORMAL) && sf_raise_stops(s, SF_DENORMAL)) {
        return a;
    }
    if (ka == F80_INFINITE) {
        return a;
    }
    if (kb == F80_INFINITE) {
        return b;
    }
    if (ka == F80_ZERO && kb == F80_ZERO) {
        return sa == sb ? a : f80_zero(s->round == SF_DOWN);
    }
    if (ka == F80_ZERO || kb == F80_ZERO) {
        struct f80_parts p = f80_unpack(ka == F80_ZERO ? b : a);
        return sf_f80_round(p.sign, p.exp, p.sig, 0, s->prec, s);
    }
    struct f80_parts pa = f80_unpack(a), pb = f80_unpack(b);
    return sa == sb ? add_magnitudes(pa, pb, sa, s) : sub_magnitudes(pa, pb, sa, s);
}

struct f80 f80_add(struct f80 a, struct f80 b, struct sf_status *s)
{
    if (!f80_is_normal(a) || !f80_is_normal(b)) {
        return add_special(a, b, s);
    }
    struct f80_parts pa = { a.sig, f80_exp(a), f80_sign(a) };
    struct f80_parts pb = { b.sig, f80_exp(b), f80_sign(b) };
    return pa.sign == pb.sign ? add_magnitudes(pa, pb, pa.sign, s)
                              : sub_magnitudes(pa, pb, pa.sign, s);
}

struct f80 f80_sub(struct f80 a, struct f80 b, struct sf_status *s)
{
    if (f80_exp(b) == F80_MAX_EXP && b.sig << 1 != 0) {
        return sf_f80_nan(a, b, s); /* a NaN keeps its sign */
    }
    return f80_add(a, f80_neg(b), s);
}

static struct f80 mul_finite(struct f80_parts a, struct f80_parts b, struct sf_status *s)
{
    struct sf_u128 p = sf_mul64(a.sig, b.sig);
    int32_t exp = a.exp + b.exp - F80_BIAS + 1;
    if (p.hi >> 63 == 0) {
        p = sf_shl128(p, 1);
        exp--;
    }
    return sf_f80_round(a.sign != b.sign, exp, p.hi, p.lo, s->prec, s);
}

static struct f80 mul_special(struct f80 a, struct f80 b, struct sf_status *s)
{
    enum f80_kind ka = f80_kind(a), kb = f80_kind(b);
    bool sign = f80_sign(a) != f80_sign(b);

    if (ka >= F80_NAN || kb >= F80_NAN) {
        return sf_f80_nan(a, b, s);
    }
    s->up = 0;
    if ((ka == F80_INFINITE && kb == F80_ZERO) || (ka == F80_ZERO && kb == F80_INFINITE)) {
        return sf_f80_invalid(s);
    }
    if ((ka == F80_DENORMAL || kb == F80_DENORMAL) && sf_raise_stops(s, SF_DENORMAL)) {
        return a;
    }
    if (ka == F80_INFINITE || kb == F80_INFINITE) {
        return f80_infinity(sign);
    }
    if (ka == F80_ZERO || kb == F80_ZERO) {
        return f80_zero(sign);
    }
    return mul_finite(f80_unpack(a), f80_unpack(b), s);
}

struct f80 f80_mul(struct f80 a, struct f80 b, struct sf_status *s)
{
    if (!f80_is_normal(a) || !f80_is_normal(b)) {
        return mul_special(a, b, s);
    }
    return mul_finite(f80_unpack(a), f80_unpack(b), s);
}

static struct f80 div_finite(struct f80_parts a, struct f80_parts b, struct sf_status *s)
{
    int32_t exp = a.exp - b.exp + F80_BIAS;
    struct sf_u128 n = { a.sig, 0 };
    if (a.sig >= b.sig) {
        n = (struct sf_u128){ a.sig >> 1, a.sig << 63 };
    } else {
        exp--;
    }
    uint64_t rem;
    uint64_t q = sf_div128(n, b.sig, &rem);
    /* the fraction still to come is rem / b.sig: its place relative to one half is all that
     * counts */
    uint64_t lo = 0;
    if (rem != 0) {
        uint64_t rest = b.sig - rem;
        lo = rem > rest ? (uint64_t)3 << 62 : rem == rest ? (uint64_t)1 << 63 : (uint64_t)1 << 62;
    }
    return sf_f80_round(a.sign != b.sign, exp, q, lo, s->prec, s);
}

static struct f80 div_special(struct f80 a, struct f80 b, struct sf_status *s)
{
    enum f80_kind ka = f80_kind(a), kb = f80_kind(b);
    bool sign = f80_sign(a) != f80_sign(b);

    if (ka >= F80_NAN || kb >= F80_NAN) {
        return sf_f80_nan(a, b, s);
    }
    s->up = 0;
    if (ka == kb && (ka == F80_INFINITE || ka == F80_ZERO)) {
        return sf_f80_invalid(s);
    }
    if (kb == F80_ZERO && ka != F80_INFINITE) {
        sf_raise(s, SF_DIVZERO); /* goes before a denormal dividend */
        return f80_infinity(sign);
    }
    if ((ka == F80_DENORMAL || kb == F80_DENORMAL) && sf_raise_stops(s, SF_DENORMAL)) {
        return a;
    }
    if (ka == F80_INFINITE) {
        return f80_infinity(sign);
    }
    if (ka == F80_ZERO || kb == F80_INFINITE) {
        return f80_zero(sign);
    }
    return div_finite(f80_unpack(a), f80_unpack(b), s);
}

struct f80 f80_div(struct f80 a, struct f80 b, struct sf_status *s)
{
    if (!f80_is_normal(a) || !f80_is_normal(b)) {
        return div_special(a, b, s);
    }
    return div_finite(f80_unpack(a), f80_unpack(b), s);
}

struct f80 f80_sqrt(struct f80 a, struct sf_status *s)
{
    enum f80_kind k = f80_kind(a);

    if (k >= F80_NAN) {
        return sf_f80_nan(a, a, s);
    }
    s->up = 0;
    if (k == F80_ZERO) {
        return a;
    }
    if (f80_sign(a)) {
        return sf_f80_invalid(s);
    }
    if (k == F80_INFINITE) {
        return a;
    }
    if (k == F80_DENORMAL && sf_raise_stops(s, SF_DENORMAL)) {
        return a;
    }
    struct f80_parts p = f80_unpack(a);
    int32_t e = p.exp - F80_BIAS;
    /* an even power of two must remain: halve the significand for even exponents */
    struct sf_u128 n = { p.sig, 0 };
    if (e % 2 == 0) {
        n = (struct sf_u128){ p.sig >> 1, p.sig << 63 };
    } else {
        e--;
    }
    struct sf_u128 rem;
    uint64_t root = sf_sqrt128(n, &rem);
    uint64_t lo = 0;
    if ((rem.hi | rem.lo) != 0) {
        lo = rem.hi != 0 || rem.lo > root ? (uint64_t)3 << 62 : (uint64_t)1 << 62;
    }
    return sf_f80_round(false, e / 2 + F80_BIAS, root, lo, s->prec, s);
}
