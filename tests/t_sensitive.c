/*
 * The 17 instructions that are sensitive without trapping in the right places of a 386 (Popek and
 * Goldberg): SGDT SIDT SLDT SMSW STR PUSHF POPF LAR LSL VERR VERW, POP, PUSH and MOV of segment
 * registers, far CALL, JMP and RET, INT n, IRET.  Each at CPL 0 to 3 with IOPL 0 and 3, and in V86
 * mode with IOPL 0 and 3.  Expected results are written from the SDM: vol. 2 (each instruction's
 * "Operation" and exception lists), vol. 3 chapters 5, 6 and 20.
 */
#include <string.h>

#include "cpu/system.h"
#include "cpu_fixture.h"
#include "memory/bytes.h"
#include "tests/suite.h"

enum {
    GDT = 0x2000, LDT = 0x2800, IDT = 0x3000, TSS = 0x3800, HANDLERS = 0x4000, DATA = 0x6000,
    STACKS = 0xa000, /* of CPL 0, 1, 2 when entered, 0x400 apart */
    SEL_TSS = 0x60, SEL_LDT = 0x68,
    SEL_ABSENT = 0x70, SEL_GATE3 = 0x78, SEL_GATE0 = 0x80, SEL_CONFORM = 0x88, SEL_EXEC = 0x90,
    SEL_RO3 = 0x98,
    NONE = -1,
};
#define CODE_SEL(dpl) (0x10u + (dpl) * 0x10u) /* RPL 0 */
#define DATA_SEL(dpl) (0x18u + (dpl) * 0x10u)

/* The six environments, in the order of the columns below. */
enum { CPL0, CPL1, CPL2, CPL3, V86_0, V86_3, MODES };

static uint64_t descriptor(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)flags << 52 |
           (uint64_t)(base >> 24) << 56;
}

static uint64_t gate(unsigned sel, uint32_t offset, unsigned access)
{
    return (offset & 0xffff) | (uint64_t)sel << 16 | (uint64_t)access << 40 |
           (uint64_t)(offset >> 16) << 48;
}

static struct fixture tables(void)
{
    struct fixture f = fix_new(false);
    uint8_t *g = f.ram + GDT;

    for (unsigned dpl = 0; dpl < 4; dpl++) {
        put64(g + CODE_SEL(dpl), descriptor(0, 0xfffff, 0x9b | dpl << 5, 0xc));
        put64(g + DATA_SEL(dpl), descriptor(0, 0xfffff, 0x93 | dpl << 5, 0xc));
    }
    put64(g + SEL_TSS, descriptor(TSS, 0x67, 0x8b, 0));
    put64(g + SEL_LDT, descriptor(LDT, 0xff, 0x82, 0));
    put64(g + SEL_ABSENT, descriptor(0, 0xfffff, 0x73, 0xc));
    put64(g + SEL_GATE3, gate(CODE_SEL(0), HANDLERS + 0x1000, 0xec));
    put64(g + SEL_GATE0, gate(CODE_SEL(0), HANDLERS + 0x1000, 0x8c));
    put64(g + SEL_CONFORM, descriptor(0, 0xfffff, 0x9f, 0xc));
    put64(g + SEL_EXEC, descriptor(0, 0xfffff, 0xf9, 0xc));
    put64(g + SEL_RO3, descriptor(0, 0x12345, 0xf1, 4));
    for (unsigned v = 0; v < 256; v++) {
        unsigned dpl = v == 0x43 || v == 3 || v == 4 ? 3 : 0;
        put64(f.ram + IDT + v * 8, gate(CODE_SEL(0), HANDLERS + v * 16, 0x8e | dpl << 5));
    }
    memset(f.ram + HANDLERS, 0xf4, 0x1100);
    for (unsigned n = 0; n < 3; n++) {
        put32(f.ram + TSS + 4 + n * 8, STACKS + (n + 1) * 0x400);
        put16(f.ram + TSS + 8 + n * 8, (uint16_t)(DATA_SEL(n) | n));
    }
    put16(f.ram + TSS + 0x66, 0x68);
    cpu_enter_flat32(f.c, FIX_CODE);
    f.c->gdtr = (struct desc_table){GDT, 0x3ff};
    f.c->idtr = (struct desc_table){IDT, 0x7ff};
    f.c->tr = (struct segment){.base = TSS, .limit = 0x67, .sel = SEL_TSS,
                               .attr = ATTR_P | DESC_TSS32_BUSY};
    f.c->ldtr = (struct segment){.base = LDT, .limit = 0xff, .sel = SEL_LDT,
                                 .attr = ATTR_P | DESC_LDT};
    f.c->cr0 |= CR0_MP | CR0_NE;
    return f;
}

static bool is_v86(unsigned mode)
{
    return mode >= V86_0;
}

static unsigned level(unsigned mode)
{
    return is_v86(mode) ? 3 : mode;
}

static void set_segment(struct cpu *c, unsigned seg, unsigned sel, unsigned access)
{
    c->seg[seg] = (struct segment){.limit = 0xffffffff, .attr = 0xc000 | access,
                                   .sel = (uint16_t)sel};
}

/* Enters a mode at FIX_CODE; all segments at base 0. */
static void enter(struct fixture *f, unsigned mode, unsigned iopl)
{
    struct cpu *c = f->c;
    unsigned cpl = level(mode);

    c->halted = c->shutdown = false;
    c->shadow = 0;
    flags_put(c, 2 | iopl << 12 | FLAG_IF | (is_v86(mode) ? FLAG_VM : 0));
    for (unsigned seg = 0; seg < SEG_COUNT; seg++) {
        if (is_v86(mode)) {
            seg_load_real(c, seg, 0);
        } else if (seg == SEG_CS) {
            set_segment(c, seg, CODE_SEL(cpl) | cpl, 0x9b | cpl << 5);
        } else {
            set_segment(c, seg, DATA_SEL(cpl) | cpl, 0x93 | cpl << 5);
        }
    }
    cpu_set_cpl(c, cpl);
    cpu_update_mode(c);
    trace_flush(c);
    c->eip = FIX_CODE;
    for (unsigned r = 0; r < 8; r++) {
        c->r.q[r] = r == REG_ESP ? FIX_STACK : 0x11111111u * r;
    }
    memset(f->ram + FIX_STACK - 64, 0, 128);
}

struct outcome {
    int vector; /* NONE: completed */
    uint32_t error;
    uint32_t sp; /* of the handler's frame, behind an error code */
};

/* One instruction. */
static struct outcome run(struct fixture *f, const void *code, size_t n)
{
    struct cpu *c = f->c;
    struct outcome r = {.vector = NONE};
    uint32_t at;

    bus_write_block(f->mem, FIX_CODE, code, n);
    if (trace_flush_pending(c)) {
        trace_flush_now(c);
    }
    c->until = c->icount + 1;
    cpu_slice_begin(c, 1);
    cpu_execute(c, trace_lookup(c, MODE_ONE));
    cpu_slice_end(c);
    ck_assert(!c->shutdown);
    at = (uint32_t)c->eip - HANDLERS;
    if (at < 0x1000 && at % 16 == 0) {
        r.vector = (int)(at / 16);
        r.sp = (uint32_t)c->r.q[REG_ESP];
        if (r.vector >= 10 && r.vector <= 14) {
            r.error = get32(f->ram + r.sp);
            r.sp += 4;
        }
    }
    return r;
}

#define RUN(f, ...) run(f, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* --- the table: which exception in which mode ------------------------------------------------ */

#define OK {NONE, 0}
#define UD {EXC_UD, 0}
#define GP(e) {EXC_GP, e}
#define NP(e) {EXC_NP, e}
#define SS(e) {EXC_SS, e}

struct expectation {
    int vector;
    uint32_t error;
};

/*
 * code32 and code16 mean the same.  EAX holds `eax`; the stack and the memory at DATA hold two
 * doublewords (words in V86) `value`.
 */
struct row {
    const char *name;
    uint8_t len32, code32[8];
    uint8_t len16, code16[8];
    uint32_t eax, value[2];
    struct expectation at[MODES];
};
#define MEM32 0x00, 0x60, 0x00, 0x00
#define MEM16 0x00, 0x60

static const struct row table[] = {
    /* Not privileged at all: the tables of the machine are readable from everywhere. */
    {"sgdt", 7, {0x0f, 0x01, 0x05, MEM32}, 5, {0x0f, 0x01, 0x06, MEM16}, 0, {0},
     {OK, OK, OK, OK, OK, OK}},
    {"sidt", 7, {0x0f, 0x01, 0x0d, MEM32}, 5, {0x0f, 0x01, 0x0e, MEM16}, 0, {0},
     {OK, OK, OK, OK, OK, OK}},
    {"smsw", 3, {0x0f, 0x01, 0xe0}, 3, {0x0f, 0x01, 0xe0}, 0, {0}, {OK, OK, OK, OK, OK, OK}},
    /* The same, but not known in V86 mode. */
    {"sldt", 3, {0x0f, 0x00, 0xc0}, 3, {0x0f, 0x00, 0xc0}, 0, {0}, {OK, OK, OK, OK, UD, UD}},
    {"str", 3, {0x0f, 0x00, 0xc8}, 3, {0x0f, 0x00, 0xc8}, 0, {0}, {OK, OK, OK, OK, UD, UD}},
    {"lar", 3, {0x0f, 0x02, 0xc8}, 3, {0x0f, 0x02, 0xc8}, 0x10, {0}, {OK, OK, OK, OK, UD, UD}},
    {"lsl", 3, {0x0f, 0x03, 0xc8}, 3, {0x0f, 0x03, 0xc8}, 0x10, {0}, {OK, OK, OK, OK, UD, UD}},
    {"verr", 3, {0x0f, 0x00, 0xe0}, 3, {0x0f, 0x00, 0xe0}, 0x10, {0}, {OK, OK, OK, OK, UD, UD}},
    {"verw", 3, {0x0f, 0x00, 0xe8}, 3, {0x0f, 0x00, 0xe8}, 0x10, {0}, {OK, OK, OK, OK, UD, UD}},
    /* Sensitive to IOPL in V86 mode only. */
    {"pushf", 1, {0x9c}, 1, {0x9c}, 0, {0}, {OK, OK, OK, OK, GP(0), OK}},
    {"pushfd", 1, {0x9c}, 2, {0x66, 0x9c}, 0, {0}, {OK, OK, OK, OK, GP(0), OK}},
    {"popf", 1, {0x9d}, 1, {0x9d}, 0, {2, 0}, {OK, OK, OK, OK, GP(0), OK}},
    {"popfd", 1, {0x9d}, 2, {0x66, 0x9d}, 0, {2, 0}, {OK, OK, OK, OK, GP(0), OK}},
    {"iret", 1, {0xcf}, 1, {0xcf}, 0, {FIX_CODE, 0},
     {GP(0), GP(0), GP(0), GP(0), GP(0), OK}}, /* null CS outside of V86 */
    {"int n, gate of DPL 3", 2, {0xcd, 0x43}, 2, {0xcd, 0x43}, 0, {0},
     {{0x43, 0}, {0x43, 0}, {0x43, 0}, {0x43, 0}, GP(0), {0x43, 0}}},
    {"int n, gate of DPL 0", 2, {0xcd, 0x42}, 2, {0xcd, 0x42}, 0, {0},
     {{0x42, 0}, GP(0x212), GP(0x212), GP(0x212), GP(0), GP(0x212)}},
    /* INT3 does not ask for IOPL. */
    {"int3", 1, {0xcc}, 1, {0xcc}, 0, {0},
     {{3, 0}, {3, 0}, {3, 0}, {3, 0}, {3, 0}, {3, 0}}},
    /* Loads check DPL against CPL and RPL; in V86 mode there is nothing to check. */
    {"mov ds, DPL 0", 2, {0x8e, 0xd8}, 2, {0x8e, 0xd8}, 0x18, {0},
     {OK, GP(0x18), GP(0x18), GP(0x18), OK, OK}},
    {"mov ds, DPL 2", 2, {0x8e, 0xd8}, 2, {0x8e, 0xd8}, 0x38, {0},
     {OK, OK, OK, GP(0x38), OK, OK}},
    {"mov ds, DPL 2 RPL 3", 2, {0x8e, 0xd8}, 2, {0x8e, 0xd8}, 0x3b, {0},
     {GP(0x38), GP(0x38), GP(0x38), GP(0x38), OK, OK}},
    {"mov ds, null", 2, {0x8e, 0xd8}, 2, {0x8e, 0xd8}, 3, {0}, {OK, OK, OK, OK, OK, OK}},
    {"mov ds, conforming code", 2, {0x8e, 0xd8}, 2, {0x8e, 0xd8}, SEL_CONFORM | 3, {0},
     {OK, OK, OK, OK, OK, OK}},
    {"mov ds, execute-only", 2, {0x8e, 0xd8}, 2, {0x8e, 0xd8}, SEL_EXEC, {0},
     {GP(SEL_EXEC), GP(SEL_EXEC), GP(SEL_EXEC), GP(SEL_EXEC), OK, OK}},
    {"mov ds, not present", 2, {0x8e, 0xd8}, 2, {0x8e, 0xd8}, SEL_ABSENT, {0},
     {NP(SEL_ABSENT), NP(SEL_ABSENT), NP(SEL_ABSENT), NP(SEL_ABSENT), OK, OK}},
    {"mov ss, DPL 0", 2, {0x8e, 0xd0}, 2, {0x8e, 0xd0}, 0x18, {0},
     {OK, GP(0x18), GP(0x18), GP(0x18), OK, OK}},
    {"mov ss, DPL 1 RPL 1", 2, {0x8e, 0xd0}, 2, {0x8e, 0xd0}, 0x29, {0},
     {GP(0x28), OK, GP(0x28), GP(0x28), OK, OK}},
    {"mov ss, DPL 3 RPL 3", 2, {0x8e, 0xd0}, 2, {0x8e, 0xd0}, 0x4b, {0},
     {GP(0x48), GP(0x48), GP(0x48), OK, OK, OK}},
    {"mov ss, null", 2, {0x8e, 0xd0}, 2, {0x8e, 0xd0}, 0, {0},
     {GP(0), GP(0), GP(0), GP(0), OK, OK}},
    {"mov ss, read-only", 2, {0x8e, 0xd0}, 2, {0x8e, 0xd0}, SEL_RO3 | 3, {0},
     {GP(SEL_RO3), GP(SEL_RO3), GP(SEL_RO3), GP(SEL_RO3), OK, OK}},
    {"mov cs", 2, {0x8e, 0xc8}, 2, {0x8e, 0xc8}, 0x10, {0}, {UD, UD, UD, UD, UD, UD}},
    {"mov ax, ds", 2, {0x8c, 0xd8}, 2, {0x8c, 0xd8}, 0, {0}, {OK, OK, OK, OK, OK, OK}},
    {"push ds", 1, {0x1e}, 1, {0x1e}, 0, {0}, {OK, OK, OK, OK, OK, OK}},
    {"push cs", 1, {0x0e}, 1, {0x0e}, 0, {0}, {OK, OK, OK, OK, OK, OK}},
    {"pop ds, DPL 0", 1, {0x1f}, 1, {0x1f}, 0, {0x18, 0},
     {OK, GP(0x18), GP(0x18), GP(0x18), OK, OK}},
    {"pop gs, DPL 3", 2, {0x0f, 0xa9}, 2, {0x0f, 0xa9}, 0, {0x4b, 0}, {OK, OK, OK, OK, OK, OK}},
    {"pop ss, DPL 3 RPL 3", 1, {0x17}, 1, {0x17}, 0, {0x4b, 0},
     {GP(0x48), GP(0x48), GP(0x48), OK, OK, OK}},
    {"pop ss, not present", 1, {0x17}, 1, {0x17}, 0, {SEL_ABSENT | 3, 0},
     {GP(SEL_ABSENT), GP(SEL_ABSENT), GP(SEL_ABSENT), SS(SEL_ABSENT), OK, OK}},
    /* Far transfers: same level, or a call gate; RPL may not weaken the caller. */
    {"jmp far, DPL 0", 7, {0xea, MEM32, 0x10, 0}, 5, {0xea, MEM16, 0x10, 0}, 0, {0},
     {OK, GP(0x10), GP(0x10), GP(0x10), OK, OK}},
    {"jmp far, DPL 3 RPL 3", 7, {0xea, MEM32, 0x43, 0}, 5, {0xea, MEM16, 0x43, 0}, 0, {0},
     {GP(0x40), GP(0x40), GP(0x40), OK, OK, OK}},
    {"jmp far, conforming", 7, {0xea, MEM32, SEL_CONFORM, 0}, 5, {0xea, MEM16, SEL_CONFORM, 0}, 0,
     {0}, {OK, OK, OK, OK, OK, OK}},
    {"jmp far, data", 7, {0xea, MEM32, 0x18, 0}, 5, {0xea, MEM16, 0x18, 0}, 0, {0},
     {GP(0x18), GP(0x18), GP(0x18), GP(0x18), OK, OK}},
    {"jmp far, gate to CPL 0", 7, {0xea, MEM32, SEL_GATE3, 0}, 5, {0xea, MEM16, SEL_GATE3, 0}, 0,
     {0}, {OK, GP(0x10), GP(0x10), GP(0x10), OK, OK}},
    {"call far, DPL 0", 7, {0x9a, MEM32, 0x10, 0}, 5, {0x9a, MEM16, 0x10, 0}, 0, {0},
     {OK, GP(0x10), GP(0x10), GP(0x10), OK, OK}},
    {"call far, DPL 2 RPL 0", 7, {0x9a, MEM32, 0x30, 0}, 5, {0x9a, MEM16, 0x30, 0}, 0, {0},
     {GP(0x30), GP(0x30), OK, GP(0x30), OK, OK}},
    {"call far, gate of DPL 3", 7, {0x9a, MEM32, SEL_GATE3, 0}, 5, {0x9a, MEM16, SEL_GATE3, 0}, 0,
     {0}, {OK, OK, OK, OK, OK, OK}},
    {"call far, gate of DPL 0", 7, {0x9a, MEM32, SEL_GATE0, 0}, 5, {0x9a, MEM16, SEL_GATE0, 0}, 0,
     {0}, {OK, GP(SEL_GATE0), GP(SEL_GATE0), GP(SEL_GATE0), OK, OK}},
    {"retf, DPL 0", 1, {0xcb}, 1, {0xcb}, 0, {DATA, 0x10},
     {OK, GP(0x10), GP(0x10), GP(0x10), OK, OK}},
    {"retf, DPL 3", 1, {0xcb}, 1, {0xcb}, 0, {DATA, 0x43}, /* outer stacks are null */
     {GP(0), GP(0), GP(0), OK, OK, OK}},
    {"retf, DPL 3 RPL 0", 1, {0xcb}, 1, {0xcb}, 0, {DATA, 0x40},
     {GP(0x40), GP(0x40), GP(0x40), GP(0x40), OK, OK}},
    {"retf, null", 1, {0xcb}, 1, {0xcb}, 0, {DATA, 1}, {GP(0), GP(0), GP(0), GP(0), OK, OK}},
};

static void put_operands(struct fixture *f, const struct row *row, unsigned mode)
{
    f->c->r.q[REG_EAX] = row->eax;
    for (unsigned n = 0; n < 2; n++) {
        if (is_v86(mode)) {
            put16(f->ram + DATA + n * 2, (uint16_t)row->value[n]);
            put16(f->ram + FIX_STACK + n * 2, (uint16_t)row->value[n]);
        } else {
            put32(f->ram + DATA + n * 4, row->value[n]);
            put32(f->ram + FIX_STACK + n * 4, row->value[n]);
        }
    }
}

START_TEST(exceptions)
{
    unsigned mode = (unsigned)_i % MODES;
    struct fixture f = tables();

    for (unsigned k = 0; k < ARRAY_LEN(table); k++) {
        const struct row *row = &table[k];
        const struct expectation *want = &row->at[mode];
        for (unsigned iopl = 0; iopl <= 3; iopl += 3) {
            struct outcome got;
            if (is_v86(mode) && iopl != (mode == V86_3 ? 3u : 0u)) {
                continue;
            }
            enter(&f, mode, iopl);
            put_operands(&f, row, mode);
            got = is_v86(mode) ? run(&f, row->code16, row->len16)
                               : run(&f, row->code32, row->len32);
            ck_assert_msg(got.vector == want->vector && got.error == want->error,
                          "%s, mode %u, IOPL %u: exception %d, error %x; expected %d, %x",
                          row->name, mode, iopl, got.vector, got.error, want->vector, want->error);
        }
    }
    fix_free(&f);
}
END_TEST

/* A fault shows the state before the instruction, a software interrupt the one behind it. */
START_TEST(frames)
{
    struct fixture f = tables();

    for (unsigned mode = CPL1; mode < MODES; mode++) {
        struct outcome r;
        enter(&f, mode, 3);
        r = RUN(&f, 0xcd, 0x43);
        ck_assert_uint_eq(get32(f.ram + r.sp), FIX_CODE + 2);
        ck_assert_uint_eq(get32(f.ram + r.sp + 4), is_v86(mode) ? 0 : CODE_SEL(mode) | mode);
        ck_assert_uint_eq(get32(f.ram + r.sp + 8), 0x3202u | (is_v86(mode) ? FLAG_VM : 0));
        ck_assert_uint_eq(get32(f.ram + r.sp + 12), FIX_STACK);
        ck_assert_uint_eq(r.sp + (is_v86(mode) ? 36 : 20), STACKS + 0x400);
        ck_assert_uint_eq(f.c->cpl, 0);
        ck_assert_uint_eq(f.c->eflags & (FLAG_VM | FLAG_IF), 0);
        if (is_v86(mode)) {
            ck_assert(f.c->seg[SEG_DS].sel == 0 && f.c->seg[SEG_DS].rlen == 0);
            ck_assert(f.c->seg[SEG_GS].sel == 0 && f.c->seg[SEG_GS].rlen == 0);
        }
        enter(&f, mode, 0);
        r = RUN(&f, 0xcd, 0x42);
        ck_assert_uint_eq(get32(f.ram + r.sp), FIX_CODE);
    }
    fix_free(&f);
}
END_TEST

/* --- what the values are --------------------------------------------------------------------- */

START_TEST(stored_tables)
{
    struct fixture f = tables();

    for (unsigned mode = CPL0; mode < MODES; mode++) {
        static const uint8_t sgdt32[] = {0x0f, 0x01, 0x05, MEM32};
        static const uint8_t sgdt16[] = {0x0f, 0x01, 0x06, MEM16};
        static const uint8_t sidt32[] = {0x0f, 0x01, 0x0d, MEM32};
        static const uint8_t sidt16[] = {0x0f, 0x01, 0x0e, MEM16};
        enter(&f, mode, 0);
        run(&f, is_v86(mode) ? sgdt16 : sgdt32, is_v86(mode) ? sizeof sgdt16 : sizeof sgdt32);
        ck_assert_uint_eq(get16(f.ram + DATA), 0x3ff);
        ck_assert_uint_eq(get32(f.ram + DATA + 2), GDT);
        enter(&f, mode, 0);
        run(&f, is_v86(mode) ? sidt16 : sidt32, is_v86(mode) ? sizeof sidt16 : sizeof sidt32);
        ck_assert_uint_eq(get16(f.ram + DATA), 0x7ff);
        ck_assert_uint_eq(get32(f.ram + DATA + 2), IDT);
        enter(&f, mode, 0);
        RUN(&f, 0x0f, 0x01, 0xe0); /* smsw eax, ax */
        ck_assert_uint_eq(f.c->r.q[REG_EAX] & 0xffff, f.c->cr0 & 0xffff);
        if (!is_v86(mode)) {
            enter(&f, mode, 0);
            RUN(&f, 0x0f, 0x00, 0xc0);
            ck_assert_uint_eq(f.c->r.q[REG_EAX] & 0xffff, SEL_LDT);
            enter(&f, mode, 0);
            RUN(&f, 0x0f, 0x00, 0xc8);
            ck_assert_uint_eq(f.c->r.q[REG_EAX] & 0xffff, SEL_TSS);
        }
    }
    fix_free(&f);
}
END_TEST

/* LAR, LSL, VERR, VERW see what a load would be allowed to, and system descriptors at their DPL. */
START_TEST(visibility)
{
    static const struct {
        unsigned sel;
        uint8_t lar[4], lsl[4], verr[4], verw[4]; /* ZF at CPL 0 to 3 */
        uint32_t access, limit;
    } rows[] = {
        {0x18, {1, 0, 0, 0}, {1, 0, 0, 0}, {1, 0, 0, 0}, {1, 0, 0, 0}, 0xc09300, 0xffffffff},
        {0x38, {1, 1, 1, 0}, {1, 1, 1, 0}, {1, 1, 1, 0}, {1, 1, 1, 0}, 0xc0d300, 0xffffffff},
        {0x3b, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, 0, 0},
        {SEL_RO3, {1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, {0, 0, 0, 0}, 0x40f100, 0x12345},
        {SEL_EXEC, {1, 1, 1, 1}, {1, 1, 1, 1}, {0, 0, 0, 0}, {0, 0, 0, 0}, 0xc0f900, 0xffffffff},
        {SEL_CONFORM | 3, {1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, {0, 0, 0, 0}, 0xc09f00,
         0xffffffff},
        {SEL_ABSENT, {1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, 0xc07300, 0xffffffff},
        {SEL_TSS, {1, 0, 0, 0}, {1, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, 0x008b00, 0x67},
        {SEL_LDT, {1, 0, 0, 0}, {1, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, 0x008200, 0xff},
        {SEL_GATE3, {1, 1, 1, 1}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, 0x00ec00, 0},
        {SEL_GATE0, {1, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, 0x008c00, 0},
        {0, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, 0, 0},
        {0x400, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, 0, 0},
    };
    struct fixture f = tables();

    for (unsigned k = 0; k < ARRAY_LEN(rows); k++) {
        for (unsigned cpl = 0; cpl < 4; cpl++) {
            const uint8_t *zf[4] = {rows[k].lar, rows[k].lsl, rows[k].verr, rows[k].verw};
            static const uint8_t code[4][3] = {
                {0x0f, 0x02, 0xc8}, {0x0f, 0x03, 0xc8}, {0x0f, 0x00, 0xe0}, {0x0f, 0x00, 0xe8}};
            for (unsigned n = 0; n < 4; n++) {
                uint32_t want = n == 0 ? rows[k].access : rows[k].limit;
                enter(&f, cpl, 0);
                f.c->r.q[REG_EAX] = rows[k].sel;
                ck_assert_int_eq(run(&f, code[n], 3).vector, NONE);
                ck_assert_msg(flag_zf(f.c) == zf[n][cpl], "selector %x, CPL %u, operation %u",
                              rows[k].sel, cpl, n);
                uint32_t got = (uint32_t)f.c->r.q[REG_ECX];
                if (n == 0 && zf[n][cpl]) {
                    got &= 0xf0ff00; /* bits 16 to 19 are undefined */
                }
                if (n < 2) {
                    ck_assert_uint_eq(got, zf[n][cpl] ? want : 0x11111111u);
                }
            }
        }
    }
    fix_free(&f);
}
END_TEST

/* POPF and IRET to the same level: IOPL changes at CPL 0 only, IF at CPL <= IOPL; never VM. */
START_TEST(flag_rights)
{
    struct fixture f = tables();

    for (unsigned mode = CPL0; mode < MODES; mode++) {
        for (unsigned iopl = 0; iopl <= 3; iopl += 3) {
            unsigned cpl = level(mode);
            for (unsigned iret = 0; iret < 2; iret++) {
                uint32_t image = (3 - iopl) << 12 | FLAG_CF | FLAG_DF | FLAG_NT | 2, want, got;
                bool v86 = is_v86(mode);
                if (v86 && iopl == 0) {
                    continue;
                }
                enter(&f, mode, iopl);
                if (iret && v86) {
                    put16(f.ram + FIX_STACK, FIX_CODE);
                    put16(f.ram + FIX_STACK + 2, 0);
                    put16(f.ram + FIX_STACK + 4, (uint16_t)image);
                } else if (iret) {
                    put32(f.ram + FIX_STACK, FIX_CODE);
                    put32(f.ram + FIX_STACK + 4, CODE_SEL(cpl) | cpl);
                    put32(f.ram + FIX_STACK + 8, image);
                } else {
                    put32(f.ram + FIX_STACK, image);
                }
                ck_assert_int_eq((iret ? RUN(&f, 0xcf) : RUN(&f, 0x9d)).vector, NONE);
                got = flags_get(f.c);
                want = FLAG_CF | FLAG_DF | FLAG_NT | 2;
                want |= (cpl == 0 ? 3 - iopl : iopl) << 12;
                want |= cpl <= iopl ? 0 : FLAG_IF; /* the image has it clear */
                want |= v86 ? FLAG_VM : 0;
                ck_assert_msg(got == want, "%s, mode %u, IOPL %u: %x, expected %x",
                              iret ? "iret" : "popf", mode, iopl, (unsigned)got, (unsigned)want);
            }
        }
    }
    fix_free(&f);
}
END_TEST

/* PUSHF shows IOPL and IF as they are, VM and RF as 0. */
START_TEST(pushed_flags)
{
    struct fixture f = tables();

    for (unsigned mode = CPL0; mode < MODES; mode++) {
        enter(&f, mode, 3);
        f.c->eflags |= FLAG_RF;
        if (is_v86(mode)) {
            RUN(&f, 0x66, 0x9c);
        } else {
            RUN(&f, 0x9c);
        }
        ck_assert_uint_eq(get32(f.ram + FIX_STACK - 4), 0x3202);
        ck_assert_uint_eq(f.c->r.q[REG_ESP], FIX_STACK - 4);
    }
    fix_free(&f);
}
END_TEST

START_TEST(v86_segments)
{
    struct fixture f = tables();
    struct cpu *c = f.c;

    for (unsigned mode = V86_0; mode < MODES; mode++) {
        enter(&f, mode, mode == V86_3 ? 3 : 0);
        c->r.q[REG_EAX] = 0x1234;
        RUN(&f, 0x8e, 0xd8);
        ck_assert(c->seg[SEG_DS].sel == 0x1234 && c->seg[SEG_DS].base == 0x12340);
        ck_assert_uint_eq(c->seg[SEG_DS].limit, 0xffff);
        enter(&f, mode, 0);
        RUN(&f, 0x9a, 0x34, 0x12, 0x78, 0x56); /* call 5678:1234 */
        ck_assert(c->seg[SEG_CS].sel == 0x5678 && c->seg[SEG_CS].base == 0x56780);
        ck_assert_uint_eq(c->eip, 0x1234);
        ck_assert_uint_eq(get16(f.ram + FIX_STACK - 2), 0);
        ck_assert_uint_eq(get16(f.ram + FIX_STACK - 4), FIX_CODE + 5);
        ck_assert_uint_eq(c->r.q[REG_ESP], FIX_STACK - 4);
        ck_assert(c->cpl == 3 && (c->eflags & FLAG_VM));
        enter(&f, mode, 0);
        put16(f.ram + FIX_STACK, 0x4321);
        put16(f.ram + FIX_STACK + 2, 0x8765);
        RUN(&f, 0xca, 6, 0); /* retf 6 */
        ck_assert(c->seg[SEG_CS].base == 0x87650 && c->eip == 0x4321);
        ck_assert_uint_eq(c->r.q[REG_ESP], FIX_STACK + 10);
    }
    fix_free(&f);
}
END_TEST

/* --- changes of privilege -------------------------------------------------------------------- */

START_TEST(call_gate_inward)
{
    struct fixture f = tables();

    for (unsigned cpl = 1; cpl < 4; cpl++) {
        uint32_t sp = STACKS + 0x400 - 16;
        enter(&f, cpl, 0);
        RUN(&f, 0x9a, 0, 0, 0, 0, SEL_GATE3 | 3, 0);
        ck_assert_uint_eq(f.c->eip, HANDLERS + 0x1000);
        ck_assert_uint_eq(f.c->cpl, 0);
        ck_assert_uint_eq(f.c->seg[SEG_CS].sel, CODE_SEL(0));
        ck_assert_uint_eq(f.c->seg[SEG_SS].sel, DATA_SEL(0));
        ck_assert_uint_eq(f.c->r.q[REG_ESP], sp);
        ck_assert_uint_eq(get32(f.ram + sp), FIX_CODE + 7);
        ck_assert_uint_eq(get32(f.ram + sp + 4), CODE_SEL(cpl) | cpl);
        ck_assert_uint_eq(get32(f.ram + sp + 8), FIX_STACK);
        ck_assert_uint_eq(get32(f.ram + sp + 12), DATA_SEL(cpl) | cpl);
        /* and back */
        f.c->eip = FIX_CODE;
        ck_assert_int_eq(RUN(&f, 0xcb).vector, NONE);
        ck_assert_uint_eq(f.c->cpl, cpl);
        ck_assert_uint_eq(f.c->eip, FIX_CODE + 7);
        ck_assert_uint_eq(f.c->r.q[REG_ESP], FIX_STACK);
        ck_assert_uint_eq(f.c->seg[SEG_SS].sel, DATA_SEL(cpl) | cpl);
    }
    fix_free(&f);
}
END_TEST

/* IRET from CPL 0 outward, to V86 mode, and with an inner CS. */
START_TEST(iret_from_the_kernel)
{
    struct fixture f = tables();
    static const uint16_t sels[] = {0x1111, 0x2222, 0x3333, 0x4444};
    struct outcome r;

    for (unsigned cpl = 1; cpl < 4; cpl++) {
        enter(&f, CPL0, 0);
        put32(f.ram + FIX_STACK, 0x1234);
        put32(f.ram + FIX_STACK + 4, CODE_SEL(cpl) | cpl);
        put32(f.ram + FIX_STACK + 8, 0x3002);
        put32(f.ram + FIX_STACK + 12, 0x7000);
        put32(f.ram + FIX_STACK + 16, DATA_SEL(cpl) | cpl);
        ck_assert_int_eq(RUN(&f, 0xcf).vector, NONE);
        ck_assert(f.c->cpl == cpl && f.c->eip == 0x1234 && f.c->r.q[REG_ESP] == 0x7000);
        ck_assert_uint_eq(flags_get(f.c), 0x3002);
        ck_assert_uint_eq(f.c->seg[SEG_DS].sel, 0); /* was of DPL 0 */
        /* one level further in is refused */
        enter(&f, cpl, 3);
        put32(f.ram + FIX_STACK, 0x1234);
        put32(f.ram + FIX_STACK + 4, CODE_SEL(cpl - 1) | (cpl - 1));
        put32(f.ram + FIX_STACK + 8, 0x3002);
        r = RUN(&f, 0xcf);
        ck_assert(r.vector == EXC_GP && r.error == CODE_SEL(cpl - 1));
    }
    enter(&f, CPL0, 0);
    put32(f.ram + FIX_STACK, 0x1234);
    put32(f.ram + FIX_STACK + 4, 0x5678);
    put32(f.ram + FIX_STACK + 8, FLAG_VM | 0x202);
    put32(f.ram + FIX_STACK + 12, 0x7000);
    put32(f.ram + FIX_STACK + 16, 0x0fff);
    for (unsigned n = 0; n < 4; n++) {
        put32(f.ram + FIX_STACK + 20 + n * 4, sels[n]);
    }
    ck_assert_int_eq(RUN(&f, 0xcf).vector, NONE);
    ck_assert(f.c->cpl == 3 && (f.c->eflags & FLAG_VM));
    ck_assert(f.c->seg[SEG_CS].base == 0x56780 && f.c->eip == 0x1234);
    ck_assert(f.c->seg[SEG_SS].base == 0xfff0 && f.c->r.q[REG_ESP] == 0x7000);
    ck_assert(f.c->seg[SEG_ES].base == 0x11110 && f.c->seg[SEG_DS].base == 0x22220);
    ck_assert(f.c->seg[SEG_FS].base == 0x33330 && f.c->seg[SEG_GS].base == 0x44440);
    fix_free(&f);
}
END_TEST

int main(void)
{
    const TTest *const rest[] = {frames, stored_tables, visibility, flag_rights, pushed_flags,
                                 v86_segments, call_gate_inward, iret_from_the_kernel};
    Suite *s = suite_create("sensitive");
    TCase *t = tcase_create("sensitive");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, exceptions, 0, MODES);
    for (size_t k = 0; k < ARRAY_LEN(rest); k++) {
        tcase_add_test(t, rest[k]);
    }
    suite_add_tcase(s, t);
    return suite_run(s);
}
