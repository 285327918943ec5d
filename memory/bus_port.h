/*
 * Single bytes of the port bus, as IN and OUT address them: a table look-up and the call of the
 * device.
 *
 * Only for bus.c and the CPU's port instructions; everything unusual goes the way of bus_read() and
 * bus_write().
 */
#ifndef OXBOW_MEMORY_BUS_PORT_H
#define OXBOW_MEMORY_BUS_PORT_H

#include "memory/bus.h"

/* What a port access needs of its region; `sizes` is 0 where it has to go the long way. */
struct port_slot {
    uint64_t (*read)(void *dev, uint64_t off, unsigned size);
    void (*write)(void *dev, uint64_t off, unsigned size, uint64_t val);
    void *dev;
    uint32_t base;
    uint8_t sizes, align; /* widths, and low bits of the port that must be 0 */
};

/* The beginning of a port bus. */
struct bus_ports {
    uint16_t *rd, *wr;       /* region numbers by port; NULL on a memory bus */
    struct port_slot *slots; /* by region number */
    struct bus_stats stats;
    bool stale;              /* the tables do not match the regions */
};

ALWAYS_INLINE uint64_t bus_port_in(struct bus *b, uint16_t port, unsigned size)
{
    struct bus_ports *t = (struct bus_ports *)(void *)b;
    const struct port_slot *p = &t->slots[t->rd[port]];

    if (UNLIKELY(t->stale || size != 1 || !(p->sizes & 1))) {
        return bus_port_read(b, port, size);
    }
    t->stats.reads++;
    return (uint8_t)p->read(p->dev, port - p->base, 1);
}

ALWAYS_INLINE void bus_port_out(struct bus *b, uint16_t port, unsigned size, uint64_t val)
{
    struct bus_ports *t = (struct bus_ports *)(void *)b;
    const struct port_slot *p = &t->slots[t->wr[port]];

    if (UNLIKELY(t->stale || size != 1 || !(p->sizes & 1))) {
        bus_port_write(b, port, size, val);
    } else {
        t->stats.writes++;
        p->write(p->dev, port - p->base, 1, (uint8_t)val);
    }
}

#endif
