/*
 * Reset, register access for debuggers and loaders, the register dump, and snapshots of the CPU.
 *
 * Source: Intel SDM vol. 3 chapter 9.1 (state after reset), vol. 1 chapters 3 and 8.
 * Snapshots hold architectural state only; the lazy flags go as an EFLAGS image, everything
 * derived (windows, mode word, TLBs, traces) is rebuilt after a load.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/system.h"

/* 2: system management mode, CPUID level; 3: stops inside traces, plain MSRs */
#define SNAP_VERSION 3
#define DR6_RESET 0xffff0ff0u
#define DR7_RESET 0x400u

/* --- reset ---------------------------------------------------------------------------------- */

static void reset_segment(struct segment *s, uint16_t sel, uint64_t base, uint32_t attr)
{
    memset(s, 0, sizeof *s);
    s->sel = sel;
    s->base = base;
    s->limit = 0xffff;
    s->attr = attr;
}

static void reset_fpu(struct cpu *c)
{
    memset(&c->fpu, 0, sizeof c->fpu);
    memset(c->xmm, 0, sizeof c->xmm);
    c->fpu.cw = 0x40;
    c->fpu.mxcsr = 0x1f80;
}

/* What RESET and INIT have in common; everything derived is made up by the caller. */
static void reset_state(struct cpu *c, uint64_t cr0)
{
    const uint32_t data = ATTR_P | ATTR_S | TYPE_WRITE | TYPE_ACCESSED;
    unsigned n;

    memset(&c->r, 0, sizeof c->r);
    c->r.q[REG_EDX] = c->model->signature;
    flags_put(c, 2);
    for (n = 0; n < SEG_COUNT; n++) {
        reset_segment(&c->seg[n], 0, 0, data);
    }
    reset_segment(&c->seg[SEG_CS], 0xf000, 0xffff0000u, data);
    reset_segment(&c->ldtr, 0, 0, ATTR_P | DESC_LDT);
    reset_segment(&c->tr, 0, 0, ATTR_P | DESC_TSS32_BUSY);
    c->gdtr = c->idtr = (struct desc_table){0, 0xffff};
    c->eip = 0xfff0;
    c->part = (struct trace_part){0};
    c->cpl = 0;
    c->halted = c->shutdown = c->step = false;
    c->shadow = 0;
    c->nmi_pending = c->nmi_blocked = c->init_pending = false;
    c->debug_trap = 0;
    memset(&c->exc, 0, sizeof c->exc);
    c->cr0 = cr0;
    c->cr2 = c->cr3 = c->cr4 = 0;
    memset(c->dr, 0, sizeof c->dr);
    c->dr[6] = DR6_RESET;
    c->dr[7] = DR7_RESET;
    memset(c->pdpte, 0, sizeof c->pdpte);
}

void cpu_reset(struct cpu *c)
{
    reset_state(c, (CR0_CD | CR0_NW | CR0_ET) & cpu_cr0_mask(c));
    if (c->smm) {
        smm_set(c, false);
    }
    c->smi_pending = false;
    c->smi_io.kind = IO_NONE;
    c->smbase = 0x30000;
    reset_fpu(c);
    msr_reset(c);
    tlb_flush_all(c);
    trace_flush(c);
    cpu_update_mode(c);
}

void cpu_init(struct cpu *c)
{
    if (!cpu_has_smm(c)) {
        cpu_reset(c);
        return;
    }
    if (c->smm) {
        c->init_pending = true;
        return;
    }
    reset_state(c, (c->cr0 & (CR0_CD | CR0_NW)) | CR0_ET);
    if (c->cfg.wiring.apic_base) {
        c->cfg.wiring.apic_base(c->cfg.wiring.ctx, c->apic_base, true);
    }
    tlb_flush_all(c);
    trace_flush(c);
    cpu_update_mode(c);
}

/* --- registers ------------------------------------------------------------------------------ */

uint64_t cpu_get_reg(const struct cpu *c, enum cpu_reg r)
{
    if (r <= CPU_EDI) {
        return c->r.q[r];
    }
    if (r >= CPU_ES && r <= CPU_GS) {
        return c->seg[r - CPU_ES].sel;
    }
    switch (r) {
    case CPU_EIP:
        return c->cur ? insn_eip(c, c->cur) : c->eip;
    case CPU_EFLAGS:
        return flags_get(c);
    case CPU_CR0:
        return c->cr0;
    case CPU_CR2:
        return c->cr2;
    case CPU_CR3:
        return c->cr3;
    case CPU_CR4:
        return c->cr4;
    default:
        return 0;
    }
}

static void set_control(struct cpu *c, uint64_t *reg, uint64_t value)
{
    *reg = value;
    if (mmu_is_pae(c->cr0, c->cr4, c->efer)) {
        mmu_load_pdptes(c, c->cr3); /* tables the walker refuses show as page faults */
    }
    tlb_flush_all(c);
    cpu_update_mode(c);
}

void cpu_set_reg(struct cpu *c, enum cpu_reg r, uint64_t value)
{
    if (r <= CPU_EDI) {
        c->r.q[r] = (uint32_t)value;
        return;
    }
    if (r >= CPU_ES && r <= CPU_GS) {
        seg_load_real(c, r - CPU_ES, (uint16_t)value);
        return;
    }
    switch (r) {
    case CPU_EIP:
        c->eip = (uint32_t)value;
        c->part = (struct trace_part){0};
        break;
    case CPU_EFLAGS:
        cpu_set_eflags(c, (uint32_t)value, 0xffffffffu);
        break;
    case CPU_CR0:
        set_control(c, &c->cr0, (value & cpu_cr0_mask(c)) | (c->cr0 & CR0_ET));
        break;
    case CPU_CR2:
        c->cr2 = (uint32_t)value;
        break;
    case CPU_CR3:
        set_control(c, &c->cr3, (uint32_t)value);
        break;
    case CPU_CR4:
        set_control(c, &c->cr4, value & cpu_cr4_mask(c));
        break;
    default:
        break;
    }
}

void cpu_enter_flat32(struct cpu *c, uint32_t eip)
{
    static const uint8_t data[] = {SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS};
    unsigned n;

    c->cr0 = (c->cr0 & ~(uint64_t)CR0_PG) | CR0_PE;
    c->cpl = 0;
    flags_put(c, 2);
    /* The selectors that the boot protocols' own descriptor tables use. */
    seg_set(c, SEG_CS, &seg_flat[true][false], 0x10);
    for (n = 0; n < ARRAY_LEN(data); n++) {
        seg_set(c, data[n], &seg_flat[false][false], 0x18);
    }
    c->eip = eip;
    c->part = (struct trace_part){0};
    c->halted = c->shutdown = false;
    c->shadow = 0;
    tlb_flush_all(c);
    cpu_update_mode(c);
}

bool cpu_peek(struct cpu *c, uint64_t linear, void *buf, size_t n)
{
    uint8_t *to = buf;

    while (n) {
        size_t part = PAGE_SIZE - (size_t)(linear & PAGE_MASK);
        struct bus_page p;
        uint64_t pa;

        part = MIN(part, n);
        linear = (uint32_t)linear;
        if (!mmu_peek(c, linear, &pa)) {
            return false;
        }
        bus_page(c->mem, pa, &p);
        if (!p.read) {
            return false;
        }
        memcpy(to, p.read + (pa & PAGE_MASK), part);
        to += part;
        linear += part;
        n -= part;
    }
    return true;
}

/* --- dump ----------------------------------------------------------------------------------- */

struct text {
    char *buf;
    size_t len, used;
};

static void text_add(struct text *t, const char *fmt, ...) FORMAT_PRINTF(2, 3);

static void text_add(struct text *t, const char *fmt, ...)
{
    size_t room = t->used < t->len ? t->len - t->used : 0;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(room ? t->buf + t->used : NULL, room, fmt, ap);
    va_end(ap);
    t->used += n > 0 ? (size_t)n : 0;
}

static void dump_segment(struct text *t, const char *name, const struct segment *s)
{
    text_add(t, "%-4s %04x base %08x limit %08x attr %04x\n", name, s->sel, (unsigned)s->base,
             (unsigned)s->limit, (unsigned)s->attr);
}

size_t cpu_dump(const struct cpu *c, char *buf, size_t len)
{
    static const char regs[8][4] = {"EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"};
    static const char segs[SEG_COUNT][3] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    struct text t = {buf, len, 0};
    unsigned n;

    for (n = 0; n < 8; n++) {
        text_add(&t, "%s %08x%c", regs[n], reg32(c, n), n % 4 == 3 ? '\n' : ' ');
    }
    text_add(&t, "EIP %08x EFLAGS %08x CPL %u %s%s%s%s\n", (unsigned)cpu_get_reg(c, CPU_EIP),
             (unsigned)flags_get(c), c->cpl,
             !protected_mode(c) ? "real" : v86_mode(c) ? "V86" : "protected",
             c->smm ? " SMM" : "", c->halted ? " halted" : "", c->shutdown ? " shutdown" : "");
    for (n = 0; n < SEG_COUNT; n++) {
        dump_segment(&t, segs[n], &c->seg[n]);
    }
    dump_segment(&t, "LDTR", &c->ldtr);
    dump_segment(&t, "TR", &c->tr);
    text_add(&t, "GDTR base %08x limit %04x IDTR base %08x limit %04x\n", (unsigned)c->gdtr.base,
             c->gdtr.limit, (unsigned)c->idtr.base, c->idtr.limit);
    text_add(&t, "CR0 %08x CR2 %08x CR3 %08x CR4 %08x\n", (unsigned)c->cr0, (unsigned)c->cr2,
             (unsigned)c->cr3, (unsigned)c->cr4);
    text_add(&t, "DR6 %08x DR7 %08x EFER %08x instructions %llu\n", (unsigned)c->dr[6],
             (unsigned)c->dr[7], (unsigned)c->efer, (unsigned long long)cpu_icount(c));
    return t.used;
}

/* --- snapshots ------------------------------------------------------------------------------ */

static const struct snap_field cpu_fields[] = {
    {"r", (uint32_t)offsetof(struct cpu, r.q), REG_ZERO, SNAP_U64, 0},
    SNAP_F(struct cpu, eip, SNAP_U64),
    SNAP_F(struct cpu, icount, SNAP_U64),
    SNAP_F(struct cpu, cpl, SNAP_U8),
    SNAP_F(struct cpu, a20_off, SNAP_BOOL),
    SNAP_F(struct cpu, halted, SNAP_BOOL),
    SNAP_F(struct cpu, shutdown, SNAP_BOOL),
    SNAP_F(struct cpu, shadow, SNAP_U8),
    SNAP_F(struct cpu, intr, SNAP_BOOL),
    SNAP_F(struct cpu, nmi_pending, SNAP_BOOL),
    SNAP_F(struct cpu, nmi_blocked, SNAP_BOOL),
    SNAP_F(struct cpu, debug_trap, SNAP_U32),
    SNAP_F(struct cpu, cr0, SNAP_U64),
    SNAP_F(struct cpu, cr2, SNAP_U64),
    SNAP_F(struct cpu, cr3, SNAP_U64),
    SNAP_F(struct cpu, cr4, SNAP_U64),
    SNAP_ARRAY(struct cpu, dr, SNAP_U64),
    SNAP_ARRAY(struct cpu, pdpte, SNAP_U64),
    SNAP_F(struct cpu, gdtr.base, SNAP_U64),
    SNAP_F(struct cpu, gdtr.limit, SNAP_U16),
    SNAP_F(struct cpu, idtr.base, SNAP_U64),
    SNAP_F(struct cpu, idtr.limit, SNAP_U16),
    SNAP_F(struct cpu, efer, SNAP_U64),
    SNAP_F(struct cpu, sysenter_cs, SNAP_U32),
    SNAP_F(struct cpu, sysenter_esp, SNAP_U64),
    SNAP_F(struct cpu, sysenter_eip, SNAP_U64),
    SNAP_F(struct cpu, apic_base, SNAP_U64),
    SNAP_F(struct cpu, pat, SNAP_U64),
    SNAP_F(struct cpu, misc_enable, SNAP_U64),
    SNAP_F(struct cpu, ucode_rev, SNAP_U64),
    SNAP_ARRAY(struct cpu, mtrr_var, SNAP_U64),
    SNAP_ARRAY(struct cpu, mtrr_fix, SNAP_U64),
    SNAP_F(struct cpu, mtrr_def, SNAP_U64),
    SNAP_F(struct cpu, tsc_offset, SNAP_U64),
    SNAP_ARRAY(struct cpu, perf_sel, SNAP_U64),
    SNAP_ARRAY(struct cpu, perf_ctr, SNAP_U64),
    SNAP_F(struct cpu, fpu.cw, SNAP_U16),
    SNAP_F(struct cpu, fpu.sw, SNAP_U16),
    SNAP_F(struct cpu, fpu.top, SNAP_U8),
    SNAP_F(struct cpu, fpu.empty, SNAP_U8),
    SNAP_F(struct cpu, fpu.fop, SNAP_U16),
    SNAP_F(struct cpu, fpu.fcs, SNAP_U16),
    SNAP_F(struct cpu, fpu.fds, SNAP_U16),
    SNAP_F(struct cpu, fpu.fip, SNAP_U64),
    SNAP_F(struct cpu, fpu.fdp, SNAP_U64),
    SNAP_F(struct cpu, fpu.mxcsr, SNAP_U32),
    SNAP_SINCE(struct cpu, smbase, SNAP_U32, 2),
    SNAP_SINCE(struct cpu, smm, SNAP_BOOL, 2),
    SNAP_SINCE(struct cpu, smi_pending, SNAP_BOOL, 2),
    SNAP_SINCE(struct cpu, init_pending, SNAP_BOOL, 2),
    SNAP_SINCE(struct cpu, smi_io.kind, SNAP_U32, 2),
    SNAP_SINCE(struct cpu, smi_io.eip, SNAP_U32, 2),
    SNAP_SINCE(struct cpu, smi_io.ecx, SNAP_U32, 2),
    SNAP_SINCE(struct cpu, smi_io.esi, SNAP_U32, 2),
    SNAP_SINCE(struct cpu, smi_io.edi, SNAP_U32, 2),
    {"plain_msr", (uint32_t)offsetof(struct cpu, plain_msr), PLAIN_MSRS, SNAP_U64, 3},
    SNAP_SINCE(struct cpu, part.start, SNAP_U16, 3),
    SNAP_SINCE(struct cpu, part.done, SNAP_U8, 3),
    SNAP_SINCE(struct cpu, part.port, SNAP_BOOL, 3),
    SNAP_SINCE(struct cpu, part.waiting, SNAP_BOOL, 3),
    SNAP_END,
};

static const struct snap_field segment_fields[] = {
    SNAP_F(struct segment, base, SNAP_U64),
    SNAP_F(struct segment, limit, SNAP_U32),
    SNAP_F(struct segment, attr, SNAP_U32),
    SNAP_F(struct segment, sel, SNAP_U16),
    SNAP_END,
};

static const struct snap_field f80_fields[] = {
    SNAP_F(struct f80, sig, SNAP_U64),
    SNAP_F(struct f80, sexp, SNAP_U16),
    SNAP_END,
};

static const struct snap_field xmm_fields[] = {
    SNAP_ARRAY(struct xmm, q, SNAP_U64),
    SNAP_END,
};

void cpu_save(const struct cpu *c, struct snap_writer *w)
{
    unsigned n;

    snap_begin(w, "cpu", SNAP_VERSION);
    snap_put_u32(w, c->model->signature);
    snap_put_u32(w, c->cpuid_edx);
    snap_put_u32(w, c->cpuid_ecx);
    snap_put_u32(w, c->cpuid_ext);
    snap_put_u32(w, c->cpuid_level);
    snap_put_u32(w, flags_get(c));
    snap_put_fields(w, cpu_fields, c);
    for (n = 0; n < SEG_COUNT; n++) {
        snap_put_fields(w, segment_fields, &c->seg[n]);
    }
    snap_put_fields(w, segment_fields, &c->ldtr);
    snap_put_fields(w, segment_fields, &c->tr);
    for (n = 0; n < ARRAY_LEN(c->fpu.st); n++) {
        snap_put_fields(w, f80_fields, &c->fpu.st[n]);
    }
    for (n = 0; n < ARRAY_LEN(c->xmm); n++) {
        snap_put_fields(w, xmm_fields, &c->xmm[n]);
    }
    snap_end(w);
}

static bool same_model(const struct cpu *c, struct snap_reader *r, struct err *e)
{
    uint32_t signature = snap_get_u32(r), edx = snap_get_u32(r), ecx = snap_get_u32(r);
    uint32_t ext = snap_get_u32(r);
    uint32_t level = r->version >= 2 ? snap_get_u32(r) : c->model->max_leaf;

    if (signature != c->model->signature || edx != c->cpuid_edx || ecx != c->cpuid_ecx ||
        ext != c->cpuid_ext || level != c->cpuid_level) {
        return err_set(e, "the saved state is of another CPU model than %s, give its -cpu option",
                       c->model->name);
    }
    return true;
}

bool cpu_load(struct cpu *c, struct snap_reader *r, struct err *e)
{
    uint32_t image;
    unsigned n;

    if (!snap_open(r, "cpu", SNAP_VERSION, e) || !same_model(c, r, e)) {
        return false;
    }
    if (r->version < SNAP_VERSION) {
        cpu_reset(c); /* what the section lacks has its reset value */
    }
    image = snap_get_u32(r);
    c->part = (struct trace_part){0};
    snap_get_fields(r, cpu_fields, c);
    for (n = 0; n < SEG_COUNT; n++) {
        snap_get_fields(r, segment_fields, &c->seg[n]);
    }
    snap_get_fields(r, segment_fields, &c->ldtr);
    snap_get_fields(r, segment_fields, &c->tr);
    for (n = 0; n < ARRAY_LEN(c->fpu.st); n++) {
        snap_get_fields(r, f80_fields, &c->fpu.st[n]);
    }
    for (n = 0; n < ARRAY_LEN(c->xmm); n++) {
        snap_get_fields(r, xmm_fields, &c->xmm[n]);
    }
    flags_put(c, image & (c->eflags_mask | 2));
    c->cpl &= 3;
    c->fpu.top &= 7;
    c->shadow &= SHADOW_INTR | SHADOW_DEBUG;
    c->part.done &= 31;
    c->step = false;
    tlb_flush_all(c);
    trace_flush(c);
    cpu_update_mode(c);
    return snap_close(r, e);
}
