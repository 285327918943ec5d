/*
 * Guest memory for everything that is not a TLB hit of a hot handler: page crossing, MMIO, pages
 * that hold decoded code, alignment checks, data breakpoints; operand and stack helpers on top.
 *
 * Source: Intel SDM vol. 3 chapters 4, 5.3, 6.15 (#AC), 17.2 (debug registers).
 * Invariants: both pages of a crossing access are translated, for the right direction, before the
 * first byte moves; a store into a marked code line is reported after the bytes are in memory.
 */
#include "cpu/access.h"

#include "cpu/system.h"
#include "memory/bytes.h"

bool exc_set(struct cpu *c, unsigned vector)
{
    c->exc.vector = (uint8_t)vector;
    c->exc.has_error = false;
    c->exc.error = 0;
    return false;
}

bool exc_set_err(struct cpu *c, unsigned vector, uint32_t error)
{
    c->exc.vector = (uint8_t)vector;
    c->exc.has_error = true;
    c->exc.error = (uint16_t)error;
    return false;
}

/* --- debug registers and alignment: what c->tlb == &c->tlb_slow stands for ------------------ */

void debug_watch(struct cpu *c, uint64_t addr, unsigned size, unsigned kind)
{
    /* DR6 reports the conditions of those that are not enabled, too */
    uint32_t met = 0, enabled = 0;
    unsigned n;

    for (n = 0; n < 4; n++) {
        unsigned field = (unsigned)(c->dr[7] >> (16 + n * 4)) & 15;
        unsigned len = (field >> 2) == 2 ? 8 : (field >> 2) + 1;
        unsigned rw = field & 3;
        uint64_t start = c->dr[n] & ~(uint64_t)(len - 1);

        if (rw == 0 || (rw == WATCH_IO) != (kind == WATCH_IO) ||
            (rw == WATCH_WRITE && kind == WATCH_READ)) {
            continue;
        }
        if (addr < start + len && start < addr + size) {
            met |= 1u << n;
            enabled |= (c->dr[7] >> (n * 2) & 3) != 0 ? 1u << n : 0;
        }
    }
    if (enabled) {
        c->debug_trap |= met;
    }
}

/* Everything that makes a data access special; runs before it for #AC. */
static bool slow_checks(struct cpu *c, uint64_t la, unsigned align, unsigned size, bool write)
{
    if (c->cpl == 3 && (c->cr0 & CR0_AM) && (c->eflags & FLAG_AC) && (la & (align - 1))) {
        return exc_set_err(c, EXC_AC, 0);
    }
    debug_watch(c, la, size, write ? WATCH_WRITE : WATCH_READ);
    return true;
}

/* --- one page ------------------------------------------------------------------------------- */

static bool page_ref(struct cpu *c, uint32_t la, bool user, bool write, struct tlb_ref *r)
{
    const struct tlb *t = tlb_for(c, user);
    uint8_t *host = write ? tlb_write_hit(t, la, 1) : tlb_read_hit(t, la, 1);

    if (LIKELY(host != NULL)) {
        r->host = host;
        r->code = NULL;
        return true;
    }
    return mmu_ref(c, la, write, user, r);
}

/* Mask of the 128-byte lines that [off, off + size) of a page touches; size > 0. */
static uint32_t line_mask(unsigned off, unsigned size)
{
    return (2u << ((off + size - 1) >> 7)) - (1u << (off >> 7));
}

static bool marked(const struct tlb_ref *r, unsigned size)
{
    return *r->code & line_mask(r->pa & PAGE_MASK, size);
}

/* A store into marked lines.  Bytes that stay what they were are no change of the code. */
static NOINLINE void code_store(struct cpu *c, const struct tlb_ref *r, unsigned size, uint64_t v)
{
    uint64_t differ = (get_n(r->host, size) ^ v) << (64 - size * 8) >> (64 - size * 8);

    if (differ) {
        unsigned first = (unsigned)__builtin_ctzll(differ) / 8;
        unsigned last = (63 - (unsigned)__builtin_clzll(differ)) / 8;

        put_n(r->host, size, v);
        trace_written(c, r->pa + first, last - first + 1);
    }
}

static NOINLINE void code_store_bytes(struct cpu *c, const struct tlb_ref *r, const uint8_t *from,
                                      unsigned n)
{
    unsigned first = 0;

    while (first < n && r->host[first] == from[first]) {
        first++;
    }
    if (first == n) {
        return;
    }
    while (r->host[n - 1] == from[n - 1]) {
        n--;
    }
    memmove(r->host + first, from + first, n - first);
    trace_written(c, r->pa + first, n - first);
}

static uint64_t ref_load(struct cpu *c, const struct tlb_ref *r, unsigned size)
{
    if (LIKELY(r->host != NULL)) {
        return get_n(r->host, size);
    }
    return r->window->ops ? bus_window_read(c->mem, r->window, r->pa, size)
                          : bus_read(c->mem, r->pa, size);
}

static void ref_store(struct cpu *c, const struct tlb_ref *r, unsigned size, uint64_t v)
{
    if (LIKELY(r->host != NULL)) {
        if (UNLIKELY(r->code != NULL) && marked(r, size)) {
            code_store(c, r, size, v);
        } else {
            put_n(r->host, size, v);
        }
    } else if (r->window->ops) {
        bus_window_write(c->mem, r->window, r->pa, size, v);
    } else {
        bus_write(c->mem, r->pa, size, v);
    }
}

static void ref_load_bytes(struct cpu *c, const struct tlb_ref *r, uint8_t *to, unsigned n)
{
    if (r->host) {
        memcpy(to, r->host, n);
    } else {
        bus_read_block(c->mem, r->pa, to, n);
    }
}

static void ref_store_bytes(struct cpu *c, const struct tlb_ref *r, const uint8_t *from, unsigned n)
{
    if (!r->host) {
        bus_write_block(c->mem, r->pa, from, n);
    } else if (r->code && marked(r, n)) {
        code_store_bytes(c, r, from, n);
    } else {
        memcpy(r->host, from, n);
    }
}

/* --- linear addresses ----------------------------------------------------------------------- */

/* Both halves of [la, la + n), n <= 4096; r[1] is unused when *first == n. */
static bool span_ref(struct cpu *c, uint64_t la, unsigned n, bool user, bool write,
                     struct tlb_ref r[2], unsigned *first)
{
    unsigned room = PAGE_SIZE - (unsigned)(la & PAGE_MASK);

    *first = MIN(n, room);
    return page_ref(c, (uint32_t)la, user, write, &r[0]) &&
           (n <= room || page_ref(c, (uint32_t)la + room, user, write, &r[1]));
}

static bool span_load(struct cpu *c, uint64_t la, void *to, unsigned n, bool user)
{
    struct tlb_ref r[2];
    unsigned first;

    if (!span_ref(c, la, n, user, false, r, &first)) {
        return false;
    }
    ref_load_bytes(c, &r[0], to, first);
    if (first < n) {
        ref_load_bytes(c, &r[1], (uint8_t *)to + first, n - first);
    }
    return true;
}

static bool span_store(struct cpu *c, uint64_t la, const void *from, unsigned n, bool user)
{
    struct tlb_ref r[2];
    unsigned first;

    if (!span_ref(c, la, n, user, true, r, &first)) {
        return false;
    }
    ref_store_bytes(c, &r[0], from, first);
    if (first < n) {
        ref_store_bytes(c, &r[1], (const uint8_t *)from + first, n - first);
    }
    return true;
}

static bool read_crossing(struct cpu *c, uint64_t la, unsigned size, bool user, uint64_t *v)
{
    uint8_t buf[8];

    if (!span_load(c, la, buf, size, user)) {
        return false;
    }
    *v = get_n(buf, size);
    return true;
}

static bool write_crossing(struct cpu *c, uint64_t la, unsigned size, bool user, uint64_t v)
{
    uint8_t buf[8];

    put_n(buf, size, v);
    return span_store(c, la, buf, size, user);
}

bool priv_read(struct cpu *c, uint64_t la, unsigned size, bool user, uint64_t *v)
{
    struct tlb_ref r;

    la = (uint32_t)la;
    if (UNLIKELY((la & PAGE_MASK) + size > PAGE_SIZE)) {
        return read_crossing(c, la, size, user, v);
    }
    if (!page_ref(c, (uint32_t)la, user, false, &r)) {
        return false;
    }
    *v = ref_load(c, &r, size);
    return true;
}

bool priv_write(struct cpu *c, uint64_t la, unsigned size, bool user, uint64_t v)
{
    struct tlb_ref r;

    la = (uint32_t)la;
    if (UNLIKELY((la & PAGE_MASK) + size > PAGE_SIZE)) {
        return write_crossing(c, la, size, user, v);
    }
    if (!page_ref(c, (uint32_t)la, user, true, &r)) {
        return false;
    }
    ref_store(c, &r, size, v);
    return true;
}

bool priv_probe(struct cpu *c, uint64_t la, unsigned n, bool write, bool user)
{
    struct tlb_ref r[2];
    unsigned first;

    return span_ref(c, (uint32_t)la, n, user, write, r, &first);
}

/*
 * Plain memory at la that has no direct entry because code was decoded from its page, as long as no
 * marked line is touched: data beside code costs little more than other data.  NULL: look closer.
 */
ALWAYS_INLINE uint8_t *beside_code(const struct tlb_special *s, uint32_t la, unsigned size)
{
    uint32_t off = la & PAGE_MASK;

    return s->host && *s->code && !(*s->code & line_mask(off, size)) ? s->host + off : NULL;
}

/* The slot of an access that stays in its page, or NULL. */
ALWAYS_INLINE const struct tlb_special *special_hit(const struct tlb *t, uint32_t la, unsigned size)
{
    const struct tlb_special *s = &t->special[la >> PAGE_SHIFT & (SPECIAL_SIZE - 1)];

    return s->tag == (la & ~(uint32_t)PAGE_MASK) && (la & PAGE_MASK) + size <= PAGE_SIZE ? s : NULL;
}

uint8_t *priv_beside_code(const struct tlb *t, uint32_t la, unsigned n)
{
    const struct tlb_special *s = special_hit(t, la, n);

    return s && s->write ? beside_code(s, la, n) : NULL;
}

/* The rest of lin_read() and lin_write(): no direct entry, or two pages. */
static NOINLINE bool read_far(struct cpu *c, uint32_t la, unsigned size, uint64_t *v)
{
    struct tlb_ref r;

    if (UNLIKELY(c->tlb == &c->tlb_slow) && !slow_checks(c, la, size, size, false)) {
        return false;
    }
    if (UNLIKELY((la & PAGE_MASK) + size > PAGE_SIZE)) {
        return read_crossing(c, la, size, c->cpl == 3, v);
    }
    if (!mmu_ref(c, la, false, c->cpl == 3, &r)) {
        return false;
    }
    *v = ref_load(c, &r, size);
    return true;
}

static NOINLINE bool write_far(struct cpu *c, uint32_t la, unsigned size, uint64_t v)
{
    struct tlb_ref r;

    if (UNLIKELY(c->tlb == &c->tlb_slow) && !slow_checks(c, la, size, size, true)) {
        return false;
    }
    if (UNLIKELY((la & PAGE_MASK) + size > PAGE_SIZE)) {
        return write_crossing(c, la, size, c->cpl == 3, v);
    }
    if (!mmu_ref(c, la, true, c->cpl == 3, &r)) {
        return false;
    }
    ref_store(c, &r, size, v);
    return true;
}

/*
 * Devices and pages with code that were met before; read_far() and write_far() can do everything.
 * A slot has a window or a host page, and in tlb_slow neither.
 */
static NOINLINE bool read_miss(struct cpu *c, uint32_t la, unsigned size, uint64_t *v)
{
    const struct tlb_special *s = special_hit(c->tlb, la, size);

    c->st.tlb_misses++;
    if (LIKELY(s && s->window.ops)) {
        *v = bus_window_read(c->mem, &s->window, s->pa | (la & PAGE_MASK), size);
        return true;
    }
    return read_far(c, la, size, v);
}

/* Into the marked lines of a page with code. */
static NOINLINE bool write_code(struct cpu *c, const struct tlb_special *s, uint32_t la,
                                unsigned size, uint64_t v)
{
    struct tlb_ref r = {s->host + (la & PAGE_MASK), s->code, s->pa | (la & PAGE_MASK), NULL};

    code_store(c, &r, size, v);
    return true;
}

static NOINLINE bool write_miss(struct cpu *c, uint32_t la, unsigned size, uint64_t v)
{
    const struct tlb_special *s = special_hit(c->tlb, la, size);

    c->st.tlb_misses++;
    if (LIKELY(s && s->write)) {
        uint8_t *plain;

        if (s->window.ops) {
            bus_window_write(c->mem, &s->window, s->pa | (la & PAGE_MASK), size, v);
            return true;
        }
        plain = beside_code(s, la, size);
        if (plain) {
            put_n(plain, size, v);
            return true;
        }
        if (s->host && LIKELY(*s->code)) {
            return write_code(c, s, la, size, v);
        }
    }
    return write_far(c, la, size, v);
}

bool lin_read(struct cpu *c, uint64_t la, unsigned size, uint64_t *v)
{
    const uint8_t *hit = tlb_read_hit(c->tlb, (uint32_t)la, size);

    if (LIKELY(hit != NULL)) {
        *v = get_n(hit, size);
        return true;
    }
    return read_miss(c, (uint32_t)la, size, v);
}

bool lin_write(struct cpu *c, uint64_t la, unsigned size, uint64_t v)
{
    uint8_t *hit = tlb_write_hit(c->tlb, (uint32_t)la, size);

    if (LIKELY(hit != NULL)) {
        put_n(hit, size, v);
        return true;
    }
    return write_miss(c, (uint32_t)la, size, v);
}

/* Alignment that #AC wants from operands that are no power of two, or wider than 8 bytes. */
static unsigned block_align(unsigned n)
{
    if (n == 4 || n == 14 || n == 94) {
        return 2; /* 16:16 pointers, pairs of words, 16-bit images of the x87 state */
    }
    return n == 10 ? 8 : n >= 4 ? 4 : n;
}

bool lin_read_bytes(struct cpu *c, uint64_t la, void *to, unsigned n)
{
    la = (uint32_t)la;
    if (UNLIKELY(c->tlb == &c->tlb_slow) && !slow_checks(c, la, block_align(n), n, false)) {
        return false;
    }
    return span_load(c, la, to, n, c->cpl == 3);
}

bool lin_write_bytes(struct cpu *c, uint64_t la, const void *from, unsigned n)
{
    la = (uint32_t)la;
    if (UNLIKELY(c->tlb == &c->tlb_slow) && !slow_checks(c, la, block_align(n), n, true)) {
        return false;
    }
    return span_store(c, la, from, n, c->cpl == 3);
}

uint8_t *lin_code_page(struct cpu *c, uint64_t la)
{
    const struct tlb_special *s = &c->tlb->special[la >> PAGE_SHIFT & (SPECIAL_SIZE - 1)];

    return s->tag == ((uint32_t)la & ~(uint32_t)PAGE_MASK) && s->write && s->host
               ? s->host + (la & PAGE_MASK)
               : NULL;
}

bool lin_probe(struct cpu *c, uint64_t la, unsigned n, bool write)
{
    return priv_probe(c, la, n, write, c->cpl == 3);
}

bool sys_read(struct cpu *c, uint64_t la, unsigned size, uint64_t *v)
{
    return priv_read(c, la, size, false, v);
}

bool sys_write(struct cpu *c, uint64_t la, unsigned size, uint64_t v)
{
    return priv_write(c, la, size, false, v);
}

bool rmw_begin(struct cpu *c, uint64_t la, unsigned size, struct rmw *m, uint64_t *v)
{
    struct tlb_ref r[2];
    unsigned first;

    la = (uint32_t)la;
    m->la = la;
    m->size = size;
    m->host = tlb_write_hit(c->tlb, (uint32_t)la, size);
    m->code = NULL;
    if (!m->host) {
        const struct tlb_special *s = special_hit(c->tlb, (uint32_t)la, size);

        c->st.tlb_misses++;
        m->host = s && s->write ? beside_code(s, (uint32_t)la, size) : NULL;
    }
    if (LIKELY(m->host)) {
        /* Writable to a user means readable; a write tag without a read tag does not exist. */
        *v = get_n(m->host, size);
        return true;
    }
    if (UNLIKELY(c->tlb == &c->tlb_slow) && !slow_checks(c, la, size, size, true)) {
        return false;
    }
    if (!span_ref(c, la, size, c->cpl == 3, true, r, &first)) {
        return false;
    }
    if (first < size) {
        return read_crossing(c, la, size, c->cpl == 3, v);
    }
    m->host = r[0].host;
    m->code = r[0].code;
    m->pa = r[0].pa;
    *v = ref_load(c, &r[0], size);
    return true;
}

void rmw_end(struct cpu *c, const struct rmw *m, uint64_t v)
{
    if (LIKELY(m->host)) {
        struct tlb_ref r = {m->host, m->code, m->pa, NULL};

        ref_store(c, &r, m->size, v);
    } else {
        /* rmw_begin has translated it for writing, and nothing in between changes page tables. */
        (void)priv_write(c, m->la, m->size, c->cpl == 3, v);
    }
}

/* --- segment and offset --------------------------------------------------------------------- */

bool seg_linear(struct cpu *c, unsigned seg, uint64_t ea, unsigned n, enum access acc, uint64_t *la)
{
    const struct segment *s = &c->seg[seg];
    uint64_t len = acc == ACC_READ || acc == ACC_FETCH ? s->rlen : s->wlen;

    if (UNLIKELY((uint64_t)(uint32_t)(ea - s->lo) + n > len)) {
        return exc_set_err(c, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
    }
    *la = (uint32_t)(s->base + ea);
    return true;
}

bool mem_read(struct cpu *c, unsigned seg, uint64_t ea, unsigned size, uint64_t *v)
{
    uint64_t la;

    return seg_linear(c, seg, ea, size, ACC_READ, &la) && lin_read(c, la, size, v);
}

bool mem_write(struct cpu *c, unsigned seg, uint64_t ea, unsigned size, uint64_t v)
{
    uint64_t la;

    return seg_linear(c, seg, ea, size, ACC_WRITE, &la) && lin_write(c, la, size, v);
}

bool mem_read_bytes(struct cpu *c, unsigned seg, uint64_t ea, void *to, unsigned n)
{
    uint64_t la;

    return seg_linear(c, seg, ea, n, ACC_READ, &la) && lin_read_bytes(c, la, to, n);
}

bool mem_write_bytes(struct cpu *c, unsigned seg, uint64_t ea, const void *from, unsigned n)
{
    uint64_t la;

    return seg_linear(c, seg, ea, n, ACC_WRITE, &la) && lin_write_bytes(c, la, from, n);
}

/* The operand reaches the end of its 64 KB or 4 GB, where its parts go round. */
static bool wraps(const struct insn *i, uint32_t ea, struct mem_parts p)
{
    return ea + (uint64_t)(p.n1 * p.size1 + p.n2 * p.size2) > (i->a16 ? 0x10000u : 1ull << 32);
}

/* Part k of an operand at ea: its size, and in *at how far behind ea it begins. */
static unsigned part(struct mem_parts p, unsigned k, unsigned *at)
{
    *at = k < p.n1 ? k * p.size1 : p.n1 * p.size1 + (k - p.n1) * p.size2;
    return k < p.n1 ? p.size1 : p.size2;
}

static uint32_t part_ea(const struct insn *i, uint32_t ea, unsigned at)
{
    return i->a16 ? (ea + at) & 0xffff : ea + at;
}

bool mem_read_parts(struct cpu *c, const struct insn *i, void *to, struct mem_parts p)
{
    uint32_t ea = insn_ea(c, i);

    if (LIKELY(!wraps(i, ea, p))) {
        return mem_read_bytes(c, i->seg, ea, to, p.n1 * p.size1 + p.n2 * p.size2);
    }
    for (unsigned k = 0, at; k < p.n1 + p.n2; k++) {
        unsigned size = part(p, k, &at);

        if (!mem_read_bytes(c, i->seg, part_ea(i, ea, at), (uint8_t *)to + at, size)) {
            return false;
        }
    }
    return true;
}

bool mem_write_parts(struct cpu *c, const struct insn *i, const void *from, struct mem_parts p)
{
    uint32_t ea = insn_ea(c, i);

    if (LIKELY(!wraps(i, ea, p))) {
        return mem_write_bytes(c, i->seg, ea, from, p.n1 * p.size1 + p.n2 * p.size2);
    }
    for (unsigned k = 0, at; k < p.n1 + p.n2; k++) {
        unsigned size = part(p, k, &at);
        uint64_t la;

        if (!seg_linear(c, i->seg, part_ea(i, ea, at), size, ACC_WRITE, &la) ||
            !lin_probe(c, la, size, true)) {
            return false;
        }
    }
    for (unsigned k = 0, at; k < p.n1 + p.n2; k++) {
        unsigned size = part(p, k, &at);

        if (!mem_write_bytes(c, i->seg, part_ea(i, ea, at), (const uint8_t *)from + at, size)) {
            return false; /* #AC, of the first part if of any */
        }
    }
    return true;
}

/* --- stack ---------------------------------------------------------------------------------- */

bool stack_push(struct cpu *c, unsigned size, uint64_t v)
{
    uint32_t esp = (reg32(c, REG_ESP) - size) & c->sp_mask;

    if (!mem_write(c, SEG_SS, esp, size, v)) {
        return false;
    }
    stack_set(c, esp);
    return true;
}

bool stack_pop(struct cpu *c, unsigned size, uint64_t *v)
{
    uint32_t esp = reg32(c, REG_ESP);

    if (!mem_read(c, SEG_SS, esp & c->sp_mask, size, v)) {
        return false;
    }
    stack_set(c, esp + size);
    return true;
}

bool stack_peek(struct cpu *c, uint64_t n, unsigned size, uint64_t *v)
{
    return mem_read(c, SEG_SS, (reg32(c, REG_ESP) + n) & c->sp_mask, size, v);
}

/* --- operands of a record ------------------------------------------------------------------- */

uint64_t insn_reg(const struct cpu *c, unsigned off, unsigned size)
{
    const char *lane = (const char *)c + off;

    switch (size) {
    case 1:
        return *(const reg8_t *)lane;
    case 2:
        return *(const reg16_t *)lane;
    case 4:
        return *(const reg32_t *)lane;
    default:
        return *(const reg64_t *)lane;
    }
}

bool insn_read(struct cpu *c, const struct insn *i, unsigned off, unsigned size, uint64_t *v)
{
    if (i->flags & INSN_MEM) {
        return mem_read(c, i->seg, insn_ea(c, i), size, v);
    }
    *v = insn_reg(c, off, size);
    return true;
}
