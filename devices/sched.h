/*
 * Virtual time: events on a heap, ordered by instruction count, and exact clock domains.
 *
 * Time is the number of retired guest instructions (R3), `ips` of which make one second of guest
 * time.  A domain's tick count is floor(icount * hz_num / (hz_den * ips)), computed when asked,
 * never accumulated; the inverse rounds up.  Events with equal time fire in the order in which they
 * were scheduled.  Nothing here knows the host's clock.
 */
#ifndef OXBOW_DEVICES_SCHED_H
#define OXBOW_DEVICES_SCHED_H

#include "memory/base.h"
#include "memory/snap.h"

struct sched;

/* Embedded in the device that owns it; registered once under a name unique in the machine. */
struct event {
    uint64_t due; /* icount; UINT64_MAX: not scheduled */
    uint64_t seq;
    void (*fn)(void *arg, uint64_t now);
    void *arg;
    const char *name;   /* "device/what"; saved with the time */
    unsigned pos;       /* place in the heap, UINT_MAX when absent */
    struct event *next; /* registration list */
};

/* A clock domain of num/den Hz. */
struct clock {
    uint64_t num, den;
};

/* ips: guest instructions per second of guest time, 1e6 .. 1e10. */
struct sched *sched_new(uint64_t ips);
void sched_free(struct sched *s);

/*
 * The source of the current icount (the CPU's, exact also inside a trace) and the call that makes
 * the CPU leave its run loop no later than `due`.  Without them sched_set_now() moves time (unit
 * tests).
 */
struct sched_source {
    void *ctx;
    uint64_t (*now)(void *ctx);
    void (*deadline_changed)(void *ctx, uint64_t due);
};
void sched_set_source(struct sched *s, const struct sched_source *src);
void sched_set_now(struct sched *s, uint64_t now);

uint64_t sched_now(const struct sched *s);
uint64_t sched_ips(const struct sched *s);

/* Registers an event (not yet scheduled).  name must live as long as the scheduler. */
void event_init(struct sched *s, struct event *e, const char *name,
                void (*fn)(void *arg, uint64_t now), void *arg);
/* Schedules or moves e to absolute icount due (a past time fires at the next chance). */
void event_at(struct sched *s, struct event *e, uint64_t due);
void event_cancel(struct sched *s, struct event *e);
ALWAYS_INLINE bool event_pending(const struct event *e)
{
    return e->due != UINT64_MAX;
}

/* Runs everything due at or before now; false: there was nothing. */
bool sched_run(struct sched *s, uint64_t now);
/* icount of the next event, UINT64_MAX when there is none. */
uint64_t sched_next(const struct sched *s);

/* Ticks of a domain at icount t; and the first icount at which the domain has reached tick n. */
uint64_t clock_ticks(const struct sched *s, struct clock c, uint64_t t);
uint64_t clock_icount(const struct sched *s, struct clock c, uint64_t ticks);
/* Guest nanoseconds and microseconds, as domains. */
#define CLOCK_NS ((struct clock){1000000000u, 1u})
#define CLOCK_US ((struct clock){1000000u, 1u})
/* icount that lies `ns` nanoseconds (rounded up, at least 1 instruction) after now. */
uint64_t sched_after_ns(const struct sched *s, uint64_t ns);

/*
 * A device that has to wait for the host (a block request that is not done at its virtual due time)
 * holds virtual time: the machine stops running guest instructions until the holds are gone.
 * An event whose callback holds (and doesn't schedule itself) ends sched_run and runs again, in the
 * same turn, in the first sched_run after the hold.
 */
void sched_hold(struct sched *s, bool hold);
bool sched_held(const struct sched *s);

/* Saves and loads due times by event name (all registered events). */
void sched_save(const struct sched *s, struct snap_writer *w);
bool sched_load(struct sched *s, struct snap_reader *r, struct err *e);

#endif
