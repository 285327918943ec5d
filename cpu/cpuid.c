/*
 * CPU models, CPUID and model-specific registers; see cpuid.h.
 *
 * Source: Intel SDM vol. 2 (CPUID, RDPMC), vol. 3 chapter 11 (MTRR, PAT), vol. 4; AP-485.
 * The local APIC is a chip of the board; here are its CPUID bit and the register that moves it.
 * Caches are not modelled: MTRRs and PAT hold what software wrote, with the checks of the hardware,
 * and memory is always coherent.  Machine check has no banks, since nothing here can fail that way.
 */
#include "cpu/cpuid.h"

#include <string.h>

#include "cpu/exec.h"
#include "cpu/system.h"

#define EDX_P5                                                                                 \
    (CPUID_FPU | CPUID_VME | CPUID_DE | CPUID_PSE | CPUID_TSC | CPUID_MSR | CPUID_MCE | CPUID_CX8 |\
     CPUID_APIC)
#define EDX_P6 (EDX_P5 | CPUID_PAE | CPUID_MTRR | CPUID_PGE | CPUID_MCA | CPUID_CMOV)
#define EDX_P2 (EDX_P6 | CPUID_SEP | CPUID_PAT | CPUID_PSE36 | CPUID_MMX | CPUID_FXSR)
#define EDX_P3 (EDX_P2 | CPUID_SSE)
#define EDX_P4 (EDX_P3 | CPUID_CLFSH | CPUID_SSE2 | CPUID_SS)

static const struct cpu_model models[] = {
    {.name = "386",
     .help = "386          Intel 80386DX with 80387",
     .signature = 0x308, .edx = CPUID_FPU},
    {.name = "486",
     .help = "486          Intel 486DX4",
     .signature = 0x480, .max_leaf = 1,
     .edx = CPUID_FPU | CPUID_VME},
    {.name = "pentium",
     .help = "pentium      Intel Pentium (P54C)",
     .signature = 0x52c, .max_leaf = 1,
     .edx = EDX_P5},
    {.name = "pentium-mmx",
     .help = "pentium-mmx  Intel Pentium MMX (P55C)",
     .signature = 0x543, .max_leaf = 1,
     .edx = EDX_P5 | CPUID_MMX},
    {.name = "pentium-pro",
     .help = "pentium-pro  Intel Pentium Pro",
     .signature = 0x619, .max_leaf = 2,
     .edx = EDX_P6,
     .caches = {0x03020101, 0, 0, 0x06040a42}},
    {.name = "pentium2",
     .help = "pentium2     Intel Pentium II",
     .signature = 0x652, .max_leaf = 2,
     .edx = EDX_P2, .caches = {0x03020101, 0, 0, 0x0c040843}},
    {.name = "pentium3",
     .help = "pentium3     Intel Pentium III, SSE",
     .signature = 0x683, .max_leaf = 2,
     .brand_id = 2, .edx = EDX_P3, .caches = {0x03020101, 0, 0, 0x0c040882}},
    {.name = "pentium4",
     .help = "pentium4     Intel Pentium 4 (SSE2) (default)",
     .signature = 0xf29, .max_leaf = 2,
     .brand_id = 9, .max_ext = 0x80000004, .edx = EDX_P4,
     .caches = {0x665b5001, 0, 0, 0x007b7040}, .brand = "Oxbow Pentium 4 class CPU"},
    {.name = "max",
     .help = "max          everything that is implemented (SSE3, NX)",
     .signature = 0xf34,
     .max_leaf = 2, .max_ext = 0x80000008, .edx = EDX_P4, .ecx = CPUID_ECX_SSE3,
     .ext_edx = CPUID_EXT_NX, .caches = {0x605b5001, 0, 0, 0x007c7040},
     .brand = "Oxbow virtual CPU"},
};
#define DEFAULT_MODEL "pentium4"

#define APIC_BASE_BSP 0x100u
#define APIC_BASE_ENABLE 0x800u
#define APIC_BASE_RESET (0xfee00000u | APIC_BASE_ENABLE | APIC_BASE_BSP)

/* Names for +feature and -feature; `word` tells which CPUID register. */
enum { WORD_EDX, WORD_ECX, WORD_EXT };
static const struct feature_name {
    const char *name;
    unsigned word;
    uint32_t bit;
} feature_names[] = {
    {"fpu", WORD_EDX, CPUID_FPU}, {"vme", WORD_EDX, CPUID_VME}, {"de", WORD_EDX, CPUID_DE},
    {"pse", WORD_EDX, CPUID_PSE}, {"tsc", WORD_EDX, CPUID_TSC}, {"msr", WORD_EDX, CPUID_MSR},
    {"pae", WORD_EDX, CPUID_PAE}, {"mce", WORD_EDX, CPUID_MCE}, {"cx8", WORD_EDX, CPUID_CX8},
    {"apic", WORD_EDX, CPUID_APIC},
    {"sep", WORD_EDX, CPUID_SEP}, {"mtrr", WORD_EDX, CPUID_MTRR}, {"pge", WORD_EDX, CPUID_PGE},
    {"mca", WORD_EDX, CPUID_MCA}, {"cmov", WORD_EDX, CPUID_CMOV}, {"pat", WORD_EDX, CPUID_PAT},
    {"pse36", WORD_EDX, CPUID_PSE36}, {"clflush", WORD_EDX, CPUID_CLFSH},
    {"mmx", WORD_EDX, CPUID_MMX}, {"fxsr", WORD_EDX, CPUID_FXSR}, {"sse", WORD_EDX, CPUID_SSE},
    {"sse2", WORD_EDX, CPUID_SSE2}, {"ss", WORD_EDX, CPUID_SS},
    {"sse3", WORD_ECX, CPUID_ECX_SSE3}, {"pni", WORD_ECX, CPUID_ECX_SSE3},
    {"nx", WORD_EXT, CPUID_EXT_NX},
};

/* --- models --------------------------------------------------------------------------------- */

const char *cpu_model_help(unsigned index)
{
    return index < ARRAY_LEN(models) ? models[index].help : NULL;
}

static uint32_t derive_features(const struct cpu *c)
{
    static const struct {
        uint32_t edx;
        uint8_t feature;
    } by_edx[] = {
        {CPUID_FPU, FT_FPU}, {CPUID_TSC, FT_TSC}, {CPUID_MSR, FT_MSR}, {CPUID_CX8, FT_CX8},
        {CPUID_CMOV, FT_CMOV}, {CPUID_SEP, FT_SEP}, {CPUID_FXSR, FT_FXSR}, {CPUID_MMX, FT_MMX},
        {CPUID_SSE, FT_SSE}, {CPUID_SSE2, FT_SSE2}, {CPUID_CLFSH, FT_CLFLUSH},
    };
    unsigned family = cpu_family(c->model), n;
    uint32_t f = 1u << FT_386;

    for (n = 0; n < ARRAY_LEN(by_edx); n++) {
        f |= (uint32_t)((c->cpuid_edx & by_edx[n].edx) != 0) << by_edx[n].feature;
    }
    f |= (uint32_t)(family >= 4) << FT_486;
    f |= (uint32_t)(family <= 4) << FT_TR;
    f |= (uint32_t)(c->model->max_leaf != 0) << FT_SMM; /* SL enhanced 486s have both */
    f |= (uint32_t)(family >= 6) << FT_NOPL;
    f |= (uint32_t)(family >= 6) << FT_PMC;
    f |= (uint32_t)(c->model->max_leaf != 0) << FT_CPUID;
    f |= (f >> FT_CMOV & f >> FT_FPU & 1) << FT_FCMOV;
    f |= (c->cpuid_ecx & CPUID_ECX_SSE3) << FT_SSE3;
    return f;
}

static const struct cpu_model *find_model(const char *name, size_t len)
{
    unsigned n;

    for (n = 0; n < ARRAY_LEN(models); n++) {
        if (strlen(models[n].name) == len && memcmp(models[n].name, name, len) == 0) {
            return &models[n];
        }
    }
    return NULL;
}

/* level=N, for systems that are confused by more leaves than they know, as Windows NT up to 4.0. */
static bool limit_leaves(struct cpu *c, const char *item, size_t len, struct err *e)
{
    unsigned level = len == 7 ? (unsigned)(item[6] - '0') : 0;

    if (level < 1 || level > 9) {
        return err_set(e, "cpu: \"%.*s\" is not understood, write level=1 up to level=9", (int)len,
                       item);
    }
    if (c->model->max_leaf == 0) {
        return err_set(e, "cpu: model %s has no CPUID, so \"%.*s\" has no meaning",
                       c->model->name, (int)len, item);
    }
    c->cpuid_level = MIN(level, c->model->max_leaf);
    return true;
}

static bool edit_feature(struct cpu *c, const char *item, size_t len, struct err *e)
{
    bool on = item[0] == '+';
    unsigned n;

    if (len >= 6 && memcmp(item, "level=", 6) == 0) {
        return limit_leaves(c, item, len, e);
    }
    if (len < 2 || (item[0] != '+' && item[0] != '-')) {
        return err_set(e, "cpu: \"%.*s\" is not understood, write +feature, -feature or level=N",
                       (int)len, item);
    }
    if (c->model->max_leaf == 0) {
        return err_set(e, "cpu: model %s has no CPUID, so \"%.*s\" cannot be changed",
                       c->model->name, (int)len, item);
    }
    for (n = 0; n < ARRAY_LEN(feature_names); n++) {
        const struct feature_name *f = &feature_names[n];
        uint32_t *word = f->word == WORD_EDX   ? &c->cpuid_edx
                         : f->word == WORD_ECX ? &c->cpuid_ecx
                                               : &c->cpuid_ext;

        if (strlen(f->name) == len - 1 && memcmp(f->name, item + 1, len - 1) == 0) {
            *word = on ? *word | f->bit : *word & ~f->bit;
            return true;
        }
    }
    return err_set(e, "cpu: feature \"%.*s\" is not known or not implemented", (int)len - 1,
                   item + 1);
}

/* An instruction set without the one it builds on would confuse every guest. */
static bool check_features(const struct cpu *c, struct err *e)
{
    if ((c->cpuid_edx & CPUID_SSE) && !(c->cpuid_edx & CPUID_FXSR)) {
        return err_set(e, "cpu: sse needs fxsr; add +fxsr or -sse");
    }
    if ((c->cpuid_edx & CPUID_SSE2) && !(c->cpuid_edx & CPUID_SSE)) {
        return err_set(e, "cpu: sse2 needs sse; add +sse or -sse2");
    }
    if ((c->cpuid_ecx & CPUID_ECX_SSE3) && !(c->cpuid_edx & CPUID_SSE2)) {
        return err_set(e, "cpu: sse3 needs sse2; add +sse2 or -sse3");
    }
    if ((c->cpuid_ext & CPUID_EXT_NX) && (~c->cpuid_edx & (CPUID_PAE | CPUID_MSR))) {
        return err_set(e, "cpu: nx needs pae and msr; add them or -nx");
    }
    return true;
}

/* EFLAGS bits that the model has. */
static uint32_t model_eflags(const struct cpu *c)
{
    uint32_t m = FLAGS_OSZAPC | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF |
                 FLAG_VM;

    if (cpu_family(c->model) >= 4) {
        m |= FLAG_AC;
    }
    if (c->model->max_leaf) {
        m |= FLAG_ID;
    }
    if (c->cpuid_edx & CPUID_VME) {
        m |= FLAG_VIF | FLAG_VIP;
    }
    return m;
}

bool cpu_model_select(struct cpu *c, const char *spec, struct err *e)
{
    const char *at = spec ? spec : DEFAULT_MODEL;
    size_t len = strcspn(at, ",");

    c->model = find_model(at, len);
    if (!c->model) {
        return err_set(e, "cpu: there is no model \"%.*s\"", (int)len, at);
    }
    c->cpuid_edx = c->model->edx;
    c->cpuid_ecx = c->model->ecx;
    c->cpuid_ext = c->model->ext_edx;
    c->cpuid_level = c->model->max_leaf;
    for (at += len; *at; at += len) {
        at++;
        len = strcspn(at, ",");
        if (!edit_feature(c, at, len, e)) {
            return false;
        }
    }
    c->features = derive_features(c);
    c->eflags_mask = model_eflags(c);
    return check_features(c, e);
}

bool cpu_has(const struct cpu *c, unsigned feature)
{
    return c->features >> feature & 1;
}

uint32_t cpu_cr0_mask(const struct cpu *c)
{
    uint32_t m = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_PG;

    return cpu_family(c->model) < 4 ? m : m | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD;
}

uint32_t cpu_cr4_mask(const struct cpu *c)
{
    static const struct {
        uint32_t edx, cr4;
    } bits[] = {
        {CPUID_VME, CR4_VME | CR4_PVI}, {CPUID_TSC, CR4_TSD}, {CPUID_DE, CR4_DE},
        {CPUID_PSE, CR4_PSE}, {CPUID_PAE, CR4_PAE}, {CPUID_MCE, CR4_MCE}, {CPUID_PGE, CR4_PGE},
        {CPUID_FXSR, CR4_OSFXSR}, {CPUID_SSE, CR4_OSXMMEXCPT},
    };
    uint32_t m = cpu_has(c, FT_PMC) ? CR4_PCE : 0;
    unsigned n;

    for (n = 0; n < ARRAY_LEN(bits); n++) {
        if (c->cpuid_edx & bits[n].edx) {
            m |= bits[n].cr4;
        }
    }
    return m;
}

/* --- CPUID ---------------------------------------------------------------------------------- */

static void cpuid_brand(const struct cpu_model *m, unsigned part, uint32_t out[4])
{
    char text[48] = "";
    unsigned n;

    if (m->brand) {
        memcpy(text, m->brand, MIN(strlen(m->brand), sizeof text - 1));
    }
    for (n = 0; n < 4; n++) {
        out[n] = get32(text + part * 16 + n * 4);
    }
}

void cpu_cpuid(const struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    const struct cpu_model *m = c->model;

    uint32_t max_ext = c->cpuid_ext ? MAX(m->max_ext, 0x80000001u) : m->max_ext;

    (void)sub; /* no leaf here has sub-leaves */
    memset(out, 0, 4 * sizeof out[0]);
    if (leaf >= 0x80000000u ? leaf > max_ext : leaf > c->cpuid_level) {
        leaf = c->cpuid_level; /* as the hardware answers */
    }
    switch (leaf) {
    case 0:
        out[0] = c->cpuid_level;
        out[1] = 0x756e6547; /* GenuineIntel */
        out[3] = 0x49656e69;
        out[2] = 0x6c65746e;
        break;
    case 1:
        out[0] = m->signature;
        out[1] = m->brand_id | (c->cpuid_edx & CPUID_CLFSH ? 8u << 8 : 0);
        out[2] = c->cpuid_ecx;
        out[3] = c->cpuid_edx;
        if (!(c->apic_base & APIC_BASE_ENABLE)) {
            out[3] &= ~(uint32_t)CPUID_APIC; /* switched off, it is as if it was not there */
        }
        break;
    case 2:
        memcpy(out, m->caches, sizeof m->caches);
        break;
    case 0x80000000u:
        out[0] = max_ext;
        break;
    case 0x80000001u:
        out[3] = c->cpuid_ext;
        break;
    case 0x80000002u:
    case 0x80000003u:
    case 0x80000004u:
        cpuid_brand(m, leaf - 0x80000002u, out);
        break;
    case 0x80000006u:
        out[2] = 0x04008040; /* 1 MB, 8-way, 64-byte lines */
        break;
    case 0x80000008u:
        out[0] = 36 | 32 << 8;
        break;
    default:
        break;
    }
}

/* --- MSRs ----------------------------------------------------------------------------------- */

enum {
    MSR_P5_MC_ADDR = 0x0, MSR_P5_MC_TYPE = 0x1, MSR_TSC = 0x10, MSR_PLATFORM_ID = 0x17,
    MSR_APIC_BASE = 0x1b,
    MSR_UCODE_WRITE = 0x79, MSR_UCODE_REV = 0x8b, MSR_PERFCTR0 = 0xc1, MSR_MTRRCAP = 0xfe,
    MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176,
    MSR_MCG_CAP = 0x179, MSR_MCG_STATUS = 0x17a, MSR_EVNTSEL0 = 0x186, MSR_MISC_ENABLE = 0x1a0,
    MSR_MTRR_VAR = 0x200, MSR_PAT = 0x277, MSR_MTRR_DEF = 0x2ff,
};
#define MSR_EFER 0xc0000080u
/*
 * IA32_MISC_ENABLE: what some Pentium 4 has, switches without effect here; and what tells of
 * performance counters (7), branch trace and PEBS (11, 12: there are none).
 */
#define MISC_KEPT 0x401dd277dull
#define MISC_FIXED 0x1880ull
#define MISC_RESET 0x1801u
#define MTRR_VAR_COUNT 8
#define PERF_MASK (((uint64_t)1 << 40) - 1)
#define PHYS_PAGE_MASK 0xffffff000ull

bool cpu_has_apic(const struct cpu *c)
{
    return (c->cpuid_edx & CPUID_APIC) != 0;
}

static void apic_base_set(struct cpu *c, uint64_t value, bool reset)
{
    c->apic_base = value;
    if (c->cfg.wiring.apic_base) {
        c->cfg.wiring.apic_base(c->cfg.wiring.ctx, value, reset);
    }
}

/*
 * Registers without a function here.  Systems look at them or set them up and believe that they
 * exist: they keep the bits in `writable`, writes to the others are ignored, and where nothing is
 * writable a write is #GP.  Each row has `count` numbers in struct cpu.plain_msr, so rows are only
 * ever added at the end.  Source: SDM vol. 4, the tables of each family.
 */
static const struct plain_msr {
    uint16_t index;
    uint8_t count, family;
    uint64_t writable, reset;
} plain_msrs[] = {
    {0x00e, 1, 5, 0xfff, 0},                /* TR12: new features off */
    {0x011, 1, 5, 0x03ff03ff, 0},           /* CESR: selects the events of the next two */
    {0x012, 2, 5, 0xffffffffff, 0},         /* CTR0, CTR1 */
    {0x02a, 1, 6, 0xde, 0x880000},          /* EBL_CR_POWERON: 100 MHz bus, ratio 4 */
    {0x033, 1, 6, 0xc0000000, 0},           /* TEST_CTL */
    {0x088, 3, 6, ~0ull, 0},                /* BBL_CR_D0 to D2 */
    {0x116, 1, 6, 0xfffffff8, 0},           /* BBL_CR_ADDR */
    {0x118, 2, 6, 0xffffffff, 0},           /* BBL_CR_DECC, CTL */
    {0x11a, 2, 6, 0xffffffff, 0},           /* BBL_CR_TRIG, BUSY */
    {0x11e, 1, 6, 0x1f3f, 0x101},           /* BBL_CR_CTL3: the L2 cache is set up and on */
    {0x1d9, 1, 6, 0x7f, 0},                 /* DEBUGCTL */
    {0x1db, 4, 6, 0, 0},                    /* last branch and exception, from and to */
    {0x1e0, 1, 6, 0x4, 0x4},                /* ROB_CR_BKUPTMPDR6: fast strings */
    {0x02a, 1, 15, 0, 0},                   /* EBC_HARD_POWERON */
    {0x02b, 1, 15, 0x7f, 0},                /* EBC_SOFT_POWERON */
    {0x02c, 1, 15, 0, 0x04000000},          /* EBC_FREQUENCY_ID: 4 times 100 MHz */
    {0x19a, 1, 15, 0x1e, 0},                /* CLOCK_MODULATION */
    {0x19b, 1, 15, 0x3, 0},                 /* THERM_INTERRUPT */
    {0x19c, 1, 15, 0x2, 0},                 /* THERM_STATUS: never hot */
    {0x1a1, 1, 15, 0, 0},                   /* PLATFORM_BRV */
    {0x1d7, 2, 15, 0, 0},                   /* LER_FROM_LIP, LER_TO_LIP */
    {0x1d9, 1, 15, 0x7f, 0},                /* DEBUGCTLA */
    {0x1da, 1, 15, 0, 0},                   /* LASTBRANCH_TOS */
    {0x1db, 4, 15, 0, 0},                   /* LASTBRANCH_0 to 3 */
    {0x300, 18, 15, 0xffffffffff, 0},       /* performance counters */
    {0x360, 18, 15, 0xfffff000, 0},         /* CCCRs */
    {0x3a0, 66, 15, 0x7fffffff, 0},         /* ESCRs */
    {0x3f0, 3, 15, 0xffffffff, 0},          /* TC_PRECISE_EVENT, PEBS_ENABLE, PEBS_MATRIX_VERT */
};

/* The row and place of a register, NULL: it is none of these. */
static const struct plain_msr *plain_find(struct cpu *c, uint32_t index, uint64_t **slot)
{
    unsigned at = 0;

    for (unsigned n = 0; n < ARRAY_LEN(plain_msrs); n++) {
        const struct plain_msr *p = &plain_msrs[n];

        if (p->family == cpu_family(c->model) && index - p->index < p->count) {
            *slot = &c->plain_msr[at + index - p->index];
            return p;
        }
        at += p->count;
    }
    return NULL;
}

static void plain_reset(struct cpu *c)
{
    unsigned at = 0;

    memset(c->plain_msr, 0, sizeof c->plain_msr);
    for (unsigned n = 0; n < ARRAY_LEN(plain_msrs); n++) {
        for (unsigned k = 0; k < plain_msrs[n].count && at < PLAIN_MSRS; k++) {
            c->plain_msr[at++] = plain_msrs[n].reset;
        }
    }
}

void msr_reset(struct cpu *c)
{
    c->efer = 0;
    c->sysenter_cs = 0;
    c->sysenter_esp = c->sysenter_eip = 0;
    c->star = c->lstar = c->cstar = c->sfmask = c->kernel_gs_base = 0;
    apic_base_set(c, c->cpuid_edx & CPUID_APIC ? APIC_BASE_RESET : 0, true);
    c->pat = 0x0007040600070406;
    c->misc_enable = MISC_RESET;
    plain_reset(c);
    c->ucode_rev = 1;
    memset(c->mtrr_var, 0, sizeof c->mtrr_var);
    memset(c->mtrr_fix, 0, sizeof c->mtrr_fix);
    c->mtrr_def = 0;
    memset(c->perf_sel, 0, sizeof c->perf_sel);
    memset(c->perf_ctr, 0, sizeof c->perf_ctr);
    c->tsc_offset = -(int64_t)cpu_icount(c);
}

static uint64_t *mtrr_slot(struct cpu *c, uint32_t index)
{
    static const uint16_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                     0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    unsigned n;

    if (!(c->cpuid_edx & CPUID_MTRR)) {
        return NULL;
    }
    if (index >= MSR_MTRR_VAR && index < MSR_MTRR_VAR + 2 * MTRR_VAR_COUNT) {
        return &c->mtrr_var[index - MSR_MTRR_VAR];
    }
    for (n = 0; n < ARRAY_LEN(fixed); n++) {
        if (fixed[n] == index) {
            return &c->mtrr_fix[n];
        }
    }
    return index == MSR_MTRR_DEF ? &c->mtrr_def : NULL;
}

static bool memory_type(unsigned t, bool pat)
{
    return t == 0 || t == 1 || (t >= 4 && t <= 6) || (pat && t == 7);
}

static bool memory_types(uint64_t v, bool pat)
{
    unsigned n;

    for (n = 0; n < 8; n++) {
        if (!memory_type((unsigned)(v >> n * 8) & 0xff, pat)) {
            return false;
        }
    }
    return true;
}

static bool mtrr_legal(uint32_t index, uint64_t v)
{
    if (index == MSR_MTRR_DEF) {
        return !(v & ~(uint64_t)0xcff) && memory_type((unsigned)v & 0xff, false);
    }
    if (index >= MSR_MTRR_VAR && index < MSR_MTRR_VAR + 2 * MTRR_VAR_COUNT) {
        if (index & 1) {
            return !(v & ~(PHYS_PAGE_MASK | 0x800));
        }
        return !(v & ~(PHYS_PAGE_MASK | 0xff)) && memory_type((unsigned)v & 0xff, false);
    }
    return memory_types(v, false);
}

/*
 * Event counters: cycles (79h) and instructions retired (C0h) are the same count here, every other
 * event never happens.  The enable bit of selector 0 is for both.
 */
static bool perf_counting(const struct cpu *c, unsigned n)
{
    unsigned event = (unsigned)c->perf_sel[n] & 0xff;

    return (c->perf_sel[0] & 1u << 22) && (c->perf_sel[n] & 3u << 16) &&
           (event == 0x79 || event == 0xc0);
}

uint64_t perf_counter(const struct cpu *c, unsigned n)
{
    return (c->perf_ctr[n] + (perf_counting(c, n) ? cpu_icount(c) : 0)) & PERF_MASK;
}

static void perf_set(struct cpu *c, unsigned n, uint64_t value)
{
    c->perf_ctr[n] = value - (perf_counting(c, n) ? cpu_icount(c) : 0);
}

static bool perf_select(struct cpu *c, unsigned n, uint64_t v)
{
    uint64_t value[2] = {perf_counter(c, 0), perf_counter(c, 1)};

    if (v >> 32) {
        return false;
    }
    c->perf_sel[n] = v;
    perf_set(c, 0, value[0]);
    perf_set(c, 1, value[1]);
    return true;
}

bool msr_read(struct cpu *c, uint32_t index, uint64_t *v)
{
    unsigned family = cpu_family(c->model);
    uint64_t *slot = mtrr_slot(c, index);

    *v = 0;
    if (slot || plain_find(c, index, &slot)) {
        *v = *slot;
        return true;
    }
    switch (index) {
    case MSR_P5_MC_ADDR:
    case MSR_P5_MC_TYPE:
        return (c->cpuid_edx & CPUID_MCE) && family >= 5;
    case MSR_TSC:
        *v = cpu_icount(c) + (uint64_t)c->tsc_offset;
        return (c->cpuid_edx & CPUID_TSC) != 0;
    case MSR_PLATFORM_ID:
        return family >= 6;
    case MSR_APIC_BASE:
        *v = c->apic_base;
        return (c->cpuid_edx & CPUID_APIC) && family >= 6;
    case MSR_UCODE_REV:
        *v = c->ucode_rev << 32;
        return family >= 6;
    case MSR_PERFCTR0:
    case MSR_PERFCTR0 + 1:
        *v = perf_counter(c, index - MSR_PERFCTR0);
        return family == 6;
    case MSR_EVNTSEL0:
    case MSR_EVNTSEL0 + 1:
        *v = c->perf_sel[index - MSR_EVNTSEL0];
        return family == 6;
    case MSR_MTRRCAP:
        *v = MTRR_VAR_COUNT | 0x500; /* fixed ranges, write combining */
        return (c->cpuid_edx & CPUID_MTRR) != 0;
    case MSR_SYSENTER_CS:
        *v = c->sysenter_cs;
        return (c->cpuid_edx & CPUID_SEP) != 0;
    case MSR_SYSENTER_ESP:
        *v = c->sysenter_esp;
        return (c->cpuid_edx & CPUID_SEP) != 0;
    case MSR_SYSENTER_EIP:
        *v = c->sysenter_eip;
        return (c->cpuid_edx & CPUID_SEP) != 0;
    case MSR_MCG_CAP:
    case MSR_MCG_STATUS:
        return (c->cpuid_edx & CPUID_MCA) != 0;
    case MSR_MISC_ENABLE:
        *v = c->misc_enable;
        return family > 6;
    case MSR_PAT:
        *v = c->pat;
        return (c->cpuid_edx & CPUID_PAT) != 0;
    case MSR_EFER:
        *v = c->efer;
        return c->cpuid_ext != 0;
    default:
        return false;
    }
}

static bool efer_write(struct cpu *c, uint64_t v)
{
    if (v & ~(uint64_t)(c->cpuid_ext & CPUID_EXT_NX ? EFER_NXE : 0)) {
        return false;
    }
    if (v != c->efer) {
        c->efer = v;
        tlb_flush_all(c);
        cpu_update_mode(c);
    }
    return true;
}

bool msr_write(struct cpu *c, uint32_t index, uint64_t v)
{
    uint64_t *slot = mtrr_slot(c, index), old;
    const struct plain_msr *p;

    if (slot) {
        if (!mtrr_legal(index, v)) {
            return false;
        }
        *slot = v;
        return true;
    }
    p = plain_find(c, index, &slot);
    if (p) {
        *slot = (*slot & ~p->writable) | (v & p->writable);
        return p->writable != 0;
    }
    if (index == MSR_UCODE_WRITE) {
        return cpu_family(c->model) >= 6; /* an update for another processor is ignored */
    }
    if (!msr_read(c, index, &old)) {
        return false;
    }
    switch (index) {
    case MSR_TSC:
        c->tsc_offset = (int64_t)(v - cpu_icount(c));
        return true;
    case MSR_APIC_BASE:
        if (v & ~(PHYS_PAGE_MASK | APIC_BASE_ENABLE | APIC_BASE_BSP)) {
            return false;
        }
        apic_base_set(c, v, false);
        return true;
    case MSR_UCODE_REV:
        return true; /* the CPUID that software executes next loads it again */
    case MSR_PERFCTR0:
    case MSR_PERFCTR0 + 1:
        perf_set(c, index - MSR_PERFCTR0, (uint64_t)(int64_t)(int32_t)v);
        return true;
    case MSR_EVNTSEL0:
    case MSR_EVNTSEL0 + 1:
        return perf_select(c, index - MSR_EVNTSEL0, v);
    case MSR_SYSENTER_CS:
        c->sysenter_cs = (uint32_t)v;
        return true;
    case MSR_SYSENTER_ESP:
        c->sysenter_esp = (uint32_t)v;
        return true;
    case MSR_SYSENTER_EIP:
        c->sysenter_eip = (uint32_t)v;
        return true;
    case MSR_MCG_STATUS:
        return v == 0;
    case MSR_MISC_ENABLE:
        if (v & ~(MISC_KEPT | MISC_FIXED)) {
            return false;
        }
        c->misc_enable = (v & MISC_KEPT) | (c->misc_enable & MISC_FIXED);
        return true;
    case MSR_PAT:
        if (!memory_types(v, true)) {
            return false;
        }
        c->pat = v;
        return true;
    case MSR_EFER:
        return efer_write(c, v);
    default:
        return false; /* read-only */
    }
}
