/*
 * Build-time generator of the specialised handlers.
 *
 * It holds the bodies of handlers.inc as text and prints copies in which register operands and
 * addresses are constants, flags that nobody reads are not computed (nf_ functions of sem.inc), or
 * a conditional branch is joined to the instruction before it.  Nothing is known here about what an
 * instruction does.
 *
 *   fastgen DIR   writes DIR/fastgen0.c .. (functions of the tail shape), DIR/fastgen_goto.inc
 *                 (labels of the goto shape, a subset) and DIR/fastgen_rows.inc (what specialise.c
 *                 searches, for either shape)
 *
 * The table `rows` says which form is specialised over what, natively and for the goto shape:
 *   d, s   destination and source register (8 each); D: both in one, the same register (TEST r,r)
 *   B A N V G  address: [base+disp], [disp], [base+index*scale+disp] with scale 1 or the operand
 *          size, the same with the scale from the record, any address from the record
 *   comma  separates families, an empty text means none
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory/base.h"

#define UNITS 8

/* --- the generic bodies as text --------------------------------------------------------------- */

struct body {
    const char *name, *text;
};

#define OP(name, ...) OP_TEXT(name, __VA_ARGS__)
#define OP_TEXT(name, ...) {#name, #__VA_ARGS__},
static const struct body bodies[] = {
#include "cpu/handlers.inc"
};
#undef OP
#undef OP_TEXT

static const char *body_text(const char *name)
{
    for (size_t k = 0; k < ARRAY_LEN(bodies); k++) {
        if (!strcmp(bodies[k].name, name)) {
            return bodies[k].text;
        }
    }
    fprintf(stderr, "fastgen: no handler %s\n", name);
    exit(1);
}

/* --- what is specialised ---------------------------------------------------------------------- */

enum { PLAIN, NO_FLAGS, FUSED, VARIANTS };
#define BIT(v) (1u << (v))

struct row {
    const char *names, *suffix; /* handlers: every word of names with the suffix */
    unsigned variants;
    const char *native, *small;
};

#include "cpu/gen/fastrows.h"

/* Conditions worth joining: all but O, NO, P, NP. */
static const unsigned char fused_cc[] = {2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15};

/* --- text ------------------------------------------------------------------------------------- */

struct text {
    char s[2048];
};

static void set(struct text *t, const char *format, ...) FORMAT_PRINTF(2, 3);
static void set(struct text *t, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(t->s, sizeof t->s, format, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof t->s) {
        fprintf(stderr, "fastgen: text too long\n");
        exit(1);
    }
}

/* Replaces every occurrence of a; returns how many there were. */
static unsigned replace(struct text *t, const char *a, const char *b)
{
    struct text out = {""};
    size_t n = 0;
    unsigned count = 0;
    for (const char *p = t->s; *p;) {
        const char *from = p;
        size_t len = 1;
        if (!strncmp(p, a, strlen(a))) {
            from = b;
            len = strlen(b);
            p += strlen(a);
            count++;
        } else {
            p++;
        }
        if (n + len >= sizeof out.s) {
            fprintf(stderr, "fastgen: text too long\n");
            exit(1);
        }
        memcpy(out.s + n, from, len);
        n += len;
    }
    *t = out;
    return count;
}

static void need(unsigned found, const char *name, const char *what)
{
    if (!found) {
        fprintf(stderr, "fastgen: %s has no %s\n", name, what);
        exit(1);
    }
}

/* --- one handler ------------------------------------------------------------------------------ */

struct choice {
    int dst, src, base, index, scale, cc; /* -1: not fixed; base 8: none */
    char address;                         /* B A N V G or 0 */
    bool same;                            /* src is dst */
    unsigned variant;
};

/* Lane of a register operand: the body says R8(i->dst) and the like. */
static unsigned fix_register(struct text *t, const char *field, int reg)
{
    unsigned found = 0;
    for (unsigned n = 8; n <= 32; n *= 2) {
        struct text from, to;
        set(&from, "R%u(i->%s)", n, field);
        set(&to, "R%u(OFF%u(%d))", n, n, reg);
        found += replace(t, from.s, to.s);
    }
    return found;
}

static void fix_address(struct text *t, const struct choice *h, const char *name)
{
    struct text ea;
    switch (h->address) {
    case 'B':
        set(&ea, "(uint32_t)(i->disp + R32(OFF32(%d)))", h->base);
        break;
    case 'A':
        set(&ea, "i->disp");
        break;
    case 'N':
    case 'V':
        set(&ea, "(uint32_t)(i->disp + ");
        if (h->base < 8) {
            snprintf(ea.s + strlen(ea.s), 64, "R32(OFF32(%d)) + ", h->base);
        }
        if (h->address == 'N') {
            snprintf(ea.s + strlen(ea.s), 64, "(R32(OFF32(%d)) << %d))", h->index, h->scale);
        } else {
            snprintf(ea.s + strlen(ea.s), 64, "(R32(OFF32(%d)) << i->scale))", h->index);
        }
        break;
    default:
        return;
    }
    struct text flat;
    set(&flat, "uint32_t la = %s;", ea.s);
    need(replace(t, "ADDR_FLAT", flat.s) + replace(t, "EA_FLAT", ea.s), name, "address");
    replace(t, "i->a16 ?", "0 ?");
}

/* The condition of the branch behind: compares test their operands, everything else its flags. */
static void fuse(struct text *t, int cc, const char *name)
{
    struct text cond, tail;
    set(&cond, "FUSE_CMP(%d, ", cc);
    bool compare = false;
    for (unsigned n = 8; n <= 32; n *= 2) {
        struct text from, to;
        set(&from, "(void)sem_sub%u(c, ", n);
        set(&to, "FUSE_CMP(%u, %d, ", n, cc);
        compare = replace(t, from.s, to.s) || compare;
        set(&from, "(void) sem_sub%u(c, ", n);
        compare = replace(t, from.s, to.s) || compare;
    }
    if (compare) {
        set(&tail, "FUSED(fused_)");
    } else {
        set(&tail, "FUSED(flag_cond(c, %d))", cc);
    }
    need(replace(t, "NEXT", tail.s), name, "NEXT");
}

static void specialise(struct text *t, const char *name, const struct choice *h)
{
    set(t, "%s", body_text(name));
    if (h->dst >= 0) {
        need(fix_register(t, "dst", h->dst), name, "dst");
    }
    if (h->src >= 0) {
        need(fix_register(t, "src", h->src), name, "src");
    } else if (h->same) {
        need(fix_register(t, "src", h->dst), name, "src");
    }
    fix_address(t, h, name);
    if (h->variant == NO_FLAGS) {
        need(replace(t, "sem_", "nf_"), name, "flags");
    } else if (h->variant == FUSED) {
        fuse(t, h->cc, name);
    }
}

static void handler_name(struct text *t, const char *name, const struct choice *h)
{
    static const char *const suffix[] = {"", "_nf", "_j"};
    size_t n = sizeof t->s;
    char *s = t->s;
    int len = snprintf(s, n, "%s%s", name, suffix[h->variant]);
    const int part[] = {h->cc, h->dst, h->src, h->base, h->index, h->scale};
    for (unsigned k = 0; k < ARRAY_LEN(part); k++) {
        if (part[k] >= 0) {
            len += snprintf(s + len, n - (size_t)len, "_%c%d", "cdsbxm"[k], part[k]);
        }
    }
    if (h->address) {
        len += snprintf(s + len, n - (size_t)len, "_%c", h->address);
    }
    if (h->same) {
        snprintf(s + len, n - (size_t)len, "_same");
    }
}

/* --- families --------------------------------------------------------------------------------- */

/* Where the handlers of one shape go. */
struct output {
    FILE *code[UNITS], *rows;
    unsigned count[UNITS], families, units;
    bool small;
};

static void emit(struct output *o, unsigned unit, const char *name, const struct choice *h)
{
    struct text id, body;
    handler_name(&id, name, h);
    specialise(&body, name, h);
    fprintf(o->code[unit], "FAST(%s, %s)\n", id.s, body.s);
    o->count[unit]++;
}

/* log2 of the operand size, the scale that arrays of it are indexed with. */
static int natural_scale(const char *text)
{
    for (int k = 0; k < 2; k++) {
        struct text load, store;
        set(&load, "LOAD(%d,", 8 << k);
        set(&store, "STORE(%d,", 8 << k);
        if (strstr(text, load.s) || strstr(text, store.s)) {
            return k;
        }
    }
    return 2;
}

/* All handlers of a family, in the order specialise.c computes. */
static void emit_family(struct output *o, const char *name, unsigned variant, const char *dims,
                        size_t len)
{
    bool d = memchr(dims, 'd', len), s = memchr(dims, 's', len), same = memchr(dims, 'D', len);
    char address = 0;
    for (size_t k = 0; k < len; k++) {
        if (strchr("BANVG", dims[k])) {
            address = dims[k];
        }
    }
    unsigned unit = 0;
    for (unsigned k = 1; k < o->units; k++) {
        unit = o->count[k] < o->count[unit] ? k : unit;
    }
    bool index = address == 'N' || address == 'V';
    int natural = natural_scale(body_text(name));
    int ncc = variant == FUSED ? (int)ARRAY_LEN(fused_cc) : 1;
    int ndst = d || same ? 8 : 1, nsrc = s ? 8 : 1, nbase = address == 'B' ? 8 : index ? 9 : 1,
        nindex = index ? 7 : 1, nscale = address == 'N' && natural ? 2 : 1;
    fprintf(o->rows, "ROW(%s, %u, '%c', %u, %u, %s%s%s%sROW_SCALE(%d))\n", name, variant,
            address ? address : '-', unit, o->count[unit], d ? "ROW_DST | " : "",
            s ? "ROW_SRC | " : "", same ? "ROW_DST | ROW_SAME | " : "",
            variant == FUSED ? "ROW_CC | " : "", address == 'N' ? natural + 1 : 0);
    for (int n = 0; n < ncc * ndst * nsrc * nbase * nindex * nscale; n++) {
        struct choice h = {.address = address, .same = same, .variant = variant};
        int v = n;
        h.scale = address == 'N' ? v % nscale * natural : -1;
        v /= nscale;
        h.index = index ? v % nindex + (v % nindex >= 4) : -1;
        v /= nindex;
        h.base = nbase > 1 ? v % nbase : -1;
        v /= nbase;
        h.src = s ? v % nsrc : -1;
        v /= nsrc;
        h.dst = d || same ? v % ndst : -1;
        v /= ndst;
        h.cc = variant == FUSED ? fused_cc[v] : -1;
        emit(o, unit, name, &h);
    }
    o->families++;
}

static void emit_handler(struct output *o, const struct row *r, const char *name)
{
    const char *spec = o->small ? r->small : r->native;
    while (*spec) {
        size_t len = strcspn(spec, ",");
        for (unsigned v = 0; v < VARIANTS; v++) {
            if (r->variants & BIT(v)) {
                emit_family(o, name, v, spec, len);
            }
        }
        spec += len + (spec[len] == ',');
    }
}

static void emit_rows(struct output *o)
{
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        char words[256];
        snprintf(words, sizeof words, "%s", rows[k].names);
        for (char *w = strtok(words, " "); w; w = strtok(NULL, " ")) {
            char name[64];
            snprintf(name, sizeof name, "%s%s", w, rows[k].suffix);
            emit_handler(o, &rows[k], name);
        }
    }
}

/* --- files ------------------------------------------------------------------------------------ */

static FILE *create(const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(1);
    }
    fprintf(f, "/* Made by fastgen.c. */\n");
    return f;
}

static void finish(FILE *f)
{
    if (fclose(f)) {
        perror("fastgen");
        exit(1);
    }
}

/* One array per unit, so that the functions stay static. */
static void write_native(const char *dir, FILE *rows_file)
{
    struct output o = {.rows = rows_file, .units = UNITS};
    for (unsigned k = 0; k < UNITS; k++) {
        char name[32];
        snprintf(name, sizeof name, "fastbody%u.inc", k);
        o.code[k] = create(dir, name);
    }
    fprintf(rows_file, "#if defined(DISPATCH_TAIL)\n");
    emit_rows(&o);
    fprintf(rows_file, "#define FAST_UNITS %u\n#endif\n", UNITS);
    unsigned total = 0;
    for (unsigned k = 0; k < UNITS; k++) {
        finish(o.code[k]);
        char name[32];
        snprintf(name, sizeof name, "fastgen%u.c", k);
        FILE *f = create(dir, name);
        fprintf(f, "#define FAST_UNIT_TABLE fast_unit%u\n"
                   "#define FAST_UNIT_BODIES \"cpu/fastbody%u.inc\"\n"
                   "#include \"cpu/fast_unit.h\"\n", k, k);
        finish(f);
        total += o.count[k];
    }
    printf("fastgen: %u handlers in %u families", total, o.families);
}

static void write_goto(const char *dir, FILE *rows_file)
{
    struct output o = {.rows = rows_file, .units = 1, .small = true};
    o.code[0] = create(dir, "fastgen_goto.inc");
    fprintf(rows_file, "#if defined(DISPATCH_GOTO)\n");
    emit_rows(&o);
    fprintf(rows_file, "#endif\n");
    finish(o.code[0]);
    printf(", %u in the goto shape\n", o.count[0]);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : ".";
    FILE *rows_file = create(dir, "fastgen_rows.inc");
    write_native(dir, rows_file);
    write_goto(dir, rows_file);
    finish(rows_file);
    return 0;
}
