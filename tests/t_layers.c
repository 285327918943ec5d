/*
 * The generic layer against everything that is built on it (specialised handlers, joined branches,
 * dead flags, links, the return stack): random programs run on two CPUs from the same state must
 * end in the same state.
 *
 * Memory: 64 pages, paged with identity mapping; some pages are read-only, absent, or aliases of
 * the code. Every exception ends in a HLT.  A program is run a few times, so that its links and
 * caches are used.
 *
 * LAYERS_SEED and LAYERS_COUNT in the environment choose other programs.  A failure is shrunk to
 * the shortest instruction sequence that still fails on fresh CPUs, and printed.
 */
#include "tests/cpu_fixture.h"

#include <stdio.h>

#define PAGES 64u
#define MEMORY (PAGES * PAGE_SIZE)
#define TABLES 0x2000u   /* page directory, page table */
#define IDT 0x1000u
#define GDT 0x1800u
#define HANDLER 0x1900u
#define CODE_PAGE 0x10000u
#define STACK_TOP 0x1f000u
#define INSNS_MAX 24

struct rng {
    uint64_t s;
};

static uint32_t rnd(struct rng *r)
{
    r->s = r->s * 6364136223846793005ull + 1442695040888963407ull;
    uint64_t x = r->s ^ r->s >> 29;
    return (uint32_t)(x * 0x9e3779b97f4a7c15ull >> 32);
}

static bool chance(struct rng *r, unsigned percent)
{
    return rnd(r) % 100 < percent;
}

/* --- programs --------------------------------------------------------------------------------- */

struct code {
    uint8_t bytes[16];
    unsigned len;
};

struct program {
    struct code insn[INSNS_MAX];
    unsigned n;
    uint32_t at;                /* first byte */
    uint32_t regs[3][8];        /* for each run */
    uint32_t flags[3];
    uint64_t budget[3];
};

static bool usable(const struct decoded *d)
{
    switch (d->op) {
    case OP_HLT:
    case OP_IRET:
    case OP_CALL_FAR_PTR:
    case OP_CALL_FAR_IND:
    case OP_JMP_FAR_PTR:
    case OP_JMP_FAR_IND:
    case OP_RET_FAR:
    case OP_SYSENTER:
    case OP_SYSEXIT:
    case OP_WRMSR:
    case OP_LIDT:
    case OP_LGDT:
    case OP_LLDT:
    case OP_LTR:
    case OP_LMSW:
    case OP_CLTS:
        return false;
    default:
        break;
    }
    for (unsigned k = 0; k < d->noperands; k++) {
        unsigned kind = d->o[k].kind;
        if (kind == OK_SREG || kind == OK_CR || kind == OK_DR || kind == OK_TR) {
            return false;
        }
    }
    return !(d->attr & AT_CPL0);
}

static uint32_t pointer(struct rng *r)
{
    static const uint32_t base[] = {0x14000, 0x15000, 0x16000, 0x17000, 0x18000, 0x19000, 0x10000,
                                    0x20000, 0x1e000};
    uint32_t p = base[rnd(r) % ARRAY_LEN(base)];
    return chance(r, 20) ? p + PAGE_SIZE - 1 - rnd(r) % 8 : p + (rnd(r) & PAGE_MASK & ~3u);
}

static uint32_t value(struct rng *r)
{
    static const uint32_t edge[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
                                    0x80000000, 0xffffffff};
    switch (rnd(r) % 4) {
    case 0:
        return edge[rnd(r) % ARRAY_LEN(edge)];
    case 1:
        return rnd(r);
    default:
        return pointer(r);
    }
}

/*
 * Opcodes that user code is made of, several times where they should be frequent; 0x100 up: after
 * 0F.
 */
static const uint16_t opcodes[] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x08, 0x09, 0x0a, 0x0b, 0x11, 0x13, 0x19, 0x1b, 0x21, 0x23,
    0x25, 0x28, 0x29, 0x2a, 0x2b, 0x2d, 0x31, 0x33, 0x35, 0x38, 0x39, 0x39, 0x3a, 0x3b, 0x3b, 0x3c,
    0x3d, 0x40, 0x41, 0x43, 0x46, 0x48, 0x49, 0x4b, 0x4f, 0x50, 0x53, 0x55, 0x58, 0x5b, 0x5e, 0x60,
    0x61, 0x68, 0x69, 0x6a, 0x6b, 0x80, 0x80, 0x81, 0x81, 0x83, 0x83, 0x83, 0x84, 0x85, 0x85, 0x85,
    0x86, 0x87, 0x88, 0x89, 0x89, 0x89, 0x8a, 0x8b, 0x8b, 0x8b, 0x8d, 0x8d, 0x90, 0x91, 0x98, 0x99,
    0x9c, 0x9d, 0x9e, 0x9f, 0xa1, 0xa3, 0xa4, 0xa5, 0xa6, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xae, 0xb0,
    0xb4, 0xb8, 0xb9, 0xbf, 0xc0, 0xc1, 0xc1, 0xc2, 0xc3, 0xc6, 0xc7, 0xc8, 0xc9, 0xcc, 0xd0, 0xd1,
    0xd3, 0xd3, 0xe0, 0xe2, 0xe3, 0xe8, 0xe9, 0xeb, 0xf5, 0xf6, 0xf7, 0xf7, 0xf8, 0xf9, 0xfc, 0xfd,
    0xfe, 0xff, 0xff,
    0x140, 0x142, 0x143, 0x144, 0x145, 0x146, 0x147, 0x148, 0x14c, 0x14d, 0x14e, 0x14f, 0x180,
    0x184, 0x185, 0x192, 0x193, 0x194, 0x195, 0x19c, 0x19f, 0x1a2, 0x1a3, 0x1a4, 0x1a5, 0x1ab,
    0x1ac, 0x1ad, 0x1af, 0x1b0, 0x1b1, 0x1b3, 0x1b6, 0x1b6, 0x1b7, 0x1b7, 0x1ba, 0x1bb, 0x1bc,
    0x1bd, 0x1be, 0x1bf, 0x1c0, 0x1c1, 0x1c7, 0x1c8, 0x1cb,
};

static struct code random_insn(struct rng *r)
{
    for (;;) {
        struct code k = {.len = 0};
        struct decoded d;
        if (chance(r, 12)) {
            k.bytes[k.len++] = 0x66;
        }
        if (chance(r, 2)) {
            k.bytes[k.len++] = 0x67;
        }
        if (chance(r, 2)) {
            k.bytes[k.len++] = chance(r, 50) ? 0xf3 : 0xf2;
        }
        if (chance(r, 25)) { /* Jcc behind anything: what gets joined */
            k.bytes[k.len++] = (uint8_t)(0x70 | (rnd(r) & 15));
            k.bytes[k.len++] = (uint8_t)(rnd(r) % 24 - (chance(r, 30) ? 16 : 0));
        } else {
            unsigned op = opcodes[rnd(r) % ARRAY_LEN(opcodes)];
            if (op >= 0x100) {
                k.bytes[k.len++] = 0x0f;
            }
            k.bytes[k.len++] = (uint8_t)op;
            uint32_t v = chance(r, 50) ? value(r) : rnd(r) & 0x1f;
            k.bytes[k.len++] = (uint8_t)(chance(r, 40) ? rnd(r) | 0xc0 : rnd(r));
            bool sib = (k.bytes[k.len - 1] & 7) == 4 && k.bytes[k.len - 1] < 0xc0;
            if (sib) {
                k.bytes[k.len++] = (uint8_t)rnd(r);
            }
            for (unsigned n = 0; n < 8 && k.len < sizeof k.bytes; n++) {
                k.bytes[k.len++] = (uint8_t)(v >> n % 4 * 8);
            }
        }
        if (decode(k.bytes, k.len, CODE32, &d) == DEC_OK && usable(&d)) {
            k.len = d.len;
            return k;
        }
    }
}

static struct program random_program(uint64_t seed)
{
    struct rng r = {seed * 0x9e3779b97f4a7c15ull + 12345};
    struct program p = {.n = 1 + rnd(&r) % INSNS_MAX};
    for (unsigned k = 0; k < 8; k++) {
        rnd(&r);
    }
    for (unsigned k = 0; k < p.n; k++) {
        p.insn[k] = random_insn(&r);
    }
    p.at = CODE_PAGE + (chance(&r, 30) ? PAGE_SIZE - rnd(&r) % 64 : rnd(&r) % 3000);
    for (unsigned run = 0; run < 3; run++) {
        for (unsigned k = 0; k < 8; k++) {
            p.regs[run][k] = value(&r);
        }
        p.regs[run][REG_ECX] = chance(&r, 70) ? rnd(&r) % 40 : p.regs[run][REG_ECX];
        p.regs[run][REG_ESP] = chance(&r, 90) ? STACK_TOP - 4 * (rnd(&r) % 64) : pointer(&r);
        p.flags[run] = 2 | (rnd(&r) & FLAGS_OSZAPC);
        p.budget[run] = chance(&r, 80) ? 400 : rnd(&r) % 40;
    }
    return p;
}

/* --- machines --------------------------------------------------------------------------------- */

static void poke32(struct fixture *f, uint32_t at, uint32_t v)
{
    uint8_t e[4];
    put32(e, v);
    bus_write_block(f->mem, at, e, 4);
}

static void build_tables(struct fixture *f)
{
    poke32(f, TABLES, (TABLES + PAGE_SIZE) | 7);
    for (uint32_t k = 0; k < 1024; k++) {
        uint32_t e = k < PAGES ? k << PAGE_SHIFT | 7 : 0;
        if (k == 0x15) {
            e &= ~2u; /* read-only */
        } else if (k == 0x17) {
            e = 0;
        } else if (k == 0x20) {
            e = CODE_PAGE | 7;
        }
        poke32(f, TABLES + PAGE_SIZE + k * 4, e);
    }
    for (unsigned v = 0; v < 32; v++) {
        poke32(f, IDT + v * 8, 0x00080000 | (HANDLER + v));
        poke32(f, IDT + v * 8 + 4, 0x00008e00);
    }
    poke32(f, GDT + 8, 0x0000ffff);
    poke32(f, GDT + 12, 0x00cf9a00);
    poke32(f, GDT + 16, 0x0000ffff);
    poke32(f, GDT + 20, 0x00cf9200);
    for (unsigned v = 0; v < 64; v++) {
        uint8_t hlt = 0xf4;
        bus_write_block(f->mem, HANDLER + v, &hlt, 1);
    }
}

static struct fixture machine(bool generic)
{
    struct fixture f = fix_new(generic);
    build_tables(&f);
    return f;
}

/* The same memory, whatever earlier programs did. */
static void fill(struct fixture *f, const struct program *p)
{
    static const uint8_t pad[16] = {0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4,
                                    0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4};
    uint8_t page[PAGE_SIZE];
    for (uint32_t a = 0x14000; a < 0x20000; a += PAGE_SIZE) {
        for (unsigned k = 0; k < PAGE_SIZE; k += 4) {
            put32(page + k, a * 5 + k * 0x01010101u + 0x14000);
        }
        bus_write_block(f->mem, a, page, PAGE_SIZE);
    }
    memset(page, 0xf4, sizeof page);
    for (uint32_t a = CODE_PAGE; a < CODE_PAGE + 3 * PAGE_SIZE; a += PAGE_SIZE) {
        bus_write_block(f->mem, a, page, PAGE_SIZE);
    }
    uint32_t at = p->at;
    for (unsigned k = 0; k < p->n; k++) {
        bus_write_block(f->mem, at, p->insn[k].bytes, p->insn[k].len);
        at += p->insn[k].len;
    }
    bus_write_block(f->mem, at, pad, sizeof pad);
}

static enum cpu_stop run_one(struct fixture *f, const struct program *p, unsigned run)
{
    struct cpu *c = f->c;
    cpu_set_reg(c, CPU_CR0, cpu_get_reg(c, CPU_CR0) & ~(uint64_t)CR0_PG);
    cpu_enter_flat32(c, p->at);
    c->gdtr = (struct desc_table){GDT, 23};
    c->idtr = (struct desc_table){IDT, 255};
    cpu_set_reg(c, CPU_CR3, TABLES);
    cpu_set_reg(c, CPU_CR0, cpu_get_reg(c, CPU_CR0) | CR0_PG | CR0_WP);
    for (unsigned k = 0; k < 8; k++) {
        cpu_set_reg(c, (enum cpu_reg)(CPU_EAX + k), p->regs[run][k]);
    }
    cpu_set_reg(c, CPU_EFLAGS, p->flags[run]);
    enum cpu_stop s = cpu_run(c, cpu_icount(c) + p->budget[run]);
    if (s == CPU_STOP_SHUTDOWN) {
        uint64_t t = cpu_icount(c);
        cpu_reset(c);
        cpu_set_a20(c, true);
        cpu_skip_to(c, t);
    }
    return s;
}

/* Empty when both are in the same state. */
static void compare(const struct fixture *a, const struct fixture *b, char *text, size_t len)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp",
                                        "esi", "edi", "eip", "eflags"};
    text[0] = 0;
    for (unsigned k = CPU_EAX; k <= CPU_EFLAGS; k++) {
        uint64_t x = cpu_get_reg(a->c, (enum cpu_reg)k), y = cpu_get_reg(b->c, (enum cpu_reg)k);
        if (x != y) {
            snprintf(text + strlen(text), len - strlen(text), " %s %llx/%llx", names[k - CPU_EAX],
                     (unsigned long long)x, (unsigned long long)y);
        }
    }
    if (cpu_get_reg(a->c, CPU_CR2) != cpu_get_reg(b->c, CPU_CR2)) {
        snprintf(text + strlen(text), len - strlen(text), " cr2");
    }
    if (cpu_icount(a->c) != cpu_icount(b->c)) {
        snprintf(text + strlen(text), len - strlen(text), " icount %llu/%llu",
                 (unsigned long long)cpu_icount(a->c), (unsigned long long)cpu_icount(b->c));
    }
    for (uint32_t k = 0; k < MEMORY; k += 64) {
        if (memcmp(a->ram + k, b->ram + k, 64)) {
            snprintf(text + strlen(text), len - strlen(text), " memory at %x", k);
            break;
        }
    }
}

/* Runs p on both; the first difference as text. */
static bool differs(struct fixture *a, struct fixture *b, const struct program *p, char *text,
                    size_t len)
{
    for (unsigned run = 0; run < 3; run++) {
        if (run != 1) { /* the second run finds the code as the first one left it */
            fill(a, p);
            fill(b, p);
        }
        enum cpu_stop x = run_one(a, p, run), y = run_one(b, p, run);
        compare(a, b, text, len);
        if (x != y) {
            snprintf(text + strlen(text), len - strlen(text), " stop %d/%d", x, y);
        }
        if (text[0]) {
            snprintf(text + strlen(text), len - strlen(text), " (run %u)", run);
            return true;
        }
    }
    return false;
}

static bool differs_fresh(const struct program *p, char *text, size_t len)
{
    struct fixture a = machine(true), b = machine(false);
    bool d = differs(&a, &b, p, text, len);
    fix_free(&a);
    fix_free(&b);
    return d;
}

static void shrink(struct program *p)
{
    char text[512];
    bool smaller = true;
    while (smaller) {
        smaller = false;
        for (unsigned k = 0; k < p->n && p->n > 1; k++) {
            struct program q = *p;
            memmove(&q.insn[k], &q.insn[k + 1], (q.n - k - 1) * sizeof q.insn[0]);
            q.n--;
            if (differs_fresh(&q, text, sizeof text)) {
                *p = q;
                smaller = true;
                k--;
            }
        }
    }
}

static void report(struct program *p, uint64_t seed, const char *history)
{
    char text[512], out[4096];
    size_t n = 0;
    bool alone = differs_fresh(p, text, sizeof text);
    if (alone) {
        shrink(p);
        differs_fresh(p, text, sizeof text);
    }
    n += (size_t)snprintf(out + n, sizeof out - n, "program %llu at %x, generic/fast:%s%s\n",
                          (unsigned long long)seed, p->at, alone ? text : history,
                          alone ? "" : " (only after earlier programs)");
    for (unsigned k = 0; k < p->n; k++) {
        for (unsigned b = 0; b < p->insn[k].len; b++) {
            n += (size_t)snprintf(out + n, sizeof out - n, "%02x ", p->insn[k].bytes[b]);
        }
        n += (size_t)snprintf(out + n, sizeof out - n, "\n");
    }
    for (unsigned run = 0; run < 3; run++) {
        for (unsigned k = 0; k < 8; k++) {
            n += (size_t)snprintf(out + n, sizeof out - n, "%x ", p->regs[run][k]);
        }
        n += (size_t)snprintf(out + n, sizeof out - n, "flags %x budget %u\n", p->flags[run],
                              (unsigned)p->budget[run]);
    }
    ck_abort_msg("%s", out);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *v = getenv(name);
    return v ? strtoull(v, NULL, 0) : otherwise;
}

START_TEST(random_programs)
{
    uint64_t seed = setting("LAYERS_SEED", 1), count = setting("LAYERS_COUNT", 4000);
    struct fixture a = machine(true), b = machine(false);
    char text[512];
    for (uint64_t k = seed; k < seed + count; k++) {
        struct program p = random_program(k);
        if (differs(&a, &b, &p, text, sizeof text)) {
            report(&p, k, text);
        }
    }
    fix_free(&a);
    fix_free(&b);
}
END_TEST

FIX_SUITE("layers", random_programs)
