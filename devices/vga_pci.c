/*
 * PCI shell of the display adapter; see vga_pci.h.
 *
 * PCI Local Bus Specification 2.1 chapter 6.  The legacy windows (A0000h, 3B0h-3DFh, 1CEh) answer
 * always, as on the boards where this function is the boot display; only the BARs follow the
 * command register.
 * The register BAR begins with what the monitor says about itself (VESA E-EDID 1.3), as drivers of
 * this adapter expect; its unused parts read as all ones.
 */
#include "devices/vga_pci.h"

#include <stdlib.h>

#include "devices/pci.h"
#include "devices/vga.h"

enum {
    MMIO_SIZE = 4096,
    MMIO_PORTS = 0x400, /* ports 3C0h.. */
    MMIO_PORTS_END = 0x420,
    MMIO_DISPI = 0x500,
    MMIO_DISPI_END = 0x516,
    ROM_MAX = 256 * 1024
};

/* The same as in the video BIOS (bios/vga/vbe.inc), which has the words to it. */
static const uint8_t edid[128] = {
    0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, /* header */
    0x3f, 0x02, 1, 0, 1, 0, 0, 0, 1, 36, 1, 3,      /* "OXB", product, serial, date, version */
    0x08, 32, 24, 120, 0x0a,                        /* analogue, 32 by 24 cm, gamma, RGB */
    0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54, /* colours */
    0xa1, 0x08, 0x00,                                           /* established timings */
    0x61, 0x40, 0x81, 0x80, 0xa9, 0x40, 0x81, 0xc0, 1, 1, 1, 1, 1, 1, 1, 1,
    0x64, 0x19, 0x00, 0x40, 0x41, 0x00, 0x26, 0x30, 0x18, 0x88, 0x36, 0x00, 0x40, 0xf0, 0x10, 0x00,
    0x00, 0x18, /* 1024x768 at 60 Hz */
    0, 0, 0, 0xfc, 0, 'O', 'x', 'b', 'o', 'w', ' ', 'V', 'G', 'A', '\n', ' ', ' ', ' ',
    0, 0, 0, 0xfd, 0, 50, 75, 30, 90, 23, 0, '\n', ' ', ' ', ' ', ' ', ' ', ' ',
    0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0x4f, /* no extensions, check sum */
};

struct vga_pci {
    struct device dev;
    struct pci_function fn;
    struct device *vga;
    uint8_t *rom;
};

static struct vga_pci *vga_pci_of(struct device *d)
{
    return CONTAINER_OF(d, struct vga_pci, dev);
}

/* A byte of the register BAR; DISPI registers are 16 bits wide. */
static uint8_t mmio_get(struct vga_pci *p, unsigned off)
{
    if (off < sizeof edid) {
        return edid[off];
    }
    if (off >= MMIO_PORTS && off < MMIO_PORTS_END) {
        return vga_port_read(p->vga, (uint16_t)(0x3c0 + off - MMIO_PORTS));
    }
    if (off >= MMIO_DISPI && off < MMIO_DISPI_END) {
        return (uint8_t)(vga_dispi_read(p->vga, (off - MMIO_DISPI) / 2) >> (off & 1) * 8);
    }
    return 0xff;
}

static uint64_t mmio_read(void *dev, uint64_t off, unsigned size)
{
    struct vga_pci *p = dev;
    uint64_t val = 0;
    unsigned i;

    for (i = 0; i < size; i++) {
        val |= (uint64_t)mmio_get(p, (unsigned)off + i) << i * 8;
    }
    return val;
}

static void mmio_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct vga_pci *p = dev;
    unsigned i;

    if (off >= MMIO_DISPI && off < MMIO_DISPI_END) {
        if (!(off & 1)) { /* a byte alone is the low half of its register */
            vga_dispi_write(p->vga, (unsigned)(off - MMIO_DISPI) / 2, (uint16_t)val);
        }
        return;
    }
    for (i = 0; i < size; i++) {
        if (off + i >= MMIO_PORTS && off + i < MMIO_PORTS_END) {
            vga_port_write(p->vga, (uint16_t)(0x3c0 + off + i - MMIO_PORTS),
                           (uint8_t)(val >> i * 8));
        }
    }
}

static const struct io_ops mmio_ops = {mmio_read, mmio_write, 1, 2, "vga-mmio"};

static bool vga_pci_init(struct device *d, const void *config, struct err *e)
{
    static const struct pci_id id = {0x1234, 0x1111, 0x030000, 0x00};
    const struct vga_pci_config *c = config;
    struct vga_pci *p = vga_pci_of(d);
    int mmio;

    if (c->rom && (c->rom_size == 0 || c->rom_size > ROM_MAX)) {
        return err_set(e, "a video BIOS of %zu bytes can't be used; give one of up to 256 KB",
                       c->rom_size);
    }
    p->vga = c->vga;
    pci_function_init(&p->fn, p, c->devfn, &id);
    pci_add_bar(&p->fn, 0, PCI_BAR_MEM_PREFETCH, vga_vram_size(p->vga), vga_lfb_handle(p->vga));
    mmio = bus_map(d->env->mem, 0, MMIO_SIZE, &mmio_ops, p, PRIO_PCI);
    bus_move(d->env->mem, mmio, 0, false);
    pci_add_bar(&p->fn, 2, PCI_BAR_MEM, MMIO_SIZE, mmio);
    if (c->rom) {
        p->rom = pci_add_rom(&p->fn, d->env->mem, c->rom, c->rom_size);
    }
    if (mmio < 0 || (c->rom && !p->rom)) {
        free(p->rom);
        return err_set(e, "no memory for the display adapter; close other programs");
    }
    if (!pci_plug(c->pci, &p->fn, e)) {
        free(p->rom);
        return false;
    }
    return true;
}

static void vga_pci_reset(struct device *d, enum reset_kind kind)
{
    (void)kind;
    pci_function_reset(&vga_pci_of(d)->fn);
}

static void vga_pci_free(struct device *d)
{
    free(vga_pci_of(d)->rom);
}

static bool vga_pci_post_load(struct device *d, unsigned version, struct err *e)
{
    (void)version;
    (void)e;
    pci_function_loaded(&vga_pci_of(d)->fn);
    return true;
}

static const struct snap_field vga_pci_state[] = {
    PCI_SNAP_FIELDS(struct vga_pci, fn),
    SNAP_END,
};

const struct device_class vga_pci_class = {
    .name = "vga-pci",
    .size = sizeof(struct vga_pci),
    .init = vga_pci_init,
    .reset = vga_pci_reset,
    .free = vga_pci_free,
    .state = vga_pci_state,
    .state_version = 1,
    .post_load = vga_pci_post_load,
};
