/*
 * 82093AA I/O APIC: twenty-four inputs that become messages for the local APIC.
 *
 * The board hands out inputs as struct irq_line with ioapic_irq as the setter.
 */
#ifndef OXBOW_DEVICES_IOAPIC_H
#define OXBOW_DEVICES_IOAPIC_H

#include "devices/apic_bus.h"
#include "devices/device.h"
#include "devices/irq.h"

#define IOAPIC_PINS 24

struct ioapic_config {
    uint64_t base; /* 0xFEC00000 */
    /* Sends a message; false: nobody took it. */
    bool (*send)(void *to, const struct apic_message *msg);
    void *to;
};

extern const struct device_class ioapic_class;

/* Setter for struct irq_line, n = 0..23; to is the struct device. */
void ioapic_irq(void *to, unsigned n, bool level);
/* A local APIC has finished a level triggered interrupt. */
void ioapic_eoi(struct device *d, uint8_t vector);

#endif
