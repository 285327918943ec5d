/*
 * Images of the x87 unit in memory: FLDENV, FNSTENV, FRSTOR, FNSAVE in their four layouts, and
 * FXSAVE, FXRSTOR.
 *
 * Source: Intel SDM vol. 1 section 8.1.10 (figures 8-9 to 8-12) and 10.5.
 * In real and V86 mode the pointers are linear addresses; loading such an image leaves the
 * selectors 0, so that storing it again gives the same addresses.
 */
#include "cpu/fpu.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/ops_fpu.def"
#undef SLOWOP

enum {
    ENV16 = 14, ENV32 = 28, REG_BYTES = 10, ENV_MAX = ENV32 + 8 * REG_BYTES,
    FX_BYTES = 512, FX_ST = 32, FX_XMM = 160, FX_XMM_COUNT = 8, FX_SLOT = 16,
    FOP_MASK = 0x7ff,
};

static unsigned env_bytes(const struct insn *i)
{
    return i->osize == 2 ? ENV16 : ENV32;
}

/* Two bits per physical register: 0 valid, 1 zero, 2 special, 3 empty. */
static unsigned tag_of(struct f80 a)
{
    unsigned exp = a.sexp & 0x7fff;

    if (exp == 0) {
        return a.sig == 0 ? 1 : 2;
    }
    return exp == 0x7fff || a.sig >> 63 == 0 ? 2 : 0;
}

static uint16_t tag_word(const struct cpu *c)
{
    unsigned w = 0;

    for (unsigned n = 0; n < 8; n++) {
        w |= (c->fpu.empty >> n & 1 ? 3 : tag_of(c->fpu.st[n])) << n * 2;
    }
    return (uint16_t)w;
}

static void set_tag_word(struct cpu *c, unsigned w)
{
    unsigned empty = 0;

    for (unsigned n = 0; n < 8; n++) {
        empty |= (unsigned)((w >> n * 2 & 3) == 3) << n;
    }
    c->fpu.empty = (uint8_t)empty;
}

/* The words of an image; in 32-bit layouts those of 16 bits are followed by ones. */
static void put_env(const struct cpu *c, bool wide, uint8_t *b)
{
    const struct fpu *f = &c->fpu;
    bool real = !descriptor_mode(c);
    uint32_t ip = (uint32_t)f->fip + (real ? (uint32_t)f->fcs << 4 : 0);
    uint32_t dp = (uint32_t)f->fdp + (real ? (uint32_t)f->fds << 4 : 0);
    unsigned step = wide ? 4 : 2;

    memset(b, 0xff, wide ? ENV32 : ENV16);
    put16(b, f->cw);
    put16(b + step, fpu_status_word(c));
    put16(b + 2 * step, tag_word(c));
    put16(b + 3 * step, (uint16_t)ip);
    put16(b + 5 * step, (uint16_t)dp);
    if (real && wide) {
        put32(b + 16, (ip >> 16) << 12 | f->fop);
        put32(b + 24, (dp >> 16) << 12);
    } else if (real) {
        put16(b + 8, (uint16_t)((ip >> 16) << 12 | f->fop));
        put16(b + 12, (uint16_t)((dp >> 16) << 12));
    } else if (wide) {
        put32(b + 12, ip);
        put32(b + 16, f->fcs | (uint32_t)f->fop << 16);
        put32(b + 20, dp);
        put16(b + 24, f->fds);
    } else {
        put16(b + 8, f->fcs);
        put16(b + 12, f->fds);
    }
}

static void get_env(struct cpu *c, bool wide, const uint8_t *b)
{
    struct fpu *f = &c->fpu;
    unsigned step = wide ? 4 : 2;
    unsigned pending = f->sw & FSW_ES;

    fpu_set_control_word(c, get16(b));
    fpu_set_status_word(c, get16(b + step));
    f->sw = (uint16_t)((f->sw & ~(FSW_ES | FSW_B)) | pending); /* FERR# may have to go */
    fpu_update_summary(c);
    set_tag_word(c, get16(b + 2 * step));
    if (!descriptor_mode(c)) {
        uint32_t hi = wide ? get32(b + 16) : get16(b + 8);
        uint32_t dhi = wide ? get32(b + 24) : get16(b + 12);
        f->fip = get16(b + 3 * step) | (hi >> 12 & 0xffff) << 16;
        f->fdp = get16(b + 5 * step) | (dhi >> 12 & 0xffff) << 16;
        f->fop = hi & FOP_MASK;
        f->fcs = f->fds = 0;
    } else if (wide) {
        f->fip = get32(b + 12);
        f->fcs = get16(b + 16);
        f->fop = get16(b + 18) & FOP_MASK;
        f->fdp = get32(b + 20);
        f->fds = get16(b + 24);
    } else {
        f->fip = get16(b + 6);
        f->fcs = get16(b + 8);
        f->fdp = get16(b + 10);
        f->fds = get16(b + 12);
        f->fop = 0;
    }
}

/* Registers in stack order, `step` bytes apart. */
static void put_stack(const struct cpu *c, uint8_t *b, unsigned step)
{
    for (unsigned n = 0; n < 8; n++) {
        struct f80 v = fpu_st(c, n);
        put64(b + n * step, v.sig);
        put16(b + n * step + 8, v.sexp);
    }
}

static void get_stack(struct cpu *c, const uint8_t *b, unsigned step)
{
    for (unsigned n = 0; n < 8; n++) {
        c->fpu.st[fpu_phys(c, n)] = (struct f80){get64(b + n * step), get16(b + n * step + 8)};
    }
}

/* As memory sees an image with so many registers. */
static struct mem_parts env_parts(const struct insn *i, uint8_t registers)
{
    return (struct mem_parts){7, i->osize == 2 ? 2 : 4, registers, REG_BYTES};
}

static struct insn *fldenv(struct cpu *c, struct insn *i)
{
    uint8_t b[ENV32];

    if (!mem_read_parts(c, i, b, env_parts(i, 0))) {
        return cpu_fault(c, i);
    }
    get_env(c, i->osize != 2, b);
    return insn_next(i);
}

FPU_WAITING(fldenv, fldenv(c, i))

/* All exceptions are masked afterwards. */
static struct insn *fnstenv(struct cpu *c, struct insn *i)
{
    uint8_t b[ENV32];

    put_env(c, i->osize != 2, b);
    if (!mem_write_parts(c, i, b, env_parts(i, 0))) {
        return cpu_fault(c, i);
    }
    c->fpu.cw |= SF_ALL;
    fpu_update_summary(c);
    return insn_next(i);
}

FPU_NOWAIT(fnstenv, fnstenv(c, i))

static struct insn *frstor(struct cpu *c, struct insn *i)
{
    uint8_t b[ENV_MAX];
    unsigned env = env_bytes(i);

    if (!mem_read_parts(c, i, b, env_parts(i, 8))) {
        return cpu_fault(c, i);
    }
    get_env(c, i->osize != 2, b);
    get_stack(c, b + env, REG_BYTES);
    return insn_next(i);
}

FPU_WAITING(frstor, frstor(c, i))

static struct insn *fnsave(struct cpu *c, struct insn *i)
{
    uint8_t b[ENV_MAX];
    unsigned env = env_bytes(i);

    put_env(c, i->osize != 2, b);
    put_stack(c, b + env, REG_BYTES);
    if (!mem_write_parts(c, i, b, env_parts(i, 8))) {
        return cpu_fault(c, i);
    }
    fpu_init(c);
    return insn_next(i);
}

FPU_NOWAIT(fnsave, fnsave(c, i))

/* --- FXSAVE, FXRSTOR ------------------------------------------------------------------------- */

/* MXCSR bits that may be set: denormals-are-zeros came with SSE2. */
static uint32_t mxcsr_mask(const struct cpu *c)
{
    return cpu_has(c, FT_SSE2) ? 0xffff : 0xffbf;
}

/* Checks segment, alignment and pages of the whole image. */
static bool fx_address(struct cpu *c, struct insn *i, bool write, uint64_t *la)
{
    if (!seg_linear(c, i->seg, insn_ea(c, i), FX_BYTES, write ? ACC_WRITE : ACC_READ, la)) {
        return false;
    }
    if (*la & 15) {
        return exc_set_err(c, EXC_GP, 0);
    }
    return lin_probe(c, *la, FX_BYTES, write);
}

static struct insn *fxsave(struct cpu *c, struct insn *i)
{
    const struct fpu *f = &c->fpu;
    uint8_t b[FX_BYTES] = {0};
    unsigned n = FX_XMM;
    uint64_t la;

    if (!fx_address(c, i, true, &la)) {
        return cpu_fault(c, i);
    }
    put16(b, f->cw);
    put16(b + 2, fpu_status_word(c));
    b[4] = (uint8_t)~f->empty;
    put16(b + 6, f->fop);
    put32(b + 8, (uint32_t)f->fip);
    put16(b + 12, f->fcs);
    put32(b + 16, (uint32_t)f->fdp);
    put16(b + 20, f->fds);
    if (cpu_has(c, FT_SSE)) {
        put32(b + 24, f->mxcsr);
        put32(b + 28, mxcsr_mask(c));
    }
    put_stack(c, b + FX_ST, FX_SLOT);
    if (c->cr4 & CR4_OSFXSR) {
        for (unsigned k = 0; k < FX_XMM_COUNT; k++, n += FX_SLOT) {
            put64(b + n, c->xmm[k].q[0]);
            put64(b + n + 8, c->xmm[k].q[1]);
        }
    }
    /* What lies behind the registers is reserved or the program's own and stays as it is. */
    return lin_write_bytes(c, la, b, n) ? insn_next(i) : cpu_fault(c, i);
}

FPU_NOWAIT(fxsave, fxsave(c, i))

static struct insn *fxrstor(struct cpu *c, struct insn *i)
{
    struct fpu *f = &c->fpu;
    bool sse = (c->cr4 & CR4_OSFXSR) != 0;
    uint8_t b[FX_BYTES];
    uint64_t la;

    if (!fx_address(c, i, false, &la) || !lin_read_bytes(c, la, b, FX_BYTES)) {
        return cpu_fault(c, i);
    }
    if (sse && (get32(b + 24) & ~mxcsr_mask(c))) {
        return cpu_raise_err(c, i, EXC_GP, 0);
    }
    unsigned pending = f->sw & FSW_ES;
    fpu_set_control_word(c, get16(b));
    fpu_set_status_word(c, get16(b + 2));
    f->sw = (uint16_t)((f->sw & ~(FSW_ES | FSW_B)) | pending);
    fpu_update_summary(c);
    f->empty = (uint8_t)~b[4];
    f->fop = get16(b + 6) & FOP_MASK;
    f->fip = get32(b + 8);
    f->fcs = get16(b + 12);
    f->fdp = get32(b + 16);
    f->fds = get16(b + 20);
    get_stack(c, b + FX_ST, FX_SLOT);
    if (sse) {
        f->mxcsr = get32(b + 24);
        for (unsigned k = 0, n = FX_XMM; k < FX_XMM_COUNT; k++, n += FX_SLOT) {
            c->xmm[k] = (struct xmm){{get64(b + n), get64(b + n + 8)}};
        }
    }
    return insn_next(i);
}

FPU_NOWAIT(fxrstor, fxrstor(c, i))
