/*
 * Debug ports: POST codes (80h, 190h), the console ports E9h of Bochs and 402h of SeaBIOS, Bochs's
 * shutdown port 8900h, QEMU's isa-debug-exit.
 *
 * One class, one kind per instance.  Nothing here ends anything: the callbacks tell the board.
 */
#include "devices/debugport.h"

struct debugport {
    struct device dev;
    enum debugport_kind kind;
    struct chardev out;
    void (*value)(void *ctx, uint32_t v);
    void *ctx;
    uint8_t last;    /* DEBUGPORT_LOG: what was written */
    uint8_t matched; /* DEBUGPORT_SHUTDOWN: characters of the word seen */
};

static const char shutdown_word[] = "Shutdown";

static void tell(struct debugport *p, uint32_t v)
{
    if (p->value) {
        p->value(p->ctx, v);
    }
}

static void match_shutdown(struct debugport *p, uint8_t c)
{
    if (c != (uint8_t)shutdown_word[p->matched]) {
        p->matched = c == (uint8_t)shutdown_word[0];
        return;
    }
    p->matched++;
    if (p->matched == sizeof shutdown_word - 1) {
        p->matched = 0;
        tell(p, 0);
    }
}

static uint64_t debugport_read(void *dev, uint64_t off UNUSED, unsigned size)
{
    const struct debugport *p = dev;

    switch (p->kind) {
    case DEBUGPORT_LOG:
        return p->last;
    case DEBUGPORT_CONSOLE:
        return 0xe9;
    case DEBUGPORT_EXIT:
        return 0;
    default:
        return (1ull << size * 8) - 1;
    }
}

static void debugport_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct debugport *p = dev;

    switch (p->kind) {
    case DEBUGPORT_LOG:
        if (off == 0) {
            p->last = (uint8_t)val;
            tell(p, (uint32_t)val);
        }
        break;
    case DEBUGPORT_CONSOLE:
        chardev_put(&p->out, (uint8_t)val);
        break;
    case DEBUGPORT_SHUTDOWN:
        match_shutdown(p, (uint8_t)val);
        break;
    default:
        tell(p, (uint32_t)val);
        break;
    }
}

static const struct io_ops byte_ops = {debugport_read, debugport_write, 1, 1, "debug port"};
static const struct io_ops wide_ops = {debugport_read, debugport_write, 1, 4, "debug port"};

static bool debugport_init(struct device *d, const void *config, struct err *e)
{
    struct debugport *p = (struct debugport *)d;
    const struct debugport_config *c = config;
    bool wide = c->kind == DEBUGPORT_EXIT || (c->kind == DEBUGPORT_LOG && c->size > 1);
    const struct io_ops *ops = wide ? &wide_ops : &byte_ops;

    p->kind = c->kind;
    p->out = c->out;
    p->value = c->value;
    p->ctx = c->ctx;
    if (bus_map(d->env->io, c->port, c->size ? c->size : 1, ops, p, PRIO_DEVICE) < 0) {
        return err_set(e, "%s: out of memory", d->id);
    }
    return true;
}

static void debugport_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct debugport *p = (struct debugport *)d;

    p->last = p->matched = 0;
}

static bool debugport_post_load(struct device *d, unsigned version UNUSED, struct err *e UNUSED)
{
    struct debugport *p = (struct debugport *)d;

    if (p->matched >= sizeof shutdown_word - 1) {
        p->matched = 0;
    }
    return true;
}

static const struct snap_field debugport_state[] = {
    SNAP_F(struct debugport, last, SNAP_U8),
    SNAP_F(struct debugport, matched, SNAP_U8),
    SNAP_END,
};

const struct device_class debugport_class = {
    .name = "debugport",
    .size = sizeof(struct debugport),
    .init = debugport_init,
    .reset = debugport_reset,
    .state = debugport_state,
    .state_version = 1,
    .post_load = debugport_post_load,
};
