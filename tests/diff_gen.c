/*
 * Makes random tests: instructions from the decoder's table, operands that are worth trying.
 *
 * Every row of the opcode map has the list of its encodings (prefix, opcode, ModR/M), found by
 * decoding all of them once.  An instruction is a row, one of its encodings, random prefixes, SIB,
 * displacement and immediate bytes; then its operands are aimed: addresses into the window, counts
 * that end, branches that come back.  Instructions are executed on the core while the sequence
 * grows, so addresses can be aimed at any place of it.
 */
#include "tests/diff.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/state.h"

struct encoding {
    uint8_t prefix; /* mandatory, or 0 */
    bool two;       /* after 0F */
    uint8_t opcode, modrm;
    bool has_modrm;
};

struct row_list {
    uint32_t first, count; /* in encodings[] */
};

struct class_rows {
    unsigned n;
    uint16_t *row;
};

struct diff_gen {
    uint64_t seed, state;
    struct encoding *encodings;
    struct row_list *rows;
    struct class_rows class[CLASS_COUNT];
};

/* One instruction in the making. */
struct maker {
    struct diff_gen *g;
    struct diff_core *c;
    struct diff_test *t;
    unsigned class, k;
    uint8_t code[24];
    unsigned len;
    unsigned disp_at, disp_len; /* displacement bytes in code[] */
    struct decoded d;
    unsigned pinned; /* registers that already have a purpose */
};

static const char *const class_names[CLASS_COUNT] = {
    "int", "string", "sys", "seg", "x87", "trans", "mmx", "sse", "sse2", "sse3", "approx", "mix",
    "ud",
};

const char *diff_class_name(unsigned class)
{
    return class < CLASS_COUNT ? class_names[class] : NULL;
}

/* --- random numbers -------------------------------------------------------------------------- */

static uint64_t mix64(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t rnd64(struct diff_gen *g)
{
    return mix64(g->state += 0x9e3779b97f4a7c15u);
}

static uint32_t rnd(struct diff_gen *g, uint32_t below)
{
    return (uint32_t)((rnd64(g) >> 32) * below >> 32);
}

static bool chance(struct diff_gen *g, unsigned percent)
{
    return rnd(g, 100) < percent;
}

/* --- values ---------------------------------------------------------------------------------- */

static uint32_t rnd_int(struct diff_gen *g)
{
    static const uint32_t special[] = {
        0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
        0xffffffff, 0xfffffffe, 0x55555555, 0xaaaaaaaa, 9, 0x99, 0x9a, 0x0f, 0x10, 31, 32, 33,
    };
    uint64_t r = rnd64(g);

    switch (r >> 61) {
    case 0:
    case 1:
        return special[(uint32_t)r % ARRAY_LEN(special)];
    case 2:
        return (uint32_t)r >> (r >> 32 & 31);
    case 3:
        return 0u - ((uint32_t)r >> (r >> 32 & 31));
    default:
        return (uint32_t)r;
    }
}

static uint32_t rnd_f32(struct diff_gen *g)
{
    static const uint32_t special[] = {
        0, 0x3f800000, 0x7f800000, 0x7fc00000, 0x7f800001, 0x7fa00000, 1, 0x007fffff, 0x00800000,
        0x7f7fffff, 0x4f000000, 0x4effffff, 0x3f000000, 0x3effffff, 0x40490fdb, 0x4b000000,
        0x4b800001, 0x5f000000, 0x5effffff, 0x00400000,
    };
    uint64_t r = rnd64(g);
    uint32_t sign = (uint32_t)r & 0x80000000u, bits = (uint32_t)r & 0x7fffff;

    switch (r >> 61) {
    case 0:
    case 1:
        return special[(uint32_t)r % ARRAY_LEN(special)] | sign;
    case 2:
    case 3:
        return sign | (100 + (uint32_t)(r >> 32) % 56) << 23 | bits;
    case 4: /* few significant bits: exact results, ties */
        return sign | (118 + (uint32_t)(r >> 32) % 40) << 23 | (bits & 0x780000);
    default:
        return (uint32_t)r;
    }
}

static uint64_t rnd_f64(struct diff_gen *g)
{
    static const uint64_t special[] = {
        0, 0x3ff0000000000000, 0x7ff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001,
        0x7ff4000000000000, 1, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff,
        0x41dfffffffc00000, 0x41e0000000000000, 0x43e0000000000000, 0x36a0000000000000,
        0x380fffffffffffff, 0x47efffffe0000000, 0x47f0000000000000, 0x3fe0000000000000,
        0x400921fb54442d18, 0x41f0000000000000, 0x3810000000000000, 0x380fffffe0000000,
    };
    uint64_t r = rnd64(g), x = rnd64(g);
    uint64_t sign = x & (uint64_t)1 << 63, bits = x & 0xfffffffffffff;

    switch (r >> 61) {
    case 0:
    case 1:
        return special[(uint32_t)r % ARRAY_LEN(special)] | sign;
    case 2:
    case 3:
        return sign | (uint64_t)(1000 + (uint32_t)r % 60) << 52 | bits;
    case 4:
        return sign | (uint64_t)(1010 + (uint32_t)r % 60) << 52 | (bits & 0xf000000000000);
    case 5: /* around the limits of single precision */
        return sign | (uint64_t)(((uint32_t)r & 1 ? 870 : 1140) + (uint32_t)(r >> 8) % 30) << 52 |
               (r & 2 ? bits : bits & 0xfffffe0000000);
    default:
        return x;
    }
}

struct wide {
    uint64_t sig;
    uint16_t sexp;
};

static struct wide rnd_f80(struct diff_gen *g)
{
    uint64_t r = rnd64(g), x = rnd64(g);
    unsigned kind = (unsigned)(r >> 58), sign = (unsigned)r & 0x8000, e = (unsigned)(r >> 16);
    uint64_t top = (uint64_t)1 << 63;

    if (kind < 3) {
        return (struct wide){0, (uint16_t)sign};
    } else if (kind < 6) {
        return (struct wide){top, (uint16_t)(sign | 0x7fff)};
    } else if (kind < 9) {
        return (struct wide){x | (uint64_t)3 << 62, (uint16_t)(sign | 0x7fff)};
    } else if (kind < 11) {
        return (struct wide){(x >> 2 | 1) | top, (uint16_t)(sign | 0x7fff)};
    } else if (kind < 14) {
        return (struct wide){x >> 1 >> (e & 63 & e >> 6), (uint16_t)sign}; /* denormal */
    } else if (kind < 15) {
        return (struct wide){x | top, (uint16_t)sign}; /* pseudo-denormal */
    } else if (kind < 16) {
        return (struct wide){x >> 1, (uint16_t)(sign | e % 0x8000)}; /* unnormal, pseudo-NaN */
    } else if (kind < 22) {
        static const uint16_t exps[] = {16383, 16384, 16382, 16414, 16446, 16398, 1, 0x7ffe};
        return (struct wide){top, (uint16_t)(sign | exps[e & 7])};
    } else if (kind < 34) { /* integers and fractions of few bits */
        unsigned drop = 24 + e % 40;
        return (struct wide){(x >> drop << drop) | top,
                             (uint16_t)(sign | (16383 - 4 + (e >> 6) % 44))};
    } else if (kind < 54) {
        return (struct wide){x | top, (uint16_t)(sign | (16383 - 40 + e % 110))};
    }
    return (struct wide){x | top, (uint16_t)(sign | (1 + e % 0x7ffe))};
}

static bool float_class(unsigned class)
{
    return class == CLASS_X87 || class == CLASS_TRANS;
}

/* 16 bytes of memory that mean something to the class. */
static void rnd_block(struct diff_gen *g, unsigned class, uint8_t *p)
{
    unsigned kind = rnd(g, 8);

    put64(p, rnd64(g));
    put64(p + 8, rnd64(g));
    if (class == CLASS_MIX) {
        class = CLASS_INT + rnd(g, CLASS_MIX);
    }
    if (float_class(class)) {
        if (kind < 3) {
            struct wide v = rnd_f80(g);
            put64(p, v.sig);
            put16(p + 8, v.sexp);
        } else if (kind < 5) {
            put64(p, rnd_f64(g));
            put64(p + 8, rnd_f64(g));
        } else if (kind < 7) {
            put32(p, rnd_f32(g));
            put32(p + 4, rnd_f32(g));
            put32(p + 8, rnd_int(g));
        }
    } else if (class >= CLASS_MMX) {
        if (kind < 4) {
            for (unsigned n = 0; n < 16; n += 4) {
                put32(p + n, rnd_f32(g));
            }
        } else if (kind < 7) {
            put64(p, rnd_f64(g));
            put64(p + 8, rnd_f64(g));
        }
    } else if (kind < 3) {
        for (unsigned n = 0; n < 16; n += 4) {
            put32(p + n, rnd_int(g));
        }
    } else if (kind == 3) {
        memset(p, (int)rnd(g, 256), 16);
    }
}

static uint32_t rnd_selector(struct diff_gen *g)
{
    static const uint16_t gdt[] = {SEL_USER_DS, SEL_USER_DS, SEL_USER32, 0, 1, 2, 3, 0x28, 0x2a,
                                   0x20, 0x08, 0x10, 0x18, 0x40, 0x50, 0x63, 0x80};

    switch (rnd(g, 8)) {
    case 0:
        return rnd(g, 65536);
    case 1:
    case 2:
    case 3:
        return gdt[rnd(g, ARRAY_LEN(gdt))];
    default:
        return LDT_SEL(rnd(g, LDT_COUNT + 1)) & ~(chance(g, 10) ? rnd(g, 4) : 0);
    }
}

/* A linear address for an operand. */
static uint32_t rnd_target(struct diff_gen *g, unsigned size)
{
    unsigned align = size > 16 || size == 0 ? 16 : size == 10 ? 8 : size == 6 ? 2 : size;
    uint32_t from = WIN_LA + FILL_AT, at = from + rnd(g, FILL_SIZE - size);

    switch (rnd(g, 64)) {
    case 0: /* across the pages */
        return WIN_LA + 0x1000 - rnd(g, size + 1);
    case 1: /* into the read-only page, and behind it */
        return RO_LA - rnd(g, size + 1) + (chance(g, 50) ? RO_SIZE : 0);
    case 2:
        return chance(g, 50) ? RO_LA + rnd(g, 0x800) : WIN_LA - rnd(g, size + 1);
    case 3:
        return chance(g, 50) ? rnd_int(g) : CODE_LA + rnd(g, CODE_SIZE);
    default:
        return chance(g, 25) ? at : align ? at / align * align : at;
    }
}

/* --- rows ------------------------------------------------------------------------------------ */

static bool is_trans(unsigned op)
{
    return op == OP_F2XM1 || op == OP_FYL2X || op == OP_FPTAN || op == OP_FPATAN ||
           op == OP_FYL2XP1 || op == OP_FSINCOS || op == OP_FSIN || op == OP_FCOS;
}

static bool is_system(const struct oprow *r)
{
    switch (r->op) {
    case OP_MOV_SREG:
    case OP_PUSH_SREG:
    case OP_POP_SREG:
    case OP_CALL_FAR_PTR:
    case OP_CALL_FAR_IND:
    case OP_JMP_FAR_PTR:
    case OP_JMP_FAR_IND:
    case OP_RET_FAR:
    case OP_INT3:
    case OP_INTO:
    case OP_ICEBP:
    case OP_UD1:
    case OP_UD2:
    case OP_BOUND:
    case OP_ARPL:
    case OP_RDPMC:
        return true;
    default:
        return (r->attr & (AT_CPL0 | AT_IO | AT_IOPL | AT_V86 | AT_PROT | AT_SEG)) != 0;
    }
}

static bool row_in_class(const struct oprow *r, unsigned class)
{
    bool fpu = (r->attr & AT_FPU) != 0, approx, simd = (r->attr & (AT_MMX | AT_SSE)) != 0;

    approx = r->op == OP_RCPPS || r->op == OP_RCPSS || r->op == OP_RSQRTPS || r->op == OP_RSQRTSS;
    switch (class) {
    case CLASS_INT:
        return !fpu && !simd && !(r->attr & AT_REP) && !is_system(r);
    case CLASS_STRING:
        return (r->attr & AT_REP) != 0;
    case CLASS_SYS:
        return is_system(r) && !(r->attr & AT_REP);
    case CLASS_SEG:
        return !simd && !is_trans(r->op);
    case CLASS_X87:
        return fpu && !is_trans(r->op);
    case CLASS_TRANS:
        return is_trans(r->op);
    case CLASS_MMX:
        return (r->attr & AT_MMX) && !(r->attr & AT_SSE);
    case CLASS_SSE:
        return r->feature == FT_SSE && (r->attr & AT_SSE) && !approx;
    case CLASS_SSE2:
        return r->feature == FT_SSE2 && !(r->attr & AT_MMX && !(r->attr & AT_SSE));
    case CLASS_SSE3:
        return r->feature == FT_SSE3;
    case CLASS_APPROX:
        return approx;
    case CLASS_UD:
        return false;
    default:
        return true;
    }
}

/* Calls visit for every encoding that stands for itself; a prefix that changes nothing does not. */
static void sweep(struct diff_gen *g, void (*visit)(struct diff_gen *, unsigned row,
                                                    const struct encoding *))
{
    static const uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2};
    struct decoded d, plain;

    for (unsigned p = 0; p < 4; p++) {
        for (unsigned opcode = 0; opcode < 512; opcode++) {
            for (unsigned modrm = 0; modrm < 256; modrm++) {
                struct encoding e = {.prefix = prefixes[p], .two = opcode >> 8,
                                     .opcode = (uint8_t)opcode, .modrm = (uint8_t)modrm};
                uint8_t b[DECODE_MAX_LEN + 1] = {0};
                unsigned n = 1;
                b[0] = e.prefix;
                if (e.two) {
                    b[n++] = 0x0f;
                }
                b[n++] = e.opcode;
                b[n++] = e.modrm;
                b[n] = 0x24;
                unsigned skip = p == 0;
                if (decode(b + skip, DECODE_MAX_LEN, CODE32, &d) != DEC_OK || d.nprefix != !skip) {
                    continue; /* reserved, or the opcode is a prefix */
                }
                if (p && decode(b + 1, DECODE_MAX_LEN, CODE32, &plain) == DEC_OK &&
                    plain.row == d.row) {
                    continue;
                }
                e.has_modrm = (d.attr & AT_MODRM) != 0 || decode_row(d.row)->attr & AT_MODRM ||
                              d.attr & AT_FPU;
                e.has_modrm = e.has_modrm && d.op != OP_FWAIT;
                if (modrm == 0 || e.has_modrm) {
                    visit(g, d.row, &e);
                }
            }
        }
    }
}

static void count_encoding(struct diff_gen *g, unsigned row, const struct encoding *e)
{
    (void)e;
    g->rows[row].count++;
}

static void keep_encoding(struct diff_gen *g, unsigned row, const struct encoding *e)
{
    g->encodings[g->rows[row].first + g->rows[row].count++] = *e;
}

static bool build_rows(struct diff_gen *g)
{
    unsigned rows = decode_row_count();
    uint32_t total = 0;

    g->rows = calloc(rows, sizeof *g->rows);
    if (!g->rows) {
        return false;
    }
    sweep(g, count_encoding);
    for (unsigned r = 0; r < rows; r++) {
        g->rows[r].first = total;
        total += g->rows[r].count;
        g->rows[r].count = 0;
    }
    g->encodings = calloc(total, sizeof *g->encodings);
    if (!g->encodings) {
        return false;
    }
    sweep(g, keep_encoding);
    for (unsigned k = 0; k < CLASS_COUNT; k++) {
        struct class_rows *c = &g->class[k];
        c->row = calloc(rows, sizeof *c->row);
        if (!c->row) {
            return false;
        }
        for (unsigned r = 0; r < rows; r++) {
            if (g->rows[r].count && row_in_class(decode_row(r), k)) {
                c->row[c->n++] = (uint16_t)r;
            }
        }
    }
    return true;
}

struct diff_gen *gen_new(uint64_t seed)
{
    struct diff_gen *g = calloc(1, sizeof *g);

    if (g) {
        g->seed = seed;
        if (!build_rows(g)) {
            gen_free(g);
            g = NULL;
        }
    }
    return g;
}

void gen_free(struct diff_gen *g)
{
    for (unsigned k = 0; k < CLASS_COUNT; k++) {
        free(g->class[k].row);
    }
    free(g->rows);
    free(g->encodings);
    free(g);
}

/* --- one instruction: bytes ------------------------------------------------------------------ */

static void byte(struct maker *m, unsigned b)
{
    m->code[m->len++] = (uint8_t)b;
}

static void add_prefixes(struct maker *m, const struct oprow *row, const struct encoding *e)
{
    static const uint8_t seg[] = {0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65};
    struct diff_gen *g = m->g;
    bool mem = e->has_modrm && e->modrm < 0xc0;

    if (chance(g, m->t->code16 ? 50 : 4)) {
        byte(m, 0x67);
    }
    if (chance(g, m->class == CLASS_SEG ? 40 : 8)) {
        byte(m, seg[rnd(g, 6)]);
    }
    if (e->prefix == 0 && chance(g, m->t->code16 ? 50 : 15)) {
        byte(m, 0x66);
    }
    if ((row->attr & AT_LOCK) && mem ? chance(g, 10) : chance(g, 1)) {
        byte(m, 0xf0);
    }
    if (row->attr & AT_REP ? chance(g, 65) : chance(g, 1)) {
        byte(m, 0xf2 + rnd(g, 2));
    }
    if (chance(g, 1) && chance(g, 10)) { /* about 15 bytes in all */
        for (unsigned n = 7 + rnd(g, 6); n > 0; n--) {
            byte(m, seg[rnd(g, 4)]);
        }
    }
    if (e->prefix) {
        byte(m, e->prefix);
    }
}

/* ModR/M, SIB and displacement; notes where the displacement is. */
static void add_address(struct maker *m, unsigned modrm)
{
    struct diff_gen *g = m->g;
    bool wide = !m->t->code16;
    unsigned mod = modrm >> 6, rm = modrm & 7, n = mod == 1 ? 1 : mod == 2 ? 4 : 0;

    for (unsigned k = 0; k < m->len; k++) {
        if (m->code[k] == 0x0f) {
            break;
        }
        wide ^= m->code[k] == 0x67;
    }
    byte(m, modrm);
    if (mod == 3) {
        return;
    }
    if (wide) {
        unsigned sib = rnd(g, 256);
        if (rm == 4) {
            byte(m, sib);
        }
        n = mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5)) ? 4 : n;
    } else {
        n = mod == 0 && rm == 6 ? 2 : n == 4 ? 2 : n;
    }
    m->disp_at = m->len;
    m->disp_len = n;
    for (; n > 0; n--) {
        byte(m, rnd(g, 256));
    }
}

static void add_immediate(struct maker *m)
{
    static const uint8_t special[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64,
                                      0x7f, 0x80, 0xff};
    struct diff_gen *g = m->g;
    uint32_t v = rnd_int(g);

    if (chance(g, 50)) {
        v = (v & ~0xffu) | special[rnd(g, ARRAY_LEN(special))];
    }
    for (unsigned n = 0; n < 4; n++) {
        byte(m, v >> n * 8);
    }
    byte(m, rnd(g, 256));
    byte(m, rnd(g, 256));
}

/* Something reserved: an opcode, a group member, a form, or a LOCK where none is allowed. */
static bool make_reserved(struct maker *m)
{
    static const uint8_t prefixes[] = {0x66, 0xf2, 0xf3, 0x67, 0x2e, 0x64};
    struct diff_gen *g = m->g;
    enum code_size code = m->t->code16 ? CODE16 : CODE32;

    m->len = m->disp_len = 0;
    if (chance(g, 30)) {
        byte(m, 0xf0);
    }
    if (chance(g, 50)) {
        byte(m, prefixes[rnd(g, sizeof prefixes)]);
    }
    if (chance(g, 70)) {
        byte(m, 0x0f);
    }
    while (m->len < 15) {
        byte(m, (uint32_t)rnd64(g) & 0xff);
    }
    if (decode(m->code, DECODE_MAX_LEN, code, &m->d) != DEC_UD ||
        diff_extension(m->code, m->d.nprefix)) {
        return false;
    }
    m->d = (struct decoded){.op = OP_INVALID, .len = m->d.len, .nprefix = m->d.nprefix};
    m->len = m->d.len;
    return true;
}

static bool make_bytes(struct maker *m)
{
    struct diff_gen *g = m->g;
    const struct class_rows *c = &g->class[m->class];
    unsigned r = c->row[rnd(g, c->n)];
    const struct row_list *list = &g->rows[r];
    const struct encoding *e = &g->encodings[list->first + rnd(g, list->count)];
    unsigned at;

    m->len = m->disp_len = 0;
    add_prefixes(m, decode_row(r), e);
    if (m->len > 12) {
        m->len = 12;
    }
    if (e->two) {
        byte(m, 0x0f);
    }
    byte(m, e->opcode);
    if (e->has_modrm) {
        add_address(m, e->modrm);
    } else if (!e->two && (e->opcode & 0xfc) == 0xa0) {
        m->disp_at = m->len;
        m->disp_len = 4;
    }
    at = m->len;
    if (at > DECODE_MAX_LEN) {
        return false;
    }
    add_immediate(m);
    if (decode(m->code, DECODE_MAX_LEN, m->t->code16 ? CODE16 : CODE32, &m->d) != DEC_OK) {
        return false;
    }
    m->len = m->d.len;
    if (m->disp_at == at && m->disp_len == 4 && m->d.asize == 2) {
        m->disp_len = 2; /* moffs */
    }
    return row_in_class(decode_row(m->d.row), m->class) || m->class == CLASS_SEG;
}

/* --- one instruction: operands --------------------------------------------------------------- */

static uint32_t reg_now(const struct maker *m, unsigned r)
{
    return m->k == 0 ? m->t->before.r[r] : core_reg(m->c, r);
}

static bool set_reg(struct maker *m, unsigned r, uint32_t v)
{
    if (m->k > 0 || (m->pinned >> r & 1)) {
        return false;
    }
    m->t->before.r[r] = v;
    m->pinned |= 1u << r;
    return true;
}

static uint32_t seg_base(const struct maker *m, unsigned seg)
{
    uint32_t sel = m->t->before.sel[seg];

    if (m->k > 0) {
        return core_segment_base(m->c, seg);
    }
    return (sel & 4) && sel >> 3 < LDT_COUNT ? diff_ldt(sel >> 3)->base : 0;
}

/* The initial memory; later in a sequence it is what it is. */
static void set_mem(struct maker *m, uint32_t la, unsigned size, uint64_t v)
{
    uint32_t at = la - (WIN_LA + FILL_AT);

    if (m->k == 0 && at <= FILL_SIZE - size) {
        for (unsigned n = 0; n < size; n++) {
            m->t->fill[at + n] = (uint8_t)(v >> n * 8);
        }
    }
}

static uint32_t ea_now(const struct maker *m)
{
    const struct decoded *d = &m->d;
    uint32_t base = d->base < 8 ? reg_now(m, d->base) : 0;
    uint32_t index = d->index < 8 ? reg_now(m, d->index) : 0;
    uint32_t ea = base + (index << d->scale) + (uint32_t)d->disp;

    return d->asize == 2 ? ea & 0xffff : ea;
}

static void put_disp(struct maker *m, uint32_t v)
{
    for (unsigned n = 0; n < m->disp_len; n++) {
        m->code[m->disp_at + n] = (uint8_t)(v >> n * 8);
    }
    m->d.disp = m->disp_len == 4 ? (int32_t)v : m->disp_len == 2 ? (int16_t)v : (int8_t)v;
}

/* Makes the memory operand point at la, by displacement or by a register. */
static void aim(struct maker *m, uint32_t la)
{
    struct decoded *d = &m->d;
    uint32_t delta = la - seg_base(m, d->seg) - ea_now(m);

    if (d->asize == 2) {
        delta &= 0xffff;
    }
    if (m->disp_len >= 2) {
        put_disp(m, (uint32_t)d->disp + delta);
    } else if (d->base < 8 && d->base != d->index) {
        if (!set_reg(m, d->base, reg_now(m, d->base) + delta) && m->disp_len == 1 &&
            delta + 128u < 256) {
            put_disp(m, (uint32_t)d->disp + delta);
        }
    } else if (d->index < 8 && d->scale == 0 && d->base >= 8) {
        set_reg(m, d->index, reg_now(m, d->index) + delta);
    }
}

static unsigned mem_size(const struct decoded *d)
{
    for (unsigned n = 0; n < d->noperands; n++) {
        if (d->o[n].kind == OK_MEM) {
            return d->o[n].size > 108 ? 512 : d->o[n].size;
        }
    }
    return 0;
}

static uint32_t next_eip(const struct maker *m)
{
    return m->t->code_la - m->t->cs_base + m->t->at[m->k] + m->len;
}

static uint32_t stack_la(const struct maker *m)
{
    return seg_base(m, SEG_SS) + reg_now(m, REG_ESP);
}

static uint32_t rnd_flags(struct diff_gen *g)
{
    return ((uint32_t)rnd64(g) & 0x240ed5) | (chance(g, 3) ? FLAG_TF : 0);
}

/* Where an indirect or far transfer goes. */
static uint32_t rnd_destination(struct maker *m)
{
    return chance(m->g, 60)   ? next_eip(m)
           : chance(m->g, 50) ? rnd_int(m->g)
                              : CODE_LA + rnd(m->g, 64);
}

static uint32_t far_selector(struct maker *m)
{
    return chance(m->g, 50) ? m->t->before.sel[SEG_CS] : rnd_selector(m->g);
}

static void aim_string(struct maker *m)
{
    struct diff_gen *g = m->g;
    unsigned size = m->d.osize;

    if (chance(g, 90)) {
        set_reg(m, REG_ESI, rnd_target(g, size) - seg_base(m, m->d.seg));
        set_reg(m, REG_EDI, rnd_target(g, size) - seg_base(m, SEG_ES));
    }
    if (m->d.rep && chance(g, 95)) {
        set_reg(m, REG_ECX, chance(g, 80) ? rnd(g, 12) : rnd(g, 300));
    }
    if (m->k == 0 && (m->d.op == OP_SCAS || m->d.op == OP_CMPS) && chance(g, 60)) {
        memset(m->t->fill, m->t->fill[0], FILL_SIZE);
        if (chance(g, 50)) {
            m->t->fill[rnd(g, FILL_SIZE)] ^= 1;
        }
        set_reg(m, REG_EAX, m->t->fill[0] * 0x01010101u);
    }
}

static void aim_bits(struct maker *m)
{
    const struct operand *o = &m->d.o[1];

    if (o->kind == OK_REG && m->d.has_mem && chance(m->g, 85)) {
        set_reg(m, o->reg, rnd(m->g, 4096) - 2048);
    }
}

static void aim_selector(struct maker *m)
{
    struct decoded *d = &m->d;
    const struct operand *o = &d->o[d->noperands - 1];
    uint32_t sel = rnd_selector(m->g);

    if (o->kind == OK_REG) {
        set_reg(m, o->reg, sel | (rnd_int(m->g) & 0xffff0000u));
    } else if (o->kind == OK_MEM) {
        unsigned size = mem_size(d);
        set_mem(m, seg_base(m, d->seg) + ea_now(m) + (size > 2 ? size - 2 : 0), 2, sel);
    }
}

static void aim_frame(struct maker *m)
{
    unsigned size = m->d.osize;
    uint32_t sp = stack_la(m);

    set_mem(m, sp, size, rnd_destination(m));
    if (m->d.op == OP_RET_NEAR) {
        return;
    }
    set_mem(m, sp + size, 2, far_selector(m));
    if (m->d.op == OP_IRET) {
        set_mem(m, sp + 2 * size, size, rnd_flags(m->g));
    }
}

/* The transfer's immediate sits at the end of the instruction. */
static void aim_branch(struct maker *m)
{
    struct diff_gen *g = m->g;
    unsigned n = m->d.osize == 2 ? 2 : 4;
    uint32_t v = chance(g, 55) ? rnd(g, 5) : chance(g, 50) ? rnd(g, 64) - 32 : rnd_int(g);
    uint8_t op = m->code[m->d.nprefix];

    if (m->d.op == OP_CALL_FAR_PTR || m->d.op == OP_JMP_FAR_PTR) {
        uint32_t sel = far_selector(m), to = rnd_destination(m);
        for (unsigned k = 0; k < n; k++) {
            m->code[m->len - 2 - n + k] = (uint8_t)(to >> k * 8);
        }
        m->code[m->len - 2] = (uint8_t)sel;
        m->code[m->len - 1] = (uint8_t)(sel >> 8);
        return;
    }
    if (op != 0x0f && op != 0xe8 && op != 0xe9) {
        n = 1;
    }
    for (unsigned k = 0; k < n; k++) {
        m->code[m->len - n + k] = (uint8_t)(v >> k * 8);
    }
}

/* Memory images that are loaded: mostly legal ones. */
static void aim_image(struct maker *m)
{
    struct diff_gen *g = m->g;
    uint32_t la = seg_base(m, m->d.seg) + ea_now(m);

    switch (m->d.op) {
    case OP_LDMXCSR:
        set_mem(m, la, 4, (uint32_t)rnd64(g) & (chance(g, 95) ? 0xffff : 0xfffdffff));
        break;
    case OP_FXRSTOR:
        set_mem(m, la + 24, 4, (uint32_t)rnd64(g) & (chance(g, 90) ? 0xffff : 0xfffdffff));
        break;
    case OP_FBLD_M80:
        for (unsigned n = 0; n < 9 && chance(g, 97); n++) {
            set_mem(m, la + n, 1, rnd(g, 10) << 4 | rnd(g, 10));
        }
        break;
    case OP_FLDCW:
        set_mem(m, la, 2, rnd(g, 65536) | (chance(g, 70) ? 0x3f : 0));
        break;
    default:
        break;
    }
}

static void aim_implied(struct maker *m)
{
    struct decoded *d = &m->d;
    struct diff_gen *g = m->g;
    uint32_t la = d->has_mem ? seg_base(m, d->seg) + ea_now(m) : 0;

    switch (d->op) {
    case OP_XLAT:
        set_reg(m, REG_EBX, rnd_target(g, 1) - (reg_now(m, REG_EAX) & 0xff) - seg_base(m, d->seg));
        break;
    case OP_MASKMOVQ:
    case OP_MASKMOVDQU:
        set_reg(m, REG_EDI, rnd_target(g, 16) - seg_base(m, d->seg));
        break;
    case OP_BT:
    case OP_BTS:
    case OP_BTR:
    case OP_BTC:
        aim_bits(m);
        break;
    case OP_DIV:
    case OP_IDIV:
        if (chance(g, 70)) {
            set_reg(m, REG_EDX, chance(g, 50) ? rnd(g, 64) : chance(g, 50) ? 0 : 0xffffffff);
        }
        break;
    case OP_ENTER:
    case OP_LEAVE:
        set_reg(m, REG_EBP, rnd_target(g, 4) - seg_base(m, SEG_SS));
        break;
    case OP_RET_NEAR:
    case OP_RET_FAR:
    case OP_IRET:
        aim_frame(m);
        break;
    case OP_POPF:
        set_mem(m, stack_la(m), 4, rnd_flags(g));
        break;
    case OP_POP_SREG:
        set_mem(m, stack_la(m), 2, rnd_selector(g));
        break;
    case OP_JMP_NEAR_IND:
    case OP_CALL_NEAR_IND:
        if (d->o[0].kind == OK_REG) {
            set_reg(m, d->o[0].reg, rnd_destination(m));
        } else {
            set_mem(m, la, d->osize, rnd_destination(m));
        }
        break;
    case OP_JMP_FAR_IND:
    case OP_CALL_FAR_IND:
        set_mem(m, la, d->osize, rnd_destination(m));
        set_mem(m, la + d->osize, 2, far_selector(m));
        break;
    case OP_MOV_SREG:
    case OP_LAR:
    case OP_LSL:
    case OP_VERR:
    case OP_VERW:
    case OP_LDS:
    case OP_LES:
    case OP_LFS:
    case OP_LGS:
    case OP_LSS:
        aim_selector(m);
        break;
    case OP_CMPXCHG:
        if (d->has_mem && chance(g, 50)) {
            set_reg(m, REG_EAX, get32(m->t->fill + ((la - WIN_LA - FILL_AT) & (FILL_SIZE - 4))));
        }
        break;
    default:
        aim_image(m);
        break;
    }
}

static void aim_operands(struct maker *m)
{
    struct decoded *d = &m->d;
    bool branch = false;

    if (d->attr & AT_REP) {
        aim_string(m);
    }
    for (unsigned n = 0; n < d->noperands; n++) {
        branch = branch || d->o[n].kind == OK_REL || d->o[n].kind == OK_FARPTR;
    }
    if (branch) {
        aim_branch(m);
    }
    if (d->has_mem && d->op != OP_LEA && !chance(m->g, 2)) {
        aim(m, rnd_target(m->g, mem_size(d)));
    }
    aim_implied(m);
}

/* --- states ---------------------------------------------------------------------------------- */

static void make_x87(struct diff_gen *g, unsigned class, uint8_t *fx)
{
    unsigned cw = 0x37f, sw = 0, tags = 0, full;

    if (float_class(class) || chance(g, 20)) {
        static const uint16_t pc[] = {0x300, 0x300, 0x300, 0x000, 0x200, 0x100};
        cw = 0x7f | pc[rnd(g, chance(g, 2) ? 6 : 5)] | rnd(g, 4) << 10;
        if (chance(g, 20)) {
            cw &= ~rnd(g, 64);
        }
        sw = rnd(g, 8) << 11 | (rnd(g, 16) & 7) << 8 | rnd(g, 2) << 14;
        if (chance(g, 30)) {
            sw |= rnd(g, 64);
        }
        if (sw & ~cw & 0x3f) {
            sw = chance(g, 85) ? sw & ~0x3fu : sw | 0x8080;
        }
        if ((sw & 1) && chance(g, 30)) {
            sw |= 0x40;
        }
        full = chance(g, 20) ? 8 : rnd(g, 9);
        for (unsigned n = 0; n < full; n++) {
            tags |= 1u << (((sw >> 11 & 7) + n) & 7);
        }
        if (chance(g, 15)) {
            tags = rnd(g, 256);
        }
    }
    put16(fx + FX_CW, (uint16_t)cw);
    put16(fx + FX_SW, (uint16_t)sw);
    fx[FX_TAGS] = (uint8_t)tags;
}

static void make_registers(struct diff_gen *g, unsigned class, uint8_t *fx)
{
    uint32_t mxcsr = 0x1f80;

    for (unsigned n = 0; n < 8; n++) {
        struct wide v = rnd_f80(g);
        if (class >= CLASS_MMX && class != CLASS_MIX) {
            uint8_t b[16];
            rnd_block(g, class, b);
            v = (struct wide){get64(b), 0xffff};
        } else if (class == CLASS_TRANS && chance(g, 70)) {
            v = (struct wide){rnd64(g) | (uint64_t)1 << 63,
                              (uint16_t)(rnd(g, 2) << 15 | (16383 - 20 + rnd(g, 22)))};
        }
        put64(fx + FX_ST + n * 16, v.sig);
        put16(fx + FX_ST + n * 16 + 8, v.sexp);
        rnd_block(g, class, fx + FX_XMM + n * 16);
    }
    if (class >= CLASS_MMX) {
        mxcsr |= rnd(g, 4) << 13;
        mxcsr |= chance(g, 30) ? rnd(g, 64) : 0;
        mxcsr &= chance(g, 15) ? ~(rnd(g, 64) << 7) : ~0u;
        mxcsr |= chance(g, 10) ? 0x8000 : 0;
        mxcsr |= chance(g, 10) ? 0x40 : 0;
    }
    put32(fx + FX_MXCSR, mxcsr);
}

static void make_segments(struct diff_gen *g, unsigned class, struct diff_test *t)
{
    static const uint8_t data[] = {LDT_DATA, LDT_RO, LDT_DOWN32, LDT_DOWN16, LDT_PAGES, LDT_CODE32,
                                   LDT_STACK16, LDT_WRAP};
    uint32_t *sel = t->before.sel;

    sel[SEG_CS] = SEL_USER32;
    sel[SEG_ES] = sel[SEG_SS] = sel[SEG_DS] = SEL_USER_DS;
    sel[SEG_FS] = LDT_SEL(LDT_DATA);
    sel[SEG_GS] = LDT_SEL(LDT_DOWN32);
    if (class != CLASS_SEG) {
        return;
    }
    for (unsigned n = 0; n < 6; n++) {
        if (n != SEG_CS && n != SEG_SS && chance(g, 60)) {
            sel[n] = chance(g, 5) ? 0 : LDT_SEL(data[rnd(g, ARRAY_LEN(data))]);
        }
    }
    if (chance(g, 40)) {
        static const uint8_t stack[] = {LDT_DATA, LDT_DOWN32, LDT_PAGES, LDT_WRAP};
        sel[SEG_SS] = LDT_SEL(stack[rnd(g, ARRAY_LEN(stack))]);
    }
    switch (rnd(g, 4)) {
    case 0:
        sel[SEG_CS] = LDT_SEL(LDT_CODE32);
        break;
    case 1:
        sel[SEG_CS] = LDT_SEL(LDT_CODE16);
        t->code16 = true;
        break;
    case 2:
        sel[SEG_CS] = LDT_SEL(LDT_EXEC);
        break;
    default:
        break;
    }
    t->cs_base = sel[SEG_CS] & 4 ? CODE_LA : 0;
}

static uint32_t make_code_la(struct diff_gen *g)
{
    switch (rnd(g, 32)) {
    case 0: /* ends or crosses a page */
        return CODE_LA + 0x1000 - rnd(g, 24);
    case 1: /* runs into nothing */
        return CODE_LA + CODE_SIZE - 1 - rnd(g, 12);
    default:
        return CODE_LA + rnd(g, CODE_SIZE - DIFF_MAX_CODE);
    }
}

static void make_state(struct diff_gen *g, unsigned class, struct diff_test *t)
{
    struct diff_state *s = &t->before;
    uint8_t blocks[256];

    memset(t, 0, offsetof(struct diff_test, taint));
    memset(&t->taint[0], 0, sizeof t->taint[0]);
    t->traps = t->approximate = false;
    t->nholes = 0;
    memset(t->code, 0xcc, sizeof t->code);
    make_segments(g, class, t);
    t->code_la = make_code_la(g);
    for (unsigned n = 0; n < 256; n += 16) {
        rnd_block(g, class, blocks + n);
    }
    for (unsigned n = 0; n < FILL_SIZE / 16; n++) {
        memcpy(t->fill + n * 16, blocks + ((n + n / 16) & 15) * 16, 16);
    }
    for (unsigned n = 0; n < 8; n++) {
        s->r[n] = chance(g, n > 4 || n == REG_EBX ? 50 : 15) ? rnd_target(g, 16) : rnd_int(g);
    }
    if (chance(g, 92)) {
        s->r[REG_ESP] = rnd_target(g, 16);
    }
    uint32_t ss = s->sel[SEG_SS];
    if (ss & 4) {
        s->r[REG_ESP] -= diff_ldt(ss >> 3)->base;
    }
    s->eip = t->code_la - t->cs_base;
    s->eflags = ((uint32_t)rnd64(g) & 0xcd5) | 0x202;
    s->eflags |= chance(g, 4) ? FLAG_AC : 0;
    s->eflags &= chance(g, 70) ? ~(uint32_t)FLAG_DF : ~0u;
    make_x87(g, class, s->fx);
    make_registers(g, class, s->fx);
}

/* --- tests ----------------------------------------------------------------------------------- */

static bool make_insn(struct maker *m)
{
    for (unsigned tries = 0; tries < 60; tries++) {
        if (m->class == CLASS_UD ? make_reserved(m) : make_bytes(m)) {
            m->pinned = 1u << REG_ESP;
            aim_operands(m);
            if (diff_comparable(&m->t->taint[m->k], &m->d, m->code)) {
                memcpy(m->t->code + m->t->at[m->k], m->code, m->len);
                return true;
            }
        }
    }
    return false;
}

static enum plan add_insn(struct diff_gen *g, struct diff_core *c, unsigned class,
                          struct diff_test *t)
{
    struct maker m = {.g = g, .c = c, .t = t, .class = class, .k = t->n};

    if (!make_insn(&m)) {
        return PLAN_DROP;
    }
    t->len = t->at[t->n] + m.len;
    if (t->n == 0) {
        core_load(c, t);
    } else {
        core_set_code(c, t);
    }
    t->at[t->n + 1] = (uint8_t)t->len;
    enum plan p = diff_plan(c, t, t->n);
    /* Aiming may have made it longer: then what comes behind it would be a part of it. */
    return t->d[t->n].len == m.len ? p : PLAN_DROP;
}

void gen_test(struct diff_gen *g, struct diff_core *c, unsigned class, uint64_t number,
              struct diff_test *t)
{
    g->state = mix64(g->seed * 0x9e3779b97f4a7c15u + mix64(number * CLASS_COUNT + class));
    for (;;) {
        unsigned want = class == CLASS_UD || chance(g, 30) ? 1 : 2 + rnd(g, DIFF_MAX_INSNS - 1);
        enum plan p = PLAN_NEXT;

        make_state(g, class, t);
        while (t->n < want && p == PLAN_NEXT) {
            unsigned tries = 0, before = t->at[t->n];
            p = add_insn(g, c, class, t);
            while (p == PLAN_DROP && t->n == 0 && ++tries < 4) {
                t->nholes = 0;
                t->approximate = t->traps = false;
                memset(t->code, 0xcc, sizeof t->code);
                p = add_insn(g, c, class, t);
            }
            if (p == PLAN_DROP) {
                memset(t->code + before, 0xcc, sizeof t->code - before);
                t->nholes = 0;
                t->approximate = t->traps = false;
                break;
            }
            t->n++;
        }
        if (t->n) {
            diff_finish(t);
            return;
        }
    }
}
