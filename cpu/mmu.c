/*
 * Paging: page-table walks, the TLBs and their invalidation.
 *
 * Source: Intel SDM vol. 3 chapter 4 (paging), 4.7 (#PF error codes), 4.8 (A and D bits), 4.10
 * (TLBs). Three TLBs: supervisor, user, and one without direct pages (see tlb_select).  A page is
 * in rd and wr only while a plain host pointer may be used: not for MMIO, not for writing to pages
 * that hold decoded code (a slot of `special` then says where the line mask is), not before the D
 * bit and the dirty flag of the host page are set. Invariants: a walk changes A and D bits only
 * after every check has passed; every direct page is in one of the lists, so flushes cost what was
 * filled.
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

ALWAYS_INLINE uint64_t reserved_bits(const struct cpu *c, const struct paging_mode *m, bool large)
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
ALWAYS_INLINE uint64_t leaf_address(const struct paging_mode *m, unsigned level, uint64_t val,
                                    uint64_t la)
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

/* The error code of a fault at a page that is not there. */
static uint32_t fault_bits(const struct cpu *c, enum access acc, bool user)
{
    bool fetch = acc == ACC_FETCH && (c->cr4 & CR4_PAE) && (c->efer & EFER_NXE);

    return (acc == ACC_WRITE || acc == ACC_RMW ? PF_W : 0) | (user ? PF_U : 0) | (fetch ? PF_I : 0);
}

/* The complete walk: anything may be missing, forbidden or reserved, bits are set. */
static NOINLINE bool walk_all(struct cpu *c, uint64_t la, enum access acc, bool user,
                              struct walk *w)
{
    struct path p;
    bool write = acc == ACC_WRITE || acc == ACC_RMW, allowed, writable;
    uint32_t error = fault_bits(c, acc, user);
    unsigned k;

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

static NOINLINE uint8_t *ram_search(struct cpu *c, struct bus_ram *m, uint64_t pa)
{
    return bus_ram(c->mem, pa, m) ? m->host + (pa - m->start) : NULL;
}

/* Host address of plain memory at pa, or NULL. */
ALWAYS_INLINE uint8_t *ram_host(struct cpu *c, unsigned use, uint64_t pa)
{
    struct bus_ram *m = &c->ram[use];
    uint64_t off = pa - m->start;

    return LIKELY(off < m->len) ? m->host + off : ram_search(c, m, pa);
}

/* The line mask of the page that ram_host() has just found. */
ALWAYS_INLINE uint32_t *ram_code(const struct cpu *c, unsigned use, uint64_t pa)
{
    return c->ram[use].code + ((pa - c->ram[use].start) >> PAGE_SHIFT);
}

/*
 * The page table that maps la, found again or through the directory; NULL: walk_all() has to look.
 */
ALWAYS_INLINE const uint8_t *table_of(struct cpu *c, uint64_t la, unsigned kind, uint32_t *rights,
                                      uint64_t *large)
{
    const struct paging_mode *m = &paging_modes[kind];
    const unsigned size = kind == PAGING_PAE ? 8 : 4, shift = kind == PAGING_PAE ? 21 : 22;
    const uint64_t frame = kind == PAGING_PAE ? PTE_FRAME8 : 0xfffff000u;
    uint32_t n = (uint32_t)(la >> shift);
    uint64_t top = kind == PAGING_PAE ? c->pdpte[la >> 30 & 3] : c->cr3 | PTE_P, val;
    const uint8_t *at;

    if (LIKELY(c->dir.tag[n & 15] == n + 1)) {
        *rights = c->dir.rights[n & 15];
        return c->dir.table[n & 15];
    }
    at = ram_host(c, RAM_TABLES,
                  ((top & frame) + (n & (kind == PAGING_PAE ? 511 : 1023)) * size) & c->a20_mask);
    if (!at || !(top & PTE_P)) {
        return NULL;
    }
    val = size == 8 ? get64(at) : get32(at);
    if ((val & PTE_PS) && (kind == PAGING_PAE || (c->cr4 & CR4_PSE))) {
        *large = val;
        return NULL;
    }
    if ((val & (PTE_P | PTE_A)) != (PTE_P | PTE_A) ||
        (size == 8 && (val & reserved_bits(c, m, false)))) {
        return NULL;
    }
    at = ram_host(c, RAM_TABLES, val & frame & c->a20_mask);
    if (at && !(size == 8 && (val & PTE_NX))) {
        c->dir.tag[n & 15] = n + 1;
        c->dir.rights[n & 15] = *rights = val & (PTE_P | PTE_W | PTE_U);
        c->dir.table[n & 15] = at;
        return at;
    }
    return NULL;
}

enum quick { QUICK_DONE, QUICK_FAULT, QUICK_UNSURE };

/*
 * The walk as it mostly is: tables in plain memory, two levels, everything permitted and marked
 * already, or the page is not there.  Otherwise walk_all() has to look.
 */
ALWAYS_INLINE enum quick walk_quick(struct cpu *c, uint64_t la, enum access acc, bool user,
                                    struct walk *w, unsigned kind)
{
    const struct paging_mode *m = &paging_modes[kind];
    const unsigned size = kind == PAGING_PAE ? 8 : 4;
    bool write = acc == ACC_WRITE || acc == ACC_RMW;
    uint64_t need = PTE_P | PTE_A | (write ? PTE_D : 0), large = 0, val;
    uint32_t rights = 0;
    const uint8_t *table = table_of(c, la, kind, &rights, &large);

    if (LIKELY(table != NULL)) {
        table += (la >> PAGE_SHIFT & (kind == PAGING_PAE ? 511 : 1023)) * size;
        val = size == 8 ? get64(table) : get32(table);
        rights &= (uint32_t)val;
        if (!(val & PTE_P)) {
            w->error = fault_bits(c, acc, user);
            return QUICK_FAULT;
        }
        w->large = false;
        w->pa = leaf_address(m, 0, val, la) & c->a20_mask;
        if (size == 8 && (val & (reserved_bits(c, m, false) | PTE_NX))) {
            return QUICK_UNSURE;
        }
    } else {
        val = large;
        rights = (uint32_t)val;
        w->large = true;
        w->pa = leaf_address(m, 1, val, la) & c->a20_mask;
        if (val & (reserved_bits(c, m, true) | (size == 8 ? PTE_NX : 0))) {
            return QUICK_UNSURE;
        }
    }
    w->write = (rights & PTE_W) || (!user && !(c->cr0 & CR0_WP));
    if ((val & need) != need || (user && !(rights & PTE_U)) || (write && !w->write)) {
        return QUICK_UNSURE;
    }
    w->write = w->write && (val & PTE_D);
    w->global = (val & PTE_G) && (c->cr4 & CR4_PGE);
    return QUICK_DONE;
}

static bool walk(struct cpu *c, uint64_t la, enum access acc, bool user, struct walk *w)
{
    if (!(c->cr0 & CR0_PG)) {
        w->pa = la & c->a20_mask;
        w->write = true;
        w->global = w->large = false;
        return true;
    }
    enum quick q = QUICK_UNSURE;

    c->st.page_walks++;
    switch (paging_kind(c)) {
    case PAGING_32:
        q = walk_quick(c, la, acc, user, w, PAGING_32);
        break;
    case PAGING_PAE:
        q = walk_quick(c, la, acc, user, w, PAGING_PAE);
        break;
    default:
        break;
    }
    return LIKELY(q == QUICK_DONE) || (q == QUICK_UNSURE && walk_all(c, la, acc, user, w));
}

static COLD bool page_fault(struct cpu *c, uint64_t la, uint32_t error)
{
    exc_set_err(c, EXC_PF, error);
    c->exc.cr2 = la;
    c->st.page_faults++;
    return false;
}

/* --- filling -------------------------------------------------------------------------------- */

static NOINLINE void direct_flush(struct tlb *t, struct tlb_list *list)
{
    uint32_t k;

    for (k = 0; k < list->n; k++) {
        uint32_t n = list->page[k] & ~TLB_TRACKED;

        t->rd[n] = t->wr[n] = 0;
    }
    list->n = 0;
}

static struct tlb_special *special_slot(struct tlb *t, uint64_t page)
{
    return &t->special[page >> PAGE_SHIFT & (SPECIAL_SIZE - 1)];
}

ALWAYS_INLINE void direct_fill(struct tlb *t, uint64_t page, const struct walk *w, uint8_t *host,
                               bool write, uint32_t flag)
{
    uint32_t n = (uint32_t)page >> PAGE_SHIFT;
    struct tlb_list *list = w->global ? &t->global : &t->local;

    if (UNLIKELY(list->n == TLB_LIST_MAX)) {
        direct_flush(t, list);
    }
    list->page[list->n++] = n | flag;
    t->rd[n] = (uintptr_t)host - (uint32_t)page;
    t->wr[n] = write ? t->rd[n] : 0;
}

static NOINLINE void special_fill(struct cpu *c, struct tlb *t, uint64_t page, const struct walk *w,
                                  uint8_t *host, uint32_t *code)
{
    struct tlb_special *s = special_slot(t, page);

    s->tag = page;
    s->pa = w->pa & ~(uint64_t)PAGE_MASK;
    s->host = host;
    s->code = code;
    s->write = w->write;
    s->global = w->global;
    s->large = w->large;
    s->window.ops = NULL;
    if (!host && t != &c->tlb_slow) { /* which wants its checks before each access */
        bus_window(c->mem, s->pa, &s->window);
    }
    if (!w->global) {
        t->special_local |= (uint64_t)1 << (s - t->special);
    }
}

/* Pages that are no plain RAM, or cannot have a direct entry. */
static NOINLINE void fill_other(struct cpu *c, struct tlb *t, uint64_t page, const struct walk *w,
                                bool writing, struct tlb_ref *r)
{
    bool direct = t != &c->tlb_slow; /* else the bus does everything, with checks each time */
    struct bus_page p;

    bus_page(c->mem, w->pa, &p);
    if (!direct || !p.read) {
        if (direct) {
            t->rd[page >> PAGE_SHIFT] = t->wr[page >> PAGE_SHIFT] = 0;
        }
        special_fill(c, t, page, w, NULL, NULL);
        r->host = NULL;
        r->window = &special_slot(t, page)->window;
        return;
    }
    r->host = p.read + (w->pa & PAGE_MASK);
    if (w->write && p.write != p.read) { /* reads are direct, writes go elsewhere */
        direct_fill(t, page, w, p.read, false, 0);
        special_fill(c, t, page, w, NULL, NULL);
        if (writing) {
            r->host = NULL;
            r->window = &special_slot(t, page)->window;
        }
        return;
    }
    /* Reading a screen must not mark it as changed. */
    if (p.dirty && writing) {
        *p.dirty = 1;
    }
    direct_fill(t, page, w, p.read, w->write && (writing || !p.dirty), p.dirty ? TLB_TRACKED : 0);
}

ALWAYS_INLINE void tlb_fill(struct cpu *c, struct tlb *t, uint64_t la, const struct walk *w,
                            bool writing, struct tlb_ref *r)
{
    uint64_t page = la & ~(uint64_t)PAGE_MASK;
    uint8_t *host = ram_host(c, RAM_DATA, w->pa & ~(uint64_t)PAGE_MASK);
    uint32_t *code;

    c->st.tlb_fills++;
    if (UNLIKELY(w->large)) {
        page_set_add(&t->large, page >> 22);
    }
    r->code = NULL;
    r->pa = w->pa;
    if (UNLIKELY(!host || t == &c->tlb_slow)) {
        fill_other(c, t, page, w, writing, r);
        return;
    }
    r->host = host + (la & PAGE_MASK);
    code = ram_code(c, RAM_DATA, w->pa);
    if (UNLIKELY(w->write && *code)) {
        special_fill(c, t, page, w, host, code);
        direct_fill(t, page, w, host, false, 0);
        r->code = code;
    } else {
        direct_fill(t, page, w, host, w->write, 0);
    }
}

bool mmu_ref(struct cpu *c, uint64_t la, bool write, bool user, struct tlb_ref *r)
{
    struct tlb *t = tlb_for(c, user);
    uint64_t page = la & ~(uint64_t)PAGE_MASK;
    struct tlb_special *s = special_slot(t, page);
    struct walk w;

    if (s->tag == page && (write ? s->write : !s->host)) {
        r->pa = s->pa | (la & PAGE_MASK);
        r->host = NULL;
        r->code = NULL;
        r->window = &s->window;
        if (s->host) {
            r->host = s->host + (la & PAGE_MASK);
            if (LIKELY(*s->code)) {
                r->code = s->code;
            } else { /* all its traces are gone */
                t->wr[page >> PAGE_SHIFT] = t->rd[page >> PAGE_SHIFT];
                s->tag = TLB_NO_TAG;
            }
        }
        return true;
    }
    if (!walk(c, la, write ? ACC_WRITE : ACC_READ, user, &w)) {
        return page_fault(c, la, w.error);
    }
    tlb_fill(c, t, la, &w, write, r);
    return true;
}

bool mmu_translate(struct cpu *c, uint64_t la, enum access acc, bool user, uint64_t *pa)
{
    struct tlb_ref r;
    struct walk w;

    if (!walk(c, la, acc, user, &w)) {
        return page_fault(c, la, w.error);
    }
    if (acc != ACC_FETCH) {
        tlb_fill(c, tlb_for(c, user), la, &w, acc != ACC_READ, &r);
    }
    *pa = w.pa;
    return true;
}

const struct itlb_entry *mmu_fetch(struct cpu *c, uint64_t la)
{
    struct tlb *t = c->tlb;
    struct itlb_entry *e = &t->code[la >> PAGE_SHIFT & (ITLB_SIZE - 1)];
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
    e->pa = w.pa & ~(uint64_t)PAGE_MASK;
    e->host = ram_host(c, RAM_CODE, e->pa);
    if (LIKELY(e->host != NULL)) {
        e->code = ram_code(c, RAM_CODE, e->pa);
    } else {
        bus_page(c->mem, w.pa, &p);
        /*
         * Video memory is mapped at several addresses at once: its code is decoded at every
         * execution.
         */
        e->host = p.dirty ? NULL : p.read;
        e->code = p.code;
    }
    e->tag = page;
    e->global = w.global;
    e->large = w.large;
    if (!w.global) {
        t->code_local[(e - t->code) / 64] |= (uint64_t)1 << (e - t->code) % 64;
    }
    if (w.large) {
        page_set_add(&t->large, page >> 22);
    }
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

static void forget_directory(struct cpu *c)
{
    memset(c->dir.tag, 0, sizeof c->dir.tag);
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
    forget_directory(c);
    return true;
}

/* --- invalidation --------------------------------------------------------------------------- */

/* Links and jump-cache entries of this TLB are dead from now on. */
static void new_gen(struct cpu *c, struct tlb *t)
{
    t->gen = trace_new_gen(c);
    t->linked_local = false;
    memset(&t->linked, 0, sizeof t->linked);
}

void trace_unlink(struct cpu *c)
{
    new_gen(c, &c->tlb_kernel);
    new_gen(c, &c->tlb_user);
    new_gen(c, &c->tlb_slow);
    trace_set_gen(c);
}

/* What was local may have been replaced by something global. */
static void flush_local(struct cpu *c, struct tlb *t)
{
    unsigned k;

    direct_flush(t, &t->local);
    for (; t->special_local; t->special_local &= t->special_local - 1) {
        struct tlb_special *s = &t->special[__builtin_ctzll(t->special_local)];

        s->tag = s->global ? s->tag : TLB_NO_TAG;
    }
    for (k = 0; k < ARRAY_LEN(t->code_local); k++) {
        for (; t->code_local[k]; t->code_local[k] &= t->code_local[k] - 1) {
            struct itlb_entry *e = &t->code[k * 64 + (unsigned)__builtin_ctzll(t->code_local[k])];

            e->tag = e->global ? e->tag : TLB_NO_TAG;
        }
    }
    if (t->linked_local) {
        new_gen(c, t);
    }
}

static void flush_everything(struct cpu *c, struct tlb *t)
{
    unsigned k;

    direct_flush(t, &t->local);
    direct_flush(t, &t->global);
    for (k = 0; k < SPECIAL_SIZE; k++) {
        t->special[k].tag = TLB_NO_TAG;
    }
    for (k = 0; k < ITLB_SIZE; k++) {
        t->code[k].tag = TLB_NO_TAG;
    }
    memset(&t->large, 0, sizeof t->large);
    new_gen(c, t);
}

void tlb_flush_all(struct cpu *c)
{
    c->st.tlb_flushes++;
    forget_directory(c);
    flush_everything(c, &c->tlb_kernel);
    flush_everything(c, &c->tlb_user);
    flush_everything(c, &c->tlb_slow);
    trace_set_gen(c);
}

void tlb_flush_nonglobal(struct cpu *c)
{
    c->st.tlb_flushes++;
    forget_directory(c);
    flush_local(c, &c->tlb_kernel);
    flush_local(c, &c->tlb_user);
    if (UNLIKELY(c->tlb == &c->tlb_slow)) { /* else tlb_select() empties it before its next use */
        flush_local(c, &c->tlb_slow);
    }
    trace_set_gen(c);
}

void tlb_forget_memory(struct cpu *c)
{
    memset(c->ram, 0, sizeof c->ram);
    tlb_flush_all(c);
}

static void flush_one(struct cpu *c, struct tlb *t, uint64_t page)
{
    struct tlb_special *s = special_slot(t, page);
    struct itlb_entry *code = &t->code[page >> PAGE_SHIFT & (ITLB_SIZE - 1)];

    if (t != &c->tlb_slow) { /* whose table is shared, and empty */
        t->rd[page >> PAGE_SHIFT] = t->wr[page >> PAGE_SHIFT] = 0;
    }
    if (s->tag == page) {
        s->tag = TLB_NO_TAG;
    }
    if (code->tag == page) {
        code->tag = TLB_NO_TAG;
    }
    if (page_set_has(&t->linked, page >> PAGE_SHIFT)) {
        new_gen(c, t);
    }
}

/* All pieces of the large page around `page`; which size it had is not known any more. */
static void flush_large(struct cpu *c, struct tlb *t, uint64_t page)
{
    const uint64_t region = ~(uint64_t)0x3fffff;
    uint32_t k;

    for (k = 0; k < 1024 && t != &c->tlb_slow; k++) {
        uint32_t n = (uint32_t)((page & region) >> PAGE_SHIFT) + k;

        t->rd[n] = t->wr[n] = 0;
    }
    for (k = 0; k < SPECIAL_SIZE; k++) {
        if (t->special[k].large && ((t->special[k].tag ^ page) & region) == 0) {
            t->special[k].tag = TLB_NO_TAG;
        }
    }
    for (k = 0; k < ITLB_SIZE; k++) {
        if (t->code[k].large && ((t->code[k].tag ^ page) & region) == 0) {
            t->code[k].tag = TLB_NO_TAG;
        }
    }
    new_gen(c, t);
}

void tlb_flush_page(struct cpu *c, uint64_t la)
{
    struct tlb *const all[] = {&c->tlb_kernel, &c->tlb_user, &c->tlb_slow};
    unsigned n = UNLIKELY(c->tlb == &c->tlb_slow) ? 3 : 2; /* as above */
    uint64_t page = (uint32_t)la & ~(uint64_t)PAGE_MASK;
    unsigned k;

    forget_directory(c);
    for (k = 0; k < n; k++) {
        flush_one(c, all[k], page);
        if (UNLIKELY(page_set_has(&all[k]->large, page >> 22))) {
            flush_large(c, all[k], page);
        }
    }
    trace_set_gen(c);
}

/* By host page, so that other physical addresses of the same memory lose their permission too. */
static void drop_writes(struct tlb *t, const struct tlb_list *list, const uint8_t *host)
{
    uint32_t k;

    for (k = 0; k < list->n; k++) {
        uint32_t n = list->page[k] & ~TLB_TRACKED;

        if (t->wr[n] == (uintptr_t)host - (n << PAGE_SHIFT)) {
            t->wr[n] = 0;
        }
    }
}

void tlb_drop_writes(struct cpu *c, const uint8_t *host)
{
    drop_writes(&c->tlb_kernel, &c->tlb_kernel.local, host);
    drop_writes(&c->tlb_kernel, &c->tlb_kernel.global, host);
    drop_writes(&c->tlb_user, &c->tlb_user.local, host);
    drop_writes(&c->tlb_user, &c->tlb_user.global, host);
}

/*
 * Pages whose writes are recorded: the next store goes through the slow path and sets the flag
 * again.
 */
static void drop_tracked(struct tlb *t, const struct tlb_list *list)
{
    uint32_t k;

    for (k = 0; k < list->n; k++) {
        if (list->page[k] & TLB_TRACKED) {
            t->wr[list->page[k] & ~TLB_TRACKED] = 0;
        }
    }
}

void tlb_drop_all_writes(struct cpu *c)
{
    drop_tracked(&c->tlb_kernel, &c->tlb_kernel.local);
    drop_tracked(&c->tlb_kernel, &c->tlb_kernel.global);
    drop_tracked(&c->tlb_user, &c->tlb_user.local);
    drop_tracked(&c->tlb_user, &c->tlb_user.global);
}

/* Megabytes of zeros that the host provides as they are touched. */
static bool tlb_new(struct tlb *t)
{
    t->rd = calloc(TLB_PAGES, sizeof *t->rd);
    t->wr = calloc(TLB_PAGES, sizeof *t->wr);
    t->local.page = calloc(TLB_LIST_MAX, sizeof *t->local.page);
    t->global.page = calloc(TLB_LIST_MAX, sizeof *t->global.page);
    return t->rd && t->wr && t->local.page && t->global.page;
}

bool tlb_init(struct cpu *c)
{
    c->tlb_slow.rd = c->tlb_slow.wr = calloc(TLB_PAGES, sizeof *c->tlb_slow.rd);
    if (!tlb_new(&c->tlb_kernel) || !tlb_new(&c->tlb_user) || !c->tlb_slow.rd) {
        return false;
    }
    c->tlb = &c->tlb_kernel;
    tlb_flush_all(c);
    tlb_select(c);
    return true;
}

void tlb_free(struct cpu *c)
{
    struct tlb *const all[] = {&c->tlb_kernel, &c->tlb_user, &c->tlb_slow};
    unsigned k;

    for (k = 0; k < ARRAY_LEN(all); k++) {
        free(all[k]->rd);
        if (all[k] != &c->tlb_slow) {
            free(all[k]->wr);
        }
        free(all[k]->local.page);
        free(all[k]->global.page);
    }
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
        flush_everything(c, &c->tlb_slow);
        tlb_use(c, &c->tlb_slow);
    } else {
        tlb_use(c, user ? &c->tlb_user : &c->tlb_kernel);
    }
}
