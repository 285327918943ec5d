/*
 * PS/2 parallel port in compatible mode (IBM PS/2 Hardware Interface Technical Reference, "Parallel
 * port controller") with a Centronics printer.
 *
 * A strobe hands the data latch to the printer, which is busy, pulses ACK and is ready again; the
 * end of the ACK pulse is the interrupt, held until the status register is read.
 */
#include "devices/parallel.h"

#include <stdio.h>

enum { DATA, STATUS, CONTROL };
enum {
    ST_IRQ = 0x04, /* 0: interrupt pending */
    ST_ERROR = 0x08,
    ST_SELECT = 0x10,
    ST_ACK = 0x40,  /* 0: pulse */
    ST_READY = 0x80, /* not busy */
    ST_UNUSED = 0x03,
    ST_UNPLUGGED = 0x7f /* pull-ups; the busy input is inverted */
};
enum {
    CT_STROBE = 0x01,
    CT_INIT = 0x04, /* 0: the printer is reset */
    CT_SELECT = 0x08,
    CT_IRQ = 0x10,
    CT_INPUT = 0x20,
    CT_ALL = 0x3f,
    CT_UNUSED = 0xc0
};
enum { BUSY_NS = 10000, ACK_NS = 5000 };
enum printer_phase { IDLE, BUSY, ACK };

struct parallel {
    struct device dev;
    struct irq_line irq;
    struct chardev out;
    struct event step;
    char step_name[32];
    uint8_t data, control;
    uint8_t phase; /* enum printer_phase; not IDLE exactly while step is pending */
    bool irq_pending;
};

static void parallel_irq(struct parallel *p)
{
    irq_set(&p->irq, p->irq_pending && (p->control & CT_IRQ));
}

static void parallel_step(void *arg, uint64_t now UNUSED)
{
    struct parallel *p = arg;

    if (p->phase == BUSY) {
        p->phase = ACK;
        event_at(p->dev.env->sched, &p->step, sched_after_ns(p->dev.env->sched, ACK_NS));
        return;
    }
    p->phase = IDLE;
    p->irq_pending = true;
    parallel_irq(p);
}

static void parallel_strobe(struct parallel *p)
{
    if (!p->out.write || p->phase != IDLE || !(p->control & CT_INIT)) {
        return;
    }
    chardev_put(&p->out, p->data);
    p->phase = BUSY;
    p->irq_pending = false;
    parallel_irq(p);
    event_at(p->dev.env->sched, &p->step, sched_after_ns(p->dev.env->sched, BUSY_NS));
}

static uint8_t read_status(struct parallel *p)
{
    uint8_t v = ST_UNUSED | ST_ERROR;

    if (!p->out.write) {
        return ST_UNPLUGGED;
    }
    if (p->control & CT_SELECT) {
        v |= ST_SELECT;
    }
    if (p->phase != ACK) {
        v |= ST_ACK;
    }
    if (p->phase == IDLE && (p->control & CT_INIT)) {
        v |= ST_READY;
    }
    if (!p->irq_pending) {
        v |= ST_IRQ;
    }
    p->irq_pending = false;
    parallel_irq(p);
    return v;
}

static uint64_t parallel_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct parallel *p = dev;

    switch (off) {
    case DATA:
        return p->control & CT_INPUT ? 0xff : p->data; /* nobody drives the cable */
    case STATUS:
        return read_status(p);
    default:
        return p->control | CT_UNUSED;
    }
}

static void write_control(struct parallel *p, uint8_t val)
{
    bool strobe = (val & CT_STROBE) && !(p->control & CT_STROBE);

    p->control = val & CT_ALL;
    if (!(val & CT_INIT)) {
        p->phase = IDLE;
        event_cancel(p->dev.env->sched, &p->step);
    }
    parallel_irq(p);
    if (strobe) {
        parallel_strobe(p);
    }
}

static void parallel_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct parallel *p = dev;

    if (off == DATA) {
        p->data = (uint8_t)val;
    } else if (off == CONTROL) {
        write_control(p, (uint8_t)val);
    }
}

static const struct io_ops parallel_ops = {parallel_read, parallel_write, 1, 1, "parallel"};

static bool parallel_init(struct device *d, const void *config, struct err *e)
{
    struct parallel *p = (struct parallel *)d;
    const struct parallel_config *c = config;

    p->irq = c->irq;
    p->out = c->out;
    snprintf(p->step_name, sizeof p->step_name, "%s/step", d->id);
    event_init(d->env->sched, &p->step, p->step_name, parallel_step, p);
    if (bus_map(d->env->io, c->port, 3, &parallel_ops, p, PRIO_DEVICE) < 0) {
        return err_set(e, "%s: out of memory", d->id);
    }
    return true;
}

static void parallel_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct parallel *p = (struct parallel *)d;

    event_cancel(d->env->sched, &p->step);
    p->data = p->control = 0;
    p->phase = IDLE;
    p->irq_pending = false;
    parallel_irq(p);
}

static bool parallel_post_load(struct device *d, unsigned version UNUSED, struct err *e)
{
    const struct parallel *p = (const struct parallel *)d;

    if (p->phase > ACK) {
        return err_set(e, "%s: the saved state is not valid", d->id);
    }
    return true;
}

static const struct snap_field parallel_state[] = {
    SNAP_F(struct parallel, data, SNAP_U8),
    SNAP_F(struct parallel, control, SNAP_U8),
    SNAP_F(struct parallel, phase, SNAP_U8),
    SNAP_F(struct parallel, irq_pending, SNAP_BOOL),
    SNAP_END,
};

const struct device_class parallel_class = {
    .name = "parallel",
    .size = sizeof(struct parallel),
    .init = parallel_init,
    .reset = parallel_reset,
    .state = parallel_state,
    .state_version = 1,
    .post_load = parallel_post_load,
};
