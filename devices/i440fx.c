/*
 * 82441FX PCI and memory controller (Intel 440FX data sheet 290549, section 3.2).
 *
 * Function 0 of slot 0: PAM registers 59h-5Fh choose per segment whether DRAM answers reads and
 * takes writes; what it doesn't answer goes to the bus behind (ROM, or nobody).  SMRAM (72h) opens
 * the DRAM under the video window, FDHC (68h) cuts a hole, TRC (93h) resets.
 * Invariant: the windows are a function of the registers and nothing else.
 */
#include "devices/i440fx.h"

#include <string.h>

#include "devices/pci.h"
#include "memory/bytes.h"

enum {
    DRAMC = 0x57,
    PAM0 = 0x59,
    DRB0 = 0x60,
    FDHC = 0x68,
    SMRAM = 0x72,
    ERRCMD = 0x90,
    ERRSTS = 0x91,
    TRC = 0x93,
    SEGMENTS = 13,
    SMRAM_G_SMRAME = 0x08,
    SMRAM_D_LCK = 0x10,
    SMRAM_D_CLS = 0x20,
    SMRAM_D_OPEN = 0x40
};

#define MIB (1024u * 1024u)

struct i440fx {
    struct device d;
    struct pci_function pci;
    void (*reset)(void *to, bool hard);
    void *reset_to;
    int pam[SEGMENTS]; /* F0000-FFFFF, then C0000 up in steps of 16 KiB */
    int smram, hole;
    bool smiact;
    uint8_t smram_last; /* to keep the lock bit's promise */
    uint8_t trc_last;
};

static const struct snap_field i440fx_fields[] = {
    PCI_SNAP_FIELDS(struct i440fx, pci),
    SNAP_F(struct i440fx, smram_last, SNAP_U8),
    SNAP_F(struct i440fx, trc_last, SNAP_U8),
    SNAP_SINCE(struct i440fx, smiact, SNAP_BOOL, 2),
    SNAP_END,
};

/* A window that nobody stands behind: the DRAM hole. */
static const struct io_ops hole_ops = {NULL, NULL, 1, 8, "dram-hole"};

uint64_t i440fx_ram_below_4g(uint64_t ram_size)
{
    return ram_size > 3584ull * MIB ? 3072ull * MIB : ram_size;
}

uint64_t i440fx_ram_above_4g(uint64_t ram_size)
{
    return ram_size - i440fx_ram_below_4g(ram_size);
}

/* Read (bit 0) and write (bit 1) enable of a segment; they are the bus flags as they stand. */
static unsigned pam_bits(const struct i440fx *h, unsigned segment)
{
    unsigned reg = PAM0 + (segment + 1) / 2;

    return h->pci.config[reg] >> (segment & 1 ? 0 : 4) & 3u;
}

static void update_map(struct i440fx *h)
{
    struct bus *mem = h->d.env->mem;
    unsigned i, smram = h->pci.config[SMRAM];
    bool open = (smram & SMRAM_G_SMRAME) &&
                (h->smiact || (smram & (SMRAM_D_OPEN | SMRAM_D_CLS)) == SMRAM_D_OPEN);

    bus_begin(mem);
    for (i = 0; i < SEGMENTS; i++) {
        bus_set_flags(mem, h->pam[i], pam_bits(h, i));
    }
    bus_move(mem, h->smram, 0xa0000, open);
    switch (h->pci.config[FDHC] >> 6) {
    case 1:
        bus_move(mem, h->hole, 512 * 1024, true);
        break;
    case 2:
        bus_move(mem, h->hole, 15 * MIB, true);
        break;
    default:
        bus_move(mem, h->hole, 15 * MIB, false);
        break;
    }
    bus_commit(mem);
}

void i440fx_smiact(struct device *d, bool active)
{
    struct i440fx *h = (struct i440fx *)(void *)d;

    if (h->smiact != active) {
        h->smiact = active;
        update_map(h);
    }
}

/* Once locked, D_OPEN is 0 and nothing but D_CLS changes until reset. */
static void guard_smram(struct i440fx *h)
{
    uint8_t *reg = &h->pci.config[SMRAM];

    if (h->smram_last & SMRAM_D_LCK) {
        *reg = (uint8_t)((h->smram_last & ~SMRAM_D_CLS) | (*reg & SMRAM_D_CLS));
    }
    if (*reg & SMRAM_D_LCK) {
        *reg &= (uint8_t)~SMRAM_D_OPEN;
    }
    h->smram_last = *reg;
}

static void written(void *dev, unsigned off, unsigned size)
{
    struct i440fx *h = dev;
    uint8_t trc = h->pci.config[TRC];
    bool pulse = (trc & 4) && !(h->trc_last & 4);

    (void)off;
    (void)size;
    guard_smram(h);
    update_map(h);
    h->trc_last = trc;
    if (pulse && h->reset) {
        h->reset(h->reset_to, (trc & 2) != 0);
    }
}

/* DRAM row boundaries in units of 8 MiB, rows of up to 256 MiB; memory past 2 GiB has no row. */
static void fill_row_boundaries(struct i440fx *h, uint64_t ram_size)
{
    uint64_t units = MIN(i440fx_ram_below_4g(ram_size) / (8 * MIB), 255u);
    unsigned row;

    for (row = 0; row < 8; row++) {
        uint64_t top = MIN(units, (row + 1u) * 32u);

        pci_define(&h->pci, DRB0 + row, 1, (uint32_t)top, 0xff, 0);
    }
}

static void define_registers(struct i440fx *h, uint64_t ram_size)
{
    static const struct pci_id id = {0x8086, 0x1237, 0x060000, 0x02};
    unsigned i;

    pci_function_init(&h->pci, h, PCI_DEVFN(0, 0), &id);
    h->pci.written = written;
    /* The bridge's own enables are wired: memory and bus mastering are always on. */
    pci_define(&h->pci, PCI_COMMAND, 2, PCI_CMD_MEM | PCI_CMD_MASTER, 0x0140, 0);
    pci_define(&h->pci, 0x50, 2, 0x0000, 0xff00, 0);    /* PMCCFG */
    pci_define(&h->pci, 0x52, 1, 0x00, 0xc0, 0);        /* DETURBO */
    pci_define(&h->pci, 0x53, 1, 0x80, 0xfe, 0);        /* DBC */
    pci_define(&h->pci, 0x54, 1, 0x00, 0x82, 0);        /* AXC */
    pci_define(&h->pci, 0x55, 2, 0x0000, 0xffff, 0);    /* DRT */
    pci_define(&h->pci, DRAMC, 1, 0x01, 0x6f, 0);
    pci_define(&h->pci, DRAMC + 1, 1, 0x10, 0x7f, 0);   /* DRAMT */
    pci_define(&h->pci, PAM0, 1, 0x00, 0x30, 0);
    for (i = 1; i < 7; i++) {
        pci_define(&h->pci, PAM0 + i, 1, 0x00, 0x33, 0);
    }
    fill_row_boundaries(h, ram_size);
    pci_define(&h->pci, FDHC, 1, 0x00, 0xc0, 0);
    pci_define(&h->pci, 0x70, 1, 0x00, 0xf8, 0);        /* MTT */
    pci_define(&h->pci, 0x71, 1, 0x10, 0xf8, 0);        /* CLT */
    pci_define(&h->pci, SMRAM, 1, 0x02, 0x78, 0);
    pci_define(&h->pci, ERRCMD, 1, 0x00, 0x1b, 0);
    pci_define(&h->pci, ERRSTS, 1, 0x00, 0x00, 0x11);
    pci_define(&h->pci, TRC, 1, 0x00, 0x07, 0);
}

static bool map_memory(struct i440fx *h, uint8_t *ram, uint64_t ram_size)
{
    struct bus *mem = h->d.env->mem;
    uint64_t below = i440fx_ram_below_4g(ram_size), above = ram_size - below;
    bool ok;
    unsigned i;

    ok = bus_map_ram(mem, 0, 0xa0000, ram, BUS_RW, PRIO_RAM) >= 0;
    if (below > MIB) {
        ok = ok && bus_map_ram(mem, MIB, below - MIB, ram + MIB, BUS_RW, PRIO_RAM) >= 0;
    }
    if (above) {
        ok = ok && bus_map_ram(mem, 1ull << 32, above, ram + below, BUS_RW, PRIO_RAM) >= 0;
    }
    for (i = 0; i < SEGMENTS; i++) {
        uint32_t base = i == 0 ? 0xf0000 : 0xc0000 + (i - 1) * 0x4000;
        uint32_t len = i == 0 ? 0x10000 : 0x4000;

        h->pam[i] = bus_map_ram(mem, base, len, ram + base, 0, PRIO_SHADOW);
        ok = ok && h->pam[i] >= 0;
    }
    h->smram = bus_map_ram(mem, 0xa0000, 0x20000, ram + 0xa0000, BUS_RW, PRIO_DEVICE + 1);
    h->hole = bus_map(mem, 15 * MIB, MIB, &hole_ops, NULL, PRIO_RAM);
    return ok && h->smram >= 0 && h->hole >= 0;
}

static bool i440fx_init(struct device *d, const void *config, struct err *e)
{
    struct i440fx *h = (struct i440fx *)(void *)d;
    const struct i440fx_config *c = config;

    if (c->ram_size < MIB || c->ram_size & PAGE_MASK) {
        return err_set(e, "the machine needs at least 1 MB of memory; use -m 1 or more");
    }
    h->reset = c->reset;
    h->reset_to = c->reset_to;
    define_registers(h, c->ram_size);
    bus_begin(d->env->mem);
    if (!map_memory(h, c->ram, c->ram_size)) {
        bus_commit(d->env->mem);
        return err_set(e, "no memory for the memory map; close other programs");
    }
    update_map(h);
    bus_commit(d->env->mem);
    return pci_plug(c->pci, &h->pci, e);
}

static void i440fx_reset(struct device *d, enum reset_kind kind)
{
    struct i440fx *h = (struct i440fx *)(void *)d;

    (void)kind;
    pci_function_reset(&h->pci);
    h->smiact = false;
    h->smram_last = h->pci.config[SMRAM];
    h->trc_last = 0;
    update_map(h);
}

static bool i440fx_post_load(struct device *d, unsigned version, struct err *e)
{
    struct i440fx *h = (struct i440fx *)(void *)d;

    (void)version;
    (void)e;
    update_map(h);
    return true;
}

const struct device_class i440fx_class = {
    .name = "i440fx",
    .size = sizeof(struct i440fx),
    .init = i440fx_init,
    .reset = i440fx_reset,
    .state = i440fx_fields,
    .state_version = 2, /* 2: smiact */
    .post_load = i440fx_post_load,
};
