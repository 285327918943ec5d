/*
 * Interrupts and exceptions: delivery in real, V86 and protected mode, stack switches, escalation.
 *
 * Source: Intel SDM vol. 3 chapters 6 (6.12, 6.13, 6.15), 20.2, 20.3 (V86 and VME), vol. 2 INT n.
 * Invariants: a delivery that fails changes nothing but c->exc, except after a task switch has
 * been committed (TRANSFER_FAULT_NEW); escalation ends after a few steps, in shutdown at the
 * latest.
 */
#include "cpu/cpuid.h"
#include "cpu/system.h"
#include "memory/bytes.h"

#define DR7_GD (1u << 13)
#define DR6_B 15u

/* --- frames --------------------------------------------------------------------------------- */

void frame_start(struct frame *f, const struct segment *ss, uint32_t esp, unsigned size, bool user,
                 uint16_t error)
{
    f->ss = ss;
    f->esp = esp;
    f->mask = ss->attr & ATTR_DB ? 0xffffffffu : 0xffff;
    f->size = size;
    f->user = user;
    f->error = error;
    f->host = NULL;
    f->n = 0;
}

static bool frame_check_value(struct cpu *c, const struct frame *f, uint32_t ea)
{
    uint32_t la = (uint32_t)f->ss->base + ea;

    if ((uint64_t)(uint32_t)(ea - f->ss->lo) + f->size > f->ss->wlen) {
        return exc_set_err(c, EXC_SS, f->error);
    }
    if (f->user && (c->eflags & FLAG_AC) && (c->cr0 & CR0_AM) && (la & (f->size - 1))) {
        return exc_set_err(c, EXC_AC, 0);
    }
    return priv_probe(c, la, f->size, true, f->user);
}

/* In the order of the pushes, which decides about CR2. */
bool frame_check(struct cpu *c, struct frame *f)
{
    unsigned total = f->n * f->size, k;
    uint32_t ea = (f->esp - total) & f->mask;

    if ((uint64_t)ea + total <= (uint64_t)f->mask + 1 &&
        LIKELY((uint64_t)(uint32_t)(ea - f->ss->lo) + total <= f->ss->wlen)) {
        f->host = store_room(tlb_for(c, f->user), (uint32_t)(f->ss->base + ea), total);
        if (LIKELY(f->host != NULL)) {
            return true;
        }
    }
    for (k = 1; k <= f->n; k++) {
        if (!frame_check_value(c, f, (f->esp - k * f->size) & f->mask)) {
            return false;
        }
    }
    return true;
}

void frame_store(struct cpu *c, struct frame *f)
{
    unsigned k;

    if (LIKELY(f->host && f->size == 4)) {
        for (k = 0; k < f->n; k++) {
            put32(f->host + (f->n - 1 - k) * 4, f->val[k]);
        }
    } else if (LIKELY(f->host)) {
        for (k = 0; k < f->n; k++) {
            put16(f->host + (f->n - 1 - k) * 2, (uint16_t)f->val[k]);
        }
    } else {
        for (k = 0; k < f->n; k++) {
            uint32_t ea = (f->esp - (k + 1) * f->size) & f->mask;

            (void)priv_write(c, f->ss->base + ea, f->size, f->user, f->val[k]);
        }
    }
    f->esp = (f->esp & ~f->mask) | ((f->esp - f->n * f->size) & f->mask);
}

bool tss_stack(struct cpu *c, unsigned cpl, uint16_t *ss, uint32_t *esp)
{
    bool wide = c->tr.attr & 8;
    uint32_t at = wide ? 4 + cpl * 8 : 2 + cpl * 4;
    uint64_t sp, sel;

    if (at + (wide ? 5u : 3u) > c->tr.limit) {
        return exc_sel(c, EXC_TS, c->tr.sel);
    }
    if (LIKELY(wide)) { /* both at once, the upper half of SS is ignored */
        const uint8_t *host = tlb_read_hit(tlb_for(c, false), (uint32_t)(c->tr.base + at), 6);

        if (LIKELY(host != NULL)) {
            *esp = get32(host);
            *ss = get16(host + 4);
            return true;
        }
    }
    if (!sys_read(c, c->tr.base + at, wide ? 4 : 2, &sp) ||
        !sys_read(c, c->tr.base + at + (wide ? 4 : 2), 2, &sel)) {
        return false;
    }
    *esp = (uint32_t)sp;
    *ss = (uint16_t)sel;
    return true;
}

/* --- real mode ------------------------------------------------------------------------------ */

/*
 * The common case of real mode, and of V86 mode with a vector table of its own: the pointer of the
 * vector is at la, three words go to the stack, CS gets a new base.  False: nothing has been done.
 */
ALWAYS_INLINE bool vector_quick(struct cpu *c, uint32_t la, uint32_t image, uint32_t clear,
                                uint64_t eip)
{
    const uint8_t *entry = tlb_read_hit(c->tlb, la, 4);
    uint8_t *frame = stack_room(c, 6);
    uint32_t target;

    if (UNLIKELY(!entry || !frame || (c->eflags & (FLAG_TF | FLAG_AC)) || !c->seg[SEG_CS].real)) {
        return false;
    }
    target = get32(entry); /* before the frame, which may lie over it */
    put16(frame + 4, (uint16_t)image);
    put16(frame + 2, c->seg[SEG_CS].sel);
    put16(frame, (uint16_t)eip);
    stack_set(c, reg32(c, REG_ESP) - 6);
    c->eflags &= ~clear;
    seg_move_real(c, SEG_CS, (uint16_t)(target >> 16));
    c->eip = target & 0xffff;
    return true;
}

static enum transfer real_interrupt(struct cpu *c, uint8_t vector, uint64_t eip)
{
    uint32_t clear = FLAG_IF | FLAG_TF | FLAG_RF | FLAG_AC;
    struct segment cs;
    struct frame f;
    uint64_t v;

    if (vector * 4u + 3 > c->idtr.limit) {
        exc_set_err(c, EXC_GP, vector * 8u + 2);
        return TRANSFER_FAULT;
    }
    if (LIKELY(vector_quick(c, (uint32_t)c->idtr.base + vector * 4u, flags_get(c), clear, eip))) {
        return TRANSFER_DONE;
    }
    frame_start(&f, &c->seg[SEG_SS], reg32(c, REG_ESP), 2, false, 0);
    frame_push(&f, flags_get(c));
    frame_push(&f, c->seg[SEG_CS].sel);
    frame_push(&f, (uint32_t)eip);
    if (!sys_read(c, c->idtr.base + vector * 4u, 4, &v) || !frame_check(c, &f)) {
        return TRANSFER_FAULT;
    }
    frame_store(c, &f);
    set_reg32(c, REG_ESP, f.esp);
    c->eflags &= ~clear;
    cs = seg_real(c, SEG_CS, (uint16_t)(v >> 16));
    seg_set(c, SEG_CS, &cs, cs.sel);
    cpu_update_mode(c);
    c->eip = v & 0xffff;
    return TRANSFER_DONE;
}

/* --- protected mode ------------------------------------------------------------------------- */

/* A failed delivery; selector error codes tell that the event came from outside of the program. */
static enum transfer refused(struct cpu *c, bool ext)
{
    if (ext && c->exc.vector >= EXC_TS && c->exc.vector <= EXC_GP) {
        c->exc.error |= 1;
    }
    return TRANSFER_FAULT;
}

/* What an interrupt or trap gate leads to. */
struct target {
    struct seg_value cs, ss; /* ss only with a stack of its own */
    unsigned cpl;
    bool inner; /* switches stacks */
    uint32_t eip, esp;
};

/* CS checks of a gate with selector sel; then the stack it runs on. */
static bool gate_target(struct cpu *c, const struct desc *gate, struct target *t)
{
    uint16_t sel = gate_selector(gate), ss;
    struct desc d;

    if (sel_null(sel)) {
        return exc_set_err(c, EXC_GP, 0);
    }
    if (!desc_fetch(c, sel, EXC_GP, &d)) {
        return false;
    }
    if (!desc_is_code(&d) || desc_dpl(&d) > c->cpl) {
        return exc_sel(c, EXC_GP, sel);
    }
    if (!desc_present(&d)) {
        return exc_sel(c, EXC_NP, sel);
    }
    t->cpl = desc_is_conforming(&d) ? c->cpl : desc_dpl(&d);
    if (v86_mode(c) && t->cpl != 0) {
        return exc_sel(c, EXC_GP, sel);
    }
    t->inner = t->cpl < c->cpl;
    if (t->inner) {
        if (!tss_stack(c, t->cpl, &ss, &t->esp) ||
            !seg_prepare_stack(c, ss, t->cpl, EXC_TS, &t->ss)) {
            return false;
        }
    } else {
        t->ss.s = &c->seg[SEG_SS];
        t->esp = reg32(c, REG_ESP);
    }
    t->eip = gate_offset(gate);
    if (!desc_set_accessed(c, &d)) {
        return false;
    }
    desc_segment(c, SEG_CS, (uint16_t)((sel & 0xfffc) | t->cpl), &d, &t->cs);
    return t->eip <= t->cs.s->limit || exc_set_err(c, EXC_GP, 0);
}

static void push_outer_state(const struct cpu *c, struct frame *f)
{
    if (v86_mode(c)) {
        frame_push(f, c->seg[SEG_GS].sel);
        frame_push(f, c->seg[SEG_FS].sel);
        frame_push(f, c->seg[SEG_DS].sel);
        frame_push(f, c->seg[SEG_ES].sel);
    }
    frame_push(f, c->seg[SEG_SS].sel);
    frame_push(f, reg32(c, REG_ESP));
}

static void clear_data_segments(struct cpu *c)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    unsigned n;

    for (n = 0; n < ARRAY_LEN(data); n++) {
        struct segment *s = &c->seg[data[n]];

        s->sel = 0;
        s->flat = s->real = 0;
        s->attr = s->lo = 0;
        s->rlen = s->wlen = 0;
    }
}

static enum transfer gate_interrupt(struct cpu *c, const struct desc *gate, enum intr_source src,
                                    bool has_error, uint32_t error, uint64_t eip)
{
    uint32_t clear = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM;
    bool ext = src != INTR_SOFT, from_v86 = v86_mode(c), stepping = c->eflags & FLAG_TF;
    struct target t;
    struct frame f;

    if (!gate_target(c, gate, &t)) {
        return refused(c, ext);
    }
    frame_start(&f, t.ss.s, t.esp, desc_type(gate) & 8 ? 4 : 2, t.cpl == 3,
                t.inner ? t.ss.sel & 0xfffc : 0);
    if (t.inner) {
        push_outer_state(c, &f);
    }
    frame_push(&f, src == INTR_SOFT ? flags_get(c) & ~(uint32_t)FLAG_RF : flags_get(c));
    frame_push(&f, c->seg[SEG_CS].sel);
    frame_push(&f, (uint32_t)eip);
    if (has_error) {
        frame_push(&f, error);
    }
    if (!frame_check(c, &f)) {
        return refused(c, ext);
    }
    frame_store(c, &f);
    if (desc_type(gate) == DESC_INT16 || desc_type(gate) == DESC_INT32) {
        clear |= FLAG_IF;
    }
    c->eflags &= ~clear;
    cpu_set_cpl(c, t.cpl);
    set_reg32(c, REG_ESP, f.esp);
    if (t.inner) {
        seg_set_value(c, SEG_SS, &t.ss);
    }
    seg_set_value(c, SEG_CS, &t.cs);
    if (from_v86) {
        clear_data_segments(c);
    }
    if (from_v86 || stepping) {
        seg_update_mode(c);
    }
    c->eip = t.eip;
    return TRANSFER_DONE;
}

static enum transfer protected_interrupt(struct cpu *c, uint8_t vector, enum intr_source src,
                                         bool has_error, uint32_t error, uint64_t eip)
{
    uint32_t where = vector * 8u + 2;
    bool ext = src != INTR_SOFT;
    struct desc gate;
    uint64_t v;

    if (vector * 8u + 7 > c->idtr.limit) {
        exc_set_err(c, EXC_GP, where);
        return refused(c, ext);
    }
    gate.la = c->idtr.base + vector * 8u;
    if (!sys_load(c, gate.la, 8, &v)) {
        return TRANSFER_FAULT;
    }
    gate.lo = (uint32_t)v;
    gate.hi = (uint32_t)(v >> 32);
    switch (desc_is_segment(&gate) ? 0 : desc_type(&gate)) {
    case DESC_TASK_GATE:
    case DESC_INT16:
    case DESC_TRAP16:
    case DESC_INT32:
    case DESC_TRAP32:
        break;
    default:
        exc_set_err(c, EXC_GP, where);
        return refused(c, ext);
    }
    if (src == INTR_SOFT && desc_dpl(&gate) < c->cpl) {
        exc_set_err(c, EXC_GP, where);
        return TRANSFER_FAULT;
    }
    if (!desc_present(&gate)) {
        exc_set_err(c, EXC_NP, where);
        return refused(c, ext);
    }
    if (desc_type(&gate) == DESC_TASK_GATE) {
        enum transfer t = task_enter(c, gate_selector(&gate), TASK_INT, eip, has_error, error);

        if (t != TRANSFER_DONE) {
            refused(c, ext);
        }
        return t;
    }
    return gate_interrupt(c, &gate, src, has_error, error, eip);
}

enum transfer intr_transfer(struct cpu *c, uint8_t vector, enum intr_source src, bool has_error,
                            uint32_t error, uint64_t eip)
{
    enum transfer t;

    if (protected_mode(c)) {
        t = protected_interrupt(c, vector, src, has_error, error, eip);
    } else {
        t = real_interrupt(c, vector, eip);
    }
    if (t == TRANSFER_DONE) {
        c->step = false;
        if (vector == EXC_DB && src != INTR_SOFT && (c->dr[7] & DR7_GD)) {
            c->dr[7] &= ~(uint64_t)DR7_GD; /* the handler may use the debug registers */
        }
    }
    return t;
}

bool intr_deliver(struct cpu *c, uint8_t vector, enum intr_source src, bool has_error,
                  uint32_t error, uint64_t eip)
{
    return intr_transfer(c, vector, src, has_error, error, eip) == TRANSFER_DONE;
}

/* --- V86 with VME: INT n through the task's own vector table -------------------------------- */

/* The redirection bit of a vector (SDM vol. 3, 20.3.3); false with c->exc when the TSS has none. */
static bool redirection_bit(struct cpu *c, uint8_t vector, bool *protected_handler)
{
    uint64_t map, bits;
    uint32_t at;

    if (!(c->tr.attr & 8) || c->tr.limit < 0x67) {
        return exc_set_err(c, EXC_GP, 0);
    }
    if (!sys_load(c, c->tr.base + 0x66, 2, &map)) {
        return false;
    }
    at = (uint32_t)map - 32 + vector / 8u;
    if (map < 32 || at > c->tr.limit) {
        return exc_set_err(c, EXC_GP, 0);
    }
    if (!sys_load(c, c->tr.base + at, 1, &bits)) {
        return false;
    }
    *protected_handler = bits >> (vector & 7) & 1;
    return true;
}

static enum transfer v86_redirect(struct cpu *c, uint8_t vector, uint64_t eip)
{
    uint32_t image = flags_get(c);
    bool virtual_if = cpu_iopl(c) < 3;
    uint32_t clear = FLAG_TF | FLAG_RF | FLAG_NT | (virtual_if ? FLAG_VIF : FLAG_IF);
    struct segment cs;
    struct frame f;
    uint64_t v;

    if (virtual_if) {
        image = (image & ~(uint32_t)FLAG_IF) | FLAG_IOPL | (image & FLAG_VIF ? FLAG_IF : 0);
    }
    if (LIKELY(vector_quick(c, vector * 4u, image, clear, eip))) {
        c->step = false;
        return TRANSFER_DONE;
    }
    frame_start(&f, &c->seg[SEG_SS], reg32(c, REG_ESP), 2, true, 0);
    frame_push(&f, image);
    frame_push(&f, c->seg[SEG_CS].sel);
    frame_push(&f, (uint32_t)eip);
    if (!priv_read(c, vector * 4u, 4, true, &v) || !frame_check(c, &f)) {
        return TRANSFER_FAULT;
    }
    frame_store(c, &f);
    set_reg32(c, REG_ESP, f.esp);
    c->eflags &= ~clear;
    cs = seg_real(c, SEG_CS, (uint16_t)(v >> 16));
    seg_set(c, SEG_CS, &cs, cs.sel);
    seg_update_mode(c); /* TF */
    c->eip = v & 0xffff;
    c->step = false;
    return TRANSFER_DONE;
}

enum transfer intr_v86_int(struct cpu *c, uint8_t vector, uint64_t eip)
{
    bool protected_handler = true;

    if (c->cr4 & CR4_VME) {
        if (!redirection_bit(c, vector, &protected_handler)) {
            return TRANSFER_FAULT;
        }
        if (!protected_handler) {
            return v86_redirect(c, vector, eip);
        }
    }
    if (cpu_iopl(c) < 3) {
        exc_set_err(c, EXC_GP, 0);
        return TRANSFER_FAULT;
    }
    return intr_transfer(c, vector, INTR_SOFT, false, 0, eip);
}

/* --- exceptions ----------------------------------------------------------------------------- */

enum exception_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE };

static enum exception_class classify(uint8_t vector)
{
    switch (vector) {
    case EXC_DE:
    case EXC_TS:
    case EXC_NP:
    case EXC_SS:
    case EXC_GP:
        return CONTRIBUTORY;
    case EXC_PF:
        return PAGE_FAULT;
    case EXC_DF:
        return DOUBLE;
    default:
        return BENIGN;
    }
}

/* A fault on the way to a handler: what to deliver instead; false: shutdown.  SDM table 6-5. */
static bool escalate(const struct exception *first, struct exception *second)
{
    enum exception_class a = classify(first->vector), b = classify(second->vector);

    if (a == DOUBLE) {
        return false;
    }
    if ((a == CONTRIBUTORY && b == CONTRIBUTORY) || (a == PAGE_FAULT && b != BENIGN)) {
        second->vector = EXC_DF;
        second->has_error = true;
        second->error = 0;
    }
    return true;
}

static bool is_fault_class(uint8_t vector)
{
    switch (vector) {
    case EXC_DB: /* instruction breakpoints are faults, but leave RF to the handler */
    case EXC_NMI:
    case EXC_BP:
    case EXC_OF:
    case EXC_DF:
    case EXC_MC:
        return false;
    default:
        return true;
    }
}

void intr_shutdown(struct cpu *c)
{
    c->step = false;
    c->shutdown = true;
    if (c->cfg.wiring.shutdown) {
        c->cfg.wiring.shutdown(c->cfg.wiring.ctx);
    }
}

void intr_exception(struct cpu *c, uint64_t eip)
{
    struct exception now = c->exc;
    unsigned rounds;

    c->st.exceptions++;
    if (is_fault_class(now.vector)) {
        /* The instruction is going to be executed again: with its breakpoint off. */
        c->eflags |= FLAG_RF;
        c->debug_trap = 0;
    }
    for (rounds = 0; rounds < 8; rounds++) {
        struct exception next;
        enum transfer t;

        if (now.vector == EXC_PF) {
            c->cr2 = now.cr2;
        }
        t = intr_transfer(c, now.vector, INTR_FAULT, now.has_error, now.error, eip);
        if (t == TRANSFER_DONE) {
            return;
        }
        if (t == TRANSFER_FAULT_NEW) {
            eip = c->eip;
        }
        next = c->exc;
        if (next.vector == EXC_PF) {
            c->cr2 = next.cr2;
        }
        if (!escalate(&now, &next)) {
            break;
        }
        now = next;
    }
    c->eip = eip;
    intr_shutdown(c);
}

static void deliver_outside(struct cpu *c, uint8_t vector)
{
    uint64_t eip = c->eip;
    enum transfer t = intr_transfer(c, vector, INTR_EXTERNAL, false, 0, eip);

    if (t != TRANSFER_DONE) {
        intr_exception(c, t == TRANSFER_FAULT_NEW ? c->eip : eip);
    }
}

void intr_external(struct cpu *c, uint8_t vector)
{
    deliver_outside(c, vector);
}

void intr_nmi(struct cpu *c)
{
    c->nmi_blocked = true;
    deliver_outside(c, EXC_NMI);
}

void intr_debug_status(struct cpu *c, uint32_t met)
{
    c->dr[6] = (c->dr[6] & ~(uint64_t)DR6_B) | met;
}

void intr_debug_trap(struct cpu *c)
{
    if (c->debug_trap) {
        intr_debug_status(c, c->debug_trap);
        c->debug_trap = 0;
        exc_set(c, EXC_DB);
        intr_exception(c, c->eip);
    }
}

bool intr_code_breakpoint(struct cpu *c)
{
    uint32_t la = (uint32_t)(c->seg[SEG_CS].base + c->eip);
    uint32_t hits = 0, enabled = 0;
    unsigned n;

    if (c->eflags & FLAG_RF) {
        return false;
    }
    for (n = 0; n < 4; n++) {
        if ((c->dr[7] >> (16 + n * 4) & 3) == 0 && (uint32_t)c->dr[n] == la) {
            hits |= 1u << n;
            enabled |= (c->dr[7] >> (n * 2) & 3) != 0 ? 1u << n : 0;
        }
    }
    if (!enabled) {
        return false;
    }
    intr_debug_status(c, hits);
    exc_set(c, EXC_DB);
    intr_exception(c, c->eip);
    return true;
}
