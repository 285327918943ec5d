/*
 * 8254 interval timer of the PC: three counters clocked at 14318180/12 Hz.
 *
 * Outputs are irq_line values; an output that is not connected costs no events.  Gates 0 and 1 are
 * tied high, gate 2 starts low and belongs to the system control port (speaker.h).
 */
#ifndef OXBOW_DEVICES_I8254_H
#define OXBOW_DEVICES_I8254_H

#include "devices/device.h"
#include "devices/irq.h"

struct i8254_config {
    uint16_t port; /* 0x40 */
    struct irq_line out[3];
};

extern const struct device_class i8254_class;

/* Level of OUT now. */
bool i8254_out(struct device *d, unsigned ch);
void i8254_gate(struct device *d, unsigned ch, bool level);
/* The same as a setter for struct irq_line; to is the struct device, n the counter. */
void i8254_gate_line(void *to, unsigned n, bool level);
/* Connects OUT after creation and drives the line to its present level. */
void i8254_connect(struct device *d, unsigned ch, struct irq_line out);

#endif
