/*
 * Virtual time; see sched.h.
 *
 * A binary heap of event pointers ordered by (due, seq).  Its size is fixed: events belong to
 * devices, so their number is a property of the machine and the guest has no influence on it.
 * Without a source, time steps to each event's own moment while it runs, as a unit test expects.
 */
#include "devices/sched.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "memory/bytes.h"

enum {
    MAX_EVENTS = 1024,
    /* Events one sched_run may start: a chip that is always due can't stop the machine (R7). */
    MAX_FIRED = 100000,
    NAME_LEN = 32,
    STATE_VERSION = 1
};

struct sched {
    uint64_t ips;
    uint64_t now; /* without a source */
    uint64_t seq;
    struct sched_source source;
    struct event *first, *last; /* registered */
    unsigned registered;
    unsigned holds;
    bool running;
    unsigned count;
    struct event *heap[MAX_EVENTS];
};

struct sched *sched_new(uint64_t ips)
{
    struct sched *s = calloc(1, sizeof *s);

    if (s) {
        s->ips = ips ? ips : 1;
    }
    return s;
}

void sched_free(struct sched *s)
{
    free(s);
}

uint64_t sched_now(const struct sched *s)
{
    return s->source.now ? s->source.now(s->source.ctx) : s->now;
}

uint64_t sched_ips(const struct sched *s)
{
    return s->ips;
}

uint64_t sched_next(const struct sched *s)
{
    return s->count ? s->heap[0]->due : UINT64_MAX;
}

static void tell_deadline(const struct sched *s)
{
    if (!s->running && s->source.deadline_changed) {
        s->source.deadline_changed(s->source.ctx, sched_next(s));
    }
}

void sched_set_source(struct sched *s, const struct sched_source *src)
{
    s->source = *src;
    tell_deadline(s);
}

void sched_set_now(struct sched *s, uint64_t now)
{
    s->now = now;
}

static bool before(const struct event *a, const struct event *b)
{
    return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

static void place(struct sched *s, unsigned pos, struct event *e)
{
    s->heap[pos] = e;
    e->pos = pos;
}

static void sift_up(struct sched *s, struct event *e, unsigned pos)
{
    while (pos) {
        unsigned up = (pos - 1) / 2;

        if (!before(e, s->heap[up])) {
            break;
        }
        place(s, pos, s->heap[up]);
        pos = up;
    }
    place(s, pos, e);
}

static void sift_down(struct sched *s, struct event *e, unsigned pos)
{
    for (;;) {
        unsigned down = pos * 2 + 1;

        if (down >= s->count) {
            break;
        }
        if (down + 1 < s->count && before(s->heap[down + 1], s->heap[down])) {
            down++;
        }
        if (!before(s->heap[down], e)) {
            break;
        }
        place(s, pos, s->heap[down]);
        pos = down;
    }
    place(s, pos, e);
}

static void heap_remove(struct sched *s, struct event *e)
{
    unsigned pos = e->pos;
    struct event *moved;

    if (pos == UINT_MAX) {
        return;
    }
    e->pos = UINT_MAX;
    moved = s->heap[--s->count];
    if (moved == e) {
        return;
    }
    if (pos && before(moved, s->heap[(pos - 1) / 2])) {
        sift_up(s, moved, pos);
    } else {
        sift_down(s, moved, pos);
    }
}

static void heap_insert(struct sched *s, struct event *e)
{
    sift_up(s, e, s->count++);
}

void event_init(struct sched *s, struct event *e, const char *name,
                void (*fn)(void *arg, uint64_t now), void *arg)
{
    assert(s->registered < MAX_EVENTS && strlen(name) < NAME_LEN);
    s->registered++;
    e->due = UINT64_MAX;
    e->seq = 0;
    e->fn = fn;
    e->arg = arg;
    e->name = name;
    e->pos = UINT_MAX;
    e->next = NULL;
    if (s->last) {
        s->last->next = e;
    } else {
        s->first = e;
    }
    s->last = e;
}

void event_at(struct sched *s, struct event *e, uint64_t due)
{
    uint64_t next = sched_next(s);

    heap_remove(s, e);
    e->due = due;
    e->seq = s->seq++;
    if (due != UINT64_MAX) {
        heap_insert(s, e);
    }
    if (sched_next(s) != next) {
        tell_deadline(s);
    }
}

void event_cancel(struct sched *s, struct event *e)
{
    uint64_t next = sched_next(s);

    heap_remove(s, e);
    e->due = UINT64_MAX;
    if (sched_next(s) != next) {
        tell_deadline(s);
    }
}

bool sched_run(struct sched *s, uint64_t now)
{
    unsigned fired = 0;

    if (s->running) {
        return false;
    }
    s->running = true;
    while (!s->holds && s->count && s->heap[0]->due <= now && fired++ < MAX_FIRED) {
        struct event *e = s->heap[0];
        uint64_t due = e->due;

        if (!s->source.now) {
            s->now = MAX(s->now, due);
        }
        heap_remove(s, e);
        e->due = UINT64_MAX;
        e->fn(e->arg, s->source.now ? now : s->now);
        if (s->holds && !event_pending(e)) {
            /* It waits for the host: same time and same turn again when the hold is gone. */
            e->due = due;
            heap_insert(s, e);
        }
    }
    if (!s->source.now && !s->holds) {
        s->now = MAX(s->now, now);
    }
    s->running = false;
    tell_deadline(s);
    return fired != 0;
}

uint64_t clock_ticks(const struct sched *s, struct clock c, uint64_t t)
{
    return muldiv64(t, c.num, c.den * s->ips);
}

uint64_t clock_icount(const struct sched *s, struct clock c, uint64_t ticks)
{
    return muldiv64_up(ticks, c.den * s->ips, c.num);
}

uint64_t sched_after_ns(const struct sched *s, uint64_t ns)
{
    uint64_t n = muldiv64_up(ns, s->ips, 1000000000u), now = sched_now(s);

    n = MAX(n, 1u);
    return n > UINT64_MAX - 1 - now ? UINT64_MAX - 1 : now + n;
}

void sched_hold(struct sched *s, bool hold)
{
    if (hold) {
        s->holds++;
    } else if (s->holds) {
        s->holds--;
        tell_deadline(s);
    }
}

bool sched_held(const struct sched *s)
{
    return s->holds != 0;
}

void sched_save(const struct sched *s, struct snap_writer *w)
{
    const struct event *e;

    snap_begin(w, "sched", STATE_VERSION);
    snap_put_u64(w, s->ips);
    snap_put_u64(w, sched_now(s));
    snap_put_u64(w, s->seq);
    snap_put_u32(w, s->registered);
    for (e = s->first; e; e = e->next) {
        char name[NAME_LEN] = {0};

        memcpy(name, e->name, strlen(e->name));
        snap_put(w, name, sizeof name);
        snap_put_u64(w, e->due);
        snap_put_u64(w, e->due == UINT64_MAX ? 0 : e->seq);
    }
    snap_end(w);
}

static struct event *by_name(const struct sched *s, const char *name)
{
    struct event *e;

    for (e = s->first; e; e = e->next) {
        if (strcmp(e->name, name) == 0) {
            return e;
        }
    }
    return NULL;
}

bool sched_load(struct sched *s, struct snap_reader *r, struct err *e)
{
    struct event *ev;
    uint32_t n;

    if (!snap_open(r, "sched", STATE_VERSION, e)) {
        return false;
    }
    if (snap_get_u64(r) != s->ips) {
        return err_set(e, "the snapshot was taken at another speed of virtual time; "
                       "start with the options it was saved with");
    }
    for (ev = s->first; ev; ev = ev->next) {
        heap_remove(s, ev);
        ev->due = UINT64_MAX;
    }
    s->now = snap_get_u64(r);
    s->seq = snap_get_u64(r);
    for (n = snap_get_u32(r); n && !r->failed; n--) {
        char name[NAME_LEN];
        uint64_t due, seq;

        snap_get(r, name, sizeof name);
        name[NAME_LEN - 1] = 0;
        due = snap_get_u64(r);
        seq = snap_get_u64(r);
        ev = by_name(s, name);
        if (!ev || ev->pos != UINT_MAX) {
            return err_set(e, "the snapshot has an event \"%s\" that this machine lacks; "
                           "start with the options it was saved with", name);
        }
        ev->due = due;
        ev->seq = seq;
        if (due != UINT64_MAX) {
            heap_insert(s, ev);
        }
    }
    tell_deadline(s);
    return snap_close(r, e);
}
