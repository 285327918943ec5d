/*
 * Segmentation: access windows, what loading each register demands, the mode word, real-mode and
 * V86 loads, returns to outer levels, the rules for EFLAGS writes, TSS stacks and interrupt
 * frames.
 */
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/system.h"
#include "cpu_fixture.h"
#include "memory/bytes.h"

enum { GDT = 0x2000, LDT = 0x3000, TSS = 0x4000, IDT = 0x5000, ROOM = 0x400 };

static uint64_t descriptor(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)flags << 52 |
           (uint64_t)(base >> 24) << 56;
}

static void put_desc(struct fixture *f, unsigned sel, uint64_t d)
{
    put64(f->ram + (sel & 4 ? LDT : GDT) + (sel & ~7u), d);
}

/* Flat protected mode with an empty GDT of ROOM bytes and a TSS. */
static struct fixture protected_fixture(void)
{
    struct fixture f = fix_new(false);

    cpu_enter_flat32(f.c, FIX_CODE);
    f.c->gdtr = (struct desc_table){GDT, ROOM - 1};
    f.c->idtr = (struct desc_table){IDT, 256 * 8 - 1};
    f.c->tr = (struct segment){.sel = 0x28, .base = TSS, .limit = 0x67,
                               .attr = ATTR_P | DESC_TSS32_BUSY};
    put_desc(&f, 0x10, descriptor(0, 0xfffff, 0x9b, 0xc));
    put_desc(&f, 0x18, descriptor(0, 0xfffff, 0x93, 0xc));
    cpu_set_reg(f.c, CPU_ESP, FIX_STACK);
    return f;
}

/* --- windows -------------------------------------------------------------------------------- */

static bool allowed(struct cpu *c, uint32_t ea, unsigned n, enum access acc)
{
    uint64_t la;

    return seg_linear(c, SEG_DS, ea, n, acc, &la);
}

START_TEST(windows)
{
    static const struct {
        uint32_t limit;
        unsigned access, flags;
        uint32_t first, last; /* offsets that may be touched; first > last: none */
        bool read, write;
    } rows[] = {
        {0xfffff, 0x93, 0xc, 0, 0xffffffff, true, true},
        {0x0ffff, 0x93, 0x4, 0, 0xffff, true, true},
        {0, 0x93, 0x4, 0, 0, true, true},
        {0, 0x93, 0xc, 0, 0xfff, true, true},
        {0x0ffff, 0x91, 0x4, 0, 0xffff, true, false},
        {0x0ffff, 0x9b, 0x4, 0, 0xffff, true, false},
        {0x00fff, 0x97, 0x4, 0x1000, 0xffffffff, true, true},
        {0x00fff, 0x97, 0x0, 0x1000, 0xffff, true, true},
        {0x00fff, 0x95, 0x0, 0x1000, 0xffff, true, false},
        {0x0ffff, 0x97, 0x0, 1, 0, true, true},
        {0xfffff, 0x97, 0xc, 1, 0, true, true},
        {0x00000, 0x97, 0xc, 0x1000, 0xffffffff, true, true},
    };
    struct fixture f = protected_fixture();
    unsigned k, n;

    for (k = 0; k < ARRAY_LEN(rows); k++) {
        put_desc(&f, 0x40, descriptor(0x100000, rows[k].limit, rows[k].access, rows[k].flags));
        ck_assert(seg_load(f.c, SEG_DS, 0x40));
        for (n = 1; n <= 8; n *= 2) {
            uint32_t first = rows[k].first, last = rows[k].last;
            bool some = first <= last, fits = some && (uint64_t)last - first + 1 >= n;

            ck_assert_int_eq(allowed(f.c, first, n, ACC_READ), fits && rows[k].read);
            ck_assert_int_eq(allowed(f.c, first, n, ACC_WRITE), fits && rows[k].write);
            ck_assert_int_eq(allowed(f.c, last - n + 1, n, ACC_READ), fits && rows[k].read);
            if (some) {
                ck_assert(last == 0xffffffff || !allowed(f.c, last - n + 2, n, ACC_READ));
                ck_assert(first == 0 || !allowed(f.c, first - 1, n, ACC_READ));
            }
        }
        ck_assert(!allowed(f.c, 0xffffffff, 2, ACC_READ)); /* does not wrap */
        ck_assert_uint_eq(f.c->exc.vector, EXC_GP);
    }
    fix_free(&f);
}
END_TEST

START_TEST(null_and_unreadable)
{
    struct fixture f = protected_fixture();

    ck_assert(seg_load(f.c, SEG_DS, 3));
    ck_assert(!allowed(f.c, 0, 1, ACC_READ));
    put_desc(&f, 0x40, descriptor(0, 0xfffff, 0x99, 0xc)); /* execute only */
    ck_assert(!seg_load(f.c, SEG_ES, 0x40));
    put_desc(&f, 0x48, descriptor(0, 0xfffff, 0x9a, 0xc));
    ck_assert(seg_load(f.c, SEG_ES, 0x48));
    ck_assert_uint_eq(f.ram[GDT + 0x48 + 5], 0x9b); /* accessed */
    fix_free(&f);
}
END_TEST

/* --- loads ---------------------------------------------------------------------------------- */

START_TEST(load_rules)
{
    static const struct {
        unsigned access, seg, sel, cpl;
        int vector; /* -1: fine */
        unsigned error;
    } rows[] = {
        {0x93, SEG_DS, 0x40, 0, -1, 0},
        {0x93, SEG_DS, 0x43, 0, EXC_GP, 0x40},   /* RPL above DPL */
        {0x93, SEG_DS, 0x40, 3, EXC_GP, 0x40},   /* CPL above DPL */
        {0xf3, SEG_DS, 0x43, 3, -1, 0},
        {0xf3, SEG_DS, 0x40, 0, -1, 0},
        {0x13, SEG_DS, 0x40, 0, EXC_NP, 0x40},
        {0x9f, SEG_DS, 0x43, 3, -1, 0},          /* readable conforming code: from everywhere */
        {0x9d, SEG_DS, 0x40, 0, EXC_GP, 0x40},   /* execute-only conforming */
        {0x82, SEG_DS, 0x40, 0, EXC_GP, 0x40},   /* system segment */
        {0x93, SEG_SS, 0x40, 0, -1, 0},
        {0x93, SEG_SS, 0x41, 0, EXC_GP, 0x40},   /* RPL is not CPL */
        {0xf3, SEG_SS, 0x40, 0, EXC_GP, 0x40},   /* DPL is not CPL */
        {0xf3, SEG_SS, 0x43, 3, -1, 0},
        {0x91, SEG_SS, 0x40, 0, EXC_GP, 0x40},   /* read-only */
        {0x9b, SEG_SS, 0x40, 0, EXC_GP, 0x40},   /* code */
        {0x13, SEG_SS, 0x40, 0, EXC_SS, 0x40},
        {0x93, SEG_SS, 0x00, 0, EXC_GP, 0},
        {0x93, SEG_DS, 0x400, 0, EXC_GP, 0x400}, /* beyond the table */
        {0x93, SEG_DS, 0x44, 0, EXC_GP, 0x44},   /* no LDT */
    };
    unsigned k;

    for (k = 0; k < ARRAY_LEN(rows); k++) {
        struct fixture f = protected_fixture();
        struct segment before = f.c->seg[rows[k].seg];
        bool ok;

        put_desc(&f, 0x40, descriptor(0x1000, 0xffff, rows[k].access, 4));
        cpu_set_cpl(f.c, rows[k].cpl);
        ok = seg_load(f.c, rows[k].seg, (uint16_t)rows[k].sel);
        ck_assert_msg(ok == (rows[k].vector < 0), "row %u", k);
        if (ok) {
            ck_assert_uint_eq(f.c->seg[rows[k].seg].base, 0x1000);
            ck_assert_uint_eq(f.c->seg[rows[k].seg].sel, rows[k].sel);
        } else {
            ck_assert_int_eq(f.c->exc.vector, rows[k].vector);
            ck_assert_uint_eq(f.c->exc.error, rows[k].error);
            ck_assert_uint_eq(f.c->seg[rows[k].seg].sel, before.sel);
            ck_assert_uint_eq(f.c->seg[rows[k].seg].base, before.base);
        }
        fix_free(&f);
    }
}
END_TEST

START_TEST(local_table)
{
    struct fixture f = protected_fixture();

    f.c->ldtr = (struct segment){.sel = 0x30, .base = LDT, .limit = 0x0f,
                                 .attr = ATTR_P | DESC_LDT};
    put_desc(&f, 0x0c, descriptor(0x7000, 0xfff, 0x93, 4));
    ck_assert(seg_load(f.c, SEG_GS, 0x0c));
    ck_assert_uint_eq(f.c->seg[SEG_GS].base, 0x7000);
    ck_assert(!seg_load(f.c, SEG_GS, 0x14));
    ck_assert_uint_eq(f.c->exc.error, 0x14);
    fix_free(&f);
}
END_TEST

START_TEST(unreal_mode_keeps_limits)
{
    struct fixture f = protected_fixture();
    uint64_t la;

    ck_assert(seg_load(f.c, SEG_DS, 0x18));
    cpu_set_reg(f.c, CPU_CR0, 0);
    seg_load_real(f.c, SEG_DS, 0x1234);
    ck_assert(seg_linear(f.c, SEG_DS, 0x100000, 4, ACC_WRITE, &la));
    ck_assert_uint_eq(la, 0x112340);
    cpu_reset(f.c);
    seg_load_real(f.c, SEG_DS, 0x1234);
    ck_assert(!seg_linear(f.c, SEG_DS, 0xffff, 2, ACC_READ, &la));
    ck_assert(seg_linear(f.c, SEG_CS, 0xffff, 1, ACC_WRITE, &la)); /* writable in real mode */
    ck_assert(!seg_linear(f.c, SEG_SS, 0x10000, 1, ACC_READ, &la));
    ck_assert_uint_eq(f.c->exc.vector, EXC_SS);
    fix_free(&f);
}
END_TEST

START_TEST(mode_word)
{
    struct fixture f = protected_fixture();
    uint32_t gen;

    ck_assert_uint_eq(f.c->mode, MODE_CODE32 | MODE_FLAT);
    ck_assert_uint_eq(f.c->sp_mask, 0xffffffff);
    put_desc(&f, 0x40, descriptor(0, 0xfffff, 0x91, 0xc));
    ck_assert(seg_load(f.c, SEG_GS, 0x40)); /* FS and GS do not matter */
    ck_assert_uint_eq(f.c->mode, MODE_CODE32 | MODE_FLAT);
    gen = f.c->link_gen;
    ck_assert(seg_load(f.c, SEG_ES, 0x40)); /* read-only: not flat */
    ck_assert_uint_eq(f.c->mode, MODE_CODE32);
    ck_assert_uint_ne(f.c->link_gen, gen);
    ck_assert(seg_load(f.c, SEG_ES, 0x18));
    ck_assert_uint_eq(f.c->mode, MODE_CODE32 | MODE_FLAT);
    put_desc(&f, 0x48, descriptor(0, 0xfffff, 0x93, 0x8)); /* 16-bit stack */
    ck_assert(seg_load(f.c, SEG_SS, 0x48));
    ck_assert_uint_eq(f.c->mode, MODE_CODE32);
    ck_assert_uint_eq(f.c->sp_mask, 0xffff);
    cpu_set_eflags(f.c, FLAG_TF, FLAG_TF);
    ck_assert_uint_eq(f.c->mode, MODE_CODE32 | MODE_ONE);
    cpu_set_eflags(f.c, 0, FLAG_TF);
    f.c->dr[7] = 0x402;
    cpu_update_mode(f.c);
    ck_assert_uint_eq(f.c->mode, MODE_CODE32 | MODE_ONE); /* code breakpoint */
    gen = f.c->link_gen;
    cpu_set_cpl(f.c, 3);
    ck_assert_uint_ne(f.c->link_gen, gen); /* other translations */
    cpu_set_cpl(f.c, 0);
    ck_assert_uint_eq(f.c->link_gen, gen);
    cpu_reset(f.c);
    ck_assert_uint_eq(f.c->mode, 0);
    fix_free(&f);
}
END_TEST

START_TEST(outer_return_drops_segments)
{
    struct fixture f = protected_fixture();

    put_desc(&f, 0x40, descriptor(0, 0xfffff, 0xf3, 0xc));
    put_desc(&f, 0x48, descriptor(0, 0xfffff, 0x9f, 0xc));
    ck_assert(seg_load(f.c, SEG_DS, 0x18) && seg_load(f.c, SEG_ES, 0x40));
    ck_assert(seg_load(f.c, SEG_FS, 0x48) && seg_load(f.c, SEG_GS, 0x10));
    seg_drop_inner(f.c, 3);
    ck_assert_uint_eq(f.c->seg[SEG_DS].sel, 0);
    ck_assert_uint_eq(f.c->seg[SEG_ES].sel, 0x40);
    ck_assert_uint_eq(f.c->seg[SEG_FS].sel, 0x48); /* conforming */
    ck_assert_uint_eq(f.c->seg[SEG_GS].sel, 0);
    ck_assert(!allowed(f.c, 0, 1, ACC_READ));
    fix_free(&f);
}
END_TEST

START_TEST(flag_writes)
{
    struct fixture f = protected_fixture();
    struct err e;

    cpu_set_eflags(f.c, 0xffffffff & ~(uint32_t)(FLAG_VM | FLAG_TF), 0xffffffff);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EFLAGS), 0x3d7ed7 & ~(uint32_t)(FLAG_VM | FLAG_TF));
    cpu_set_eflags(f.c, 0, FLAG_CF | FLAG_IF);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EFLAGS) & (FLAG_CF | FLAG_IF | FLAG_ZF), FLAG_ZF);
    ck_assert(cpu_model_select(f.c, "386", &e));
    cpu_reset(f.c);
    cpu_set_eflags(f.c, FLAG_AC | FLAG_ID | FLAG_NT, 0xffffffff);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EFLAGS), FLAG_NT | 2);
    fix_free(&f);
}
END_TEST

/* --- delivery ------------------------------------------------------------------------------- */

static void put_gate(struct fixture *f, unsigned vector, uint16_t sel, uint32_t off,
                     unsigned access)
{
    put64(f->ram + IDT + vector * 8, (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)access << 40 |
                                         (uint64_t)(off >> 16) << 48);
}

static uint32_t stacked(const struct fixture *f, unsigned n)
{
    return get32(f->ram + cpu_get_reg(f->c, CPU_ESP) + n * 4);
}

START_TEST(frames)
{
    struct fixture f = protected_fixture();

    put_gate(&f, 13, 0x10, 0x123456, 0x8e);
    exc_set_err(f.c, EXC_GP, 0x40);
    intr_exception(f.c, 0x7777);
    ck_assert_uint_eq(f.c->eip, 0x123456);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_ESP), FIX_STACK - 16);
    ck_assert_uint_eq(stacked(&f, 0), 0x40);
    ck_assert_uint_eq(stacked(&f, 1), 0x7777);
    ck_assert_uint_eq(stacked(&f, 2), 0x10);
    ck_assert_uint_eq(stacked(&f, 3), FLAG_RF | 2);
    /* from CPL 3, through the TSS */
    put_gate(&f, 0x80, 0x10, 0x2000, 0xef);
    put32(f.ram + TSS + 4, 0x6000);
    put32(f.ram + TSS + 8, 0x18);
    put_desc(&f, 0x40, descriptor(0, 0xfffff, 0xf3, 0xc));
    cpu_set_cpl(f.c, 3);
    f.c->seg[SEG_CS].sel |= 3;
    ck_assert(seg_load(f.c, SEG_SS, 0x43));
    cpu_set_reg(f.c, CPU_ESP, 0x9000);
    cpu_set_eflags(f.c, FLAG_IF, FLAG_IF);
    ck_assert(intr_deliver(f.c, 0x80, INTR_SOFT, false, 0, 0x1111));
    ck_assert_uint_eq(f.c->cpl, 0);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_ESP), 0x6000 - 20);
    ck_assert_uint_eq(stacked(&f, 0), 0x1111);
    ck_assert_uint_eq(stacked(&f, 1), 0x13);
    ck_assert_uint_eq(stacked(&f, 3), 0x9000);
    ck_assert_uint_eq(stacked(&f, 4), 0x43);
    ck_assert(cpu_get_reg(f.c, CPU_EFLAGS) & FLAG_IF); /* a trap gate */
    fix_free(&f);
}
END_TEST

START_TEST(failed_delivery_changes_nothing)
{
    struct fixture f = protected_fixture();
    uint64_t esp = cpu_get_reg(f.c, CPU_ESP);

    put_gate(&f, 0x30, 0x10, 0, 0x0e); /* not present */
    ck_assert(!intr_deliver(f.c, 0x30, INTR_SOFT, false, 0, 1));
    ck_assert_uint_eq(f.c->exc.vector, EXC_NP);
    ck_assert_uint_eq(f.c->exc.error, 0x30 * 8 + 2);
    ck_assert(!intr_deliver(f.c, 0x30, INTR_EXTERNAL, false, 0, 1));
    ck_assert_uint_eq(f.c->exc.error, 0x30 * 8 + 3); /* EXT */
    put_gate(&f, 0x30, 0x18, 0, 0x8e); /* no code segment */
    ck_assert(!intr_deliver(f.c, 0x30, INTR_EXTERNAL, false, 0, 1));
    ck_assert_uint_eq(f.c->exc.error, 0x19);
    cpu_set_cpl(f.c, 3);
    ck_assert(!intr_deliver(f.c, 0x30, INTR_SOFT, false, 0, 1)); /* DPL 0 */
    ck_assert_uint_eq(f.c->exc.error, 0x30 * 8 + 2);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_ESP), esp);
    fix_free(&f);
}
END_TEST

START_TEST(escalation)
{
    struct fixture f = protected_fixture();

    put_gate(&f, 8, 0x10, 0x8888, 0x8e);
    put_gate(&f, 13, 0x10, 0, 0x0e);
    exc_set_err(f.c, EXC_GP, 0);
    intr_exception(f.c, 0x7777); /* #GP, #NP on the way: double fault */
    ck_assert_uint_eq(f.c->eip, 0x8888);
    ck_assert_uint_eq(stacked(&f, 0), 0);
    ck_assert(!f.c->shutdown);
    put_gate(&f, 11, 0x10, 0xbbbb, 0x8e);
    put_gate(&f, 6, 0x10, 0, 0x0e);
    exc_set(f.c, EXC_UD);
    intr_exception(f.c, 0x7777); /* benign first: the second is delivered */
    ck_assert_uint_eq(f.c->eip, 0xbbbb);
    put_gate(&f, 8, 0x10, 0, 0x0e);
    exc_set_err(f.c, EXC_GP, 0);
    intr_exception(f.c, 0x7777);
    ck_assert(f.c->shutdown);
    fix_free(&f);
}
END_TEST

START_TEST(real_mode_vectors)
{
    struct fixture f = fix_new(false);

    fix_real(&f, "\xf4", 1);
    put16(f.ram + 0x21 * 4, 0x4321);
    put16(f.ram + 0x21 * 4 + 2, 0x8765);
    cpu_set_reg(f.c, CPU_EFLAGS, FLAG_IF | FLAG_TF | FLAG_CF);
    ck_assert(intr_deliver(f.c, 0x21, INTR_SOFT, false, 0, 0x1003));
    ck_assert_uint_eq(f.c->eip, 0x4321);
    ck_assert_uint_eq(f.c->seg[SEG_CS].base, 0x87650);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_ESP), FIX_STACK - 6);
    ck_assert_uint_eq(get16(f.ram + FIX_STACK - 6), 0x1003);
    ck_assert_uint_eq(get16(f.ram + FIX_STACK - 2), FLAG_IF | FLAG_TF | FLAG_CF | 2);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EFLAGS), FLAG_CF | 2);
    /* the stack pointer wraps inside 64 KB */
    cpu_set_reg(f.c, CPU_ESP, 0xabcd0002);
    ck_assert(intr_deliver(f.c, 0x21, INTR_SOFT, false, 0, 0x1003));
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_ESP), 0xabcdfffc);
    fix_free(&f);
}
END_TEST

/* --- operands ------------------------------------------------------------------------------- */

/* Runs `code` in real mode to HLT: there is one behind it, and one as the handler of everything. */
static bool real_run(struct fixture *f, const char *code, size_t n, unsigned vector)
{
    fix_real(f, code, n);
    f->ram[FIX_CODE + n] = 0xf4;
    memset(f->ram, 0, 0x400);
    put16(f->ram + vector * 4, 0x2000);
    f->ram[0x2000] = 0xf4;
    f->ram[0] = 0xf4;
    cpu_set_reg(f->c, CPU_DS, 0x1000);
    cpu_set_reg(f->c, CPU_EBX, 0xfffe);
    fix_run(f, 10);
    return f->c->eip == 0x2001;
}

#define REAL(code, vector) real_run(&f, code, sizeof(code) - 1, vector)

/* At FFFEh the parts of an operand wrap one by one; a part that does not fit faults. */
START_TEST(parts_wrap)
{
    struct fixture f = fix_new(false);

    put16(f.ram + 0x1fffe, 0x1234);
    put16(f.ram + 0x10000, 0x5678);
    put16(f.ram + 0x10002, 0x9abc);
    ck_assert(!REAL("\xc4\x07", EXC_GP)); /* les ax,[bx] */
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EAX), 0x1234);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_ES), 0x5678);
    ck_assert(!REAL("\x0f\xb4\x07", EXC_GP)); /* lfs ax,[bx] */
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_FS), 0x5678);
    ck_assert(REAL("\x43\xc4\x07", EXC_GP)); /* at FFFFh */
    ck_assert(REAL("\x66\xc4\x07", EXC_GP)); /* its first part has 32 bits */
    ck_assert(!REAL("\x83\xeb\x02\x66\xc4\x07", EXC_GP)); /* at FFFCh: the selector is at 0 */
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_ES), 0x5678);
    ck_assert(!REAL("\xb8\x00\x40\x62\x07", EXC_GP)); /* bound 4000h: within 1234h .. 5678h */
    ck_assert(REAL("\xb8\x00\x60\x62\x07", EXC_BR));
    ck_assert(!REAL("\x0f\x01\x17", EXC_GP)); /* lgdt: the base is at 0 */
    ck_assert_uint_eq(f.c->gdtr.limit, 0x1234);
    ck_assert_uint_eq(f.c->gdtr.base, 0xbc5678);
    f.c->gdtr = (struct desc_table){0x11223344, 0x5566};
    ck_assert(!REAL("\x0f\x01\x07", EXC_GP)); /* sgdt, after reset: FFFFh, 0 */
    ck_assert_uint_eq(get16(f.ram + 0x1fffe), 0xffff);
    ck_assert_uint_eq(get32(f.ram + 0x10000), 0);
    ck_assert(!REAL("\xdb\xe3\xd9\x37", EXC_GP)); /* fninit; fnstenv */
    ck_assert_uint_eq(get16(f.ram + 0x1fffe), 0x37f);
    ck_assert_uint_eq(get16(f.ram + 0x10002), 0xffff);
    ck_assert_uint_eq(f.ram[0x20000], 0);
    /* a far jump through it */
    put16(f.ram + 0x1fffe, 0x1100);
    put16(f.ram + 0x10000, 0);
    f.ram[0x1100] = 0xf4;
    ck_assert(!REAL("\xff\x2f", EXC_GP));
    ck_assert_uint_eq(f.c->eip, 0x1101);
    fix_free(&f);
}
END_TEST

/* What does not write need not be allowed to. */
START_TEST(arpl_read_only)
{
    struct fixture f = protected_fixture();

    for (unsigned rpl = 0; rpl < 4; rpl++) {
        bus_write_block(f.mem, FIX_CODE, "\x63\x0b\xf4", 3); /* arpl [ebx],cx */
        put_desc(&f, 0x20, descriptor(0, 0xfffff, 0x91, 0xc));
        put64(f.ram + IDT + EXC_GP * 8, 0x00008e0000102000u); /* 10:2000 */
        ck_assert(seg_load(f.c, SEG_DS, 0x20));
        put16(f.ram + 0x6000, 0x102);
        cpu_set_reg(f.c, CPU_EBX, 0x6000);
        cpu_set_reg(f.c, CPU_ECX, rpl);
        cpu_set_reg(f.c, CPU_EIP, FIX_CODE);
        f.c->halted = false;
        cpu_run(f.c, cpu_icount(f.c) + 1);
        ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EIP), rpl > 2 ? 0x2000u : FIX_CODE + 3);
        ck_assert_uint_eq(get16(f.ram + 0x6000), 0x102);
    }
    fix_free(&f);
}
END_TEST

/* --- debug exceptions ----------------------------------------------------------------------- */

enum { DR6_NONE = 0xffff0ff0u, BS = 1 << 14, BD = 1 << 13 };

static void debug_run(struct fixture *f, uint32_t eip, uint32_t flags, uint32_t dr7, uint32_t dr6)
{
    cpu_set_reg(f->c, CPU_EIP, eip);
    cpu_set_reg(f->c, CPU_EFLAGS, flags);
    f->c->dr[7] = 0x400 | dr7;
    f->c->halted = false;
    cpu_update_mode(f->c);
    fix_run(f, 20);
    ck_assert_uint_eq(f->c->eip, 0x2001);
    ck_assert_uint_eq(f->c->dr[6], dr6);
}

/* B0 to B3 are those of the last debug exception; BS and BD stay. */
START_TEST(debug_status)
{
    static const char code[] = "\x90\x90\x0f\x21\xc0\x8e\x17\xf1\xf4\xcd\x01\x8e\x17\xcd\x03";
    enum { MOV_DR = FIX_CODE + 2, MOV_SS = FIX_CODE + 5, INT_1 = FIX_CODE + 9,
           SS_INT = FIX_CODE + 11 };
    struct fixture f = fix_new(false);

    fix_real(&f, code, sizeof code - 1);
    put16(f.ram + 4, 0x2000);
    put16(f.ram + 12, 0x2000);
    bus_write_block(f.mem, 0x2000, "\xf4", 1);
    f.c->dr[0] = FIX_CODE;
    f.c->dr[1] = FIX_CODE + 1;
    debug_run(&f, FIX_CODE, 2, 0xa, DR6_NONE | 1);
    debug_run(&f, FIX_CODE + 1, 2, 0xa, DR6_NONE | 2);
    debug_run(&f, FIX_CODE, FLAG_TF | 2, 0, DR6_NONE | BS);
    debug_run(&f, FIX_CODE, 2, 0xa, DR6_NONE | BS | 1);
    debug_run(&f, MOV_DR, 2, 1 << 13, DR6_NONE | BS | BD);
    ck_assert_uint_eq(f.c->dr[7], 0x400); /* GD is off for the handler */
    f.c->dr[6] = DR6_NONE;
    debug_run(&f, INT_1, 2, 1 << 13, DR6_NONE);
    ck_assert_uint_eq(f.c->dr[7], 0x2400); /* which INT 1 does not lead to */
    /* mov ss,[bx] of a watched word: lost with ICEBP, behind INT 3 at its handler */
    cpu_set_reg(f.c, CPU_EBX, 0x3000);
    f.c->dr[2] = 0x3000;
    debug_run(&f, MOV_SS, 2, 0x07000020, DR6_NONE);
    f.c->seg[SEG_SS].sel = 0;
    debug_run(&f, SS_INT, 2, 0x07000020, DR6_NONE | 4);
    fix_free(&f);
}
END_TEST

/* --- models and state ----------------------------------------------------------------------- */

START_TEST(models)
{
    struct fixture f = fix_new(false);
    struct err e;
    uint32_t out[4];
    unsigned n;

    for (n = 0; cpu_model_help(n); n++) {
        char name[32] = "";

        memcpy(name, cpu_model_help(n), strcspn(cpu_model_help(n), " "));
        ck_assert_msg(cpu_model_select(f.c, name, &e), "%s", e.text);
    }
    ck_assert_uint_eq(n, 9);
    ck_assert(cpu_model_select(f.c, "pentium3,-sse,+sse,-mtrr", &e));
    cpu_cpuid(f.c, 1, 0, out);
    ck_assert_uint_eq(out[3], 0x0383ebff);
    ck_assert(cpu_has(f.c, FT_SSE) && !cpu_has(f.c, FT_SSE2) && cpu_has(f.c, FT_FCMOV));
    cpu_cpuid(f.c, 0, 0, out);
    ck_assert_uint_eq(out[0], 2);
    ck_assert_uint_eq(out[1], 0x756e6547);
    ck_assert(!cpu_model_select(f.c, "pentium9", &e));
    ck_assert_ptr_nonnull(strstr(e.text, "pentium9"));
    ck_assert(!cpu_model_select(f.c, "pentium3,+avx", &e));
    ck_assert_ptr_nonnull(strstr(e.text, "avx"));
    ck_assert(!cpu_model_select(f.c, "pentium3,sse", &e));
    ck_assert(!cpu_model_select(f.c, "pentium3,-fxsr", &e));
    ck_assert(!cpu_model_select(f.c, "386,+mmx", &e));
    fix_free(&f);
}
END_TEST

START_TEST(model_registers)
{
    struct fixture f = fix_new(false);
    struct err e;
    uint64_t v;

    ck_assert(cpu_model_select(f.c, "pentium3", &e));
    ck_assert(msr_write(f.c, 0x10, 1000) && msr_read(f.c, 0x10, &v));
    ck_assert_uint_eq(v, 1000);
    ck_assert(msr_write(f.c, 0x174, 0x1234567890) && msr_read(f.c, 0x174, &v));
    ck_assert_uint_eq(v, 0x34567890);
    ck_assert(msr_write(f.c, 0x200, 0xfff000006) && !msr_write(f.c, 0x200, 0x1000000000));
    ck_assert(!msr_write(f.c, 0x277, 2) && msr_write(f.c, 0x277, 0x0607050401000100));
    ck_assert(!msr_read(f.c, 0xc0000080, &v) && !msr_read(f.c, 0x12345, &v));
    ck_assert(!msr_write(f.c, 0xfe, 0));
    /* a counter of retired instructions, started and stopped */
    ck_assert(msr_write(f.c, 0xc1, 5) && msr_write(f.c, 0x186, 1u << 22 | 3u << 16 | 0xc0));
    cpu_skip_to(f.c, cpu_icount(f.c) + 100);
    ck_assert_uint_eq(perf_counter(f.c, 0), 105);
    ck_assert(msr_write(f.c, 0x186, 0));
    cpu_skip_to(f.c, cpu_icount(f.c) + 100);
    ck_assert_uint_eq(perf_counter(f.c, 0), 105);
    fix_free(&f);
}
END_TEST

START_TEST(snapshot_round_trip)
{
    struct fixture a = protected_fixture(), b = fix_new(false);
    struct snap_writer w, w2;
    struct snap_reader r;
    struct err e = {{0}};
    unsigned n;

    for (n = 0; n < 8; n++) {
        cpu_set_reg(a.c, (enum cpu_reg)n, 0x01234567u * (n + 3));
        a.c->fpu.st[n] = (struct f80){0x8000000000000001u + n, (uint16_t)(0x4000 + n)};
        a.c->xmm[n] = (struct xmm){{n * 3, ~(uint64_t)n}};
    }
    cpu_set_eflags(a.c, FLAG_ZF | FLAG_SF | FLAG_OF | FLAG_IF, 0xffffffff);
    a.c->cr2 = 0x5555;
    a.c->fpu.top = 5;
    a.c->shadow = SHADOW_INTR;
    cpu_skip_to(a.c, 123456789);
    snap_writer_init(&w);
    cpu_save(a.c, &w);
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert_msg(cpu_load(b.c, &r, &e), "%s", e.text);
    snap_writer_init(&w2);
    cpu_save(b.c, &w2);
    ck_assert_uint_eq(w.len, w2.len);
    ck_assert_mem_eq(w.buf, w2.buf, w.len);
    ck_assert_uint_eq(b.c->mode, a.c->mode);
    ck_assert_uint_eq(cpu_icount(b.c), 123456789);
    /* another model refuses it */
    ck_assert(cpu_model_select(b.c, "pentium2", &e));
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(!cpu_load(b.c, &r, &e));
    snap_writer_free(&w);
    snap_writer_free(&w2);
    fix_free(&a);
    fix_free(&b);
}
END_TEST

FIX_SUITE("seg", windows, null_and_unreadable, load_rules, local_table, unreal_mode_keeps_limits,
          mode_word, outer_return_drops_segments, flag_writes, frames,
          failed_delivery_changes_nothing, escalation, real_mode_vectors, parts_wrap,
          arpl_read_only, debug_status, models, model_registers,
          snapshot_round_trip)
