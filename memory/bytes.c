/*
 * Wide integer helpers: a * num / den with a 128-bit product.
 *
 * Only 64-bit arithmetic is used, so that 32-bit and WebAssembly hosts give the same bits.  A
 * result that does not fit in 64 bits saturates: a time that far away never comes.
 */
#include "memory/bytes.h"

struct wide {
    uint64_t hi, lo;
};

static struct wide multiply(uint64_t a, uint64_t b)
{
    uint64_t al = a & 0xffffffffu, ah = a >> 32, bl = b & 0xffffffffu, bh = b >> 32;
    uint64_t ll = al * bl, lh = al * bh, hl = ah * bl, hh = ah * bh;
    uint64_t mid = (ll >> 32) + (lh & 0xffffffffu) + (hl & 0xffffffffu);
    struct wide w;

    w.lo = mid << 32 | (ll & 0xffffffffu);
    w.hi = hh + (lh >> 32) + (hl >> 32) + (mid >> 32);
    return w;
}

/*
 * One 32-bit quotient digit of (rem:next) / den, where den has its top bit set and rem < den.
 * The estimate from the upper half of den is at most two too large.
 */
static uint64_t digit(uint64_t *rem, uint32_t next, uint64_t den)
{
    uint64_t dh = den >> 32, dl = den & 0xffffffffu;
    uint64_t q = *rem / dh, r = *rem % dh;

    while (q >> 32 || q * dl > (r << 32 | next)) {
        q--;
        r += dh;
        if (r >> 32) {
            break;
        }
    }
    *rem = (*rem << 32 | next) - q * den; /* wraps on purpose: the true value is below den */
    return q;
}

/* Quotient of w / den; *rest tells whether there was a remainder. */
static uint64_t divide(struct wide w, uint64_t den, bool *rest)
{
    unsigned shift;
    uint64_t q, rem;

    if (w.hi == 0) {
        *rest = w.lo % den != 0;
        return w.lo / den;
    }
    if (w.hi >= den) {
        *rest = false;
        return UINT64_MAX;
    }
    shift = (unsigned)__builtin_clzll(den);
    if (shift) {
        den <<= shift;
        w.hi = w.hi << shift | w.lo >> (64 - shift);
        w.lo <<= shift;
    }
    rem = w.hi;
    q = digit(&rem, (uint32_t)(w.lo >> 32), den) << 32;
    q |= digit(&rem, (uint32_t)w.lo, den);
    *rest = rem != 0;
    return q;
}

uint64_t muldiv64(uint64_t a, uint64_t num, uint64_t den)
{
    bool rest;

    if (LIKELY(a && num && den && __builtin_clzll(a) + __builtin_clzll(num) >= 64)) {
        return a * num / den; /* the product has 64 bits */
    }
    return den ? divide(multiply(a, num), den, &rest) : UINT64_MAX;
}

uint64_t muldiv64_up(uint64_t a, uint64_t num, uint64_t den)
{
    bool rest;
    uint64_t q;

    if (!den) {
        return UINT64_MAX;
    }
    q = divide(multiply(a, num), den, &rest);
    return q + (rest && q != UINT64_MAX);
}
