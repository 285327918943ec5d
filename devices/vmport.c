/*
 * The VMware backdoor port; see vmport.h.
 *
 * EAX must hold the magic number and the low half of ECX the command.  Known are the version and
 * the pointer's commands; all else answers with all bits set.  The pointer is a queue of words:
 * its identification once it is enabled, then packets of four.  A driver that asks for more than
 * there is gets an error status and the pointer is off until it is enabled again.
 */
#include "devices/vmport.h"

#include <string.h>

#define MAGIC 0x564d5868u
#define NOT_THERE 0xffffffffu
#define POINTER_ID 0x3442554au
#define STATUS_ERROR 0xffff0000u

enum {
    CMD_VERSION = 10,
    CMD_POINTER_DATA = 39,
    CMD_POINTER_STATUS = 40,
    CMD_POINTER_COMMAND = 41,
    CMD_POINTER_RESTRICT = 86
};
enum { VERSION = 6, PRODUCT = 2 };
#define POINTER_ENABLE 0x45414552u
#define POINTER_DISABLE 0x000000f5u
#define POINTER_RELATIVE 0x4c455252u
#define POINTER_ABSOLUTE 0x53424152u
/* First word of a packet. */
enum { PACKET_LEFT = 0x20, PACKET_RIGHT = 0x10, PACKET_MIDDLE = 0x08, PACKET_RELATIVE = 0x10000 };

enum { PACKET = 4, QUEUE = 256 };

struct vmport {
    struct device dev;
    struct vmport_config c;
    uint32_t queue[QUEUE];
    uint16_t head, count;
    bool enabled, absolute, failed;
};

static void put(struct vmport *p, uint32_t word)
{
    p->queue[(p->head + p->count++) % QUEUE] = word;
}

static void switch_off(struct vmport *p, bool failed)
{
    p->enabled = p->absolute = false;
    p->failed = failed;
    p->head = p->count = 0;
}

static void pointer_command(struct vmport *p, uint32_t command)
{
    switch (command) {
    case POINTER_ENABLE:
        switch_off(p, false);
        p->enabled = true;
        put(p, POINTER_ID);
        break;
    case POINTER_DISABLE:
        switch_off(p, true);
        break;
    case POINTER_RELATIVE:
    case POINTER_ABSOLUTE:
        p->absolute = command == POINTER_ABSOLUTE && p->enabled;
        break;
    default:
        log_guest(p->dev.env->log, "vmport", "unknown pointer command %08x", (unsigned)command);
        break;
    }
}

/* Words go to EAX and the following registers; returns what EAX becomes. */
static uint32_t pointer_data(struct vmport *p, uint32_t words)
{
    uint32_t first = 0;

    if (words == 0 || words > VMPORT_REGS || words > p->count) {
        switch_off(p, true);
        return NOT_THERE;
    }
    for (unsigned n = 0; n < words; n++) {
        uint32_t word = p->queue[p->head];

        p->head = (uint16_t)((p->head + 1) % QUEUE);
        p->count--;
        if (n == VMPORT_EAX) {
            first = word;
        } else {
            p->c.set(p->c.ctx, (enum vmport_reg)n, word);
        }
    }
    return first;
}

static uint64_t vmport_read(void *dev, uint64_t off UNUSED, unsigned size UNUSED)
{
    struct vmport *p = dev;
    uint32_t ebx = p->c.get(p->c.ctx, VMPORT_EBX);

    if (p->c.get(p->c.ctx, VMPORT_EAX) != MAGIC) {
        return NOT_THERE;
    }
    switch (p->c.get(p->c.ctx, VMPORT_ECX) & 0xffff) {
    case CMD_VERSION:
        p->c.set(p->c.ctx, VMPORT_EBX, MAGIC);
        p->c.set(p->c.ctx, VMPORT_ECX, PRODUCT);
        return VERSION;
    case CMD_POINTER_DATA:
        return pointer_data(p, ebx);
    case CMD_POINTER_STATUS:
        return p->failed ? STATUS_ERROR : p->count;
    case CMD_POINTER_COMMAND:
        pointer_command(p, ebx);
        return 0;
    case CMD_POINTER_RESTRICT: /* the I/O permissions of the guest's system are enough */
        return 0;
    default:
        return NOT_THERE;
    }
}

static const struct io_ops ops = {vmport_read, NULL, 4, 4, "VMware backdoor"};

bool vmport_enabled(const struct device *d)
{
    return ((const struct vmport *)d)->enabled;
}

bool vmport_absolute(const struct device *d)
{
    return ((const struct vmport *)d)->absolute;
}

static void packet(struct vmport *p, uint32_t flags, uint32_t x, uint32_t y, int dz,
                   unsigned buttons)
{
    if (!p->enabled || p->count + PACKET > QUEUE) {
        return;
    }
    flags |= (buttons & 1 ? PACKET_LEFT : 0u) | (buttons & 2 ? PACKET_RIGHT : 0u) |
             (buttons & 4 ? PACKET_MIDDLE : 0u);
    put(p, flags);
    put(p, x);
    put(p, y);
    put(p, (uint32_t)dz);
    p->c.news(p->c.ctx);
}

void vmport_place(struct device *d, unsigned x, unsigned y, int dz, unsigned buttons)
{
    struct vmport *p = (struct vmport *)d;

    if (p->absolute) {
        packet(p, 0, MIN(x, 0xffffu), MIN(y, 0xffffu), dz, buttons);
    }
}

void vmport_move(struct device *d, int dx, int dy, int dz, unsigned buttons)
{
    packet((struct vmport *)d, PACKET_RELATIVE, (uint32_t)dx, (uint32_t)-dy, dz, buttons);
}

static bool vmport_init(struct device *d, const void *config, struct err *e)
{
    struct vmport *p = (struct vmport *)d;

    p->c = *(const struct vmport_config *)config;
    return bus_map(d->env->io, p->c.port, 4, &ops, p, PRIO_DEVICE) >= 0 ||
           err_set(e, "%s: out of memory", d->id);
}

static void vmport_reset(struct device *d, enum reset_kind kind UNUSED)
{
    switch_off((struct vmport *)d, false);
}

static bool vmport_post_load(struct device *d, unsigned version UNUSED, struct err *e)
{
    const struct vmport *p = (const struct vmport *)d;

    return (p->head < QUEUE && p->count <= QUEUE) ||
           err_set(e, "%s: the saved state is not valid", d->id);
}

static const struct snap_field vmport_state[] = {
    SNAP_ARRAY(struct vmport, queue, SNAP_U32),
    SNAP_F(struct vmport, head, SNAP_U16),
    SNAP_F(struct vmport, count, SNAP_U16),
    SNAP_F(struct vmport, enabled, SNAP_BOOL),
    SNAP_F(struct vmport, absolute, SNAP_BOOL),
    SNAP_F(struct vmport, failed, SNAP_BOOL),
    SNAP_END,
};

const struct device_class vmport_class = {
    .name = "vmport",
    .size = sizeof(struct vmport),
    .init = vmport_init,
    .reset = vmport_reset,
    .state = vmport_state,
    .state_version = 1,
    .post_load = vmport_post_load,
};
