/*
 * Random differential test of user-mode instructions against the CPU of the host.
 *
 * Usage: diff_native [-seed N] [-first N] [-count N] [-class a,b,..] [-generic] [-show N] [-ulp N]
 *                    [-shrink]
 * -count is in instructions, over all classes.  A difference is printed as a small program with the
 * values that differ; -shrink first takes away what does not matter.  Test numbers in the output
 * serve -first (with one -class and -count 1).  -ulp is the tolerance for transcendental x87
 * instructions in units in the last place, 2 unless told.
 * Status 0: no difference; 1: differences; 2: bad option; 77: this host cannot run the tests.
 */
#include "tests/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/disasm.h"
#include "cpu/state.h"

enum {
    EFLAGS_COMPARED = 0x244fd5 | FLAG_IF, /* all of user mode but RF */
    PF_FETCH = 0x10,                      /* error code bit that exists with NX only */
    SKIPPED = 77,
};

struct tally {
    uint64_t tests, insns, traps, differences;
    uint64_t unsteady; /* differed once and not again: the host's own doing */
};

struct run {
    struct diff_host *host;
    struct diff_core *core;
    struct diff_gen *gen;
    struct diff_test test;
    struct diff_result want, got; /* of the host, of the core */
    uint64_t seed, first, count;
    unsigned classes; /* bit set */
    long show;
    unsigned ulp;     /* tolerance for transcendental x87 instructions */
    bool generic, shrink;
    struct tally tally[CLASS_COUNT];
};

/* --- comparison ------------------------------------------------------------------------------ */

/* Prints when `to` is set, counts otherwise. */
struct report {
    FILE *to;
    unsigned count;
};

static void differs(struct report *p, const char *what, unsigned index, uint64_t want, uint64_t got)
{
    p->count++;
    if (p->to) {
        fprintf(p->to, "    %s", what);
        if (index != ~0u) {
            fprintf(p->to, "%u", index);
        }
        fprintf(p->to, ": host %llx core %llx\n", (unsigned long long)want,
                (unsigned long long)got);
    }
}

static void number(struct report *p, const char *what, uint32_t want, uint32_t got, uint32_t mask)
{
    if ((want ^ got) & mask) {
        differs(p, what, ~0u, want & mask, got & mask);
    }
}

/* Undefined values where the test stopped: before its last instruction when that faulted. */
static struct diff_taint final_taint(const struct diff_test *t, const struct diff_result *r)
{
    uint32_t last = t->code_la - t->cs_base + t->at[t->n - 1];
    bool fault = r->trap != TRAP_NONE && r->trap != EXC_DB && r->trap != EXC_BP &&
                 r->trap != EXC_OF;

    return t->taint[fault && r->s.eip == last ? t->n - 1 : t->n];
}

/* Within some units in the last place of the 64-bit significand. */
static bool close_f80(const uint8_t *a, const uint8_t *b, unsigned ulp)
{
    unsigned ea = get16(a + 8), eb = get16(b + 8);
    uint64_t sa = get64(a), sb = get64(b), top = (uint64_t)1 << 63;

    if (ea == eb && sa == sb) {
        return true;
    }
    if ((ea ^ eb) >> 15 || (ea & 0x7fff) == 0x7fff || (eb & 0x7fff) == 0x7fff) {
        return false;
    }
    if (ea < eb || (ea == eb && sa < sb)) {
        return close_f80(b, a, ulp);
    }
    sa &= ~top;
    sb &= ~top;
    return ea == eb ? sa - sb <= ulp : ea == eb + 1 && sa <= ulp && top - sb + sa <= ulp;
}

/* RCP and RSQRT: each CPU is within 1.5 * 2^-12. */
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

static bool same_xmm(const struct diff_test *t, const uint8_t *want, const uint8_t *got)
{
    if (memcmp(want, got, 16) == 0) {
        return true;
    }
    for (unsigned n = 0; n < 16; n += 4) {
        if (!close_f32(get32(got + n), get32(want + n))) {
            return false;
        }
    }
    return t->approximate;
}

static void compare_fpu(struct report *p, const struct diff_test *t, const uint8_t *want,
                        const uint8_t *got, const struct diff_taint *taint)
{
    number(p, "fcw", get16(want + FX_CW), get16(got + FX_CW), ~0u);
    number(p, "fsw", get16(want + FX_SW), get16(got + FX_SW), ~(uint32_t)taint->fsw);
    number(p, "tags", want[FX_TAGS], got[FX_TAGS], ~0u);
    number(p, "mxcsr", get32(want + FX_MXCSR), get32(got + FX_MXCSR), ~0u);
    for (unsigned n = 0; n < 8; n++) {
        const uint8_t *w = want + FX_ST + n * 16, *g = got + FX_ST + n * 16;
        if (memcmp(w, g, 10) != 0 && !(t->ulp && close_f80(w, g, t->ulp))) {
            differs(p, "st sign, exponent ", n, get16(w + 8), get16(g + 8));
            differs(p, "st significand ", n, get64(w), get64(g));
        }
        w = want + FX_XMM + n * 16;
        g = got + FX_XMM + n * 16;
        if (!same_xmm(t, w, g)) {
            differs(p, "high xmm", n, get64(w + 8), get64(g + 8));
            differs(p, "low xmm", n, get64(w), get64(g));
        }
    }
}

static bool in_hole(const struct diff_test *t, uint32_t la)
{
    for (unsigned n = 0; n < t->nholes; n++) {
        if (la - t->hole[n].at < t->hole[n].len) {
            return true;
        }
    }
    return false;
}

static void compare_memory(struct report *p, const struct run *r)
{
    const uint8_t *want = host_window(r->host), *got = core_window(r->core);

    if (memcmp(want, got, WIN_SIZE) == 0) {
        return;
    }
    for (unsigned n = 0; n < WIN_SIZE; n++) {
        if (want[n] != got[n] && !in_hole(&r->test, WIN_LA + n)) {
            differs(p, "memory offset ", n, want[n], got[n]);
        }
    }
}

static unsigned compare(const struct run *r, FILE *to)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    static const char *const segs[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    const struct diff_result *w = &r->want, *g = &r->got;
    struct diff_taint taint = final_taint(&r->test, g);
    struct report p = {.to = to};

    number(&p, "exception", w->trap, g->trap, ~0u);
    if (w->trap != EXC_PF) {
        number(&p, "error code", w->err, g->err, ~0u);
    } else if (w->cr2 - r->test.image.at >= r->test.image.len) {
        number(&p, "error code", w->err, g->err, ~(uint32_t)PF_FETCH);
        number(&p, "cr2", w->cr2, g->cr2, ~0u);
    }
    for (unsigned n = 0; n < 8; n++) {
        number(&p, names[n], w->s.r[n], g->s.r[n], ~0u);
    }
    number(&p, "eip", w->s.eip, g->s.eip, ~0u);
    number(&p, "eflags", w->s.eflags, g->s.eflags, EFLAGS_COMPARED & ~(uint32_t)taint.flags);
    for (unsigned n = 0; n < 6; n++) {
        /* The kernel's return to the signal handler has cleared the RPL of null selectors. */
        uint32_t got = w->trap != TRAP_NONE && g->s.sel[n] < 4 ? 0 : g->s.sel[n];
        number(&p, segs[n], w->s.sel[n], got, ~0u);
    }
    compare_fpu(&p, &r->test, w->s.fx, g->s.fx, &taint);
    compare_memory(&p, r);
    return p.count;
}

static bool run_both(struct run *r)
{
    core_load(r->core, &r->test);
    core_run(r->core);
    core_result(r->core, &r->got);
    host_run(r->host, &r->test, &r->want);
    return compare(r, NULL) == 0;
}

/* --- shrinking ------------------------------------------------------------------------------- */

/* Finds again what the test does; false when it is no fit test any more. */
static bool replan(struct run *r, struct diff_test *t)
{
    uint8_t code[DIFF_MAX_INSNS][DECODE_MAX_LEN];
    unsigned n = t->n, len[DIFF_MAX_INSNS];

    for (unsigned k = 0; k < n; k++) {
        len[k] = t->d[k].len;
        memcpy(code[k], t->code + t->at[k], len[k]);
    }
    memset(t->code, 0xcc, sizeof t->code);
    t->nholes = 0;
    t->traps = t->approximate = false;
    t->n = 0;
    for (unsigned k = 0; k < n; k++) {
        memcpy(t->code + t->at[k], code[k], len[k]);
        t->len = t->at[k] + len[k];
        t->at[k + 1] = (uint8_t)t->len;
        if (k == 0) {
            core_load(r->core, t);
        } else {
            core_set_code(r->core, t);
        }
        enum plan p = diff_plan(r->core, t, k);
        if (p == PLAN_DROP) {
            return false;
        }
        t->n = k + 1;
        if (p == PLAN_END) {
            break;
        }
    }
    diff_finish(t);
    return t->n > 0;
}

/* Keeps the changed test when it still shows a difference. */
static bool try_change(struct run *r, const struct diff_test *changed)
{
    struct diff_test old = r->test;

    r->test = *changed;
    if (replan(r, &r->test) && !run_both(r)) {
        return true;
    }
    r->test = old;
    return false;
}

static void remove_insn(struct diff_test *t, unsigned k)
{
    uint8_t code[DIFF_MAX_CODE];
    unsigned to = 0, n = 0;

    memset(code, 0xcc, sizeof code);
    for (unsigned j = 0; j < t->n; j++) {
        if (j != k) {
            memcpy(code + to, t->code + t->at[j], t->d[j].len);
            t->at[n] = (uint8_t)to;
            to += t->d[j].len;
            t->d[n++] = t->d[j];
        }
    }
    t->n = n;
    memcpy(t->code, code, sizeof code);
}

static bool try_zero(struct run *r, size_t offset, size_t size, uint32_t value)
{
    struct diff_test t = r->test;
    uint8_t *p = (uint8_t *)&t.before + offset, image[16] = {0};

    memcpy(image, &value, sizeof value);
    if (memcmp(p, image, size) == 0) {
        return false;
    }
    memcpy(p, image, size);
    return try_change(r, &t);
}

static bool shrink_once(struct run *r)
{
    bool better = false;

    for (unsigned k = r->test.n; k-- > 0 && r->test.n > 1;) {
        struct diff_test t = r->test;
        if (k < t.n) {
            remove_insn(&t, k);
            better |= try_change(r, &t);
        }
    }
    for (unsigned n = 0; n < 8; n++) {
        better |= try_zero(r, offsetof(struct diff_state, r) + n * 4, 4, 0);
        better |= try_zero(r, offsetof(struct diff_state, fx) + FX_ST + n * 16, 10, 0);
        better |= try_zero(r, offsetof(struct diff_state, fx) + FX_XMM + n * 16, 16, 0);
    }
    better |= try_zero(r, offsetof(struct diff_state, eflags), 4, 0x202);
    better |= try_zero(r, offsetof(struct diff_state, fx) + FX_CW, 2, 0x37f);
    better |= try_zero(r, offsetof(struct diff_state, fx) + FX_SW, 2, 0);
    better |= try_zero(r, offsetof(struct diff_state, fx) + FX_TAGS, 1, 0xff);
    better |= try_zero(r, offsetof(struct diff_state, fx) + FX_TAGS, 1, 0);
    better |= try_zero(r, offsetof(struct diff_state, fx) + FX_MXCSR, 4, 0x1f80);
    for (unsigned n = 0; n < FILL_SIZE; n += 64) {
        struct diff_test t = r->test;
        bool any = false;
        for (unsigned k = 0; k < 64; k++) {
            any = any || t.fill[n + k];
        }
        if (any) {
            memset(t.fill + n, 0, 64);
            better |= try_change(r, &t);
        }
    }
    return better;
}

/* --- output ---------------------------------------------------------------------------------- */

static void print_state(const struct diff_test *t)
{
    const struct diff_state *s = &t->before;
    const uint8_t *fx = s->fx;

    printf("  eax %08x ecx %08x edx %08x ebx %08x esp %08x ebp %08x esi %08x edi %08x\n",
           (unsigned)s->r[0], (unsigned)s->r[1], (unsigned)s->r[2], (unsigned)s->r[3],
           (unsigned)s->r[4], (unsigned)s->r[5], (unsigned)s->r[6], (unsigned)s->r[7]);
    printf("  eflags %x cs %02x ss %02x ds %02x es %02x fs %02x gs %02x fcw %x fsw %x tags %02x "
           "mxcsr %x\n", (unsigned)s->eflags, (unsigned)s->sel[SEG_CS], (unsigned)s->sel[SEG_SS],
           (unsigned)s->sel[SEG_DS], (unsigned)s->sel[SEG_ES], (unsigned)s->sel[SEG_FS],
           (unsigned)s->sel[SEG_GS], get16(fx + FX_CW), get16(fx + FX_SW), fx[FX_TAGS],
           (unsigned)get32(fx + FX_MXCSR));
    for (unsigned n = 0; n < 8; n++) {
        const uint8_t *st = fx + FX_ST + n * 16, *x = fx + FX_XMM + n * 16;
        if (get64(st) | get16(st + 8)) {
            printf("  st%u %04x %016llx\n", n, get16(st + 8), (unsigned long long)get64(st));
        }
        if (get64(x) | get64(x + 8)) {
            printf("  xmm%u %016llx %016llx\n", n, (unsigned long long)get64(x + 8),
                   (unsigned long long)get64(x));
        }
    }
    for (unsigned n = 0; n < FILL_SIZE; n += 16) {
        if (get64(t->fill + n) | get64(t->fill + n + 8)) {
            printf("  %08x:", WIN_LA + FILL_AT + n);
            for (unsigned k = 0; k < 16; k++) {
                printf(" %02x", t->fill[n + k]);
            }
            printf("\n");
        }
    }
}

static void print_code(const struct diff_test *t)
{
    uint32_t start = t->code_la - t->cs_base;

    for (unsigned k = 0; k < t->n; k++) {
        char text[96];
        snprintf(text, sizeof text, "(reserved)");
        if (t->d[k].op != OP_INVALID) {
            disasm(&t->d[k], start + t->at[k], text, sizeof text);
        }
        printf("    %08x ", (unsigned)(start + t->at[k]));
        for (unsigned n = 0; n < t->d[k].len; n++) {
            printf(" %02x", t->code[t->at[k] + n]);
        }
        printf("%*s%s\n", t->d[k].len < 10 ? 3 * (10 - t->d[k].len) + 1 : 1, "", text);
    }
}

static void show(struct run *r, unsigned class, uint64_t number)
{
    printf("difference: -seed %llu -class %s -first %llu\n", (unsigned long long)r->seed,
           diff_class_name(class), (unsigned long long)number);
    if (r->shrink) {
        for (unsigned rounds = 0; rounds < 8 && shrink_once(r); rounds++) {
        }
        run_both(r);
    }
    print_state(&r->test);
    print_code(&r->test);
    compare(r, stdout);
    fflush(stdout);
}

/* --- run ------------------------------------------------------------------------------------- */

static void run_test(struct run *r, unsigned class, uint64_t number)
{
    struct tally *y = &r->tally[class];

    gen_test(r->gen, r->core, class, number, &r->test);
    r->test.ulp = r->test.approximate ? r->ulp : 0;
    y->tests++;
    y->insns += r->test.n;
    y->traps += r->test.traps;
    if (run_both(r)) {
        return;
    }
    if (run_both(r)) {
        y->unsteady++;
    } else if (++y->differences <= (uint64_t)r->show) {
        show(r, class, number);
    }
}

static int run_all(struct run *r)
{
    uint64_t done = 0, differences = 0;

    for (uint64_t number = r->first; done < r->count; number++) {
        for (unsigned class = 0; class < CLASS_COUNT && done < r->count; class++) {
            if (r->classes >> class & 1) {
                uint64_t before = r->tally[class].insns;
                run_test(r, class, number);
                done += r->tally[class].insns - before;
            }
        }
    }
    printf("%-8s %12s %12s %12s %12s %9s\n", "class", "tests", "instructions", "exceptions",
           "differences", "unsteady");
    for (unsigned class = 0; class < CLASS_COUNT; class++) {
        const struct tally *y = &r->tally[class];
        if (y->tests) {
            printf("%-8s %12llu %12llu %12llu %12llu %9llu\n", diff_class_name(class),
                   (unsigned long long)y->tests, (unsigned long long)y->insns,
                   (unsigned long long)y->traps, (unsigned long long)y->differences,
                   (unsigned long long)y->unsteady);
            differences += y->differences;
        }
    }
    return differences != 0;
}

static bool parse_classes(struct run *r, const char *list)
{
    r->classes = 0;
    while (*list) {
        size_t len = strcspn(list, ",");
        unsigned class = 0;
        while (class < CLASS_COUNT && (strlen(diff_class_name(class)) != len ||
                                       memcmp(diff_class_name(class), list, len) != 0)) {
            class++;
        }
        if (class == CLASS_COUNT) {
            return false;
        }
        r->classes |= 1u << class;
        list += len + (list[len] == ',');
    }
    return r->classes != 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: diff_native [-seed N] [-first N] [-count INSTRUCTIONS] [-class a,b,..] "
                    "[-generic] [-show N] [-ulp N] [-shrink]\nclasses:");
    for (unsigned class = 0; class < CLASS_COUNT; class++) {
        fprintf(stderr, " %s", diff_class_name(class));
    }
    fprintf(stderr, "\n");
    return 2;
}

static bool parse(struct run *r, int argc, char **argv)
{
    for (int n = 1; n < argc; n++) {
        const char *value = n + 1 < argc ? argv[n + 1] : NULL;
        if (strcmp(argv[n], "-generic") == 0) {
            r->generic = true;
        } else if (strcmp(argv[n], "-shrink") == 0) {
            r->shrink = true;
        } else if (!value) {
            return false;
        } else if (strcmp(argv[n], "-seed") == 0) {
            r->seed = strtoull(argv[++n], NULL, 0);
        } else if (strcmp(argv[n], "-first") == 0) {
            r->first = strtoull(argv[++n], NULL, 0);
        } else if (strcmp(argv[n], "-count") == 0) {
            r->count = strtoull(argv[++n], NULL, 0);
        } else if (strcmp(argv[n], "-ulp") == 0) {
            r->ulp = (unsigned)strtoul(argv[++n], NULL, 0);
        } else if (strcmp(argv[n], "-show") == 0) {
            r->show = strtol(argv[++n], NULL, 0);
        } else if (strcmp(argv[n], "-class") != 0 || !parse_classes(r, argv[++n])) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct run r = {.seed = 1, .count = 400000, .classes = (1u << CLASS_COUNT) - 1, .show = 3,
                           .ulp = 2};
    const char *why;

    if (!parse(&r, argc, argv)) {
        return usage();
    }
    r.host = host_new(&why);
    if (!r.host) {
        printf("skipped: %s\n", why);
        return SKIPPED;
    }
    r.core = core_new(r.generic);
    r.gen = gen_new(r.seed);
    if (!r.core || !r.gen) {
        fprintf(stderr, "not enough memory\n");
        return 2;
    }
    int status = run_all(&r);
    gen_free(r.gen);
    core_free(r.core);
    host_free(r.host);
    return status;
}
