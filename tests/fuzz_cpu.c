/*
 * Random code, tables and events on the whole processor: real mode, protected mode on all rings,
 * V86, with and without paging.  Nothing may break (build it with sanitizers), and the fast layer
 * must do what the generic layer does.
 * Usage: fuzz_cpu [N [SEED]]      N programs (200 unless told); program number n of a seed can be
 * run alone with
 *        fuzz_cpu 1 SEED FIRST
 *
 * A program is 1 MB of memory with descriptor tables, page tables and code that are mostly right,
 * and a start in one of the modes.  Two processors run it in slices, one of them with the generic
 * layer only; between slices come interrupts, DMA into code, A20, and a change to a newly made
 * processor that has loaded the state.
 */
#include "cpu/cpu.h"
#include "memory/bytes.h"
#include "memory/log.h"
#include "tests/fuzz.h"

enum {
    RAM = 1 << 20,
    WINDOW = 0x180000,
    WINDOW_LEN = 0x1000,
    GDT = 0x1000,
    IDT = 0x2000,
    LDT = 0x3000,
    TSS = 0x4000,
    TSS_SIZE = 0x100,
    PAGES = 0x10000,
    PAGES_LEN = 0x8000,
    CODE = 0x20000,
    CODE_LEN = 0x4000,
    STACK = 0x38000,
    DATA = 0x40000,
    START = 0x7c00,
    DESCRIPTORS = 64,
    SLICES = 24,
};

enum mode { REAL, FLAT, PROTECTED, RING3, V86, MODES };

/* Selectors of the table that are what their name says; the others are random. */
enum {
    SEL_CODE = 8,
    SEL_DATA = 16,
    SEL_CODE3 = 0x18,
    SEL_DATA3 = 0x20,
    SEL_CODE16 = 0x28,
    SEL_TSS = 0x30,
    SEL_LDT = 0x38,
    SEL_TSS2 = 0x40,
    SEL_CALL = 0x48,
    SEL_TASK = 0x50,
    SEL_FREE = 0x58
};

struct side {
    struct bus *mem, *io;
    uint8_t *ram;
    struct cpu *c;
    struct log log;
    bool generic;
    unsigned acks;
    uint64_t seed;
};

struct program {
    enum mode mode;
    bool paging, pae;
    const char *model;
    uint8_t *image;
};

/* --- code ------------------------------------------------------------------------------------- */

struct text {
    uint8_t *p;
    size_t n, max;
};

static void b(struct text *t, unsigned v)
{
    if (t->n < t->max) {
        t->p[t->n++] = (uint8_t)v;
    }
}

static void dw(struct text *t, uint32_t v)
{
    for (unsigned k = 0; k < 4; k++) {
        b(t, v >> 8 * k & 0xff);
    }
}

static void w(struct text *t, uint32_t v)
{
    b(t, v & 0xff);
    b(t, v >> 8 & 0xff);
}

/* An address that is worth something: code, tables, stack, data, a page's end, or anything. */
static uint32_t place(struct rng *r)
{
    static const uint32_t base[] = {CODE,  DATA,   STACK, GDT, IDT, LDT,     TSS,
                                    PAGES, WINDOW, START, RAM, 0,   0x100000};

    if (one_in(r, 12)) {
        return (uint32_t)odd_number(r);
    }
    if (one_in(r, 6)) {
        return (DATA + 0x1000 * below(r, 8)) - below(r, 16);
    }
    return base[below(r, ARRAY_LEN(base))] + below(r, one_in(r, 2) ? 64 : 0x2000);
}

static void memory_operand(struct text *t, struct rng *r, unsigned reg)
{
    switch (below(r, 6)) {
    case 0:
        b(t, 0xc0 | reg << 3 | below(r, 8));
        break;
    case 1:
        b(t, (rnd(r) & 0xc7) | reg << 3);
        b(t, rnd(r));
        b(t, rnd(r));
        break;
    case 2:
        b(t, 0x40 | reg << 3 | below(r, 8));
        b(t, rnd(r));
        break;
    default:
        b(t, reg << 3 | 5);
        dw(t, place(r));
        break;
    }
}

static uint32_t selector(struct rng *r)
{
    return one_in(r, 8) ? rnd(r) & 0xffff
                        : (8 * below(r, 20)) | (one_in(r, 2) ? 3 : 0) | (one_in(r, 8) ? 4 : 0);
}

/* Instructions of the system, which random bytes seldom make with operands that mean something. */
static void system_code(struct text *t, struct rng *r)
{
    static const uint32_t msr[] = {0x10,  0x1b,  0x2a,  0x174, 0x175,     0x176,
                                   0x179, 0x17a, 0x200, 0x250, 0x277,     0x2ff,
                                   0xfe,  0x1d9, 0xc1,  0x186, 0xc0000080};
    static const uint8_t one[] = {0xcf, 0xcb, 0xc3, 0xf4, 0xfa, 0xfb, 0x9d, 0x9c, 0xcc, 0xce, 0xf1,
                                  0x1f, 0x07, 0x17, 0xca, 0xc2, 0xc8, 0xc9, 0x60, 0x61, 0x9b, 0xd7,
                                  0xec, 0xef, 0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xaf, 0xad, 0x6c, 0x6f};
    switch (below(r, 16)) {
    case 0: /* mov crN / drN */
        b(t, 0xb8);
        dw(t, one_in(r, 3)   ? (uint32_t)odd_number(r)
              : one_in(r, 2) ? PAGES + below(r, 8)
                             : 0x11 | rnd(r) << 31);
        b(t, 0x0f);
        b(t, 0x20 | below(r, 4));
        b(t, 0xc0 | below(r, 5) << 3);
        break;
    case 1: /* lgdt, lidt, smsw, lmsw, invlpg */
        b(t, 0x0f);
        b(t, 0x01);
        memory_operand(t, r, below(r, 8));
        break;
    case 2: /* sldt, str, lldt, ltr, verr, verw */
        b(t, 0xb8);
        dw(t, selector(r));
        b(t, 0x0f);
        b(t, 0x00);
        b(t, 0xc0 | below(r, 6) << 3);
        break;
    case 3:
        b(t, 0xb9);
        dw(t, msr[below(r, ARRAY_LEN(msr))]);
        b(t, 0x0f);
        b(t, one_in(r, 2) ? 0x30 : 0x32);
        break;
    case 4: /* far jump and call */
        b(t, one_in(r, 2) ? 0xea : 0x9a);
        dw(t, CODE + below(r, CODE_LEN));
        w(t, selector(r));
        break;
    case 5:
        b(t, 0xcd);
        b(t, rnd(r));
        break;
    case 6: /* segment registers */
        b(t, 0xb8);
        dw(t, selector(r));
        b(t, 0x8e);
        b(t, 0xc0 | below(r, 6) << 3);
        break;
    case 7: /* an IRET frame of any kind */
        for (unsigned k = 0; k < 4; k++) {
            b(t, 0x68);
            dw(t, selector(r));
        }
        b(t, 0x68);
        dw(t, STACK + below(r, 0x1000));
        b(t, 0x68);
        dw(t, selector(r));
        b(t, 0x68);
        dw(t, (one_in(r, 3) ? 0x20002 : 2) | (rnd(r) & 0x77ff));
        b(t, 0x68);
        dw(t, selector(r));
        b(t, 0x68);
        dw(t, CODE + below(r, CODE_LEN));
        b(t, 0xcf);
        break;
    case 8: /* sysenter, sysexit, clts, invd, wbinvd, ud2, emms, cpuid, rdtsc, rdpmc, rsm */
        b(t, 0x0f);
        b(t, "\x34\x35\x06\x08\x09\x0b\x77\xa2\x31\x33\xaa"[below(r, 11)]);
        break;
    case 9: /* lar, lsl, bt family, bsf, cmpxchg8b, lss.. */
        b(t, 0x0f);
        b(t, "\x02\x03\xa3\xab\xb3\xbb\xba\xbc\xbd\xc7\xb2\xb4\xb5\xb0\xb1\xc0\xc1"[below(r, 17)]);
        memory_operand(t, r, below(r, 8));
        b(t, rnd(r));
        break;
    case 10: /* a repeated string instruction with few steps */
        b(t, 0xb9);
        dw(t, one_in(r, 8) ? (uint32_t)odd_number(r) : below(r, 300));
        b(t, 0xbf);
        dw(t, place(r));
        b(t, 0xbe);
        dw(t, place(r));
        b(t, one_in(r, 2) ? 0xf3 : 0xf2);
        b(t, "\xa4\xa5\xa6\xa7\xaa\xab\xac\xad\xae\xaf\x6c\x6d\x6e\x6f"[below(r, 14)]);
        break;
    case 11: /* a store into code near by */
        b(t, 0xc7);
        b(t, 0x05);
        dw(t, CODE + below(r, CODE_LEN));
        dw(t, rnd(r));
        break;
    case 12: /* stack back to where it is good */
        b(t, 0xbc);
        dw(t, STACK + 4 * below(r, 0x100));
        break;
    case 13: /* debug registers and the trap flag */
        b(t, 0xb8);
        dw(t, CODE + below(r, CODE_LEN));
        b(t, 0x0f);
        b(t, 0x23);
        b(t, 0xc0 | below(r, 4) << 3);
        b(t, 0xb8);
        dw(t, rnd(r));
        b(t, 0x0f);
        b(t, 0x23);
        b(t, 0xf8);
        break;
    default:
        b(t, one[below(r, sizeof one)]);
        break;
    }
}

/* x87, MMX and SSE. */
static void math_code(struct text *t, struct rng *r)
{
    if (one_in(r, 2)) {
        b(t, 0xd8 | below(r, 8));
        if (one_in(r, 2)) {
            b(t, 0xc0 | below(r, 64));
            return;
        }
    } else {
        if (one_in(r, 2)) {
            b(t, "\x66\xf2\xf3"[below(r, 3)]);
        }
        b(t, 0x0f);
        b(t, one_in(r, 3) ? 0x10 + below(r, 0x20) : 0x50 + below(r, 0xb0));
    }
    if (one_in(r, 2)) { /* memory with numbers in it */
        b(t, below(r, 8) << 3 | 5);
        dw(t, DATA + 4 * below(r, 0x200));
    } else {
        memory_operand(t, r, below(r, 8));
    }
}

static void plain_code(struct text *t, struct rng *r)
{
    unsigned op = rnd(r) & 0xff;

    if (one_in(r, 8)) {
        b(t, "\x66\x67\x26\x2e\x36\x3e\x64\x65\xf0\xf2\xf3"[below(r, 11)]);
    }
    if (one_in(r, 5)) {
        b(t, 0x0f);
    } else if (op == 0xf4 || (op & 0xfc) == 0xe0) {
        op = 0x90;
    }
    b(t, op);
    memory_operand(t, r, below(r, 8));
    if (one_in(r, 3)) {
        dw(t, (uint32_t)odd_number(r));
    }
}

/* Arithmetic whose length is known, so that a stretch of it runs on. */
static void steady_code(struct text *t, struct rng *r)
{
    switch (below(r, 7)) {
    case 0:
        b(t, (below(r, 8) << 3) | 1 | (rnd(r) & 2));
        memory_operand(t, r, below(r, 8));
        break;
    case 1:
        b(t, 0xb8 | below(r, 8));
        dw(t, one_in(r, 2) ? place(r) : (uint32_t)odd_number(r));
        break;
    case 2:
        b(t, 0x40 | (rnd(r) & 15));
        break;
    case 3:
        b(t, 0x70 | (rnd(r) & 15));
        b(t, below(r, 40));
        break;
    case 4:
        b(t, 0x50 | (rnd(r) & 15));
        break;
    case 5:
        b(t, "\xd1\xd3\xf7\x85\x87\x8b\x89\x8d\x63"[below(r, 9)]);
        memory_operand(t, r, below(r, 4) == 0 ? below(r, 8) : 4);
        break;
    default:
        b(t, 0xe8 | (rnd(r) & 1));
        dw(t, below(r, 512) - 256);
        break;
    }
}

static void fill_code(struct rng *r, uint8_t *at, size_t len)
{
    struct text t = {at, 0, len};
    unsigned taste = below(r, 3);

    while (t.n < t.max) {
        uint32_t v = below(r, 16);
        if (v == 0) {
            system_code(&t, r);
        } else if (v == 1) {
            math_code(&t, r);
        } else if (v < 5 + 3 * taste) {
            plain_code(&t, r);
        } else {
            steady_code(&t, r);
        }
    }
}

/* --- tables ----------------------------------------------------------------------------------- */

static void descriptor(uint8_t *p, uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    put16(p, (uint16_t)limit);
    put16(p + 2, (uint16_t)base);
    p[4] = (uint8_t)(base >> 16);
    p[5] = (uint8_t)access;
    p[6] = (uint8_t)((limit >> 16 & 15) | flags << 4);
    p[7] = (uint8_t)(base >> 24);
}

static void gate(uint8_t *p, unsigned sel, uint32_t off, unsigned access, unsigned count)
{
    put16(p, (uint16_t)off);
    put16(p + 2, (uint16_t)sel);
    p[4] = (uint8_t)count;
    p[5] = (uint8_t)access;
    put16(p + 6, (uint16_t)(off >> 16));
}

static void any_descriptor(struct rng *r, uint8_t *p)
{
    if (one_in(r, 4)) {
        gate(p, selector(r), CODE + below(r, CODE_LEN), 0x80 | (rnd(r) & 0x6f), rnd(r) & 31);
    } else if (one_in(r, 4)) {
        descriptor(p, TSS + TSS_SIZE * below(r, 8), 0x67 + below(r, 64), 0x80 | (rnd(r) & 0x6b),
                   rnd(r) & 15);
    } else {
        descriptor(p, one_in(r, 2) ? 0 : place(r), (uint32_t)odd_number(r), 0x90 | (rnd(r) & 0x6f),
                   rnd(r) & 15);
    }
}

static void fill_tables(struct rng *r, uint8_t *m)
{
    for (unsigned k = 1; k < DESCRIPTORS; k++) {
        any_descriptor(r, m + GDT + 8 * k);
        any_descriptor(r, m + LDT + 8 * k);
    }
    descriptor(m + GDT + SEL_CODE, 0, 0xfffff, 0x9b, 12);
    descriptor(m + GDT + SEL_DATA, 0, 0xfffff, 0x93, 12);
    descriptor(m + GDT + SEL_CODE3, 0, 0xfffff, 0xfb, 12);
    descriptor(m + GDT + SEL_DATA3, 0, 0xfffff, 0xf3, 12);
    descriptor(m + GDT + SEL_CODE16, CODE, 0xffff, 0x9b, 0);
    descriptor(m + GDT + SEL_TSS, TSS, 0x67 + below(r, 0x90), 0x89, 0);
    descriptor(m + GDT + SEL_LDT, LDT, 0x1ff, 0x82, 0);
    descriptor(m + GDT + SEL_TSS2, TSS + TSS_SIZE, 0x67, one_in(r, 4) ? 0x81 : 0x89, 0);
    gate(m + GDT + SEL_CALL, SEL_CODE, CODE + below(r, CODE_LEN), 0xec, below(r, 5));
    gate(m + GDT + SEL_TASK, SEL_TSS2, 0, 0xe5, 0);
    for (unsigned k = 0; k < 256; k++) {
        unsigned kind = one_in(r, 12) ? rnd(r) & 15 : one_in(r, 10) ? 5 : 14 | (rnd(r) & 1);
        gate(m + IDT + 8 * k,
             kind == 5       ? SEL_TSS2
             : one_in(r, 16) ? selector(r)
                             : SEL_CODE,
             CODE + below(r, CODE_LEN),
             (one_in(r, 20) ? 0 : 0x80) | (one_in(r, 2) ? 0x60 : 0) | kind, 0);
        put16(m + 4 * k, (uint16_t)below(r, CODE_LEN));
        put16(m + 4 * k + 2, CODE >> 4);
    }
    for (unsigned k = 0; k < 8; k++) {
        uint8_t *t = m + TSS + TSS_SIZE * k;
        for (unsigned o = 0; o < TSS_SIZE; o += 4) {
            put32(t + o, one_in(r, 2) ? selector(r) : place(r));
        }
        for (unsigned o = 4; o < 28; o += 8) {
            put32(t + o, STACK + 0x400 * k + 0x300);
            put32(t + o + 4, SEL_DATA);
        }
        put32(t + 28, one_in(r, 4) ? place(r) : PAGES);
        put32(t + 32, CODE + below(r, CODE_LEN));
        put32(t + 36, 2 | (rnd(r) & 0x70ff) | (one_in(r, 6) ? 0x20000 : 0));
        put32(t + 72, SEL_DATA);
        put32(t + 76, SEL_CODE);
        put32(t + 80, SEL_DATA);
        put16(t + 100, rnd(r) & 1);
        put16(t + 102, (uint16_t)(0x68 + below(r, 32)));
    }
}

static uint32_t page_bits(struct rng *r)
{
    return one_in(r, 16) ? rnd(r) & 0xfff
                         : 0x7 | (one_in(r, 3) ? rnd(r) & 0x160 : 0) | (one_in(r, 8) ? 0 : 2);
}

/*
 * Mostly the identity over 4 MB, of which one is memory, with holes, aliases and pages that are not
 * there.
 */
static void fill_pages(struct rng *r, uint8_t *m, bool pae)
{
    for (unsigned k = 0; k < 1024; k++) {
        uint32_t to = one_in(r, 24) ? rnd(r) & 0x3ff : k;
        uint64_t entry = (uint64_t)to << 12 | page_bits(r);
        if (pae) {
            put64(m + PAGES + 0x3000 + 8 * k, entry | (one_in(r, 500) ? odd_number(r) : 0));
        } else {
            put32(m + PAGES + 0x1000 + 4 * k, (uint32_t)entry);
            put32(m + PAGES + 4 * k,
                  one_in(r, 8) ? rnd(r) & 0x3fffe7 : (PAGES + 0x1000) | page_bits(r));
        }
    }
    if (!pae) {
        put32(m + PAGES, (PAGES + 0x1000) | 7);
        return;
    }
    for (unsigned k = 0; k < 4; k++) {
        put64(m + PAGES + 8 * k, (PAGES + 0x1000) | 1);
    }
    for (unsigned k = 0; k < 512; k++) {
        put64(m + PAGES + 0x1000 + 8 * k, k < 2 ? (PAGES + 0x3000 + 0x1000 * k) | 7
                                          : one_in(r, 4)
                                              ? (uint64_t)below(r, 4) << 21 | 0x80 | page_bits(r)
                                              : page_bits(r));
    }
}

/* --- start ------------------------------------------------------------------------------------ */

static bool has_sse(const char *model)
{
    return strcmp(model, "pentium4") == 0 || strcmp(model, "pentium3") == 0;
}

/* Real-mode code at START that loads the tables and goes where the program begins. */
static void bootstrap(struct rng *r, const struct program *g, uint8_t *m)
{
    struct text t = {m + START, 0, 512};
    uint32_t entry = CODE + below(r, 256);
    uint32_t cr0 = 0x11 | (rnd(r) & 0x10020) | (one_in(r, 4) ? rnd(r) & 0x4000e : 0);
    uint32_t cr4 = 0x290 | (rnd(r) & 0x4cf);

    put16(m + 0x500, 8 * DESCRIPTORS - 1);
    put32(m + 0x502, GDT);
    put16(m + 0x508, one_in(r, 8) ? 0x3ff : 0x7ff);
    put32(m + 0x50a, IDT);
    b(&t, 0x66), b(&t, 0x0f), b(&t, 0x01), b(&t, 0x16), w(&t, 0x500);
    if (g->mode == REAL) {
        b(&t, 0xea), w(&t, entry - CODE), w(&t, CODE >> 4);
        return;
    }
    b(&t, 0x66), b(&t, 0x0f), b(&t, 0x01), b(&t, 0x1e), w(&t, 0x508);
    if (g->paging) {
        b(&t, 0x66), b(&t, 0xb8), dw(&t, PAGES);
        b(&t, 0x0f), b(&t, 0x22), b(&t, 0xd8);
        cr0 |= 0x80000000u;
        cr4 = g->pae ? cr4 | 0x20 : cr4 & ~0x20u;
    }
    if (strcmp(g->model, "486") != 0) {
        b(&t, 0x66), b(&t, 0xb8), dw(&t, has_sse(g->model) ? cr4 : cr4 & (g->pae ? 0x20 : 0x10));
        b(&t, 0x0f), b(&t, 0x22), b(&t, 0xe0);
    }
    b(&t, 0x66), b(&t, 0xb8), dw(&t, cr0);
    b(&t, 0x0f), b(&t, 0x22), b(&t, 0xc0);
    b(&t, 0x66), b(&t, 0xea), dw(&t, START + (uint32_t)t.n + 6), w(&t, SEL_CODE);
    b(&t, 0xb8), dw(&t, SEL_DATA);
    for (unsigned k = 0; k < 6; k++) {
        if (k != 1) {
            b(&t, 0x8e), b(&t, 0xc0 | k << 3);
        }
    }
    b(&t, 0xbc), dw(&t, STACK + 0xff0);
    b(&t, 0xdb), b(&t, 0xe3);
    b(&t, 0xb8), dw(&t, SEL_TSS), b(&t, 0x0f), b(&t, 0x00), b(&t, 0xd8);
    b(&t, 0xb8), dw(&t, SEL_LDT), b(&t, 0x0f), b(&t, 0x00), b(&t, 0xd0);
    for (unsigned k = 0; k < 8; k++) {
        if (k != 4) {
            b(&t, 0xb8 | k), dw(&t, one_in(r, 4) ? below(r, 300) : place(r));
        }
    }
    if (g->mode == V86) {
        for (unsigned k = 0; k < 4; k++) {
            b(&t, 0x68), dw(&t, below(r, 0x4000));
        }
    }
    if (g->mode == V86 || g->mode == RING3) {
        b(&t, 0x68), dw(&t, g->mode == V86 ? STACK >> 4 : SEL_DATA3 | 3);
        b(&t, 0x68), dw(&t, g->mode == V86 ? 0xf00 : STACK + 0xf00);
        b(&t, 0x68), dw(&t, (g->mode == V86 ? 0x20002u : 2u) | (rnd(r) & 0x3200));
        b(&t, 0x68), dw(&t, g->mode == V86 ? CODE >> 4 : SEL_CODE3 | 3);
        b(&t, 0x68), dw(&t, g->mode == V86 ? entry - CODE : entry);
        b(&t, 0xcf);
    } else {
        b(&t, 0xe9), dw(&t, entry - (START + (uint32_t)t.n + 4));
    }
}

static struct program make(struct rng *r, uint8_t *image)
{
    static const char *const model[] = {"pentium4", "pentium4", "pentium3",   "pentium3",
                                        "486",      "pentium",  "pentium-pro"};
    struct program g = {.mode = (enum mode)below(r, MODES),
                        .model = model[below(r, ARRAY_LEN(model))],
                        .image = image};

    g.paging = g.mode != REAL && one_in(r, 2);
    g.pae =
        g.paging && one_in(r, 3) && strcmp(g.model, "486") != 0 && strcmp(g.model, "pentium") != 0;
    memset(image, 0, RAM);
    fill_tables(r, image);
    fill_pages(r, image, g.pae);
    for (uint32_t k = 0; k < 0x1000; k += 8) {
        put64(image + DATA + k, odd_number(r));
    }
    fill_code(r, image + CODE, CODE_LEN);
    bootstrap(r, &g, image);
    return g;
}

/* --- two processors --------------------------------------------------------------------------- */

static uint64_t window_read(void *dev UNUSED, uint64_t off, unsigned size)
{
    return (off * 0x9e3779b9u) ^ size;
}

static void window_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct side *s = dev;

    s->acks += (unsigned)(off ^ val);
}

static const struct io_ops window_ops = {window_read, window_write, 1, 8, "window"};

static uint8_t inta(void *ctx)
{
    struct side *s = ctx;

    s->acks++;
    return (uint8_t)(s->acks * 37 + 0x20);
}

static struct cpu *new_cpu(struct side *s, const struct program *g)
{
    struct err e = {""};
    struct cpu_config cfg = {.mem = s->mem, .io = s->io, .log = &s->log, .model = g->model,
                             .wiring = {.ctx = s, .inta = inta}, .generic_only = s->generic};
    struct cpu *c = cpu_new(&cfg, &e);

    if (!c) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    struct bus_client client = cpu_bus_client(c);
    bus_set_client(s->mem, &client);
    return c;
}

static void side_init(struct side *s, const struct program *g, bool generic)
{
    *s = (struct side){.mem = bus_new((uint64_t)1 << 36), .io = bus_new(65536),
                       .ram = malloc(RAM), .generic = generic};
    log_init(&s->log);
    memcpy(s->ram, g->image, RAM);
    bus_map_ram(s->mem, 0, RAM, s->ram, BUS_RW, PRIO_RAM);
    bus_map(s->mem, WINDOW, WINDOW_LEN, &window_ops, s, PRIO_DEVICE);
    bus_map(s->io, 0x100, 0x100, &window_ops, s, PRIO_DEVICE);
    s->c = new_cpu(s, g);
    cpu_reset(s->c);
    cpu_set_a20(s->c, true);
    cpu_set_reg(s->c, CPU_CS, 0);
    cpu_set_reg(s->c, CPU_EIP, START);
    cpu_set_reg(s->c, CPU_ESP, START);
}

static void side_free(struct side *s)
{
    cpu_free(s->c);
    bus_free(s->mem);
    bus_free(s->io);
    free(s->ram);
}

static struct snap_writer saved(const struct side *s)
{
    struct snap_writer out;

    snap_writer_init(&out);
    cpu_save(s->c, &out);
    return out;
}

/* Goes on in a new processor with the saved state. */
static void move_over(struct side *s, const struct program *g)
{
    struct snap_writer out = saved(s);
    struct snap_reader in;
    struct err e = {""};
    struct cpu *c;

    cpu_free(s->c);
    c = s->c = new_cpu(s, g);
    if (!snap_reader_init(&in, out.buf, out.len, &e) || !cpu_load(c, &in, &e)) {
        fprintf(stderr, "fuzz_cpu: a saved state was refused: %s\n", e.text);
        abort();
    }
    struct snap_writer again = saved(s);
    if (again.len != out.len || memcmp(again.buf, out.buf, out.len) != 0) {
        fprintf(stderr, "fuzz_cpu: a loaded state is another one\n");
        abort();
    }
    snap_writer_free(&again);
    snap_writer_free(&out);
}

/* One slice; false: the processor has shut down. */
static bool slice(struct side *s, const struct program *g, struct rng r)
{
    uint64_t until = cpu_icount(s->c) + 1 + below(&r, one_in(&r, 4) ? 3000 : 300);
    uint32_t event = below(&r, 12);
    uint8_t patch[64];

    if (event == 0) {
        cpu_set_intr(s->c, true);
    } else if (event == 1) {
        cpu_set_intr(s->c, false);
    } else if (event == 2) {
        cpu_nmi(s->c);
    } else if (event == 3) {
        fill_code(&r, patch, sizeof patch);
        bus_write_block(s->mem, CODE + below(&r, CODE_LEN), patch, 1 + below(&r, sizeof patch));
    } else if (event == 4) {
        cpu_set_a20(s->c, rnd(&r) & 3);
    } else if (event == 5 && one_in(&r, 6)) {
        move_over(s, g);
    } else if (event == 6 && one_in(&r, 4)) {
        cpu_smi(s->c);
    }
    switch (cpu_run(s->c, until)) {
    case CPU_STOP_SHUTDOWN:
        return false;
    case CPU_STOP_HALT:
        cpu_skip_to(s->c, until);
        if (one_in(&r, 2)) {
            cpu_nmi(s->c);
        } else {
            cpu_set_intr(s->c, true);
        }
        break;
    default:
        break;
    }
    return true;
}

static bool same(const struct side *x, const struct side *y, const char **what)
{
    struct snap_writer a = saved(x), c = saved(y);
    bool equal = a.len == c.len && memcmp(a.buf, c.buf, a.len) == 0;

    *what = !equal ? "registers" : "memory";
    snap_writer_free(&a);
    snap_writer_free(&c);
    return equal && x->acks == y->acks && memcmp(x->ram, y->ram, RAM) == 0;
}

static void report(const struct side *s)
{
    char text[4096];

    cpu_dump(s->c, text, sizeof text);
    fprintf(stderr, "%s layer, icount %llu\n%s\n", s->generic ? "generic" : "fast",
            (unsigned long long)cpu_icount(s->c), text);
}

static bool run(struct rng *r, uint8_t *image, uint64_t *instructions)
{
    static const char *const name[MODES] = {"real", "flat", "protected", "ring 3", "V86"};
    struct program g = make(r, image);
    struct side fast, plain;
    bool alive = true, equal = true;

    side_init(&fast, &g, false);
    side_init(&plain, &g, true);
    for (unsigned k = 0; k < SLICES && alive && equal; k++) {
        struct rng here = *r;
        const char *what;
        rnd(r);
        alive = slice(&fast, &g, here);
        bool other = slice(&plain, &g, here);
        equal = same(&fast, &plain, &what) && alive == other;
        if (!equal) {
            fprintf(stderr, "%s mode%s%s on a %s: %s differ in slice %u\n", name[g.mode],
                    g.paging ? ", paging" : "", g.pae ? " (PAE)" : "", g.model, what, k);
            report(&fast);
            report(&plain);
        }
    }
    *instructions += cpu_icount(fast.c);
    side_free(&fast);
    side_free(&plain);
    return equal;
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 200;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    uint64_t first = argc > 3 ? strtoull(argv[3], NULL, 0) : 0, instructions = 0, bad = 0;
    uint8_t *image = malloc(RAM);

    for (uint64_t k = first; k < first + n; k++) {
        struct rng r = rng_seed(seed * 1000003 + k);
        if (!run(&r, image, &instructions)) {
            fprintf(stderr, "fuzz_cpu: program %llu of seed %llu\n", (unsigned long long)k,
                    (unsigned long long)seed);
            bad++;
        }
    }
    free(image);
    fprintf(stderr, "fuzz_cpu: %llu programs, %llu instructions, %llu differ\n",
            (unsigned long long)n, (unsigned long long)instructions, (unsigned long long)bad);
    return bad ? 1 : 0;
}
