/*
 * PS/2 system control port A, port 92h (PIIX3 data sheet, "Port 92").
 *
 * Bit 1 opens A20, a rising bit 0 resets the CPU; the other bits have no function on this board and
 * read as zero.
 */
#include "devices/port92.h"

enum { P92_RESET = 1, P92_A20 = 2 };

struct port92 {
    struct device dev;
    void (*a20)(void *ctx, bool on);
    void (*reset)(void *ctx);
    void *ctx;
    uint8_t value;
};

static void port92_drive(struct port92 *p)
{
    if (p->a20) {
        p->a20(p->ctx, p->value & P92_A20);
    }
}

static uint64_t port92_read(void *dev, uint64_t off UNUSED, unsigned size UNUSED)
{
    return ((const struct port92 *)dev)->value;
}

static void port92_write(void *dev, uint64_t off UNUSED, unsigned size UNUSED, uint64_t val)
{
    struct port92 *p = dev;
    bool pulse = (val & P92_RESET) && !(p->value & P92_RESET);

    p->value = (uint8_t)val & (P92_RESET | P92_A20);
    port92_drive(p);
    if (pulse && p->reset) {
        p->reset(p->ctx);
    }
}

static const struct io_ops port92_ops = {port92_read, port92_write, 1, 1, "port 92h"};

static bool port92_init(struct device *d, const void *config, struct err *e)
{
    struct port92 *p = (struct port92 *)d;
    const struct port92_config *c = config;

    p->a20 = c->a20;
    p->reset = c->reset;
    p->ctx = c->ctx;
    if (bus_map(d->env->io, c->port, 1, &port92_ops, p, PRIO_DEVICE) < 0) {
        return err_set(e, "%s: out of memory", d->id);
    }
    return true;
}

static void port92_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct port92 *p = (struct port92 *)d;

    p->value = 0;
    port92_drive(p);
}

static bool port92_post_load(struct device *d, unsigned version UNUSED, struct err *e UNUSED)
{
    struct port92 *p = (struct port92 *)d;

    p->value &= P92_RESET | P92_A20;
    port92_drive(p);
    return true;
}

static const struct snap_field port92_state[] = {
    SNAP_F(struct port92, value, SNAP_U8),
    SNAP_END,
};

const struct device_class port92_class = {
    .name = "port92",
    .size = sizeof(struct port92),
    .init = port92_init,
    .reset = port92_reset,
    .state = port92_state,
    .state_version = 1,
    .post_load = port92_post_load,
};
