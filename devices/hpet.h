/*
 * High precision event timer: a 100 MHz counter with three comparators at FED00000h.
 */
#ifndef OXBOW_DEVICES_HPET_H
#define OXBOW_DEVICES_HPET_H

#include "devices/device.h"

struct hpet_config {
    uint64_t base; /* 0xFED00000 */
    /* Input n (20 to 23) of the I/O APIC. */
    void (*pin)(void *to, unsigned n, bool level);
    /*
     * ISA interrupts 0 and 8 in legacy replacement, which turns the old timer and clock off there.
     */
    void (*isa)(void *to, unsigned n, bool level);
    void (*legacy)(void *to, bool on);
    void *to;
};

extern const struct device_class hpet_class;

#endif
