/*
 * IA-PC HPET (Intel, specification 1.0a): 64-bit main counter, three comparators, all periodic.
 *
 * The counter is computed when read; every comparator that can interrupt has an event at its next
 * match and no other.  Comparators can be routed to inputs 20 to 23 of the I/O APIC, or (0 and 1,
 * legacy replacement) take the place of the 8254 and the RTC.
 * Invariants: counter = ticks + offset while enabled, `offset` itself while halted; a level
 * triggered comparator holds its line while its status bit is set.  An edge triggered one leaves it
 * high until just before the next edge: the 8259A forgets an edge whose line falls too soon.
 */
#include "devices/hpet.h"

#include <stdio.h>

enum {
    CAPABILITIES = 0x00,
    CONFIG = 0x10,
    STATUS = 0x20,
    COUNTER = 0xf0,
    TIMERS = 0x100,
    TIMER_SIZE = 0x20,
    COMPARATOR = 0x08,
    COUNT = 3,
    WINDOW = 0x400,

    CONFIG_ENABLE = 1,
    CONFIG_LEGACY = 2,

    T_LEVEL = 0x0002,
    T_ENABLE = 0x0004,
    T_PERIODIC = 0x0008,
    T_SET_VALUE = 0x0040,
    T_32BIT = 0x0100,
    T_ROUTE = 0x3e00,
    T_WRITABLE = 0x3f4e,
    T_FIXED = 0x0030, /* can be periodic, 64 bits */

    FIRST_PIN = 20,
    LAST_PIN = 23,
    LEGACY_TIMERS = 2
};

/*
 * Period in femtoseconds, vendor, legacy replacement, 64 bits, number of the last comparator,
 * revision.
 */
#define CAPABILITY_BITS ((uint64_t)10000000 << 32 | 0x8086a201u)
#define ROUTES ((uint64_t)0xf00000 << 32)
/* Matches farther away than this (29 years) never come. */
#define HORIZON ((uint64_t)1 << 56)

static const struct clock hpet_clock = {100000000, 1};

struct hpet;

struct comparator {
    struct hpet *owner;
    struct event match;
    char name[32];
    uint32_t config;
    uint64_t value, period;
};

struct hpet {
    struct device dev;
    void (*pin)(void *to, unsigned n, bool level);
    void (*isa)(void *to, unsigned n, bool level);
    void (*legacy)(void *to, bool on);
    void *to;
    uint8_t config, status;
    uint64_t offset;
    struct comparator timer[COUNT];
};

static uint64_t ticks(const struct hpet *h)
{
    const struct sched *s = h->dev.env->sched;

    return clock_ticks(s, hpet_clock, sched_now(s));
}

static uint64_t counter(const struct hpet *h)
{
    return h->config & CONFIG_ENABLE ? ticks(h) + h->offset : h->offset;
}

static uint64_t width_mask(const struct comparator *t)
{
    return t->config & T_32BIT ? 0xffffffffu : UINT64_MAX;
}

/* --- interrupts ------------------------------------------------------------------------------ */

static void drive(struct hpet *h, unsigned n, bool level)
{
    unsigned route = (h->timer[n].config & T_ROUTE) >> 9;

    if ((h->config & CONFIG_LEGACY) && n < LEGACY_TIMERS) {
        h->isa(h->to, n == 0 ? 0 : 8, level);
    } else if (route >= FIRST_PIN && route <= LAST_PIN) {
        h->pin(h->to, route, level);
    }
}

/* Holds the line of a level triggered comparator. */
static void hold(struct hpet *h, unsigned n)
{
    const struct comparator *t = &h->timer[n];

    if ((t->config & T_LEVEL) && (t->config & T_ENABLE) && (h->status >> n & 1)) {
        drive(h, n, true);
    }
}

static void release(struct hpet *h, unsigned n)
{
    if (h->timer[n].config & T_ENABLE) {
        drive(h, n, false);
    }
}

static void arm(struct hpet *h, unsigned n)
{
    struct comparator *t = &h->timer[n];
    struct sched *s = h->dev.env->sched;
    uint64_t mask = width_mask(t), ahead = (t->value - counter(h)) & mask;

    if (ahead == 0) {
        ahead = mask; /* this one is over; the next match is a whole turn away */
        ahead += ahead != UINT64_MAX;
    }
    /* A level triggered comparator shows its status even when it may not interrupt. */
    if (!(h->config & CONFIG_ENABLE) || !(t->config & (T_ENABLE | T_LEVEL)) || ahead > HORIZON) {
        event_cancel(s, &t->match);
        return;
    }
    event_at(s, &t->match, clock_icount(s, hpet_clock, ticks(h) + ahead));
}

static void arm_all(struct hpet *h)
{
    unsigned n;

    for (n = 0; n < COUNT; n++) {
        arm(h, n);
    }
}

static void matched(void *arg, uint64_t now UNUSED)
{
    struct comparator *t = arg;
    struct hpet *h = t->owner;
    unsigned n = (unsigned)(t - h->timer);

    if (t->config & T_LEVEL) {
        h->status |= (uint8_t)(1u << n);
        hold(h, n);
    } else if (t->config & T_ENABLE) {
        drive(h, n, false);
        drive(h, n, true);
    }
    if ((t->config & T_PERIODIC) && t->period) {
        uint64_t late = (counter(h) - t->value) & width_mask(t);

        t->value = (t->value + t->period * (1 + late / t->period)) & width_mask(t);
    }
    arm(h, n);
}

/* --- registers ------------------------------------------------------------------------------- */

static uint64_t read_timer(const struct comparator *t, unsigned off)
{
    switch (off) {
    case 0:
        return ROUTES | t->config | T_FIXED;
    case COMPARATOR:
        return t->value;
    default:
        return 0; /* no interrupts by messages */
    }
}

static uint64_t read_register(const struct hpet *h, unsigned off)
{
    switch (off) {
    case CAPABILITIES:
        return CAPABILITY_BITS;
    case CONFIG:
        return h->config;
    case STATUS:
        return h->status;
    case COUNTER:
        return counter(h);
    default:
        break;
    }
    if (off >= TIMERS && off < TIMERS + COUNT * TIMER_SIZE) {
        return read_timer(&h->timer[(off - TIMERS) / TIMER_SIZE], off % TIMER_SIZE);
    }
    return 0;
}

static void write_config(struct hpet *h, uint64_t val)
{
    uint64_t now = counter(h);
    bool legacy = val & CONFIG_LEGACY;
    unsigned n;

    if (legacy != ((h->config & CONFIG_LEGACY) != 0)) {
        for (n = 0; n < LEGACY_TIMERS; n++) {
            release(h, n);
        }
        h->config ^= CONFIG_LEGACY;
        h->legacy(h->to, legacy);
        for (n = 0; n < LEGACY_TIMERS; n++) {
            hold(h, n);
        }
    }
    h->config = val & (CONFIG_ENABLE | CONFIG_LEGACY);
    h->offset = h->config & CONFIG_ENABLE ? now - ticks(h) : now;
    arm_all(h);
}

static void write_status(struct hpet *h, uint64_t val)
{
    unsigned n;

    for (n = 0; n < COUNT; n++) {
        if ((val & h->status) >> n & 1) {
            h->status &= (uint8_t)~(1u << n);
            release(h, n);
        }
    }
}

static void write_timer_config(struct hpet *h, unsigned n, uint64_t val)
{
    struct comparator *t = &h->timer[n];

    release(h, n);
    t->config = (uint32_t)val & T_WRITABLE;
    if (!(t->config & T_LEVEL)) {
        h->status &= (uint8_t)~(1u << n);
    }
    t->value &= width_mask(t);
    t->period &= width_mask(t);
    hold(h, n);
    arm(h, n);
}

/*
 * In periodic mode a write sets the period; the first match it sets only when software has asked
 * for that with the "set value" bit, which lasts for one write.
 */
static void write_comparator(struct hpet *h, unsigned n, uint64_t val)
{
    struct comparator *t = &h->timer[n];

    val &= width_mask(t);
    if (!(t->config & T_PERIODIC) || (t->config & T_SET_VALUE)) {
        t->value = val;
    }
    t->period = val;
    t->config &= ~(uint32_t)T_SET_VALUE;
    arm(h, n);
}

static void write_register(struct hpet *h, unsigned off, uint64_t val)
{
    unsigned n = (off - TIMERS) / TIMER_SIZE;

    switch (off) {
    case CONFIG:
        write_config(h, val);
        return;
    case STATUS:
        write_status(h, val);
        return;
    case COUNTER:
        h->offset = h->config & CONFIG_ENABLE ? val - ticks(h) : val;
        arm_all(h);
        return;
    default:
        break;
    }
    if (off < TIMERS || n >= COUNT) {
        return;
    }
    if (off % TIMER_SIZE == 0) {
        write_timer_config(h, n, val);
    } else if (off % TIMER_SIZE == COMPARATOR) {
        write_comparator(h, n, val);
    }
}

/* Registers are 64 bits wide; software may use their halves. */
static uint64_t hpet_read(void *dev, uint64_t off, unsigned size)
{
    uint64_t v = read_register(dev, (unsigned)off & ~7u);

    return size == 8 ? v : v >> (off & 4) * 8;
}

static void hpet_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    unsigned reg = (unsigned)off & ~7u;

    if (size != 8) {
        uint64_t old = reg == STATUS ? 0 : read_register(dev, reg);
        uint64_t half = (uint64_t)0xffffffffu << (off & 4) * 8;

        val = (old & ~half) | val << (off & 4) * 8;
    }
    write_register(dev, reg, val);
}

static const struct io_ops hpet_ops = {hpet_read, hpet_write, 4, 8, "hpet"};

/* --- life ------------------------------------------------------------------------------------ */

static bool hpet_init(struct device *d, const void *config, struct err *e)
{
    struct hpet *h = (struct hpet *)(void *)d;
    const struct hpet_config *c = config;
    unsigned n;

    h->pin = c->pin;
    h->isa = c->isa;
    h->legacy = c->legacy;
    h->to = c->to;
    for (n = 0; n < COUNT; n++) {
        struct comparator *t = &h->timer[n];

        t->owner = h;
        (void)snprintf(t->name, sizeof t->name, "%s/%u", d->id, n);
        event_init(d->env->sched, &t->match, t->name, matched, t);
    }
    return bus_map(d->env->mem, c->base, WINDOW, &hpet_ops, h, PRIO_DEVICE) >= 0
           || err_set(e, "%s: out of memory", d->id);
}

static void hpet_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct hpet *h = (struct hpet *)(void *)d;
    unsigned n;

    write_status(h, 7);
    write_config(h, 0);
    h->offset = 0;
    for (n = 0; n < COUNT; n++) {
        h->timer[n].config = 0;
        h->timer[n].value = UINT64_MAX;
        h->timer[n].period = 0;
    }
    arm_all(h);
}

static bool hpet_post_load(struct device *d, unsigned version UNUSED, struct err *e UNUSED)
{
    struct hpet *h = (struct hpet *)(void *)d;
    unsigned n;

    for (n = 0; n < COUNT; n++) {
        h->timer[n].config &= T_WRITABLE;
    }
    return true;
}

#define TIMER_STATE(n)                                                                         \
    SNAP_F(struct hpet, timer[n].config, SNAP_U32), SNAP_F(struct hpet, timer[n].value, SNAP_U64), \
        SNAP_F(struct hpet, timer[n].period, SNAP_U64)

static const struct snap_field hpet_state[] = {
    SNAP_F(struct hpet, config, SNAP_U8),
    SNAP_F(struct hpet, status, SNAP_U8),
    SNAP_F(struct hpet, offset, SNAP_U64),
    TIMER_STATE(0),
    TIMER_STATE(1),
    TIMER_STATE(2),
    SNAP_END,
};

const struct device_class hpet_class = {
    .name = "hpet",
    .size = sizeof(struct hpet),
    .init = hpet_init,
    .reset = hpet_reset,
    .state = hpet_state,
    .state_version = 1,
    .post_load = hpet_post_load,
};
