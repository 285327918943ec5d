/*
 * 82371SB (PIIX3) function 1: IDE bus master (Intel 290550, 2.4 and 3.2; SFF-8038i 1.0).
 *
 * Two engines behind BAR 4, eight ports each.  An engine walks a table of physical region
 * descriptors in memory while the drive hands it data; it holds no data itself.
 * IDETIM bit 15 switches a channel's legacy ports.  Here it is set after a reset, as if strapped,
 * so that firmware that knows only the legacy ports finds its disks.
 * Invariant: an engine moves data only while its start bit and its active bit are set.
 */
#include "devices/ide_pci.h"

#include <string.h>

#include "devices/ide.h"
#include "devices/pci.h"
#include "memory/bytes.h"

enum {
    BAR = 4,
    BAR_LEN = 16,
    IDETIM0 = 0x40,
    IDETIM1 = 0x42,
    SIDETIM = 0x44,
    DECODE = 0x80, /* in the high byte */

    CMD_START = 0x01,
    CMD_TO_MEMORY = 0x08,
    STS_ACTIVE = 0x01,
    STS_ERROR = 0x02,
    STS_IRQ = 0x04,
    STS_CAPABLE = 0x60,

    PRD_BYTES = 8,
    PRD_EOT = 0x8000,
    /* Descriptors one transfer may fetch: a table of empty ones can't keep the engine (R7). */
    MAX_FETCH = 8192
};

struct engine {
    struct ide_pci *owner;
    struct device *channel;
    uint8_t command, status;
    uint32_t table;     /* descriptor table pointer as written */
    uint32_t next;      /* address of the next descriptor */
    uint32_t addr, left; /* what remains of the current one */
    bool last;          /* the current one is the last */
};

struct ide_pci {
    struct device d;
    struct pci_function pci;
    struct engine engine[2];
};

#define ENGINE_FIELDS(n)                                                                       \
    SNAP_F(struct ide_pci, engine[n].command, SNAP_U8),                                        \
        SNAP_F(struct ide_pci, engine[n].status, SNAP_U8),                                     \
        SNAP_F(struct ide_pci, engine[n].table, SNAP_U32),                                     \
        SNAP_F(struct ide_pci, engine[n].next, SNAP_U32),                                      \
        SNAP_F(struct ide_pci, engine[n].addr, SNAP_U32),                                      \
        SNAP_F(struct ide_pci, engine[n].left, SNAP_U32),                                      \
        SNAP_F(struct ide_pci, engine[n].last, SNAP_BOOL)

static const struct snap_field ide_pci_fields[] = {
    PCI_SNAP_FIELDS(struct ide_pci, pci),
    ENGINE_FIELDS(0),
    ENGINE_FIELDS(1),
    SNAP_END,
};

/* Gets a descriptor that covers at least one byte; false at the end of the table. */
static bool fetch(struct engine *g, unsigned *budget)
{
    uint8_t prd[PRD_BYTES];
    unsigned count;

    if (g->last || *budget == 0) {
        return false;
    }
    (*budget)--;
    if (!pci_dma_read(&g->owner->pci, g->next, prd, sizeof prd)) {
        return false;
    }
    g->next += PRD_BYTES;
    g->addr = get32(prd) & ~1u;
    count = get16(prd + 4) & 0xfffeu;
    g->left = count ? count : 0x10000;
    g->last = (get16(prd + 6) & PRD_EOT) != 0;
    return true;
}

static uint32_t transfer(void *ctx, bool to_memory, uint8_t *buf, uint32_t len)
{
    struct engine *g = ctx;
    struct pci_function *f = &g->owner->pci;
    unsigned budget = MAX_FETCH;
    uint32_t moved = 0;

    if (!(g->command & CMD_START) || !(g->status & STS_ACTIVE)
        || !(f->config[PCI_COMMAND] & PCI_CMD_MASTER)
        || to_memory != ((g->command & CMD_TO_MEMORY) != 0)) {
        return 0;
    }
    while (moved < len && (g->left || fetch(g, &budget))) {
        uint32_t n = MIN(len - moved, g->left);

        if (to_memory) {
            pci_dma_write(f, g->addr, buf + moved, n);
        } else {
            pci_dma_read(f, g->addr, buf + moved, n);
        }
        moved += n;
        g->addr += n;
        g->left -= n;
    }
    if (g->last && g->left == 0) {
        g->status &= (uint8_t)~STS_ACTIVE;
    }
    return moved;
}

static void drive_irq(void *ctx, bool level)
{
    if (level) {
        ((struct engine *)ctx)->status |= STS_IRQ;
    }
}

static void command_write(struct engine *g, uint8_t val)
{
    bool start = (val & CMD_START) && !(g->command & CMD_START);

    if (!(g->command & CMD_START)) {
        g->command = (uint8_t)((g->command & ~CMD_TO_MEMORY) | (val & CMD_TO_MEMORY));
    }
    g->command = (uint8_t)((g->command & ~CMD_START) | (val & CMD_START));
    if (!(val & CMD_START)) {
        g->status &= (uint8_t)~STS_ACTIVE;
        g->left = 0;
    } else if (start) {
        g->status |= STS_ACTIVE;
        g->next = g->table;
        g->left = 0;
        g->last = false;
        if (g->channel) {
            ide_dma_kick(g->channel);
        }
    }
}

static uint8_t bm_byte(const struct engine *g, unsigned off)
{
    switch (off) {
    case 0:
        return g->command;
    case 2:
        return g->status;
    case 4:
    case 5:
    case 6:
    case 7:
        return (uint8_t)(g->table >> (off - 4) * 8);
    default:
        return 0;
    }
}

static void bm_write_byte(struct engine *g, unsigned off, uint8_t val)
{
    switch (off) {
    case 0:
        command_write(g, val);
        break;
    case 2:
        g->status &= (uint8_t)~(val & (STS_ERROR | STS_IRQ));
        g->status = (uint8_t)((g->status & ~STS_CAPABLE) | (val & STS_CAPABLE));
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        g->table &= ~(0xffu << (off - 4) * 8);
        g->table |= (uint32_t)val << (off - 4) * 8;
        g->table &= ~3u;
        break;
    default:
        break;
    }
}

static uint64_t bm_read(void *dev, uint64_t off, unsigned size)
{
    const struct ide_pci *p = dev;
    uint64_t val = 0;
    unsigned i;

    for (i = 0; i < size; i++) {
        unsigned at = (unsigned)off + i;

        val |= (uint64_t)bm_byte(&p->engine[at >> 3 & 1], at & 7) << i * 8;
    }
    return val;
}

static void bm_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct ide_pci *p = dev;
    unsigned i;

    for (i = 0; i < size; i++) {
        unsigned at = (unsigned)off + i;

        bm_write_byte(&p->engine[at >> 3 & 1], at & 7, (uint8_t)(val >> i * 8));
    }
}

static const struct io_ops bm_ops = {bm_read, bm_write, 1, 4, "ide-busmaster"};

static void update_decode(struct ide_pci *p)
{
    unsigned i;

    for (i = 0; i < 2; i++) {
        if (p->engine[i].channel) {
            ide_set_decode(p->engine[i].channel,
                           (p->pci.config[IDETIM0 + 1 + i * 2] & DECODE) != 0);
        }
    }
}

static void written(void *dev, unsigned off, unsigned size)
{
    if (off < SIDETIM && off + size > IDETIM0) {
        update_decode(dev);
    }
}

static bool ide_pci_init(struct device *d, const void *config, struct err *e)
{
    static const struct pci_id id = {0x8086, 0x7010, 0x010180, 0x00};
    struct ide_pci *p = (struct ide_pci *)(void *)d;
    const struct ide_pci_config *c = config;
    unsigned i;
    int window = bus_map(d->env->io, 0, BAR_LEN, &bm_ops, p, PRIO_DEVICE);

    if (window < 0) {
        return err_set(e, "no memory for the IDE bus master; close other programs");
    }
    bus_move(d->env->io, window, 0, false);
    pci_function_init(&p->pci, p, PCI_DEVFN(c->slot, 1), &id);
    p->pci.written = written;
    pci_define(&p->pci, PCI_COMMAND, 2, 0, PCI_CMD_IO | PCI_CMD_MASTER, 0);
    pci_define(&p->pci, PCI_LATENCY, 1, 0, 0xf0, 0);
    pci_add_bar(&p->pci, BAR, PCI_BAR_IO, BAR_LEN, window);
    pci_define(&p->pci, IDETIM0, 2, 0x8000, 0xf3ff, 0);
    pci_define(&p->pci, IDETIM1, 2, 0x8000, 0xf3ff, 0);
    pci_define(&p->pci, SIDETIM, 1, 0x00, 0xff, 0);
    for (i = 0; i < 2; i++) {
        struct engine *g = &p->engine[i];
        struct ide_busmaster bm = {g, transfer, drive_irq};

        g->owner = p;
        g->channel = c->channel[i];
        if (g->channel) {
            ide_set_busmaster(g->channel, &bm);
        }
    }
    return pci_plug(c->pci, &p->pci, e);
}

static void ide_pci_reset(struct device *d, enum reset_kind kind)
{
    struct ide_pci *p = (struct ide_pci *)(void *)d;
    unsigned i;

    (void)kind;
    pci_function_reset(&p->pci);
    for (i = 0; i < 2; i++) {
        struct engine *g = &p->engine[i];

        g->command = g->status = 0;
        g->table = g->next = g->addr = g->left = 0;
        g->last = false;
    }
    update_decode(p);
}

static bool ide_pci_post_load(struct device *d, unsigned version, struct err *e)
{
    (void)version;
    (void)e;
    pci_function_loaded(&((struct ide_pci *)(void *)d)->pci);
    return true;
}

const struct device_class ide_pci_class = {
    .name = "ide_pci",
    .size = sizeof(struct ide_pci),
    .init = ide_pci_init,
    .reset = ide_pci_reset,
    .state = ide_pci_fields,
    .state_version = 1,
    .post_load = ide_pci_post_load,
};
