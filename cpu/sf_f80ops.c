/*
 * 80-bit operations of the x87 that precision control does not touch: FPREM, FPREM1, FRNDINT,
 * FSCALE, FXTRACT, comparison, FXAM and the constant loads.  SDM volume 2, the pages of these
 * instructions.
 */
#include "cpu/sf_f80.h"

/* r * 2^(exp - 63), the remainder, packed; it is exact but may be denormal. */
static struct f80 pack_remainder(bool sign, int32_t exp, uint64_t r, struct sf_status *s)
{
    if (r == 0) {
        return f80_zero(sign);
    }
    unsigned n = sf_clz64(r);
    return sf_f80_round(sign, exp - (int32_t)n, r << n, 0, SF_PREC64, s);
}

/* The cases that need no division; true if *r is the answer. */
static bool remainder_special(struct f80 a, struct f80 b, struct f80 *r, struct sf_status *s)
{
    enum f80_kind ka = f80_kind(a), kb = f80_kind(b);

    s->up = 0;
    *r = a;
    if (ka >= F80_NAN || kb >= F80_NAN) {
        *r = sf_f80_nan(a, b, s);
        return true;
    }
    if (ka == F80_INFINITE || kb == F80_ZERO) {
        *r = sf_f80_invalid(s);
        return true;
    }
    if ((ka == F80_DENORMAL || kb == F80_DENORMAL) && sf_raise_stops(s, SF_DENORMAL)) {
        return true;
    }
    if (ka == F80_DENORMAL && kb == F80_INFINITE) {
        struct f80_parts p = f80_unpack(a);
        *r = pack_remainder(p.sign, p.exp, p.sig, s);
    }
    return ka == F80_ZERO || kb == F80_INFINITE;
}

/* One step for exponents at least 64 apart: takes off a multiple of b that brings a's exponent down
 * by N; N is chosen so that a whole number of steps of 32 remains. */
static bool partial_remainder(struct f80_parts a, struct f80_parts b, struct f80 *r,
                              struct sf_status *s)
{
    int32_t distance = a.exp - b.exp;
    unsigned n = ((unsigned)distance & 31) + 32;
    uint64_t rem;
    struct sf_u128 num = sf_shl128((struct sf_u128){ 0, a.sig }, n);

    sf_div128(num, b.sig, &rem);
    *r = pack_remainder(a.sign, b.exp + distance - (int32_t)n, rem, s);
    return false;
}

static bool remainder_of(struct f80 a, struct f80 b, bool nearest, struct f80 *r,
                         unsigned *quotient, struct sf_status *s)
{
    *quotient = 0;
    if (remainder_special(a, b, r, s)) {
        return true;
    }
    struct f80_parts pa = f80_unpack(a), pb = f80_unpack(b);
    int32_t distance = pa.exp - pb.exp;
    if (distance >= 64) {
        return partial_remainder(pa, pb, r, s);
    }
    if (distance < -1 || (distance < 0 && !nearest)) {
        *r = pack_remainder(pa.sign, pa.exp, pa.sig, s);
        return true;
    }
    uint64_t q = 0, rem = pa.sig;
    if (distance >= 0) {
        /* the upper half must stay below the divisor: the first bit of the quotient by hand */
        uint64_t top = pa.sig >= pb.sig;
        struct sf_u128 num = sf_shl128((struct sf_u128){ 0, pa.sig - (top ? pb.sig : 0) },
                                       (unsigned)distance);
        q = (top << distance) + sf_div128(num, pb.sig, &rem);
    }
    int32_t exp = distance < 0 ? pa.exp : pb.exp;
    bool sign = pa.sign;
    if (nearest) {
        /* at distance -1 the remainder counts halves of the divisor's unit */
        bool above = distance < 0 ? rem > pb.sig : rem > pb.sig - rem;
        bool half = distance < 0 ? rem == pb.sig : rem == pb.sig - rem;
        if (above || (half && (q & 1) != 0)) {
            rem = distance < 0 ? pb.sig - (rem - pb.sig) : pb.sig - rem;
            sign = !sign;
            q++;
        }
    }
    *quotient = (unsigned)q & 7;
    *r = pack_remainder(rem == 0 ? pa.sign : sign, exp, rem, s);
    return true;
}

bool f80_fprem(struct f80 a, struct f80 b, struct f80 *r, unsigned *quotient, struct sf_status *s)
{
    return remainder_of(a, b, false, r, quotient, s);
}

bool f80_fprem1(struct f80 a, struct f80 b, struct f80 *r, unsigned *quotient, struct sf_status *s)
{
    return remainder_of(a, b, true, r, quotient, s);
}

struct f80 f80_rint(struct f80 a, struct sf_status *s)
{
    enum f80_kind k = f80_kind(a);
    bool inexact, up;

    if (k >= F80_NAN) {
        return sf_f80_nan(a, a, s);
    }
    s->up = 0;
    if (f80_exp(a) >= F80_BIAS + 63 || k == F80_ZERO) {
        return a;
    }
    if (k == F80_DENORMAL && sf_raise_stops(s, SF_DENORMAL)) {
        return a;
    }
    struct f80_parts p = f80_unpack(a);
    uint64_t n = sf_round_integer(s->round, p.sign, p.exp - F80_BIAS, p.sig, &inexact, &up);
    s->up = up;
    sf_raise(s, inexact ? SF_INEXACT : 0);
    if (n == 0) {
        return f80_zero(p.sign);
    }
    unsigned shift = sf_clz64(n);
    return f80_make(p.sign, F80_BIAS + 63 - (int32_t)shift, n << shift);
}

/* The integer part of b, kept within bounds that overflow or underflow any exponent. */
static int32_t scale_count(struct f80_parts b)
{
    int32_t e = b.exp - F80_BIAS, n;
    if (e < 0) {
        return 0;
    }
    n = e >= 17 ? 0x20000 : (int32_t)(b.sig >> (63 - e));
    return b.sign ? -n : n;
}

struct f80 f80_scale(struct f80 a, struct f80 n, struct sf_status *s)
{
    enum f80_kind ka = f80_kind(a), kn = f80_kind(n);

    if (ka >= F80_NAN || kn >= F80_NAN) {
        return sf_f80_nan(a, n, s);
    }
    s->up = 0;
    if (kn == F80_INFINITE && ka == (f80_sign(n) ? F80_INFINITE : F80_ZERO)) {
        return sf_f80_invalid(s);
    }
    if ((ka == F80_DENORMAL || kn == F80_DENORMAL) && sf_raise_stops(s, SF_DENORMAL)) {
        return a;
    }
    if (kn == F80_INFINITE) {
        return f80_sign(n) ? f80_zero(f80_sign(a)) : f80_infinity(f80_sign(a));
    }
    if (ka == F80_INFINITE || ka == F80_ZERO) {
        return a;
    }
    struct f80_parts p = f80_unpack(a);
    int32_t count = kn == F80_ZERO ? 0 : scale_count(f80_unpack(n));
    return sf_f80_round(p.sign, p.exp + count, p.sig, 0, SF_PREC64, s);
}

void f80_extract(struct f80 a, struct f80 *exponent, struct f80 *sig, struct sf_status *s)
{
    enum f80_kind k = f80_kind(a);

    s->up = 0;
    *sig = a;
    if (k >= F80_NAN) {
        *exponent = *sig = sf_f80_nan(a, a, s);
    } else if (k == F80_INFINITE) {
        *exponent = f80_infinity(false);
    } else if (k == F80_ZERO) {
        sf_raise(s, SF_DIVZERO);
        *exponent = f80_infinity(true);
    } else {
        if (k == F80_DENORMAL) {
            sf_raise(s, SF_DENORMAL);
        }
        struct f80_parts p = f80_unpack(a);
        *exponent = f80_from_i64(p.exp - F80_BIAS);
        *sig = f80_make(p.sign, F80_BIAS, p.sig);
    }
}

void f80_denormal_operand(struct f80 other, struct sf_status *s)
{
    if (f80_kind(other) >= F80_NAN || (s->flags & (SF_INVALID | SF_DIVZERO)) != 0) {
        return;
    }
    if ((s->masks & SF_DENORMAL) == 0) {
        s->flags = 0; /* the operation stopped before it had a result */
        s->up = 0;
    }
    sf_raise(s, SF_DENORMAL);
}

static int order(struct f80 a, struct f80 b)
{
    if (a.sig == 0 && b.sig == 0 && f80_exp(a) == 0 && f80_exp(b) == 0) {
        return 0;
    }
    if (f80_sign(a) != f80_sign(b)) {
        return f80_sign(a) ? -1 : 1;
    }
    /* a pseudo-denormal has the value of exponent 1 */
    int32_t ea = f80_exp(a) + (f80_exp(a) == 0), eb = f80_exp(b) + (f80_exp(b) == 0);
    if (ea == eb && a.sig == b.sig) {
        return 0;
    }
    bool less = ea < eb || (ea == eb && a.sig < b.sig);
    return less != f80_sign(a) ? -1 : 1;
}

enum sf_relation f80_compare(struct f80 a, struct f80 b, bool quiet, struct sf_status *s)
{
    enum f80_kind ka = f80_kind(a), kb = f80_kind(b);

    s->up = 0;
    if (ka >= F80_NAN || kb >= F80_NAN) {
        if (!quiet || ka == F80_UNSUPPORTED || kb == F80_UNSUPPORTED || f80_is_signaling(a) ||
            f80_is_signaling(b)) {
            sf_raise(s, SF_INVALID);
        }
        return SF_UNORDERED;
    }
    if (ka == F80_DENORMAL || kb == F80_DENORMAL) {
        sf_raise(s, SF_DENORMAL);
    }
    return (enum sf_relation)order(a, b);
}

enum sf_class f80_class(struct f80 a)
{
    static const uint8_t classes[] = {
        [F80_ZERO] = SF_CLASS_ZERO,         [F80_DENORMAL] = SF_CLASS_DENORMAL,
        [F80_NORMAL] = SF_CLASS_NORMAL,     [F80_INFINITE] = SF_CLASS_INFINITY,
        [F80_NAN] = SF_CLASS_NAN,           [F80_UNSUPPORTED] = SF_CLASS_UNSUPPORTED,
    };
    return (enum sf_class)classes[f80_kind(a)];
}

struct f80 f80_const(enum sf_const c, const struct sf_status *s)
{
    /* significand cut to 64 bits and whether the rest is above one half */
    static const struct {
        uint64_t sig;
        uint16_t exp;
        uint8_t rest; /* 0 exact, 1 below one half, 2 above */
    } table[] = {
        [SF_ONE] = { 0x8000000000000000u, 0x3fff, 0 },
        [SF_L2T] = { 0xd49a784bcd1b8afeu, 0x4000, 1 },
        [SF_L2E] = { 0xb8aa3b295c17f0bbu, 0x3fff, 2 },
        [SF_PI] = { 0xc90fdaa22168c234u, 0x4000, 2 },
        [SF_LG2] = { 0x9a209a84fbcff798u, 0x3ffd, 2 },
        [SF_LN2] = { 0xb17217f7d1cf79abu, 0x3ffe, 2 },
        [SF_ZERO_CONST] = { 0, 0, 0 },
    };
    uint64_t frac = table[c].rest == 2 ? (uint64_t)3 << 62 : table[c].rest;
    bool up = sf_round_increments(s->round, false, false, frac);
    return f80_make(false, table[c].exp, table[c].sig + up);
}
