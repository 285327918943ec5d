/*
 * Lazy OSZAPC flags, independent of width.
 *
 * fres  bits 0..31  result, sign-extended from the operand width to 32 bits (also fvalue)
 *       bit  32     CF; the bits above are meaningless, so that a 64-bit sum or difference can be
 *                   stored as it is.  Read only in halves (fvalue, fcarry): a half may have been
 *                   stored alone since.
 * faux  bits 0..31  bit 4 of (fres ^ faux) = AF; bit 31 of (fres ^ faux) = carry into the sign
 *                   bit, so OF = it ^ CF
 *       bit  33     xor-ed into SF   } zero after arithmetic; only flag images that no result can
 *       bit  34     xor-ed into PF   } show (POPF with ZF = SF = 1, say) need them
 *
 * For a + b or a - b: faux = a ^ b (sign-extended to 32 bits), and for N < 32 CF is put into fres
 * by hand.  A 64-bit result is folded into 32 bits that have the same ZF, SF, PF.
 */
#ifndef OXBOW_CPU_FLAGS_H
#define OXBOW_CPU_FLAGS_H

#include "cpu/state.h"

#define FRES_CF_SHIFT 32
#define FRES_CF ((uint64_t)1 << FRES_CF_SHIFT)
#define FAUX_SF_SHIFT 33
#define FAUX_PF_SHIFT 34

ALWAYS_INLINE unsigned flag_cf(const struct cpu *c)
{
    return c->fcarry & 1;
}

ALWAYS_INLINE unsigned flag_zf(const struct cpu *c)
{
    return c->fvalue == 0;
}

ALWAYS_INLINE unsigned flag_sf(const struct cpu *c)
{
    return ((c->fvalue >> 31) ^ (unsigned)(c->faux >> FAUX_SF_SHIFT)) & 1;
}

ALWAYS_INLINE unsigned flag_of(const struct cpu *c)
{
    return ((c->fvalue ^ (uint32_t)c->faux) >> 31 ^ c->fcarry) & 1;
}

ALWAYS_INLINE unsigned flag_af(const struct cpu *c)
{
    return (c->fvalue ^ (uint32_t)c->faux) >> 4 & 1;
}

ALWAYS_INLINE unsigned flag_pf(const struct cpu *c)
{
    unsigned v = c->fvalue & 0xff;
    v ^= v >> 4;
    return ((0x9669u >> (v & 15)) ^ (unsigned)(c->faux >> FAUX_PF_SHIFT)) & 1;
}

/* SF != OF, without computing both. */
ALWAYS_INLINE unsigned flag_l(const struct cpu *c)
{
    return ((unsigned)(c->faux >> 31 ^ c->faux >> FAUX_SF_SHIFT) ^ c->fcarry) & 1;
}

/* Condition codes 0..15 as in Jcc; cc is a compile-time constant in handlers. */
ALWAYS_INLINE bool flag_cond(const struct cpu *c, unsigned cc)
{
    bool v;
    switch (cc >> 1) {
    case 0:
        v = flag_of(c);
        break;
    case 1:
        v = flag_cf(c);
        break;
    case 2:
        v = flag_zf(c);
        break;
    case 3:
        v = flag_cf(c) | flag_zf(c);
        break;
    case 4:
        v = flag_sf(c);
        break;
    case 5:
        v = flag_pf(c);
        break;
    case 6:
        v = flag_l(c);
        break;
    default:
        v = flag_l(c) | flag_zf(c);
        break;
    }
    return v ^ (cc & 1);
}

ALWAYS_INLINE uint32_t flags_oszapc(const struct cpu *c)
{
    return flag_cf(c) | flag_pf(c) << 2 | flag_af(c) << 4 | flag_zf(c) << 6 | flag_sf(c) << 7 |
           flag_of(c) << 11;
}

/* Any image of the six flags, POPF and friends. */
ALWAYS_INLINE void flags_set_oszapc(struct cpu *c, uint32_t f)
{
    uint64_t cf = f & FLAG_CF;
    uint32_t res = f & FLAG_ZF ? 0 : 0x100; /* both have PF = 1, SF = 0 */
    uint32_t of_in = ((f >> 11) ^ (uint32_t)cf) & 1;
    c->fres = res | cf << FRES_CF_SHIFT;
    c->faux = (res & 0x7fffffefu) | ((f >> 4) & 1) << 4 | of_in << 31 |
              (uint64_t)((f >> 7) & 1) << FAUX_SF_SHIFT |
              (uint64_t)(~(f >> 2) & 1) << FAUX_PF_SHIFT;
}

/* Changes CF only. */
ALWAYS_INLINE void flags_set_cf(struct cpu *c, unsigned cf)
{
    uint32_t flip = (c->fcarry ^ cf) & 1;
    c->fcarry ^= flip;
    c->faux ^= flip << 31; /* OF keeps its value */
}

/* Changes CF and OF (rotates). */
ALWAYS_INLINE void flags_set_cf_of(struct cpu *c, unsigned cf, unsigned of)
{
    uint32_t r31 = c->fvalue & 0x80000000u;
    c->fcarry = cf;
    c->faux = (c->faux & ~(uint64_t)0x80000000u) | (r31 ^ (uint32_t)(of ^ cf) << 31);
}

/*
 * Logic results and everything that defines CF, OF and AF itself: SF ZF PF from sign-extended res.
 */
ALWAYS_INLINE void flags_result(struct cpu *c, int32_t res, unsigned cf, unsigned of)
{
    c->fres = (uint32_t)res | (uint64_t)cf << 32;
    c->faux = (uint32_t)res ^ (uint32_t)(of ^ cf) << 31;
}

/* The whole EFLAGS image. */
ALWAYS_INLINE uint32_t flags_get(const struct cpu *c)
{
    return c->eflags | flags_oszapc(c);
}

/* Loads the six flags and puts the rest of the image into c->eflags unfiltered. */
ALWAYS_INLINE void flags_put(struct cpu *c, uint32_t image)
{
    flags_set_oszapc(c, image);
    c->eflags = (image & ~(uint32_t)FLAGS_OSZAPC) | 2;
}

#endif
