/*
 * Internal helpers of the soft-float: 64x64->128 multiplication, 128/64 division, 128-bit shifts
 * and square roots, and the rounding decision shared by all formats.  Portable C11; a 128-bit
 * integer type of the compiler is used where it exists.  Nothing outside cpu/sf_*.c includes this
 * file.
 *
 * "Sticky" below: a right shift that ORs the bits shifted out into bit 0, so that later rounding
 * still sees that the value is inexact.
 */
#ifndef CPU_SF_CORE_H
#define CPU_SF_CORE_H

#include <float.h>
#include <string.h>

#include "cpu/softfloat.h"

#if defined(__SIZEOF_INT128__) && !defined(SF_NO_INT128)
#define SF_INT128 1
__extension__ typedef unsigned __int128 sf_native128;
#else
#define SF_INT128 0
#endif

/* float and double are the IEEE formats, and an operation on them is rounded once, to them. */
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD == 0 && FLT_RADIX == 2 && FLT_MANT_DIG == 24 && \
    DBL_MANT_DIG == 53 && DBL_MAX_EXP == 1024 && !defined(__FAST_MATH__) && !defined(SF_NO_HOST)
#define SF_HOST 1
#else
#define SF_HOST 0
#endif

struct sf_u128 {
    uint64_t hi, lo;
};

/* Number of leading zero bits; x must not be 0. */
static inline unsigned sf_clz64(uint64_t x)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_clzll(x);
#else
    unsigned n = 0;
    for (unsigned step = 32; step != 0; step >>= 1) {
        if (x >> (64 - step) == 0) {
            n += step;
            x <<= step;
        }
    }
    return n;
#endif
}

static inline uint64_t sf_shr_sticky(uint64_t x, unsigned n)
{
    if (n == 0) {
        return x;
    }
    if (n >= 64) {
        return x != 0;
    }
    return x >> n | ((x << (64 - n)) != 0);
}

static inline struct sf_u128 sf_shr128_sticky(struct sf_u128 x, unsigned n)
{
    if (n == 0) {
        return x;
    }
    if (n < 64) {
        return (struct sf_u128){ x.hi >> n,
                                 x.hi << (64 - n) | x.lo >> n | ((x.lo << (64 - n)) != 0) };
    }
    if (n == 64) {
        return (struct sf_u128){ 0, x.hi | (x.lo != 0) };
    }
    if (n < 128) {
        return (struct sf_u128){ 0, x.hi >> (n - 64) | ((x.hi << (128 - n) | x.lo) != 0) };
    }
    return (struct sf_u128){ 0, (x.hi | x.lo) != 0 };
}

/* n from 0 to 127 */
static inline struct sf_u128 sf_shl128(struct sf_u128 x, unsigned n)
{
    if (n == 0) {
        return x;
    }
    if (n < 64) {
        return (struct sf_u128){ x.hi << n | x.lo >> (64 - n), x.lo << n };
    }
    return (struct sf_u128){ x.lo << (n - 64), 0 };
}

static inline struct sf_u128 sf_add128(struct sf_u128 a, struct sf_u128 b)
{
    uint64_t lo = a.lo + b.lo;
    return (struct sf_u128){ a.hi + b.hi + (lo < a.lo), lo };
}

static inline struct sf_u128 sf_sub128(struct sf_u128 a, struct sf_u128 b)
{
    return (struct sf_u128){ a.hi - b.hi - (a.lo < b.lo), a.lo - b.lo };
}

static inline bool sf_lt128(struct sf_u128 a, struct sf_u128 b)
{
    return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo);
}

static inline struct sf_u128 sf_mul64(uint64_t a, uint64_t b)
{
#if SF_INT128
    sf_native128 p = (sf_native128)a * b;
    return (struct sf_u128){ (uint64_t)(p >> 64), (uint64_t)p };
#else
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t low = al * bl;
    uint64_t mid = ah * bl + (low >> 32);
    uint64_t mid2 = al * bh + (uint32_t)mid;
    return (struct sf_u128){ ah * bh + (mid >> 32) + (mid2 >> 32), mid2 << 32 | (uint32_t)low };
#endif
}

/* One 32-bit digit of the quotient (hi:next32) / d, for hi < d and bit 63 of d set; hi becomes the
 * remainder.  The estimate from the upper half of d is at most 2 too large. */
static inline uint64_t sf_div_digit(uint64_t *hi, uint32_t next, uint64_t d)
{
    uint64_t dh = d >> 32, dl = (uint32_t)d;
    uint64_t q = *hi / dh;
    uint64_t r = *hi - q * dh;
    while (q >> 32 != 0 || q * dl > (r << 32 | next)) {
        q--;
        r += dh;
        if (r >> 32 != 0) {
            break;
        }
    }
    *hi = (*hi << 32 | next) - q * d;
    return q;
}

/* n.hi:n.lo / d for n.hi < d and bit 63 of d set. */
static inline uint64_t sf_div128(struct sf_u128 n, uint64_t d, uint64_t *remainder)
{
#if SF_INT128
    sf_native128 v = (sf_native128)n.hi << 64 | n.lo;
    uint64_t q = (uint64_t)(v / d);
    *remainder = n.lo - q * d;
    return q;
#else
    uint64_t r = n.hi;
    uint64_t q = sf_div_digit(&r, (uint32_t)(n.lo >> 32), d) << 32;
    q |= sf_div_digit(&r, (uint32_t)n.lo, d);
    *remainder = r;
    return q;
#endif
}

/* Square root of a 16-bit number, its top two bits not both zero: 8 bits and the remainder. */
static inline uint32_t sf_sqrt16(uint32_t n, uint32_t *remainder)
{
    uint32_t root = 0;
    for (uint32_t bit = 0x80; bit != 0; bit >>= 1) {
        uint32_t trial = root | bit;
        if (trial * trial <= n) {
            root = trial;
        }
    }
    *remainder = n - root * root;
    return root;
}

/* Each step doubles the length: with n = (a*B + b)*B + c, B a power of two, and s, r the root and
 * the remainder of the upper half a, the next digits are (r*B + b) / 2s, at most one too large. */
static inline uint32_t sf_sqrt32(uint32_t n, uint32_t *remainder)
{
    uint32_t r;
    uint32_t s = sf_sqrt16(n >> 16, &r);
    uint32_t num = r << 8 | (n >> 8 & 0xff);
    uint32_t q = num / (2 * s), u = num % (2 * s);
    int32_t rem = (int32_t)((u << 8 | (n & 0xff)) - q * q);
    s = (s << 8) + q;
    if (rem < 0) {
        rem += (int32_t)(2 * s - 1);
        s--;
    }
    *remainder = (uint32_t)rem;
    return s;
}

/* Square root of a number with one of its top two bits set: 32 bits, *remainder <= 2 * root. */
static inline uint64_t sf_sqrt64(uint64_t n, uint64_t *remainder)
{
    uint32_t r;
    uint64_t s = sf_sqrt32((uint32_t)(n >> 32), &r);
    uint64_t num = (uint64_t)r << 16 | (n >> 16 & 0xffff);
    uint64_t q = num / (2 * s), u = num % (2 * s);
    int64_t rem = (int64_t)((u << 16 | (n & 0xffff)) - q * q);
    s = (s << 16) + q;
    if (rem < 0) {
        rem += (int64_t)(2 * s - 1);
        s--;
    }
    *remainder = (uint64_t)rem;
    return s;
}

/* Square root of n, one of the top two bits set: 64 bits; the remainder, up to 2 * root, has 65. */
static inline uint64_t sf_sqrt128(struct sf_u128 n, struct sf_u128 *remainder)
{
    uint64_t r;
    uint64_t s = sf_sqrt64(n.hi, &r);
    /* r has up to 33 bits, so the numerator up to 65 bits: halve both sides, keep the low bit */
    uint64_t num = r << 31 | n.lo >> 33;
    uint64_t q = num / s, u = (num % s) << 1 | (n.lo >> 32 & 1);
    struct sf_u128 rem = sf_sub128((struct sf_u128){ u >> 32, u << 32 | (uint32_t)n.lo },
                                   sf_mul64(q, q));
    s = (s << 32) + q;
    if (rem.hi >> 63 != 0) {
        s--; /* first: s may have wrapped to 0 */
        rem = sf_add128(rem, (struct sf_u128){ s >> 63, s << 1 | 1 });
    }
    *remainder = rem;
    return s;
}

/* Whether to round the magnitude up: frac is the part to drop, 2^63 being one half, its low bits
 * sticky; odd is the last bit kept. */
static inline bool sf_round_increments(unsigned round, bool sign, bool odd, uint64_t frac)
{
    switch (round) {
    case SF_NEAREST:
        return frac > (uint64_t)1 << 63 || (frac == (uint64_t)1 << 63 && odd);
    case SF_DOWN:
        return sign && frac != 0;
    case SF_UP:
        return !sign && frac != 0;
    default:
        return false;
    }
}

/* The magnitude of sig * 2^(exp - 63), bit 63 of sig set, exp below 64, as an integer. */
static inline uint64_t sf_round_integer(unsigned round, bool sign, int32_t exp, uint64_t sig,
                                        bool *inexact, bool *up)
{
    uint64_t whole = 0, frac;
    if (exp >= 0) {
        whole = sig >> (63 - exp);
        frac = sig << exp << 1;
    } else {
        frac = sf_shr_sticky(sig, (unsigned)(-1 - exp));
    }
    *inexact = frac != 0;
    *up = sf_round_increments(round, sign, (whole & 1) != 0, frac);
    return whole + *up;
}

static inline void sf_raise(struct sf_status *s, unsigned flags)
{
    s->flags |= (uint8_t)flags;
}

/* Raises pre-computation exceptions; true if one is unmasked and the operation must stop. */
static inline bool sf_raise_stops(struct sf_status *s, unsigned flags)
{
    s->flags |= (uint8_t)flags;
    return (flags & ~s->masks) != 0;
}

#endif
