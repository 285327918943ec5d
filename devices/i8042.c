/*
 * Intel 8042 with the firmware of the PS/2 (IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboard and auxiliary device controller").
 *
 * One output buffer for three sources: the controller's own answers, the keyboard, the mouse, in
 * this order.  A byte of a device takes its serial time on the wire, an answer a few microseconds;
 * the event `deliver` fills the buffer when it is free.  IRQ 1 and IRQ 12 follow the full buffer.
 * Invariant: deliver is pending only while the buffer is empty.
 */
#include "devices/i8042.h"

#include <stdio.h>
#include <string.h>

enum {
    STATUS_OBF = 0x01,
    STATUS_SYS = 0x04,
    STATUS_COMMAND = 0x08, /* the last write went to port 64h */
    STATUS_UNLOCKED = 0x10,
    STATUS_AUX = 0x20,
    STATUS_TIMEOUT = 0x40
};
enum { /* command byte, RAM[0] */
    CB_IRQ1 = 0x01,
    CB_IRQ12 = 0x02,
    CB_SYS = 0x04,
    CB_NO_KEYBOARD = 0x10,
    CB_NO_MOUSE = 0x20,
    CB_TRANSLATE = 0x40
};
enum { OUT_RESET = 0x01, OUT_A20 = 0x02 };
enum {
    OUT_PORT_IDLE = 0xc4, /* data lines and the keyboard clock high */
    IN_PORT = 0xb0        /* unlocked, colour display, no manufacturing jumper */
};
enum { ANSWER_NS = 20000, WIRE_NS = 400000, PULSE_NS = 6000 };
enum { NO_POLL, POLL_LOW, POLL_HIGH };

struct i8042 {
    struct device dev;
    struct irq_line irq[2];
    struct ps2_port port[2]; /* keyboard, mouse */
    void (*a20)(void *ctx, bool on);
    void (*reset)(void *ctx);
    void *ctx;
    struct event deliver, pulse_end;
    char deliver_name[32], pulse_name[32];

    uint8_t ram[32];  /* [0] is the command byte */
    uint8_t status;   /* OBF, SYS, COMMAND, AUX, TIMEOUT */
    uint8_t out;      /* output buffer */
    uint8_t out_port; /* OUT_RESET and OUT_A20 as written */
    uint8_t command;  /* command that waits for its data byte, 0: none */
    uint8_t poll;     /* C1, C2 */
    bool pulse;       /* A20 is held low by an F0-FF command */
    bool break_seen;  /* F0 of scan set 2 waits for its key */
    struct ps2_queue answer;
    struct ps2_queue aux_answer; /* answers that carry the AUX flag */
};

/* Scan set 2 to set 1, as the controller translates; codes from 80h pass but for two. */
static const uint8_t set2_to_set1[128] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

static uint8_t translate(uint8_t code)
{
    if (code < 0x80) {
        return set2_to_set1[code];
    }
    return code == 0x83 ? 0x41 : code == 0x84 ? 0x54 : code;
}

static bool wire_open(const struct i8042 *k, unsigned n)
{
    return !(k->ram[0] & (n ? CB_NO_MOUSE : CB_NO_KEYBOARD));
}

static bool wire_pending(const struct i8042 *k, unsigned n)
{
    return k->port[n].dev && wire_open(k, n) && k->port[n].pending(k->port[n].dev);
}

static void i8042_lines(struct i8042 *k)
{
    bool full = k->status & STATUS_OBF, aux = k->status & STATUS_AUX;

    irq_set(&k->irq[0], full && !aux && (k->ram[0] & CB_IRQ1));
    irq_set(&k->irq[1], full && aux && (k->ram[0] & CB_IRQ12));
}

/* Plans the next byte for an empty output buffer. */
static void i8042_kick(struct i8042 *k)
{
    struct sched *s = k->dev.env->sched;
    uint64_t due;

    if (k->status & STATUS_OBF) {
        return;
    }
    if (k->answer.count || k->aux_answer.count) {
        due = sched_after_ns(s, ANSWER_NS);
    } else if (wire_pending(k, 0) || wire_pending(k, 1)) {
        due = sched_after_ns(s, WIRE_NS);
    } else {
        return;
    }
    if (!event_pending(&k->deliver) || due < k->deliver.due) {
        event_at(s, &k->deliver, due);
    }
}

static void i8042_fill(struct i8042 *k, uint8_t byte, bool aux)
{
    k->out = byte;
    k->status = (uint8_t)((k->status & ~STATUS_AUX) | STATUS_OBF | (aux ? STATUS_AUX : 0));
    i8042_lines(k);
}

/* A keyboard byte on its way to the buffer; false: a break prefix that only changes the next. */
static bool keyboard_byte(struct i8042 *k, uint8_t *byte)
{
    if (!(k->ram[0] & CB_TRANSLATE)) {
        k->break_seen = false;
        return true;
    }
    if (*byte == 0xf0) {
        k->break_seen = true;
        return false;
    }
    *byte = (uint8_t)(translate(*byte) | (k->break_seen ? 0x80 : 0));
    k->break_seen = false;
    return true;
}

static void i8042_deliver(void *arg, uint64_t now UNUSED)
{
    struct i8042 *k = arg;
    uint8_t byte;

    if (k->status & STATUS_OBF) {
        return;
    }
    if (k->answer.count) {
        i8042_fill(k, ps2_queue_get(&k->answer), false);
    } else if (k->aux_answer.count) {
        i8042_fill(k, ps2_queue_get(&k->aux_answer), true);
    } else if (wire_pending(k, 0)) {
        byte = k->port[0].take(k->port[0].dev);
        if (keyboard_byte(k, &byte)) {
            k->status &= (uint8_t)~STATUS_TIMEOUT;
            i8042_fill(k, byte, false);
        }
    } else if (wire_pending(k, 1)) {
        k->status &= (uint8_t)~STATUS_TIMEOUT;
        i8042_fill(k, k->port[1].take(k->port[1].dev), true);
    }
    i8042_kick(k);
}

static void i8042_ready(void *to, unsigned n UNUSED, bool level UNUSED)
{
    i8042_kick(to);
}

static void i8042_answer(struct i8042 *k, uint8_t byte)
{
    ps2_queue_put(&k->answer, byte);
    i8042_kick(k);
}

/* Bytes to a device release its clock; with nobody there the controller reports a time-out. */
static void wire_send(struct i8042 *k, unsigned n, uint8_t byte)
{
    k->ram[0] &= (uint8_t)~(n ? CB_NO_MOUSE : CB_NO_KEYBOARD);
    k->status &= (uint8_t)~STATUS_TIMEOUT;
    if (k->port[n].dev) {
        k->port[n].send(k->port[n].dev, byte);
    } else {
        k->status |= STATUS_TIMEOUT;
        ps2_queue_put(n ? &k->aux_answer : &k->answer, 0xfe);
    }
    i8042_kick(k);
}

static void drive_a20(struct i8042 *k)
{
    if (k->a20) {
        k->a20(k->ctx, (k->out_port & OUT_A20) && !k->pulse);
    }
}

static void pulse_reset(struct i8042 *k)
{
    if (k->reset) {
        k->reset(k->ctx);
    }
}

static void i8042_pulse_end(void *arg, uint64_t now UNUSED)
{
    struct i8042 *k = arg;

    k->pulse = false;
    drive_a20(k);
}

static void write_out_port(struct i8042 *k, uint8_t val)
{
    k->out_port = val & (OUT_RESET | OUT_A20);
    drive_a20(k);
    if (!(val & OUT_RESET)) {
        pulse_reset(k);
    }
}

static uint8_t read_out_port(const struct i8042 *k)
{
    uint8_t v = OUT_PORT_IDLE | k->out_port;
    bool full = k->status & STATUS_OBF, aux = k->status & STATUS_AUX;

    if (!wire_open(k, 0)) {
        v &= (uint8_t)~0x40;
    }
    if (wire_open(k, 1)) {
        v |= 0x08;
    }
    if (full && !aux && (k->ram[0] & CB_IRQ1)) {
        v |= 0x10;
    }
    if (full && aux && (k->ram[0] & CB_IRQ12)) {
        v |= 0x20;
    }
    return v;
}

/* F0-FF: pulses the output port bits that are 0 in the command low for 6 us. */
static void pulse_out_port(struct i8042 *k, uint8_t command)
{
    if (!(command & OUT_A20)) {
        k->pulse = true;
        drive_a20(k);
        event_at(k->dev.env->sched, &k->pulse_end, sched_after_ns(k->dev.env->sched, PULSE_NS));
    }
    if (!(command & OUT_RESET)) {
        pulse_reset(k);
    }
}

static void write_command_byte(struct i8042 *k, uint8_t val)
{
    k->ram[0] = val;
    k->status = (uint8_t)((k->status & ~STATUS_SYS) | (val & CB_SYS ? STATUS_SYS : 0));
    i8042_lines(k);
    i8042_kick(k);
}

static void self_test(struct i8042 *k)
{
    ps2_queue_clear(&k->answer);
    ps2_queue_clear(&k->aux_answer);
    k->status &= (uint8_t)~(STATUS_OBF | STATUS_AUX | STATUS_TIMEOUT);
    write_command_byte(k, k->ram[0] | CB_SYS);
    i8042_answer(k, 0x55);
}

/* Commands with one action and no data byte. */
static void simple_command(struct i8042 *k, uint8_t command)
{
    switch (command) {
    case 0xa4:
        i8042_answer(k, 0xf1); /* no password installed */
        break;
    case 0xa6:
        break; /* enabling security without a password does nothing */
    case 0xa7:
        write_command_byte(k, k->ram[0] | CB_NO_MOUSE);
        break;
    case 0xa8:
        write_command_byte(k, k->ram[0] & (uint8_t)~CB_NO_MOUSE);
        break;
    case 0xa9:
    case 0xab:
        i8042_answer(k, 0x00); /* the wire is neither stuck low nor high */
        break;
    case 0xaa:
        self_test(k);
        break;
    case 0xad:
        write_command_byte(k, k->ram[0] | CB_NO_KEYBOARD);
        break;
    case 0xae:
        write_command_byte(k, k->ram[0] & (uint8_t)~CB_NO_KEYBOARD);
        break;
    case 0xc0:
        i8042_answer(k, IN_PORT);
        break;
    case 0xc1:
        k->poll = POLL_LOW;
        break;
    case 0xc2:
        k->poll = POLL_HIGH;
        break;
    case 0xd0:
        i8042_answer(k, read_out_port(k));
        break;
    case 0xdd:
    case 0xdf:
        write_out_port(k, (uint8_t)(OUT_RESET | (command == 0xdf ? OUT_A20 : 0)));
        break;
    case 0xe0:
        i8042_answer(k, (uint8_t)(wire_open(k, 0) | wire_open(k, 1) << 1)); /* the two clocks */
        break;
    default:
        log_guest(k->dev.env->log, "i8042", "unknown command %02x", command);
        break;
    }
}

static void i8042_command(struct i8042 *k, uint8_t command)
{
    k->status |= STATUS_COMMAND;
    k->command = 0;
    k->poll = NO_POLL;
    if (command >= 0xf0) {
        pulse_out_port(k, command);
    } else if (command >= 0x20 && command < 0x40) {
        i8042_answer(k, k->ram[command & 0x1f]);
    } else if ((command >= 0x60 && command < 0x80) || command == 0xa5 ||
               (command >= 0xd1 && command <= 0xd4)) {
        k->command = command;
    } else {
        simple_command(k, command);
    }
}

/* The data byte of a two-byte command, or a byte for the keyboard. */
static void i8042_data(struct i8042 *k, uint8_t val)
{
    uint8_t command = k->command;

    k->status &= (uint8_t)~STATUS_COMMAND;
    k->command = 0;
    switch (command) {
    case 0:
        wire_send(k, 0, val);
        break;
    case 0x60:
        write_command_byte(k, val);
        break;
    case 0xa5:
        k->command = val ? 0xa5 : 0; /* a password ends with a zero byte; none is kept */
        break;
    case 0xd1:
        write_out_port(k, val);
        break;
    case 0xd2:
        i8042_answer(k, val);
        break;
    case 0xd3:
        ps2_queue_put(&k->aux_answer, val);
        i8042_kick(k);
        break;
    case 0xd4:
        wire_send(k, 1, val);
        break;
    default:
        k->ram[command & 0x1f] = val;
        break;
    }
}

static uint64_t data_read(void *dev, uint64_t off UNUSED, unsigned size UNUSED)
{
    struct i8042 *k = dev;

    k->status &= (uint8_t)~(STATUS_OBF | STATUS_AUX);
    i8042_lines(k);
    i8042_kick(k);
    return k->out;
}

static void data_write(void *dev, uint64_t off UNUSED, unsigned size UNUSED, uint64_t val)
{
    i8042_data(dev, (uint8_t)val);
}

static uint64_t status_read(void *dev, uint64_t off UNUSED, unsigned size UNUSED)
{
    struct i8042 *k = dev;

    if (k->poll != NO_POLL) {
        uint8_t in = k->poll == POLL_LOW ? (uint8_t)(IN_PORT << 4) : IN_PORT & 0xf0;

        return (k->status & 0x0f) | in;
    }
    return k->status | STATUS_UNLOCKED;
}

static void command_write(void *dev, uint64_t off UNUSED, unsigned size UNUSED, uint64_t val)
{
    i8042_command(dev, (uint8_t)val);
}

static const struct io_ops data_ops = {data_read, data_write, 1, 1, "i8042 data"};
static const struct io_ops command_ops = {status_read, command_write, 1, 1, "i8042 command"};

static bool i8042_init(struct device *d, const void *config, struct err *e)
{
    struct i8042 *k = (struct i8042 *)d;
    const struct i8042_config *c = config;
    unsigned n;

    k->irq[0] = c->irq_keyboard;
    k->irq[1] = c->irq_mouse;
    k->port[0] = c->keyboard;
    k->port[1] = c->mouse;
    k->a20 = c->a20;
    k->reset = c->reset;
    k->ctx = c->ctx;
    snprintf(k->deliver_name, sizeof k->deliver_name, "%s/deliver", d->id);
    snprintf(k->pulse_name, sizeof k->pulse_name, "%s/pulse", d->id);
    event_init(d->env->sched, &k->deliver, k->deliver_name, i8042_deliver, k);
    event_init(d->env->sched, &k->pulse_end, k->pulse_name, i8042_pulse_end, k);
    for (n = 0; n < 2; n++) {
        if (k->port[n].dev) {
            k->port[n].attach(k->port[n].dev, (struct irq_line){i8042_ready, k, n});
        }
    }
    if (bus_map(d->env->io, c->data_port, 1, &data_ops, k, PRIO_DEVICE) < 0 ||
        bus_map(d->env->io, c->command_port, 1, &command_ops, k, PRIO_DEVICE) < 0) {
        return err_set(e, "%s: out of memory", d->id);
    }
    return true;
}

/* After RESET both wires are held and A20 is open, so that the CPU finds its first instruction. */
static void i8042_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct i8042 *k = (struct i8042 *)d;

    event_cancel(d->env->sched, &k->deliver);
    event_cancel(d->env->sched, &k->pulse_end);
    memset(k->ram, 0, sizeof k->ram);
    k->ram[0] = CB_NO_KEYBOARD | CB_NO_MOUSE;
    k->status = STATUS_COMMAND;
    k->out = k->command = 0;
    k->out_port = OUT_RESET | OUT_A20;
    k->poll = NO_POLL;
    k->pulse = k->break_seen = false;
    ps2_queue_clear(&k->answer);
    ps2_queue_clear(&k->aux_answer);
    i8042_lines(k);
    drive_a20(k);
}

static bool i8042_post_load(struct device *d, unsigned version UNUSED, struct err *e)
{
    struct i8042 *k = (struct i8042 *)d;

    if (!ps2_queue_valid(&k->answer) || !ps2_queue_valid(&k->aux_answer)) {
        return err_set(e, "%s: the saved state is not valid", d->id);
    }
    drive_a20(k);
    return true;
}

static const struct snap_field i8042_state[] = {
    SNAP_ARRAY(struct i8042, ram, SNAP_BYTES),
    SNAP_F(struct i8042, status, SNAP_U8),
    SNAP_F(struct i8042, out, SNAP_U8),
    SNAP_F(struct i8042, out_port, SNAP_U8),
    SNAP_F(struct i8042, command, SNAP_U8),
    SNAP_F(struct i8042, poll, SNAP_U8),
    SNAP_F(struct i8042, pulse, SNAP_BOOL),
    SNAP_F(struct i8042, break_seen, SNAP_BOOL),
    PS2_QUEUE_STATE(struct i8042, answer),
    PS2_QUEUE_STATE(struct i8042, aux_answer),
    SNAP_END,
};

const struct device_class i8042_class = {
    .name = "i8042",
    .size = sizeof(struct i8042),
    .init = i8042_init,
    .reset = i8042_reset,
    .state = i8042_state,
    .state_version = 1,
    .post_load = i8042_post_load,
};
