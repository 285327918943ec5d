/*
 * Trace cache: building, lookup, links, invalidation.  See trace.h for the rules.
 *
 * Memory: one pool, filled front to back and emptied as a whole.  Two hash tables find traces by
 * (address, mode) and by the lines they touch.  When code is overwritten, a trace whose
 * instructions keep their lengths and their place in the flow gets new records where it is (patch);
 * any other stays where it is with every record turned into `stale`, so links into it and the
 * execution inside it need no search. Either way what runs afterwards is what would be decoded from
 * the new bytes.
 */
#include "cpu/trace.h"

#include <stdlib.h>

#include "cpu/specialise.h"

#define POOL_BYTES (24u << 20)
#define HASH_BITS 16
#define LINE_HASH_BITS 15

struct trace_cache {
    uint8_t *pool;
    size_t used;
    uint32_t epoch; /* counts flushes: record pointers taken before one are dead after it */
    bool flush_pending;
    struct trace *by_pa[1u << HASH_BITS];
    struct trace *by_line[1u << LINE_HASH_BITS]; /* by every line it touches */
    struct insn leave;
    struct trace *scratch;
    struct insn_count count[TRACE_MAX]; /* of the trace that is being built */
};

static unsigned hash_pa(uint64_t pa, uint32_t mode)
{
    uint32_t x = ((uint32_t)pa ^ mode << 24) * 0x9e3779b1u;
    return x >> (32 - HASH_BITS);
}

static unsigned hash_line(uint64_t pa)
{
    return (unsigned)(pa >> LINE_SHIFT) & ((1u << LINE_HASH_BITS) - 1);
}

/* Lines [a, b] of a page as a mask; offsets in the page. */
static uint32_t line_mask(unsigned first, unsigned last)
{
    unsigned a = first >> LINE_SHIFT, b = last >> LINE_SHIFT;
    return (b == 31 ? ~0u : (1u << (b + 1)) - 1) & ~((1u << a) - 1);
}

/*
 * Lines that a trace touches, and which of them a list hangs from: lists of other pages may be the
 * same.
 */
static unsigned trace_lines(const struct trace *t)
{
    return ((t->pgoff[t->n] - 1u) >> LINE_SHIFT) - (t->pgoff[0] >> LINE_SHIFT) + 1;
}

static struct trace **line_link(struct trace *t, unsigned list)
{
    return &t->line_next[(list - hash_line(t->pa)) & ((1u << LINE_HASH_BITS) - 1)];
}

static size_t trace_bytes(unsigned nrec)
{
    return sizeof(struct trace) + nrec * sizeof(struct insn);
}

/* With what belongs to it. */
static size_t trace_size(const struct trace *t)
{
    return trace_bytes(t->nrec) + (t->count ? t->n * sizeof *t->count : 0);
}

static void set_handler(const struct cpu *c, struct insn *i, unsigned id)
{
    i->id = (uint16_t)id;
    i->exec = c->cfg.generic_only ? generic_handler(id) : fast_handler(id);
}

bool trace_cache_new(struct cpu *c)
{
    struct trace_cache *tc = calloc(1, sizeof *tc);
    if (!tc) {
        return false;
    }
    tc->pool = malloc(POOL_BYTES);
    tc->scratch = calloc(1, trace_bytes(TRACE_RECORDS_MAX));
    c->jump = calloc(1u << JUMP_BITS, sizeof *c->jump);
    c->tc = tc;
    if (!tc->pool || !tc->scratch || !c->jump) {
        return false;
    }
    set_handler(c, &tc->leave, H_exit);
    c->leave = &tc->leave;
    return true;
}

void trace_cache_free(struct cpu *c)
{
    if (c->tc) {
        free(c->tc->pool);
        free(c->tc->scratch);
        free(c->tc);
        c->tc = NULL;
    }
    free(c->jump);
    c->jump = NULL;
}

uint32_t trace_new_gen(struct cpu *c)
{
    if (++c->last_gen >> (32 - CONTEXT_BITS)) { /* old generations would come alive again */
        trace_flush(c);
        c->last_gen = 1;
    }
    return c->last_gen;
}

void trace_flush(struct cpu *c)
{
    c->tc->flush_pending = true;
    c->slice -= c->left + 1; /* reach the run loop at the next boundary */
    c->left = -1;
}

bool trace_flush_pending(const struct cpu *c)
{
    return c->tc->flush_pending;
}

void trace_flush_now(struct cpu *c)
{
    struct trace_cache *tc = c->tc;
    for (size_t p = 0; p < tc->used;) {
        struct trace *t = (struct trace *)(void *)(tc->pool + p);
        if (t->code) {
            *t->code = 0;
        }
        p += trace_size(t);
    }
    tc->used = 0;
    tc->epoch++;
    tc->flush_pending = false;
    memset(tc->by_pa, 0, sizeof tc->by_pa);
    memset(tc->by_line, 0, sizeof tc->by_line);
    memset(c->jump, 0, sizeof *c->jump << JUMP_BITS);
    trace_unlink(c);
    c->st.trace_flushes++;
}

/* --- building --------------------------------------------------------------------------------- */

static void set_stub(const struct cpu *c, struct insn *s, struct insn *branch)
{
    memset(s, 0, sizeof *s);
    set_handler(c, s, H_stub);
    s->imm = branch->imm;
    s->a16 = branch->a16;
    s->link = branch;
    branch->link = s;
}

/* The records behind the instructions: the fall record if needed, then one stub per branch. */
static void finish(const struct cpu *c, struct trace *t, bool fall)
{
    t->nrec = t->n;
    if (fall) {
        struct insn *f = &t->rec[t->nrec++];
        memset(f, 0, sizeof *f);
        set_handler(c, f, H_fall);
        f->idx = t->n & 63;
        f->src = t->n;
        f->imm = t->pgoff[t->n];
    }
    for (unsigned k = 0; k < t->n; k++) {
        if (t->branches >> k & 1) {
            set_stub(c, &t->rec[t->nrec++], &t->rec[k]);
        }
    }
    if (fall) {
        set_stub(c, &t->rec[t->nrec++], &t->rec[t->n]);
    }
}

/* The record of instruction n of a trace, all but its handler and link. */
static enum translate_kind make_record(struct cpu *c, const struct trace *t, unsigned n,
                                       enum decode_status st, const struct decoded *d,
                                       const uint8_t *bytes, struct insn *i)
{
    enum translate_kind k;

    memset(i, 0, sizeof *i);
    if (st == DEC_OK) {
        k = translate(c, d, t->mode, t->pgoff[n], bytes, i);
    } else {
        k = translate_fault(st == DEC_TOO_LONG ? EXC_GP : EXC_UD, i);
    }
    i->idx = n & 63;
    i->len = d->len & 15;
    if (k == TR_BRANCH || k == TR_JUMP || k == TR_STOP) {
        i->src = (uint8_t)(n + 1);
    }
    c->st.insns_decoded++;
    return k;
}

/* The last four bytes of an instruction are its immediate, and that is all the record's imm is. */
static bool plain_imm32(const struct decoded *d, enum translate_kind k, const uint8_t *bytes,
                        const struct insn *i)
{
    return k == TR_PLAIN && d->imm_bytes == 4 && i->imm == get32(bytes + d->len - 4);
}

/* Adds one decoded instruction; returns how the trace goes on. */
static enum translate_kind add_insn(struct cpu *c, struct trace *t, enum decode_status st,
                                    const struct decoded *d, const uint8_t *bytes)
{
    struct insn *i = &t->rec[t->n];
    enum translate_kind k = make_record(c, t, t->n, st, d, bytes, i);

    set_handler(c, i, i->id);
    if (k == TR_BRANCH || k == TR_JUMP) {
        t->branches |= 1u << t->n;
    }
    if (st == DEC_OK && plain_imm32(d, k, bytes, i)) {
        t->imm32 |= 1u << t->n;
    }
    if (UNLIKELY(c->cfg.counting)) {
        count_insn(&c->tc->count[t->n], d);
    }
    t->last_kind = (uint8_t)k;
    t->n++;
    t->pgoff[t->n] = (uint16_t)(t->pgoff[t->n - 1] + d->len);
    return k;
}

static enum code_size code_size(uint32_t mode)
{
    return mode & MODE_CODE32 ? CODE32 : CODE16;
}

/*
 * Decodes from page[off] into t.  False when not even the first instruction lies within the
 * page: the caller goes to the scratch trace.
 */
static bool build(struct cpu *c, struct trace *t, const uint8_t *page, unsigned off, unsigned end)
{
    bool fall = true;
    t->n = 0;
    t->branches = t->imm32 = 0;
    t->page = page;
    t->pgoff[0] = (uint16_t)off;
    while (t->n < TRACE_MAX && off < end) {
        struct decoded d;
        enum decode_status st = decode(page + off, end - off, code_size(t->mode), &d);
        if (st == DEC_MORE) {
            break;
        }
        bool rep = st == DEC_OK && d.rep && (d.attr & AT_REP);
        if (rep && t->n > 0) {
            break; /* REP starts a trace of its own, so that it can be left and entered again */
        }
        enum translate_kind k = add_insn(c, t, st, &d, page + off);
        off += d.len;
        if (k == TR_JUMP || k == TR_STOP) {
            fall = false;
            break;
        }
        if (k == TR_END || k == TR_ALONE || (t->mode & MODE_ONE)) {
            break;
        }
    }
    if (t->n == 0) {
        return false;
    }
    finish(c, t, fall);
    if (!c->cfg.generic_only) {
        fast_specialise(c, t);
    }
    t->count = NULL;
    if (UNLIKELY(c->cfg.counting)) {
        t->count = (struct insn_count *)(void *)&t->rec[t->nrec];
        memcpy(t->count, c->tc->count, t->n * sizeof *t->count);
        count_trace(t);
    }
    return true;
}

/*
 * Raises the pending exception at c->eip; it counts as one instruction so that time always moves.
 */
static struct insn *fetch_fault(struct cpu *c)
{
    c->left -= 1;
    c->cur = NULL;
    intr_exception(c, c->eip);
    return c->leave;
}

static uint8_t fetch_byte(struct cpu *c, const struct itlb_entry *e, unsigned off)
{
    return e->host ? e->host[off] : (uint8_t)bus_read(c->mem, e->pa + off, 1);
}

/*
 * One instruction decoded for this execution only: it crosses a page, lies at the end of the code
 * segment or outside plain memory.
 */
static struct insn *build_scratch(struct cpu *c, uint32_t mode)
{
    struct trace *t = c->tc->scratch;
    uint32_t la = (uint32_t)(c->seg[SEG_CS].base + c->eip);
    uint8_t bytes[DECODE_MAX_LEN + 1];
    unsigned n = 0;
    struct decoded d;
    enum decode_status st;
    const struct itlb_entry *e = mmu_fetch(c, la);

    if (!e) {
        return fetch_fault(c);
    }
    do {
        uint32_t a = la + n;
        if ((uint32_t)c->eip + n > c->seg[SEG_CS].limit) {
            exc_set_err(c, EXC_GP, 0);
            return fetch_fault(c);
        }
        if (n > 0 && (a & PAGE_MASK) == 0) {
            e = mmu_fetch(c, a);
            if (!e) {
                return fetch_fault(c);
            }
        }
        bytes[n++] = fetch_byte(c, e, a & PAGE_MASK);
        st = decode(bytes, n, code_size(mode), &d);
    } while (st == DEC_MORE && n < sizeof bytes);

    c->st.uncached++;
    t->mode = mode;
    t->cached = false;
    t->code = NULL;
    t->n = 0;
    t->branches = t->imm32 = 0;
    t->pgoff[0] = la & PAGE_MASK;
    enum translate_kind k = add_insn(c, t, st, &d, bytes);
    finish(c, t, k != TR_JUMP && k != TR_STOP);
    if (UNLIKELY(c->cfg.counting)) {
        t->count = c->tc->count;
        count_trace(t);
    }
    return t->rec;
}

static struct trace *build_cached(struct cpu *c, const struct itlb_entry *e, uint64_t pa,
                                  uint32_t mode)
{
    struct trace_cache *tc = c->tc;
    if (tc->used + trace_bytes(TRACE_RECORDS_MAX) + sizeof tc->count > POOL_BYTES) {
        trace_flush_now(c);
    }
    struct trace *t = (struct trace *)(void *)(tc->pool + tc->used);
    t->mode = mode;
    t->pa = pa;
    t->code = e->code;
    t->cached = true;
    t->dead = false;
    if (!build(c, t, e->host, pa & PAGE_MASK, PAGE_SIZE)) {
        return NULL;
    }
    tc->used += trace_size(t);
    t->end = t->pgoff[t->n];
    t->lines = line_mask(t->pgoff[0], t->end - 1u);
    if (t->code) {
        if (*t->code == 0) {
            tlb_drop_writes(c, e->host);
        }
        *t->code |= t->lines;
    }
    struct trace **h = &tc->by_pa[hash_pa(pa, mode)];
    t->hash_next = *h;
    *h = t;
    for (unsigned k = 0; k < trace_lines(t); k++) {
        struct trace **p = &tc->by_line[hash_line(pa + (k << LINE_SHIFT))];
        t->line_next[k] = *p;
        *p = t;
    }
    c->st.traces_built++;
    return t;
}

struct insn *trace_lookup(struct cpu *c, uint32_t extra)
{
    uint32_t mode = c->mode | extra;
    uint32_t eip = (uint32_t)c->eip;
    uint32_t la = (uint32_t)c->seg[SEG_CS].base + eip;
    const struct itlb_entry *e = &c->tlb->code[(la >> PAGE_SHIFT) & (ITLB_SIZE - 1)];

    c->st.trace_lookups++;
    c->page_eip = eip - (la & PAGE_MASK);
    if (!(mode & MODE_FLAT)) {
        const struct segment *cs = &c->seg[SEG_CS];
        if (eip > cs->limit) {
            exc_set_err(c, EXC_GP, 0);
            return fetch_fault(c);
        }
        if ((uint64_t)eip + (PAGE_MASK - (la & PAGE_MASK)) > cs->limit) {
            return build_scratch(c, mode); /* the limit is not part of a trace's key */
        }
    }
    if (e->tag != (la & ~PAGE_MASK)) {
        e = mmu_fetch(c, la);
        if (!e) {
            return fetch_fault(c);
        }
    }
    if (!e->host) {
        return build_scratch(c, mode);
    }
    page_set_add(&c->tlb->linked, la >> PAGE_SHIFT);
    c->tlb->linked_local |= !e->global;
    uint64_t pa = e->pa | (la & PAGE_MASK);
    struct trace *t = c->tc->by_pa[hash_pa(pa, mode)];
    while (t && (t->pa != pa || t->mode != mode)) {
        t = t->hash_next;
    }
    if (!t) {
        t = build_cached(c, e, pa, mode);
        if (!t) {
            return build_scratch(c, mode);
        }
    }
    return t->rec;
}

void trace_reserve(struct cpu *c)
{
    size_t most = trace_bytes(TRACE_RECORDS_MAX) + sizeof c->tc->count;

    if (c->tc->used + (TRACE_MAX + 1) * most > POOL_BYTES) {
        trace_flush_now(c);
    }
}

struct insn *trace_inside(struct cpu *c)
{
    uint64_t eip = c->eip;
    uint32_t off = (uint32_t)(c->seg[SEG_CS].base + eip) & PAGE_MASK;
    struct insn *i;

    if (c->part.start >= off || off - c->part.start > eip || eip > c->seg[SEG_CS].limit ||
        !mmu_fetch(c, (uint32_t)(c->seg[SEG_CS].base + eip))) {
        return NULL;
    }
    trace_reserve(c);
    c->eip = (uint32_t)(eip - (off - c->part.start));
    i = trace_lookup(c, 0);
    c->eip = eip;
    if (i == c->leave || insn_trace(i)->n <= c->part.done ||
        insn_trace(i)->pgoff[c->part.done] != off) {
        return NULL;
    }
    return i + c->part.done;
}

/* --- links ------------------------------------------------------------------------------------ */

static bool linkable(const struct cpu *c, const struct insn *to)
{
    return to != c->leave && insn_trace(to)->cached;
}

static void make_xlink(struct cpu *c, struct insn *i, struct insn *to, uint64_t source)
{
    uint32_t s = (uint32_t)source;
    set_handler(c, i, H_xlink);
    i->link = to;
    i->disp = c->link_gen;
    memcpy(&i->dst, &s, sizeof s);
}

/*
 * A direct branch out of the code segment is a fault of the branch, which has already been taken
 * when its target is looked up for the first time: LOOP's count is put back.  CALL checks before it
 * pushes.
 */
static bool branch_outside(const struct cpu *c, const struct insn *branch)
{
    return UNLIKELY(!(c->mode & MODE_FLAT)) && branch_eip(c, branch) > c->seg[SEG_CS].limit;
}

static struct insn *branch_fault(struct cpu *c, const struct insn *branch)
{
    unsigned id = branch->id;

    if (id == H_loop16 || id == H_loope16 || id == H_loopne16) {
        set_reg16(c, REG_ECX, (uint16_t)(reg16(c, REG_ECX) + 1));
    } else if (id == H_loop32 || id == H_loope32 || id == H_loopne32) {
        set_reg32(c, REG_ECX, reg32(c, REG_ECX) + 1);
    }
    c->eip = insn_eip(c, branch);
    c->cur = NULL;
    exc_set_err(c, EXC_GP, 0);
    intr_exception(c, c->eip);
    return c->leave;
}

struct insn *x_stub(struct cpu *c, struct insn *i)
{
    struct insn *branch = i->link;
    struct trace *src = insn_trace(branch);
    uint64_t source = c->page_eip;
    uint32_t epoch = c->tc->epoch;
    uint32_t rel = (uint32_t)branch_eip(c, i) - (uint32_t)source, imm = i->imm;
    bool exact = rel == i->imm; /* not cut to 16 bits: valid wherever the page is mapped */

    if (branch_outside(c, branch)) {
        return branch_fault(c, branch);
    }
    c->eip = branch_eip(c, i);
    struct insn *to = trace_lookup(c, 0);
    if (epoch != c->tc->epoch || !src->cached || src->dead || i->imm != imm || !linkable(c, to)) {
        return to;
    }
    if (rel < PAGE_SIZE && exact) {
        branch->link = to;
        c->st.links++;
    } else if (exact) {
        c->st.far_links++;
        make_xlink(c, i, to, source);
    }
    return to;
}

/* The branch that leads to a stub. */
static struct insn *stub_branch(const struct insn *i)
{
    struct trace *t = insn_trace(i);
    unsigned k = 0;

    while (k < t->n && (!(t->branches >> k & 1) || t->rec[k].link != i)) {
        k++;
    }
    return &t->rec[k];
}

struct insn *x_xlink_miss(struct cpu *c, struct insn *i)
{
    uint64_t source = c->page_eip;
    uint32_t epoch = c->tc->epoch, imm = i->imm;

    if (branch_outside(c, i)) {
        return branch_fault(c, stub_branch(i));
    }
    c->st.link_misses++;
    c->eip = branch_eip(c, i);
    struct insn *to = trace_lookup(c, 0);
    if (epoch == c->tc->epoch && i->imm == imm && linkable(c, to)) {
        make_xlink(c, i, to, source);
    }
    return to;
}

/* The code at this record was overwritten after it was decoded: go on with what is there now. */
struct insn *x_stale(struct cpu *c, struct insn *i)
{
    c->eip = (uint32_t)(c->page_eip + insn_trace(i)->pgoff[i->idx]);
    c->left -= i->idx;
    if (c->left < 0) {
        return c->leave;
    }
    return trace_lookup(c, 0);
}

struct insn *exec_resume(struct cpu *c)
{
    uint32_t eip = (uint32_t)c->eip;
    const struct jump_entry *j = &c->jump[JUMP_HASH(eip)];
    if (LIKELY(j->key == (c->link_key | eip))) {
        c->page_eip = eip - (((uint32_t)c->seg[SEG_CS].base + eip) & PAGE_MASK);
        return j->rec;
    }
    return exec_indirect(c, NULL);
}

struct insn *exec_indirect(struct cpu *c, struct insn *i UNUSED)
{
    uint64_t eip = c->eip;
    if (c->left < 0) {
        return c->leave;
    }
    c->st.jump_misses++;
    struct insn *to = trace_lookup(c, 0);
    if (linkable(c, to)) {
        struct jump_entry *j = &c->jump[JUMP_HASH(eip)];
        j->key = c->link_key | (uint32_t)eip;
        j->rec = to;
    }
    return to;
}

struct insn *exec_event(struct cpu *c, struct insn *i)
{
    if (i->id != H_fall && branch_outside(c, i)) {
        return branch_fault(c, i);
    }
    c->fell = i->id == H_fall;
    c->eip = branch_eip(c, i);
    return c->leave;
}

/* --- invalidation ----------------------------------------------------------------------------- */

static void kill(struct cpu *c, struct trace *t)
{
    struct trace **h = &c->tc->by_pa[hash_pa(t->pa, t->mode)];
    while (*h != t) {
        h = &(*h)->hash_next;
    }
    *h = t->hash_next;
    for (unsigned k = 0; k < trace_lines(t); k++) {
        unsigned list = hash_line(t->pa + (k << LINE_SHIFT));
        struct trace **p = &c->tc->by_line[list];
        while (*p != t) {
            p = line_link(*p, list);
        }
        *p = t->line_next[k];
    }
    /* Instructions and the fall record; stubs behind them still lead to the right address. */
    for (unsigned k = 0; k <= t->n && k < t->nrec; k++) {
        if (k < t->n || t->rec[k].id == H_fall) {
            set_handler(c, &t->rec[k], H_stale);
        }
    }
    t->dead = true;
}

/* The stub that finish() made for the branch at record k. */
static struct insn *stub_of(struct trace *t, unsigned k)
{
    unsigned before = (unsigned)__builtin_popcount(t->branches & ((1u << k) - 1));

    return &t->rec[t->n + (t->rec[t->n].id == H_fall) + before];
}

/* What the bytes say now, as long as length and place in the flow are as they were. */
static bool decode_again(struct cpu *c, const struct trace *t, unsigned k, struct insn *now)
{
    unsigned off = t->pgoff[k], len = t->pgoff[k + 1] - off;
    struct decoded d;
    enum translate_kind was, kind;

    if (decode(t->page + off, PAGE_SIZE - off, code_size(t->mode), &d) != DEC_OK || d.len != len ||
        (d.rep && (d.attr & AT_REP))) {
        return false;
    }
    kind = make_record(c, t, k, DEC_OK, &d, t->page + off, now);
    was = k + 1u == t->n ? t->last_kind : t->branches >> k & 1 ? TR_BRANCH : TR_PLAIN;
    return kind == was && (kind == TR_PLAIN || now->id == t->rec[k].id) &&
           (t->imm32 >> k & 1) == plain_imm32(&d, kind, t->page + off, now);
}

/* Bytes of record k were written; false: not without a new trace. */
static bool patch_record(struct cpu *c, struct trace *t, unsigned k, unsigned first,
                         bool *respecialise)
{
    struct insn *i = &t->rec[k], now;

    if ((t->imm32 >> k & 1) && first + 4 >= t->pgoff[k + 1]) {
        i->imm = get32(t->page + t->pgoff[k + 1] - 4);
        return true;
    }
    if (!decode_again(c, t, k, &now)) {
        return false;
    }
    if (t->count && fast_differs(i, &now)) {
        return false; /* its count is that of the old instruction */
    }
    now.exec = i->exec;
    if (t->branches >> k & 1) {
        *i = now;
        set_stub(c, stub_of(t, k), i);
        return true;
    }
    *respecialise = *respecialise || fast_differs(i, &now);
    *i = now;
    return true;
}

static NOINLINE bool patch(struct cpu *c, struct trace *t, unsigned first, unsigned end)
{
    bool respecialise = false;
    unsigned k = 0;

    while (t->pgoff[k + 1] <= first) {
        k++;
    }
    for (; k < t->n && t->pgoff[k] < end; k++) {
        if (!patch_record(c, t, k, first, &respecialise)) {
            return false;
        }
    }
    if (respecialise) {
        for (k = 0; k < t->n; k++) {
            set_handler(c, &t->rec[k], t->rec[k].id);
        }
        if (!c->cfg.generic_only) {
            fast_specialise(c, t);
        }
    }
    return true;
}

/*
 * The line masks only say that somebody should look; a trace is touched when its own bytes are
 * written, so variables beside code cost a search and no more.  A bit is cleared when a write finds
 * nobody in its line.
 */
static NOINLINE void written_in_page(struct cpu *c, uint64_t pa, unsigned len)
{
    unsigned first = (unsigned)(pa & PAGE_MASK), end = first + len;
    uint64_t page = pa & ~(uint64_t)PAGE_MASK;
    uint32_t rest = 0, *code = NULL;

    for (unsigned line = first >> LINE_SHIFT; line <= (end - 1) >> LINE_SHIFT; line++) {
        unsigned list = hash_line(page | line << LINE_SHIFT);
        struct trace **p = &c->tc->by_line[list];

        while (*p) {
            struct trace *t = *p;
            bool hit;

            if (UNLIKELY(((t->pa ^ page) & ~(uint64_t)PAGE_MASK) || !t->code)) {
                p = line_link(t, list);
                continue;
            }
            code = t->code;
            hit = (t->pa & PAGE_MASK) < end && first < t->end;
            if (hit && !patch(c, t, first, end)) {
                kill(c, t); /* which takes it out of this list */
                c->st.smc_kills++;
                continue;
            }
            c->st.smc_patches += hit;
            rest |= t->lines;
            p = line_link(t, list);
        }
    }
    if (code) {
        *code &= rest | ~line_mask(first, end - 1);
        c->st.smc_hits++;
    }
}

/*
 * The most common change: all that was written are immediates of 32 bits (or parts of them) that
 * records hold as they are.  False: it is something else, written_in_page() has to look; what was
 * done already is no harm.
 */
ALWAYS_INLINE bool patch_immediates(struct cpu *c, uint64_t pa, unsigned len)
{
    unsigned list = hash_line(pa), first = (unsigned)(pa & PAGE_MASK), end = first + len;
    uint64_t page = pa & ~(uint64_t)PAGE_MASK;
    struct trace *t;
    bool found = false;

    if ((first ^ (end - 1)) >> LINE_SHIFT) {
        return false;
    }
    for (t = c->tc->by_line[list]; t; t = *line_link(t, list)) {
        unsigned k = 0;

        if ((t->pa & ~(uint64_t)PAGE_MASK) != page || first >= t->end ||
            end <= (t->pa & PAGE_MASK)) {
            continue;
        }
        while (t->pgoff[k + 1] <= first) {
            k++;
        }
        if (!(t->imm32 >> k & 1) || first + 4 < t->pgoff[k + 1] || end > t->pgoff[k + 1] ||
            !t->code) {
            return false;
        }
        t->rec[k].imm = get32(t->page + t->pgoff[k + 1] - 4);
        found = true;
    }
    return found;
}

void trace_written(struct cpu *c, uint64_t pa, uint64_t len)
{
    if (len <= 8 && patch_immediates(c, pa, (unsigned)len)) {
        c->st.smc_hits++;
        c->st.smc_patches++;
        return;
    }
    while (len) {
        uint64_t n = MIN(len, PAGE_SIZE - (pa & PAGE_MASK));
        written_in_page(c, pa, (unsigned)n);
        pa += n;
        len -= n;
    }
}
