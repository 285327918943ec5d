/*
 * PS/2 mouse (IBM PS/2 Hardware Interface Technical Reference, "Mouse"; Microsoft IntelliMouse and
 * IntelliMouse Explorer extensions).
 *
 * Movement accumulates between reports; a report is sent at most once per sample period, in virtual
 * time, and what does not fit into nine bits stays for the next one.  Any command from the host
 * discards what was queued.  The ID changes when the sample rates 200, 100, 80 (wheel) or 200, 200,
 * 80 (wheel and five buttons) are set in a row.
 */
#include "devices/ps2mouse.h"

#include <stdio.h>
#include <string.h>

enum { REPLY_ACK = 0xfa, REPLY_ERROR = 0xfc, REPLY_RESEND = 0xfe, REPLY_BAT_OK = 0xaa };
enum { ID_STANDARD = 0, ID_WHEEL = 3, ID_EXPLORER = 4 };
enum { FIRST_COMMAND = 0xe6 };
enum { DEFAULT_RATE = 100, DEFAULT_RESOLUTION = 2, BAT_NS = 10000000 };
/* Movement that no host has fetched is bounded; a fixed-point unit is a quarter of a count. */
enum { ONE = 4, MAX_PENDING = 16384 * ONE, MAX_WHEEL = 1024 };

struct ps2mouse {
    struct device dev;
    struct irq_line ready;
    struct event sample, bat;
    char sample_name[32], bat_name[32];

    struct ps2_queue queue;
    uint64_t last_report;      /* icount */
    uint32_t dx, dy, dz;       /* accumulated, two's complement; dx and dy in quarter counts */
    uint8_t buttons, reported; /* now, and in the last report */
    uint8_t id, rate, resolution;
    uint8_t knock[2];          /* the sample rates before the present one */
    uint8_t command;           /* waits for its parameter, 0: none */
    uint8_t refused;           /* parameters refused in a row */
    uint8_t last[4], last_len; /* for resend */
    bool double_scale, remote, wrap, reporting;
    bool nudged; /* a report is due although nothing moved */
};

static int32_t clamp(int32_t v, int32_t lo, int32_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static uint32_t accumulate(uint32_t sum, int64_t add, int32_t limit)
{
    int64_t v = (int32_t)sum + add;

    return (uint32_t)(int32_t)(v > limit ? limit : v < -limit ? -limit : v);
}

/* Takes whole counts out of an accumulator, as many as nine bits hold. */
static int32_t take_counts(uint32_t *sum)
{
    int32_t n = clamp((int32_t)*sum / ONE, -256, 255);

    *sum = (uint32_t)((int32_t)*sum - n * ONE);
    return n;
}

/* 2:1 scaling, which exists in stream mode only. */
static int32_t scaled(const struct ps2mouse *m, int32_t n)
{
    static const uint8_t small[6] = {0, 1, 1, 3, 6, 9};
    int32_t a = n < 0 ? -n : n;

    if (!m->double_scale || m->remote) {
        return n;
    }
    a = a < 6 ? small[a] : 2 * a;
    return clamp(n < 0 ? -a : a, -256, 255);
}

static void put(struct ps2mouse *m, const uint8_t *bytes, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        ps2_queue_put(&m->queue, bytes[i]);
    }
    memcpy(m->last, bytes, n);
    m->last_len = (uint8_t)n;
    irq_set(&m->ready, true);
}

static void reply(struct ps2mouse *m, uint8_t byte)
{
    put(m, &byte, 1);
}

static void report(struct ps2mouse *m)
{
    uint8_t packet[4];
    int32_t dx = scaled(m, take_counts(&m->dx)), dy = scaled(m, take_counts(&m->dy)), dz;
    unsigned n = 3;

    packet[0] = (uint8_t)(8 | (m->buttons & 7) | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0));
    packet[1] = (uint8_t)dx;
    packet[2] = (uint8_t)dy;
    if (m->id == ID_STANDARD) {
        m->dz = 0;
    } else {
        dz = m->id == ID_EXPLORER ? clamp((int32_t)m->dz, -8, 7) : clamp((int32_t)m->dz, -128, 127);
        m->dz -= (uint32_t)dz;
        packet[3] = (uint8_t)dz;
        if (m->id == ID_EXPLORER) {
            packet[3] = (uint8_t)((dz & 0x0f) | (m->buttons & 0x18) << 1);
        }
        n = 4;
    }
    m->reported = m->buttons;
    m->nudged = false;
    m->last_report = sched_now(m->dev.env->sched);
    put(m, packet, n);
}

static bool something_new(const struct ps2mouse *m)
{
    uint8_t visible = m->id == ID_EXPLORER ? 0x1f : 0x07;

    return (int32_t)m->dx / ONE || (int32_t)m->dy / ONE || (m->dz && m->id != ID_STANDARD) ||
           ((m->buttons ^ m->reported) & visible) || m->nudged;
}

/* Plans the next report of stream mode: a sample period after the last, if there is news. */
static void mouse_schedule(struct ps2mouse *m)
{
    struct sched *s = m->dev.env->sched;
    uint64_t period = sched_ips(s) / m->rate, due = m->last_report + MAX(period, 1u);

    if (!m->reporting || m->remote || m->wrap || event_pending(&m->sample) || !something_new(m)) {
        return;
    }
    event_at(s, &m->sample, MAX(due, sched_now(s) + 1));
}

static void mouse_sample(void *arg, uint64_t now UNUSED)
{
    struct ps2mouse *m = arg;

    if (!m->reporting || m->remote || m->wrap || !something_new(m)) {
        return;
    }
    if (m->queue.count) {
        m->last_report = sched_now(m->dev.env->sched); /* the host is behind: go on gathering */
    } else {
        report(m);
    }
    mouse_schedule(m);
}

void ps2mouse_move(struct device *d, int dx, int dy, int dz, unsigned buttons)
{
    struct ps2mouse *m = (struct ps2mouse *)d;

    /* Resolution 0..3 is 1, 2, 4 or 8 counts per mm; the host's unit is a count at 4. */
    m->dx = accumulate(m->dx, (int64_t)dx * (1 << m->resolution), MAX_PENDING);
    m->dy = accumulate(m->dy, -(int64_t)dy * (1 << m->resolution), MAX_PENDING);
    m->dz = accumulate(m->dz, dz, MAX_WHEEL);
    m->buttons = buttons & 0x1f;
    mouse_schedule(m);
}

void ps2mouse_nudge(struct device *d)
{
    struct ps2mouse *m = (struct ps2mouse *)d;

    m->nudged = m->reporting && !m->remote;
    mouse_schedule(m);
}

static void forget_movement(struct ps2mouse *m)
{
    m->dx = m->dy = m->dz = 0;
    m->nudged = false;
}

static void set_defaults(struct ps2mouse *m)
{
    m->rate = DEFAULT_RATE;
    m->resolution = DEFAULT_RESOLUTION;
    m->double_scale = m->remote = m->reporting = false;
    m->reported = m->buttons;
    memset(m->knock, 0, sizeof m->knock);
    forget_movement(m);
    event_cancel(m->dev.env->sched, &m->sample);
}

static void mouse_bat(void *arg, uint64_t now UNUSED)
{
    struct ps2mouse *m = arg;

    reply(m, REPLY_BAT_OK);
    reply(m, m->id);
}

static void reset_command(struct ps2mouse *m)
{
    set_defaults(m);
    m->id = ID_STANDARD;
    m->wrap = false;
    reply(m, REPLY_ACK);
    event_at(m->dev.env->sched, &m->bat, sched_after_ns(m->dev.env->sched, BAT_NS));
}

static void status_request(struct ps2mouse *m)
{
    uint8_t b = m->buttons;
    uint8_t s[4] = {REPLY_ACK};

    s[1] = (uint8_t)(m->remote << 6 | m->reporting << 5 | m->double_scale << 4 | (b & 1) << 2 |
                     (b & 4) >> 1 | (b & 2) >> 1);
    s[2] = m->resolution;
    s[3] = m->rate;
    put(m, s, 4);
}

static void set_rate(struct ps2mouse *m, uint8_t rate)
{
    if (rate == 80 && m->knock[0] == 200 && m->knock[1] == 100 && m->id == ID_STANDARD) {
        m->id = ID_WHEEL;
    } else if (rate == 80 && m->knock[0] == 200 && m->knock[1] == 200) {
        m->id = ID_EXPLORER;
    }
    m->knock[0] = m->knock[1];
    m->knock[1] = rate;
    m->rate = rate;
}

static bool valid_parameter(uint8_t command, uint8_t val)
{
    static const uint8_t rates[] = {10, 20, 40, 60, 80, 100, 200};
    unsigned i;

    if (command == 0xe8) {
        return val <= 3;
    }
    for (i = 0; i < ARRAY_LEN(rates); i++) {
        if (rates[i] == val) {
            return true;
        }
    }
    return false;
}

static void mouse_parameter(struct ps2mouse *m, uint8_t val)
{
    if (!valid_parameter(m->command, val)) {
        /* Asked again once; a second bad value ends the command. */
        reply(m, m->refused ? REPLY_ERROR : REPLY_RESEND);
        if (m->refused++) {
            m->command = 0;
        }
        return;
    }
    if (m->command == 0xe8) {
        m->resolution = val;
    } else {
        set_rate(m, val);
    }
    m->command = 0;
    reply(m, REPLY_ACK);
}

/* Commands that set something and are acknowledged; false: unknown. */
static bool setting_command(struct ps2mouse *m, uint8_t command)
{
    switch (command) {
    case 0xe6:
    case 0xe7:
        m->double_scale = command == 0xe7;
        break;
    case 0xe8:
    case 0xf3:
        m->command = command;
        m->refused = 0;
        break;
    case 0xea:
    case 0xf0:
        m->remote = command == 0xf0;
        forget_movement(m);
        break;
    case 0xec:
        break; /* leaves wrap mode, which is not on here */
    case 0xee:
        m->wrap = true;
        break;
    case 0xf4:
        m->reporting = true;
        m->reported = m->buttons;
        forget_movement(m);
        break;
    case 0xf5:
        m->reporting = false;
        forget_movement(m);
        break;
    case 0xf6:
        set_defaults(m);
        break;
    default:
        return false;
    }
    reply(m, REPLY_ACK);
    return true;
}

static void mouse_command(struct ps2mouse *m, uint8_t command)
{
    switch (command) {
    case 0xe9:
        status_request(m);
        break;
    case 0xeb:
        reply(m, REPLY_ACK);
        report(m);
        break;
    case 0xf2:
        put(m, (const uint8_t[2]){REPLY_ACK, m->id}, 2);
        break;
    case 0xff:
        reset_command(m);
        break;
    default:
        if (!setting_command(m, command)) {
            reply(m, REPLY_RESEND);
        }
        break;
    }
}

static void mouse_send(void *dev, uint8_t byte)
{
    struct ps2mouse *m = dev;

    event_cancel(m->dev.env->sched, &m->bat);
    ps2_queue_clear(&m->queue);
    if (byte == 0xfe && !m->wrap && !m->command) {
        uint8_t again[4];

        memcpy(again, m->last, sizeof again);
        put(m, again, m->last_len);
        return;
    }
    if (m->wrap && byte != 0xff && byte != 0xec) {
        reply(m, byte);
    } else if (m->wrap && byte == 0xec) {
        m->wrap = false;
        reply(m, REPLY_ACK);
    } else if (m->command && byte < FIRST_COMMAND) {
        mouse_parameter(m, byte);
    } else {
        m->command = 0;
        mouse_command(m, byte);
    }
    mouse_schedule(m);
}

static void mouse_attach(void *dev, struct irq_line ready)
{
    ((struct ps2mouse *)dev)->ready = ready;
}

static bool mouse_pending(void *dev)
{
    return ((const struct ps2mouse *)dev)->queue.count != 0;
}

static uint8_t mouse_take(void *dev)
{
    return ps2_queue_get(&((struct ps2mouse *)dev)->queue);
}

struct ps2_port ps2mouse_port(struct device *d)
{
    return (struct ps2_port){d, mouse_attach, mouse_send, mouse_pending, mouse_take};
}

static bool ps2mouse_init(struct device *d, const void *config UNUSED, struct err *e UNUSED)
{
    struct ps2mouse *m = (struct ps2mouse *)d;

    snprintf(m->sample_name, sizeof m->sample_name, "%s/sample", d->id);
    snprintf(m->bat_name, sizeof m->bat_name, "%s/bat", d->id);
    event_init(d->env->sched, &m->sample, m->sample_name, mouse_sample, m);
    event_init(d->env->sched, &m->bat, m->bat_name, mouse_bat, m);
    return true;
}

/* The state after its own power-on test; buttons that are held stay held. */
static void ps2mouse_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct ps2mouse *m = (struct ps2mouse *)d;

    event_cancel(d->env->sched, &m->bat);
    ps2_queue_clear(&m->queue);
    set_defaults(m);
    m->id = ID_STANDARD;
    m->wrap = false;
    m->command = m->refused = m->last_len = 0;
    m->last_report = sched_now(d->env->sched);
}

static bool ps2mouse_post_load(struct device *d, unsigned version UNUSED, struct err *e)
{
    struct ps2mouse *m = (struct ps2mouse *)d;

    if (m->rate == 0 || m->resolution > 3 || m->last_len > sizeof m->last ||
        !ps2_queue_valid(&m->queue)) {
        return err_set(e, "%s: the saved state is not valid", d->id);
    }
    m->dx = accumulate(m->dx, 0, MAX_PENDING);
    m->dy = accumulate(m->dy, 0, MAX_PENDING);
    m->dz = accumulate(m->dz, 0, MAX_WHEEL);
    return true;
}

static const struct snap_field ps2mouse_state[] = {
    PS2_QUEUE_STATE(struct ps2mouse, queue),
    SNAP_F(struct ps2mouse, last_report, SNAP_U64),
    SNAP_F(struct ps2mouse, dx, SNAP_U32),
    SNAP_F(struct ps2mouse, dy, SNAP_U32),
    SNAP_F(struct ps2mouse, dz, SNAP_U32),
    SNAP_F(struct ps2mouse, buttons, SNAP_U8),
    SNAP_F(struct ps2mouse, reported, SNAP_U8),
    SNAP_F(struct ps2mouse, id, SNAP_U8),
    SNAP_F(struct ps2mouse, rate, SNAP_U8),
    SNAP_F(struct ps2mouse, resolution, SNAP_U8),
    SNAP_ARRAY(struct ps2mouse, knock, SNAP_BYTES),
    SNAP_F(struct ps2mouse, command, SNAP_U8),
    SNAP_F(struct ps2mouse, refused, SNAP_U8),
    SNAP_ARRAY(struct ps2mouse, last, SNAP_BYTES),
    SNAP_F(struct ps2mouse, last_len, SNAP_U8),
    SNAP_F(struct ps2mouse, double_scale, SNAP_BOOL),
    SNAP_F(struct ps2mouse, remote, SNAP_BOOL),
    SNAP_F(struct ps2mouse, wrap, SNAP_BOOL),
    SNAP_F(struct ps2mouse, reporting, SNAP_BOOL),
    SNAP_SINCE(struct ps2mouse, nudged, SNAP_BOOL, 2),
    SNAP_END,
};

const struct device_class ps2mouse_class = {
    .name = "ps2mouse",
    .size = sizeof(struct ps2mouse),
    .init = ps2mouse_init,
    .reset = ps2mouse_reset,
    .state = ps2mouse_state,
    .state_version = 2,
    .post_load = ps2mouse_post_load,
};
