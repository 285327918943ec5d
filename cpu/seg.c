/*
 * Segmentation: descriptors, segment register loads, access windows, and the mode word derived
 * from them.
 *
 * Source: Intel SDM vol. 3 chapters 3.4, 3.5, 5.2 to 5.7; vol. 2 MOV, POP, LxS.
 * Invariants: c->seg[] is written through seg_set() (or followed by seg_update()), so windows,
 * sp_mask, mode and links always match.  A window of length 0 refuses every access: null
 * selectors, execute-only code for reads, read-only data for writes.
 */
#include "cpu/system.h"

#define SPAN_4G ((uint64_t)1 << 32)
/* What real mode gives; V86 mode adds DPL 3. */
#define REAL_ATTR (ATTR_P | ATTR_S | TYPE_WRITE | TYPE_ACCESSED)

/* --- windows and mode ----------------------------------------------------------------------- */

/* What a selector means. */
enum rules { RULES_REAL, RULES_V86, RULES_DESCRIPTORS };

static enum rules rules(const struct cpu *c)
{
    return v86_mode(c) ? RULES_V86 : protected_mode(c) ? RULES_DESCRIPTORS : RULES_REAL;
}

static bool as_loaded(const struct segment *s, enum rules r)
{
    return s->limit == 0xffff && (r == RULES_V86 ? s->attr == (REAL_ATTR | ATTR_DPL)
                                                 : (s->attr & ~(ATTR_DB | ATTR_G)) == REAL_ATTR);
}

/* What is derived from the rest of a segment, which need not be in force yet. */
static void seg_window(struct segment *s, enum rules r)
{
    bool descriptors = r == RULES_DESCRIPTORS;
    unsigned type = s->attr & ATTR_TYPE;
    uint64_t len = (uint64_t)s->limit + 1;

    s->lo = 0;
    s->rlen = s->wlen = 0;
    s->flat = 0;
    s->real = !descriptors && as_loaded(s, r);
    if (!(s->attr & ATTR_P)) {
        return;
    }
    if (!(type & TYPE_CODE) && (type & TYPE_DOWN)) {
        uint64_t top = s->attr & ATTR_DB ? SPAN_4G : 0x10000;

        s->lo = s->limit + 1;
        len = top > len ? top - len : 0;
        if (len == 0) {
            s->lo = 0;
        }
    }
    /* real and V86 mode read and write through any register */
    if (!descriptors || !(type & TYPE_CODE) || (type & TYPE_READ)) {
        s->rlen = len;
    }
    if (!descriptors || (!(type & TYPE_CODE) && (type & TYPE_WRITE))) {
        s->wlen = len;
    }
    if (s->base == 0 && s->lo == 0 && s->rlen == SPAN_4G) {
        s->flat = FLAT_READ | (s->wlen == SPAN_4G ? FLAT_DATA : 0);
    }
}

static bool code_breakpoints(const struct cpu *c)
{
    unsigned n;

    for (n = 0; n < 4; n++) {
        if ((c->dr[7] >> (n * 2) & 3) && (c->dr[7] >> (16 + n * 4) & 3) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * The jump cache knows EIPs, not code segments and modes: each combination marks its own entries.
 * n is free for the one in force, and nothing has been marked with it since the table began.
 */
static NOINLINE void new_context(struct cpu *c, unsigned n)
{
    const struct segment *cs = &c->seg[SEG_CS];

    if (c->contexts == CONTEXTS_MAX) {
        memset(c->context, 0, sizeof c->context);
        c->contexts = 0;
        trace_unlink(c);
    }
    c->context[n] = (struct code_context){cs->base, cs->limit, c->mode, true};
    c->contexts++;
    c->code_context = n;
    trace_set_gen(c);
}

void seg_update_context(struct cpu *c)
{
    const struct segment *cs = &c->seg[SEG_CS];
    uint32_t key = (uint32_t)cs->base ^ cs->limit << 8 ^ c->mode;
    unsigned n = (key * 0x9e3779b1u) >> (32 - CONTEXT_BITS);
    struct code_context *x = &c->context[n];

    while (x->base != cs->base || x->limit != cs->limit || x->mode != c->mode || !x->used) {
        if (!x->used) {
            new_context(c, n);
            return;
        }
        n = (n + 1) & (CONTEXTS - 1);
        x = &c->context[n];
    }
    c->code_context = n;
    trace_set_gen(c);
}

void seg_update_mode(struct cpu *c)
{
    const struct segment *cs = &c->seg[SEG_CS], *ss = &c->seg[SEG_SS];
    uint32_t mode = 0;

    if (cs->attr & ATTR_DB) {
        mode |= MODE_CODE32;
    }
    if ((cs->flat & FLAT_READ) && (ss->attr & ATTR_DB) &&
        (ss->flat & c->seg[SEG_DS].flat & c->seg[SEG_ES].flat & FLAT_DATA)) {
        mode |= MODE_FLAT;
    }
    /* One instruction at a time also lets the trap of a data breakpoint follow its instruction. */
    if ((c->eflags & FLAG_TF) || UNLIKELY(c->dr[7] & 0xff)) {
        if ((c->eflags & FLAG_TF) || code_breakpoints(c) || c->tlb == &c->tlb_slow) {
            mode |= MODE_ONE;
        }
    }
    c->mode = mode;
    seg_update_context(c);
    c->sp_mask = ss->attr & ATTR_DB ? 0xffffffffu : 0xffff;
}

void seg_update(struct cpu *c, unsigned seg)
{
    seg_window(&c->seg[seg], rules(c));
    seg_update_mode(c);
}

void cpu_update_mode(struct cpu *c)
{
    unsigned n;

    c->a20_mask = cpu_a20_mask(c);
    c->fpu_trap = (c->cr0 & (CR0_EM | CR0_TS)) != 0;
    if ((c->cr0 & CR0_EM) || !(c->cr4 & CR4_OSFXSR)) {
        c->sse_trap = EXC_UD;
    } else {
        c->sse_trap = c->cr0 & CR0_TS ? EXC_NM : 0;
    }
    for (n = 0; n < SEG_COUNT; n++) {
        seg_window(&c->seg[n], rules(c));
    }
    tlb_select(c);
    seg_update_mode(c);
}

void cpu_set_eflags(struct cpu *c, uint32_t image, uint32_t mask)
{
    uint32_t old, now;

    mask &= c->eflags_mask;
    /* Mostly all six are replaced, and the old ones need not be worked out. */
    old = c->eflags | ((mask & FLAGS_OSZAPC) == FLAGS_OSZAPC ? 0 : flags_oszapc(c));
    now = (old & ~mask) | (image & mask);
    flags_put(c, now);
    if ((old ^ now) & (FLAG_VM | FLAG_AC | FLAG_TF)) {
        cpu_update_mode(c);
    }
}

void seg_set_other(struct cpu *c, unsigned seg, const struct segment *s, uint16_t sel)
{
    struct segment *to = &c->seg[seg];
    bool same = to->flat == s->flat && !((to->attr ^ s->attr) & ATTR_DB);

    *to = *s;
    to->sel = sel;
    /* Mode and stack size come from these; base and limit matter to the code segment only. */
    if (!same) {
        seg_update_mode(c);
    } else if (seg == SEG_CS) {
        seg_update_context(c);
    }
}

/* --- real and V86 mode ---------------------------------------------------------------------- */

struct segment seg_real(const struct cpu *c, unsigned seg, uint16_t sel)
{
    struct segment s = c->seg[seg];

    s.sel = sel;
    s.base = (uint32_t)sel << 4;
    if (v86_mode(c)) {
        s.limit = 0xffff;
        s.attr = REAL_ATTR | ATTR_DPL;
    } else {
        /* Limit and size stay what protected mode left there ("unreal" mode). */
        s.attr = (s.attr & (ATTR_DB | ATTR_G)) | REAL_ATTR;
    }
    seg_window(&s, rules(c));
    return s;
}

void seg_load_real(struct cpu *c, unsigned seg, uint16_t sel)
{
    struct segment s;

    if (LIKELY(c->seg[seg].real)) {
        seg_move_real(c, seg, sel);
        return;
    }
    s = seg_real(c, seg, sel);
    seg_set(c, seg, &s, sel);
}

void seg_enter_v86(struct cpu *c, uint32_t image, const uint16_t sel[SEG_COUNT])
{
    unsigned n;

    flags_put(c, (c->eflags & ~c->eflags_mask) | (image & c->eflags_mask));
    for (n = 0; n < SEG_COUNT; n++) {
        c->seg[n] = (struct segment){
            .base = (uint32_t)sel[n] << 4, .limit = 0xffff, .attr = REAL_ATTR | ATTR_DPL,
            .sel = sel[n], .real = true, .rlen = 0x10000, .wlen = 0x10000,
        };
    }
    cpu_set_cpl(c, 3);
    seg_update_mode(c);
}

/* --- descriptors ---------------------------------------------------------------------------- */

uint32_t desc_limit(const struct desc *d)
{
    uint32_t limit = (d->hi & 0xf0000) | (d->lo & 0xffff);

    return d->hi & 0x800000 ? limit << 12 | 0xfff : limit;
}

struct segment desc_to_segment(uint16_t sel, const struct desc *d)
{
    struct segment s = {0};

    s.sel = sel;
    s.base = (d->hi & 0xff000000u) | (d->hi & 0xff) << 16 | d->lo >> 16;
    s.limit = desc_limit(d);
    s.attr = (d->hi >> 8) & 0xf0ff;
    seg_window(&s, RULES_DESCRIPTORS);
    return s;
}

void seg_memo_renew(struct seg_memo *m, const struct desc *d)
{
    m->lo = d->lo;
    m->hi = d->hi;
    m->s = desc_to_segment(0, d);
}

#define FLAT_ATTR (ATTR_G | ATTR_DB | ATTR_P | ATTR_S | TYPE_ACCESSED)
#define FLAT_SEGMENT(type, dpl, write)                                                         \
    {                                                                                          \
        .limit = 0xffffffffu, .attr = FLAT_ATTR | (type) | (dpl) << ATTR_DPL_SHIFT,            \
        .flat = FLAT_READ | ((write) ? FLAT_DATA : 0), .rlen = SPAN_4G,                        \
        .wlen = (write) ? SPAN_4G : 0,                                                         \
    }
#define FLAT_CODE_TYPE (TYPE_CODE | TYPE_READ)

const struct segment seg_flat[2][2] = {
    {FLAT_SEGMENT(TYPE_WRITE, 0u, true), FLAT_SEGMENT(TYPE_WRITE, 3u, true)},
    {FLAT_SEGMENT(FLAT_CODE_TYPE, 0u, false), FLAT_SEGMENT(FLAT_CODE_TYPE, 3u, false)},
};

bool desc_look(struct cpu *c, uint16_t sel, struct desc *d, bool *fault)
{
    const bool local = sel & 4;
    uint64_t base = local ? c->ldtr.base : c->gdtr.base, v;
    uint32_t limit = local ? c->ldtr.limit : c->gdtr.limit;

    *fault = false;
    if ((local && !(c->ldtr.attr & ATTR_P)) || (sel | 7u) > limit) {
        return false;
    }
    d->la = (uint32_t)(base + (sel & 0xfff8u));
    if (!sys_load(c, d->la, 8, &v)) {
        *fault = true;
        return false;
    }
    d->lo = (uint32_t)v;
    d->hi = (uint32_t)(v >> 32);
    return true;
}

bool desc_fetch_any(struct cpu *c, uint16_t sel, unsigned vector, struct desc *d)
{
    bool fault;

    return desc_look(c, sel, d, &fault) || (!fault && exc_sel(c, vector, sel));
}

bool desc_mark_accessed(struct cpu *c, struct desc *d)
{
    d->hi |= TYPE_ACCESSED << 8;
    return sys_write(c, d->la + 5, 1, (d->hi >> 8) & 0xff);
}

bool desc_set_busy(struct cpu *c, struct desc *d, bool busy)
{
    d->hi = busy ? d->hi | 0x200 : d->hi & ~0x200u;
    return sys_write(c, d->la + 5, 1, (d->hi >> 8) & 0xff);
}

/* --- loads of data segments and SS ---------------------------------------------------------- */

static bool stack_allowed(struct cpu *c, uint16_t sel, unsigned cpl, unsigned vector,
                          const struct desc *d)
{
    if ((sel & 3) != cpl || !desc_is_segment(d) || desc_is_code(d) ||
        !(desc_type(d) & TYPE_WRITE) || desc_dpl(d) != cpl) {
        return exc_sel(c, vector, sel);
    }
    return desc_present(d) || exc_sel(c, EXC_SS, sel);
}

static bool data_allowed(struct cpu *c, uint16_t sel, unsigned cpl, unsigned vector,
                         const struct desc *d)
{
    if (!desc_is_segment(d) || (desc_is_code(d) && !(desc_type(d) & TYPE_READ))) {
        return exc_sel(c, vector, sel);
    }
    if (!desc_is_conforming(d) && ((sel & 3u) > desc_dpl(d) || cpl > desc_dpl(d))) {
        return exc_sel(c, vector, sel);
    }
    return desc_present(d) || exc_sel(c, EXC_NP, sel);
}

bool seg_prepare(struct cpu *c, unsigned seg, uint16_t sel, unsigned cpl, unsigned vector,
                 struct seg_value *out)
{
    struct desc d;

    if (sel_null(sel)) {
        if (seg == SEG_SS) {
            return exc_set_err(c, vector, 0);
        }
        out->own = c->seg[seg]; /* base and limit stay for a later real mode */
        out->own.attr &= ATTR_DB | ATTR_G;
        seg_window(&out->own, RULES_DESCRIPTORS);
        out->s = &out->own;
        out->sel = sel;
        return true;
    }
    if (!desc_fetch(c, sel, vector, &d)) {
        return false;
    }
    if (!(seg == SEG_SS ? stack_allowed(c, sel, cpl, vector, &d)
                        : data_allowed(c, sel, cpl, vector, &d))) {
        return false;
    }
    if (!desc_set_accessed(c, &d)) {
        return false;
    }
    desc_segment(c, seg, sel, &d, out);
    return true;
}

bool seg_load(struct cpu *c, unsigned seg, uint16_t sel)
{
    struct seg_value v;

    if (!descriptor_mode(c)) {
        seg_load_real(c, seg, sel);
        return true;
    }
    if (!seg_prepare(c, seg, sel, c->cpl, EXC_GP, &v)) {
        return false;
    }
    seg_set_value(c, seg, &v);
    return true;
}

void seg_drop_inner(struct cpu *c, unsigned cpl)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    unsigned n;

    for (n = 0; n < ARRAY_LEN(data); n++) {
        struct segment *s = &c->seg[data[n]];
        unsigned type = s->attr & ATTR_TYPE;
        bool conforming = (type & TYPE_CODE) && (type & TYPE_CONFORMING);

        if ((s->attr & ATTR_P) && !conforming && (s->attr & ATTR_DPL) >> ATTR_DPL_SHIFT < cpl) {
            s->sel = 0;
            s->attr &= ATTR_DB | ATTR_G;
            seg_update(c, data[n]);
        }
    }
}
