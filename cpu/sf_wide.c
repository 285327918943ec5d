/*
 * 128-bit floating point and power series for the transcendental functions; see sf_wide.h.
 *
 * The multiplications keep the upper 128 bits of the product.  Series are evaluated from their
 * last term in fixed point: the absolute error of each step is below 2^-126 and shrinks with u
 * from step to step, so that a sum near 1 is good to about 2^-125.
 */
#include "cpu/sf_wide.h"

const struct sf_u128 sf_inverse_factorial[32] = {
    { 0x8000000000000000u, 0x0000000000000000u },
    { 0x2aaaaaaaaaaaaaaau, 0xaaaaaaaaaaaaaaabu },
    { 0x0aaaaaaaaaaaaaaau, 0xaaaaaaaaaaaaaaabu },
    { 0x0222222222222222u, 0x2222222222222222u },
    { 0x005b05b05b05b05bu, 0x05b05b05b05b05b0u },
    { 0x000d00d00d00d00du, 0x00d00d00d00d00d0u },
    { 0x0001a01a01a01a01u, 0xa01a01a01a01a01au },
    { 0x00002e3bc74aad8eu, 0x671f5583911ca003u },
    { 0x0000049f93edde27u, 0xd71cbbc05b4fa99au },
    { 0x0000006b99159fd5u, 0x138e3f9d1f92e0dfu },
    { 0x00000008f76c77fcu, 0x6c4bdaa26d4c3d68u },
    { 0x00000000b092309du, 0x43684be51c198e92u },
    { 0x000000000c9cba54u, 0x603e4e905d6f8a2fu },
    { 0x0000000000d73f9fu, 0x399dc0f88ec32b58u },
    { 0x00000000000d73f9u, 0xf399dc0f88ec32b6u },
    { 0x000000000000ca96u, 0x3b81856a53593029u },
    { 0x0000000000000b41u, 0x3c31dcbecbbdd802u },
    { 0x0000000000000097u, 0xa4da340a0ab92651u },
    { 0x0000000000000007u, 0x950ae900808941eau },
    { 0x0000000000000000u, 0x5c6e3bdb73d5c630u },
    { 0x0000000000000000u, 0x04338e5b6dfe14a5u },
    { 0x0000000000000000u, 0x002ec368262c7034u },
    { 0x0000000000000000u, 0x0001f2cf01972f57u },
    { 0x0000000000000000u, 0x000013f3ccdd1660u },
    { 0x0000000000000000u, 0x000000c4742fe352u },
    { 0x0000000000000000u, 0x0000000746ac70b7u },
    { 0x0000000000000000u, 0x0000000042862899u },
    { 0x0000000000000000u, 0x00000000024b3f31u },
    { 0x0000000000000000u, 0x000000000013932cu },
    { 0x0000000000000000u, 0x000000000000a1a7u },
    { 0x0000000000000000u, 0x000000000000050du },
    { 0x0000000000000000u, 0x0000000000000027u },
};

const struct sf_u128 sf_inverse_odd[25] = {
    { 0x5555555555555555u, 0x5555555555555555u },
    { 0x3333333333333333u, 0x3333333333333333u },
    { 0x2492492492492492u, 0x4924924924924925u },
    { 0x1c71c71c71c71c71u, 0xc71c71c71c71c71cu },
    { 0x1745d1745d1745d1u, 0x745d1745d1745d17u },
    { 0x13b13b13b13b13b1u, 0x3b13b13b13b13b14u },
    { 0x1111111111111111u, 0x1111111111111111u },
    { 0x0f0f0f0f0f0f0f0fu, 0x0f0f0f0f0f0f0f0fu },
    { 0x0d79435e50d79435u, 0xe50d79435e50d794u },
    { 0x0c30c30c30c30c30u, 0xc30c30c30c30c30cu },
    { 0x0b21642c8590b216u, 0x42c8590b21642c86u },
    { 0x0a3d70a3d70a3d70u, 0xa3d70a3d70a3d70au },
    { 0x097b425ed097b425u, 0xed097b425ed097b4u },
    { 0x08d3dcb08d3dcb08u, 0xd3dcb08d3dcb08d4u },
    { 0x0842108421084210u, 0x8421084210842108u },
    { 0x07c1f07c1f07c1f0u, 0x7c1f07c1f07c1f08u },
    { 0x0750750750750750u, 0x7507507507507507u },
    { 0x06eb3e45306eb3e4u, 0x5306eb3e45306eb4u },
    { 0x0690690690690690u, 0x6906906906906907u },
    { 0x063e7063e7063e70u, 0x63e7063e7063e706u },
    { 0x05f417d05f417d05u, 0xf417d05f417d05f4u },
    { 0x05b05b05b05b05b0u, 0x5b05b05b05b05b06u },
    { 0x0572620ae4c415c9u, 0x882b9310572620aeu },
    { 0x05397829cbc14e5eu, 0x0a72f05397829cbcu },
    { 0x0505050505050505u, 0x0505050505050505u },
};

/* Upper half of the product. */
static struct sf_u128 mul_high(struct sf_u128 a, struct sf_u128 b)
{
    struct sf_u128 high = sf_mul64(a.hi, b.hi);
    struct sf_u128 x = sf_mul64(a.hi, b.lo), y = sf_mul64(a.lo, b.hi);
    uint64_t low = x.lo + y.lo;
    struct sf_u128 mid = sf_add128((struct sf_u128){ 0, x.hi },
                                   (struct sf_u128){ 0, y.hi + (low < x.lo) });
    return sf_add128(high, mid);
}

/* floor(n * 2^64 / d) for n < d and the top bit of d set; n becomes the remainder. */
static uint64_t div_digit(struct sf_u128 *n, struct sf_u128 d)
{
    uint64_t unused;
    uint64_t q = n->hi >= d.hi ? UINT64_MAX : sf_div128(*n, d.hi, &unused);
    struct sf_u128 high = sf_mul64(q, d.hi), low = sf_mul64(q, d.lo);
    struct sf_u128 mid = sf_add128(high, (struct sf_u128){ 0, low.hi });
    /* remainder = n:0 - mid:low.lo, negative while the estimate is too large */
    struct sf_u128 r = { n->lo - mid.lo - (low.lo != 0), 0 - low.lo };
    uint64_t top = n->hi - mid.hi - (n->lo < mid.lo || (n->lo == mid.lo && low.lo != 0));
    while (top != 0) {
        struct sf_u128 sum = sf_add128(r, d);
        top += sf_lt128(sum, d);
        r = sum;
        q--;
    }
    *n = r;
    return q;
}

struct sf_wide sf_wide_normal(bool sign, struct sf_u128 m, int32_t exp)
{
    if ((m.hi | m.lo) == 0) {
        return (struct sf_wide){ m, 0, sign };
    }
    unsigned n = m.hi != 0 ? sf_clz64(m.hi) : 64 + sf_clz64(m.lo);
    return (struct sf_wide){ sf_shl128(m, n), exp - (int32_t)n, sign };
}

struct sf_wide sf_wide_from_int(int32_t n)
{
    uint32_t magnitude = n < 0 ? 0 - (uint32_t)n : (uint32_t)n;
    return sf_wide_normal(n < 0, (struct sf_u128){ 0, magnitude }, 127);
}

struct sf_wide sf_wide_add(struct sf_wide a, struct sf_wide b)
{
    if (sf_wide_is_zero(a)) {
        return b;
    }
    if (sf_wide_is_zero(b)) {
        return a;
    }
    if (a.exp < b.exp || (a.exp == b.exp && sf_lt128(a.m, b.m))) {
        struct sf_wide t = a;
        a = b;
        b = t;
    }
    unsigned distance = (unsigned)(a.exp - b.exp);
    struct sf_u128 small = sf_shr128_sticky(b.m, distance);
    if (a.sign != b.sign) {
        return sf_wide_normal(a.sign, sf_sub128(a.m, small), a.exp);
    }
    struct sf_u128 sum = sf_add128(a.m, small);
    if (sf_lt128(sum, a.m)) {
        sum = sf_shr128_sticky(sum, 1);
        sum.hi |= F80_INTEGER_BIT;
        a.exp++;
    }
    a.m = sum;
    return a;
}

struct sf_wide sf_wide_mul(struct sf_wide a, struct sf_wide b)
{
    return sf_wide_normal(a.sign != b.sign, mul_high(a.m, b.m), a.exp + b.exp + 1);
}

struct sf_wide sf_wide_div(struct sf_wide a, struct sf_wide b)
{
    struct sf_wide q = { { 0, 0 }, a.exp - b.exp - 1, a.sign != b.sign };
    if (sf_wide_is_zero(a)) {
        return a;
    }
    struct sf_u128 n = a.m;
    if (!sf_lt128(n, b.m)) {
        n = sf_shr128_sticky(n, 1);
        q.exp++;
    }
    q.m.hi = div_digit(&n, b.m);
    q.m.lo = div_digit(&n, b.m);
    return q;
}

struct sf_u128 sf_wide_fraction(struct sf_wide a)
{
    return sf_shr128_sticky(a.m, (unsigned)(-1 - a.exp));
}

struct sf_wide sf_wide_series(struct sf_wide x, struct sf_u128 u, struct sf_series series,
                              bool subtract)
{
    /* u^k has lost all its bits after 128 / (leading zeros of u) terms */
    unsigned zeros = u.hi == 0 ? 64 : sf_clz64(u.hi);
    unsigned terms = zeros < 4 ? series.terms : 128 / zeros + 1;
    if (terms > series.terms) {
        terms = series.terms;
    }
    struct sf_u128 sum = series.c[(terms - 1) * series.stride];
    for (unsigned i = terms - 1; i-- > 0;) {
        struct sf_u128 t = mul_high(sum, u), c = series.c[i * series.stride];
        sum = series.alternate ? sf_sub128(c, t) : sf_add128(c, t);
    }
    struct sf_u128 change = mul_high(x.m, mul_high(sum, u));
    if ((change.hi | change.lo) == 0) {
        change.lo = 1;
    }
    struct sf_wide delta = sf_wide_normal(x.sign != subtract, change, x.exp);
    return sf_wide_add(x, delta);
}

struct f80 sf_wide_exact(struct sf_wide a, struct sf_status *s)
{
    return sf_f80_round(a.sign, a.exp + F80_BIAS, a.m.hi, a.m.lo, SF_PREC64, s);
}

struct f80 sf_wide_inexact(struct sf_wide a, struct sf_status *s)
{
    return sf_f80_round(a.sign, a.exp + F80_BIAS, a.m.hi, a.m.lo | 1, SF_PREC64, s);
}
