/*
 * x87 behaviour that single-instruction vectors do not reach: reporting of exceptions by #MF and by
 * IRQ 13, pointers, environment images in all layouts, FXSAVE, #NM, and what a fault leaves alone.
 */
#include "tests/cpu_fixture.h"

#include "cpu/fpu.h"
#include "cpu/system.h"

#define RUN_FLAT(f, ...)                                                                       \
    do {                                                                                       \
        static const uint8_t code_[] = {__VA_ARGS__, 0xf4};                                    \
        fix_flat(f, FIX_CODE, code_, sizeof code_);                                            \
        fix_run(f, 1000);                                                                      \
    } while (0)

#define FNINIT 0xdb, 0xe3
#define FLD1 0xd9, 0xe8
#define FLDZ 0xd9, 0xee
#define FDIVP 0xde, 0xf9                                   /* st1 = st1 / st0, pop */
#define FNCLEX 0xdb, 0xe2
#define FWAIT 0x9b
#define AT(lo, hi) (lo), (hi), 0, 0                        /* disp32 of an address below 64 K */
#define FLDCW_5000 0xd9, 0x2d, AT(0x00, 0x50)

enum { DATA = 0x5000, HANDLERS = 0x6000, IDT = 0x7000, GDT = 0x7800 };

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

static struct fixture fix_fpu(void)
{
    struct fixture f = fix_new(false);
    fix_idt(&f);
    cpu_set_reg(f.c, CPU_CR0, cpu_get_reg(f.c, CPU_CR0) | CR0_NE);
    return f;
}

#define ck_st(f, n, se, s)                                                                     \
    do {                                                                                       \
        struct f80 v_ = fpu_st((f)->c, n);                                                     \
        ck_assert_uint_eq(v_.sexp, se);                                                        \
        ck_assert_uint_eq(v_.sig, s);                                                          \
    } while (0)

START_TEST(stack_overflow_masked)
{
    struct fixture f = fix_fpu();
    RUN_FLAT(&f, FNINIT, FLD1, FLD1, FLD1, FLD1, FLD1, FLD1, FLD1, FLD1, FLD1);
    ck_assert_uint_eq(f.c->fpu.sw, FSW_IE | FSW_SF | FSW_C1);
    ck_assert_uint_eq(f.c->fpu.top, 7);
    ck_st(&f, 0, 0xffff, 0xc000000000000000u);
    ck_st(&f, 1, 0x3fff, 0x8000000000000000u);
    fix_free(&f);
}
END_TEST

START_TEST(stack_underflow_unmasked)
{
    struct fixture f = fix_fpu();
    put16(f.ram + DATA, 0x37e);
    RUN_FLAT(&f, FNINIT, FLDCW_5000, 0xd8, 0xc1 /* fadd st0, st1 */);
    ck_assert_uint_eq(f.c->fpu.sw, FSW_IE | FSW_SF | FSW_ES | FSW_B);
    ck_assert_uint_eq(f.c->fpu.empty, 0xff);
    ck_assert_uint_eq(f.c->fpu.top, 0);
    fix_free(&f);
}
END_TEST

/* 1 / 0 unmasked: operands stay; the next waiting instruction traps, with the pointers of the
 * first. */
START_TEST(mf_is_reported_late)
{
    struct fixture f = fix_fpu();
    put16(f.ram + DATA, 0x37b);
    RUN_FLAT(&f, FNINIT, FLDCW_5000, FLD1, FLDZ, FDIVP, 0xdf, 0xe0 /* fnstsw ax */, FWAIT, 0x90);
    ck_assert_int_eq(trapped(&f), EXC_MF);
    ck_assert_uint_eq(get32(f.ram + FIX_STACK - 12), FIX_CODE + 16); /* of FWAIT */
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EAX) & 0xffff, 0x8084u | 6 << 11);
    ck_assert_uint_eq(f.c->fpu.fip, FIX_CODE + 12);
    ck_assert_uint_eq(f.c->fpu.fop, 0x6f9);
    ck_assert_uint_eq(f.c->fpu.fcs, 0x10);
    ck_st(&f, 0, 0, 0);
    ck_st(&f, 1, 0x3fff, 0x8000000000000000u);
    fix_free(&f);
}
END_TEST

/* Unmasking a pending exception raises it at the next instruction; FNCLEX takes it away. */
START_TEST(unmask_then_clear)
{
    struct fixture f = fix_fpu();
    put16(f.ram + DATA, 0x37b);
    RUN_FLAT(&f, FNINIT, FLD1, FLDZ, FDIVP, FLDCW_5000, 0x40 /* inc eax */, FNCLEX, FLD1);
    ck_assert_int_eq(trapped(&f), -1);
    ck_assert_uint_eq(f.c->fpu.sw, 0);
    ck_st(&f, 1, 0x7fff, 0x8000000000000000u);
    RUN_FLAT(&f, FNINIT, FLD1, FLDZ, FDIVP, FLDCW_5000, 0x40, FLD1);
    ck_assert_int_eq(trapped(&f), EXC_MF);
    ck_assert_uint_eq(f.c->fpu.top, 7);
    fix_free(&f);
}
END_TEST

/* An unmasked invalid FISTP stores nothing and does not pop; unmasked overflow of FST neither. */
START_TEST(no_store_when_unmasked)
{
    struct fixture f = fix_fpu();
    put16(f.ram + DATA, 0x37e);
    put32(f.ram + DATA + 4, 0x12345678);
    RUN_FLAT(&f, FNINIT, FLDCW_5000, FLD1, FLDZ, 0xd9, 0xf4, /* fxtract: st1 = -inf */
             0xdd, 0xd8,                                     /* fstp st0 */
             0xdb, 0x1d, AT(0x04, 0x50));                    /* fistp dword [5004] */
    ck_assert_uint_eq(get32(f.ram + DATA + 4), 0x12345678);
    ck_assert_uint_eq(f.c->fpu.top, 6);
    ck_assert_uint_eq(f.c->fpu.sw & (FSW_IE | FSW_ES), FSW_IE | FSW_ES);
    fix_free(&f);
}
END_TEST

/* A memory fault comes before every change of the unit. */
START_TEST(fault_changes_nothing)
{
    struct fixture f = fix_fpu();
    static const uint8_t code[] = {FNINIT, FLD1, 0xd9, 0x1d, AT(0x00, 0x50), 0xf4}; /* fstp */
    fix_flat(&f, FIX_CODE, code, sizeof code);
    f.c->seg[SEG_DS].limit = 0x4fff;
    seg_update(f.c, SEG_DS);
    fix_run(&f, 100);
    ck_assert_int_eq(trapped(&f), EXC_GP);
    ck_assert_uint_eq(f.c->fpu.top, 7);
    ck_assert_uint_eq(f.c->fpu.fip, FIX_CODE + 2);
    ck_assert_uint_eq(f.c->fpu.fop, 0x1e8);
    fix_free(&f);
}
END_TEST

/* TS traps x87, WAIT only together with MP; EM traps x87 but not WAIT. */
START_TEST(device_not_available)
{
    static const struct {
        uint32_t cr0;
        bool wait;
        int vector;
    } cases[] = {
        {CR0_TS, false, EXC_NM}, {CR0_TS, true, -1}, {CR0_TS | CR0_MP, true, EXC_NM},
        {CR0_EM, false, EXC_NM}, {CR0_EM | CR0_MP, true, -1}, {CR0_MP, false, -1},
    };
    static const uint8_t wait[] = {FWAIT, 0xf4}, other[] = {0xdf, 0xe0, 0xf4};

    for (unsigned n = 0; n < ARRAY_LEN(cases); n++) {
        struct fixture f = fix_fpu();
        fix_flat(&f, FIX_CODE, cases[n].wait ? wait : other, cases[n].wait ? 2 : 3);
        cpu_set_reg(f.c, CPU_CR0, cpu_get_reg(f.c, CPU_CR0) | cases[n].cr0);
        fix_run(&f, 100);
        ck_assert_msg(trapped(&f) == cases[n].vector, "case %u: vector %d", n, trapped(&f));
        fix_free(&f);
    }
}
END_TEST

/* --- images ---------------------------------------------------------------------------------- */

/* A state with something different in every field. */
static void set_env(struct fpu *p)
{
    p->cw = 0x27f;
    p->sw = 0x4500;
    p->top = 3;
    p->empty = 0x07;
    p->fip = 0x12345;
    p->fcs = 0x10;
    p->fdp = 0x6789a;
    p->fds = 0x18;
    p->fop = 0x5ab;
    for (unsigned n = 0; n < 8; n++) {
        p->st[n] = (struct f80){0x8000000000000000u + n, (uint16_t)(0x3fff + n)};
    }
    p->st[3] = (struct f80){0, 0};
    p->st[4] = (struct f80){0x8000000000000000u, 0x7fff};
    p->st[5] = (struct f80){1, 0};
}

#define ENV_TAGS 0x0a7fu /* R7 R6 valid, R5 R4 special, R3 zero, R2 to R0 empty */

static void check_env(const struct fpu *p)
{
    ck_assert_uint_eq(p->cw, 0x27f);
    ck_assert_uint_eq(p->sw, 0x4500);
    ck_assert_uint_eq(p->top, 3);
    ck_assert_uint_eq(p->empty, 0x07);
}

START_TEST(env_protected_32)
{
    struct fixture f = fix_fpu();
    set_env(&f.c->fpu);
    RUN_FLAT(&f, 0xd9, 0x35, AT(0x00, 0x50)); /* fnstenv [5000] */
    const uint8_t *b = f.ram + DATA;
    ck_assert_uint_eq(get32(b), 0xffff027fu);
    ck_assert_uint_eq(get32(b + 4), 0xffff5d00u);
    ck_assert_uint_eq(get32(b + 8), 0xffff0000u | ENV_TAGS);
    ck_assert_uint_eq(get32(b + 12), 0x12345);
    ck_assert_uint_eq(get32(b + 16), 0x05ab0010u);
    ck_assert_uint_eq(get32(b + 20), 0x6789a);
    ck_assert_uint_eq(get32(b + 24), 0xffff0018u);
    ck_assert_uint_eq(f.c->fpu.cw, 0x27f); /* all masked already */
    RUN_FLAT(&f, FNINIT, 0xd9, 0x25, AT(0x00, 0x50)); /* fldenv */
    check_env(&f.c->fpu);
    ck_assert_uint_eq(f.c->fpu.fip, 0x12345);
    ck_assert_uint_eq(f.c->fpu.fop, 0x5ab);
    ck_assert_uint_eq(f.c->fpu.fds, 0x18);
    fix_free(&f);
}
END_TEST

START_TEST(env_protected_16)
{
    struct fixture f = fix_fpu();
    set_env(&f.c->fpu);
    RUN_FLAT(&f, 0x66, 0xdd, 0x35, AT(0x00, 0x50)); /* fnsave [5000] */
    const uint8_t *b = f.ram + DATA;
    ck_assert_uint_eq(get16(b), 0x27f);
    ck_assert_uint_eq(get16(b + 2), 0x5d00);
    ck_assert_uint_eq(get16(b + 4), ENV_TAGS);
    ck_assert_uint_eq(get16(b + 6), 0x2345);
    ck_assert_uint_eq(get16(b + 8), 0x10);
    ck_assert_uint_eq(get16(b + 10), 0x789a);
    ck_assert_uint_eq(get16(b + 12), 0x18);
    ck_assert_uint_eq(get16(b + 14 + 8), 0);      /* st0 is R3 */
    ck_assert_uint_eq(get16(b + 24 + 8), 0x7fff); /* st1 is R4 */
    ck_assert_uint_eq(get64(b + 84), 0x8000000000000002u);
    ck_assert_uint_eq(f.c->fpu.cw, 0x37f);
    ck_assert_uint_eq(f.c->fpu.empty, 0xff);
    memset(f.c->fpu.st, 0, sizeof f.c->fpu.st);
    RUN_FLAT(&f, 0x66, 0xdd, 0x25, AT(0x00, 0x50)); /* frstor */
    check_env(&f.c->fpu);
    ck_st(&f, 1, 0x7fff, 0x8000000000000000u);
    ck_st(&f, 4, 0x4006, 0x8000000000000007u);
    fix_free(&f);
}
END_TEST

START_TEST(env_real)
{
    static const uint8_t save16[] = {0xd9, 0x36, 0x00, 0x50, 0xf4};
    static const uint8_t save32[] = {0x66, 0xd9, 0x36, 0x00, 0x50, 0xf4};
    static const uint8_t load32[] = {0x66, 0xd9, 0x26, 0x00, 0x50, 0xf4};
    struct fixture f = fix_fpu();
    const uint8_t *b = f.ram + DATA;

    fix_real(&f, save16, sizeof save16);
    set_env(&f.c->fpu);
    fix_run(&f, 10);
    ck_assert_uint_eq(get16(b + 4), ENV_TAGS);
    ck_assert_uint_eq(get16(b + 6), 0x2445);  /* 12345 + 100 */
    ck_assert_uint_eq(get16(b + 8), 0x15ab);
    ck_assert_uint_eq(get16(b + 10), 0x7a1a); /* 6789a + 180 */
    ck_assert_uint_eq(get16(b + 12), 0x6000);
    fix_real(&f, save32, sizeof save32);
    set_env(&f.c->fpu);
    fix_run(&f, 10);
    ck_assert_uint_eq(get32(b + 12), 0xffff2445u);
    ck_assert_uint_eq(get32(b + 16), 0x000015abu);
    ck_assert_uint_eq(get32(b + 20), 0xffff7a1au);
    ck_assert_uint_eq(get32(b + 24), 0x00006000u);
    fix_real(&f, load32, sizeof load32);
    fix_run(&f, 10);
    check_env(&f.c->fpu);
    ck_assert_uint_eq(f.c->fpu.fip, 0x12445);
    ck_assert_uint_eq(f.c->fpu.fdp, 0x67a1a);
    ck_assert_uint_eq(f.c->fpu.fop, 0x5ab);
    fix_free(&f);
}
END_TEST

/* FNSTENV masks everything, so a pending exception does not reach the handler's own code. */
START_TEST(fnstenv_masks)
{
    struct fixture f = fix_fpu();
    put16(f.ram + DATA, 0x37b);
    RUN_FLAT(&f, FNINIT, FLDCW_5000, FLD1, FLDZ, FDIVP, 0xd9, 0x35, AT(0x10, 0x50), FLD1);
    ck_assert_int_eq(trapped(&f), -1);
    ck_assert_uint_eq(get16(f.ram + DATA + 0x10), 0x37b);
    ck_assert_uint_eq(get16(f.ram + DATA + 0x14) & 0x80ff, 0x8084);
    ck_assert_uint_eq(f.c->fpu.cw, 0x37f);
    ck_assert_uint_eq(f.c->fpu.sw & 0x80ff, 0x0004);
    fix_free(&f);
}
END_TEST

#define FXSAVE_5000 0x0f, 0xae, 0x05, AT(0x00, 0x50)
#define FXRSTOR_5000 0x0f, 0xae, 0x0d, AT(0x00, 0x50)

START_TEST(fxsave)
{
    struct fixture f = fix_fpu();
    uint8_t *b = f.ram + DATA;

    memset(b, 0xaa, 512);
    set_env(&f.c->fpu);
    f.c->fpu.mxcsr = 0x1fa0;
    f.c->xmm[7].q[1] = 0x123456789abcdef0u;
    RUN_FLAT(&f, FXSAVE_5000); /* without CR4.OSFXSR */
    ck_assert_uint_eq(get16(b), 0x27f);
    ck_assert_uint_eq(get16(b + 2), 0x5d00);
    ck_assert_uint_eq(b[4], 0xf8);
    ck_assert_uint_eq(get16(b + 6), 0x5ab);
    ck_assert_uint_eq(get32(b + 8), 0x12345);
    ck_assert_uint_eq(get32(b + 16), 0x6789a);
    ck_assert_uint_eq(get16(b + 48 + 8), 0x7fff);
    ck_assert_uint_eq(get16(b + 48 + 10), 0);
    ck_assert_uint_eq(b[280], 0xaa);
    cpu_set_reg(f.c, CPU_CR4, CR4_OSFXSR);
    RUN_FLAT(&f, FXSAVE_5000, FNINIT);
    ck_assert_uint_eq(get32(b + 24), 0x1fa0);
    ck_assert_uint_eq(get64(b + 160 + 7 * 16 + 8), 0x123456789abcdef0u);
    ck_assert_uint_eq(b[464], 0xaa);
    memset(f.c->fpu.st, 0, sizeof f.c->fpu.st);
    memset(f.c->xmm, 0, sizeof f.c->xmm);
    f.c->fpu.mxcsr = 0x1f80;
    RUN_FLAT(&f, FXRSTOR_5000);
    check_env(&f.c->fpu);
    ck_assert_uint_eq(f.c->fpu.mxcsr, 0x1fa0);
    ck_assert_uint_eq(f.c->xmm[7].q[1], 0x123456789abcdef0u);
    ck_st(&f, 1, 0x7fff, 0x8000000000000000u);
    put32(b + 24, 0x10000); /* reserved bit of MXCSR */
    RUN_FLAT(&f, FXRSTOR_5000);
    ck_assert_int_eq(trapped(&f), EXC_GP);
    RUN_FLAT(&f, 0x0f, 0xae, 0x05, AT(0x08, 0x50)); /* misaligned */
    ck_assert_int_eq(trapped(&f), EXC_GP);
    fix_free(&f);
}
END_TEST

/* --- IRQ 13 ---------------------------------------------------------------------------------- */

/* A board that turns FERR# into an interrupt with vector 75. */
struct board {
    struct cpu *c;
    unsigned raised, lowered;
};

static void board_ferr(void *ctx, bool level)
{
    struct board *b = ctx;
    b->raised += level;
    b->lowered += !level;
    cpu_set_intr(b->c, level);
}

static uint8_t board_inta(void *ctx)
{
    struct board *b = ctx;
    cpu_set_intr(b->c, false);
    return 0x75;
}

static void run_irq13(bool interrupts, struct board *b, uint16_t *count, uint16_t *return_ip)
{
    static const uint8_t code[] = {
        0xfa,                   /* cli (or sti) */
        FNINIT, 0xd9, 0x2e, 0x00, 0x50, /* fldcw [5000] */
        FLD1, FLDZ, FDIVP,
        FLD1,                   /* 100e: waits */
        0xfa, 0xf4,
    };
    static const uint8_t handler[] = {
        0xff, 0x06, 0x02, 0x50, /* inc word [5002] */
        0x5b, 0x53,             /* pop bx; push bx: return address */
        FNCLEX, 0xcf,           /* iret */
    };
    struct fixture f = fix_new(false);
    fix_real(&f, code, sizeof code);
    f.ram[FIX_CODE] = interrupts ? 0xfb : 0xfa;
    bus_write_block(f.mem, HANDLERS, handler, sizeof handler);
    put32(f.ram + 0x75 * 4, HANDLERS);
    put16(f.ram + DATA, 0x37b);
    *b = (struct board){f.c, 0, 0};
    f.c->cfg.wiring = (struct cpu_wiring){.ctx = b, .inta = board_inta, .ferr = board_ferr};
    fix_run(&f, 100);
    *count = get16(f.ram + DATA + 2);
    *return_ip = (uint16_t)cpu_get_reg(f.c, CPU_EBX);
    ck_st(&f, 0, 0x3fff, 0x8000000000000000u);
    ck_assert_uint_eq(f.c->fpu.top, 5);
    fix_free(&f);
}

START_TEST(irq13)
{
    struct board b;
    uint16_t count, ip;

    run_irq13(true, &b, &count, &ip);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(ip, FIX_CODE + 13); /* before the instruction that waited */
    ck_assert_uint_eq(b.raised, 1);
    ck_assert_uint_eq(b.lowered, 1);
    run_irq13(false, &b, &count, &ip); /* interrupts off: raised, and the guest goes on */
    ck_assert_uint_eq(count, 0);
    ck_assert_uint_eq(b.raised, 1);
}
END_TEST

FIX_SUITE("fpu", stack_overflow_masked, stack_underflow_unmasked, mf_is_reported_late,
          unmask_then_clear, no_store_when_unmasked, fault_changes_nothing, device_not_available,
          env_protected_32, env_protected_16, env_real, fnstenv_masks, fxsave, irq13)
