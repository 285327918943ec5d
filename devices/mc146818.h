/*
 * MC146818 real-time clock with 128 bytes of CMOS memory, ports 70h/71h.
 *
 * The time at power-on is part of the configuration; no clock of the host is ever read.  CMOS
 * contents are the board's: mc146818_set() for each byte, then mc146818_checksum().
 */
#ifndef OXBOW_DEVICES_MC146818_H
#define OXBOW_DEVICES_MC146818_H

#include "devices/device.h"
#include "devices/irq.h"

/* A moment of UTC (or of whatever zone the guest believes in). */
struct rtc_time {
    unsigned year;  /* 1980 .. 2099 */
    unsigned month; /* 1 .. 12 */
    unsigned day, hour, minute, second;
};

struct mc146818_config {
    uint16_t port;       /* 0x70 */
    struct irq_line irq; /* IRQ 8 */
    struct rtc_time base; /* at icount 0 */
    /* Bit 7 of port 70h: NMI masked; may be NULL. */
    void (*nmi_mask)(void *ctx, bool masked);
    void *nmi_ctx;
};

extern const struct device_class mc146818_class;

enum { CMOS_SIZE = 128, CMOS_CENTURY = 0x32 };

uint8_t mc146818_get(struct device *d, unsigned index);
void mc146818_set(struct device *d, unsigned index, uint8_t value);
/* AT checksum: the sum of bytes 10h..2Dh, high byte in 2Eh, low byte in 2Fh. */
void mc146818_checksum(struct device *d);

#endif
