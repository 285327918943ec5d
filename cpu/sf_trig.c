/*
 * FSIN, FCOS, FSINCOS, FPTAN and FPATAN (SDM volume 1, section 8.3.8; volume 2, the tables of
 * special operands there).
 *
 * Angles are reduced exactly, to at most pi/4, with the 66-bit pi that the x87 uses; the sine and
 * the cosine of what remains are Taylor series.  FPATAN divides first, goes to the next sixteenth
 * with the addition theorem and sums a series there.  Results are the exact ones (for this pi)
 * rounded as RC says but for about one case in 2^55, where they are 1 ulp off (in the directed
 * modes also tangents next to their poles).
 */
#include "cpu/sf_wide.h"

/* The 66-bit pi/2 in units of 2^-65; its upper 64 bits are HALF_PI_TOP. */
static const struct sf_u128 half_pi = { 3, 0x243f6a8885a308d3u };
#define HALF_PI_TOP 0xc90fdaa22168c234u

/* pi and simple multiples, to 128 bits, as results of FPATAN */
#define PI_HI 0xc90fdaa22168c234u
#define PI_LO 0xc4c6628b80dc1cd1u
#define PI_3_4_HI 0x96cbe3f9990e91a7u
#define PI_3_4_LO 0x9394c9e8a0a5159du

static const struct sf_wide one = { { F80_INTEGER_BIT, 0 }, 0, false };

/* An angle as quadrant * pi/2 + rest, |rest| <= pi/4, for the magnitude of the operand. */
struct angle {
    struct sf_wide rest;
    struct sf_u128 square; /* of rest, as a fraction of 2^128 */
    unsigned quadrant;
};

static struct angle reduce(struct f80_parts p)
{
    struct angle a = { sf_wide_from_parts(p), { 0, 0 }, 0 };
    int32_t e = p.exp - F80_BIAS;

    a.rest.sign = false;
    if (e > -1 || (e == -1 && p.sig >= HALF_PI_TOP)) {
        /* the operand in units of 2^-65; (n / 4) / (half_pi / 4) is at most 1 above the quotient,
         * as half_pi is 4 * HALF_PI_TOP + 3 and the quotient has 62 bits */
        struct sf_u128 n = sf_shl128((struct sf_u128){ 0, p.sig }, (unsigned)(e + 2));
        uint64_t unused;
        uint64_t q = sf_div128((struct sf_u128){ n.hi >> 2, n.hi << 62 | n.lo >> 2 }, HALF_PI_TOP,
                               &unused);
        struct sf_u128 multiple = sf_mul64(q, half_pi.lo);
        multiple.hi += q * half_pi.hi;
        n = sf_sub128(n, multiple);
        if (n.hi >> 63 != 0) {
            n = sf_add128(n, half_pi);
            q--;
        }
        struct sf_u128 other = sf_sub128(half_pi, n);
        bool beyond = sf_lt128(other, n);
        a.rest = sf_wide_normal(beyond, beyond ? other : n, 127 - 65);
        a.quadrant = (unsigned)(q + beyond) & 3;
    }
    a.square = sf_wide_fraction(sf_wide_mul(a.rest, a.rest));
    return a;
}

/* Sine and cosine of the rest alone. */
static struct sf_wide rest_sine(const struct angle *a)
{
    const struct sf_series series = { sf_inverse_factorial + 1, 16, 2, true };
    return sf_wide_series(a->rest, a->square, series, true);
}

static struct sf_wide rest_cosine(const struct angle *a)
{
    const struct sf_series series = { sf_inverse_factorial, 16, 2, true };
    return sf_wide_series(one, a->square, series, true);
}

static struct sf_wide angle_sine(const struct angle *a, bool sign)
{
    struct sf_wide v = (a->quadrant & 1) != 0 ? rest_cosine(a) : rest_sine(a);
    v.sign ^= sign != ((a->quadrant & 2) != 0);
    return v;
}

static struct sf_wide angle_cosine(const struct angle *a)
{
    struct sf_wide v = (a->quadrant & 1) != 0 ? rest_sine(a) : rest_cosine(a);
    v.sign ^= a->quadrant == 1 || a->quadrant == 2;
    return v;
}

enum check { DONE, OUT_OF_RANGE, COMPUTE };

/* NaNs, infinities, zeros and denormals; with DONE *odd is what an odd function of the operand
 * gives and *even what the cosine gives. */
static enum check check_angle(struct f80 a, struct f80 *odd, struct f80 *even, struct sf_status *s)
{
    enum f80_kind k = f80_kind(a);

    *odd = *even = a;
    s->up = 0;
    if (k >= F80_NAN) {
        *odd = *even = sf_f80_nan(a, a, s);
        return DONE;
    }
    if (k == F80_INFINITE) {
        *odd = *even = sf_f80_invalid(s);
        return DONE;
    }
    if (f80_exp(a) >= F80_BIAS + 63) {
        return OUT_OF_RANGE;
    }
    if (k == F80_ZERO) {
        *even = f80_make(false, F80_BIAS, F80_INTEGER_BIT);
        return DONE;
    }
    return k == F80_DENORMAL && sf_raise_stops(s, SF_DENORMAL) ? DONE : COMPUTE;
}

bool f80_fsin(struct f80 a, struct f80 *sine, struct sf_status *s)
{
    struct f80 odd, even;
    enum check c = check_angle(a, &odd, &even, s);

    if (c == DONE) {
        *sine = odd;
    } else if (c == COMPUTE) {
        struct angle angle = reduce(f80_unpack(a));
        *sine = sf_wide_inexact(angle_sine(&angle, f80_sign(a)), s);
    }
    return c != OUT_OF_RANGE;
}

bool f80_fcos(struct f80 a, struct f80 *cosine, struct sf_status *s)
{
    struct f80 odd, even;
    enum check c = check_angle(a, &odd, &even, s);

    if (c == DONE) {
        *cosine = even;
    } else if (c == COMPUTE) {
        struct angle angle = reduce(f80_unpack(a));
        *cosine = sf_wide_inexact(angle_cosine(&angle), s);
    }
    return c != OUT_OF_RANGE;
}

bool f80_fsincos(struct f80 a, struct f80 *sine, struct f80 *cosine, struct sf_status *s)
{
    struct f80 odd, even;
    enum check c = check_angle(a, &odd, &even, s);

    if (c == DONE) {
        *sine = odd;
        *cosine = even;
    } else if (c == COMPUTE) {
        struct angle angle = reduce(f80_unpack(a));
        *sine = sf_wide_inexact(angle_sine(&angle, f80_sign(a)), s);
        *cosine = sf_wide_inexact(angle_cosine(&angle), s);
    }
    return c != OUT_OF_RANGE;
}

bool f80_fptan(struct f80 a, struct f80 *tangent, struct sf_status *s)
{
    struct f80 odd, even;
    enum check c = check_angle(a, &odd, &even, s);

    if (c == DONE) {
        *tangent = odd;
    } else if (c == COMPUTE) {
        struct angle angle = reduce(f80_unpack(a));
        struct sf_wide quotient = sf_wide_div(angle_sine(&angle, f80_sign(a)),
                                              angle_cosine(&angle));
        *tangent = sf_wide_inexact(quotient, s);
    }
    return c != OUT_OF_RANGE;
}

/* atan(j / 16) as fractions of 2^128 */
static const struct sf_u128 atan_sixteenth[17] = {
    { 0, 0 },
    { 0x0ffaaddb967ef4e3u, 0x6cb2792dc0e2e0d5u },
    { 0x1fd5ba9aac2f6dc6u, 0x5912f313e7d111dfu },
    { 0x2f72f6979cb6044du, 0x1ec2d3e207271d22u },
    { 0x3eb6ebf25901bac5u, 0x5b71e7bd7de885f9u },
    { 0x4d89dcdc1faf2f34u, 0xe2d5da4c693d7994u },
    { 0x5bd86507937bc239u, 0xc55190916e7f2242u },
    { 0x6993bb0f308ff2dbu, 0x213e4af4800f389bu },
    { 0x76b19c1586ed3da2u, 0xb7f222f65e1d4682u },
    { 0x832bf4a6d9867e2au, 0x4b6a09cb61a515c1u },
    { 0x8f005d5ef7f59f9bu, 0x5c835e1665c43748u },
    { 0x9a2f80e671bdda20u, 0x4226f8e2204ff3bdu },
    { 0xa4bc7d1934f70924u, 0x19a87f2a457dac9fu },
    { 0xaeac4c38b4d8c080u, 0x14725e2f3e52070au },
    { 0xb8053e2bc2319e73u, 0xcb2da55210a4443du },
    { 0xc0ce85b8ac526640u, 0x89dd62c46e92fa25u },
    { 0xc90fdaa22168c234u, 0xc4c6628b80dc1cd1u },
};

/* atan(t) for |t| < 2^-4 */
static struct sf_wide atan_series(struct sf_wide t)
{
    const struct sf_series series = { sf_inverse_odd, 25, 1, true };
    if (sf_wide_is_zero(t)) {
        return t;
    }
    return sf_wide_series(t, sf_wide_fraction(sf_wide_mul(t, t)), series, true);
}

/* atan(y / x) for y <= x, both positive */
static struct sf_wide atan_quotient(struct f80_parts y, struct f80_parts x)
{
    int32_t distance = x.exp - y.exp;
    unsigned j = 0;

    if (distance < 6) {
        uint64_t top = x.sig >> 32;
        j = (unsigned)(((y.sig >> 32 >> distance) * 16 + top / 2) / top);
    }
    struct sf_wide wy = sf_wide_from_parts(y), wx = sf_wide_from_parts(x);
    if (j == 0) {
        return atan_series(sf_wide_div(wy, wx));
    }
    /* tan(u - v) = (y/x - j/16) / (1 + y/x * j/16), numerator and denominator exact */
    struct sf_wide sixteenths = sf_wide_from_int((int32_t)j);
    wx.exp += 4;
    struct sf_wide jx = sf_wide_mul(sf_wide_from_parts(x), sixteenths);
    struct sf_wide jy = sf_wide_mul(wy, sixteenths);
    wy.exp += 4;
    struct sf_wide rest = sf_wide_div(sf_wide_add(wy, sf_wide_neg(jx)), sf_wide_add(wx, jy));
    return sf_wide_add(sf_wide_normal(false, atan_sixteenth[j], -1), atan_series(rest));
}

static struct f80 atan_finite(struct f80_parts y, struct f80_parts x, struct sf_status *s)
{
    bool sign = y.sign, left = x.sign;
    struct sf_wide a;

    x.sign = y.sign = false;
    if (y.exp < x.exp || (y.exp == x.exp && y.sig <= x.sig)) {
        a = atan_quotient(y, x);
        if (left) {
            a = sf_wide_add(sf_wide_const(PI_HI, PI_LO, 1), sf_wide_neg(a));
        }
    } else {
        a = atan_quotient(x, y);
        a.sign = !left;
        a = sf_wide_add(sf_wide_const(PI_HI, PI_LO, 0), a);
    }
    a.sign = sign;
    return sf_wide_inexact(a, s);
}

/* Zero and infinite operands: multiples of pi/4. */
static struct f80 atan_limit(struct f80 y, struct f80 x, enum f80_kind ky, enum f80_kind kx,
                             struct sf_status *s)
{
    struct sf_wide a;

    if (ky == F80_INFINITE && kx == F80_INFINITE) {
        a = f80_sign(x) ? sf_wide_const(PI_3_4_HI, PI_3_4_LO, 1) : sf_wide_const(PI_HI, PI_LO, -1);
    } else if (ky == F80_INFINITE || (kx == F80_ZERO && ky != F80_ZERO)) {
        a = sf_wide_const(PI_HI, PI_LO, 0);
    } else if (f80_sign(x)) {
        a = sf_wide_const(PI_HI, PI_LO, 1);
    } else {
        return f80_zero(f80_sign(y));
    }
    a.sign = f80_sign(y);
    return sf_wide_inexact(a, s);
}

struct f80 f80_fpatan(struct f80 st0, struct f80 st1, struct sf_status *s)
{
    enum f80_kind kx = f80_kind(st0), ky = f80_kind(st1);

    if (kx >= F80_NAN || ky >= F80_NAN) {
        return sf_f80_nan(st0, st1, s);
    }
    s->up = 0;
    if ((kx == F80_DENORMAL || ky == F80_DENORMAL) && sf_raise_stops(s, SF_DENORMAL)) {
        return st0;
    }
    if (kx == F80_ZERO || ky == F80_ZERO || kx == F80_INFINITE || ky == F80_INFINITE) {
        return atan_limit(st1, st0, ky, kx, s);
    }
    return atan_finite(f80_unpack(st1), f80_unpack(st0), s);
}
