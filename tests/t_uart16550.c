/*
 * 16550A: registers, character timing, FIFOs and trigger levels, interrupt priorities, line errors,
 * loopback and modem lines.
 */
#include "devices/uart16550.h"

#include "chip_rig.h"

enum { BASE = 0x3f8, RBR = BASE, IER, IIR, LCR, MCR, LSR, MSR, SCR };

/* One character of 8N1 at 115200 baud: 10 bits of 16 ticks at 1.8432 MHz. */
#define CHAR_NS 86806u

struct uart {
    struct rig r;
    struct pin irq;
    struct device *d;
    uint8_t sent[256];
    unsigned n, rooms;
    uint64_t at;
    bool dtr, rts, brk;
};

static void send(void *ctx, const uint8_t *data, size_t len)
{
    struct uart *p = ctx;

    while (len-- && p->n < sizeof p->sent) {
        p->sent[p->n++] = *data++;
    }
    p->at = rig_now(&p->r);
}

static void room(void *ctx)
{
    ((struct uart *)ctx)->rooms++;
}

static void modem(void *ctx, bool dtr, bool rts, bool brk)
{
    struct uart *p = ctx;

    p->dtr = dtr;
    p->rts = rts;
    p->brk = brk;
}

static void setup_limited(struct uart *p, uint16_t max_char_ticks)
{
    struct uart16550_config c = {.port = BASE, .out = {send, p}, .room = room, .modem = modem};

    memset(p, 0, sizeof *p);
    rig_init(&p->r);
    c.irq = pin_line(&p->irq, &p->r);
    c.max_char_ticks = max_char_ticks;
    c.ctx = p;
    p->d = rig_add(&p->r, &uart16550_class, "uart0", &c);
    out8(&p->r, LCR, 0x83);
    out8(&p->r, RBR, 1);
    out8(&p->r, IER, 0);
    out8(&p->r, LCR, 0x03);
    out8(&p->r, MCR, 0x0b);
}

static void setup(struct uart *p)
{
    setup_limited(p, 0);
}

/* A character arrives completely. */
static void receive(struct uart *p, uint8_t c)
{
    uart16550_receive(p->d, c);
    rig_run(&p->r, CHAR_NS + 1);
}

START_TEST(reset_and_plain_registers)
{
    struct uart p;
    unsigned i;

    setup(&p);
    devices_reset(&p.r.env, RESET_WARM);
    ck_assert_uint_eq(in8(&p.r, IER), 0);
    ck_assert_uint_eq(in8(&p.r, IIR), 0x01);
    ck_assert_uint_eq(in8(&p.r, LCR), 0);
    ck_assert_uint_eq(in8(&p.r, MCR), 0);
    ck_assert_uint_eq(in8(&p.r, LSR), 0x60);
    ck_assert_uint_eq(in8(&p.r, MSR), 0xb0);
    for (i = 0; i < 256; i++) {
        out8(&p.r, SCR, (uint8_t)i);
        ck_assert_uint_eq(in8(&p.r, SCR), i);
    }
    out8(&p.r, IER, 0xff);
    ck_assert_uint_eq(in8(&p.r, IER), 0x0f);
    out8(&p.r, MCR, 0xef);
    ck_assert_uint_eq(in8(&p.r, MCR), 0x0f);
    out8(&p.r, LCR, 0x80);
    out8(&p.r, RBR, 0x34);
    out8(&p.r, IER, 0x12);
    ck_assert_uint_eq(in8(&p.r, RBR), 0x34);
    ck_assert_uint_eq(in8(&p.r, IER), 0x12);
    out8(&p.r, LCR, 0x00);
    ck_assert_uint_eq(in8(&p.r, IER), 0x0f);
    rig_free(&p.r);
}
END_TEST

START_TEST(transmit)
{
    struct uart p;
    uint64_t t;

    setup(&p);
    t = rig_now(&p.r);
    out8(&p.r, RBR, 'a');
    ck_assert_uint_eq(in8(&p.r, LSR), 0x20); /* moved on to the shift register */
    out8(&p.r, RBR, 'b');
    ck_assert_uint_eq(in8(&p.r, LSR), 0x00);
    rig_run_to(&p.r, t + CHAR_NS - 10);
    ck_assert_uint_eq(p.n, 0);
    rig_run_to(&p.r, t + CHAR_NS + 10);
    ck_assert_uint_eq(p.n, 1);
    ck_assert_uint_eq(in8(&p.r, LSR), 0x20);
    rig_run_to(&p.r, t + 2 * CHAR_NS + 20);
    ck_assert_uint_eq(p.n, 2);
    ck_assert_uint_eq(in8(&p.r, LSR), 0x60);
    ck_assert_int_eq(memcmp(p.sent, "ab", 2), 0);
    /* 5 bits, parity, 1.5 stop bits at 9600 baud: 1 + 5 + 1 + 1.5 = 8.5 bits. */
    out8(&p.r, LCR, 0x8c);
    out8(&p.r, RBR, 12);
    out8(&p.r, LCR, 0x0c);
    t = rig_now(&p.r);
    out8(&p.r, RBR, 0xff);
    rig_run(&p.r, 10000000);
    ck_assert_uint_eq((p.at - t) / 1000, 885);
    ck_assert_uint_eq(p.sent[2], 0x1f);
    rig_free(&p.r);
    setup_limited(&p, 160); /* 9600 baud on a line that is never slower than 115200 */
    out8(&p.r, LCR, 0x83);
    out8(&p.r, RBR, 12);
    out8(&p.r, LCR, 0x03);
    out8(&p.r, RBR, 'z');
    rig_run(&p.r, CHAR_NS - 10);
    ck_assert_uint_eq(p.n, 0);
    rig_run(&p.r, 20);
    ck_assert_uint_eq(p.n, 1);
    rig_free(&p.r);
}
END_TEST

/* Until LCR is written bytes go and come whole; after that its 0 means five bits. */
START_TEST(line_never_set)
{
    struct uart p;

    setup(&p);
    devices_reset(&p.r.env, RESET_COLD);
    out8(&p.r, RBR, 0xa5);
    rig_run(&p.r, 1000000);
    ck_assert_uint_eq(p.n, 1);
    ck_assert_uint_eq(p.sent[0], 0xa5);
    receive(&p, 0xc3);
    rig_run(&p.r, 1000000);
    ck_assert_uint_eq(in8(&p.r, RBR), 0xc3);
    out8(&p.r, LCR, 0x00);
    out8(&p.r, RBR, 0xa5);
    rig_run(&p.r, 1000000);
    ck_assert_uint_eq(p.sent[1], 0x05);
    rig_free(&p.r);
}
END_TEST

START_TEST(transmit_fifo_and_interrupt)
{
    struct uart p;
    unsigned i;

    setup(&p);
    out8(&p.r, IIR, 0x07);
    ck_assert_uint_eq(in8(&p.r, IIR), 0xc1);
    out8(&p.r, IER, 2); /* already empty: interrupts at once */
    ck_assert(p.irq.level);
    ck_assert_uint_eq(in8(&p.r, IIR), 0xc2);
    ck_assert(!p.irq.level); /* noticed */
    ck_assert_uint_eq(in8(&p.r, IIR), 0xc1);
    for (i = 0; i < 17; i++) {
        out8(&p.r, RBR, (uint8_t)i);
    }
    ck_assert(!p.irq.level);
    rig_run(&p.r, 16 * CHAR_NS - 200);
    ck_assert(!p.irq.level);
    rig_run(&p.r, 400);
    ck_assert(p.irq.level);
    out8(&p.r, RBR, 0x11); /* writing also takes the interrupt away */
    ck_assert(!p.irq.level);
    rig_run(&p.r, 3 * CHAR_NS);
    ck_assert_uint_eq(p.n, 18);
    for (i = 0; i < 18; i++) {
        ck_assert_uint_eq(p.sent[i], i);
    }
    out8(&p.r, MCR, 0x03); /* OUT2 gates the line */
    ck_assert(!p.irq.level);
    for (i = 0; i < 10; i++) {
        out8(&p.r, RBR, 0x55);
    }
    out8(&p.r, IIR, 0x05); /* clear the transmit FIFO */
    rig_run(&p.r, 20 * CHAR_NS);
    ck_assert_uint_eq(p.n, 19);
    for (i = 0; i < 5; i++) {
        out8(&p.r, RBR, (uint8_t)(0x60 + i));
    }
    uart16550_flush(p.d);
    ck_assert_uint_eq(p.n, 24);
    ck_assert_uint_eq(in8(&p.r, LSR), 0x60);
    rig_free(&p.r);
}
END_TEST

START_TEST(receive_and_triggers)
{
    static const uint8_t level[4] = {1, 4, 8, 14};
    struct uart p;
    unsigned i, k;

    setup(&p);
    out8(&p.r, IER, 1);
    ck_assert(uart16550_can_receive(p.d));
    uart16550_receive(p.d, 'x');
    ck_assert(!uart16550_can_receive(p.d));
    ck_assert_uint_eq(in8(&p.r, LSR), 0x60);
    rig_run(&p.r, CHAR_NS + 1);
    ck_assert(p.irq.level);
    ck_assert_uint_eq(in8(&p.r, IIR), 0x04);
    ck_assert_uint_eq(in8(&p.r, LSR), 0x61);
    ck_assert(!uart16550_can_receive(p.d));
    p.rooms = 0;
    ck_assert_uint_eq(in8(&p.r, RBR), 'x');
    ck_assert_uint_eq(p.rooms, 1);
    ck_assert(!p.irq.level);
    ck_assert_uint_eq(in8(&p.r, RBR), 'x');
    for (k = 0; k < 4; k++) {
        out8(&p.r, IIR, (uint8_t)(0x07 | k << 6));
        for (i = 1; i <= 16; i++) {
            ck_assert(uart16550_can_receive(p.d));
            receive(&p, (uint8_t)i);
            ck_assert_int_eq(p.irq.level, i >= level[k]);
        }
        ck_assert(!uart16550_can_receive(p.d));
        ck_assert_uint_eq(in8(&p.r, IIR), 0xc4);
        for (i = 1; i <= 16; i++) {
            ck_assert_uint_eq(in8(&p.r, RBR), i);
            ck_assert_int_eq(p.irq.level, 16 - i >= level[k]);
        }
        ck_assert_uint_eq(in8(&p.r, LSR), 0x60);
    }
    rig_free(&p.r);
}
END_TEST

START_TEST(time_out)
{
    struct uart p;

    setup(&p);
    out8(&p.r, IIR, 0xc7);
    out8(&p.r, IER, 1);
    receive(&p, 'a');
    receive(&p, 'b');
    rig_run(&p.r, 4 * CHAR_NS - 300);
    ck_assert(!p.irq.level);
    rig_run(&p.r, 400);
    ck_assert(p.irq.level);
    ck_assert_uint_eq(in8(&p.r, IIR), 0xcc);
    ck_assert_uint_eq(in8(&p.r, RBR), 'a');
    ck_assert(!p.irq.level); /* and runs again */
    rig_run(&p.r, 4 * CHAR_NS + 100);
    ck_assert_uint_eq(in8(&p.r, IIR), 0xcc);
    ck_assert_uint_eq(in8(&p.r, RBR), 'b');
    rig_run(&p.r, 10 * CHAR_NS);
    ck_assert(!p.irq.level);
    rig_free(&p.r);
}
END_TEST

START_TEST(errors)
{
    struct uart p;
    unsigned i;

    setup(&p);
    out8(&p.r, IER, 5);
    receive(&p, 'a');
    receive(&p, 'b'); /* overrun: the register holds the newer one */
    ck_assert_uint_eq(in8(&p.r, IIR), 0x06);
    ck_assert_uint_eq(in8(&p.r, LSR), 0x63);
    ck_assert_uint_eq(in8(&p.r, LSR), 0x61);
    ck_assert_uint_eq(in8(&p.r, IIR), 0x04);
    ck_assert_uint_eq(in8(&p.r, RBR), 'b');
    out8(&p.r, IIR, 0x07);
    receive(&p, '1');
    uart16550_receive_error(p.d, '2', UART_PARITY_ERROR);
    rig_run(&p.r, CHAR_NS + 1);
    uart16550_receive_error(p.d, 0, UART_BREAK | UART_FRAMING_ERROR);
    rig_run(&p.r, CHAR_NS + 1);
    ck_assert_uint_eq(in8(&p.r, LSR), 0xe1); /* somewhere in the FIFO */
    ck_assert_uint_eq(in8(&p.r, IIR), 0xc4);
    ck_assert_uint_eq(in8(&p.r, RBR), '1');
    ck_assert_uint_eq(in8(&p.r, IIR), 0xc6); /* now it is next */
    ck_assert_uint_eq(in8(&p.r, LSR), 0xe5);
    ck_assert_uint_eq(in8(&p.r, LSR), 0xe1);
    ck_assert_uint_eq(in8(&p.r, RBR), '2');
    ck_assert_uint_eq(in8(&p.r, LSR), 0xf9);
    ck_assert_uint_eq(in8(&p.r, LSR), 0x61);
    ck_assert_uint_eq(in8(&p.r, RBR), 0);
    for (i = 0; i < 17; i++) {
        receive(&p, (uint8_t)i);
    }
    ck_assert_uint_eq(in8(&p.r, LSR), 0x63); /* the seventeenth is lost */
    for (i = 0; i < 16; i++) {
        ck_assert_uint_eq(in8(&p.r, RBR), i);
    }
    receive(&p, 1);
    out8(&p.r, IIR, 0x03); /* clear the receive FIFO */
    ck_assert_uint_eq(in8(&p.r, LSR), 0x60);
    rig_free(&p.r);
}
END_TEST

START_TEST(priorities)
{
    struct uart p;

    setup(&p);
    out8(&p.r, IER, 0x0f);
    in8(&p.r, IIR);
    out8(&p.r, RBR, 0); /* transmitter empty */
    uart16550_modem(p.d, UART_CTS | UART_DCD);
    receive(&p, 'a');
    receive(&p, 'b');
    ck_assert_uint_eq(in8(&p.r, IIR), 0x06);
    in8(&p.r, LSR);
    ck_assert_uint_eq(in8(&p.r, IIR), 0x04);
    in8(&p.r, RBR);
    ck_assert_uint_eq(in8(&p.r, IIR), 0x02); /* the read takes it away */
    ck_assert_uint_eq(in8(&p.r, IIR), 0x00);
    ck_assert_uint_eq(in8(&p.r, MSR), 0x92);
    ck_assert_uint_eq(in8(&p.r, IIR), 0x01);
    ck_assert(!p.irq.level);
    rig_free(&p.r);
}
END_TEST

START_TEST(modem_and_loopback)
{
    struct uart p;

    setup(&p);
    ck_assert(p.dtr && p.rts && !p.brk);
    in8(&p.r, MSR);
    uart16550_modem(p.d, UART_CTS | UART_DSR | UART_DCD | UART_RI);
    ck_assert_uint_eq(in8(&p.r, MSR), 0xf0); /* RI rising is no event */
    uart16550_modem(p.d, UART_CTS | UART_DSR | UART_DCD);
    ck_assert_uint_eq(in8(&p.r, MSR), 0xb4);
    out8(&p.r, MCR, 0x18);
    ck_assert(!p.dtr && !p.rts);
    ck_assert_uint_eq(in8(&p.r, MSR) & 0xf0, 0x80);
    out8(&p.r, MCR, 0x15);
    ck_assert_uint_eq(in8(&p.r, MSR), 0x6a);
    out8(&p.r, MCR, 0x12);
    ck_assert_uint_eq(in8(&p.r, MSR), 0x17); /* CTS and DSR changed, trailing edge of RI */
    out8(&p.r, RBR, 0xc5);
    ck_assert_uint_eq(in8(&p.r, LSR), 0x20);
    rig_run(&p.r, CHAR_NS + 1);
    ck_assert_uint_eq(in8(&p.r, LSR), 0x61);
    ck_assert_uint_eq(in8(&p.r, RBR), 0xc5);
    ck_assert_uint_eq(p.n, 0);
    ck_assert(!uart16550_can_receive(p.d));
    out8(&p.r, LCR, 0x43); /* break comes round */
    ck_assert_uint_eq(in8(&p.r, LSR), 0x71);
    out8(&p.r, LCR, 0x03);
    out8(&p.r, MCR, 0x03);
    out8(&p.r, LCR, 0x43);
    ck_assert(p.dtr && p.rts && p.brk);
    out8(&p.r, RBR, 'x'); /* drowned in the break */
    rig_run(&p.r, 2 * CHAR_NS);
    ck_assert_uint_eq(p.n, 0);
    rig_free(&p.r);
}
END_TEST

START_TEST(snapshot_and_storm)
{
    static const unsigned ports[] = {RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR};
    struct uart p;
    unsigned i;

    setup(&p);
    out8(&p.r, IIR, 0x81);
    out8(&p.r, IER, 0x03);
    for (i = 0; i < 9; i++) {
        out8(&p.r, RBR, (uint8_t)('0' + i));
    }
    receive(&p, 'q');
    uart16550_receive(p.d, 'r');
    rig_run(&p.r, CHAR_NS / 2);
    rig_round_trip(&p.r);
    rig_run(&p.r, 20 * CHAR_NS);
    ck_assert_uint_eq(p.n, 9);
    ck_assert_uint_eq(in8(&p.r, RBR), 'q');
    ck_assert_uint_eq(in8(&p.r, RBR), 'r');
    for (i = 0; i < 5000; i++) {
        p.n = 0;
        if (uart16550_can_receive(p.d) || i % 11 == 0) {
            uart16550_receive_error(p.d, (uint8_t)i, i);
        }
        uart16550_modem(p.d, i * 16);
        rig_storm(&p.r, ports, 8, 1 + i % 6);
    }
    rig_free(&p.r);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, reset_and_plain_registers);
    tcase_add_test(t, transmit);
    tcase_add_test(t, line_never_set);
    tcase_add_test(t, transmit_fifo_and_interrupt);
    tcase_add_test(t, receive_and_triggers);
    tcase_add_test(t, time_out);
    tcase_add_test(t, errors);
    tcase_add_test(t, priorities);
    tcase_add_test(t, modem_and_loopback);
    tcase_add_test(t, snapshot_and_storm);
}

int main(void)
{
    return rig_main("uart16550", add);
}
