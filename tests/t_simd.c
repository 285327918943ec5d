/*
 * MMX and SSE behaviour around the arithmetic: when instructions are refused, aliasing with the x87
 * registers, alignment, MXCSR, unmasked exceptions, faults in the middle of an operand; and the
 * lane arithmetic against plain loops.
 */
#include "tests/cpu_fixture.h"

#include "cpu/simd.h"

#define RUN_FLAT(f, ...)                                                                       \
    do {                                                                                       \
        static const uint8_t code_[] = {__VA_ARGS__, 0xf4};                                    \
        fix_flat(f, FIX_CODE, code_, sizeof code_);                                            \
        fix_run(f, 1000);                                                                      \
    } while (0)

#define AT(lo, hi) (lo), (hi), 0, 0 /* disp32 of an address below 64 K */
#define ADDPS_01 0x0f, 0x58, 0xc1
#define DIVPS_01 0x0f, 0x5e, 0xc1
#define DIVSS_01 0xf3, 0x0f, 0x5e, 0xc1
#define MOVQ_MM1_5000 0x0f, 0x6f, 0x0d, AT(0x00, 0x50)
#define LDMXCSR_5000 0x0f, 0xae, 0x15, AT(0x00, 0x50)

enum { DATA = 0x5000, HANDLERS = 0x6000, IDT = 0x7000, GDT = 0x7800, MXCSR_INIT = 0x1f80 };

#define ONE_F32 0x3f800000u
#define ONES_F32 ((struct xmm){{0x3f8000003f800000u, 0x3f8000003f800000u}})

/* Every exception ends in a HLT at HANDLERS + vector * 16. */
static void fix_idt(struct fixture *f)
{
    put32(f->ram + GDT + 0x10, 0x0000ffff);
    put32(f->ram + GDT + 0x14, 0x00cf9b00);
    put32(f->ram + GDT + 0x18, 0x0000ffff);
    put32(f->ram + GDT + 0x1c, 0x00cf9300);
    for (unsigned v = 0; v < 32; v++) {
        put32(f->ram + IDT + v * 8, (0x10u << 16) | (HANDLERS + v * 16));
        put32(f->ram + IDT + v * 8 + 4, 0x8e00);
        f->ram[HANDLERS + v * 16] = 0xf4;
    }
    f->c->gdtr = (struct desc_table){GDT, 0x1f};
    f->c->idtr = (struct desc_table){IDT, 0xff};
}

/* The vector whose handler halted, -1 if none. */
static int trapped(const struct fixture *f)
{
    uint32_t at = (uint32_t)cpu_get_reg(f->c, CPU_EIP) - 1 - HANDLERS;
    return at < 32 * 16 && at % 16 == 0 ? (int)(at / 16) : -1;
}

static struct fixture fix_model(const char *model)
{
    struct fixture f = fix_new(false);
    struct err e;

    ck_assert(cpu_model_select(f.c, model, &e));
    fix_idt(&f);
    cpu_set_reg(f.c, CPU_CR0, cpu_get_reg(f.c, CPU_CR0) | CR0_NE);
    cpu_set_reg(f.c, CPU_CR4, CR4_OSFXSR | CR4_OSXMMEXCPT);
    return f;
}

static struct fixture fix_simd(void)
{
    return fix_model("max");
}

#define ck_xmm(f, n, high, low)                                                                \
    do {                                                                                       \
        ck_assert_uint_eq((f)->c->xmm[n].q[0], low);                                           \
        ck_assert_uint_eq((f)->c->xmm[n].q[1], high);                                          \
    } while (0)

/* --- when instructions are refused ------------------------------------------------------------ */

START_TEST(mmx_gating)
{
    struct fixture f = fix_simd();
    uint64_t cr0 = cpu_get_reg(f.c, CPU_CR0);

    cpu_set_reg(f.c, CPU_CR0, cr0 | CR0_EM | CR0_TS);
    RUN_FLAT(&f, 0x0f, 0xfc, 0xc1 /* paddb mm0, mm1 */);
    ck_assert_int_eq(trapped(&f), EXC_UD);
    cpu_set_reg(f.c, CPU_CR0, cr0 | CR0_TS);
    RUN_FLAT(&f, 0x0f, 0xfc, 0xc1);
    ck_assert_int_eq(trapped(&f), EXC_NM);
    RUN_FLAT(&f, 0x0f, 0x77 /* emms */);
    ck_assert_int_eq(trapped(&f), EXC_NM);

    cpu_set_reg(f.c, CPU_CR0, cr0);
    cpu_set_reg(f.c, CPU_CR4, 0); /* MMX, its SSE extensions included, does not need OSFXSR */
    RUN_FLAT(&f, 0x0f, 0x70, 0xc1, 0x1b /* pshufw mm0, mm1, 1bh */);
    ck_assert_int_eq(trapped(&f), -1);
    fix_free(&f);
}
END_TEST

START_TEST(mmx_reports_pending_x87_exception)
{
    struct fixture f = fix_simd();

    put16(f.ram + DATA, 0x37b); /* division by zero unmasked */
    RUN_FLAT(&f, 0xdb, 0xe3, 0xd9, 0x2d, AT(0x00, 0x50), /* fninit; fldcw */
             0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9,         /* fld1; fldz; fdivp */
             0x0f, 0xef, 0xc0 /* pxor mm0, mm0 */);
    ck_assert_int_eq(trapped(&f), EXC_MF);
    ck_assert_uint_eq(get32(f.ram + FIX_STACK - 12), FIX_CODE + 14);
    ck_assert_uint_eq(f.c->fpu.top, 6);
    /* so do SSE instructions with an MM operand, but none without */
    f.c->xmm[0] = f.c->xmm[1] = ONES_F32;
    RUN_FLAT(&f, ADDPS_01, 0x0f, 0x2d, 0xc0 /* cvtps2pi mm0, xmm0 */);
    ck_assert_int_eq(trapped(&f), EXC_MF);
    ck_xmm(&f, 0, 0x4000000040000000u, 0x4000000040000000u);
    RUN_FLAT(&f, 0x0f, 0x2a, 0x05, AT(0x00, 0x50) /* cvtpi2ps xmm0, [5000] */);
    ck_assert_int_eq(trapped(&f), -1);
    RUN_FLAT(&f, 0x0f, 0x2a, 0xc1 /* cvtpi2ps xmm0, mm1 */);
    ck_assert_int_eq(trapped(&f), EXC_MF);
    fix_free(&f);
}
END_TEST

START_TEST(sse_gating)
{
    struct fixture f = fix_simd();
    uint64_t cr0 = cpu_get_reg(f.c, CPU_CR0);

    cpu_set_reg(f.c, CPU_CR4, 0);
    RUN_FLAT(&f, ADDPS_01);
    ck_assert_int_eq(trapped(&f), EXC_UD);
    RUN_FLAT(&f, 0x0f, 0xc3, 0x05, AT(0x00, 0x50) /* movnti [5000], eax */);
    ck_assert_int_eq(trapped(&f), -1);
    cpu_set_reg(f.c, CPU_CR4, CR4_OSFXSR);
    cpu_set_reg(f.c, CPU_CR0, cr0 | CR0_TS);
    RUN_FLAT(&f, ADDPS_01);
    ck_assert_int_eq(trapped(&f), EXC_NM);
    RUN_FLAT(&f, LDMXCSR_5000);
    ck_assert_int_eq(trapped(&f), EXC_NM);
    cpu_set_reg(f.c, CPU_CR0, cr0 | CR0_TS | CR0_EM);
    RUN_FLAT(&f, ADDPS_01);
    ck_assert_int_eq(trapped(&f), EXC_UD);
    fix_free(&f);
}
END_TEST

START_TEST(models_without_it)
{
    struct fixture f = fix_model("pentium2");
    RUN_FLAT(&f, 0x0f, 0xfc, 0xc1);
    ck_assert_int_eq(trapped(&f), -1);
    RUN_FLAT(&f, 0x0f, 0x70, 0xc1, 0x1b);
    ck_assert_int_eq(trapped(&f), EXC_UD);
    RUN_FLAT(&f, ADDPS_01);
    ck_assert_int_eq(trapped(&f), EXC_UD);
    fix_free(&f);

    f = fix_model("pentium3");
    RUN_FLAT(&f, ADDPS_01);
    ck_assert_int_eq(trapped(&f), -1);
    RUN_FLAT(&f, 0x66, 0x0f, 0x58, 0xc1 /* addpd xmm0, xmm1 */);
    ck_assert_int_eq(trapped(&f), EXC_UD);
    fix_free(&f);
}
END_TEST

/* --- MMX state -------------------------------------------------------------------------------- */

START_TEST(mmx_aliases_x87)
{
    struct fixture f = fix_simd();

    put64(f.ram + DATA, 0x0123456789abcdefu);
    RUN_FLAT(&f, 0xdb, 0xe3, 0xd9, 0xe8, MOVQ_MM1_5000); /* fninit; fld1 */
    ck_assert_uint_eq(f.c->fpu.top, 0);
    ck_assert_uint_eq(f.c->fpu.empty, 0);
    ck_assert_uint_eq(f.c->fpu.st[1].sexp, 0xffff);
    ck_assert_uint_eq(f.c->fpu.st[1].sig, 0x0123456789abcdefu);
    ck_assert_uint_eq(f.c->fpu.st[7].sexp, 0x3fff); /* the 1.0 */
    RUN_FLAT(&f, 0x0f, 0x77);
    ck_assert_uint_eq(f.c->fpu.empty, 0xff);
    /* a store changes the tags, too */
    RUN_FLAT(&f, 0x0f, 0x7f, 0x0d, AT(0x08, 0x50));
    ck_assert_uint_eq(f.c->fpu.empty, 0);
    ck_assert_uint_eq(get64(f.ram + DATA + 8), 0x0123456789abcdefu);
    fix_free(&f);
}
END_TEST

/* FS ends 16 bytes behind DATA. */
static void limit_fs(struct fixture *f)
{
    f->c->seg[SEG_FS] = (struct segment){.base = DATA, .limit = 15, .attr = 0x4093, .sel = 0x18};
    seg_update(f->c, SEG_FS);
}

/* Runs one instruction with that FS. */
#define RUN_FS(f, ...)                                                                         \
    do {                                                                                       \
        static const uint8_t code_[] = {0x64, __VA_ARGS__, 0xf4};                              \
        fix_flat(f, FIX_CODE, code_, sizeof code_);                                            \
        limit_fs(f);                                                                           \
        fix_run(f, 10);                                                                        \
    } while (0)

START_TEST(faults_leave_state_alone)
{
    struct fixture f = fix_simd();

    RUN_FLAT(&f, 0xdb, 0xe3, 0xd9, 0xe8); /* fninit; fld1 */
    RUN_FS(&f, 0x0f, 0x6f, 0x0d, AT(0x09, 0x00)); /* movq mm1, fs:[9] */
    ck_assert_int_eq(trapped(&f), EXC_GP);
    RUN_FS(&f, 0x0f, 0x7f, 0x0d, AT(0x09, 0x00)); /* movq fs:[9], mm1 */
    ck_assert_int_eq(trapped(&f), EXC_GP);
    ck_assert_uint_eq(f.c->fpu.top, 7);
    ck_assert_uint_eq(f.c->fpu.empty, 0x7f);
    RUN_FS(&f, 0x0f, 0x10, 0x05, AT(0x01, 0x00)); /* movups xmm0, fs:[1] */
    ck_assert_int_eq(trapped(&f), EXC_GP);
    RUN_FS(&f, 0x0f, 0x10, 0x05, AT(0x00, 0x00));
    ck_assert_int_eq(trapped(&f), -1);
    fix_free(&f);
}
END_TEST

START_TEST(masked_store)
{
    struct fixture f = fix_simd();

    memset(f.ram + DATA, 0xee, 32);
    f.c->xmm[0] = (struct xmm){{0x0706050403020100u, 0x0f0e0d0c0b0a0908u}};
    f.c->xmm[1] = (struct xmm){{0x80000000000000ffu, 0x7f7f7f7f7f7f7f80u}};
    cpu_set_reg(f.c, CPU_EDI, 7);
    RUN_FS(&f, 0x66, 0x0f, 0xf7, 0xc1); /* maskmovdqu: bytes 0, 7, 8 at fs:[7] fit exactly */
    ck_assert_int_eq(trapped(&f), -1);
    ck_assert_uint_eq(get64(f.ram + DATA + 7), 0x07eeeeeeeeeeee00u);
    ck_assert_uint_eq(get64(f.ram + DATA + 15), 0xeeeeeeeeeeeeee08u);

    memset(f.ram + DATA, 0xee, 32);
    cpu_set_reg(f.c, CPU_EDI, 8); /* byte 8 does not fit */
    RUN_FS(&f, 0x66, 0x0f, 0xf7, 0xc1);
    ck_assert_int_eq(trapped(&f), EXC_GP);
    ck_assert_uint_eq(get64(f.ram + DATA + 8), 0xeeeeeeeeeeeeeeeeu);
    fix_free(&f);
}
END_TEST

/* --- alignment -------------------------------------------------------------------------------- */

START_TEST(alignment)
{
    struct fixture f = fix_simd();

    put64(f.ram + 0x4ff8, 0x1111111122222222u);
    put64(f.ram + 0x5000, 0x3333333344444444u);
    RUN_FLAT(&f, 0x0f, 0x28, 0x05, AT(0xf8, 0x4f) /* movaps xmm0, [4ff8] */);
    ck_assert_int_eq(trapped(&f), EXC_GP);
    ck_assert_uint_eq(get32(f.ram + FIX_STACK - 16), 0); /* error code */
    RUN_FLAT(&f, 0x0f, 0x29, 0x05, AT(0x08, 0x50) /* movaps [5008], xmm0 */);
    ck_assert_int_eq(trapped(&f), EXC_GP);
    RUN_FLAT(&f, 0x66, 0x0f, 0xef, 0x05, AT(0x04, 0x50) /* pxor xmm0, [5004] */);
    ck_assert_int_eq(trapped(&f), EXC_GP);
    RUN_FLAT(&f, 0x0f, 0x10, 0x05, AT(0xf8, 0x4f) /* movups xmm0, [4ff8], over a page end */);
    ck_assert_int_eq(trapped(&f), -1);
    ck_xmm(&f, 0, 0x3333333344444444u, 0x1111111122222222u);
    RUN_FLAT(&f, 0x0f, 0x11, 0x05, AT(0xf9, 0x5f) /* movups [5ff9], xmm0 */);
    ck_assert_int_eq(trapped(&f), -1);
    ck_assert_uint_eq(get64(f.ram + 0x5ff9), 0x1111111122222222u);
    ck_assert_uint_eq(get64(f.ram + 0x6001), 0x3333333344444444u);
    RUN_FLAT(&f, 0xf3, 0x0f, 0x58, 0x05, AT(0x01, 0x50) /* addss xmm0, [5001] */);
    ck_assert_int_eq(trapped(&f), -1);
    fix_free(&f);
}
END_TEST

/* --- MXCSR ------------------------------------------------------------------------------------ */

START_TEST(mxcsr_reserved_bits)
{
    struct fixture f = fix_simd();

    put32(f.ram + DATA, 0xffff);
    RUN_FLAT(&f, LDMXCSR_5000, 0x0f, 0xae, 0x1d, AT(0x04, 0x50) /* stmxcsr [5004] */);
    ck_assert_int_eq(trapped(&f), -1);
    ck_assert_uint_eq(get32(f.ram + DATA + 4), 0xffff);
    put32(f.ram + DATA, 0x10000 | MXCSR_INIT);
    RUN_FLAT(&f, LDMXCSR_5000);
    ck_assert_int_eq(trapped(&f), EXC_GP);
    ck_assert_uint_eq(f.c->fpu.mxcsr, 0xffff);
    fix_free(&f);

    f = fix_model("pentium3");
    put32(f.ram + DATA, MXCSR_INIT | 0x40);
    RUN_FLAT(&f, LDMXCSR_5000);
    ck_assert_int_eq(trapped(&f), EXC_GP);
    fix_free(&f);
}
END_TEST

START_TEST(rounding)
{
    static const uint32_t integers[4] = {2, 2, 3, 2};           /* of 2.5 */
    static const uint32_t thirds[4] = {0xbeaaaaab, 0xbeaaaaab, 0xbeaaaaaa, 0xbeaaaaaa};
    struct fixture f = fix_simd();

    for (unsigned rc = 0; rc < 4; rc++) {
        f.c->fpu.mxcsr = MXCSR_INIT | rc << MXCSR_RC_SHIFT;
        f.c->xmm[0] = (struct xmm){{0xbf800000u, 0}};
        f.c->xmm[1] = (struct xmm){{0x40400000u, 0}};
        f.c->xmm[2] = (struct xmm){{0x4004000000000000u, 0}};
        RUN_FLAT(&f, DIVSS_01, 0xf2, 0x0f, 0x2d, 0xc2, /* cvtsd2si eax, xmm2 */
                 0xf2, 0x0f, 0x2c, 0xca /* cvttsd2si ecx, xmm2 */);
        ck_assert_uint_eq(f.c->xmm[0].q[0], thirds[rc]);
        ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EAX), integers[rc]);
        ck_assert_uint_eq(cpu_get_reg(f.c, CPU_ECX), 2);
        ck_assert_uint_eq(f.c->fpu.mxcsr & SF_ALL, SF_INEXACT);
    }
    fix_free(&f);
}
END_TEST

START_TEST(denormals)
{
    struct fixture f = fix_simd();

    f.c->fpu.mxcsr = MXCSR_INIT | 1u << MXCSR_DAZ_SHIFT;
    f.c->xmm[0] = (struct xmm){{ONE_F32, 0}};
    f.c->xmm[1] = (struct xmm){{1, 0}};
    RUN_FLAT(&f, 0xf3, 0x0f, 0x59, 0xc1 /* mulss xmm0, xmm1 */);
    ck_xmm(&f, 0, 0, 0);
    ck_assert_uint_eq(f.c->fpu.mxcsr & SF_ALL, 0);

    f.c->fpu.mxcsr = MXCSR_INIT | 1u << MXCSR_FTZ_SHIFT;
    f.c->xmm[0] = (struct xmm){{0x80800000u, 0}}; /* the smallest normal number, negative */
    f.c->xmm[1] = (struct xmm){{0x3f000000u, 0}};
    RUN_FLAT(&f, 0xf3, 0x0f, 0x59, 0xc1);
    ck_xmm(&f, 0, 0, 0x80000000u);
    ck_assert_uint_eq(f.c->fpu.mxcsr & SF_ALL, SF_UNDERFLOW | SF_INEXACT);
    fix_free(&f);
}
END_TEST

/* --- unmasked exceptions ---------------------------------------------------------------------- */

START_TEST(unmasked_scalar)
{
    struct fixture f = fix_simd();
    const uint32_t mxcsr = MXCSR_INIT & ~(unsigned)(SF_DIVZERO << MXCSR_MASKS_SHIFT);

    f.c->fpu.mxcsr = mxcsr;
    f.c->xmm[0] = ONES_F32;
    f.c->xmm[1] = (struct xmm){{0, 0}};
    RUN_FLAT(&f, DIVSS_01);
    ck_assert_int_eq(trapped(&f), EXC_XM);
    ck_assert_uint_eq(get32(f.ram + FIX_STACK - 12), FIX_CODE);
    ck_assert_uint_eq(f.c->fpu.mxcsr, mxcsr | SF_DIVZERO);
    ck_xmm(&f, 0, ONES_F32.q[1], ONES_F32.q[0]);
    /* a flag that is set already does not trap again */
    RUN_FLAT(&f, ADDPS_01);
    ck_assert_int_eq(trapped(&f), -1);
    cpu_set_reg(f.c, CPU_CR4, CR4_OSFXSR);
    RUN_FLAT(&f, DIVSS_01);
    ck_assert_int_eq(trapped(&f), EXC_UD);
    fix_free(&f);
}
END_TEST

START_TEST(unmasked_packed)
{
    struct fixture f = fix_simd();

    /* 1/3 is inexact, 1/0 comes first: only the latter is reported */
    f.c->fpu.mxcsr = 0;
    f.c->xmm[0] = ONES_F32;
    f.c->xmm[1] = (struct xmm){{0x4040000040400000u, 0x3f80000000000000u}};
    RUN_FLAT(&f, DIVPS_01);
    ck_assert_int_eq(trapped(&f), EXC_XM);
    ck_assert_uint_eq(f.c->fpu.mxcsr, SF_DIVZERO);
    ck_xmm(&f, 0, ONES_F32.q[1], ONES_F32.q[0]);
    /* masked, it goes together with the inexact results of the others */
    f.c->fpu.mxcsr = SF_DIVZERO << MXCSR_MASKS_SHIFT;
    RUN_FLAT(&f, DIVPS_01);
    ck_assert_int_eq(trapped(&f), EXC_XM);
    ck_assert_uint_eq(f.c->fpu.mxcsr & SF_ALL, SF_DIVZERO | SF_INEXACT);
    f.c->fpu.mxcsr = MXCSR_INIT;
    RUN_FLAT(&f, DIVPS_01);
    ck_assert_int_eq(trapped(&f), -1);
    ck_xmm(&f, 0, 0x3f8000007f800000u, 0x3eaaaaab3eaaaaabu);
    fix_free(&f);
}
END_TEST

START_TEST(unmasked_compare_keeps_flags)
{
    struct fixture f = fix_simd();

    f.c->fpu.mxcsr = 0;
    f.c->xmm[0] = (struct xmm){{0x7fc00000u, 0}}; /* quiet NaN */
    f.c->xmm[1] = ONES_F32;
    RUN_FLAT(&f, 0x31, 0xc0, 0x0f, 0x2f, 0xc1 /* xor eax, eax; comiss xmm0, xmm1 */);
    ck_assert_int_eq(trapped(&f), EXC_XM);
    ck_assert_uint_eq(get32(f.ram + FIX_STACK - 4) & FLAGS_OSZAPC, FLAG_ZF | FLAG_PF);
    f.c->fpu.mxcsr = 0;
    RUN_FLAT(&f, 0x31, 0xc0, 0xf9, 0x0f, 0x2e, 0xc1 /* stc; ucomiss */);
    ck_assert_int_eq(trapped(&f), -1);
    ck_assert_uint_eq(flags_oszapc(f.c), FLAG_ZF | FLAG_PF | FLAG_CF);
    fix_free(&f);
}
END_TEST

/* --- lanes ------------------------------------------------------------------------------------ */

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

enum lane_op {
    L_ADD, L_SUB, L_EQ, L_GT, L_ADDS, L_SUBS, L_ADDUS, L_SUBUS, L_AVG,
    L_MINU, L_MAXU, L_MINS, L_MAXS,
    L_SHL, L_SHR, L_SAR,
};

/* op xmm0, xmm1 for lanes of `bits` bits; shifts take their count from xmm1. */
static const struct lane_case {
    uint8_t opcode;
    enum lane_op op;
    unsigned bits;
} lane_cases[] = {
    {0xfc, L_ADD, 8},  {0xfd, L_ADD, 16}, {0xfe, L_ADD, 32}, {0xd4, L_ADD, 64},
    {0xf8, L_SUB, 8},  {0xf9, L_SUB, 16}, {0xfa, L_SUB, 32}, {0xfb, L_SUB, 64},
    {0x74, L_EQ, 8},   {0x75, L_EQ, 16},  {0x76, L_EQ, 32},
    {0x64, L_GT, 8},   {0x65, L_GT, 16},  {0x66, L_GT, 32},
    {0xec, L_ADDS, 8}, {0xed, L_ADDS, 16}, {0xe8, L_SUBS, 8}, {0xe9, L_SUBS, 16},
    {0xdc, L_ADDUS, 8}, {0xdd, L_ADDUS, 16}, {0xd8, L_SUBUS, 8}, {0xd9, L_SUBUS, 16},
    {0xe0, L_AVG, 8},  {0xe3, L_AVG, 16}, {0xda, L_MINU, 8}, {0xde, L_MAXU, 8},
    {0xea, L_MINS, 16}, {0xee, L_MAXS, 16},
    {0xf1, L_SHL, 16}, {0xf2, L_SHL, 32}, {0xf3, L_SHL, 64},
    {0xd1, L_SHR, 16}, {0xd2, L_SHR, 32}, {0xd3, L_SHR, 64},
    {0xe1, L_SAR, 16}, {0xe2, L_SAR, 32},
};

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* One lane: x and y unsigned, sx and sy the same with sign. */
static uint64_t lane_result(const struct lane_case *k, uint64_t x, uint64_t y, uint64_t count)
{
    int64_t sx = (int64_t)(x << (64 - k->bits)) >> (64 - k->bits);
    int64_t sy = (int64_t)(y << (64 - k->bits)) >> (64 - k->bits);
    int64_t ones = k->bits < 64 ? ((int64_t)1 << k->bits) - 1 : -1, top = ones >> 1;

    switch (k->op) {
    case L_ADD: return x + y;
    case L_SUB: return x - y;
    case L_EQ: return x == y ? ~(uint64_t)0 : 0;
    case L_GT: return sx > sy ? ~(uint64_t)0 : 0;
    case L_ADDS: return (uint64_t)clamp(sx + sy, -top - 1, top);
    case L_SUBS: return (uint64_t)clamp(sx - sy, -top - 1, top);
    case L_ADDUS: return (uint64_t)clamp((int64_t)(x + y), 0, ones);
    case L_SUBUS: return (uint64_t)clamp((int64_t)(x - y), 0, ones);
    case L_AVG: return (x + y + 1) / 2;
    case L_MINU: return MIN(x, y);
    case L_MAXU: return MAX(x, y);
    case L_MINS: return (uint64_t)MIN(sx, sy);
    case L_MAXS: return (uint64_t)MAX(sx, sy);
    case L_SHL: return count < k->bits ? x << count : 0;
    case L_SHR: return count < k->bits ? x >> count : 0;
    default: return (uint64_t)(sx >> MIN(count, 63));
    }
}

static uint64_t lane_reference(const struct lane_case *k, uint64_t a, uint64_t b, uint64_t count)
{
    uint64_t r = 0, ones = ~(uint64_t)0 >> (64 - k->bits);

    for (unsigned n = 0; n < 64; n += k->bits) {
        r |= (lane_result(k, a >> n & ones, b >> n & ones, count) & ones) << n;
    }
    return r;
}

START_TEST(lanes)
{
    struct fixture f = fix_simd();
    uint64_t seed = 0x9e3779b97f4a7c15u;

    for (unsigned n = 0; n < ARRAY_LEN(lane_cases) * 200; n++) {
        const struct lane_case *k = &lane_cases[n % ARRAY_LEN(lane_cases)];
        uint8_t code[] = {0x66, 0x0f, k->opcode, 0xc1, 0x0f, k->opcode, 0xc1, 0xf4};
        struct xmm a = {{next_random(&seed), next_random(&seed)}}, b = a;
        b.q[0] ^= next_random(&seed) & next_random(&seed) & next_random(&seed);
        b.q[1] = next_random(&seed);
        if (k->op >= L_SHL) {
            b.q[0] = n % 7 ? next_random(&seed) % (k->bits + 2) : b.q[0];
        }
        f.c->xmm[0] = a;
        f.c->xmm[1] = b;
        f.c->fpu.st[0].sig = a.q[0];
        f.c->fpu.st[1].sig = b.q[0];
        fix_flat(&f, FIX_CODE, code, sizeof code);
        fix_run(&f, 10);
        for (unsigned half = 0; half < 2; half++) {
            uint64_t want = lane_reference(k, a.q[half], b.q[half], b.q[0]);
            ck_assert_msg(f.c->xmm[0].q[half] == want && (half || mm(f.c, 0) == want),
                          "66 0F %02X: half %u wrong", k->opcode, half);
        }
    }
    fix_free(&f);
}
END_TEST

START_TEST(byte_signs)
{
    struct fixture f = fix_simd();

    for (unsigned n = 0; n < 65536; n += 37) {
        for (unsigned k = 0; k < 2; k++) {
            f.c->xmm[1].q[k] = 0x7f017f007f7f0100u;
            for (unsigned b = 0; b < 8; b++) {
                f.c->xmm[1].q[k] |= (uint64_t)(n >> (k * 8 + b) & 1) << (b * 8 + 7);
            }
        }
        RUN_FLAT(&f, 0x66, 0x0f, 0xd7, 0xc1 /* pmovmskb eax, xmm1 */);
        ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EAX), n);
    }
    fix_free(&f);
}
END_TEST

START_TEST(horizontal)
{
    struct fixture f = fix_simd();

    f.c->xmm[0] = (struct xmm){{0x400000003f800000u, 0x4080000040400000u}}; /* 1 2 3 4 */
    f.c->xmm[1] = (struct xmm){{0x40c0000040a00000u, 0x4100000040e00000u}}; /* 5 6 7 8 */
    RUN_FLAT(&f, 0xf2, 0x0f, 0x7c, 0xc1 /* haddps xmm0, xmm1 */);
    ck_xmm(&f, 0, 0x4170000041300000u, 0x40e0000040400000u); /* 3 7 11 15 */
    RUN_FLAT(&f, 0xf2, 0x0f, 0xd0, 0xc1 /* addsubps xmm0, xmm1 */);
    ck_xmm(&f, 0, 0x41b8000040800000u, 0x41500000c0000000u); /* -2 13 4 23 */
    fix_free(&f);
}
END_TEST

FIX_SUITE("simd", mmx_gating, mmx_reports_pending_x87_exception, sse_gating, models_without_it,
          mmx_aliases_x87, faults_leave_state_alone, masked_store, alignment, mxcsr_reserved_bits,
          rounding, denormals, unmasked_scalar, unmasked_packed, unmasked_compare_keeps_flags,
          lanes, byte_signs, horizontal)
