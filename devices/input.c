/*
 * The input queue; see input.h.
 */
#include "devices/input.h"

#include <stdlib.h>
#include <string.h>

#define RING_START 64
#define RING_MAX 65536

void input_free(struct input_queue *q)
{
    for (unsigned k = 0; k < INPUT_KINDS; k++) {
        while (q->ring[k].count) {
            input_take(q, k);
        }
        free(q->ring[k].ev);
    }
    *q = (struct input_queue){0};
}

static const struct input_event *at(const struct input_ring *r, uint32_t n)
{
    return &r->ev[(r->head + n) % r->cap];
}

/* Makes room for n more. */
static bool reserve(struct input_ring *r, size_t more)
{
    uint32_t cap = r->cap ? r->cap : RING_START;
    if (more <= r->cap - r->count) {
        return true;
    }
    if (more > RING_MAX - r->count) {
        return false;
    }
    while (cap < r->count + more) {
        cap *= 2;
    }
    struct input_event *ev = malloc(cap * sizeof *ev);
    if (!ev) {
        return false;
    }
    for (uint32_t n = 0; n < r->count; n++) {
        ev[n] = *at(r, n);
    }
    free(r->ev);
    *r = (struct input_ring){ev, 0, r->count, cap};
    return true;
}

bool input_reserve(struct input_queue *q, unsigned kind, size_t more)
{
    return reserve(&q->ring[kind], more);
}

/* Behind all that are due no later, so that equal ones keep their order of arrival. */
bool input_put(struct input_queue *q, const struct input_event *ev)
{
    struct input_ring *r = &q->ring[ev->kind];
    if (!reserve(r, 1)) {
        return false;
    }
    uint32_t n = r->count++;
    for (; n > 0 && at(r, n - 1)->at > ev->at; n--) {
        r->ev[(r->head + n) % r->cap] = *at(r, n - 1);
    }
    r->ev[(r->head + n) % r->cap] = *ev;
    return true;
}

bool input_put_frame(struct input_queue *q, unsigned nic, uint64_t start, uint64_t wire_time,
                     const uint8_t *frame, size_t len)
{
    struct input_ring *r = &q->ring[INPUT_NET + nic];
    size_t padded = MAX(len, (size_t)NET_FRAME_MIN);
    struct input_event ev = {.kind = (uint8_t)(INPUT_NET + nic), .code = (uint16_t)padded};

    if (len > NET_FRAME_MAX || r->count >= INPUT_FRAMES) {
        return false;
    }
    ev.frame = calloc(1, padded);
    if (!ev.frame) {
        return false;
    }
    memcpy(ev.frame, frame, len);
    ev.at = (r->count ? MAX(start, at(r, r->count - 1)->at) : start) + wire_time;
    if (!input_put(q, &ev)) {
        free(ev.frame);
        return false;
    }
    return true;
}

const struct input_event *input_due(const struct input_queue *q, unsigned kind, uint64_t now)
{
    const struct input_ring *r = &q->ring[kind];
    return r->count && at(r, 0)->at <= now ? at(r, 0) : NULL;
}

void input_take(struct input_queue *q, unsigned kind)
{
    struct input_ring *r = &q->ring[kind];
    free(r->ev[r->head].frame);
    r->head = (r->head + 1) % r->cap;
    r->count--;
}

uint64_t input_next(const struct input_queue *q, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (unsigned k = 0; k < INPUT_KINDS; k++) {
        const struct input_ring *r = &q->ring[k];
        if (r->count && at(r, 0)->at > now) {
            next = MIN(next, at(r, 0)->at);
        }
    }
    return next;
}

bool input_empty(const struct input_queue *q)
{
    for (unsigned k = 0; k < INPUT_KINDS; k++) {
        if (q->ring[k].count) {
            return false;
        }
    }
    return true;
}

static const struct snap_field event_fields[] = {
    SNAP_F(struct input_event, at, SNAP_U64),   SNAP_F(struct input_event, port, SNAP_U8),
    SNAP_F(struct input_event, code, SNAP_U16), SNAP_F(struct input_event, down, SNAP_BOOL),
    SNAP_F(struct input_event, dx, SNAP_U16),   SNAP_F(struct input_event, dy, SNAP_U16),
    SNAP_F(struct input_event, dz, SNAP_U16),   SNAP_END,
};

/* Version 1 had no network adapters. */
enum { INPUT_VERSION = 2 };

void input_save(const struct input_queue *q, struct snap_writer *w)
{
    snap_begin(w, "input", INPUT_VERSION);
    for (unsigned k = 0; k < INPUT_KINDS; k++) {
        snap_put_u32(w, q->ring[k].count);
        for (uint32_t n = 0; n < q->ring[k].count; n++) {
            const struct input_event *ev = at(&q->ring[k], n);
            snap_put_fields(w, event_fields, ev);
            if (k >= INPUT_NET) {
                snap_put(w, ev->frame, ev->code);
            }
        }
    }
    snap_end(w);
}

static bool load_event(struct input_queue *q, unsigned kind, struct snap_reader *r)
{
    struct input_event ev = {.kind = (uint8_t)kind};
    bool ok = snap_get_fields(r, event_fields, &ev);

    if (ok && kind >= INPUT_NET && ev.code) {
        ev.frame = ev.code <= NET_FRAME_MAX ? malloc(ev.code) : NULL;
        ok = ev.frame && snap_get(r, ev.frame, ev.code);
    }
    ok = ok && input_put(q, &ev);
    if (!ok) {
        free(ev.frame);
        r->failed = true;
    }
    return ok;
}

bool input_load(struct input_queue *q, struct snap_reader *r, struct err *e)
{
    if (!snap_open(r, "input", INPUT_VERSION, e)) {
        return false;
    }
    input_free(q);
    for (unsigned k = 0; k < (r->version >= 2 ? INPUT_KINDS : INPUT_NET); k++) {
        uint32_t count = snap_get_u32(r);
        if (count > RING_MAX) {
            return err_set(e, "the saved state is damaged: its input queue is too long");
        }
        for (uint32_t n = 0; n < count && load_event(q, k, r); n++) {
            continue;
        }
    }
    return snap_close(r, e);
}
