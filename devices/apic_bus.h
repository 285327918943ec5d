/*
 * What travels between I/O APICs and local APICs: an interrupt message.
 *
 * An interface like irq.h: the board carries messages from one chip to the other (R2).
 * Document: Intel SDM vol. 3, 8.6 and 8.11; 82093AA data sheet 290566, section 3.2.4.
 */
#ifndef OXBOW_DEVICES_APIC_BUS_H
#define OXBOW_DEVICES_APIC_BUS_H

#include "memory/base.h"

/* Delivery modes, as the redirection table, the ICR and the local vector table encode them. */
enum apic_mode {
    APIC_FIXED = 0,
    APIC_LOWEST = 1,
    APIC_SMI = 2,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_STARTUP = 6, /* reserved outside of the ICR */
    APIC_EXTINT = 7
};

struct apic_message {
    uint8_t dest;
    bool logical; /* destination mode */
    uint8_t mode; /* enum apic_mode */
    uint8_t vector;
    bool level; /* trigger mode */
};

#endif
