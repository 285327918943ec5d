/*
 * Parallel port (LPT) with a printer that takes bytes into a chardev.
 */
#ifndef OXBOW_DEVICES_PARALLEL_H
#define OXBOW_DEVICES_PARALLEL_H

#include "devices/chardev.h"
#include "devices/device.h"
#include "devices/irq.h"

struct parallel_config {
    uint16_t port;       /* 0x378 */
    struct irq_line irq; /* IRQ 7 */
    struct chardev out;  /* without a write function nothing is plugged in */
};

extern const struct device_class parallel_class;

#endif
