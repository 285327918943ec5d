/*
 * Frames of the NE2000's DP8390D: transmitter, receive ring, address filter, loopback (data sheet
 * TL/F/8582, "Packet reception", "Packet transmission", "Loopback diagnostics").
 *
 * A frame takes its time on a 10 Mbit/s wire: a transmission ends, and its frame leaves, when its
 * last bit would have; the machine stamps received frames likewise.  Nobody else talks on the wire,
 * so there are no collisions.  A frame is stored whole or not at all: the ring's pages are checked
 * first.  In loopback nothing reaches the ring; the last bytes stay in the FIFO and the result in
 * RSR.
 */
#include "devices/ne2000_core.h"

#include <string.h>

enum { BYTE_NS = 800, PREAMBLE = 8, CHECK = 4, GAP = 12, HEADER = 4, RUNT = 64, SHORTEST = 8 };
enum { TALLY_FULL = 0xc0, TALLY_WARN = 0x80 };
enum { HASH_TX_OFF = 62, HASH_TX_ON = 63 };

void ne2000_count(struct ne2000 *n, unsigned tally)
{
    if (n->tally[tally] < TALLY_FULL) {
        n->tally[tally]++;
    }
    if (n->tally[tally] >= TALLY_WARN) {
        ne2000_raise(n, ISR_CNT);
    }
}

/* Where the local DMA finds byte k of a word-wide buffer; BOS swaps the halves of a word. */
static uint16_t local(const struct ne2000 *n, unsigned addr)
{
    unsigned swap = (n->dcr & (DCR_WTS | DCR_BOS)) == (DCR_WTS | DCR_BOS);

    return (uint16_t)(addr ^ swap);
}

/* --- address filter -------------------------------------------------------------------------- */

/* Bit of the multicast filter: the six most significant bits of the CRC over the address. */
static unsigned hash_of(const uint8_t *addr)
{
    uint32_t crc = ~snap_crc32(0, addr, NET_MAC);
    unsigned hash = 0;

    for (unsigned k = 0; k < 6; k++) {
        hash = hash << 1 | (crc >> k & 1);
    }
    return hash;
}

static bool accepts(const struct ne2000 *n, const uint8_t *dest)
{
    static const uint8_t broadcast[NET_MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    if ((n->rcr & RCR_AB) && memcmp(dest, broadcast, NET_MAC) == 0) {
        return true;
    }
    if (dest[0] & 1) {
        unsigned hash = hash_of(dest);
        return (n->rcr & RCR_AM) && (n->mar[hash / 8] >> hash % 8 & 1);
    }
    return (n->rcr & RCR_PRO) || memcmp(dest, n->par, NET_MAC) == 0;
}

/* --- receiver -------------------------------------------------------------------------------- */

/* Takes the pages for `bytes` from CURR on; false: that would run into the boundary. */
static bool find_room(const struct ne2000 *n, unsigned bytes, uint8_t *next)
{
    unsigned pages = (bytes + 255) / 256;

    *next = n->curr;
    while (pages--) {
        *next = ne2000_next_page(n, *next);
        if (*next == n->bnry) {
            return false;
        }
    }
    return true;
}

struct ring_writer {
    struct ne2000 *n;
    uint8_t page, off;
};

static void ring_put(struct ring_writer *w, const uint8_t *data, size_t len)
{
    while (len--) {
        ne2000_mem_write(w->n, local(w->n, (unsigned)w->page << 8 | w->off), *data++);
        if (++w->off == 0) {
            w->page = ne2000_next_page(w->n, w->page);
        }
    }
}

static void store(struct ne2000 *n, const uint8_t *frame, size_t len, uint32_t crc, uint8_t next)
{
    /* The count covers this header and the frame without its check sequence. */
    size_t count = len + HEADER;
    uint8_t head[2] = {(uint8_t)count, (uint8_t)(count >> 8)};
    uint8_t check[CHECK] = {(uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16),
                            (uint8_t)(crc >> 24)};
    struct ring_writer w = {n, n->curr, 2};

    /* Status and link stay in their order whatever BOS says. */
    ne2000_mem_write(n, (uint16_t)(n->curr << 8), n->rsr);
    ne2000_mem_write(n, (uint16_t)(n->curr << 8 | 1), next);
    ring_put(&w, head, sizeof head);
    ring_put(&w, frame, len);
    ring_put(&w, check, sizeof check);
    n->clda = n->counter = (uint16_t)(w.page << 8 | w.off);
    n->local_next = n->curr = next;
}

static void missed(struct ne2000 *n, uint8_t isr)
{
    n->rsr |= RSR_MPA;
    ne2000_count(n, TALLY_MISSED);
    ne2000_raise(n, ISR_RXE | isr);
}

static void count_damage(struct ne2000 *n, unsigned damage)
{
    if (damage & NE2000_MISALIGNED) {
        n->rsr |= RSR_FAE | RSR_CRC;
        ne2000_count(n, TALLY_ALIGN);
    } else {
        n->rsr |= RSR_CRC;
        ne2000_count(n, TALLY_CRC);
    }
    ne2000_raise(n, ISR_RXE);
}

/* With TCR.ATD two multicast addresses switch the transmitter. */
static void switch_tx(struct ne2000 *n, const uint8_t *dest)
{
    unsigned hash = dest[0] & 1 ? hash_of(dest) : 0;

    if (!(n->tcr & TCR_ATD)) {
        return;
    }
    if (hash == HASH_TX_OFF) {
        n->tx_disabled = true;
    } else if (hash == HASH_TX_ON) {
        ne2000_enable_tx(n);
    }
}

void ne2000_receive_damaged(struct device *d, const uint8_t *frame, size_t len, unsigned damage)
{
    struct ne2000 *n = CONTAINER_OF(d, struct ne2000, dev);
    uint8_t next;

    if (!n->link || !ne2000_runs(n) || (n->tcr & TCR_LB) || len < SHORTEST - CHECK ||
        len < NET_MAC || len > NET_FRAME_MAX || !accepts(n, frame) ||
        (len + CHECK < RUNT && !(n->rcr & RCR_AR))) {
        return;
    }
    n->rsr = frame[0] & 1 ? RSR_PHY : 0;
    if (damage) {
        count_damage(n, damage);
        if (!(n->rcr & RCR_SEP) || (n->rcr & RCR_MON)) {
            return;
        }
    } else {
        switch_tx(n, frame);
    }
    if (n->rcr & RCR_MON) {
        missed(n, 0);
        return;
    }
    if (n->overflowed || !find_room(n, (unsigned)len + HEADER + CHECK, &next)) {
        n->overflowed = true;
        missed(n, ISR_OVW);
        return;
    }
    n->rsr |= damage ? 0 : RSR_PRX;
    uint32_t crc = snap_crc32(0, frame, len);
    store(n, frame, len, damage ? ~crc : crc, next);
    if (!damage) {
        ne2000_raise(n, ISR_PRX);
    }
}

void ne2000_receive(struct device *d, const uint8_t *frame, size_t len)
{
    ne2000_receive_damaged(d, frame, len, 0);
}

/* --- loopback -------------------------------------------------------------------------------- */

struct loop {
    struct ne2000 *n;
    uint8_t dest[NET_MAC], last[CHECK];
    uint32_t crc; /* over everything but the last four bytes */
    unsigned count;
};

static void fifo_put(struct loop *l, uint8_t byte)
{
    l->n->fifo[l->count++ % NE_FIFO] = byte;
}

static void loop_put(struct loop *l, uint8_t byte)
{
    if (l->count < NET_MAC) {
        l->dest[l->count] = byte;
    }
    if (l->count >= CHECK) {
        l->crc = snap_crc32(l->crc, l->last, 1);
    }
    memmove(l->last, l->last + 1, CHECK - 1);
    l->last[CHECK - 1] = byte;
    fifo_put(l, byte);
}

/*
 * The transmitter's bytes come back to the receiver.  They share the CRC unit: the check is good
 * only when the sequence was in memory and not appended here.
 */
static void loop_back(struct ne2000 *n)
{
    bool words = n->dcr & DCR_WTS, append = !(n->tcr & TCR_CRC);
    unsigned step = words ? 2 : 1, addr = (unsigned)n->tx_page << 8, total;
    struct loop l = {.n = n};

    for (unsigned k = 0; k + step <= n->tx_count; k += step) {
        loop_put(&l, ne2000_mem_read(n, local(n, addr + k)));
    }
    if (append) {
        unsigned held = MIN(l.count, (unsigned)CHECK);
        uint32_t crc = snap_crc32(l.crc, l.last + CHECK - held, held);
        for (unsigned k = 0; k < CHECK; k++) {
            loop_put(&l, (uint8_t)(crc >> k * 8));
        }
    }
    total = l.count;
    fifo_put(&l, (uint8_t)total);
    fifo_put(&l, (uint8_t)(total >> 8));
    fifo_put(&l, (uint8_t)(total >> 8));
    n->fifo_at = 0;
    if (total < SHORTEST || !accepts(n, l.dest)) {
        return; /* RSR is told of nothing that the filter drops */
    }
    uint32_t check = (uint32_t)l.last[0] | (uint32_t)l.last[1] << 8 | (uint32_t)l.last[2] << 16 |
                     (uint32_t)l.last[3] << 24;
    n->rsr = l.dest[0] & 1 ? RSR_PHY : 0;
    if (append || check != l.crc) {
        n->rsr |= RSR_CRC;
        ne2000_count(n, TALLY_CRC);
    } else {
        n->rsr |= RSR_PRX;
    }
}

/* --- transmitter ----------------------------------------------------------------------------- */

void ne2000_start_tx(struct ne2000 *n)
{
    struct sched *s = n->dev.env->sched;
    uint64_t bytes;

    if (n->tx_disabled) {
        return; /* TXP stays set until the transmitter is switched on */
    }
    n->tx_page = n->tpsr;
    n->tx_count = n->tbcr;
    bytes = (uint64_t)n->tx_count + PREAMBLE + GAP + (n->tcr & TCR_CRC ? 0 : CHECK);
    event_at(s, &n->tx_event, sched_after_ns(s, bytes * BYTE_NS));
}

void ne2000_enable_tx(struct ne2000 *n)
{
    bool held = n->tx_disabled && (n->cr & CR_TXP) && !event_pending(&n->tx_event);

    n->tx_disabled = false;
    if (held) {
        ne2000_start_tx(n);
    }
}

static void send(struct ne2000 *n)
{
    uint8_t frame[NET_FRAME_MAX];
    unsigned addr = (unsigned)n->tx_page << 8;
    size_t len = n->tx_count;

    /* With TCR.CRC the guest brings its own check sequence. */
    if (n->tcr & TCR_CRC) {
        len = len > CHECK ? len - CHECK : 0;
    }
    if (len == 0 || len > sizeof frame) {
        return; /* longer ones are cut off by the transceiver */
    }
    for (size_t k = 0; k < len; k++) {
        frame[k] = ne2000_mem_read(n, local(n, addr + (unsigned)k));
    }
    net_send(n->net, frame, len);
}

void ne2000_tx_done(void *arg, uint64_t now UNUSED)
{
    struct ne2000 *n = arg;
    unsigned mode = n->tcr & TCR_LB;

    n->cr &= (uint8_t)~CR_TXP;
    n->tsr = TSR_PTX | TSR_NOT_DEFERRED;
    n->clda = n->counter = (uint16_t)((n->tx_page << 8) + n->tx_count);
    if (mode) {
        /* Inside the chip nobody senses a carrier or tests the collision input. */
        n->tsr |= mode == LB_NIC ? TSR_CRS | TSR_CDH : mode == LB_SNI ? TSR_CDH : 0;
        if (!(n->dcr & DCR_LS)) {
            loop_back(n);
        }
    }
    if (mode == 0 || mode == LB_COAX) {
        if (n->link) {
            send(n);
        } else if (!n->rtl8029 || ne2000_rtl_tests_link(n)) {
            n->tsr |= TSR_CRS;
        }
    }
    ne2000_raise(n, ISR_PTX);
}
