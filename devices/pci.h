/*
 * PCI bus 0 as its functions and the board see it: configuration space with write masks, base
 * address registers that move bus windows, INTx pins.
 *
 * This is an interface like irq.h: every PCI function embeds a struct pci_function; pci.c is the
 * bus and its configuration mechanism 1.
 */
#ifndef OXBOW_DEVICES_PCI_H
#define OXBOW_DEVICES_PCI_H

#include "devices/device.h"

#define PCI_DEVFN(slot, fn) ((uint8_t)((slot) << 3 | (fn)))

enum pci_reg {
    PCI_VENDOR = 0x00,
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_PROG_IF = 0x09,
    PCI_SUBCLASS = 0x0a,
    PCI_CLASS = 0x0b,
    PCI_LATENCY = 0x0d,
    PCI_HEADER = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SUBVENDOR = 0x2c,
    PCI_SUBDEVICE = 0x2e,
    PCI_ROM = 0x30,
    PCI_IRQ_LINE = 0x3c,
    PCI_IRQ_PIN = 0x3d
};

enum pci_command { PCI_CMD_IO = 1, PCI_CMD_MEM = 2, PCI_CMD_MASTER = 4, PCI_CMD_NO_INTX = 0x400 };

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM, PCI_BAR_MEM_PREFETCH };

enum { PCI_BARS = 7, PCI_BAR_ROM = 6 };

struct pci_bus;

struct pci_bar {
    uint32_t size; /* power of two */
    uint8_t kind;  /* enum pci_bar_kind */
    int handle;    /* window on the memory or the I/O bus */
};

struct pci_function {
    struct pci_bus *bus;
    void *dev;
    /* Called after the guest has written bytes [off, off + size), and after a load; or NULL. */
    void (*written)(void *dev, unsigned off, unsigned size);
    uint8_t devfn;
    bool pin_level;      /* what the chip drives on its INTx pin */
    uint8_t config[256]; /* little-endian, as the guest reads it */
    uint8_t initial[256];
    uint8_t wmask[256]; /* bits that can be written */
    uint8_t w1c[256];   /* bits that a written 1 clears */
    struct pci_bar bars[PCI_BARS];
};

/* Field table entries for an embedded struct pci_function m of type. */
#define PCI_SNAP_FIELDS(type, m)                                                               \
    {#m ".config", (uint32_t)offsetof(type, m.config), 256, SNAP_BYTES, 0},                    \
    {#m ".pin_level", (uint32_t)offsetof(type, m.pin_level), 1, SNAP_BOOL, 0}

struct pci_id {
    uint16_t vendor, device;
    uint32_t class_code; /* class << 16 | subclass << 8 | programming interface */
    uint8_t revision;
};

/* Puts the standard header in place.  The chip then sets its own registers with pci_define. */
void pci_function_init(struct pci_function *f, void *dev, uint8_t devfn, const struct pci_id *id);
/* A register of 1, 2 or 4 bytes: reset value, writable bits, bits cleared by writing 1. */
void pci_define(struct pci_function *f, unsigned off, unsigned size, uint32_t initial,
                uint32_t wmask, uint32_t w1c);
/* Declares a BAR for a window the chip has mapped (handle); the bus moves and switches it. */
void pci_add_bar(struct pci_function *f, unsigned n, enum pci_bar_kind kind, uint32_t size,
                 int handle);
/*
 * An option ROM behind the ROM BAR, filled up with FFh to a power of two.  Returns the copy that is
 * mapped, for the chip to free; NULL: no memory.
 */
uint8_t *pci_add_rom(struct pci_function *f, struct bus *mem, const void *rom, size_t size);
/* INTx pin 1..4 (A..D). */
void pci_set_pin(struct pci_function *f, unsigned pin);
/* Plugs the function in; false when devfn is taken. */
bool pci_plug(struct device *pci, struct pci_function *f, struct err *e);
/* Reset values back, windows off, pin low. */
void pci_function_reset(struct pci_function *f);
/* After the fields of a snapshot are in: moves the windows and tells the chip. */
void pci_function_loaded(struct pci_function *f);
/* The chip's interrupt output (level). */
void pci_set_irq(struct pci_function *f, bool level);

/* Bus master access to memory; nothing moves unless the guest switched bus mastering on. */
bool pci_dma_read(struct pci_function *f, uint64_t addr, void *to, uint32_t len);
bool pci_dma_write(struct pci_function *f, uint64_t addr, const void *from, uint32_t len);

ALWAYS_INLINE uint8_t pci_get8(const struct pci_function *f, unsigned off)
{
    return f->config[off & 0xff];
}
uint16_t pci_get16(const struct pci_function *f, unsigned off);
uint32_t pci_get32(const struct pci_function *f, unsigned off);

/* The bus itself. */
extern const struct device_class pci_class;

/*
 * Where the four interrupt lines (0..3) go; pin p of slot s drives line (p - 1 + s - 1) & 3.
 * Set by the south bridge that routes them.
 */
void pci_set_router(struct device *pci, void (*set)(void *to, unsigned line, bool level), void *to);
/* Port CF9h lies inside the configuration address register; the south bridge owns it. */
void pci_set_cf9(struct device *pci, const struct io_ops *ops, void *dev);

#endif
