/*
 * 16-bit transfers and segment loads: what they do at once, when the frame and the tables lie in
 * plain memory, against the whole way.  A data breakpoint that nothing meets sends the second
 * processor that way, one instruction at a time: random programs in real mode, V86 mode (with the
 * monitor's interrupt gates and with VME) and 16-bit protected mode must end alike.  Stack pointers
 * are near the ends of the segment, frames lie beside and on code, limits are short, some pages are
 * missing, TF comes and goes.
 *
 * FAR16_SEED and FAR16_COUNT in the environment choose other programs.
 */
#include <string.h>

#include "cpu/system.h"
#include "memory/bytes.h"
#include "tests/cpu_fixture.h"

enum {
    IDT = 0x2000, GDT = 0x2800, LDT = 0x2900, TSS = 0x3000, TABLES = 0x4000, CODE = 0x10000,
    CODE_LEN = 0x400, STACK = 0x20000, DATA = 0x30000, KERNEL_STACK = 0x9000, USED = 0x140000,
    SEL_CODE16 = 0x08, SEL_DATA16 = 0x10, SEL_CODE16B = 0x18, SEL_FLAT = 0x20, SEL_FLAT_DATA = 0x28,
    SEL_GATE = 0x30, SEL_SHORT = 0x38, SEL_LOCAL = 0x0c, TSS_LEN = 0xb0,
};
enum mode { REAL, V86_GATES, V86_VME, PM16, MODES };

static uint32_t rnd(uint64_t *s)
{
    *s = *s * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((*s ^ *s >> 29) * 0x9e3779b97f4a7c15ull >> 32);
}

static uint16_t selector(uint64_t *s, enum mode m)
{
    static const uint16_t real[] = {CODE >> 4, (CODE >> 4) - 8, (CODE >> 4) + 3, STACK >> 4,
                                    DATA >> 4, 0, 0xffff};
    static const uint16_t pm[] = {SEL_CODE16, SEL_DATA16, SEL_CODE16B, SEL_LOCAL, SEL_SHORT, 0,
                                  SEL_GATE, 0x44};

    return m == PM16 ? pm[rnd(s) % ARRAY_LEN(pm)] : real[rnd(s) % ARRAY_LEN(real)];
}

/* Where a transfer goes: mostly into the code, whatever its segment. */
static uint32_t far_pointer(uint64_t *s, enum mode m)
{
    uint16_t sel = rnd(s) % 8 == 0 ? selector(s, m)
                 : m == PM16       ? (rnd(s) & 1 ? SEL_CODE16 : SEL_CODE16B)
                                   : (uint16_t)((CODE >> 4) - (rnd(s) & 3));
    uint32_t off = m == PM16 ? (sel == SEL_CODE16 ? 0x1000 : 0)
                             : (uint32_t)CODE - ((uint32_t)sel << 4);

    return ((off + rnd(s) % CODE_LEN) & 0xffff) | (uint32_t)sel << 16;
}

/* One instruction at p; returns its length. */
static unsigned put_insn(uint8_t *p, uint64_t *s, enum mode m)
{
    static const uint8_t single[] = {0xcf, 0xcb, 0x06, 0x07, 0x1e, 0x1f, 0x9c, 0x9d, 0xfa, 0xfb,
                                     0x0e, 0x16, 0x17, 0xcc, 0xce, 0xc3, 0x40, 0x53, 0x9c, 0x9d};
    static const uint16_t sp[] = {0, 1, 2, 3, 4, 5, 6, 8, 0xfffe, 0xffff, 0x800, 0x8ff, 0x902,
                                  0x1003, 0x4000};

    switch (rnd(s) % 14) {
    case 0:
    case 1:
        p[0] = 0xcd; /* INT */
        p[1] = (uint8_t)(0x60 + rnd(s) % 8);
        return 2;
    case 2:
    case 3:
        p[0] = rnd(s) & 1 ? 0x9a : 0xea; /* CALL, JMP ptr16:16 */
        put32(p + 1, far_pointer(s, m));
        return 5;
    case 4:
        p[0] = 0xff; /* CALL, JMP m16:16 through DS */
        p[1] = rnd(s) & 1 ? 0x1e : 0x2e;
        put16(p + 2, (uint16_t)(rnd(s) % 64 * 4));
        return 4;
    case 5:
        p[0] = rnd(s) & 1 ? 0xc4 : 0xc5; /* LES, LDS */
        p[1] = 0x3e;
        put16(p + 2, (uint16_t)(rnd(s) % 8 ? 0x100 + rnd(s) % 64 * 4 : 0xfffd));
        return 4;
    case 6:
        p[0] = 0xb8; /* MOV AX, selector; MOV sreg, AX */
        put16(p + 1, selector(s, m));
        p[3] = 0x8e;
        p[4] = (uint8_t)(0xc0 | (rnd(s) & 1 ? 0x18 : rnd(s) % 6 << 3));
        return 5;
    case 7:
        p[0] = 0x8e; /* MOV sreg, [selector] */
        p[1] = (uint8_t)(0x06 | (rnd(s) & 1) * 0x18);
        put16(p + 2, (uint16_t)(0x102 + rnd(s) % 64 * 4));
        return 4;
    case 8:
        p[0] = 0xbc; /* MOV SP */
        put16(p + 1, sp[rnd(s) % ARRAY_LEN(sp)]);
        return 3;
    case 9:
        p[0] = 0x68; /* PUSH flags; POPF */
        put16(p + 1, (uint16_t)(rnd(s) & (rnd(s) % 4 ? 0x0ed7 : 0x7fd7)));
        p[3] = 0x9d;
        return 4;
    default:
        p[0] = single[rnd(s) % ARRAY_LEN(single)];
        return 1;
    }
}

static void put_desc(uint8_t *p, uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    put32(p, (limit & 0xffff) | base << 16);
    put32(p + 4, (base >> 16 & 0xff) | access << 8 | (limit & 0xf0000) | flags << 20 |
                     (base & 0xff000000u));
}

static void fill_memory(uint8_t *ram, uint64_t *s, enum mode m)
{
    unsigned n;

    for (n = 0; n < 256; n++) {
        put32(ram + n * 4, far_pointer(s, m == PM16 ? REAL : m));
        if (m == PM16) {
            uint32_t to = far_pointer(s, m);

            put32(ram + IDT + n * 8, to);
            put32(ram + IDT + n * 8 + 4, rnd(s) & 1 ? 0xe600 : 0x8700);
        } else {
            bool resume = n == 1 || n == 3 || n == 4 || n > 15;

            put32(ram + IDT + n * 8, (uint32_t)SEL_FLAT << 16 | (resume ? 0xa000 : 0xa100));
            put32(ram + IDT + n * 8 + 4, 0xee00);
        }
    }
    put_desc(ram + GDT + SEL_CODE16, CODE - 0x1000, 0xffff, 0x9b, 0);
    put_desc(ram + GDT + SEL_DATA16, STACK, 0xffff, 0x93, 0);
    put_desc(ram + GDT + SEL_CODE16B, CODE, 0xffff, rnd(s) & 1 ? 0x9b : 0x9a, 0);
    put_desc(ram + GDT + SEL_FLAT, 0, 0xfffff, 0x9b, 0xc);
    put_desc(ram + GDT + SEL_FLAT_DATA, 0, 0xfffff, 0x93, 0xc);
    put32(ram + GDT + SEL_GATE, (uint32_t)SEL_CODE16B << 16 | rnd(s) % CODE_LEN);
    put32(ram + GDT + SEL_GATE + 4, 0x8400);
    put_desc(ram + GDT + SEL_SHORT, STACK, 0x8ff, 0x93, 0);
    put_desc(ram + LDT + (SEL_LOCAL & 0xf8), DATA, 0xffff, 0x93, 0);
    put32(ram + TSS + 4, KERNEL_STACK);
    put32(ram + TSS + 8, SEL_FLAT_DATA);
    put16(ram + TSS + 0x66, 0x88);
    for (n = 0; n < 32; n++) {
        ram[TSS + 0x68 + n] = (uint8_t)(rnd(s) & rnd(s) & rnd(s));
    }
    /* The monitor clears TF, NT and AC and goes on; faults stop the program. */
    ram[0xa100] = 0xf4;
    memcpy(ram + 0xa000, "\x8c\xd0\x8e\xd8\x81\x64\x24\x08\xff\xbe\xfb\xff\xcf", 13);
    for (n = 0; n < 64; n++) {
        put32(ram + DATA + 0x100 + n * 4, rnd(s) % 0x10000 | (uint32_t)selector(s, m) << 16);
        put32(ram + STACK + 0x100 + n * 4, rnd(s) % 0x10000 | (uint32_t)selector(s, m) << 16);
        put32(ram + DATA + n * 4, far_pointer(s, m));
        put32(ram + STACK + n * 4, far_pointer(s, m));
    }
    for (n = 0; n < CODE_LEN;) {
        n += put_insn(ram + CODE + n, s, m);
    }
    for (n = 0; n < USED >> PAGE_SHIFT; n++) {
        put32(ram + TABLES + PAGE_SIZE + n * 4, n << PAGE_SHIFT | (n == (STACK >> 12) + 4 ? 5 : 7));
    }
    put32(ram + TABLES, (TABLES + PAGE_SIZE) | 7);
}

static void start(struct fixture *f, enum mode m, uint64_t seed, bool whole)
{
    uint64_t s = seed;
    struct cpu *c = f->c;

    memset(f->ram, 0, USED);
    fill_memory(f->ram, &s, m);
    trace_flush(c);
    cpu_reset(c);
    if (m == REAL) {
        if (rnd(&s) % 4 == 0) {
            c->idtr.limit = 0x61 * 4; /* a short table of vectors */
        }
        cpu_set_reg(c, CPU_CS, CODE >> 4);
        cpu_set_reg(c, CPU_EIP, 0);
        cpu_set_reg(c, CPU_SS, rnd(&s) % 4 ? STACK >> 4 : CODE >> 4);
        cpu_set_reg(c, CPU_DS, DATA >> 4);
        cpu_set_reg(c, CPU_ESP, 0x800 + rnd(&s) % 3);
    } else {
        cpu_enter_flat32(c, 0xb000);
        f->ram[0xb000] = 0xcf; /* IRETD into the program */
        c->gdtr = (struct desc_table){GDT, 0xff};
        c->idtr = (struct desc_table){IDT, 0x7ff};
        c->ldtr = (struct segment){.sel = 0x50, .base = LDT, .limit = 0x17, .attr = ATTR_P | 2};
        c->tr = (struct segment){.sel = 0x48, .base = TSS, .limit = TSS_LEN, .attr = ATTR_P | 11};
        c->cr4 = m == V86_VME ? CR4_VME : 0;
        if (rnd(&s) & 1) {
            c->cr3 = TABLES;
            c->cr0 |= CR0_PG;
        }
        cpu_set_reg(c, CPU_ESP, KERNEL_STACK - 36);
        put32(f->ram + KERNEL_STACK - 36, m == PM16 ? 0x1000 : 0);
        put32(f->ram + KERNEL_STACK - 32, m == PM16 ? SEL_CODE16 : CODE >> 4);
        put32(f->ram + KERNEL_STACK - 28, m == PM16        ? 0x3002
                                          : m == V86_GATES ? 0x23002
                                          : rnd(&s) & 1    ? 0xa0202
                                                           : 0x23202);
        put32(f->ram + KERNEL_STACK - 24, 0x800 + rnd(&s) % 3);
        put32(f->ram + KERNEL_STACK - 20, rnd(&s) % 4 ? STACK >> 4 : CODE >> 4);
        put32(f->ram + KERNEL_STACK - 12, DATA >> 4);
        if (m == PM16) { /* IRETD stays on its level and stack: the program sets up its own */
            memcpy(f->ram + CODE, "\xb8\x10\x00\x8e\xd8\x8e\xd0\xbc\x00\x08\x8e\xc0", 12);
        }
    }
    c->dr[7] = 0x400 | (whole ? 0x10003 : 0); /* writes to a byte far away */
    c->dr[0] = 0xfff00000u;
    cpu_update_mode(c);
}

static void compare(const struct fixture *a, const struct fixture *b, enum mode m, uint64_t seed)
{
    char text[2][2048];
    struct segment x[SEG_COUNT];
    uint32_t mode = a->c->mode;

    cpu_dump(a->c, text[0], sizeof text[0]);
    cpu_dump(b->c, text[1], sizeof text[1]);
    ck_assert_msg(flags_get(a->c) == flags_get(b->c) && a->c->eip == b->c->eip &&
                      a->c->dr[6] == b->c->dr[6] && a->c->cr2 == b->c->cr2 &&
                      memcmp(a->c->r.q, b->c->r.q, sizeof a->c->r) == 0,
                  "mode %d seed %llu\n%s\n%s", m, (unsigned long long)seed, text[0], text[1]);
    ck_assert_msg(memcmp(a->ram, b->ram, USED) == 0, "memory: mode %d seed %llu", m,
                  (unsigned long long)seed);
    memcpy(x, a->c->seg, sizeof x);
    cpu_update_mode(a->c); /* what is derived was up to date */
    ck_assert_msg(memcmp(x, a->c->seg, sizeof x) == 0 && mode == a->c->mode,
                  "derived: mode %d seed %llu", m, (unsigned long long)seed);
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        ck_assert_msg(x[n].sel == b->c->seg[n].sel && x[n].base == b->c->seg[n].base &&
                          x[n].limit == b->c->seg[n].limit && x[n].attr == b->c->seg[n].attr &&
                          x[n].rlen == b->c->seg[n].rlen && x[n].wlen == b->c->seg[n].wlen,
                      "segment %u: mode %d seed %llu\n%s\n%s", n, m, (unsigned long long)seed,
                      text[0], text[1]);
    }
}

static bool same_place(const struct cpu *a, const struct cpu *b)
{
    return a->eip == b->eip && a->seg[SEG_CS].sel == b->seg[SEG_CS].sel &&
           a->eflags == b->eflags && a->shutdown == b->shutdown;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *v = getenv(name);

    return v ? strtoull(v, NULL, 0) : otherwise;
}

static void programs(enum mode m)
{
    uint64_t seed = setting("FAR16_SEED", 1), last = seed + setting("FAR16_COUNT", 300);
    struct fixture a = fix_new(false), b = fix_new(false);
    uint64_t extra = 0;

    for (; seed < last; seed++) {
        start(&a, m, seed, false);
        start(&b, m, seed, true);
        for (unsigned k = 0; k < 30; k++) {
            enum cpu_stop stop = cpu_run(a.c, cpu_icount(a.c) + 1 + k * k % 23);

            if (cpu_icount(b.c) < cpu_icount(a.c) + extra) {
                cpu_run(b.c, cpu_icount(a.c) + extra);
            }
            if (!same_place(a.c, b.c)) {
                /* one by one, a fetch beyond the limit counts for itself */
                cpu_run(b.c, cpu_icount(b.c) + 1);
                extra++;
            }
            ck_assert_uint_eq(cpu_icount(a.c) + extra, cpu_icount(b.c));
            compare(&a, &b, m, seed);
            if (stop != CPU_STOP_DEADLINE) {
                break;
            }
        }
    }
    fix_free(&a);
    fix_free(&b);
}

START_TEST(real_mode)
{
    programs(REAL);
}
END_TEST

START_TEST(v86_through_gates)
{
    programs(V86_GATES);
}
END_TEST

START_TEST(v86_with_vme)
{
    programs(V86_VME);
}
END_TEST

START_TEST(protected_16_bits)
{
    programs(PM16);
}
END_TEST

/* More code segments than there are numbers for them: links and the jump cache start anew. */
START_TEST(many_code_segments)
{
    struct fixture f = fix_new(false);
    uint8_t *p = f.ram + 0x20000;
    unsigned n;

    fix_real(&f, "", 0);
    for (n = 0; n < 600; n++) {
        /* the same place under other names: INC BX, JMP far to the next */
        uint16_t sel = (uint16_t)(0x2000 - n);

        p[n * 6] = 0x43;
        p[n * 6 + 1] = 0xea;
        put16(p + n * 6 + 2, (uint16_t)((n + 1) * 6 + (n + 1) * 16));
        put16(p + n * 6 + 4, (uint16_t)(sel - 1));
    }
    p[600 * 6] = 0x49; /* DEC CX, JNZ over the HLT, JMP to the first */
    memcpy(p + 600 * 6 + 1, "\x75\x01\xf4\xea\x00\x00\x00\x20", 8);
    cpu_set_reg(f.c, CPU_CS, 0x2000);
    cpu_set_reg(f.c, CPU_EIP, 0);
    cpu_set_reg(f.c, CPU_EBX, 0);
    cpu_set_reg(f.c, CPU_ECX, 20);
    fix_run(&f, 100000);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EBX), 12000);
    fix_free(&f);
}
END_TEST

FIX_SUITE("far16", real_mode, v86_through_gates, v86_with_vme, protected_16_bits,
          many_code_segments)
