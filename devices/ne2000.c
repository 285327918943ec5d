/*
 * NE2000 adapter: National DP8390D controller (data sheet TL/F/8582), 16-bit data port, PROM, RAM.
 *
 * This file has the ports, the registers and the remote DMA; see ne2000_wire.c for frames.
 * The local address space is 64 KB: the PROM (every byte twice, 57h as last word) repeats below
 * 4000h, RAM follows, nothing is above it.
 * LAS and the FIFO threshold of DCR only shape bus cycles, OFST of TCR only the back-off after
 * collisions, of which there are none here; the three just read back.
 * Invariants: TXP is set exactly while a transmission is scheduled or held by TCR.ATD; the
 * interrupt line is high exactly while ISR & IMR & 7Fh is not 0.
 */
#include "devices/ne2000_core.h"

#include <stdio.h>
#include <string.h>

enum { DATA_PORT = 0x10, RESET_PORT = 0x18 };
enum { DMA_READ = 0x08, DMA_WRITE = 0x10, DMA_SEND = 0x18, DMA_ABORT = 0x20 };

/* Page 0; the same offset is another register when written. */
enum {
    CLDA0 = 0x01, PSTART = 0x01, CLDA1 = 0x02, PSTOP = 0x02, BNRY = 0x03, TSR = 0x04, TPSR = 0x04,
    NCR = 0x05, TBCR0 = 0x05, FIFO = 0x06, TBCR1 = 0x06, ISR = 0x07, CRDA0 = 0x08, RSAR0 = 0x08,
    CRDA1 = 0x09, RSAR1 = 0x09, RTL_ID0 = 0x0a, RBCR0 = 0x0a, RTL_ID1 = 0x0b, RBCR1 = 0x0b,
    RSR = 0x0c, RCR = 0x0c, CNTR0 = 0x0d, TCR = 0x0d, CNTR1 = 0x0e, DCR = 0x0e, CNTR2 = 0x0f,
    IMR = 0x0f
};
/* Page 1 and what only page 2 has. */
enum { PAR0 = 0x01, CURR = 0x07, MAR0 = 0x08 };
enum { REMOTE_NEXT = 0x03, LOCAL_NEXT = 0x05, COUNTER1 = 0x06, COUNTER0 = 0x07 };

static struct ne2000 *ne2000_of(struct device *d)
{
    return CONTAINER_OF(d, struct ne2000, dev);
}

static void set_low(uint16_t *reg, uint8_t val)
{
    *reg = (uint16_t)((*reg & 0xff00) | val);
}

static void set_high(uint16_t *reg, uint8_t val)
{
    *reg = (uint16_t)((*reg & 0x00ff) | val << 8);
}

/* --- memory and lines ------------------------------------------------------------------------ */

static bool in_ram(const struct ne2000 *n, uint16_t addr)
{
    return addr >= NE_RAM_BASE && addr - NE_RAM_BASE < (n->rtl8029 ? NE_RAM_RTL : NE_RAM_ISA);
}

uint8_t ne2000_mem_read(const struct ne2000 *n, uint16_t addr)
{
    if (in_ram(n, addr)) {
        return n->ram[addr - NE_RAM_BASE];
    }
    return addr < NE_RAM_BASE ? n->prom[addr % NE_PROM] : 0xff;
}

void ne2000_mem_write(struct ne2000 *n, uint16_t addr, uint8_t val)
{
    if (in_ram(n, addr)) {
        n->ram[addr - NE_RAM_BASE] = val;
    }
}

uint8_t ne2000_next_page(const struct ne2000 *n, uint8_t page)
{
    page++;
    return page == n->pstop ? n->pstart : page;
}

static void update_irq(struct ne2000 *n)
{
    bool level = (n->isr & n->imr & 0x7f) != 0;

    if (level != n->irq_level) {
        n->irq_level = level;
        irq_set(&n->irq, level);
    }
}

void ne2000_raise(struct ne2000 *n, uint8_t isr)
{
    n->isr |= isr;
    update_irq(n);
}

bool ne2000_runs(const struct ne2000 *n)
{
    return (n->cr & (CR_STP | CR_STA)) == CR_STA && !(n->rtl8029 && ne2000_rtl_asleep(n));
}

/* RST is a state: stopped (once a transmission under way is out), or out of buffers. */
static uint8_t isr_read(const struct ne2000 *n)
{
    bool stopped = (n->cr & CR_STP) && !event_pending(&n->tx_event);

    return (uint8_t)(n->isr | (stopped || n->overflowed ? ISR_RST : 0));
}

/* --- remote DMA ------------------------------------------------------------------------------ */

static void set_boundary(struct ne2000 *n, uint8_t page)
{
    n->bnry = page;
    n->overflowed = false;
}

static void dma_done(struct ne2000 *n)
{
    if ((n->cr & CR_RD) == DMA_SEND) {
        set_boundary(n, n->remote_next);
    }
    ne2000_raise(n, ISR_RDC);
}

static void dma_command(struct ne2000 *n, unsigned rd)
{
    if (rd == DMA_SEND) {
        if (!(n->dcr & DCR_ARM)) {
            n->rbcr = 0;
            return;
        }
        unsigned swap = (n->dcr & (DCR_WTS | DCR_BOS)) == (DCR_WTS | DCR_BOS);
        n->rsar = (uint16_t)(n->bnry << 8);
        n->remote_next = ne2000_mem_read(n, n->rsar | 1);
        n->rbcr = (uint16_t)(ne2000_mem_read(n, (uint16_t)(n->rsar | (2 ^ swap))) |
                             ne2000_mem_read(n, (uint16_t)(n->rsar | (3 ^ swap))) << 8);
    }
    if ((rd == DMA_READ || rd == DMA_WRITE || rd == DMA_SEND) && n->rbcr == 0) {
        dma_done(n);
    }
}

/* One cycle of the channel is over; at the end of the ring it goes on at its start. */
static void dma_advance(struct ne2000 *n)
{
    unsigned step = n->dcr & DCR_WTS ? 2 : 1;

    n->rsar = (uint16_t)((n->rsar & ~(step - 1)) + step);
    if (n->rsar == n->pstop << 8) {
        n->rsar = (uint16_t)(n->pstart << 8);
    }
    n->counter = n->rsar;
    n->rbcr = (uint16_t)(n->rbcr > step ? n->rbcr - step : 0);
    if (n->rbcr == 0) {
        dma_done(n);
    }
}

/* One cycle: a byte, or with WTS a word.  Nothing answers when no transfer is under way. */
static uint16_t dma_read(struct ne2000 *n)
{
    unsigned rd = n->cr & CR_RD;
    uint16_t val;

    if ((rd != DMA_READ && rd != DMA_SEND) || n->rbcr == 0) {
        return 0xffff;
    }
    if (n->dcr & DCR_WTS) {
        uint16_t at = n->rsar & 0xfffe;
        val = (uint16_t)(ne2000_mem_read(n, at) | ne2000_mem_read(n, at | 1) << 8);
    } else {
        val = ne2000_mem_read(n, n->rsar);
    }
    dma_advance(n);
    return val;
}

static void dma_write(struct ne2000 *n, uint16_t val)
{
    if ((n->cr & CR_RD) != DMA_WRITE || n->rbcr == 0) {
        return;
    }
    if (n->dcr & DCR_WTS) {
        uint16_t at = n->rsar & 0xfffe;
        ne2000_mem_write(n, at, (uint8_t)val);
        ne2000_mem_write(n, at | 1, (uint8_t)(val >> 8));
    } else {
        ne2000_mem_write(n, n->rsar, (uint8_t)val);
    }
    dma_advance(n);
}

/* An access is as many cycles as it holds bytes or words; a byte in word mode is one, too. */
static uint64_t data_read(struct ne2000 *n, unsigned size)
{
    unsigned width = n->dcr & DCR_WTS ? MIN(size, 2u) : 1;
    uint64_t val = 0;

    for (unsigned k = 0; k < size; k += width) {
        val |= (uint64_t)(dma_read(n) & (width == 1 ? 0xff : 0xffff)) << k * 8;
    }
    return val;
}

static void data_write(struct ne2000 *n, unsigned size, uint64_t val)
{
    unsigned width = n->dcr & DCR_WTS ? MIN(size, 2u) : 1;

    for (unsigned k = 0; k < size; k += width) {
        dma_write(n, (uint16_t)(val >> k * 8));
    }
}

/* --- registers ------------------------------------------------------------------------------- */

/* STA stays set when STP is added, as the data sheet says; writing neither changes nothing. */
static void write_cr(struct ne2000 *n, uint8_t val)
{
    uint8_t keep = n->cr & (CR_TXP | CR_STA | CR_STP);

    if (val & CR_STP) {
        keep |= CR_STP;
    } else if (val & CR_STA) {
        n->overflowed &= !(keep & CR_STP); /* a restart ends that state, too */
        keep = (uint8_t)((keep & ~CR_STP) | CR_STA);
    }
    n->cr = (uint8_t)(keep | (val & (CR_RD | CR_PS)));
    if ((val & CR_TXP) && !(n->cr & CR_TXP) && ne2000_runs(n)) {
        n->cr |= CR_TXP;
        ne2000_start_tx(n);
    }
    dma_command(n, val & CR_RD);
}

static uint8_t read_fifo(struct ne2000 *n)
{
    uint8_t val = n->fifo[n->fifo_at];

    n->fifo_at = (n->fifo_at + 1) % NE_FIFO;
    return val;
}

static uint8_t read_tally(struct ne2000 *n, unsigned tally)
{
    uint8_t val = n->tally[tally];

    n->tally[tally] = 0;
    return val;
}

static uint8_t page0_read(struct ne2000 *n, unsigned reg)
{
    switch (reg) {
    case CLDA0:
        return (uint8_t)n->clda;
    case CLDA1:
        return (uint8_t)(n->clda >> 8);
    case BNRY:
        return n->bnry;
    case TSR:
        return n->tsr;
    case NCR:
        return 0; /* there are no collisions */
    case FIFO:
        return read_fifo(n);
    case ISR:
        return isr_read(n);
    case CRDA0:
        return (uint8_t)n->rsar;
    case CRDA1:
        return (uint8_t)(n->rsar >> 8);
    case RTL_ID0:
        return n->rtl8029 ? 'P' : 0xff;
    case RTL_ID1:
        return n->rtl8029 ? 'C' : 0xff;
    case RSR:
        return (uint8_t)(n->rsr | (n->rcr & RCR_MON ? RSR_DIS : 0));
    default:
        return read_tally(n, reg - CNTR0);
    }
}

static void page0_write(struct ne2000 *n, unsigned reg, uint8_t val)
{
    switch (reg) {
    case PSTART:
        n->pstart = val;
        break;
    case PSTOP:
        n->pstop = val;
        break;
    case BNRY:
        set_boundary(n, val);
        break;
    case TPSR:
        n->tpsr = val;
        break;
    case TBCR0:
        set_low(&n->tbcr, val);
        break;
    case TBCR1:
        set_high(&n->tbcr, val);
        break;
    case ISR:
        n->isr &= (uint8_t)~val;
        update_irq(n);
        break;
    case RSAR0:
        set_low(&n->rsar, val);
        break;
    case RSAR1:
        set_high(&n->rsar, val);
        break;
    case RBCR0:
        set_low(&n->rbcr, val);
        break;
    case RBCR1:
        set_high(&n->rbcr, val);
        break;
    case RCR:
        n->rcr = val & 0x3f;
        break;
    case TCR:
        n->tcr = val & 0x1f;
        if (!(val & TCR_ATD)) {
            ne2000_enable_tx(n);
        }
        break;
    case DCR:
        n->dcr = val & 0x7f;
        break;
    default: /* IMR */
        n->imr = val & 0x7f;
        update_irq(n);
        break;
    }
}

static uint8_t page1_read(const struct ne2000 *n, unsigned reg)
{
    return reg >= MAR0 ? n->mar[reg - MAR0] : reg == CURR ? n->curr : n->par[reg - PAR0];
}

static void page1_write(struct ne2000 *n, unsigned reg, uint8_t val)
{
    if (reg >= MAR0) {
        n->mar[reg - MAR0] = val;
    } else if (reg == CURR) {
        n->curr = val;
    } else {
        n->par[reg - PAR0] = val;
    }
}

/* What is written in page 0 reads back here. */
static uint8_t page2_read(const struct ne2000 *n, unsigned reg)
{
    switch (reg) {
    case PSTART:
        return n->pstart;
    case PSTOP:
        return n->pstop;
    case REMOTE_NEXT:
        return n->remote_next;
    case TPSR:
        return n->tpsr;
    case LOCAL_NEXT:
        return n->local_next;
    case COUNTER1:
        return (uint8_t)(n->counter >> 8);
    case COUNTER0:
        return (uint8_t)n->counter;
    case RCR:
        return n->rcr | 0xc0;
    case TCR:
        return n->tcr | 0xe0;
    case DCR:
        return n->dcr | 0x80;
    case IMR:
        return n->imr | 0x80;
    default:
        return 0xff;
    }
}

static void page2_write(struct ne2000 *n, unsigned reg, uint8_t val)
{
    switch (reg) {
    case CLDA0:
        set_low(&n->clda, val);
        break;
    case CLDA1:
        set_high(&n->clda, val);
        break;
    case REMOTE_NEXT:
        n->remote_next = val;
        break;
    case LOCAL_NEXT:
        n->local_next = val;
        break;
    case COUNTER1:
        set_high(&n->counter, val);
        break;
    case COUNTER0:
        set_low(&n->counter, val);
        break;
    default:
        break;
    }
}

static uint8_t reg_read(struct ne2000 *n, unsigned reg)
{
    if (reg == 0) {
        return n->cr;
    }
    switch (n->cr >> 6) {
    case 0:
        return page0_read(n, reg);
    case 1:
        return page1_read(n, reg);
    case 2:
        return page2_read(n, reg);
    default:
        return n->rtl8029 ? ne2000_rtl_read(n, reg) : 0xff;
    }
}

static void reg_write(struct ne2000 *n, unsigned reg, uint8_t val)
{
    if (reg == 0) {
        write_cr(n, val);
        return;
    }
    switch (n->cr >> 6) {
    case 0:
        page0_write(n, reg, val);
        break;
    case 1:
        page1_write(n, reg, val);
        break;
    case 2:
        page2_write(n, reg, val);
        break;
    default:
        if (n->rtl8029) {
            ne2000_rtl_write(n, reg, val);
        }
        break;
    }
}

/* The controller's RESET pin; buffers and addresses keep what they hold. */
static void hardware_reset(struct ne2000 *n)
{
    event_cancel(n->dev.env->sched, &n->tx_event);
    n->cr = CR_STP | DMA_ABORT;
    n->isr = n->imr = 0;
    n->dcr = (uint8_t)((n->dcr & ~DCR_ARM) | DCR_LAS);
    n->tcr &= (uint8_t)~TCR_LB;
    n->tx_disabled = n->overflowed = false;
    update_irq(n);
}

static uint64_t ne2000_read(void *dev, uint64_t off, unsigned size)
{
    struct ne2000 *n = dev;
    uint64_t val = 0;

    if (off >= RESET_PORT) {
        hardware_reset(n);
        return 0;
    }
    if (off >= DATA_PORT) {
        return data_read(n, size);
    }
    if (size == 1) {
        return reg_read(n, (unsigned)off);
    }
    for (unsigned k = 0; k < size; k++) {
        val |= ne2000_read(n, off + k, 1) << k * 8;
    }
    return val;
}

/* Writing the reset port would end the reset that reading starts; it ends by itself. */
static void ne2000_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct ne2000 *n = dev;

    if (off >= DATA_PORT) {
        if (off < RESET_PORT) {
            data_write(n, size, val);
        }
        return;
    }
    if (size == 1) {
        reg_write(n, (unsigned)off, (uint8_t)val);
        return;
    }
    for (unsigned k = 0; k < size; k++) {
        ne2000_write(n, off + k, 1, val >> k * 8 & 0xff);
    }
}

static const struct io_ops ne2000_ops = {ne2000_read, ne2000_write, 1, 4, "ne2000"};

/* --- life ------------------------------------------------------------------------------------ */

int ne2000_window(const struct device *d)
{
    return CONTAINER_OF(d, const struct ne2000, dev)->window;
}

void ne2000_set_irq(struct device *d, struct irq_line irq)
{
    ne2000_of(d)->irq = irq;
}

void ne2000_set_link(struct device *d, bool up)
{
    ne2000_of(d)->link = up;
}

static bool ne2000_init(struct device *d, const void *config, struct err *e)
{
    struct ne2000 *n = ne2000_of(d);
    const struct ne2000_config *c = config;

    n->irq = c->irq;
    n->net = c->net;
    n->rtl8029 = c->rtl8029;
    n->link = c->net != NULL;
    for (unsigned k = 0; k < NE_PROM / 2; k++) {
        n->prom[k * 2] = n->prom[k * 2 + 1] = k < NET_MAC ? c->mac[k] : k >= 14 ? 0x57 : 0;
    }
    snprintf(n->tx_name, sizeof n->tx_name, "%s/tx", d->id);
    event_init(d->env->sched, &n->tx_event, n->tx_name, ne2000_tx_done, n);
    n->window = bus_map(d->env->io, c->port, NE2000_PORTS, &ne2000_ops, n, PRIO_DEVICE);
    if (n->window < 0) {
        return err_set(e, "%s: out of memory", d->id);
    }
    bus_move(d->env->io, n->window, c->port, c->port != 0);
    return true;
}

static void ne2000_reset(struct device *d, enum reset_kind kind)
{
    struct ne2000 *n = ne2000_of(d);

    hardware_reset(n);
    if (kind == RESET_COLD) {
        n->rcr = n->tcr = n->tsr = n->rsr = 0;
        n->dcr = DCR_LAS;
        n->pstart = n->pstop = n->bnry = n->curr = n->tpsr = 0;
        n->tbcr = n->rsar = n->rbcr = n->clda = n->counter = 0;
        n->remote_next = n->local_next = n->fifo_at = n->tx_page = 0;
        n->tx_count = 0;
        memset(n->par, 0, sizeof n->par);
        memset(n->mar, 0, sizeof n->mar);
        memset(n->tally, 0, sizeof n->tally);
        memset(n->fifo, 0, sizeof n->fifo);
        memset(n->ram, 0, sizeof n->ram);
    }
    ne2000_rtl_reset(n);
}

static bool ne2000_post_load(struct device *d, unsigned version UNUSED, struct err *e)
{
    struct ne2000 *n = ne2000_of(d);

    return n->fifo_at < NE_FIFO || err_set(e, "%s: the saved state is not valid", d->id);
}

#define N8(m) SNAP_F(struct ne2000, m, SNAP_U8)
#define N16(m) SNAP_F(struct ne2000, m, SNAP_U16)
#define NBOOL(m) SNAP_F(struct ne2000, m, SNAP_BOOL)
#define NBYTES(m) SNAP_ARRAY(struct ne2000, m, SNAP_BYTES)

static const struct snap_field ne2000_state[] = {
    N8(cr), N8(isr), N8(imr), N8(dcr), N8(tcr), N8(rcr), N8(tsr), N8(rsr),
    N8(pstart), N8(pstop), N8(bnry), N8(curr), N8(tpsr),
    N16(tbcr), N16(rsar), N16(rbcr), N16(clda), N16(counter),
    N8(remote_next), N8(local_next), NBYTES(par), NBYTES(mar), NBYTES(tally), NBYTES(fifo),
    N8(fifo_at), N8(tx_page), N16(tx_count), NBOOL(tx_disabled), NBOOL(overflowed), NBOOL(link),
    NBOOL(irq_level), N8(eecr), N8(config2), N8(config3), NBOOL(halted), NBYTES(ram), SNAP_END,
};

const struct device_class ne2000_class = {
    .name = "ne2000",
    .size = sizeof(struct ne2000),
    .init = ne2000_init,
    .reset = ne2000_reset,
    .state = ne2000_state,
    .state_version = 1,
    .post_load = ne2000_post_load,
};
