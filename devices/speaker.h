/*
 * Port 61h, system control port B: gate of timer 2, speaker data, refresh toggle, NMI sources.
 *
 * The speaker is driven by (speaker data AND OUT2); each change goes to a sink, stamped in virtual
 * time (icount), from which audio can be made.
 */
#ifndef OXBOW_DEVICES_SPEAKER_H
#define OXBOW_DEVICES_SPEAKER_H

#include "devices/device.h"
#include "devices/irq.h"

struct speaker_sink {
    void (*level)(void *ctx, uint64_t icount, bool level); /* NULL: silent */
    void *ctx;
};

struct speaker_config {
    uint16_t port;             /* 0x61 */
    struct irq_line gate2;     /* to timer gate 2 */
    struct irq_line nmi;       /* an enabled and latched NMI source; before the port 70h mask */
    struct speaker_sink sink;
};

extern const struct device_class speaker_class;

/* OUT2 of the timer; a setter for struct irq_line (to is the struct device). */
void speaker_out2(void *to, unsigned n, bool level);
/* NMI sources: SERR# (memory parity) and IOCHK#.  Latched until the guest acknowledges. */
void speaker_serr(struct device *d);
void speaker_iochk(struct device *d);

#endif
