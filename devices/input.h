/*
 * The one door in (R4): everything that reaches the machine from outside is a stamped event in this
 * queue, taken at trace boundaries.  A log of it replays a run.
 */
#ifndef OXBOW_DEVICES_INPUT_H
#define OXBOW_DEVICES_INPUT_H

#include "memory/base.h"
#include "memory/err.h"
#include "memory/snap.h"

enum input_kind { INPUT_KEY, INPUT_MOUSE, INPUT_SERIAL };

struct input_event {
    uint64_t at;      /* icount; taken at the first boundary at or after it */
    uint8_t kind;     /* enum input_kind */
    uint8_t port;     /* serial port; mouse: buttons */
    uint16_t code;    /* key, or serial byte */
    bool down;
    int16_t dx, dy, dz;
};

#define INPUT_KINDS 3

/*
 * One ring per kind, so that a serial port without room does not hold up the keyboard.  Full rings drop the
 * newest event (the guest has not listened for thousands of events).
 */
struct input_ring {
    struct input_event *ev;
    uint32_t head, count, cap;
};

struct input_queue {
    struct input_ring ring[INPUT_KINDS];
};

void input_free(struct input_queue *q);
bool input_put(struct input_queue *q, const struct input_event *ev); /* false: dropped */
/* The oldest event of a kind that is due, or NULL; input_take removes it. */
const struct input_event *input_due(const struct input_queue *q, unsigned kind, uint64_t now);
void input_take(struct input_queue *q, unsigned kind);
/* Time of the next event that is not due yet, UINT64_MAX when there is none. */
uint64_t input_next(const struct input_queue *q, uint64_t now);
bool input_empty(const struct input_queue *q);

void input_save(const struct input_queue *q, struct snap_writer *w);
bool input_load(struct input_queue *q, struct snap_reader *r, struct err *e);

#endif
