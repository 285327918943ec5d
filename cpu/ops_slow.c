/*
 * Integer instructions that are functions: string operations, bit strings, PUSHA, ENTER and the
 * like.
 *
 * REP string instructions are traces of their own (trace.c).  They work in runs that stay within
 * one page of source and destination when that memory is plain, else element by element; every
 * iteration counts as one instruction.  A run ends early, registers updated, when time is up or an
 * element faults.
 */
#include "cpu/system.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/ops_local.def"
#undef SLOWOP

/* vector in imm; #GP here is the 15-byte limit. */
struct insn *x_raise(struct cpu *c, struct insn *i)
{
    if (i->imm == EXC_GP) {
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    return cpu_raise(c, i, i->imm);
}

/* POP to memory: the address is computed with the already incremented stack pointer. */
struct insn *x_pop_mem(struct cpu *c, struct insn *i)
{
    uint64_t v;
    uint64_t esp = c->r.q[REG_ESP];
    if (!stack_pop(c, i->osize, &v)) {
        return cpu_fault(c, i);
    }
    if (!mem_write(c, i->seg, insn_ea(c, i), i->osize, v)) {
        c->r.q[REG_ESP] = esp;
        return cpu_fault(c, i);
    }
    return insn_next(i);
}

struct insn *x_pusha(struct cpu *c, struct insn *i)
{
    uint64_t esp = c->r.q[REG_ESP];
    for (unsigned n = 0; n < 8; n++) {
        if (!stack_push(c, i->osize, n == REG_ESP ? esp : c->r.q[n])) {
            c->r.q[REG_ESP] = esp;
            return cpu_fault(c, i);
        }
    }
    return insn_next(i);
}

struct insn *x_popa(struct cpu *c, struct insn *i)
{
    uint64_t v[8];
    for (unsigned n = 0; n < 8; n++) {
        if (!stack_peek(c, n * i->osize, i->osize, &v[7 - n])) {
            return cpu_fault(c, i);
        }
    }
    for (unsigned n = 0; n < 8; n++) {
        if (n == REG_ESP) {
            continue;
        }
        if (i->osize == 2) {
            set_reg16(c, n, (uint16_t)v[n]);
        } else {
            set_reg32(c, n, (uint32_t)v[n]);
        }
    }
    stack_set(c, c->r.q[REG_ESP] + 8u * i->osize);
    return insn_next(i);
}

static void set_frame_pointer(struct cpu *c, unsigned osize, uint64_t v)
{
    if (osize == 2) {
        set_reg16(c, REG_EBP, (uint16_t)v);
    } else {
        set_reg32(c, REG_EBP, (uint32_t)v);
    }
}

/* ENTER imm16, imm8; SDM vol. 2.  Nothing is committed before the last access has succeeded. */
struct insn *x_enter(struct cpu *c, struct insn *i)
{
    unsigned level = i->imm2 & 31, size = i->osize;
    uint64_t esp = c->r.q[REG_ESP], frame, v;

    if (!stack_push(c, size, c->r.q[REG_EBP])) {
        return cpu_fault(c, i);
    }
    frame = c->r.q[REG_ESP];
    uint64_t bp = c->r.q[REG_EBP];
    for (unsigned n = 1; n < level; n++) {
        bp -= size;
        if (!mem_read(c, SEG_SS, bp & c->sp_mask, size, &v) || !stack_push(c, size, v)) {
            c->r.q[REG_ESP] = esp;
            return cpu_fault(c, i);
        }
    }
    if (level > 0 && !stack_push(c, size, frame)) {
        c->r.q[REG_ESP] = esp;
        return cpu_fault(c, i);
    }
    uint64_t new_esp = c->r.q[REG_ESP] - (i->imm & 0xffff);
    uint64_t la;
    /* The last byte of the new frame must be writable. */
    if (!seg_linear(c, SEG_SS, new_esp & c->sp_mask, size, ACC_WRITE, &la) ||
        !lin_probe(c, la, size, true)) {
        c->r.q[REG_ESP] = esp;
        return cpu_fault(c, i);
    }
    set_frame_pointer(c, size, frame);
    stack_set(c, new_esp);
    return insn_next(i);
}

struct insn *x_leave(struct cpu *c, struct insn *i)
{
    uint64_t v, bp = c->r.q[REG_EBP] & c->sp_mask;
    if (!mem_read(c, SEG_SS, bp, i->osize, &v)) {
        return cpu_fault(c, i);
    }
    stack_set(c, bp + i->osize);
    set_frame_pointer(c, i->osize, v);
    return insn_next(i);
}

/* BT, BTS, BTR, BTC (imm 0..3) of a bit string in memory: the register offset is signed. */
struct insn *x_bt_string(struct cpu *c, struct insn *i)
{
    unsigned size = i->osize, bits = size * 8;
    int32_t bit = size == 2 ? (int16_t)R16(i->src) : (int32_t)R32(i->src);
    uint32_t ea = insn_ea(c, i) + (uint32_t)(bit >> (size == 2 ? 4 : 5)) * size;
    uint64_t la, v, m = (uint64_t)1 << ((unsigned)bit & (bits - 1));
    struct rmw rmw;

    if (i->a16) {
        ea &= 0xffff;
    }
    if (i->imm == 0) {
        if (!mem_read(c, i->seg, ea, size, &v)) {
            return cpu_fault(c, i);
        }
        flags_set_cf(c, (v & m) != 0);
        return insn_next(i);
    }
    if (!seg_linear(c, i->seg, ea, size, ACC_RMW, &la) || !rmw_begin(c, la, size, &rmw, &v)) {
        return cpu_fault(c, i);
    }
    flags_set_cf(c, (v & m) != 0);
    rmw_end(c, &rmw, i->imm == 1 ? v | m : i->imm == 2 ? v & ~m : v ^ m);
    return insn_next(i);
}

struct insn *x_cmpxchg8b(struct cpu *c, struct insn *i)
{
    uint64_t la, v;
    struct rmw rmw;
    uint64_t want = (uint64_t)reg32(c, REG_EDX) << 32 | reg32(c, REG_EAX);

    if (!seg_linear(c, i->seg, insn_ea(c, i), 8, ACC_RMW, &la) ||
        !rmw_begin(c, la, 8, &rmw, &v)) {
        return cpu_fault(c, i);
    }
    uint32_t f = flags_oszapc(c) & ~(uint32_t)FLAG_ZF;
    if (v == want) {
        rmw_end(c, &rmw, (uint64_t)reg32(c, REG_ECX) << 32 | reg32(c, REG_EBX));
        f |= FLAG_ZF;
    } else {
        rmw_end(c, &rmw, v);
        set_reg32(c, REG_EAX, (uint32_t)v);
        set_reg32(c, REG_EDX, (uint32_t)(v >> 32));
    }
    flags_set_oszapc(c, f);
    return insn_next(i);
}

/* --- strings ---------------------------------------------------------------------------------- */

static uint32_t index_reg(const struct cpu *c, const struct insn *i, unsigned r)
{
    return i->a16 ? reg16(c, r) : reg32(c, r);
}

static void step_reg(struct cpu *c, const struct insn *i, unsigned r, int32_t by)
{
    if (i->a16) {
        set_reg16(c, r, (uint16_t)(reg16(c, r) + (uint32_t)by));
    } else {
        set_reg32(c, r, reg32(c, r) + (uint32_t)by);
    }
}

static int32_t string_step(const struct cpu *c, const struct insn *i)
{
    return c->eflags & FLAG_DF ? -(int32_t)i->osize : (int32_t)i->osize;
}

static void set_accumulator(struct cpu *c, unsigned size, uint64_t v)
{
    if (size == 1) {
        set_reg8(c, REG_EAX, (uint8_t)v);
    } else if (size == 2) {
        set_reg16(c, REG_EAX, (uint16_t)v);
    } else {
        set_reg32(c, REG_EAX, (uint32_t)v);
    }
}

static void compare_flags(struct cpu *c, unsigned size, uint64_t a, uint64_t b)
{
    unsigned bits = size * 8;
    uint64_t r = a - b;
    int32_t sr = (int32_t)((uint32_t)r << (32 - bits)) >> (32 - bits);
    int32_t sx = (int32_t)((uint32_t)(a ^ b) << (32 - bits)) >> (32 - bits);
    c->fres = (uint32_t)sr | (r & FRES_CF);
    c->faux = (uint32_t)sx;
}

static bool one_movs(struct cpu *c, const struct insn *i)
{
    uint64_t v;
    return mem_read(c, i->seg, index_reg(c, i, REG_ESI), i->osize, &v) &&
           mem_write(c, SEG_ES, index_reg(c, i, REG_EDI), i->osize, v);
}

static bool one_stos(struct cpu *c, const struct insn *i)
{
    return mem_write(c, SEG_ES, index_reg(c, i, REG_EDI), i->osize, c->r.q[REG_EAX]);
}

static bool one_lods(struct cpu *c, const struct insn *i)
{
    uint64_t v;
    if (!mem_read(c, i->seg, index_reg(c, i, REG_ESI), i->osize, &v)) {
        return false;
    }
    set_accumulator(c, i->osize, v);
    return true;
}

static bool one_cmps(struct cpu *c, const struct insn *i)
{
    uint64_t a, b;
    /* ES:eDI first, as silicon does; it decides which of two faults is reported. */
    if (!mem_read(c, SEG_ES, index_reg(c, i, REG_EDI), i->osize, &b) ||
        !mem_read(c, i->seg, index_reg(c, i, REG_ESI), i->osize, &a)) {
        return false;
    }
    compare_flags(c, i->osize, a, b);
    return true;
}

static bool one_scas(struct cpu *c, const struct insn *i)
{
    uint64_t b;
    if (!mem_read(c, SEG_ES, index_reg(c, i, REG_EDI), i->osize, &b)) {
        return false;
    }
    uint64_t mask = i->osize == 4 ? 0xffffffffu : (1u << i->osize * 8) - 1;
    compare_flags(c, i->osize, c->r.q[REG_EAX] & mask, b);
    return true;
}

/*
 * Elements that can be done in one go at seg:reg, going up: bounded by the page, the segment window
 * and 16-bit wrap.
 */
static uint32_t string_run(const struct cpu *c, const struct insn *i, unsigned seg, unsigned reg,
                           bool write, uint32_t *la)
{
    const struct segment *s = &c->seg[seg];
    uint32_t ea = index_reg(c, i, reg);
    uint64_t window = write ? s->wlen : s->rlen, from = (uint32_t)(ea - s->lo);
    if (from >= window) {
        return 0;
    }
    *la = (uint32_t)s->base + ea;
    uint64_t bytes = MIN(window - from, (uint64_t)(PAGE_SIZE - (*la & PAGE_MASK)));
    if (i->a16) {
        bytes = MIN(bytes, 0x10000u - ea);
    }
    return (uint32_t)bytes / i->osize;
}

static void copy_up(uint8_t *d, const uint8_t *s, uint32_t n, unsigned size)
{
    size_t bytes = (size_t)n * size;
    if (d + bytes <= s || s + bytes <= d || d <= s) {
        memmove(d, s, bytes); /* an overlap with d below s is what element order gives, too */
        return;
    }
    for (uint32_t k = 0; k < n; k++) {
        put_n(d + (size_t)k * size, size, get_n(s + (size_t)k * size, size));
    }
}

static void fill_up(uint8_t *d, uint64_t v, uint32_t n, unsigned size)
{
    if (size == 1) {
        memset(d, (int)(v & 0xff), n);
        return;
    }
    for (uint32_t k = 0; k < n; k++) {
        put_n(d + (size_t)k * size, size, v);
    }
}

/* Stores a run to a page that has no direct entry; false: nothing done, go element by element. */
static bool store_run(struct cpu *c, uint32_t la, const uint8_t *from, size_t bytes)
{
    uint8_t *to = lin_code_page(c, la);

    if (!to || (to < from + bytes && from < to + bytes)) {
        return false;
    }
    return lin_write_bytes(c, la, from, (unsigned)bytes);
}

/* A run of REP MOVS or STOS through host pointers; returns the elements done (0: not possible). */
static uint32_t run_movs(struct cpu *c, struct insn *i, uint32_t max)
{
    uint32_t from, to, n = MIN(max, string_run(c, i, i->seg, REG_ESI, false, &from));
    const uint8_t *s;
    uint8_t *d;

    if (!n) {
        return 0;
    }
    n = MIN(n, string_run(c, i, SEG_ES, REG_EDI, true, &to));
    s = n ? tlb_read_hit(c->tlb, from, 1) : NULL;
    if (!s) {
        return 0;
    }
    d = tlb_write_hit(c->tlb, to, 1);
    if (UNLIKELY(!d)) {
        return store_run(c, to, s, (size_t)n * i->osize) ? n : 0;
    }
    copy_up(d, s, n, i->osize);
    return n;
}

static uint32_t run_stos(struct cpu *c, struct insn *i, uint32_t max)
{
    uint32_t to, n = MIN(max, string_run(c, i, SEG_ES, REG_EDI, true, &to));
    uint8_t *d = n ? tlb_write_hit(c->tlb, to, 1) : NULL;

    if (!d) {
        return 0;
    }
    fill_up(d, c->r.q[REG_EAX], n, i->osize);
    return n;
}

struct string_op {
    bool (*one)(struct cpu *c, const struct insn *i);
    uint32_t (*run)(struct cpu *c, struct insn *i, uint32_t max); /* NULL: element by element */
    bool src, dst;   /* uses eSI, eDI */
    bool compares;   /* REPE/REPNE end on ZF */
};

static void advance(struct cpu *c, const struct insn *i, const struct string_op *op, int32_t by)
{
    if (op->src) {
        step_reg(c, i, REG_ESI, by);
    }
    if (op->dst) {
        step_reg(c, i, REG_EDI, by);
    }
}

static struct insn *rep_string(struct cpu *c, struct insn *i, const struct string_op *op)
{
    int32_t step = string_step(c, i);
    uint32_t count = index_reg(c, i, REG_ECX), done = 0;

    /* c->left bounds the work; at least one element is done so that the guest moves on. */
    while (count) {
        uint32_t n = 0;
        if (op->run && step > 0) {
            int64_t room = c->left + 1 - done;
            n = op->run(c, i, room < (int64_t)count ? (uint32_t)MAX(room, 1) : count);
        }
        if (n == 0) {
            if (!op->one(c, i)) {
                c->left -= done;
                return cpu_fault(c, i);
            }
            n = 1;
        }
        advance(c, i, op, step * (int32_t)n);
        step_reg(c, i, REG_ECX, -(int32_t)n);
        count -= n;
        done += n;
        if (op->compares && flag_zf(c) != (i->rep == REP_F3)) {
            break;
        }
        if (count && done > c->left) {
            c->left -= done;
            return cpu_leave_again(c, i);
        }
    }
    if (done) {
        c->left -= done - 1;
    }
    return insn_next(i);
}

static struct insn *string_insn(struct cpu *c, struct insn *i, const struct string_op *op)
{
    if (i->rep) {
        return rep_string(c, i, op);
    }
    if (!op->one(c, i)) {
        return cpu_fault(c, i);
    }
    advance(c, i, op, string_step(c, i));
    return insn_next(i);
}

struct insn *x_movs(struct cpu *c, struct insn *i)
{
    static const struct string_op op = {one_movs, run_movs, true, true, false};
    return string_insn(c, i, &op);
}

struct insn *x_stos(struct cpu *c, struct insn *i)
{
    static const struct string_op op = {one_stos, run_stos, false, true, false};
    return string_insn(c, i, &op);
}

struct insn *x_lods(struct cpu *c, struct insn *i)
{
    static const struct string_op op = {one_lods, NULL, true, false, false};
    return string_insn(c, i, &op);
}

struct insn *x_cmps(struct cpu *c, struct insn *i)
{
    static const struct string_op op = {one_cmps, NULL, true, true, true};
    return string_insn(c, i, &op);
}

struct insn *x_scas(struct cpu *c, struct insn *i)
{
    static const struct string_op op = {one_scas, NULL, false, true, true};
    return string_insn(c, i, &op);
}
