/*
 * Runs a test on the core: the environment a user program finds on the host, without its kernel.
 *
 * Protected mode with paging, CPL 3, IOPL 0.  The descriptor tables hold what LAR and LSL tell
 * about the host's, the local one the entries of diff_ldt().  Every exception goes through a 32-bit
 * interrupt gate to a HLT at CPL 0; the frame on that stack is the state of the test.  The far jump
 * at the end of a test reaches a page that is not mapped here.
 */
#include "tests/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/fpu.h"
#include "cpu/system.h"

enum {
    RAM = KERNEL_SIZE, PD = 0x1000, PT_LOW = 0x2000, PT_CODE = 0x3000, PT_WIN = 0x4000,
    GDT = 0x5000, LDT = 0x5800, IDT = 0x6000, TSS = 0x7000, HANDLERS = 0x8000,
    KERNEL_STACK = 0x9ff0, CODE = 0xa000, WIN = 0xc000, RO = 0xe000,
    SEL_KCODE = 0x08, SEL_KDATA = 0x18, SEL_TSS = 0x40, SEL_LDT = 0x50, GDT_ENTRIES = 16,
    FLAGS_TAKEN = 0x244dd5 | FLAG_IF, /* of a state: the rest is fixed in user mode */
    MANY = 1000000,
};

struct diff_core {
    struct cpu *cpu;
    struct bus *mem, *io;
    uint8_t *ram;
    struct segment gdt[GDT_ENTRIES], ldt[LDT_COUNT];
    unsigned code_used[2];
    const struct diff_test *test;
};

static void put_desc(uint8_t *p, uint32_t base, uint32_t limit, uint32_t attr)
{
    put32(p, base << 16 | (limit & 0xffff));
    put32(p + 4, (base & 0xff000000u) | (limit & 0xf0000) | attr | (base >> 16 & 0xff));
}

/* A descriptor, and the register that has been loaded with it. */
static void make_entry(uint8_t *p, struct segment *s, uint16_t sel, uint32_t base, uint32_t limit,
                       uint32_t attr)
{
    put_desc(p, base, limit, attr);
    s->sel = sel;
    s->base = base;
    s->limit = attr >> 23 & 1 ? limit << 12 | 0xfff : limit;
    s->attr = attr >> 8 & 0xf0ff;
}

static void build_tables(struct diff_core *k)
{
    uint8_t *m = k->ram;

    for (unsigned n = 1; n < GDT_ENTRIES; n++) {
        uint32_t access, limit;
        if (host_selector(n << 3 | 3, &access, &limit)) {
            limit = access >> 23 & 1 ? limit >> 12 : limit;
            make_entry(m + GDT + n * 8, &k->gdt[n], (uint16_t)(n << 3 | 3), 0, limit,
                       access & 0xf0ff00);
        }
    }
    put_desc(m + GDT + SEL_KCODE, 0, 0xfffff, 0xc09b00);
    put_desc(m + GDT + SEL_KDATA, 0, 0xfffff, 0xc09300);
    put_desc(m + GDT + SEL_TSS, KERNEL_LA + TSS, 0x67, 0x8b00);
    put_desc(m + GDT + SEL_LDT, KERNEL_LA + LDT, LDT_COUNT * 8 - 1, 0x8200);
    for (unsigned n = 0; n < LDT_COUNT; n++) {
        const struct ldt_entry *e = diff_ldt(n);
        uint32_t attr = 0x107100 | (e->absent ? 0 : 0x8000) | (e->code ? 0x800 : 0) |
                        (e->down ? 0x400 : 0) | (e->read_exec_only ? 0 : 0x200) |
                        (e->big ? 0x400000 : 0) | (e->pages ? 0x800000 : 0);
        make_entry(m + LDT + n * 8, &k->ldt[n], LDT_SEL(n), e->base, e->limit, attr);
    }
    for (unsigned v = 0; v < 256; v++) {
        unsigned dpl = v == EXC_BP || v == EXC_OF ? 0x6000 : 0;
        put32(m + IDT + v * 8, (uint32_t)SEL_KCODE << 16 | (HANDLERS + v * 8));
        put32(m + IDT + v * 8 + 4, KERNEL_LA | 0x8e00 | dpl);
    }
    memset(m + HANDLERS, 0xf4, 256 * 8);
    put32(m + TSS + 4, KERNEL_LA + KERNEL_STACK);
    put16(m + TSS + 8, SEL_KDATA);
    put16(m + TSS + 0x66, 0x68);
}

static void build_pages(uint8_t *m)
{
    put32(m + PD + (KERNEL_LA >> 22) * 4, PT_LOW | 3);
    put32(m + PD + (CODE_LA >> 22) * 4, PT_CODE | 7);
    put32(m + PD + (WIN_LA >> 22) * 4, PT_WIN | 7);
    for (unsigned page = 0; page < RAM / PAGE_SIZE; page++) {
        put32(m + PT_LOW + page * 4, page * PAGE_SIZE | 3);
    }
    put32(m + PT_CODE, CODE | 5);
    put32(m + PT_CODE + 4, (CODE + PAGE_SIZE) | 5);
    put32(m + PT_WIN, WIN | 7);
    put32(m + PT_WIN + 4, (WIN + PAGE_SIZE) | 7);
    put32(m + PT_WIN + 8, RO | 5);
}

struct diff_core *core_new(bool generic_only)
{
    struct diff_core *k = calloc(1, sizeof *k);
    struct err e = {{0}};

    if (!k) {
        return NULL;
    }
    k->mem = bus_new((uint64_t)1 << 36);
    k->io = bus_new(65536);
    k->ram = aligned_alloc(PAGE_SIZE, RAM);
    if (!k->mem || !k->io || !k->ram ||
        bus_map_ram(k->mem, 0, RAM, k->ram, BUS_RW, PRIO_RAM) < 0) {
        core_free(k);
        return NULL;
    }
    struct cpu_config cfg = {
        .mem = k->mem, .io = k->io, .model = "max", .generic_only = generic_only};
    k->cpu = cpu_new(&cfg, &e);
    if (!k->cpu) {
        fprintf(stderr, "%s\n", e.text);
        core_free(k);
        return NULL;
    }
    struct bus_client client = cpu_bus_client(k->cpu);
    bus_set_client(k->mem, &client);
    cpu_set_a20(k->cpu, true);
    memset(k->ram, 0, RAM);
    memset(k->ram + CODE, 0xcc, CODE_SIZE);
    build_tables(k);
    build_pages(k->ram);

    struct cpu *c = k->cpu;
    c->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    c->cr3 = PD;
    c->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    c->gdtr = (struct desc_table){KERNEL_LA + GDT, GDT_ENTRIES * 8 - 1};
    c->idtr = (struct desc_table){KERNEL_LA + IDT, 0x7ff};
    c->ldtr = (struct segment){.base = KERNEL_LA + LDT, .limit = LDT_COUNT * 8 - 1,
                               .attr = ATTR_P | DESC_LDT, .sel = SEL_LDT};
    c->tr = (struct segment){.base = KERNEL_LA + TSS, .limit = 0x67,
                             .attr = ATTR_P | DESC_TSS32_BUSY, .sel = SEL_TSS};
    tlb_flush_all(c);
    return k;
}

void core_free(struct diff_core *k)
{
    cpu_free(k->cpu);
    if (k->mem) {
        bus_free(k->mem);
    }
    if (k->io) {
        bus_free(k->io);
    }
    free(k->ram);
    free(k);
}

uint8_t *core_window(struct diff_core *k)
{
    return k->ram + WIN;
}

uint32_t diff_end(const struct diff_test *t)
{
    return t->code_la - t->cs_base + t->at[t->n + 1];
}

void diff_clear_window(uint8_t *window)
{
    static const uint8_t zero[WIN_SIZE];
    enum { BEHIND = FILL_AT + FILL_SIZE };

    if (memcmp(window, zero, FILL_AT) != 0 ||
        memcmp(window + BEHIND, zero, WIN_SIZE - BEHIND) != 0) {
        memset(window, 0, WIN_SIZE);
    }
}

/* --- before ---------------------------------------------------------------------------------- */

void core_set_code(struct diff_core *k, const struct diff_test *t)
{
    unsigned at = t->code_la - CODE_LA, len = t->len;

    if (at + len > CODE_SIZE) {
        len = CODE_SIZE - at;
    }
    bus_write_block(k->mem, CODE + at, t->code, len);
    k->code_used[0] = at;
    k->code_used[1] = len;
}

static void clear_code(struct diff_core *k)
{
    uint8_t fill[DIFF_MAX_CODE];

    memset(fill, 0xcc, sizeof fill);
    bus_write_block(k->mem, CODE + k->code_used[0], fill, k->code_used[1]);
}

static void load_segment(struct diff_core *k, unsigned seg, uint32_t sel)
{
    struct cpu *c = k->cpu;

    if (sel < 4) {
        c->seg[seg] = (struct segment){.sel = (uint16_t)sel};
    } else if (sel & 4) {
        c->seg[seg] = k->ldt[sel >> 3];
    } else {
        c->seg[seg] = k->gdt[sel >> 3];
    }
}

static void load_fpu(struct cpu *c, const uint8_t *fx)
{
    fpu_set_control_word(c, get16(fx + FX_CW));
    fpu_set_status_word(c, get16(fx + FX_SW));
    fpu_update_summary(c);
    c->fpu.empty = (uint8_t)~fx[FX_TAGS];
    c->fpu.mxcsr = get32(fx + FX_MXCSR);
    for (unsigned n = 0; n < 8; n++) {
        const uint8_t *st = fx + FX_ST + n * 16, *x = fx + FX_XMM + n * 16;
        c->fpu.st[fpu_phys(c, n)] = (struct f80){get64(st), get16(st + 8)};
        c->xmm[n] = (struct xmm){{get64(x), get64(x + 8)}};
    }
}

void core_load(struct diff_core *k, const struct diff_test *t)
{
    struct cpu *c = k->cpu;

    clear_code(k);
    core_set_code(k, t);
    diff_clear_window(k->ram + WIN);
    memcpy(k->ram + WIN + FILL_AT, t->fill, FILL_SIZE);
    for (unsigned seg = 0; seg < SEG_COUNT; seg++) {
        load_segment(k, seg, t->before.sel[seg]);
    }
    for (unsigned r = 0; r < 8; r++) {
        c->r.q[r] = t->before.r[r];
    }
    c->eip = t->before.eip;
    flags_put(c, (t->before.eflags & FLAGS_TAKEN) | 2);
    c->halted = c->shutdown = c->step = false;
    c->shadow = 0;
    c->debug_trap = 0;
    cpu_set_cpl(c, 3);
    cpu_update_mode(c);
    trace_unlink(c); /* CS was not loaded the usual way */
    load_fpu(c, t->before.fx);
    k->test = t;
}

/* --- running --------------------------------------------------------------------------------- */

uint32_t core_reg(const struct diff_core *k, unsigned r)
{
    return (uint32_t)k->cpu->r.q[r];
}

uint32_t core_segment_base(const struct diff_core *k, unsigned seg)
{
    return (uint32_t)k->cpu->seg[seg].base;
}

static void step_once(struct cpu *c)
{
    if (trace_flush_pending(c)) {
        trace_flush_now(c);
    }
    c->eflags &= ~(uint32_t)FLAG_RF;
    c->shadow = 0;
    c->step = (c->eflags & FLAG_TF) != 0;
    c->until = c->icount + 1;
    cpu_slice_begin(c, 1);
    cpu_execute(c, trace_lookup(c, MODE_ONE));
    cpu_slice_end(c);
    if (c->step) {
        c->step = false;
        c->debug_trap |= 1u << 14;
    }
    if (c->debug_trap && !c->shutdown) {
        intr_debug_trap(c);
    }
}

bool core_step(struct diff_core *k, bool rep, uint32_t *eip, unsigned *cs)
{
    struct cpu *c = k->cpu;
    uint64_t start = c->eip;
    unsigned steps = 0;

    do {
        step_once(c);
    } while (rep && c->eip == start && c->cpl == 3 && !c->shutdown && ++steps < MANY);
    *eip = (uint32_t)c->eip;
    *cs = c->seg[SEG_CS].sel;
    return c->cpl == 3 && !c->shutdown;
}

void core_run(struct diff_core *k)
{
    cpu_run(k->cpu, k->cpu->icount + MANY);
}

/* --- after ----------------------------------------------------------------------------------- */

static void read_fpu(const struct cpu *c, uint8_t *fx)
{
    memset(fx, 0, 512);
    put16(fx + FX_CW, c->fpu.cw);
    put16(fx + FX_SW, fpu_status_word(c));
    fx[FX_TAGS] = (uint8_t)~c->fpu.empty;
    put32(fx + FX_MXCSR, c->fpu.mxcsr);
    for (unsigned n = 0; n < 8; n++) {
        struct f80 v = fpu_st(c, n);
        put64(fx + FX_ST + n * 16, v.sig);
        put16(fx + FX_ST + n * 16 + 8, v.sexp);
        put64(fx + FX_XMM + n * 16, c->xmm[n].q[0]);
        put64(fx + FX_XMM + n * 16 + 8, c->xmm[n].q[1]);
    }
}

/* A CPL 0 handler was entered: what its frame says. */
static void read_frame(const struct diff_core *k, struct diff_result *r)
{
    const struct cpu *c = k->cpu;
    uint32_t sp = (uint32_t)c->r.q[REG_ESP] - KERNEL_LA;

    r->trap = (unsigned)(c->eip - KERNEL_LA - HANDLERS) / 8;
    if (sp == KERNEL_STACK - 24) {
        r->err = get32(k->ram + sp);
        sp += 4;
    }
    if (sp != KERNEL_STACK - 20) {
        r->trap = TRAP_CRASH;
        return;
    }
    r->s.eip = get32(k->ram + sp);
    r->s.sel[SEG_CS] = get32(k->ram + sp + 4);
    r->s.eflags = get32(k->ram + sp + 8);
    r->s.r[REG_ESP] = get32(k->ram + sp + 12);
    r->s.sel[SEG_SS] = get32(k->ram + sp + 16);
    r->cr2 = r->trap == EXC_PF ? (uint32_t)c->cr2 : 0;
}

void core_result(const struct diff_core *k, struct diff_result *r)
{
    const struct cpu *c = k->cpu;
    const struct diff_test *t = k->test;

    memset(r, 0, sizeof *r);
    for (unsigned n = 0; n < 8; n++) {
        r->s.r[n] = (uint32_t)c->r.q[n];
    }
    for (unsigned seg = 0; seg < SEG_COUNT; seg++) {
        r->s.sel[seg] = c->seg[seg].sel;
    }
    r->s.eip = (uint32_t)c->eip;
    r->s.eflags = flags_get(c);
    read_fpu(c, r->s.fx);
    if (c->shutdown) {
        r->trap = TRAP_CRASH;
    } else if (c->cpl == 3) {
        r->trap = TRAP_HANG;
    } else {
        read_frame(k, r);
    }
    if (r->trap == EXC_PF && r->s.eip == EXIT_LA && r->s.sel[SEG_CS] == SEL_USER64) {
        r->trap = TRAP_NONE;
        r->err = r->cr2 = 0;
        r->s.eip = diff_end(t);
        r->s.sel[SEG_CS] = t->before.sel[SEG_CS];
    }
}
