/*
 * Address space; see bus.h.
 *
 * Regions are kept as they were mapped; the view that accesses use is derived from them when it
 * is first needed after a change.  Ports have a table with one entry per port and direction; memory
 * has a sorted list of intervals in which one region answers reads and one takes writes, searched
 * by halves with the last hit remembered per direction.
 * Of overlapping regions the higher priority wins, per direction; of equal ones the later mapped.
 * So ROM (BUS_READ) over RAM lets writes fall through to the RAM below: that is how PAM is
 * modelled.  Code masks belong to the host memory, not to its mappings, so aliases share them.
 * Invariants: building the view never allocates; no region pointer is kept across a callback.
 */
#include "memory/bus_port.h"

#include <stdlib.h>
#include <string.h>

#include "memory/bytes.h"

enum {
    PORTS = 65536,
    MAX_REGIONS = 65000,
    NONE = 0 /* region numbers in the view are index + 1 */
};

/* A piece of host memory with its code masks; mappings of parts of it share them. */
struct ram_block {
    uint8_t *host;
    uint64_t len;
    uint32_t *code; /* one per page */
};

struct region {
    uint64_t base, len;
    const struct io_ops *ops; /* NULL: RAM */
    void *dev;
    uint8_t *host;
    uint8_t *dirty; /* one per page, or NULL */
    unsigned block; /* of RAM */
    unsigned flags;
    int prio;
    bool on;
};

/* From start to the next interval's start: who answers reads and who takes writes. */
struct interval {
    uint64_t start;
    uint16_t rd, wr;
};

struct bus {
    /* first: bus_port.h.  stats and stale are those of either kind of bus */
    struct bus_ports ports;
    uint64_t size;
    struct region *regions;
    unsigned count, cap;
    struct ram_block *blocks;
    unsigned block_count;
    struct interval *view; /* memory: sorted, with a sentinel at `size` */
    unsigned intervals;
    uint64_t *edges;           /* scratch of rebuild */
    unsigned last_rd, last_wr; /* interval of the last hit */
    struct bus_client client;
    uint64_t (*clock)(void *ctx);
    void *clock_ctx;
    unsigned depth; /* of bus_begin */
    bool changed;   /* the client has not heard of it yet */
};

struct bus *bus_new(uint64_t size)
{
    struct bus *b = calloc(1, sizeof *b);

    if (!b) {
        return NULL;
    }
    b->size = size;
    b->ports.stale = true;
    if (size == PORTS) {
        b->ports.rd = calloc(PORTS, sizeof *b->ports.rd);
        b->ports.wr = calloc(PORTS, sizeof *b->ports.wr);
        b->ports.slots = calloc(1, sizeof *b->ports.slots);
        if (!b->ports.rd || !b->ports.wr || !b->ports.slots) {
            bus_free(b);
            return NULL;
        }
    }
    return b;
}

void bus_free(struct bus *b)
{
    unsigned i;

    if (!b) {
        return;
    }
    for (i = 0; i < b->count; i++) {
        free(b->regions[i].dirty);
    }
    for (i = 0; i < b->block_count; i++) {
        free(b->blocks[i].code);
    }
    free(b->regions);
    free(b->blocks);
    free(b->view);
    free(b->edges);
    free(b->ports.rd);
    free(b->ports.wr);
    free(b->ports.slots);
    free(b);
}

void bus_set_client(struct bus *b, const struct bus_client *c)
{
    b->client = *c;
}

/* First address after r, clipped to the space; 0 when nothing of r is inside. */
static uint64_t region_end(const struct bus *b, const struct region *r)
{
    if (!r->on || r->base >= b->size || r->len == 0) {
        return 0;
    }
    return r->len > b->size - r->base ? b->size : r->base + r->len;
}

/* Widths of a window, made sane: 0 means 1. */
static unsigned width_min(const struct io_ops *ops)
{
    return ops->min ? ops->min : 1;
}

static unsigned width_max(const struct io_ops *ops)
{
    unsigned max = ops->max ? ops->max : 1;

    return MAX(max, width_min(ops));
}

static void rebuild_ports(struct bus *b)
{
    unsigned i;
    int prio, next = INT32_MIN;

    memset(b->ports.rd, 0, PORTS * sizeof *b->ports.rd);
    memset(b->ports.wr, 0, PORTS * sizeof *b->ports.wr);
    /* Paint from the lowest priority up. */
    do {
        prio = next;
        next = INT32_MAX;
        for (i = 0; i < b->count; i++) {
            const struct region *r = &b->regions[i];
            uint64_t a, end = region_end(b, r);

            if (r->prio > prio && r->prio < next) {
                next = r->prio;
            }
            if (r->prio != prio) {
                continue;
            }
            for (a = r->base; a < end; a++) {
                if (r->flags & BUS_READ) {
                    b->ports.rd[a] = (uint16_t)(i + 1);
                }
                if (r->flags & BUS_WRITE) {
                    b->ports.wr[a] = (uint16_t)(i + 1);
                }
            }
        }
    } while (next != INT32_MAX);
    for (i = 0; i < b->count; i++) {
        const struct region *r = &b->regions[i];
        struct port_slot *p = &b->ports.slots[i + 1];
        unsigned min = r->ops ? width_min(r->ops) : 0;

        memset(p, 0, sizeof *p);
        if (!b->clock && min && r->ops->read && r->ops->write && !(r->base & (min - 1))) {
            p->read = r->ops->read;
            p->write = r->ops->write;
            p->dev = r->dev;
            p->base = (uint32_t)r->base;
            p->sizes = (uint8_t)(2 * width_max(r->ops) - min);
            p->align = (uint8_t)(min - 1);
        }
    }
}

static int compare_edges(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* The region that answers `dir` at addr by priority, as index + 1. */
static uint16_t winner(const struct bus *b, uint64_t addr, unsigned dir)
{
    unsigned i, best = NONE;

    for (i = 0; i < b->count; i++) {
        const struct region *r = &b->regions[i];

        if ((r->flags & dir) && addr >= r->base && addr < region_end(b, r)
            && (best == NONE || r->prio >= b->regions[best - 1].prio)) {
            best = i + 1;
        }
    }
    return (uint16_t)best;
}

static void rebuild_memory(struct bus *b)
{
    unsigned i, n = 0;

    b->edges[n++] = 0;
    for (i = 0; i < b->count; i++) {
        uint64_t end = region_end(b, &b->regions[i]);

        if (end) {
            b->edges[n++] = b->regions[i].base;
            b->edges[n++] = end;
        }
    }
    qsort(b->edges, n, sizeof *b->edges, compare_edges);
    b->intervals = 0;
    for (i = 0; i < n; i++) {
        struct interval *last = b->intervals ? &b->view[b->intervals - 1] : NULL;
        uint64_t at = b->edges[i];
        uint16_t rd, wr;

        if (at >= b->size || (last && last->start == at)) {
            continue;
        }
        rd = winner(b, at, BUS_READ);
        wr = winner(b, at, BUS_WRITE);
        if (last && last->rd == rd && last->wr == wr) {
            continue;
        }
        b->view[b->intervals].start = at;
        b->view[b->intervals].rd = rd;
        b->view[b->intervals].wr = wr;
        b->intervals++;
    }
    b->view[b->intervals].start = b->size;
    b->last_rd = b->last_wr = 0;
}

static COLD void rebuild(struct bus *b)
{
    b->ports.stale = false;
    if (b->ports.rd) {
        rebuild_ports(b);
    } else if (b->view) {
        rebuild_memory(b);
    }
}

static void map_changed(struct bus *b)
{
    b->ports.stale = true;
    b->changed = true;
    if (b->depth == 0) {
        b->changed = false;
        if (b->client.remap) {
            b->client.remap(b->client.ctx);
        }
    }
}

void bus_begin(struct bus *b)
{
    b->depth++;
}

void bus_commit(struct bus *b)
{
    if (b->depth && --b->depth == 0 && b->changed) {
        map_changed(b);
    }
}

/* Room for one more region and for the view that it makes possible. */
static bool grow(struct bus *b)
{
    unsigned cap;
    struct region *r;
    struct interval *v;
    uint64_t *edges;

    if (b->count < b->cap) {
        return true;
    }
    cap = b->cap ? b->cap * 2 : 64;
    if (b->count >= MAX_REGIONS) {
        return false;
    }
    r = realloc(b->regions, cap * sizeof *r);
    if (!r) {
        return false;
    }
    b->regions = r;
    if (b->ports.rd) {
        struct port_slot *slots = realloc(b->ports.slots, ((size_t)cap + 1) * sizeof *slots);
        if (!slots) {
            return false;
        }
        b->ports.slots = slots;
    } else {
        v = realloc(b->view, ((size_t)cap * 2 + 2) * sizeof *v);
        if (!v) {
            return false;
        }
        b->view = v;
        edges = realloc(b->edges, ((size_t)cap * 2 + 1) * sizeof *edges);
        if (!edges) {
            return false;
        }
        b->edges = edges;
    }
    b->cap = cap;
    return true;
}

static int add_region(struct bus *b, const struct region *r)
{
    if (!grow(b)) {
        return -1;
    }
    b->regions[b->count] = *r;
    map_changed(b);
    return (int)b->count++;
}

int bus_map(struct bus *b, uint64_t base, uint64_t len, const struct io_ops *ops, void *dev,
            int prio)
{
    struct region r = {0};

    r.base = base;
    r.len = len;
    r.ops = ops;
    r.dev = dev;
    r.flags = BUS_RW;
    r.prio = prio;
    r.on = true;
    return add_region(b, &r);
}

/* Whether a block holds bytes of [lo, hi) on the same page grid. */
static bool touches(const struct ram_block *k, uintptr_t lo, uintptr_t hi)
{
    uintptr_t start = (uintptr_t)k->host;

    return k->code && hi > start && lo < start + (uintptr_t)k->len
           && ((lo - start) & PAGE_MASK) == 0;
}

/* Moves a block's masks into `code` of the block at lo, and its regions to block `to`. */
static void absorb(struct bus *b, unsigned from, unsigned to, uintptr_t lo, uint32_t *code)
{
    struct ram_block *old = &b->blocks[from];
    uint32_t *at = code + (((uintptr_t)old->host - lo) >> PAGE_SHIFT);
    uint64_t i, pages = (old->len + PAGE_MASK) >> PAGE_SHIFT;

    for (i = 0; i < pages; i++) {
        at[i] |= old->code[i];
    }
    free(old->code);
    memset(old, 0, sizeof *old);
    for (i = 0; i < b->count; i++) {
        if (!b->regions[i].ops && b->regions[i].block == from) {
            b->regions[i].block = to;
        }
    }
}

/* The block that covers [host, host + len): an old one, or a new one that absorbs others. */
static int ram_block(struct bus *b, uint8_t *host, uint64_t len)
{
    uintptr_t lo = (uintptr_t)host, hi = lo + (uintptr_t)len;
    struct ram_block *blocks;
    uint32_t *code;
    unsigned i;

    for (i = 0; i < b->block_count; i++) {
        const struct ram_block *k = &b->blocks[i];

        if (!touches(k, lo, hi)) {
            continue;
        }
        if (lo >= (uintptr_t)k->host && hi <= (uintptr_t)k->host + (uintptr_t)k->len) {
            return (int)i;
        }
        lo = MIN(lo, (uintptr_t)k->host);
        hi = MAX(hi, (uintptr_t)k->host + (uintptr_t)k->len);
    }
    blocks = realloc(b->blocks, (b->block_count + 1) * sizeof *blocks);
    if (!blocks) {
        return -1;
    }
    b->blocks = blocks;
    code = calloc((hi - lo + PAGE_MASK) >> PAGE_SHIFT, sizeof *code);
    if (!code) {
        return -1;
    }
    for (i = 0; i < b->block_count; i++) {
        if (touches(&b->blocks[i], lo, hi)) {
            absorb(b, i, b->block_count, lo, code);
        }
    }
    b->blocks[b->block_count].host = host - ((uintptr_t)host - lo);
    b->blocks[b->block_count].len = hi - lo;
    b->blocks[b->block_count].code = code;
    return (int)b->block_count++;
}

int bus_map_ram(struct bus *b, uint64_t base, uint64_t len, uint8_t *host, unsigned flags,
                int prio)
{
    struct region r = {0};
    int block = ram_block(b, host, len), handle;

    if (block < 0) {
        return -1;
    }
    r.base = base;
    r.len = len;
    r.host = host;
    r.block = (unsigned)block;
    r.flags = flags & BUS_RW;
    r.prio = prio;
    r.on = true;
    if (flags & BUS_DIRTY) {
        r.dirty = calloc((len + PAGE_MASK) >> PAGE_SHIFT, 1);
        if (!r.dirty) {
            return -1;
        }
    }
    handle = add_region(b, &r);
    if (handle < 0) {
        free(r.dirty);
    }
    return handle;
}

void bus_move(struct bus *b, int handle, uint64_t base, bool on)
{
    struct region *r;

    if (handle < 0 || (unsigned)handle >= b->count) {
        return;
    }
    r = &b->regions[handle];
    if (r->on == on && (r->base == base || !on)) {
        r->base = base;
        return;
    }
    r->base = base;
    r->on = on;
    map_changed(b);
}

void bus_set_flags(struct bus *b, int handle, unsigned flags)
{
    if (handle < 0 || (unsigned)handle >= b->count
        || b->regions[handle].flags == (flags & BUS_RW)) {
        return;
    }
    b->regions[handle].flags = flags & BUS_RW;
    map_changed(b);
}

/* Number of the interval that holds addr (< size); hint is the last one found. */
static unsigned find(const struct bus *b, uint64_t addr, unsigned hint)
{
    unsigned lo, hi;

    if (LIKELY(addr >= b->view[hint].start && addr < b->view[hint + 1].start)) {
        return hint;
    }
    lo = 0;
    hi = b->intervals;
    while (hi - lo > 1) {
        unsigned mid = lo + (hi - lo) / 2;

        if (b->view[mid].start <= addr) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/*
 * The region at addr for a direction, as index + 1, and how many of the `size` bytes from there
 * it certainly serves (at least 1).  Addresses outside of the space belong to nobody.
 */
static unsigned lookup(struct bus *b, uint64_t addr, uint64_t size, bool write, uint64_t *span)
{
    unsigned at;
    uint64_t end;

    if (UNLIKELY(b->ports.stale)) {
        rebuild(b);
    }
    if (UNLIKELY(addr >= b->size)) {
        *span = size;
        return NONE;
    }
    if (b->ports.rd) {
        const uint16_t *table = write ? b->ports.wr : b->ports.rd;
        uint64_t n = 1, max = MIN(size, b->size - addr);

        while (n < max && table[addr + n] == table[addr]) {
            n++;
        }
        *span = n;
        return table[addr];
    }
    if (UNLIKELY(!b->view)) {
        *span = size;
        return NONE;
    }
    at = find(b, addr, write ? b->last_wr : b->last_rd);
    end = b->view[at + 1].start - addr;
    *span = MIN(size, end);
    if (write) {
        b->last_wr = at;
        return b->view[at].wr;
    }
    b->last_rd = at;
    return b->view[at].rd;
}

/* Largest power of two that is not above n and max. */
static unsigned piece(uint64_t n, unsigned max)
{
    unsigned p = max;

    while (p > n) {
        p >>= 1;
    }
    return p;
}

static uint64_t mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << size * 8) - 1;
}

static uint64_t window_read_now(const struct io_ops *ops, void *dev, uint64_t off, unsigned size)
{
    unsigned min = width_min(ops), max = width_max(ops), done, n;
    uint64_t val = 0;

    if (!ops->read) {
        return mask(size);
    }
    if (LIKELY(size >= min && size <= max && (off & (min - 1)) == 0)) {
        return ops->read(dev, off, size) & mask(size);
    }
    for (done = 0; done < size; done += n) {
        uint64_t at = off + done, part;
        unsigned skew = (unsigned)(at & (min - 1));

        if (skew || size - done < min) {
            n = piece(MIN(size - done, min - skew), min);
            part = ops->read(dev, at - skew, min) >> skew * 8 & mask(n);
        } else {
            n = piece(size - done, max);
            part = ops->read(dev, at, n) & mask(n);
        }
        val |= part << done * 8;
    }
    return val;
}

static void window_write_now(const struct io_ops *ops, void *dev, uint64_t off, unsigned size,
                             uint64_t val)
{
    unsigned min = width_min(ops), max = width_max(ops), done, n;

    if (!ops->write) {
        return;
    }
    if (LIKELY(size >= min && size <= max && (off & (min - 1)) == 0)) {
        ops->write(dev, off, size, val & mask(size));
        return;
    }
    for (done = 0; done < size; done += n) {
        uint64_t at = off + done, part = val >> done * 8;
        unsigned skew = (unsigned)(at & (min - 1));

        if (skew || size - done < min) {
            uint64_t unit = ops->read ? ops->read(dev, at - skew, min) : 0;

            n = piece(MIN(size - done, min - skew), min);
            unit &= ~(mask(n) << skew * 8);
            ops->write(dev, at - skew, min, (unit | (part & mask(n)) << skew * 8) & mask(min));
        } else {
            n = piece(size - done, max);
            ops->write(dev, at, n, part & mask(n));
        }
    }
}

static uint64_t window_read(struct bus *b, const struct io_ops *ops, void *dev, uint64_t off,
                            unsigned size)
{
    uint64_t start, val;

    if (LIKELY(!b->clock)) {
        return window_read_now(ops, dev, off, size);
    }
    start = b->clock(b->clock_ctx);
    val = window_read_now(ops, dev, off, size);
    b->ports.stats.ns += b->clock(b->clock_ctx) - start;
    return val;
}

static void window_write(struct bus *b, const struct io_ops *ops, void *dev, uint64_t off,
                         unsigned size, uint64_t val)
{
    uint64_t start;

    if (LIKELY(!b->clock)) {
        window_write_now(ops, dev, off, size, val);
        return;
    }
    start = b->clock(b->clock_ctx);
    window_write_now(ops, dev, off, size, val);
    b->ports.stats.ns += b->clock(b->clock_ctx) - start;
}

void bus_set_clock(struct bus *b, uint64_t (*ns)(void *ctx), void *ctx)
{
    b->clock = ns;
    b->clock_ctx = ctx;
    b->ports.stale = true;
}

static uint32_t *code_mask(const struct bus *b, const struct region *r, uint64_t off)
{
    const struct ram_block *block = &b->blocks[r->block];

    return block->code + (((uint64_t)(r->host - block->host) + off) >> PAGE_SHIFT);
}

/* Bytes changed in RAM: flags the pages, and tells the client when marked lines were hit. */
static void ram_written(struct bus *b, const struct region *r, uint64_t addr, uint64_t len)
{
    uint64_t off = addr - r->base, end = off + len;
    bool hit = false;

    while (off < end) {
        uint64_t stop = MIN((off | PAGE_MASK) + 1, end);
        uint32_t lines = *code_mask(b, r, off);

        if (r->dirty) {
            r->dirty[off >> PAGE_SHIFT] = 1;
        }
        if (UNLIKELY(lines)) {
            unsigned first = (unsigned)(off & PAGE_MASK) >> 7;
            unsigned last = (unsigned)((stop - 1) & PAGE_MASK) >> 7;

            hit = hit || (lines >> first & (uint32_t)mask(4) >> (31 - (last - first))) != 0;
        }
        off = stop;
    }
    if (UNLIKELY(hit) && b->client.code_written) {
        b->client.code_written(b->client.ctx, addr, len);
    }
}

/* All ports of a wider access are of one region, in a width of its own. */
static bool wide_port(const uint16_t *table, const struct port_slot *p, uint32_t port,
                      unsigned size)
{
    return (p->sizes & size) && !(port & p->align) && port + size <= PORTS &&
           table[port + size - 1] == table[port] && table[port + size / 2] == table[port] &&
           table[port + 1] == table[port];
}

uint64_t bus_port_read(struct bus *b, uint16_t port, unsigned size)
{
    const struct port_slot *p = &b->ports.slots[b->ports.rd[port]];

    if (b->ports.stale || size == 1 || !wide_port(b->ports.rd, p, port, size)) {
        return bus_read(b, port, size);
    }
    b->ports.stats.reads++;
    return p->read(p->dev, port - p->base, size) & mask(size);
}

void bus_port_write(struct bus *b, uint16_t port, unsigned size, uint64_t val)
{
    const struct port_slot *p = &b->ports.slots[b->ports.wr[port]];

    if (b->ports.stale || size == 1 || !wide_port(b->ports.wr, p, port, size)) {
        bus_write(b, port, size, val);
        return;
    }
    b->ports.stats.writes++;
    p->write(p->dev, port - p->base, size, val & mask(size));
}

uint64_t bus_read(struct bus *b, uint64_t addr, unsigned size)
{
    uint64_t val = 0, span;
    unsigned done, n;

    b->ports.stats.reads++;
    for (done = 0; done < size; done += n) {
        unsigned number = lookup(b, addr + done, size - done, false, &span);
        uint64_t part;

        n = piece(span, 8);
        if (number == NONE) {
            part = mask(n);
        } else {
            const struct region *r = &b->regions[number - 1];
            uint64_t off = addr + done - r->base;

            part = r->ops ? window_read(b, r->ops, r->dev, off, n) : get_n(r->host + off, n);
        }
        val |= part << done * 8;
    }
    return val;
}

void bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t val)
{
    uint64_t span;
    unsigned done, n;

    b->ports.stats.writes++;
    for (done = 0; done < size; done += n) {
        unsigned number = lookup(b, addr + done, size - done, true, &span);
        const struct region *r;
        uint64_t off;

        n = piece(span, 8);
        if (number == NONE) {
            continue;
        }
        r = &b->regions[number - 1];
        off = addr + done - r->base;
        if (r->ops) {
            window_write(b, r->ops, r->dev, off, n, val >> done * 8 & mask(n));
        } else {
            put_n(r->host + off, n, val >> done * 8);
            ram_written(b, r, addr + done, n);
        }
    }
}

void bus_read_block(struct bus *b, uint64_t addr, void *to, uint64_t len)
{
    uint8_t *p = to;
    uint64_t span;

    while (len) {
        unsigned number = lookup(b, addr, len, false, &span);

        if (number == NONE) {
            memset(p, 0xff, span);
        } else if (!b->regions[number - 1].ops) {
            const struct region *r = &b->regions[number - 1];

            memcpy(p, r->host + (addr - r->base), span);
        } else {
            const struct region *r = &b->regions[number - 1];
            unsigned n = piece(span, 4);

            put_n(p, n, window_read(b, r->ops, r->dev, addr - r->base, n));
            span = n;
        }
        p += span;
        addr += span;
        len -= span;
    }
}

void bus_write_block(struct bus *b, uint64_t addr, const void *from, uint64_t len)
{
    const uint8_t *p = from;
    uint64_t span;

    while (len) {
        unsigned number = lookup(b, addr, len, true, &span);

        if (number != NONE && !b->regions[number - 1].ops) {
            const struct region *r = &b->regions[number - 1];

            memcpy(r->host + (addr - r->base), p, span);
            ram_written(b, r, addr, span);
        } else if (number != NONE) {
            const struct region *r = &b->regions[number - 1];
            unsigned n = piece(span, 4);

            window_write(b, r->ops, r->dev, addr - r->base, n, get_n(p, n));
            span = n;
        }
        p += span;
        addr += span;
        len -= span;
    }
}

void bus_page(struct bus *b, uint64_t pa, struct bus_page *out)
{
    const struct interval *v;
    const struct region *r;
    uint64_t off;

    memset(out, 0, sizeof *out);
    pa &= ~(uint64_t)PAGE_MASK;
    if (b->ports.rd || !b->view || pa >= b->size) {
        return;
    }
    if (UNLIKELY(b->ports.stale)) {
        rebuild(b);
    }
    b->last_rd = find(b, pa, b->last_rd);
    v = &b->view[b->last_rd];
    if (v->rd == NONE || b->regions[v->rd - 1].ops || v[1].start - pa < PAGE_SIZE) {
        return;
    }
    r = &b->regions[v->rd - 1];
    off = pa - r->base;
    out->read = r->host + off;
    out->code = code_mask(b, r, off);
    if (v->wr == v->rd) {
        /* Any other writer has marks of its own, which bus_write looks at. */
        out->write = out->read;
        out->dirty = r->dirty ? r->dirty + (off >> PAGE_SHIFT) : NULL;
    }
}

bool bus_ram(struct bus *b, uint64_t pa, struct bus_ram *out)
{
    const struct interval *v;
    const struct region *r;
    uint64_t end;

    out->len = 0;
    if (b->ports.rd || !b->view || pa >= b->size) {
        return false;
    }
    if (UNLIKELY(b->ports.stale)) {
        rebuild(b);
    }
    b->last_rd = find(b, pa, b->last_rd);
    v = &b->view[b->last_rd];
    if (v->rd == NONE || v->wr != v->rd) {
        return false;
    }
    r = &b->regions[v->rd - 1];
    out->start = (v->start + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
    end = v[1].start & ~(uint64_t)PAGE_MASK;
    if (r->ops || r->dirty || pa < out->start || pa >= end) {
        return false;
    }
    out->len = end - out->start;
    out->host = r->host + (out->start - r->base);
    out->code = code_mask(b, r, out->start - r->base);
    return true;
}

void bus_window(struct bus *b, uint64_t pa, struct bus_window *out)
{
    const struct interval *v;
    const struct region *r;

    out->ops = NULL;
    pa &= ~(uint64_t)PAGE_MASK;
    if (b->ports.rd || !b->view || pa >= b->size) {
        return;
    }
    if (UNLIKELY(b->ports.stale)) {
        rebuild(b);
    }
    b->last_rd = find(b, pa, b->last_rd);
    v = &b->view[b->last_rd];
    if (v->rd == NONE || v->wr != v->rd || v[1].start - pa < PAGE_SIZE) {
        return;
    }
    r = &b->regions[v->rd - 1];
    out->ops = r->ops;
    out->dev = r->dev;
    out->base = r->base;
    out->stats = &b->ports.stats;
    out->sizes = out->align = 0;
    if (!b->clock && r->ops && r->ops->read && r->ops->write) {
        out->sizes = (uint8_t)(2 * width_max(r->ops) - width_min(r->ops));
        out->align = (uint8_t)(width_min(r->ops) - 1);
    }
    if (r->base & out->align) {
        out->sizes = 0;
    }
}

uint64_t bus_window_split_read(struct bus *b, const struct bus_window *w, uint64_t pa,
                               unsigned size)
{
    b->ports.stats.reads++;
    return window_read(b, w->ops, w->dev, pa - w->base, size);
}

void bus_window_split_write(struct bus *b, const struct bus_window *w, uint64_t pa, unsigned size,
                            uint64_t val)
{
    b->ports.stats.writes++;
    window_write(b, w->ops, w->dev, pa - w->base, size, val & mask(size));
}

bool bus_dirty_test(const struct bus *b, int handle, uint64_t off)
{
    const struct region *r;

    if (handle < 0 || (unsigned)handle >= b->count) {
        return false;
    }
    r = &b->regions[handle];
    return r->dirty && off < r->len && r->dirty[off >> PAGE_SHIFT];
}

void bus_dirty_clear(struct bus *b, int handle)
{
    const struct region *r;
    uint64_t pages;

    if (handle < 0 || (unsigned)handle >= b->count || !b->regions[handle].dirty) {
        return;
    }
    r = &b->regions[handle];
    pages = (r->len + PAGE_MASK) >> PAGE_SHIFT;
    if (!memchr(r->dirty, 1, pages)) {
        return;
    }
    memset(r->dirty, 0, pages);
    if (b->client.rearm_dirty) {
        b->client.rearm_dirty(b->client.ctx);
    }
}

struct bus_stats bus_stats(const struct bus *b)
{
    return b->ports.stats;
}
