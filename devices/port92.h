/*
 * System control port A (92h): fast A20 and fast reset.  The board ORs A20 with the 8042's.
 */
#ifndef OXBOW_DEVICES_PORT92_H
#define OXBOW_DEVICES_PORT92_H

#include "devices/device.h"

struct port92_config {
    uint16_t port;                   /* 0x92 */
    void (*a20)(void *ctx, bool on); /* also called at reset (off) and after a load */
    void (*reset)(void *ctx);        /* the CPU is reset; the board does it later */
    void *ctx;
};

extern const struct device_class port92_class;

#endif
