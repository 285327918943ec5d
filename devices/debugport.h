/*
 * Ports that virtual machines have and PCs do not: text for the host, POST codes, a way to end.
 */
#ifndef OXBOW_DEVICES_DEBUGPORT_H
#define OXBOW_DEVICES_DEBUGPORT_H

#include "devices/chardev.h"
#include "devices/device.h"

enum debugport_kind {
    /* 0x80, 0x190: value(ctx, v) for a write of a width that fits into the window; reads give the
     * last byte */
    DEBUGPORT_LOG,
    DEBUGPORT_CONSOLE,  /* 0xE9, 0x402: bytes go to out; reads give E9h, "somebody listens" */
    DEBUGPORT_SHUTDOWN, /* 0x8900: value(ctx, 0) when "Shutdown" was written; reads: open bus */
    DEBUGPORT_EXIT      /* isa-debug-exit: value(ctx, v) for a write of any width; reads give 0 */
};

struct debugport_config {
    enum debugport_kind kind;
    uint16_t port;
    uint16_t size; /* of the window; 0: one port */
    struct chardev out;
    void (*value)(void *ctx, uint32_t v); /* may be NULL */
    void *ctx;
};

extern const struct device_class debugport_class;

#endif
