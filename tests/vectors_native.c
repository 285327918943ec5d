/*
 * Reader of *.n32v.gz: single user-mode instructions captured on a real CPU.
 *
 * Format and comparison rules are those of the README that comes with the files.  The environment
 * it asks for (CPL 3, flat, IOPL 0, TSS without I/O bitmap) is built with paging on; exceptions go
 * through the IDT to a CPL 0 handler per vector, and the state "before the push" is read back from
 * the frame.
 */
#include "tests/vectors.h"

#include <stdio.h>
#include <string.h>

#include "cpu/fpu.h"
#include "cpu/system.h"

enum {
    RAM = 0x10000, PD = 0x1000, PT_LOW = 0x2000, PT_CODE = 0x3000, PT_WIN = 0x4000,
    CODE_PAGE = 0x5000, WIN_PAGE = 0x6000, GDT = 0x7000, IDT = 0x8000, TSS = 0x9000,
    HANDLERS = 0xa000, KERNEL_STACK = 0xbff0,
    CODE_LA = 0x10000100, WIN_LA = 0x20000800, WIN_OFF = 0x800,
    SEL_KCODE = 0x08, SEL_KDATA = 0x10, SEL_UCODE = 0x1b, SEL_UDATA = 0x23, SEL_TSS = 0x28,
    USER_CODE = 0xc0fb, USER_DATA = 0xc0f3,
    /* offsets in a state image */
    S_EIP = 32, S_EFLAGS = 36, S_FCW = 40, S_FSW = 42, S_FTW = 44, S_ST = 46, S_MXCSR = 126,
    S_XMM = 130, S_WIN = 258,
    MAX_IMAGE = S_WIN + 2048,
    NO_TRAP = 0xff, MXCSR_DAZ = 0x40,
};

struct test {
    char name[64];
    uint8_t code[16];
    unsigned len;
    bool approximate;
    unsigned flag_mask, sw_mask, winlen;
    unsigned trap;
    uint32_t err;
    struct decoded d;
    uint32_t ea;     /* of the memory operand */
    uint8_t before[MAX_IMAGE], after[MAX_IMAGE], got[MAX_IMAGE];
    unsigned got_trap;
    uint32_t got_err;
    bool window_only; /* the rest of the window's page is still zero */
};

/* --- parsing --------------------------------------------------------------------------------- */

struct cursor {
    const uint8_t *p, *end;
    bool bad;
};

static const uint8_t *take(struct cursor *s, size_t n)
{
    static const uint8_t zero[MAX_IMAGE];

    if (s->bad || (size_t)(s->end - s->p) < n || n > MAX_IMAGE) {
        s->bad = true;
        return zero;
    }
    s->p += n;
    return s->p - n;
}

static bool parse(const uint8_t *rec, size_t len, struct test *t)
{
    struct cursor s = {rec, rec + len, false};
    size_t n = *take(&s, 1);

    memset(t, 0, sizeof *t);
    snprintf(t->name, sizeof t->name, "%.*s", (int)n, (const char *)take(&s, n));
    t->len = *take(&s, 1);
    if (t->len > sizeof t->code) {
        return false;
    }
    memcpy(t->code, take(&s, t->len), t->len);
    t->approximate = *take(&s, 1) != 0;
    t->flag_mask = get16(take(&s, 2));
    t->sw_mask = get16(take(&s, 2));
    t->winlen = get16(take(&s, 2));
    t->trap = *take(&s, 1);
    t->err = get32(take(&s, 4));
    if (t->winlen > MAX_IMAGE - S_WIN) {
        return false;
    }
    memcpy(t->before, take(&s, S_WIN + t->winlen), S_WIN + t->winlen);
    memcpy(t->after, t->before, S_WIN + t->winlen);
    for (unsigned k = get16(take(&s, 2)); k > 0 && !s.bad; k--) {
        unsigned off = get16(take(&s, 2)), bytes = *take(&s, 1);
        const uint8_t *from = take(&s, bytes);
        if (off + bytes > S_WIN + t->winlen) {
            return false;
        }
        memcpy(t->after + off, from, bytes);
    }
    return !s.bad && s.p == s.end;
}

/* Decodes, and finds the linear address of the memory operand. */
static void prepare(struct test *t)
{
    uint8_t code[32];

    memset(code, 0x90, sizeof code);
    memcpy(code, t->code, t->len);
    t->ea = 0;
    if (decode(code, sizeof code, CODE32, &t->d) == DEC_OK && t->d.has_mem) {
        uint32_t base = t->d.base < 8 ? get32(t->before + t->d.base * 4) : 0;
        uint32_t index = t->d.index < 8 ? get32(t->before + t->d.index * 4) : 0;
        t->ea = base + (index << t->d.scale) + (uint32_t)t->d.disp;
    }
}

/* --- environment ----------------------------------------------------------------------------- */

static void put_desc(uint8_t *p, uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    put32(p, base << 16 | (limit & 0xffff));
    put32(p + 4, (base & 0xff000000u) | flags << 20 | (limit & 0xf0000) | access << 8 |
                     (base >> 16 & 0xff));
}

static void build_tables(uint8_t *m)
{
    put32(m + PD, PT_LOW | 3);
    put32(m + PD + (CODE_LA >> 22) * 4, PT_CODE | 7);
    put32(m + PD + (WIN_LA >> 22) * 4, PT_WIN | 7);
    for (unsigned page = 0; page < RAM / PAGE_SIZE; page++) {
        put32(m + PT_LOW + page * 4, page * PAGE_SIZE | 3);
    }
    put32(m + PT_CODE, CODE_PAGE | 7);
    put32(m + PT_WIN, WIN_PAGE | 7);

    put_desc(m + GDT + SEL_KCODE, 0, 0xfffff, 0x9b, 0xc);
    put_desc(m + GDT + SEL_KDATA, 0, 0xfffff, 0x93, 0xc);
    put_desc(m + GDT + (SEL_UCODE & ~7), 0, 0xfffff, 0xfb, 0xc);
    put_desc(m + GDT + (SEL_UDATA & ~7), 0, 0xfffff, 0xf3, 0xc);
    put_desc(m + GDT + SEL_TSS, TSS, 0x67, 0x8b, 0);
    for (unsigned v = 0; v < 256; v++) {
        unsigned dpl = v == EXC_BP || v == EXC_OF ? 0x60 : 0;
        uint32_t handler = HANDLERS + v * 8;
        put32(m + IDT + v * 8, (uint32_t)SEL_KCODE << 16 | (handler & 0xffff));
        put32(m + IDT + v * 8 + 4, (handler & 0xffff0000u) | 0x8e00 | dpl << 8);
    }
    put32(m + TSS + 4, KERNEL_STACK);
    put16(m + TSS + 8, SEL_KDATA);
    put16(m + TSS + 0x66, 0x68);
}

static void set_segment(struct cpu *c, unsigned seg, uint16_t sel, uint32_t attr)
{
    c->seg[seg] = (struct segment){.base = 0, .limit = 0xffffffffu, .attr = attr, .sel = sel};
}

static void enter_environment(struct cpu *c)
{
    c->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_AM | CR0_PG;
    c->cr3 = PD;
    c->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    c->gdtr = (struct desc_table){GDT, 0x2f};
    c->idtr = (struct desc_table){IDT, 0x7ff};
    c->tr = (struct segment){.base = TSS, .limit = 0x67, .attr = 0x8b, .sel = SEL_TSS};
    tlb_flush_all(c);
}

static void load_state(struct vec_machine *m, const struct test *t)
{
    struct cpu *c = m->cpu;
    const uint8_t *b = t->before;
    uint8_t code[17];

    memset(code, 0x90, sizeof code);
    memcpy(code, t->code, t->len);
    bus_write_block(m->mem, CODE_PAGE + (CODE_LA & PAGE_MASK), code, sizeof code);
    memset(m->ram + WIN_PAGE, 0, PAGE_SIZE);
    memcpy(m->ram + WIN_PAGE + WIN_OFF, b + S_WIN, t->winlen);

    for (unsigned seg = 0; seg < SEG_COUNT; seg++) {
        set_segment(c, seg, seg == SEG_CS ? SEL_UCODE : SEL_UDATA,
                    seg == SEG_CS ? USER_CODE : USER_DATA);
    }
    for (unsigned r = 0; r < 8; r++) {
        c->r.q[r] = get32(b + r * 4);
    }
    c->eip = get32(b + S_EIP);
    flags_put(c, get32(b + S_EFLAGS) & ~(uint32_t)(FLAG_TF | FLAG_RF));
    c->halted = c->shutdown = c->step = false;
    c->shadow = 0;
    cpu_set_cpl(c, 3);
    cpu_update_mode(c);

    c->fpu.cw = get16(b + S_FCW);
    fpu_set_status_word(c, get16(b + S_FSW));
    fpu_update_summary(c);
    c->fpu.empty = 0;
    for (unsigned n = 0; n < 8; n++) {
        c->fpu.empty |= (uint8_t)((get16(b + S_FTW) >> n * 2 & 3) == 3) << n;
        c->fpu.st[fpu_phys(c, n)] =
            (struct f80){get64(b + S_ST + n * 10), get16(b + S_ST + n * 10 + 8)};
        c->xmm[n] = (struct xmm){{get64(b + S_XMM + n * 16), get64(b + S_XMM + n * 16 + 8)}};
    }
    c->fpu.mxcsr = get32(b + S_MXCSR);
}

static uint32_t frame32(const struct vec_machine *m, uint32_t at)
{
    return at <= RAM - 4 ? get32(m->ram + at) : 0;
}

/* A CPL 0 handler was entered: what its frame says. */
static void read_frame(const struct vec_machine *m, struct test *t, uint32_t *eip, uint32_t *flags,
                       uint32_t *esp)
{
    const struct cpu *c = m->cpu;
    uint32_t sp = (uint32_t)c->r.q[REG_ESP];

    t->got_trap = (unsigned)(c->eip - HANDLERS) / 8;
    if (sp == KERNEL_STACK - 24) {
        t->got_err = frame32(m, sp);
        sp += 4;
    }
    *eip = frame32(m, sp);
    *flags = frame32(m, sp + 8);
    *esp = frame32(m, sp + 12);
}

static void read_state(const struct vec_machine *m, struct test *t)
{
    const struct cpu *c = m->cpu;
    uint8_t *g = t->got;
    uint32_t eip = (uint32_t)c->eip, flags = flags_get(c), esp = (uint32_t)c->r.q[REG_ESP];
    unsigned tags = 0;

    t->got_trap = NO_TRAP;
    if (c->shutdown) {
        t->got_trap = 0xfe;
    } else if (c->cpl == 0) {
        read_frame(m, t, &eip, &flags, &esp);
    }
    for (unsigned r = 0; r < 8; r++) {
        put32(g + r * 4, r == REG_ESP ? esp : (uint32_t)c->r.q[r]);
    }
    put32(g + S_EIP, eip);
    put32(g + S_EFLAGS, flags);
    put16(g + S_FCW, c->fpu.cw);
    put16(g + S_FSW, fpu_status_word(c));
    for (unsigned n = 0; n < 8; n++) {
        struct f80 v = fpu_st(c, n);
        tags |= (c->fpu.empty >> n & 1 ? 3u : 0) << n * 2;
        put64(g + S_ST + n * 10, v.sig);
        put16(g + S_ST + n * 10 + 8, v.sexp);
        put64(g + S_XMM + n * 16, c->xmm[n].q[0]);
        put64(g + S_XMM + n * 16 + 8, c->xmm[n].q[1]);
    }
    put16(g + S_FTW, (uint16_t)tags);
    put32(g + S_MXCSR, c->fpu.mxcsr);
    memcpy(g + S_WIN, m->ram + WIN_PAGE + WIN_OFF, t->winlen);

    t->window_only = true;
    for (unsigned n = 0; n < PAGE_SIZE; n++) {
        if ((n < WIN_OFF || n >= WIN_OFF + t->winlen) && m->ram[WIN_PAGE + n]) {
            t->window_only = false;
        }
    }
}

static void execute(struct vec_machine *m, struct test *t)
{
    struct cpu *c = m->cpu;
    bool rep = t->d.op != OP_INVALID && t->d.rep && (t->d.attr & AT_REP);
    uint64_t start = c->eip;
    long steps = 0;

    do {
        vec_step(c);
    } while (rep && c->eip == start && c->cpl == 3 && ++steps < 1000000);
}

/* --- what is not run ------------------------------------------------------------------------- */

static int order_magnitude(struct f80 a, struct f80 b)
{
    struct sf_status s = {.masks = SF_ALL};
    return f80_compare(f80_abs(a), b, true, &s);
}

/* F2XM1 and FYL2XP1 outside the domain the manual defines. */
static bool outside_domain(const struct test *t)
{
    static const struct f80 one = {0x8000000000000000u, 0x3fff};
    static const struct f80 above = {0xd413cccfe7799211u, 0x3ffd}; /* sqrt(2) - 1 */
    static const struct f80 below = {0x95f619980c4336f7u, 0x3ffd}; /* 1 - sqrt(1/2) */
    struct f80 st0 = {get64(t->before + S_ST), get16(t->before + S_ST + 8)};

    if (strcmp(t->name, "d9f0") == 0) {
        return order_magnitude(st0, one) == SF_GREATER;
    }
    if (strcmp(t->name, "d9f9") == 0) {
        return order_magnitude(st0, st0.sexp >> 15 ? below : above) == SF_GREATER;
    }
    return false;
}

static bool loads_daz(const struct test *t)
{
    uint32_t off = t->ea - WIN_LA;

    return (get32(t->before + S_MXCSR) & MXCSR_DAZ) ||
           (t->d.op == OP_LDMXCSR && off + 4 <= t->winlen &&
            (get32(t->before + S_WIN + off) & MXCSR_DAZ));
}

static const char *skip_reason(const struct cpu *c, const struct test *t)
{
    if (t->d.op != OP_INVALID && !cpu_has(c, t->d.feature)) {
        return "instruction is not in this CPU model";
    }
    if (!cpu_has(c, FT_SSE2) && loads_daz(t)) {
        return "MXCSR.DAZ is not in this CPU model";
    }
    if (outside_domain(t)) {
        return "operand outside the domain that the SDM defines";
    }
    return NULL;
}

/* --- comparison ------------------------------------------------------------------------------ */

/* Within 2 units in the last place of the 64-bit significand. */
static bool close_f80(const uint8_t *a, const uint8_t *b)
{
    unsigned ea = get16(a + 8), eb = get16(b + 8);
    uint64_t sa = get64(a), sb = get64(b);

    if (ea == eb && sa == sb) {
        return true;
    }
    if ((ea ^ eb) >> 15 || (ea & 0x7fff) == 0x7fff || (eb & 0x7fff) == 0x7fff) {
        return false;
    }
    if (ea < eb || (ea == eb && sa < sb)) {
        return close_f80(b, a);
    }
    sa &= ~((uint64_t)1 << 63);
    sb &= ~((uint64_t)1 << 63);
    return ea == eb ? sa - sb <= 2 : ea == eb + 1 && sa <= 2 && ((uint64_t)1 << 63) - sb + sa <= 2;
}

/* RCP and RSQRT: |a - b| <= 3 * 2^-12 * |b| for normal numbers. */
static bool close_f32(uint32_t a, uint32_t b)
{
    unsigned ea = a >> 23 & 0xff, eb = b >> 23 & 0xff;

    if (a == b) {
        return true;
    }
    if (ea == 0 || eb == 0 || ea == 0xff || eb == 0xff || (a ^ b) >> 31 || ea + 1 < eb ||
        eb + 1 < ea) {
        return false;
    }
    unsigned low = ea < eb ? ea : eb;
    int64_t ma = (int64_t)((a & 0x7fffff) | 0x800000) << (ea - low);
    int64_t mb = (int64_t)((b & 0x7fffff) | 0x800000) << (eb - low);
    int64_t d = ma > mb ? ma - mb : mb - ma;
    return d << 12 <= 3 * mb;
}

static bool same_xmm(const struct test *t, const uint8_t *want, const uint8_t *got)
{
    if (!t->approximate || t->d.feature != FT_SSE) {
        return memcmp(want, got, 16) == 0;
    }
    for (unsigned n = 0; n < 16; n += 4) {
        if (!close_f32(get32(got + n), get32(want + n))) {
            return false;
        }
    }
    return true;
}

static bool same_st(const struct test *t, const uint8_t *want, const uint8_t *got)
{
    return t->approximate ? close_f80(want, got) : memcmp(want, got, 10) == 0;
}

static unsigned empties(unsigned tags)
{
    return tags & tags >> 1 & 0x5555;
}

/* The pointers of an FNSTENV image are not known to the reference. */
static void ignore_pointers(struct test *t)
{
    uint32_t off = t->ea + 12 - WIN_LA;

    if ((t->d.op == OP_FNSTENV || t->d.op == OP_FNSAVE) && off + 14 <= t->winlen) {
        memcpy(t->after + S_WIN + off, t->got + S_WIN + off, 14);
    }
}

struct printer {
    const struct test *t;
    long index;
    bool show, differs;
};

static void head(struct printer *p)
{
    if (p->show && !p->differs) {
        printf("  %s #%ld:", p->t->name, p->index);
        for (unsigned n = 0; n < p->t->len; n++) {
            printf(" %02x", p->t->code[n]);
        }
        printf("  [fcw %04x fsw %04x ftw %04x mxcsr %x]\n", get16(p->t->before + S_FCW),
               get16(p->t->before + S_FSW), get16(p->t->before + S_FTW),
               (unsigned)get32(p->t->before + S_MXCSR));
    }
    p->differs = true;
}

static void number(struct printer *p, const char *what, uint32_t before, uint32_t want,
                   uint32_t got, uint32_t mask)
{
    if ((want ^ got) & mask) {
        head(p);
        if (p->show) {
            printf("    %-7s was %x want %x got %x (mask %x)\n", what, (unsigned)before,
                   (unsigned)want, (unsigned)got, (unsigned)mask);
        }
    }
}

static void hex(const char *what, const uint8_t *b, unsigned n)
{
    printf(" %s ", what);
    while (n-- > 0) {
        printf("%02x", b[n]);
    }
}

static void bytes(struct printer *p, const char *what, unsigned index, unsigned off, unsigned n)
{
    const struct test *t = p->t;

    head(p);
    if (p->show) {
        printf("    %s%u", what, index);
        hex("was", t->before + off, n);
        hex("want", t->after + off, n);
        hex("got", t->got + off, n);
        printf("\n");
    }
}

static void compare_window(struct printer *p)
{
    const struct test *t = p->t;

    for (unsigned n = 0; n < t->winlen;) {
        unsigned run = 0;
        while (n + run < t->winlen && run < 16 &&
               t->after[S_WIN + n + run] != t->got[S_WIN + n + run]) {
            run++;
        }
        if (run) {
            bytes(p, "window+", n, S_WIN + n, run);
        }
        n += run + 1;
    }
    if (!t->window_only) {
        head(p);
        if (p->show) {
            printf("    memory outside of the window was written\n");
        }
    }
}

static bool compare(struct test *t, long index, bool show)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp",
                                        "ebp", "esi", "edi", "eip"};
    const uint8_t *b = t->before, *w = t->after, *g = t->got;
    struct printer p = {t, index, show, false};

    ignore_pointers(t);
    number(&p, "trap", 0, t->trap, t->got_trap, ~0u);
    if (t->trap == EXC_GP) {
        number(&p, "error", 0, t->err, t->got_err, ~0u);
    }
    for (unsigned n = 0; n < 9; n++) {
        number(&p, names[n], get32(b + n * 4), get32(w + n * 4), get32(g + n * 4), ~0u);
    }
    number(&p, "eflags", get32(b + S_EFLAGS), get32(w + S_EFLAGS), get32(g + S_EFLAGS),
           t->flag_mask | FLAG_DF);
    number(&p, "fcw", get16(b + S_FCW), get16(w + S_FCW), get16(g + S_FCW), ~0u);
    number(&p, "fsw", get16(b + S_FSW), get16(w + S_FSW), get16(g + S_FSW), t->sw_mask);
    number(&p, "empty", empties(get16(b + S_FTW)), empties(get16(w + S_FTW)),
           empties(get16(g + S_FTW)), ~0u);
    number(&p, "mxcsr", get32(b + S_MXCSR), get32(w + S_MXCSR), get32(g + S_MXCSR), ~0u);
    for (unsigned n = 0; n < 8; n++) {
        if (!same_st(t, w + S_ST + n * 10, g + S_ST + n * 10)) {
            bytes(&p, "st", n, S_ST + n * 10, 10);
        }
        if (!same_xmm(t, w + S_XMM + n * 16, g + S_XMM + n * 16)) {
            bytes(&p, "xmm", n, S_XMM + n * 16, 16);
        }
    }
    compare_window(&p);
    return !p.differs;
}

/* --- file ------------------------------------------------------------------------------------ */

static bool run_records(struct vec_machine *m, const struct vec_data *d, struct tally *tally,
                        const struct vec_options *o)
{
    struct test t;
    size_t at = 12;

    for (uint32_t k = get32(d->bytes + 8), n = 0; n < k; n++) {
        size_t len = at + 2 <= d->size ? get16(d->bytes + at) : d->size;
        if (at + 2 + len > d->size || !parse(d->bytes + at + 2, len, &t)) {
            return false;
        }
        at += 2 + len;
        if (!vec_wanted(tally, o)) {
            continue;
        }
        prepare(&t);
        const char *why = skip_reason(m->cpu, &t);
        if (why) {
            vec_skip(tally, why, o);
            continue;
        }
        load_state(m, &t);
        execute(m, &t);
        read_state(m, &t);
        bool same = compare(&t, (long)n, false);
        if (vec_count(tally, same, o)) {
            compare(&t, (long)n, true);
        }
    }
    return at == d->size;
}

bool vec_native(const struct vec_data *d, struct tally *t, const struct vec_options *o)
{
    struct vec_machine m;

    if (d->size < 12 || memcmp(d->bytes, "N32V", 4) != 0 || get32(d->bytes + 4) != 1 ||
        !vec_machine_new(&m, RAM, o)) {
        return false;
    }
    build_tables(m.ram);
    memset(m.ram + CODE_PAGE, 0x90, PAGE_SIZE);
    enter_environment(m.cpu);
    bool ok = run_records(&m, d, t, o);
    vec_machine_free(&m);
    return ok;
}
