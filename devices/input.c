/*
 * The input queue; see input.h.
 */
#include "devices/input.h"

#include <stdlib.h>

#define RING_START 64
#define RING_MAX 65536

void input_free(struct input_queue *q)
{
    for (unsigned k = 0; k < INPUT_KINDS; k++) {
        free(q->ring[k].ev);
    }
    *q = (struct input_queue){0};
}

static const struct input_event *at(const struct input_ring *r, uint32_t n)
{
    return &r->ev[(r->head + n) % r->cap];
}

static bool grow(struct input_ring *r)
{
    uint32_t cap = r->cap ? r->cap * 2 : RING_START;
    if (cap > RING_MAX) {
        return false;
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

bool input_put(struct input_queue *q, const struct input_event *ev)
{
    struct input_ring *r = &q->ring[ev->kind];
    if (r->count == r->cap && !grow(r)) {
        return false;
    }
    r->ev[(r->head + r->count++) % r->cap] = *ev;
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

void input_save(const struct input_queue *q, struct snap_writer *w)
{
    snap_begin(w, "input", 1);
    for (unsigned k = 0; k < INPUT_KINDS; k++) {
        snap_put_u32(w, q->ring[k].count);
        for (uint32_t n = 0; n < q->ring[k].count; n++) {
            snap_put_fields(w, event_fields, at(&q->ring[k], n));
        }
    }
    snap_end(w);
}

bool input_load(struct input_queue *q, struct snap_reader *r, struct err *e)
{
    if (!snap_open(r, "input", 1, e)) {
        return false;
    }
    input_free(q);
    for (unsigned k = 0; k < INPUT_KINDS; k++) {
        uint32_t count = snap_get_u32(r);
        if (count > RING_MAX) {
            return err_set(e, "the saved state is damaged: its input queue is too long");
        }
        for (uint32_t n = 0; n < count; n++) {
            struct input_event ev = {.kind = (uint8_t)k};
            if (!snap_get_fields(r, event_fields, &ev) || !input_put(q, &ev)) {
                break;
            }
        }
    }
    return snap_close(r, e);
}
