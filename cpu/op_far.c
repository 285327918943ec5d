/*
 * Far transfers, software interrupts, segment register instructions, selector checks,
 * SYSENTER/SYSEXIT.
 *
 * Source: Intel SDM vol. 2 (each instruction's pages), vol. 3 chapters 5.8 (gates, privilege), 20
 * (V86). Pattern of every transfer: fetch and check the target, check the stack, store, then load
 * CS last.
 */
#include "cpu/system.h"
#include "memory/bytes.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/ops_sys.def"
#undef SLOWOP

static void put_gpr(struct cpu *c, unsigned n, unsigned size, uint32_t v)
{
    if (size == 2) {
        set_reg16(c, n, (uint16_t)v);
    } else {
        set_reg32(c, n, v);
    }
}

static void set_zf(struct cpu *c, bool zf)
{
    flags_set_oszapc(c, (flags_oszapc(c) & ~(uint32_t)FLAG_ZF) | (zf ? FLAG_ZF : 0));
}

/* Goes on after a segment load: in the trace only if what it was decoded for still holds. */
static struct insn *after_load(struct cpu *c, struct insn *i, uint32_t old_mode)
{
    return c->mode == old_mode ? insn_next(i) : cpu_leave_next(c, i);
}

/* MOV SS, POP SS: interrupts and debug exceptions wait for the load of ESP that follows. */
static struct insn *after_stack_load(struct cpu *c, struct insn *i)
{
    c->shadow = SHADOW_INTR | SHADOW_DEBUG;
    c->step = false;
    return cpu_leave_next(c, i);
}

struct far_target {
    struct seg_value cs;
    uint32_t eip;
};

static bool in_limit(struct cpu *c, const struct far_target *t)
{
    return t->eip <= t->cs.s->limit || exc_set_err(c, EXC_GP, 0);
}

/* --- targets of far JMP and CALL ------------------------------------------------------------ */

/* The code segment d as a direct target at the current privilege. */
static bool direct_target(struct cpu *c, uint16_t sel, struct desc *d, uint32_t eip,
                          struct far_target *t)
{
    bool allowed = desc_is_conforming(d) ? desc_dpl(d) <= c->cpl
                                         : (sel & 3u) <= c->cpl && desc_dpl(d) == c->cpl;

    if (!allowed) {
        return exc_sel(c, EXC_GP, sel);
    }
    if (!desc_present(d)) {
        return exc_sel(c, EXC_NP, sel);
    }
    t->eip = eip;
    desc_segment(c, SEG_CS, (uint16_t)((sel & 0xfffc) | c->cpl), d, &t->cs);
    return in_limit(c, t) && desc_set_accessed(c, d);
}

/* Gates and TSSs must be visible for both CPL and RPL. */
static bool system_allowed(struct cpu *c, uint16_t sel, const struct desc *d)
{
    if (desc_dpl(d) < c->cpl || desc_dpl(d) < (sel & 3u)) {
        return exc_sel(c, EXC_GP, sel);
    }
    return desc_present(d) || exc_sel(c, EXC_NP, sel);
}

/* The code segment behind a call gate; not more privileged than allowed by the instruction. */
static bool gate_code(struct cpu *c, const struct desc *gate, struct desc *code)
{
    uint16_t sel = gate_selector(gate);

    if (sel_null(sel)) {
        return exc_set_err(c, EXC_GP, 0);
    }
    if (!desc_fetch(c, sel, EXC_GP, code)) {
        return false;
    }
    if (!desc_is_code(code) || desc_dpl(code) > c->cpl) {
        return exc_sel(c, EXC_GP, sel);
    }
    return desc_present(code) || exc_sel(c, EXC_NP, sel);
}

static bool real_target(struct cpu *c, uint16_t sel, uint32_t eip, struct far_target *t)
{
    t->cs.own = seg_real(c, SEG_CS, sel);
    t->cs.s = &t->cs.own;
    t->cs.sel = sel;
    t->eip = eip;
    return in_limit(c, t);
}

static struct insn *arrive(struct cpu *c, struct insn *i, const struct far_target *t)
{
    seg_set_value(c, SEG_CS, &t->cs);
    return cpu_leave_at(c, i, t->eip);
}

/* With flags and privilege as they were. */
static struct insn *arrive_same(struct cpu *c, struct insn *i, const struct far_target *t)
{
    seg_set_value(c, SEG_CS, &t->cs);
    return cpu_jump_far(c, i, t->eip);
}

/* Real and V86 mode: only the base of CS changes, as it nearly always does. */
ALWAYS_INLINE bool real_quick(const struct cpu *c, uint32_t eip)
{
    return c->seg[SEG_CS].real && eip <= 0xffff;
}

static struct insn *arrive_real(struct cpu *c, struct insn *i, uint16_t sel, uint32_t eip)
{
    seg_move_real(c, SEG_CS, sel);
    return cpu_jump_far(c, i, eip);
}

static struct insn *jump_far(struct cpu *c, struct insn *i, uint16_t sel, uint32_t eip)
{
    struct far_target t;
    struct desc d, code;

    if (!descriptor_mode(c)) {
        if (LIKELY(real_quick(c, eip))) {
            return arrive_real(c, i, sel, eip);
        }
        return real_target(c, sel, eip, &t) ? arrive_same(c, i, &t) : cpu_fault(c, i);
    }
    if (sel_null(sel)) {
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    if (!desc_fetch(c, sel, EXC_GP, &d)) {
        return cpu_fault(c, i);
    }
    if (desc_is_segment(&d)) {
        if (!desc_is_code(&d)) {
            exc_sel(c, EXC_GP, sel);
            return cpu_fault(c, i);
        }
        return direct_target(c, sel, &d, eip, &t) ? arrive_same(c, i, &t) : cpu_fault(c, i);
    }
    switch (desc_type(&d)) {
    case DESC_CALL16:
    case DESC_CALL32:
        /* A gate does not change the privilege of a jump: its selector's RPL is of no interest. */
        if (!system_allowed(c, sel, &d) || !gate_code(c, &d, &code) ||
            !direct_target(c, (uint16_t)(gate_selector(&d) & 0xfffc), &code, gate_offset(&d), &t)) {
            return cpu_fault(c, i);
        }
        return arrive_same(c, i, &t);
    case DESC_TASK_GATE:
    case DESC_TSS16:
    case DESC_TSS32:
        if (!system_allowed(c, sel, &d)) {
            return cpu_fault(c, i);
        }
        if (desc_type(&d) == DESC_TASK_GATE) {
            sel = gate_selector(&d);
        }
        return transfer_end(c, i, task_enter(c, sel, TASK_JMP, insn_next_eip(c, i), false, 0));
    default:
        exc_sel(c, EXC_GP, sel);
        return cpu_fault(c, i);
    }
}

/* The return address of a far CALL; false: nothing has been done. */
ALWAYS_INLINE bool push_return_quick(struct cpu *c, const struct insn *i, unsigned size)
{
    uint8_t *to = stack_room(c, 2 * size);
    uint16_t sel = c->seg[SEG_CS].sel;

    if (UNLIKELY(!to)) {
        return false;
    }
    if (size == 2) {
        put16(to, (uint16_t)insn_next_eip(c, i));
        put16(to + 2, sel);
    } else {
        put32(to, (uint32_t)insn_next_eip(c, i));
        put32(to + 4, sel);
    }
    stack_set(c, reg32(c, REG_ESP) - 2 * size);
    return true;
}

/* CALL without a change of privilege: return address on the current stack. */
static struct insn *call_same(struct cpu *c, struct insn *i, const struct far_target *t,
                              unsigned size)
{
    struct frame f;

    if (LIKELY(push_return_quick(c, i, size))) {
        return arrive_same(c, i, t);
    }
    frame_start(&f, &c->seg[SEG_SS], reg32(c, REG_ESP), size, c->cpl == 3, 0);
    frame_push(&f, c->seg[SEG_CS].sel);
    frame_push(&f, (uint32_t)insn_next_eip(c, i));
    if (!frame_check(c, &f)) {
        return cpu_fault(c, i);
    }
    frame_store(c, &f);
    set_reg32(c, REG_ESP, f.esp);
    return arrive_same(c, i, t);
}

static struct insn *call_inner(struct cpu *c, struct insn *i, const struct desc *gate,
                               const struct desc *code, struct far_target *t)
{
    unsigned size = desc_type(gate) & 8 ? 4 : 2, cpl = desc_dpl(code), n;
    struct seg_value ss;
    struct frame f;
    uint16_t sel;
    uint32_t esp;

    if (!tss_stack(c, cpl, &sel, &esp) || !seg_prepare_stack(c, sel, cpl, EXC_TS, &ss)) {
        return cpu_fault(c, i);
    }
    desc_segment(c, SEG_CS, (uint16_t)((gate_selector(gate) & 0xfffc) | cpl), code, &t->cs);
    if (!in_limit(c, t)) {
        return cpu_fault(c, i);
    }
    frame_start(&f, ss.s, esp, size, cpl == 3, ss.sel & 0xfffc);
    frame_push(&f, c->seg[SEG_SS].sel);
    frame_push(&f, reg32(c, REG_ESP));
    for (n = gate->hi & 31; n-- > 0;) {
        uint64_t v;

        if (!stack_peek(c, n * size, size, &v)) {
            return cpu_fault(c, i);
        }
        frame_push(&f, (uint32_t)v);
    }
    frame_push(&f, c->seg[SEG_CS].sel);
    frame_push(&f, (uint32_t)insn_next_eip(c, i));
    if (!frame_check(c, &f)) {
        return cpu_fault(c, i);
    }
    frame_store(c, &f);
    cpu_set_cpl(c, cpl);
    seg_set_value(c, SEG_SS, &ss);
    set_reg32(c, REG_ESP, f.esp);
    return arrive(c, i, t);
}

static struct insn *call_gate(struct cpu *c, struct insn *i, uint16_t sel, const struct desc *gate)
{
    unsigned size = desc_type(gate) & 8 ? 4 : 2;
    struct far_target t;
    struct desc code;

    if (!system_allowed(c, sel, gate) || !gate_code(c, gate, &code) ||
        !desc_set_accessed(c, &code)) {
        return cpu_fault(c, i);
    }
    t.eip = gate_offset(gate);
    if (!desc_is_conforming(&code) && desc_dpl(&code) < c->cpl) {
        return call_inner(c, i, gate, &code, &t);
    }
    desc_segment(c, SEG_CS, (uint16_t)((gate_selector(gate) & 0xfffc) | c->cpl), &code,
                 &t.cs);
    return in_limit(c, &t) ? call_same(c, i, &t, size) : cpu_fault(c, i);
}

static struct insn *call_far(struct cpu *c, struct insn *i, uint16_t sel, uint32_t eip)
{
    struct far_target t;
    struct desc d;

    if (!descriptor_mode(c)) {
        if (LIKELY(real_quick(c, eip) && push_return_quick(c, i, i->osize))) {
            return arrive_real(c, i, sel, eip);
        }
        return real_target(c, sel, eip, &t) ? call_same(c, i, &t, i->osize) : cpu_fault(c, i);
    }
    if (sel_null(sel)) {
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    if (!desc_fetch(c, sel, EXC_GP, &d)) {
        return cpu_fault(c, i);
    }
    if (desc_is_segment(&d)) {
        if (!desc_is_code(&d)) {
            exc_sel(c, EXC_GP, sel);
            return cpu_fault(c, i);
        }
        return direct_target(c, sel, &d, eip, &t) ? call_same(c, i, &t, i->osize) : cpu_fault(c, i);
    }
    switch (desc_type(&d)) {
    case DESC_CALL16:
    case DESC_CALL32:
        return call_gate(c, i, sel, &d);
    case DESC_TASK_GATE:
    case DESC_TSS16:
    case DESC_TSS32:
        if (!system_allowed(c, sel, &d)) {
            return cpu_fault(c, i);
        }
        if (desc_type(&d) == DESC_TASK_GATE) {
            sel = gate_selector(&d);
        }
        return transfer_end(c, i, task_enter(c, sel, TASK_CALL, insn_next_eip(c, i), false, 0));
    default:
        exc_sel(c, EXC_GP, sel);
        return cpu_fault(c, i);
    }
}

/* A far pointer in memory: offset of the operand size, then the selector. */
static bool read_pointer(struct cpu *c, const struct insn *i, uint16_t *sel, uint32_t *off)
{
    const struct segment *s = &c->seg[i->seg];
    uint32_t ea = insn_ea(c, i);
    uint8_t buf[6];

    if (LIKELY(i->osize == 2 && (uint64_t)(uint32_t)(ea - s->lo) + 4 <= s->rlen)) {
        const uint8_t *host = tlb_read_hit(c->tlb, (uint32_t)s->base + ea, 4);

        if (LIKELY(host != NULL)) {
            *off = get16(host);
            *sel = get16(host + 2);
            return true;
        }
    }
    if (!mem_read_parts(c, i, buf, (struct mem_parts){1, i->osize, 1, 2})) {
        return false;
    }
    *off = i->osize == 2 ? get16(buf) : get32(buf);
    *sel = get16(buf + i->osize);
    return true;
}

struct insn *x_jmp_far_ptr(struct cpu *c, struct insn *i)
{
    return jump_far(c, i, i->imm2, i->imm);
}

struct insn *x_jmp_far_ind(struct cpu *c, struct insn *i)
{
    uint16_t sel;
    uint32_t off;

    return read_pointer(c, i, &sel, &off) ? jump_far(c, i, sel, off) : cpu_fault(c, i);
}

struct insn *x_call_far_ptr(struct cpu *c, struct insn *i)
{
    return call_far(c, i, i->imm2, i->imm);
}

struct insn *x_call_far_ind(struct cpu *c, struct insn *i)
{
    uint16_t sel;
    uint32_t off;

    return read_pointer(c, i, &sel, &off) ? call_far(c, i, sel, off) : cpu_fault(c, i);
}

/* --- returns -------------------------------------------------------------------------------- */

static NOINLINE bool peek_each(struct cpu *c, unsigned at, unsigned size, unsigned n, uint32_t *v)
{
    unsigned k;

    for (k = 0; k < n; k++) {
        uint64_t x;

        if (!stack_peek(c, at + k * size, size, &x)) {
            return false;
        }
        v[k] = (uint32_t)x;
    }
    return true;
}

/* n values (a constant) of `size` bytes that lie `at` bytes above the stack top. */
ALWAYS_INLINE bool peek(struct cpu *c, unsigned at, unsigned size, unsigned n, uint32_t *v)
{
    const uint8_t *host = stack_top(c, at, n * size);
    unsigned k;

    if (UNLIKELY(!host)) {
        return peek_each(c, at, size, n, v);
    }
    for (k = 0; k < n; k++) {
        v[k] = size == 2 ? get16(host + k * 2) : get32(host + k * 4);
    }
    return true;
}

/* What a far RET or IRET goes back to. */
struct far_return {
    struct far_target to;
    struct seg_value ss;
    uint32_t esp;
    unsigned cpl;
    bool outer;
};

/*
 * Checks CS:EIP, and SS:ESP `skip` bytes above the stack top when the return is to an outer level.
 */
static bool return_target(struct cpu *c, const struct insn *i, uint16_t sel, uint32_t eip,
                          unsigned skip, struct far_return *r)
{
    struct desc d;
    uint32_t v[2];

    if (sel_null(sel)) {
        return exc_set_err(c, EXC_GP, 0);
    }
    if (!desc_fetch(c, sel, EXC_GP, &d)) {
        return false;
    }
    r->cpl = sel & 3;
    r->outer = r->cpl > c->cpl;
    if (!desc_is_code(&d) || r->cpl < c->cpl ||
        (desc_is_conforming(&d) ? desc_dpl(&d) > r->cpl : desc_dpl(&d) != r->cpl)) {
        return exc_sel(c, EXC_GP, sel);
    }
    if (!desc_present(&d)) {
        return exc_sel(c, EXC_NP, sel);
    }
    if (r->outer) {
        if (!peek(c, skip, i->osize, 2, v) ||
            !seg_prepare_stack(c, (uint16_t)v[1], r->cpl, EXC_GP, &r->ss)) {
            return false;
        }
        r->esp = v[0];
    }
    r->to.eip = eip;
    desc_segment(c, SEG_CS, sel, &d, &r->to.cs);
    return in_limit(c, &r->to) && desc_set_accessed(c, &d);
}

/*
 * Commits: `skip` is what the instruction pops at an equal level, `extra` what an outer stack
 * loses.
 */
static struct insn *return_commit(struct cpu *c, struct insn *i, const struct far_return *r,
                                  unsigned skip, unsigned extra)
{
    if (!r->outer) {
        stack_set(c, reg32(c, REG_ESP) + skip);
        return arrive(c, i, &r->to);
    }
    cpu_set_cpl(c, r->cpl);
    seg_set_value(c, SEG_SS, &r->ss);
    stack_set(c, r->esp + extra);
    seg_drop_inner(c, r->cpl);
    return arrive(c, i, &r->to);
}

struct insn *x_ret_far(struct cpu *c, struct insn *i)
{
    unsigned size = i->osize, release = i->imm & 0xffff;
    struct far_return r;
    uint32_t v[2]; /* EIP, CS */

    if (!peek(c, 0, size, 2, v)) {
        return cpu_fault(c, i);
    }
    if (!descriptor_mode(c)) {
        if (LIKELY(real_quick(c, v[0]))) {
            stack_set(c, reg32(c, REG_ESP) + 2 * size + release);
            return arrive_real(c, i, (uint16_t)v[1], v[0]);
        }
        r.outer = false;
        if (!real_target(c, (uint16_t)v[1], v[0], &r.to)) {
            return cpu_fault(c, i);
        }
    } else if (!return_target(c, i, (uint16_t)v[1], v[0], 2 * size + release, &r)) {
        return cpu_fault(c, i);
    }
    return return_commit(c, i, &r, 2 * size + release, release);
}

/* EFLAGS bits that every IRET and POPF may change. */
static uint32_t common_flags(unsigned size)
{
    uint32_t m = FLAGS_OSZAPC | FLAG_TF | FLAG_DF | FLAG_NT;

    return size == 2 ? m : m | FLAG_RF | FLAG_AC | FLAG_ID;
}

static struct insn *iret_v86_or_real(struct cpu *c, struct insn *i, uint32_t eip, uint32_t sel,
                                     uint32_t image)
{
    uint32_t mask = common_flags(i->osize) | FLAG_IF;
    struct far_return r;

    if (!v86_mode(c)) {
        mask |= FLAG_IOPL;
    } else if (cpu_iopl(c) < 3) {
        if (!(c->cr4 & CR4_VME) || i->osize != 2 || (image & FLAG_TF) ||
            ((image & FLAG_IF) && (c->eflags & FLAG_VIP))) {
            return cpu_raise_err(c, i, EXC_GP, 0);
        }
        mask = (mask & ~(uint32_t)FLAG_IF) | FLAG_VIF;
        image |= image & FLAG_IF ? FLAG_VIF : 0;
    }
    if (LIKELY(real_quick(c, eip))) {
        cpu_set_eflags(c, image, mask);
        stack_set(c, reg32(c, REG_ESP) + 3u * i->osize);
        seg_move_real(c, SEG_CS, (uint16_t)sel);
        return cpu_leave_at(c, i, eip);
    }
    r.outer = false;
    if (!real_target(c, (uint16_t)sel, eip, &r.to)) {
        return cpu_fault(c, i);
    }
    cpu_set_eflags(c, image, mask);
    return return_commit(c, i, &r, 3u * i->osize, 0);
}

static struct insn *iret_to_v86(struct cpu *c, struct insn *i, uint32_t eip, uint16_t cs,
                                uint32_t image)
{
    uint32_t v[6]; /* ESP, SS, ES, DS, FS, GS */

    if (!peek(c, 12, 4, ARRAY_LEN(v), v)) {
        return cpu_fault(c, i);
    }
    if (eip > 0xffff) {
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    const uint16_t sel[SEG_COUNT] = {
        [SEG_ES] = (uint16_t)v[2], [SEG_CS] = cs, [SEG_SS] = (uint16_t)v[1],
        [SEG_DS] = (uint16_t)v[3], [SEG_FS] = (uint16_t)v[4], [SEG_GS] = (uint16_t)v[5],
    };
    seg_enter_v86(c, image, sel);
    set_reg32(c, REG_ESP, v[0]);
    return cpu_leave_at(c, i, eip);
}

static struct insn *iret_task(struct cpu *c, struct insn *i)
{
    uint64_t link;

    if (!sys_read(c, c->tr.base, 2, &link)) {
        return cpu_fault(c, i);
    }
    return transfer_end(c, i,
                        task_enter(c, (uint16_t)link, TASK_IRET, insn_next_eip(c, i), false, 0));
}

struct insn *x_iret(struct cpu *c, struct insn *i)
{
    unsigned size = i->osize;
    uint32_t v[3], mask; /* EIP, CS, EFLAGS */
    struct far_return r;

    c->nmi_blocked = false;
    if (descriptor_mode(c) && (c->eflags & FLAG_NT)) {
        return iret_task(c, i);
    }
    if (!peek(c, 0, size, 3, v)) {
        return cpu_fault(c, i);
    }
    if (!descriptor_mode(c)) {
        return iret_v86_or_real(c, i, v[0], v[1], v[2]);
    }
    if (size == 4 && (v[2] & FLAG_VM) && c->cpl == 0) {
        return iret_to_v86(c, i, v[0], (uint16_t)v[1], v[2]);
    }
    if (!return_target(c, i, (uint16_t)v[1], v[0], 3 * size, &r)) {
        return cpu_fault(c, i);
    }
    mask = common_flags(size);
    if (c->cpl <= cpu_iopl(c)) {
        mask |= FLAG_IF;
    }
    if (c->cpl == 0) {
        mask |= size == 2 ? FLAG_IOPL : FLAG_IOPL | FLAG_VIF | FLAG_VIP;
    }
    cpu_set_eflags(c, v[2], mask);
    return return_commit(c, i, &r, 3 * size, 0);
}

/* --- software interrupts -------------------------------------------------------------------- */

struct insn *x_int(struct cpu *c, struct insn *i)
{
    uint8_t vector = (uint8_t)i->imm;
    uint64_t eip = insn_next_eip(c, i);

    if (v86_mode(c)) {
        return transfer_end(c, i, intr_v86_int(c, vector, eip));
    }
    return transfer_end(c, i, intr_transfer(c, vector, INTR_SOFT, false, 0, eip));
}

struct insn *x_int3(struct cpu *c, struct insn *i)
{
    return transfer_end(c, i, intr_transfer(c, EXC_BP, INTR_SOFT, false, 0, insn_next_eip(c, i)));
}

struct insn *x_into(struct cpu *c, struct insn *i)
{
    if (!flag_of(c)) {
        return cpu_leave_next(c, i);
    }
    return transfer_end(c, i, intr_transfer(c, EXC_OF, INTR_SOFT, false, 0, insn_next_eip(c, i)));
}

/*
 * No privilege check: in-circuit emulators and #DB share the vector.  A data breakpoint that MOV SS
 * held off is lost, as with a fault.
 */
struct insn *x_icebp(struct cpu *c, struct insn *i)
{
    c->debug_trap = 0;
    return transfer_end(c, i, intr_transfer(c, EXC_DB, INTR_FAULT, false, 0, insn_next_eip(c, i)));
}

static int32_t signed_part(const uint8_t *p, unsigned size)
{
    return size == 2 ? (int16_t)get16(p) : (int32_t)get32(p);
}

struct insn *x_bound(struct cpu *c, struct insn *i)
{
    unsigned size = i->osize;
    uint32_t raw = reg32(c, lane_reg(i->dst));
    int32_t index = size == 2 ? (int16_t)raw : (int32_t)raw;
    uint8_t buf[8];

    if (!mem_read_parts(c, i, buf, (struct mem_parts){2, (uint8_t)size, 0, 0})) {
        return cpu_fault(c, i);
    }
    if (index < signed_part(buf, size) || index > signed_part(buf + size, size)) {
        return cpu_raise(c, i, EXC_BR);
    }
    return insn_next(i);
}

/* --- segment registers ---------------------------------------------------------------------- */

struct insn *x_mov_sreg(struct cpu *c, struct insn *i)
{
    uint32_t mode = c->mode;
    uint64_t v;

    if (!(i->flags & INSN_SYS_DST)) {
        v = c->seg[i->src].sel;
        if (i->flags & INSN_MEM) {
            return mem_write(c, i->seg, insn_ea(c, i), 2, v) ? insn_next(i) : cpu_fault(c, i);
        }
        put_gpr(c, lane_reg(i->dst), i->osize, (uint32_t)v);
        return insn_next(i);
    }
    if (i->flags & INSN_MEM) {
        if (!mem_read(c, i->seg, insn_ea(c, i), 2, &v)) {
            return cpu_fault(c, i);
        }
    } else {
        v = reg16(c, lane_reg(i->src));
    }
    if (!seg_load(c, i->dst, (uint16_t)v)) {
        return cpu_fault(c, i);
    }
    return i->dst == SEG_SS ? after_stack_load(c, i) : after_load(c, i, mode);
}

struct insn *x_push_sreg(struct cpu *c, struct insn *i)
{
    return stack_push(c, i->osize, c->seg[i->dst].sel) ? insn_next(i) : cpu_fault(c, i);
}

struct insn *x_pop_sreg(struct cpu *c, struct insn *i)
{
    uint32_t mode = c->mode, sp_mask = c->sp_mask, esp = reg32(c, REG_ESP);
    uint64_t v;

    if (!stack_peek(c, 0, i->osize, &v) || !seg_load(c, i->dst, (uint16_t)v)) {
        return cpu_fault(c, i);
    }
    /* POP SS moves the pointer as the old stack segment says. */
    set_reg32(c, REG_ESP, (esp & ~sp_mask) | ((esp + i->osize) & sp_mask));
    return i->dst == SEG_SS ? after_stack_load(c, i) : after_load(c, i, mode);
}

static struct insn *load_pointer(struct cpu *c, struct insn *i, unsigned seg)
{
    uint32_t mode = c->mode, off;
    uint16_t sel;

    if (!read_pointer(c, i, &sel, &off) || !seg_load(c, seg, sel)) {
        return cpu_fault(c, i);
    }
    put_gpr(c, lane_reg(i->dst), i->osize, off);
    return seg == SEG_SS ? cpu_leave_next(c, i) : after_load(c, i, mode);
}

struct insn *x_les(struct cpu *c, struct insn *i)
{
    return load_pointer(c, i, SEG_ES);
}

struct insn *x_lds(struct cpu *c, struct insn *i)
{
    return load_pointer(c, i, SEG_DS);
}

struct insn *x_lss(struct cpu *c, struct insn *i)
{
    return load_pointer(c, i, SEG_SS);
}

struct insn *x_lfs(struct cpu *c, struct insn *i)
{
    return load_pointer(c, i, SEG_FS);
}

struct insn *x_lgs(struct cpu *c, struct insn *i)
{
    return load_pointer(c, i, SEG_GS);
}

/* --- selector checks ------------------------------------------------------------------------ */

struct insn *x_arpl(struct cpu *c, struct insn *i)
{
    unsigned rpl = reg16(c, lane_reg(i->src)) & 3;
    bool raise;
    uint64_t v;

    if (!need_descriptors(c)) {
        return cpu_fault(c, i);
    }
    if (!(i->flags & INSN_MEM)) {
        v = reg16(c, lane_reg(i->dst));
        raise = (v & 3) < rpl;
        if (raise) {
            set_reg16(c, lane_reg(i->dst), (uint16_t)((v & 0xfffc) | rpl));
        }
    } else { /* what it does not change it may not be allowed to write */
        if (!mem_read(c, i->seg, insn_ea(c, i), 2, &v)) {
            return cpu_fault(c, i);
        }
        raise = (v & 3) < rpl;
        if (raise && !mem_write(c, i->seg, insn_ea(c, i), 2, (v & 0xfffc) | rpl)) {
            return cpu_fault(c, i);
        }
    }
    set_zf(c, raise);
    return insn_next(i);
}

/* The selector operand of LAR, LSL, VERR, VERW and its descriptor; *found is ZF so far. */
static bool look_operand(struct cpu *c, const struct insn *i, unsigned off, uint16_t *sel,
                         struct desc *d, bool *found)
{
    bool fault = false;
    uint64_t v;

    if (!need_descriptors(c)) {
        return false;
    }
    if (i->flags & INSN_MEM) {
        if (!mem_read(c, i->seg, insn_ea(c, i), 2, &v)) {
            return false;
        }
    } else {
        v = reg16(c, lane_reg(off));
    }
    *sel = (uint16_t)v;
    *found = !sel_null(*sel) && desc_look(c, *sel, d, &fault);
    return !fault;
}

static bool visible(const struct cpu *c, uint16_t sel, const struct desc *d)
{
    return desc_is_conforming(d) || (c->cpl <= desc_dpl(d) && (sel & 3u) <= desc_dpl(d));
}

/* System descriptor types that LAR and LSL know. */
#define LAR_TYPES (1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 9 | 1u << 11 | 1u << 12)
#define LSL_TYPES (1u << 1 | 1u << 2 | 1u << 3 | 1u << 9 | 1u << 11)

struct insn *x_lar(struct cpu *c, struct insn *i)
{
    struct desc d;
    uint16_t sel;
    bool ok;

    if (!look_operand(c, i, i->src, &sel, &d, &ok)) {
        return cpu_fault(c, i);
    }
    ok = ok && (desc_is_segment(&d) || (LAR_TYPES >> desc_type(&d) & 1)) && visible(c, sel, &d);
    if (ok) {
        put_gpr(c, lane_reg(i->dst), i->osize, d.hi & 0x00ffff00);
    }
    set_zf(c, ok);
    return insn_next(i);
}

struct insn *x_lsl(struct cpu *c, struct insn *i)
{
    struct desc d;
    uint16_t sel;
    bool ok;

    if (!look_operand(c, i, i->src, &sel, &d, &ok)) {
        return cpu_fault(c, i);
    }
    ok = ok && (desc_is_segment(&d) || (LSL_TYPES >> desc_type(&d) & 1)) && visible(c, sel, &d);
    if (ok) {
        put_gpr(c, lane_reg(i->dst), i->osize, desc_limit(&d));
    }
    set_zf(c, ok);
    return insn_next(i);
}

struct insn *x_verr(struct cpu *c, struct insn *i)
{
    struct desc d;
    uint16_t sel;
    bool ok;

    if (!look_operand(c, i, i->dst, &sel, &d, &ok)) {
        return cpu_fault(c, i);
    }
    set_zf(c, ok && desc_is_segment(&d) && visible(c, sel, &d) &&
                  (!desc_is_code(&d) || (desc_type(&d) & TYPE_READ)));
    return insn_next(i);
}

struct insn *x_verw(struct cpu *c, struct insn *i)
{
    struct desc d;
    uint16_t sel;
    bool ok;

    if (!look_operand(c, i, i->dst, &sel, &d, &ok)) {
        return cpu_fault(c, i);
    }
    set_zf(c, ok && desc_is_segment(&d) && visible(c, sel, &d) && !desc_is_code(&d) &&
                  (desc_type(&d) & TYPE_WRITE));
    return insn_next(i);
}

/* --- SYSENTER, SYSEXIT ---------------------------------------------------------------------- */

ALWAYS_INLINE struct insn *fast_transfer(struct cpu *c, struct insn *i, uint16_t cs, uint16_t ss,
                                  unsigned cpl, uint32_t eip, uint32_t esp)
{
    cpu_set_cpl(c, cpl);
    seg_set(c, SEG_CS, &seg_flat[true][cpl != 0], (uint16_t)(cs | cpl));
    seg_set(c, SEG_SS, &seg_flat[false][cpl != 0], (uint16_t)(ss | cpl));
    set_reg32(c, REG_ESP, esp);
    return cpu_leave_at(c, i, eip);
}

struct insn *x_sysenter(struct cpu *c, struct insn *i)
{
    uint16_t cs = c->sysenter_cs & 0xfffc;

    if (!protected_mode(c) || cs == 0) {
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    if (UNLIKELY(v86_mode(c))) {
        cpu_set_eflags(c, 0, FLAG_VM);
    }
    c->eflags &= ~(uint32_t)(FLAG_IF | FLAG_RF);
    return fast_transfer(c, i, cs, (uint16_t)(cs + 8), 0, (uint32_t)c->sysenter_eip,
                         (uint32_t)c->sysenter_esp);
}

struct insn *x_sysexit(struct cpu *c, struct insn *i)
{
    uint16_t cs = c->sysenter_cs & 0xfffc;

    if (!protected_mode(c) || c->cpl != 0 || cs == 0) {
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    return fast_transfer(c, i, (uint16_t)(cs + 16), (uint16_t)(cs + 24), 3, reg32(c, REG_EDX),
                         reg32(c, REG_ECX));
}
