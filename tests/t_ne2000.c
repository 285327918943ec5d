/*
 * NE2000 and RTL8029: registers of all pages, remote DMA, receive ring, address filter, counters,
 * loopback, transmitter timing, snapshots.
 */
#include "devices/ne2000.h"

#include "chip_rig.h"
#include "devices/ne2000_pci.h"
#include "devices/pci.h"
#include "memory/bytes.h"

enum { BASE = 0x300, DATA = BASE + 0x10, RESET = BASE + 0x18 };
enum {
    CR = BASE, PSTART, PSTOP, BNRY, TPSR, TBCR0, TBCR1, ISR, RSAR0, RSAR1, RBCR0, RBCR1, RCR, TCR,
    DCR, IMR, TSR = TPSR, NCR = TBCR0, FIFO = TBCR1, CRDA0 = RSAR0, CRDA1 = RSAR1, RSR = RCR,
    CNTR0 = TCR, CNTR1, CNTR2, CURR = ISR
};
/* Values of CR. */
enum { STOP = 0x21, START = 0x22, SEND = 0x26, READ = 0x0a, WRITE = 0x12, PACKET = 0x1a };
/* Layout that drivers use: transmit buffer from 4000h, ring from 4600h to 8000h. */
enum { TX_PAGE = 0x40, RX_PAGE = 0x46, END_PAGE = 0x80 };

struct card {
    struct rig r;
    struct pin irq;
    struct net net;
    struct device *d;
    uint8_t sent[NET_FRAME_MAX];
    size_t sent_len;
    unsigned sends;
    uint64_t sent_at;
};

static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

static void take(struct net *net, const uint8_t *frame, size_t len)
{
    struct card *c = CONTAINER_OF(net, struct card, net);

    memcpy(c->sent, frame, len);
    c->sent_len = len;
    c->sends++;
    c->sent_at = rig_now(&c->r);
}

static const struct net_ops take_ops = {take};

static void card_init(struct card *c, bool rtl)
{
    memset(c, 0, sizeof *c);
    rig_init(&c->r);
    c->net.ops = &take_ops;
    struct ne2000_config cfg = {.port = BASE, .irq = pin_line(&c->irq, &c->r), .net = &c->net,
                                .rtl8029 = rtl};
    memcpy(cfg.mac, mac, sizeof mac);
    c->d = rig_add(&c->r, &ne2000_class, "ne2000", &cfg);
}

static void page(struct card *c, unsigned n)
{
    out8(&c->r, CR, (uint8_t)((in8(&c->r, CR) & 0x03) | 0x20 | n << 6));
}

static void set16(struct card *c, unsigned low, unsigned v)
{
    out8(&c->r, low, (uint8_t)v);
    out8(&c->r, low + 1, (uint8_t)(v >> 8));
}

/* As a driver does it, with word transfers or without. */
static void start(struct card *c, uint8_t dcr, uint8_t rcr)
{
    struct rig *r = &c->r;

    out8(r, CR, STOP);
    out8(r, DCR, dcr);
    set16(c, RBCR0, 0);
    out8(r, RCR, rcr);
    out8(r, TCR, 0x02);
    out8(r, PSTART, RX_PAGE);
    out8(r, PSTOP, END_PAGE);
    out8(r, BNRY, RX_PAGE);
    out8(r, ISR, 0xff);
    out8(r, IMR, 0x00);
    out8(r, CR, STOP | 0x40);
    for (unsigned k = 0; k < 6; k++) {
        out8(r, BASE + 1 + k, mac[k]);
    }
    out8(r, CURR, RX_PAGE + 1);
    out8(r, CR, START);
    out8(r, TCR, 0x00);
}

static void dma(struct card *c, unsigned command, unsigned addr, unsigned count)
{
    set16(c, RSAR0, addr);
    set16(c, RBCR0, count);
    out8(&c->r, CR, (uint8_t)command);
}

static void get(struct card *c, unsigned addr, uint8_t *to, unsigned count)
{
    dma(c, READ, addr, count);
    for (unsigned k = 0; k < count; k++) {
        to[k] = in8(&c->r, DATA);
    }
    ck_assert(in8(&c->r, ISR) & 0x40);
    out8(&c->r, ISR, 0x40);
}

static void put(struct card *c, unsigned addr, const uint8_t *from, unsigned count)
{
    dma(c, WRITE, addr, count);
    for (unsigned k = 0; k < count; k++) {
        out8(&c->r, DATA, from[k]);
    }
    ck_assert(in8(&c->r, ISR) & 0x40);
    out8(&c->r, ISR, 0x40);
}

static void frame_fill(uint8_t *f, const uint8_t *dest, size_t len, unsigned seed)
{
    memcpy(f, dest, 6);
    for (size_t k = 6; k < len; k++) {
        f[k] = (uint8_t)(k * 7 + seed);
    }
}

static uint8_t curr(struct card *c)
{
    page(c, 1);
    uint8_t v = in8(&c->r, CURR);
    page(c, 0);
    return v;
}

/* --- registers -------------------------------------------------------------------------------- */

START_TEST(reset_state)
{
    struct card c;
    card_init(&c, false);
    struct rig *r = &c.r;

    ck_assert_uint_eq(in8(r, CR), 0x21);
    ck_assert_uint_eq(in8(r, ISR), 0x80);
    page(&c, 2);
    ck_assert_uint_eq(in8(r, DCR), 0x84); /* LAS */
    ck_assert_uint_eq(in8(r, TCR) & 0x06, 0);
    ck_assert_uint_eq(in8(r, IMR) & 0x7f, 0);
    page(&c, 0);
    start(&c, 0x48, 0x04);
    ck_assert_uint_eq(in8(r, ISR), 0x00);
    out8(r, IMR, 0x7f);
    ck_assert_uint_eq(in8(r, RESET), 0); /* the reset port */
    ck_assert_uint_eq(in8(r, CR), 0x21);
    ck_assert_uint_eq(in8(r, ISR), 0x80);
    out8(r, RESET, 0);
    /* RST has no interrupt and can't be cleared by writing. */
    out8(r, IMR, 0xff);
    out8(r, ISR, 0xff);
    ck_assert_uint_eq(in8(r, ISR), 0x80);
    ck_assert(!c.irq.level);
    rig_free(r);
}
END_TEST

START_TEST(register_pages)
{
    struct card c;
    card_init(&c, false);
    struct rig *r = &c.r;

    out8(r, PSTART, 0x46);
    out8(r, PSTOP, 0x80);
    out8(r, BNRY, 0x51);
    out8(r, TPSR, 0x41);
    set16(&c, RSAR0, 0x4321);
    out8(r, RCR, 0xff);
    out8(r, TCR, 0xf9);
    out8(r, DCR, 0xff);
    out8(r, IMR, 0xff);
    ck_assert_uint_eq(in8(r, BNRY), 0x51);
    ck_assert_uint_eq(in8(r, CRDA0), 0x21);
    ck_assert_uint_eq(in8(r, CRDA1), 0x43);
    ck_assert_uint_eq(in8(r, NCR), 0);
    ck_assert_uint_eq(in8(r, BASE + 0xa), 0xff);
    ck_assert_uint_eq(in8(r, RSR), 0x40); /* monitor mode disables the receiver */
    page(&c, 2);
    ck_assert_uint_eq(in8(r, PSTART), 0x46);
    ck_assert_uint_eq(in8(r, PSTOP), 0x80);
    ck_assert_uint_eq(in8(r, TPSR), 0x41);
    ck_assert_uint_eq(in8(r, RCR), 0xff);
    ck_assert_uint_eq(in8(r, TCR), 0xf9);
    ck_assert_uint_eq(in8(r, DCR), 0xff);
    ck_assert_uint_eq(in8(r, IMR), 0xff);
    ck_assert_uint_eq(in8(r, BASE + 8), 0xff);
    out8(r, BASE + 1, 0x34); /* CLDA */
    out8(r, BASE + 2, 0x12);
    out8(r, BASE + 3, 0x47);
    out8(r, BASE + 5, 0x48);
    out8(r, BASE + 6, 0xab);
    out8(r, BASE + 7, 0xcd);
    out8(r, RCR, 0x00); /* nothing */
    ck_assert_uint_eq(in8(r, BASE + 3), 0x47);
    ck_assert_uint_eq(in8(r, BASE + 5), 0x48);
    ck_assert_uint_eq(in8(r, BASE + 6), 0xab);
    ck_assert_uint_eq(in8(r, BASE + 7), 0xcd);
    ck_assert_uint_eq(in8(r, RCR), 0xff);
    page(&c, 0);
    ck_assert_uint_eq(in8(r, BASE + 1), 0x34);
    ck_assert_uint_eq(in8(r, BASE + 2), 0x12);
    page(&c, 1);
    for (unsigned k = 1; k < 16; k++) {
        out8(r, BASE + k, (uint8_t)(k * 17));
    }
    for (unsigned k = 1; k < 16; k++) {
        ck_assert_uint_eq(in8(r, BASE + k), k * 17);
    }
    /* Wider accesses are those of neighbours. */
    ck_assert_uint_eq(bus_read(r->env.io, BASE + 1, 2), 0x2211);
    bus_write(r->env.io, BASE + 1, 2, 0xbeef);
    ck_assert_uint_eq(in8(r, BASE + 1), 0xef);
    ck_assert_uint_eq(in8(r, BASE + 2), 0xbe);
    /* ... also across the end of the registers: the data port follows. */
    ck_assert_uint_eq(bus_read(r->env.io, BASE + 0x0e, 4), 0xffffffeeu);
    page(&c, 3);
    ck_assert_uint_eq(in8(r, BASE + 3), 0xff); /* no such page here */
    out8(r, BASE + 3, 0);
    rig_free(r);
}
END_TEST

START_TEST(command_register)
{
    struct card c;
    card_init(&c, false);
    struct rig *r = &c.r;

    out8(r, CR, 0x20); /* neither STA nor STP */
    ck_assert_uint_eq(in8(r, CR), 0x21);
    out8(r, CR, 0x25); /* no transmission while stopped */
    ck_assert_uint_eq(in8(r, CR), 0x21);
    out8(r, CR, START);
    ck_assert_uint_eq(in8(r, CR), 0x22);
    ck_assert_uint_eq(in8(r, ISR) & 0x80, 0);
    out8(r, CR, STOP);
    ck_assert_uint_eq(in8(r, CR), 0x23); /* STA stays */
    ck_assert_uint_eq(in8(r, ISR) & 0x80, 0x80);
    rig_free(r);
}
END_TEST

/* --- remote DMA ------------------------------------------------------------------------------- */

START_TEST(prom)
{
    struct card c;
    uint8_t p[32];
    card_init(&c, false);

    start(&c, 0x48, 0x04);
    get(&c, 0, p, 32);
    for (unsigned k = 0; k < 32; k++) {
        ck_assert_uint_eq(p[k], k < 12 ? mac[k / 2] : k >= 28 ? 0x57 : 0);
    }
    /* The PROM is read-only; above the RAM is nothing. */
    uint8_t b = 0xaa;
    put(&c, 0, &b, 1);
    get(&c, 0, p, 1);
    ck_assert_uint_eq(p[0], 0x52);
    put(&c, 0x8000, &b, 1);
    get(&c, 0x8000, p, 1);
    ck_assert_uint_eq(p[0], 0xff);
    rig_free(&c.r);
}
END_TEST

START_TEST(remote_dma)
{
    struct card c;
    uint8_t a[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, b[9];
    card_init(&c, false);
    struct rig *r = &c.r;

    start(&c, 0x48, 0x04);
    out8(r, IMR, 0x40);
    put(&c, 0x4001, a, 9);
    ck_assert_uint_eq(c.irq.rises, 1);
    ck_assert(!c.irq.level);
    get(&c, 0x4001, b, 9);
    ck_assert_int_eq(memcmp(a, b, 9), 0);
    ck_assert_uint_eq(in8(r, CRDA0), 0x0a);
    ck_assert_uint_eq(in8(r, CRDA1), 0x40);
    /* Nothing is there without a transfer, in the wrong direction or after the last byte. */
    ck_assert_uint_eq(in8(r, DATA), 0xff);
    dma(&c, READ, 0x4001, 1);
    out8(r, DATA, 0x77);
    ck_assert_uint_eq(in8(r, DATA), 1);
    dma(&c, WRITE, 0x4001, 1);
    ck_assert_uint_eq(in8(r, DATA), 0xff);
    out8(r, CR, START); /* aborted */
    out8(r, DATA, 0x55);
    get(&c, 0x4001, b, 1);
    ck_assert_uint_eq(b[0], 1);
    /* A transfer of nothing is done at once. */
    dma(&c, READ, 0x4000, 0);
    ck_assert(in8(r, ISR) & 0x40);
    out8(r, ISR, 0x40);
    /* Wrap at PSTOP. */
    put(&c, 0x7ffe, a, 4);
    get(&c, 0x4600, b, 2);
    ck_assert_uint_eq(b[0], 3);
    ck_assert_uint_eq(b[1], 4);
    get(&c, 0x7ffe, b, 4);
    ck_assert_int_eq(memcmp(a, b, 4), 0);
    rig_free(r);
}
END_TEST

START_TEST(word_dma)
{
    struct card c;
    card_init(&c, false);
    struct rig *r = &c.r;
    struct bus *io = r->env.io;

    start(&c, 0x49, 0x04);
    dma(&c, WRITE, 0x4000, 7);
    bus_write(io, DATA, 2, 0x2211);
    bus_write(io, DATA, 4, 0x66554433);
    ck_assert(!(in8(r, ISR) & 0x40));
    bus_write(io, DATA, 1, 0x77); /* the odd byte at the end */
    ck_assert(in8(r, ISR) & 0x40);
    dma(&c, READ, 0x4000, 8);
    ck_assert_uint_eq(bus_read(io, DATA, 4), 0x44332211);
    ck_assert_uint_eq(bus_read(io, DATA, 2), 0x6655);
    ck_assert_uint_eq(bus_read(io, DATA, 1), 0x77);
    ck_assert_uint_eq(bus_read(io, DATA, 2), 0xffff);
    /* In byte mode a wide access is as many transfers. */
    out8(r, DCR, 0x48);
    dma(&c, READ, 0x4000, 6);
    ck_assert_uint_eq(bus_read(io, DATA, 2), 0x2211);
    ck_assert_uint_eq(bus_read(io, DATA, 4), 0x66554433);
    dma(&c, WRITE, 0x4000, 2);
    bus_write(io, DATA, 2, 0xbbaa);
    dma(&c, READ, 0x4000, 2);
    ck_assert_uint_eq(bus_read(io, DATA, 2), 0xbbaa);
    rig_free(r);
}
END_TEST

/* --- transmitter ------------------------------------------------------------------------------ */

START_TEST(transmit)
{
    struct card c;
    uint8_t f[64];
    card_init(&c, false);
    struct rig *r = &c.r;

    start(&c, 0x48, 0x04);
    out8(r, IMR, 0x02);
    frame_fill(f, mac, 64, 1);
    put(&c, TX_PAGE << 8, f, 64);
    out8(r, TPSR, TX_PAGE);
    set16(&c, TBCR0, 64);
    uint64_t t = rig_now(r);
    out8(r, CR, SEND);
    ck_assert_uint_eq(in8(r, CR), 0x26);
    /* The registers may be set for the next frame; STP lets this one finish. */
    out8(r, TPSR, 0x70);
    set16(&c, TBCR0, 1);
    out8(r, CR, STOP);
    ck_assert_uint_eq(in8(r, ISR) & 0x80, 0);
    rig_run(r, 1000000);
    ck_assert_uint_eq(c.sends, 1);
    ck_assert_uint_eq(c.sent_len, 64);
    ck_assert_int_eq(memcmp(c.sent, f, 64), 0);
    ck_assert_uint_eq(c.sent_at - t, (8 + 64 + 4 + 12) * 800);
    ck_assert_uint_eq(in8(r, CR), 0x23);
    ck_assert_uint_eq(in8(r, TSR) & 0xfd, 0x01);
    ck_assert_uint_eq(in8(r, ISR), 0x82);
    ck_assert(c.irq.level);
    out8(r, ISR, 0x02);
    ck_assert(!c.irq.level);
    ck_assert_uint_eq(in8(r, BASE + 1), 0x40); /* CLDA */
    ck_assert_uint_eq(in8(r, BASE + 2), 0x40);
    /* With TCR.CRC the last four bytes are the guest's own check sequence. */
    out8(r, CR, START);
    out8(r, TCR, 0x01);
    out8(r, TPSR, TX_PAGE);
    set16(&c, TBCR0, 64);
    out8(r, CR, SEND);
    rig_run(r, 1000000);
    ck_assert_uint_eq(c.sends, 2);
    ck_assert_uint_eq(c.sent_len, 60);
    /* Far too long: cut off; without a cable: no carrier. */
    out8(r, TCR, 0x00);
    set16(&c, TBCR0, 0xffff);
    out8(r, CR, SEND);
    rig_run(r, 60000000);
    ck_assert_uint_eq(c.sends, 2);
    ne2000_set_link(c.d, false);
    set16(&c, TBCR0, 64);
    out8(r, CR, SEND);
    rig_run(r, 1000000);
    ck_assert_uint_eq(c.sends, 2);
    ck_assert_uint_eq(in8(r, TSR) & 0xfd, 0x11);
    rig_free(r);
}
END_TEST

/* A multicast address whose hash is bit n. */
static void address_of_hash(unsigned n, uint8_t *a)
{
    for (unsigned k = 0; k < 0x10000; k++) {
        memcpy(a, "\x01\x00\x5e\x00", 4);
        a[4] = (uint8_t)(k >> 8);
        a[5] = (uint8_t)k;
        uint32_t crc = ~snap_crc32(0, a, 6), h = 0;
        for (unsigned b = 0; b < 6; b++) {
            h |= (crc >> b & 1) << (5 - b);
        }
        if (h == n) {
            return;
        }
    }
    ck_abort_msg("no address");
}

START_TEST(auto_disable)
{
    struct card c;
    uint8_t off[60] = {0}, on[60] = {0};
    card_init(&c, false);
    struct rig *r = &c.r;

    start(&c, 0x48, 0x08);
    page(&c, 1);
    for (unsigned k = 0; k < 8; k++) {
        out8(r, BASE + 8 + k, 0xff);
    }
    page(&c, 0);
    address_of_hash(62, off);
    address_of_hash(63, on);
    out8(r, TCR, 0x08);
    ne2000_receive(c.d, off, 60);
    set16(&c, TBCR0, 60);
    out8(r, TPSR, TX_PAGE);
    out8(r, CR, SEND);
    rig_run(r, 10000000);
    ck_assert_uint_eq(c.sends, 0);
    ck_assert_uint_eq(in8(r, CR), 0x26);
    rig_round_trip(r);
    ne2000_receive(c.d, on, 60);
    rig_run(r, 10000000);
    ck_assert_uint_eq(c.sends, 1);
    ne2000_receive(c.d, off, 60);
    out8(r, CR, SEND);
    out8(r, TCR, 0x00); /* ATD itself switched off */
    rig_run(r, 10000000);
    ck_assert_uint_eq(c.sends, 2);
    rig_free(r);
}
END_TEST

/* --- receiver --------------------------------------------------------------------------------- */

START_TEST(receive)
{
    struct card c;
    uint8_t f[300], b[312];
    card_init(&c, false);
    struct rig *r = &c.r;

    start(&c, 0x48, 0x04);
    out8(r, IMR, 0x01);
    frame_fill(f, mac, 300, 3);
    ne2000_receive(c.d, f, 300);
    ck_assert(c.irq.level);
    ck_assert_uint_eq(in8(r, ISR), 0x01);
    ck_assert_uint_eq(in8(r, RSR), 0x01);
    ck_assert_uint_eq(curr(&c), RX_PAGE + 3);
    get(&c, (RX_PAGE + 1) << 8, b, 308);
    ck_assert_uint_eq(b[0], 0x01);
    ck_assert_uint_eq(b[1], RX_PAGE + 3);
    ck_assert_uint_eq(get16(b + 2), 304);
    ck_assert_int_eq(memcmp(b + 4, f, 300), 0);
    ck_assert_uint_eq(get32(b + 304), snap_crc32(0, f, 300));
    ck_assert_uint_eq(in8(r, BASE + 2), RX_PAGE + 2);
    page(&c, 2);
    ck_assert_uint_eq(in8(r, BASE + 5), RX_PAGE + 3);
    page(&c, 0);
    /* Stopped, looped back or without a cable nothing comes in. */
    out8(r, ISR, 0xff);
    out8(r, CR, STOP);
    ne2000_receive(c.d, f, 300);
    out8(r, CR, START);
    out8(r, TCR, 0x02);
    ne2000_receive(c.d, f, 300);
    out8(r, TCR, 0x00);
    ne2000_set_link(c.d, false);
    ne2000_receive(c.d, f, 300);
    ne2000_set_link(c.d, true);
    ck_assert_uint_eq(in8(r, ISR), 0x00);
    ck_assert_uint_eq(curr(&c), RX_PAGE + 3);
    rig_free(r);
}
END_TEST

START_TEST(byte_order)
{
    struct card c;
    uint8_t f[60];
    card_init(&c, false);
    struct bus *io = c.r.env.io;

    start(&c, 0x4b, 0x04); /* words, high byte first */
    frame_fill(f, mac, 60, 3);
    ne2000_receive(c.d, f, 60);
    dma(&c, READ, (RX_PAGE + 1) << 8, 8);
    ck_assert_uint_eq(bus_read(io, DATA, 2), (RX_PAGE + 2) << 8 | 1);
    ck_assert_uint_eq(bus_read(io, DATA, 2), 64 << 8);
    ck_assert_uint_eq(bus_read(io, DATA, 2), mac[0] << 8 | mac[1]);
    out8(&c.r, DCR, 0x49 | 0x12);
    dma(&c, PACKET, 0, 0x0f00);
    for (unsigned k = 0; k < 32; k++) {
        bus_read(io, DATA, 2);
    }
    /* and out the same way */
    out8(&c.r, TPSR, RX_PAGE + 1);
    set16(&c, TBCR0, 64);
    out8(&c.r, CR, SEND);
    rig_run(&c.r, 1000000);
    ck_assert_int_eq(memcmp(c.sent + 4, f, 60), 0);
    rig_free(&c.r);
}
END_TEST

START_TEST(filter)
{
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
    struct card c;
    uint8_t own[60] = {0}, other[60] = {0}, bc[60] = {0}, mc[60] = {0}, mc2[60] = {0};
    card_init(&c, false);
    struct rig *r = &c.r;
    const struct {
        uint8_t rcr;
        bool own, other, bc, mc, mc2;
    } want[] = {
        {0x00, true, false, false, false, false}, {0x04, true, false, true, false, false},
        {0x08, true, false, false, true, false},  {0x10, true, true, false, false, false},
        {0x1c, true, true, true, true, false},
    };

    memcpy(own, mac, 6);
    memcpy(other, "\x00\x11\x22\x33\x44\x55", 6);
    memcpy(bc, all, 6);
    address_of_hash(19, mc);
    address_of_hash(20, mc2);
    for (unsigned k = 0; k < ARRAY_LEN(want); k++) {
        const uint8_t *f[5] = {own, other, bc, mc, mc2};
        bool yes[5] = {want[k].own, want[k].other, want[k].bc, want[k].mc, want[k].mc2};

        for (unsigned n = 0; n < 5; n++) {
            start(&c, 0x48, want[k].rcr);
            page(&c, 1);
            out8(r, BASE + 8 + 2, 1 << 3); /* bit 19 */
            page(&c, 0);
            ne2000_receive(c.d, f[n], 60);
            ck_assert_msg((in8(r, ISR) & 1) == yes[n], "rcr %02x frame %u", want[k].rcr, n);
            if (yes[n]) {
                ck_assert_uint_eq(in8(r, RSR), n >= 2 ? 0x21 : 0x01);
            }
        }
    }
    rig_free(r);
}
END_TEST

START_TEST(runts_and_damage)
{
    struct card c;
    uint8_t f[60] = {0};
    card_init(&c, false);
    struct rig *r = &c.r;

    memcpy(f, mac, 6);
    start(&c, 0x48, 0x04);
    ne2000_receive(c.d, f, 59);
    ne2000_receive(c.d, f, 3);
    ck_assert_uint_eq(in8(r, ISR), 0);
    out8(r, RCR, 0x02);
    ne2000_receive(c.d, f, 20);
    ne2000_receive(c.d, f, 3);
    ck_assert_uint_eq(in8(r, ISR), 1);
    ck_assert_uint_eq(curr(&c), RX_PAGE + 2);
    out8(r, ISR, 0xff);
    ne2000_receive_damaged(c.d, f, 60, NE2000_BAD_CRC);
    ck_assert_uint_eq(in8(r, ISR), 0x04);
    ck_assert_uint_eq(in8(r, RSR), 0x02);
    ne2000_receive_damaged(c.d, f, 60, NE2000_MISALIGNED);
    ck_assert_uint_eq(in8(r, RSR), 0x06);
    ck_assert_uint_eq(in8(r, CNTR0), 1);
    ck_assert_uint_eq(in8(r, CNTR0), 0);
    ck_assert_uint_eq(in8(r, CNTR1), 1);
    ck_assert_uint_eq(curr(&c), RX_PAGE + 2);
    /* SEP keeps them, without PRX. */
    out8(r, RCR, 0x01);
    out8(r, ISR, 0xff);
    ne2000_receive_damaged(c.d, f, 60, NE2000_BAD_CRC);
    ck_assert_uint_eq(in8(r, ISR), 0x04);
    ck_assert_uint_eq(curr(&c), RX_PAGE + 3);
    uint8_t h[4];
    get(&c, (RX_PAGE + 2) << 8, h, 4);
    ck_assert_uint_eq(h[0], 0x02);
    rig_free(r);
}
END_TEST

START_TEST(tallies)
{
    struct card c;
    uint8_t f[60] = {0};
    card_init(&c, false);
    struct rig *r = &c.r;

    memcpy(f, mac, 6);
    start(&c, 0x48, 0x20); /* monitor: looks, keeps nothing */
    ne2000_receive(c.d, f, 60);
    ck_assert_uint_eq(in8(r, RSR), 0x50);
    ck_assert_uint_eq(curr(&c), RX_PAGE + 1);
    ck_assert_uint_eq(in8(r, CNTR2), 1);
    for (unsigned k = 0; k < 127; k++) {
        ne2000_receive(c.d, f, 60);
    }
    ck_assert_uint_eq(in8(r, ISR) & 0x20, 0);
    ne2000_receive(c.d, f, 60);
    ck_assert_uint_eq(in8(r, ISR) & 0x20, 0x20);
    for (unsigned k = 0; k < 200; k++) {
        ne2000_receive(c.d, f, 60);
    }
    ck_assert_uint_eq(in8(r, CNTR2), 192);
    ck_assert_uint_eq(in8(r, CNTR2), 0);
    ne2000_receive_damaged(c.d, f, 60, NE2000_BAD_CRC);
    ck_assert_uint_eq(in8(r, CNTR1), 1);
    rig_free(r);
}
END_TEST

/* The ring with a reader that keeps up: frames of many sizes, across the end of the ring. */
START_TEST(ring)
{
    struct card c;
    uint8_t f[1514], b[1522], next = RX_PAGE + 1;
    card_init(&c, false);
    struct rig *r = &c.r;

    start(&c, 0x49, 0x04);
    for (unsigned n = 0; n < 300; n++) {
        unsigned len = 60 + n * 131 % 1455, head;

        frame_fill(f, mac, len, n);
        ne2000_receive(c.d, f, len);
        ck_assert_uint_eq(in8(r, ISR), 0x01);
        out8(r, ISR, 0x01);
        dma(&c, READ, next << 8, 4);
        put16(b, (uint16_t)bus_read(r->env.io, DATA, 2));
        put16(b + 2, (uint16_t)bus_read(r->env.io, DATA, 2));
        head = get16(b + 2);
        ck_assert_uint_eq(head, len + 4);
        dma(&c, READ, (next << 8) + 4, (len + 1) & ~1u); /* wraps by itself */
        for (unsigned k = 0; k < len; k += 2) {
            put16(b + 4 + k, (uint16_t)bus_read(r->env.io, DATA, 2));
        }
        ck_assert_int_eq(memcmp(b + 4, f, len), 0);
        out8(r, ISR, 0x40);
        next = b[1];
        ck_assert_uint_eq(next, curr(&c));
        ck_assert(next >= RX_PAGE && next < END_PAGE);
        out8(r, BNRY, next == RX_PAGE ? END_PAGE - 1 : next - 1);
    }
    rig_free(r);
}
END_TEST

START_TEST(overflow)
{
    struct card c;
    uint8_t f[1514], h[4];
    unsigned n = 0;
    card_init(&c, false);
    struct rig *r = &c.r;

    start(&c, 0x48, 0x04);
    out8(r, IMR, 0x10);
    frame_fill(f, mac, sizeof f, 0);
    while (!(in8(r, ISR) & 0x10)) {
        ne2000_receive(c.d, f, sizeof f);
        n++;
        ck_assert_uint_le(n, 20);
    }
    /* 58 pages, one of them the boundary and one kept free; six to a frame. */
    ck_assert_uint_eq(n, 9 + 1);
    ck_assert(c.irq.level);
    ck_assert_uint_eq(in8(r, ISR), 0x95); /* RST shows the overflow */
    ck_assert_uint_eq(in8(r, RSR), 0x10);
    ck_assert_uint_eq(in8(r, CNTR2), 1);
    uint8_t at = curr(&c);
    /* Also a small one is missed until room is made. */
    ne2000_receive(c.d, f, 60);
    ck_assert_uint_eq(in8(r, CNTR2), 1);
    ck_assert_uint_eq(curr(&c), at);
    rig_round_trip(r);
    get(&c, (RX_PAGE + 1) << 8, h, 4);
    out8(r, BNRY, h[1] - 1);
    ck_assert_uint_eq(in8(r, ISR) & 0x80, 0);
    out8(r, ISR, 0x7f);
    ne2000_receive(c.d, f, 60);
    ck_assert_uint_eq(in8(r, ISR), 0x01);
    /* A boundary outside of the ring is no boundary, but pages still wrap. */
    out8(r, BNRY, 0x10);
    for (n = 0; n < 40; n++) {
        ne2000_receive(c.d, f, sizeof f);
        ck_assert(curr(&c) >= RX_PAGE && curr(&c) < END_PAGE);
    }
    rig_free(r);
}
END_TEST

START_TEST(equal_pointers)
{
    struct card c;
    uint8_t f[60];
    card_init(&c, false);
    struct rig *r = &c.r;

    start(&c, 0x48, 0x04);
    page(&c, 1);
    out8(r, CURR, RX_PAGE); /* as the data sheet starts: CURR = BNRY, an empty ring */
    page(&c, 0);
    frame_fill(f, mac, 60, 0);
    for (unsigned n = 0; n < END_PAGE - RX_PAGE - 1; n++) {
        ne2000_receive(c.d, f, 60);
        ck_assert_uint_eq(in8(r, ISR), 0x01);
    }
    ne2000_receive(c.d, f, 60); /* would make a full ring look empty */
    ck_assert_uint_eq(in8(r, ISR) & 0x10, 0x10);
    rig_free(r);
}
END_TEST

START_TEST(send_packet)
{
    struct card c;
    uint8_t f[60], b[64];
    card_init(&c, false);
    struct rig *r = &c.r;

    start(&c, 0x58, 0x04); /* ARM */
    page(&c, 1);
    out8(r, CURR, RX_PAGE);
    page(&c, 0);
    for (unsigned n = 0; n < 2; n++) {
        frame_fill(f, mac, 60, n);
        ne2000_receive(c.d, f, 60);
    }
    for (unsigned n = 0; n < 2; n++) {
        frame_fill(f, mac, 60, n);
        out8(r, RBCR1, 0x0f);
        out8(r, CR, PACKET);
        ck_assert_uint_eq(in8(r, CRDA1), RX_PAGE + n);
        for (unsigned k = 0; k < 64; k++) {
            b[k] = in8(r, DATA);
        }
        ck_assert_int_eq(memcmp(b + 4, f, 60), 0);
        ck_assert(in8(r, ISR) & 0x40);
        out8(r, ISR, 0x40);
        ck_assert_uint_eq(in8(r, BNRY), RX_PAGE + n + 1);
    }
    out8(r, DCR, 0x48); /* without ARM there is no such command */
    out8(r, CR, PACKET);
    ck_assert_uint_eq(in8(r, DATA), 0xff);
    ck_assert_uint_eq(in8(r, ISR) & 0x40, 0);
    rig_free(r);
}
END_TEST

/* --- loopback --------------------------------------------------------------------------------- */

static void loop(struct card *c, uint8_t tcr, const uint8_t *f, unsigned len)
{
    put(c, TX_PAGE << 8, f, len);
    out8(&c->r, TCR, tcr);
    out8(&c->r, TPSR, TX_PAGE);
    set16(c, TBCR0, len);
    out8(&c->r, ISR, 0xff);
    out8(&c->r, CR, SEND);
    rig_run(&c->r, 1000000);
}

START_TEST(loopback_modes)
{
    static const struct {
        uint8_t tcr, tsr;
        unsigned sends;
    } want[] = {{0x02, 0x53, 0}, {0x04, 0x43, 0}, {0x06, 0x03, 1}};
    struct card c;
    uint8_t f[65]; /* and the sequence appended: 8n + 5 bytes */
    card_init(&c, false);
    struct rig *r = &c.r;

    start(&c, 0x40, 0x04);
    frame_fill(f, mac, 65, 9);
    uint32_t crc = snap_crc32(0, f, 65);
    for (unsigned k = 0; k < 3; k++) {
        c.sends = 0;
        loop(&c, want[k].tcr, f, 65);
        ck_assert_uint_eq(in8(r, TSR), want[k].tsr);
        ck_assert_uint_eq(in8(r, RSR), 0x02);
        ck_assert_uint_eq(in8(r, ISR), 0x02);
        ck_assert_uint_eq(c.sends, want[k].sends);
        uint8_t fifo[8];
        for (unsigned n = 0; n < 8; n++) {
            fifo[n] = in8(r, FIFO);
        }
        ck_assert_uint_eq(fifo[0], f[64]);
        ck_assert_uint_eq(get32(fifo + 1), crc);
        ck_assert_uint_eq(fifo[5], 69);
        ck_assert_uint_eq(fifo[6], 0);
        ck_assert_uint_eq(fifo[7], 0);
        ck_assert_uint_eq(curr(&c), RX_PAGE + 1);
    }
    ck_assert_uint_eq(in8(r, CNTR1), 3);
    /* Not selected in DCR: the frame only goes nowhere. */
    out8(r, DCR, 0x48);
    out8(r, TCR, 0x02);
    c.sends = 0;
    out8(r, CR, SEND);
    rig_run(r, 1000000);
    ck_assert_uint_eq(c.sends, 0);
    ck_assert_uint_eq(in8(r, CNTR1), 0);
    rig_free(r);
}
END_TEST

START_TEST(loopback_check)
{
    struct card c;
    uint8_t f[69];
    card_init(&c, false);
    struct rig *r = &c.r;

    start(&c, 0x40, 0x04);
    frame_fill(f, mac, 65, 9);
    put32(f + 65, snap_crc32(0, f, 65));
    loop(&c, 0x03, f, 69); /* the guest's own sequence, good */
    ck_assert_uint_eq(in8(r, RSR), 0x01);
    f[30] ^= 1;
    loop(&c, 0x03, f, 69);
    ck_assert_uint_eq(in8(r, RSR), 0x02);
    f[30] ^= 1;
    loop(&c, 0x03, f, 69);
    f[5] ^= 1; /* not our address: nothing is told */
    loop(&c, 0x03, f, 69);
    ck_assert_uint_eq(in8(r, RSR), 0x01);
    memset(f, 0xff, 6);
    loop(&c, 0x03, f, 69);
    ck_assert_uint_eq(in8(r, RSR), 0x22);
    loop(&c, 0x02, f, 1); /* shorter than a check sequence */
    ck_assert_uint_eq(in8(r, FIFO), 0xff);
    rig_free(r);
}
END_TEST

START_TEST(loopback_words)
{
    struct card c;
    uint8_t f[140] = {0}, fifo[8];
    card_init(&c, false);
    struct rig *r = &c.r;

    for (unsigned bos = 0; bos < 2; bos++) {
        memset(f, 0xee, sizeof f);
        for (unsigned k = 0; k < 65; k++) { /* one byte of each word takes part */
            f[2 * k + bos] = (uint8_t)(k < 6 ? mac[k] : k);
        }
        start(&c, 0x40, 0x04);
        put(&c, TX_PAGE << 8, f, 130);
        out8(r, DCR, (uint8_t)(0x41 | bos << 1));
        out8(r, TCR, 0x02);
        out8(r, TPSR, TX_PAGE);
        set16(&c, TBCR0, 130);
        out8(r, CR, SEND);
        rig_run(r, 1000000);
        for (unsigned n = 0; n < 8; n++) {
            fifo[n] = in8(r, FIFO);
        }
        ck_assert_uint_eq(fifo[0], 64);
        ck_assert_uint_eq(fifo[5], 69);
    }
    rig_free(r);
}
END_TEST

/* --- RTL8029 ---------------------------------------------------------------------------------- */

START_TEST(rtl8029)
{
    struct card c;
    uint8_t b = 0x5a, f[60];
    card_init(&c, true);
    struct rig *r = &c.r;

    ck_assert_uint_eq(in8(r, BASE + 0xa), 0x50);
    ck_assert_uint_eq(in8(r, BASE + 0xb), 0x43);
    start(&c, 0x48, 0x04);
    put(&c, 0xbfff, &b, 1);
    b = 0;
    get(&c, 0xbfff, &b, 1);
    ck_assert_uint_eq(b, 0x5a);
    page(&c, 3);
    ck_assert_uint_eq(in8(r, BASE + 3), 0x00);
    ck_assert_uint_eq(in8(r, BASE + 5), 0x00);
    ck_assert_uint_eq(in8(r, BASE + 0xe), 0x29);
    ck_assert_uint_eq(in8(r, BASE + 0xf), 0x80);
    ck_assert_uint_eq(in8(r, BASE + 2), 0xff);
    out8(r, BASE + 6, 0x40); /* locked */
    ck_assert_uint_eq(in8(r, BASE + 6), 0x00);
    ne2000_set_link(c.d, false);
    ck_assert_uint_eq(in8(r, BASE + 3), 0x04);
    ne2000_set_link(c.d, true);
    out8(r, BASE + 1, 0xc0);
    ck_assert_uint_eq(in8(r, BASE + 1) & 0xc0, 0xc0);
    out8(r, BASE + 6, 0x40);
    out8(r, BASE + 5, 0xc0);
    ck_assert_uint_eq(in8(r, BASE + 6), 0x40);
    ck_assert_uint_eq(in8(r, BASE + 3), 0x04); /* thin wire chosen */
    rig_round_trip(r);
    /* Asleep nothing is received. */
    frame_fill(f, mac, 60, 0);
    out8(r, BASE + 6, 0x02);
    ne2000_receive(c.d, f, 60);
    out8(r, BASE + 6, 0x00);
    out8(r, BASE + 9, 'H');
    out8(r, BASE + 9, 'x');
    ne2000_receive(c.d, f, 60);
    page(&c, 0);
    ck_assert_uint_eq(in8(r, ISR), 0);
    page(&c, 3);
    out8(r, BASE + 9, 'R');
    ne2000_receive(c.d, f, 60);
    page(&c, 0);
    ck_assert_uint_eq(in8(r, ISR), 1);
    page(&c, 3);
    out8(r, BASE + 1, 0x40); /* load the configuration again */
    ck_assert_uint_eq(in8(r, BASE + 5), 0x00);
    rig_free(r);
}
END_TEST

static void pci_out(struct rig *r, unsigned reg, unsigned size, uint32_t v)
{
    bus_write(r->env.io, 0xcf8, 4, 0x80000000u | 3 << 11 | (reg & 0xfc));
    bus_write(r->env.io, 0xcfc + (reg & 3), size, v);
}

static uint32_t pci_in(struct rig *r, unsigned reg, unsigned size)
{
    bus_write(r->env.io, 0xcf8, 4, 0x80000000u | 3 << 11 | (reg & 0xfc));
    return (uint32_t)bus_read(r->env.io, 0xcfc + (reg & 3), size);
}

static void route(void *to, unsigned line UNUSED, bool level)
{
    pin_set(to, 0, level);
}

START_TEST(pci_shell)
{
    struct rig r;
    struct pin irq = {0};
    static const uint8_t rom[3000] = {0x55, 0xaa, 6, [0x18] = 0x40, [0x40] = 'P', 'C', 'I', 'R'};
    rig_init(&r);
    struct device *pci = rig_add(&r, &pci_class, "pci", NULL);
    struct ne2000_config cfg = {.rtl8029 = true};
    struct device *nic = rig_add(&r, &ne2000_class, "ne2000", &cfg);

    pci_set_router(pci, route, &irq);
    rig_add(&r, &ne2000_pci_class, "ne2000_pci",
            &(struct ne2000_pci_config){nic, pci, PCI_DEVFN(3, 0), rom, sizeof rom});
    ck_assert_uint_eq(pci_in(&r, 0, 4), 0x802910ec);
    ck_assert_uint_eq(pci_in(&r, 8, 4), 0x02000000);
    ck_assert_uint_eq(pci_in(&r, 0x2c, 4), 0x802910ec);
    ck_assert_uint_eq(pci_in(&r, 0x3d, 1), 1);
    pci_out(&r, 0x10, 4, 0xffffffff);
    ck_assert_uint_eq(pci_in(&r, 0x10, 4), 0xffffffe1);
    pci_out(&r, 0x30, 4, 0xffffffff);
    ck_assert_uint_eq(pci_in(&r, 0x30, 4), 0xfffff001);
    pci_out(&r, 0x10, 4, 0xc100);
    pci_out(&r, 0x30, 4, 0xfe000001);
    pci_out(&r, 4, 2, 7);
    ck_assert_uint_eq(pci_in(&r, 4, 2), 3); /* no bus master */
    ck_assert_uint_eq(in8(&r, 0xc100), 0x21);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xfe000000, 2), 0xaa55);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xfe000fff, 1), 0xff);
    /* The open numbers are filled in, and the sum stays. */
    ck_assert_uint_eq(bus_read(r.env.mem, 0xfe000044, 4), 0x802910ec);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xfe000006, 1), (uint8_t) - (0x80 + 0x29 + 0x10 + 0xec));
    /* A remote DMA of nothing raises RDC. */
    out8(&r, 0xc10f, 0x40);
    out8(&r, 0xc100, 0x0a);
    ck_assert(irq.level);
    rig_round_trip(&r);
    ck_assert_uint_eq(in8(&r, 0xc107), 0x40);
    out8(&r, 0xc107, 0x40);
    ck_assert(!irq.level);
    rig_free(&r);
}
END_TEST

START_TEST(pci_rom_too_big)
{
    struct rig r;
    struct err e = {""};
    rig_init(&r);
    struct device *pci = rig_add(&r, &pci_class, "pci", NULL);
    struct device *nic = rig_add(&r, &ne2000_class, "ne2000", &(struct ne2000_config){0});

    ck_assert_ptr_null(device_new(&r.env, &ne2000_pci_class, "x",
                                  &(struct ne2000_pci_config){nic, pci, 24, "", 300000}, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "300000"));
    rig_free(&r);
}
END_TEST

/* --- state ------------------------------------------------------------------------------------ */

START_TEST(round_trip)
{
    struct card c;
    uint8_t f[200];
    card_init(&c, false);
    struct rig *r = &c.r;

    start(&c, 0x49, 0x1c);
    out8(r, IMR, 0x3f);
    frame_fill(f, mac, 200, 5);
    ne2000_receive(c.d, f, 200);
    put(&c, TX_PAGE << 8, f, 8);
    set16(&c, TBCR0, 100);
    out8(r, TPSR, TX_PAGE);
    out8(r, CR, SEND);
    rig_run(r, 1000);
    dma(&c, READ, 0x4700, 100);
    bus_read(r->env.io, DATA, 2);
    rig_round_trip(r);
    ck_assert_uint_eq(bus_read(r->env.io, DATA, 2), 204);
    rig_run(r, 1000000);
    ck_assert_uint_eq(c.sends, 1);
    ck_assert_uint_eq(in8(r, ISR) & 3, 3);
    rig_free(r);
}
END_TEST

START_TEST(storm)
{
    struct card c;
    unsigned ports[32];
    uint8_t f[NET_FRAME_MAX] = {0};
    card_init(&c, true);

    for (unsigned k = 0; k < 32; k++) {
        ports[k] = BASE + k % 24; /* the reset port less often */
    }
    ports[31] = RESET;
    for (unsigned k = 0; k < 200; k++) {
        rig_storm(&c.r, ports, 32, 500);
        out8(&c.r, CR, START);
        f[0] = (uint8_t)k;
        ne2000_receive(c.d, f, k * 8 % sizeof f);
    }
    rig_round_trip(&c.r);
    rig_free(&c.r);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, reset_state);
    tcase_add_test(t, register_pages);
    tcase_add_test(t, command_register);
    tcase_add_test(t, prom);
    tcase_add_test(t, remote_dma);
    tcase_add_test(t, word_dma);
    tcase_add_test(t, transmit);
    tcase_add_test(t, auto_disable);
    tcase_add_test(t, receive);
    tcase_add_test(t, byte_order);
    tcase_add_test(t, filter);
    tcase_add_test(t, runts_and_damage);
    tcase_add_test(t, tallies);
    tcase_add_test(t, ring);
    tcase_add_test(t, overflow);
    tcase_add_test(t, equal_pointers);
    tcase_add_test(t, send_packet);
    tcase_add_test(t, loopback_modes);
    tcase_add_test(t, loopback_check);
    tcase_add_test(t, loopback_words);
    tcase_add_test(t, rtl8029);
    tcase_add_test(t, pci_shell);
    tcase_add_test(t, pci_rom_too_big);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, storm);
}

int main(void)
{
    return rig_main("ne2000", add);
}
