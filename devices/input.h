/*
 * The one door in (R4): everything that reaches the machine from outside is a stamped event in this
 * queue, taken at trace boundaries.  A log of it replays a run.
 */
#ifndef OXBOW_DEVICES_INPUT_H
#define OXBOW_DEVICES_INPUT_H

#include "devices/net.h"
#include "memory/base.h"
#include "memory/err.h"
#include "memory/snap.h"

enum { INPUT_NICS = 4 };
enum input_kind {
    INPUT_KEY,
    INPUT_MOUSE,
    INPUT_SERIAL,
    INPUT_NET, /* frames for the first network adapter, and so on */
    INPUT_KINDS = INPUT_NET + INPUT_NICS
};

struct input_event {
    uint64_t at;      /* icount; taken at the first boundary at or after it */
    uint8_t kind;     /* enum input_kind */
    uint8_t port;     /* serial port; mouse: buttons */
    uint16_t code;    /* key, serial byte, length of the frame (0: the cable is what changes) */
    bool down;        /* key; cable: plugged in; mouse: dx and dy are a place (unsigned) */
    int16_t dx, dy, dz;
    uint8_t *frame;   /* owned by the queue */
};

/*
 * One ring per kind, in order of `at`, so that a serial port without room does not hold up the
 * keyboard.  A full ring (the guest has not listened for 65536 events) takes nothing more.  At most
 * INPUT_FRAMES wait for an adapter: enough for a window of TCP.
 */
enum { INPUT_FRAMES = 256 };

struct input_ring {
    struct input_event *ev;
    uint32_t head, count, cap;
};

struct input_queue {
    struct input_ring ring[INPUT_KINDS];
};

void input_free(struct input_queue *q);
/* Takes its place in the order of `at`, behind those of the same time; false: full, not taken. */
bool input_put(struct input_queue *q, const struct input_event *ev);
/* Room for n more of a kind: that many input_put will not fail. */
bool input_reserve(struct input_queue *q, unsigned kind, size_t more);
/* A frame (copied, padded to the least length) that starts at `start`, or when the wire is free. */
bool input_put_frame(struct input_queue *q, unsigned nic, uint64_t start, uint64_t wire_time,
                     const uint8_t *frame, size_t len);
/* The oldest event of a kind that is due, or NULL; input_take removes it. */
const struct input_event *input_due(const struct input_queue *q, unsigned kind, uint64_t now);
void input_take(struct input_queue *q, unsigned kind);
/* Time of the next event that is not due yet, UINT64_MAX when there is none. */
uint64_t input_next(const struct input_queue *q, uint64_t now);
bool input_empty(const struct input_queue *q);

void input_save(const struct input_queue *q, struct snap_writer *w);
bool input_load(struct input_queue *q, struct snap_reader *r, struct err *e);

#endif
