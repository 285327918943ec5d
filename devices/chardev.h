/*
 * Character sink of a serial or parallel port or a debug port: bytes leave the machine here.
 * Bytes that come in enter through the machine's input queue (R4), never through this.
 */
#ifndef OXBOW_DEVICES_CHARDEV_H
#define OXBOW_DEVICES_CHARDEV_H

#include "../memory/base.h"

struct chardev {
    void (*write)(void *ctx, const uint8_t *data, size_t n); /* NULL: bytes vanish */
    void *ctx;
};

ALWAYS_INLINE void chardev_put(const struct chardev *c, uint8_t byte)
{
    if (c->write) {
        c->write(c->ctx, &byte, 1);
    }
}

#endif
