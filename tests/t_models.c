/*
 * CPU models: which instructions each of them has, what CPUID says, which EFLAGS, CR0 and CR4 bits
 * exist.  Expected values are written from the manuals (SDM vol. 3 chapter "Architecture
 * Compatibility", AP-485), not from the model table.
 */
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/disasm.h"
#include "cpu/system.h"
#include "cpu_fixture.h"
#include "memory/bytes.h"
#include "tests/suite.h"

enum { IDT = 0x2000, GDT = 0x3000, HANDLERS = 0x4000, DATA = 0x100000 };

#define FT(x) (1u << FT_##x)
#define SET_386 (FT(386) | FT(FPU))
#define SET_486 (SET_386 | FT(486) | FT(CPUID))
#define SET_P5 (SET_486 | FT(TSC) | FT(MSR) | FT(CX8) | FT(SMM))
#define SET_P6 (SET_P5 | FT(CMOV) | FT(FCMOV) | FT(NOPL) | FT(PMC))
#define SET_P2 (SET_P6 | FT(MMX) | FT(SEP) | FT(FXSR))
#define SET_P3 (SET_P2 | FT(SSE))
#define SET_P4 (SET_P3 | FT(SSE2) | FT(CLFLUSH))

#define EDX_APIC 0x200u /* depends on the board */

static const struct model {
    const char *name;
    uint32_t features;
    unsigned family;
    uint32_t max_leaf, max_ext, edx, ecx;
    uint32_t cr4; /* bits that can be set; 0: no such register */
} models[] = {
    {"386", SET_386 | FT(TR), 3, 0, 0, 0, 0, 0},
    {"486", SET_486 | FT(TR), 4, 1, 0, 0x00000003, 0, 0x003},
    {"pentium", SET_P5, 5, 1, 0, 0x000001bf, 0, 0x05f},
    {"pentium-mmx", SET_P5 | FT(MMX), 5, 1, 0, 0x008001bf, 0, 0x05f}, /* no event counters */
    {"pentium-pro", SET_P6, 6, 2, 0, 0x0000f1ff, 0, 0x1ff},
    {"pentium2", SET_P2, 6, 2, 0, 0x0183f9ff, 0, 0x3ff},
    {"pentium3", SET_P3, 6, 2, 0, 0x0383f9ff, 0, 0x7ff},
    {"pentium4", SET_P4, 15, 2, 0x80000004, 0x0f8bf9ff, 0, 0x7ff},
    {"max", SET_P4 | FT(SSE3), 15, 2, 0x80000008, 0x0f8bf9ff, 1, 0x7ff},
};

static struct fixture model_fixture(const struct model *m)
{
    struct fixture f = fix_new(true);
    struct err e = {{0}};

    ck_assert_msg(cpu_model_select(f.c, m->name, &e), "%s", e.text);
    for (unsigned v = 0; v < 256; v++) {
        put32(f.ram + IDT + v * 8, 0x10u << 16 | (HANDLERS + v * 16));
        put32(f.ram + IDT + v * 8 + 4, 0x8e00);
        f.ram[HANDLERS + v * 16] = 0xf4;
    }
    put64(f.ram + GDT + 0x10, 0x00cf9b000000ffff);
    put64(f.ram + GDT + 0x18, 0x00cf93000000ffff);
    return f;
}

/* Flat protected mode, CPL 0, everything that depends on control registers allowed. */
static void start(struct fixture *f, const void *code, size_t n)
{
    struct cpu *c = f->c;

    cpu_reset(c);
    fix_flat(f, FIX_CODE, code, n);
    c->gdtr = (struct desc_table){GDT, 0x1f};
    c->idtr = (struct desc_table){IDT, 0x7ff};
    c->tr = (struct segment){.base = 0x8800, .limit = 0x67, .attr = ATTR_P | DESC_TSS32_BUSY};
    c->seg[SEG_CS].sel = 0x10;
    c->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    for (unsigned r = 0; r < 8; r++) {
        c->r.q[r] = r == REG_ESP ? FIX_STACK : DATA;
    }
    c->r.q[REG_ECX] = 1;
    cpu_update_mode(c);
}

/* Vector of the exception that one instruction raises, or -1. */
static int step(struct fixture *f)
{
    struct cpu *c = f->c;
    uint64_t eip;

    c->until = c->icount + 1;
    cpu_slice_begin(c, 1);
    cpu_execute(c, trace_lookup(c, MODE_ONE));
    cpu_slice_end(c);
    eip = c->eip - HANDLERS;
    return eip < 256 * 16 && eip % 16 == 0 ? (int)(eip / 16) : -1;
}

/* --- instructions ---------------------------------------------------------------------------- */

/* #UD for other reasons than the model. */
static bool undefined_anyway(const struct decoded *d)
{
    switch (d->op) {
    case OP_UD0:
    case OP_UD1:
    case OP_UD2:
    case OP_RSM:      /* not in SMM */
    case OP_MONITOR:
    case OP_MWAIT:
        return true;
    case OP_MOV_CR:
    case OP_MOV_DR:   /* registers that do not exist: tested below */
    case OP_MOV_SREG:
        return true;
    default:
        return false;
    }
}

static void check_encoding(struct fixture *f, const struct model *m, const uint8_t *code,
                           const struct decoded *d)
{
    bool has = m->features >> d->feature & 1;
    char text[96];
    int vector;

    if (has && undefined_anyway(d)) {
        return;
    }
    start(f, code, DECODE_MAX_LEN);
    vector = step(f);
    disasm(d, FIX_CODE, text, sizeof text);
    ck_assert_msg((vector == EXC_UD) == !has, "%s: \"%s\" (%s) gave %d", m->name, text,
                  decode_row_name(d->row), vector);
}

/* Every row of the opcode map in every model, by its first register and its first memory form. */
START_TEST(rows)
{
    static const uint8_t prefixes[] = {0x90, 0x66, 0xf3, 0xf2};
    static const uint8_t modrms[] = {0x00, 0xc0};
    const struct model *m = &models[_i];
    struct fixture f = model_fixture(m);
    bool *done = calloc(decode_row_count() * 2, sizeof *done);

    for (unsigned k = 0; k < 4 * 512 * 64 * 2; k++) {
        unsigned form = k & 1, reg = k >> 1 & 63, opcode = k >> 7 & 511;
        uint8_t code[DECODE_MAX_LEN] = {prefixes[k >> 16]};
        struct decoded d;
        unsigned n = code[0] != 0x90;

        if (opcode >> 8) {
            code[n++] = 0x0f;
        }
        code[n++] = (uint8_t)opcode;
        code[n] = (uint8_t)(form ? modrms[1] | reg : reg & 0x38);
        if (decode(code, sizeof code, CODE32, &d) == DEC_OK && !done[d.row * 2 + form]) {
            done[d.row * 2 + form] = true;
            check_encoding(&f, m, code, &d);
        }
    }
    free(done);
    fix_free(&f);
}
END_TEST

/* --- flags and control registers ------------------------------------------------------------- */

/* Can POPFD change the bit? */
static bool toggles(struct fixture *f, uint32_t bit)
{
    static const uint8_t code[] = {
        0x9c, 0x58,             /* pushfd; pop eax */
        0x89, 0xc1,             /* mov ecx,eax */
        0x31, 0xd8, 0x50, 0x9d, /* xor eax,ebx; push eax; popfd */
        0x9c, 0x58,             /* pushfd; pop eax */
        0x31, 0xc8, 0xf4,       /* xor eax,ecx; hlt */
    };

    start(f, code, sizeof code);
    f->c->r.q[REG_EBX] = bit;
    fix_run(f, 100);
    ck_assert_uint_eq(f->c->r.q[REG_EAX] & ~(uint64_t)bit, 0);
    return f->c->r.q[REG_EAX] != 0;
}

START_TEST(eflags)
{
    const struct model *m = &models[_i];
    struct fixture f = model_fixture(m);

    ck_assert(toggles(&f, FLAG_NT));
    ck_assert(toggles(&f, 1u << 12));
    ck_assert_int_eq(toggles(&f, FLAG_AC), m->family >= 4);
    ck_assert_int_eq(toggles(&f, FLAG_ID), m->max_leaf != 0);
    ck_assert(!toggles(&f, 1u << 15));
    ck_assert(!toggles(&f, 1u << 1));
    ck_assert(!toggles(&f, 1u << 22));
    fix_free(&f);
}
END_TEST

START_TEST(cr4_bits)
{
    static const uint8_t read[] = {0x0f, 0x20, 0xe0}, write[] = {0x0f, 0x22, 0xe0};
    const struct model *m = &models[_i];
    struct fixture f = model_fixture(m);

    start(&f, read, sizeof read);
    ck_assert_int_eq(step(&f), m->cr4 ? -1 : EXC_UD);
    for (unsigned bit = 0; bit < 32; bit++) {
        start(&f, write, sizeof write);
        f.c->r.q[REG_EAX] = 1u << bit;
        ck_assert_msg(step(&f) == (!m->cr4 ? EXC_UD : m->cr4 >> bit & 1 ? -1 : EXC_GP),
                      "%s: CR4 bit %u", m->name, bit);
    }
    fix_free(&f);
}
END_TEST

/* NE, WP, AM, NW and CD came with the 486; on a 386 they do not stay. */
START_TEST(cr0_bits)
{
    static const uint8_t code[] = {0x0f, 0x22, 0xc0, 0x0f, 0x20, 0xc0, 0xf4};
    const struct model *m = &models[_i];
    struct fixture f = model_fixture(m);
    uint32_t news = CR0_NE | CR0_WP | CR0_AM | CR0_CD | CR0_NW;

    start(&f, code, sizeof code);
    f.c->r.q[REG_EAX] = CR0_PE | CR0_ET | CR0_MP | news;
    fix_run(&f, 100);
    ck_assert_uint_eq(f.c->r.q[REG_EAX] & news, m->family >= 4 ? news : 0);
    ck_assert_uint_eq(f.c->r.q[REG_EAX] & CR0_MP, CR0_MP);
    fix_free(&f);
}
END_TEST

/* --- CPUID ----------------------------------------------------------------------------------- */

static void cpuid(struct fixture *f, uint32_t leaf, uint32_t out[4])
{
    static const uint8_t code[] = {0x0f, 0xa2, 0xf4};

    start(f, code, sizeof code);
    f->c->r.q[REG_EAX] = leaf;
    fix_run(f, 10);
    out[0] = (uint32_t)f->c->r.q[REG_EAX];
    out[1] = (uint32_t)f->c->r.q[REG_EBX];
    out[2] = (uint32_t)f->c->r.q[REG_ECX];
    out[3] = (uint32_t)f->c->r.q[REG_EDX];
}

static void check_brand(struct fixture *f)
{
    char text[49] = "";
    uint32_t out[4];

    for (unsigned n = 0; n < 3; n++) {
        cpuid(f, 0x80000002u + n, out);
        for (unsigned k = 0; k < 4; k++) {
            put32((uint8_t *)text + n * 16 + k * 4, out[k]);
        }
    }
    ck_assert_uint_gt(strlen(text), 4);
    for (unsigned n = 0; text[n]; n++) {
        ck_assert(text[n] >= ' ' && text[n] < 0x7f);
    }
}

START_TEST(leaves)
{
    const struct model *m = &models[_i];
    struct fixture f = model_fixture(m);
    uint32_t out[4];

    cpu_reset(f.c);
    ck_assert_uint_eq(f.c->r.q[REG_EDX] >> 8 & 15, m->family);
    if (m->max_leaf) {
        uint64_t signature = f.c->r.q[REG_EDX];
        cpuid(&f, 0, out);
        ck_assert_uint_eq(out[0], m->max_leaf);
        ck_assert(out[1] == 0x756e6547 && out[3] == 0x49656e69 && out[2] == 0x6c65746e);
        cpuid(&f, 1, out);
        ck_assert_uint_eq(out[0], signature);
        ck_assert_uint_eq(out[3] & ~EDX_APIC, m->edx);
        ck_assert_uint_eq(out[2], m->ecx);
        if (m->max_leaf >= 2) {
            cpuid(&f, 2, out);
            ck_assert_uint_eq(out[0] & 0xff, 1); /* one call tells all */
            ck_assert_uint_eq(out[3] >> 31, 0);  /* descriptors, valid */
        }
        cpuid(&f, 0x80000000u, out);
        if (m->max_ext) {
            ck_assert_uint_eq(out[0], m->max_ext);
            check_brand(&f);
        }
    }
    fix_free(&f);
}
END_TEST

START_TEST(feature_edits)
{
    static const uint8_t sse[] = {0x0f, 0x57, 0xc0}, cmov[] = {0x0f, 0x44, 0xc3};
    static const struct model less = {.name = "pentium4,-sse2,-sse,-cmov"};
    static const struct model more = {.name = "pentium,+cmov"};
    struct fixture f = model_fixture(&less);

    start(&f, sse, sizeof sse);
    ck_assert_int_eq(step(&f), EXC_UD);
    start(&f, cmov, sizeof cmov);
    ck_assert_int_eq(step(&f), EXC_UD);
    fix_free(&f);
    f = model_fixture(&more);
    start(&f, cmov, sizeof cmov);
    ck_assert_int_eq(step(&f), -1);
    fix_free(&f);
}
END_TEST

/* level=N cuts off the leaves above; what is asked beyond answers as the last one. */
START_TEST(leaf_limit)
{
    struct fixture f = fix_new(false), g = fix_new(false);
    struct snap_writer w;
    struct snap_reader r;
    struct err e;
    uint32_t one[4], out[4];

    ck_assert(cpu_model_select(f.c, "max,level=1", &e));
    cpuid(&f, 0, out);
    ck_assert_uint_eq(out[0], 1);
    ck_assert_uint_eq(out[1], 0x756e6547);
    cpuid(&f, 1, one);
    cpuid(&f, 2, out);
    ck_assert(memcmp(one, out, sizeof one) == 0);
    cpuid(&f, 0x80000000u, out);
    ck_assert_uint_eq(out[0], 0x80000008u);
    ck_assert(cpu_model_select(f.c, "pentium3,-sse,level=9", &e));
    cpuid(&f, 0, out);
    ck_assert_uint_eq(out[0], 2); /* a limit, no promise */
    ck_assert(!cpu_model_select(f.c, "pentium3,level=0", &e));
    ck_assert_ptr_nonnull(strstr(e.text, "level=0"));
    ck_assert(!cpu_model_select(f.c, "pentium3,level=", &e));
    ck_assert(!cpu_model_select(f.c, "pentium3,level=22", &e));
    ck_assert(!cpu_model_select(f.c, "386,level=1", &e));
    /* The guest has seen it: a state goes with its limit. */
    ck_assert(cpu_model_select(f.c, "pentium3,level=1", &e));
    ck_assert(cpu_model_select(g.c, "pentium3", &e));
    snap_writer_init(&w);
    cpu_save(f.c, &w);
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(!cpu_load(g.c, &r, &e));
    snap_writer_free(&w);
    fix_free(&f);
    fix_free(&g);
}
END_TEST

/* MTRRs and PAT read back what was written; values the hardware refuses are #GP. */
/* Registers that systems look at: kept, constant, or not there. */
START_TEST(plain_registers)
{
    static const struct {
        const char *model;
        uint32_t msr;
        uint64_t first, write, after;
        bool fine;
    } kept[] = {
        {"pentium", 0x0e, 0, 0x42, 0x42, true},
        {"pentium", 0x11, 0, 0xffffffff, 0x03ff03ff, true},
        {"pentium", 0x13, 0, ~0ull, 0xffffffffffull, true},
        {"pentium2", 0x2a, 0x880000, 0xff, 0x8800de, true},
        {"pentium3", 0x11e, 0x101, 0, 0, true},
        {"pentium3", 0x1d9, 0, 0xff, 0x7f, true},
        {"pentium3", 0x1dc, 0, 1, 0, false},
        {"pentium3", 0x1e0, 4, 0, 0, true},
        {"pentium4", 0x2c, 0x04000000, 1, 0x04000000, false},
        {"pentium4", 0x19a, 0, 0xffffffff, 0x1e, true},
        {"pentium4", 0x1a0, 0x1801, 0x400c51889, 0x400c51809, true},
        {"pentium4", 0x1a0, 0x1801, 0x2000000, 0x1801, false},
        {"pentium4", 0x311, 0, ~0ull, 0xffffffffffull, true},
        {"pentium4", 0x371, 0, ~0ull, 0xfffff000, true},
        {"pentium4", 0x3e1, 0, 5, 5, true},
        {"pentium4", 0x3f2, 0, 5, 5, true},
    };
    static const struct {
        const char *model;
        uint32_t msr;
    } absent[] = {
        {"pentium", 0x2a}, {"pentium", 0x1a0}, {"pentium3", 0x11}, {"pentium3", 0x1a0},
        {"pentium3", 0x300}, {"pentium4", 0x11}, {"pentium4", 0xc1}, {"pentium4", 0x312},
        {"pentium4", 0x198}, {"pentium4", 0x400}, {"pentium3", 0x10002a},
    };
    struct fixture f = fix_new(false);
    struct err e;
    uint64_t v;

    for (unsigned k = 0; k < ARRAY_LEN(kept); k++) {
        ck_assert(cpu_model_select(f.c, kept[k].model, &e));
        cpu_reset(f.c);
        ck_assert_msg(msr_read(f.c, kept[k].msr, &v) && v == kept[k].first, "row %u", k);
        ck_assert_msg(msr_write(f.c, kept[k].msr, kept[k].write) == kept[k].fine, "row %u", k);
        ck_assert_msg(msr_read(f.c, kept[k].msr, &v) && v == kept[k].after, "row %u", k);
    }
    for (unsigned k = 0; k < ARRAY_LEN(absent); k++) {
        ck_assert(cpu_model_select(f.c, absent[k].model, &e));
        ck_assert_msg(!msr_read(f.c, absent[k].msr, &v), "absent %u", k);
        ck_assert(!msr_write(f.c, absent[k].msr, 0));
    }
    fix_free(&f);
}
END_TEST

START_TEST(memory_type_registers)
{
    static const struct {
        uint32_t msr;
        uint64_t value;
        bool fine;
    } cases[] = {
        {0x200, 0xfe0000006, true},        {0x201, 0xff0000800, true},
        {0x20e, 0x000000001, true},        {0x20f, 0xfff000800, true},
        {0x210, 0, false},                 {0x200, 0x000000002, false}, /* type 2 */
        {0x200, 0x1000000000, false},      {0x201, 0x000000400, false},
        {0x250, 0x0606060606060606, true}, {0x258, 0x0505050505050505, true},
        {0x26f, 0x0404040404040404, true}, {0x268, 0x0000000000000001, true},
        {0x268, 0x0000000000000003, false}, {0x2ff, 0xc06, true},
        {0x2ff, 0xc02, false},             {0x2ff, 0x1000, false},
        {0x277, 0x0007040600070406, true}, {0x277, 0x0007040600070402, false},
        {0xfe, 0x508, false},              {0x27, 0, false},
    };
    struct fixture f = fix_new(false);
    struct err e;
    uint64_t v, before;

    ck_assert(cpu_model_select(f.c, "pentium3", &e));
    cpu_reset(f.c);
    ck_assert(msr_read(f.c, 0xfe, &v));
    ck_assert_uint_eq(v, 0x508); /* eight variable ranges, fixed ones, write combining */
    ck_assert(msr_read(f.c, 0x277, &v));
    ck_assert_uint_eq(v, 0x0007040600070406);
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        bool there = msr_read(f.c, cases[k].msr, &before);

        ck_assert_msg(msr_write(f.c, cases[k].msr, cases[k].value) == cases[k].fine, "row %u", k);
        if (there) {
            ck_assert(msr_read(f.c, cases[k].msr, &v));
            ck_assert_uint_eq(v, cases[k].fine ? cases[k].value : before);
        }
    }
    ck_assert(cpu_model_select(f.c, "pentium", &e));
    ck_assert(!msr_read(f.c, 0x200, &v) && !msr_read(f.c, 0x277, &v) && !msr_read(f.c, 0xfe, &v));
    ck_assert(cpu_model_select(f.c, "pentium-pro", &e));
    ck_assert(msr_read(f.c, 0x200, &v) && !msr_read(f.c, 0x277, &v));
    fix_free(&f);
}
END_TEST

int main(void)
{
    const TTest *const each[] = {rows, eflags, cr4_bits, cr0_bits, leaves};
    Suite *s = suite_create("models");
    TCase *t = tcase_create("models");

    tcase_set_timeout(t, 120);
    for (size_t k = 0; k < ARRAY_LEN(each); k++) {
        tcase_add_loop_test(t, each[k], 0, ARRAY_LEN(models));
    }
    tcase_add_test(t, feature_edits);
    tcase_add_test(t, leaf_limit);
    tcase_add_test(t, plain_registers);
    tcase_add_test(t, memory_type_registers);
    suite_add_tcase(s, t);
    return suite_run(s);
}
