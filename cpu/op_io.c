/*
 * IN, OUT, INS, OUTS with I/O permission.
 *
 * Source: Intel SDM vol. 1 chapter 18 (18.5 protected-mode I/O), vol. 2.
 * REP forms do a bounded run of elements per execution, each counted as one instruction at the
 * moment it happens, so devices see exact time; the run ends early when the run loop has something
 * to do. An element's memory side is checked before its port is touched, so a fault loses no data.
 */
#include "cpu/system.h"
#include "memory/bus_port.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/ops_sys.def"
#undef SLOWOP

/* sys_read() of a word of the TSS. */
static bool tss_word(struct cpu *c, uint32_t at, uint64_t *v)
{
    uint32_t la = c->tr.base + at;
    const uint8_t *host = tlb_read_hit(tlb_for(c, false), la, 2);

    if (LIKELY(host != NULL)) {
        *v = get16(host);
        return true;
    }
    return sys_read(c, la, 2, v);
}

/* The permission bitmap of a 32-bit TSS. */
static bool port_in_bitmap(struct cpu *c, uint16_t port, unsigned size)
{
    uint64_t map, bits;
    uint32_t at;

    if (!(c->tr.attr & 8) || !(c->tr.attr & ATTR_P) || c->tr.limit < 0x67) {
        return exc_set_err(c, EXC_GP, 0);
    }
    if (!tss_word(c, 0x66, &map)) {
        return false;
    }
    at = (uint32_t)map + port / 8u;
    if (at + 1 > c->tr.limit) {
        return exc_set_err(c, EXC_GP, 0);
    }
    if (!tss_word(c, at, &bits)) {
        return false;
    }
    if (bits >> (port & 7) & ((1u << size) - 1)) {
        return exc_set_err(c, EXC_GP, 0);
    }
    return true;
}

/* IOPL, or the bitmap. */
ALWAYS_INLINE bool port_allowed(struct cpu *c, uint16_t port, unsigned size)
{
    if (LIKELY(!protected_mode(c) || (!v86_mode(c) && c->cpl <= cpu_iopl(c)))) {
        return true;
    }
    return port_in_bitmap(c, port, size);
}

static void watch_port(struct cpu *c, uint16_t port, unsigned size)
{
    if (UNLIKELY(c->dr[7] & 0xff) && (c->cr4 & CR4_DE)) {
        debug_watch(c, port, size, WATCH_IO);
    }
}

static uint64_t port_in(struct cpu *c, uint16_t port, unsigned size)
{
    watch_port(c, port, size);
    return bus_port_in(c->io, port, size);
}

static void port_out(struct cpu *c, uint16_t port, unsigned size, uint64_t v)
{
    watch_port(c, port, size);
    bus_port_out(c->io, port, size, v);
}

/* The port operand: DX, or an immediate, which leaves another number in the record. */
static uint16_t port_operand(const struct cpu *c, const struct insn *i, unsigned reg)
{
    return lane_reg(reg) == REG_EDX ? reg16(c, REG_EDX) : (uint8_t)i->imm;
}

/*
 * Behind a port access: a device may have asked for the run loop, an interrupt or a change of the
 * memory map, which then comes before the next instruction.
 */
ALWAYS_INLINE struct insn *after_port(struct cpu *c, struct insn *i)
{
    if (UNLIKELY(c->left <= (int64_t)i->idx || cpu_interrupted(c))) {
        return cpu_leave_port(c, i);
    }
    return insn_next(i);
}

/* The permission bitmap decides, or breakpoints look at ports. */
static bool port_guarded(const struct cpu *c)
{
    return (protected_mode(c) && (v86_mode(c) || c->cpl > cpu_iopl(c))) || (c->dr[7] & 0xff);
}

static struct insn *end_in(struct cpu *c, struct insn *i, uint64_t v)
{
    if (i->osize == 1) {
        set_reg8(c, REG_EAX, (uint8_t)v);
    } else if (i->osize == 2) {
        set_reg16(c, REG_EAX, (uint16_t)v);
    } else {
        set_reg32(c, REG_EAX, (uint32_t)v);
    }
    return after_port(c, i);
}

static NOINLINE struct insn *in_guarded(struct cpu *c, struct insn *i)
{
    uint16_t port = port_operand(c, i, i->src);

    if (!port_allowed(c, port, i->osize)) {
        return cpu_fault(c, i);
    }
    return end_in(c, i, port_in(c, port, i->osize));
}

static NOINLINE struct insn *out_guarded(struct cpu *c, struct insn *i)
{
    uint16_t port = port_operand(c, i, i->dst);

    if (!port_allowed(c, port, i->osize)) {
        return cpu_fault(c, i);
    }
    port_out(c, port, i->osize, reg32(c, REG_EAX));
    return after_port(c, i);
}

struct insn *x_in(struct cpu *c, struct insn *i)
{
    if (UNLIKELY(port_guarded(c))) {
        return in_guarded(c, i);
    }
    return end_in(c, i, bus_port_in(c->io, port_operand(c, i, i->src), i->osize));
}

struct insn *x_out(struct cpu *c, struct insn *i)
{
    if (UNLIKELY(port_guarded(c))) {
        return out_guarded(c, i);
    }
    bus_port_out(c->io, port_operand(c, i, i->dst), i->osize, reg32(c, REG_EAX));
    return after_port(c, i);
}

/* --- strings -------------------------------------------------------------------------------- */

static uint32_t string_mask(const struct insn *i)
{
    return i->a16 ? 0xffff : 0xffffffffu;
}

static void step_register(struct cpu *c, const struct insn *i, unsigned reg, uint32_t by)
{
    uint32_t mask = string_mask(i), v = reg32(c, reg);

    set_reg32(c, reg, (v & ~mask) | ((v + by) & mask));
}

static bool ins_element(struct cpu *c, const struct insn *i)
{
    unsigned size = i->osize;
    uint16_t port = reg16(c, REG_EDX);
    uint64_t la;

    if (!seg_linear(c, SEG_ES, reg32(c, REG_EDI) & string_mask(i), size, ACC_WRITE, &la) ||
        !lin_probe(c, la, size, true)) {
        return false;
    }
    return lin_write(c, la, size, port_in(c, port, size));
}

static bool outs_element(struct cpu *c, const struct insn *i)
{
    uint16_t port = reg16(c, REG_EDX);
    uint64_t v;

    if (!mem_read(c, i->seg, reg32(c, REG_ESI) & string_mask(i), i->osize, &v)) {
        return false;
    }
    port_out(c, port, i->osize, v);
    return true;
}

static struct insn *run_string(struct cpu *c, struct insn *i, unsigned reg,
                               bool (*element)(struct cpu *, const struct insn *))
{
    uint32_t by = c->eflags & FLAG_DF ? 0u - i->osize : i->osize, count;
    bool first;

    /* Before the count: the processor refuses even when there is nothing to do. */
    if (!port_allowed(c, reg16(c, REG_EDX), i->osize)) {
        return cpu_fault(c, i);
    }
    if (i->rep == REP_NONE) {
        if (!element(c, i)) {
            return cpu_fault(c, i);
        }
        step_register(c, i, reg, by);
        return cpu_leave_next(c, i);
    }
    for (first = true;; first = false) {
        count = reg32(c, REG_ECX) & string_mask(i);
        if (count == 0) {
            return cpu_leave_next(c, i);
        }
        if (!first && (c->left < 0 || (c->mode & MODE_ONE) || cpu_interrupted(c))) {
            return cpu_leave_again(c, i);
        }
        if (!element(c, i)) {
            return cpu_fault(c, i);
        }
        step_register(c, i, reg, by);
        step_register(c, i, REG_ECX, ~0u);
        if (count > 1) {
            c->left--; /* the last element is charged when the instruction is left */
        }
    }
}

struct insn *x_ins(struct cpu *c, struct insn *i)
{
    return run_string(c, i, REG_EDI, ins_element);
}

struct insn *x_outs(struct cpu *c, struct insn *i)
{
    return run_string(c, i, REG_ESI, outs_element);
}
