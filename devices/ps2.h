/*
 * The PS/2 wire as the keyboard controller sees it, and the byte queue that both devices use.
 *
 * The controller pulls bytes when it has room and the clock is released; a device that gets
 * something to say signals `ready` (any call counts, the level is always true).
 */
#ifndef OXBOW_DEVICES_PS2_H
#define OXBOW_DEVICES_PS2_H

#include "devices/irq.h"
#include "memory/base.h"

/* A device at the end of the wire, handed to the controller by the board. */
struct ps2_port {
    void *dev; /* NULL: nothing plugged in */
    void (*attach)(void *dev, struct irq_line ready);
    void (*send)(void *dev, uint8_t byte); /* from the host */
    bool (*pending)(void *dev);
    uint8_t (*take)(void *dev); /* only when pending */
};

enum { PS2_QUEUE = 64 };

struct ps2_queue {
    uint8_t data[PS2_QUEUE];
    uint8_t head, count;
};

ALWAYS_INLINE void ps2_queue_clear(struct ps2_queue *q)
{
    q->head = q->count = 0;
}

ALWAYS_INLINE unsigned ps2_queue_room(const struct ps2_queue *q)
{
    return PS2_QUEUE - q->count;
}

/* Drops the byte when the queue is full. */
ALWAYS_INLINE void ps2_queue_put(struct ps2_queue *q, uint8_t byte)
{
    if (q->count < PS2_QUEUE) {
        q->data[(q->head + q->count++) % PS2_QUEUE] = byte;
    }
}

/* The queue must not be empty. */
ALWAYS_INLINE uint8_t ps2_queue_get(struct ps2_queue *q)
{
    uint8_t byte = q->data[q->head];

    q->head = (uint8_t)((q->head + 1) % PS2_QUEUE);
    q->count--;
    return byte;
}

ALWAYS_INLINE bool ps2_queue_valid(const struct ps2_queue *q)
{
    return q->head < PS2_QUEUE && q->count <= PS2_QUEUE;
}

/* Field table entries of a queue that is member m of type. */
#define PS2_QUEUE_STATE(type, m)                                                               \
    SNAP_ARRAY(type, m.data, SNAP_BYTES), SNAP_F(type, m.head, SNAP_U8),                       \
        SNAP_F(type, m.count, SNAP_U8)

#endif
