/*
 * 82371SB (PIIX3) function 0: PCI to ISA bridge, PIRQ router, reset control register.
 *
 * The board hands ISA devices interrupt lines made by piix3_isa_line(); the bridge ORs them with
 * the PCI interrupts routed to the same input and drives the interrupt controller.
 */
#ifndef OXBOW_DEVICES_PIIX3_H
#define OXBOW_DEVICES_PIIX3_H

#include "devices/device.h"
#include "devices/irq.h"

struct piix3_config {
    struct device *pci;
    uint8_t slot; /* 1 */
    struct irq_line irq[16]; /* inputs of the interrupt controller pair */
    /* CF9h: resets the processor, or everything when hard.  To be carried out after the access. */
    void (*reset)(void *to, bool hard);
    void *reset_to;
};

extern const struct device_class piix3_class;

/* ISA interrupt input n (0..15) of the bridge. */
struct irq_line piix3_isa_line(struct device *d, unsigned n);

#endif
