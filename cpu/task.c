/*
 * Hardware task switching with 16- and 32-bit TSSs.
 *
 * Source: Intel SDM vol. 3 chapter 7 (7.2, 7.3, table 7-1, 7-2).
 * Everything that belongs to the outgoing task is checked before the first store; from the loading
 * of TR on, faults (segments of the new TSS, its stack) are raised in the new task, whose
 * registers are then complete, with the segment registers not yet checked left empty.
 */
#include "cpu/system.h"

/* Registers as a TSS holds them, widths evened out. */
struct task_state {
    uint32_t cr3, eip, eflags, r[8];
    uint16_t seg[SEG_COUNT]; /* by SEG_ number */
    uint16_t ldt;
    bool trap;
};

struct tss_layout {
    uint16_t min_limit;
    uint8_t size;    /* of EIP, EFLAGS and general registers */
    uint8_t eip, regs, segs, seg_step, nsegs, ldt;
    uint8_t save_end; /* end of the dynamic part: EIP up to the last segment register */
};
static const struct tss_layout layout16 = {0x2b, 2, 0x0e, 0x12, 0x22, 2, 4, 0x2a, 0x2a};
static const struct tss_layout layout32 = {0x67, 4, 0x20, 0x28, 0x48, 4, 6, 0x60, 0x60};

static bool tss_read(struct cpu *c, uint64_t base, const struct tss_layout *l, struct task_state *t)
{
    uint64_t v;
    unsigned n;

    memset(t, 0, sizeof *t);
    if (l->size == 4) {
        if (!sys_read(c, base + 0x1c, 4, &v)) {
            return false;
        }
        t->cr3 = (uint32_t)v;
    }
    if (!sys_read(c, base + l->eip, l->size, &v)) {
        return false;
    }
    t->eip = (uint32_t)v;
    if (!sys_read(c, base + l->eip + l->size, l->size, &v)) {
        return false;
    }
    t->eflags = (uint32_t)v;
    for (n = 0; n < 8; n++) {
        if (!sys_read(c, base + l->regs + n * l->size, l->size, &v)) {
            return false;
        }
        t->r[n] = (uint32_t)v | (l->size == 2 ? 0xffff0000u : 0);
    }
    for (n = 0; n < l->nsegs; n++) {
        if (!sys_read(c, base + l->segs + n * l->seg_step, 2, &v)) {
            return false;
        }
        t->seg[n] = (uint16_t)v;
    }
    if (!sys_read(c, base + l->ldt, 2, &v)) {
        return false;
    }
    t->ldt = (uint16_t)v;
    if (l->size == 4) {
        if (!sys_read(c, base + 0x64, 2, &v)) {
            return false;
        }
        t->trap = v & 1;
    }
    return true;
}

/* The stores cannot fail: the range was probed. */
static void tss_save(struct cpu *c, const struct tss_layout *l, uint32_t eip, uint32_t eflags)
{
    uint64_t base = c->tr.base;
    unsigned n;

    (void)sys_write(c, base + l->eip, l->size, eip);
    (void)sys_write(c, base + l->eip + l->size, l->size, eflags);
    for (n = 0; n < 8; n++) {
        (void)sys_write(c, base + l->regs + n * l->size, l->size, reg32(c, n));
    }
    for (n = 0; n < l->nsegs; n++) {
        (void)sys_write(c, base + l->segs + n * l->seg_step, 2, c->seg[n].sel);
    }
}

/* --- the new task's segments ---------------------------------------------------------------- */

static bool load_ldt(struct cpu *c, uint16_t sel)
{
    struct desc d;

    c->ldtr = (struct segment){.sel = sel};
    if (sel_null(sel)) {
        return true;
    }
    if (sel & 4) {
        return exc_sel(c, EXC_TS, sel);
    }
    if (!desc_fetch(c, sel, EXC_TS, &d)) {
        return false;
    }
    if (desc_is_segment(&d) || desc_type(&d) != DESC_LDT || !desc_present(&d)) {
        return exc_sel(c, EXC_TS, sel);
    }
    c->ldtr = desc_to_segment(sel, &d);
    return true;
}

/* CS of a new task: its RPL becomes the CPL. */
static bool load_code(struct cpu *c, uint16_t sel)
{
    struct seg_value v;
    struct desc d;
    bool fits;

    if (sel_null(sel)) {
        return exc_set_err(c, EXC_TS, 0);
    }
    if (!desc_fetch(c, sel, EXC_TS, &d)) {
        return false;
    }
    fits = desc_is_conforming(&d) ? desc_dpl(&d) <= (sel & 3u) : desc_dpl(&d) == (sel & 3u);
    if (!desc_is_code(&d) || !fits) {
        return exc_sel(c, EXC_TS, sel);
    }
    if (!desc_present(&d)) {
        return exc_sel(c, EXC_NP, sel);
    }
    if (!desc_set_accessed(c, &d)) {
        return false;
    }
    desc_segment(c, SEG_CS, sel, &d, &v);
    seg_set_value(c, SEG_CS, &v);
    return true;
}

static bool load_segments(struct cpu *c, const struct task_state *t)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    struct seg_value v;
    unsigned n;

    if (!load_ldt(c, t->ldt)) {
        return false;
    }
    if (t->eflags & FLAG_VM) {
        for (n = 0; n < SEG_COUNT; n++) {
            seg_load_real(c, n, t->seg[n]);
        }
        return true;
    }
    if (!seg_prepare(c, SEG_SS, t->seg[SEG_SS], t->seg[SEG_CS] & 3, EXC_TS, &v)) {
        return false;
    }
    cpu_set_cpl(c, t->seg[SEG_CS] & 3);
    seg_set_value(c, SEG_SS, &v);
    if (!load_code(c, t->seg[SEG_CS])) {
        return false;
    }
    for (n = 0; n < ARRAY_LEN(data); n++) {
        if (!seg_prepare(c, data[n], t->seg[data[n]], c->cpl, EXC_TS, &v)) {
            return false;
        }
        seg_set_value(c, data[n], &v);
    }
    return c->eip <= c->seg[SEG_CS].limit || exc_set_err(c, EXC_GP, 0);
}

/*
 * Selectors are in place at once, what they mean only after each one's check.  Until there is a
 * stack the CPL is 3, so that a fault goes to the inner stack of the new TSS.
 */
static void take_registers(struct cpu *c, const struct task_state *t, uint32_t eflags)
{
    unsigned n;

    for (n = 0; n < 8; n++) {
        set_reg32(c, n, t->r[n]);
    }
    c->eip = t->eip;
    flags_put(c, eflags & (c->eflags_mask | 2));
    for (n = 0; n < SEG_COUNT; n++) {
        c->seg[n].sel = t->seg[n];
        c->seg[n].attr &= ~(uint32_t)ATTR_P;
    }
    c->cpl = 3;
}

static bool push_error(struct cpu *c, unsigned size, uint32_t error)
{
    struct frame f;

    frame_start(&f, &c->seg[SEG_SS], reg32(c, REG_ESP), size, c->cpl == 3, 0);
    frame_push(&f, error);
    if (!frame_check(c, &f)) {
        return false;
    }
    frame_store(c, &f);
    set_reg32(c, REG_ESP, f.esp);
    return true;
}

/* --- the switch ----------------------------------------------------------------------------- */

/* Descriptor of the TSS to switch to; IRET wants a busy one and reports #TS. */
static bool fetch_tss(struct cpu *c, uint16_t sel, enum task_reason why, struct desc *d)
{
    unsigned vector = why == TASK_IRET ? EXC_TS : EXC_GP;
    unsigned want = why == TASK_IRET ? DESC_TSS16_BUSY : DESC_TSS16;

    if (sel_null(sel) || (sel & 4)) {
        return exc_sel(c, vector, sel);
    }
    if (!desc_fetch(c, sel, vector, d)) {
        return false;
    }
    if (desc_is_segment(d) || (desc_type(d) & ~8u) != want) {
        return exc_sel(c, vector, sel);
    }
    if (!desc_present(d)) {
        return exc_sel(c, EXC_NP, sel);
    }
    if (desc_limit(d) < (desc_type(d) & 8 ? layout32.min_limit : layout16.min_limit)) {
        return exc_sel(c, EXC_TS, sel);
    }
    return true;
}

/* Everything of the old task, the descriptors and the new TSS that will be written. */
static bool probe(struct cpu *c, const struct tss_layout *old, const struct desc *new_tss,
                  uint64_t new_base, enum task_reason why, struct desc *old_desc)
{
    bool nested = why == TASK_CALL || why == TASK_INT, fault;

    if (c->tr.limit < old->min_limit) {
        return exc_sel(c, EXC_TS, c->tr.sel);
    }
    if (!priv_probe(c, c->tr.base + old->eip, old->save_end - old->eip, true, false) ||
        !priv_probe(c, (uint32_t)(new_tss->la + 5), 1, true, false) ||
        (nested && !priv_probe(c, new_base, 2, true, false))) {
        return false;
    }
    if (!nested) {
        if (!desc_look(c, c->tr.sel, old_desc, &fault)) {
            return !fault && exc_sel(c, EXC_TS, c->tr.sel);
        }
        return priv_probe(c, (uint32_t)(old_desc->la + 5), 1, true, false);
    }
    return true;
}

/* CR3 of the new task; reserved bits in PAE pointers are the new task's fault. */
static bool switch_cr3(struct cpu *c, uint32_t cr3)
{
    if (!(c->cr0 & CR0_PG)) {
        return true;
    }
    if (mmu_is_pae(c->cr0, c->cr4, c->efer) && !mmu_load_pdptes(c, cr3)) {
        return exc_set_err(c, EXC_GP, 0);
    }
    c->cr3 = cr3;
    tlb_flush_nonglobal(c);
    return true;
}

enum transfer task_enter(struct cpu *c, uint16_t sel, enum task_reason why, uint64_t next_eip,
                         bool has_error, uint32_t error)
{
    const struct tss_layout *old = c->tr.attr & 8 ? &layout32 : &layout16, *fresh;
    uint32_t saved_flags = flags_get(c);
    struct desc d, old_desc;
    struct task_state t;
    struct segment tr;

    if (!fetch_tss(c, sel, why, &d)) {
        return TRANSFER_FAULT;
    }
    tr = desc_to_segment(sel, &d);
    fresh = desc_type(&d) & 8 ? &layout32 : &layout16;
    if (!tss_read(c, tr.base, fresh, &t) || !probe(c, old, &d, tr.base, why, &old_desc)) {
        return TRANSFER_FAULT;
    }
    /* Commit: the old task first, it may be the same TSS. */
    if (why == TASK_IRET) {
        saved_flags &= ~(uint32_t)FLAG_NT;
    }
    tss_save(c, old, (uint32_t)next_eip, saved_flags);
    if (why == TASK_JMP || why == TASK_IRET) {
        (void)desc_set_busy(c, &old_desc, false);
    }
    if (why == TASK_CALL || why == TASK_INT) {
        (void)sys_write(c, tr.base, 2, c->tr.sel);
        t.eflags |= FLAG_NT;
    }
    if (why != TASK_IRET) {
        (void)desc_set_busy(c, &d, true);
    }
    tr.attr |= 2;
    c->tr = tr;
    c->cr0 |= CR0_TS;
    c->dr[7] &= ~(uint64_t)0x155; /* local breakpoints belong to the old task */
    take_registers(c, &t, t.eflags);
    cpu_update_mode(c);
    if ((fresh->size == 4 && !switch_cr3(c, t.cr3)) || !load_segments(c, &t)) {
        return TRANSFER_FAULT_NEW;
    }
    if (has_error && !push_error(c, fresh->size, error)) {
        return TRANSFER_FAULT_NEW;
    }
    c->step = false;
    if (t.trap) {
        c->debug_trap |= 1u << 15; /* BT */
    }
    return TRANSFER_DONE;
}

struct insn *transfer_end(struct cpu *c, struct insn *i, enum transfer t)
{
    if (t == TRANSFER_FAULT) {
        return cpu_fault(c, i);
    }
    if (t == TRANSFER_FAULT_NEW) {
        intr_exception(c, c->eip);
    }
    return cpu_leave_at(c, i, c->eip);
}
