/*
 * System instructions: control, debug and test registers, descriptor tables, flags images, MSRs,
 * CPUID, time stamp and performance counters, cache control, HLT.
 *
 * Source: Intel SDM vol. 2 (instruction pages), vol. 3 chapters 2.5 (control registers), 17.2
 * (debug registers), 20.3 (VME and PVI).
 */
#include "cpu/cpuid.h"
#include "cpu/system.h"
#include "memory/bytes.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/ops_sys.def"
#undef SLOWOP

#define DR6_FIXED 0xffff0ff0u
#define DR6_ZERO 0x00001000u
#define DR7_FIXED 0x00000400u
#define DR7_ZERO 0x0000d800u
#define DR7_GD (1u << 13)
#define DR6_BD (1u << 13)

/* --- control registers ---------------------------------------------------------------------- */

static bool write_cr0(struct cpu *c, uint32_t v)
{
    uint32_t flush = CR0_PG | CR0_WP | CR0_PE, old = (uint32_t)c->cr0;

    v &= cpu_cr0_mask(c);
    if (((v & CR0_PG) && !(v & CR0_PE)) || ((v & CR0_NW) && !(v & CR0_CD))) {
        return exc_set_err(c, EXC_GP, 0);
    }
    if (cpu_family(c->model) >= 4) {
        v |= CR0_ET;
    }
    if (!(old & CR0_PG) && mmu_is_pae(v, c->cr4, c->efer) && !mmu_load_pdptes(c, c->cr3)) {
        return exc_set_err(c, EXC_GP, 0);
    }
    c->cr0 = v;
    if ((old ^ v) & flush) {
        tlb_flush_all(c);
    }
    cpu_update_mode(c);
    return true;
}

static bool write_cr3(struct cpu *c, uint32_t v)
{
    if (mmu_is_pae(c->cr0, c->cr4, c->efer) && !mmu_load_pdptes(c, v)) {
        return exc_set_err(c, EXC_GP, 0);
    }
    c->cr3 = v;
    tlb_flush_nonglobal(c);
    return true;
}

static bool write_cr4(struct cpu *c, uint32_t v)
{
    uint32_t old = (uint32_t)c->cr4;

    if (v & ~cpu_cr4_mask(c)) {
        return exc_set_err(c, EXC_GP, 0);
    }
    if ((v & ~old & CR4_PAE) && mmu_is_pae(c->cr0, v, c->efer) && !mmu_load_pdptes(c, c->cr3)) {
        return exc_set_err(c, EXC_GP, 0);
    }
    c->cr4 = v;
    if ((old ^ v) & (CR4_PGE | CR4_PAE | CR4_PSE)) {
        tlb_flush_all(c);
    }
    cpu_update_mode(c);
    return true;
}

static bool write_cr(struct cpu *c, unsigned n, uint32_t v)
{
    switch (n) {
    case 0:
        return write_cr0(c, v);
    case 2:
        c->cr2 = v;
        return true;
    case 3:
        return write_cr3(c, v);
    default:
        return write_cr4(c, v);
    }
}

static bool read_cr(const struct cpu *c, unsigned n, uint32_t *v)
{
    switch (n) {
    case 0:
        *v = (uint32_t)c->cr0;
        return true;
    case 2:
        *v = (uint32_t)c->cr2;
        return true;
    case 3:
        *v = (uint32_t)c->cr3;
        return true;
    case 4:
        *v = (uint32_t)c->cr4;
        return cpu_cr4_mask(c) != 0; /* the 386 and plain 486 have no CR4 */
    default:
        return false;
    }
}

struct insn *x_mov_cr(struct cpu *c, struct insn *i)
{
    bool write = i->flags & INSN_SYS_DST;
    uint32_t old;

    if (!read_cr(c, write ? i->dst : i->src, &old)) {
        return cpu_raise(c, i, EXC_UD);
    }
    if (!need_cpl0(c)) {
        return cpu_fault(c, i);
    }
    if (!write) {
        set_reg32(c, lane_reg(i->dst), old);
        return insn_next(i);
    }
    if (!write_cr(c, i->dst, reg32(c, lane_reg(i->src)))) {
        return cpu_fault(c, i);
    }
    return cpu_leave_next(c, i);
}

struct insn *x_lmsw(struct cpu *c, struct insn *i)
{
    uint64_t v;

    if (!need_cpl0(c) || !insn_read(c, i, i->dst, 2, &v)) {
        return cpu_fault(c, i);
    }
    v = (c->cr0 & ~(uint64_t)0xe) | (v & 0xf); /* PE can be set, not cleared */
    return write_cr0(c, (uint32_t)v) ? cpu_leave_next(c, i) : cpu_fault(c, i);
}

/* Register forms have the width of the operand, memory forms are 16 bits. */
static struct insn *store_word(struct cpu *c, struct insn *i, uint32_t v)
{
    if (i->flags & INSN_MEM) {
        return mem_write(c, i->seg, insn_ea(c, i), 2, v) ? insn_next(i) : cpu_fault(c, i);
    }
    if (i->osize == 2) {
        set_reg16(c, lane_reg(i->dst), (uint16_t)v);
    } else {
        set_reg32(c, lane_reg(i->dst), v);
    }
    return insn_next(i);
}

struct insn *x_smsw(struct cpu *c, struct insn *i)
{
    return store_word(c, i, (uint32_t)c->cr0);
}

struct insn *x_clts(struct cpu *c, struct insn *i)
{
    if (!need_cpl0(c)) {
        return cpu_fault(c, i);
    }
    c->cr0 &= ~(uint64_t)CR0_TS;
    cpu_update_mode(c);
    return cpu_leave_next(c, i);
}

/* --- debug and test registers --------------------------------------------------------------- */

static void write_dr(struct cpu *c, unsigned n, uint32_t v)
{
    if (n == 6) {
        c->dr[6] = (v & ~DR6_ZERO) | DR6_FIXED;
        return;
    }
    if (n < 4) {
        c->dr[n] = v;
        return;
    }
    c->dr[7] = (v & ~DR7_ZERO) | DR7_FIXED;
    cpu_update_mode(c);
}

struct insn *x_mov_dr(struct cpu *c, struct insn *i)
{
    bool write = i->flags & INSN_SYS_DST;
    unsigned n = write ? i->dst : i->src;

    if (n == 4 || n == 5) {
        if (c->cr4 & CR4_DE) {
            return cpu_raise(c, i, EXC_UD);
        }
        n += 2;
    }
    if (!need_cpl0(c)) {
        return cpu_fault(c, i);
    }
    if (c->dr[7] & DR7_GD) {
        intr_debug_status(c, DR6_BD);
        return cpu_raise(c, i, EXC_DB);
    }
    if (!write) {
        set_reg32(c, lane_reg(i->dst), (uint32_t)c->dr[n]);
        return insn_next(i);
    }
    write_dr(c, n, reg32(c, lane_reg(i->src)));
    return cpu_leave_next(c, i);
}

/* TR3 to TR7 look into the cache and TLB arrays of the 386 and 486; here they are always empty. */
struct insn *x_mov_tr(struct cpu *c, struct insn *i)
{
    if (!need_cpl0(c)) {
        return cpu_fault(c, i);
    }
    if (!(i->flags & INSN_SYS_DST)) {
        set_reg32(c, lane_reg(i->dst), 0);
    }
    return cpu_leave_next(c, i);
}

/* --- descriptor tables ---------------------------------------------------------------------- */

static const struct mem_parts table_parts = {1, 2, 1, 4}; /* limit, base */

static struct insn *store_table(struct cpu *c, struct insn *i, const struct desc_table *t)
{
    uint8_t buf[6];

    put16(buf, t->limit);
    put32(buf + 2, (uint32_t)t->base);
    return mem_write_parts(c, i, buf, table_parts) ? insn_next(i) : cpu_fault(c, i);
}

static struct insn *load_table(struct cpu *c, struct insn *i, struct desc_table *t)
{
    uint8_t buf[6];

    if (!need_cpl0(c) || !mem_read_parts(c, i, buf, table_parts)) {
        return cpu_fault(c, i);
    }
    t->limit = get16(buf);
    t->base = get32(buf + 2) & (i->osize == 2 ? 0xffffffu : 0xffffffffu);
    return cpu_leave_next(c, i);
}

struct insn *x_sgdt(struct cpu *c, struct insn *i)
{
    return store_table(c, i, &c->gdtr);
}

struct insn *x_sidt(struct cpu *c, struct insn *i)
{
    return store_table(c, i, &c->idtr);
}

struct insn *x_lgdt(struct cpu *c, struct insn *i)
{
    return load_table(c, i, &c->gdtr);
}

struct insn *x_lidt(struct cpu *c, struct insn *i)
{
    return load_table(c, i, &c->idtr);
}

struct insn *x_sldt(struct cpu *c, struct insn *i)
{
    return need_descriptors(c) ? store_word(c, i, c->ldtr.sel) : cpu_fault(c, i);
}

struct insn *x_str(struct cpu *c, struct insn *i)
{
    return need_descriptors(c) ? store_word(c, i, c->tr.sel) : cpu_fault(c, i);
}

struct insn *x_lldt(struct cpu *c, struct insn *i)
{
    struct desc d;
    uint16_t sel;
    uint64_t v;

    if (!need_descriptors(c) || !need_cpl0(c) || !insn_read(c, i, i->dst, 2, &v)) {
        return cpu_fault(c, i);
    }
    sel = (uint16_t)v;
    if (sel_null(sel)) {
        c->ldtr = (struct segment){.sel = sel};
        return insn_next(i);
    }
    if (sel & 4) {
        exc_sel(c, EXC_GP, sel);
        return cpu_fault(c, i);
    }
    if (!desc_fetch(c, sel, EXC_GP, &d)) {
        return cpu_fault(c, i);
    }
    if (desc_is_segment(&d) || desc_type(&d) != DESC_LDT) {
        exc_sel(c, EXC_GP, sel);
        return cpu_fault(c, i);
    }
    if (!desc_present(&d)) {
        exc_sel(c, EXC_NP, sel);
        return cpu_fault(c, i);
    }
    c->ldtr = desc_to_segment(sel, &d);
    return insn_next(i);
}

struct insn *x_ltr(struct cpu *c, struct insn *i)
{
    struct desc d;
    uint16_t sel;
    uint64_t v;

    if (!need_descriptors(c) || !need_cpl0(c) || !insn_read(c, i, i->dst, 2, &v)) {
        return cpu_fault(c, i);
    }
    sel = (uint16_t)v;
    if (sel_null(sel) || (sel & 4)) {
        exc_sel(c, EXC_GP, sel);
        return cpu_fault(c, i);
    }
    if (!desc_fetch(c, sel, EXC_GP, &d)) {
        return cpu_fault(c, i);
    }
    if (desc_is_segment(&d) || (desc_type(&d) & ~8u) != DESC_TSS16) {
        exc_sel(c, EXC_GP, sel);
        return cpu_fault(c, i);
    }
    if (!desc_present(&d)) {
        exc_sel(c, EXC_NP, sel);
        return cpu_fault(c, i);
    }
    if (!desc_set_busy(c, &d, true)) {
        return cpu_fault(c, i);
    }
    c->tr = desc_to_segment(sel, &d);
    return insn_next(i);
}

/* --- flags ---------------------------------------------------------------------------------- */

enum if_rule { IF_REAL, IF_VIRTUAL, IF_REFUSED };

/* Who may change IF, and where VME (V86) or PVI (CPL 3) put VIF in its place. */
static enum if_rule interrupt_flag_rule(const struct cpu *c)
{
    if (!protected_mode(c) || cpu_iopl(c) >= c->cpl) {
        return IF_REAL;
    }
    if (v86_mode(c)) {
        return c->cr4 & CR4_VME ? IF_VIRTUAL : IF_REFUSED;
    }
    return c->cpl == 3 && (c->cr4 & CR4_PVI) ? IF_VIRTUAL : IF_REFUSED;
}

/*
 * Goes on after a write to EFLAGS.  The run loop has something to do when IF is newly set, and the
 * trace was decoded for TF; whatever else may be pending has made the end of the trace its own.
 */
static struct insn *after_flags(struct cpu *c, struct insn *i, uint32_t old)
{
    bool open = c->eflags & ~old & FLAG_IF, mode = (c->eflags ^ old) & (FLAG_TF | FLAG_AC);

    return UNLIKELY(open || mode) ? cpu_leave_next(c, i) : insn_next(i);
}

struct insn *x_cli(struct cpu *c, struct insn *i)
{
    switch (interrupt_flag_rule(c)) {
    case IF_REAL:
        c->eflags &= ~(uint32_t)FLAG_IF;
        return insn_next(i);
    case IF_VIRTUAL:
        c->eflags &= ~(uint32_t)FLAG_VIF;
        return insn_next(i);
    default:
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
}

struct insn *x_sti(struct cpu *c, struct insn *i)
{
    switch (interrupt_flag_rule(c)) {
    case IF_REAL:
        if (c->eflags & FLAG_IF) {
            return insn_next(i);
        }
        c->shadow = SHADOW_INTR;
        c->eflags |= FLAG_IF;
        return cpu_leave_next(c, i);
    case IF_VIRTUAL:
        if (c->eflags & FLAG_VIP) {
            return cpu_raise_err(c, i, EXC_GP, 0);
        }
        c->eflags |= FLAG_VIF;
        return insn_next(i); /* nothing waits for VIF but VIP, which is clear */
    default:
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
}

struct insn *x_pushf(struct cpu *c, struct insn *i)
{
    uint32_t image = flags_get(c) & ~(uint32_t)(FLAG_VM | FLAG_RF);

    if (v86_mode(c) && cpu_iopl(c) < 3) {
        if (!(c->cr4 & CR4_VME) || i->osize != 2) {
            return cpu_raise_err(c, i, EXC_GP, 0);
        }
        image = (image & ~(uint32_t)FLAG_IF) | FLAG_IOPL | (image & FLAG_VIF ? FLAG_IF : 0);
    }
    return stack_push(c, i->osize, image) ? insn_next(i) : cpu_fault(c, i);
}

struct insn *x_popf(struct cpu *c, struct insn *i)
{
    uint32_t mask = FLAGS_OSZAPC | FLAG_TF | FLAG_DF | FLAG_NT, image, old = c->eflags;
    const uint8_t *top;
    uint64_t v;

    if (v86_mode(c) && cpu_iopl(c) < 3 && (!(c->cr4 & CR4_VME) || i->osize != 2)) {
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    top = i->osize == 2 ? stack_top(c, 0, 2) : NULL;
    if (LIKELY(top != NULL)) {
        image = get16(top);
    } else if (stack_peek(c, 0, i->osize, &v)) {
        image = (uint32_t)v;
    } else {
        return cpu_fault(c, i);
    }
    if (i->osize == 4) {
        mask |= FLAG_AC | FLAG_ID | FLAG_RF;
        image &= ~(uint32_t)FLAG_RF;
    }
    if (v86_mode(c) && cpu_iopl(c) < 3) {
        if ((image & FLAG_TF) || ((image & FLAG_IF) && (c->eflags & FLAG_VIP))) {
            return cpu_raise_err(c, i, EXC_GP, 0);
        }
        mask |= FLAG_VIF;
        image = (image & ~(uint32_t)FLAG_VIF) | (image & FLAG_IF ? FLAG_VIF : 0);
    } else if (cpu_iopl(c) >= c->cpl) {
        mask |= FLAG_IF;
    }
    if (c->cpl == 0) {
        mask |= FLAG_IOPL;
    }
    stack_set(c, reg32(c, REG_ESP) + i->osize);
    cpu_set_eflags(c, image, mask);
    return after_flags(c, i, old);
}

/* --- identification and counters ------------------------------------------------------------ */

static void set_edx_eax(struct cpu *c, uint64_t v)
{
    set_reg32(c, REG_EAX, (uint32_t)v);
    set_reg32(c, REG_EDX, (uint32_t)(v >> 32));
}

struct insn *x_cpuid(struct cpu *c, struct insn *i)
{
    uint32_t out[4];

    cpu_cpuid(c, reg32(c, REG_EAX), reg32(c, REG_ECX), out);
    set_reg32(c, REG_EAX, out[0]);
    set_reg32(c, REG_EBX, out[1]);
    set_reg32(c, REG_ECX, out[2]);
    set_reg32(c, REG_EDX, out[3]);
    return insn_next(i);
}

struct insn *x_rdtsc(struct cpu *c, struct insn *i)
{
    if ((c->cr4 & CR4_TSD) && c->cpl != 0) {
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    set_edx_eax(c, cpu_icount(c) + (uint64_t)c->tsc_offset);
    return insn_next(i);
}

/* Two counters in the P6 family; the eighteen of the Pentium 4 keep what they are set to. */
struct insn *x_rdpmc(struct cpu *c, struct insn *i)
{
    bool p6 = cpu_family(c->model) == 6;
    uint32_t n = p6 ? reg32(c, REG_ECX) : reg32(c, REG_ECX) & 0x7fffffff; /* bit 31: fast read */

    if ((!(c->cr4 & CR4_PCE) && c->cpl != 0) || n >= (p6 ? 2u : 18u)) {
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    uint64_t v = 0;

    if (p6) {
        v = perf_counter(c, n);
    } else {
        (void)msr_read(c, 0x300 + n, &v);
    }
    set_edx_eax(c, v);
    return insn_next(i);
}

struct insn *x_rdmsr(struct cpu *c, struct insn *i)
{
    uint64_t v;

    if (!need_cpl0(c)) {
        return cpu_fault(c, i);
    }
    if (!msr_read(c, reg32(c, REG_ECX), &v)) {
        log_guest(c->cfg.log, "cpu", "read of unknown MSR %08x", reg32(c, REG_ECX));
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    set_edx_eax(c, v);
    return insn_next(i);
}

struct insn *x_wrmsr(struct cpu *c, struct insn *i)
{
    uint64_t v = (uint64_t)reg32(c, REG_EDX) << 32 | reg32(c, REG_EAX);

    if (!need_cpl0(c)) {
        return cpu_fault(c, i);
    }
    if (!msr_write(c, reg32(c, REG_ECX), v)) {
        log_guest(c->cfg.log, "cpu", "write of %016llx to MSR %08x refused", (unsigned long long)v,
                  reg32(c, REG_ECX));
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    return cpu_leave_next(c, i);
}

/* --- the rest ------------------------------------------------------------------------------- */

struct insn *x_hlt(struct cpu *c, struct insn *i)
{
    if (!need_cpl0(c)) {
        return cpu_fault(c, i);
    }
    c->halted = true;
    return cpu_leave_next(c, i);
}

struct insn *x_invlpg(struct cpu *c, struct insn *i)
{
    if (!need_cpl0(c)) {
        return cpu_fault(c, i);
    }
    tlb_flush_page(c, c->seg[i->seg].base + insn_ea(c, i));
    return cpu_leave_next(c, i);
}

/* Memory is always coherent. */
struct insn *x_wbinvd(struct cpu *c, struct insn *i)
{
    return need_cpl0(c) ? cpu_leave_next(c, i) : cpu_fault(c, i);
}

struct insn *x_invd(struct cpu *c, struct insn *i)
{
    return x_wbinvd(c, i);
}

/* As a byte load, but also through an execute-only code segment. */
struct insn *x_clflush(struct cpu *c, struct insn *i)
{
    const struct segment *s = &c->seg[i->seg];
    bool code = descriptor_mode(c) && (s->attr & TYPE_CODE) && (s->attr & ATTR_P);
    uint32_t ea = insn_ea(c, i);
    uint64_t la = (uint32_t)(s->base + ea);

    if (!(code && ea <= s->limit) && !seg_linear(c, i->seg, ea, 1, ACC_READ, &la)) {
        return cpu_fault(c, i);
    }
    return lin_probe(c, la, 1, false) ? insn_next(i) : cpu_fault(c, i);
}

struct insn *x_ud0(struct cpu *c, struct insn *i)
{
    return cpu_raise(c, i, EXC_UD);
}

struct insn *x_ud1(struct cpu *c, struct insn *i)
{
    return cpu_raise(c, i, EXC_UD);
}
