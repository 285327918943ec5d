/*
 * National PC16550D (data sheet TL/C/8652): UART with FIFOs, clocked at 1.8432 MHz.
 *
 * Characters take their exact number of bit times in both directions.  Interrupt conditions are
 * derived from the registers by uart_iir(); the only latched ones are the empty transmitter and the
 * FIFO time-out.  A FIFO of depth one stands for the 16450 mode.
 * Invariants: tx_shift holds a character exactly while tx_event is pending; rx_shift likewise.
 */
#include "devices/uart16550.h"

#include <stdio.h>
#include <string.h>

#define UART_CLOCK ((struct clock){1843200u, 1u})

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };
enum { IER_RDA = 1, IER_THRE = 2, IER_LSR = 4, IER_MSR = 8, IER_ALL = 15 };
enum {
    IIR_NONE = 0x01, IIR_LSR = 0x06, IIR_RDA = 0x04, IIR_TIMEOUT = 0x0c, IIR_THRE = 0x02,
    IIR_MSR = 0x00, IIR_FIFOS = 0xc0
};
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4, FCR_KEPT = 0xc9 };
enum { LCR_BITS = 0x03, LCR_STOP = 0x04, LCR_PARITY = 0x08, LCR_BREAK = 0x40, LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16, MCR_ALL = 31 };
enum {
    LSR_DR = 0x01, LSR_OE = 0x02, LSR_ERRORS = 0x1c, LSR_INTERRUPT = 0x1e, LSR_THRE = 0x20,
    LSR_TEMT = 0x40, LSR_FIFO_ERROR = 0x80
};
enum { MSR_TERI = 0x04, MSR_DELTAS = 0x0f, MSR_LINES = 0xf0 };
enum { DEPTH = 16, TIMEOUT_CHARS = 4 };

struct uart_fifo {
    uint8_t data[DEPTH], errors[DEPTH];
    uint8_t head, count;
};

struct uart16550 {
    struct device dev;
    struct irq_line irq;
    struct chardev out;
    uint16_t max_char_ticks;
    void (*room)(void *ctx);
    void (*modem)(void *ctx, bool dtr, bool rts, bool brk);
    void *ctx;
    struct event tx_event, rx_event, timeout_event;
    char tx_name[32], rx_name[32], timeout_name[32];

    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    bool line_set; /* LCR was written since RESET */
    uint16_t divisor;
    uint8_t inputs;          /* modem lines from outside */
    bool irq_level;
    bool thre_irq;           /* transmitter empty, not yet noticed */
    bool timed_out;          /* FIFO time-out, until the FIFO is read */
    uint8_t tx_shift;
    uint8_t rx_shift, rx_shift_errors;
    uint64_t tx_done;        /* tick at which tx_shift is out */
    struct uart_fifo rx, tx;
};

static void fifo_put(struct uart_fifo *f, uint8_t byte, uint8_t errors)
{
    unsigned at = (f->head + f->count++) % DEPTH;

    f->data[at] = byte;
    f->errors[at] = errors;
}

static uint8_t fifo_get(struct uart_fifo *f)
{
    uint8_t byte = f->data[f->head];

    f->head = (f->head + 1) % DEPTH;
    f->count--;
    return byte;
}

static unsigned fifo_depth(const struct uart16550 *u)
{
    return u->fcr & FCR_ENABLE ? DEPTH : 1;
}

static unsigned rx_trigger(const struct uart16550 *u)
{
    static const uint8_t level[4] = {1, 4, 8, 14};

    return u->fcr & FCR_ENABLE ? level[u->fcr >> 6] : 1;
}

/*
 * Data bits of a character.  LCR is 0 after RESET, which means five; but on real boards a BIOS has
 * always set the line up before a program meets it, so until somebody writes LCR bytes go whole.
 */
static unsigned word_bits(const struct uart16550 *u)
{
    return u->line_set ? 5u + (u->lcr & LCR_BITS) : 8;
}

/* Length of a character in clock ticks: 16 to a bit, and stop bits may be one and a half. */
static uint64_t char_ticks(const struct uart16550 *u)
{
    unsigned bits = word_bits(u), halves = 2 * (1 + bits) + 2;

    if (u->lcr & LCR_PARITY) {
        halves += 2;
    }
    if (u->lcr & LCR_STOP) {
        halves += bits == 5 ? 1 : 2;
    }
    uint64_t ticks = (uint64_t)halves * 8 * (u->divisor ? u->divisor : 65536);
    return u->max_char_ticks ? MIN(ticks, u->max_char_ticks) : ticks;
}

static uint64_t uart_ticks(const struct uart16550 *u)
{
    return clock_ticks(u->dev.env->sched, UART_CLOCK, sched_now(u->dev.env->sched));
}

static void at_tick(struct uart16550 *u, struct event *e, uint64_t tick)
{
    event_at(u->dev.env->sched, e, clock_icount(u->dev.env->sched, UART_CLOCK, tick));
}

/* Interrupt identification without the FIFO bits: the pending source of highest priority. */
static uint8_t uart_iir(const struct uart16550 *u)
{
    if ((u->ier & IER_LSR) && (u->lsr & LSR_INTERRUPT)) {
        return IIR_LSR;
    }
    if ((u->ier & IER_RDA) && u->rx.count >= rx_trigger(u)) {
        return IIR_RDA;
    }
    if ((u->ier & IER_RDA) && u->timed_out) {
        return IIR_TIMEOUT;
    }
    if ((u->ier & IER_THRE) && u->thre_irq) {
        return IIR_THRE;
    }
    if ((u->ier & IER_MSR) && (u->msr & MSR_DELTAS)) {
        return IIR_MSR;
    }
    return IIR_NONE;
}

/* On the PC's adapter OUT2 gates the interrupt.  Ports share lines: only changes are driven. */
static void uart_irq(struct uart16550 *u)
{
    bool level = (u->mcr & MCR_OUT2) && uart_iir(u) != IIR_NONE;

    if (level != u->irq_level) {
        u->irq_level = level;
        irq_set(&u->irq, level);
    }
}

static void set_modem_lines(struct uart16550 *u)
{
    uint8_t now = u->inputs, changed;

    if (u->mcr & MCR_LOOP) {
        now = (uint8_t)((u->mcr & MCR_RTS ? UART_CTS : 0) | (u->mcr & MCR_DTR ? UART_DSR : 0) |
                        (u->mcr & MCR_OUT1 ? UART_RI : 0) | (u->mcr & MCR_OUT2 ? UART_DCD : 0));
    }
    changed = (u->msr ^ now) & (MSR_LINES & ~UART_RI);
    u->msr = (uint8_t)((u->msr & MSR_DELTAS) | changed >> 4 |
                       ((u->msr & UART_RI) && !(now & UART_RI) ? MSR_TERI : 0) | now);
    uart_irq(u);
}

static void tell_modem(struct uart16550 *u)
{
    bool loop = u->mcr & MCR_LOOP;

    if (u->modem) {
        u->modem(u->ctx, (u->mcr & MCR_DTR) && !loop, (u->mcr & MCR_RTS) && !loop,
                 (u->lcr & LCR_BREAK) && !loop);
    }
}

/* Errors of a character show when it is the next one to be read. */
static void show_errors(struct uart16550 *u)
{
    unsigned i;

    u->lsr &= (uint8_t)~(LSR_DR | LSR_FIFO_ERROR);
    if (u->rx.count) {
        u->lsr |= LSR_DR | u->rx.errors[u->rx.head];
        u->rx.errors[u->rx.head] = 0;
    }
    if (!(u->fcr & FCR_ENABLE)) {
        return;
    }
    for (i = 0; i < u->rx.count; i++) {
        if (u->rx.errors[(u->rx.head + i) % DEPTH]) {
            u->lsr |= LSR_FIFO_ERROR;
        }
    }
    if (u->lsr & LSR_ERRORS) {
        u->lsr |= LSR_FIFO_ERROR;
    }
}

/* The time-out runs from the last character in or out of a FIFO that is not empty. */
static void restart_timeout(struct uart16550 *u)
{
    if ((u->fcr & FCR_ENABLE) && u->rx.count) {
        at_tick(u, &u->timeout_event, uart_ticks(u) + TIMEOUT_CHARS * char_ticks(u));
    } else {
        event_cancel(u->dev.env->sched, &u->timeout_event);
    }
}

static void uart_timeout(void *arg, uint64_t now UNUSED)
{
    struct uart16550 *u = arg;

    u->timed_out = u->rx.count != 0;
    uart_irq(u);
}

static void tell_room(struct uart16550 *u)
{
    if (u->room && uart16550_can_receive(&u->dev)) {
        u->room(u->ctx);
    }
}

/* A complete character is in the receiver's shift register. */
static void received(struct uart16550 *u, uint8_t byte, uint8_t errors)
{
    byte &= (uint8_t)(0xff >> (8 - word_bits(u)));
    if (u->rx.count >= fifo_depth(u)) {
        u->lsr |= LSR_OE;
        if (u->fcr & FCR_ENABLE) {
            uart_irq(u);
            return; /* the FIFO keeps what it has */
        }
        u->rx.count = 0;
    }
    fifo_put(&u->rx, byte, errors);
    show_errors(u);
    restart_timeout(u);
    uart_irq(u);
}

static void uart_rx_done(void *arg, uint64_t now UNUSED)
{
    struct uart16550 *u = arg;

    /* In loopback the serial input is disconnected: what was on the wire is lost. */
    if (!(u->mcr & MCR_LOOP)) {
        received(u, u->rx_shift, u->rx_shift_errors);
    }
    tell_room(u);
}

void uart16550_receive_error(struct device *d, uint8_t byte, unsigned errors)
{
    struct uart16550 *u = (struct uart16550 *)d;

    u->rx_shift = byte;
    u->rx_shift_errors = errors & LSR_ERRORS;
    at_tick(u, &u->rx_event, uart_ticks(u) + char_ticks(u));
}

void uart16550_receive(struct device *d, uint8_t byte)
{
    uart16550_receive_error(d, byte, 0);
}

bool uart16550_can_receive(const struct device *d)
{
    const struct uart16550 *u = (const struct uart16550 *)d;

    return !event_pending(&u->rx_event) && u->rx.count < fifo_depth(u) && !(u->mcr & MCR_LOOP);
}

void uart16550_modem(struct device *d, unsigned lines)
{
    struct uart16550 *u = (struct uart16550 *)d;

    u->inputs = lines & MSR_LINES;
    set_modem_lines(u);
}

/* The next character moves to the transmitter's shift register, starting at the given tick. */
static void tx_start(struct uart16550 *u, uint64_t tick)
{
    u->tx_shift = fifo_get(&u->tx);
    u->lsr &= (uint8_t)~LSR_TEMT;
    if (u->tx.count == 0) {
        u->lsr |= LSR_THRE;
        u->thre_irq = true;
    }
    u->tx_done = tick + char_ticks(u);
    at_tick(u, &u->tx_event, u->tx_done);
}

static void tx_out(struct uart16550 *u, uint8_t byte)
{
    byte &= (uint8_t)(0xff >> (8 - word_bits(u)));
    if (u->mcr & MCR_LOOP) {
        if (!(u->lcr & LCR_BREAK)) {
            received(u, byte, 0);
        }
    } else if (!(u->lcr & LCR_BREAK)) {
        chardev_put(&u->out, byte);
    }
}

static void uart_tx_done(void *arg, uint64_t now UNUSED)
{
    struct uart16550 *u = arg;

    tx_out(u, u->tx_shift);
    if (u->tx.count) {
        tx_start(u, u->tx_done);
    } else {
        u->lsr |= LSR_TEMT;
    }
    uart_irq(u);
}

static void write_thr(struct uart16550 *u, uint8_t val)
{
    if (u->tx.count >= fifo_depth(u)) {
        u->tx.count--; /* a full holding register is overwritten */
    }
    fifo_put(&u->tx, val, 0);
    u->thre_irq = false;
    u->lsr &= (uint8_t)~(LSR_THRE | LSR_TEMT);
    if (!event_pending(&u->tx_event)) {
        tx_start(u, uart_ticks(u));
    }
    uart_irq(u);
}

static uint8_t read_rbr(struct uart16550 *u)
{
    uint8_t byte;

    if (u->rx.count == 0) {
        return u->rx.data[(u->rx.head + DEPTH - 1) % DEPTH]; /* the last one again */
    }
    byte = fifo_get(&u->rx);
    u->timed_out = false;
    show_errors(u);
    restart_timeout(u);
    uart_irq(u);
    tell_room(u);
    return byte;
}

static void clear_rx(struct uart16550 *u)
{
    u->rx.count = 0;
    u->timed_out = false;
    u->lsr &= (uint8_t)~(LSR_DR | LSR_INTERRUPT | LSR_FIFO_ERROR);
    event_cancel(u->dev.env->sched, &u->timeout_event);
}

static void clear_tx(struct uart16550 *u)
{
    if (u->tx.count) {
        u->thre_irq = true;
    }
    u->tx.count = 0;
    u->lsr |= LSR_THRE;
}

static void write_fcr(struct uart16550 *u, uint8_t val)
{
    bool toggled = (val ^ u->fcr) & FCR_ENABLE;

    if (toggled || ((val & FCR_ENABLE) && (val & FCR_CLEAR_RX))) {
        clear_rx(u);
    }
    if (toggled || ((val & FCR_ENABLE) && (val & FCR_CLEAR_TX))) {
        clear_tx(u);
    }
    u->fcr = val & FCR_ENABLE ? val & FCR_KEPT : 0;
    uart_irq(u);
    tell_room(u);
}

static void write_ier(struct uart16550 *u, uint8_t val)
{
    if ((val & ~u->ier & IER_THRE) && (u->lsr & LSR_THRE)) {
        u->thre_irq = true;
    }
    u->ier = val & IER_ALL;
    uart_irq(u);
}

static void write_lcr(struct uart16550 *u, uint8_t val)
{
    bool brk = (val ^ u->lcr) & LCR_BREAK;

    u->lcr = val;
    u->line_set = true;
    if (!brk) {
        return;
    }
    tell_modem(u);
    if ((val & LCR_BREAK) && (u->mcr & MCR_LOOP)) {
        received(u, 0, UART_BREAK); /* the receiver sees its own line held */
    }
}

static void write_mcr(struct uart16550 *u, uint8_t val)
{
    u->mcr = val & MCR_ALL;
    set_modem_lines(u);
    tell_modem(u);
    tell_room(u);
}

static uint8_t read_iir(struct uart16550 *u)
{
    uint8_t iir = uart_iir(u);

    if (iir == IIR_THRE) {
        u->thre_irq = false;
        uart_irq(u);
    }
    return iir | (u->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(struct uart16550 *u)
{
    uint8_t v = u->lsr;

    u->lsr &= (uint8_t)~(LSR_OE | LSR_ERRORS);
    show_errors(u);
    uart_irq(u);
    return v;
}

static uint8_t read_msr(struct uart16550 *u)
{
    uint8_t v = u->msr;

    u->msr &= MSR_LINES;
    uart_irq(u);
    return v;
}

static uint64_t uart_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct uart16550 *u = dev;
    bool dlab = u->lcr & LCR_DLAB;

    switch (off) {
    case RBR_THR:
        return dlab ? u->divisor & 0xffu : read_rbr(u);
    case IER:
        return dlab ? u->divisor >> 8 : u->ier;
    case IIR_FCR:
        return read_iir(u);
    case LCR:
        return u->lcr;
    case MCR:
        return u->mcr;
    case LSR:
        return read_lsr(u);
    case MSR:
        return read_msr(u);
    default:
        return u->scr;
    }
}

static void uart_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val64)
{
    struct uart16550 *u = dev;
    uint8_t val = (uint8_t)val64;
    bool dlab = u->lcr & LCR_DLAB;

    switch (off) {
    case RBR_THR:
        if (dlab) {
            u->divisor = (uint16_t)((u->divisor & 0xff00) | val);
        } else {
            write_thr(u, val);
        }
        break;
    case IER:
        if (dlab) {
            u->divisor = (uint16_t)((u->divisor & 0x00ff) | val << 8);
        } else {
            write_ier(u, val);
        }
        break;
    case IIR_FCR:
        write_fcr(u, val);
        break;
    case LCR:
        write_lcr(u, val);
        break;
    case MCR:
        write_mcr(u, val);
        break;
    case SCR:
        u->scr = val;
        break;
    default:
        break; /* LSR and MSR are for the factory's tests only */
    }
}

void uart16550_flush(struct device *d)
{
    struct uart16550 *u = (struct uart16550 *)d;

    while (event_pending(&u->tx_event)) {
        event_cancel(d->env->sched, &u->tx_event);
        tx_out(u, u->tx_shift);
        if (u->tx.count) {
            tx_start(u, uart_ticks(u));
        } else {
            u->lsr |= LSR_TEMT;
        }
    }
    uart_irq(u);
}

static const struct io_ops uart_ops = {uart_read, uart_write, 1, 1, "uart16550"};

static bool uart16550_init(struct device *d, const void *config, struct err *e)
{
    struct uart16550 *u = (struct uart16550 *)d;
    const struct uart16550_config *c = config;
    struct sched *s = d->env->sched;

    u->irq = c->irq;
    u->out = c->out;
    u->max_char_ticks = c->max_char_ticks;
    u->room = c->room;
    u->modem = c->modem;
    u->ctx = c->ctx;
    u->inputs = UART_CTS | UART_DSR | UART_DCD;
    u->divisor = 12; /* unspecified at power-on; 9600 baud */
    snprintf(u->tx_name, sizeof u->tx_name, "%s/tx", d->id);
    snprintf(u->rx_name, sizeof u->rx_name, "%s/rx", d->id);
    snprintf(u->timeout_name, sizeof u->timeout_name, "%s/timeout", d->id);
    event_init(s, &u->tx_event, u->tx_name, uart_tx_done, u);
    event_init(s, &u->rx_event, u->rx_name, uart_rx_done, u);
    event_init(s, &u->timeout_event, u->timeout_name, uart_timeout, u);
    if (bus_map(d->env->io, c->port, 8, &uart_ops, u, PRIO_DEVICE) < 0) {
        return err_set(e, "%s: out of memory", d->id);
    }
    return true;
}

/* Master reset; divisor and scratch register keep what they hold. */
static void uart16550_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct uart16550 *u = (struct uart16550 *)d;
    struct sched *s = d->env->sched;

    event_cancel(s, &u->tx_event);
    event_cancel(s, &u->rx_event);
    event_cancel(s, &u->timeout_event);
    u->ier = u->fcr = u->lcr = u->mcr = 0;
    u->line_set = false;
    u->lsr = LSR_THRE | LSR_TEMT;
    u->msr = u->inputs;
    u->thre_irq = u->timed_out = false;
    u->rx.count = u->tx.count = 0;
    uart_irq(u);
    tell_modem(u);
}

static bool uart16550_post_load(struct device *d, unsigned version, struct err *e)
{
    struct uart16550 *u = (struct uart16550 *)d;

    if (version < 2) {
        u->line_set = u->lcr != 0;
    }
    if (u->rx.head >= DEPTH || u->tx.head >= DEPTH || u->rx.count > fifo_depth(u) ||
        u->tx.count > fifo_depth(u)) {
        return err_set(e, "%s: the saved state is not valid", d->id);
    }
    return true;
}

#define FIFO_STATE(m)                                                                          \
    SNAP_ARRAY(struct uart16550, m.data, SNAP_BYTES),                                          \
        SNAP_ARRAY(struct uart16550, m.errors, SNAP_BYTES),                                    \
        SNAP_F(struct uart16550, m.head, SNAP_U8), SNAP_F(struct uart16550, m.count, SNAP_U8)

static const struct snap_field uart16550_state[] = {
    SNAP_F(struct uart16550, ier, SNAP_U8),
    SNAP_F(struct uart16550, fcr, SNAP_U8),
    SNAP_F(struct uart16550, lcr, SNAP_U8),
    SNAP_F(struct uart16550, mcr, SNAP_U8),
    SNAP_F(struct uart16550, lsr, SNAP_U8),
    SNAP_F(struct uart16550, msr, SNAP_U8),
    SNAP_F(struct uart16550, scr, SNAP_U8),
    SNAP_F(struct uart16550, divisor, SNAP_U16),
    SNAP_F(struct uart16550, inputs, SNAP_U8),
    SNAP_F(struct uart16550, irq_level, SNAP_BOOL),
    SNAP_F(struct uart16550, thre_irq, SNAP_BOOL),
    SNAP_F(struct uart16550, timed_out, SNAP_BOOL),
    SNAP_F(struct uart16550, tx_shift, SNAP_U8),
    SNAP_F(struct uart16550, rx_shift, SNAP_U8),
    SNAP_F(struct uart16550, rx_shift_errors, SNAP_U8),
    SNAP_F(struct uart16550, tx_done, SNAP_U64),
    FIFO_STATE(rx),
    FIFO_STATE(tx),
    SNAP_SINCE(struct uart16550, line_set, SNAP_BOOL, 2),
    SNAP_END,
};

const struct device_class uart16550_class = {
    .name = "uart16550",
    .size = sizeof(struct uart16550),
    .init = uart16550_init,
    .reset = uart16550_reset,
    .state = uart16550_state,
    .state_version = 2,
    .post_load = uart16550_post_load,
};
