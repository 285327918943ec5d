/*
 * Address space: physical memory and the 64 K I/O ports are two instances of one type.
 *
 * Regions (RAM or windows with callbacks) overlap by priority; the bus keeps a flattened view and
 * splits or merges access widths to what a window declares.  Reads of nothing give all ones (open
 * bus), writes to nothing are dropped.  Accesses may cross regions and, for memory, pages.
 */
#ifndef OXBOW_MEMORY_BUS_H
#define OXBOW_MEMORY_BUS_H

#include "memory/base.h"
#include "memory/err.h"

/* One window on a bus.  off is relative to the window's base; size is between min and max. */
struct io_ops {
    uint64_t (*read)(void *dev, uint64_t off, unsigned size);            /* NULL: open bus */
    void (*write)(void *dev, uint64_t off, unsigned size, uint64_t val); /* NULL: dropped */
    uint8_t min, max; /* natural widths (1,2,4,8); 0 means 1.  The bus splits and merges the rest */
    const char *name;
};

enum bus_flags {
    BUS_READ = 1,  /* region answers reads */
    BUS_WRITE = 2, /* region takes writes */
    BUS_RW = 3,
    BUS_DIRTY = 4, /* RAM whose page writes are recorded (video memory); see bus_dirty_* */
};

/* Priorities used by the board; higher wins. */
enum bus_prio { PRIO_RAM = 0, PRIO_ROM = 1, PRIO_SHADOW = 2, PRIO_DEVICE = 3, PRIO_PCI = 1 };

struct bus;

/* Called by the bus when something outside the CPU changes what the CPU has cached. */
struct bus_client {
    void *ctx;
    /* The map changed (window moved, shadow switched): drop all cached pointers and code. */
    void (*remap)(void *ctx);
    /* A page marked as holding code was written by `bus_write*` (DMA, loader). */
    void (*code_written)(void *ctx, uint64_t pa, uint64_t len);
    /* Dirty flags were cleared: cached write permissions of BUS_DIRTY pages must go. */
    void (*rearm_dirty)(void *ctx);
};

struct bus *bus_new(uint64_t size); /* 65536 for ports, 1 << 36 for memory; NULL: no memory */
void bus_free(struct bus *b);
void bus_set_client(struct bus *b, const struct bus_client *c);

/* Map a window.  Returns a handle >= 0, or -1 when memory is short.  ops must outlive the bus. */
int bus_map(struct bus *b, uint64_t base, uint64_t len, const struct io_ops *ops, void *dev,
            int prio);
/* Map host memory (len and base multiples of 4096 on the memory bus). */
int bus_map_ram(struct bus *b, uint64_t base, uint64_t len, uint8_t *host, unsigned flags,
                int prio);
/* Move or switch a region (BARs, PAM, VGA windows); cheap when nothing changes. */
void bus_move(struct bus *b, int handle, uint64_t base, bool on);
/* Change which directions a region answers (BUS_READ/BUS_WRITE; 0 = off). */
void bus_set_flags(struct bus *b, int handle, unsigned flags);
/* Several moves in one go: the flattened view is rebuilt at the outermost end. */
void bus_begin(struct bus *b);
void bus_commit(struct bus *b);

/* Access of 1, 2, 4 or 8 bytes at any alignment. */
uint64_t bus_read(struct bus *b, uint64_t addr, unsigned size);
void bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t val);
/* The same for the port bus: as instructions address it, without the search. */
uint64_t bus_port_read(struct bus *b, uint16_t port, unsigned size);
void bus_port_write(struct bus *b, uint16_t port, unsigned size, uint64_t val);
/* Blocks: DMA, loaders, page walks.  Writes report marked code pages to the client. */
void bus_read_block(struct bus *b, uint64_t addr, void *to, uint64_t len);
void bus_write_block(struct bus *b, uint64_t addr, const void *from, uint64_t len);

/* What the CPU may cache for the page at pa (memory bus). */
struct bus_page {
    uint8_t *read;   /* host address of the page for reads and fetches, NULL: use bus_read */
    uint8_t *write;  /* the same for writes, NULL: use bus_write */
    uint32_t *code;  /* mask of 128-byte lines that hold decoded code, NULL for non-RAM */
    uint8_t *dirty;  /* dirty flag to set before a write pointer is cached, or NULL */
};
void bus_page(struct bus *b, uint64_t pa, struct bus_page *out);
/* Whole pages of plain RAM around pa: read, written and fetched at host + (pa - start). */
struct bus_ram {
    uint64_t start, len;
    uint8_t *host;
    uint32_t *code; /* of the first page */
};
bool bus_ram(struct bus *b, uint64_t pa, struct bus_ram *out); /* false: there is none */
/* I/O counters for -stats. */
struct bus_stats {
    uint64_t reads, writes;
    uint64_t ns; /* spent in windows, with bus_set_clock */
};

/*
 * The window that answers everything on the page at pa; ops is NULL when there is no such window.
 */
struct bus_window {
    const struct io_ops *ops;
    void *dev;
    uint64_t base;
    struct bus_stats *stats;
    uint8_t sizes; /* widths (a mask of 1, 2, 4, 8) that the device takes as they are ... */
    uint8_t align; /* ... when these address bits are 0 */
};
void bus_window(struct bus *b, uint64_t pa, struct bus_window *out);
/* bus_read and bus_write inside the page of such a window, without the search. */
uint64_t bus_window_split_read(struct bus *b, const struct bus_window *w, uint64_t pa,
                               unsigned size);
void bus_window_split_write(struct bus *b, const struct bus_window *w, uint64_t pa, unsigned size,
                            uint64_t val);
ALWAYS_INLINE uint64_t bus_window_read(struct bus *b, const struct bus_window *w, uint64_t pa,
                                       unsigned size)
{
    if (LIKELY((w->sizes & size) && !(pa & w->align))) {
        w->stats->reads++;
        return w->ops->read(w->dev, pa - w->base, size) & UINT64_MAX >> (64 - size * 8);
    }
    return bus_window_split_read(b, w, pa, size);
}
ALWAYS_INLINE void bus_window_write(struct bus *b, const struct bus_window *w, uint64_t pa,
                                    unsigned size, uint64_t val)
{
    if (LIKELY((w->sizes & size) && !(pa & w->align))) {
        w->stats->writes++;
        w->ops->write(w->dev, pa - w->base, size, val & UINT64_MAX >> (64 - size * 8));
    } else {
        bus_window_split_write(b, w, pa, size, val);
    }
}
/* All of these stay valid until the client hears of a remap. */

/* Dirty pages of a BUS_DIRTY region: test, and clear everything (calls rearm_dirty). */
bool bus_dirty_test(const struct bus *b, int handle, uint64_t off);
void bus_dirty_clear(struct bus *b, int handle);

/* For the counters of -stats. */
/* Measures the time that accesses take by a clock of the host; before the first access. */
void bus_set_clock(struct bus *b, uint64_t (*ns)(void *ctx), void *ctx);
struct bus_stats bus_stats(const struct bus *b);

#endif
