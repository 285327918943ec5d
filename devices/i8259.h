/*
 * The 8259A interrupt controller pair of the AT: sixteen inputs, one INTR.
 *
 * The board hands out inputs as struct irq_line with i8259_irq as the setter (n = 0..15; 2 is the
 * cascade and has no pin).  A line is high while its device requests.
 */
#ifndef OXBOW_DEVICES_I8259_H
#define OXBOW_DEVICES_I8259_H

#include "devices/device.h"
#include "devices/irq.h"

struct i8259_config {
    uint16_t master_port; /* 0x20 */
    uint16_t slave_port;  /* 0xA0 */
    uint16_t elcr_port;   /* 0x4D0; 0: the edge/level registers are absent */
    struct irq_line intr; /* to the CPU; called on changes only */
};

extern const struct device_class i8259_class;

/* Setter for struct irq_line; to is the struct device. */
void i8259_irq(void *to, unsigned n, bool level);

/* The CPU's acknowledge cycle: returns the vector.  With nothing pending it is the spurious one. */
unsigned i8259_inta(struct device *d);
/* Level of the INTR output. */
bool i8259_intr(const struct device *d);

#endif
