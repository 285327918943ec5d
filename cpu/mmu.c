/*
 * Paging: page-table walks, the TLBs and their invalidation.
 *
 * Source: Intel SDM vol. 3 chapter 4 (paging), 4.7 (#PF error codes), 4.8 (A and D bits), 4.10
 * (TLBs). Three TLBs: supervisor, user, and one without fast tags (see tlb_select).  An entry's
 * fast tags exist only while a plain host pointer may be used: not for MMIO, not for writing to
 * pages that hold decoded code (`code` then tells the slow path where the line mask is), not
 * before the D bit and the dirty flag of the host page are set.
 * Invariants: a walk changes A and D bits only after every check has passed; t->filled names each
 * used slot exactly once, so flushes cost what was filled.
 */
#include <stdlib.h>

#include "cpu/cpuid.h"
#include "cpu/system.h"
#include "memory/bytes.h"

enum {
    PTE_P = 1 << 0, PTE_W = 1 << 1, PTE_U = 1 << 2, PTE_A = 1 << 5, PTE_D = 1 << 6, PTE_PS = 1 << 7,
    PTE_G = 1 << 8,
    PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16,
};
#define PTE_NX ((uint64_t)1 << 63)
#define PHYS_BITS 36
/* Bits of an 8-byte entry above the physical address, without NX. */
#define PTE_HIGH (((uint64_t)1 << 63) - ((uint64_t)1 << PHYS_BITS))
#define PTE_FRAME8 (((uint64_t)1 << PHYS_BITS) - PAGE_SIZE)
/* Slot in t->filled whose translation was invalidated alone. */
#define TLB_EMPTY_FILLED (TLB_NO_TAG | 1)

/* Levels that are walked in memory; PAE's top level is in c->pdpte. */
struct paging_mode {
    uint8_t levels, entry_bytes, index_bits;
};
enum { PAGING_32, PAGING_PAE, PAGING_4LEVEL };
static const struct paging_mode paging_modes[] = {
    [PAGING_32] = {2, 4, 10},
    [PAGING_PAE] = {2, 8, 9},
    [PAGING_4LEVEL] = {4, 8, 9},
};

/* What a walk found. */
struct walk {
    uint64_t pa;
    uint32_t error; /* of #PF, when it failed */
    bool write;     /* the page may be written from now on without another walk */
    bool global;
    bool large;
};

struct path {
    uint64_t at[4], val[4]; /* addresses and contents of the entries used */
    unsigned n;
    bool user, write, nx;   /* combined rights */
};

static unsigned paging_kind(const struct cpu *c)
{
    if (!(c->cr4 & CR4_PAE)) {
        return PAGING_32;
    }
    return c->efer & EFER_LMA ? PAGING_4LEVEL : PAGING_PAE;
}

/* Page tables in MMIO are read through the bus, except by debuggers. */
static bool table_read(const struct cpu *c, uint64_t at, unsigned size, bool peek, uint64_t *v)
{
    struct bus_page p;

    bus_page(c->mem, at, &p);
    if (p.read) {
        *v = get_n(p.read + (at & PAGE_MASK), size);
        return true;
    }
    if (peek) {
        return false;
    }
    *v = bus_read(c->mem, at, size);
    return true;
}

static uint64_t reserved_bits(const struct cpu *c, const struct paging_mode *m, bool large)
{
    if (m->entry_bytes == 8) {
        uint64_t r = PTE_HIGH | (c->efer & EFER_NXE ? 0 : PTE_NX);
        return large ? r | 0x1fe000 : r;
    }
    if (!large) {
        return 0;
    }
    return c->cpuid_edx & CPUID_PSE36 ? 0x3e0000 : 0x3fe000;
}

/* Physical address of a leaf entry at `level`. */
static uint64_t leaf_address(const struct paging_mode *m, unsigned level, uint64_t val, uint64_t la)
{
    uint64_t in_page = ((uint64_t)1 << (PAGE_SHIFT + level * m->index_bits)) - 1;

    if (m->entry_bytes == 8) {
        return (val & PTE_FRAME8 & ~in_page) | (la & in_page);
    }
    if (level == 0) {
        return (val & 0xfffff000u) | (la & in_page);
    }
    return (val & 0xffc00000u) | (val >> 13 & 0xf) << 32 | (la & in_page);
}

/* Follows the tables down to the leaf; false with w->error set (P and RSVD bits only). */
static bool descend(const struct cpu *c, uint64_t la, bool peek, struct path *p, struct walk *w)
{
    unsigned kind = paging_kind(c), level;
    const struct paging_mode *m = &paging_modes[kind];
    uint64_t table = c->cr3 & (kind == PAGING_4LEVEL ? PTE_FRAME8 : 0xfffff000u);

    w->error = 0;
    if (kind == PAGING_PAE) {
        table = c->pdpte[la >> 30 & 3];
        if (!(table & PTE_P)) {
            return false;
        }
        table &= PTE_FRAME8;
    }
    p->n = 0;
    p->user = p->write = true;
    p->nx = false;
    for (level = m->levels; level-- > 0;) {
        uint64_t index = la >> (PAGE_SHIFT + level * m->index_bits) & ((1u << m->index_bits) - 1);
        uint64_t at = (table + index * m->entry_bytes) & c->a20_mask, val;
        bool large;

        if (!table_read(c, at, m->entry_bytes, peek, &val) || !(val & PTE_P)) {
            return false;
        }
        large = level == 1 && (val & PTE_PS) && (m->entry_bytes == 8 || (c->cr4 & CR4_PSE));
        if (val & reserved_bits(c, m, large)) {
            w->error = PF_P | PF_RSVD;
            return false;
        }
        p->at[p->n] = at;
        p->val[p->n++] = val;
        p->user = p->user && (val & PTE_U);
        p->write = p->write && (val & PTE_W);
        p->nx = p->nx || (m->entry_bytes == 8 && (val & PTE_NX));
        if (level == 0 || large) {
            w->pa = leaf_address(m, level, val, la) & c->a20_mask;
            w->global = (val & PTE_G) && (c->cr4 & CR4_PGE);
            w->large = large;
            return true;
        }
        table = m->entry_bytes == 8 ? val & PTE_FRAME8 : val & 0xfffff000u;
    }
    return false;
}

static void set_bits(struct cpu *c, struct path *p, unsigned k, uint64_t bits)
{
    if ((p->val[k] & bits) != bits) {
        p->val[k] |= bits;
        bus_write(c->mem, p->at[k], 4, p->val[k] & 0xffffffffu);
    }
}

static bool walk(struct cpu *c, uint64_t la, enum access acc, bool user, struct walk *w)
{
    struct path p;
    bool write = acc == ACC_WRITE || acc == ACC_RMW, allowed, writable;
    uint32_t error = (write ? PF_W : 0) | (user ? PF_U : 0);
    unsigned k;

    if (!(c->cr0 & CR0_PG)) {
        w->pa = la & c->a20_mask;
        w->write = true;
        w->global = w->large = false;
        return true;
    }
    c->st.page_walks++;
    if (acc == ACC_FETCH && (c->cr4 & CR4_PAE) && (c->efer & EFER_NXE)) {
        error |= PF_I;
    }
    if (!descend(c, la, false, &p, w)) {
        w->error |= error;
        return false;
    }
    writable = p.write || (!user && !(c->cr0 & CR0_WP));
    allowed = (!user || p.user) && (!write || writable) && (acc != ACC_FETCH || !p.nx);
    if (!allowed) {
        w->error = error | PF_P;
        return false;
    }
    for (k = 0; k < p.n; k++) {
        set_bits(c, &p, k, PTE_A | (k == p.n - 1 && write ? PTE_D : 0));
    }
    w->write = writable && (p.val[p.n - 1] & PTE_D);
    return true;
}

static bool page_fault(struct cpu *c, uint64_t la, uint32_t error)
{
    exc_set_err(c, EXC_PF, error);
    c->exc.cr2 = la;
    c->st.page_faults++;
    return false;
}

/* --- filling -------------------------------------------------------------------------------- */

static void tlb_flush(struct tlb *t, bool keep_global);

/*
 * Direct pages (rd, wr): entries are set when a walk has succeeded and taken away by address, by host page or
 * all together.
 */
static void direct_set(struct tlb *t, uint64_t page, const struct tlb_entry *e, uint32_t flags)
{
    uint32_t n = (uint32_t)page >> PAGE_SHIFT;
    uintptr_t d = (uintptr_t)e->host - (uint32_t)page;

    t->pages[t->npages++] = n | flags;
    t->rd[n] = e->rtag == page ? d : 0;
    t->wr[n] = e->wtag == page ? d : 0;
}

static void direct_drop(struct tlb *t, uint64_t page)
{
    uint32_t n = (uint32_t)page >> PAGE_SHIFT;

    if (t->rd[n]) { /* never true in the slow TLB, whose table is shared and stays untouched */
        t->rd[n] = t->wr[n] = 0;
    }
}

static void direct_flush(struct tlb *t, bool keep_global)
{
    uint32_t k, kept = 0;

    for (k = 0; k < t->npages; k++) {
        uint32_t p = t->pages[k], n = p & (TLB_PAGES - 1);

        if (keep_global && (p & TLB_PAGE_GLOBAL) && t->rd[n]) {
            t->pages[kept++] = p;
        } else {
            t->rd[n] = t->wr[n] = 0;
        }
    }
    t->npages = kept;
}

/* Stores to the host page go the slow way from now on, whatever it is mapped to. */
static void direct_drop_writes(struct tlb *t, const uint8_t *host)
{
    uint32_t k;

    for (k = 0; k < t->npages; k++) {
        uint32_t n = t->pages[k] & (TLB_PAGES - 1);

        if (t->wr[n] == (uintptr_t)host - (n << PAGE_SHIFT)) {
            t->wr[n] = 0;
        }
    }
}

static void direct_drop_tracked(struct tlb *t)
{
    uint32_t k;

    for (k = 0; k < t->npages; k++) {
        if (t->pages[k] & TLB_PAGE_TRACKED) {
            t->wr[t->pages[k] & (TLB_PAGES - 1)] = 0;
        }
    }
}

void tlb_renew_write(struct tlb *t, uint64_t page)
{
    uint32_t n = (uint32_t)page >> PAGE_SHIFT;

    if (t->rd[n]) { /* and so in the list */
        t->wr[n] = t->rd[n];
    }
}

static void tlb_fill(struct cpu *c, struct tlb *t, uint64_t la, const struct walk *w, bool writing)
{
    unsigned n = TLB_INDEX(la);
    struct tlb_entry *e = &t->e[n];
    struct tlb_info *info = &t->info[n];
    struct bus_page p;

    c->st.tlb_fills++;
    if (t->npages == TLB_PAGES_FILLED) {
        tlb_flush(t, false);
    }
    if (info->tag == TLB_NO_TAG) {
        t->filled[t->nfilled++] = n;
    }
    info->tag = la & ~(uint64_t)PAGE_MASK;
    info->pa = w->pa & ~(uint64_t)PAGE_MASK;
    info->write = w->write;
    info->global = w->global;
    info->large = w->large;
    t->large = t->large || w->large;
    e->rtag = e->wtag = TLB_NO_TAG;
    e->host = NULL;
    e->code = NULL;
    if (t == &c->tlb_slow) {
        return; /* the bus does everything, breakpoints and alignment are checked each time */
    }
    bus_page(c->mem, info->pa, &p);
    if (!p.read) {
        direct_drop(t, info->tag);
        return;
    }
    e->host = p.read;
    e->rtag = info->tag;
    /* reading a screen must not mark it as changed */
    if (w->write && p.write == p.read && (writing || !p.dirty)) {
        if (p.dirty) {
            *p.dirty = 1;
        }
        if (p.code && *p.code) {
            e->code = p.code;
        } else {
            e->wtag = info->tag;
        }
    }
    direct_set(t, info->tag, e,
               (w->global ? TLB_PAGE_GLOBAL : 0) | (p.dirty ? TLB_PAGE_TRACKED : 0));
}

bool mmu_translate(struct cpu *c, uint64_t la, enum access acc, bool user, uint64_t *pa)
{
    struct walk w;

    if (!walk(c, la, acc, user, &w)) {
        return page_fault(c, la, w.error);
    }
    *pa = w.pa;
    if (acc != ACC_FETCH) {
        tlb_fill(c, tlb_for(c, user), la, &w, acc != ACC_READ);
    }
    return true;
}

const struct itlb_entry *mmu_fetch(struct cpu *c, uint64_t la)
{
    struct tlb *t = c->tlb;
    unsigned n = (la >> PAGE_SHIFT) & (ITLB_SIZE - 1);
    struct itlb_entry *e = &t->code[n];
    uint64_t page = la & ~(uint64_t)PAGE_MASK;
    struct bus_page p;
    struct walk w;

    if (LIKELY(e->tag == page)) {
        return e;
    }
    if (!walk(c, la, ACC_FETCH, c->cpl == 3, &w)) {
        page_fault(c, la, w.error);
        return NULL;
    }
    c->st.tlb_fills++;
    if (e->tag == TLB_NO_TAG) {
        t->code_filled[t->ncode_filled++] = n;
    }
    bus_page(c->mem, w.pa, &p);
    e->tag = page;
    e->pa = w.pa & ~(uint64_t)PAGE_MASK;
    /* Video memory is mapped at several addresses at once: its code is decoded at every execution. */
    e->host = p.dirty ? NULL : p.read;
    e->code = p.code;
    e->global = w.global;
    e->large = w.large;
    t->large = t->large || w.large;
    return e;
}

bool mmu_peek(const struct cpu *c, uint64_t la, uint64_t *pa)
{
    struct path p;
    struct walk w;

    if (!(c->cr0 & CR0_PG)) {
        *pa = la & c->a20_mask;
        return true;
    }
    if (!descend(c, la, true, &p, &w)) {
        return false;
    }
    *pa = w.pa;
    return true;
}

bool mmu_load_pdptes(struct cpu *c, uint64_t cr3)
{
    uint64_t v[4];
    unsigned k;

    for (k = 0; k < 4; k++) {
        uint64_t at = ((cr3 & 0xffffffe0u) + k * 8) & c->a20_mask;

        table_read(c, at, 8, false, &v[k]);
        if ((v[k] & PTE_P) && (v[k] & (PTE_HIGH | PTE_NX | 0x1e6))) {
            return false;
        }
    }
    memcpy(c->pdpte, v, sizeof v);
    return true;
}

/* --- invalidation --------------------------------------------------------------------------- */

static void tlb_clear_slot(struct tlb *t, unsigned n, uint64_t info_tag)
{
    t->e[n].rtag = t->e[n].wtag = TLB_NO_TAG;
    t->e[n].host = NULL;
    t->e[n].code = NULL;
    t->info[n].tag = info_tag;
}

static void tlb_flush(struct tlb *t, bool keep_global)
{
    uint32_t k, kept = 0;

    direct_flush(t, keep_global);
    for (k = 0; k < t->nfilled; k++) {
        uint32_t n = t->filled[k];

        if (keep_global && t->info[n].global && t->info[n].tag != TLB_EMPTY_FILLED) {
            t->filled[kept++] = n;
        } else {
            tlb_clear_slot(t, n, TLB_NO_TAG);
        }
    }
    t->nfilled = kept;
    kept = 0;
    for (k = 0; k < t->ncode_filled; k++) {
        uint32_t n = t->code_filled[k];

        if (keep_global && t->code[n].global && t->code[n].tag != TLB_EMPTY_FILLED) {
            t->code_filled[kept++] = n;
        } else {
            t->code[n].tag = TLB_NO_TAG;
        }
    }
    t->ncode_filled = kept;
    t->large = t->large && keep_global;
}

static void tlb_flush_each(struct cpu *c, bool keep_global)
{
    c->st.tlb_flushes++;
    tlb_flush(&c->tlb_kernel, keep_global);
    tlb_flush(&c->tlb_user, keep_global);
    tlb_flush(&c->tlb_slow, keep_global);
    trace_unlink(c);
}

void tlb_flush_all(struct cpu *c)
{
    tlb_flush_each(c, false);
}

void tlb_flush_nonglobal(struct cpu *c)
{
    tlb_flush_each(c, true);
}

/* Slots stay in the filled lists, so a later fill must not add them again. */
static void flush_slot(struct tlb *t, uint64_t page)
{
    struct itlb_entry *code = &t->code[(page >> PAGE_SHIFT) & (ITLB_SIZE - 1)];

    direct_drop(t, page);
    if (t->info[TLB_INDEX(page)].tag == page) {
        tlb_clear_slot(t, TLB_INDEX(page), TLB_EMPTY_FILLED);
    }
    if (code->tag == page) {
        code->tag = TLB_EMPTY_FILLED;
    }
}

/* All pieces of the large page around `page`; which size it had is not known any more. */
static void flush_large(struct tlb *t, uint64_t page)
{
    const uint64_t region = ~(uint64_t)0x3fffff;
    uint32_t k;

    for (k = 0; k < 1024; k++) {
        direct_drop(t, (page & region) + k * PAGE_SIZE);
    }
    for (k = 0; k < t->nfilled; k++) {
        struct tlb_info *info = &t->info[t->filled[k]];

        if (info->large && ((info->tag ^ page) & region) == 0) {
            tlb_clear_slot(t, t->filled[k], TLB_EMPTY_FILLED);
        }
    }
    for (k = 0; k < t->ncode_filled; k++) {
        struct itlb_entry *code = &t->code[t->code_filled[k]];

        if (code->large && ((code->tag ^ page) & region) == 0) {
            code->tag = TLB_EMPTY_FILLED;
        }
    }
}

void tlb_flush_page(struct cpu *c, uint64_t la)
{
    struct tlb *const all[] = {&c->tlb_kernel, &c->tlb_user, &c->tlb_slow};
    uint64_t page = (uint32_t)la & ~(uint64_t)PAGE_MASK;
    unsigned k;

    for (k = 0; k < ARRAY_LEN(all); k++) {
        flush_slot(all[k], page);
        if (all[k]->large) {
            flush_large(all[k], page);
        }
    }
    trace_unlink(c);
}

/* By host page, so that other physical addresses of the same memory lose their permission too. */
static void drop_writes(struct tlb *t, const struct bus_page *p)
{
    uint32_t k;

    direct_drop_writes(t, p->read);
    for (k = 0; k < t->nfilled; k++) {
        struct tlb_entry *e = &t->e[t->filled[k]];

        if (e->host == p->read && e->wtag != TLB_NO_TAG) {
            e->wtag = TLB_NO_TAG;
            e->code = p->code;
        }
    }
}

void tlb_drop_writes(struct cpu *c, uint64_t pa)
{
    struct bus_page p;

    bus_page(c->mem, pa, &p);
    if (p.read) {
        drop_writes(&c->tlb_kernel, &p);
        drop_writes(&c->tlb_user, &p);
    }
}

/*
 * Pages whose writes are recorded: the next store goes through the slow path and sets the flag
 * again.
 */
static void drop_dirty(struct cpu *c, struct tlb *t)
{
    uint32_t k;

    direct_drop_tracked(t);
    for (k = 0; k < t->nfilled; k++) {
        struct tlb_entry *e = &t->e[t->filled[k]];
        struct bus_page p;

        if (e->wtag == TLB_NO_TAG && !e->code) {
            continue;
        }
        bus_page(c->mem, t->info[t->filled[k]].pa, &p);
        if (p.dirty) {
            e->wtag = TLB_NO_TAG;
            e->code = NULL;
        }
    }
}

void tlb_drop_all_writes(struct cpu *c)
{
    drop_dirty(c, &c->tlb_kernel);
    drop_dirty(c, &c->tlb_user);
}

static void tlb_reset(struct tlb *t)
{
    unsigned n;

    for (n = 0; n < TLB_SIZE; n++) {
        tlb_clear_slot(t, n, TLB_NO_TAG);
        t->info[n].pa = 0;
    }
    for (n = 0; n < ITLB_SIZE; n++) {
        t->code[n].tag = TLB_NO_TAG;
    }
    t->nfilled = t->ncode_filled = t->npages = 0;
    t->large = false;
}

/* Megabytes of zeros that the host provides as they are touched. */
static bool direct_new(struct tlb *t)
{
    t->rd = calloc(TLB_PAGES, sizeof *t->rd);
    t->wr = calloc(TLB_PAGES, sizeof *t->wr);
    t->pages = calloc(TLB_PAGES_FILLED, sizeof *t->pages);
    return t->rd && t->wr && t->pages;
}

static void direct_free(struct tlb *t)
{
    free(t->rd);
    free(t->wr);
    free(t->pages);
}

bool tlb_init(struct cpu *c)
{
    c->tlb_slow.rd = c->tlb_slow.wr = calloc(TLB_PAGES, sizeof *c->tlb_slow.rd);
    if (!direct_new(&c->tlb_kernel) || !direct_new(&c->tlb_user) || !c->tlb_slow.rd) {
        return false;
    }
    tlb_reset(&c->tlb_kernel);
    tlb_reset(&c->tlb_user);
    tlb_reset(&c->tlb_slow);
    tlb_select(c);
    return true;
}

void tlb_free(struct cpu *c)
{
    direct_free(&c->tlb_kernel);
    direct_free(&c->tlb_user);
    free(c->tlb_slow.rd);
}

/* DR7 has an enabled breakpoint on data or ports. */
static bool data_breakpoints(const struct cpu *c)
{
    unsigned n;

    for (n = 0; n < 4; n++) {
        if ((c->dr[7] >> (n * 2) & 3) && (c->dr[7] >> (16 + n * 4) & 3)) {
            return true;
        }
    }
    return false;
}

void tlb_select(struct cpu *c)
{
    bool user = c->cpl == 3;

    if (UNLIKELY((user && (c->cr0 & CR0_AM) && (c->eflags & FLAG_AC)) ||
                 ((c->dr[7] & 0xff) && data_breakpoints(c)))) {
        /* Both privileges share the slow one; it may hold what the other was allowed. */
        tlb_flush(&c->tlb_slow, false);
        tlb_use(c, &c->tlb_slow);
    } else {
        tlb_use(c, user ? &c->tlb_user : &c->tlb_kernel);
    }
}
