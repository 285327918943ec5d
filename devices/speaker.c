/*
 * System control port B of the AT (port 61h; PIIX3 data sheet, "NMI status and control register")
 * and the speaker behind it.
 *
 * Invariants: the refresh bit toggles every 18 timer clocks (15.085 us) and is computed from the
 * time when read; the speaker level is data AND OUT2 and reaches the sink only when it changes.
 */
#include "devices/speaker.h"

enum {
    P61_GATE2 = 0x01,
    P61_DATA = 0x02,
    P61_SERR_OFF = 0x04,  /* 1: SERR# NMI disabled and cleared */
    P61_IOCHK_OFF = 0x08, /* 1: IOCHK# NMI disabled and cleared */
    P61_REFRESH = 0x10,
    P61_OUT2 = 0x20,
    P61_IOCHK = 0x40,
    P61_SERR = 0x80,
    P61_WRITABLE = 0x0f
};
#define REFRESH_CLOCK ((struct clock){14318180u, 12u * 18u})

struct speaker {
    struct device dev;
    struct irq_line gate2, nmi;
    struct speaker_sink sink;
    /* times with the same refresh bit: derived, see speaker_refresh() */
    uint64_t refresh_from, refresh_until;
    bool refresh;
    uint8_t control; /* bits 0..3 as written, 6 and 7 latched */
    bool out2, level, nmi_level;
};

static void speaker_drive(struct speaker *s)
{
    bool level = (s->control & P61_DATA) && s->out2;

    if (level != s->level) {
        s->level = level;
        if (s->sink.level) {
            s->sink.level(s->sink.ctx, sched_now(s->dev.env->sched), level);
        }
    }
}

void speaker_out2(void *to, unsigned n UNUSED, bool level)
{
    struct speaker *s = to;

    s->out2 = level;
    speaker_drive(s);
}

/* A disabled source is held clear. */
static void speaker_nmi(struct speaker *s)
{
    bool level;

    if (s->control & P61_SERR_OFF) {
        s->control &= (uint8_t)~P61_SERR;
    }
    if (s->control & P61_IOCHK_OFF) {
        s->control &= (uint8_t)~P61_IOCHK;
    }
    level = s->control & (P61_SERR | P61_IOCHK);
    if (level != s->nmi_level) {
        s->nmi_level = level; /* the NMI pin takes edges */
        irq_set(&s->nmi, level);
    }
}

void speaker_serr(struct device *d)
{
    struct speaker *s = (struct speaker *)d;

    s->control |= P61_SERR;
    speaker_nmi(s);
}

void speaker_iochk(struct device *d)
{
    struct speaker *s = (struct speaker *)d;

    s->control |= P61_IOCHK;
    speaker_nmi(s);
}

/* Delay loops ask over and over: the answer is kept for as long as it holds. */
static bool speaker_refresh(struct speaker *s)
{
    const struct sched *sched = s->dev.env->sched;
    uint64_t now = sched_now(sched), ticks;

    if (UNLIKELY(now < s->refresh_from || now >= s->refresh_until)) {
        ticks = clock_ticks(sched, REFRESH_CLOCK, now);
        s->refresh = ticks & 1;
        s->refresh_from = clock_icount(sched, REFRESH_CLOCK, ticks);
        s->refresh_until = clock_icount(sched, REFRESH_CLOCK, ticks + 1);
    }
    return s->refresh;
}

static uint64_t speaker_read(void *dev, uint64_t off UNUSED, unsigned size UNUSED)
{
    struct speaker *s = dev;
    uint8_t v = s->control;

    if (speaker_refresh(s)) {
        v |= P61_REFRESH;
    }
    return v | (s->out2 ? P61_OUT2 : 0u);
}

static void speaker_control(struct speaker *s, uint8_t val)
{
    s->control = (uint8_t)((s->control & ~P61_WRITABLE) | (val & P61_WRITABLE));
    irq_set(&s->gate2, val & P61_GATE2);
    speaker_nmi(s);
    speaker_drive(s);
}

static void speaker_write(void *dev, uint64_t off UNUSED, unsigned size UNUSED, uint64_t val)
{
    speaker_control(dev, (uint8_t)val);
}

static const struct io_ops speaker_ops = {speaker_read, speaker_write, 1, 1, "port 61h"};

static bool speaker_init(struct device *d, const void *config, struct err *e)
{
    struct speaker *s = (struct speaker *)d;
    const struct speaker_config *c = config;

    s->gate2 = c->gate2;
    s->nmi = c->nmi;
    s->sink = c->sink;
    if (bus_map(d->env->io, c->port, 1, &speaker_ops, s, PRIO_DEVICE) < 0) {
        return err_set(e, "%s: out of memory", d->id);
    }
    return true;
}

static void speaker_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct speaker *s = (struct speaker *)d;

    s->control = 0;
    speaker_control(s, 0);
}

static bool speaker_post_load(struct device *d, unsigned version UNUSED, struct err *e UNUSED)
{
    struct speaker *s = (struct speaker *)d;

    s->control &= (uint8_t)~(P61_REFRESH | P61_OUT2);
    if (s->sink.level) {
        s->sink.level(s->sink.ctx, sched_now(d->env->sched), s->level);
    }
    return true;
}

static const struct snap_field speaker_state[] = {
    SNAP_F(struct speaker, control, SNAP_U8),
    SNAP_F(struct speaker, out2, SNAP_BOOL),
    SNAP_F(struct speaker, level, SNAP_BOOL),
    SNAP_F(struct speaker, nmi_level, SNAP_BOOL),
    SNAP_END,
};

const struct device_class speaker_class = {
    .name = "speaker",
    .size = sizeof(struct speaker),
    .init = speaker_init,
    .reset = speaker_reset,
    .state = speaker_state,
    .state_version = 1,
    .post_load = speaker_post_load,
};
