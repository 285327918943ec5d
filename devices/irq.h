/*
 * An interrupt (or any other one-bit) line: a value that the board hands to a device.  The device
 * never names the chip on the other side (R2).
 */
#ifndef OXBOW_DEVICES_IRQ_H
#define OXBOW_DEVICES_IRQ_H

#include "memory/base.h"

struct irq_line {
    void (*set)(void *to, unsigned n, bool level); /* NULL: not connected */
    void *to;
    unsigned n;
};

ALWAYS_INLINE void irq_set(const struct irq_line *l, bool level)
{
    if (l->set) {
        l->set(l->to, l->n, level);
    }
}

#endif
