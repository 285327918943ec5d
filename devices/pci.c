/*
 * PCI bus 0 with configuration mechanism 1 (PCI Local Bus Specification 2.1, 3.7.4.1, chapter 6).
 *
 * CF8h takes a 32-bit address; CFCh-CFFh are the data window, in any width.  Every other bus, and
 * every empty slot, reads as all ones.  A base address register is an ordinary writable register
 * whose low bits are not writable, so sizing needs no state; the window follows at every write.
 * Invariant: a window is on exactly when the command register's enable bit is set and the base is
 * neither 0 nor runs to the very top of the space (the sizing pattern).
 */
#include "devices/pci.h"

#include <stdlib.h>
#include <string.h>

#include "memory/bytes.h"

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc, ENABLE_BIT = 31, LINES = 4 };

struct pci_bus {
    struct device d;
    uint32_t address;
    struct pci_function *functions[256];
    void (*route)(void *to, unsigned line, bool level);
    void *route_to;
    const struct io_ops *cf9;
    void *cf9_dev;
    bool line[LINES]; /* as last told to the router */
};

static const struct snap_field pci_fields[] = {
    SNAP_F(struct pci_bus, address, SNAP_U32),
    SNAP_ARRAY(struct pci_bus, line, SNAP_BOOL),
    SNAP_END,
};

uint16_t pci_get16(const struct pci_function *f, unsigned off)
{
    return get16(f->config + (off & 0xfe));
}

uint32_t pci_get32(const struct pci_function *f, unsigned off)
{
    return get32(f->config + (off & 0xfc));
}

/* Interrupts. */

static unsigned line_of(const struct pci_function *f)
{
    return (f->config[PCI_IRQ_PIN] - 1u + (f->devfn >> 3) - 1u) & (LINES - 1);
}

static bool drives(const struct pci_function *f, unsigned line)
{
    return f && f->pin_level && f->config[PCI_IRQ_PIN] && line_of(f) == line
           && !(pci_get16(f, PCI_COMMAND) & PCI_CMD_NO_INTX);
}

static void update_line(struct pci_bus *b, unsigned line)
{
    bool level = false;
    unsigned i;

    for (i = 0; i < ARRAY_LEN(b->functions) && !level; i++) {
        level = drives(b->functions[i], line);
    }
    if (level != b->line[line]) {
        b->line[line] = level;
        if (b->route) {
            b->route(b->route_to, line, level);
        }
    }
}

void pci_set_irq(struct pci_function *f, bool level)
{
    if (f->pin_level == level) {
        return;
    }
    f->pin_level = level;
    /* Interrupt status (bit 3 of the status register) shows the pin even when it is masked. */
    f->config[PCI_STATUS] = (uint8_t)((f->config[PCI_STATUS] & ~8) | level << 3);
    if (f->bus) {
        update_line(f->bus, line_of(f));
    }
}

/* Windows. */

static unsigned bar_reg(unsigned n)
{
    return n == PCI_BAR_ROM ? PCI_ROM : PCI_BAR0 + n * 4;
}

static void place_bar(struct pci_function *f, unsigned n)
{
    const struct pci_bar *bar = &f->bars[n];
    uint32_t value = pci_get32(f, bar_reg(n)), base = value & ~(bar->size - 1);
    unsigned command = f->config[PCI_COMMAND];
    bool on;

    if (bar->kind == PCI_BAR_IO) {
        on = (command & PCI_CMD_IO) && base && base <= 0xffff && bar->size <= 0x10000 - base;
        bus_move(f->bus->d.env->io, bar->handle, base, on);
    } else {
        on = (command & PCI_CMD_MEM) && base && base + (bar->size - 1) != UINT32_MAX
             && (n != PCI_BAR_ROM || (value & 1));
        bus_move(f->bus->d.env->mem, bar->handle, base, on);
    }
}

static void place_bars(struct pci_function *f)
{
    unsigned n;

    bus_begin(f->bus->d.env->mem);
    bus_begin(f->bus->d.env->io);
    for (n = 0; n < PCI_BARS; n++) {
        if (f->bars[n].kind != PCI_BAR_NONE) {
            place_bar(f, n);
        }
    }
    bus_commit(f->bus->d.env->io);
    bus_commit(f->bus->d.env->mem);
}

/* Function set-up. */

void pci_define(struct pci_function *f, unsigned off, unsigned size, uint32_t initial,
                uint32_t wmask, uint32_t w1c)
{
    put_n(f->initial + off, size, initial);
    put_n(f->config + off, size, initial);
    put_n(f->wmask + off, size, wmask);
    put_n(f->w1c + off, size, w1c);
}

void pci_function_init(struct pci_function *f, void *dev, uint8_t devfn, const struct pci_id *id)
{
    memset(f, 0, sizeof *f);
    f->dev = dev;
    f->devfn = devfn;
    pci_define(f, PCI_VENDOR, 2, id->vendor, 0, 0);
    pci_define(f, PCI_DEVICE, 2, id->device, 0, 0);
    pci_define(f, PCI_COMMAND, 2, 0, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER, 0);
    pci_define(f, PCI_STATUS, 2, 0x0280, 0, 0xf900);
    pci_define(f, PCI_REVISION, 4, id->class_code << 8 | id->revision, 0, 0);
    pci_define(f, PCI_LATENCY, 1, 0, 0xf8, 0);
}

void pci_add_bar(struct pci_function *f, unsigned n, enum pci_bar_kind kind, uint32_t size,
                 int handle)
{
    uint32_t mask = ~(size - 1);

    f->bars[n].kind = (uint8_t)kind;
    f->bars[n].size = size;
    f->bars[n].handle = handle;
    if (n == PCI_BAR_ROM) {
        pci_define(f, PCI_ROM, 4, 0, (mask & 0xfffff800u) | 1, 0);
    } else if (kind == PCI_BAR_IO) {
        pci_define(f, bar_reg(n), 4, 1, mask & 0xfffffffcu, 0);
    } else {
        pci_define(f, bar_reg(n), 4, kind == PCI_BAR_MEM_PREFETCH ? 8 : 0, mask & 0xfffffff0u, 0);
    }
}

uint8_t *pci_add_rom(struct pci_function *f, struct bus *mem, const void *rom, size_t size)
{
    uint32_t len = PAGE_SIZE;
    uint8_t *copy;
    int handle;

    while (len < size) {
        len *= 2;
    }
    copy = malloc(len);
    if (!copy) {
        return NULL;
    }
    memset(copy, 0xff, len);
    memcpy(copy, rom, size);
    handle = bus_map_ram(mem, 0, len, copy, BUS_READ, PRIO_PCI);
    if (handle < 0) {
        free(copy);
        return NULL;
    }
    bus_move(mem, handle, 0, false);
    pci_add_bar(f, PCI_BAR_ROM, PCI_BAR_MEM, len, handle);
    return copy;
}

void pci_set_pin(struct pci_function *f, unsigned pin)
{
    pci_define(f, PCI_IRQ_PIN, 1, pin, 0, 0);
    pci_define(f, PCI_IRQ_LINE, 1, 0, 0xff, 0);
    f->wmask[PCI_COMMAND + 1] |= PCI_CMD_NO_INTX >> 8;
}

bool pci_plug(struct device *pci, struct pci_function *f, struct err *e)
{
    struct pci_bus *b = (struct pci_bus *)(void *)pci;

    if (b->functions[f->devfn]) {
        return err_set(e, "PCI slot %u function %u is taken; choose another address",
                       f->devfn >> 3, f->devfn & 7);
    }
    b->functions[f->devfn] = f;
    f->bus = b;
    place_bars(f);
    return true;
}

void pci_function_reset(struct pci_function *f)
{
    pci_set_irq(f, false);
    memcpy(f->config, f->initial, sizeof f->config);
    if (f->bus) {
        place_bars(f);
    }
}

void pci_function_loaded(struct pci_function *f)
{
    place_bars(f);
    if (f->written) {
        f->written(f->dev, 0, sizeof f->config);
    }
}

bool pci_dma_read(struct pci_function *f, uint64_t addr, void *to, uint32_t len)
{
    if (!(f->config[PCI_COMMAND] & PCI_CMD_MASTER)) {
        memset(to, 0xff, len);
        return false;
    }
    bus_read_block(f->bus->d.env->mem, addr, to, len);
    return true;
}

bool pci_dma_write(struct pci_function *f, uint64_t addr, const void *from, uint32_t len)
{
    if (!(f->config[PCI_COMMAND] & PCI_CMD_MASTER)) {
        return false;
    }
    bus_write_block(f->bus->d.env->mem, addr, from, len);
    return true;
}

/* Configuration mechanism 1. */

static void config_write(struct pci_function *f, unsigned off, unsigned size, uint32_t val)
{
    unsigned i;

    for (i = 0; i < size && off + i < sizeof f->config; i++) {
        uint8_t *reg = &f->config[off + i], byte = (uint8_t)(val >> i * 8);
        uint8_t mask = f->wmask[off + i];

        *reg = (uint8_t)((*reg & ~mask) | (byte & mask));
        *reg &= (uint8_t)~(byte & f->w1c[off + i]);
    }
    if (off < PCI_ROM + 4 && off + size > PCI_COMMAND) {
        place_bars(f);
        if (f->config[PCI_IRQ_PIN]) {
            update_line(f->bus, line_of(f));
        }
    }
    if (f->written) {
        f->written(f->dev, off, size);
    }
}

/* The function that CF8h points at, NULL when nobody answers. */
static struct pci_function *target(const struct pci_bus *b)
{
    if (!(b->address >> ENABLE_BIT) || (b->address >> 16 & 0xff) != 0) {
        return NULL;
    }
    return b->functions[b->address >> 8 & 0xff];
}

static uint64_t data_read(void *dev, uint64_t off, unsigned size)
{
    const struct pci_bus *b = dev;
    const struct pci_function *f = target(b);
    unsigned at = (b->address & 0xfc) + (unsigned)off, i;
    uint64_t val = 0;

    if (!f) {
        return UINT64_MAX;
    }
    for (i = 0; i < size; i++) {
        val |= (uint64_t)(at + i < sizeof f->config ? f->config[at + i] : 0xff) << i * 8;
    }
    return val;
}

static void data_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct pci_bus *b = dev;
    struct pci_function *f = target(b);

    if (f) {
        config_write(f, (b->address & 0xfc) + (unsigned)off, size, (uint32_t)val);
    }
}

/* Only whole dwords reach the address register; a byte at CF9h is the reset control. */
static uint64_t address_read(void *dev, uint64_t off, unsigned size)
{
    const struct pci_bus *b = dev;

    if (off == 0 && size == 4) {
        return b->address;
    }
    if (off == 1 && size == 1 && b->cf9) {
        return b->cf9->read(b->cf9_dev, 0, 1);
    }
    return UINT64_MAX;
}

static void address_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct pci_bus *b = dev;

    if (off == 0 && size == 4) {
        b->address = (uint32_t)val & 0x80fffffcu;
    } else if (off == 1 && size == 1 && b->cf9) {
        b->cf9->write(b->cf9_dev, 0, 1, val);
    }
}

static const struct io_ops address_ops = {address_read, address_write, 1, 4, "pci-address"};
static const struct io_ops data_ops = {data_read, data_write, 1, 4, "pci-data"};

void pci_set_router(struct device *pci, void (*set)(void *to, unsigned line, bool level), void *to)
{
    struct pci_bus *b = (struct pci_bus *)(void *)pci;

    b->route = set;
    b->route_to = to;
}

void pci_set_cf9(struct device *pci, const struct io_ops *ops, void *dev)
{
    struct pci_bus *b = (struct pci_bus *)(void *)pci;

    b->cf9 = ops;
    b->cf9_dev = dev;
}

static bool pci_init(struct device *d, const void *config, struct err *e)
{
    (void)config;
    if (bus_map(d->env->io, CONFIG_ADDRESS, 4, &address_ops, d, PRIO_DEVICE) < 0
        || bus_map(d->env->io, CONFIG_DATA, 4, &data_ops, d, PRIO_DEVICE) < 0) {
        return err_set(e, "no memory for the PCI bus; close other programs");
    }
    return true;
}

static void pci_reset(struct device *d, enum reset_kind kind)
{
    (void)kind;
    ((struct pci_bus *)(void *)d)->address = 0;
}

const struct device_class pci_class = {
    .name = "pci",
    .size = sizeof(struct pci_bus),
    .init = pci_init,
    .reset = pci_reset,
    .state = pci_fields,
    .state_version = 1,
};
