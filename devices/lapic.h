/*
 * The local APIC of the one processor, between the interrupt controllers and the INTR pin.
 *
 * Its pins LINT0 (INTR of the 8259A pair) and LINT1 (NMI) are lines with lapic_lint as the setter.
 * After a reset they are connected through (virtual wire mode), so that firmware and software that
 * know nothing of an APIC find the interrupts of a PC/AT.
 */
#ifndef OXBOW_DEVICES_LAPIC_H
#define OXBOW_DEVICES_LAPIC_H

#include "devices/apic_bus.h"
#include "devices/device.h"
#include "devices/irq.h"

struct lapic_config {
    struct irq_line intr;   /* to the CPU; called on changes only */
    void (*nmi)(void *to);  /* NMI for the CPU */
    void (*smi)(void *to);  /* SMI for the CPU */
    void (*init)(void *to); /* INIT for the CPU, to be carried out after the access */
    void (*eoi)(void *to, uint8_t vector); /* end of a level triggered interrupt, to the I/O APIC */
    void *to;
    uint32_t bus_hz; /* clock of the timer */
};

/* IA32_APIC_BASE; the processor number 0 starts the system. */
#define LAPIC_BASE_RESET 0xfee00900u
#define LAPIC_BASE_ENABLE 0x800u

extern const struct device_class lapic_class;

/* Setter for LINT0 and LINT1 (n = 0, 1); to is the struct device. */
void lapic_lint(void *to, unsigned n, bool level);
/* IA32_APIC_BASE was written, or (reset) the CPU was reset or got an INIT. */
void lapic_set_base(struct device *d, uint64_t base, bool reset);
/* A message for the processor.  False: not addressed to it, or it takes none now. */
bool lapic_message(struct device *d, const struct apic_message *msg);
/* The CPU's acknowledge: true with a vector of the APIC's own, false: the 8259A pair answers. */
bool lapic_inta(struct device *d, uint8_t *vector);

#endif
