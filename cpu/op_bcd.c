/*
 * Decimal adjust instructions, SALC and XLAT.
 *
 * Source: Intel SDM vol. 2.  Flags documented as undefined are derived from the result (SF, ZF,
 * PF) or cleared (OF, CF, AF).
 */
#include "cpu/system.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/ops_sys.def"
#undef SLOWOP

enum { AL = 0, AH = 4 };

/* SF, ZF, PF from an 8-bit result, the carries as given, OF clear. */
static void set_flags(struct cpu *c, uint8_t res, bool cf, bool af)
{
    uint32_t f;

    flags_result(c, (int8_t)res, cf, 0);
    f = flags_oszapc(c) & ~(uint32_t)FLAG_AF;
    flags_set_oszapc(c, f | (af ? FLAG_AF : 0));
}

static struct insn *decimal_adjust(struct cpu *c, struct insn *i, bool subtract)
{
    uint8_t old = reg8(c, AL), al = old;
    bool cf = flag_cf(c), af = flag_af(c), carry = false;

    if ((old & 0xf) > 9 || af) {
        carry = cf || (subtract ? old < 6 : old > 0xf9);
        al = (uint8_t)(subtract ? al - 6 : al + 6);
        af = true;
    }
    if (old > 0x99 || cf) {
        al = (uint8_t)(subtract ? al - 0x60 : al + 0x60);
        carry = true;
    } else if (!subtract) {
        carry = false;
    }
    set_reg8(c, AL, al);
    set_flags(c, al, carry, af);
    return insn_next(i);
}

struct insn *x_daa(struct cpu *c, struct insn *i)
{
    return decimal_adjust(c, i, false);
}

struct insn *x_das(struct cpu *c, struct insn *i)
{
    return decimal_adjust(c, i, true);
}

static struct insn *ascii_adjust(struct cpu *c, struct insn *i, bool subtract)
{
    uint16_t ax = reg16(c, REG_EAX);
    bool carry = (ax & 0xf) > 9 || flag_af(c);

    if (carry) {
        ax = (uint16_t)(subtract ? ax - 0x106 : ax + 0x106);
    }
    ax &= 0xff0f;
    set_reg16(c, REG_EAX, ax);
    set_flags(c, (uint8_t)ax, carry, carry);
    return insn_next(i);
}

struct insn *x_aaa(struct cpu *c, struct insn *i)
{
    return ascii_adjust(c, i, false);
}

struct insn *x_aas(struct cpu *c, struct insn *i)
{
    return ascii_adjust(c, i, true);
}

struct insn *x_aam(struct cpu *c, struct insn *i)
{
    uint8_t base = (uint8_t)i->imm, al = reg8(c, AL);

    if (base == 0) {
        return cpu_raise(c, i, EXC_DE);
    }
    set_reg8(c, AH, al / base);
    set_reg8(c, AL, al % base);
    set_flags(c, al % base, false, false);
    return insn_next(i);
}

struct insn *x_aad(struct cpu *c, struct insn *i)
{
    uint8_t al = (uint8_t)(reg8(c, AL) + reg8(c, AH) * (uint8_t)i->imm);

    set_reg16(c, REG_EAX, al);
    set_flags(c, al, false, false);
    return insn_next(i);
}

struct insn *x_salc(struct cpu *c, struct insn *i)
{
    set_reg8(c, AL, flag_cf(c) ? 0xff : 0);
    return insn_next(i);
}

struct insn *x_xlat(struct cpu *c, struct insn *i)
{
    uint32_t ea = reg32(c, REG_EBX) + reg8(c, AL);
    uint64_t v;

    if (!mem_read(c, i->seg, i->a16 ? ea & 0xffff : ea, 1, &v)) {
        return cpu_fault(c, i);
    }
    set_reg8(c, AL, (uint8_t)v);
    return insn_next(i);
}
