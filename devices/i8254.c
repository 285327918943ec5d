/*
 * Intel 8254 programmable interval timer (data sheet 231164): three counters, modes 0 to 5, binary
 * and BCD, latch and read-back commands.
 *
 * A counter is a closed form of time: `ce` and `out` are its state at CLK pulse `base`, and
 * counter_advance() carries them forward over any number of pulses without a loop over pulses.  A
 * written count goes from CR to CE at the pulse after the write (`load_at`) or, in the periodic
 * modes, at the end of the running period.  Events exist for edges of connected outputs only.
 * Invariant: load_at is NEVER or later than base.
 */
#include "devices/i8254.h"

#include <stdio.h>

#define PIT_CLOCK ((struct clock){14318180u, 12u})
#define NEVER UINT64_MAX

enum counter_mode { TERMINAL_COUNT, ONE_SHOT, RATE, SQUARE, SOFT_STROBE, HARD_STROBE };
enum rw_mode { RW_LATCH, RW_LSB, RW_MSB, RW_BOTH };
enum { CONTROL_REG = 3, READ_BACK = 3 };
/* A gap that no run produces (only a doctored snapshot): the edges inside are skipped. */
enum { EDGE_WINDOW = 1 << 20 };

struct counter {
    uint64_t base;    /* pulse for which ce and out hold */
    uint64_t load_at; /* pulse at which CR goes to CE */
    uint32_t ce;      /* counting element as a number; 0 and the modulus show alike */
    uint16_t cr;      /* count register as written */
    uint16_t latch;   /* output latch */
    uint8_t low;      /* first byte of a count that is still incomplete */
    uint8_t rw, mode, status;
    bool bcd, gate, out;
    bool level;       /* what the line was last set to */
    bool null_count;  /* CR holds a count that CE has not */
    bool written;     /* a count was written since the control word */
    bool loaded;      /* CE counts */
    bool inhibit;     /* mode 0 between the two bytes of a count */
    bool armed;       /* strobe modes: the strobe is to come */
    bool odd;         /* mode 3: the running half period belongs to an odd count */
    bool write_msb, read_msb, count_latched, status_latched;
};

struct i8254 {
    struct device dev;
    struct irq_line line[3];
    struct event edge[3];
    char edge_name[3][32];
    struct counter ch[3];
};

static uint32_t counter_modulus(const struct counter *c)
{
    return c->bcd ? 10000 : 65536;
}

static uint32_t bcd_value(uint16_t v)
{
    return (uint32_t)((v >> 12) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15));
}

/* The count in CR, 1 .. modulus. */
static uint32_t counter_count(const struct counter *c)
{
    uint32_t mod = counter_modulus(c);
    uint32_t n = (c->bcd ? bcd_value(c->cr) : c->cr) % mod;

    return n ? n : mod;
}

/* What a read of CE shows. */
static uint16_t counter_shown(const struct counter *c)
{
    uint32_t n = c->ce % counter_modulus(c);

    if (!c->bcd) {
        return (uint16_t)n;
    }
    return (uint16_t)((n / 1000) << 12 | (n / 100 % 10) << 8 | (n / 10 % 10) << 4 | n % 10);
}

static bool counter_counting(const struct counter *c)
{
    return c->loaded && !c->inhibit && (c->gate || c->mode == ONE_SHOT || c->mode == HARD_STROBE);
}

/* Mode 3 counts even numbers by two; an odd count spends one more pulse in its high half. */
static void square_half(struct counter *c)
{
    uint32_t n = counter_count(c);

    c->ce = n & ~1u;
    c->odd = n & 1;
    c->null_count = false;
}

static uint32_t square_left(const struct counter *c)
{
    return c->ce / 2 + (c->odd && c->out);
}

static void square_run(struct counter *c, uint64_t n)
{
    bool whole = false;

    while (n >= square_left(c)) {
        n -= square_left(c);
        c->out = !c->out;
        square_half(c);
        if (!whole) {
            n %= counter_count(c); /* whole periods end where they began */
            whole = true;
        }
    }
    c->ce -= 2 * (uint32_t)n;
}

static void rate_run(struct counter *c, uint64_t n)
{
    if (n < c->ce) {
        c->ce -= (uint32_t)n;
    } else {
        uint32_t period = counter_count(c);

        c->null_count = false;
        c->ce = period - (uint32_t)((n - c->ce) % period);
    }
    c->out = c->ce != 1;
}

/* n CLK pulses without a transfer from CR outside the periodic reloads. */
static void counter_run(struct counter *c, uint64_t n)
{
    uint32_t mod = counter_modulus(c);
    uint32_t left = c->ce ? c->ce : mod;

    if (n == 0) {
        return;
    }
    if (c->mode >= SOFT_STROBE) {
        c->out = true; /* a strobe lasts one pulse */
    }
    if (!counter_counting(c)) {
        return;
    }
    if (c->mode == RATE) {
        rate_run(c, n);
        return;
    }
    if (c->mode == SQUARE) {
        square_run(c, n);
        return;
    }
    if (n >= left) {
        if (c->mode < RATE) {
            c->out = true;
        } else if (c->armed) {
            c->armed = false;
            c->out = n != left;
        }
    }
    c->ce = (c->ce + mod - (uint32_t)(n % mod)) % mod;
}

static void counter_load(struct counter *c)
{
    c->load_at = NEVER;
    c->null_count = false;
    c->loaded = true;
    c->ce = counter_count(c);
    switch (c->mode) {
    case ONE_SHOT:
        c->out = false;
        break;
    case RATE:
        c->out = c->ce != 1;
        break;
    case SQUARE:
        c->out = true;
        square_half(c);
        break;
    case SOFT_STROBE:
    case HARD_STROBE:
        c->out = true;
        c->armed = true;
        break;
    default:
        break;
    }
}

static void counter_advance(struct counter *c, uint64_t t)
{
    while (c->base < t) {
        if (c->load_at <= t) {
            counter_run(c, c->load_at - 1 - c->base);
            c->base = c->load_at;
            counter_load(c);
        } else {
            counter_run(c, t - c->base);
            c->base = t;
        }
    }
}

/* Pulse of the next change of OUT if nothing is loaded before; NEVER: none. */
static uint64_t counter_next_count(const struct counter *c)
{
    uint32_t left = c->ce ? c->ce : counter_modulus(c);

    if (c->mode >= SOFT_STROBE && !c->out) {
        return c->base + 1;
    }
    if (!counter_counting(c)) {
        return NEVER;
    }
    switch (c->mode) {
    case RATE:
        if (c->ce > 1) {
            return c->base + c->ce - 1;
        }
        return counter_count(c) == 1 ? NEVER : c->base + 1;
    case SQUARE:
        if (counter_count(c) == 1 && c->out && c->ce == 0) {
            return NEVER; /* a count of one has no low half */
        }
        return c->base + MAX(square_left(c), 1u);
    case SOFT_STROBE:
    case HARD_STROBE:
        return c->armed ? c->base + left : NEVER;
    default:
        return c->out ? NEVER : c->base + left;
    }
}

static uint64_t counter_next(const struct counter *c)
{
    return MIN(counter_next_count(c), c->load_at);
}

static uint64_t i8254_ticks(const struct i8254 *p)
{
    return clock_ticks(p->dev.env->sched, PIT_CLOCK, sched_now(p->dev.env->sched));
}

static void channel_drive(struct i8254 *p, unsigned n)
{
    struct counter *c = &p->ch[n];

    if (c->out != c->level) {
        c->level = c->out;
        irq_set(&p->line[n], c->out);
    }
}

/* Brings a counter to the present; a connected line sees every edge on the way. */
static struct counter *channel_sync(struct i8254 *p, unsigned n)
{
    struct counter *c = &p->ch[n];
    uint64_t t = i8254_ticks(p);

    if (p->line[n].set && t - c->base < EDGE_WINDOW) {
        uint64_t next;

        while ((next = counter_next(c)) <= t) {
            counter_advance(c, next);
            channel_drive(p, n);
        }
    }
    counter_advance(c, t);
    channel_drive(p, n);
    return c;
}

static void channel_schedule(struct i8254 *p, unsigned n)
{
    uint64_t next = p->line[n].set ? counter_next(&p->ch[n]) : NEVER;

    channel_drive(p, n);
    if (next == NEVER) {
        event_cancel(p->dev.env->sched, &p->edge[n]);
    } else {
        event_at(p->dev.env->sched, &p->edge[n],
                 clock_icount(p->dev.env->sched, PIT_CLOCK, next));
    }
}

static void channel_event(struct i8254 *p, unsigned n)
{
    channel_sync(p, n);
    channel_schedule(p, n);
}

static void edge0_event(void *arg, uint64_t now UNUSED)
{
    channel_event(arg, 0);
}

static void edge1_event(void *arg, uint64_t now UNUSED)
{
    channel_event(arg, 1);
}

static void edge2_event(void *arg, uint64_t now UNUSED)
{
    channel_event(arg, 2);
}

static void latch_count(struct counter *c)
{
    if (!c->count_latched) {
        c->count_latched = true;
        c->latch = counter_shown(c);
    }
}

static void latch_status(struct counter *c)
{
    if (!c->status_latched) {
        c->status_latched = true;
        c->status =
            (uint8_t)(c->out << 7 | c->null_count << 6 | c->rw << 4 | c->mode << 1 | c->bcd);
    }
}

static void read_back(struct i8254 *p, uint8_t val)
{
    unsigned n;

    for (n = 0; n < 3; n++) {
        struct counter *c;

        if (!(val & (2u << n))) {
            continue;
        }
        c = channel_sync(p, n);
        if (!(val & 0x20)) {
            latch_count(c);
        }
        if (!(val & 0x10)) {
            latch_status(c);
        }
    }
}

static void control_word(struct counter *c, uint8_t val)
{
    unsigned mode = val >> 1 & 7;

    c->rw = val >> 4 & 3;
    c->mode = (uint8_t)(mode > HARD_STROBE ? mode - 4 : mode);
    c->bcd = val & 1;
    c->cr = 0;
    c->ce %= counter_modulus(c);
    c->load_at = NEVER;
    c->out = c->mode != TERMINAL_COUNT;
    c->null_count = true;
    c->written = c->loaded = c->inhibit = c->armed = c->odd = false;
    c->write_msb = c->read_msb = c->count_latched = c->status_latched = false;
}

static void control_write(struct i8254 *p, uint8_t val)
{
    unsigned n = val >> 6;

    if (n == READ_BACK) {
        read_back(p, val);
        return;
    }
    channel_sync(p, n);
    if ((val >> 4 & 3) == RW_LATCH) {
        latch_count(&p->ch[n]);
        return;
    }
    control_word(&p->ch[n], val);
    channel_schedule(p, n);
}

/* A complete count has arrived in CR. */
static void count_written(struct counter *c)
{
    bool first = !c->written;

    c->written = true;
    c->null_count = true;
    c->inhibit = false;
    if (c->mode == TERMINAL_COUNT) {
        c->out = false;
    }
    if (c->mode == TERMINAL_COUNT || c->mode == SOFT_STROBE ||
        (first && (c->mode == RATE || c->mode == SQUARE))) {
        c->load_at = c->base + 1;
    }
}

static void count_write(struct counter *c, uint8_t val)
{
    if (c->rw == RW_BOTH && !c->write_msb) {
        c->low = val;
        c->write_msb = true;
        if (c->mode == TERMINAL_COUNT) {
            c->inhibit = true;
            c->out = false;
        }
        return;
    }
    if (c->rw == RW_BOTH) {
        c->write_msb = false;
        c->cr = (uint16_t)(val << 8 | c->low);
    } else {
        c->cr = (uint16_t)(c->rw == RW_LSB ? val : val << 8);
    }
    count_written(c);
}

static uint8_t count_read(struct counter *c)
{
    uint16_t v;
    bool msb = c->rw == RW_MSB;

    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    v = c->count_latched ? c->latch : counter_shown(c);
    if (c->rw == RW_BOTH) {
        msb = c->read_msb;
        c->read_msb = !c->read_msb;
    }
    if (c->rw != RW_BOTH || msb) {
        c->count_latched = false;
    }
    return (uint8_t)(msb ? v >> 8 : v);
}

static uint64_t i8254_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct i8254 *p = dev;

    if (off == CONTROL_REG) {
        return 0xff; /* "no operation": the data bus floats */
    }
    return count_read(channel_sync(p, (unsigned)off));
}

static void i8254_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct i8254 *p = dev;

    if (off == CONTROL_REG) {
        control_write(p, (uint8_t)val);
        return;
    }
    count_write(channel_sync(p, (unsigned)off), (uint8_t)val);
    channel_schedule(p, (unsigned)off);
}

bool i8254_out(struct device *d, unsigned ch)
{
    struct i8254 *p = (struct i8254 *)d;

    return channel_sync(p, ch)->out;
}

void i8254_gate(struct device *d, unsigned ch, bool level)
{
    struct i8254 *p = (struct i8254 *)d;
    struct counter *c = channel_sync(p, ch);
    bool rising = level && !c->gate;

    c->gate = level;
    if (c->mode == RATE || c->mode == SQUARE) {
        if (!level) {
            c->out = true;
        }
    } else if (c->mode != ONE_SHOT && c->mode != HARD_STROBE) {
        rising = false; /* modes 0 and 4 only count or wait */
    }
    if (rising && c->written) {
        c->load_at = c->base + 1;
    }
    channel_schedule(p, ch);
}

void i8254_gate_line(void *to, unsigned n, bool level)
{
    i8254_gate(to, n, level);
}

void i8254_connect(struct device *d, unsigned ch, struct irq_line out)
{
    struct i8254 *p = (struct i8254 *)d;

    channel_sync(p, ch);
    p->line[ch] = out;
    irq_set(&p->line[ch], p->ch[ch].out);
    channel_schedule(p, ch);
}

static const struct io_ops i8254_ops = {i8254_read, i8254_write, 1, 1, "i8254"};

static bool i8254_init(struct device *d, const void *config, struct err *e)
{
    static void (*const fn[3])(void *, uint64_t) = {edge0_event, edge1_event, edge2_event};
    struct i8254 *p = (struct i8254 *)d;
    const struct i8254_config *c = config;
    unsigned n;

    for (n = 0; n < 3; n++) {
        p->line[n] = c->out[n];
        p->ch[n].gate = n != 2;
        snprintf(p->edge_name[n], sizeof p->edge_name[n], "%s/out%u", d->id, n);
        event_init(d->env->sched, &p->edge[n], p->edge_name[n], fn[n], p);
    }
    if (bus_map(d->env->io, c->port, 4, &i8254_ops, p, PRIO_DEVICE) < 0) {
        return err_set(e, "%s: out of memory", d->id);
    }
    return true;
}

/* There is no reset pin: a warm reset changes nothing, power-on leaves unprogrammed counters. */
static void i8254_reset(struct device *d, enum reset_kind kind)
{
    struct i8254 *p = (struct i8254 *)d;
    unsigned n;

    if (kind == RESET_WARM) {
        return;
    }
    for (n = 0; n < 3; n++) {
        bool gate = p->ch[n].gate;

        p->ch[n] = (struct counter){
            .base = i8254_ticks(p),
            .load_at = NEVER,
            .rw = RW_BOTH,
            .mode = SQUARE,
            .gate = gate,
            .out = true,
            .level = true,
            .null_count = true,
        };
        irq_set(&p->line[n], true);
        channel_schedule(p, n);
    }
}

static bool i8254_post_load(struct device *d, unsigned version UNUSED, struct err *e)
{
    struct i8254 *p = (struct i8254 *)d;
    unsigned n;

    for (n = 0; n < 3; n++) {
        const struct counter *c = &p->ch[n];
        bool bad = c->mode > HARD_STROBE || c->rw > RW_BOTH || c->rw == RW_LATCH;

        bad = bad || c->ce > counter_modulus(c) || (c->mode == RATE && c->loaded && c->ce == 0);
        if (bad || c->load_at <= c->base) {
            return err_set(e, "%s: the saved state of counter %u is not valid", d->id, n);
        }
    }
    return true;
}

#define COUNTER_STATE(i)                                                                       \
    SNAP_F(struct i8254, ch[i].base, SNAP_U64), SNAP_F(struct i8254, ch[i].load_at, SNAP_U64), \
        SNAP_F(struct i8254, ch[i].ce, SNAP_U32), SNAP_F(struct i8254, ch[i].cr, SNAP_U16),    \
        SNAP_F(struct i8254, ch[i].latch, SNAP_U16), SNAP_F(struct i8254, ch[i].low, SNAP_U8), \
        SNAP_F(struct i8254, ch[i].rw, SNAP_U8), SNAP_F(struct i8254, ch[i].mode, SNAP_U8),    \
        SNAP_F(struct i8254, ch[i].status, SNAP_U8),                                           \
        SNAP_F(struct i8254, ch[i].bcd, SNAP_BOOL),                                            \
        SNAP_F(struct i8254, ch[i].gate, SNAP_BOOL),                                           \
        SNAP_F(struct i8254, ch[i].out, SNAP_BOOL),                                            \
        SNAP_F(struct i8254, ch[i].level, SNAP_BOOL),                                          \
        SNAP_F(struct i8254, ch[i].null_count, SNAP_BOOL),                                     \
        SNAP_F(struct i8254, ch[i].written, SNAP_BOOL),                                        \
        SNAP_F(struct i8254, ch[i].loaded, SNAP_BOOL),                                         \
        SNAP_F(struct i8254, ch[i].inhibit, SNAP_BOOL),                                        \
        SNAP_F(struct i8254, ch[i].armed, SNAP_BOOL),                                          \
        SNAP_F(struct i8254, ch[i].odd, SNAP_BOOL),                                            \
        SNAP_F(struct i8254, ch[i].write_msb, SNAP_BOOL),                                      \
        SNAP_F(struct i8254, ch[i].read_msb, SNAP_BOOL),                                       \
        SNAP_F(struct i8254, ch[i].count_latched, SNAP_BOOL),                                  \
        SNAP_F(struct i8254, ch[i].status_latched, SNAP_BOOL)

static const struct snap_field i8254_state[] = {
    COUNTER_STATE(0),
    COUNTER_STATE(1),
    COUNTER_STATE(2),
    SNAP_END,
};

const struct device_class i8254_class = {
    .name = "i8254",
    .size = sizeof(struct i8254),
    .init = i8254_init,
    .reset = i8254_reset,
    .state = i8254_state,
    .state_version = 1,
    .post_load = i8254_post_load,
};
